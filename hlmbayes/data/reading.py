"""Files, data frames and arrays -> a `Table`: which reader reads what, and what is said where none can.

Nothing here knows about levels: `two_level` joins tables.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ..errors import DataError
from ..words import composed, nearest, some
from . import sav_dictionary
from .paths import OTHERS, given_path, what_it_is
from .read_options import ReadOptions
from .sheets import SHEETS, read_sheet
from .table import Table, from_arrays, from_frame
from .text_files import read_csv

Reader = Callable[[Path, ReadOptions, int], Table]


def read_table(source: Any, name: str, options: ReadOptions | None = None, level: int = 1) -> Table:
    """Read a file, by its extension (see `READERS`), a frame, or a mapping of name to array.

    ``name`` is what messages call a source that is no file ("the level-1 data"), ``level`` says which of two
    sheets is meant. Missing codes are left to `as_asked`. Raise DataError where nothing is there or in it,
    or for a format that is not read.
    """
    options = options or ReadOptions()
    if isinstance(source, Table):
        return source
    if isinstance(source, (str, os.PathLike)):
        table = _read_file(given_path(source), options, level)
    elif isinstance(source, Mapping):
        table = from_arrays(source, name)
    else:
        table = from_frame(source, name)
    if not table.columns or not table.n_rows:
        raise DataError(
            f"{table.name} is empty: it has {len(table.columns)} columns and {table.n_rows} rows."
        )
    return table


# --- files ---------------------------------------------------------------------------------------


def _read_file(path: Path, options: ReadOptions, level: int) -> Table:
    if os.path.isdir(path):
        raise DataError(f"{path} is a folder; wanted a data file: {', '.join(READERS)}.")
    ending = path.suffix.lower()
    reader = READERS.get(ending)
    if reader is None:
        hint = f" {OTHERS[ending]}" if ending in OTHERS else ""
        what = f"files ending in {path.suffix!r}" if path.suffix else "files without an ending"
        raise DataError(f"{path.name}: {what} are not read. Wanted: {', '.join(READERS)}.{hint}")
    if not os.path.isfile(path):
        raise DataError(_no_such_file(path))
    start = _start(path)
    if not start:
        raise DataError(f"{path.name} is empty: the file has no bytes. Looked in {path.resolve().parent}.")
    kind = what_it_is(start, ending)
    if kind and reader is _read_text:  # anything can be cut into lines
        raise DataError(f"{path.name} is no text: by its first bytes it is {kind}.")
    try:
        return reader(path, options, level)
    except (DataError, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # readers raise many kinds, those in Rust panic: one sentence and the file
        reason = " ".join(str(error).split()) or type(error).__name__
        advice = "Open it in the program that made it and save it again"
        raise DataError(
            f"{path.name} could not be read as a {ending} file: {reason.rstrip('.')}. "
            f"{f'By its first bytes it is {kind}' if kind else advice}."
        ) from error


def _start(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(512)
    except OSError as error:
        raise DataError(
            f"{path.name} cannot be opened ({error.strerror or error}). Where it is open in another program, "
            "such as Excel, close it there."
        ) from error


def _no_such_file(path: Path) -> str:
    if min(str(path)) < " ":
        return (
            f"There is no file {str(path)!a}: a backslash and the letter after it are another sign in "
            'Python. Put an r before the text, r"C:\\data\\new.csv", or write /.'
        )
    folder = Path(os.path.abspath(path)).parent
    if not os.path.isdir(folder):
        return f"There is no file {path.name}: the folder {folder} does not exist."
    names = os.listdir(folder) if os.access(folder, os.R_OK) else []
    candidates = [name for name in names if Path(name).suffix.lower() in READERS]
    close = nearest(path.name, candidates)
    there = f"The nearest name there is {close}" if close else f"Data files there: {some(sorted(candidates))}"
    return f"There is no file {path.name} in {folder}. {there}."


HEAD = re.compile(  # of a Stata file, by its "Description of .dta file format", 117 to 119
    rb"<stata_dta><header><release>(\d{3})</release><byteorder>(LSF|MSF)</byteorder><K>(.{2}|.{4})</K><N>"
    rb"(.{4}|.{8})</N>",
    re.DOTALL,
)
SHORTEST = 33  # bytes of a name in it, at least


def _damage_of_dta(path: Path) -> str:
    """Say what is wrong with the head of a .dta file, whose variables and rows the reader believes; or ""."""
    with path.open("rb") as file:
        head = HEAD.match(file.read(200))
    if head is None:  # of an older format, or none: the reader says so
        return ""
    order = "little" if head[2] == b"LSF" else "big"
    size = path.stat().st_size
    n_variables, n_rows = (int.from_bytes(head[k], order) for k in (3, 4))  # type: ignore[arg-type]
    if max(SHORTEST, n_rows) * n_variables > size:  # a value has a byte or more
        return f"it claims {n_rows} rows of {n_variables} variables, and has room for fewer"
    return ""


CHECKS = {"read_sav": sav_dictionary.damage, "read_dta": _damage_of_dta}  # of what a reader believes


def _read_pyreadstat(path: Path, options: ReadOptions, level: int, function: str) -> Table:
    import pyreadstat

    if function in CHECKS and (wrong := CHECKS[function](path)):
        raise DataError(f"{path.name} is damaged: {wrong}. Copy it again from where it was made.")
    # A dict of arrays keeps pandas out of the process; user-missing values become missing by default.
    columns, meta = getattr(pyreadstat, function)(str(path), output_format="dict")
    labels = {k: v for k, v in meta.column_names_to_labels.items() if k and v}
    table = from_arrays(columns, path.name)
    kinds = meta.readstat_variable_types.items()
    single = frozenset(composed(name) for name, kind in kinds if kind == "float")
    notes = _user_missing(path) if function == "read_sav" else ()
    values = {k: v for k, v in meta.variable_value_labels.items() if k}
    return Table(path.name, table.columns, table.n_rows, labels, values, single=single, notes=notes)


def _user_missing(path: Path) -> tuple[str, ...]:
    """Say which values an SPSS file declares to be missing."""
    import pyreadstat

    how: dict[str, Any] = {"metadataonly": True, "user_missing": True, "output_format": "dict"}
    ranges = pyreadstat.read_sav(str(path), **how)[1].missing_ranges
    said = [f"{name} {' and '.join(map(_range, listed))}" for name, listed in ranges.items()]
    return (f"{path.name} declares values that are missing: {some(said)}",) if said else ()


def _range(declared: Mapping[str, Any]) -> str:
    low, high = (f"{v:.15g}" if isinstance(v, float) else str(v) for v in (declared["lo"], declared["hi"]))
    return low if low == high else f"{low} to {high}"


def _read_text(path: Path, options: ReadOptions, level: int) -> Table:
    return read_csv(path, options)


def _read_parquet(path: Path, options: ReadOptions, level: int) -> Table:
    from pyarrow import parquet

    return from_frame(parquet.read_table(path), path.name)


READERS: dict[str, Reader] = {
    ".sav": partial(_read_pyreadstat, function="read_sav"),
    ".zsav": partial(_read_pyreadstat, function="read_sav"),
    ".dta": partial(_read_pyreadstat, function="read_dta"),
    ".sas7bdat": partial(_read_pyreadstat, function="read_sas7bdat"),
    ".xpt": partial(_read_pyreadstat, function="read_xport"),
    ".por": partial(_read_pyreadstat, function="read_por"),
    ".csv": _read_text,
    ".tsv": _read_text,
    ".parquet": _read_parquet,
    **dict.fromkeys(SHEETS, read_sheet),
}
