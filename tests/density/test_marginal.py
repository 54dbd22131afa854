"""The marginal density against dense matrices, its gradient against differences, its symmetries."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import integrate
from scipy.stats import beta, invwishart, multivariate_normal

import hlmbayes as hlm
from hlmbayes.density.batch import evaluate_batch
from hlmbayes.density.conditional import complete, draw_effects, unit_log_likelihood
from hlmbayes.density.coordinates import fold, pack, unpack
from hlmbayes.density.marginal import fixed_gamma, value_and_gradient
from hlmbayes.density.prior_density import log_prior
from hlmbayes.density.sampled import OfMoments
from hlmbayes.density.target import build_target
from hlmbayes.estimation.prepare import prepare
from hlmbayes.priors.distributions import Flat, HalfNormal, InverseGamma, InverseWishart, Normal
from hlmbayes.priors.priors import Priors, resolve

PRIORS = {
    "default": Priors(),
    "flat": Priors(gamma=Flat()),
    "tight": Priors(gamma=Normal(1.0, 0.3), sd=HalfNormal(0.7)),
    "mixed": Priors(gamma={"g00": Flat()}, sd=InverseGamma(0.5, 0.3), sigma=InverseGamma(2.0, 1.0, of="sd")),
}


def make_target(model, data, priors):
    design = prepare(model, data).design
    return build_target(design, resolve(priors, design))


def random_point(target, seed=0):
    rng = np.random.default_rng(seed)
    phi = 0.7 * rng.normal(size=target.size)
    phi[: target.n_random] = 0.4 + np.abs(phi[: target.n_random])
    phi[-1] = 0.3
    return phi


def dense_marginal(rows, priors, tau, sigma):
    """log p(y): gamma integrated out against its prior, by brute force on the N x N matrix."""
    v = rows.covariance(tau, sigma)
    proper = priors.gamma_precision > 0
    x, mean = rows.x, priors.gamma_mean
    v = v + (x[:, proper] / priors.gamma_precision[proper]) @ x[:, proper].T
    residual = rows.y - x[:, proper] @ mean[proper]
    if proper.all():
        return multivariate_normal(np.zeros(len(v)), v).logpdf(residual)
    flat = x[:, ~proper]
    vi = np.linalg.inv(v)
    a = flat.T @ vi @ flat
    p = vi - vi @ flat @ np.linalg.solve(a, flat.T @ vi)
    n = len(v) - flat.shape[1]
    logdet = np.linalg.slogdet(v)[1] + np.linalg.slogdet(a)[1]
    return -0.5 * (n * np.log(2 * np.pi) + logdet + residual @ p @ residual)


@pytest.mark.parametrize("name", PRIORS)
def test_density_is_that_of_the_dense_normal(small_model, make_small, make_dense, name):
    data = make_small()
    target = make_target(small_model, data, PRIORS[name])
    phi = random_point(target)
    parts = unpack(target, phi[None])
    expected = dense_marginal(make_dense(data, small_model), target.priors, parts.tau[0], parts.sigma[0])
    value, _ = value_and_gradient(target, phi)
    assert value - log_prior(target, phi[None])[0] == pytest.approx(expected, rel=1e-9)
    assert evaluate_batch(target, np.stack([phi, phi])).log_density == pytest.approx([value] * 2, rel=1e-11)


@pytest.mark.parametrize("name", [*PRIORS, "wishart"])
@pytest.mark.parametrize("at", ["inside", "near zero", "negative"])
def test_gradient_is_that_of_differences(small_model, make_small, name, at):
    q = len(small_model.random)
    if name == "wishart" and len(small_model.blocks) > 1:
        pytest.skip("an inverse-Wishart prior is of a tau with all covariances")
    priors = PRIORS.get(name) or Priors(tau=InverseWishart(q + 2.0, np.eye(q) + 0.2))
    target = make_target(small_model, make_small(), priors)
    phi = random_point(target, 1)
    if at == "negative":
        phi[:q] *= np.resize([-1.0, 1.0], q)
    elif at == "near zero" and name not in ("mixed", "wishart"):
        phi[0] = 1e-3
    _, gradient = value_and_gradient(target, phi)
    for k, slope in enumerate(gradient):
        step = np.zeros(target.size)
        step[k] = 1.0

        def along(h, step=step):
            values = [value_and_gradient(target, phi + s * h * step)[0] for s in (1, -1)]
            return (values[0] - values[1]) / (2 * h)

        # Richardson: 4e-3, 2e-3, 1e-3 combined to an error of order h^6
        d = [along(h) for h in (4e-3, 2e-3, 1e-3)]
        first, second = (4 * d[1] - d[0]) / 3, (4 * d[2] - d[1]) / 3
        assert slope == pytest.approx((16 * second - first) / 15, rel=1e-8, abs=1e-8 * np.abs(gradient).max())


def test_density_given_gamma_and_its_gradient(small_model, make_small, make_dense):
    data = make_small()
    target = make_target(small_model, data, Priors())
    parts = unpack(target, random_point(target)[None])
    factor, sigma = parts.factor[0], float(parts.sigma[0])
    gamma = target.design.gamma_ols + 0.3
    rows = make_dense(data, small_model)

    def density(gamma, factor, sigma):
        v = rows.covariance(factor @ factor.T, sigma)
        return multivariate_normal(np.zeros(len(v)), v).logpdf(rows.y - rows.x @ gamma)

    value, by_gamma, by_factor, by_sigma = fixed_gamma(target, gamma, factor, sigma)
    assert value == pytest.approx(density(gamma, factor, sigma), rel=1e-9)
    point = np.concatenate([gamma, factor.ravel(), [sigma]])
    f, q = len(gamma), len(factor)

    def at(x):
        return fixed_gamma(target, x[:f], x[f:-1].reshape(q, q), x[-1])[0]

    for k, slope in enumerate(np.concatenate([by_gamma, by_factor.ravel(), [by_sigma]])):
        step = np.zeros(len(point))
        step[k] = 1.0
        d = [(at(point + h * step) - at(point - h * step)) / (2 * h) for h in (4e-3, 2e-3, 1e-3)]
        first, second = (4 * d[1] - d[0]) / 3, (4 * d[2] - d[1]) / 3
        assert slope == pytest.approx((16 * second - first) / 15, rel=1e-7, abs=1e-6)


def test_a_singular_tau_is_an_ordinary_point(small_model, make_small, make_dense):
    data = make_small()
    target = make_target(small_model, data, Priors())
    phi = random_point(target)
    phi[0] = 0.0
    tau = unpack(target, phi[None]).tau[0]
    assert np.linalg.matrix_rank(tau) < len(tau) or len(tau) == 1
    expected = dense_marginal(make_dense(data, small_model), target.priors, tau, np.exp(phi[-1]))
    value, gradient = value_and_gradient(target, phi)
    assert value - log_prior(target, phi[None])[0] == pytest.approx(expected, rel=1e-9)
    assert np.isfinite(gradient).all()


def test_signs_of_effects_change_nothing(small_model, make_small):
    target = make_target(small_model, make_small(), Priors())
    phi = random_point(target)
    value = value_and_gradient(target, phi)[0]
    for signs in itertools.product((1.0, -1.0), repeat=target.n_random):
        image = fold(target, phi[None], np.array(signs))[0]
        assert value_and_gradient(target, image)[0] == pytest.approx(value, rel=1e-12)
        assert fold(target, image[None])[0] == pytest.approx(phi)


def test_pack_undoes_unpack(small_model, make_small):
    target = make_target(small_model, make_small(), Priors())
    parts = unpack(target, 0.5 * random_point(target)[None])
    phi = pack(target, parts.tau[0], float(parts.sigma[0]))
    assert unpack(target, phi[None]).tau[0] == pytest.approx(parts.tau[0], rel=1e-8)


def test_prior_integrates_to_one(make_small):
    model = hlm.Model("y = b0 + r\nb0 = g00 + u0")
    for priors in (Priors(sigma=HalfNormal(1.0)), Priors(sd=InverseGamma(2.0, 0.5), sigma=HalfNormal(1.0))):
        target = make_target(model, make_small(), priors)
        # log sigma and s are independent: integrate them one at a time
        fixed = np.array([0.5, 0.0])
        density = np.exp(log_prior(target, fixed[None])[0])

        def along(value, k, fixed=fixed, target=target):
            phi = fixed.copy()
            phi[k] = value
            return np.exp(log_prior(target, phi[None])[0])

        over_s = 2 * integrate.quad(along, 1e-12, np.inf, args=(0,), limit=400)[0]
        over_sigma = integrate.quad(along, -30, 4, args=(1,), limit=200)[0]
        assert over_s * over_sigma == pytest.approx(density, rel=1e-6)


def test_correlation_prior_is_lkj(make_small):
    """In LKJ(eta) every correlation of q effects is 2 Beta(eta + q/2 - 1) - 1 (Lewandowski et al. 2009)."""
    rng = np.random.default_rng(0)
    model = hlm.Model("y = b0 + b1*x1 + b2*x2 + r\nb0 = g00 + u0\nb1 = g10 + u1\nb2 = g20 + u2")
    target = make_target(model, make_small(), Priors(corr=hlm.LKJ(2.0)))
    y = rng.logistic(size=(200_000, 3))  # a proposal heavier than the prior
    phi = np.concatenate([np.ones((len(y), 3)), y, np.zeros((len(y), 1))], axis=1)
    weight = np.exp(log_prior(target, phi) + np.sum(2 * np.log(2 * np.cosh(y / 2)), axis=1))
    corr = unpack(target, phi).corr_factor
    corr = corr @ corr.transpose(0, 2, 1)
    expected = beta(2.5, 2.5, loc=-1, scale=2).var()
    for i, j in ((1, 0), (2, 0), (2, 1)):
        variance = np.average(corr[:, i, j] ** 2, weights=weight)
        assert variance == pytest.approx(expected, rel=0.02)


def test_inverse_wishart_density(make_small):
    model = hlm.Model("y = b0 + b1*x1 + r\nb0 = g00 + u0\nb1 = g10 + u1")
    prior = InverseWishart(5.0, np.array([[2.0, 0.3], [0.3, 1.0]]))
    target = make_target(model, make_small(), Priors(tau=prior, sigma=HalfNormal(1.0)))
    phi = np.array([0.8, 0.6, 0.4, 0.0])

    def tau_of(x):
        tau = unpack(target, x[None]).tau[0]
        return np.array([tau[0, 0], tau[1, 0], tau[1, 1]])

    steps = 1e-5 * np.eye(4)[:3]
    jacobian = np.stack([(tau_of(phi + h) - tau_of(phi - h)) / 2e-5 for h in steps])
    expected = invwishart(5, prior.scale).logpdf(unpack(target, phi[None]).tau[0])
    expected += np.log(abs(np.linalg.det(jacobian))) - 2 * np.log(2)  # folded into four
    expected += target.priors.level1.sigma.curve().log_density(1.0)
    assert log_prior(target, phi[None])[0] == pytest.approx(expected, abs=1e-6)


def test_a_singular_tau_has_no_inverse_wishart_density(make_small):
    """Far from the mode tanh(y) rounds to 1: draws with a tight prior ended in a LinAlgError there."""
    model = hlm.Model("y = b0 + b1*x1 + r\nb0 = g00 + u0\nb1 = g10 + u1")
    target = make_target(model, make_small(), Priors(tau=InverseWishart(4.0, 1e-3 * np.eye(2))))
    points = np.array([[0.8, 0.6, 0.4, 0.0], [0.8, 0.6, 25.0, 0.0], [0.0, 0.6, 0.4, 0.0]])
    found = log_prior(target, points)
    assert found[0] == log_prior(target, points[:1])[0]
    assert np.isneginf(found[1:]).all()


def test_unit_likelihoods_are_those_of_dense_normals(small_model, make_small, make_dense):
    data = make_small()
    target = make_target(small_model, data, Priors())
    phi = fold(target, np.stack([random_point(target, 3), random_point(target, 4)]))
    draws = complete(target, phi, np.random.default_rng(0))
    values = unit_log_likelihood(target, draws)
    rows = make_dense(data, small_model)
    for b in range(2):
        v = rows.covariance(draws.tau[b], np.exp(phi[b, -1]))
        residual = rows.y - rows.x @ draws.gamma[b]
        for j in range(data.n_units):
            at = np.flatnonzero(rows.unit == j)
            expected = multivariate_normal(np.zeros(len(at)), v[np.ix_(at, at)]).logpdf(residual[at])
            assert values[b, j] == pytest.approx(expected, rel=1e-9)


def test_gamma_and_effects_have_their_conditional_moments(make_small, make_dense):
    model = hlm.Model("y = b0 + b1*x1 + r\nb0 = g00 + g01*w + u0\nb1 = g10 + u1")
    data = make_small()
    target = make_target(model, data, Priors(gamma=Normal(1.0, 2.0)))
    phi = np.repeat(np.abs(random_point(target))[None], 40_000, axis=0)
    rng = np.random.default_rng(1)
    draws = complete(target, phi, rng)
    u = draw_effects(target, draws, rng, keep=True).draws
    rows, tau, sigma = make_dense(data, model), draws.tau[0], np.exp(phi[0, -1])
    z = np.zeros((len(rows.y), data.n_units * 2))
    for j in range(data.n_units):
        at = rows.unit == j
        z[at, 2 * j : 2 * j + 2] = rows.z[at]
    # joint normal of (gamma, u) given y
    design = np.hstack([rows.x, z])
    prior = np.zeros((design.shape[1],) * 2)
    prior[:3, :3], prior[3:, 3:] = np.eye(3) / 4.0, np.kron(np.eye(data.n_units), np.linalg.inv(tau))
    precision = design.T @ design / sigma**2 + prior
    covariance = np.linalg.inv(precision)
    mean = covariance @ (design.T @ rows.y / sigma**2 + prior[:, :3] @ np.ones(3))
    drawn = np.hstack([draws.gamma, u.reshape(len(u), -1)])
    error = np.sqrt(np.diag(covariance) / len(drawn))
    assert np.all(np.abs(drawn.mean(axis=0) - mean) < 4.5 * error)
    scale = np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)))
    assert np.abs((np.cov(drawn.T) - covariance) / scale).max() < 0.03


def test_effects_that_are_not_kept_have_the_moments_of_their_conditional_normals(small_model, make_small):
    target = make_target(small_model, make_small(), Priors())
    phi = fold(target, np.stack([random_point(target, 3), random_point(target, 4)]))
    draws = complete(target, phi, np.random.default_rng(0))
    given = draw_effects(target, draws, np.random.default_rng(1), keep=False)
    often = draws.take(np.tile([0, 1], 20_000))
    drawn = draw_effects(target, often, np.random.default_rng(2), keep=True)
    assert given.draws is None
    assert np.abs(given.mean - drawn.mean).max() < 4.5 * drawn.sd.max() / 200.0
    assert given.sd == pytest.approx(drawn.sd, rel=0.03)


def test_units_of_the_data_do_not_matter(make_small):
    """y times c: the density of the data falls by N log c, and the posterior moves with it."""
    model = hlm.Model("y = b0 + b1*x1 + r\nb0 = g00 + g01*w + u0\nb1 = g10 + u1")
    data = make_small()
    scaled = hlm.TwoLevelData(
        "id", data.unit_ids, data.unit, {**data.level1, "y": 1000 * data.level1["y"]}, data.level2
    )
    here, there = (make_target(model, d, Priors()) for d in (data, scaled))
    phi = random_point(here)
    moved = phi.copy()
    moved[-1] += np.log(1000)
    shift = value_and_gradient(there, moved)[0] - value_and_gradient(here, phi)[0]
    assert shift == pytest.approx(-data.n_rows * np.log(1000), rel=1e-9)


@pytest.mark.parametrize("text", [
    "y = b1*x1 + r\nb1 = g10 + g11*w + u1",
    "y = b0 + b1*x1 + r\nb0 = g00 + u0\nb1 = u1",
    "y = b0 + b1*x1 + b2*x2 + r\nb0 = g00 + g01*w + u0\nb1 = g10\nb2 = g20 + u2",
])  # fmt: skip
def test_other_models(text, make_small, make_dense):
    data, model = make_small(), hlm.Model(text)
    target = make_target(model, data, Priors())
    phi = random_point(target)
    parts = unpack(target, phi[None])
    expected = dense_marginal(make_dense(data, model), target.priors, parts.tau[0], parts.sigma[0])
    value = evaluate_batch(target, phi[None]).log_density[0] - log_prior(target, phi[None])[0]
    assert value == pytest.approx(expected, rel=1e-9)


def test_constrained_model(make_small, make_dense):
    data = make_small()
    free = hlm.Model("y = b0 + b1*x1 + b2*x2 + r\nb0 = g00 + u0\nb1 = g10\nb2 = g20")
    target = make_target(free.constrain("g10 = g20"), data, Priors(gamma=Flat()))
    rows = make_dense(data, free)
    merged = type(rows)(
        rows.y, np.stack([rows.x[:, 0], rows.x[:, 1] + rows.x[:, 2]], axis=1), rows.z, rows.unit
    )
    phi = random_point(target)
    parts = unpack(target, phi[None])
    expected = dense_marginal(merged, target.priors, parts.tau[0], parts.sigma[0])
    value = evaluate_batch(target, phi[None]).log_density[0] - log_prior(target, phi[None])[0]
    assert value == pytest.approx(expected, rel=1e-9)


def test_a_place_too_far_has_no_density_and_no_warning(make_small):
    """A step of the search for the mode, or a proposal: numbers overflowed with NumPy's warnings."""
    model = hlm.Model("y = b0 + b1*x1 + r\nb0 = g00 + u0\nb1 = g10 + u1")
    density = OfMoments(make_target(model, make_small(), Priors()))
    near = np.array([0.8, 0.6, 0.4, 0.0])
    for k, far in ((0, 1e200), (3, -800.0), (3, 800.0)):
        x = near.copy()
        x[k] = far
        found = density.evaluate(np.stack([near, x]))[0]
        assert np.isfinite(found[0])
        assert not np.isnan(found[1])
        assert np.isfinite(density.point(near).value)
        assert not np.isnan(density.point(x).value)
