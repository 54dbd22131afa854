"""The PyMC models: names, densities, and one posterior whichever way it is sampled."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytest
from scipy.stats import ks_2samp

import hlmbayes as hlm
from hlmbayes.density.marginal import fixed_gamma
from hlmbayes.errors import SamplingError
from hlmbayes.estimation.prepare import prepare

GRAPH = "FAST_COMPILE"  # what is tested is the graph: it need not be compiled, which takes seconds
MODEL = hlm.Model("y = b0 + b1*x1 + r\nb0 = g00 + g01*w + u0\nb1 = g10 + u1")


def test_names_and_coordinates(hsb, model4):
    model = model4.pymc(hsb)
    assert tuple(model.coords["fixed_effect"]) == model4.gamma_names
    assert list(model.coords["coef"]) == ["b0", "b1"]
    assert len(model.coords["unit"]) == 160
    assert {"gamma", "tau", "sd", "tau_corr", "sigma"} <= set(model.named_vars)
    rows = model4.pymc(hsb, marginal=False)
    assert rows.named_vars_to_dims["u"] == ("unit", "coef")
    assert len(rows.coords["row"]) == 7185
    assert rows.named_vars_to_dims["y"] == ("row",)


def test_density_and_gradient_are_those_of_the_kernel(make_small):
    data = make_small()
    model = MODEL.pymc(data)
    point = model.initial_point()
    point = {name: np.asarray(value) + 0.1 for name, value in point.items()}
    wanted = [model["gamma_free"], model["sigma"], model["tau"], model.potentials[0]]
    fn = model.compile_fn(
        model.replace_rvs_by_values(wanted), inputs=model.value_vars, on_unused_input="ignore", mode=GRAPH
    )
    gamma, sigma, tau, value = fn(point)
    from hlmbayes.density.target import target_for

    target = target_for(MODEL, data, None)
    expected = fixed_gamma(target, gamma, np.linalg.cholesky(tau), float(sigma))[0]
    assert float(value) == pytest.approx(expected)
    logp, slope = model.compile_logp(mode=GRAPH), model.compile_dlogp(mode=GRAPH)(point)
    names = [v.name for v in model.value_vars]
    at = 0
    for name in names:
        for k in range(point[name].size):
            h = np.zeros(point[name].size)
            h[k] = 1e-5
            up, down = ({**point, name: point[name] + s * h.reshape(point[name].shape)} for s in (1, -1))
            difference = (logp(up) - logp(down)) / 2e-5
            assert slope[at] == pytest.approx(float(difference), rel=1e-5, abs=1e-5)
            at += 1


@pytest.mark.parametrize("priors", [
    hlm.Priors(),
    hlm.Priors(gamma={"g00": hlm.Flat()}, sd={"b0": hlm.Exponential(1.0), "b1": hlm.HalfNormal(1.0)}),
    hlm.Priors(gamma=hlm.Flat(), sd=hlm.InverseGamma(2.0, 1.0), sigma=hlm.InverseGamma(2.0, 1.0, of="sd")),
    hlm.Priors(tau=hlm.InverseWishart(4.0, [[1.0, 0.2], [0.2, 1.0]])),
])  # fmt: skip
def test_every_prior_can_be_built(priors, make_small):
    model = MODEL.pymc(make_small(), priors)
    assert np.isfinite(model.compile_logp(mode=GRAPH)(model.initial_point()))


def test_priors_are_those_described(make_small):
    """Draws of the PyMC model's prior against draws made here."""
    data = make_small()
    for priors in (hlm.Priors(corr=hlm.LKJ(2.0)), hlm.Priors(tau=hlm.InverseWishart(6.0, np.eye(2)))):
        ours = hlm.prior_predictive(MODEL, data, priors, draws=4000, seed=1)
        with MODEL.pymc(data, priors, marginal=False):
            names = ["gamma", "sigma", "tau"]
            asked = [pm.modelcontext(None)[name] for name in names]
            theirs = pm.draw(asked, draws=4000, random_seed=2, mode=GRAPH)
        for name, drawn in zip(names, theirs, strict=True):
            mine = ours["prior"][name].values[0].reshape(4000, -1)
            for k in range(mine.shape[1]):
                assert ks_2samp(mine[:, k], drawn.reshape(4000, -1)[:, k]).pvalue > 1e-3, name


@pytest.mark.slow
def test_rows_and_moments_give_one_posterior(make_small):
    data = make_small(n_units=40)
    kwargs = {"priors": hlm.Priors(sd=hlm.HalfNormal(1.0)), "draws": 1500}
    rows = MODEL.sample(data, seed=1, marginal=False, **kwargs)
    direct = MODEL.sample(data, seed=2, **kwargs)
    for name in ("g00", "g01", "g10", "sd[b0]", "sd[b1]", "corr[b1,b0]", "sigma"):
        a, b = rows[name][:, ::5].ravel(), direct[name][:, ::5].ravel()
        assert ks_2samp(a, b).pvalue > 1e-3, name
    spread = direct.effects()["u0_sd"].to_numpy()
    shift = (rows.effects()["u0_mean"] - direct.effects()["u0_mean"]).to_numpy()
    assert np.abs(shift / spread).max() < 0.15
    assert set(rows.tree["posterior"].data_vars) == set(direct.tree["posterior"].data_vars)


@pytest.mark.slow
def test_the_marginal_pymc_model_gives_it_too(make_small):
    data = make_small(n_units=40)
    priors = hlm.Priors(sd=hlm.HalfNormal(1.0))
    with MODEL.pymc(data, priors):
        trace = pm.sample(draws=1000, tune=1000, chains=2, cores=1, random_seed=1, progressbar=False,
                          nuts_sampler="pymc", compute_convergence_checks=False)  # fmt: skip
    direct = MODEL.sample(data, seed=2, priors=priors)
    for k, name in enumerate(("g00", "g01", "g10")):
        drawn = trace["posterior"]["gamma"].values[:, ::4, k].ravel()
        assert ks_2samp(drawn, direct[name][:, ::4].ravel()).pvalue > 1e-3, name
    sd = trace["posterior"]["sd"].values[:, ::4, 0].ravel()
    assert ks_2samp(sd, direct["sd[b0]"][:, ::4].ravel()).pvalue > 1e-3


def test_rows_are_needed(hsb, model4):
    moments = prepare(model4, hsb).design.moments
    with pytest.raises(SamplingError, match="needs the level-1 rows"):
        model4.pymc(moments, marginal=False)


def test_the_direct_sampler_is_not_for_rows(make_small):
    with pytest.raises(SamplingError, match="is sampled by NUTS"):
        MODEL.sample(make_small(), marginal=False, sampler="direct")


def test_the_model_on_rows_keeps_its_remarks_to_the_verdict(make_small, caplog):
    with pytest.warns(hlm.HLMWarning, match="DO NOT USE"):
        post = MODEL.sample(make_small(), marginal=False, seed=1, draws=25, tune=50, keep_effects=False)
    assert caplog.records == []
    assert not {"u", "b"} & set(post.tree["posterior"].data_vars)
