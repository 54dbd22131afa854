"""I2, H2, tau's profile interval and the prediction interval of meta-analyses, against metafor."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import hlmbayes as hlm
from hlmbayes.errors import HypothesisError
from hlmbayes.faces import record_of
from tests.estimation.test_known_variance import MODEL, several_rows

ORACLES = Path(__file__).parents[1] / "oracles"
CASES = json.loads((ORACLES / "meta.json").read_text())["cases"]
MEAN = hlm.Model("effect = b0 + r; b0 = g00 + u0")


def name_of(case):
    return f"{case['data']} {case['moderator'] or ''}".strip()


def fitted(case, method="REML", c=1.0):
    frame = pd.read_csv(ORACLES / "data" / f"{case['data']}.csv")
    frame = frame.assign(effect=c * frame["effect"], v=c * c * frame["v"])
    slope = f" + g01*{case['moderator']}" if case["moderator"] else ""
    model = hlm.Model(f"effect = b0 + r; b0 = g00{slope} + u0")
    return model.fit(hlm.read(frame, id=frame.columns[0]), variance_known="v", method=method)


@pytest.mark.parametrize("method", ["REML", "ML"])
@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_it_is_metafors(case, method):
    fit, wanted = fitted(case, method), case[method]
    theirs = wanted["z"]
    found = fit.i2()
    profile = np.array(theirs["profile"])
    # metafor's own estimate of a tau2 of zero is 2e-15
    np.testing.assert_allclose(found.frame().to_numpy()[[0, 2, 3]], profile[[0, 2, 3]], rtol=2e-8, atol=1e-9)
    np.testing.assert_allclose(
        [found.tau2, *found.limits["tau2"]], wanted["dense_profile"], rtol=3e-8, atol=1e-12
    )
    assert found.typical_variance == pytest.approx(theirs["vt"], rel=1e-12)
    assert (found.q, found.p_value) == pytest.approx((theirs["QE"], theirs["QEp"]), rel=1e-9)
    limits = fit.confint().loc[["tau[b0,b0]", "sd[b0]"], ["low", "high"]].to_numpy()
    np.testing.assert_allclose(limits, profile[:2, 1:], rtol=2e-8, atol=1e-12)
    assert "sigma2" not in fit.confint().index
    at = {case["moderator"]: case["at"]} if case["moderator"] else None
    for test, df in (("z", math.inf), ("t", None)):
        new, predict = fit.prediction_interval(at=at, df=df), wanted[test]["predict"]
        assert [new.mean, new.se, new.low, new.high] == pytest.approx([*predict[:2], *predict[4:]], rel=1e-8)


def test_nine_sites():
    fit = fitted(CASES[0])
    assert fit.confint().loc["tau[b0,b0]", ["low", "high"]].tolist() == pytest.approx(
        [0.0, 29.208936], abs=2e-6
    )
    assert fit.i2().i2 == 0.0
    assert fit.i2().h2 == 1.0
    assert str(fit.i2()).startswith("I2 0.00 % (95 % interval 0.00 to 41.70), H2 1.000 (1.000 to 1.715)")
    assert "t on 8 d.f." in str(fit.prediction_interval())
    assert list(fit.prediction_interval().frame().index) == ["low", "middle", "high"]


@pytest.mark.parametrize("exponent", [-15, -7, 7, 15])
@pytest.mark.parametrize("case", [CASES[1], CASES[2]], ids=name_of)
def test_the_outcomes_unit_changes_nothing(case, exponent):
    c = 10.0**exponent
    here, there = (fitted(case, c=each) for each in (1.0, c))
    a, b = here.i2(), there.i2()
    assert b.i2 == pytest.approx(a.i2, rel=1e-7)
    np.testing.assert_allclose(b.limits["i2"], a.limits["i2"], rtol=1e-6)
    np.testing.assert_allclose(np.array(b.limits["tau2"]) / c / c, a.limits["tau2"], rtol=1e-6)
    one, other = (fit.prediction_interval() for fit in (here, there))
    assert (other.low / c, other.high / c) == pytest.approx((one.low, one.high), rel=1e-7)


@pytest.mark.parametrize("precise", [1e-8, 1e-12, 1e-16])
def test_a_study_far_more_precise_than_the_others(precise):
    frame = pd.read_csv(ORACLES / "data" / "bcg.csv")
    v = frame["v"].where(frame.index != 4, precise * frame["v"])
    fit = MEAN.fit(hlm.read(frame.assign(v=v), id="study"), variance_known="v")
    others = np.delete(1 / v.to_numpy(), 4)
    # sum of w (1 - h): that of the precise one is nearly the others' sum
    w = 1 / v[4]
    total = w + others.sum()
    trace = w * others.sum() / total + others.sum() - others @ others / total
    assert fit.i2().typical_variance == pytest.approx(12 / trace, rel=1e-12)
    low, high = fit.confint().loc["tau[b0,b0]", ["low", "high"]]
    assert 0.05 < low < fit.tau[0, 0] < high < 3.0


def test_profiles_of_several_variances_beside_a_known_one():
    frame = several_rows()
    data = hlm.read(frame.assign(v=1.3), id="id")
    known, held = MODEL.fit(data, variance_known="v"), MODEL.fit(data, sigma2=1.3)
    a, b = known.confint(), held.confint()
    np.testing.assert_allclose(a[["low", "high"]], b[["low", "high"]], rtol=1e-6)
    assert list(a.index)[3:] == ["sd[b0]", "tau[b0,b0]", "sd[b1]", "tau[b1,b1]", "tau[b1,b0]", "corr[b1,b0]"]


def test_a_profile_ends_where_the_deviance_has_risen_by_the_quantile():
    fit = fitted(CASES[2])
    low, high = fit.confint(prob=0.9).loc["tau[b0,b0]", ["low", "high"]]
    frame = pd.read_csv(ORACLES / "data" / "bcg.csv")
    x = np.column_stack([np.ones(13), frame["ablat"]])

    def deviance(tau2):
        w = 1 / (frame["v"].to_numpy() + tau2)
        a = (x * w[:, None]).T @ x
        e = frame["effect"] - x @ np.linalg.solve(a, (x * w[:, None]).T @ frame["effect"])
        return w @ e**2 - np.log(w).sum() + np.linalg.slogdet(a)[1]

    for end in (low, high):
        assert deviance(end) - deviance(fit.tau[0, 0]) == pytest.approx(2.705543454, abs=1e-6)


def test_predictions_of_ordinary_models(hsb):
    fit = hlm.Model("mathach = b0 + r; b0 = g00 + g01*sector + u0").fit(hsb)
    new = fit.prediction_interval(at={"sector": 1})
    se = np.sqrt(np.array([1, 1]) @ fit.vcov @ np.array([1, 1]))
    assert new.se == pytest.approx(se)
    assert new.df == 158
    wider, known = new.high - new.low, fit.plausible_range(at={"sector": 1})
    assert wider > known.high - known.low
    assert new.mean == pytest.approx(known.center)


def test_refusals_in_words(hsb):
    ordinary = hlm.Model("mathach = b0 + r; b0 = g00 + u0").fit(hsb)
    with pytest.raises(
        HypothesisError, match="variances are known, variance_known=, and this one is estimated"
    ):
        ordinary.i2()
    frame = several_rows()
    data = hlm.read(frame, id="id")
    with pytest.raises(HypothesisError, match="the intercept, and nothing else, has a random effect"):
        MODEL.fit(data, variance_known="v").i2()
    with pytest.raises(HypothesisError, match="one row each"):
        hlm.Model("y = b0 + r; b0 = g00 + u0").fit(data, variance_known="v").i2()
    for df in (0, -1, "z", True):
        with pytest.raises(HypothesisError, match="df= wants degrees of freedom"):
            ordinary.prediction_interval(df=df)
    with pytest.raises(HypothesisError, match="b7 is not in the model"):
        ordinary.prediction_interval("b7")


def test_listing_and_json_have_them():
    fit = fitted(CASES[1])
    text = " ".join(fit.listing().split())
    assert "I2 92.22 % (95 % interval 81.35 to 97.33), H2 12.856 (5.363 to 37.512)" in text
    assert "A new study's true effect is expected between -1.99534 and 0.566277" in text
    found = json.loads(fit.to_json())["meta_analysis"]
    theirs = CASES[1]["REML"]["t"]
    assert [found["i2"], *found["i2_limits"]] == pytest.approx(theirs["profile"][2], rel=1e-7)
    assert found["prediction"] == pytest.approx(theirs["predict"][4:], rel=1e-9)
    assert "Meta-analysis" in fit.to_html()
    moderated = json.loads(fitted(CASES[2]).to_json())["meta_analysis"]
    assert moderated["prediction"] is None
    several = MODEL.fit(hlm.read(several_rows(), id="id"), variance_known="v")
    assert "meta_analysis" not in json.loads(several.to_json())
    assert record_of(several).law.sentence in several.to_json()
