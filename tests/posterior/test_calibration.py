"""Simulation-based calibration (Talts, Betancourt, Simpson, Vehtari & Gelman 2018) of the direct sampler.

Parameters drawn from the prior, data drawn given them, the rank of each parameter among its posterior draws:
uniform if prior, likelihood and sampler are what they are said to be.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.stats import chisquare, kstest

import hlmbayes as hlm
from hlmbayes.errors import HLMWarning

SETS, DRAWS, KEPT = 200, 250, 99
MODEL = hlm.Model("y = b0 + b1*x + r\nb0 = g00 + g01*w + u0\nb1 = g10 + u1")
PRIORS = hlm.Priors(
    gamma=hlm.Normal(0.0, 1.0), sd=hlm.HalfNormal(1.0), sigma=hlm.HalfNormal(1.5), corr=hlm.LKJ(2.0)
)
NAMES = ("g00", "g01", "g10", "sd[b0]", "sd[b1]", "corr[b1,b0]", "sigma")


def draw_set(rng):
    """Parameters from the prior and data given them: 12 units of 2 to 9 rows."""
    unit = np.repeat(np.arange(12), np.resize([2, 4, 6, 9], 12))
    x, w = rng.normal(size=len(unit)), rng.normal(size=12)
    gamma, sd, sigma = rng.normal(size=3), np.abs(rng.normal(size=2)), 1.5 * abs(rng.normal())
    corr = 2.0 * rng.beta(2.0, 2.0) - 1.0
    factor = np.array([[sd[0], 0.0], [sd[1] * corr, sd[1] * np.sqrt(1.0 - corr**2)]])
    u = rng.normal(size=(12, 2)) @ factor.T
    y = gamma[0] + gamma[1] * w[unit] + u[unit, 0] + (gamma[2] + u[unit, 1]) * x
    y += sigma * rng.normal(size=len(unit))
    data = hlm.TwoLevelData("id", np.arange(12), unit, {"y": y, "x": x}, {"w": w})
    return np.array([*gamma, *sd, corr, sigma]), u, data


@pytest.fixture(scope="module")
def ranks():
    """Ranks of the 7 parameters and of u0 of the first unit, (SETS, 8)."""
    result = np.empty((SETS, len(NAMES) + 1))
    for k in range(SETS):
        rng = np.random.default_rng([20261123, k])
        truth, u, data = draw_set(rng)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", HLMWarning)  # a set that is hard to sample counts like any other
            post = MODEL.sample(data, priors=PRIORS, seed=k, draws=DRAWS, chains=2)
        draws = [*(post[name] for name in NAMES), post.draws("u")[:, :, 0, 0]]
        kept = rng.choice(2 * DRAWS, size=KEPT, replace=False)
        for i, (value, values) in enumerate(zip([*truth, u[0, 0]], draws, strict=True)):
            result[k, i] = np.sum(values.ravel()[kept] < value)
    return result


@pytest.mark.slow
@pytest.mark.parametrize("at", range(len(NAMES) + 1), ids=[*NAMES, "u0 of a unit"])
def test_ranks_are_uniform(at, ranks):
    rank = ranks[:, at]
    counts = np.histogram(rank, bins=10, range=(-0.5, KEPT + 0.5))[0]
    # 8 parameters, two tests each: a level of 0.002 for each test
    assert chisquare(counts).pvalue > 0.002
    assert kstest((rank + 0.5) / (KEPT + 1), "uniform").pvalue > 0.002
