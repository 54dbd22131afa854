"""Expected outcomes against integrals done by hand, and their standard errors against finite differences."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, special, stats

import hlmbayes as hlm
from hlmbayes.faces import record_of
from hlmbayes.predictions.expected import expected
from tests.hglm.test_fit import ORACLES, frame_of

TWO_LEVELS = "b0 = g00 + g01*w + u0; b1 = g10"
X = np.array([[1.0, 0.3, -0.5], [1.0, -1.0, 1.2]])  # g00, g01, g10
Z = np.ones((2, 1))


@pytest.fixture(scope="module")
def binary():
    return hlm.read(frame_of("binary"), id="id")


@pytest.fixture(scope="module")
def ratings():
    return hlm.read(pd.read_csv(ORACLES / "data" / "ordinal_four.csv"), id="id")


def by_hand(fit):
    """Give the probability of each category of two rows, averaged over u by scipy's adaptive integration."""
    cuts = np.r_[0.0, fit.law.fixed_cuts]
    sd = float(np.sqrt(fit.tau_values[0, 0]))
    below = [
        [
            integrate.quad(lambda u, a=a: special.expit(a + u) * stats.norm.pdf(u, 0, sd), -9 * sd, 9 * sd)[0]
            for a in eta + cuts
        ]
        for eta in X @ fit.gamma_free
    ]
    return np.diff(np.array(below), axis=1, prepend=0.0, append=1.0)


def moved(fit, k, by):
    """Give the fit with its k-th parameter moved: fixed effects, the root of tau, cuts."""
    F, m = len(fit.gamma_free), fit.root.shape[1]
    step = np.zeros(len(fit.covariance))
    step[k] = by
    tau = fit.tau_values + (fit.root @ step[F : F + m]).reshape(1, 1)
    law = fit.law.with_cuts(fit.law.fixed_cuts + step[F + m :], np.zeros(len(step) - F - m))
    return replace(fit, gamma_free=fit.gamma_free + step[:F], tau_values=tau, law=law)


@pytest.mark.parametrize("robust", [False, True])
def test_probabilities_of_categories_are_those_of_the_integral(ratings, robust):
    fit = record_of(hlm.Model(f"cumlogit(y) = b0 + b1*x; {TWO_LEVELS}").fit(ratings))
    found = expected(fit, X, Z, prob=0.95, robust=robust)
    np.testing.assert_allclose(found.mean, by_hand(fit), atol=1e-8)
    np.testing.assert_allclose(found.mean.sum(axis=1), 1.0, atol=1e-12)
    h = 1e-5
    slopes = [(by_hand(moved(fit, k, h)) - by_hand(moved(fit, k, -h))) / (2 * h) for k in range(6)]
    covariance = fit.sandwich if robust else fit.covariance
    assert len(covariance) == len(slopes)
    variance = np.einsum("pnk,pq,qnk->nk", slopes, covariance, slopes)
    np.testing.assert_allclose(found.se, np.sqrt(variance), rtol=1e-4)
    reach = stats.norm.ppf(0.975) * found.se / (found.mean * (1 - found.mean))
    np.testing.assert_allclose(found.low, special.expit(special.logit(found.mean) - reach), atol=1e-12)


def test_one_mean_is_that_of_predict(binary):
    fit = hlm.Model(f"logit(y) = b0 + b1*x; {TWO_LEVELS}").fit(binary)
    new = pd.DataFrame({"x": X[:, 2], "w": X[:, 1]})
    known = fit.predict(new, level=2, interval="confidence")
    found = expected(record_of(fit), X, Z, prob=0.95, robust=False)
    pairs = (("predicted", "mean"), ("se", "se"), ("at_zero", "at_zero"), ("low", "low"), ("high", "high"))
    for name, part in pairs:
        np.testing.assert_allclose(getattr(found, part)[:, 0], known[name], atol=1e-12)


def test_quasi_likelihoods_mean_is_of_its_population_average_model(binary):
    fit = hlm.Model(f"logit(y) = b0 + b1*x; {TWO_LEVELS}").fit(binary, algorithm="hlm")
    found = expected(record_of(fit), X, Z, prob=0.95, robust=False)
    eta = X @ np.asarray(fit.gamma_average)
    np.testing.assert_allclose(found.mean[:, 0], special.expit(eta), atol=1e-12)
    np.testing.assert_allclose(found.at_zero[:, 0], special.expit(X @ np.asarray(fit.gamma)), atol=1e-12)
    rows = fit.fixed_effects(average=True)
    alone = expected(record_of(fit), np.array([[1.0, 0.0, 0.0]]), Z[:1], prob=0.95, robust=False)
    p = special.expit(rows.coefficient["g00"])
    assert alone.se[0, 0] == pytest.approx(rows.se["g00"] * p * (1 - p), rel=1e-9)


def test_quasi_likelihood_of_ratings_gives_each_category(ratings):
    fit = record_of(hlm.Model(f"cumlogit(y) = b0 + b1*x; {TWO_LEVELS}").fit(ratings, algorithm="hlm"))
    found = expected(fit, X, Z, prob=0.95, robust=True)
    average = fit.population.gamma_free
    below = special.expit((X @ average[:3])[:, None] + np.r_[0.0, average[3:]])
    np.testing.assert_allclose(found.mean, np.diff(below, axis=1, prepend=0.0, append=1.0), atol=1e-12)
    assert (found.se > 0).all()
    assert (found.low < found.mean).all()
