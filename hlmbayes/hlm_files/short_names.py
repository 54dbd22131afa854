"""HLM's short names of variables: it keeps the first eight characters of the names in a data file.

A second and third column that begin alike have seven letters and 0, 1, ... in the order of the file.
An SPSS file has short names of its own, which come first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from ..data.read_options import ReadOptions
from ..data.reading import read_table
from ..data.sav_dictionary import short_names
from ..data.table import Columns, Table
from ..data.two_level import TwoLevelData, join, same_source
from ..errors import warn
from ..words import some

LENGTH = 8


def read_with_short_names(
    files: tuple[Path, Path | None],
    ids: tuple[str, str],
    level1: Iterable[str],
    level2: Iterable[str],
    options: ReadOptions | None = None,
) -> TwoLevelData:
    """Read data files; columns have the names that HLM's files use for them, `notes` say which.

    Parameters
    ----------
    files, ids : of level 1 and of level 2
        No second file, or the same again: both levels are in one.
    level1, level2 : iterable of str
        Names in HLM's files by level.
    options : ReadOptions, optional
        Missing codes are of variables as HLM's files call them.

    Raises
    ------
    DataError
        As `read`.
    """
    one, two = files
    options = options or ReadOptions()
    if two is None and options.two_sheets:
        two = one
    if two is None or (same_source(one, two) and not options.two_sheets):
        first, notes = with_short_names(read_table(one, "the data", options), one, [ids[0], *level1, *level2])
        data = join(first, ids[0], options=options)
    else:
        first, notes = with_short_names(read_table(one, "the data", options), one, [ids[0], *level1])
        second, more = with_short_names(read_table(two, "the data", options, 2), two, [ids[1], *level2])
        data, notes = join(first, ids[0], second, ids[1], options), [*notes, *more]
    return replace(data, notes=(*data.notes, *notes))


def with_short_names(table: Table, file: Path, names: Iterable[str]) -> tuple[Table, list[str]]:
    """Give the table with the ``names`` that are short for one of its columns, and a note on each."""
    known = {column.lower() for column in table.columns}
    own, ruled = short_names(file), hlm_names(table.columns)
    meant: dict[str, str] = {}
    notes = []
    for upper, name in {name.upper(): name for name in names}.items():
        column = own[upper] if own.get(upper) in table.columns else ruled.get(upper)
        if column is None or column in meant.values() or column.lower() == name.lower():
            continue
        if name.lower() in known:
            warn(f"{name} of {table.name} is taken; {column} stands before it, which HLM may call so.")
            continue
        meant[name] = column
        notes.append(f"{name} is {column} of {table.name}: HLM's files shorten names to {LENGTH} characters")
        alike = [other for other in table.columns if other.upper().startswith(upper)]
        if len(alike) > 1 and upper not in own:
            warn(
                f"{name} is taken for {column}, the first of the columns of {table.name} that begin so "
                f"({some(alike)}): HLM shortens names in the order of the file."
            )
    return (_renamed(table, meant) if meant else table), notes


def hlm_names(columns: Iterable[str]) -> dict[str, str]:
    """Give columns of eight characters and more by the names HLM has for them, in capitals."""
    names: dict[str, str] = {}
    count: Counter[str] = Counter()
    for column in columns:
        start = short = column[:LENGTH].upper()
        while len(column) >= LENGTH and short in names:
            number = str(count[start])
            short = start[: LENGTH - len(number)] + number
            count[start] += 1
        if len(column) >= LENGTH:
            names[short] = column
    return names


def _renamed(table: Table, names: Mapping[str, str]) -> Table:
    """Give the table with columns renamed; ``names`` are old by new."""
    new = {old: name for name, old in names.items()}
    origin = {new.get(column, column): column for column in table.columns}
    labels = {new.get(old, old): label for old, label in table.labels.items()}
    values = {new.get(old, old): label for old, label in table.value_labels.items()}
    return replace(
        table, columns=Columns(origin, partial(_by_origin, table.columns.__getitem__, origin)),
        labels=labels, value_labels=values, single=frozenset(new.get(old, old) for old in table.single),
        encode=table.encode and partial(_by_origin, table.encode, origin),
        written=table.written and partial(_by_origin, table.written, origin),
    )  # fmt: skip


def _by_origin[T](find: Callable[[str], T], origin: Mapping[str, str], name: str) -> T:
    return find(origin[name])
