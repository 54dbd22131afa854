"""From a Fit to the tables: names, constraints, starting values, notes, the optimum beside HLM's path."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.special import stdtr

from hlmbayes import Fit, Model, datasets
from hlmbayes.data.two_level import read
from hlmbayes.estimation.estimate import fit
from hlmbayes.estimation.estimates import Estimates
from hlmbayes.report import companion, listing, report_tables, to_html, to_json
from hlmbayes.report.collect import chi_square, tables
from hlmbayes.report.header import Run
from hlmbayes.report.tables import NoteGroup
from tests.small import MODELS, model, small


def fitted(name: str, algorithm: str = "exact", method: str = "REML", **options: Any) -> Estimates:
    return fit(model(name), small(3, 20).data(), method=method, algorithm=algorithm, **options)


def sentences(groups: tuple[NoteGroup, ...]) -> str:
    return " ".join(s for group in groups for s in group.sentences)


@pytest.mark.parametrize("name", sorted(MODELS))
@pytest.mark.parametrize("algorithm", ["exact", "hlm"])
def test_every_model_can_be_printed(name: str, algorithm: str) -> None:
    result = fitted(name, algorithm)
    text = listing(result, full_output=True)
    for effect in result.model.effects:
        assert f"{effect.upper()} " in text
    assert f"{result.deviance:.6f}" in text
    assert to_html(result, full_output=True).startswith("<!DOCTYPE")


LONG = ("four", "random only", "no intercept")  # their profiles take seconds


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in LONG else ()) for name in sorted(MODELS)]
)
@pytest.mark.parametrize("algorithm", ["exact", "hlm"])
def test_every_model_has_json(name: str, algorithm: str) -> None:
    assert to_json(fitted(name, algorithm)).startswith("{")


def test_values_are_the_fits_own() -> None:
    result = fitted("slopes")
    got = tables(result)
    assert got.sigma2 == result.sigma2
    assert np.array_equal(got.tau, result.components.tau)
    assert got.deviance == result.deviance
    assert [row.estimate for row in got.fixed] == list(result.gamma)
    assert [row.se for row in got.fixed] == pytest.approx(np.sqrt(np.diag(result.vcov)))
    assert [row.se for row in got.fixed_robust] == pytest.approx(np.sqrt(np.diag(Fit(result).vcov_robust)))
    assert got.reliability == pytest.approx(np.asarray(Fit(result).reliability()))


def test_names_are_the_users_and_symbols_hlms() -> None:
    got = tables(fitted("random only"))
    assert [row.name for row in got.variance_components] == ["INTRCPT1", "d slope", "x slope", "level-1"]
    assert [row.effect for row in got.variance_components] == ["U0", "U1", "U2", "R"]
    assert [row.gamma for row in got.fixed] == ["G00", "G20", "G21"]
    assert [row.level2 for row in got.fixed] == ["INTRCPT2", "INTRCPT2", "w"]
    assert got.header.equations[0] == "y = b0 + b1*d + b2*grand(x) + r"
    assert got.units_left_out


def test_of_constrained_gammas_only_the_first_is_listed() -> None:
    result = fitted("constrained")
    got = tables(result)
    assert [row.gamma for row in got.fixed] == ["G00", "G01", "G02", "G10"]
    assert [row.constrained for row in got.fixed] == [False, True, True, False]
    assert got.header.constraints == (("G01", "G11"), ("G02", "G12"))
    assert result.gamma["g01"] == result.gamma["g11"]
    text = listing(result)
    assert "\t01G = 11G" in text
    assert "\t02G = 12G" in text
    assert text.count('The "*" gammas have been constrained.') == 2


def test_starting_values_and_log_of_hlms_path() -> None:
    result = fitted("slopes", "hlm")
    got = tables(result)
    assert got.start is not None
    assert got.start.sigma2 == result.start.sigma2
    assert len(got.log) == result.iterations
    assert got.log[-1].tau == got.tau
    assert tables(fitted("slopes")).start is None


def test_unit_regressions_are_of_the_first_units_that_can_have_one() -> None:
    result = fitted("slopes", "hlm")
    full = result.design.full_rank
    assert not full[0]
    got = tables(result, Run(ols_units=3))
    assert [row.unit for row in got.unit_regressions] == ["101", "102"]
    assert tables(result, Run(ols_units=0)).unit_regressions == ()


def test_the_optimum_is_compared_on_hlms_constant() -> None:
    result = fitted("slopes", "hlm", "ML")
    got = report_tables(result)
    assert got.optimum is not None
    assert got.optimum.deviance_optimum <= got.optimum.deviance_here + 1e-9
    odd = result.n_rows % 2 * np.log(2 * np.pi)
    assert got.optimum.true_deviance - got.optimum.deviance_optimum == pytest.approx(odd, abs=1e-5)
    labels = [row.label for row in got.optimum.rows]
    assert labels[:5] == ["Deviance", "Sigma_squared", "Tau INTRCPT1", "Tau INTRCPT1, x", "Tau x"]


def test_an_exact_fit_needs_no_companion() -> None:
    assert companion(fitted("means")) is None
    assert report_tables(fitted("means")).optimum is None


def test_a_companion_that_cannot_be_had_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    from hlmbayes.errors import EstimationError

    result = fitted("means", "hlm")

    def refuse(*args: Any, **options: Any) -> Estimates:
        raise EstimationError("no")

    monkeypatch.setattr("hlmbayes.report.estimate", refuse)
    assert companion(result) is None


def test_a_fit_from_moments_can_be_printed() -> None:
    result = fit(model("slopes"), fitted("slopes").design.moments, algorithm="hlm")
    assert "Notes by hlmbayes" in listing(result)


def test_a_notebook_shows_the_fragment() -> None:
    assert Fit(fitted("means"))._repr_html_().startswith('<div class="hlmbayes">')


def test_methods_of_the_fit_are_the_report() -> None:
    result = fitted("means", "hlm")
    assert Fit(result).listing(title="A title") == listing(result, title="A title")
    assert "Problem Title: A title" in Fit(result).listing(title="A title")
    assert Fit(result).to_json() == to_json(result)
    assert Fit(result).to_html() == to_html(result)


HETEROGENEOUS = MODELS["slopes"] + "\nlog(sigma2) = a0 + a1*d"


@pytest.mark.parametrize("algorithm", ["exact", "hlm"])
def test_heterogeneous_sigma2(algorithm: str) -> None:
    data = small(3, 40).data()
    result = fit(Model(HETEROGENEOUS), data, method="ML", algorithm=algorithm)
    plain = fit(model("slopes"), data, method="ML", algorithm=algorithm)
    got = report_tables(result, full_output=True)
    assert got.heterogeneity is not None
    assert [row.variable for row in got.heterogeneity.alphas] == ["INTRCPT1", "d"]
    assert [row.estimate for row in got.heterogeneity.alphas] == [a.estimate for a in result.law.alphas]
    assert got.heterogeneity.comparison.chi2 == pytest.approx(plain.deviance - result.deviance)
    assert got.heterogeneity.comparison.df == 1
    assert [row.effect for row in got.variance_components] == ["U0", "U1"]
    # what comes before the iterations is of the rows as they are
    before = report_tables(plain, full_output=True)
    assert got.least_squares == before.least_squares
    assert got.average_ols == before.average_ols
    assert got.start == before.start
    text = listing(result)
    assert "RESULTS FOR HETEROGENEOUS SIGMA-SQUARED" in text
    assert "log(Sigma_squared) = alpha0 + alpha1(d)" in text
    assert "Sigma squared (depends on d)" in text
    if algorithm == "hlm":
        assert got.optimum is not None
        assert "alpha1" in [row.label for row in got.optimum.rows]


def test_heterogeneous_reml_on_hlms_path_says_that_it_became_ml() -> None:
    result = fit(Model(HETEROGENEOUS), small(3, 40).data(), method="REML", algorithm="hlm")
    got = report_tables(result)
    assert got.header.method == "ML"
    assert "REML became ML" in got.notes[0].sentences[0]


def test_a_deviance_in_the_wrong_order_is_no_evidence() -> None:
    for algorithm in ("exact", "hlm"):
        result = fitted("means", algorithm)
        assert chi_square(-0.5, 2, result).p == 1.0
        assert chi_square(-0.5, 2, result).p_text == ">.500"
        assert math.isnan(chi_square(3.0, 0, result).p)
        assert chi_square(3.0, 0, result).p_text == "n/a"
        assert chi_square(1e120, 2, result).p_text == "0.000"


def test_p_values_are_printed_as_hlm_computes_them_and_kept_accurate(hlm_tables: dict[str, Any]) -> None:
    equations = """mathach = b0 + b1*group(ses) + r
        b0 = g00 + g01*sector + g02*meanses + u0
        b1 = g10 + g11*sector + g12*meanses + u1"""
    got = report_tables(fit(Model(equations), datasets.hsb(), algorithm="hlm"))
    printed = hlm_tables["model4_intercepts_slopes"]
    for table in ("fixed", "fixed_robust", "variance_components"):
        texts = [row["p"] for row in printed[table]]
        assert [row.p_text for row in getattr(got, table)] == texts
    assert got.fixed_robust[-1].p_text == "0.003"
    assert got.fixed_robust[-1].p == pytest.approx(2 * stdtr(157, -got.fixed_robust[-1].t))
    notes = sentences(got.notes)
    assert f"G12 with robust standard error: {got.fixed_robust[-1].p:.5f}, printed 0.003" in notes
    exact = report_tables(fit(Model(equations), datasets.hsb()))
    assert exact.fixed_robust[-1].p_text == "0.002"
    assert "approximations" not in sentences(exact.notes)


# --- notes ---------------------------------------------------------------------------------------


def test_dropped_rows_and_units_without_rows_are_told() -> None:
    raw = small(3, 20)
    y = raw.columns["y"].copy()
    y[raw.unit == 4] = np.nan
    y[raw.unit == 7] = np.where(np.arange((raw.unit == 7).sum()) == 0, np.nan, y[raw.unit == 7])
    data = replace(raw, columns={**raw.columns, "y": y}).data()
    result = fit(model("means"), data)
    gone = int(np.isnan(y).sum())
    got = report_tables(result)
    text = sentences(got.notes)
    assert f"{gone} of {len(y)} level-1 records were left out: they lack a value of y" in text
    assert "104" in text
    out = listing(result)
    assert f"  The maximum number of level-1 units = {len(y)}" in out
    assert f"Run-time deletion has reduced the number of level-1 records to {len(y) - gone}" in out


def test_units_without_a_regression_of_their_own_are_named() -> None:
    text = sentences(report_tables(fitted("slopes")).notes)
    assert "unit cannot give a regression of their own" in text
    assert "100" in text


def test_no_convergence_is_a_warning_with_advice() -> None:
    result = fitted("slopes", "hlm", max_iterations=2)
    assert not result.converged
    first = report_tables(result).notes[0]
    assert first.warning
    assert "has not converged after 2 iterations" in first.sentences[0]
    assert "--algorithm exact" in first.sentences[0]
    assert listing(result).index("WARNING") < listing(result).index(" Data\n")


def test_zero_variance_is_a_warning() -> None:
    raw = small(3, 20)
    y = raw.columns["z"]
    level = (
        y - np.array([y[raw.unit == j].mean() for j in range(20)])[raw.unit]
    )  # no unit differs from another
    result = fit(model("means"), replace(raw, columns={**raw.columns, "y": level}).data())
    assert result.boundary
    first = report_tables(result).notes[0]
    assert first.warning
    assert "zero" in first.sentences[0]


def test_warnings_of_the_run_are_told() -> None:
    got = report_tables(fitted("means"), warnings=("x was asked for but not done",))
    assert got.notes[0].sentences == ("x was asked for but not done.",)


def test_repaired_starting_values_are_told() -> None:
    for seed in range(30):
        result = fit(model("slopes"), small(seed, 20, sd=0.1).data(), algorithm="hlm")
        if not np.array_equal(result.start.tau, result.start.tau_raw):
            break
    diagonal = np.diag(result.start.tau_raw)
    assert (diagonal <= 0).any()
    text = sentences(report_tables(result).notes)
    assert "was not usable for" in text
    assert f"({diagonal[diagonal <= 0][0]:.5f}; " in text
    assert "New Tau(0)" in listing(result, full_output=True)


def test_numbers_too_small_for_hlms_decimals_are_given_in_full() -> None:
    raw = small(3, 20)
    tiny = replace(raw, columns={**raw.columns, "y": raw.columns["y"] * 1e-4}).data()
    result = fit(model("means"), tiny)
    text = sentences(report_tables(result).notes)
    assert f"G00 {result.gamma[0]:.6g}" in text
    assert f"variance of U0 {result.tau[0, 0]:.6g}" in text
    assert f"sigma squared {result.sigma2:.6g}" in text


def test_ids_read_as_floats_are_printed_as_in_the_file() -> None:
    raw = small(3, 20)
    rows = {"id": raw.unit + 100.0, **raw.columns}
    level2 = {"id": np.arange(20) + 100.0, **raw.level2}
    result = fit(model("slopes"), read(rows, level2, id="id"), algorithm="hlm")
    assert tables(result).unit_regressions[0].unit == "101"
    named = {"id": np.array([f"s{u}" for u in raw.unit]), **raw.columns}
    result = fit(Model("y = b0 + r\nb0 = g00 + u0"), read(named, id="id"), algorithm="hlm")
    assert tables(result).unit_regressions[0].unit == "s0"


def test_labels_of_the_data_are_in_the_listing_the_page_and_the_json() -> None:
    text = "mathach = b0 + b1*ses + r\nb0 = g00 + g01*sector + u0\nb1 = g10"
    labelled = fit(Model(text), datasets.hsb())
    listed = listing(labelled)
    assert listed.endswith(
        " Variables\n   mathach: Mathematics achievement\n   ses: Socioeconomic status of the student\n"
        "   sector: Sector of the school\n"
    )
    assert "<dt>ses</dt><dd>Socioeconomic status of the student</dd>" in to_html(labelled)
    assert '"sector": "Sector of the school"' in to_json(labelled)
    assert "\n Variables\n" not in listing(fitted("slopes"))
