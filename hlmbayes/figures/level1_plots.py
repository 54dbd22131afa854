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
    PALE,
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
    import xarray as xr
    from matplotlib.axes import Axes

SHOWN_UNITS = 200


def residuals_against_fitted(source: Any, ax: Axes | None = None) -> Axes:
    """Draw level-1 residuals against fitted values, with a smooth: a curve or a funnel is misfit."""
    data = level1(source)
    x, y = evenly(data["fitted"].values, data["residual"].values)
    ax = axes(ax)
    zero_line(ax)
    ax.scatter(x, y, s=8, color=BLUE, alpha=_alpha(len(x)), linewidth=0)
    ax.plot(*smooth(x, y), color=VERMILLION, linewidth=2.2, label="smooth (local lines)")
    legend(ax, loc="upper right")
    fitted = f"Fitted {outcome_of(data)} ({kind_of_effects(data.attrs['engine'])} coefficients)"
    return finish(ax, "Level-1 residuals against fitted values", fitted, _residual_label(data))


def residuals_by_unit(source: Any, ax: Axes | None = None) -> Axes:
    """Draw the level-1 residuals of each unit as a slim box plot, units in order of their spread.

    Dot: median; thick line: middle half; thin line: 5th to 95th percentile. Of more than 200 units
    every so-many-th is drawn.
    """
    data = level1(source)
    q, units = unit_quantiles(data["residual"].values, data["unit_index"].values)
    order = np.argsort(q[:, 3] - q[:, 1], kind="stable")
    if len(order) > SHOWN_UNITS:
        order = order[np.unique(np.linspace(0, len(order) - 1, SHOWN_UNITS).astype(int))]
    ax = axes(ax)
    zero_line(ax)
    slim_boxes(ax, np.arange(len(order)), q[order])
    ax.set_xlim(-0.02 * len(order), 1.02 * len(order))
    word = units_word(data)
    shown = f"{word.capitalize()} in order of spread"
    if len(order) < len(units):
        shown += f" ({len(order)} of {len(units):,})"
    legend(ax, loc="upper left", ncols=3)
    low, high = q[order, 0].min(), q[order, 4].max()
    ax.set_ylim(low - 0.04 * (high - low), high + 0.16 * (high - low))
    return finish(ax, f"Level-1 residuals by {word[:-1]}", shown, _residual_label(data), counts="x")


def slim_boxes(ax: Axes, place: np.ndarray, q: np.ndarray, colour: str = BLUE) -> None:
    """Draw quantiles (k, 5), 5th 25th 50th 75th 95th percentiles, as slim boxes at ``place`` (k,)."""
    width = 5.0 if len(place) <= 60 else 2.4
    ax.vlines(place, q[:, 0], q[:, 4], color=PALE, linewidth=width / 2.4, label="5th to 95th percentile")
    ax.vlines(place, q[:, 1], q[:, 3], color=colour, alpha=0.55, linewidth=width, label="middle half")
    ax.scatter(place, q[:, 2], s=3.2 * width, color="black", zorder=3, linewidth=0, label="median")


def unit_quantiles(values: np.ndarray, unit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give the 5th, 25th, 50th, 75th and 95th percentiles of each unit, (J, 5), and the units' indices.

    Linear interpolation between order statistics; all units at once, by one sort.
    """
    order = np.lexsort((values, unit))
    ordered, owner = values[order], unit[order]
    units, start, n = np.unique(owner, return_index=True, return_counts=True)
    at = (n[:, None] - 1) * np.array([0.05, 0.25, 0.5, 0.75, 0.95])
    below = np.floor(at).astype(int)
    above = np.minimum(below + 1, n[:, None] - 1)
    share = at - below
    low, high = ordered[start[:, None] + below], ordered[start[:, None] + above]
    return low + share * (high - low), units


def influence(source: Any, ax: Axes | None = None, *, label: int = 5) -> Axes:
    """Draw Cook's distance of every unit; the dashed line is the rule of thumb 4 / J."""
    data = influence_of(source)
    cook = data["cook"].values
    shown = np.where(np.isfinite(cook), cook, np.nan)
    place = np.arange(len(cook))
    ax = axes(ax)
    rule = 4.0 / len(cook)
    high = np.nan_to_num(shown) > rule
    for mine, colour, text in ((~high, GREY, "below"), (high, VERMILLION, "above")):
        ax.vlines(place[mine], 0, shown[mine], color=colour, linewidth=1.2)
        ax.scatter(
            place[mine],
            shown[mine],
            s=14,
            color=colour,
            linewidth=0,
            label=f"{text} ({mine.sum()})",
            zorder=3,
        )
    ax.axhline(rule, color=GREY, linestyle="--", linewidth=1.1)
    top = max(1.15 * float(np.nanmax(shown)), 1.3 * rule) if np.isfinite(shown).any() else 1.0
    ax.set(ylim=(0, top), xlim=(-0.02 * len(cook) - 0.5, 1.02 * len(cook)))
    word = units_word(data)
    title = f"Influence of each {word[:-1]} on the fixed effects"
    finish(ax, title, f"{word.capitalize()} in order of id", "Cook's distance without the unit", counts="x")
    legend(ax, outside=True, title=f"4 / J = {number(rule)} (dashed)")
    worst = np.argsort(-np.nan_to_num(shown), kind="stable")[:label]
    texts = [id_text(unit) for unit in data["unit"].values[worst]]
    label_points(
        ax, place[worst].astype(float), shown[worst], texts, place.astype(float), np.nan_to_num(shown)
    )
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
    ax.scatter(
        z,
        y,
        s=14,
        color=np.where(np.abs(z) > rule, VERMILLION, BLUE).ravel().tolist(),
        alpha=0.6,
        linewidth=0,
    )
    titles = [f"{t} ({n})" for t, n in zip(data["effect_title"].values, names, strict=True)]
    ax.set_yticks(place, [wrapped(title, 28) for title in titles])
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


def _residual_label(data: xr.Dataset) -> str:
    return f"Level-1 residual of {outcome_of(data)}"


def _alpha(n: int) -> float:
    return float(np.clip(600.0 / max(n, 1), 0.12, 0.7))
