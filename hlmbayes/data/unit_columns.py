"""One value for each unit, of a column that repeats it on every row: missing, rounded, or written once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..errors import DataError
from ..words import some

ROUNDING = 1e-6  # of a value's size: what single precision, or a mean computed twice, leaves
OF_SPREAD = 1e-3  # of the spread between units, which rounding is far below


@dataclass(frozen=True, slots=True)
class UnitColumn:
    """A level-2 variable, (J,); what is None is the case in no unit."""

    values: np.ndarray  # nan where it is missing
    missing: np.ndarray | None = None  # bool: no value, or values on some rows only
    differs: np.ndarray | None = None  # bool: rows of the unit have different values
    rounded: np.ndarray | None = None  # bool: they differ by rounding; the middle was taken
    first: np.ndarray | None = None  # bool: the value stands in the unit's first row only


def unit_column(values: np.ndarray, unit: np.ndarray, n_units: int) -> UnitColumn:
    """Reduce a column of rows, (N,), to units; ``unit`` has each row's unit, (N,)."""
    here = np.ones(len(values), dtype=bool) if values.dtype.kind != "f" else ~np.isnan(values)
    rows, of_rows = values[here], unit[here]
    of_unit = np.full(n_units, np.nan)
    of_unit[of_rows] = rows
    odd = np.flatnonzero(of_unit[of_rows] != rows)
    differs = rounded = None
    if len(odd):
        of_unit, differs, rounded = _apart(rows.astype(np.float64), of_rows, n_units)
    if here.all():
        return UnitColumn(of_unit, None, differs, rounded)
    partly = np.bincount(unit[~here], minlength=n_units) > 0
    first = partly & ~np.isnan(of_unit)
    if not first.any() or not _first_rows_only(here, unit, n_units):
        return UnitColumn(np.where(partly, np.nan, of_unit), partly, differs, rounded)
    missing = partly & ~first
    return UnitColumn(of_unit, missing if missing.any() else None, differs, rounded, first)


def _apart(
    values: np.ndarray, unit: np.ndarray, n_units: int
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Give the middle of each unit's values, the units in which they differ, those where by rounding."""
    low, high = np.full(n_units, np.inf), np.full(n_units, -np.inf)
    np.minimum.at(low, unit, values)
    np.maximum.at(high, unit, values)
    low[np.isinf(low)] = high[np.isinf(high)] = np.nan
    apart, rounded = low != high, np.zeros(n_units, dtype=bool)
    apart &= ~np.isnan(low)
    rounded[apart] = is_rounding(low, high)[apart]
    differs = apart & ~rounded
    middle = low + (high - low) / 2
    return middle, differs if differs.any() else None, rounded if rounded.any() else None


def is_rounding(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Say of which units, (J,), the lowest and the highest value are the same but for rounding."""
    with np.errstate(invalid="ignore", over="ignore"):
        spread = np.nanmax(high) - np.nanmin(low)
        size = np.maximum(np.abs(low), np.abs(high))
        return np.asarray(high - low <= np.minimum(ROUNDING * size, OF_SPREAD * spread))


def _first_rows_only(here: np.ndarray, unit: np.ndarray, n_units: int) -> bool:
    """Say whether the values of all units stand in their first rows, as SPSS users write them."""
    first = np.full(n_units, len(unit))
    np.minimum.at(first, unit, np.arange(len(unit)))
    return bool(np.all(first[unit[here]] == np.flatnonzero(here)))


def dropped(
    gone: Mapping[str, np.ndarray], ids: np.ndarray, id_name: str, rows: np.ndarray
) -> tuple[np.ndarray, str]:
    """Give the units, (J,) bool, that level2_missing="drop" leaves out, and the sentence that says so.

    ``gone`` has by variable the units, (J,) bool, without a value; ``rows`` (J,) how many rows units have.
    Raise DataError where fewer than two units are left.
    """
    drop = np.logical_or.reduce(list(gone.values()))
    if len(ids) - drop.sum() < 2:
        raise DataError(
            f"level2_missing='drop' leaves {len(ids) - drop.sum()} of {len(ids)} units: in the others "
            f"{' or '.join(gone)} is missing. A two-level model needs several: take the variable out of it."
        )
    by_name = ", ".join(f"{name} in {count.sum()}" for name, count in gone.items())
    return drop, (
        f"{drop.sum()} of {len(ids)} units ({int(rows[drop].sum()):,} rows) were left out, as "
        f"level2_missing='drop' (--drop-incomplete) says. Without a value: {by_name}; {id_name}: "
        f"{some(ids[drop])}"
    )
