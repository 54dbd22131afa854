"""Two-level data: level-1 rows joined to level-2 units, in any order, without sorting a row.

`read` takes one source (level-2 variables repeated on every row) or two, and returns a frozen
`TwoLevelData`. Columns stay as they were read until a model asks for them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from .. import notebook
from ..arguments import in_words
from ..errors import DataError, warn
from ..words import composed
from .blank_rows import without_blank_rows
from .columns import find_column, suggest
from .describe import Description, describe
from .joined import same_numbers, warn_of_imputed, warn_of_sums
from .mdm import AGAIN, is_mdm, read_mdm
from .missing import as_asked, codes_note
from .paths import given_path
from .read_options import EVERY, ReadOptions, read_options
from .reading import read_table
from .rows import NOTHING, Rows
from .suspects import sentence
from .table import Columns, Table, take_rows
from .units import Ids, index_rows, match_units
from .weights import Weights
from .wide import looks_wide

__all__ = ["TwoLevelData", "read"]


MOST_DESCRIBED = 20_000_000  # values, beyond which a notebook does not wait for their description


class TwoLevelData(Rows):
    """Rows in units, as `read` gives them."""

    def describe(self, weights: Weights | None = None) -> Description:
        """Return the descriptive statistics HLM prints when it makes an MDM file; print it to see them.

        With ``weights`` means and standard deviations are weighted.
        """
        return describe(self, weights)

    def _repr_html_(self) -> str:
        if self.n_rows * (len(self.level1) + len(self.level2)) > MOST_DESCRIBED:
            return notebook.shown(notebook.sentences(repr(self)))
        return self.describe()._repr_html_()


@in_words
def read(
    level1: Any, level2: Any = None, *, id: str | tuple[str, str] = "id", decimal: str | None = None,
    thousands: str | None = None, percent: bool = False, missing: Any = None, sheet: Any = None,
    level2_missing: Literal["refuse", "drop"] = "refuse",
) -> TwoLevelData:  # fmt: skip
    """Read level-1 rows and level-2 records.

    Parameters
    ----------
    level1 : path, data frame or dict of arrays
        .sav .zsav .por .dta .sas7bdat .xpt .csv .tsv .parquet .xlsx .xls .ods; pandas, polars or pyarrow.
        Rows in any order. HLM's .mdm, which holds both levels: `level2` is None then, and `id` only gives
        the units a name.
    level2 : the same, optional
        One record a unit.  None, or the same file again: level-2 variables are columns of
        `level1` that are constant inside each unit.
    id : str or (str, str)
        Name of the id column, in any case; two names if the sources call it differently.
    decimal : "." or ",", optional
        Decimal mark of numbers that are text (.csv, .tsv, text in sheets); by default it is judged by the
        columns.
    thousands : "," "." "'" or " ", optional
        What parts thousands in numbers that are text: with "," 1,234 is 1234.
    percent : bool
        Read 45 % as 45.
    missing : number, text, list of them, or mapping of variable to them, optional
        Missing codes: [-99, -9], or {"ses": [-99]}; "*" in a mapping is all variables. Ids keep their values
        unless they are named.
    sheet : str, int or (level 1, level 2), optional
        Sheet of an Excel or .ods file, by name or number from 1; by default the first with something in it.
        Two sheets of one file are level 1 and level 2.
    level2_missing : "refuse" or "drop"
        What happens to units without a value of a level-2 variable that a model uses: an error names them, or
        they are left out, and the notes say how many.

    Returns
    -------
    TwoLevelData

    Raises
    ------
    DataError
        File or id column not found, ids missing, an id without a level-2 record, a duplicate
        level-2 record, fewer than two units.

    Warns
    -----
    HLMWarning
        Values that look like missing codes and are taken for numbers.
    """
    options = read_options(
        decimal=decimal, thousands=thousands, percent=percent, missing=missing, sheet=sheet,
        level2_missing=level2_missing,
    )  # fmt: skip
    data = load(level1, level2, id=id, options=options)
    if found := data.suspects():
        warn(sentence(found))
    return data


def load(
    level1: Any, level2: Any = None, *, id: str | tuple[str, str] = "id", options: ReadOptions | None = None
) -> TwoLevelData:
    """Read as `read`, and warn of no values that look like missing codes."""
    options = options or ReadOptions()
    id1, id2 = id_names(id)
    if is_mdm(level1):
        return _of_mdm(given_path(level1), level2, id1, options)
    if level2 is None and options.two_sheets:
        level2 = level1
    first = read_table(level1, "the level-1 data" if level2 is not None else "the data", options)
    id1 = _id_column(id1, first, level1)
    if level2 is None or (same_source(level1, level2) and not options.two_sheets):
        return join(first, id1, options=options)
    second = read_table(level2, "the level-2 data", options, 2)
    return join(first, id1, second, _id_column(id2, second, level2), options)


def join(
    first: Table, id1: str, second: Table | None = None, id2: str = "", options: ReadOptions | None = None
) -> TwoLevelData:
    """Join tables by their ids; without a second one both levels are in the first. Raises as `read`."""
    options = options or ReadOptions()
    first, id1, raw = _with_ids(as_asked(first, options, 1), id1)
    rows, ids = index_rows(raw, id1, first.name)
    notes = (*first.notes, *same_numbers(first.name, ids))
    warn_of_sums(first.name, ids, rows)
    warn_of_imputed(first)
    if len(ids) == len(rows) and (wide := looks_wide(first.columns, fewest=3)):
        notes += (f"{first.name} {wide}",)
    if len(ids) < 2:
        raise DataError(
            f"Column {id1!r} of {first.name} is {ids[0]} in every row: there is one unit, and a two-level "
            "model needs several. Give the column that identifies the level-2 units as id= (--id)."
        )
    columns = _without(first.columns, id1)
    if second is None:
        notes += _codes_found([(first, id1)], options)
        names = (first.name, first.name)
        return TwoLevelData(
            id1, ids, rows, columns, NOTHING, *_labels(first), notes, names, True, _categories(first),
            options.level2_missing,
        )  # fmt: skip
    second, id2, raw = _with_ids(as_asked(second, options, 2), id2)
    rows2, ids2 = index_rows(raw, id2, second.name)
    two = second.name if second.name != first.name else f"the level-2 sheet of {second.name}"
    names = (first.name, two)
    record, unmatched = match_units(ids, (rows2, ids2), names)
    notes += (*second.notes, *unmatched, *_codes_found([(first, id1), (second, id2)], options))
    columns2 = take_rows(_without(second.columns, id2), record)
    labels = _labels(first, second)
    return TwoLevelData(
        id1,
        ids,
        rows,
        columns,
        columns2,
        *labels,
        notes,
        names,
        False,
        _categories(first, second),
        options.level2_missing,
    )


def _with_ids(table: Table, id: str) -> tuple[Table, str, Ids]:
    """Give a table without the rows in which nothing stands, the own name of its id, and the ids."""
    name = _id_column(id, table)
    table, ids = without_blank_rows(table, name, table.ids(name))
    return table, name, ids


def _codes_found(tables: Sequence[tuple[Table, str]], options: ReadOptions) -> tuple[str, ...]:
    """Say what the missing codes were; refuse those of a variable that is not there."""
    names = [name for table, _ in tables for name in table.columns]
    known = {name.lower() for name in names}
    for name in dict.fromkeys(key for codes in options.missing for key in codes):
        if name != EVERY and name not in known:
            raise DataError(
                f"missing= (--missing) names {name!r}, which no column is called. {suggest(name, names)}"
            )
    sources = [
        table.before if id.lower() in table.coded else _without(table.before, id) for table, id in tables
    ]
    return codes_note(zip(sources, options.missing, strict=False))


def _of_mdm(path: Path, level2: Any, id_name: str, options: ReadOptions) -> TwoLevelData:
    """Read HLM's own binary file, in which the id has no name."""
    if level2 is not None and not same_source(path, level2):
        raise DataError(f"{path.name} holds both levels; leave the level-2 data out.")
    file = read_mdm(path)
    place, unit_ids = index_rows(file.ids, id_name, path.name)
    if len(unit_ids) < len(place):
        raise DataError(f"{path.name} is damaged: several of its units have the same id. {AGAIN}.")
    if len(unit_ids) < 2:
        raise DataError(f"There is one unit in {path.name}, and a two-level model needs several.")
    for doubt in file.doubts:
        warn(f"{doubt}.")
    first, second = (
        as_asked(Table(path.name, columns, n), options, level)
        for level, columns, n in ((1, file.level1, int(file.n.sum())), (2, file.level2, len(place)))
    )
    columns2 = take_rows(second.columns, np.argsort(place))
    made = f"The data were read from {path.name}, which HLM {file.header.version:g} made"
    notes = (made, *_codes_found([(first, ""), (second, "")], options))
    return TwoLevelData(
        id_name, unit_ids, np.repeat(place, file.n), first.columns, columns2, notes=notes,
        sources=(path.name, path.name), level2_missing=options.level2_missing,
    )  # fmt: skip


def id_names(id: str | tuple[str, str]) -> tuple[str, str]:
    """Give the names of the id column at level 1 and at level 2."""
    if isinstance(id, str):
        return id, id
    if isinstance(id, tuple | list) and len(id) == 2 and all(isinstance(name, str) for name in id):
        return id[0], id[1]
    raise DataError(f"id= wants the name of the id column, or two names (level 1, level 2), got {id!r}")


def _without(columns: Mapping[str, np.ndarray], *names: str) -> Columns:
    return Columns([column for column in columns if column not in names], columns.__getitem__)


def _labels(*tables: Table) -> tuple[Mapping[str, str], Mapping[str, Mapping[Any, str]]]:
    labels: dict[str, str] = {}
    value_labels: dict[str, Mapping[Any, str]] = {}
    for table in reversed(tables):  # level 1 has the last word
        labels.update({composed(name).lower(): label for name, label in table.labels.items()})
        value_labels.update(
            {composed(name).lower(): dict(values) for name, values in table.value_labels.items()}
        )
    return labels, value_labels


def _categories(*tables: Table) -> Mapping[str, tuple[Any, ...]]:
    found: dict[str, tuple[Any, ...]] = {}
    for table in reversed(tables):
        found.update({name.lower(): values for name, values in table.categories.items()})
    return found


def same_source(level1: Any, level2: Any) -> bool:
    """Tell whether two sources of data are one."""
    if level1 is level2:
        return True
    if not all(isinstance(source, str | os.PathLike) for source in (level1, level2)):
        return False
    one, other = given_path(level1), given_path(level2)
    return os.path.exists(one) and os.path.exists(other) and os.path.samefile(one, other)


def _id_column(name: str, table: Table, source: Any = None) -> str:
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
