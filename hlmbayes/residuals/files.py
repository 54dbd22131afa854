"""Write residual files: .sav (SPSS), .dta (Stata), .xpt (SAS), .csv, .parquet.

Names that a format does not allow become legal ones, and the label keeps the original. What was written is
read back before it gets its name.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data.reading import READERS
from ..errors import OutputError
from ..words import cut_bytes, safe_name, unique_name
from ..writing import refuse_special, write_whole

if TYPE_CHECKING:
    import pandas as pd

# what HLM's resfiltype calls the types, and what is written for them
TYPES = {"spss": ".sav", "stata": ".dta", "sas": ".xpt", "systat": ".csv", "ascii": ".csv"}
KINDS = {".sav": "sav", ".dta": "dta", ".xpt": "xport"}  # what pyreadstat calls them
OTHER_ENDINGS = (".hlm", ".mdm", ".mdmt", ".ssm", ".parquet")  # of files that are no residual file of HLM's
MARKS = {1: {"l1resid", "fitval"}, 2: {"nj", "chipct", "mdist"}}  # columns that residual files have
MOST_NAMES = 1_000_000  # characters of a header
LABEL_LENGTH = {".sav": 256, ".dta": 80, ".xpt": 40}  # bytes a label may have
NAME_LENGTH = {".sav": 64, ".dta": 32, ".xpt": 8}  # characters of a name
NAMES: dict[str, dict[str, Any]] = {  # arguments of `safe_name`
    ".sav": {"longest": 64, "extra": ".$#@", "first": "@"},
    ".dta": {"longest": 128, "first": "_"},
    ".xpt": {"longest": 8, "first": "_", "ascii": True},
}
RESERVED = {  # words that are no names
    ".sav": "all and by eq ge gt le lt ne not or to with",
    ".dta": "_all _b byte _coef _cons double float if in int _n long _pi _pred _rc _skip strl using with",
    ".xpt": "_n_ _error_ _numeric_ _character_ _all_",
}


def write_residuals(frame: pd.DataFrame, path: str | os.PathLike[str], kind: str | None = None) -> Path:
    """Write a residual file and return its path.

    Parameters
    ----------
    frame : DataFrame
        As `residuals` returns it; labels are in ``frame.attrs["labels"]``.
    path : path
        The extension says what to write.
    kind : str, optional
        HLM's type (spss, stata, sas, systat, ascii), for names with another extension. SAS gets a
        transport file, which SAS reads: a name in .sas7bdat becomes .xpt.

    Raises
    ------
    OutputError
        An unknown type, a missing folder, a file that cannot be written.
    """
    target, suffix = check_target(Path(path), kind)
    labels = {name: str(label) for name, label in frame.attrs.get("labels", {}).items()}
    plain = frame.reset_index(drop=True)
    plain.attrs = {}
    return write_whole(target, lambda temporary: _WRITERS[suffix](plain, temporary, labels))


def check_target(path: Path, kind: str | None = None) -> tuple[Path, str]:
    """Give the path that will be written and its type, ".sav"; arguments and errors of `write_residuals`."""
    target, suffix = _target(path, kind)
    if not target.parent.is_dir():
        raise OutputError(
            f"{target}: the folder {target.parent} does not exist; make it first, or name another"
        )
    if target.is_dir():
        raise OutputError(f"{target} is a folder: give the name of a file in it")
    return target, suffix


def check_replaceable(target: Path, level: int, kind: str) -> None:
    """Refuse what a command file, which may be a stranger's, may not ask for.

    Raises
    ------
    OutputError
        The name has the ending of another kind of file or is a link, or there is a file that is no residual
        file of this level and kind (spss, stata, sas, systat, ascii) and would be lost.
    """
    refuse_special(target)
    own = TYPES.get(kind.lower(), target.suffix.lower())
    if target.suffix.lower() in {*READERS, *OTHER_ENDINGS} - {own}:
        raise OutputError(f"{target.name} does not have the ending of a residual file of {kind}, {own}")
    if target.exists() and not MARKS[level] <= _names_in(target, own):
        raise OutputError(
            f"{target.name} is there and is no level-{level} residual file of {kind}: it would be lost. Move "
            f"it, or name another file (resfil{level}name:)"
        )


def _names_in(path: Path, suffix: str) -> set[str]:
    """Give the names of the columns of a file, none where it is not of the kind."""
    try:
        if suffix == ".csv":
            with open(path, encoding="utf-8") as file:
                names = next(csv.reader([file.readline(MOST_NAMES)]), [])
        else:
            import pyreadstat

            reader = getattr(pyreadstat, f"read_{KINDS[suffix]}")
            names = reader(str(path), metadataonly=True)[1].column_names
    except Exception:  # of many kinds; whatever it is, it is none of ours
        return set()
    return {name.casefold() for name in names}


def _target(path: Path, kind: str | None) -> tuple[Path, str]:
    suffix = path.suffix.lower()
    if suffix == ".sas7bdat":
        return path.with_suffix(".xpt"), ".xpt"
    if suffix in _WRITERS:
        return path, suffix
    if kind is not None and kind.lower() in TYPES:
        return path, TYPES[kind.lower()]
    raise OutputError(
        f"{path.name}: a residual file is written as {', '.join(_WRITERS)}: end its name in one of them"
    )


def _cut(frame: pd.DataFrame, labels: Mapping[str, str], suffix: str) -> tuple[pd.DataFrame, dict[str, str]]:
    """Turn text into str objects, which the writers know; make names legal and unique, labels no longer."""
    text = [name for name in frame if frame[name].dtype.kind not in "iufb"]
    frame = frame.astype(dict.fromkeys(text, "str")) if text else frame
    names: dict[str, str] = {}
    for name in map(str, frame.columns):
        legal = safe_name(name, **NAMES[suffix])
        room = min(NAME_LENGTH[suffix], NAMES[suffix]["longest"] - len(legal.encode()) + len(legal))
        names[name] = unique_name(legal, [*names.values(), *RESERVED[suffix].split()], room)
    changed = {name: name for name, legal in names.items() if legal != name}
    most = LABEL_LENGTH[suffix]
    labels = {names[name]: cut_bytes(label, most) for name, label in {**changed, **labels}.items()}
    return frame.rename(columns=names), labels


def _whole_numbers(frame: pd.DataFrame) -> dict[str, str]:
    """Give columns of whole numbers SPSS formats without decimals."""
    formats = {}
    for name in frame:
        values = frame[name].to_numpy()
        if values.dtype.kind in "iuf" and len(values) and np.all(values == np.floor(values)):
            formats[str(name)] = f"F{max(8, len(f'{np.max(np.abs(values)):.0f}') + 1)}.0"
    return formats


def _write_statistical(suffix: str, frame: pd.DataFrame, path: Path, labels: Mapping[str, str]) -> None:
    frame, labels = _cut(frame, labels, suffix)
    options: dict[str, Any] = {"variable_format": _whole_numbers(frame)} if suffix == ".sav" else {}
    options |= {"table_name": "RESFIL", "file_format_version": 5} if suffix == ".xpt" else {}
    options |= {"version": 14} if suffix == ".dta" else {}  # 15 is of Stata/MP alone, for 32,767 variables
    put_statistical(frame, path, suffix, column_labels=labels, **options)


def put_statistical(frame: pd.DataFrame, path: Path, suffix: str, **options: Any) -> None:
    """Write .sav, .dta or .xpt and read it back: the library does not notice a disk that is full."""
    import pyreadstat

    write, read = (getattr(pyreadstat, f"{verb}_{KINDS[suffix]}") for verb in ("write", "read"))
    try:
        write(frame, str(path), **options)
        found = len(read(str(path), usecols=[frame.columns[0]])[0]) if path.is_file() else len(frame)
    except (pyreadstat.ReadstatError, pyreadstat.PyreadstatError) as error:
        raise OSError(f"{error}; the disk may be full") from None
    if found != len(frame):
        raise OSError(f"{found:,} of {len(frame):,} records were written; the disk may be full")


def _write_csv(frame: pd.DataFrame, path: Path, labels: Mapping[str, str]) -> None:
    import pyarrow as pa
    from pyarrow import csv as arrow

    header = io.StringIO()
    csv.writer(header, lineterminator="\n").writerow(frame.columns)
    options = arrow.WriteOptions(include_header=False, quoting_style="needed")
    with open(path, "wb") as file:  # pandas takes ten times as long
        file.write(header.getvalue().encode())
        arrow.write_csv(pa.Table.from_pandas(frame, preserve_index=False), file, options)


def _write_parquet(frame: pd.DataFrame, path: Path, labels: Mapping[str, str]) -> None:
    frame.attrs = {"labels": dict(labels)}
    frame.to_parquet(path, index=False)


_WRITERS: dict[str, Callable[[pd.DataFrame, Path, Mapping[str, str]], None]] = {
    **{suffix: partial(_write_statistical, suffix) for suffix in NAMES},
    ".csv": _write_csv, ".parquet": _write_parquet,
}  # fmt: skip
