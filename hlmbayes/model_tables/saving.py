"""A table of models as it is shown, text by rows, and as a file.

Word, LaTeX and Typst by maketables, Excel by openpyxl, ...
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import OutputError
from ..writing import write_bytes, write_text

if TYPE_CHECKING:
    import pandas as pd


MINUS = "\N{MINUS SIGN}"
MOST_DECIMALS = 8
NOTHING = 1e-290  # below, zero is meant
HIDDEN = 0xE000  # Unicode's private use: no text has characters from there
TEX = {letter: rf"\{letter}" for letter in "&%$#_{}"} | {"<": "$<$", ">": "$>$", "\\": r"\textbackslash{}"}
TEX |= {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "|": r"\textbar{}"}
TYPST = {letter: rf"\{letter}" for letter in "$@`~/"}
DOCX_STYLE = {"first_col_width": "2.4in", "font_size_pt": 10, "notes_align": "left"}
STYLE = (
    ".models{border-collapse:collapse;font-variant-numeric:tabular-nums;border-top:2px solid;"
    "border-bottom:2px solid;margin:1em 0}.models th,.models td{padding:.2em .7em;text-align:center;"
    "font-weight:normal;vertical-align:top}.models tbody th{text-align:left;padding-left:1.2em}"
    ".models thead th{border-bottom:1px solid}.models .group th{font-style:italic;padding-left:.2em;"
    "border-top:1px solid}.models tfoot td{text-align:left;font-size:.85em;border-top:1px solid;"
    "max-width:40em;white-space:normal}.models caption{text-align:left;font-weight:bold;padding:.3em 0}"
)


class Row(NamedTuple):
    """A row: its group, its label, and the text of each model, "" where the model has none."""

    group: str
    label: str
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class LaidOut:
    """A table: rows of text under headings, notes below; as lines of a terminal; and its numbers."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    text: str
    numbers: pd.DataFrame
    digits: int


def hidden(value: float, digits: int) -> bool:
    """Say whether so many decimals show a number other than zero as zero."""
    return abs(value) > NOTHING and round(value, digits) == 0


def enough_decimals(values: Sequence[float], digits: int) -> int:
    """Give the decimals that show no number other than zero as zero: two figures of the smallest.

    Numbers that ``digits`` decimals show keep these; those that need more than eight have an exponent.
    """
    sizes = [abs(value) for value in values if np.isfinite(value) and abs(value) > NOTHING]
    if not sizes or not hidden(min(sizes), digits):
        return digits
    return min(1 - math.floor(math.log10(min(sizes))), MOST_DECIMALS)


def write_table(table: LaidOut, path: Path) -> Path:
    """Write a table in the format of the name's ending; see `hlmbayes.ModelTable.save`."""
    write = _FORMATS.get(path.suffix.lower())
    if write is None:
        known = ", ".join(_FORMATS)
        raise OutputError(f"{path.name}: a table is written as {known}; end the name with one of them")
    return write(table, path)


def _maketable(table: LaidOut, special: str = "") -> Any:
    """Give the table as maketables has it: cells of text in groups of rows.

    Characters that are ``special`` in a format are out of its sight: `_shown` brings them back.
    """
    import pandas as pd
    from maketables import MTable

    hidden = str.maketrans({letter: chr(HIDDEN + ord(letter)) for letter in special})
    index = pd.MultiIndex.from_tuples([(row.group, row.label.translate(hidden)) for row in table.rows])
    cells = [[cell.translate(hidden) for cell in row.cells] for row in table.rows]
    frame = pd.DataFrame(cells, index, [heading.translate(hidden) for heading in table.headings])
    notes = " ".join(table.notes).translate(hidden)
    return MTable(frame, notes=notes, caption=table.title.translate(hidden) or None)


def _shown(text: str, special: Mapping[str, str]) -> str:
    """Write special characters as a format wants them."""
    return text.translate({HIDDEN + ord(letter): written for letter, written in special.items()})


def html(table: LaidOut) -> str:
    """Give the table as HTML that needs nothing else."""
    head = "".join(f"<th scope='col'>{escape(h)}</th>" for h in table.headings)
    body, group = [], ""
    for row in table.rows:
        if row.group != group:
            group = row.group
            body.append(
                f"<tr class='group'><th colspan='{len(table.headings) + 1}'>{escape(group)}</th></tr>"
            )
        cells = "".join(f"<td>{escape(cell).replace(chr(10), '<br>')}</td>" for cell in row.cells)
        body.append(f"<tr><th scope='row'>{escape(row.label)}</th>{cells}</tr>")
    notes = "".join(f"<div>{escape(note)}</div>" for note in table.notes)
    caption = f"<caption>{escape(table.title)}</caption>" if table.title else ""
    return (
        f"<style>{STYLE}</style><table class='models'>{caption}<thead><tr><th></th>{head}</tr></thead>"
        f"<tbody>{''.join(body)}</tbody><tfoot><tr><td colspan='{len(table.headings) + 1}'>{notes}</td></tr>"
        "</tfoot></table>"
    )


def _html(table: LaidOut, path: Path) -> Path:
    page = (
        "<!doctype html><html lang='en'><meta charset='utf-8'><meta name='viewport' "
        f"content='width=device-width'><title>{escape(table.title or 'Models')}</title>"
        f"<body style='font-family:sans-serif;overflow-x:auto'>{html(table)}</body></html>\n"
    )
    return write_text(path, page)


def _docx(table: LaidOut, path: Path) -> Path:
    document = _maketable(table).make("docx", docx_style=DOCX_STYLE)
    return _archive(document, path)


def _tex(table: LaidOut, path: Path) -> Path:
    text = str(_maketable(table, "".join(TEX)).make("tex"))
    return write_text(path, _shown(text, TEX).replace(MINUS, "$-$") + "\n")


def _typst(table: LaidOut, path: Path) -> Path:
    text = str(_maketable(table, "".join(TYPST)).make("typst"))
    return write_text(path, _shown(text, TYPST) + "\n")


def _markdown(table: LaidOut, path: Path) -> Path:
    lines = ["| | " + " | ".join(table.headings) + " |", "|---|" + "---:|" * len(table.headings)]
    group = ""
    for row in table.rows:
        if row.group != group:
            group = row.group
            lines.append(f"| *{group}* |" + " |" * len(table.headings))
        cells = (cell.replace("\n", " ").replace("*", r"\*") for cell in row.cells)
        lines.append(f"| {row.label.replace('|', chr(92) + '|')} | " + " | ".join(cells) + " |")
    notes = "  \n".join(note.replace("*", r"\*") for note in table.notes)
    title = f"**{table.title}**\n\n" if table.title else ""
    return write_text(path, f"{title}{chr(10).join(lines)}\n\n{notes}\n")


def _text(table: LaidOut, path: Path) -> Path:
    return write_text(path, table.text)


def _xlsx(table: LaidOut, path: Path) -> Path:
    """Write numbers at full precision, shown with the table's decimals, and the notes below them."""
    from openpyxl import Workbook
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    frame, bold = table.numbers, Font(bold=True)
    book = Workbook()
    sheet: Any = book.active
    sheet.title = "Models"
    sheet.append(["", "", *frame.columns.get_level_values(0)])
    sheet.append(["", "", *frame.columns.get_level_values(1)])
    for (group, name), values in zip(frame.index, frame.to_numpy(), strict=True):
        sheet.append([group, name, *(None if value != value else float(value) for value in values)])
    for row in sheet.iter_rows(min_row=3, min_col=3):
        for cell in row:
            whole = isinstance(cell.value, float) and cell.value.is_integer()
            cell.number_format = "0" if whole else _number_format(cell.value, table.digits)
    for row in sheet.iter_rows(max_row=2):
        for cell in row:
            cell.font = bold
    sheet.column_dimensions["A"].width, sheet.column_dimensions["B"].width = 14, 34
    for k in range(3, len(frame.columns) + 3):
        sheet.column_dimensions[get_column_letter(k)].width = 12
    sheet.freeze_panes = "C3"
    for note in ("", *table.notes):
        sheet.append([note])
    return _archive(book, path)


def _number_format(value: object, digits: int) -> str:
    """Give the format in which a sheet shows a number as the table does."""
    places = enough_decimals([value], digits) if isinstance(value, float) else digits
    return "0.0E+00" if isinstance(value, float) and hidden(value, places) else "0." + "0" * max(places, 1)


def _archive(document: Any, path: Path) -> Path:
    """Write a document in memory first: an archive that meets a full disk complains as long as it lives."""
    document.save(buffer := BytesIO())
    return write_bytes(path, buffer.getvalue())


_FORMATS: dict[str, Callable[[LaidOut, Path], Path]] = {
    ".docx": _docx, ".xlsx": _xlsx, ".tex": _tex, ".html": _html, ".md": _markdown, ".typ": _typst,
    ".txt": _text,
}  # fmt: skip
