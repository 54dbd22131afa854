"""Where the names of the columns stand in a file that a person laid out: below titles, or nowhere."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import DataError
from ..words import some

SAMPLE = 50  # rows that are looked at


def header_row(rows: Sequence[Sequence[Any]]) -> int:
    """Give the place of the row of names: the first that is filled about as the rows are.

    Title rows above it have a cell or two where the data have many. Cells are text or values, "" is empty.
    """
    filled = [sum(bool(str(cell).strip()) for cell in row) for row in rows[:SAMPLE]]
    first = next((k for k, n in enumerate(filled) if n), 0)
    wanted = max(2, math.ceil(np.median([n for n in filled[first:] if n] or [0]) / 2))
    return next((k for k, n in enumerate(filled) if n >= wanted), first)


def check_names(source: str, fields: Sequence[str], row: int) -> None:
    """Refuse a row of numbers where the names should stand."""
    number = r"[-+]?[\d.,]*\d[\d.,]*(e[-+]?\d+)?"
    if all(re.fullmatch(number, field, re.IGNORECASE) for field in fields if field):
        which = "the first line" if not row else f"line {row + 1}"
        shown = ",".join(fields)[:60]
        raise DataError(
            f"There are numbers in {which} of {source} ({shown}); it must hold the names of the columns."
        )


def column_names(source: str, fields: Sequence[str]) -> list[str]:
    """Name every column, the unnamed ones by their place; refuse two of the same name."""
    names = [field or f"column_{place}" for place, field in enumerate(fields, 1)]
    double = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if double:
        raise DataError(f"{source} has columns of the same name; rename them: {some(double)}")
    return names


def title_note(source: str, above: Sequence[Sequence[Any]]) -> tuple[str, ...]:
    """Say which rows stand above the names and were left out."""
    words = [" ".join(str(cell).strip() for cell in row if str(cell).strip()) for row in above]
    words = [text for text in words if text]
    if not words:
        return ()
    stand = "1 row stands" if len(words) == 1 else f"{len(words)} rows stand"
    shown = some((f'"{text[:60]}"' for text in words), 2)
    return (f"{stand} above the names of the columns of {source}, left out: {shown}",)


def unnamed_note(source: str, names: Sequence[str], fields: Sequence[str]) -> tuple[str, ...]:
    """Say what the columns without a name are called."""
    given = [name for name, field in zip(names, fields, strict=True) if not field]
    if not given:
        return ()
    return (f"{len(given)} column{'s' if len(given) > 1 else ''} of {source} without a name: {some(given)}",)
