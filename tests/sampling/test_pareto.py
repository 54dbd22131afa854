"""Pareto-smoothed weights, against ArviZ's and against distributions whose tail is known."""

from __future__ import annotations

import numpy as np
import pytest
from arviz_stats.base import array_stats

from hlmbayes.sampling.pareto import pareto_fit, smoothed_weights


@pytest.mark.parametrize("n", [25, 100, 225, 226, 1000, 5000])
@pytest.mark.parametrize("spread", [0.5, 1.0, 3.0])
def test_the_weights_are_arvizs(n, spread):
    log_ratio = spread * np.random.default_rng(n).standard_normal(n) + 50.0
    log_ratio[:2] = -np.inf
    weights, khat = array_stats.psislw(-log_ratio)
    found, own = smoothed_weights(log_ratio)
    np.testing.assert_allclose(found, weights, rtol=1e-11, atol=1e-12)
    assert own == (pytest.approx(float(khat), rel=1e-11) if n > 25 else np.inf)  # five points are too few
    assert np.exp(found).sum() == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize("shape", [-0.3, 0.2, 0.6])
def test_shape_and_scale_of_a_pareto_distribution_are_found(shape):
    uniform = np.random.default_rng(5).random(20_000)
    excess = np.sort(2.0 * np.expm1(-shape * np.log1p(-uniform)) / shape)
    np.testing.assert_allclose(pareto_fit(excess), (shape, 2.0), atol=0.03)


def test_equal_weights_have_no_tail_to_fit():
    weights, khat = smoothed_weights(np.zeros(100))
    np.testing.assert_allclose(np.exp(weights), 0.01, rtol=1e-12)
    assert khat == np.inf
