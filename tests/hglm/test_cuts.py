"""What the cuts of an ordinal outcome add to the likelihood: value, slopes and bends agree."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlmbayes.hglm.cuts import Cuts, no_cuts


@settings(max_examples=40)
@given(st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_slopes_and_bends_are_derivatives_of_the_value(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    cuts = Cuts(rng.integers(0, 6, (4, n)).astype(float), np.zeros(n))
    gamma = np.r_[rng.normal(size=2), np.cumsum(rng.uniform(0.2, 2.0, n))]
    scores, information = np.zeros((4, n + 3)), np.zeros((n + 3, n + 3))
    cuts.add_slopes(gamma, scores, information)
    h = 1e-5
    steps = h * np.eye(n + 2)
    slopes = np.stack([cuts.unit_values(gamma + s) - cuts.unit_values(gamma - s) for s in steps], axis=1)
    assert scores[:, : n + 2] == pytest.approx(slopes / (2 * h), abs=1e-5)
    assert not scores[:, n + 2 :].any()

    def total(at: np.ndarray) -> np.ndarray:
        own = np.zeros((4, n + 3))
        cuts.add_slopes(at, own, np.zeros_like(information))
        return np.asarray(own.sum(axis=0)[: n + 2])

    bends = np.stack([total(gamma - s) - total(gamma + s) for s in steps]) / (2 * h)
    assert information[: n + 2, : n + 2] == pytest.approx(bends, abs=1e-4)


def test_cuts_that_cross_have_no_likelihood_and_no_cuts_add_nothing() -> None:
    crossed = Cuts(np.ones((3, 2)), np.zeros(2)).unit_values(np.array([5.0, 1.0, 0.5]))
    assert np.isneginf(crossed).all()
    none = no_cuts(3)
    assert none.unit_values(np.array([1.0, 2.0])).tolist() == [0.0, 0.0, 0.0]
    scores, information = np.ones((3, 2)), np.eye(2)
    none.add_slopes(np.array([1.0, 2.0]), scores, information)
    assert (scores == 1).all()
    assert (information == np.eye(2)).all()
