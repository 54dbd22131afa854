"""Descriptive statistics of two-level data, as HLM prints them when it makes an MDM file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from .. import notebook
from ..errors import DataError
from ..text_table import TextColumn
from ..words import some
from .rows import Rows
from .suspects import sentence
from .weights import Weights, row_weights, unit_weights

HUGE = 1e150

__all__ = ["Description", "VariableSummary", "describe", "describe_text"]


@dataclass(frozen=True, slots=True)
class VariableSummary:
    """One variable: `n` values that are not missing, their mean, sd (divisor n - 1), minimum and maximum.

    With weights they are scaled to sum to n.
    """

    name: str
    label: str
    n: int
    mean: float
    sd: float
    minimum: float
    maximum: float


@dataclass(frozen=True, slots=True)
class Description:
    """What the data hold."""

    level1: tuple[VariableSummary, ...]  # over rows
    level2: tuple[VariableSummary, ...]  # over the units that have rows
    n_rows: int
    n_units: int
    rows_per_unit: tuple[int, float, int]  # minimum, median, maximum
    n_incomplete: int  # rows that miss a value on at least one of the level-1 variables described
    not_numeric: tuple[str, ...]  # columns left out because they are text or dates
    notes: tuple[str, ...]  # what was dropped when the data were read, and why
    warning: str = ""  # values that look like missing codes and are taken for numbers
    weighted: str = ""  # how means and standard deviations are weighted, in words; empty without weights

    def __str__(self) -> str:
        return describe_text(self)

    def _repr_html_(self) -> str:
        levels = ((1, self.level1), (2, self.level2))
        tables = (notebook.tabled(_columns(rows), f"Level {k}") for k, rows in levels if rows)
        return notebook.shown(*tables, *(notebook.sentences(line) for line in _remarks(self)))


def describe(data: Rows, weights: Weights | None = None) -> Description:
    """Describe every numeric variable at its level.

    With one source, the columns that are constant inside every unit are the level-2 variables.
    With ``weights`` level-2 variables are weighted by the level-2 weight, level-1 variables by the total
    weight: level-1 (conditional) times level-2 weight. Raise DataError for infinite values in a level-1
    column, or weights that are none.
    """
    row, unit, weighted = _weights(data, weights)
    numbers = [name for name, values in data.level1.items() if values.dtype.kind in "biuf"]
    level1, level2 = numbers, [name for name, values in data.level2.items() if values.dtype.kind in "biuf"]
    if data.one_source:
        level2 = [name for name in numbers if data.is_level2(name)]
        level1 = [name for name in numbers if name not in level2]
    columns = list(dict.fromkeys([*data.level1, *data.level2]))
    rows = np.bincount(data.unit, minlength=data.n_units)
    n_incomplete = data.complete_rows(level1)[1]  # refuses infinite values
    suspected = data.suspects()
    return Description(
        level1=tuple(_summary(data, name, data.level1[name], row) for name in level1),
        level2=tuple(_summary(data, name, _over_units(data, name), unit) for name in level2),
        n_rows=data.n_rows, n_units=data.n_units, n_incomplete=n_incomplete, weighted=weighted,
        rows_per_unit=(int(rows.min()), float(np.median(rows)), int(rows.max())),
        not_numeric=tuple(name for name in columns if name not in level1 and name not in level2),
        notes=data.notes, warning=sentence(suspected) if suspected else "",
    )  # fmt: skip


def _weights(data: Rows, weights: Weights | None) -> tuple[np.ndarray | None, np.ndarray | None, str]:
    """Give the total weights of rows (N,), the weights of units (J,), and what they are."""
    if weights is None and data.frequency is not None:
        number = row_weights(data, data.frequency, "frequency")
        how = f"level-1 means and standard deviations count them by {data.frequency}"
        return number, None, f"{number.sum():,.0f} rows; {how}"
    if weights is None:
        return None, None, ""
    row, unit, own = np.ones(data.n_rows), None, []
    if weights.level1 is not None:
        row = row_weights(data, data.find(weights.level1), "level-1 weight")
        own.append(f"level-1 variables by {weights.level1}")
    if weights.level2 is not None:
        unit = unit_weights(data, data.find(weights.level2), "level-2 weight")
        if weights.level1_is == "conditional":
            row = row * unit[data.unit]
            times = f"{weights.level1} times " if own else ""
            own = [f"level-1 variables by {times}{weights.level2}"]
        own.append(f"level-2 variables by {weights.level2}")
    return row, unit, f"Means and standard deviations are weighted: {', '.join(own)}"


def _over_units(data: Rows, name: str) -> np.ndarray:
    """Return a level-2 variable, (J,), with missing values (which `level2_column` refuses)."""
    if not data.one_source:
        return data.level2[name]
    values = data.level1[name].astype(np.float64)
    here = ~np.isnan(values)
    of_unit = np.full(data.n_units, np.nan)
    of_unit[data.unit[here]] = values[here]
    return of_unit


def _summary(data: Rows, name: str, values: np.ndarray, weight: np.ndarray | None) -> VariableSummary:
    x = values.astype(np.float64)
    if np.nanmax(np.abs(x), initial=0.0) > HUGE:
        raise DataError(
            f"Column {name!r} has values too large to be squared. Is this how a missing value is stored? Set "
            "such values to missing."
        )
    here = ~np.isnan(x)
    x = x[here]
    label = data.labels.get(name.lower(), "")
    if len(x) == 0:
        return VariableSummary(name, label, 0, *[float("nan")] * 4)
    if weight is None:
        mean, sd = float(x.mean()), float(x.std(ddof=1)) if len(x) > 1 else float("nan")
    else:
        w = weight[here] * len(x) / weight[here].sum()
        mean = float(np.average(x, weights=w))
        sd = float(np.sqrt(w @ (x - mean) ** 2 / (len(x) - 1))) if len(x) > 1 else float("nan")
    return VariableSummary(name, label, len(x), mean, sd, float(x.min()), float(x.max()))


def describe_text(description: Description) -> str:
    """Lay a description out as HLM does, followed by what was dropped and the rows per unit."""
    lines = [*_table("LEVEL-1", description.level1), *_table("LEVEL-2", description.level2)]
    return "\n".join([*lines, *(f" {remark}" for remark in _remarks(description))]) + "\n"


def _remarks(description: Description) -> list[str]:
    """Say how many rows and units there are, what was left out, and what to look at."""
    few, median, many = description.rows_per_unit
    lines = [
        f"{description.n_rows} level-1 rows in {description.n_units} level-2 units",
        f"Rows per unit: minimum {few}, median {median:g}, maximum {many}",
    ]
    if description.weighted:
        lines.append(description.weighted)
    if description.n_incomplete:
        lines.append(
            f"{description.n_incomplete} level-1 rows miss a value on at least one of these variables"
        )
    if description.not_numeric:
        lines.append(f"Not numeric, left out: {some(description.not_numeric, 20)}")
    lines += [f"Note: {note}" for note in description.notes]
    return [*lines, *([f"WARNING: {description.warning}"] if description.warning else [])]


def _columns(rows: Iterable[VariableSummary]) -> list[TextColumn]:
    """Give the table of one level, numbers as HLM prints them."""
    rows = list(rows)
    texts: dict[str, list[str]] = {"variable": [row.name for row in rows], "n": [str(row.n) for row in rows]}
    for name in ("mean", "sd", "minimum", "maximum"):
        texts[name] = [_number(getattr(row, name), row.sd) for row in rows]
    texts |= {"label": [row.label for row in rows]} if any(row.label for row in rows) else {}
    return [TextColumn([head, *cells], words=head in ("variable", "label")) for head, cells in texts.items()]


def _table(level: str, variables: Iterable[VariableSummary]) -> list[str]:
    rows = list(variables)
    if not rows:
        return []
    width = max(11, *(len(row.name) + 3 for row in rows))
    head = f"{'VARIABLE NAME':>{width + 3}}{'N':>8}{'MEAN':>11}{'SD':>12}{'MINIMUM':>15}{'MAXIMUM':>13}"
    lines = [f"{level + ' DESCRIPTIVE STATISTICS':>{width + 33}}", "", head]
    for row in rows:
        mean, sd, low, high = (_number(x, row.sd) for x in (row.mean, row.sd, row.minimum, row.maximum))
        lines.append(f"{row.name.upper():>{width}}{row.n:>11}{mean:>11}{sd:>12}{low:>15}{high:>13}")
    return [*lines, ""]


def _number(x: float, sd: float) -> str:
    """Two decimals as HLM prints; four digits where two decimals show nothing or overflow."""
    if np.isnan(x):
        return "."
    return f"{x:.2f}" if (sd >= 0.05 or sd == 0 or np.isnan(sd)) and abs(x) < 1e7 else f"{x:.4g}"
