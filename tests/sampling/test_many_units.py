"""Posteriors of very many units: by polynomials for the sums over them, and by the sums."""

from __future__ import annotations

import numpy as np
import pytest

import hlmbayes as hlm
from hlmbayes.density import sampled
from hlmbayes.density.expansion import TOLERANCE
from tests.density.test_expansion import MODELS, many

N_UNITS = 6000


@pytest.fixture(scope="module")
def data():
    return hlm.moments(many(N_UNITS), model=hlm.Model(MODELS["slopes"]))


def test_draws_are_those_of_the_sums_over_units(data, monkeypatch):
    model = hlm.Model(MODELS["slopes"])
    found = model.sample(data, seed=3)
    monkeypatch.setattr(sampled, "MANY_UNITS", N_UNITS + 1)
    exact = model.sample(data, seed=4)
    assert 0.0 < found.sampler["log_density_error"] <= TOLERANCE
    assert "log_density_error" not in exact.sampler
    assert found.sampler["khat"] < 0.3
    assert found.sampler["share"] > 0.7
    assert found.sampler["log_evidence"] == pytest.approx(exact.sampler["log_evidence"], abs=0.05)
    ours, theirs = found.summary(), exact.summary()
    away = (ours["median"] - theirs["median"]) / theirs["sd"]
    assert np.abs(away).max() < 0.12  # of 4,000 draws two medians differ by 0.028 sds
    assert (ours["sd"] / theirs["sd"]).to_numpy() == pytest.approx(1.0, abs=0.08)
    effects = found.effects(), exact.effects()
    for column in ("u0_mean", "u1_mean", "u0_sd", "u1_sd"):
        assert effects[0][column].to_numpy() == pytest.approx(effects[1][column].to_numpy(), abs=0.05)


def test_few_units_have_their_sums_taken():
    model = hlm.Model(MODELS["slopes"])
    post = model.sample(many(60), seed=1, draws=200, chains=2)
    assert "log_density_error" not in post.sampler


def test_where_no_polynomial_is_near_the_sums_are_taken(data, monkeypatch):
    monkeypatch.setattr("hlmbayes.density.expansion.TOLERANCE", 0.0)
    model = hlm.Model(MODELS["intercepts"])
    post = model.sample(data, seed=1, draws=400, chains=2)
    assert "log_density_error" not in post.sampler
    assert post.sampler["khat"] < 0.5
