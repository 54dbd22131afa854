"""What a user says of how data are to be read: decimal marks, missing codes, sheets, incomplete units."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ..errors import DataError

EVERY = "*"  # as the name of a variable: all of them
Codes = Mapping[str, tuple[Any, ...]]  # missing codes, numbers or text, by lower-case name or EVERY
DECIMAL_MARKS = (".", ",")
THOUSANDS_MARKS = (",", ".", "'", " ")
LEVEL2_MISSING = ("refuse", "drop")


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How both sources are read; a pair is of level 1 and level 2."""

    decimal: str | None = None  # decimal mark of numbers that are text; None: judged by the columns
    thousands: str | None = None  # what parts thousands in them
    percent: bool = False  # whether 45 % is 45
    missing: tuple[Codes, Codes] = field(default_factory=lambda: ({}, {}))
    sheet: tuple[str | int | None, str | int | None] = (None, None)
    level2_missing: Literal["refuse", "drop"] = "refuse"

    @property
    def two_sheets(self) -> bool:
        """Whether the levels are in two sheets, of one file perhaps."""
        return self.sheet[0] != self.sheet[1]

    @property
    def of_text(self) -> bool:
        """Whether something is said of numbers that are text."""
        return self.decimal is not None or self.thousands is not None or self.percent


def read_options(
    *,
    decimal: str | None = None,
    thousands: str | None = None,
    percent: bool = False,
    missing: Any = None,
    sheet: Any = None,
    level2_missing: Literal["refuse", "drop"] = "refuse",
) -> ReadOptions:
    """Check what a user says; the arguments are those of `hlmbayes.read`, where they are explained."""
    if decimal not in (None, *DECIMAL_MARKS):
        raise DataError(f"decimal={decimal!r} is no decimal mark: wanted '.' or ','")
    if thousands not in (None, *THOUSANDS_MARKS):
        raise DataError(f"thousands={thousands!r} parts no thousands: wanted ',', '.', \"'\" or ' '")
    if thousands is not None and thousands == decimal:
        raise DataError(f"decimal and thousands are both {decimal!r}: wanted two different marks")
    if level2_missing not in LEVEL2_MISSING:
        raise DataError(f"level2_missing={level2_missing!r} is not known: wanted 'refuse' or 'drop'")
    codes = missing_codes(missing)
    return ReadOptions(decimal, thousands, bool(percent), (codes, codes), _sheets(sheet), level2_missing)


def missing_codes(asked: Any) -> Codes:
    """Give missing codes by lower-case name of a variable; `EVERY` has those of all.

    ``asked`` is a code, several, or a mapping of variable to them. Raise DataError for what is no code.
    """
    if asked is None:
        return {}
    given = asked if isinstance(asked, Mapping) else {EVERY: asked}
    codes: dict[str, tuple[Any, ...]] = {}
    for name, values in given.items():
        several = isinstance(values, Iterable) and not isinstance(values, str | bytes)
        listed = list(values) if several else [values]
        codes[str(name).lower()] = tuple(dict.fromkeys(_code(value, asked) for value in listed))
    return codes


def _code(value: Any, asked: Any) -> float | str:
    if isinstance(value, str):
        return number_or_text(value)
    try:
        if isinstance(value, bool) or not math.isfinite(number := float(value)):
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        raise DataError(
            f"missing={asked!r}: {value!r} is no missing code. Wanted numbers or text, missing=[-99, -9], or "
            'those of each variable, missing={"ses": [-99]}'
        ) from None
    return number


def with_codes(options: ReadOptions, more: tuple[Codes, Codes]) -> ReadOptions:
    """Return options with more missing codes."""
    pairs = zip(options.missing, more, strict=True)
    first, second = (
        {name: (*a.get(name, ()), *b.get(name, ())) for name in dict.fromkeys([*a, *b])} for a, b in pairs
    )
    return replace(options, missing=(first, second))


def number_or_text(text: str) -> float | str:
    """Give a code as a number where it is one."""
    text = text.strip()
    return float(text) if re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)", text, re.ASCII) else text


def codes_from_text(texts: Sequence[str]) -> dict[str, tuple[Any, ...]]:
    """Read missing codes as they are written on a command line or in a template: -99,-9 or ses=-99,-9.

    A name ends what was said before it: "ses=-99,-9, age=-1" are two.
    """
    codes: dict[str, tuple[Any, ...]] = {}
    for text in [part for whole in texts for part in re.split(r"[,;]\s*(?=[^,;=]*=)", whole)]:
        name, equals, values = text.rpartition("=")
        key = name.strip().lower() if equals else EVERY
        found = [
            part.strip()
            for part in re.split(r"[,;]" if "," in text or ";" in text else r"\s+", values.strip())
        ]
        if not key or not all(found):
            raise DataError(
                f"missing codes {text!r} are not understood: wanted numbers, -99,-9, or NAME=-99,-9 for one "
                "variable"
            )
        codes[key] = (*codes.get(key, ()), *map(number_or_text, found))
    return codes


def _sheets(sheet: Any) -> tuple[str | int | None, str | int | None]:
    pair = tuple(sheet) if isinstance(sheet, list | tuple) else (sheet, sheet)
    fine = all(s is None or (isinstance(s, str | int) and not isinstance(s, bool)) for s in pair)
    if len(pair) != 2 or not fine:
        raise DataError(
            f"sheet={sheet!r} names no sheet: wanted its name, its number from 1, or two (level 1, level 2)"
        )
    return pair
