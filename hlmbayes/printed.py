"""Data frames that show all their columns, however narrow the terminal is."""

from __future__ import annotations

from typing import Any

import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from . import notebook
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
        blocks = in_blocks(self._texts(), self.index.nlevels)
        return "\n".join([blocks, *(["", *self._labels()] if self._labels() else [])])

    __str__ = __repr__

    def _repr_html_(self) -> str | None:
        if self.columns.nlevels > 1 or len(self) > MOST_ROWS:
            return super()._repr_html_()  # type: ignore[misc, no-any-return]
        return notebook.shown(notebook.tabled(self._texts()), *map(notebook.sentences, self._labels()))

    def _texts(self) -> list[TextColumn]:
        """Give index and columns as texts."""
        levels = [self.index.get_level_values(k) for k in range(self.index.nlevels)]
        columns = [TextColumn([str(level.name or ""), *map(str, level)], words=True) for level in levels]
        return columns + [_column(str(self.columns[k]), self.iloc[:, k]) for k in range(len(self.columns))]

    def _labels(self) -> list[str]:
        return [f"{name}: {label}" for name, label in self.attrs.get("labels", {}).items()]


def _column(head: str, values: Any) -> TextColumn:
    if is_numeric_dtype(values) and not is_bool_dtype(values):
        return TextColumn([head, *number_texts(values.to_numpy(dtype=float))])
    return TextColumn([head, *(shortened(str(value)) for value in values)], words=True)
