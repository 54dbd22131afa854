"""Slim box plots, one a unit: of level-1 residuals and of variables; ``source`` as in `level2_plots`.

Dot: median; thick line: middle half; thin line: 5th to 95th percentile. Of a variable that is 0 or 1: the
units' proportions. Of more than 200 units every so-many-th is drawn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..data.rows import Rows
from ..diagnostics.diagnostic_tree import level1, unit_categories
from ..diagnostics.points import any_point_of, in_sentence
from ..errors import DataError, OutputError
from .plot_style import (
    BLUE,
    CYCLE,
    GREY,
    MARKERS,
    PALE,
    axes,
    evenly_of,
    finish,
    legend,
    named,
    number,
    thinned,
    zero_line,
)  # fmt: skip
from .wording import FEW, residual_name, unit_word, units_word

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHOWN_UNITS = 200


def residuals_by_unit(source: Any, ax: Axes | None = None) -> Axes:
    """Draw the level-1 residuals of each unit as a slim box plot, units in order of their spread."""
    data = level1(source)
    q, units = unit_quantiles(data["residual"].values, data["unit_index"].values)
    q = q[evenly_of(np.argsort(q[:, 3] - q[:, 1], kind="stable"), SHOWN_UNITS)]
    ax = axes(ax)
    zero_line(ax)
    slim_boxes(ax, np.arange(len(q)), q)
    legend(ax, loc="upper left", ncols=3)
    word = units_word(data)
    shown = _fitted_in(ax, q, len(units), 0.16, f"{word.capitalize()} in order of spread")
    return finish(ax, f"Level-1 residuals by {word[:-1]}", shown, residual_name(data), counts="x")


def boxes_by_unit(source: Any, variable: str, ax: Axes | None = None, *, colour: str | None = None) -> Axes:
    """Draw slim box plots of a level-1 variable, one a unit, in order of the medians.

    Parameters
    ----------
    source : Fit, Posterior or TwoLevelData
    variable : str
        Any numeric level-1 variable of the data.
    ax : Axes, optional
    colour : str, optional
        A level-2 variable with few values.

    Raises
    ------
    OutputError
        No rows, or no such variable.
    """
    data, x, unit = _values_by_unit(source, variable)
    if is_zero_or_one(x):
        return proportions_by_unit(source, variable, ax, colour=colour)
    q, owners = unit_quantiles(x, unit)
    order = evenly_of(np.argsort(q[:, 2], kind="stable"), SHOWN_UNITS)
    kinds, names = _colours(data, colour, owners[order])
    ax = axes(ax)
    place, q = np.arange(len(order)), q[order]
    for k in range(max(len(names), 1)):
        slim_boxes(ax, place[kinds == k], q[kinds == k], CYCLE[k], MARKERS[k])
    if colour is None:
        legend(ax, loc="upper left", ncols=3)
    else:
        keys = [
            ax.plot([], [], color=CYCLE[k], linewidth=4, alpha=0.55, marker=MARKERS[k], markersize=5,
                    markerfacecolor="black", markeredgewidth=0)[0] for k in range(len(names))
        ]  # fmt: skip
        title = data.labels.get(colour.lower(), colour)
        legend(ax, handles=keys, labels=names, loc="upper left", title=title, ncols=len(names))
    label, word = _names(data, variable)
    shown = _fitted_in(ax, q, len(owners), 0.2, f"{word.capitalize()} in order of the median")
    heading = f"{label} by {word[:-1]}: median, middle half, 5th to 95th percentile"
    return finish(ax, heading, shown, named(label, variable), counts="x")


def proportions_by_unit(
    source: Any, variable: str, ax: Axes | None = None, *, colour: str | None = None
) -> Axes:
    """Draw the proportion of ones in each unit, of a level-1 variable that is 0 or 1, in their order.

    Parameters and refusals as of `boxes_by_unit`. The area of a point is that of its unit's rows.
    """
    data, x, unit = _values_by_unit(source, variable)
    if not is_zero_or_one(x):
        raise OutputError(f"{variable} has other values than 0 and 1: boxes_by_unit draws it")
    owners, where, n = np.unique(unit, return_inverse=True, return_counts=True)
    share = np.bincount(where, x) / n
    order = evenly_of(np.argsort(share, kind="stable"), SHOWN_UNITS)
    kinds, names = _colours(data, colour, owners[order])
    ax = axes(ax)
    place, area = np.arange(len(order)), 8 + 50 * n[order] / n.max()
    for k, name in enumerate(names or [None]):
        mine = kinds == k
        look: dict[str, Any] = {"color": CYCLE[k], "marker": MARKERS[k], "label": name}
        ax.scatter(place[mine], share[order][mine], area[mine], alpha=0.75, linewidth=0, zorder=3, **look)
    ax.axhline(x.mean(), color=GREY, linewidth=1.2, linestyle="--", label=f"all rows: {x.mean():.2f}")
    ax.set_ylim(-0.04, 1.2)
    ax.set_yticks(np.linspace(0, 1, 6))
    legend(ax, loc="upper left", ncols=len(names) + 1)
    label, word = _names(data, variable)
    one = data.value_labels.get(variable.lower(), {}).get(1.0)
    what = f"Proportion of {in_sentence(str(one), '') if one else f'{named(label, variable)} = 1'}"
    shown = thinned(f"{word.capitalize()} in order of the proportion (larger: more rows)", len(order), len(n))
    return finish(ax, f"{label}: proportions by {word[:-1]}", shown, what, counts="x")


def _names(data: Rows, variable: str) -> tuple[str, str]:
    """Give a variable's label, or its name, and what units are called."""
    word = unit_word(data.labels.get(data.id_name.lower(), ""), data.id_name)
    return data.labels.get(variable.lower()) or variable, word


def is_zero_or_one(x: np.ndarray) -> bool:
    """Say whether a variable has the values 0 and 1, and no others."""
    return np.array_equal(np.unique(x[np.isfinite(x)]), [0.0, 1.0])


def _values_by_unit(source: Any, variable: str) -> tuple[Rows, np.ndarray, np.ndarray]:
    """Give the rows, and of those with a value of the variable the values and the places of the units."""
    data = source if isinstance(source, Rows) else any_point_of(source).data
    if data is None:
        raise OutputError("box plots need the rows, and this fit was made from moments")
    try:
        x = np.asarray(data.level1_column(variable), dtype=float)
    except DataError as error:
        raise OutputError(str(error)) from None
    kept = np.isfinite(x)
    if not kept.any():
        raise OutputError(f"{variable} has no values")
    return data, x[kept], data.unit[kept]


def _colours(data: Rows, colour: str | None, units: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Give the colour of each unit by number, and what the colours stand for."""
    if colour is None:
        return np.zeros(len(units), dtype=int), []
    found = unit_categories(data, colour)
    values = np.asarray(data.level2_column(colour), dtype=float) if found is None else found[0]
    distinct = np.unique(values)
    if len(distinct) > FEW:
        raise OutputError(f"{colour} has {len(distinct)} different values: colours tell at most {FEW} apart")
    if found is not None:
        return values[units].astype(int), list(found[1])
    labels = data.value_labels.get(colour.lower(), {})
    return np.searchsorted(distinct, values[units]), [str(labels.get(v, number(float(v)))) for v in distinct]


def _fitted_in(ax: Axes, q: np.ndarray, n_units: int, room: float, words: str) -> str:
    """Set the limits with room for the legend; add to the words how many units are shown."""
    low, high = q[:, 0].min(), q[:, 4].max()
    ax.set_ylim(low - 0.04 * (high - low), high + room * (high - low))
    ax.set_xlim(-0.02 * len(q), 1.02 * len(q))
    return thinned(words, len(q), n_units)


def slim_boxes(ax: Axes, place: np.ndarray, q: np.ndarray, colour: str = BLUE, marker: str = "o") -> None:
    """Draw quantiles (k, 5), 5th 25th 50th 75th 95th percentiles, as slim boxes at ``place`` (k,)."""
    width = 5.0 if len(place) <= 60 else 2.4
    ax.vlines(place, q[:, 0], q[:, 4], color=PALE, linewidth=width / 2.4, label="5th to 95th percentile")
    ax.vlines(place, q[:, 1], q[:, 3], color=colour, alpha=0.55, linewidth=width, label="middle half")
    ax.scatter(
        place, q[:, 2], s=3.2 * width, color="black", marker=marker, zorder=3, linewidth=0, label="median"
    )


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
