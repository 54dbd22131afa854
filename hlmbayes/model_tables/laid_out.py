"""A table of models as it is shown: text by rows, whatever the format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import pandas as pd

MINUS = "\N{MINUS SIGN}"


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
