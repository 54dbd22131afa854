"""The same work on many things, on as many processors as there are: NumPy lets others work while it does."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence


def processors() -> int:
    """Say how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def each[T, R](work: Callable[[T], R], items: Sequence[T], workers: int) -> list[R]:
    """Give what some work makes of each item, in their order, on so many processors.

    What is done for one must not touch what belongs to another: results are the same on any number.
    """
    workers = min(workers, len(items))
    if workers < 2:
        return [work(item) for item in items]
    from concurrent.futures import ThreadPoolExecutor
    from contextvars import copy_context  # NumPy's error state is in it

    context = copy_context()
    with ThreadPoolExecutor(workers) as pool:
        return [done.result() for done in [pool.submit(context.copy().run, work, item) for item in items]]
