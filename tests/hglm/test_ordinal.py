"""Cumulative logit models against ordinal::clmm and brute force."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import hlmbayes as hlm
from hlmbayes.errors import DataError, EquationError, EstimationError, HypothesisError
from hlmbayes.hglm.estimates import GeneralizedEstimates
from hlmbayes.hglm.fit import fit_by_likelihood
from hlmbayes.hglm.pql import pql
from hlmbayes.inference.covariances import CR0
from hlmbayes.laws.ordinal import Ordinal

ORACLES = Path(__file__).parents[1] / "oracles"
KNOWN = json.loads((ORACLES / "ordinal.json").read_text())
PLAIN = "cumlogit(y) = b0 + b1*x; b0 = g00 + g01*w + u0; b1 = g10"


def fitted(key: str, **how: object) -> GeneralizedEstimates:
    name, q = key.split("_")
    data = hlm.read(ORACLES / "data" / f"ordinal_{name}.csv", id="id")
    return fit_by_likelihood(hlm.Model(PLAIN + " + u1" * (q == "2")), data, **how)  # type: ignore[arg-type]


def law_of(found: GeneralizedEstimates) -> Ordinal:
    assert isinstance(found.law, Ordinal)
    return found.law


@pytest.mark.parametrize("key", ["four_1", "four_2", "rare_1", "rare_2"])
def test_the_optimum_is_that_of_brute_force(key: str) -> None:
    found, known = fitted(key), KNOWN[key]["brute_force"]
    assert found.converged
    assert found.deviance == pytest.approx(known["deviance"], abs=2e-6)
    assert found.deviance <= known["deviance"] + 1e-6
    assert found.gamma_free == pytest.approx(np.array(known["gamma"])[[0, 2, 1]], abs=1e-5)
    assert law_of(found).cuts == pytest.approx(known["cuts"], abs=1e-5)
    assert found.tau_values == pytest.approx(np.array(known["tau"]), abs=5e-5)
    assert found.unit_loglik.sum() == pytest.approx(found.loglik)


@pytest.mark.parametrize("key", ["four_1", "rare_1"])
def test_clmm_has_the_same_with_25_nodes_but_for_the_sign(key: str) -> None:
    found, known = fitted(key), KNOWN[key]["nodes_25"]
    alpha, se = np.array(known["alpha"]), np.array(known["se"])
    assert found.deviance == pytest.approx(known["deviance"], abs=1e-5)
    assert found.gamma_free == pytest.approx([alpha[0], -known["beta"][1], -known["beta"][0]], abs=2e-5)
    assert law_of(found).cuts == pytest.approx(alpha[1:] - alpha[0], abs=2e-5)
    own = np.sqrt(np.diag(found.vcov_free))
    assert own == pytest.approx(se[[0, len(alpha) + 1, len(alpha)]], rel=2e-4)
    assert len(law_of(found).se_cuts) == len(alpha) - 1
    assert found.n_parameters == 3 + 1 + len(alpha) - 1


@pytest.mark.parametrize("key", ["four_1", "four_2", "rare_1"])
def test_laplaces_approximation_is_clmms(key: str) -> None:
    found, known = fitted(key, laplace=True), KNOWN[key]["laplace"]
    assert found.deviance == pytest.approx(known["deviance"], abs=1e-4)
    assert found.gamma_free[0] == pytest.approx(known["alpha"][0], abs=1e-3)


def test_the_order_counts_and_not_the_numbers() -> None:
    frame = pd.read_csv(ORACLES / "data" / "ordinal_four.csv")
    other = frame.assign(y=frame["y"].map({1: -3.0, 2: 0.5, 3: 7.0, 4: 100.0}))
    a, b = (fit_by_likelihood(hlm.Model(PLAIN), hlm.read(f, id="id")) for f in (frame, other))
    assert a.gamma_free == pytest.approx(b.gamma_free, abs=1e-12)
    assert law_of(b).categories == (-3.0, 0.5, 7.0, 100.0)
    mirrored = fit_by_likelihood(hlm.Model(PLAIN), hlm.read(frame.assign(y=-frame["y"]), id="id"))
    assert mirrored.deviance == pytest.approx(a.deviance, abs=1e-6)
    assert mirrored.gamma_free[1:] == pytest.approx(-a.gamma_free[1:], abs=1e-6)
    assert mirrored.gamma_free[0] == pytest.approx(-a.gamma_free[0] - law_of(a).cuts[-1], abs=1e-6)


def test_unit_scores_sum_to_zero_and_are_differences_of_unit_logliks() -> None:
    found = fitted("four_1")
    assert np.abs(found.unit_scores.sum(axis=0)).max() < 1e-4
    assert found.unit_scores.shape == (found.n_units, found.n_parameters)
    assert np.linalg.eigvalsh(found.covariance).min() > 0


@pytest.mark.parametrize(
    ("change", "text", "error", "message"),
    [
        ({"y": lambda f: (f["y"] > 2) * 1}, PLAIN, DataError, r"two categories, 0 and 1: write logit\(y\)"),
        ({"y": lambda f: 2}, PLAIN, DataError, "y is 2 in every row: nothing can be explained"),
        ({"y": lambda f: f["x"] * 1000 + f.index}, PLAIN, DataError, "at most 30 categories"),
        ({"y": lambda f: f["id"] % 3}, PLAIN, EstimationError, "each unit have one and the same y"),
        ({}, "cumlogit(y) = b1*x; b1 = g10 + u1", EquationError, "wants an intercept, b0 = g00"),
    ],
)  # fmt: skip
def test_what_has_no_estimate_is_refused(
    change: dict[str, object], text: str, error: type[Exception], message: str
) -> None:
    frame = pd.read_csv(ORACLES / "data" / "ordinal_four.csv").assign(**change)
    with pytest.raises(error, match=message) as caught:
        fit_by_likelihood(hlm.Model(text), hlm.read(frame, id="id"))
    assert "\n" not in str(caught.value)


def test_there_is_no_one_mean() -> None:
    with pytest.raises(
        HypothesisError, match=r"a probability for each category, which predict\(\) gives, and no one mean"
    ):
        fitted("four_1").law.inverse_link(np.zeros(1))


ORDER = [0, 2, 1]  # the oracle's gammas are of 1, x, w, then the cuts


@pytest.mark.parametrize("method", ["ML", "REML"])
@pytest.mark.parametrize("name", ["four", "rare"])
def test_quasi_likelihood_is_that_of_dense_matrices(name: str, method: str) -> None:
    found = pql(hlm.Model(PLAIN), hlm.read(ORACLES / "data" / f"ordinal_{name}.csv", id="id"), method)
    known = KNOWN[f"{name}_1"][f"pql_{method}"]
    order = [*ORDER, *range(3, len(known["gamma"]))]
    assert found.converged
    assert float(found.working.components.tau[0, 0]) == pytest.approx(known["tau"], abs=2e-6)
    for fit, own in ((found.working, known), (found.population, known["average"])):
        assert fit.gamma_free == pytest.approx(np.array(own["gamma"])[order], abs=2e-6)
        assert np.sqrt(np.diag(fit.vcov_free)) == pytest.approx(np.array(own["se"])[order], abs=2e-6)
        robust = np.sqrt(np.diag(CR0().matrix(fit)))
        assert robust == pytest.approx(np.array(own["se_robust"])[order], abs=2e-6)
    law = found.law
    assert isinstance(law, Ordinal)
    assert law.cuts == pytest.approx(found.working.gamma_free[3:])


def test_quasi_likelihood_takes_terms_centring_and_several_random_effects() -> None:
    text = "cumlogit(y) = b0 + b1*group(x) + b2*x^2; b0 = g00 + g01*grand(w) + u0; b1 = g10 + u1; b2 = g20"
    frame = pd.read_csv(ORACLES / "data" / "ordinal_four.csv")
    found = pql(hlm.Model(text), hlm.read(frame, id="id"))
    other = pql(hlm.Model(text), hlm.read(frame.sample(frac=1.0, random_state=1), id="id"))
    assert found.converged
    assert found.working.gamma_free == pytest.approx(other.working.gamma_free, abs=1e-7)
    assert found.working.n_rows == len(frame)


def test_listing_of_quasi_likelihood_names_the_cuts() -> None:
    data = hlm.read(ORACLES / "data" / "ordinal_four.csv", id="id")
    fit = hlm.Model(PLAIN).fit(data, algorithm="hlm")
    text = fit.listing()
    for part in (
        "Distribution at Level-1: Ordinal (categories 1, 2, 3, 4)", "Prob(Y<=m|B) = P(m)",
        "log[P(m)/(1-P(m))] = B0 + B1*(x) + d(m)", "THOLD2, d2", "THOLD3, d3", "CUMULATIVE LOGIT LINK",
        "R's ordinal and MASS have the opposite",
    ):  # fmt: skip
        assert " ".join(part.split()) in " ".join(text.split())
    assert "THOLD2" not in text[: text.index("RESULTS FOR NON-LINEAR")]
    assert "<i>δ</i><sub>2</sub>" in fit.to_html()
