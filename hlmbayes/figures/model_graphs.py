"""Model graphs as HLM draws them: predicted lines with bands, each unit's own line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..diagnostics.diagnostic_tree import (
    in_sentence,
    is_tree,
    kind_of_effects,
    label_of,
    point_of,
    unit_categories,
)
from ..diagnostics.predictions import (
    Line,
    Values,
    Variable,
    as_used,
    columns_of,
    find_variable,
    predict,
    refuse_terms,
    variables_of,
)
from ..errors import OutputError
from ..posterior.point import PosteriorPoint
from ..residuals.frames import level2_values
from ..residuals.quantities import eb_coefficients
from .plot_style import (
    CYCLE,
    DASHES,
    MARKERS,
    axes,
    category_ticks,
    evenly_of,
    finish,
    legend,
    named,
    number,
)
from .unit_boxes import SHOWN_UNITS
from .wording import FEW, unit_word, value_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def predicted(
    source: Any,
    x: str,
    ax: Axes | None = None,
    *,
    by: Mapping[str, Values] | None = None,
    at: Mapping[str, Values] | None = None,
    prob: float = 0.95,
    robust: bool = False,
    band: bool = True,
) -> Axes:
    """Draw the predicted outcome over a variable, a line for each value of up to two others.

    ``predicted(fit, "ses", by={"sector": "all", "meanses": "quartiles"})``: colours and markers for the
    values of the first variable, dashes for those of the second. Over a factor, or a variable of two values,
    there are points with intervals. See `hlmbayes.diagnostics.predictions.predict`.

    Raises
    ------
    OutputError
        More than two variables in ``by``, or what `predict` refuses.
    """
    by = dict(by or {})
    if len(by) > 2:
        raise OutputError(
            f"lines can be told apart by two variables at most, got {len(by)}: hold the others with at="
        )
    lines = predict(source, x, by, at=at, prob=prob, robust=robust)
    known = variables_of(source)
    chosen = {find_variable(known, name).name.lower(): values for name, values in by.items()}
    point, over = point_of(source), find_variable(known, x)
    ax = axes(ax)
    levels = [list(dict.fromkeys(line.at[name] for line in lines)) for name in chosen]
    for k, line in enumerate(lines):
        colour, marker, dash = _look(line, levels)
        label = _line_name(source, known, chosen, line)
        if over.is_category:
            _marks(ax, line, k, len(lines), {"color": colour, "marker": marker, "label": label}, band, dash)
            continue
        if band:
            ax.fill_between(line.x, line.low, line.high, color=colour, alpha=0.13, linewidth=0)
        every = (3 * k % 10, 10) if by else []
        ax.plot(line.x, line.y, color=colour, linestyle=dash, linewidth=2.2, marker=marker, markersize=6,
                markevery=every, label=label)  # fmt: skip
    ax.margins(x=0)
    _category_ticks(ax, source, over)
    what = "intervals" if over.is_category else "bands"
    bands = f" ({100 * prob:g} % {what})" if band else ""
    *most, last = [known[name].label for name in (over.name.lower(), *chosen)]
    labels = [in_sentence(label, "") for label in (*most, last)]
    names = f"{', '.join(labels[:-1])} and {labels[-1]}" if most else labels[-1]
    title = f"{label_of(point, point.model.outcome)} by {names}{bands}"
    finish(ax, title, axis_name(over), _predicted_outcome(point))
    if by:
        title = " × ".join(known[name].label for name in chosen)
        legend(ax, outside=len(lines) > 3, title=title)
    return ax


def _marks(ax: Axes, line: Line, k: int, n: int, look: dict[str, Any], band: bool, dash: str) -> None:
    """Draw a point with its interval for each value of a category, those of several lines side by side."""
    apart = (
        0.1 * (k - (n - 1) / 2.0) * min(1.0, 6.0 / n) * float(np.ptp(line.x) or 1.0) / (len(line.x) - 1 or 1)
    )
    error = np.array([line.y - line.low, line.high - line.y]) if band else None
    bars = ax.errorbar(line.x + apart, line.y, yerr=error, linestyle="none", markersize=7, capsize=4,
                       elinewidth=1.8, **look)  # fmt: skip
    for collection in bars.lines[2]:
        collection.set_linestyle([dash])  # type: ignore[list-item]


def _category_ticks(ax: Axes, source: Any, over: Variable) -> None:
    """Mark the values themselves, with their labels, where x has few."""
    distinct = over.distinct
    few = len(distinct) <= FEW or bool(over.levels)
    if few and not over.note:
        category_ticks(ax, distinct, [_value_name(source, over, v) for v in distinct])
    if over.is_category:
        step = float(np.ptp(distinct) or 1.0) / (len(distinct) - 1 or 1)
        ax.set_xlim(distinct[0] - 0.5 * step, distinct[-1] + 0.5 * step)


def _value_name(source: Any, variable: Variable, value: float) -> str:
    """Name a value: a factor's level, a value's label, or the number."""
    return variable.levels[int(value)] if variable.levels else value_text(source, variable.name, value)


def _predicted_outcome(point: Any) -> str:
    name = point.model.outcome
    return f"Predicted {in_sentence(label_of(point, name), name)}"


def axis_name(variable: Variable) -> str:
    """Return the axis label of a predictor, with how it is centred."""
    return named(variable.label, variable.name) + variable.note


def _look(line: Line, levels: list[list[float]]) -> tuple[str, str, str]:
    """Give colour, marker and dash of a line, from the places of its values among those of each variable."""
    place = [values.index(value) for values, value in zip(levels, line.at.values(), strict=True)]
    first, second, *_ = *place, 0, 0
    return CYCLE[first % len(CYCLE)], MARKERS[first % len(MARKERS)], DASHES[second % len(DASHES)]


def _line_name(
    source: Any, known: Mapping[str, Variable], by: Mapping[str, Values], line: Line
) -> str | None:
    parts = []
    for (name, wanted), value in zip(by.items(), line.at.values(), strict=True):
        variable = known[name.lower()]
        text = _value_name(source, variable, value)
        if isinstance(wanted, str) and wanted == "quartiles":
            share = {round(float(np.quantile(variable.values, q)), 12): q for q in (0.25, 0.5, 0.75)}
            text = f"{100 * share[round(value, 12)]:.0f}th percentile ({number(value)})"
        parts.append(text)
    return ", ".join(parts) or None


def level1_equations(
    source: Any, x: str, ax: Axes | None = None, *, colour: str | None = None, units: int | None = None
) -> Axes:
    """Draw each unit's own level-1 line (EB coefficients) over its own range of x.

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
        x is not a level-1 predictor, or there are no rows.
    """
    from matplotlib.collections import LineCollection

    if is_tree(source):
        raise OutputError("a model graph needs the model: give the Fit or the Posterior, not a DataTree")
    point = point_of(source)
    known = columns_of(point)
    over = find_variable(known, x)
    refuse_terms(point, [over.name])
    if over.level != 1:
        raise OutputError(f"{x} is a level-2 variable, the same all over a unit: units have no line over it")
    low, high = _ranges(point, over)
    b = eb_coefficients(point)
    if isinstance(point, PosteriorPoint):
        b = point.design.level1_coefficients(point.gamma_free)
        b[:, point.design.random] += point.u_mean
    ends = np.stack([_outcome(point, known, b, over, end) for end in (low, high)], axis=1)
    segments = np.stack([np.stack([low, high], axis=1), ends], axis=2)
    ax = axes(ax)
    shown = evenly_of(np.arange(len(b)), units or SHOWN_UNITS)
    kinds, names, title = _kinds(source, colour, len(b))
    for k, name in enumerate(names):
        mine = shown[kinds[shown] == k]
        look: dict[str, Any] = {"color": CYCLE[k % len(CYCLE)], "linestyle": DASHES[k % len(DASHES)]}
        ax.add_collection(LineCollection(list(segments[mine]), linewidths=1.0, alpha=0.5, **look))
        ax.plot([], [], linewidth=2, label=name, **look)
    ax.autoscale_view()
    _category_ticks(ax, source, over)
    if colour:
        legend(ax, outside=True, title=title)
    id_name = point.design.moments.id_name
    of = "" if len(shown) == len(b) else f" of {len(b):,}"
    heading = f"Level-1 equations of {len(shown)}{of} {unit_word(label_of(point, id_name), id_name)}"
    outcome = f"{_predicted_outcome(point)} ({kind_of_effects(point.method)})"
    return finish(ax, heading, axis_name(over), outcome)


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
    point = point_of(source)
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
