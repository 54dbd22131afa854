"""Data frames that show all their columns, however narrow the terminal is."""

from __future__ import annotations

from typing import Any

import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from .text_table import TextColumn, in_blocks, number_texts, shortened

MOST_ROWS = 200  # beyond, it prints as any data frame


class Table(pd.DataFrame):
    """A data frame that prints whole, in blocks of columns where they do not fit beside each other.

    Its index stands at the left of every block. Numbers have about four figures or more.
    ``attrs["labels"]``, of variables in the data, are printed below.
    """

    @property
    def _constructor(self) -> Any:
        return Table

    def __repr__(self) -> str:
        if self.columns.nlevels > 1 or len(self) > MOST_ROWS:
            return super().__repr__()
        levels = [self.index.get_level_values(k) for k in range(self.index.nlevels)]
        columns = [TextColumn([str(level.name or ""), *map(str, level)], words=True) for level in levels]
        columns += [_column(str(self.columns[k]), self.iloc[:, k]) for k in range(len(self.columns))]
        labels = [f"{name}: {label}" for name, label in self.attrs.get("labels", {}).items()]
        return "\n".join([in_blocks(columns, len(levels)), *(["", *labels] if labels else [])])

    __str__ = __repr__


def _column(head: str, values: Any) -> TextColumn:
    if is_numeric_dtype(values) and not is_bool_dtype(values):
        return TextColumn([head, *number_texts(values.to_numpy(dtype=float))])
    return TextColumn([head, *(shortened(str(value)) for value in values)], words=True)
