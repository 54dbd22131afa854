"""What R says of its own examples: lme4's cbpp and grouseticks, ordinal's wine, glmmTMB's Owls."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import special

import hlmbayes as hlm
from tests.hglm.test_fit import ORACLES

KNOWN = json.loads((ORACLES / "r_examples.json").read_text())
MODELS: dict[str, tuple[str, str, str, dict[str, Any]]] = {  # formula, null, factor, the rest
    "cbpp": ("incidence ~ C(period) + (1 | herd)", "incidence ~ 1 + (1 | herd)", "period",
             {"family": "binomial", "trials": "size"}),
    "grouseticks": ("TICKS ~ C(YEAR) + cHEIGHT + (1 | BROOD)", "TICKS ~ cHEIGHT + (1 | BROOD)", "YEAR",
                    {"family": "poisson"}),
    "wine": ("rating ~ temp + contact + (1 | judge)", "rating ~ temp + (1 | judge)", "temp",
             {"family": "ordinal"}),
}  # fmt: skip
OWLS = ("intercept", "food[Satiated]", "parent[Male]", "arrival", "food[Satiated]*parent[Male]")  # R's order
CASES = [(name, n) for name in ("cbpp", "grouseticks") for n in (1, 25)]
LONG = [("cbpp", 25), ("grouseticks", 1)]  # profiles that the others are twins of


def data_of(name: str) -> pd.DataFrame:
    return pd.read_csv(ORACLES / "data" / f"{name}.csv")


def unit_of(name: str) -> str:
    return MODELS[name][0].rstrip(")").rsplit("| ", 1)[1]


def fitted(name: str, n: int, null: bool = False) -> Any:
    formula, other, _, how = MODELS[name]
    return hlm.Model(other if null else formula, **how).fit(data_of(name), id=unit_of(name), n_nodes=n)


@pytest.fixture(scope="module")
def fits() -> dict[tuple[str, int], Any]:
    return {(name, n): fitted(name, n) for name in MODELS for n in (1, 25)}


@pytest.mark.parametrize("case", CASES)
def test_estimates_tests_and_shares_are_lme4s(case, fits):
    (name, n), fit = case, fits[case]
    known = KNOWN[name][f"nodes_{n}"]
    np.testing.assert_allclose(fit.gamma, known["gamma"], atol=2e-5)
    np.testing.assert_allclose(np.sqrt(np.diag(fit.vcov)), known["se"], rtol=1e-3)
    assert fit.tau["b0", "b0"] == pytest.approx(known["tau"], abs=5e-5)
    assert fit.compare(fitted(name, n, null=True)).chi2 == pytest.approx(known["lr"], abs=1e-4)
    effects = [f"{code} = 0" for code in fit.fixed_effects().index[1:]]
    assert fit.wald(effects).chi2 == pytest.approx(known["wald"], rel=2e-3)
    if name == "cbpp":  # of counts performance takes another mean
        assert fit.icc().icc == pytest.approx(known["icc"], abs=1e-5)
        assert [fit.r2().marginal, fit.r2().conditional] == pytest.approx(known["r2"], abs=1e-5)
    if n == 1:  # with more nodes lme4's has no constants
        assert [fit.loglik, fit.aic, fit.bic] == pytest.approx(
            [known["loglik"], known["aic"], known["bic"]], abs=2e-5
        )


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=pytest.mark.slow if case in LONG else ()) for case in CASES]
)
def test_profile_limits_are_rs(case, fits):
    """Those of so many nodes too: the slopes are of what the nodes make of the likelihood.

    lme4 takes splines between points; under Laplace's approximation glmmTMB says where they are off.
    """
    name, n = case
    known = np.array(KNOWN[name][f"nodes_{n}"]["profile"])
    if n == 1:
        known[:-1] = KNOWN[name]["laplace"]
    found = fits[case].confint(method="profile")
    assert set(found.method) == {"profile"}
    np.testing.assert_allclose(found[["low", "high"]], known, atol=1e-4)


@pytest.mark.parametrize("case", CASES)
def test_predictions_at_zero_and_means_on_the_links_scale_are_rs(case, fits):
    (name, n), fit = case, fits[case]
    known = KNOWN[name][f"nodes_{n}"]
    np.testing.assert_allclose(fit.predict(level=2).at_zero, known["at_zero"], rtol=5e-4)
    if n == 25:
        means = fit.means(MODELS[name][2], scale="link").frame()
        for column in ("estimate", "se", "low", "high"):
            np.testing.assert_allclose(means[column], KNOWN[name]["link"][column], atol=2e-4)


@pytest.mark.parametrize(
    ("name", "equations"),
    [
        ("cbpp", "logit(incidence, trials=size) = b0 + b1*C(period); b0 = g00; b1 = g10"),
        ("grouseticks", "log(TICKS) = b0; b0 = g00 + g01*C(YEAR) + g02*cHEIGHT"),
    ],
)
def test_limits_of_means_are_emmeans_where_units_do_not_vary(name, equations):
    fit = hlm.Model(equations).fit(data_of(name), id=unit_of(name))
    means, known = fit.means(MODELS[name][2]).frame(), KNOWN[name]["alone"]
    for column in ("estimate", "se", "low", "high"):
        np.testing.assert_allclose(means[column], known[column], rtol=1e-4)


@pytest.mark.parametrize("n", [1, 25])
def test_ratings_are_clmms_with_the_other_sign(n, fits):
    fit, known = fits["wine", n], KNOWN["wine"][f"nodes_{n}"]
    np.testing.assert_allclose(fit.gamma, [known["alpha"][0], *(-b for b in known["beta"])], atol=1e-4)
    np.testing.assert_allclose(
        fit.cuts().estimate, np.array(known["alpha"][1:]) - known["alpha"][0], atol=2e-4
    )
    assert fit.tau["b0", "b0"] == pytest.approx(known["tau"], abs=2e-4)
    assert [fit.loglik, fit.aic, fit.bic] == pytest.approx(
        [known["loglik"], known["aic"], known["bic"]], abs=1e-5
    )
    assert fit.compare(fitted("wine", n, null=True)).chi2 == pytest.approx(known["lr"], abs=1e-4)
    assert fit.icc().icc == pytest.approx(known["icc"], abs=1e-4)
    assert [fit.r2().marginal, fit.r2().conditional] == pytest.approx(known["r2"], abs=1e-4)
    if n == 25:  # its errors by one node are off: the second derivatives are rough
        np.testing.assert_allclose(fit.fixed_effects().se, [known["se"][0], *known["se"][4:]], rtol=2e-3)


def test_intervals_of_probabilities_stay_between_zero_and_one(fits):
    """With nine judges limits about the probability itself would be below 0."""
    found = fits["wine", 25].means("temp").frame()
    assert (found.estimate - 1.96 * found.se).min() < 0.0
    assert found.low.gt(0.0).all()
    assert found.high.lt(1.0).all()
    reach = 1.959964 * found.se / (found.estimate * (1 - found.estimate))
    np.testing.assert_allclose(found.high, special.expit(special.logit(found.estimate) + reach), rtol=1e-6)


def test_random_slopes_of_ratings_are_clmms():
    known, wine = KNOWN["wine_slopes"], data_of("wine")
    fit = hlm.Model("rating ~ temp*contact + (temp | judge)", family="ordinal").fit(
        wine, id="judge", laplace=True
    )
    np.testing.assert_allclose(fit.gamma, [known["alpha"][0], *(-b for b in known["beta"])], atol=2e-5)
    np.testing.assert_allclose(
        fit.cuts().estimate, np.array(known["alpha"][1:]) - known["alpha"][0], atol=2e-5
    )
    np.testing.assert_allclose(fit.tau, known["tau"], atol=1e-4)
    assert fit.loglik == pytest.approx(known["loglik"], abs=1e-6)


def test_random_slopes_of_a_factor_and_counts_with_exposure_are_glmmtmbs():
    known, formula = KNOWN["owls_slopes"], "calls ~ food*parent + arrival + (food | nest)"
    model = hlm.Model(formula, family="poisson", exposure="brood")
    fit = model.fit(data_of("owls"), id="nest", laplace=True)
    order = [list(fit.fixed_effects()["name"]).index(name) for name in OWLS]
    np.testing.assert_allclose(np.asarray(fit.gamma)[order], known["gamma"], atol=1e-5)
    np.testing.assert_allclose(fit.fixed_effects().se.to_numpy()[order], known["se"], rtol=1e-4)
    np.testing.assert_allclose(fit.tau, known["tau"], atol=1e-4)
    assert [fit.loglik, fit.aic, fit.bic] == pytest.approx(
        [known["loglik"], known["aic"], known["bic"]], abs=1e-5
    )
    means = fit.means("food", scale="link").frame()
    np.testing.assert_allclose(means.estimate, known["means"], atol=1e-5)
    np.testing.assert_allclose(means.se, known["means_se"], rtol=1e-4)
