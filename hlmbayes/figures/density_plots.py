"""Densities of a posterior's parameters, their priors beside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..posterior.record import drawn_of
from ..priors.marginals import LogDensity, marginal
from .plot_style import BLUE, INK, VERMILLION, wrapped
from .posterior_plots import asked, grid, head_panel, in_words, main_parameters

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

POINTS = 201


def densities(source: Any, parameters: Sequence[str] = ()) -> Figure:
    """Draw the draws of each parameter as a histogram, its prior density as a dashed line on the same scale.

    Parameters
    ----------
    source : Posterior
    parameters : sequence of str, optional
        Their codes or names; fixed effects, standard deviations and correlations by default.

    Notes
    -----
    A panel reaches as far as the draws do: a prior much wider than the posterior is a low, level line, which
    the axis below it says; a flat one has no line.
    """
    posterior = drawn_of(source)
    names = asked(posterior, parameters) or main_parameters(posterior)
    figure, panels = grid(len(names), height=2.0)
    for ax, name in zip(panels, names, strict=True):
        _density(ax, posterior.scalar(name).ravel(), marginal(posterior.target.priors, name))
        head_panel(ax, wrapped(in_words(posterior, name), 30))
    handles, labels = panels[0].get_legend_handles_labels()
    for ax in panels[1:]:
        more = zip(*ax.get_legend_handles_labels(), strict=True)
        new = [(handle, label) for handle, label in more if label not in labels]
        handles, labels = handles + [handle for handle, _ in new], labels + [label for _, label in new]
    figure.legend(handles, labels, loc="outside lower right", ncols=3, frameon=False)
    figure.suptitle("What the data say beside what was believed before", fontweight="bold")
    return figure


def _density(ax: Axes, draws: np.ndarray, prior: LogDensity | None) -> None:
    """Draw one panel."""
    ax.hist(draws, bins=40, density=True, color=BLUE, alpha=0.55, linewidth=0, label="posterior")
    ax.axvline(float(np.median(draws)), color=INK, linewidth=1.2, label="posterior median")
    low, high = ax.get_xlim()
    if prior is not None:
        x = np.linspace(max(low, 0.0) if draws.min() >= 0 else low, high, POINTS)
        with np.errstate(divide="ignore"):
            height = np.exp(prior(x))
        tallest = ax.get_ylim()[1]
        shown = np.where(height < 1.3 * tallest, height, np.nan)
        ax.plot(x, shown, color=VERMILLION, linestyle="--", linewidth=2.0, label="prior")
    ax.set_xlim(low, high)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
