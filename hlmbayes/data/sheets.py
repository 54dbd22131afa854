"""Sheets of Excel and LibreOffice (.xlsx, .xlsm, .xlsb, .xls, .ods) as people lay them out.

The reader makes a sheet's whole rectangle at once, and a machine without the memory ends the program: a stray
cell in the last corner of an .xlsx is found before.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError
from ..words import nearest, some
from .columns import spelling
from .headers import check_names, column_names, header_row, title_note, unnamed_note
from .read_options import ReadOptions
from .table import Table, tidy
from .written_numbers import MISSING_TEXTS, file_mark, warn_of_thousands

SHEETS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
MOST_CELLS = 20_000_000  # of a sheet
MOST_BYTES = 500_000_000  # of a workbook that is unpacked
OLD_SIZE = re.compile(
    rb"\x00\x02\x0e\x00.{4}(.{4}).{2}(.{2})", re.DOTALL
)  # of an .xls, its last row and column
FAR = re.compile(rb'\br="(?:[A-Z]{3}\d|[A-Z]+\d{5})')  # a cell beyond ZZ9999
CELL = re.compile(rb'<(?:\w+:)?c\b[^>]*\br="([A-Z]{1,3})(\d{1,7})"[^>]*[^/]>(?!</)')  # with something in it


def read_sheet(path: Path, options: ReadOptions, level: int) -> Table:
    """Read a sheet: the one that is asked for, else the first that has something in it.

    Raise DataError for a sheet that is not there, has nothing in it, or is too large.
    """
    import python_calamine

    _check_size(path)
    try:
        with python_calamine.CalamineWorkbook.from_path(path) as book:
            sheet, notes = _choose(path.name, book, options.sheet[level - 1])
            _check_cells(path.name, sheet.total_height * sheet.total_width)
            rows = sheet.to_python(skip_empty_area=True)
    except python_calamine.PasswordError:
        raise DataError(
            f"{path.name} is locked by a password: open it where it was made and save it without one."
        ) from None
    where = path.name if len(book.sheet_names) == 1 else f"sheet {sheet.name!r} of {path.name}"
    return _table(where, rows, notes, options)


def sheet_names(path: Path) -> tuple[str, ...]:
    """Give the names of a workbook's sheets; of what is no workbook, or cannot be read, none."""
    if path.suffix.lower() not in SHEETS:
        return ()
    import python_calamine

    try:
        with python_calamine.CalamineWorkbook.from_path(path) as book:
            return tuple(book.sheet_names)
    except (OSError, python_calamine.CalamineError):
        return ()


def _check_size(path: Path) -> None:
    if path.suffix.lower() == ".xls":
        for found in OLD_SIZE.finditer(path.read_bytes()):
            rows, columns = int.from_bytes(found[1], "little"), int.from_bytes(found[2], "little")
            _check_cells(path.name, rows * columns)
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        parts = archive.infolist()
        if sum(part.file_size for part in parts) > MOST_BYTES:
            raise DataError(f"{path.name} is too large to be read as a sheet: save it as .csv or .parquet.")
        for part in parts:
            if "worksheets/" in part.filename and part.filename.endswith(".xml"):
                _check_cells(path.name, _cells(archive.read(part)))


def _cells(sheet: bytes) -> int:
    """Count the cells of the rectangle that holds every cell with something in it."""
    if FAR.search(sheet) is None:
        return 0
    found = CELL.findall(sheet)
    columns = {
        letters: sum((c - 64) * 26**k for k, c in enumerate(letters[::-1]))
        for letters in {c for c, _ in found}
    }
    return max(columns.values(), default=0) * max((int(row) for row in {r for _, r in found}), default=0)


def _check_cells(name: str, cells: int) -> None:
    if cells > MOST_CELLS:
        raise DataError(
            f"{name} has a sheet of {cells:,} cells, at most {MOST_CELLS:,} are read: delete what stands far "
            "outside the data, or save the data as .csv or .parquet."
        )


def _choose(name: str, book: Any, asked: str | int | None) -> tuple[Any, tuple[str, ...]]:
    """Give the sheet to read, and a note where there are others."""
    if asked is not None:
        return book.get_sheet_by_name(_asked_for(name, list(book.sheet_names), asked)), ()
    hidden = {meta.name for meta in book.sheets_metadata if "Hidden" in str(meta.visible)}
    sheets = (book.get_sheet_by_name(other) for other in book.sheet_names if other not in hidden)
    filled = [sheet for sheet in sheets if sheet.start is not None]
    if not filled:
        raise DataError(f"{name} is empty: there is nothing in its sheets, {some(book.sheet_names)}.")
    if len(filled) == 1:
        return filled[0], ()
    others = some(sheet.name for sheet in filled[1:])
    first = f"{name} has several sheets, and the first, {filled[0].name!r}, was read"
    return filled[0], (f"{first}: sheet= (--sheet) chooses another ({others})",)


def _asked_for(name: str, sheets: list[str], asked: str | int) -> str:
    """Give the name of the sheet that is asked for by its name, in any case and trimmed, or its number."""
    if isinstance(asked, str):
        for alike in (asked.__eq__, lambda sheet: sheet.strip().casefold() == asked.strip().casefold()):
            if found := [sheet for sheet in sheets if alike(sheet)]:
                return found[0]
    if (isinstance(asked, int) or asked.isdecimal()) and 1 <= int(asked) <= len(sheets):
        return sheets[int(asked) - 1]
    close = nearest(str(asked), sheets)
    hint = f"Did you mean {close!r}?" if close else f"Its sheets are: {some(sheets)}."
    raise DataError(f"{name} has no sheet {asked!r}. {hint} Say sheet= (--sheet).")


def _table(where: str, rows: Sequence[Sequence[Any]], notes: tuple[str, ...], options: ReadOptions) -> Table:
    """Make columns of a sheet's rows, the names of which stand in one of them."""
    if not rows:
        raise DataError(f"{where} is empty: there is nothing in it.")
    at = header_row(rows)
    fields = [_name(cell) for cell in rows[at]]
    check_names(where, fields, at)
    cells = dict(enumerate(zip(*rows[at + 1 :], strict=True))) if len(rows) > at + 1 else {}
    filled = [k for k, field in enumerate(fields) if field or any(str(c).strip() for c in cells.get(k, ()))]
    fields = [fields[k] for k in filled]
    names = column_names(where, [spelling(field) for field in fields])
    columns = {n: _column(cells.get(k, ())) for n, k in zip(names, filled, strict=True)}
    texts = {
        n: [c for c in cells.get(k, ()) if isinstance(c, str)] for n, k in zip(names, filled, strict=True)
    }
    decimal = options.decimal or file_mark(texts.values())[0]
    warn_of_thousands(where, texts, decimal, options)
    notes = (*notes, *title_note(where, rows[:at]), *unnamed_note(where, names, fields))
    return Table(where, columns, len(rows) - at - 1, decimal=decimal, notes=notes)


def _name(cell: Any) -> str:
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()


def _column(cells: Sequence[Any]) -> np.ndarray:
    """Give the cells of a column, the empty ones and what stands for missing as None."""
    values = np.empty(len(cells), dtype=object)
    values[:] = [None if isinstance(c, str) and c.strip() in MISSING_TEXTS else c for c in cells]
    return tidy(values)
