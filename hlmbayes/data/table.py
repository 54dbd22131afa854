"""One source of data as columns by name: the record every format ends in, and frames and arrays made one.

Columns are views of the source where the source allows it and are converted one by one when first asked
for, so a wide frame costs nothing for the columns a model does not use.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any

import numpy as np

from ..errors import DataError
from ..words import one_line
from .categories import declared_categories
from .columns import spellings

NUMBERS = (bool, int, float, Decimal, np.bool_, np.integer, np.floating)
EXACT = 2**53  # whole numbers below are exact in float64
NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")


class Columns(Mapping[str, np.ndarray]):
    """Columns by exact name, each loaded when first asked for and then kept."""

    def __init__(self, names: Iterable[str], load: Callable[[str], np.ndarray]) -> None:
        self._names = dict.fromkeys(names)
        self._load = load
        self._loaded: dict[str, np.ndarray] = {}

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._names:
            raise KeyError(name)
        if name not in self._loaded:
            self._loaded[name] = self._load(name)
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __repr__(self) -> str:
        return f"Columns({', '.join(self._names)})"


@dataclass(frozen=True, slots=True)
class Table:
    """One source of data: `columns` are (n_rows,) arrays, `name` is what messages call it."""

    name: str
    columns: Mapping[str, np.ndarray]
    n_rows: int
    labels: Mapping[str, str] = field(default_factory=dict)
    value_labels: Mapping[str, Mapping[Any, str]] = field(default_factory=dict)
    categories: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)  # of columns that declare them
    single: frozenset[str] = frozenset()  # columns kept in single precision, given in double
    encode: Callable[[str], tuple[np.ndarray, np.ndarray] | None] | None = None
    written: Callable[[str], tuple[np.ndarray, np.ndarray]] | None = None
    decimal: str | None = None  # decimal mark of a source without types, where numbers may stand as text
    raw: Mapping[str, np.ndarray] | None = None  # columns before anything was made of them, for ids
    coded: frozenset[str] = frozenset()  # lower-case names of columns with missing codes of their own
    notes: tuple[str, ...] = ()  # what was done to read it

    @property
    def before(self) -> Mapping[str, np.ndarray]:
        """The columns as they are in the source."""
        return self.columns if self.raw is None else self.raw

    def ids(self, name: str) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """Return a column, (n_rows,); a frame's text as (codes, distinct), which is far cheaper.

        A file of text has no types. Where two ids are written differently and read as the same number (06 and
        6, 1.1 and 1.10), or are too long for a float, they are taken as they are written.
        """
        if name.lower() in self.coded:
            return self.columns[name]
        encoded = self.encode(name) if self.encode else None
        if encoded is not None:
            return encoded
        values = self.before[name]
        if name in self.single:
            return values.astype(np.float32)
        if self.written is not None and values.dtype.kind in "iuf":
            codes, texts = self.written(name)
            number = np.empty(len(texts), dtype=values.dtype)
            number[codes] = values
            long = number.dtype.kind == "f" and np.any(np.abs(number) >= EXACT)
            if long or len(np.unique(number)) < len({text.strip() for text in texts if text is not None}):
                return codes, texts
        return values


def take_rows(columns: Mapping[str, np.ndarray], index: np.ndarray) -> Columns:
    """Return the columns at some of their places, each taken when it is asked for."""
    return Columns(columns, partial(_take, columns, index))


def _take(columns: Mapping[str, np.ndarray], index: np.ndarray, name: str) -> np.ndarray:
    return np.asarray(columns[name][index])


def with_columns(
    columns: Mapping[str, np.ndarray], more: Mapping[str, np.ndarray]
) -> Mapping[str, np.ndarray]:
    """Return columns with some more, which go before those of the same name; each taken when asked for."""
    if not more:
        return columns
    hidden = {name.lower() for name in more}
    names = [*(name for name in columns if name.lower() not in hidden), *more]
    return Columns(names, partial(first_of, more, columns))


def first_of(first: Mapping[str, np.ndarray], second: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    """Return a column of the first mapping that has it."""
    return first[name] if name in first else second[name]


# --- frames and arrays ---------------------------------------------------------------------------


def from_arrays(source: Mapping[str, Any], name: str) -> Table:
    """Make a table of arrays by name."""
    arrays = {name: _as_array(source[key]) for name, key in spellings(source).items()}
    shapes = {array.shape for array in arrays.values()}
    if len(shapes) > 1 or any(len(shape) != 1 for shape in shapes):
        sizes = ", ".join(f"{key} {array.shape}" for key, array in arrays.items())
        raise DataError(f"The columns of {name} must be one-dimensional and equally long; got {sizes}.")
    n_rows = next(iter(shapes))[0] if shapes else 0
    return Table(name, Columns(arrays, partial(_load_array, arrays)), n_rows)


def _as_array(values: Any) -> np.ndarray:
    if isinstance(values, np.ma.MaskedArray):
        if not np.ma.is_masked(values):
            return np.asarray(values)
        numbers = values.dtype.kind in "biuf"
        filled = np.asarray(values.data, dtype=np.float64 if numbers else object).copy()
        filled[np.ma.getmaskarray(values)] = np.nan if numbers else None
        return filled
    array = np.asarray(values)  # text is kept as objects: fixed-width text can be huge
    return np.asarray(values, dtype=object) if array.dtype.kind in "US" else array


def _load_array(arrays: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    return tidy(arrays[name])


def from_frame(source: Any, name: str) -> Table:
    """Make a table of a pandas, Polars or Arrow frame."""
    if (table := _of_numbers(source, name)) is not None:
        return table
    import narwhals as nw

    try:
        frame = nw.from_native(source, eager_only=True)
        names = spellings(frame.columns)
    except TypeError as error:
        raise DataError(
            f"{name}: cannot read a {type(source).__module__}.{type(source).__name__}. Give the path of a "
            "file, a pandas, polars or pyarrow frame (a lazy frame: collect it first), or a dict of arrays."
        ) from error
    except nw.exceptions.DuplicateError as error:
        raise DataError(f"{name} has columns of the same name; rename them. ({error})") from error
    schema = frame.schema  # made anew whenever it is asked for
    types = {name: schema[own] for name, own in names.items()}
    columns = Columns(names, partial(_load_series, frame, names, types))
    encode = partial(_encode_text, frame, names, types)
    declared = declared_categories(frame, names, types)
    return Table(name, columns, len(frame), categories=declared, encode=encode)


def _of_numbers(source: Any, name: str) -> Table | None:
    """Make a table of a pandas frame of numbers alone; None of any other, which narwhals knows better."""
    pandas = sys.modules.get("pandas")
    if pandas is None or not isinstance(source, pandas.DataFrame) or not source.columns.is_unique:
        return None
    columns, types = source.columns.to_list(), source.dtypes.to_list()
    numbers = all(isinstance(dtype, np.dtype) and dtype.kind in "biuf" for dtype in types)
    if not numbers or not all(isinstance(column, str) for column in columns):
        return None
    names = spellings(columns)
    return Table(name, Columns(names, partial(_load_numbers, source, names)), len(source))


def _load_numbers(source: Any, names: Mapping[str, Any], name: str) -> np.ndarray:
    return np.asarray(source[names[name]])


def _load_series(frame: Any, names: Mapping[str, Any], types: Mapping[str, Any], name: str) -> np.ndarray:
    import narwhals as nw

    series, dtype = frame.get_column(names[name]), types[name]
    if dtype.is_nested():  # lists and records: Polars makes them a matrix
        return np.fromiter(series.to_list(), dtype=object, count=len(series))
    if dtype == nw.Categorical and series.implementation.is_pandas():
        return tidy(np.asarray(series.to_native()))  # the categories' own type, not their codes
    if dtype == nw.Categorical and series.implementation.is_pyarrow():
        return tidy(series.to_native().cast(series.to_native().type.value_type).to_numpy())
    return tidy(_numpy(series, name))


def _numpy(series: Any, name: str) -> np.ndarray:
    try:
        return np.asarray(series.to_numpy())
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # text that is none, numbers of 128 bits: libraries in Rust panic
        raise DataError(f"Column {name!r} cannot be read: {one_line(str(error))[:100]}") from None


def _encode_text(
    frame: Any, names: Mapping[str, Any], types: Mapping[str, Any], name: str
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return (codes, distinct) of a text column by Arrow's hash table, without an object for each row."""
    import narwhals as nw

    if types[name] != nw.String or len(frame) == 0:
        return None
    return dictionary(frame.get_column(names[name]).to_arrow())


def dictionary(arrow: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return (codes, distinct) of an Arrow column."""
    import pyarrow as pa

    arrow = arrow if isinstance(arrow, pa.ChunkedArray) else pa.chunked_array([arrow])
    chunks = arrow.dictionary_encode(null_encoding="encode").unify_dictionaries().chunks
    codes = np.concatenate([chunk.indices.to_numpy() for chunk in chunks])
    return codes, chunks[0].dictionary.to_numpy(zero_copy_only=False)


def tidy(values: np.ndarray) -> np.ndarray:
    """Turn a column of Python objects that are all numbers or missing into numbers; leave others alone.

    Whole numbers that a float does not hold (long ids) stay what they are.
    """
    if values.dtype.kind != "O":
        return values
    types = set(map(type, values))
    missing = {t for t in types if t is type(None) or t.__name__ in ("NAType", "NaTType")}
    if not all(issubclass(t, NUMBERS) for t in types - missing):
        return values
    if any(isinstance(v, (int, Decimal)) and _too_long(v) for v in values.tolist()):
        return values
    if missing - {type(None)}:
        gone = np.fromiter((type(value) in missing for value in values), dtype=bool, count=len(values))
        values = values.copy()
        values[gone] = None
    return values.astype(np.float64)


def exact_below(dtype: np.dtype[Any]) -> int:
    """Give the bound below which every whole number is itself in a floating type."""
    return 1 << (int(np.finfo(dtype).nmant) + 1)


def _too_long(value: int | Decimal) -> bool:
    return abs(int(value)) > EXACT and value == int(value) and int(float(value)) != value
