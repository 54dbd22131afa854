"""Outcomes that are not normal over imputed data: Rubin's rules by hand, of the separate fits."""

import json
from typing import Any

import numpy as np
import pytest
from scipy import stats

import hlmbayes as hlm
from hlmbayes.errors import EstimationError, HLMError, HypothesisError
from tests.hglm.test_counting import FIXED, FRAME, LEFT


def imputed():
    """Three data sets in which some of x are drawn anew."""
    found = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        gone = rng.random(len(FRAME)) < 0.2
        found.append(
            hlm.read(FRAME.assign(x=np.where(gone, rng.integers(0, 2, len(FRAME)), FRAME.x)), id="id")
        )
    return found


SETS = imputed()


def by_hand(estimates, errors):
    """Give estimate, standard error and Rubin's degrees of freedom."""
    q, u, b = (
        np.mean(estimates, axis=0),
        np.mean(np.square(errors), axis=0),
        np.var(estimates, axis=0, ddof=1),
    )
    total = u + 4.0 / 3.0 * b
    return q, np.sqrt(total), 2.0 * (total / (4.0 / 3.0 * b)) ** 2


@pytest.mark.parametrize("kind", LEFT)
def test_it_is_rubins_rules_by_hand(kind):
    model = hlm.Model(f"{LEFT[kind]} = {FIXED}")
    pooled, each = hlm.fit_imputed(model, SETS), [model.fit(data) for data in SETS]
    for robust in (None, True):
        found, tables = pooled.fixed_effects(robust), [fit.fixed_effects(robust) for fit in each]
        q, se, df = by_hand([t.coefficient for t in tables], [t.se for t in tables])
        for name, expected in (("coefficient", q), ("se", se), ("df", df)):
            np.testing.assert_allclose(found[name], expected, rtol=1e-9)
    variances = [fit.variance_components() for fit in each]
    q, se, _ = by_hand([t.variance for t in variances], [t.se for t in variances])
    np.testing.assert_allclose(pooled.variance_components()[["variance", "se"]], np.stack([q, se], axis=1))
    assert [fit.deviance for fit in pooled.fits] == [fit.deviance for fit in each]
    if kind == "ordinal":
        q, se, _ = by_hand([fit.cuts().estimate for fit in each], [fit.cuts().se for fit in each])
        np.testing.assert_allclose(pooled.cuts()[["estimate", "se"]], np.stack([q, se], axis=1))


def test_ratios_and_tests_are_of_the_pooled_effects():
    pooled = hlm.fit_imputed(hlm.Model(f"logit(y) = {FIXED}"), SETS, weights=hlm.Weights("v", "V"))
    table, line = pooled.fixed_effects(), pooled.ratios(prob=0.9).loc["g10"]
    b, se, df = table.loc["g10", ["coefficient", "se", "df"]].astype(float)
    half = stats.t.ppf(0.95, df) * se
    np.testing.assert_allclose(line[["ratio", "low", "high"]].astype(float), np.exp([b, b - half, b + half]))
    np.testing.assert_allclose(table.se, pooled.fixed_effects(robust=True).se)
    assert pooled.contrast("g10").se[0] == pytest.approx(se)
    assert pooled.wald("g10 = 0").f_ratio == pytest.approx((b / se) ** 2)
    assert "Fits of y (Bernoulli, logit link) to 3 data sets, pooled" in repr(pooled)


@pytest.mark.parametrize("kind", LEFT)
def test_intervals_are_those_of_the_tables(kind):
    pooled = hlm.fit_imputed(hlm.Model(f"{LEFT[kind]} = {FIXED}"), SETS)
    found, effects, tau = pooled.confint(0.9), pooled.fixed_effects(), pooled.variance_components()
    half = stats.t.ppf(0.95, effects.df) * effects.se
    for name, sign in (("low", -1), ("high", 1)):
        np.testing.assert_allclose(found.loc[effects.index, name], effects.coefficient + sign * half)
    if kind == "ordinal":
        cuts = pooled.cuts()
        np.testing.assert_allclose(
            found.loc[cuts.index, "high"], cuts.estimate + stats.t.ppf(0.95, cuts.df) * cuts.se
        )
    value, se, df = tau.loc["u0", ["variance", "se", "df"]].astype(float)
    factor = np.exp(stats.t.ppf(0.95, df) * se / value)
    limits = found.loc["tau[b0,b0]", ["low", "high"]].astype(float)
    np.testing.assert_allclose(limits, [value / factor, value * factor])
    np.testing.assert_allclose(found.loc["sd[b0]", ["low", "high"]].astype(float), np.sqrt(limits))


@pytest.mark.parametrize("kind", LEFT)
def test_json_has_the_numbers_of_the_tables(kind):
    pooled = hlm.fit_imputed(hlm.Model(f"{LEFT[kind]} = {FIXED}"), SETS)
    found = json.loads(pooled.to_json([pooled.wald("g10 = 0")], ["careful"]))
    robust, cuts = pooled.fixed_effects(True), pooled.cuts()
    assert found["fixed_robust"]["g10"]["se"] == robust.loc["g10", "se"]
    assert (
        found["variance_components"]["u0"]["variance"] == pooled.variance_components().loc["u0", "variance"]
    )
    assert found["intervals"]["sd[b0]"]["low"] == pooled.confint().loc["sd[b0]", "low"]
    assert {name: row["se"] for name, row in found["cuts"].items()} == dict(cuts["se"])
    assert [each["deviance"] for each in found["each"]] == [fit.deviance for fit in pooled.fits]
    assert found["tests"][0]["name"] == "D1"
    assert found["warnings"][-1] == "careful"
    if kind == "probit":
        assert found["ratios"] == {}
    else:
        assert found["ratios"]["g10"]["high"] == pooled.ratios().loc["g10", "high"]


def test_plausible_values_of_an_outcome():
    data = hlm.read(FRAME.assign(y2=np.roll(FRAME.y, 1)), id="id")
    pooled = hlm.fit_imputed(hlm.Model(f"logit(y) = {FIXED}"), data, outcomes=["y", "y2"])
    assert pooled.names == ("y", "y2")
    assert pooled.m == 2


def test_what_is_not_pooled_is_said():
    model = hlm.Model(f"probit(y) = {FIXED}")
    pooled = hlm.fit_imputed(model, SETS)
    with pytest.raises(HypothesisError, match="exp of a coefficient is no ratio"):
        pooled.ratios()
    for name in ("icc", "r2", "compare", "sigma2"):
        with pytest.raises(HLMError, match=f"a PooledGeneralizedFit has no {name}, which is of .*are pooled"):
            getattr(pooled, name)
    with pytest.raises(EstimationError, match="by the likelihood only"):
        hlm.fit_imputed(model, SETS, algorithm="hlm")
    with pytest.raises(EstimationError, match="replicates= is for normal outcomes"):
        hlm.fit_imputed(model, SETS, replicates="v")
    with pytest.raises(HypothesisError, match="df='barnard-rubin' is for normal outcomes"):
        hlm.table(pooled, df="barnard-rubin")


@pytest.mark.parametrize("kind", LEFT)
def test_tables_have_the_pooled_numbers(kind):
    pooled = hlm.fit_imputed(hlm.Model(f"{LEFT[kind]} = {FIXED}"), SETS)
    made = hlm.table(pooled, ratios=kind != "probit")
    frame: Any = made.frame()
    row = frame.loc[("Fixed effects", "x"), "Model 1"]
    effect = pooled.fixed_effects().loc["g10"] if kind == "probit" else pooled.ratios().loc["g10"]
    assert row["estimate"] == pytest.approx(effect.coefficient if kind == "probit" else effect.ratio)
    if kind == "ordinal":
        cut = frame.loc[("Fixed effects", "THOLD2"), "Model 1"]
        assert [cut["estimate"], cut["se"]] == pytest.approx(
            list(pooled.cuts().loc["d2", ["estimate", "se"]])
        )
    assert "pooled by Rubin's rules" in " ".join(str(made).split())


def test_laplaces_method_and_no_random_effects_in_the_listing():
    model = hlm.Model(f"logit(y) = {FIXED}")
    assert "integrated out by Laplace" in hlm.fit_imputed(model, SETS, laplace=True).listing()
    alone = hlm.fit_imputed(hlm.Model("logit(y) = b0 + b1*x; b0 = g00; b1 = g10"), SETS).listing()
    assert "variance components" not in alone
