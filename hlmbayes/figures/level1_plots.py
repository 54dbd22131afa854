"""Plots of level-1 residuals and of each unit's influence; ``source`` as in `level2_plots`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..diagnostics.diagnostic_tree import influence as influence_of
from ..diagnostics.diagnostic_tree import kind_of_effects, level1, outcome_of
from ..errors import OutputError
from .plot_style import (
    BLUE,
    GREY,
    PLAIN,
    VERMILLION,
    axes,
    evenly,
    finish,
    id_text,
    jitter,
    label_points,
    legend,
    number,
    smooth,
    wrapped,
    zero_line,
)
from .wording import units_word

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def residuals_against_fitted(source: Any, ax: Axes | None = None) -> Axes:
    """Draw level-1 residuals against fitted values, with a smooth: a curve or a funnel is misfit."""
    data = level1(source)
    x, y = evenly(data["fitted"].values, data["residual"].values)
    ax = axes(ax)
    zero_line(ax)
    ax.scatter(x, y, s=8, color=BLUE, alpha=float(np.clip(600.0 / max(len(x), 1), 0.12, 0.7)), linewidth=0)
    ax.plot(*smooth(x, y), color=VERMILLION, linewidth=2.2, label="smooth (local lines)")
    legend(ax, loc="upper right")
    fitted = f"Fitted {outcome_of(data)} ({kind_of_effects(data.attrs['engine'])} coefficients)"
    residual = f"Level-1 residual of {outcome_of(data)}"
    return finish(ax, "Level-1 residuals against fitted values", fitted, residual)


def influence(source: Any, ax: Axes | None = None, *, label: int = 5) -> Axes:
    """Draw Cook's distance of every unit; the dashed line is the rule of thumb 4 / J."""
    data = influence_of(source)
    cook = data["cook"].values
    shown = np.where(np.isfinite(cook), cook, np.nan)
    place, height = np.arange(len(cook), dtype=float), np.nan_to_num(shown)
    ax = axes(ax)
    rule = 4.0 / len(cook)
    high = height > rule
    for mine, colour, text in ((~high, GREY, "below"), (high, VERMILLION, "above")):
        ax.vlines(place[mine], 0, shown[mine], color=colour, linewidth=1.2)
        name = f"{text} ({mine.sum()})"
        ax.scatter(place[mine], shown[mine], s=14, color=colour, linewidth=0, label=name, zorder=3)
    ax.axhline(rule, color=GREY, linestyle="--", linewidth=1.1)
    top = max(1.15 * float(np.nanmax(shown)), 1.3 * rule) if np.isfinite(shown).any() else 1.0
    ax.set(ylim=(0, top), xlim=(-0.02 * len(cook) - 0.5, 1.02 * len(cook)))
    word = units_word(data)
    title = f"Influence of each {word[:-1]} on the fixed effects"
    finish(ax, title, f"{word.capitalize()} in order of id", "Cook's distance without the unit", counts="x")
    legend(ax, outside=True, title=f"4 / J = {number(rule)} (dashed)")
    worst = np.argsort(-height, kind="stable")[:label]
    texts = [id_text(unit) for unit in data["unit"].values[worst]]
    label_points(ax, place[worst], shown[worst], texts, place, height)
    return ax


def influence_on_effects(source: Any, ax: Axes | None = None) -> Axes:
    """Draw, for every fixed effect, its change in standard errors when each unit is left out."""
    data = influence_of(source)
    z = data["change_in_se"].values
    names = [str(name) for name in data["fixed_effect"].values]
    if not np.isfinite(z).any():
        raise OutputError("every unit alone carries a fixed effect: none can be left out")
    ax = axes(ax, (8.0, max(3.5, 0.55 * len(names) + 1.5)))
    ax.axvline(0.0, color=GREY, linewidth=0.9, zorder=0.5)
    rule = 2.0 / np.sqrt(len(z))
    for side in (-rule, rule):
        ax.axvline(side, color=GREY, linestyle="--", linewidth=1.0, zorder=0.5)
    place = np.arange(len(names))[::-1]
    y = place[None, :] + jitter(len(z), 0.22)[:, None]
    colours = np.where(np.abs(z) > rule, VERMILLION, BLUE).ravel().tolist()
    ax.scatter(z, y, s=14, color=colours, alpha=0.6, linewidth=0)
    titles = [f"{t} ({n})" for t, n in zip(data["effect_title"].values, names, strict=True)]
    ax.set_yticks(place, [wrapped(title, 28) for title in titles], **PLAIN)
    ax.set_ylim(-0.6, len(names) - 0.4)
    finish(
        ax, f"What leaving out one {units_word(data)[:-1]} does to each fixed effect",
        f"Change in standard errors (dashed: \u00b12 / \u221aJ = \u00b1{number(rule)})", "Fixed effect",
    )  # fmt: skip
    worst = np.nanargmax(np.abs(np.nan_to_num(z)), axis=0)
    columns = np.arange(len(names))
    texts = [id_text(unit) for unit in data["unit"].values[worst]]
    label_points(ax, z[worst, columns], y[worst, columns], texts, np.nan_to_num(z).ravel(), y.ravel())
    return ax
