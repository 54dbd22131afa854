"""Per-unit moments: all that a two-level linear model ever needs from its rows.

For each level-2 unit j the moments are the number of rows, the means of the
level-1 columns and the cross-products about those means. They are kept apart,
not as raw cross-products, so that an outcome of 1e6 + N(0, 1) keeps its digits
and group-mean centring is free. Moments of disjoint sets of rows add up
(Chan, Golub & LeVeque 1983, eq. 2.1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from .errors import DataError

if TYPE_CHECKING:
    from .data import TwoLevelData

CHUNK = 1 << 16  # rows at a time: the working columns stay in the processor's cache


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Sufficient statistics of the level-1 rows, one record a unit.

    Attributes
    ----------
    id_name : str
        Name of the unit identifier.
    unit_ids : ndarray, shape (J,)
        Identifiers, ascending.
    columns : tuple of str, length p
        Level-1 columns, the outcome among them, as the data name them.
    n : ndarray, shape (J,)
        Rows of each unit.
    weight : ndarray, shape (J,)
        Sum of the row weights of each unit; equal to ``n`` without weights.
    mean : ndarray, shape (J, p)
        (Weighted) means of the columns in each unit.
    sscp : ndarray, shape (J, p, p)
        (Weighted) sums of squares and cross-products about the unit's means.
    level2 : mapping of str to ndarray, shape (J,)
        Level-2 variables of the units.
    n_dropped : int
        Rows left out because a column was missing.
    notes : tuple of str
        What should be said about the data.
    """

    id_name: str
    unit_ids: np.ndarray
    columns: tuple[str, ...]
    n: np.ndarray
    weight: np.ndarray
    mean: np.ndarray
    sscp: np.ndarray
    level2: Mapping[str, np.ndarray] = field(default_factory=dict)
    n_dropped: int = 0
    notes: tuple[str, ...] = ()

    @property
    def n_units(self) -> int:
        """Number of level-2 units, J."""
        return len(self.unit_ids)

    @property
    def n_rows(self) -> int:
        """Number of level-1 rows, N."""
        return int(self.n.sum())


def moments_of(data: TwoLevelData, columns: Sequence[str], level2: Sequence[str] | None = None) -> Moments:
    """Take the moments of ``columns``, leaving out rows where one of them is missing.

    Parameters
    ----------
    data : TwoLevelData
    columns : sequence of str
        Level-1 columns in any case; the outcome must be one of them.
    level2 : sequence of str, optional
        Level-2 variables to take along, each checked; all of the level-2 file by default.

    Raises
    ------
    DataError
        An unknown or non-numeric column, or no complete row.
    """
    names = tuple(data.find(name) for name in columns)
    arrays = data.level1_columns(names)
    keep, n_dropped = data.complete_rows(names)
    unit, unit_ids, present = data.unit, data.unit_ids, np.ones(data.n_units, dtype=bool)
    notes = data.notes
    if keep is not None:
        arrays, unit = [a[keep] for a in arrays], unit[keep]
        present = np.bincount(unit, minlength=len(unit_ids)) > 0
        unit, unit_ids, gone = _without_empty(unit, unit_ids, present)
        if len(gone):
            notes = (*notes, f"{len(gone)} units have no complete level-1 record: {_list(gone)}")
    if not len(unit):
        raise DataError(f"no row has values on all of {', '.join(names)}: nothing is left to analyse")
    n, weight, mean, sscp = unit_moments(unit, len(unit_ids), arrays)
    if level2 is None:
        kept = {name: np.asarray(values)[present] for name, values in data.level2.items()}
    else:
        kept = {name: data.level2_column(name)[present] for name in level2}
    return Moments(data.id_name, unit_ids, names, n, weight, mean, sscp, kept, n_dropped, notes)


def _without_empty(
    unit: np.ndarray, unit_ids: np.ndarray, present: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    if present.all():
        return unit, unit_ids, unit_ids[:0]
    new_index = np.cumsum(present) - 1
    return new_index[unit], unit_ids[present], unit_ids[~present]


def _list(ids: np.ndarray, most: int = 5) -> str:
    shown = ", ".join(str(i) for i in ids[:most])
    return shown + (f" and {len(ids) - most} more" if len(ids) > most else "")


def unit_moments(
    unit: np.ndarray, n_units: int, columns: Sequence[np.ndarray], weights: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Reduce rows to counts, weights, means and cross-products about the means, per unit.

    One pass in chunks. Each value is first taken relative to the value in its unit's first
    row, so that no digit is lost to a large level; nothing is sorted.

    Parameters
    ----------
    unit : ndarray of int, shape (N,)
        Index of each row's unit, in any order.
    n_units : int
    columns : sequence of p ndarrays, shape (N,)
    weights : ndarray, shape (N,), optional
        Row weights.

    Returns
    -------
    n, weight : ndarray, shape (J,)
    mean : ndarray, shape (J, p)
    sscp : ndarray, shape (J, p, p)
    """
    p, n_rows = len(columns), len(unit)
    reference = _first_values(unit, n_units, columns)
    n = np.zeros(n_units)
    weight = np.zeros(n_units)
    sums = np.zeros((p, n_units))
    products = np.zeros((p, p, n_units))
    for start in range(0, n_rows, CHUNK):
        rows = slice(start, start + CHUNK)
        index = unit[rows]
        add = _adder(index, n_units)
        w = None if weights is None else np.asarray(weights[rows], dtype=float)
        n += add(None)
        if w is not None:
            weight += add(w)
        shifted = [columns[k][rows] - reference[k][index] for k in range(p)]
        for a in range(p):
            weighted = shifted[a] if w is None else w * shifted[a]
            sums[a] += add(weighted)
            for b in range(a + 1):
                products[a, b] += add(weighted * shifted[b])
    if weights is None:
        weight = n.copy()
    return n, weight, *_about_means(weight, sums, products, reference)


def _first_values(unit: np.ndarray, n_units: int, columns: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Give the value of each column in each unit's first row."""
    first = np.zeros(n_units, dtype=np.intp)
    first[unit[::-1]] = np.arange(len(unit) - 1, -1, -1)
    return [np.asarray(column[first], dtype=float) for column in columns]


def _adder(index: np.ndarray, n_units: int):  # type: ignore[no-untyped-def]
    """Give a function that sums a chunk's values per unit; runs of equal ids are summed as runs."""
    starts = np.flatnonzero(np.diff(index, prepend=-1))
    if len(starts) * 4 > len(index):  # short runs: scattered rows
        return lambda values: np.bincount(index, weights=values, minlength=n_units)
    owners = index[starts]
    lengths = np.diff(starts, append=len(index))

    def add_runs(values: np.ndarray | None) -> np.ndarray:
        run_sums = lengths if values is None else np.add.reduceat(values, starts)
        return np.bincount(owners, weights=run_sums, minlength=n_units)

    return add_runs


def _about_means(
    weight: np.ndarray, sums: np.ndarray, products: np.ndarray, reference: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    p, n_units = sums.shape
    positive = np.where(weight > 0, weight, 1.0)
    offset = sums / positive
    mean = np.empty((n_units, p))
    sscp = np.empty((n_units, p, p))
    for a in range(p):
        mean[:, a] = reference[a] + offset[a]
        for b in range(a + 1):
            sscp[:, a, b] = sscp[:, b, a] = products[a, b] - sums[a] * offset[b]
        # a sum of squares that is zero but for rounding would look like variation
        sscp[:, a, a] = np.maximum(sscp[:, a, a], 0.0)
    return mean, sscp
