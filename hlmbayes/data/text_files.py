"""Files of text with a delimiter (.csv, .tsv): their encoding, marks, names and missing values."""

from __future__ import annotations

import codecs
import csv
import re
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError
from .columns import spelling
from .headers import check_names, column_names, header_row, title_note, unnamed_note
from .read_options import ReadOptions
from .table import Table, dictionary, from_frame
from .written_numbers import MARKS, MISSING_TEXTS, file_mark, warn_of_thousands

SAMPLE = 65536  # bytes from which a file's layout is judged
LINES = 20  # of which there are as many at least: thousands of names are longer
BLOCK = 1 << 20  # bytes looked at at a time
END = "\x1a"  # the mark DOS programs end a text with
CONTROLS = [bytes([k]) for k in range(32) if k not in b"\t\n\r\f\x1a\x1b"]  # bytes that no text has many of
LENGTH = re.compile(r"Expected (\d+) columns, got (\d+): (.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Layout:
    """How a file of text is laid out."""

    delimiter: str
    decimal: str
    fields: list[str]  # the names as they stand there, "" where there is none
    skip: int  # lines before the first row of data
    notes: tuple[str, ...]


def read_csv(path: Path, options: ReadOptions) -> Table:
    """Read a file of text. Raise DataError where there are no names, or two the same."""
    import pyarrow as pa
    from pyarrow import csv as arrow

    encoding = _encoding(path)
    layout = _layout(path.name, _sample(path, encoding), path.suffix.lower(), options)
    decimal = options.decimal or MARKS.get(options.thousands or "") or layout.decimal
    names = column_names(path.name, [spelling(field) for field in layout.fields])
    missing: dict[str, Any] = {"null_values": MISSING_TEXTS, "strings_can_be_null": True}
    how = arrow.ReadOptions(encoding=encoding, column_names=names, skip_rows=layout.skip)
    rows = arrow.ParseOptions(delimiter=layout.delimiter, invalid_row_handler=_blank)

    def parse(**convert: Any) -> Any:
        try:
            return arrow.read_csv(path, how, rows, arrow.ConvertOptions(**missing, **convert))
        except pa.ArrowInvalid as error:
            if found := LENGTH.search(str(error)):
                raise DataError(_other_length(path.name, *found.groups())) from None
            raise

    def written(name: str) -> tuple[np.ndarray, np.ndarray]:
        spelled = as_read[name]
        return dictionary(parse(include_columns=[spelled], column_types={spelled: pa.string()}).column(0))

    frame = parse(decimal_point=decimal)
    bare = [
        n for n, f in zip(names, layout.fields, strict=True) if not f and frame[n].null_count == len(frame)
    ]
    kept = [(n, f) for n, f in zip(names, layout.fields, strict=True) if n not in bare]
    table = from_frame(frame.drop_columns(bare) if bare else frame, path.name)
    as_read = dict(zip(table.columns, (name for name, _ in kept), strict=True))
    notes = (*layout.notes, *unnamed_note(path.name, [n for n, _ in kept], [f for _, f in kept]))
    return replace(table, written=written, notes=notes, decimal=decimal)


def _blank(row: Any) -> str:
    """Pass over a line of blanks; other lines of a wrong length are an error."""
    return "error" if row.text.strip(f" \t{END}") else "skip"


def _other_length(name: str, wanted: str, got: str, line: str) -> str:
    longer = (
        "where all lines have one more, the first column has no name (R writes so: use write.csv there) or "
        "all lines end with a mark"
    )
    advice = longer if int(got) == int(wanted) + 1 else "text with such a mark in it must stand in quotes"
    return (
        f"A line of {name} has {got} values and there are {wanted} names of columns: {line[:80].strip()}. "
        f"Correct it; {advice}."
    )


def _sample(path: Path, encoding: str) -> str:
    with path.open("rb") as file:
        start = more = file.read(SAMPLE)
        while more and len(start.splitlines()) < LINES:
            more = file.read(len(start))
            start += more
    text = start.decode(encoding, errors="replace").removeprefix("\ufeff")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    whole = not more or len(start) < SAMPLE
    return text if whole else text[: text.rindex("\n")]  # the last line may be cut


def _layout(name: str, text: str, suffix: str, options: ReadOptions) -> Layout:
    """Judge the layout: the delimiter that cuts most lines alike, the names, the decimal mark."""
    lines = text.split("\n")
    cut = {mark: _cut(lines, mark) for mark in ("\t" if suffix == ".tsv" else ",;\t|")}
    delimiter = max(cut, key=lambda mark: _evenness([row for _, row in cut[mark]]))
    rows = cut[delimiter]
    if not any("".join(row) for _, row in rows):
        raise DataError(f"{name} is empty: there is nothing in its lines.")
    at = header_row([row for _, row in rows])
    skip, fields = rows[at]
    if len(fields) == 1 and len(fields[0].split()) > 1:
        which = f"the first line of {name} ({fields[0][:60].strip()})"
        raise DataError(f"There is no comma, semicolon, tab or | in {which}; put one between the columns.")
    check_names(name, fields, skip - 1)
    if not rows[at + 1 :]:
        raise DataError(f"{name} is empty: it has {len(fields)} columns and 0 rows.")
    decimal = "."
    if delimiter != ",":
        columns = list(zip_longest(*(row for _, row in rows[at + 1 :]), fillvalue=""))
        decimal, equal = file_mark(columns)
        decimal = "," if equal and delimiter == ";" else decimal
        warn_of_thousands(name, dict(zip(fields, columns, strict=False)), decimal, options)
    return Layout(delimiter, decimal, fields, skip, title_note(name, [row for _, row in rows[:at]]))


def _cut(lines: list[str], delimiter: str) -> list[tuple[int, list[str]]]:
    """Cut lines that are not blank at the delimiter; each with the number of lines that end with it."""
    reader = csv.reader((line + "\n" for line in lines), delimiter=delimiter, skipinitialspace=True)
    return [(reader.line_num, [_bare(field) for field in row]) for row in reader if row]


def _bare(field: str) -> str:
    """Take off what stands about a field: blanks, and quotes at both of its ends (they were quoted twice)."""
    field = field.strip(" \t\ufeff")
    quoted = re.fullmatch(r'"([^"]*)"', field)
    return quoted[1].strip() if quoted else field


def _evenness(rows: list[list[str]]) -> tuple[int, int]:
    """Count the rows of the most frequent length above one, and give that length."""
    lengths = [len(row) for row in rows if len(row) > 1]
    common = max(set(lengths), key=lambda n: (lengths.count(n), n), default=0)
    return lengths.count(common), common


def _encoding(path: Path) -> str:
    """Judge the encoding by the whole file: UTF-8, UTF-16 or 32, else the Windows code page Excel writes.

    One letter may be all that tells them, in the last line.
    """
    with path.open("rb") as file:
        start = file.read(SAMPLE)
    if start.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    zeros = [start[place::2].count(0) > len(start) / 5 for place in (0, 1)]  # half of a letter without accent
    if zeros[0] != zeros[1]:
        return "utf-16-be" if zeros[0] else "utf-16-le"
    if sum(map(start.count, CONTROLS)) > len(start) / 50:
        raise DataError(f"{path.name} is no text: it has bytes that no text has: save it as .csv again.")
    return next((name for name in ("utf8", "cp1252") if _is_all(path, name)), "latin-1")


def _is_all(path: Path, encoding: str) -> bool:
    """Tell whether all bytes of a file are letters of an encoding."""
    decoder = codecs.getincrementaldecoder(encoding)()
    with path.open("rb") as file:
        try:
            while block := file.read(BLOCK):
                decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True
