"""Missing codes: -99 and the like, made missing where a user names them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ..words import some
from .read_options import EVERY, Codes, ReadOptions
from .table import Columns, Table, tidy
from .written_numbers import numbers_of_text


def as_asked(table: Table, options: ReadOptions, level: int) -> Table:
    """Return a table whose missing codes are missing and whose text is numbers, as far as that is asked for.

    Ids stay as they are: a code of all variables is none of theirs.
    """
    codes = options.missing[level - 1]
    if not codes and not options.of_text and table.decimal is None:
        return table
    mark = options.decimal or table.decimal
    as_text = mark is not None or options.of_text
    raw = table.columns

    def load(name: str) -> np.ndarray:
        own = codes_of(name, codes)
        values = raw[name].astype(object) if raw[name].dtype.kind in "UT" else raw[name]
        values = without_codes(values, own)
        if not as_text or values.dtype.kind != "O":
            return values
        numbers = numbers_of_text(values, mark or ".", options)
        return numbers if numbers is values else without_codes(numbers, own)

    return replace(table, columns=Columns(raw, load), raw=raw, coded=frozenset(codes) - {EVERY})


def codes_of(name: str, codes: Codes) -> tuple[Any, ...]:
    """Give the missing codes of a variable: its own and those of all."""
    return (*codes.get(name.lower(), ()), *codes.get(EVERY, ()))


def without_codes(values: np.ndarray, codes: Iterable[Any]) -> np.ndarray:
    """Return a column with its missing codes made missing (nan or None); the same where it has none."""
    gone = _found(values, codes)
    if not any(mask.any() for mask in gone.values()):
        return values
    mask = np.logical_or.reduce(list(gone.values()))
    if values.dtype.kind == "O":
        values = values.copy()
        values[mask] = None
        return tidy(values)
    values = values.astype(values.dtype if values.dtype.kind == "f" else np.float64)
    values[mask] = np.nan
    return values


def _found(values: np.ndarray, codes: Iterable[Any]) -> dict[Any, np.ndarray]:
    """Say where each code stands in a column."""
    values = values.astype(object) if values.dtype.kind in "UT" else values
    if values.dtype.kind in "iuf":
        numbers = [code for code in codes if isinstance(code, float)]
        return {code: np.isin(values, _as_kept(code, values.dtype)) for code in numbers}
    if values.dtype.kind != "O":
        return {}
    texts = [value.strip() if isinstance(value, str) else value for value in values.tolist()]
    return {code: np.array([_is_code(text, code) for text in texts], dtype=bool) for code in codes}


def _as_kept(code: float, dtype: np.dtype[Any]) -> list[Any]:
    """Give a code as a column of this type may have it: -99.9 in double precision, or made of single."""
    return [dtype.type(code), dtype.type(np.float32(code))] if dtype.kind == "f" else [code]


def _is_code(value: Any, code: float | str) -> bool:
    if isinstance(value, str) and isinstance(code, float):
        return value.replace(",", ".") in (f"{code:g}", f"{code:.1f}", f"{code:.2f}")
    return isinstance(value, str | int | float) and not isinstance(value, bool) and bool(value == code)


def codes_note(sources: Iterable[tuple[Mapping[str, np.ndarray], Codes]]) -> tuple[str, ...]:
    """Say how many values of which columns were codes, and which codes are nowhere."""
    found: list[str] = []
    there: dict[tuple[str, Any], bool] = {}
    for columns, codes in sources:
        there |= {(key, code): there.get((key, code), False) for key in codes for code in codes[key]}
        for name, values in columns.items() if codes else ():
            for code, mask in _found(values, dict.fromkeys(codes_of(name, codes))).items():
                if not (n := int(np.count_nonzero(mask))):
                    continue
                found.append(f"{name}: {count_of(n)} of {_shown(code)}")
                key = name.lower() if code in codes.get(name.lower(), ()) else EVERY
                there[key, code] = True
    nowhere = [
        _shown(c) if key == EVERY else f"{_shown(c)} ({key})"
        for (key, c), is_there in there.items()
        if not is_there
    ]
    notes = [f"missing codes, as missing= (--missing) says: {some(found, 12)}"] if found else []
    return (*notes, *([f"missing codes that are nowhere in the data: {some(nowhere)}"] if nowhere else []))


def count_of(n: int) -> str:
    """Give '1 value', '21 values'."""
    return f"{n:,} value{'' if n == 1 else 's'}"


def _shown(code: float | str) -> str:
    return f"{code:.15g}" if isinstance(code, float) else repr(code)
