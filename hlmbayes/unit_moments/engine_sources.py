"""What `moments` is given -> a lazy frame of an engine, or nothing if it is for `read`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..data.columns import find_column
from ..data.read_options import read_options
from ..errors import DataError, HLMError

PACKAGES = {"duckdb": "duckdb", "polars": "polars", "dask": "dask", "spark": "pyspark"}
PARQUET, CSV = (".parquet", ".pq"), (".csv", ".tsv", ".txt", ".gz")


def open_source(source: Any, engine: str | None, id_name: str, decimal: str | None = None) -> Any:
    """Give a narwhals LazyFrame, or None where the source is in memory or is a file `read` reads."""
    read_options(decimal=decimal)  # refuses what is no decimal mark
    if engine is not None and engine not in PACKAGES:
        raise DataError(f"engine {engine!r} is not known: use one of {', '.join(PACKAGES)}, or leave it out")
    paths = _paths(source)
    if paths is None:
        return _lazy(source)
    many = len(paths) > 1 or any(c in paths[0] for c in "*?[") or os.path.isdir(paths[0])
    if engine is None:
        if not (many or paths[0].lower().endswith(PARQUET)):
            return None
        engine = next((name for name in ("duckdb", "polars") if find_spec(name)), None)
        if engine is None:
            if not many:
                return None
            raise DataError(_install("duckdb", "To read many files"))
    if find_spec(PACKAGES[engine]) is None:
        raise DataError(_install(PACKAGES[engine], f"For engine={engine!r}"))
    with engine_errors(source):
        parquet = _format(paths)
        frame = _narwhals(READERS[engine](paths, parquet, decimal == ",", None)).lazy()
        schema = frame.collect_schema()
        if not (names := schema.names()):
            raise DataError(f"{', '.join(paths)} cannot be read: there is no such file, or no column in it")
        key = None if parquet else find_column(id_name, names, "the data")
        if key is not None and schema[key].is_numeric():
            _refuse_merged(frame, _narwhals(READERS[engine](paths, False, decimal == ",", key)).lazy(), key)
    return frame


def _refuse_merged(numbers: Any, texts: Any, key: str) -> None:
    """Refuse ids of text files that are different texts and one number, 01 and 1: files have no types."""
    import narwhals as nw

    n_numbers, n_texts = (
        int(
            frame.filter(~nw.col(key).is_null())
            .select(nw.col(key).n_unique().alias("n"))
            .lazy()
            .collect()["n"][0]
        )
        for frame in (numbers, texts)
    )
    if n_texts > n_numbers:
        raise DataError(
            f"{n_texts - n_numbers} ids {key!r} are the same number as others that are written otherwise (01 "
            "and 1), or have more digits than the engine's numbers, and it takes them for one. Write them "
            "alike, or as text into Parquet files"
        )


@contextmanager
def engine_errors(source: Any) -> Iterator[None]:
    """Say in words what an engine says in exceptions of its own: of files that cannot be read, say.

    An engine is lazy: it may look for its files when the aggregation runs.
    """
    try:
        yield
    except (HLMError, AssertionError, AttributeError, LookupError, NameError, TypeError):
        raise  # said already, or a mistake of ours
    except Exception as error:
        paths = _paths(source)
        what = ", ".join(paths) if paths else f"the {type(source).__name__}"
        words = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise DataError(f"{what} cannot be read: {words}") from error


def _narwhals(frame: Any) -> Any:
    """Wrap a frame; that narwhals' support of Dask is to become a package is no user's concern."""
    import warnings

    import narwhals as nw

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Dask support is moving", category=FutureWarning)
        return nw.from_native(frame)


def _paths(source: Any) -> list[str] | None:
    """Give paths as text, None if the source is no path."""
    listed = source if isinstance(source, (list, tuple)) else [source]
    paths = listed and all(isinstance(item, (str, os.PathLike)) for item in listed)
    return [os.fspath(item) for item in listed] if paths else None


def _lazy(source: Any) -> Any:
    """Give a lazy frame as narwhals sees it; None for frames and arrays in memory."""
    import narwhals as nw

    if isinstance(source, Mapping) or type(source).__module__.startswith("hlmbayes"):
        return None
    try:
        frame = _narwhals(source)
    except TypeError:
        return None  # `read` says what it wants
    return frame if isinstance(frame, nw.LazyFrame) else None


def _install(package: str, why: str) -> str:
    return f'{why} the package {package} is needed, which is not installed: pip install "hlmbayes[engines]"'


def _format(paths: list[str]) -> bool:
    """Say whether the paths are Parquet (else CSV); folders are Parquet."""
    ends = {Path(path).suffix.lower() for path in paths}
    if ends <= {*PARQUET, ""}:
        return True
    if ends <= set(CSV):
        return False
    raise DataError(
        f"engines read Parquet or CSV files; got {', '.join(sorted(ends))}. Other formats: leave engine out"
    )


def _duckdb(paths: list[str], parquet: bool, comma: bool, text: str | None) -> Any:
    import duckdb

    connection = duckdb.connect()
    connection.execute("SET preserve_insertion_order = false")  # lets it stream in any order
    files = [os.path.join(path, "**", "*.parquet") if os.path.isdir(path) else path for path in paths]
    if parquet:
        return connection.read_parquet(files)
    kinds: dict[str, Any] = {} if text is None else {"dtype": {text: "VARCHAR"}}
    return connection.read_csv(files, **kinds, **({"decimal": ",", "sep": ";"} if comma else {}))


def _polars(paths: list[str], parquet: bool, comma: bool, text: str | None) -> Any:
    import polars as pl

    if parquet:
        return pl.scan_parquet(paths)
    kinds = None if text is None else {text: pl.String}
    return pl.scan_csv(paths, separator=";" if comma else ",", decimal_comma=comma, schema_overrides=kinds)


def _dask(paths: list[str], parquet: bool, comma: bool, text: str | None) -> Any:
    import dask.dataframe as dd

    if parquet:
        return dd.read_parquet(paths)
    kinds: dict[str, Any] = {} if text is None else {"dtype": {text: "string"}}
    return dd.read_csv(paths, **kinds, **({"decimal": ",", "sep": ";"} if comma else {}))


def _spark(paths: list[str], parquet: bool, comma: bool, text: str | None) -> Any:
    from pyspark.sql import SparkSession

    if comma and not parquet:
        raise DataError('Spark reads no decimal commas: take engine="duckdb", or write the files as Parquet')

    read = SparkSession.builder.getOrCreate().read
    return read.parquet(*paths) if parquet else read.csv(paths, header=True, inferSchema=text is None)


READERS: dict[str, Callable[[list[str], bool, bool, str | None], Any]] = {
    "duckdb": _duckdb, "polars": _polars, "dask": _dask, "spark": _spark,
}  # fmt: skip
