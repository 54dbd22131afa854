"""Checks on single columns: numbers or not, missing, infinite, constant; and finding one by name."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..errors import DataError
from ..words import composed, nearest, some

DATE = re.compile(r"\d{4}-\d\d-\d\d\b|\d{1,2}([./])\d{1,2}\1(\d{4}|\d\d)\b")  # 2020-05-01, 1.5.2020, 5/1/20
SINCE = " Of dates make time since a start, in days for example."
STATA = re.compile(r"(?P<kind>c|i|i?b(?P<base>\d*)n?)\.(?P<variable>.+)", re.IGNORECASE)


def scan(values: np.ndarray, name: str, source: str, where: str = "") -> np.ndarray | None:
    """Return (n,) bool of the missing values of a numeric column, None if there are none; one pass if clean.

    Raise DataError for infinite values.
    """
    if values.dtype.kind != "f":
        return None
    with np.errstate(all="ignore"):  # no temporary array: a finite sum has finite terms
        if np.isfinite(values.sum()):
            return None
    bad = np.isinf(values)
    if bad.any():
        raise DataError(
            f"Column {name!r} of {source} has infinite values{at(where)}: {bad.sum()} of {len(values)}, in "
            f"rows {some(np.flatnonzero(bad) + 1)}. Correct them or set them to missing."
        )
    gone = np.isnan(values)
    return gone if gone.any() else None


def numeric(values: np.ndarray, name: str, source: str, where: str = "") -> np.ndarray:
    """Return `values` if they are numbers (bool, int or float), else raise a DataError with an example."""
    if values.dtype.kind in "biuf":
        return values
    if values.dtype.kind not in "OUST":
        times = values.dtype.kind in "Mm"
        kind = "dates or times" if times else f"values of type {values.dtype}"
        present = values[values == values]  # NaT and nan differ from themselves
        example = (present if len(present) else values)[0]
        raise DataError(
            f"Column {name!r} of {source} is not numeric{at(where)}: it holds {kind} such as "
            f"{example}.{SINCE if times else ''}"
        )
    bad = [row for row, value in enumerate(values.tolist()) if not _reads_as_number(value)]
    row = bad[0] if bad else next(i for i, value in enumerate(values.tolist()) if value is not None)
    what = f"{len(bad)} of {len(values)} values are not numbers" if bad else "it holds numbers stored as text"
    raise DataError(
        f"Column {name!r} of {source} is not numeric{at(where)}: {what}, for example {str(values[row])!r} in "
        f"row {row + 1}. Recode it to numbers; missing values must be empty or declared missing, missing= "
        f"(--missing).{_way_out(str(values[row]).strip())}"
    )


def _way_out(text: str) -> str:
    """Name the options with which a text would be a number, or what a date is to be."""
    if DATE.match(text):
        return SINCE
    if re.fullmatch(r"[-+]?[0-9][0-9.,]*\s?%", text):
        return " percent=True (--percent) reads 45 % as 45, where all values of a column are so."
    mark = re.fullmatch(r"[-+]?[0-9]+([.,])[0-9]+", text)
    decimal = f" If {mark[1]!r} is its decimal mark, say decimal={mark[1]!r} (--decimal)" if mark else ""
    parts = re.fullmatch(r"[-+]?[0-9]{1,3}(?:([.,' \u00a0])[0-9]{3})+(?:[.,][0-9]+)?", text)
    if parts is None:
        return f"{decimal}." if decimal else ""
    space = " " if parts[1] == "\u00a0" else parts[1]
    thousands = f"f {space!r} parts thousands, say thousands={space!r} (--thousands)."
    return f"{decimal}; i{thousands}" if decimal else f" I{thousands}"


def spelling(name: str) -> str:
    """Give a column's name as equations can have it: accents in their letters, on one line, trimmed.

    Sheets break long names with Alt and Enter.
    """
    return composed(re.sub(r"\s*[\r\n]\s*", " ", name.strip()))


def spellings(names: Iterable[Any]) -> dict[str, Any]:
    """Map the names of columns, by their `spelling`, to the names as they are.

    Two of one spelling stay two.
    """
    names = {str(name): name for name in names}
    found: dict[str, Any] = {}
    for text, name in names.items():
        plain = spelling(text)
        found[text if plain in found or plain in names else plain] = name
    return found


def find_column(name: str, columns: Iterable[str], source: str) -> str | None:
    """Return the exact name of the column called `name`: so, or in any case; None if there is none."""
    columns = list(columns)
    if name in columns:
        return name
    found = [column for column in columns if spelling(column).lower() == spelling(name).lower()]
    if len(found) > 1:
        raise DataError(
            f"{source} has columns that differ only in case: {', '.join(found)}. {name!r} is none of "
            "them: spell it as one of them, or rename all but one."
        )
    return found[0] if found else None


def _reads_as_number(value: Any) -> bool:
    if value is None or isinstance(value, (int, float)):
        return True
    try:
        float(value)
    except (TypeError, ValueError):
        return not str(value).strip()
    return True


def suggest(name: str, names: Iterable[str]) -> str:
    """Return the nearest name as a question, else the names there are."""
    close = nearest(name, names)
    return f"Did you mean {close!r}?" if close else f"Its columns are: {some(names, 20)}."


def suggest_variable(name: str, names: Iterable[str]) -> str:
    """Do it for a variable of a model, which may be written as Stata does: i.sector, ib2.sector, c.ses."""
    names = list(names)
    found = STATA.fullmatch(name)
    near = found and nearest(found["variable"], names)
    if not found or not near:
        return suggest(name, names)
    if found["kind"].casefold() == "c":
        return f"Stata's {name!r} is {near} here."
    base = f', ref="{found["base"]}"' if found["base"] else ""
    return f"Stata's {name!r}, whose values are categories, is C({near}{base}) here."


def at(where: str) -> str:
    """Return the place in the model in brackets, nothing if it is not known."""
    return f" ({where})" if where else ""
