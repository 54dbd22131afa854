"""How one number, one name and one matrix look in HLM's listing."""

from __future__ import annotations

import math
from collections.abc import Iterable

from .tables import Header, Matrix

RULE = " " + "-" * 76
LONG_RULE = " " + "-" * 77
SHORT_RULE = " " + "-" * 52


def number(value: float | None, width: int, decimals: int) -> str:
    """Return `value` right-aligned in `width` columns, with a blank; E notation where it cannot fit."""
    if value is None or math.isnan(value):
        return f"{'n/a':>{width}}"
    text = f"{value:.{decimals}f}"
    if len(text) >= width:
        text = f"{value:.{max(width - 9, 0)}E}"
    return f"{text:>{width}}"


def count(value: float, width: int = 0) -> str:
    """Return degrees of freedom: whole as HLM prints them, two decimals where a method gives fractions."""
    if not math.isfinite(value):
        return f"{'n/a' if math.isnan(value) else 'inf':>{width}}"
    return f"{value:{width}.0f}" if float(value).is_integer() else f"{value:{width}.2f}"


def likelihood(value: float) -> str:
    """Return a log-likelihood as HLM prints it: ``-2.355840E+004``."""
    if not math.isfinite(value):
        return "n/a"
    mantissa, _, exponent = f"{value:.6E}".partition("E")
    return f"{mantissa}E{exponent[0]}{exponent[1:]:0>3}"


def name_width(header: Header) -> int:
    """Return the width of the columns of names: HLM's 8, or more where the data have longer names."""
    names = [t.name for c in header.coefficients for t in c.terms] + [c.variable for c in header.coefficients]
    return max([8, *map(len, names), *map(len, header.sigma2_variables)])


def matrix(
    header: Header, values: Matrix, *, width: int = 13, decimals: int = 5, end: str = " "
) -> list[str]:
    """Return one line per random coefficient: its name, its symbol, its row."""
    names = name_width(header) + 1
    return [
        f"{c.variable:>{names}},{c.symbol:<2}"
        + "".join(number(value, width, decimals) + end for value in row)
        for c, row in zip(header.random, values, strict=True)
    ]


def ruled(rule: str, heads: Iterable[str], rows: Iterable[str]) -> list[str]:
    """Return the lines of a table: heads and rows with a rule above, between and below."""
    return [rule, *heads, rule, *rows, rule]
