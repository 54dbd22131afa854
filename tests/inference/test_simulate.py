"""Simulated outcomes have the distribution that the model says."""

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats

import hlmbayes as hlm
from hlmbayes.errors import HypothesisError
from tests.hglm.test_fit import ONE, frame_of
from tests.inference.test_bootstrap_generalized import rated


def test_binary_rows_of_a_unit_are_correlated_as_the_integral_says():
    fit = hlm.Model(f"logit(y) = b0 + b1*x; {ONE}").fit(frame_of("binary"), id="id")
    frame = frame_of("binary")
    y = fit.simulate(4000, seed=1).to_numpy()
    assert list(fit.simulate(1, seed=1).index) == list(fit.residuals(1).index)
    eta = (fit.gamma["g00"] + fit.gamma["g01"] * frame.w + fit.gamma["g10"] * frame.x).to_numpy()
    sd, first = np.sqrt(fit.tau["b0", "b0"]), np.flatnonzero(frame.id == frame.id[0])[:2]

    def both(rows):
        def density(t):
            return stats.norm.pdf(t) * np.prod(1 / (1 + np.exp(-eta[rows] - sd * t)))

        return integrate.quad(density, -9, 9)[0]

    for rows in (first[:1], first[1:], first):
        share, p = y[rows].prod(axis=0).mean(), both(rows)
        assert share == pytest.approx(p, abs=4 * np.sqrt(p * (1 - p) / 4000))
    others = np.flatnonzero(frame.id != frame.id[0])[:1]
    apart = np.cov(y[first[0]], y[others[0]])[0, 1]
    assert abs(apart) < 4 * 0.25 / np.sqrt(4000)


def test_categories_have_their_probabilities():
    frame = rated(frame_of("binary"))
    fit = hlm.Model("mlogit(rating) = b0 + b1*x; b0 = g00 + u0; b1 = g10").fit(frame, id="id")
    found = fit.predict(level=2)
    check_shares(fit, np.column_stack([found[f"predicted[{category}]"] for category in range(4)]))


def test_ratings_have_their_probabilities():
    frame = rated(frame_of("binary"))
    fit = hlm.Model("cumlogit(rating) = b0 + b1*x; b0 = g00 + u0; b1 = g10").fit(frame, id="id")
    at = np.add.outer(fit.gamma["g00"] + fit.gamma["g10"] * frame.x.to_numpy(), [0.0, *fit.cuts().estimate])
    t = np.arange(-8, 8.05, 0.05)
    inside = at[..., None] + np.sqrt(fit.tau["b0", "b0"]) * t
    below = (stats.norm.pdf(t) * 0.05 / (1 + np.exp(-inside))).sum(axis=-1)
    check_shares(fit, np.diff(below, prepend=0.0, append=1.0))


def check_shares(fit, p):
    """Compare the shares of categories 0, 1, ... in simulated outcomes with probabilities (N, K)."""
    y = fit.simulate(1500, seed=2).to_numpy()
    shares = np.stack([(y == category).mean(axis=1) for category in range(p.shape[1])], axis=1)
    z = (shares - p) / np.sqrt(p * (1 - p) / 1500)
    assert np.abs(z).max() < 4.5
    assert z.std() == pytest.approx(1.0, abs=0.25)


def test_normal_rows_have_the_models_mean_and_covariance():
    rng = np.random.default_rng(4)
    unit = np.repeat(np.arange(12), 3)
    x, w = rng.normal(size=36), 0.5 + rng.random(36)
    u = rng.normal(size=(12, 2))[unit]
    frame = pd.DataFrame({"id": unit, "x": x, "w": w, "y": x + u[:, 0] + u[:, 1] * x + rng.normal(size=36)})
    model = hlm.Model("y = b0 + b1*x + r; b0 = g00 + u0; b1 = g10 + u1")
    fit = model.fit(frame, id="id", precision="w")
    y = fit.simulate(6000, seed=3).to_numpy()
    z = np.column_stack([np.ones(36), x])
    v = np.equal.outer(unit, unit) * (z @ np.asarray(fit.tau) @ z.T) + np.diag(fit.sigma2 / w)
    mean = z @ np.asarray(fit.gamma)
    np.testing.assert_allclose((y.mean(axis=1) - mean) / np.sqrt(np.diag(v) / 6000), 0.0, atol=4)
    error = np.sqrt((np.outer(np.diag(v), np.diag(v)) + v**2) / 6000)
    np.testing.assert_allclose((np.cov(y) - v) / error, 0.0, atol=4.8)


def test_rows_that_are_not_there_cannot_be_simulated():
    rng = np.random.default_rng(5)
    frame = pd.DataFrame({"id": np.repeat(np.arange(9), 4), "y": rng.normal(size=36)})
    fit = hlm.Model("y = b0 + r; b0 = g00 + u0").fit(hlm.moments(frame, columns="y", id="id"))
    with pytest.raises(HypothesisError, match="needs the rows"):
        fit.simulate()
