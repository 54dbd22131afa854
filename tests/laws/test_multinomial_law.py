"""Rows of categories without an order, against scipy's softmax."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from hlmbayes.laws.multinomial import Multinomial

LAW = Multinomial(categories=(1.0, 2.0, 3.0))


@pytest.mark.parametrize("width", [1e-9, 1.0, 30.0, 690.0, 2000.0])
def test_density_slopes_and_bends_are_those_of_a_softmax(width: float) -> None:
    rng = np.random.default_rng(1)
    eta, size = width * rng.uniform(-1, 1, (2, 5, 7)), rng.integers(1, 4, (5, 1)).astype(float)
    share = rng.integers(0, 2, (2, 5, 1)).astype(float)
    y = share * size / np.maximum(share.sum(axis=0), 1.0)
    full = np.concatenate([eta, np.zeros((1, 5, 7))])
    log_p, p = log_softmax(full, axis=0), softmax(full, axis=0)
    seen = np.concatenate([y, (size - y.sum(axis=0))[None]])
    value, slope, bend = LAW.rows(eta, y, size)
    expected = (seen * log_p).sum(axis=0)
    np.testing.assert_allclose(value, expected, rtol=1e-12, atol=1e-12 * max(1.0, width))
    np.testing.assert_array_equal(LAW.value(eta, y, size), value)
    np.testing.assert_allclose(slope, y - size * p[:2], atol=1e-12)
    packed = [p[0] * (1 - p[0]), -p[0] * p[1], p[1] * (1 - p[1])]
    np.testing.assert_allclose(bend, size * np.array(packed), atol=1e-12)
    np.testing.assert_allclose(LAW.probabilities(eta), p, atol=1e-14)


def test_new_outcomes_have_the_probabilities() -> None:
    eta = np.broadcast_to(np.array([0.4, -1.0])[:, None], (2, 40_000))
    new = LAW.draw(np.random.default_rng(2), eta, np.ones(40_000))
    found = np.array([np.mean(new == category) for category in LAW.categories])
    np.testing.assert_allclose(found, softmax([0.4, -1.0, 0.0]), atol=0.01)
