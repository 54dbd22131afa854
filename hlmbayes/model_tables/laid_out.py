"""A table of models as it is shown: text by rows, whatever the format."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

MINUS = "\N{MINUS SIGN}"
MOST_DECIMALS = 8
NOTHING = 1e-290  # below, zero is meant


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
