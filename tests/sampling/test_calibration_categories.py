"""Simulation-based calibration of the direct sampler where each category has equations of its own."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax

import hlmbayes as hlm
from hlmbayes.errors import HLMWarning
from tests.sampling.ranks import assert_uniform, ranks_of

DRAWS, SETS = 400, 100
UNITS, ROWS = 12, 6
PRIORS = hlm.Priors(gamma=hlm.Normal(0.0, 1.0), sd=hlm.HalfNormal(1.0))
MODEL = hlm.Model("mlogit(y) = b0 + b1*x; b0 = g00 + u0; b1 = g10")
NAMES = ("g00[1]", "g10[1]", "g00[2]", "g10[2]", "sd[b0[1]]", "sd[b0[2]]", "corr[b0[2],b0[1]]")


def draw_set(rng: np.random.Generator) -> tuple[np.ndarray, pd.DataFrame]:
    """Parameters from the prior and rows given them."""
    unit = np.repeat(np.arange(UNITS), ROWS)
    x, gamma, sd = rng.normal(size=len(unit)), rng.normal(size=4), np.abs(rng.normal(size=2))
    corr = rng.uniform(-1.0, 1.0)
    u = rng.normal(size=(UNITS, 2)) @ np.linalg.cholesky([[1.0, corr], [corr, 1.0]]).T * sd
    eta = np.column_stack([gamma[k] + gamma[k + 1] * x + u[unit, k // 2] for k in (0, 2)])
    p = softmax(np.column_stack([eta, np.zeros(len(x))]), axis=1)
    y = 1 + (rng.random(len(x))[:, None] > p.cumsum(axis=1)).sum(axis=1)
    return np.array([*gamma, *sd, corr, u[0, 1]]), pd.DataFrame({"id": unit, "x": x, "y": y})


@pytest.mark.slow
def test_ranks_are_uniform() -> None:
    ranks, k, seed = np.empty((SETS, len(NAMES) + 1)), 0, 0
    while k < SETS:
        rng = np.random.default_rng([20261129, seed])
        seed += 1
        truth, frame = draw_set(rng)
        alike = frame.groupby("id")["y"].nunique().max() == 1
        if frame.y.nunique() < 3 or alike:  # no data that are analysed: the prior is of all others
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", HLMWarning)  # a set that is hard to sample counts like any other
            post = MODEL.sample(frame, id="id", priors=PRIORS, seed=k, draws=DRAWS, tune=200, chains=1)
        draws = [*(post[name] for name in NAMES), post.draws("u")[:, :, 0, 1]]
        ranks[k] = ranks_of(truth, draws, rng)
        k += 1
    assert_uniform(dict(zip((*NAMES, "u0[2] of a unit"), ranks.T, strict=True)), 0.001)
