"""The descriptive statistics HLM prints when it makes its data file, for each level."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from ..errors import DataError

if TYPE_CHECKING:
    from ..data import TwoLevelData


def descriptives(data: TwoLevelData) -> str:
    """Return N, mean, standard deviation, minimum and maximum of every numeric variable, by level.

    N counts values that are not missing; the standard deviation has divisor N - 1. With both levels in one
    file, variables that are constant inside every unit are at level 2, counted once a unit.
    """
    level1, level2 = _split(data)
    sizes = np.bincount(data.unit, minlength=data.n_units)
    lines = [
        f"{data.n_rows} level-1 records in {data.n_units} level-2 units ({data.id_name}); "
        f"records in a unit: {sizes.min()} to {sizes.max()}, median {np.median(sizes):g}",
        "",
        *_table("LEVEL-1 DESCRIPTIVE STATISTICS", level1, data.labels),
        *_table("LEVEL-2 DESCRIPTIVE STATISTICS", level2, data.labels),
        *(f"Note: {note}." for note in data.notes),
    ]
    return "\n".join(lines).rstrip() + "\n"


Columns = dict[str, np.ndarray | None]


def _split(data: TwoLevelData) -> tuple[Columns, Columns]:
    """Return each level's columns as numbers; None where a column is not numeric."""
    first = {name: _numbers(data, name) for name in data.level1}
    if not data.one_source:
        return first, {name: _level2_numbers(values) for name, values in data.level2.items()}
    units: Columns = {}
    for name, values in list(first.items()):
        if values is not None and not np.isnan(values).any() and data.is_level2(name):
            units[name] = data.level2_column(name)
            del first[name]
    return first, units


def _numbers(data: TwoLevelData, name: str) -> np.ndarray | None:
    try:
        return np.asarray(data.level1_column(name), dtype=float)
    except DataError:
        return None


def _level2_numbers(values: np.ndarray) -> np.ndarray | None:
    try:
        return np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        return None


def _table(title: str, columns: Columns, labels: Mapping[str, str]) -> list[str]:
    if not columns:
        return []
    width = max(12, *(len(name) for name in columns))
    lines = [
        f"{title:^{width + 58}}".rstrip(),
        "",
        f"{' VARIABLE NAME':<{width + 1}}{'N':>8}{'MEAN':>12}{'SD':>13}{'MINIMUM':>13}{'MAXIMUM':>13}",
    ]
    for name, values in columns.items():
        label = labels.get(name.lower(), "")
        lines.append(f"{name:>{width}} {_row(values)}" + (f"  {label}" if label else ""))
    return [*lines, ""]


def _row(values: np.ndarray | None) -> str:
    if values is None:
        return "    (not numeric)"
    known = values[~np.isnan(values)]
    if not len(known):
        return f"{0:>8}    (no values)"
    sd = float(np.std(known, ddof=1)) if len(known) > 1 else float("nan")
    numbers = (float(np.mean(known)), sd, float(known.min()), float(known.max()))
    return f"{len(known):>8}{_cells(numbers)}"


def _cells(numbers: Iterable[float]) -> str:
    mean, sd, low, high = numbers
    small = max(abs(low), abs(high), 0.0 if np.isnan(sd) else sd) < 0.1  # two decimals would show nothing
    shape = "g" if small else "f"
    digits = 4 if small else 2
    widths = (12, 13, 13, 13)
    pairs = zip((mean, sd, low, high), widths, strict=True)
    return "".join(f"{value:>z{width}.{digits}{shape}}" for value, width in pairs)  # z: no -0.00
