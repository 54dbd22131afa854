"""Moments of data that no memory holds: one group-by aggregation, run by an engine that exists.

The aggregation is written once, in narwhals, and run by DuckDB or Polars on files larger than memory,
or by Dask or Spark on a cluster. Only J small matrices come back.

Rounding. The engines sum x - c and (x - c)(y - c), c a constant near the column's mean (the mean of the
first rows), so a large level of the data costs no digits. Where the units' own levels are far apart
compared with the spread inside them, a second aggregation takes every value relative to its unit's
mean; `LARGEST_OFFSET` says where that begins. So estimates agree with those from rows to 1e-9.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..arguments import in_words, one_or_several
from ..data.columns import find_column, spellings, suggest
from ..data.missing import codes_of
from ..data.read_options import EVERY, Codes, ReadOptions, read_options
from ..data.two_level import TwoLevelData, id_names, read
from ..data.units import index_rows
from ..equations.model import TwoLevelModel
from ..equations.outcome_law import check_normal
from ..errors import DataError
from ..terms.expand import expanded
from ..terms.named import named
from ..words import some
from .accumulate import Sums, about_means, combine
from .engine_level2 import DIFFERS, join_level2, level2_values, refuse_level2
from .engine_sources import engine_errors, open_source
from .record import Moments, moments_of

LARGEST_OFFSET = 1e3  # squared distance of a unit's mean from c, in units of the variance inside units
SAMPLE = 1000  # rows whose mean is c


@in_words
def moments(
    source: Any, level2_source: Any = None, *, id: str | tuple[str, str] | None = None,
    model: TwoLevelModel | None = None, columns: str | Sequence[str] | None = None,
    level2: str | Sequence[str] | None = None, engine: str | None = None, **how: Any,
) -> Moments:  # fmt: skip
    """Take the moments of rows: of a frame, of a file, or of files larger than memory.

    Parameters
    ----------
    source : path or paths, or frame
        Parquet or CSV files (`"data/*.parquet"`), a DuckDB relation, a Polars (lazy) frame, a Dask or
        Spark data frame; or anything `read` reads.
    level2_source : the same as `read` reads, optional
        One record a unit. Without it level-2 variables are columns of ``source`` that are constant
        inside every unit.
    id : str or (str, str), optional
        Name of the id column, or its names in ``source`` and ``level2_source``; by default that of the
        model's formula, else "id".
    model : TwoLevelModel, optional
        Take the columns this model needs.
    columns : str or sequence of str, optional
        Level-1 columns, the outcome among them; more than ``model`` needs, or instead of it.
    level2 : str or sequence of str, optional
        Level-2 variables, likewise.
    engine : "duckdb", "polars", "dask" or "spark", optional
        What reads files. By default DuckDB or Polars, whichever is installed, reads Parquet files and
        lists of files, and `read` everything else. A lazy frame is run by its own engine.
    **how
        As for `read`: decimal, missing, level2_missing; thousands, percent and sheet where no engine reads.
        Engines take the decimal point unless ``decimal`` says the comma; their columns are then parted by
        semicolons. Spark knows none but the point.

    Returns
    -------
    Moments

    Raises
    ------
    DataError
        A file that cannot be read, an unknown or non-numeric column, a missing id, infinite values, or a
        level-2 variable that is missing or varies inside a unit.

    Examples
    --------
    >>> moments = hlm.moments("rows/*.parquet", "schools.parquet", id="school", model=model)
    >>> model.fit(moments)
    """
    if model is None and not columns:
        raise DataError("which columns? Give model=, or columns=[...] with the outcome among them")
    if model is not None:
        check_normal(model.outcome, model.outcome_law, "what moments hold")
    if isinstance(source, TwoLevelData):
        given = [
            f"{name}=" for name, value in {"level2_source": level2_source, "id": id, **how}.items() if value
        ]
        if given:
            raise DataError(
                "these data have been read already, with their id and level-2 variables: leave "
                f"{', '.join(given)} out, or give moments() the files"
            )
        return _of_rows(source, model, columns, level2)
    options = read_options(**how)
    id = id or (model and model.group) or "id"
    frame = open_source(source, engine, id_names(id)[0], options.decimal)
    if frame is None:
        return _of_rows(read(source, level2_source, id=id, **how), model, columns, level2)
    id1, id2 = id_names(id)
    schema = list(frame.collect_schema())
    found = model and named(model, schema, None)[0]  # an engine makes no terms: they are columns
    level1, second = _wanted(found, columns, level2)
    refuse_for_engine(options, [*schema, *second])
    with engine_errors(source):
        if level2_source is None:
            return aggregate(frame, id1, level1, second, options)
        return join_level2(
            aggregate(frame, id1, level1, (), options), level2_source, (id1, id2), second, options
        )


def refuse_for_engine(options: ReadOptions, names: Sequence[str]) -> None:
    """Refuse what an engine cannot do, and missing codes of what is not among ``names``."""
    for name in options.missing[0]:
        if name != EVERY and name not in {known.lower() for known in names}:
            raise DataError(f"missing= names {name!r}, which no column is called. {suggest(name, names)}")
    if options.thousands or options.percent or options.sheet != (None, None):
        raise DataError(
            "an engine takes numbers as the files have them: thousands=, percent= and sheet= are for one "
            "file that hlmbayes.read reads. Convert the files, or take moments of what it gives"
        )


def _of_rows(
    data: TwoLevelData, model: TwoLevelModel | None, columns: str | Sequence[str] | None,
    level2: str | Sequence[str] | None,
) -> Moments:  # fmt: skip
    """Take the moments of rows in memory, the columns of a model's terms made."""
    if data.frequency is not None:
        raise DataError(f"these rows are counted by {data.frequency!r}: fit them, they need no moments")
    if model is not None:
        model, data, _ = expanded(model, data)
    level1, second = _wanted(model, columns, level2)
    return moments_of(data.with_level2(second), level1, level2=second)


def _wanted(
    model: TwoLevelModel | None, columns: str | Sequence[str] | None, level2: str | Sequence[str] | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """List the names of level 1 and level 2 that are to be taken along."""
    needed = (model.outcome, *model.level1_variables) if model else ()
    return _names(columns, needed), _names(level2, _level2_of(model) if model else ())


def _level2_of(model: TwoLevelModel) -> list[str]:
    """List the level-2 variables of a model; those of log(sigma2) must be of level 2 for moments to do."""
    return [*(name for gamma in model.gammas for name in gamma.predictor.names), *model.variance_variables]


def _names(asked: str | Sequence[str] | None, needed: Sequence[str]) -> tuple[str, ...]:
    """List the names once each, in any case, in order."""
    names: dict[str, str] = {}
    for name in [*needed, *one_or_several(asked or ())]:
        names.setdefault(name.lower(), name)
    return tuple(names.values())


def aggregate(
    frame: Any, id_name: str, level1: Sequence[str], level2: Sequence[str], options: ReadOptions
) -> Moments:
    """Take the moments of a narwhals lazy frame; level-2 columns are constant inside every unit."""
    spelled = spellings(frame.collect_schema().names())
    frame = frame.rename({old: new for new, old in spelled.items() if old != new})
    schema = frame.collect_schema()
    key = _find(id_name, schema)
    names, constant = [_numeric(n, schema) for n in level1], [_numeric(n, schema) for n in level2]
    frame = _prepare(frame, key, names, constant, schema, options.missing[0])
    center = _sample_means(frame, len(names))
    sums = _collect(_sums(frame, center, len(names), len(constant)))
    keys = _keys(sums, key)
    p, n = len(names), sums["n"]
    if not n.any():
        raise DataError(f"no row has values on all of {', '.join(names)}: nothing is left to analyse")
    values, kept, notes = level2_values(sums, constant, keys, key, options)
    with np.errstate(invalid="ignore"):  # infinite values are refused next
        mean, sscp = _means(sums, center, p)
    _refuse_infinite(names, mean, sscp)
    if _far_apart(n, mean, sscp, center):
        mean, sscp = _about_unit_means(frame, sums, mean, p)
    present = (n > 0) & kept
    index, unit_ids = index_rows(keys[present], key, "the data")
    taken = combine(index, len(unit_ids), n[present], n[present], mean[present], sscp[present])
    of_units = {}
    for name, column in values.items():
        of_units[name] = np.empty(len(unit_ids))
        of_units[name][index] = column[present]
        refuse_level2(of_units[name][index] != column[present], DIFFERS, name, keys[present])
    if (empty := kept & (n == 0)).any():
        notes += (f"{empty.sum()} units have no complete level-1 record: {some(keys[empty])}",)
    if options.missing[0]:
        codes = dict.fromkeys(code for own in options.missing[0].values() for code in own)
        notes += (
            f"missing codes, as missing= says: {some(f'{c:g}' for c in codes if isinstance(c, float))}",
        )
    lost = int((sums["n_all"] - n)[kept].sum())
    return Moments(key, unit_ids, tuple(names), *taken, of_units, lost, notes)


# --- what the engine runs --------------------------------------------------------------------------


def _find(name: str, schema: Mapping[str, Any]) -> str:
    found = find_column(name, schema, "the data")
    if found is None:
        raise DataError(f"The data have no column {name!r}. {suggest(name, schema)}")
    return found


def _numeric(name: str, schema: Mapping[str, Any]) -> str:
    import narwhals as nw

    found = _find(name, schema)
    kind = schema[found]
    if not (kind.is_numeric() or kind == nw.Boolean):
        raise DataError(
            f"Column {found!r} of the data is not numeric: it holds {kind}. Recode it to numbers; missing "
            "values must be null or nan."
        )
    return found


def _prepare(
    frame: Any,
    key: str,
    names: Sequence[str],
    constant: Sequence[str],
    schema: Mapping[str, Any],
    codes: Codes,
) -> Any:
    """Keep the id (key), columns as x0, x1, ... and w0, ... in double precision, nan and codes as null."""
    import narwhals as nw

    def number(name: str, new: str) -> Any:
        column = nw.col(name).cast(nw.Float64)
        if schema[name].is_float():
            # not is_nan: DuckDB takes it for false where a Parquet file's statistics name no nan (none do)
            finite, infinite = nw.col(name) - nw.col(name) == 0.0, nw.col(name).abs() == float("inf")
            column = nw.when(finite | infinite).then(column)
        if own := [code for code in codes_of(name, codes) if isinstance(code, float)]:
            column = nw.when(~column.is_in(own)).then(column)
        return column.alias(new)

    return frame.select(
        nw.col(key).alias("key"),
        *(number(name, f"x{k}") for k, name in enumerate(names)),
        *(number(name, f"w{k}") for k, name in enumerate(constant)),
    )


def _sample_means(frame: Any, p: int) -> np.ndarray:
    """Give the means of the first rows: constants near the columns' means, nothing more."""
    import narwhals as nw

    first = _collect(frame.head(SAMPLE).select(*(nw.col(f"x{k}") for k in range(p))))
    center = np.zeros(p)
    for k in range(p):
        values = first[f"x{k}"]
        values = values[np.isfinite(values)]
        center[k] = values.mean() if len(values) else 0.0
    return center


def _sums(frame: Any, center: np.ndarray, p: int, n_level2: int, same: Sequence[str] = ()) -> Any:
    """Group by unit: rows, complete rows, sums and products about c, and what level-2 columns hold.

    ``same`` are columns with one value a unit that is to come back.
    """
    import narwhals as nw

    complete = nw.all_horizontal(*(~nw.col(f"x{k}").is_null() for k in range(p)), ignore_nulls=True)
    frame = frame.with_columns(complete.alias("complete"))
    kept = nw.col("complete")
    frame = frame.with_columns(
        kept.cast(nw.Float64).alias("n"),
        nw.lit(1.0).alias("n_all"),
        *(
            nw.when(kept).then(nw.col(f"x{k}") - float(center[k])).otherwise(0.0).alias(f"d{k}")
            for k in range(p)
        ),
        *(nw.col(f"w{k}").is_null().cast(nw.Float64).alias(f"gone{k}") for k in range(n_level2)),
    )
    frame = frame.with_columns(
        (nw.col(f"d{a}") * nw.col(f"d{b}")).alias(f"d{a}_{b}") for a in range(p) for b in range(a + 1)
    )
    products = [f"d{a}_{b}" for a in range(p) for b in range(a + 1)]
    summed = ["n", "n_all", *(f"d{k}" for k in range(p)), *products, *(f"gone{k}" for k in range(n_level2))]
    return frame.group_by("key").agg(
        *(nw.col(name).sum() for name in summed),
        *(nw.col(f"w{k}").min().alias(f"low{k}") for k in range(n_level2)),
        *(nw.col(f"w{k}").max().alias(f"high{k}") for k in range(n_level2)),
        *(nw.col(name).min() for name in same),
    )


def _collect(lazy: Any) -> dict[str, np.ndarray]:
    """Run it and give the columns as arrays, nulls as nan."""
    import narwhals as nw

    polars = lazy.implementation is nw.Implementation.POLARS
    result = lazy.collect(**({"engine": "streaming"} if polars else {}))
    return {name: _array(result[name]) for name in result.columns}


def _array(column: Any) -> np.ndarray:
    import narwhals as nw

    if column.dtype.is_numeric() and column.dtype not in (nw.Int128, nw.UInt128):  # which NumPy has not
        return np.asarray(column.to_numpy())
    values = np.empty(len(column), dtype=object)
    values[:] = column.to_list()
    return values


# --- from sums to moments --------------------------------------------------------------------------


def _keys(sums: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    """Give the ids, one a group; refuse a group without an id."""
    keys = sums["key"]
    gone = np.array([key is None or key != key for key in keys.tolist()])
    if gone.any():
        rows = int(sums["n_all"][gone].sum())
        raise DataError(
            f"The id {name!r} of the data is missing in {rows} rows. Give them their unit or delete them."
        )
    return keys


def _means(sums: Mapping[str, np.ndarray], center: np.ndarray, p: int) -> tuple[np.ndarray, np.ndarray]:
    """Turn sums about c into means (J, p) and products about the units' means (J, p, p)."""
    n = sums["n"]
    first, second = np.stack([sums[f"d{k}"] for k in range(p)]), np.empty((p, p, len(n)))
    for a in range(p):
        for b in range(a + 1):
            second[a, b] = sums[f"d{a}_{b}"]
    return about_means(Sums(n, n, n > 0, center[:, None], first, second))


def _refuse_infinite(names: Sequence[str], mean: np.ndarray, sscp: np.ndarray) -> None:
    for k, name in enumerate(names):
        if not (np.isfinite(mean[:, k]).all() and np.isfinite(sscp[:, k, k]).all()):
            raise DataError(
                f"Column {name!r} of the data has infinite values, or values whose squares are. "
                "Correct them or set them to missing."
            )


def _far_apart(n: np.ndarray, mean: np.ndarray, sscp: np.ndarray, center: np.ndarray) -> bool:
    """Say whether some column's units are so far from c that their inner products have lost digits."""
    return bool(np.any(n @ (mean - center) ** 2 > LARGEST_OFFSET * np.einsum("jkk->k", sscp)))


def _about_unit_means(
    frame: Any, sums: Mapping[str, np.ndarray], mean: np.ndarray, p: int
) -> tuple[np.ndarray, np.ndarray]:
    """Aggregate again, values relative to the means of their unit; give means and products."""
    import narwhals as nw

    means = frame.drop_nulls(subset=[f"x{k}" for k in range(p)]).group_by("key").agg(
        *(nw.col(f"x{k}").mean().alias(f"m{k}") for k in range(p))
    )  # fmt: skip
    joined = frame.join(means, on="key", how="inner")
    joined = joined.with_columns((nw.col(f"x{k}") - nw.col(f"m{k}")).alias(f"x{k}") for k in range(p))
    again = _collect(_sums(joined, np.zeros(p), p, 0, [f"m{k}" for k in range(p)]))
    offset, products = _means(again, np.zeros(p), p)
    # both results list units in an order of the engine's own
    _, index = np.unique(np.concatenate([again["key"], sums["key"]]), return_inverse=True)
    place = np.full(len(index), -1)
    place[index[: len(again["key"])]] = np.arange(len(again["key"]))
    rows = place[index[len(again["key"]) :]]
    own = np.stack([again[f"m{k}"] for k in range(p)], axis=1) + offset
    return np.where(rows[:, None] < 0, mean, own[rows]), products[rows]
