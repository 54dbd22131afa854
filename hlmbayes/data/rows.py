"""Rows in units: the columns of two-level data, found by name and checked when a model asks for them.

What cannot be used is refused here, by name, so that nothing downstream computes on a missing value, a
text column or the wrong unit.
"""

from __future__ import annotations

import copyreg
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Any, Literal, NoReturn, Self

import numpy as np

from ..errors import DataError
from ..words import some, unique_name
from .categories import is_category, is_missing
from .columns import at, find_column, numeric, scan, suggest_variable
from .kept import kept_of
from .suspects import Suspect, suspects
from .table import Columns, first_of, take_rows
from .unit_columns import UnitColumn, dropped, unit_column
from .wide import looks_wide


def _read_only(values: dict[Any, Any]) -> MappingProxyType[Any, Any]:
    return MappingProxyType(values)


# Python cannot pickle its own read-only mappings; what holds them goes to other processes and into files
copyreg.pickle(MappingProxyType, lambda values: (_read_only, (dict(values),)))

NOTHING: Mapping[str, Any] = MappingProxyType({})
LEFT_OUT = ', or say level2_missing="drop" (--drop-incomplete), which leaves them out'


@dataclass(frozen=True, eq=False, repr=False)
class Rows:
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
    labels, value_labels, categories : mapping
        Variable labels, value labels, and the categories that columns declare (pandas' categorical), in
        order; keys are lower-case names.
    notes : tuple of str
        What a reader of the results should know about the data.
    sources : tuple of str
        What messages call the level-1 and the level-2 source (the same if there was one).
    level2_missing : "refuse" or "drop"
        What happens to units without a value of a level-2 variable that a model uses.
    frequency : str, optional
        The level-1 column that says how many rows each stands for; None where each is one.
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
    one_source: bool = False
    categories: Mapping[str, tuple[Any, ...]] = NOTHING
    level2_missing: Literal["refuse", "drop"] = "refuse"
    frequency: str | None = None

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
            f"{type(self).__name__}({self.n_rows} rows in {self.n_units} units of {self.id_name}; "
            f"level 1: {some(self.level1)}{second})"
        )

    def find(self, name: str, where: str = "") -> str:
        """Return the data's own spelling of `name`, given in any case.

        Level 1 is searched before level 2, for the exact name first.  `where` ends the message.

        Raises
        ------
        DataError
            No such column (with the nearest name), or columns that differ only in case.
        """
        if name in self.level1 or name in self.level2:
            return name
        for columns, source in zip((self.level1, self.level2), self.sources, strict=True):
            found = find_column(name, columns, source)
            if found is not None:
                return found
        if name.lower() == self.id_name.lower():
            return self.id_name
        names = list(dict.fromkeys([*self.level1, *self.level2]))
        hint = self._suggest(name, names)
        raise DataError(f"The data have no column {name!r}{at(where)}. {hint}")

    def _suggest(self, name: str, names: Iterable[str]) -> str:
        """Give the nearest name, or those there are; of one row a unit, what it may be."""
        wide = looks_wide(names) if self.n_units == self.n_rows else ""
        return f"{suggest_variable(name, names)}{f' The file {wide}.' if wide else ''}"

    def is_level2(self, name: str) -> bool:
        """Tell whether `name` is a level-2 variable.

        With two sources: it is in the level-2 source only.  With one: its values, where there are
        any, are the same on every row of a unit.
        """
        found = self.find(name)
        if not self.one_source or found not in self.level1:
            return found not in self.level1 and found in self.level2
        values = self.level1[found]
        values = values if values.dtype.kind in "biuf" else _codes(values)
        return unit_column(values, self.unit, self.n_units).differs is None

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
        found, values = self.numbers(name, where)
        return values, scan(values, found, self.sources[0], where)

    def numbers(self, name: str, where: str = "") -> tuple[str, np.ndarray]:
        """Return a level-1 column's own name and its values, which are numbers; some may be infinite."""
        found = find_column(name, self.level1, self.sources[0])
        if found is None:
            self._refuse_level(1, name, where)
        return found, numeric(self.level1[found], found, self.sources[0], where)

    def level1_columns(self, names: Sequence[str], where: Mapping[str, str] = NOTHING) -> list[np.ndarray]:
        """Return `level1_column` of each name; `where` gives a name's place in the model for messages."""
        return [self.level1_column(name, where.get(name, "")) for name in names]

    def level2_column(self, name: str, where: str = "") -> np.ndarray:
        """Return one level-2 variable, (J,) float64 in the order of `unit_ids`.

        With one source the variable is a column that is constant inside every unit, but for rounding, or
        stands in each unit's first row only.

        Raises
        ------
        DataError
            No such column, not numeric, a missing or infinite value, or not constant in a unit:
            naming the ids.
        """
        return self._complete(name, where, numbers=True)[1]

    def level2_with_missing(self, name: str) -> np.ndarray:
        """Return one level-2 variable as `level2_column`, (J,), missing values as nan."""
        return self._of_units(name, numbers=True)[1].values

    def level2_values(self, name: str, where: str = "") -> tuple[str, np.ndarray]:
        """Return the data's own name of a level-2 variable and its values, (J,), of whatever type.

        Raises
        ------
        DataError
            As `level2_column`, but for values that are not numeric.
        """
        return self._complete(name, where, numbers=False)

    def _complete(self, name: str, where: str, numbers: bool) -> tuple[str, np.ndarray]:
        """Return a level-2 variable's own name and its values; refuse one that is missing in some units."""
        found, column = self._of_units(name, where, numbers)
        if column.missing is not None:
            some_rows = "" if found in self.level2 else " on some rows"
            self._refuse(column.missing, found, f"is missing{some_rows}", where, LEFT_OUT)
        return found, column.values

    def _of_units(self, name: str, where: str = "", numbers: bool = False) -> tuple[str, UnitColumn]:
        """Return a level-2 variable's own name and its values; refuse one that differs inside a unit."""
        found = find_column(name, self.level2, self.sources[1])
        if found is None and not self.one_source:
            self._refuse_level(2, name, where)
        found = self.find(name, where) if found is None else found
        own = found in self.level2
        if not own and found not in self.level1:  # the id
            self._refuse_level(2, name, where)
        values, source = (
            (self.level2[found], self.sources[1]) if own else (self.level1[found], self.sources[0])
        )
        text = not numbers and values.dtype.kind not in "biuf"
        if not text:
            values = numeric(values, found, source, where)
        gone = is_missing(values) if text else scan(values, found, source, where)
        if own:
            here = gone if gone is not None and gone.any() else None
            return found, UnitColumn(values if text else values.astype(np.float64), here)
        column = kept_of(self).once(
            "one value a unit", {found: values}, 4 * self.n_units,
            lambda: unit_column(_codes(values) if text else values, self.unit, self.n_units),
        )  # fmt: skip
        if column.differs is not None:
            self._refuse(column.differs, found, "differs between rows of the same unit", where)
        return found, _in_words(column, values) if text else column

    def has_category(self, name: str, level: int) -> bool:
        """Tell whether a variable of a level, if there is such a one, is categories by itself."""
        places = {1: (self.level1,), 2: (self.level2, self.level1) if self.one_source else (self.level2,)}
        for columns in places[level]:
            found = find_column(name, columns, self.sources[level - 1])
            if found is not None:
                return is_category(columns[found], self.categories.get(found.lower()))
        return False

    def with_level2(self, names: Iterable[str]) -> Self:
        """Return the data as a model with these level-2 variables takes them; `notes` says what was done.

        Where `level2_missing` is "drop", units without a value go. Raise DataError where fewer than two are
        left.
        """
        columns = dict(self._of_units(name) for name in names)
        notes = [note for name, column in columns.items() for note in self._said_of(name, column)]
        gone = {name: column.missing for name, column in columns.items() if column.missing is not None}
        data = self._on_every_row(columns, notes) if notes else self
        if self.level2_missing == "refuse" or not gone:
            return data
        drop, note = dropped(
            gone, self.unit_ids, self.id_name, np.bincount(self.unit, minlength=self.n_units)
        )
        return data._take(~drop[self.unit], np.flatnonzero(~drop), [note])

    def missing_level2(self, names: Iterable[str]) -> dict[str, np.ndarray]:
        """Say in which units, (J,) bool, level-2 variables have no value, for those that miss some."""
        columns = dict(self._of_units(name) for name in names)
        return {name: column.missing for name, column in columns.items() if column.missing is not None}

    def _on_every_row(self, columns: Mapping[str, UnitColumn], notes: Iterable[str]) -> Self:
        """Return the data with level-2 variables on every row that stand on some or differ by rounding."""
        odd = {name: c for name, c in columns.items() if c.first is not None or c.rounded is not None}
        filled = {name: c.values[self.unit] for name, c in odd.items()}
        own = Columns(self.level1, partial(first_of, filled, self.level1))
        return replace(self, level1=own, notes=(*self.notes, *notes))

    def _said_of(self, name: str, column: UnitColumn) -> list[str]:
        """Say from where a level-2 variable's values were taken, if not from all rows."""
        notes = []
        if column.rounded is not None:
            units = some(self.unit_ids[column.rounded], 4)
            what = f"{name} differs by rounding inside units, and the middle was taken"
            notes.append(f"{what}; {self.id_name}: {units}")
        if column.first is not None:
            units = f"{column.first.sum()} of {self.n_units} units"
            notes.append(
                f"{name} stands in the first row only in {units} of {self.sources[0]}: taken from there"
            )
        return notes

    def _refuse_level(self, level: int, name: str, where: str) -> NoReturn:
        own, other = (self.level1, self.level2) if level == 1 else (self.level2, self.level1)
        source, there = self.sources[level - 1], self.sources[2 - level]
        found = find_column(name, other, there)
        hint = f"It is a level-{3 - level} variable ({there})." if found else self._suggest(name, own)
        if name.lower() == self.id_name.lower():
            hint = "It is the id of the units: to use it as a variable, give a copy of it another name."
        raise DataError(f"{source} has no level-{level} column {name!r}{at(where)}. {hint}")

    def _refuse(self, bad: np.ndarray, found: str, what: str, where: str, way_out: str = "") -> None:
        raise DataError(
            f"Level-2 variable {found!r} of {self.sources[1]} {what}{at(where)} in {bad.sum()} of "
            f"{self.n_units} units; {self.id_name}: {some(self.unit_ids[bad])}. A level-2 variable needs one "
            f"value for every unit: complete it, or take these units out of the data{way_out}."
        )

    def suspects(self, names: Iterable[str] | None = None) -> tuple[Suspect, ...]:
        """Find values that look like missing codes, of all variables or of those named, in any case."""
        wanted = None if names is None else {name.lower() for name in names}
        columns = [*self.level1.items(), *((n, v) for n, v in self.level2.items() if n not in self.level1)]
        asked = ((name, values) for name, values in columns if wanted is None or name.lower() in wanted)
        return suspects(asked, self.value_labels)

    def complete_rows(self, names: Iterable[str]) -> tuple[np.ndarray | None, int]:
        """Find the rows that have a value on every one of the level-1 columns `names`, and count the others.

        Gives (N,) bool, or None if every row is complete.
        """
        mask: np.ndarray | None = None
        for name in names:
            found = find_column(name, self.level1, self.sources[0])
            if found is not None and self.level1[found].dtype.kind not in "biuf":
                gone: np.ndarray | None = is_missing(self.level1[found])
            else:
                gone = self._checked(name)[1]
            if gone is not None:
                mask = ~gone if mask is None else mask & ~gone
        return mask, 0 if mask is None else int(mask.size - np.count_nonzero(mask))

    def drop_incomplete(self, names: Iterable[str]) -> Self:
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
        kept = np.unique(self.unit[mask])
        notes = [f"{n_dropped} of {self.n_rows} level-1 rows had missing values and were dropped"]
        if len(kept) < self.n_units:
            lost = np.delete(self.unit_ids, kept)
            notes.append(f"Units dropped because no level-1 row is complete: {some(lost)}")
        return self._take(mask, kept, notes)

    def counted(self, names: Iterable[str]) -> Self:
        """Return one row of those of a unit that agree in all of ``names``, with a column that counts them.

        Other level-1 columns go. Raise DataError for a name that the data have not.
        """
        own = [name for name in dict.fromkeys(map(self.find, names)) if name in self.level1]
        kind = self.unit
        for name in own:
            values = self.level1[name]
            numbers = values if values.dtype.kind in "biuf" else _codes(values)
            _, code = np.unique(numbers, return_inverse=True)  # missing values are equal
            _, kind = np.unique(kind * (code.max() + 1) + code, return_inverse=True)
        times = None if self.frequency is None else self.level1_column(self.frequency)
        number, first = np.bincount(kind, times), np.unique(kind, return_index=True)[1]
        keep = np.zeros(self.n_rows, dtype=bool)
        keep[first] = True
        name = unique_name("count", own)
        columns = {each: self.level1[each][keep] for each in own}
        columns[name] = number[kind[keep]].astype(float)
        kept = self._take(keep, np.arange(self.n_units))
        return replace(kept, level1=_read_only(columns), frequency=name)

    def _take(self, rows: np.ndarray, units: np.ndarray, notes: Iterable[str] = ()) -> Self:
        """Return some rows, (N,) bool, and the units they are of, their places ascending, with more notes."""
        place = np.zeros(self.n_units, dtype=np.intp)
        place[units] = np.arange(len(units))
        return replace(
            self, unit_ids=self.unit_ids[units], unit=place[self.unit[rows]],
            level1=take_rows(self.level1, rows), level2=take_rows(self.level2, units),
            notes=(*self.notes, *notes),
        )  # fmt: skip


def _codes(values: np.ndarray) -> np.ndarray:
    """Number the distinct values of a column that is not numeric; missing ones are nan."""
    code = {value: float(k) for k, value in enumerate(dict.fromkeys(values.tolist()))}
    codes = np.array([code[value] for value in values.tolist()])
    codes[is_missing(values)] = np.nan
    return codes


def _in_words(column: UnitColumn, values: np.ndarray) -> UnitColumn:
    """Give the texts that `_codes` numbered."""
    texts = np.array([*dict.fromkeys(values.tolist()), None], dtype=object)
    place = np.where(np.isnan(column.values), len(texts) - 1, column.values)
    return replace(column, values=texts[place.astype(np.intp)])
