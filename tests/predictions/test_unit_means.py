"""Ranges of units' mean outcomes, against normal quantiles and integrals by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats
from scipy.special import expit

import hlmbayes as hlm
from hlmbayes.errors import HypothesisError
from tests.hglm.test_fit import ONE, frame_of
from tests.inference.test_bootstrap_generalized import rated

Z = stats.norm.ppf(0.975)


@pytest.fixture(scope="module")
def fit():
    return hlm.Model(f"logit(y) = b0 + b1*x; {ONE} + u1").fit(frame_of("binary"), id="id")


def test_a_coefficient_has_the_range_of_normal_outcomes(fit):
    found = fit.plausible_range("x", prob=0.9)
    reach = stats.norm.ppf(0.95) * np.sqrt(fit.tau["b1", "b1"])
    assert (found.low, found.high) == pytest.approx((fit.gamma["g10"] - reach, fit.gamma["g10"] + reach))
    other = fit.prediction_interval("x", prob=0.9)
    sd = np.sqrt(fit.tau["b1", "b1"] + fit.fixed_effects().se["g10"] ** 2)
    assert other.high - other.mean == pytest.approx(stats.norm.ppf(0.95) * sd)
    assert other.df == np.inf
    assert fit.plausible_range(at={"w": 0}).center == pytest.approx(fit.gamma["g00"])


def test_a_probability_has_the_quantiles_over_units(fit):
    found = fit.plausible_range(scale="response", at={"X": 1.0, "w": 0.5})
    eta = fit.gamma["g00"] + 0.5 * fit.gamma["g01"] + fit.gamma["g10"]
    sd = np.sqrt(np.asarray(fit.tau).sum())
    one = found.frame().loc["probability (y = 1)"]
    assert list(one[["low", "at_zero", "high"]]) == pytest.approx(expit([eta - Z * sd, eta, eta + Z * sd]))
    mean = integrate.quad(lambda t: stats.norm.pdf(t) * expit(eta + sd * t), -9, 9)[0]
    assert one["mean"] == pytest.approx(mean, abs=1e-7)
    assert str(found).startswith("95 % of units have their probability (y = 1) where x = 1, w = 0.5 between")
    new = fit.prediction_interval(scale="response", at={"x": 1.0, "w": 0.5})
    wide = np.sqrt(sd**2 + np.array([1, 0.5, 1]) @ fit.vcov @ [1, 0.5, 1])
    assert new.frame()["low"].iloc[0] == pytest.approx(expit(eta - Z * wide))
    assert "prediction interval of a new unit's probability" in str(new)


def test_other_variables_are_at_their_means(fit):
    rows = frame_of("binary")
    found = fit.plausible_range(scale="response", at={"w": 1})
    eta = fit.gamma["g00"] + fit.gamma["g01"] + fit.gamma["g10"] * rows.x.mean()
    assert found.means[0].at_zero == pytest.approx(expit(eta))
    assert found.notes == ("x: at the mean of the rows; at= takes other values.",)


def test_a_factor_whose_levels_look_like_numbers_is_averaged_over_them_or_held_at_one():
    rows = frame_of("binary")
    rows["children"] = pd.Categorical(np.digitize(rows.x, [-0.5, 0.5]).astype(str), ["0", "1", "2"])
    fit = hlm.Model(f"logit(y) = b0 + b1*children; {ONE}").fit(rows, id="id")
    gamma = np.asarray(fit.gamma)
    found = fit.plausible_range(scale="response", at={"w": 0})
    assert found.means[0].at_zero == pytest.approx(expit(gamma[0] + gamma[2:].sum() / 3))
    assert found.notes == ("children: averaged over the levels, on the scale of the link; at= takes one.",)
    one = fit.plausible_range(scale="response", at={"w": 0, "children": 2})
    assert one.means[0].at_zero == pytest.approx(expit(gamma[0] + gamma[3]))
    assert one.notes == ()


def test_ratings_have_a_range_at_every_cut():
    frame = rated(frame_of("binary"))
    model = hlm.Model("cumlogit(rating) = b0 + b1*x; b0 = g00 + u0; b1 = g10")
    fit, turned = model.fit(frame, id="id"), model.fit(frame.assign(rating=3 - frame.rating), id="id")
    for ask in ("plausible_range", "prediction_interval"):
        found = getattr(fit, ask)(scale="response").frame()
        # P(y <= m) of the one is P(y > m) of the other
        mirror = 1 - getattr(turned, ask)(scale="response").frame().iloc[::-1]
        assert list(found.index) == [f"probability (rating <= {m})" for m in range(3)]
        np.testing.assert_allclose(found[["low", "mean", "high"]], mirror[["high", "mean", "low"]], atol=1e-4)


def test_counts_have_theirs_per_unit_of_exposure():
    fit = hlm.Model(f"log(y, exposure=n) = b0 + b1*x; {ONE}").fit(frame_of("counts"), id="id")
    one = fit.plausible_range(scale="response", at={"x": 0, "w": 0}).means[0]
    sd = np.sqrt(fit.tau["b0", "b0"])
    assert (one.low, one.high) == pytest.approx(
        np.exp([fit.gamma["g00"] - Z * sd, fit.gamma["g00"] + Z * sd])
    )
    assert one.mean == pytest.approx(np.exp(fit.gamma["g00"] + sd**2 / 2))
    assert one.of == "expected count of y per unit of n"


def test_what_cannot_be_asked_is_said(fit):
    with pytest.raises(HypothesisError, match="x is on the scale of the link"):
        fit.plausible_range("x", scale="response")
    with pytest.raises(HypothesisError, match="scale= is"):
        fit.plausible_range(scale="odds")
    with pytest.raises(HypothesisError, match="df= is for"):
        fit.prediction_interval(scale="response", df=3)
    with pytest.raises(HypothesisError, match="'age' is not a variable of this model"):
        fit.plausible_range(scale="response", at={"age": 1})
    frame = rated(frame_of("binary"))
    fixed = hlm.Model("logit(y) = b0 + b1*x; b0 = g00; b1 = g10").fit(frame, id="id")
    with pytest.raises(HypothesisError, match="no random effect"):
        fixed.plausible_range(scale="response")
    several = hlm.Model("mlogit(rating) = b0; b0 = g00 + u0").fit(frame, id="id")
    with pytest.raises(HypothesisError, match="each category of the outcome has equations of its own"):
        several.plausible_range(scale="response")
    assert several.plausible_range("b0[1]").coefficient == "b0[1]"
