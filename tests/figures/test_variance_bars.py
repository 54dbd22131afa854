"""Bars of the variance's parts."""

from __future__ import annotations

from typing import Any

import matplotlib
import pytest

import hlmbayes as hlm

from .legible import check_legible

matplotlib.use("Agg")


def test_bars_are_the_shares_and_reach_one(model4: Any, hsb: Any) -> None:
    fit = model4.fit(hsb)
    ax = hlm.plots.variance_bars(fit)
    check_legible(ax)
    tops = [
        max(bar.get_y() + bar.get_height() for bars in ax.containers for bar in [bars[k]]) for k in range(3)
    ]
    assert tops == pytest.approx([1.0, 1.0, 1.0])
    assert hlm.plots.variance_bars(fit.r2()).containers[0][0].get_height() == pytest.approx(
        fit.r2().share(["fixed_within"])
    )
    assert hlm.plots.variance_bars(model4.sample(hsb, seed=1, draws=200)).get_title(loc="left")
