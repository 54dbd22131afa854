"""Plots of the units' effects: one a function, each takes axes and returns them, none shows.

``source`` is a Fit, a Posterior, or the DataTree of `hlmbayes.diagnostics.tree`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..diagnostics.diagnostic_tree import level2, level2_variable, own_level2, unit_categories
from ..diagnostics.points import in_sentence, is_tree, kind_of_effects, label_of
from ..errors import OutputError
from .plot_style import (
    BLUE,
    GREY,
    MANY_UNITS,
    ORANGE,
    SIZE,
    VERMILLION,
    axes,
    category_ticks,
    evenly,
    evenly_of,
    finish,
    id_text,
    jitter,
    label_ends,
    legend,
    named,
    plain,
    smooth,
    thinned,
    zero_line,
)
from .wording import (
    FEW,
    coefficient_index,
    effect_name,
    label_after,
    label_extremes,
    of_units,
    short_name,
    units_word,
    value_text,
)

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

KINDS_OF_INTERVAL = (
    (0, GREY, "o", "holds 0"), (1, BLUE, "^", "above 0"), (-1, VERMILLION, "v", "below 0"),
)  # fmt: skip
NAMED_UNITS = 40  # a caterpillar of at most so many units names each


def effect_against(
    source: Any, variable: str, ax: Axes | None = None, *, coefficient: str = "b0", label: int = 3
) -> Axes:
    """Draw EB residuals against a level-2 variable, in the model or not, with a smooth.

    A trend says the variable belongs in the model; a curve, that its effect is not a straight line.
    A variable with few values is drawn as categories with their means.
    """
    data = level2(source)
    k = coefficient_index(data, coefficient)
    found = None if is_tree(source) else unit_categories(source, variable)
    if found is None:
        x, title, variable = level2_variable(source, variable)
        levels: tuple[str, ...] = ()
    else:
        (x, levels), title = found, label_of(source, variable)
    if not np.isfinite(x).any():
        raise OutputError(f"{variable} has no value in any unit: there is nothing to draw")
    y = data["eb"].values[:, k]
    ax = axes(ax)
    zero_line(ax)
    categories = np.unique(x[np.isfinite(x)])
    if levels or len(categories) <= FEW:
        names = [levels[int(v)] if levels else value_text(source, variable, v) for v in categories]
        shown = _categories(ax, x, y, categories, names)
    else:
        shown = x
        drawn = evenly(x, y)
        ax.scatter(drawn[0], drawn[1], s=24, color=BLUE, alpha=0.65, linewidth=0)
        ax.plot(*smooth(x, y), color=VERMILLION, linewidth=2.2, label="smooth (local lines)")
        legend(ax, loc="best")
    heading = f"Is what remains of {of_units(data, k)} related to {in_sentence(title, variable)}?"
    finish(ax, heading, named(title, variable), effect_name(data, k))
    kept = np.isfinite(shown)
    outer = np.flatnonzero(kept)[np.argsort(-np.abs(y[kept]))[:label]]
    label_extremes(ax, data, shown, y, outer)
    return ax


def _categories(
    ax: Axes, x: np.ndarray, y: np.ndarray, categories: np.ndarray, names: Sequence[str]
) -> np.ndarray:
    """Draw points beside each other per category, with the categories' means; give where they were drawn."""
    shown = np.full(len(x), np.nan)
    for place, value in enumerate(categories):
        mine = x == value
        shown[mine] = place + jitter(int(mine.sum()))
        ax.plot([place - 0.25, place + 0.25], [y[mine].mean()] * 2, color=VERMILLION, linewidth=2.4, zorder=4,
                label="mean" if place == 0 else None)  # fmt: skip
    ax.scatter(shown, y, s=24, color=BLUE, alpha=0.65, linewidth=0)
    category_ticks(ax, np.arange(len(categories)), names)
    ax.set_xlim(-0.5, len(categories) - 0.5)
    legend(ax, loc="best")
    return shown


def caterpillar(
    source: Any, ax: Axes | None = None, *, coefficient: str = "b0", prob: float = 0.95, label: int = 3
) -> Axes:
    """Draw the units' EB residuals in order, with intervals; those whose interval leaves out 0 stand out.

    Parameters
    ----------
    source : Fit, Posterior or DataTree
    ax : Axes, optional
    coefficient : str
        A random coefficient, "b0".
    prob : float
        Probability of the intervals (a DataTree has its own): normal for a fit (gamma and variances
        taken as known), equal-tailed posterior intervals for a posterior.
    label : int
        How many units at either end are labelled; up to 40 units are all named.
    """
    data = level2(source, prob)
    k = coefficient_index(data, coefficient)
    every = [data[name].values[:, k] for name in ("eb", "eb_low", "eb_high")]
    order = evenly_of(np.argsort(every[0], kind="stable"), MANY_UNITS)
    eb, low, high = (values[order] for values in every)
    place = np.arange(len(eb))
    named_all = len(eb) <= NAMED_UNITS
    ax = axes(ax, (8.0, max(3.5, 0.22 * len(eb) + 1.2)) if named_all else SIZE)
    for value, colour, marker, text in KINDS_OF_INTERVAL:
        mine = _side(low, high) == value
        if not mine.any():
            continue
        lines, x, y = (ax.hlines, eb, place) if named_all else (ax.vlines, place, eb)
        lines(place[mine], low[mine], high[mine], color=colour, linewidth=1.1, alpha=0.75)
        name = f"{text} ({(_side(every[1], every[2]) == value).sum():,})"
        ax.scatter(x[mine], y[mine], s=16, color=colour, marker=marker, zorder=3, linewidth=0, label=name)
    prob = float(data.attrs["interval_prob"])
    title = f"Which {units_word(data)} differ? {100 * prob:g} % intervals of {of_units(data, k)}"
    ids = [id_text(unit) for unit in data["unit"].values[order]]
    if named_all:
        ax.axvline(0.0, color=GREY, linewidth=0.9, zorder=0.5)
        ax.set_yticks(place, ids, **plain(*ids))
        ax.set_ylim(-0.7, len(eb) - 0.3)
        finish(ax, title, effect_name(data, k), str(data.attrs["id_label"]))
        legend(ax, loc="lower right", title="Interval")
        return ax
    zero_line(ax)
    ax.set_xlim(-0.1 * len(eb), 1.1 * len(eb))
    words = thinned(f"{units_word(data).capitalize()}, lowest to highest", len(order), len(every[0]))
    finish(ax, title, words, effect_name(data, k))
    legend(ax, loc="upper left", title="Interval")
    for ends, side in ((place[:label], "left"), (place[len(place) - label :], "right")):
        label_ends(ax, ends.astype(float), eb[ends], [ids[i] for i in ends], side)
    return ax


def _side(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Say on which side of 0 each interval lies: 1, -1, or 0 where it holds it."""
    return np.where(low > 0, 1, np.where(high < 0, -1, 0))


def shrinkage(source: Any, ax: Axes | None = None, *, coefficients: tuple[str, ...] | None = None) -> Axes:
    """Draw each unit's OLS and EB coefficients, joined by a line: how far the estimate was drawn in.

    With two random coefficients (``coefficients`` names which) they are the axes; with one, the EB
    residual is drawn against the OLS residual. Units without an OLS estimate of their own are left out.
    """
    data = own_level2(source)
    if coefficients is None:
        coefficients = tuple(str(c) for c in data["coef"].values[:2])
    index = [coefficient_index(data, c) for c in coefficients]
    ok = np.isfinite(data["ols"].values[:, index]).all(axis=1)
    if not ok.any():
        raise OutputError(
            "no unit has enough rows for OLS coefficients of its own: there is no shrinkage to draw"
        )
    ax = axes(ax)
    if len(index) == 1:
        return _shrinkage_one(ax, data, index[0], ok)
    n_all, ok = int(ok.sum()), evenly_of(np.flatnonzero(ok), MANY_UNITS)
    names = list(data["coefficient"].values)
    columns = [names.index(str(data["coef"].values[k])) for k in index]
    eb = data["b"].values[ok][:, columns]
    ols = data["fitted"].values[ok][:, columns] + data["ols"].values[ok][:, index]
    from matplotlib.collections import LineCollection

    joined = list(np.stack([ols, eb], axis=1))
    ax.add_collection(LineCollection(joined, colors=GREY, linewidths=0.7, alpha=0.55))
    alone = "OLS, the unit alone"
    ax.scatter(
        ols[:, 0], ols[:, 1], s=20, facecolor="white", edgecolor=ORANGE, linewidth=1.2, zorder=3, label=alone
    )
    kind = kind_of_effects(data.attrs["engine"])
    together = f"{kind}, all units together"
    ax.scatter(eb[:, 0], eb[:, 1], s=20, color=BLUE, linewidth=0, label=together, zorder=4)
    legend(ax, loc="best")
    titles = [(c, str(data["coefficient_title"].values[c])) for c in columns]
    x, y = (f"{t[:1].upper()}{t[1:]} ({names[c]}){label_after(data, 'coefficient', c)}" for c, t in titles)
    title = thinned(f"Shrinkage: each unit's own estimate and its {kind} estimate", len(ok), n_all)
    return finish(ax, title, x, y)


def _shrinkage_one(ax: Axes, data: xr.Dataset, k: int, ok: np.ndarray) -> Axes:
    ols, eb, n = data["ols"].values[ok, k], data["eb"].values[ok, k], data["n"].values[ok]
    ends = [min(ols.min(), eb.min()), max(ols.max(), eb.max())]
    ax.plot(ends, ends, color=GREY, linewidth=1.2, label="no shrinkage")
    zero_line(ax)
    area = 10 + 60 * n / n.max()
    ax.scatter(ols, eb, s=area, color=BLUE, alpha=0.6, linewidth=0, label="larger: more rows")
    legend(ax, loc="upper left")
    alone = f"OLS residual of the {data['coef_title'].values[k]}, the unit alone"
    return finish(ax, f"Shrinkage of the {short_name(data, k)}", alone, effect_name(data, k))
