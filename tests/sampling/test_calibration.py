"""Simulation-based calibration (Talts, Betancourt, Simpson, Vehtari & Gelman 2018) of both samplers.

Parameters drawn from the prior, data drawn given them, the rank of each parameter among its posterior draws:
uniform if prior, likelihood and sampler are what they are said to be.
"""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest

import hlmbayes as hlm
from hlmbayes.errors import HLMWarning
from tests.sampling.ranks import assert_uniform, ranks_of

DRAWS = 500
EQUATIONS = "y = b0 + b1*x + r\nb0 = g00 + g01*w + u0\nb1 = g10 + u1"
EQUAL, UNEQUAL = hlm.Model(EQUATIONS), hlm.Model(f"{EQUATIONS}\nlog(sigma2) = a0 + a1*d")
SETS = {  # the last takes two seconds a set
    (EQUAL, "direct"): 200, (UNEQUAL, "direct"): 200, (EQUAL, "nuts"): 100, (UNEQUAL, "nuts"): 40,
}  # fmt: skip
SHARED_PRIORS = hlm.Priors(gamma=hlm.Normal(0.0, 1.0), sd=hlm.HalfNormal(1.0), corr=hlm.LKJ(2.0))
PRIORS = {
    EQUAL: replace(SHARED_PRIORS, sigma=hlm.HalfNormal(1.5)),
    UNEQUAL: replace(SHARED_PRIORS, alpha=hlm.Normal(0.3, 0.8)),
}
SHARED = ("g00", "g01", "g10", "sd[b0]", "sd[b1]", "corr[b1,b0]")
NAMES = {EQUAL: (*SHARED, "sigma"), UNEQUAL: (*SHARED, "a0", "a1")}


def draw_set(rng, model):
    """Parameters from the prior and data given them: 12 units of 2 to 9 rows."""
    unit = np.repeat(np.arange(12), np.resize([2, 4, 6, 9], 12))
    x, d, w = rng.normal(size=len(unit)), rng.integers(0, 2, len(unit)) * 1.0, rng.normal(size=12)
    gamma, sd = rng.normal(size=3), np.abs(rng.normal(size=2))
    corr = 2.0 * rng.beta(2.0, 2.0) - 1.0
    factor = np.array([[sd[0], 0.0], [sd[1] * corr, sd[1] * np.sqrt(1.0 - corr**2)]])
    u = rng.normal(size=(12, 2)) @ factor.T
    if model is EQUAL:
        level1 = [1.5 * abs(rng.normal())]
        sigma = np.full(len(unit), level1[0])
    else:
        level1 = 0.3 + 0.8 * rng.normal(size=2)
        sigma = np.exp(0.5 * (level1[0] + level1[1] * d))
    y = gamma[0] + gamma[1] * w[unit] + u[unit, 0] + (gamma[2] + u[unit, 1]) * x
    y += sigma * rng.normal(size=len(unit))
    data = hlm.TwoLevelData("id", np.arange(12), unit, {"y": y, "x": x, "d": d}, {"w": w})
    return np.array([*gamma, *sd, corr, *level1, u[0, 0]]), data


@pytest.fixture(
    scope="module",
    params=SETS,
    ids=lambda p: f"{'one sigma' if p[0] is EQUAL else 'log(sigma2)'}, {p[1]}",
)
def ranks(request):
    """Ranks of the parameters and of u0 of the first unit, by name, each (number of sets,)."""
    (model, sampler), sets = request.param, SETS[request.param]
    names = NAMES[model]
    result = np.empty((sets, len(names) + 1))
    for k in range(sets):
        rng = np.random.default_rng([20261123, k])
        truth, data = draw_set(rng, model)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", HLMWarning)  # a set that is hard to sample counts like any other
            post = model.sample(
                data, priors=PRIORS[model], seed=k, sampler=sampler, draws=DRAWS, tune=150, chains=1
            )
        draws = [*(post[name] for name in names), post.draws("u")[:, :, 0, 0]]
        result[k] = ranks_of(truth, draws, rng)
    return dict(zip((*names, "u0 of a unit"), result.T, strict=True))


@pytest.mark.slow
def test_ranks_are_uniform(ranks):
    # draws of NUTS differ from processor to processor, so that each of these is another sample: 0.001 is the
    # level of all tests together, two of each parameter and of a unit, by two models and two samplers
    level = 0.001 / (2 * 2 * sum(len(names) + 1 for names in NAMES.values()))
    assert_uniform(ranks, level)
