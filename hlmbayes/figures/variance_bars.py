"""The parts of the outcome's variance as bars: of all of it, of that within and of that between units."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..derived.generalized_shares import generalized_r2
from ..derived.r2 import PARTS, R2, r2
from ..errors import OutputError
from ..faces import record_of
from ..hglm.estimates import GeneralizedEstimates
from ..hglm.pql import PQLEstimates
from ..posterior import derived
from ..posterior.record import LinkSample, PosteriorSample
from .plot_style import BLUE, GREEN, ORANGE, PALE, PURPLE, SKY, axes, finish, legend

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# fixed effects dark, random ones middling, what is left pale: told apart in grey, and by hatches
LOOKS = {
    "fixed_within": (BLUE, "\\\\"),
    "fixed_between": (GREEN, ""),
    "slopes_within": (SKY, "//"),
    "slopes_between": (PURPLE, "//"),
    "intercepts": (ORANGE, ".."),
    "sigma2": (PALE, ""),
}
LEAST = 0.05  # of a bar: shares below it have no room for their number


def variance_bars(source: Any, ax: Axes | None = None) -> Axes:
    """Draw each part's share of the variance, as bars over each other, of a fit, a posterior or their `r2`.

    The three bars are all the variance, that within units and that between them (Rights & Sterba 2019). Of an
    outcome that is not normal they are on the scale of the link.
    """
    record = record_of(source)
    found, link = _r2_of(record), isinstance(record, GeneralizedEstimates | LinkSample)
    bars = {"total": tuple(PARTS)}
    for level, name in ((1, "within units"), (2, "between units")):
        bars[name] = tuple(part for part in PARTS if PARTS[part][0] == level)
    ax = axes(ax)
    floor = np.zeros(len(bars))
    for part, (colour, hatch) in LOOKS.items():
        height = np.array([found.share([part], parts) if part in parts else 0.0 for parts in bars.values()])
        height = np.nan_to_num(height)
        if not height.any():
            continue
        look: dict[str, Any] = {
            "color": colour,
            "hatch": hatch,
            "edgecolor": "white",
            "label": PARTS[part][1],
        }
        ax.bar(list(bars), height, 0.62, floor, **look)
        for k in np.flatnonzero(height >= LEAST).tolist():
            ax.text(k, floor[k] + height[k] / 2, f"{height[k]:.2f}", ha="center", va="center", fontsize=10,
                    bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1.5})  # fmt: skip
        floor = floor + height
    ax.set_ylim(0.0, 1.0)
    where = " on the scale of the link" if link else ""
    finish(ax, f"Where the outcome's variance lies{where}", "Variance", "Share")
    handles, labels = ax.get_legend_handles_labels()
    legend(ax, outside=True, handles=handles[::-1], labels=labels[::-1])
    return ax


def _r2_of(record: Any) -> R2:
    if isinstance(record, R2):
        return record
    if isinstance(record, PQLEstimates):
        raise OutputError(
            "quasi-likelihood has no R-squared here, and so no bars of it: draw the fit by the likelihood, "
            'model.fit(data, algorithm="exact")'
        )
    if isinstance(record, GeneralizedEstimates):
        return generalized_r2(record)
    if isinstance(record, LinkSample):
        return derived.r2_on_link(record)
    return derived.r2(record) if isinstance(record, PosteriorSample) else r2(record)
