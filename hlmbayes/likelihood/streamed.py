"""The likelihood of more units than fit in memory: sums over parts of them, read anew each time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, replace
from functools import reduce
from operator import add

import numpy as np

from .evaluate import Evaluation, Sums, Weighed, assembled, evaluate, second_pass, solve_fixed, weigh
from .system import System

Parts = Callable[[], Iterator[System]]


@dataclass(frozen=True, eq=False)
class StreamedSystem(System):
    """The system of all units, of which ``parts`` gives some at a time, in the same columns.

    Its arrays over units are those of a sample; what is one number of all units is of all of them.
    """

    parts: Parts = field(kw_only=True)

    def turned(self, m: np.ndarray, block_scale: np.ndarray) -> System:
        """Give the same in other columns of Z: see `System.turned`."""
        own, turned = self.parts, super().turned(m, block_scale)
        assert isinstance(turned, StreamedSystem)
        return replace(turned, parts=lambda: (part.turned(m, block_scale) for part in own()))


def streamed(sample: System, parts: Parts) -> StreamedSystem:
    """Give the system of all units from that of a sample of them, whose columns the parts have."""
    left = n = 0.0
    for part in parts():
        left, n = left + part.left, n + part.n
    values = {one.name: getattr(sample, one.name) for one in fields(sample)}
    return StreamedSystem(**values | {"left": left, "n": n}, parts=parts)


@evaluate.register
def _(system: StreamedSystem, factor: np.ndarray) -> Evaluation:
    """Go over the parts twice; what V^-1 makes of one is not kept for the second time."""
    none, pairs, level2, logdet = np.empty((0, 0, 0)), np.zeros(()), np.zeros(()), 0.0
    for part in system.parts():
        own = weigh(part, factor)
        pairs, level2, logdet = pairs + own.by_pairs, level2 + own.by_level2, logdet + own.logdet
    solved = solve_fixed(system, Weighed(none, none, pairs, level2, logdet))
    sums = (second_pass(part, weigh(part, factor), solved) for part in system.parts())
    total = reduce(lambda one, other: Sums(*map(add, one, other)), sums)
    return assembled(system, factor, logdet, solved, total)
