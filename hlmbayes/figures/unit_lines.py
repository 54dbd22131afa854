"""Each unit's own level-1 line or curve, as HLM's level-1 equation graphs have them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..diagnostics.diagnostic_tree import unit_categories
from ..diagnostics.link_point import LinkPoint
from ..diagnostics.points import any_point_of, capital, expected_outcome, is_tree, kind_of_effects, label_of
from ..diagnostics.predictions import Variable, as_used, columns_of, find_variable, predict, refuse_terms
from ..errors import OutputError
from ..estimation.estimates import Estimates
from ..residuals.frames import level2_values
from ..residuals.quantities import eb_coefficients
from .model_graphs import axis_name, units_of, value_ticks
from .plot_style import CYCLE, DASHES, INK, TYPICAL, axes, evenly_of, finish, legend, number
from .unit_boxes import SHOWN_UNITS
from .wording import FEW, value_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

POINTS = 25  # of a curve


def level1_equations(
    source: Any, x: str, ax: Axes | None = None, *, colour: str | None = None, units: int | None = None
) -> Axes:
    """Draw each unit's own level-1 line (EB coefficients) over its own range of x.

    Of an outcome that is not normal it is a curve, on the scale of the outcome; without colours the mean over
    all units is drawn above them, dotted that of a typical unit.

    Other level-1 variables are at their means. A colour variable with few values is drawn in as many
    colours; any other one in its quarters.

    Parameters
    ----------
    source : Fit or Posterior
    x : str
        A level-1 predictor of the model.
    ax : Axes, optional
    colour : str, optional
        A level-2 variable, in the model or not, to colour the lines by.
    units : int, optional
        Draw only so many units, evenly over the ids; all up to 200 by default.

    Raises
    ------
    OutputError
        x is not a level-1 predictor, there are no rows, or the outcome has categories.
    """
    from matplotlib.collections import LineCollection

    if is_tree(source):
        raise OutputError("a model graph needs the model: give the Fit or the Posterior, not a DataTree")
    point = any_point_of(source)
    if isinstance(point, LinkPoint) and not point.has_mean:
        raise OutputError(
            "such an outcome has a curve for each category, not one a unit: predicted draws them"
        )
    known = columns_of(point)
    over = find_variable(known, x)
    refuse_terms(point, [over.name])
    if over.level != 1:
        raise OutputError(f"{x} is a level-2 variable, the same all over a unit: units have no line over it")
    segments = _curves(point, known, over)
    n_units = len(segments)
    ax = axes(ax)
    shown = evenly_of(np.arange(n_units), units or SHOWN_UNITS)
    kinds, names, title = _kinds(source, colour, n_units)
    for k, name in enumerate(names):
        mine = shown[kinds[shown] == k]
        look: dict[str, Any] = {"color": CYCLE[k % len(CYCLE)], "linestyle": DASHES[k % len(DASHES)]}
        ax.add_collection(LineCollection(list(segments[mine]), linewidths=1.0, alpha=0.5, **look))
        ax.plot([], [], linewidth=2, label=name, **look)
    ax.autoscale_view()
    value_ticks(ax, source, over)
    word = units_of(point)
    if isinstance(point, LinkPoint) and not colour:
        _mean_above(ax, point, over, word)
    if colour:
        legend(ax, outside=True, title=title)
    of = "" if len(shown) == n_units else f" of {n_units:,}"
    heading = f"Level-1 equations of {len(shown)}{of} {word}"
    if isinstance(point, LinkPoint):
        heading = f"How do {len(shown)}{of} {word} differ? Each one's own curve"
    outcome = f"{capital(expected_outcome(point))} ({kind_of_effects(point.method)})"
    return finish(ax, heading, axis_name(over), outcome)


def _curves(point: Any, known: Mapping[str, Variable], over: Variable) -> np.ndarray:
    """Give places and outcomes along each unit's own range of x, (J, points, 2); a line has two points."""
    low, high = _ranges(point, over)
    if isinstance(point, Estimates):
        b = eb_coefficients(point)
    else:
        b = point.design.level1_coefficients(point.gamma_free)
        b[:, point.design.random] += point.u if isinstance(point, LinkPoint) else point.u_mean
    bent = isinstance(point, LinkPoint)
    x = low[:, None] + (high - low)[:, None] * np.linspace(0.0, 1.0, POINTS if bent else 2)
    y = np.stack([_outcome(point, known, b, over, column) for column in x.T], axis=1)
    return np.stack([x, point.law.inverse_link(y) if bent else y], axis=2)


def _mean_above(ax: Axes, point: LinkPoint, over: Variable, word: str) -> None:
    """Draw the mean over all units and a typical unit's curve above the units' own."""
    (line,) = predict(point, over.name)
    ax.plot(line.x, line.y, color=INK, linewidth=2.6, label=f"mean over all {word}")
    ax.plot(line.x, line.at_zero, color=INK, linewidth=2.2, linestyle=TYPICAL,
            label=f"a typical {word[:-1]}, u = 0")  # fmt: skip
    ax.plot([], [], color=CYCLE[0], linewidth=1.0, alpha=0.5, label=f"one {word[:-1]}")
    legend(ax, loc="best")


def _ranges(point: Any, over: Variable) -> tuple[np.ndarray, np.ndarray]:
    """Give the smallest and largest x of each unit, (J,) each; of all rows where there are no rows."""
    n_units = point.design.n_units
    if point.data is None:
        return np.full(n_units, over.values.min()), np.full(n_units, over.values.max())
    data = point.data
    mask, _ = data.complete_rows(point.design.moments.columns)
    ids = data.unit_ids[data.unit if mask is None else data.unit[mask]]
    unit = np.searchsorted(point.design.unit_ids, ids)
    low, high = np.full(n_units, np.inf), np.full(n_units, -np.inf)
    np.minimum.at(low, unit, over.values)
    np.maximum.at(high, unit, over.values)
    return low, high


def _outcome(
    point: Any, known: Mapping[str, Variable], b: np.ndarray, over: Variable, x: np.ndarray
) -> np.ndarray:
    """Give each unit's predicted outcome at its x (raw units), (J,)."""
    y = np.zeros(len(b))
    for p, coefficient in enumerate(point.model.coefficients):
        variable = coefficient.predictor.variable
        if variable is None:
            y += b[:, p]
            continue
        at = x if variable.lower() == over.name.lower() else known[variable.lower()].mean
        y += b[:, p] * as_used(point, coefficient.predictor, at)
    return y


def _kinds(source: Any, colour: str | None, n_units: int) -> tuple[np.ndarray, list[str], str]:
    """Sort units into colours: (J,) indices, the names of the colours, the variable's label."""
    if colour is None:
        return np.zeros(n_units, dtype=int), [""], ""
    point = any_point_of(source)
    if found := unit_categories(point, colour):
        return found[0].astype(int), list(found[1]), label_of(point, colour)
    values = np.asarray(level2_values(point, colour), dtype=float)
    cuts = np.unique(values[np.isfinite(values)])
    title = label_of(point, colour)
    if len(cuts) <= FEW:
        names = [value_text(source, colour, v) for v in cuts]
    else:
        cuts, title = np.nanquantile(values, [0.25, 0.5, 0.75]), f"{title}, quarters"
        low, middle, high = (number(float(c)) for c in cuts)
        names = [f"below {low}", f"{low} to {middle}", f"{middle} to {high}", f"above {high}"]
    return np.where(np.isfinite(values), np.searchsorted(cuts, values), -1), names, title
