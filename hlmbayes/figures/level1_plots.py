"""Plots of level-1 residuals and of each unit's influence; ``source`` as in `level2_plots`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..diagnostics.diagnostic_tree import influence as influence_of
from ..diagnostics.diagnostic_tree import level1
from ..diagnostics.points import kind_of_effects
from ..errors import OutputError
from .plot_style import (
    BLUE,
    GREY,
    HEAVY,
    MANY_UNITS,
    VERMILLION,
    axes,
    evenly,
    evenly_of,
    finish,
    id_text,
    jitter,
    label_points,
    legend,
    number,
    plain,
    smooth,
    thinned,
    wrapped,
    zero_line,
)
from .wording import residual_name, units_word

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def residuals_against_fitted(source: Any, ax: Axes | None = None) -> Axes:
    """Draw level-1 residuals against fitted values, with a smooth: a curve or a funnel is misfit."""
    data = level1(source)
    x, y = evenly(data["fitted"].values, data["residual"].values)
    ax = axes(ax)
    zero_line(ax)
    ax.scatter(x, y, s=8, color=BLUE, alpha=float(np.clip(600.0 / max(len(x), 1), 0.12, 0.7)), linewidth=0,
               rasterized=len(x) > HEAVY)  # fmt: skip
    ax.plot(*smooth(x, y), color=VERMILLION, linewidth=2.2, label="smooth (local lines)")
    legend(ax, loc="upper right")
    kind = kind_of_effects(data.attrs["engine"])
    fitted = f"{data['fitted'].attrs['long_name']} ({kind} coefficients)"
    title = thinned("Level-1 residuals against fitted values", len(x), data.sizes["row"])
    return finish(ax, title, fitted, residual_name(data))


def influence(source: Any, ax: Axes | None = None, *, label: int = 5) -> Axes:
    """Draw Cook's distance of every unit; the dashed line is the rule of thumb 4 / J."""
    data = influence_of(source)
    cook = data["cook"].values
    shown = np.where(np.isfinite(cook), cook, np.nan)
    place, height = np.arange(len(cook), dtype=float), np.nan_to_num(shown)
    ax = axes(ax)
    rule = 4.0 / len(cook)
    largest = np.argsort(-height, kind="stable")
    drawn = np.isin(place, largest[:MANY_UNITS])
    high = height > rule
    for of, colour, marker, text in ((~high, GREY, "o", "below"), (high, VERMILLION, "D", "above")):
        mine = of & drawn
        ax.vlines(place[mine], 0, shown[mine], color=colour, linewidth=1.2)
        look: dict[str, Any] = {"color": colour, "marker": marker, "label": f"{text} ({of.sum():,})"}
        ax.scatter(place[mine], shown[mine], s=14, linewidth=0, zorder=3, **look)
    ax.axhline(rule, color=GREY, linestyle="--", linewidth=1.1)
    top = max(1.15 * float(np.nanmax(shown)), 1.3 * rule) if np.isfinite(shown).any() else 1.0
    ax.set(ylim=(0, top), xlim=(-0.02 * len(cook) - 0.5, 1.02 * len(cook)))
    word = units_word(data)
    title = f"Influence of each {word[:-1]} on the fixed effects"
    words = thinned(f"{word.capitalize()} in order of id", int(drawn.sum()), len(cook))
    words += "" if drawn.all() else ": those that matter most"
    finish(ax, title, words, "Cook's distance without the unit", counts="x")
    legend(ax, outside=True, title=f"4 / J = {number(rule)} (dashed)")
    worst = largest[:label]
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
    worst = np.nanargmax(np.abs(np.nan_to_num(z)), axis=0)
    drawn = np.unique([*evenly_of(np.arange(len(z)), 5 * MANY_UNITS), *worst])
    colours = np.where(np.abs(z[drawn]) > rule, VERMILLION, BLUE).ravel().tolist()
    ax.scatter(z[drawn], y[drawn], s=14, color=colours, alpha=0.6, linewidth=0)
    titles = [f"{t} ({n})" for t, n in zip(data["effect_title"].values, names, strict=True)]
    ax.set_yticks(place, [wrapped(title, 28) for title in titles], **plain(*titles))
    ax.set_ylim(-0.6, len(names) - 0.4)
    title = f"What leaving out one {units_word(data)[:-1]} does to each fixed effect"
    finish(
        ax, thinned(title, len(drawn), len(z)),
        f"Change in standard errors (dashed: \u00b12 / \u221aJ = \u00b1{number(rule)})", "Fixed effect",
    )  # fmt: skip
    columns = np.arange(len(names))
    texts = [id_text(unit) for unit in data["unit"].values[worst]]
    label_points(ax, z[worst, columns], y[worst, columns], texts, np.nan_to_num(z).ravel(), y.ravel())
    return ax
