"""Per-unit moments: all that a two-level linear model ever needs from its rows.

For each level-2 unit j the moments are the number of rows, the means of the
level-1 columns and the cross-products about those means. They are kept apart,
not as raw cross-products, so that an outcome of 1e6 + N(0, 1) keeps its digits
and group-mean centring is free. Moments of disjoint sets of rows add up
(Chan, Golub & LeVeque 1983, eq. 2.1).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import numpy as np

from ..arguments import in_words
from ..data.columns import find_column
from ..data.kept import kept_of
from ..data.two_level import TwoLevelData
from ..errors import DataError
from ..words import some
from .accumulate import combine, unit_moments
from .moments_file import read_moments, write_moments

FIRST = 4096  # rows in which missing values are seen, where a column has some

__all__ = ["Moments", "load_moments", "merge", "moments_of", "unit_moments"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
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

    def __post_init__(self) -> None:
        for values in (self.unit_ids, self.n, self.weight, self.mean, self.sscp, self.unit_weight):
            if values is not None:
                values.flags.writeable = False

    def __repr__(self) -> str:
        weights = ", weighted" if self.weighted else ""
        return (
            f"Moments({self.n_rows} rows in {self.n_units} units of {self.id_name}{weights}; "
            f"level 1: {', '.join(self.columns)}; level 2: {', '.join(self.level2) or 'none'})"
        )

    @property
    def n_units(self) -> int:
        """Number of level-2 units, J."""
        return len(self.unit_ids)

    def column(self, name: str, what: str = "the level-1 variable") -> int:
        """Give the place of a level-1 column, whatever the case of its name.

        Raises
        ------
        DataError
            It is not among the columns; ``what`` says what it is to be.
        """
        found = find_column(name, self.columns, "the moments")
        if found is None:
            raise DataError(f"{what} {name} is not among the level-1 columns: {', '.join(self.columns)}")
        return self.columns.index(found)

    def level2_values(self, name: str) -> np.ndarray:
        """Give a level-2 variable, (J,), whatever the case of its name."""
        return self.level2[find_column(name, self.level2, "the moments") or name]

    def __add__(self, other: object) -> Moments:
        """Merge with the moments of other rows: see `merge`."""
        return merge((self, other)) if isinstance(other, Moments) else NotImplemented

    def __radd__(self, other: object) -> Moments:
        """Let `sum` merge a list of moments."""
        return self if other == 0 else NotImplemented

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a moments file (Parquet); `load_moments` reads it. The format: `docs/moments_file.md`."""
        write_moments({name: getattr(self, name) for name in self.__slots__}, path)

    @property
    def n_rows(self) -> int:
        """Number of level-1 rows, N."""
        return int(self.n.sum())

    @property
    def weighted(self) -> bool:
        """Whether there are sampling weights in the moments."""
        return self.unit_weight is not None or not np.array_equal(self.n, self.weight)

    @property
    def total_weight(self) -> np.ndarray:
        """What each unit's mean counts in a mean over rows: its rows, by whatever weights there are; (J,)."""
        return self.weight if self.unit_weight is None else self.weight * self.unit_weight


@in_words
def load_moments(path: str | os.PathLike[str]) -> Moments:
    """Read a moments file.

    Parameters
    ----------
    path : path
        What `Moments.save` wrote.

    Raises
    ------
    DataError
        No such file, not a moments file, a newer version, or a damaged one.
    """
    return Moments(**read_moments(path))


def moments_of(data: TwoLevelData, columns: Sequence[str], level2: Sequence[str] | None = None) -> Moments:
    """Take the moments of level-1 ``columns``, in any case, leaving out rows where one of them is missing.

    ``level2`` are the level-2 variables to take along, each checked; all of the level-2 file by default.
    Raise DataError for an unknown or non-numeric column, or where no row is complete.
    """
    names = tuple(data.find(name) for name in columns)
    (n, weight, mean, sscp), n_dropped = _of_complete_rows(data, names)
    present: slice | np.ndarray = slice(None)
    unit_ids, notes = data.unit_ids, data.notes
    if not n.all():
        present, gone = n > 0, data.unit_ids[n == 0]
        if len(gone) == len(unit_ids):
            data.drop_incomplete(names)  # which raises, and says what has no value
        unit_ids, n, weight, mean, sscp = (a[present] for a in (unit_ids, n, weight, mean, sscp))
        notes = (*notes, f"{len(gone)} units have no complete level-1 record: {some(gone)}")
    if level2 is None:
        kept = {name: np.asarray(values)[present] for name, values in data.level2.items()}
    else:
        kept = {name: data.level2_column(name)[present] for name in level2}
    return Moments(data.id_name, unit_ids, names, n, weight, mean, sscp, kept, n_dropped, notes)


class _Sums(NamedTuple):
    """What `unit_moments` gives, and of which columns."""

    columns: tuple[str, ...]
    moments: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]

    def of(self, names: tuple[str, ...]) -> _Sums:
        """Give those of some of the columns."""
        if self.columns == names:
            return self
        n, weight, mean, sscp = self.moments
        at = np.array([self.columns.index(name) for name in names], dtype=np.intp)
        own = sscp.transpose(1, 2, 0)[at[:, None], at].transpose(2, 0, 1)
        return _Sums(names, (n, weight, mean.T[at].T, own))

    @property
    def finite(self) -> bool:
        """Whether every value was: one that is not makes its unit's sum of squares so."""
        with np.errstate(all="ignore"):
            return bool(np.isfinite(np.einsum("jkk->", self.moments[3])))


def _of_complete_rows(
    data: TwoLevelData, names: tuple[str, ...]
) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray], int]:
    """Give n, weight, mean and sscp of the rows complete on level-1 columns, and how many are not.

    Data keep them: another model whose columns are among them, with the same rows, has them at once.
    """
    arrays, kept, n_dropped = [data.numbers(name)[1] for name in names], kept_of(data), 0
    columns, size = dict(zip(names, arrays, strict=True)), data.n_units * (len(names) ** 2 + len(names) + 2)

    def work_out(keep: np.ndarray | None = None) -> _Sums:
        return _Sums(names, unit_moments(data.unit, data.n_units, arrays, keep=keep))

    found = kept.once("moments of all rows", columns, size, work_out).of(names) if _begins(arrays) else None
    if found is None or not found.finite:  # values are missing, infinite, or too large to be squared
        keep, n_dropped = data.complete_rows(names)
        # rows that lack one of some columns lack one of more: as many are the same
        asked = f"moments without {n_dropped} rows"
        found = kept.once(asked, columns, size, partial(work_out, keep)).of(names)
    return found.moments, n_dropped


def _begins(columns: Iterable[np.ndarray]) -> bool:
    """Say whether the first rows of columns are complete: else a pass over all would be for nothing."""
    with np.errstate(all="ignore"):
        return all(np.isfinite(values[:FIRST].sum()) for values in columns)


def merge(parts: Iterable[Moments]) -> Moments:
    """Merge the moments of disjoint sets of rows: sites, files, chunks. A unit may be in several.

    Means and cross-products are combined about the common mean (Chan, Golub & LeVeque 1983, eq. 2.1),
    so the result is that of one pass over all rows, up to rounding.

    Raises
    ------
    DataError
        Nothing to merge, other columns or level-2 variables, ids of another kind, or a unit with
        different level-2 values in different parts.
    """
    parts = tuple(parts)
    if not parts:
        raise DataError("there are no moments to merge: give at least one")
    first = parts[0]
    orders = [_order(first, part) for part in parts]
    unit_ids, index = _union([part.unit_ids for part in parts], first.id_name)
    n, weight = (np.concatenate([getattr(part, name) for part in parts]) for name in ("n", "weight"))
    mean = np.concatenate([part.mean[:, o] for part, o in zip(parts, orders, strict=True)])
    sscp = np.concatenate([part.sscp[:, o[:, None], o] for part, o in zip(parts, orders, strict=True)])
    taken = combine(index, len(unit_ids), n, weight, mean, sscp)
    level2 = {
        name: _one_value(name, [part.level2_values(name) for part in parts], index, unit_ids)
        for name in first.level2
    }
    weights = [part.unit_weight for part in parts if part.unit_weight is not None]
    unit_weight = _one_value("of sampling weights", weights, index, unit_ids) if weights else None
    notes = tuple(dict.fromkeys(note for part in parts for note in part.notes))
    n_dropped = sum(part.n_dropped for part in parts)
    return Moments(first.id_name, unit_ids, first.columns, *taken, level2, n_dropped, notes, unit_weight)


def _order(first: Moments, part: Moments) -> np.ndarray:
    """Find the columns of ``first`` in ``part``; names match without case."""
    for what, mine, theirs in (
        ("level-1 columns", first.columns, part.columns),
        ("level-2 variables", tuple(first.level2), tuple(part.level2)),
        ("id", (first.id_name,), (part.id_name,)),
        ("kind of units", (_weighting(first),), (_weighting(part),)),
    ):
        if {name.lower() for name in mine} != {name.lower() for name in theirs}:
            raise DataError(
                f"moments can be merged only if they have the same {what}: got {', '.join(mine) or 'none'} "
                f"and {', '.join(theirs) or 'none'}. Compute both with the same columns."
            )
    return np.array([part.column(name) for name in first.columns], dtype=np.intp)


def _weighting(moments: Moments) -> str:
    return "unweighted" if moments.unit_weight is None else "weighted"


def _union(ids: Sequence[np.ndarray], id_name: str) -> tuple[np.ndarray, np.ndarray]:
    """Give all units, ascending, and for every record of every part the index of its unit."""
    if len({part.dtype.kind in "biuf" for part in ids}) > 1:
        raise DataError(
            f"the ids {id_name} are numbers in one of the moments and text in another: store them alike"
        )
    unit_ids, index = np.unique(np.concatenate(ids), return_inverse=True)
    return unit_ids, index.reshape(-1)


def _one_value(
    name: str, columns: Sequence[np.ndarray], index: np.ndarray, unit_ids: np.ndarray
) -> np.ndarray:
    """Give a level-2 variable of the merged units; refuse units whose parts disagree."""
    values = np.concatenate(columns)
    merged = np.empty(len(unit_ids), dtype=values.dtype)
    merged[index] = values
    differs = merged[index] != values
    if values.dtype.kind == "f":
        differs &= ~(np.isnan(merged[index]) & np.isnan(values))
    if differs.any():
        bad = unit_ids[np.unique(index[differs])]
        raise DataError(
            f"level-2 variable {name} has different values in the moments to be merged for "
            f"{len(bad)} units: {some(bad)}. The same unit must have the same values everywhere."
        )
    return merged
