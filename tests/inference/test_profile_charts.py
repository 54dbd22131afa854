"""Charts of tau: what is held is held, and derivatives are those of finite differences."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from hlmbayes import Fit
from hlmbayes.faces import record_of
from hlmbayes.inference.profile import _prepare
from hlmbayes.inference.profile_charts import (
    Chart,
    CorrelationChart,
    CovarianceChart,
    RatioChart,
    SdChart,
    Sigma2Chart,
)
from tests.small import model, small

CHARTS: list[tuple[type[Chart], tuple[int, ...]]] = [
    (SdChart, (1,)), (RatioChart, (2,)), (CovarianceChart, (0, 2)), (CorrelationChart, (1, 2)),
    (Sigma2Chart, ()),
]  # fmt: skip


@cache
def three(method: str) -> Fit:
    return model("random only").fit(small(71, n_units=30, sd=1.5).data(), method=method)


@pytest.mark.parametrize(("kind", "of"), CHARTS[:-1])
def test_the_parameter_is_held(kind: type[Chart], of: tuple[int, ...]) -> None:
    p, _, _ = _prepare(record_of(three("REML")), 0.95)
    chart = kind(p, of)
    root = chart.root(0.3, chart.start).value
    tau = root @ root.T
    sd = np.sqrt(tau.diagonal())
    held = {
        SdChart: sd[0], RatioChart: sd[0], CovarianceChart: tau[0, 1],
        CorrelationChart: tau[0, 1] / sd[0] / sd[1],
    }  # fmt: skip
    assert held[kind] == pytest.approx(0.3, rel=1e-12)
    low, high = chart.ends
    assert low < chart.estimate < high


@pytest.mark.parametrize("method", ["REML", "ML"])
@pytest.mark.parametrize(("kind", "of"), CHARTS)
def test_derivatives_equal_finite_differences(kind: type[Chart], of: tuple[int, ...], method: str) -> None:
    p, _, _ = _prepare(record_of(three(method)), 0.95)
    chart = kind(p, of)
    c = chart.estimate + 0.4 * chart.first_step
    x = chart.start + 0.05 * np.random.default_rng(1).normal(size=len(chart.start))
    here, step = chart.objective(c, x), 1e-5
    sides = [[chart.objective(c, x + s * step * e) for s in (1, -1)] for e in np.eye(len(x))]
    slope = np.array([(up.value - down.value) / (2 * step) for up, down in sides])
    bend = np.array([(up.gradient - down.gradient) / (2 * step) for up, down in sides])
    np.testing.assert_allclose(here.gradient, slope, rtol=1e-6, atol=1e-6 * np.abs(slope).max())
    np.testing.assert_allclose(here.hessian, bend, rtol=1e-6, atol=1e-6 * np.abs(bend).max())
