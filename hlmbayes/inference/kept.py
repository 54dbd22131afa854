"""Results that are worked out once for each fit."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from weakref import WeakKeyDictionary


def once_per_fit[Asked, Result](work_out: Callable[[Asked], Result]) -> Callable[[Asked], Result]:
    """Keep what a function gives for a fit as long as the fit lives; what it refuses it refuses again."""
    kept: WeakKeyDictionary[Asked, Result] = WeakKeyDictionary()

    @wraps(work_out)
    def result(fit: Asked) -> Result:
        if fit not in kept:
            kept[fit] = work_out(fit)
        return kept[fit]

    return result
