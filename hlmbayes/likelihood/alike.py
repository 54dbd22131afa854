"""Which units, or rows, are equal in some numbers: what depends on these alone is worked out once for all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

MANY = 1000  # units from which they are compared
LOOKED_AT = 500  # units, of which most must be equal to another


class Alike(NamedTuple):
    """D kinds of units: ``first`` (D,) a unit of each, ``times`` (D,) how many, ``of`` (J,) which."""

    first: np.ndarray
    of: np.ndarray
    times: np.ndarray


def alike(planes: Sequence[np.ndarray], most: float) -> Alike | None:
    """Find units that are equal in all planes (J,); None where they are few or their kinds are more than a
    share ``most`` of them.
    """
    J = len(planes[0]) if planes else 0
    if J < MANY or len(np.unique(keys(plane[:LOOKED_AT] for plane in planes))) > most * LOOKED_AT:
        return None
    _, first, of, count = np.unique(keys(planes), return_index=True, return_inverse=True, return_counts=True)
    return Alike(first, of, count) if len(first) <= most * J else None


def keys(columns: Iterable[np.ndarray]) -> np.ndarray:
    """Give a 64-bit number that equal rows share; of different rows two in 2^64 pairs do."""
    key = np.zeros(1, dtype=np.uint64)
    for column in columns:
        bits = (np.asarray(column, dtype=float) + 0.0).view(np.uint64)  # -0.0 is 0.0
        if len(bits) == 0 or (bits == bits[0]).all():
            key = np.broadcast_to(key, bits.shape)
            continue
        mixed = (bits ^ (bits >> np.uint64(32))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed ^= mixed >> np.uint64(27)
        mixed *= np.uint64(0x94D049BB133111EB)
        key = ((key ^ (key >> np.uint64(29))) * np.uint64(0x9E3779B97F4A7C15)) ^ mixed
    return key
