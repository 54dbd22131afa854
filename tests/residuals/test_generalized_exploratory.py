"""Candidates at level 2 where the outcome is not normal, beside the fit with the candidate in it."""

import numpy as np
import pandas as pd
import pytest

import hlmbayes as hlm
from hlmbayes.errors import HypothesisError

UNITS = 150


def simulated(left, effect=0.0):
    rng = np.random.default_rng(8)
    unit = np.repeat(np.arange(UNITS), 10)
    x, (w, v) = rng.normal(size=len(unit)), rng.normal(size=(2, UNITS))
    u = rng.normal(size=(UNITS, 2)) * [0.8, 0.4]
    eta = -0.3 + (0.4 * w + effect * v + u[:, 0])[unit] + (0.5 + u[:, 1] + effect * v)[unit] * x
    latent = eta + rng.logistic(size=len(unit))
    y = {
        "logit(y)": latent > 0,
        "log(y)": rng.poisson(np.exp(eta)),
        "cumlogit(y)": np.digitize(latent, [-1, 1]),
    }
    return pd.DataFrame({"id": unit, "x": x, "w": w[unit], "v": v[unit], "y": y[left].astype(int)})


def model(left, first="", second="", tail=""):
    return hlm.Model(f"{left} = b0 + b1*x; b0 = g00 + g01*w{first} + u0; b1 = g10{second} + u1{tail}")


@pytest.mark.parametrize("tail", ["", "; cov(u0, u1) = 0"])
@pytest.mark.parametrize("left", ["logit(y)", "log(y)", "cumlogit(y)"])
def test_the_score_test_is_near_the_fit_with_the_candidate(left, tail):
    frame = simulated(left, effect=0.1)
    fit = model(left, tail=tail).fit(frame, id="id")
    found = fit.explore("v").frame().set_index("coefficient")
    assert list(found.index) == ["b0", "b1"]
    for name, code, larger in (
        ("b0", "g02", model(left, " + g02*v", tail=tail)), ("b1", "g11", model(left, "", " + g11*v", tail)),
    ):  # fmt: skip
        row = larger.fit(frame, id="id")
        known = row.fixed_effects().loc[code]
        assert found.effect[name] == pytest.approx(known.coefficient, abs=0.2 * known.se)
        assert found.effect_se[name] == pytest.approx(known.se, rel=0.06)
        assert found.chi2[name] == pytest.approx(fit.deviance - row.deviance, rel=0.15, abs=0.1)


def test_the_first_columns_are_hlms_regression():
    frame = simulated("logit(y)")
    fit = model("logit(y)").fit(frame, id="id")
    row = fit.explore(["v", "w"]).frame().iloc[0]
    u, v = fit.residuals(2).ebintrcp.to_numpy(), frame.groupby("id").v.first().to_numpy()
    slope, _ = np.polyfit(v, u, 1)
    assert row.estimate == pytest.approx(slope)
    hlms = model("logit(y)").fit(frame, id="id", algorithm="hlm")
    found, own = hlms.explore("v").frame().iloc[0], hlms.residuals(2).ebintrcp.to_numpy()
    assert found.estimate == pytest.approx(np.polyfit(v, own, 1)[0])
    assert found.effect == pytest.approx(row.effect, abs=0.3 * row.effect_se)


def test_nothing_to_judge_is_said():
    frame = simulated("logit(y)").drop(columns="v")
    with pytest.raises(HypothesisError, match="have these variables already"):
        model("logit(y)").fit(frame, id="id").explore("w", coefficients="b0")
    with pytest.raises(HypothesisError):
        model("logit(y)").fit(frame, id="id").explore("w", coefficients="b7")
