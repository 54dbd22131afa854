"""Simulation-based calibration of the direct sampler where the outcome is not normal."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import hlmbayes as hlm
from hlmbayes.errors import HLMWarning
from tests.sampling.ranks import assert_uniform, ranks_of

DRAWS, SETS = 500, 100
UNITS, ROWS = 15, 6
PRIORS = hlm.Priors(gamma=hlm.Normal(0.0, 1.0), sd=hlm.HalfNormal(1.0))
LEVELS = "b0 + b1*x; b0 = g00 + u0; b1 = g10"
MODELS = {"logit": hlm.Model(f"logit(y) = {LEVELS}"), "log": hlm.Model(f"log(y) = {LEVELS}")}
NAMES = ("g00", "g10", "sd[b0]")


def draw_set(rng, link):
    """Parameters from the prior and rows given them."""
    unit = np.repeat(np.arange(UNITS), ROWS)
    x, gamma, sd = rng.normal(size=len(unit)), rng.normal(size=2), abs(rng.normal())
    u = sd * rng.normal(size=UNITS)
    eta = gamma[0] + u[unit] + gamma[1] * x
    y = rng.poisson(np.exp(eta)) if link == "log" else (rng.random(len(eta)) < 1 / (1 + np.exp(-eta))) * 1
    return np.array([*gamma, sd, u[0]]), pd.DataFrame({"id": unit, "x": x, "y": y})


@pytest.mark.slow
@pytest.mark.parametrize("link", MODELS)
def test_ranks_are_uniform(link):
    ranks, k, seed = np.empty((SETS, len(NAMES) + 1)), 0, 0
    while k < SETS:
        rng = np.random.default_rng([20261129, seed])
        seed += 1
        truth, frame = draw_set(rng, link)
        if frame.y.nunique() == 1:  # no data that are analysed: the prior is of all others
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", HLMWarning)  # a set that is hard to sample counts like any other
            post = MODELS[link].sample(frame, id="id", priors=PRIORS, seed=k, draws=DRAWS, tune=200, chains=1)
        draws = [*(post[name] for name in NAMES), post.draws("u")[:, :, 0, 0]]
        ranks[k] = ranks_of(truth, draws, rng)
        k += 1
    assert_uniform(dict(zip((*NAMES, "u0 of a unit"), ranks.T, strict=True)), 0.001)
