"""Quasi-likelihood of categories without an order against dense matrices and what must not matter."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import hlmbayes as hlm
from hlmbayes.cli import main
from hlmbayes.errors import EstimationError, HypothesisError
from hlmbayes.hglm import pql as fitting
from hlmbayes.hglm.pql import PQLEstimates, pql
from hlmbayes.inference.covariances import CR0

from .test_multinomial import KNOWN, ORACLE, ORACLES, PLAIN, OfAnyNumber, fitted, simulated

SLOPES = "mlogit(y) = b0 + b1*group(x); b0 = g00 + g01*grand(w) + u0; b1 = g10 + u1"
ORDER = [0, 2, 4, 1, 3, 5]  # the oracle's gammas are of both categories: 1, 1, w, w, x, x


def quasi(text: str, frame: pd.DataFrame, method: str | None = None) -> PQLEstimates:
    return pql(hlm.Model(text), hlm.read(frame, id="id"), method)


@pytest.mark.parametrize("method", ["ML", "REML"])
def test_it_is_that_of_dense_matrices(method: str) -> None:
    found, known = quasi(PLAIN, ORACLE, method), KNOWN[f"pql_{method}"]
    assert found.converged
    assert np.asarray(found.working.components.tau) == pytest.approx(np.array(known["tau"]), abs=2e-6)
    assert found.working.loglik == pytest.approx(known["loglik"], abs=1e-5)
    for fit, own in ((found.working, known), (found.population, known["average"])):
        assert fit.gamma_free == pytest.approx(np.array(own["gamma"])[ORDER], abs=1e-6)
        assert np.sqrt(np.diag(fit.vcov_free)) == pytest.approx(np.array(own["se"])[ORDER], abs=1e-6)
        robust = np.sqrt(np.diag(CR0().matrix(fit)))
        assert robust == pytest.approx(np.array(own["se_robust"])[ORDER], abs=1e-6)


def test_of_two_categories_it_is_the_logit_of_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = simulated().assign(y=lambda f: np.minimum(f["y"], 2))
    one = quasi(SLOPES.replace("mlogit", "logit"), frame.assign(y=frame["y"] == 1))
    monkeypatch.setattr(fitting, "law_of", lambda _: OfAnyNumber())
    two = quasi(SLOPES, frame)
    for a, b in ((two.working, one.working), (two.population, one.population)):
        assert a.gamma_free == pytest.approx(b.gamma_free, abs=1e-8)
        assert a.vcov_free == pytest.approx(b.vcov_free, abs=1e-8)
        assert CR0().matrix(a) == pytest.approx(CR0().matrix(b), abs=1e-8)
    assert np.asarray(two.working.tau) == pytest.approx(np.asarray(one.working.tau), abs=1e-8)
    assert two.working.loglik == pytest.approx(one.working.loglik, abs=1e-5)  # not stationary in eta


def test_without_random_effects_it_is_maximum_likelihood() -> None:
    found, known = quasi(PLAIN.replace(" + u0", ""), ORACLE), KNOWN["multinom"]
    assert found.working.gamma_free.reshape(2, 3) == pytest.approx(np.array(known["gamma"]), abs=1e-6)
    se = np.sqrt(np.diag(found.working.vcov_free)).reshape(2, 3)
    assert se == pytest.approx(np.array(known["se"]), abs=1e-6)


@pytest.mark.parametrize("text", [PLAIN, SLOPES])
def test_another_reference_category_is_the_same_model(text: str) -> None:
    frame = simulated(J=40, n=20)
    found = quasi(text, frame)
    other = quasi(text, frame.assign(y=frame["y"].map({1: 3, 2: 2, 3: 1})))
    q = found.working.design.n_random // 2
    turn = np.kron(np.array([[-1.0, 0.0], [-1.0, 1.0]]), np.eye(q))
    a, b = (fit.working.gamma_free.reshape(2, 3) for fit in (found, other))
    assert b == pytest.approx(np.array([-a[0], a[1] - a[0]]), abs=1e-6)
    tau = np.asarray(found.working.components.tau)
    assert np.asarray(other.working.components.tau) == pytest.approx(turn @ tau @ turn.T, abs=1e-5)


def test_order_of_rows_names_of_categories_and_the_level_of_a_predictor_do_not_matter() -> None:
    frame, found = simulated(), quasi(PLAIN, simulated())
    mixed = frame.sample(frac=1.0, random_state=3).assign(x=lambda f: 2000.0 + f["x"])
    other = quasi(PLAIN, mixed.assign(y=lambda f: f["y"].map({1: -2.5, 2: 0.0, 3: 40.0})))
    a, b = (fit.working.gamma_free.reshape(2, 3) for fit in (found, other))
    assert b[:, 1:] == pytest.approx(a[:, 1:], abs=1e-7)
    assert b[:, 0] == pytest.approx(a[:, 0] - 2000.0 * a[:, 2], abs=1e-4)
    assert np.asarray(other.working.tau) == pytest.approx(np.asarray(found.working.tau), abs=1e-7)
    assert other.model.gamma_names[:3] == ("g00[-2.5]", "g01[-2.5]", "g10[-2.5]")


def test_terms_and_effects_held_equal_are_taken() -> None:
    text = "mlogit(y) = b0 + b1*x + b2*x^2; b0 = g00 + u0; b1 = g10; b2 = g20; g10 = g20"
    found = quasi(text, simulated())
    assert found.converged
    assert found.working.gamma["g10[2]"] == found.working.gamma["g20[2]"] != found.working.gamma["g10[1]"]
    exact = fitted(text, simulated())
    assert np.asarray(found.working.gamma) == pytest.approx(np.asarray(exact.gamma), abs=0.15)


def test_a_predictor_that_separates_a_category_is_refused() -> None:
    frame = simulated().assign(x=lambda f: f["y"] == 2)
    with pytest.raises(EstimationError, match=r"g10\[2\] \(x\[2\]\) separates .* is none"):
        quasi(PLAIN, frame)


def test_listing_page_and_json_have_a_set_of_equations_and_all_categories() -> None:
    fit = hlm.Model(PLAIN).fit(hlm.read(ORACLE, id="id"), algorithm="hlm")
    text, page, results = fit.listing(), fit.to_html(), json.loads(fit.to_json())
    assert "Tau B0[2] 0.36605 and 0.36821" in " ".join(text.split())
    for part in (
        "Distribution at Level-1: Multinomial (categories 1, 2, 3)", "Prob(Y=m|B) = P(m)",
        "log[P(m)/P(M)] = B0[m] + B1[m]*(x)", "B0[m] = G00[m] + G01[m]*(w) + U0[m]",
        "m = 1, 2; M = 3, the reference", "MULTINOMIAL LOGIT LINK FUNCTION", "INTRCPT1,B0[2] ",
        "INTRCPT2, G00[2]", "INTRCPT1,       U0[2]", "Odds ",
        "each against 3, the reference",
    ):  # fmt: skip
        assert part in text
    assert "Population-Average Model" not in text
    assert "Population-average model" not in page
    assert "population_average" not in results
    assert "m = 1, 2; M = 3, the reference" in page
    assert [row["gamma"] for row in results["fixed"]][3] == "G00[2]"
    by = hlm.Model(PLAIN).fit(hlm.read(ORACLE, id="id"))
    assert results["likelihood"]["deviance"] == pytest.approx(by.deviance)


def test_the_face_names_categories() -> None:
    fit = hlm.Model(PLAIN).fit(hlm.read(ORACLE, id="id"), algorithm="hlm")
    assert fit.model == hlm.Model(PLAIN)
    assert list(fit.fixed_effects(average=True).index)[3:] == ["g00[2]", "g01[2]", "g10[2]"]
    assert list(fit.variance_components()["name"]) == ["intercept[1]", "intercept[2]"]
    assert fit.wald("g10").df == 2
    assert {"ebintrc1", "ebintrc2", "pv10"} <= set(fit.residuals().columns)
    with pytest.raises(HypothesisError, match="a probability for each"):
        fit.residuals(1)
    assert list(fit.influence().filter(like="d_")) == [f"d_{name}" for name in fit.gamma.parameters.codes]
    plain = hlm.Model("mlogit(y) = b0 + b1*x; b0 = g00 + u0; b1 = g10").fit(fit._record.data, algorithm="hlm")
    assert [c.coefficient for c in plain.explore("w").candidates] == ["b0[1]", "b0[2]"]
    assert "intercept[2]" in str(hlm.table(fit))
    curves = [np.asarray(line.get_ydata(), dtype=float) for line in hlm.plots.predicted(fit, "x").lines[:3]]
    np.testing.assert_allclose(sum(curves), 1.0, atol=1e-12)


def test_command_files_are_run_as_hlm_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hlm_file = tmp_path / "choice.hlm"
    hlm_file.write_text(
        "#WHLM CMD FILE FOR choice.mdm\nnonlin:multinomial,3\nlevel1:Y=INTRCPT1+X+RANDOM\n"
        "level2:INTRCPT1=INTRCPT2+W+RANDOM/\nlevel2:X=INTRCPT2/\nmacroit:50\n"
    )
    source = ["--level1", str(ORACLES / "data" / "multinomial.csv"), "--id", "id"]
    assert main(["run", str(hlm_file), *source]) == 0
    out = capsys.readouterr().out
    assert "Multinomial (categories 1, 2, 3)" in out
    assert "G10[2]" in out
    assert "-0.382551" in out
