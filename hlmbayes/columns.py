"""Checks on single columns: numbers or not, missing, infinite, constant; and finding one by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from hlmbayes.errors import DataError
from hlmbayes.reading import nearest, some


def check_outcome(values: np.ndarray, name: str) -> None:
    """Refuse an outcome without variation: `values` (n,) are the rows that are analysed.

    Raises
    ------
    DataError
        No rows, or the same value in all of them.
    """
    if len(values) == 0:
        raise DataError(
            f"No row has a value of the outcome {name!r} and of every predictor; nothing to analyse."
        )
    if np.all(values == values[0]):
        raise DataError(
            f"The outcome {name!r} is {values[0]:g} in all {len(values)} rows that are analysed; "
            "an outcome that does not vary cannot be modelled."
        )


def missing(values: np.ndarray) -> np.ndarray | None:
    """Return (n,) bool of the missing values of a numeric column, or None if there are none."""
    if values.dtype.kind != "f" or _all_finite(values):
        return None
    gone = np.isnan(values)
    return gone if gone.any() else None


def numeric(values: np.ndarray, name: str, source: str, where: str = "") -> np.ndarray:
    """Return `values` if they are numbers (bool, int or float), else raise a DataError with an example."""
    if values.dtype.kind in "biuf":
        return values
    if values.dtype.kind not in "OUST":
        kind = "dates or times" if values.dtype.kind in "Mm" else f"values of type {values.dtype}"
        raise DataError(
            f"Column {name!r} of {source} is not numeric{at(where)}: it holds {kind} such as {values[0]}."
        )
    bad = [row for row, value in enumerate(values.tolist()) if not _reads_as_number(value)]
    row = bad[0] if bad else next(i for i, value in enumerate(values.tolist()) if value is not None)
    found = (
        f"{len(bad)} of {len(values)} values are not numbers" if bad else "it holds numbers stored as text"
    )
    raise DataError(
        f"Column {name!r} of {source} is not numeric{at(where)}: {found}, for example {str(values[row])!r} "
        f"in row {row + 1}. Recode it to numbers; missing values must be empty or declared missing."
    )


def find_column(name: str, columns: Mapping[str, Any], source: str) -> str | None:
    """Return the exact name of the column called `name` in any case, None if there is none."""
    found = [column for column in columns if column.lower() == name.lower()]
    if len(found) > 1:
        raise DataError(
            f"{source} has columns that differ only in case: {', '.join(found)}. Names in a model match "
            "without case, so rename all but one."
        )
    return found[0] if found else None


def _reads_as_number(value: Any) -> bool:
    if value is None or isinstance(value, (int, float)):
        return True
    try:
        float(value)
    except (TypeError, ValueError):
        return not str(value).strip()
    return True


def _all_finite(values: np.ndarray) -> bool:
    with np.errstate(all="ignore"):  # one pass, no temporary: a sum of finite values is finite
        return bool(np.isfinite(values.sum()))


def infinite(values: np.ndarray) -> np.ndarray | None:
    """Return (n,) bool of the infinite values of a numeric column, or None if there are none."""
    if values.dtype.kind != "f" or _all_finite(values):
        return None
    bad = np.isinf(values)
    return bad if bad.any() else None


def suggest(name: str, names: Iterable[str]) -> str:
    """Return the nearest name as a question, else the names there are."""
    close = nearest(name, names)
    return f"Did you mean {close!r}?" if close else f"Its columns are: {some(names, 20)}."


def at(where: str) -> str:
    """Return the place in the model in brackets, nothing if it is not known."""
    return f" ({where})" if where else ""
