"""HLM's path against HLM 6.08's printed numbers: REML to the last digits, one rule for all models."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import hlmbayes as hlm
from hlmbayes import Fit, Model
from hlmbayes.errors import EstimationError
from hlmbayes.estimation.hlm_path import positive_definite, starting_values
from hlmbayes.faces import record_of
from hlmbayes.likelihood.design import unit_ols
from tests.dense import dense
from tests.small import Small, model, small

TABLES = json.loads((Path(__file__).parents[1] / "oracles" / "hlm608_tables.json").read_text())
REML = [name for name, table in TABLES.items() if table["method"] == "REML"]
#: largest difference allowed, in units of the last printed digit
LAST_DIGITS = 2.0


def fitted(name: str) -> Fit:
    text = [e.replace("constraint: ", "") for e in TABLES[name]["equations"]]
    return Model("\n".join(text)).fit(
        hlm.datasets.hsb(), method=TABLES[name]["method"], algorithm="hlm", max_iterations=400
    )


ML = ["constrained", "random_only"]


@pytest.fixture(scope="module", params=REML + ML)
def printed_fit(request) -> tuple[Fit, dict]:
    return fitted(request.param), TABLES[request.param]


def test_iterations_and_deviance(printed_fit) -> None:
    fit, printed = printed_fit
    assert fit.converged
    assert fit.iterations == printed["iteration"]
    assert fit.deviance == pytest.approx(printed["deviance"], abs=2e-5)
    assert fit.n_parameters == printed["n_parameters"]
    assert fit.loglik == pytest.approx(float(printed["loglik"]), abs=LAST_DIGITS * 0.01)


def test_variances(printed_fit) -> None:
    fit, printed = printed_fit
    digit = 1e-5
    np.testing.assert_allclose(fit.tau, printed["tau"], rtol=0, atol=LAST_DIGITS * digit)
    assert fit.sigma2 == pytest.approx(printed["sigma2"], abs=LAST_DIGITS * digit)
    np.testing.assert_allclose(fit.tau_corr, printed["tau_corr"], rtol=0, atol=1e-3)
    np.testing.assert_allclose(fit.reliability(), printed["reliability"], rtol=0, atol=1e-3)
    if "se_tau" in printed:
        np.testing.assert_allclose(fit.se_tau, printed["se_tau"], rtol=0, atol=LAST_DIGITS * digit)
        assert fit.se_sigma2 == pytest.approx(printed["se_sigma2"], abs=LAST_DIGITS * digit)


@pytest.mark.parametrize("robust", [False, True])
def test_fixed_effects(printed_fit, robust: bool) -> None:
    fit, printed = printed_fit
    table = fit.fixed_effects(robust=robust)
    rows = printed["fixed_robust" if robust else "fixed"]
    table = table.loc[~table.index.duplicated() & table.index.isin([r["gamma"].lower() for r in rows])]
    assert list(table.index) == [row["gamma"].lower() for row in rows]
    for name, key, digit in (("coefficient", "estimate", 1e-6), ("se", "se", 1e-6), ("t_ratio", "t", 1e-3)):
        np.testing.assert_allclose(table[name], [r[key] for r in rows], rtol=0, atol=LAST_DIGITS * digit)
    np.testing.assert_array_equal(table["df"], [r["df"] for r in rows])


def test_model_based_standard_errors_have_the_sigma2_that_leaves(printed_fit) -> None:
    fit, printed = printed_fit
    se = fit.fixed_effects()["se"]
    expected = {row["gamma"].lower(): row["se"] for row in printed["fixed"]}
    se = se.loc[~se.index.duplicated() & se.index.isin(list(expected))]
    assert dict(se.round(6)) == expected
    np.testing.assert_allclose(
        record_of(fit).vcov_printed,
        record_of(fit).vcov_free * fit.sigma2 / record_of(fit).entering.sigma2,
        rtol=1e-12,
    )


def test_variance_components(printed_fit) -> None:
    fit, printed = printed_fit
    table = fit.variance_components()
    for got, row in zip(table.itertuples(), printed["variance_components"], strict=True):
        assert got.sd == pytest.approx(row["sd"], abs=LAST_DIGITS * 1e-5)
        assert got.variance == pytest.approx(row["variance"], abs=LAST_DIGITS * 1e-5)
        if row["chi2"] is not None:
            assert got.df == row["df"]
            assert got.chi2 == pytest.approx(row["chi2"], abs=1e-3)
    assert np.isnan(table["chi2"].iloc[-1])


def test_starting_values_of_model_4() -> None:
    start = starting_values(record_of(fitted("model4_intercepts_slopes")).design, reml=True)
    np.testing.assert_allclose([start.tau_raw[0, 0], start.tau_raw[1, 0], start.tau_raw[1, 1]],
                               [2.56964, 0.28026, -0.01614], atol=1e-5)  # fmt: skip
    assert start.tau[1, 1] == pytest.approx(0.43223, abs=1e-5)
    assert start.sigma2 == pytest.approx(36.72025, abs=1e-5)


def test_the_first_likelihoods_of_model_4() -> None:
    log = fitted("model4_intercepts_slopes").log
    np.testing.assert_allclose(
        [i.loglik for i in log[:4]], [-23251.99, -23251.82, -23251.74, -23251.69], atol=0.0051
    )
    assert next(i.number for i in log if i.accelerated) % 5 == 0


def test_units_without_full_rank_are_kept_but_not_counted() -> None:
    fit = fitted("random_only")
    assert record_of(fit).design.full_rank.sum() == 123
    assert fit.n_units == 160
    table = fit.variance_components()
    np.testing.assert_array_equal(table["df"].iloc[:3], [120, 123, 120])


def nearly_singular(spread: float, units: int = 2, base: float = 0.0) -> tuple[Model, Small]:
    """Data whose first units hardly vary in x: by ``spread`` about its mean there."""
    source = small(3, n_units=24)
    x = source.columns["x"]
    for j in range(1, units + 1):
        mine = source.unit == j
        x[mine] = 1.0 + spread * np.linspace(-1.0, 1.0, mine.sum())
    source.columns["x"] = x + base
    return hlm.Model("y = b0 + b1*x + r\nb0 = g00 + u0\nb1 = g10 + u1"), source


def test_units_of_a_large_condition_number_are_insufficient_as_ssis_rule_has_it() -> None:
    """X'X of 1e6 and more: two units of x = 1 with a spread of 0.001, about 1e7; 0.01 is about 1e5."""
    m, source = nearly_singular(0.001)
    plain, fit = (m.fit(source.data(), algorithm=algorithm) for algorithm in ("exact", "hlm"))
    conditions = [
        np.linalg.cond(z.T @ z)
        for j in range(24)
        if (
            z := np.column_stack([np.ones((source.unit == j).sum()), source.columns["x"][source.unit == j]])
        ).size
    ]
    assert np.sort(np.array(conditions) >= 1e6).sum() == 3  # unit 0 has one row
    np.testing.assert_array_equal(record_of(fit).design.full_rank, np.array(conditions) < 1e6)
    assert record_of(plain).design.full_rank.sum() == 23
    assert fit.variance_components()["df"].iloc[0] == plain.variance_components()["df"].iloc[0] - 2
    assert "or hardly beside its size: HLM's rule, a condition number of X'X of 1e6" in " ".join(
        fit.listing().split()
    )
    m, source = nearly_singular(0.01)
    assert record_of(m.fit(source.data(), algorithm="hlm")).design.full_rank.sum() == 23


def test_where_hlms_rule_would_leave_too_few_units_it_is_said_and_not_kept() -> None:
    m, source = nearly_singular(0.5, base=2000.0)
    fit = m.fit(source.data(), algorithm="hlm")
    assert record_of(fit).design.full_rank.sum() == 23
    assert any("would leave too few units here" in note for note in record_of(fit).notes)


@pytest.mark.parametrize("name", ["slopes", "raw", "random only", "no intercept"])
def test_unit_ols_equals_a_regression_in_each_unit(name: str) -> None:
    source, m = small(11), model(name)
    fit = m.fit(source.data(), method="ML")
    rows = dense(m, source.columns, source.unit, source.level2)
    e = rows.y - rows.X @ record_of(fit).design.gamma_ols
    b, inverse, rss, df = unit_ols(record_of(fit).design)
    for j in range(rows.n_units):
        z = rows.Z[rows.unit == j]
        assert record_of(fit).design.full_rank[j] == (np.linalg.matrix_rank(z) == z.shape[1])
        if record_of(fit).design.full_rank[j]:
            expected = np.linalg.lstsq(z, e[rows.unit == j])[0]
            np.testing.assert_allclose(b[j], expected, atol=1e-9)
            np.testing.assert_allclose(inverse[j], np.linalg.inv(z.T @ z), rtol=1e-8, atol=1e-12)
            assert rss[j] == pytest.approx(np.sum((e[rows.unit == j] - z @ expected) ** 2), abs=1e-9)
            assert df[j] == len(z) - z.shape[1]


def test_an_indefinite_start_falls_back_on_the_diagonal() -> None:
    tau, dispersion = np.array([[1.0, 2.0], [2.0, 1.0]]), np.diag([3.0, 5.0])
    np.testing.assert_allclose(positive_definite(tau, dispersion), np.diag([0.6, 1.0]))


def test_the_iteration_limit_is_said() -> None:
    fit = model("slopes").fit(small(1).data(), algorithm="hlm", max_iterations=3)
    assert not fit.converged
    assert "did not converge" in fit.warnings[0]


def test_without_any_full_rank_unit_hlm_has_no_start() -> None:
    rng = np.random.default_rng(0)
    unit = np.repeat(np.arange(30), 2)
    data = hlm.read(
        {
            "id": unit,
            "y": rng.normal(size=60),
            "x": np.repeat(rng.normal(size=30), 2) + 0.0,
            "z": rng.normal(size=60),
        },
        id="id",
    )
    m = Model("y = b0 + b1*x + r\nb0 = g00 + u0\nb1 = g10 + u1")
    with pytest.raises(EstimationError, match="exact"):
        m.fit(data, algorithm="hlm")


@pytest.mark.parametrize(
    ("sizes", "equations", "why"),
    [
        ([2] * 12, "b0 = g00 + u0\nb1 = g10 + u1", "no unit has more rows than random coefficients"),
        ([1] * 9 + [5] * 3, "b0 = g00 + g01*v + g02*w + u0\nb1 = g10 + u1", "3 units have a regression"),
    ],
)
def test_starting_values_that_hlm_cannot_have_are_said_not_to_be(
    sizes: list[int], equations: str, why: str
) -> None:
    rng = np.random.default_rng(5)
    unit = np.repeat(np.arange(12), sizes)
    level1 = {"id": unit, "y": rng.normal(size=len(unit)), "x": rng.normal(size=len(unit))}
    level2 = {"id": np.arange(12), "v": rng.normal(size=12), "w": rng.normal(size=12)}
    m = Model(f"y = b0 + b1*x + r\n{equations}")
    with pytest.raises(EstimationError, match=why) as refused:
        m.fit(hlm.read(level1, level2, id="id"), algorithm="hlm")
    assert 'use algorithm="exact"' in str(refused.value)
