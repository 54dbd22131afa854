"""Write residual files: .sav (SPSS), .dta (Stata), .xpt (SAS), .csv, .parquet.

A file is written under a temporary name beside its own and then renamed, so that what bears the name is
whole or absent.
"""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import OutputError
from .frames import unique_name

if TYPE_CHECKING:
    import pandas as pd

# what HLM's resfiltype calls the types, and what is written for them
TYPES = {"spss": ".sav", "stata": ".dta", "sas": ".xpt", "systat": ".csv", "ascii": ".csv"}
LABEL_LENGTH = {".sav": 256, ".dta": 80, ".xpt": 40}  # bytes a label may have
NAME_LENGTH = {".dta": 32, ".xpt": 8}  # characters of a name


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
    write_whole(target, lambda temporary: _WRITERS[suffix](plain, temporary, labels))
    return target


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


def write_whole(target: Path, write: Callable[[Path], None]) -> None:
    """Call ``write`` with a temporary name beside ``target``, then rename; nothing is left on failure.

    Raise OutputError where the system, or the format, refuses.
    """
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.stem}-", suffix=target.suffix, dir=target.parent)
    except OSError as error:
        raise OutputError(f"{target} cannot be written: {error.strerror or error}") from None
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        temporary.chmod(0o666 & ~_umask())  # mkstemp makes files only their owner can read
        temporary.replace(target)
    except OSError as error:
        raise OutputError(f"{target} cannot be written: {error.strerror or error}") from None
    finally:
        temporary.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _cut(frame: pd.DataFrame, labels: Mapping[str, str], suffix: str) -> tuple[pd.DataFrame, dict[str, str]]:
    """Turn text into str objects, which the writers know; cut names (unique) and labels to their length."""
    text = [name for name in frame if frame[name].dtype.kind not in "iufb"]
    frame = frame.astype(dict.fromkeys(text, "str")) if text else frame
    if suffix in NAME_LENGTH:
        names: dict[str, str] = {}
        for name in map(str, frame.columns):
            names[name] = unique_name(name, names.values(), NAME_LENGTH[suffix])
        frame = frame.rename(columns=names)
        labels = {names[name]: label for name, label in labels.items() if name in names}
    most = LABEL_LENGTH[suffix]
    cut = {name: label.encode()[:most].decode(errors="ignore").rstrip() for name, label in labels.items()}
    return frame, cut


def _whole_numbers(frame: pd.DataFrame) -> dict[str, str]:
    """Give columns of whole numbers SPSS formats without decimals."""
    formats = {}
    for name in frame:
        values = frame[name].to_numpy()
        if values.dtype.kind in "iuf" and len(values) and np.all(values == np.floor(values)):
            formats[str(name)] = f"F{max(8, len(f'{np.max(np.abs(values)):.0f}') + 1)}.0"
    return formats


def _write_sav(frame: pd.DataFrame, path: Path, labels: Mapping[str, str]) -> None:
    import pyreadstat

    frame, labels = _cut(frame, labels, ".sav")
    pyreadstat.write_sav(frame, str(path), column_labels=labels, variable_format=_whole_numbers(frame))


def _write_dta(frame: pd.DataFrame, path: Path, labels: Mapping[str, str]) -> None:
    import pyreadstat

    frame, labels = _cut(frame, labels, ".dta")
    pyreadstat.write_dta(frame, str(path), column_labels=labels)


def _write_xpt(frame: pd.DataFrame, path: Path, labels: Mapping[str, str]) -> None:
    import pyreadstat

    frame, labels = _cut(frame, labels, ".xpt")
    options = {"table_name": "RESFIL", "file_format_version": 5}
    pyreadstat.write_xport(frame, str(path), column_labels=labels, **options)


def _write_csv(frame: pd.DataFrame, path: Path, labels: Mapping[str, str]) -> None:
    import csv

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
    ".sav": _write_sav, ".dta": _write_dta, ".xpt": _write_xpt, ".csv": _write_csv,
    ".parquet": _write_parquet,
}  # fmt: skip
