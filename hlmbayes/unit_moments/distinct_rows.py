"""Rows counted: of those that agree in all a model needs, one is kept with how many there are.

Outcomes that are not normal have no moments that would do for them, but equal rows of a unit are one row and
a number. Chunks, files larger than memory and clusters are grouped by the engines that `moments` uses; only
distinct rows come back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from ..arguments import in_words, one_or_several
from ..data.columns import find_column, spellings, suggest
from ..data.read_options import read_options
from ..data.two_level import TwoLevelData, id_names, read
from ..equations.model import TwoLevelModel
from ..equations.parts import unique_names
from ..errors import DataError, warn
from ..words import some, unique_name
from .engine_sources import engine_errors, open_source
from .engines import refuse_for_engine

PAYS = 0.7  # share of distinct rows above which counting saves little
LOOK = 20_000  # rows by which that is judged before an engine gives them all
MOST = 20_000_000  # distinct rows that are held
HELD = 1 << 18  # rows of chunks that are put together at a time


@in_words
def counts(
    source: Any, level2_source: Any = None, *, id: str | tuple[str, str] | None = None,
    model: TwoLevelModel | None = None, columns: str | Sequence[str] | None = None,
    engine: str | None = None, **how: Any,
) -> TwoLevelData:  # fmt: skip
    """Count equal rows: of a frame, of files larger than memory, or of chunks.

    What comes back is fitted as the rows would be: every fit of it takes each row as often as it was there.

    Parameters
    ----------
    source : path or paths, frame, or iterator of frames
        As for `moments`; or chunks, as pandas' read_csv gives them with a chunksize.
    level2_source : the same as `read` reads, optional
        One record a unit. Without it level-2 variables are columns of ``source``.
    id : str or (str, str), optional
        As for `moments`.
    model : TwoLevelModel, optional
        Count rows that agree in the variables of this model.
    columns : str or sequence of str, optional
        In these, the outcome among them; more than ``model`` needs, or instead of it.
    engine : "duckdb", "polars", "dask" or "spark", optional
        As for `moments`.
    **how
        As for `read`.

    Returns
    -------
    TwoLevelData
        Distinct rows; its ``frequency`` names the column that counts them.

    Raises
    ------
    DataError
        As `read` and `moments`; more than 20 million distinct rows.

    Warns
    -----
    HLMWarning
        Rows that nearly all differ.

    Examples
    --------
    >>> counted = hlm.counts("rows/*.parquet", "schools.parquet", id="school", model=model)
    >>> model.fit(counted)
    """
    wanted = unique_names([*(model.variables if model else ()), *one_or_several(columns or ())])
    if not wanted:
        raise DataError("which columns? Give model=, or columns=[...] with the outcome among them")
    if isinstance(source, TwoLevelData):
        return _told(source.counted(wanted), source.n_rows, wanted)
    options = read_options(**how)
    ids = id_names(id or (model and model.group) or "id")
    both = level2_source is not None
    if isinstance(source, Iterator):
        rows, name = _of_chunks(source, (ids[0], *wanted), both)
    else:
        frame = open_source(source, engine, ids[0], options.decimal)
        if frame is None:
            data = read(source, level2_source, id=ids, **how)
            return _told(data.counted(wanted), data.n_rows, wanted)
        refuse_for_engine(options, [*frame.collect_schema(), *wanted])
        with engine_errors(source):
            rows, name = _of_engine(frame, (ids[0], *wanted), both)
    total = int(rows[name].sum())
    data = replace(read(rows.to_native(), level2_source, id=ids, **how), frequency=name)
    return _told(data, total, wanted)


def _told(data: TwoLevelData, total: int, wanted: Sequence[str]) -> TwoLevelData:
    """Say in the notes how many rows were counted, and warn where that saves little."""
    here = [name for name in wanted if find_column(name, data.level1, data.sources[0])]
    if data.n_rows > PAYS * total:
        warn(
            f"{data.n_rows:,} of {total:,} rows differ in {some(here, 10)}: counting them saves little. It "
            "is for variables with few values; round others, or read the rows as they are"
        )
    note = f"{total:,} rows are {data.n_rows:,} distinct ones, counted by {data.frequency}"
    return replace(data, notes=(*data.notes, note))


def _columns(schema: Iterable[str], wanted: Sequence[str], elsewhere: bool) -> list[str]:
    """Find the columns, the id's first; others may be ``elsewhere``, with the level-2 records."""
    names, found = list(schema), list[str]()
    for k, name in enumerate(wanted):
        own = find_column(name, names, "the data")
        if own is None and not (elsewhere and k):
            raise DataError(f"The data have no column {name!r}. {suggest(name, names)}")
        found += [] if own is None or own in found else [own]
    return found


def _of_engine(frame: Any, wanted: Sequence[str], elsewhere: bool) -> tuple[Any, str]:
    """Group a lazy frame; give distinct rows, and the name of the column that counts them."""
    import narwhals as nw

    spelled = spellings(frame.collect_schema().names())
    frame = frame.rename({old: new for new, old in spelled.items() if old != new})
    keys = _columns(frame.collect_schema().names(), wanted, elsewhere)
    name = unique_name("count", keys)
    frame = frame.select(keys).with_columns(nw.lit(1.0).alias(name))
    grouped = _grouped(frame, keys, name)
    first = _grouped(frame.head(LOOK), keys, name).collect()
    if len(first) > PAYS * first[name].sum():
        refuse_too_many(int(grouped.select(nw.len().alias(name)).collect()[name][0]))
    polars = frame.implementation is nw.Implementation.POLARS
    return grouped.collect(**({"engine": "streaming"} if polars else {})), name


def _of_chunks(chunks: Iterator[Any], wanted: Sequence[str], elsewhere: bool) -> tuple[Any, str]:
    """Group chunk after chunk; what is held are distinct rows, and a few chunks' more."""
    import narwhals as nw

    held, waiting, keys, name = list[Any](), 0, list[str](), "count"
    for chunk in chunks:
        try:
            frame = nw.from_native(chunk, eager_only=True)
        except TypeError:
            raise DataError(f"chunks are to be data frames, got {type(chunk).__name__}") from None
        if not keys:
            keys = _columns(frame.columns, wanted, elsewhere)
            name = unique_name("count", keys)
        frame = frame.select(_columns(frame.columns, keys, False)).with_columns(nw.lit(1.0).alias(name))
        held.append(_grouped(frame, keys, name))
        waiting += len(held[-1])
        if waiting > max(HELD, len(held[0])):
            held, waiting = [_grouped(nw.concat(held), keys, name)], 0
            refuse_too_many(len(held[0]))
    if not held:
        raise DataError("there is no chunk: the iterator of data frames is empty, or was used already")
    return _grouped(nw.concat(held), keys, name), name


def _grouped(frame: Any, keys: list[str], name: str) -> Any:
    """Give distinct rows with the sums of their numbers; values that are missing are equal."""
    import narwhals as nw

    return frame.group_by(keys).agg(nw.col(name).sum())


def refuse_too_many(n: int) -> None:
    """Raise where there are more distinct rows than can be held."""
    if n > MOST:
        raise DataError(
            f"{n:,} rows differ, and {MOST:,} distinct ones are held at most: counting is for variables with "
            "few values. Round those with many, or fit a sample of the rows"
        )
