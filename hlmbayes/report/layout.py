"""How one number, one name and one matrix look in HLM's listing."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..text_table import ALL_DIGITS
from .tables import Header, Matrix

RULE = " " + "-" * 76
LONG_RULE = " " + "-" * 77
SHORT_RULE = " " + "-" * 52


def figure(value: float | None, decimals: int) -> str:
    """Return a number with its decimals; E notation where a float has no more digits to print."""
    if value is None or math.isnan(value):
        return "n/a"
    far = ALL_DIGITS <= abs(value) < math.inf
    return f"{value:.{decimals}{'E' if far else 'f'}}"


def number(value: float | None, width: int, decimals: int) -> str:
    """Return `value` right-aligned in `width` columns, or more where it needs them, a blank before it."""
    return f" {figure(value, decimals)}".rjust(width)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its heads, from above, its cells, and HLM's width, wider where a cell needs it.

    Heads stand at its right end; a blank at theirs moves them to the left.
    """

    heads: tuple[str, str]
    width: int
    cells: Sequence[str]

    @property
    def extra(self) -> int:
        """By how much it is wider than HLM's."""
        return max([0, *(len(cell) + 1 - self.width for cell in self.cells)])

    def lines(self) -> list[str]:
        """Return heads and cells in its width."""
        return [text.rjust(self.width + self.extra) for text in (*self.heads, *self.cells)]


def set_out(names: Sequence[str], *columns: Column) -> tuple[list[str], list[str], int]:
    """Set names, the first two of the heads, and columns side by side: heads, rows, width beyond HLM's."""
    rows = zip(names, *(column.lines() for column in columns), strict=True)
    lines = ["".join(row).rstrip() for row in rows]
    return lines[:2], lines[2:], sum(column.extra for column in columns)


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


def symbols(names: Iterable[str], least: int = 0) -> list[str]:
    """Set symbols out: as wide as the longest where there are columns of terms, B1[GENERAL], else as HLM."""
    listed = list(names)
    width = max([least, *(len(name) for name in listed if any("[" in other for other in listed))])
    return [name.ljust(width) for name in listed]


def matrix(
    header: Header, values: Matrix, *, width: int = 13, decimals: int = 5, end: str = " "
) -> list[str]:
    """Return one line per random coefficient: its name, its symbol, its row."""
    names = name_width(header) + 1
    width = max([width, *(len(figure(value, decimals)) + 1 for row in values for value in row)])
    of_random = symbols((c.symbol for c in header.random), 2)
    return [
        f"{c.variable:>{names}},{symbol}" + "".join(number(value, width, decimals) + end for value in row)
        for c, symbol, row in zip(header.random, of_random, values, strict=True)
    ]


def ruled(rule: str, heads: Iterable[str], rows: Iterable[str]) -> list[str]:
    """Return the lines of a table: heads and rows with a rule above, between and below."""
    return [rule, *heads, rule, *rows, rule]


@dataclass(frozen=True, slots=True)
class Words:
    """The words of one version of HLM; those here are HLM 6.08's."""

    sigma2: str = "Sigma_squared"
    se_sigma2: str = "Standard Error of Sigma_squared"
    tau: str = "Tau"
    se_tau: str = "Standard Errors of Tau"
    likelihood: str = "likelihood function"
    error: str = "Error   "
    t_ratio: str = "T-ratio"
    df: str = "df"
    p_value: str = "P-value"
    small_effects: bool = False  # u0 and r, not U0 and R

    def effect(self, symbol: str) -> str:
        """Give the symbol of a random effect as it is written."""
        return symbol.lower() if self.small_effects else symbol


WORDS = {
    "6": Words(),
    "7": Words(
        "sigma^2", "Standard error of sigma^2", "tau", "Standard errors of tau", "log-likelihood function",
        "error   ", "t-ratio", "d.f.", "p-value", True,
    ),
}  # fmt: skip


def words_of(header: Header) -> Words:
    """Give the words of the version of HLM that a listing follows."""
    return WORDS[header.hlm]
