"""NUTS: the compiled density is the plain one, and its posterior is the direct sampler's."""

from __future__ import annotations

import time

import numpy as np
import pytest
from scipy.stats import ks_2samp

import hlmbayes as hlm
from hlmbayes.density.kernel import BLOCK
from hlmbayes.density.kernel_tables import flatten
from hlmbayes.density.marginal import value_and_gradient
from hlmbayes.density.target import build_target, target_for
from hlmbayes.estimation.prepare import law_and_counting, prepare
from hlmbayes.priors.priors import resolve
from hlmbayes.sampling.nuts import said_after
from tests.compiled import evaluate
from tests.estimation.test_known_variance import MODEL, several_rows

OLS = hlm.Model("y = b0 + b1*x1 + r\nb0 = g00 + g01*w\nb1 = g10")
PRIORS = [
    hlm.Priors(),
    hlm.Priors(gamma=hlm.Flat(), sd=hlm.Exponential(2.0), corr=hlm.LKJ(2.0)),
    hlm.Priors(gamma={"g00": hlm.Flat()}, sd=hlm.InverseGamma(0.5, 0.3), sigma=hlm.HalfNormal()),
]


def check(model, data, priors, digits=1e-10):
    design = prepare(model, data).design
    check_target(build_target(design, resolve(priors, design)), digits)


def check_target(target, digits=1e-10):
    rng = np.random.default_rng(11)
    centre, root = (
        0.1 * rng.normal(size=target.size),
        np.eye(target.size) + 0.1 * rng.normal(size=(target.size,) * 2),
    )
    table = flatten(target, centre, root)
    differences = []
    for seed in range(3):
        zeta = 0.5 * np.random.default_rng(seed).normal(size=target.size)
        expected, slope = value_and_gradient(target, centre + root @ zeta)
        value, gradient = evaluate(zeta, table)
        assert gradient == pytest.approx(root.T @ slope, rel=digits, abs=digits * np.abs(slope).max())
        differences.append(value - expected)
    assert np.ptp(differences) < 10 * digits  # equal up to a constant


@pytest.mark.parametrize("priors", PRIORS)
def test_compiled_density_is_the_plain_one(small_model, make_small, priors):
    check(small_model, make_small(), priors)


@pytest.mark.parametrize("level1", [{"variance_known": "v"}, {"precision": "p"}, {"sigma2": 1.7}])
def test_compiled_density_of_known_variances(level1):
    law, _ = law_and_counting(MODEL, **level1)
    check_target(target_for(MODEL, hlm.read(several_rows(), id="id"), None, law=law))


def test_compiled_density_of_several_blocks_of_units(small_model, make_small):
    check(small_model, make_small(n_units=2 * BLOCK + 7), hlm.Priors())


def test_compiled_density_keeps_its_digits_where_level2_variables_are_far_from_zero(make_small):
    data = make_small()
    moved = hlm.TwoLevelData("id", data.unit_ids, data.unit, data.level1, {"w": data.level2["w"] + 1e4})
    check(
        hlm.Model("y = b0 + b1*x1 + r\nb0 = g00 + g01*w + u0\nb1 = g10 + g11*w + u1"),
        moved,
        hlm.Priors(),
        1e-8,
    )


def test_compiled_density_without_random_effects_and_with_a_constraint(make_small):
    check(OLS, make_small(), hlm.Priors())
    check(OLS.constrain("g01 = g10"), make_small(), hlm.Priors())


def test_nuts_and_direct_give_one_posterior(hsb, model4):
    nuts = model4.sample(hsb, seed=4, sampler="nuts", draws=2000)
    direct = model4.sample(hsb, seed=5, sampler="direct", draws=2000)
    assert nuts.convergence.ok
    assert nuts.convergence.divergences == 0
    for name in ("g00", "g11", "sd[b0]", "sd[b1]", "corr[b1,b0]", "sigma"):
        a, b = (post[name][:, ::4].ravel() for post in (nuts, direct))
        assert ks_2samp(a, b).pvalue > 1e-3, name
    assert set(nuts.tree["posterior"].data_vars) == set(direct.tree["posterior"].data_vars)
    assert {"diverging", "energy", "tree_depth"} <= set(nuts.tree["sample_stats"].data_vars)


@pytest.mark.parametrize("length", [
    pytest.param({"draws": 500, "tune": 200, "chains": 1}, id="short"),
    pytest.param({"draws": 1000, "tune": 300, "chains": 2}, id="long", marks=pytest.mark.slow),
])  # fmt: skip
def test_inverse_wishart_is_sampled_by_both(length, make_small):
    model = hlm.Model("y = b0 + b1*x1 + r\nb0 = g00 + g01*w + u0\nb1 = g10 + u1")
    priors = hlm.Priors(tau=hlm.InverseWishart(5.0, [[1.0, 0.1], [0.1, 0.5]]))
    nuts = model.sample(make_small(n_units=40), seed=4, sampler="nuts", priors=priors, **length)
    direct = model.sample(make_small(n_units=40), seed=5, sampler="direct", priors=priors)
    for name in ("g00", "tau[b0,b0]", "tau[b1,b0]", "tau[b1,b1]"):
        assert ks_2samp(nuts[name][:, ::4].ravel(), direct[name][:, ::4].ravel()).pvalue > 1e-3, name


def test_same_seed_same_draws(make_small):
    small_model = hlm.Model("y = b0 + b1*x1 + r\nb0 = g00 + g01*w + u0\nb1 = g10 + u1")
    kwargs = {"sampler": "nuts", "draws": 400, "tune": 400, "priors": hlm.Priors(sd=hlm.HalfNormal(1.0))}
    data = make_small(n_units=30)
    first, second = (small_model.sample(data, seed=9, **kwargs) for _ in range(2))
    assert np.array_equal(first.draws("gamma"), second.draws("gamma"))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_no_divergences_over_five_seeds(seed, hsb, model4):
    verdict = model4.sample(hsb, seed=seed, sampler="nuts").convergence
    assert verdict.divergences == 0
    assert verdict.max_r_hat < 1.01


@pytest.mark.parametrize("writable", [True, False])
def test_compiled_code_is_kept_where_there_is_a_place(monkeypatch, writable):
    """Neither the package nor the home may be writable: on a cluster, in a container."""
    from hlmbayes.density import kernel

    def njit(signature, *, cache):
        def decorate(function):
            if cache and not writable:
                raise RuntimeError("cannot cache function: no locator available")
            return function

        return decorate

    monkeypatch.setattr(kernel, "njit", njit)
    assert kernel._has_a_place() is writable


def test_what_takes_long_is_said_and_what_does_not_is_not(capsys):
    with said_after(10.0, "soon done"):
        pass
    with said_after(0.01, ""):
        time.sleep(0.1)
    assert capsys.readouterr().err == ""
    with said_after(0.01, "this takes long"):
        time.sleep(1.0)
    assert capsys.readouterr().err == "this takes long\n"
