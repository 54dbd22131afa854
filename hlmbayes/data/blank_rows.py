"""Rows in which nothing stands, which spreadsheets leave at the end of a file."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .categories import is_missing
from .table import Table, take_rows
from .units import Ids, missing_ids


def without_blank_rows(table: Table, key: str, values: Ids) -> tuple[Table, Ids]:
    """Return a table and a column of it without the rows in which nothing stands, and a note of how many.

    ``values`` are the column ``key``, as `Table.ids` gives them: other columns are looked at only where it is
    missing. A table without any other row stays as it is.
    """
    gone = missing_ids(values)
    blank = None if gone is None else _blank(table, key, gone)
    if blank is None:
        return table, values
    n = int(np.count_nonzero(blank))
    were = (
        "1 row of {} in which nothing stands was"
        if n == 1
        else f"{n:,} rows of {{}} in which nothing stands were"
    )
    kept = replace(
        table,
        columns=take_rows(table.columns, ~blank),
        raw=None if table.raw is None else take_rows(table.raw, ~blank),
        n_rows=table.n_rows - n,
        notes=(*table.notes, f"{were.format(table.name)} left out"),
    )
    plain = values[1][values[0]] if isinstance(values, tuple) else values
    return kept, plain[~blank]


def _blank(table: Table, key: str, gone: np.ndarray) -> np.ndarray | None:
    """Find the rows, (n_rows,), that have nothing in any column; None if there are none, or only such."""
    rows = np.flatnonzero(gone)
    for name, values in table.columns.items():
        if name != key and len(rows):
            rows = rows[is_missing(values[rows])]
    if not len(rows) or len(rows) == table.n_rows:
        return None
    blank = np.zeros(table.n_rows, dtype=bool)
    blank[rows] = True
    return blank
