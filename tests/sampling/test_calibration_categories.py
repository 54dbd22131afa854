"""Simulation-based calibration of the direct sampler where each category has equations of its own."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax
from scipy.stats import chisquare, kstest

import hlmbayes as hlm
from hlmbayes.errors import HLMWarning

DRAWS, KEPT, SETS = 400, 99, 100
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
        kept = rng.choice(DRAWS, size=KEPT, replace=False)
        ranks[k] = [np.sum(v.ravel()[kept] < true) for true, v in zip(truth, draws, strict=True)]
        k += 1
    for name, rank in zip((*NAMES, "u0[2] of a unit"), ranks.T, strict=True):
        counts = np.histogram(rank, bins=10, range=(-0.5, KEPT + 0.5))[0]
        assert chisquare(counts).pvalue > 0.001, name
        assert kstest((rank + 0.5) / (KEPT + 1), "uniform").pvalue > 0.001, name
