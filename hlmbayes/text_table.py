"""Tables as text: numbers with the digits that matter, all columns in whatever width there is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from shutil import get_terminal_size

import numpy as np

ALL_DIGITS = 1e15  # from here on a float has no digit after the point
HUGE = 1e10  # from here on four decimals and as many digits before them are hard to read
SMALL = 1e-4  # below, a number has an exponent
LONGEST = 30  # of a name; its code stands beside it
GAP = "  "


def number_texts(values: Sequence[float] | np.ndarray) -> list[str]:
    """Print the numbers of a column with the same decimals: two to six, or as many as they all have.

    They give four figures of those of middling size and two of the smallest.
    """
    numbers = np.asarray(values, dtype=float)
    known = np.abs(numbers[np.isfinite(numbers)])
    plain = known[(known >= SMALL) & (known < ALL_DIGITS)]
    enough = 2
    if len(plain):
        enough = max(3 - _digits(float(np.median(plain))), 1 - _digits(float(plain.min())), 2)
    enough = min(enough, 6)
    exact = (places for places in range(enough) if np.array_equal(plain, np.round(plain, places)))
    decimals = next(exact, enough)
    return [_number(value, decimals) for value in numbers.tolist()]


def number_format(values: Sequence[float] | np.ndarray) -> str:
    """Give the format of numbers that stand together in sentences: four decimals, where they say something.

    More give four figures of numbers that are all small; tiny and huge ones have an exponent.
    """
    sizes = np.abs(np.asarray(values, dtype=float))
    largest = float(sizes[np.isfinite(sizes)].max(initial=0.0))
    if largest == 0 or 0.01 <= largest < HUGE:
        return ".4f"
    return f".{3 - _digits(largest)}f" if SMALL <= largest < HUGE else ".3e"


def _digits(value: float) -> int:
    return math.floor(math.log10(value))


def _number(value: float, decimals: int) -> str:
    if math.isfinite(value) and value != 0 and not SMALL <= abs(value) < ALL_DIGITS:
        return f"{value:.1e}" if abs(value) < SMALL else f"{value:.5e}"
    return f"{value:.{decimals}f}"


def shortened(name: str) -> str:
    """Cut a long name."""
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 3]}..."


@dataclass(frozen=True, slots=True)
class TextColumn:
    """A column of texts, its head first; numbers stand at its right, words at its left."""

    texts: Sequence[str]
    words: bool = False

    def lines(self) -> list[str]:
        """Give the texts in one width."""
        width = max(map(len, self.texts))
        return [text.ljust(width) if self.words else text.rjust(width) for text in self.texts]


def in_blocks(columns: Sequence[TextColumn], names: int, width: int | None = None) -> str:
    """Set columns beside each other; those beyond the width go into blocks below.

    The first ``names`` columns stand at the left of every block. ``width``: by default the terminal's, 80
    where there is none.
    """
    width = get_terminal_size((80, 24)).columns if width is None else width
    lines = [column.lines() for column in columns]
    left = sum(len(column[0]) + len(GAP) for column in lines[:names])
    blocks, used = [lines[:names]], left
    for column in lines[names:]:
        wide = len(column[0]) + len(GAP)
        if used + wide - len(GAP) > width and len(blocks[-1]) > names:
            blocks.append(lines[:names])
            used = left
        blocks[-1] = [*blocks[-1], column]
        used += wide
    set_out = ("\n".join(GAP.join(row).rstrip() for row in zip(*block, strict=True)) for block in blocks)
    return "\n\n".join(set_out)
