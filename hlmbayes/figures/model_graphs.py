"""Model graphs as HLM draws them: predicted lines with bands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..diagnostics.link_point import LinkPoint
from ..diagnostics.points import any_point_of, capital, expected_outcome, in_sentence, label_of
from ..diagnostics.predictions import Line, Values, Variable, find_variable, predict, variables_of
from ..errors import OutputError
from .plot_style import (
    CYCLE,
    DASHES,
    INK,
    MARKERS,
    TYPICAL,
    axes,
    category_ticks,
    finish,
    legend,
    named,
    number,
)
from .wording import FEW, unit_word, value_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def predicted(
    source: Any,
    x: str,
    ax: Axes | None = None,
    *,
    by: str | Mapping[str, Values] | None = None,
    at: Mapping[str, Values] | None = None,
    prob: float = 0.95,
    robust: bool = False,
    band: bool = True,
) -> Axes:
    """Draw the predicted outcome over a variable, a line for each value of up to two others.

    Of an outcome that is not normal it is the expected one averaged over the random effects, dotted that at
    u = 0; of ratings and categories there is a line for each category, and for each value of one other
    variable.

    ``predicted(fit, "ses", by={"sector": "all", "meanses": "quartiles"})``: colours and markers for the
    values of the first variable, dashes for those of the second; of ``by="sector"`` the values are chosen.
    Over a factor, or a variable of two values, there are points with intervals. See
    `hlmbayes.diagnostics.predictions.predict`.

    Raises
    ------
    OutputError
        More than two variables in ``by``, or what `predict` refuses.
    """
    known, point = variables_of(source), any_point_of(source)
    if isinstance(by, str):
        by = {by: usual_values(find_variable(known, by))}
    categories = _categories(point)
    if len(by or {}) + len(categories) > 2:
        most = "one variable at most, beside the categories" if categories else "two variables at most"
        raise OutputError(f"lines can be told apart by {most}, got {len(by or {})}: hold the others with at=")
    over = find_variable(known, x)
    chosen = {find_variable(known, name).name.lower(): values for name, values in (by or {}).items()}
    lines = predict(source, x, chosen, at=at, prob=prob, robust=robust)
    title = _title(point, [known[name].label for name in (over.name.lower(), *chosen)])
    known, chosen = {**known, **categories}, {**dict.fromkeys(categories, "all"), **chosen}
    bent = isinstance(point, LinkPoint) and point.has_mean and point.design.n_random > 0
    typical = len(chosen) < 2 and bent  # the mean over units is another than at u = 0
    ax = axes(ax)
    levels = [list(dict.fromkeys(line.at[name] for line in lines)) for name in chosen]
    mean = f"mean over all {units_of(point)}" if typical else None
    for k, line in enumerate(lines):
        look = _look(line, levels, _line_name(source, known, chosen, line) or mean)
        if over.is_category:
            _marks(ax, line, k, len(lines), look, band, typical)
        else:
            _curve(ax, line, (3 * k % 10, 10) if chosen else [], look, band, typical)
    ax.margins(x=0)
    value_ticks(ax, source, over)
    if band:
        title += f" ({100 * prob:g} % {'intervals' if over.is_category else 'bands'})"
    finish(ax, title, axis_name(over), capital(expected_outcome(point)))
    if typical:
        hollow: dict[str, Any] = {"marker": "o", "markerfacecolor": "white", "linestyle": ""}
        shape = hollow if over.is_category else {"linestyle": TYPICAL}
        ax.plot([], [], color=INK, label=f"a typical {units_of(point)[:-1]}, u = 0", **shape)
    if chosen or typical:
        names = " × ".join(known[name].label for name in chosen)
        long = {"handlelength": 3.6} if len(chosen) > 1 else {}  # dashes are to be seen beside their marker
        legend(ax, outside=len(lines) + typical > 3, title=names, **long)
    return ax


def usual_values(variable: Variable) -> Values:
    """Give the values of a variable that has a line for each: all of a few, else the quartiles."""
    return "all" if variable.levels or len(variable.distinct) <= FEW else "quartiles"


def _title(point: Any, labels: list[str]) -> str:
    """Say what is predicted by which variables."""
    words = [in_sentence(label, "") for label in labels]
    names = f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else words[0]
    link = isinstance(point, LinkPoint)
    what = capital(expected_outcome(point)) if link else label_of(point, point.model.outcome)
    return f"{what} by {names}"


def units_of(point: Any) -> str:
    """Give what the units of a fit are called."""
    id_name = point.design.moments.id_name
    return unit_word(label_of(point, id_name), id_name)


def _categories(point: Any) -> dict[str, Variable]:
    """Give an outcome's categories as a variable that lines are told apart by; else none."""
    if not isinstance(point, LinkPoint) or point.has_mean:
        return {}
    name, values = point.model.outcome, point.law.fixed_categories
    return {name.lower(): Variable(name, values, level=1, label=label_of(point, name))}


def _curve(ax: Axes, line: Line, every: Any, look: Look, band: bool, typical: bool) -> None:
    """Draw a line with its band and, where ``typical``, a dotted one at u = 0."""
    if band:
        ax.fill_between(line.x, line.low, line.high, color=look.colour, alpha=0.13, linewidth=0)
    ax.plot(line.x, line.y, color=look.colour, linestyle=look.dash, linewidth=2.2, label=look.label,
            marker=look.marker if every else "", markersize=6, markevery=every)  # fmt: skip
    if typical:
        ax.plot(line.x, line.at_zero, color=look.colour, linestyle=TYPICAL, linewidth=1.5)


def _marks(ax: Axes, line: Line, k: int, n: int, look: Look, band: bool, typical: bool) -> None:
    """Draw a point with its interval for each value of a category, those of several lines side by side.

    Beside it, where ``typical``, a hollow one at u = 0.
    """
    step = float(np.ptp(line.x) or 1.0) / (len(line.x) - 1 or 1)
    x = line.x + 0.1 * (k - (n - 1) / 2.0) * min(1.0, 6.0 / n) * step
    error = np.array([line.y - line.low, line.high - line.y]) if band else None
    bars = ax.errorbar(x, line.y, yerr=error, linestyle="none", markersize=7, capsize=4, elinewidth=1.8,
                       color=look.colour, marker=look.marker, label=look.label)  # fmt: skip
    for collection in bars.lines[2]:
        collection.set_linestyle([look.dash])  # type: ignore[list-item]
    if typical:
        ax.plot(x + 0.03 * step, line.at_zero, linestyle="", markersize=6, marker=look.marker,
                color=look.colour, markerfacecolor="white")  # fmt: skip


def value_ticks(ax: Axes, source: Any, over: Variable) -> None:
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


def axis_name(variable: Variable) -> str:
    """Return the axis label of a predictor, with how it is centred."""
    return named(variable.label, variable.name) + variable.note


class Look(NamedTuple):
    """How a line is told from the others."""

    colour: str
    marker: str
    dash: str
    label: str | None


def _look(line: Line, levels: list[list[float]], label: str | None) -> Look:
    """Give the look of a line, from the places of its values among those of each variable."""
    place = [values.index(value) for values, value in zip(levels, line.at.values(), strict=True)]
    first, second, *_ = *place, 0, 0
    return Look(CYCLE[first % len(CYCLE)], MARKERS[first % len(MARKERS)], DASHES[second % len(DASHES)], label)


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
