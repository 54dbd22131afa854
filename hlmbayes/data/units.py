"""Ids of level-2 units -> an index for every row, without sorting the rows.

Ids come as integers, as floats that are integers (SPSS has no other numbers)
or as text with blanks around it; the same unit may be 1224, 1224.0, "1224 " and
"    1224" in two files. Floats too large for every whole number to have its own
are refused: units have been merged in them already.
"""

from __future__ import annotations

import math
import re
import sys
from collections import Counter
from typing import Any

import numpy as np

from ..errors import DataError
from ..words import composed, decoded, some
from .categories import is_missing
from .table import NUMBER, NUMBERS, exact_below

HASH_ABOVE = 200_000  # ids above which importing pandas for its hash table is cheaper than a sort
Ids = np.ndarray | tuple[np.ndarray, np.ndarray]
WHOLE = re.compile(r"([-+]?[0-9]{1,99})(\.0*)?")  # is taken as an integer: a float has 16 digits


def index_rows(ids: Ids, name: str, source: str) -> tuple[np.ndarray, np.ndarray]:
    """Index rows by unit: each row's place, (N,), in the distinct ids, (J,), and those, ascending.

    ``ids`` are (N,), one a row in any order, or encoded already: (codes (N,), distinct). What comes back are
    integers, float64 (if some are fractions) or str objects. Raise DataError, with the column's ``name`` and
    ``source``, for missing ids, floats that may be rounded, or ids that are neither numbers nor text.
    """
    starts = None
    if isinstance(ids, tuple):
        codes, raw = ids
        n_rows = len(codes)
    else:
        starts, n_rows = _run_starts(ids), len(ids)
        codes, raw = _factorize(ids if starts is None else ids[starts])
    _refuse_rounded(raw if isinstance(ids, tuple) or ids.dtype.kind != "f" else ids, name, source)
    keys = _clean(raw, name, source)
    gone = _no_key(keys)
    if gone.any():
        rows = np.flatnonzero(gone[_expand(codes, starts, n_rows)])
        raise DataError(
            f"The id {name!r} of {source} is missing in {len(rows)} of {n_rows} rows: {some(rows + 1)}. "
            "Give these rows their unit or delete them."
        )
    unit_ids, rank = np.unique(keys, return_inverse=True)
    if not np.array_equal(rank, np.arange(len(raw))):
        codes = rank[codes]
    return _expand(codes, starts, n_rows), unit_ids


def _no_key(keys: np.ndarray) -> np.ndarray:
    return np.array([key is None for key in keys], dtype=bool) if keys.dtype.kind == "O" else np.isnan(keys)


def missing_ids(ids: Ids) -> np.ndarray | None:
    """Say of which rows, (N,), the id is missing, None if of none; ``ids`` as `index_rows` takes them."""
    gone = is_missing(ids[1])[ids[0]] if isinstance(ids, tuple) else is_missing(ids)
    return gone if gone.any() else None


def match_units(
    ids: np.ndarray, level2: tuple[np.ndarray, np.ndarray], sources: tuple[str, str]
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Find each unit's level-2 record: its row there, (J,), and notes on records without rows.

    ``ids`` (J,) are level-1 ids as `index_rows` gives them, ``level2`` what it gives for the level-2 records;
    ``sources`` are the names of both data, for messages. Raise DataError for two records of one id, an id
    without a record, or text in one source and numbers in the other that cannot be matched.
    """
    rows2, ids2 = level2
    count = np.bincount(rows2, minlength=len(ids2))
    if (count > 1).any():
        raise DataError(
            f"{np.sum(count > 1)} ids have more than one level-2 record in {sources[1]}: "
            f"{some(ids2[count > 1])}. A unit needs exactly one; delete the duplicates."
        )
    record = np.empty(len(ids2), dtype=np.intp)
    record[rows2] = np.arange(len(rows2))
    if ids.dtype == ids2.dtype and np.array_equal(ids, ids2):
        return record, ()
    keys1, keys2 = _same_type(ids, ids2, sources)
    used = _found(keys1, keys2)
    lost = used < 0
    if lost.any():
        none = f"No id of {sources[1]} is among them: its are {some(ids2, 4)}. " if lost.all() else ""
        raise DataError(
            f"{lost.sum()} of {len(ids)} ids of {sources[0]} have no record in {sources[1]}: "
            f"{some(ids[lost])}. {none}Add their level-2 records or take their rows out of the level-1 data."
        )
    spare = np.delete(ids2, used)
    records = "level-2 record has" if len(spare) == 1 else "level-2 records have"
    notes = (f"{len(spare)} {records} no level-1 rows: {some(spare)}",) if len(spare) else ()
    return record[used], notes


def _run_starts(ids: np.ndarray) -> np.ndarray | None:
    """Return where runs of equal ids start, if there are few runs: then only the runs need be looked up."""
    if ids.dtype.kind not in "biuf":
        return None
    changed = ids[1:] != ids[:-1]
    if np.count_nonzero(changed) > len(ids) // 4:
        return None
    return np.concatenate(([0], np.flatnonzero(changed) + 1))


def _expand(codes: np.ndarray, starts: np.ndarray | None, n_rows: int) -> np.ndarray:
    if starts is not None:
        codes = np.repeat(codes, np.diff(starts, append=n_rows))
    return codes.astype(np.intp, copy=False)


def _factorize(ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return codes and distinct ids such that distinct[codes] is `ids`; the distinct ids in any order."""
    if ids.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            whole = ids.astype(np.int64)
        ids = whole if np.array_equal(whole, ids) else ids
    if ids.dtype.kind in "iu":
        low, high = int(ids.min()), int(ids.max())
        if high - low <= 4 * len(ids) + 1000:
            return _by_table(ids, low, high - low + 1)
    if ids.dtype.kind in "OUST":
        return _by_dict(ids.tolist())
    if ids.dtype.kind in "iuf" and ("pandas" in sys.modules or len(ids) > HASH_ABOVE):
        import pandas as pd

        codes, distinct = pd.factorize(ids, use_na_sentinel=False)
        return codes, np.asarray(distinct)
    distinct, codes = np.unique(ids, return_inverse=True)
    return codes, distinct


def _by_table(ids: np.ndarray, low: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Look integers of a narrow range up in a table: no hashing, and the distinct ids come out ascending."""
    wide = np.uint64 if ids.dtype == np.uint64 else np.int64  # int8 ids may lie more than 127 apart
    offset = np.subtract(ids, wide(low), dtype=wide).astype(np.intp, copy=False)
    present = np.zeros(size, dtype=bool)
    present[offset] = True
    distinct = np.flatnonzero(present)
    table = np.empty(size, dtype=np.intp)
    table[distinct] = np.arange(len(distinct))
    return table[offset], distinct.astype(wide) + wide(low)


def _by_dict(ids: list[Any]) -> tuple[np.ndarray, np.ndarray]:
    try:
        index = {key: code for code, key in enumerate(dict.fromkeys(ids))}
    except TypeError:
        odd = next(value for value in ids if isinstance(value, list | dict | set | np.ndarray))
        raise DataError(f"Ids must be whole numbers or text, got {odd!r} ({type(odd).__name__}).") from None
    codes = np.fromiter(map(index.__getitem__, ids), dtype=np.intp, count=len(ids))
    distinct = np.empty(len(index), dtype=object)
    distinct[:] = list(index)
    return codes, distinct


def _clean(raw: np.ndarray, name: str, source: str) -> np.ndarray:
    """Return the distinct ids as integers, floats or text; missing ones as nan or None."""
    if raw.dtype.kind in "iu":
        return raw
    if raw.dtype.kind == "b":
        return raw.astype(np.int64)
    if raw.dtype.kind == "f":
        raw = np.where(np.isinf(raw), np.nan, raw.astype(np.float64))
        return raw.astype(np.int64) if np.all(raw == np.floor(raw)) else raw
    values = [_clean_object(value) for value in raw] if raw.dtype.kind == "O" else [raw[0]]
    odd = [value for value in values if value is not None and not isinstance(value, str)]
    if odd:
        raise DataError(
            f"The id column {name!r} of {source} holds values such as {odd[0]} ({type(odd[0]).__name__}). "
            "Ids must be whole numbers or text."
        )
    keys = np.empty(len(values), dtype=object)
    keys[:] = values
    return keys


def _refuse_rounded(raw: np.ndarray, name: str, source: str) -> None:
    """Refuse floating numbers so large that two whole numbers may be the same one: they may be two units."""
    if raw.dtype.kind == "O":
        raw = np.array([value for value in raw if isinstance(value, float | np.floating)] or [0])
    if raw.dtype.kind != "f":
        return
    limit = exact_below(raw.dtype)
    large = raw[np.isfinite(raw) & (np.abs(raw) >= limit)]
    if len(large):
        raise DataError(
            f"The id {name!r} of {source} is a floating number ({8 * raw.dtype.itemsize} bits), which holds "
            f"whole numbers exactly below {limit}, and {some(f'{v:.17g}' for v in np.unique(large)[:2])} "
            "may be several units. Store it as text or as an integer (Stata: long or str) where it is made."
        )


def _clean_object(value: Any) -> Any:
    """Text in NFC without blanks around it; a number as text; None for missing; anything else as it is."""
    if isinstance(value, bytes):
        value = decoded(value)
    if isinstance(value, str):
        return composed(value).strip() or None
    if value is None or type(value).__name__ == "NAType" or value != value:
        return None
    if isinstance(value, NUMBERS):
        if not math.isfinite(value):
            return None
        return str(int(value)) if value == int(value) else str(value)
    return value


def _same_type(ids1: np.ndarray, ids2: np.ndarray, sources: tuple[str, str]) -> tuple[np.ndarray, np.ndarray]:
    """Return keys that compare digit by digit: text ids as numbers where the other source has numbers."""
    text1, text2 = ids1.dtype.kind == "O", ids2.dtype.kind == "O"
    if text1 == text2:
        return ids1, ids2
    text, source = (ids1, sources[0]) if text1 else (ids2, sources[1])
    odd = [value for value in text if not NUMBER.fullmatch(value)]
    if odd:
        raise DataError(
            f"The ids are text in {source} and numbers in {sources[1] if text1 else sources[0]}, and "
            f"{len(odd)} of the texts are not numbers: {some(odd)}. Store the ids the same way in both."
        )
    keys = _as_numbers(text, source, sources[1] if text1 else sources[0])
    return (keys, ids2) if text1 else (ids1, keys)


def _as_numbers(text: np.ndarray, source: str, other: str) -> np.ndarray:
    """Return text ids as numbers where they are; refuse two texts that are the same number."""
    keys = np.empty(len(text), dtype=object)
    keys[:] = [_as_number(value) for value in text]
    counted = Counter(keys.tolist())
    if len(counted) < len(keys):
        doubles = [value for value, key in zip(text, keys, strict=True) if counted[key] > 1]
        raise DataError(
            f"The ids are text in {source} and numbers in {other}, and several "
            f"texts are the same number: {some(doubles)}. Store the ids the same way in both."
        )
    return keys


def _as_number(value: str) -> int | float | str:
    if (whole := WHOLE.fullmatch(value)) is not None:
        return int(whole[1])
    return float(value) if NUMBER.fullmatch(value) else value


def places_of(ids: np.ndarray, known: np.ndarray, sources: tuple[str, str]) -> np.ndarray:
    """Find ids among known ones: the place of each, (n,), -1 of one that is not there.

    Both are distinct, as `index_rows` gives them; text and numbers are matched as `match_units` does, and
    ``sources`` are the names of both data, for messages. Raise DataError for texts that are the same number.
    """
    ids, known = (
        np.asarray(each, dtype=object if each.dtype.kind in "OUS" else None) for each in (ids, known)
    )
    text = ids.dtype.kind == "O", known.dtype.kind == "O"
    if text == (True, False):
        ids = _as_numbers(ids, *sources)
    if text == (False, True):
        known = _as_numbers(known, *sources[::-1])
    return _found(ids, known)


def _found(keys: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Give the place of each of n distinct keys among distinct known ones, (n,), -1 of one not there."""
    if np.result_type(keys, known).kind not in "iu" or not len(known):
        # text, and numbers that would meet as rounded floats: as Python has them, whole numbers without end
        index = {key: place for place, key in enumerate(known.tolist())}
        return np.array([index.get(key, -1) for key in keys.tolist()], dtype=np.intp)
    order = np.argsort(known)
    place = order[np.minimum(np.searchsorted(known, keys, sorter=order), len(known) - 1)]
    return np.where(known[place] == keys, place, -1)
