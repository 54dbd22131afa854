"""Where the variables of terms come from: the rows of level 1, or the units of level 2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..data.categories import is_category
from ..data.columns import find_column
from ..data.rows import Rows
from ..words import some


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """Complete rows, n of them, or the units that have such rows.

    ``weight`` (n,) is what each counts in a mean. ``place`` (n,) is what a message calls it: the number of
    the row in the data as read, or the unit's id.
    """

    level: int
    data: Rows
    weight: np.ndarray
    place: np.ndarray

    @property
    def n(self) -> int:
        """How many rows or units there are."""
        return len(self.weight)

    @property
    def what(self) -> str:
        """What they are called."""
        return "rows" if self.level == 1 else "units"

    def values(self, name: str, where: str = "") -> tuple[str, np.ndarray]:
        """Give the data's own name of a variable and its values, (n,), of whatever type it has."""
        data = self.data
        if self.level == 2:
            return data.level2_values(name, where)
        found = find_column(name, data.level1, data.sources[0])
        if found is not None:
            return found, data.level1[found]
        if find_column(name, data.level2, data.sources[1]) is None:
            data.find(name, where)  # raises: it has the words for what is wrong
        found, values = data.level2_values(name, where)
        return found, values[data.unit]

    def declared(self, name: str) -> Sequence[Any] | None:
        """Give the categories a column declares, None where it does not."""
        return self.data.categories.get(name.lower())

    def labels(self, name: str) -> Mapping[Any, str]:
        """Give the value labels of a column."""
        return self.data.value_labels.get(name.lower(), {})

    def is_category(self, name: str, values: np.ndarray) -> bool:
        """Say whether a column is categories by itself."""
        return is_category(values, self.declared(name))

    def places(self, bad: np.ndarray) -> str:
        """Say where (n,) bool is true, in words."""
        each = "row" if self.level == 1 else self.data.id_name
        places = self.place[bad]
        return f"in {len(places)} of {self.n} {self.what}, {each} {some(places, 5)}"
