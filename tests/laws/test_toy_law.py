"""A law of level 1 is added in a few lines and no other file: normal rows with sigma2 = 1 known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

import hlmbayes as hlm
from hlmbayes.errors import HypothesisError
from hlmbayes.estimation.estimate import estimate
from hlmbayes.estimation.prepare import prepare
from hlmbayes.front.fit import Fit
from hlmbayes.laws.law import Law, Need

MODEL = hlm.Model("y = b0 + b1*x + r; b0 = g00 + u0; b1 = g10")


@dataclass(frozen=True)
class Unit(Law):
    """Normal rows with sigma2 = 1 known."""

    lacks = {Need.ESTIMATED_SIGMA2: "sigma2 is 1"}  # noqa: RUF012

    @property
    def n_parameters(self) -> int:
        return 0

    @property
    def held(self) -> float:
        return 1.0

    @property
    def sentence(self) -> str:
        return "Sigma squared is 1."


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(3)
    unit = np.repeat(np.arange(25), 6)
    x = rng.normal(size=150)
    y = 1 + 2 * x + rng.normal(size=25)[unit] + rng.normal(size=150)
    return hlm.read({"id": unit, "x": x, "y": y}, id="id")


def test_a_toy_law_fits(data):
    fit = Fit(estimate(prepare(MODEL, data, law=Unit())))
    known = MODEL.fit(data, sigma2=1.0)
    assert fit.deviance == pytest.approx(known.deviance, rel=1e-14)
    assert fit.tau == pytest.approx(np.asarray(known.tau), rel=1e-12)
    assert fit.n_parameters == 1
    assert "Sigma squared is 1." in fit.listing()


def test_a_toy_law_says_what_it_refuses(data):
    fit = Fit(estimate(prepare(MODEL, data, law=Unit())))
    with pytest.raises(HypothesisError, match="sigma2 is 1"):
        fit.fixed_effects(df="kenward-roger")
