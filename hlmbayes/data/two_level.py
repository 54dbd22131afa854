"""Two-level data: level-1 rows joined to level-2 units, in any order, without sorting a row.

`read` takes one source (level-2 variables repeated on every row) or two, and
returns a frozen `TwoLevelData`.  Columns stay as they were read until a model
asks for them; what cannot be used is refused here, by name, so that nothing
downstream computes on a missing value, a text column or the wrong unit.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DataError
from .columns import at, find_column, numeric, scan, suggest
from .reading import NUMBER, Columns, Table, read_table, some
from .units import index_rows, match_units

if TYPE_CHECKING:
    from .describe import Description
    from .weights import Weights

__all__ = ["TwoLevelData", "read"]

NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, eq=False, repr=False)
class TwoLevelData:
    """Rows in units: N level-1 rows, J level-2 units.

    Attributes
    ----------
    id_name : str
        Name of the column that holds the units' ids.
    unit_ids : (J,) array
        The ids, numbers or strings, ascending; only units that have rows.
    unit : (N,) intp array
        For each row the index of its unit in `unit_ids`.
    level1 : mapping of name to (N,) array
        Columns as read, in the order of the rows.
    level2 : mapping of name to (J,) array
        Columns of the level-2 source in the order of `unit_ids`; empty if there was one source.
    labels, value_labels : mapping
        Variable labels and value labels; keys are lower-case names.
    notes : tuple of str
        What a reader of the results should know about the data.
    sources : tuple of str
        What messages call the level-1 and the level-2 source (the same if there was one).
    """

    id_name: str
    unit_ids: np.ndarray
    unit: np.ndarray
    level1: Mapping[str, np.ndarray]
    level2: Mapping[str, np.ndarray] = NOTHING
    labels: Mapping[str, str] = NOTHING
    value_labels: Mapping[str, Mapping[Any, str]] = NOTHING
    notes: tuple[str, ...] = ()
    sources: tuple[str, str] = ("the data", "the data")
    one_source: bool = field(default=False)

    @property
    def n_rows(self) -> int:
        """Number of level-1 rows, complete or not."""
        return len(self.unit)

    @property
    def n_units(self) -> int:
        """Number of level-2 units that have rows."""
        return len(self.unit_ids)

    def __repr__(self) -> str:
        second = "" if self.one_source else f"; level 2: {some(self.level2)}"
        return (
            f"TwoLevelData({self.n_rows} rows in {self.n_units} units of {self.id_name}; "
            f"level 1: {some(self.level1)}{second})"
        )

    def find(self, name: str, where: str = "") -> str:
        """Return the data's own spelling of `name`, given in any case.

        Level 1 is searched before level 2.  `where` (the place in the model) ends the message.

        Raises
        ------
        DataError
            No such column (with the nearest name), or columns that differ only in case.
        """
        for columns, source in zip((self.level1, self.level2), self.sources, strict=True):
            found = find_column(name, columns, source)
            if found is not None:
                return found
        if name.lower() == self.id_name.lower():
            return self.id_name
        names = list(dict.fromkeys([*self.level1, *self.level2]))
        raise DataError(f"The data have no column {name!r}{at(where)}. {suggest(name, names)}")

    def is_level2(self, name: str) -> bool:
        """Tell whether `name` is a level-2 variable.

        With two sources: it is in the level-2 source only.  With one: its values, where there are
        any, are the same on every row of a unit.
        """
        found = self.find(name)
        if not self.one_source:
            return found not in self.level1 and found in self.level2
        return self._varies(numeric(self.level1[found], found, self.sources[0])) is None

    def level1_column(self, name: str, where: str = "") -> np.ndarray:
        """Return one level-1 column as numbers, (N,), in its own dtype (no copy), missing values as nan.

        Raises
        ------
        DataError
            No such column at level 1, not numeric (with an example), or infinite values.
        """
        return self._checked(name, where)[0]

    def _checked(self, name: str, where: str = "") -> tuple[np.ndarray, np.ndarray | None]:
        """Return a level-1 column and which of its values are missing (None: none)."""
        source = self.sources[0]
        found = find_column(name, self.level1, source)
        if found is None:
            at_level2 = find_column(name, self.level2, self.sources[1])
            hint = (
                f"It is a level-2 variable ({self.sources[1]})." if at_level2 else suggest(name, self.level1)
            )
            raise DataError(f"{source} has no level-1 column {name!r}{at(where)}. {hint}")
        values = numeric(self.level1[found], found, source, where)
        return values, scan(values, found, source, where)

    def level1_columns(self, names: Sequence[str], where: Mapping[str, str] = NOTHING) -> list[np.ndarray]:
        """Return `level1_column` of each name; `where` gives a name's place in the model for messages."""
        return [self.level1_column(name, where.get(name, "")) for name in names]

    def level2_column(self, name: str, where: str = "") -> np.ndarray:
        """Return one level-2 variable, (J,) float64 in the order of `unit_ids`.

        With one source the variable is a column that is constant inside every unit.

        Raises
        ------
        DataError
            No such column, not numeric, a missing or infinite value, or not constant in a unit:
            naming the ids.
        """
        source = self.sources[1]
        found = find_column(name, self.level2, source)
        if found is not None:
            values = numeric(self.level2[found], found, source, where)
            gone = scan(values, found, source, where)
            if gone is not None:
                self._refuse(gone, found, "is missing", where)
            return values.astype(np.float64)
        if not self.one_source:
            at_level1 = find_column(name, self.level1, self.sources[0])
            hint = (
                f"It is a level-1 variable ({self.sources[0]})." if at_level1 else suggest(name, self.level2)
            )
            raise DataError(f"{source} has no level-2 column {name!r}{at(where)}. {hint}")
        return self._constant(self.find(name, where), where)

    def _constant(self, found: str, where: str) -> np.ndarray:
        """Return the value of a level-1 column that each unit has on all its rows, (J,)."""
        values = numeric(self.level1[found], found, self.sources[0], where)
        gone = scan(values, found, self.sources[0], where)
        if gone is not None:
            self._refuse(self._units_of(gone), found, "is missing on some rows", where)
        varies = self._varies(values)
        if varies is not None:
            self._refuse(varies, found, "differs between rows of the same unit", where)
        of_unit = np.empty(self.n_units)
        of_unit[self.unit] = values
        return of_unit

    def _varies(self, values: np.ndarray) -> np.ndarray | None:
        """Return (J,) bool of the units in which `values` (N,) differ, None if there are none."""
        unit = self.unit
        if values.dtype.kind == "f" and np.isnan(values).any():
            here = ~np.isnan(values)
            values, unit = values[here], unit[here]
        of_unit = np.empty(self.n_units, dtype=values.dtype)
        of_unit[unit] = values
        rows = of_unit[unit] != values
        if not rows.any():
            return None
        units = np.zeros(self.n_units, dtype=bool)
        units[unit[rows]] = True
        return units

    def _units_of(self, rows: np.ndarray) -> np.ndarray:
        """Return (J,) bool: the unit has a row of `rows` (N,) bool."""
        units = np.zeros(self.n_units, dtype=bool)
        units[self.unit[rows]] = True
        return units

    def _refuse(self, bad: np.ndarray, found: str, what: str, where: str) -> None:
        raise DataError(
            f"Level-2 variable {found!r} of {self.sources[1]} {what}{at(where)} in {bad.sum()} of "
            f"{self.n_units} units; {self.id_name}: {some(self.unit_ids[bad])}. A level-2 variable needs one "
            "value for every unit: complete it, or take these units out of the data."
        )

    def describe(self, weights: Weights | None = None) -> Description:
        """Return the descriptive statistics HLM prints when it makes an MDM file; print it to see them.

        With ``weights`` means and standard deviations are weighted.
        """
        from .describe import describe

        return describe(self, weights)

    def complete_rows(self, names: Iterable[str]) -> tuple[np.ndarray | None, int]:
        """Find the rows that have a value on every one of the level-1 columns `names`.

        Returns
        -------
        mask : (N,) bool array, or None if every row is complete
        n_dropped : int
            Rows with a missing value.
        """
        mask: np.ndarray | None = None
        for name in names:
            gone = self._checked(name)[1]
            if gone is not None:
                mask = ~gone if mask is None else mask & ~gone
        return mask, 0 if mask is None else int(mask.size - np.count_nonzero(mask))

    def drop_incomplete(self, names: Iterable[str]) -> TwoLevelData:
        """Return the data without the rows that miss a value of `names` (HLM: deletion when the MDM is made).

        Units left without rows go too; `notes` says what was dropped.
        """
        names = list(names)
        mask, n_dropped = self.complete_rows(names)
        if mask is None:
            return self
        if n_dropped == self.n_rows:
            never = [name for name in names if self.complete_rows([name])[1] == self.n_rows]
            why = f" {some(never)} {'has' if len(never) == 1 else 'have'} no value at all." if never else ""
            raise DataError(
                f"No row of {self.sources[0]} is complete on {some(names)}; nothing is left to analyse.{why}"
            )
        kept, unit = np.unique(self.unit[mask], return_inverse=True)
        notes = [f"{n_dropped} of {self.n_rows} level-1 rows had missing values and were dropped"]
        if len(kept) < self.n_units:
            lost = np.delete(self.unit_ids, kept)
            notes.append(f"Units dropped because no level-1 row is complete: {some(lost)}")
        return replace(
            self,
            unit_ids=self.unit_ids[kept],
            unit=unit.astype(np.intp, copy=False),
            level1=_rows(self.level1, mask),
            level2=_rows(self.level2, kept),
            notes=(*self.notes, *notes),
        )


def read(level1: Any, level2: Any = None, *, id: str | tuple[str, str] = "id") -> TwoLevelData:
    """Read level-1 rows and level-2 records.

    Parameters
    ----------
    level1 : path, data frame or dict of arrays
        .sav .zsav .dta .sas7bdat .xpt .csv .tsv .parquet; pandas, polars or pyarrow.  Rows in any order.
    level2 : the same, optional
        One record a unit.  None, or the same file again: level-2 variables are columns of
        `level1` that are constant inside each unit.
    id : str or (str, str)
        Name of the id column, in any case; two names if the sources call it differently.

    Returns
    -------
    TwoLevelData

    Raises
    ------
    DataError
        File or id column not found, ids missing, an id without a level-2 record, a duplicate
        level-2 record, fewer than two units.
    """
    id1, id2 = id_names(id)
    first = read_table(level1, "the level-1 data" if level2 is not None else "the data")
    id1 = _id_column(id1, first, level1)
    raw = first.ids(id1)
    rows, ids = index_rows(raw, id1, first.name)
    notes = _as_written(first, id1, raw)
    if len(ids) < 2:
        raise DataError(
            f"Column {id1!r} of {first.name} is {ids[0]} in every row: there is one unit, and a two-level "
            "model needs several. Give the column that identifies the level-2 units as id= (--id)."
        )
    level1_columns = _without(first.columns, id1)
    if level2 is None or _same(level1, level2):
        return TwoLevelData(
            id1, ids, rows, level1_columns, NOTHING, *_labels(first), notes, (first.name, first.name), True
        )
    second = read_table(level2, "the level-2 data")
    id2 = _id_column(id2, second, level2)
    rows2, ids2 = index_rows(second.ids(id2), id2, second.name)
    record, unmatched = match_units(ids, (rows2, ids2), (first.name, second.name))
    notes += unmatched
    columns2 = _rows(_without(second.columns, id2), record)
    labels = _labels(first, second)
    return TwoLevelData(id1, ids, rows, level1_columns, columns2, *labels, notes, (first.name, second.name))


def _as_written(table: Table, name: str, ids: Any) -> tuple[str, ...]:
    """Say that ids which are the same number are different units, where a file writes them differently."""
    if isinstance(ids, np.ndarray) or table.columns[name].dtype.kind not in "iuf":
        return ()
    same: dict[float, list[str]] = {}
    for text in ids[1]:
        if text is not None and NUMBER.fullmatch(text.strip()):
            same.setdefault(float(text), []).append(str(text))
    pairs = [" and ".join(texts) for texts in same.values() if len(texts) > 1]
    return (
        f"ids of {table.name} that are the same number, but written differently, are different units: "
        f"{some(pairs, 3)}",
    )


def id_names(id: str | tuple[str, str]) -> tuple[str, str]:
    """Give the names of the id column at level 1 and at level 2."""
    if isinstance(id, str):
        return id, id
    if isinstance(id, tuple | list) and len(id) == 2 and all(isinstance(name, str) for name in id):
        return id[0], id[1]
    raise DataError(f"id= wants the name of the id column, or two names (level 1, level 2), got {id!r}")


def _rows(columns: Mapping[str, np.ndarray], index: np.ndarray) -> Columns:
    return Columns(columns, partial(_take, columns, index))


def _take(columns: Mapping[str, np.ndarray], index: np.ndarray, name: str) -> np.ndarray:
    return np.asarray(columns[name][index])


def _without(columns: Mapping[str, np.ndarray], name: str) -> Columns:
    return Columns([column for column in columns if column != name], columns.__getitem__)


def _labels(*tables: Table) -> tuple[Mapping[str, str], Mapping[str, Mapping[Any, str]]]:
    labels: dict[str, str] = {}
    value_labels: dict[str, Mapping[Any, str]] = {}
    for table in reversed(tables):  # level 1 has the last word
        labels.update({name.lower(): label for name, label in table.labels.items()})
        value_labels.update({name.lower(): dict(values) for name, values in table.value_labels.items()})
    return labels, value_labels


def _same(level1: Any, level2: Any) -> bool:
    if level1 is level2:
        return True
    paths = (str, os.PathLike)
    both = isinstance(level1, paths) and isinstance(level2, paths)
    return both and os.path.exists(level2) and os.path.samefile(level1, level2)


def _id_column(name: str, table: Table, source: Any) -> str:
    found = find_column(name, table.columns, table.name)
    if found is not None:
        return found
    index = [str(n) for n in getattr(getattr(source, "index", None), "names", None) or [] if n is not None]
    if name.lower() in (n.lower() for n in index):
        raise DataError(f"{name!r} is the index of {table.name}, not a column. Pass frame.reset_index().")
    raise DataError(
        f"{table.name} has no id column {name!r}. {suggest(name, table.columns)} "
        "Give the column that identifies the level-2 units as id= (--id)."
    )
