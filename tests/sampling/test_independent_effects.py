"""Posteriors of models with independent random effects: the same whichever way they are sampled."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pymc as pm
import pytest
from scipy import integrate
from scipy.stats import ks_2samp, kstest

import hlmbayes as hlm
from hlmbayes import Model
from hlmbayes.density.batch import evaluate_batch
from hlmbayes.density.coordinates import pack, unpack
from hlmbayes.density.prior_density import correlation_shapes
from hlmbayes.density.target import target_for
from hlmbayes.errors import SamplingError
from hlmbayes.faces import record_of
from hlmbayes.likelihood.pattern import Pattern

THREE = "y = b0 + b1*x + b2*z + r\nb0 = g00 + g01*w + u0\nb1 = g10 + u1\nb2 = g20 + u2\n"
DIAGONAL = Model(THREE + "cov(u0, u1, u2) = 0")
BLOCKS = Model(THREE + "cov(u0, u1) = cov(u1, u2) = 0")
FILE = Path(__file__).parents[1] / "oracles/data/diagonal.csv"


@pytest.fixture(scope="module")
def data():
    return hlm.read(FILE, id="id")


@pytest.fixture(scope="module", params=[DIAGONAL, BLOCKS], ids=["diagonal", "blocks"])
def drawn(request, data):
    return request.param.sample(data, seed=1)


def test_shapes_of_correlations_are_those_of_each_block_alone() -> None:
    whole = correlation_shapes(Pattern(((0, 1, 2),)), 1.5)
    mixed = correlation_shapes(Pattern(((0, 2, 4), (1, 3))), 1.5)  # pairs (2,0), (3,1), (4,0), (4,2)
    np.testing.assert_allclose(mixed, [whole[0], 1.5, whole[1], whole[2]])


def test_tau_and_its_coordinates_lead_to_each_other(data) -> None:
    target = target_for(BLOCKS, data, None)
    tau = np.array([[2.0, 0.0, -0.6], [0.0, 1.0, 0.0], [-0.6, 0.0, 0.5]])
    phi = pack(target, tau, 0.8)
    assert len(phi) == target.size == 5
    np.testing.assert_allclose(unpack(target, phi[None]).tau[0], tau, rtol=1e-12)


def test_only_free_elements_are_parameters(drawn) -> None:
    assert drawn.convergence.ok
    assert drawn.sampler["sampler"] == "direct"
    names = [name for name in drawn.summary().index if name.startswith(("corr", "tau"))]
    pairs = ["corr[b2,b0]"] if drawn.model == BLOCKS else []
    wanted = {
        *pairs,
        *(name.replace("corr", "tau") for name in pairs),
        *(f"tau[b{k},b{k}]" for k in range(3)),
    }
    assert set(names) <= wanted
    assert set(pairs) <= set(names)
    assert {name for name in record_of(drawn).scalars if name.startswith(("corr", "tau"))} == wanted
    tau = drawn.draws("tau")
    assert np.all(tau[..., 1, 0] == 0.0)
    assert np.all(tau[..., 2, 1] == 0.0)
    assert (np.ptp(tau[..., 2, 0]) > 0) == bool(pairs)


def test_it_lies_about_the_fit_and_is_read_back(drawn, data, tmp_path) -> None:
    fit = drawn.model.fit(data)
    table = drawn.compare(fit).frame()
    assert np.abs(table["shift"][list(drawn.model.gamma_names)]).max() < 0.2
    assert not [name for name in table.index if name in ("tau[b1,b0]", "tau[b2,b1]")]
    drawn.save(tmp_path / "post.nc")
    again = hlm.load_posterior(tmp_path / "post.nc")
    assert again.model == drawn.model
    np.testing.assert_array_equal(again["sd[b1]"], drawn["sd[b1]"])
    assert "correlations of b0 (intercept), b1" not in drawn.tree.attrs["priors_in_words"]
    simpler = drawn.variance_is_zero("b1")
    assert simpler["log_bayes_factor"] < 0


def test_figures_have_no_correlation_of_independent_effects(drawn) -> None:
    shown = [ax for ax in hlm.plots.tau_pair(drawn).axes if ax.get_visible()]
    assert [(ax.get_xlabel(), ax.get_ylabel()) for ax in shown] == [
        ("sd[intercept] (sd[b0])", "sd[x] (sd[b1])")
    ]


def test_prior_draws_have_the_blocks(data) -> None:
    prior = hlm.prior_predictive(BLOCKS, data, hlm.Priors(), draws=2000, seed=1)["prior"]
    corr = prior["tau_corr"].values[0]
    assert np.all(corr[:, 1, [0, 2]] == 0.0)
    assert kstest(corr[:, 2, 0], "uniform", (-1, 2)).pvalue > 1e-3  # LKJ(1) of two


def test_a_prior_of_all_of_tau_is_refused(data) -> None:
    priors = hlm.Priors(tau=hlm.InverseWishart(5.0, np.eye(3)))
    with pytest.raises(SamplingError, match=r"and here tau is diagonal: .* give sd and corr in its place"):
        DIAGONAL.sample(data, priors=priors)


@pytest.mark.parametrize("model", [DIAGONAL, BLOCKS], ids=["diagonal", "blocks"])
def test_the_pymc_model_has_the_blocks(model, data) -> None:
    graph = model.pymc(data)
    logp = graph.compile_logp(mode="FAST_COMPILE")
    point = {name: np.asarray(value) + 0.1 for name, value in graph.initial_point().items()}
    assert np.isfinite(logp(point))
    taus = graph.compile_fn(
        graph.replace_rvs_by_values([graph["tau"]]), inputs=graph.value_vars, on_unused_input="ignore",
        mode="FAST_COMPILE",
    )(point)[0]  # fmt: skip
    assert taus[1, 0] == taus[2, 1] == 0.0
    assert (taus[2, 0] != 0) == (model == BLOCKS)


def test_two_variances_agree_with_integration_on_a_grid(data) -> None:
    """The posterior of (sd0, sd1, sigma) of a diagonal tau, by the density on a grid."""
    model = Model("y = b0 + b1*x + r\nb0 = g00 + u0\nb1 = g10 + u1\ncov(u0, u1) = 0")
    post = model.sample(data, seed=3)
    target = target_for(model, data, None)
    assert target.size == 3
    log_sigma = post["sigma"]
    grids = [np.linspace(1e-3, 6.0 * np.median(post[f"sd[b{k}]"]), 60) / target.reference[k] for k in (0, 1)]
    grids.append(np.log(np.linspace(log_sigma.min(), log_sigma.max(), 40)))
    points = np.stack(np.meshgrid(*grids, indexing="ij"), axis=-1)
    value = evaluate_batch(target, points.reshape(-1, 3)).log_density.reshape(points.shape[:3])
    density = np.exp(value - value.max())
    density = integrate.simpson(density, grids[2], axis=2)
    for k in (0, 1):
        own = integrate.simpson(density, grids[1 - k], axis=1 - k)
        mean = integrate.simpson(own * grids[k], grids[k]) / integrate.simpson(own, grids[k])
        draws = post[f"sd[b{k}]"]
        assert draws.mean() == pytest.approx(
            mean * target.reference[k], abs=4 * draws.std() / np.sqrt(draws.size)
        )


@pytest.mark.slow
@pytest.mark.parametrize("model", [DIAGONAL, BLOCKS], ids=["diagonal", "blocks"])
def test_rows_nuts_and_the_direct_sampler_give_one_posterior(model, data) -> None:
    kwargs = {"priors": hlm.Priors(sd=hlm.HalfNormal(1.0)), "draws": 1500}
    rows = model.sample(data, seed=1, marginal=False, **kwargs)
    nuts = model.sample(data, seed=3, sampler="nuts", **kwargs)
    direct = model.sample(data, seed=2, **kwargs)
    assert set(rows.tree["posterior"].data_vars) == set(direct.tree["posterior"].data_vars)
    for name in record_of(direct).scalars:
        draws = [post[name][:, ::5].ravel() for post in (rows, nuts, direct)]
        assert ks_2samp(draws[0], draws[2]).pvalue > 1e-3, name
        assert ks_2samp(draws[1], draws[2]).pvalue > 1e-3, name
    assert np.all(rows.draws("tau")[..., 1, 0] == 0.0)


@pytest.mark.slow
def test_the_marginal_pymc_model_gives_it_too(data) -> None:
    priors = hlm.Priors(sd=hlm.HalfNormal(1.0))
    with BLOCKS.pymc(data, priors):
        trace = pm.sample(draws=1000, tune=1000, chains=2, cores=1, random_seed=1, progressbar=False,
                          nuts_sampler="pymc", compute_convergence_checks=False)  # fmt: skip
    direct = BLOCKS.sample(data, seed=2, priors=priors)
    corr = trace["posterior"]["tau_corr"].values[:, ::4, 2, 0].ravel()
    assert ks_2samp(corr, direct["corr[b2,b0]"][:, ::4].ravel()).pvalue > 1e-3
    sd = trace["posterior"]["sd"].values[:, ::4, 1].ravel()
    assert ks_2samp(sd, direct["sd[b1]"][:, ::4].ravel()).pvalue > 1e-3
