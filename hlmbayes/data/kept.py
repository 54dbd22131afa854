"""What was worked out of a data set's columns, kept as long as they hold the same values.

Data are frozen, but the arrays and frames they were read from are the user's, who may write into them.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from weakref import WeakKeyDictionary

import numpy as np

WORDS = 1021  # of 8 bytes, folded into one another; prime, so that blocks that change places leave a mark
MOST = 8_000_000  # numbers kept of a data set, 64 MB
Marks = tuple[tuple[str, int], ...]  # names of columns and their fingerprints


def fingerprint(values: np.ndarray) -> int:
    """Give a number that changes with the values of a column of numbers, and with their order; one pass."""
    octets = np.ascontiguousarray(values).view(np.uint8)
    whole = len(octets) // (8 * WORDS) * 8 * WORDS
    folded = np.bitwise_xor.reduce(octets[:whole].view(np.uint64).reshape(-1, WORDS), axis=0)
    return zlib.crc32(octets[whole:], zlib.crc32(folded))


class Kept:
    """Results by what was asked and of which columns; the oldest go first, where they are too large."""

    def __init__(self) -> None:
        self._results: dict[tuple[str, Marks], tuple[int, object]] = {}

    def once[Result](
        self, asked: str, columns: Mapping[str, np.ndarray], size: int, work_out: Callable[[], Result]
    ) -> Result:
        """Give what ``work_out`` gave for the same columns, or for these and more; else let it work.

        Only in the same order: in another one the last digit of a product may be another. ``size`` is how
        many numbers there are in the result.
        """
        if any(values.dtype.kind not in "biuf" for values in columns.values()):
            return work_out()
        marks = tuple((name, fingerprint(values)) for name, values in columns.items())
        for (what, of), (_, found) in tuple(self._results.items()):
            left = iter(of)
            if what == asked and all(mark in left for mark in marks):
                return found  # type: ignore[return-value]
        result = work_out()
        self._results[asked, marks] = size, result
        while sum(size for size, _ in self._results.values()) > MOST:
            self._results.pop(next(iter(self._results)))
        return result


_of_data: WeakKeyDictionary[object, Kept] = WeakKeyDictionary()


def kept_of(data: object) -> Kept:
    """Give what is kept of data, as long as they live; what is made of them, or read anew, begins without."""
    return _of_data.setdefault(data, Kept())


def with_kept[Data](data: Data, before: Data) -> Data:
    """Give data that differ from others in notes only, with what is kept of those."""
    _of_data[data] = kept_of(before)
    return data
