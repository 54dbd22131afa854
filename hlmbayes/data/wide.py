"""Files with one row a person: recognised by names such as score1 score2 score3, and made long."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arguments import in_words, one_or_several
from ..errors import DataError
from ..words import some, unique_name
from .categories import is_missing
from .columns import find_column, suggest
from .missing import as_asked
from .read_options import ReadOptions, read_options
from .reading import read_table
from .table import Table

if TYPE_CHECKING:
    import pandas as pd

MARK = r"(?:t|w|s|y|time|wave|session|year|round|grade)"
LAST = re.compile(rf"(?P<stem>.*?[^\W\d].*?)(?:[_. -]{MARK})?[_. -]?(?P<time>\d{{1,4}})", re.IGNORECASE)
FIRST = re.compile(rf"{MARK}(?P<time>\d{{1,4}})[_. -](?P<stem>.*[^\W\d].*)", re.IGNORECASE)
Measures = dict[str, dict[float, str]]  # by the variable's name: its columns by time, ascending


def measures(names: Iterable[str]) -> Measures:
    """Find columns that are one variable at several times: score1 score2, score_t1, t1_score, score2010."""
    found: dict[str, dict[float, str]] = {}
    stems: dict[str, str] = {}
    spelled: dict[str, str] = {}
    for name in names:
        match = FIRST.fullmatch(name) or LAST.fullmatch(name)
        if match is None:
            continue
        around = name[: match.start("time")] + name[match.end("time") :]  # score_1 is not of score1 score2
        key = spelled.setdefault(around.lower(), around)
        stems.setdefault(key, match["stem"])
        found.setdefault(key, {}).setdefault(float(match["time"]), name)
    alone = [stem.lower() for key, stem in stems.items() if len(found[key]) > 1]
    return {
        stems[key] if alone.count(stems[key].lower()) == 1 else key: dict(sorted(own.items()))
        for key, own in found.items()
        if len(own) > 1
    }


def looks_wide(names: Iterable[str], fewest: int = 2) -> str:
    """Say of data with one row a unit that they look like one row a person; nothing if they do not.

    ``fewest`` columns of one variable look so.
    """
    found = {stem: own for stem, own in measures(names).items() if len(own) >= fewest}
    if not found:
        return ""
    stem = max(found, key=lambda name: len(found[name]))
    shown = some(found[stem].values(), 5).replace(", ", " ")
    return f"looks like one row a person: {shown}. hlm.long (hlmbayes long) makes a row of each measurement"


@in_words
def long(
    source: Any,
    variables: str | Sequence[str] | Mapping[str, Sequence[str]] | None = None,
    *,
    times: Sequence[float] | None = None,
    time: str = "time",
    **how: Any,
) -> pd.DataFrame:
    """Turn data with one row a person into data with one row a measurement.

    Parameters
    ----------
    source : path, data frame or dict of arrays
        As for `read`.
    variables : str, sequence or mapping, optional
        What was measured several times: "score" is the columns score1, score2, ... (score_1, score_t1,
        t1_score and score2010 too); a mapping names the columns, {"score": ["pre", "post"]}. By default all
        variables that look so.
    times : sequence of float, optional
        The times of the columns, in their order; by default the numbers in their names, or 1, 2, ...
    time : str
        The name of the column that has the time.
    **how
        As for `read`: missing, sheet, decimal, thousands, percent.

    Returns
    -------
    DataFrame
        Persons in the order of the file, their times ascending; rows without any value are left out. Where
        no other column tells the persons apart, ``person`` counts them.

    Raises
    ------
    DataError
        No such columns, or a name that is taken.
    """
    named = (
        dict.fromkeys(one_or_several(variables or ())) if not isinstance(variables, Mapping) else variables
    )
    return in_long_form(source, named, times, time, read_options(**how)).frame


@dataclass(frozen=True, slots=True, eq=False)
class Long:
    """Data with one row a measurement, and the columns of the wide data they are made of."""

    frame: pd.DataFrame
    measures: Measures
    n_persons: int


def in_long_form(
    source: Any, variables: Mapping[str, Sequence[str] | None], times: Sequence[float] | None, time: str,
    options: ReadOptions,
) -> Long:  # fmt: skip
    """Do what `long` does; the columns of a variable are None where its name tells them."""
    import pandas as pd

    table = as_asked(read_table(source, "the data", options), options, 1)
    found = _chosen(table, variables, times)
    taken = {column for own in found.values() for column in own.values()}
    others = [name for name in table.columns if name not in taken]
    _refuse_taken([time, *found], others, table.name)
    moments = sorted({t for own in found.values() for t in own})
    kept, columns = _stacked(table, found, moments)
    row = np.repeat(np.arange(table.n_rows), len(moments))[kept]
    made: dict[str, Any] = {name: np.asarray(table.columns[name])[row] for name in others}
    if not any(_tells_apart(table.columns[name]) for name in others):
        made = {unique_name("person", [*others, *found, time], 99): row + 1, **made}
    at = np.tile(moments, table.n_rows)[kept]
    made[time] = at.astype(np.int64) if np.all(at == np.floor(at)) else at
    frame = pd.DataFrame(made | columns)
    frame.attrs["labels"] = {name: table.labels[name] for name in others if name in table.labels}
    return Long(frame, found, len(np.unique(row)))


def _chosen(
    table: Table, variables: Mapping[str, Sequence[str] | None], times: Sequence[float] | None
) -> Measures:
    """Give the columns of each variable by time; refuse those that are not there."""
    known = measures(table.columns)
    if not variables and not known:
        raise DataError(
            f"no columns of {table.name} look like one variable at several times, score1 score2: name them, "
            'hlm.long(data, {"score": ["pre", "post"]}) (hlmbayes long --variable score=pre,post). '
            f"Its columns are: {some(table.columns, 20)}."
        )
    found: Measures = {}
    for name, listed in (variables or dict.fromkeys(known)).items():
        if listed is None:
            stem = find_column(name, known, table.name)
            if stem is None:
                raise DataError(
                    f"{table.name} has no columns {name}1, {name}2, ...; those that look so are of: "
                    f'{some(known)}. Name them: {{"{name}": ["pre", "post"]}} (--variable {name}=pre,post)'
                )
            columns, own = list(known[stem].values()), list(known[stem])
        else:
            stem, columns = name, [_column(table, column) for column in one_or_several(listed)]
            own = [float(k) for k in range(1, len(columns) + 1)]
        found[stem] = dict(zip(_times(times, columns) or own, columns, strict=True))
    _refuse_twice([column for own in found.values() for column in own.values()])
    return found


def _refuse_twice(columns: Sequence[str]) -> None:
    if twice := sorted({column for column in columns if columns.count(column) > 1}):
        raise DataError(f"{some(twice)} is named twice: a column is one variable at one time")


def _times(times: Sequence[float] | None, columns: Sequence[str]) -> list[float] | None:
    if times is None:
        return None
    if len(set(times)) != len(columns):
        raise DataError(
            f"times= has {len(set(times))} different times for {len(columns)} columns: {some(columns)}"
        )
    return list(map(float, times))


def _column(table: Table, name: str) -> str:
    found = find_column(name, table.columns, table.name)
    if found is None:
        raise DataError(f"{table.name} has no column {name!r}. {suggest(name, table.columns)}")
    return found


def _refuse_taken(new: Sequence[str], others: Sequence[str], source: str) -> None:
    for name in new:
        if find_column(name, others, source) is not None or [n.lower() for n in new].count(name.lower()) > 1:
            raise DataError(
                f"{source} has a column {name!r} beside those that become it: rename it, or say time= "
                "(--time)"
            )


def _stacked(
    table: Table, found: Measures, times: Sequence[float]
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Give the rows that have a value, (n_rows x times,) bool, and the variables on them."""
    columns: dict[str, np.ndarray] = {}
    kept = np.zeros(table.n_rows * len(times), dtype=bool)
    for name, own in found.items():
        parts = [table.columns[own[t]] if t in own else None for t in times]
        numbers = all(part is None or part.dtype.kind in "biuf" for part in parts)
        stacked = np.full(
            (table.n_rows, len(times)), np.nan if numbers else None, dtype=float if numbers else object
        )
        for k, part in enumerate(parts):
            if part is not None:
                stacked[:, k] = part
        columns[name] = stacked.ravel()
        kept |= ~is_missing(columns[name])
    return kept, {name: values[kept] for name, values in columns.items()}


def _tells_apart(values: np.ndarray) -> bool:
    """Say whether every row has a value of its own, whole or text."""
    whole = values.dtype.kind in "iuO" or (values.dtype.kind == "f" and np.all(values == np.floor(values)))
    return bool(whole) and len(set(values.tolist())) == len(values)
