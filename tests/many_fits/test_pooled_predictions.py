"""Pooled predictions, means and slopes: Rubin's rules by hand, of what each data set's fit gives."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit, logit

import hlmbayes as hlm
from hlmbayes.errors import HypothesisError
from tests.hglm.test_counting import FRAME, LEFT
from tests.many_fits.test_pooled_generalized import SETS, by_hand

LEVEL2 = {"level": 2, "interval": "confidence"}
NEW = {"id": [1, 10_000], "x": [0.0, 1.0], "w": [0.3, -0.3]}
PLAUSIBLE = FRAME.assign(
    **{f"pv{k}": np.random.default_rng(k).normal(FRAME.x, 1.0) + FRAME.id % 7 for k in range(4)}
)
NORMAL = hlm.Model("pv0 = b0 + b1*x + r; b0 = g00 + g01*w + u0; b1 = g10 + g11*w")


def of_plausible_values():
    names = [f"pv{k}" for k in range(4)]
    return hlm.fit_imputed(NORMAL, hlm.read(PLAUSIBLE, id="id"), outcomes=names)


@pytest.mark.parametrize("left", [*LEFT.values(), "mlogit(choice)"])
def test_it_is_rubins_rules_of_what_each_fit_gives(left):
    model = hlm.Model(f"{left} = b0 + b1*x; b0 = g00 + g01*w + u0; b1 = g10")
    pooled = hlm.fit_imputed(model, SETS)
    means, slopes = pooled.means("x", values=[0, 1]), pooled.slopes("w", by={"x": [0, 1]})
    each = [fit.means("x", values=[0, 1]) for fit in pooled.fits]
    own = [fit.slopes("w", by={"x": [0, 1]}) for fit in pooled.fits]
    for found, parts in (
        (means.contrast, [one.contrast for one in each]),
        (means.difference, [one.difference for one in each]),
        (slopes.contrast, [one.contrast for one in own]),
    ):
        q, se, df = by_hand([part.estimate for part in parts], [part.se for part in parts])
        np.testing.assert_allclose(np.stack([found.estimate, found.se, found.df]), [q, se, df], rtol=1e-8)
    d = means.difference
    np.testing.assert_allclose(means.adjusted, 2 * stats.t.sf(np.abs(d.estimate / d.se), d.df))
    rows, parts = pooled.predict(NEW, **LEVEL2), [fit.predict(NEW, **LEVEL2) for fit in pooled.fits]
    for name in [name for name in rows if name.startswith("predicted")]:
        se = name.replace("predicted", "se")
        q, error, _ = by_hand([part[name] for part in parts], [part[se] for part in parts])
        np.testing.assert_allclose(rows[[name, se]], np.stack([q, error], axis=1), rtol=1e-8)
    own_rows = [fit.predict() for fit in pooled.fits]
    np.testing.assert_allclose(pooled.predict(), np.mean(own_rows, axis=0))


def test_limits_are_t_limits_on_the_scale_of_the_link():
    pooled = hlm.fit_imputed(hlm.Model("logit(y) = b0 + b1*x; b0 = g00 + u0; b1 = g10"), SETS)
    found = pooled.means("x", values=[0, 1], prob=0.9)
    for p, se, df, low, high in found.frame()[["estimate", "se", "df", "low", "high"]].to_numpy():
        half = stats.t.ppf(0.95, df) * se / (p * (1 - p))
        assert (low, high) == pytest.approx((expit(logit(p) - half), expit(logit(p) + half)), rel=1e-9)
    rows = pooled.predict({"x": [0.0, 1.0]}, level=2, interval="confidence", prob=0.9)
    np.testing.assert_allclose(rows[["low", "high"]], found.frame()[["low", "high"]], rtol=1e-9)
    linear = pooled.means("x", values=[0, 1], scale="link").contrast
    beta = pooled.fixed_effects()
    assert linear.estimate[0] == pytest.approx(beta.coefficient["g00"])
    assert linear.se[0] == pytest.approx(beta.se["g00"])


def test_of_normal_outcomes_they_are_pooled_contrasts():
    pooled = of_plausible_values()
    beta = pooled.contrast("g10 + 0.5*g11")
    slope = pooled.slopes("x", by={"w": [0.5]}).contrast
    for name in ("estimate", "se", "df", "low", "high"):
        assert getattr(slope, name)[0] == pytest.approx(getattr(beta, name)[0])
    each = [fit.means("x", values=[0, 1]).contrast for fit in pooled.fits]  # predictors are the same
    q, u, b = (
        np.mean([m.estimate for m in each], axis=0), np.mean([m.se**2 for m in each], axis=0),
        np.var([m.estimate for m in each], axis=0, ddof=1),
    )  # fmt: skip
    found = pooled.means("x", values=[0, 1])
    np.testing.assert_allclose(found.contrast.estimate, q)
    np.testing.assert_allclose(found.contrast.se, np.sqrt(u + 1.25 * b))
    assert found.difference.p_value[0] == pytest.approx(found.adjusted[0])
    assert "pooled; Rubin's d.f." in found.contrast.basis


def test_intervals_of_rows_have_both_variances():
    pooled = of_plausible_values()
    each = [fit.predict(NEW, level=2) for fit in pooled.fits]
    u, b = np.mean([e.se**2 for e in each], axis=0), np.var([e.predicted for e in each], axis=0, ddof=1)
    mean = pooled.predict(NEW, level=2, interval="confidence")
    df = 3.0 * (1 + u / (1.25 * b)) ** 2
    np.testing.assert_allclose(mean.se, np.sqrt(u + 1.25 * b))
    np.testing.assert_allclose(mean.high - mean.predicted, stats.t.ppf(0.975, df) * mean.se)
    new = pooled.predict(NEW, level=2, interval="prediction", prob=0.8)
    outcome = np.mean([fit.sigma2 + fit.tau["b0", "b0"] for fit in pooled.fits])
    df = 3.0 * (1 + (u + outcome) / (1.25 * b)) ** 2
    half = stats.t.ppf(0.9, df) * np.sqrt(u + 1.25 * b + outcome)
    np.testing.assert_allclose(new.high - new.predicted, half)


def test_with_replicate_weights_means_have_their_errors_and_rows_are_refused():
    rng = np.random.default_rng(0)
    factor = {f"r{k}": FRAME.v * np.where(rng.random(30) < 0.5, 1.5, 0.5)[FRAME.id] for k in range(20)}
    data = hlm.read(PLAUSIBLE.assign(**factor), id="id")
    pooled = hlm.fit_imputed(
        NORMAL, data, outcomes=["pv0", "pv1"], weights=hlm.Weights("v"), replicates="r0-r19", of="level1",
        method="fay",
    )  # fmt: skip
    at_zero = pooled.means("x", values=[0], at={"w": 0}).contrast
    g00 = pooled.fixed_effects().loc["g00"]
    assert (at_zero.se[0], at_zero.df[0]) == pytest.approx((g00.se, g00.df))
    with pytest.raises(HypothesisError, match="slopes and means have them"):
        pooled.predict()
