"""File formats and data frames -> columns by name, with their labels.

Nothing here knows about levels: `read_table` turns one source into a `Table`,
and `two_level` joins tables.  Columns are views of the source where
the source allows it and are converted one by one when first asked for, so a
wide frame costs nothing for the columns a model does not use.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError
from ..words import composed, nearest, some
from .categories import declared_categories
from .columns import spellings

NUMBERS = (bool, int, float, Decimal, np.bool_, np.integer, np.floating)
CSV_MISSING = ["", ".", "NA", "N/A", "#N/A", "n/a", "NaN", "nan", "NULL", "null"]
MARKS = {",": ".", ".": ","}  # decimal marks, and what they exclude
SURE = 2  # a decimal mark that cannot part thousands
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

    def ids(self, name: str) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """Return a column, (n_rows,); a frame's text as (codes, distinct), which is far cheaper.

        A file of text has no types. Where two ids are written differently and read as the same number (06 and
        6, 1.1 and 1.10), or are too long for a float, they are taken as they are written.
        """
        encoded = self.encode(name) if self.encode else None
        if encoded is not None:
            return encoded
        values = self.columns[name]
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


def read_table(source: Any, name: str, decimal: str | None = None) -> Table:
    """Read a file, by its extension (see `READERS`), a frame, or a mapping of name to array.

    ``name`` is what messages call a source that is no file ("the level-1 data"), ``decimal`` the mark in
    numbers of a text file. Raise DataError where nothing is there or in it, or for a format that is not read.
    """
    if decimal not in (None, *MARKS):
        raise DataError(f"decimal={decimal!r} is no decimal mark: wanted '.' or ','")
    if isinstance(source, (str, os.PathLike)):
        table = _read_file(Path(source), decimal)
    elif isinstance(source, Mapping):
        table = _from_arrays(source, name)
    else:
        table = _from_frame(source, name)
    if not table.columns or not table.n_rows:
        raise DataError(
            f"{table.name} is empty: it has {len(table.columns)} columns and {table.n_rows} rows."
        )
    return table


# --- files ---------------------------------------------------------------------------------------


def _read_file(path: Path, decimal: str | None) -> Table:
    if path.is_dir():
        raise DataError(f"{path} is a folder; wanted a data file: {', '.join(READERS)}.")
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        hint = {
            ".mdm": " It holds both levels: give it alone, hlmbayes.read('x.mdm') or --level1 x.mdm.",
            ".xls": " Save the sheet as .csv first.",
            ".xlsx": " Save the sheet as .csv first.",
            ".hlm": " It is a command file: hlmbayes run takes it.",
            ".mdmt": " It says which files the data are in (l1fname:, l2fname:): name those.",
        }.get(path.suffix.lower(), "")
        what = f"files ending in {path.suffix!r}" if path.suffix else "files without an ending"
        raise DataError(f"{path.name}: {what} are not read. Wanted: {', '.join(READERS)}.{hint}")
    if not path.is_file():
        raise DataError(_no_such_file(path))
    if not path.stat().st_size:
        raise DataError(f"{path.name} is empty: the file has no bytes. Looked in {path.resolve().parent}.")
    try:
        return _read_csv(path, decimal) if reader is _read_csv else reader(path)
    except DataError:
        raise
    except Exception as error:  # the readers raise many kinds; the user needs one sentence and the file
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(
            f"{path.name} could not be read as a {path.suffix.lower()} file: {reason}. "
            "Open it in the program that made it and save it again."
        ) from error


def _no_such_file(path: Path) -> str:
    folder = path.resolve().parent
    if not folder.is_dir():
        return f"There is no file {path.name}: the folder {folder} does not exist."
    candidates = [p.name for p in folder.iterdir() if p.suffix.lower() in READERS]
    close = nearest(path.name, candidates)
    there = f"The nearest name there is {close}" if close else f"Data files there: {some(sorted(candidates))}"
    return f"There is no file {path.name} in {folder}. {there}."


def _read_pyreadstat(path: Path, function: str) -> Table:
    import pyreadstat

    # A dict of arrays keeps pandas out of the process; user-missing values become missing by default.
    columns, meta = getattr(pyreadstat, function)(str(path), output_format="dict")
    labels = {k: v for k, v in meta.column_names_to_labels.items() if v}
    table = _from_arrays(columns, path.name)
    single = frozenset(composed(n) for n, kind in meta.readstat_variable_types.items() if kind == "float")
    return Table(path.name, table.columns, table.n_rows, labels, meta.variable_value_labels, single=single)


def _read_csv(path: Path, asked: str | None = None) -> Table:
    from pyarrow import csv as arrow

    encoding = _encoding(path)
    text = _sample(path, encoding)
    delimiter, decimal = _dialect(text, path.suffix.lower())
    decimal = asked or decimal
    _check_header(path.name, text.partition("\n")[0], delimiter)
    missing: dict[str, Any] = {"null_values": CSV_MISSING, "strings_can_be_null": True}

    def parse(**convert: Any) -> Any:
        options = arrow.ReadOptions(encoding=encoding), arrow.ParseOptions(delimiter=delimiter)
        return arrow.read_csv(path, *options, arrow.ConvertOptions(**missing, **convert))

    frame = parse(decimal_point=decimal)
    names = [name.strip(' \t"\ufeff') for name in frame.column_names]

    def written(name: str) -> tuple[np.ndarray, np.ndarray]:
        import pyarrow as pa

        only = parse(include_columns=[spelled[name]], column_types={spelled[name]: pa.string()})
        return _dictionary(only.column(0))

    table = _from_frame(frame.rename_columns(names), path.name)
    spelled = dict(zip(table.columns, frame.column_names, strict=True))
    columns = Columns(table.columns, lambda name: _text_numbers(table.columns[name], decimal, asked))
    return replace(table, columns=columns, written=written)


def _text_numbers(values: np.ndarray, decimal: str, asked: str | None) -> np.ndarray:
    """Turn text that is numbers (in the column's own mark too) and blanks into floats; leave others."""
    if values.dtype.kind != "O":
        return values
    texts = {text: str(text).strip() for text in set(values.tolist()) - {None}}
    own, sure = _mark(texts.values())
    mark = own if sure == SURE and not asked else decimal
    if not all(text in CSV_MISSING or _is_number(text, mark) for text in texts.values()):
        return values
    number = {k: np.nan if t in CSV_MISSING else float(t.replace(mark, ".")) for k, t in texts.items()}
    return np.array([number.get(value, np.nan) for value in values.tolist()])


def _is_number(text: str, mark: str) -> bool:
    return MARKS[mark] not in text and bool(NUMBER.fullmatch(text.replace(mark, ".")))


def _mark(texts: Iterable[str]) -> tuple[str, int]:
    """Give the decimal mark of a column that is mostly numbers, and how sure it is: it may part thousands."""
    filled = [text for text in texts if text not in CSV_MISSING]
    for mark in MARKS:
        marked = [text for text in filled if mark in text and _is_number(text, mark)]
        whole = sum(text.lstrip("+-").isdigit() for text in filled)
        if marked and 2 * (len(marked) + whole) > len(filled):
            thousands = re.compile(rf"[-+]?[1-9]\d{{0,2}}\{mark}\d{{3}}")
            return mark, 1 if all(map(thousands.fullmatch, marked)) else SURE
    return ".", 0


def _sample(path: Path, encoding: str) -> str:
    with path.open("rb") as file:
        text = file.read(65536).decode(encoding, errors="replace")
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def _check_header(name: str, header: str, delimiter: str) -> None:
    """Refuse a file whose first line does not hold names with a delimiter between them."""
    fields = [field.strip(' \t"') for field in header.split(delimiter)]
    line = f"the first line of {name} ({header[:60].strip()})"
    if len(fields) == 1 and len(header.split()) > 1:
        raise DataError(f"There is no comma, semicolon or tab in {line}; put one between the columns.")
    if all(re.fullmatch(r"[-+]?[\d.,]*\d[\d.,]*(e[-+]?\d+)?", field, re.IGNORECASE) for field in fields):
        raise DataError(f"There are numbers in {line}; it must hold the names of the columns.")


def _encoding(path: Path) -> str:
    """UTF-8 if the file's first 64 KB are, or UTF-16 by its mark, else the Windows code page Excel writes."""
    with path.open("rb") as file:
        start = file.read(65536)
    if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    try:
        start.decode("utf-8")
    except UnicodeDecodeError as error:
        return "utf8" if error.start > len(start) - 4 else "cp1252"
    return "utf8"


def _dialect(text: str, suffix: str) -> tuple[str, str]:
    """Delimiter and decimal mark, by a vote of the columns: dates, versions, addresses have no say."""
    header, _, rows = text.partition("\n")
    delimiter = "\t" if suffix == ".tsv" else max(",;\t", key=header.count)
    votes = {".": 0, ",": 0}
    if delimiter != ",":
        for column in zip_longest(*csv.reader(rows.splitlines(), delimiter=delimiter), fillvalue=""):
            mark, sure = _mark(field.strip() for field in column)
            votes[mark] += sure
    comma = votes[","] > votes["."] or (votes[","] == votes["."] > 0 and delimiter == ";")
    return delimiter, "," if comma else "."


def _read_parquet(path: Path) -> Table:
    from pyarrow import parquet

    return _from_frame(parquet.read_table(path), path.name)


READERS: dict[str, Callable[[Path], Table]] = {
    ".sav": partial(_read_pyreadstat, function="read_sav"),
    ".zsav": partial(_read_pyreadstat, function="read_sav"),
    ".dta": partial(_read_pyreadstat, function="read_dta"),
    ".sas7bdat": partial(_read_pyreadstat, function="read_sas7bdat"),
    ".xpt": partial(_read_pyreadstat, function="read_xport"),
    ".csv": _read_csv,
    ".tsv": _read_csv,
    ".parquet": _read_parquet,
}


# --- frames and arrays ---------------------------------------------------------------------------


def _from_arrays(source: Mapping[str, Any], name: str) -> Table:
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


def _from_frame(source: Any, name: str) -> Table:
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
    columns = Columns(names, partial(_load_series, frame, names))
    encode = partial(_encode_text, frame, names)
    return Table(name, columns, len(frame), categories=declared_categories(frame, names), encode=encode)


def _load_series(frame: Any, names: Mapping[str, Any], name: str) -> np.ndarray:
    import narwhals as nw

    series = frame.get_column(names[name])
    if series.dtype.is_nested():  # lists and records: Polars makes them a matrix
        return np.fromiter(series.to_list(), dtype=object, count=len(series))
    if series.dtype == nw.Categorical and series.implementation.is_pandas():
        return tidy(np.asarray(series.to_native()))  # the categories' own type, not their codes
    if series.dtype == nw.Categorical and series.implementation.is_pyarrow():
        return tidy(series.to_native().cast(series.to_native().type.value_type).to_numpy())
    return tidy(series.to_numpy())


def _encode_text(frame: Any, names: Mapping[str, Any], name: str) -> tuple[np.ndarray, np.ndarray] | None:
    """Return (codes, distinct) of a text column by Arrow's hash table, without an object for each row."""
    import narwhals as nw

    series = frame.get_column(names[name])
    if series.dtype != nw.String or len(series) == 0:
        return None
    return _dictionary(series.to_arrow())


def _dictionary(arrow: Any) -> tuple[np.ndarray, np.ndarray]:
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
