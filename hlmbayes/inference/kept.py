"""Results that are worked out once for each fit."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from weakref import WeakKeyDictionary


def once_per_fit[Asked, *More, Result](
    work_out: Callable[[Asked, *More], Result],
) -> Callable[[Asked, *More], Result]:
    """Keep what a function gives for a fit, and what else is asked, as long as the fit lives.

    What it refuses it refuses again.
    """
    kept: WeakKeyDictionary[Asked, dict[tuple[*More], Result]] = WeakKeyDictionary()

    @wraps(work_out)
    def result(fit: Asked, *more: *More) -> Result:
        known = kept.setdefault(fit, {})
        if more not in known:
            known[more] = work_out(fit, *more)
        return known[more]

    return result
