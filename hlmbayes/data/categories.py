"""Columns as categories: text, pandas' categories, value labels, whole numbers -> levels and codes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..words import decoded

_LIKE_A_NUMBER = re.compile(r"[-+$€£]?\s*[.,]?[0-9][0-9.,' ]*\s*%?")


class InOrder(tuple[Any, ...]):
    """Categories that are in an order of their own, from the lowest to the highest: those of ratings."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, eq=False)
class Categories:
    """A column as categories: ``codes`` (n,) of ``levels``, -1 where the value is missing.

    ``levels`` are those that occur, in order; ``unused`` those that are declared and do not.
    """

    codes: np.ndarray
    levels: tuple[str, ...]
    unused: tuple[str, ...] = ()


def is_missing(values: np.ndarray) -> np.ndarray:
    """Say where a column of any kind has no value, (n,) bool: nan, None, NaT, text that is blank."""
    if values.dtype.kind == "O":
        return np.fromiter(map(_nothing, values.tolist()), dtype=bool, count=len(values))
    return np.asarray(values != values) if values.dtype.kind in "fcMm" else np.zeros(len(values), dtype=bool)


def _nothing(value: Any) -> bool:
    if isinstance(value, str):
        return not value.strip()
    return value is None or type(value).__name__ in ("NAType", "NaTType") or bool(value != value)


def is_category(values: np.ndarray, declared: Sequence[Any] | None) -> bool:
    """Say whether a column is categories by itself: declared so, or text that nowhere looks like a number."""
    if declared is not None:
        return True
    if values.dtype.kind not in "OUS":
        return False
    present = {v for v in values.tolist() if isinstance(v, str) and v.strip()}
    texts = all(isinstance(v, str) for v in values[~is_missing(values)].tolist())
    return bool(present) and texts and not any(_LIKE_A_NUMBER.fullmatch(v.strip()) for v in present)


def declared_categories(
    frame: Any, names: Mapping[str, Any], types: Mapping[str, Any]
) -> dict[str, tuple[Any, ...]]:
    """Give the categories of a narwhals frame's columns that declare any, `InOrder` where they have one.

    They are none where not even how they are listed is known. ``names`` are the frame's own names of columns,
    ``types`` their types.
    """
    import narwhals as nw

    found: dict[str, tuple[Any, ...]] = {}
    native = frame.to_native()
    pandas = (native.schema.pandas_metadata or {}) if frame.implementation.is_pyarrow() else {}
    from_pandas = {c["name"] for c in pandas.get("columns", ()) if c["pandas_type"] == "categorical"}
    for name, column in names.items():
        dtype = types[name]
        if isinstance(dtype, nw.Enum):
            found[name] = InOrder(dtype.categories)  # Polars' Enum, and ordered categories of pandas
        elif dtype == nw.Categorical:
            found[name] = _as_listed(frame.get_column(column), column in from_pandas)
    return found


def _as_listed(series: Any, from_pandas: bool) -> tuple[Any, ...]:
    native = series.to_native()
    if series.implementation.is_pandas():
        return tuple(native.cat.categories.tolist())
    if series.implementation.is_pyarrow() and (from_pandas or native.type.ordered) and native.num_chunks:
        listed = native.chunk(0).dictionary.to_pylist()
        return InOrder(listed) if native.type.ordered else tuple(listed)
    return ()  # elsewhere the order is that in which they appear


def categories_of(
    values: np.ndarray, declared: Sequence[Any] | None, labels: Mapping[Any, str], keep: np.ndarray
) -> Categories:
    """Give a column as categories, by the rows ``keep`` (n,) bool: their levels, in order.

    The order is that of the declared categories, of numbers where the values are (value labels too), else
    alphabetical. Values without a label are named by themselves.
    """
    present = keep & ~is_missing(values)
    raw = values[present].tolist()
    key_of = {value: _key(value) for value in dict.fromkeys(raw)}
    distinct = set(key_of.values())
    known = list(dict.fromkeys(map(_key, declared or ())))
    order = [key for key in known if key in distinct] + sorted(distinct - set(known), key=_rank)
    place = {key: k for k, key in enumerate(order)}
    code = {value: place[key] for value, key in key_of.items()}
    codes = np.full(len(values), -1, dtype=np.intp)
    codes[present] = np.fromiter(map(code.__getitem__, raw), dtype=np.intp, count=len(raw))
    unused = tuple(_named(key, labels) for key in known if key not in distinct)
    return Categories(codes, _names(order, labels), unused)


def _names(order: Sequence[Any], labels: Mapping[Any, str]) -> tuple[str, ...]:
    """The names of levels; two of one label are told apart by their values, whether both are here or not."""
    every = [_named(key, labels) for key in dict.fromkeys([*order, *map(_key, labels)])]
    pairs = [(_named(key, labels), key) for key in order]
    return tuple(name if every.count(name) == 1 else f"{name} ({_plain(key)})" for name, key in pairs)


def _key(value: Any) -> Any:
    """A value as levels are told apart: text without blanks around it, numbers as floats."""
    if isinstance(value, bytes):
        value = decoded(value)
    if isinstance(value, str):
        return value.strip()
    return value if isinstance(value, bool | np.bool_) else _number(value)


def _number(value: Any) -> Any:
    try:
        return float(value)
    except (TypeError, ValueError):
        return str(value)


def _rank(key: Any) -> tuple[bool, Any]:
    return isinstance(key, str), key


def _named(key: Any, labels: Mapping[Any, str]) -> str:
    """The name of a level: its value label, or the value; whole numbers without decimals."""
    label = labels.get(key) if not isinstance(key, str) else labels.get(key, key)
    if label is not None:
        return str(label).strip() or _plain(key)
    return _plain(key)


def _plain(key: Any) -> str:
    if isinstance(key, float):
        return f"{key:.0f}" if key == round(key) and abs(key) < 1e15 else repr(key)
    return str(key)
