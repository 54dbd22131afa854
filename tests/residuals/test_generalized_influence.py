"""Influence where the outcome is not normal: each unit really left out of the data."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import hlmbayes as hlm
from hlmbayes.errors import OutputError
from hlmbayes.faces import record_of
from hlmbayes.hglm.fitted_rows import at_optimum
from hlmbayes.hglm.marginal import sums_at
from hlmbayes.residuals.generalized_exploratory import explore_generalized
from hlmbayes.residuals.generalized_influence import generalized_influence

ONE = "b0 = g00 + g01*w + u0; b1 = g10"
LEFT = ("logit(y)", "log(y)", "cumlogit(y)")


def simulated(left, units=30, rows=6, seed=3):
    rng = np.random.default_rng(seed)
    unit = np.repeat(np.arange(units), rows)
    x, w, u = rng.normal(size=len(unit)), rng.normal(size=units), rng.normal(size=units)
    eta = -0.3 + 0.5 * x + (0.4 * w + u)[unit]
    latent = eta + rng.logistic(size=len(unit))
    y = {
        "logit(y)": latent > 0,
        "log(y)": rng.poisson(np.exp(eta)),
        "cumlogit(y)": np.digitize(latent, [-1, 1]),
    }
    return pd.DataFrame({"id": unit, "x": x, "w": w[unit], "y": y[left].astype(int)})


def fitted(left, frame, more=""):
    return hlm.Model(f"{left} = b0 + b1*x; {ONE}{more}").fit(frame, id="id")


@pytest.mark.parametrize("left", LEFT)
def test_a_refit_is_the_fit_of_the_other_units(left):
    frame = simulated(left, units=14)
    fit = fitted(left, frame)
    found = fit.influence(refit=True)
    assert found.refitted.all()
    se = np.sqrt(np.diag(fit.vcov))
    for j in (0, 5, 13):
        rest = fitted(left, frame[frame.id != j])
        change = np.asarray(rest.gamma) - np.asarray(fit.gamma)
        np.testing.assert_allclose(found.loc[j, ["d_g00", "d_g01", "d_g10"]].astype(float), change, atol=2e-5)
        np.testing.assert_allclose(
            found.loc[j, ["z_g00", "z_g01", "z_g10"]].astype(float), change / se, atol=1e-4
        )
        assert found.cook[j] == pytest.approx(change @ np.linalg.solve(fit.vcov, change) / 3, abs=1e-4)
        sd = np.sqrt(rest.tau["b0", "b0"]) - np.sqrt(fit.tau["b0", "b0"])
        assert found.loc[j, "d_sd[b0]"] == pytest.approx(sd, abs=1e-4)
        if left == "cumlogit(y)":
            cut = rest.cuts().estimate["d2"] - fit.cuts().estimate["d2"]
            assert found.d_d2[j] == pytest.approx(cut, abs=1e-4)


@pytest.mark.parametrize("left", LEFT)
def test_one_step_is_nearly_the_refit(left):
    fit = fitted(left, simulated(left, units=50, rows=8))
    step, exact = fit.influence(), fit.influence(refit=True)
    assert not step.refitted.any()
    assert step.leverage.sum() == pytest.approx(fit.n_parameters, rel=1e-6)
    for column in ("z_g00", "z_g01", "z_g10", "d_sd[b0]"):
        assert np.corrcoef(step[column], exact[column])[0, 1] > 0.985
        assert np.abs(step[column] - exact[column]).max() < 0.3 * np.abs(exact[column]).max()
    assert step.cook.idxmax() == exact.cook.idxmax()


def test_units_informations_add_up():
    fit = fitted("cumlogit(y)", simulated("cumlogit(y)"))
    best = at_optimum(fit._record)
    at = best.evaluated()
    own = sums_at(best.laid.rows, best.laid.of_rows, at).unit_informations(at.gamma)
    np.testing.assert_allclose(own.sum(axis=0), at.information, atol=1e-8)


def test_a_unit_that_alone_carries_an_effect_is_said():
    frame = simulated("logit(y)", units=20)
    frame["w"] = (frame.id == 4).astype(float)
    frame.loc[(frame.id == 4) & (frame.index % 2 == 0), "y"] = 1
    frame.loc[(frame.id == 4) & (frame.index % 2 == 1), "y"] = 0
    found = fitted("logit(y)", frame).influence()
    assert np.isinf(found.cook[4])
    assert np.isnan(found.d_g01[4])
    assert np.isfinite(found.cook.drop(4)).all()


def test_slopes_have_their_covariance():
    found = fitted("log(y)", simulated("log(y)", units=40), " + u1").influence()
    assert [c for c in found if c.startswith(("d_sd", "d_tau"))] == ["d_sd[b0]", "d_sd[b1]", "d_tau[b1,b0]"]
    assert "Newton" in found.attrs["how"]


def test_what_has_no_score_is_refused():
    fit = hlm.Model(f"logit(y) = b0 + b1*x; {ONE}").fit(simulated("logit(y)"), id="id", laplace=True)
    with pytest.raises(OutputError, match="influence wants the likelihood itself"):
        fit.influence()
    with pytest.raises(OutputError, match=r"exploratory analysis wants the likelihood.*leave laplace="):
        fit.explore("z")
    many = replace(record_of(fit), n_nodes=(1,) * 5)
    for asked in (generalized_influence, explore_generalized):
        with pytest.raises(OutputError, match="up to 4 random effects; with 5 this fit is by Laplace"):
            asked(many)


def test_quasi_likelihood_has_that_of_its_working_model():
    fit = hlm.Model(f"logit(y) = b0 + b1*x; {ONE}").fit(simulated("logit(y)"), id="id", algorithm="hlm")
    exact = fitted("logit(y)", simulated("logit(y)")).influence()
    assert np.corrcoef(fit.influence().z_g10, exact.z_g10)[0, 1] > 0.95


def test_each_category_has_its_own():
    frame = simulated("cumlogit(y)", units=40)
    fit = hlm.Model("mlogit(y) = b0 + b1*x; b0 = g00 + u0; b1 = g10").fit(frame, id="id")
    step, exact = fit.influence(), fit.influence(refit=True)
    for column in ("z_g00[0]", "z_g10[1]", "d_sd[b0[0]]"):
        assert np.corrcoef(step[column], exact[column])[0, 1] > 0.97
