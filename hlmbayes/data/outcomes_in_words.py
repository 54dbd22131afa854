"""Outcomes in words as numbers: ratings in their order, two words as 0 and 1, categories as 1, 2, ..."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import numpy as np

from ..errors import DataError
from ..words import some
from .categories import Categories, InOrder, categories_of, is_category
from .columns import find_column
from .rows import Rows
from .table import with_columns

ORDER = (
    "The order of ratings is that of numbers: number them from the lowest to the highest, or give them as "
    "categories that have an order (pandas.Categorical with ordered=True, Polars' Enum)."
)

LAWS = (
    "Of an outcome in words write logit({0}) where it has two, mlogit({0}) where it has more, or say family=."
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
    declared = data.categories.get(found.lower(), ())
    numbers = data.level1[found].dtype.kind in "biuf"
    if numbers and not (isinstance(declared, InOrder) and list(declared) != sorted(declared)):
        return data
    if not isinstance(declared, InOrder):
        _refuse_text(data, found, ORDER)
    own, every = (_categories(v, declared) for v in (data.level1[found], np.array(declared, dtype=object)))
    said = f"{found} is taken in the order of its categories, lowest first"
    return _numbered(data, found, own, every.levels, 1, said)


def with_numbers[D: Rows](data: D, name: str, binary: bool) -> D:
    """Give data in which an outcome in words is numbers: 0 and 1 if it is ``binary``, else 1, 2, ...

    They are in the order that its column declares, else alphabetical; `notes` says what they mean.

    Raises
    ------
    DataError
        A binary outcome of more than two words.
    """
    found = find_column(name, data.level1, data.sources[0])
    if found is None:
        return data
    values, declared = data.level1[found], data.categories.get(found.lower())
    if values.dtype.kind in "biuf" or not is_category(values, declared):
        return data
    own = _categories(values, declared or ())
    if binary and len(own.levels) > 2:
        raise DataError(
            f"a binary outcome has two values, and {found} has {len(own.levels)}: {some(own.levels, 6)}. "
            "Declare those that are missing codes (missing=, --missing), join some, or take a multinomial "
            "outcome"
        )
    order = "that its column declares" if declared else "alphabetical"
    said = f"{found} is numbered, the order is {order}"
    return _numbered(data, found, own, own.levels, 0 if binary else 1, said)


def _categories(values: np.ndarray, declared: tuple[object, ...]) -> Categories:
    return categories_of(values, declared, {}, np.ones(len(values), dtype=bool))


def _numbered[D: Rows](
    data: D, found: str, own: Categories, levels: tuple[str, ...], first: int, said: str
) -> D:
    """Number a column by the places of ``levels``, from ``first`` on; `notes` says it after ``said``."""
    key = found.lower()
    labels = {float(k): label for k, label in enumerate(levels, start=first)}
    place = {label: code for code, label in labels.items()}
    codes = np.array([*(place[level] for level in own.levels), np.nan])[own.codes]
    each = some([f"{code:g} {label}" for code, label in labels.items()], 30)
    return replace(
        data,
        level1=with_columns(data.level1, {found: codes}),
        value_labels=MappingProxyType({**data.value_labels, key: labels}),
        categories=MappingProxyType({k: v for k, v in data.categories.items() if k != key}),
        notes=(*data.notes, f"{said}: {each}"),
    )


def refuse_words(data: Rows, name: str) -> None:
    """Refuse words as an outcome that is a number, and say which models there are for them: DataError."""
    found = find_column(name, data.level1, data.sources[0])
    if found is not None and is_category(data.level1[found], data.categories.get(found.lower())):
        _refuse_text(data, found, LAWS.format(found))


def _refuse_text(data: Rows, found: str, advice: str) -> None:
    try:
        data.level1_column(found)
    except DataError as error:
        raise DataError(f"{error} {advice}") from None
