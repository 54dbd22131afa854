"""Reading imputed data: one source for each data set, or one in which a column numbers them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..arguments import in_words
from ..errors import DataError, HLMError, warn
from ..words import some
from .blank_rows import without_blank_rows
from .categories import is_missing
from .columns import find_column
from .missing import as_asked
from .read_options import ReadOptions, read_options
from .reading import read_table
from .suspects import sentence
from .table import Table, take_rows
from .two_level import TwoLevelData, id_names, load, same_source


@in_words
def read_imputed(
    level1: Any, level2: Any = None, *, id: str | tuple[str, str] = "id", by: str | None = None, **how: Any
) -> tuple[TwoLevelData, ...]:
    """Read imputed data: one source for each data set, or one in which a column numbers them.

    Parameters
    ----------
    level1 : list of sources, or one source with ``by``
        Sources are what `hlmbayes.read` takes: paths, data frames, dicts of arrays.
    level2 : source, list of sources, optional
        One for all data sets, one for each, or with ``by`` one that has that column too.
    id : str
    by : str, optional
        Column that numbers the data sets. Number 0 is left out where it misses values that the others have:
        SPSS, Stata and mice store the original data under it.
    **how
        As `hlmbayes.read`: decimal, thousands, percent, missing, sheet, level2_missing.

    Raises
    ------
    DataError
        Fewer than two data sets, one of them twice, parts of them only, or as `hlmbayes.read`, naming the
        data set.
    """
    return load_imputed(level1, level2, id=id, by=by, options=read_options(**how))


def load_imputed(
    level1: Any, level2: Any, *, id: str | tuple[str, str], by: str | None, options: ReadOptions
) -> tuple[TwoLevelData, ...]:
    """Read as `read_imputed`, with options that are read already."""
    if by is None:
        if not isinstance(level1, list | tuple):
            raise DataError(
                "imputed data are a list of sources, one for each data set, or one source and by=, the "
                f"column that numbers them; got one {type(level1).__name__} without by="
            )
        refuse_twice(level1)
        firsts = {str(k): source for k, source in enumerate(level1, 1)}
        listed = isinstance(level2, list | tuple)
        if listed and len(level2) != len(level1):
            raise DataError(
                f"got {len(level1)} level-1 sources and {len(level2)} level-2 sources: one each, please"
            )
        seconds = {k: level2[i] if listed else level2 for i, k in enumerate(firsts)}
    else:
        id1, id2 = id_names(id)
        firsts = _split(level1, by, "the imputed data", id1, options, 1)
        if not firsts:
            names = ", ".join(read_table(level1, "the imputed data", options).columns)
            raise DataError(f"the data have no column {by!r} that numbers the data sets: {names}")
        if level2 is not None and (second := _split(level2, by, "the level-2 data", id2, options, 2)):
            missing = [k for k in firsts if k not in second]
            if missing == ["0"]:  # the original level-2 data have missing values
                del firsts["0"]
            elif missing:
                raise DataError(f"the level-2 data have no records with {by} = {', '.join(missing)}")
            seconds = {k: second[k] for k in firsts}
        else:
            seconds = dict.fromkeys(firsts, level2)
    sets = tuple(named(k, lambda k=k: load(firsts[k], seconds[k], id=id, options=options)) for k in firsts)
    check_same(sets)
    found = (suspect for data in sets for suspect in data.suspects())
    if once := {(suspect.name, suspect.code): suspect for suspect in found}:
        warn(sentence(once.values()))
    return sets


def _split(source: Any, by: str, what: str, id: str, options: ReadOptions, level: int) -> dict[str, Table]:
    """Divide a stacked source by the column that numbers the data sets; nothing where there is none."""
    table = read_table(source, what, options, level)
    found = find_column(by, table.columns, table.name)
    if found is None:
        return {}
    key = find_column(id, table.columns, table.name)
    ids = None if key is None else table.ids(key)  # as they are written, or as precise as they are kept
    if key is not None and ids is not None:
        every = {key: ids[1][ids[0]] if isinstance(ids, tuple) else ids}
        table = replace(table, columns={**table.columns, **every}, encode=None, written=None)
    table, _ = without_blank_rows(table, found, table.columns[found])
    numbers = table.columns[found]
    if (gone := is_missing(numbers)).any():
        raise DataError(f"column {found!r}, which numbers the data sets, is missing on {gone.sum()} rows")
    names = [name for name in table.columns if name != found]
    rows = {
        f"{value:g}" if isinstance(value, np.floating) else str(value): numbers == value
        for value in np.unique(numbers)
    }
    if "0" in rows and _misses_more(as_asked(table, options, level), names, rows["0"]):
        _refuse_parts(table.name, found, {label: int(here.sum()) for label, here in rows.items()})
        del rows["0"]
        original = f"{found} 0 of {table.name}, the original data with its missing values, was left out"
        table = replace(table, notes=(*table.notes, original))
    return {label: _rows(table, names, here) for label, here in rows.items()}


def _misses_more(table: Table, names: Sequence[str], here: np.ndarray) -> bool:
    """Say whether some rows, (n_rows,) bool, miss more values of a column, as a share, than the others."""
    gone = (is_missing(table.columns[name]) for name in names)
    return not here.all() and any(each[here].mean() > each[~here].mean() for each in gone)


def _refuse_parts(source: str, by: str, n_rows: Mapping[str, int]) -> None:
    """Refuse imputed data sets of incomplete rows alone, as Stata's mlong has them."""
    if parts := [label for label, n in n_rows.items() if n < n_rows["0"]]:
        raise DataError(
            f"in {source} {by} 0, the original data, has {n_rows['0']} rows, and {by} {parts[0]} only "
            f"{n_rows[parts[0]]}: data sets must be whole. In Stata: mi convert flong, then save again"
        )


def _rows(table: Table, names: Sequence[str], here: np.ndarray) -> Table:
    """Give some rows of some columns of a table."""
    columns = take_rows(table.columns, here)
    return replace(table, columns={name: columns[name] for name in names}, n_rows=int(here.sum()))


def named(name: str, make: Any) -> Any:
    """Call, and let errors say in which data set."""
    try:
        return make()
    except HLMError as error:
        raise type(error)(f"imputed data set {name}: {error}") from error


def refuse_twice(sources: Sequence[Any]) -> None:
    """Raise DataError where two of several sources of imputed data are one."""
    for k, source in enumerate(sources):
        if any(same_source(source, other) for other in sources[:k]):
            name = Path(source).name if isinstance(source, str | os.PathLike) else f"number {k + 1}"
            raise DataError(f"imputed data set {name} is there twice. Name each once: copies feign certainty")


def check_same(sets: Sequence[TwoLevelData]) -> None:
    """Raise DataError unless imputed data sets have the same variables, units and rows of each unit."""
    if len(sets) < 2:
        raise DataError(f"got {len(sets)} data set: multiple imputation needs at least two")
    others = [type(data).__name__ for data in sets if not isinstance(data, TwoLevelData)]
    if others:
        raise DataError(
            f"imputed data sets are what hlmbayes.read gives, got {others[0]}: hlmbayes.read_imputed reads "
            "several at once"
        )
    first = sets[0]
    names = {name.lower() for name in (*first.level1, *first.level2)}
    rows = np.bincount(first.unit, minlength=first.n_units)
    for k, other in enumerate(sets[1:], 2):
        theirs = {name.lower() for name in (*other.level1, *other.level2)}
        if theirs != names:
            only = ", ".join(sorted(names - theirs)) or "none"
            raise DataError(
                f"imputed data sets 1 and {k} have different variables; only in 1: {only}; only in {k}: "
                f"{', '.join(sorted(theirs - names)) or 'none'}"
            )
        if not np.array_equal(first.unit_ids, other.unit_ids):
            mine, theirs_ids = first.unit_ids.tolist(), other.unit_ids.tolist()
            if isinstance(mine[0], str) != isinstance(theirs_ids[0], str):
                raise DataError(
                    f"{first.id_name} is text in one of the imputed data sets 1 and {k}, and numbers in the "
                    f"other ({mine[0]!r} and {theirs_ids[0]!r}): write it alike in all of them"
                )
            odd = sorted(set(mine) ^ set(theirs_ids))
            raise DataError(
                f"imputed data sets 1 and {k} have different units; in one of them only, {first.id_name}: "
                f"{some(odd, 5)}"
            )
        counts = np.bincount(other.unit, minlength=other.n_units)
        if not np.array_equal(rows, counts):
            odd = first.unit_ids[rows != counts]
            raise DataError(
                f"imputed data sets 1 and {k} have different numbers of rows ({first.n_rows} and "
                f"{other.n_rows}) in {first.id_name}: {some(odd, 5)}. Imputed data differ in values only"
            )
