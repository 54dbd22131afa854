"""Ratings whose categories declare an order, as the numbers of their places in it."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import numpy as np

from ..errors import DataError
from ..words import some
from .categories import InOrder, categories_of
from .columns import find_column
from .rows import Rows
from .table import with_columns

ORDER = (
    "The order of ratings is that of numbers: number them from the lowest to the highest, or give them as "
    "categories that have an order (pandas.Categorical with ordered=True, Polars' Enum)."
)


def with_ratings[D: Rows](data: D, name: str) -> D:
    """Give data in which the ratings ``name`` are numbers: 1, 2, ... in the order that their column declares.

    Numbers stay what they are, unless the declared order is another than theirs. `notes` says what the
    numbers mean, and `value_labels` too.

    Raises
    ------
    DataError
        Text without a declared order.
    """
    found = find_column(name, data.level1, data.sources[0])
    if found is None:
        return data  # it is refused where the model asks for it
    key, values = found.lower(), data.level1[found]
    declared = data.categories.get(key, ())
    numbers = values.dtype.kind in "biuf"
    if numbers and not (isinstance(declared, InOrder) and list(declared) != sorted(declared)):
        return data
    if not isinstance(declared, InOrder):
        _refuse_text(data, found)
    own, every = (
        categories_of(each, declared, {}, np.ones(len(each), dtype=bool))
        for each in (values, np.array(declared, dtype=object))
    )
    labels = {float(k): label for k, label in enumerate(every.levels, start=1)}
    place = {label: code for code, label in labels.items()}
    codes = np.array([*(place[level] for level in own.levels), np.nan])[own.codes]
    each = some([f"{code:g} {label}" for code, label in labels.items()], 30)
    return replace(
        data,
        level1=with_columns(data.level1, {found: codes}),
        value_labels=MappingProxyType({**data.value_labels, key: labels}),
        categories=MappingProxyType({k: v for k, v in data.categories.items() if k != key}),
        notes=(*data.notes, f"{found} is taken in the order of its categories, lowest first: {each}"),
    )


def _refuse_text(data: Rows, found: str) -> None:
    try:
        data.level1_column(found)
    except DataError as error:
        raise DataError(f"{error} {ORDER}") from None
