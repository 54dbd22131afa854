"""The direct sampler of outcomes that are not normal, against quadrature, bambi and NUTS on the rows."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, special, stats

import hlmbayes as hlm
from hlmbayes.density.link import link_target
from hlmbayes.density.link_density import link_density
from hlmbayes.errors import HLMWarning, SamplingError
from hlmbayes.hglm.quadrature import product_rule
from hlmbayes.sampling.direct import find_mode, find_proposal
from tests.sampling.test_pymc_link import DATA, FRAME, LEVEL2, log_mass

ORACLES = Path(__file__).parents[1] / "oracles"
KNOWN = json.loads((ORACLES / "hglm_posterior.json").read_text())
PRIORS = hlm.Priors(gamma=hlm.Normal(0.0, 2.0), sd=hlm.HalfNormal(1.5))
SDS = (np.arange(50) + 0.5) / 12
LEFT = {"binary": "logit(y)", "trials": "logit(y, trials=n)", "counts": "log(y, exposure=n)"}


def by_grid(left, rows, s=SDS):
    """Give places of g00 and the sd, their weights, the evidence, and units' means of u: sums over a grid."""
    g, z = np.linspace(-3, 2, 51), np.linspace(-6, 6, 91)
    mass = stats.norm.pdf(z) * (z[1] - z[0])
    joint = np.empty((len(g), len(s)))
    means = np.empty((len(g), len(s), rows.id.nunique()))
    for k, sd in enumerate(s):
        eta = g[:, None] + sd * z
        total = 0.0
        for j, (_, unit) in enumerate(rows.groupby("id")):
            log = sum(log_mass(left, eta, row) for row in unit.itertuples())
            like = np.exp(log) * mass
            total = total + np.log(like.sum(axis=1))
            means[:, k, j] = (like * sd * z).sum(axis=1) / like.sum(axis=1)
        joint[:, k] = total + stats.norm.logpdf(g, 0, 2) + stats.halfnorm.logpdf(sd, scale=1.5)
    log_evidence = special.logsumexp(joint) + np.log((g[1] - g[0]) * (s[1] - s[0]))
    weight = np.exp(joint - special.logsumexp(joint))
    return g, s, weight, log_evidence, np.einsum("gs,gsj->j", weight, means)


def median(places, weight):
    return np.interp(0.5, np.cumsum(weight) - 0.5 * weight, places)


@pytest.mark.parametrize("left", ["logit(y)", "probit(hits, trials=n)", "log(number, exposure=n)"])
def test_a_small_model_is_that_of_sums_over_a_grid(left):
    post = hlm.Model(f"{left} = b0; b0 = g00 + u0").sample(DATA, priors=PRIORS, seed=1, draws=2000)
    g, s, weight, log_evidence, u = by_grid(left, FRAME)
    for name, places, mass in (("g00", g, weight.sum(axis=1)), ("sd[b0]", s, weight.sum(axis=0))):
        mean = mass @ places
        sd = np.sqrt(mass @ (places - mean) ** 2)
        draws = post[name].ravel()
        assert np.median(draws) == pytest.approx(median(places, mass), abs=0.06 * sd)
        assert draws.mean() == pytest.approx(mean, abs=0.06 * sd)
        assert draws.std() == pytest.approx(sd, rel=0.06)
    assert post.sampler["sampler"] == "direct"
    assert post.sampler["log_evidence"] == pytest.approx(log_evidence, abs=0.03)
    np.testing.assert_allclose(post.effects()["u0_mean"], u, atol=0.06)
    assert post.convergence.ok
    assert post.draws("u").shape == (4, 2000, 8, 1)


@pytest.mark.parametrize("left", ["logit(y)", "cloglog(hits, trials=n)", "log(number, exposure=n)"])
def test_gradient_and_many_points_at_once(left):
    link = link_target(hlm.Model(f"{left} = b0 + b1*x; {LEVEL2} + u1"), DATA, hlm.Priors())
    density = link_density(link)
    _, proposal, _ = find_proposal(density, np.random.default_rng(2))
    points = proposal.draw(link.target, np.random.default_rng(1), 200)
    many = density.evaluate(points)[0]
    fine = replace(density, rule=product_rule((35, 35)), left_out=0.0)
    near = many > many.max() - 8
    away = many[near] - fine.evaluate(points)[0][near]
    assert abs(away.mean()) < 0.02
    assert away.std() < 0.02
    for x in points[near][:4]:
        value, gradient, hessian = fine.curved(x)
        assert value == pytest.approx(fine.evaluate(x[None])[0][0], abs=1e-6)
        up, down = ([fine.value_and_gradient(x + h) for h in side * np.eye(len(x))] for side in (1e-5, -1e-5))
        slopes = [(a[0] - b[0]) / 2e-5 for a, b in zip(up, down, strict=True)]
        bends = [(b[1] - a[1]) / 2e-5 for a, b in zip(up, down, strict=True)]
        np.testing.assert_allclose(gradient, slopes, atol=1e-4, rtol=1e-3)
        np.testing.assert_allclose(hessian, bends, atol=1e-3, rtol=1e-3)
    assert np.abs(density.value_and_gradient(find_mode(density).phi)[1]).max() < 1e-2


def test_a_variance_near_zero_is_no_wall():
    rng = np.random.default_rng(4)
    frame = pd.DataFrame({"id": np.arange(20), "n": 8, "hits": rng.binomial(8, 0.4, 20)})
    model = hlm.Model("logit(hits, trials=n) = b0; b0 = g00 + u0")
    post = model.sample(frame, id="id", seed=1, priors=PRIORS, draws=2000)
    s = (np.arange(75) + 0.5) / 50
    weight = by_grid("logit(hits, trials=n)", frame, s)[2].sum(axis=0)
    below = np.cumsum(weight)
    sd = post["sd[b0]"].ravel()
    assert post.convergence.ok
    assert below[4] > 0.1  # the data allow an sd below 0.1, and much below it
    for end in (0.02, 0.1, 0.2, 0.3, 0.5, 0.8):
        assert np.mean(sd < end) == pytest.approx(np.interp(end, s + 0.01, below), abs=0.015)


def log_integral(y, eta, a):
    """Give log of the integral of Poisson masses at eta + a v over normal v: trapezoids about the mode."""

    def log_integrand(v):
        at = eta[:, None] + a @ v
        mass = stats.poisson.logpmf(y[:, None], np.exp(np.minimum(at, 300)))
        return mass.sum(axis=0) + stats.norm.logpdf(v).sum(axis=0)

    def height(v):
        return -float(log_integrand(v[:, None])[0])

    mode = optimize.minimize(height, np.zeros(2), method="Nelder-Mead").x
    bend = np.linalg.inv(np.eye(2) + (a.T * np.exp(eta + a @ mode)) @ a)
    root, line = np.linalg.cholesky(bend), np.linspace(-8, 8, 61)
    grid = np.stack(np.meshgrid(line, line)).reshape(2, -1)
    volume = 2 * np.log(line[1] - line[0]) + np.log(np.diag(root)).sum()
    return special.logsumexp(log_integrand(mode[:, None] + root @ grid)) + volume


def test_counts_of_which_a_few_are_hundreds_have_their_likelihood():
    # with few nodes the density bends down where its mode is
    rng = np.random.default_rng([51, 5])
    unit = np.repeat(np.arange(30), rng.integers(1, 3, 30))
    x, u = 3.0 * rng.normal(size=len(unit)), rng.normal(size=(30, 2)) * [2.5, 1.0]
    eta = -2 + 0.5 * x + u[unit, 0] + u[unit, 1] * x
    y = rng.poisson(np.exp(np.minimum(eta, 6)))
    model = hlm.Model("log(y) = b0 + b1*x; b0 = g00 + u0; b1 = g10 + u1")
    post = model.sample(pd.DataFrame({"id": unit, "x": x, "y": y}), id="id", seed=2, draws=500)
    assert post.sampler["sampler"] == "direct"
    assert np.isfinite(post.draws("u")).all()
    found = np.asarray(post.with_log_likelihood("unit").tree["log_likelihood"]["y"])
    gamma, tau = (np.asarray(post.tree["posterior"][name]) for name in ("gamma", "tau"))
    for at in ((0, 3), (2, 100)):
        fixed, a = gamma[at][0] + gamma[at][1] * x, np.linalg.cholesky(tau[at])
        rows = [np.flatnonzero(unit == j) for j in range(30)]
        wanted = [log_integral(y[k], fixed[k], np.column_stack([np.ones(len(k)), x[k]]) @ a) for k in rows]
        np.testing.assert_allclose(found[at], wanted, atol=0.1)
        assert found[at].sum() == pytest.approx(sum(wanted), abs=0.2)


def test_effects_that_separate_outcomes_have_a_posterior():
    frame = FRAME.assign(y=np.where(FRAME.x > 0.5, 1, FRAME.y))
    frame["high"] = (frame.x > 0.5).astype(int)
    post = hlm.Model("logit(y) = b0 + b1*high; b0 = g00 + u0; b1 = g10").sample(
        frame, id="id", seed=1, priors=PRIORS
    )
    assert 0.5 < post["g10"].mean() < 6
    assert post.convergence.ok


def test_a_model_without_random_effects():
    model = hlm.Model("logit(y) = b0 + b1*x; b0 = g00; b1 = g10")
    post = model.sample(DATA, seed=1, priors=hlm.Priors(gamma=hlm.Flat()))
    fit = model.fit(DATA)
    assert list(post.summary().index) == ["g00", "g10"]
    assert post["g10"].mean() == pytest.approx(fit.gamma["g10"], abs=0.5 * fit.vcov[1, 1] ** 0.5)


def test_the_same_seed_gives_the_same_draws():
    model = hlm.Model("logit(y) = b0; b0 = g00 + u0")
    one, two = (model.sample(DATA, seed=5, draws=500, chains=2) for _ in range(2))
    np.testing.assert_array_equal(one["g00"], two["g00"])
    kept = model.sample(DATA, seed=5, draws=500, chains=2, keep_effects=False)
    with pytest.raises(SamplingError, match="not kept"):
        kept.draws("u")
    assert kept.effects().shape == (8, 2)


@pytest.mark.slow  # some thousand evaluations one by one
def test_nuts_on_the_marginal_density_takes_over_with_a_warning(monkeypatch):
    model = hlm.Model("logit(y) = b0; b0 = g00 + u0")
    direct = model.sample(DATA, seed=1, priors=PRIORS)
    monkeypatch.setattr("hlmbayes.sampling.sampling.KHAT_LIMIT", -9.0)
    with pytest.warns(HLMWarning, match="own check failed"):
        nuts = model.sample(DATA, seed=1, draws=1000, tune=300, priors=PRIORS)
    assert nuts.sampler["sampler"] == "nuts"
    for name in ("g00", "sd[b0]"):
        assert np.median(nuts[name]) == pytest.approx(np.median(direct[name]), abs=0.1 * direct[name].std())
        assert nuts[name].std() == pytest.approx(direct[name].std(), rel=0.1)


@pytest.mark.parametrize("name", list(LEFT))
def test_medians_are_those_of_bambi(name):
    frame = pd.read_csv(ORACLES / "data" / f"hglm_{name}.csv")
    model = hlm.Model(f"{LEFT[name]} = b0 + b1*x; {LEVEL2}")
    post = model.sample(frame, id="id", priors=PRIORS, seed=1)
    assert post.sampler["sampler"] == "direct"
    for parameter, known in KNOWN[name].items():
        if parameter != "divergences":
            assert np.median(post[parameter]) == pytest.approx(known["median"], abs=0.1 * known["sd"])
            assert post[parameter].std() == pytest.approx(known["sd"], rel=0.08)


@pytest.mark.slow
def test_two_correlated_effects_are_those_of_nuts_on_the_rows():
    frame = pd.read_csv(ORACLES / "data" / "hglm_binary.csv")
    model = hlm.Model(f"logit(y) = b0 + b1*x; {LEVEL2} + u1")
    direct, nuts = (model.sample(frame, id="id", seed=1, marginal=m, draws=3000) for m in (True, False))
    table = nuts.summary()
    away = (direct.summary()["median"] - table["median"]).abs() / table["sd"]
    assert away.max() < 0.1
    ratio = direct.summary()["sd"] / table["sd"]
    assert ratio.between(0.9, 1.1).all()
