"""The direct sampler where priors hold a standard deviation far below what the data say, against a grid."""

import numpy as np
import pandas as pd
import pytest

import hlmbayes as hlm
from hlmbayes import HalfCauchy, InverseGamma

J, N = 20, 6
ABOVE = 10.0  # times the prior's own size: as far as its tail goes


@pytest.fixture(scope="module")
def y() -> np.ndarray:
    """Give the outcome of units of equal size (J, N), with a standard deviation of 0.3 between them."""
    rng = np.random.default_rng(1)
    return 1 + rng.normal(size=(J, N)) + 0.3 * rng.normal(size=(J, 1))


def share_above(y: np.ndarray, log_prior, place: float) -> float:
    """Give P(sd > place | y) by sums over a grid of sd and log sigma, gamma integrated out (flat)."""
    within = np.sum((y - y.mean(axis=1, keepdims=True)) ** 2)
    between = N * np.sum((y.mean(axis=1) - y.mean()) ** 2)
    sd, sigma2 = np.geomspace(1e-8, 3, 4000), np.exp(2 * np.linspace(-0.6, 0.6, 161))
    mean_square = sigma2 + N * sd[:, None] ** 2
    loglik = -0.5 * (J * (N - 1) * np.log(sigma2) + within / sigma2)
    loglik = loglik - 0.5 * ((J - 1) * np.log(mean_square) + between / mean_square)
    mass = np.exp(loglik - loglik.max()).sum(axis=1) * np.exp(log_prior(sd)) * np.gradient(sd)
    return float(mass[sd > place].sum() / mass.sum())


@pytest.mark.parametrize(
    ("prior", "log_prior", "size"),
    [
        (HalfCauchy(1e-3), lambda x: -np.log1p((x / 1e-3) ** 2), 1e-3),
        (HalfCauchy(1e-4), lambda x: -np.log1p((x / 1e-4) ** 2), 1e-4),
        (InverseGamma(1, 1e-4), lambda x: -3 * np.log(x) - 1e-4 / x**2, 5e-3),
    ],
    ids=["half-Cauchy", "smaller", "inverse gamma"],
)
def test_the_tail_of_a_tight_prior_is_reached(y: np.ndarray, prior, log_prior, size: float) -> None:
    data = hlm.read(pd.DataFrame({"id": np.repeat(np.arange(J), N), "y": y.ravel()}), id="id")
    model, priors = hlm.Model("y = b0 + r; b0 = g00 + u0"), hlm.Priors(sd=prior)
    found = []
    for seed in range(4):
        post = model.sample(data, seed=seed, draws=4000, priors=priors, sampler="direct")
        found.append(np.mean(post.tree["posterior"]["sd"].to_numpy() > ABOVE * size))
    wanted = share_above(y, log_prior, ABOVE * size)
    assert np.mean(found) == pytest.approx(wanted, rel=0.05)
