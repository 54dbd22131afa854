"""Numbers that are written as text: decimal commas, parted thousands, per cents."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

import numpy as np

from ..errors import warn
from ..words import some
from .read_options import ReadOptions
from .table import NUMBER, tidy

MISSING_TEXTS = ["", ".", "NA", "N/A", "#N/A", "n/a", "NaN", "nan", "NULL", "null"]
MARKS = {",": ".", ".": ","}  # decimal marks, and what they exclude
SURE = 2  # a decimal mark that cannot part thousands


def numbers_of_text(values: np.ndarray, decimal: str, options: ReadOptions) -> np.ndarray:
    """Turn a column of numbers that are text, beside numbers and blanks, into floats; leave others alone.

    ``decimal`` is the mark of the file; the column's own is taken where it is sure and none is asked for.
    """
    if values.dtype.kind != "O":
        return values
    texts = {value: value.strip() for value in set(filter(_is_text, values.tolist()))}
    filled = [text for text in texts.values() if text not in MISSING_TEXTS]
    if not texts or (filled and not _all_numbers(filled, decimal, options)):
        return values
    mark, parted = _mark_of(filled, decimal, options), _parted(options.thousands)
    number = {
        value: np.nan if text in MISSING_TEXTS else float(parted(text.rstrip("% ")).replace(mark, "."))
        for value, text in texts.items()
    }
    return tidy(np.array([number.get(v, v) if _is_text(v) else v for v in values.tolist()], dtype=object))


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _mark_of(texts: list[str], decimal: str, options: ReadOptions) -> str:
    if options.decimal:
        return options.decimal
    if options.thousands in MARKS:
        return MARKS[options.thousands]
    own, sure = decimal_mark(texts)
    return own if sure == SURE else decimal


def _all_numbers(texts: list[str], decimal: str, options: ReadOptions) -> bool:
    mark = _mark_of(texts, decimal, options)
    if any(text.endswith("%") for text in texts):
        if not (options.percent and all(text.endswith("%") for text in texts)):
            return False
        texts = [text[:-1].rstrip() for text in texts]
    parted = _parted(options.thousands)
    return all(is_number(parted(text), mark) for text in texts)


def _parted(mark: str | None) -> Callable[[str], str]:
    """Give what takes the marks out of thousands, where they stand as they should."""
    if mark is None:
        return str
    space = r"[ \u00a0\u202f]" if mark == " " else re.escape(mark)
    whole = re.compile(rf"([-+]?\d{{1,3}}(?:{space}\d{{3}})+)(?!\d)(.*)")

    def joined(text: str) -> str:
        found = whole.fullmatch(text)
        return re.sub(space, "", found[1]) + found[2] if found else text

    return joined


def is_number(text: str, mark: str) -> bool:
    """Say whether a text is a number with this decimal mark."""
    return MARKS[mark] not in text and bool(NUMBER.fullmatch(text.replace(mark, ".")))


def decimal_mark(texts: Iterable[str]) -> tuple[str, int]:
    """Give the decimal mark of a column that is mostly numbers, and how sure it is: it may part thousands."""
    filled = [text for text in texts if text not in MISSING_TEXTS]
    for mark in MARKS:
        marked = [text for text in filled if mark in text and is_number(text, mark)]
        whole = sum(text.lstrip("+-").isdigit() for text in filled)
        if marked and 2 * (len(marked) + whole) > len(filled):
            thousands = re.compile(rf"[-+]?[1-9]\d{{0,2}}\{mark}\d{{3}}")
            return mark, 1 if all(map(thousands.fullmatch, marked)) else SURE
    return ".", 0


def warn_of_thousands(
    source: str, columns: Mapping[str, Iterable[str]], decimal: str, options: ReadOptions
) -> None:
    """Warn where all that a file shows of its decimal mark may part thousands: 1.234, 999 and 12.500."""
    if options.decimal is not None or options.thousands is not None:
        return
    texts = {name: [text.strip() for text in column] for name, column in columns.items()}
    votes = {name: decimal_mark(column) for name, column in texts.items()}
    if (decimal, SURE) in votes.values():
        return
    unsure = (name for name, vote in votes.items() if vote == (decimal, 1))
    found = [f"{name} ({text})" for name in unsure if (text := _perhaps_parted(texts[name], decimal))]
    if found:
        warn(
            f"In {source} numbers are read as decimals of three digits: {some(found, 4)}. If {decimal!r} "
            f"parts thousands there, say thousands={decimal!r} (--thousands {decimal}); if it is the decimal "
            f"mark, decimal={decimal!r} (--decimal {decimal})."
        )


def _perhaps_parted(texts: Iterable[str], decimal: str) -> str:
    """Give a number of a column that may be parted; "" where there is none."""
    filled = [text for text in texts if text not in MISSING_TEXTS]
    if not all(is_number(text, decimal) for text in filled):
        return ""
    return next(text for text in filled if decimal in text)


def file_mark(columns: Iterable[Iterable[str]]) -> tuple[str, bool]:
    """Give the decimal mark of a file by a vote of its columns, and whether the votes were equal."""
    votes = {".": 0, ",": 0}
    for column in columns:
        mark, sure = decimal_mark(text.strip() for text in column)
        votes[mark] += sure
    return max(votes, key=votes.__getitem__), votes["."] == votes[","] > 0
