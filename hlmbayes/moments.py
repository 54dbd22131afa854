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

from .accumulate import unit_moments
from .errors import DataError
from .reading import some

__all__ = ["Moments", "moments_of", "unit_moments"]

if TYPE_CHECKING:
    from .data import TwoLevelData


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
    unit_weight : ndarray, shape (J,), optional
        Sampling weights of the units; None where every unit counts once.
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
    unit_weight: np.ndarray | None = None

    @property
    def n_units(self) -> int:
        """Number of level-2 units, J."""
        return len(self.unit_ids)

    @property
    def n_rows(self) -> int:
        """Number of level-1 rows, N."""
        return int(self.n.sum())

    @property
    def total_weight(self) -> np.ndarray:
        """What each unit's mean counts in a mean over rows: its rows, by whatever weights there are; (J,)."""
        return self.weight if self.unit_weight is None else self.weight * self.unit_weight


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
    n, weight, mean, sscp = unit_moments(data.unit, data.n_units, arrays, keep=keep)
    present: slice | np.ndarray = slice(None)
    unit_ids, notes = data.unit_ids, data.notes
    if not n.all():
        present, gone = n > 0, data.unit_ids[n == 0]
        if len(gone) == len(unit_ids):
            raise DataError(f"no row has values on all of {', '.join(names)}: nothing is left to analyse")
        unit_ids, n, weight, mean, sscp = (a[present] for a in (unit_ids, n, weight, mean, sscp))
        notes = (*notes, f"{len(gone)} units have no complete level-1 record: {some(gone)}")
    if level2 is None:
        kept = {name: np.asarray(values)[present] for name, values in data.level2.items()}
    else:
        kept = {name: data.level2_column(name)[present] for name in level2}
    return Moments(data.id_name, unit_ids, names, n, weight, mean, sscp, kept, n_dropped, notes)
