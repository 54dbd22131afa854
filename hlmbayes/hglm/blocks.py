"""The rows of a model in blocks of units, and parts of these as large as the cache holds at many nodes.

Units of about as many rows are together, padded with rows that count nothing to as many as the longest has:
sums over the rows of a unit, at many nodes at once, are then products of small matrices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from ..laws.outcomes import Outcome
from ..likelihood.symmetric import lower
from ..threads import each, processors

ROWS, FEWEST = 1 << 16, 1 << 11  # of a block, and of a part of one, about
CELLS = 1 << 17  # rows times nodes at a time: NumPy is called seldom, and the cache still holds what is there
MANY, MOST_WORKERS = 8, 8  # blocks that are worth several processors, and how many of these are used
UNLIKE = 4  # times as many rows as another: too unlike to be padded to one length,
ALIKE = 1.1  # and alike enough to be in one block of any size


@dataclass(frozen=True, eq=False)
class Block:
    """Some units, J of them with up to n rows.

    ``group``: that of the units. ``units`` (J,): their places among all. ``row`` (J, n): the place of each
    row among all, the first one's again where it is padded. ``d`` (J, p, n): level-1 columns, 0 in padded
    rows; ``pairs`` (J, p (p + 1) / 2, n): products of two of them, the lower triangle by rows; ``y``,
    ``size`` (J, n, 1).
    """

    group: int
    units: np.ndarray
    row: np.ndarray
    d: np.ndarray
    pairs: np.ndarray
    y: np.ndarray
    size: np.ndarray

    def parts(self, n_nodes: int) -> Iterator[Self]:
        """Give its units a few at a time, as many as are worth it at so many nodes."""
        step = max(1, max(FEWEST, CELLS // n_nodes) // self.row.shape[1])
        for first in range(0, len(self.units), step):
            some = slice(first, first + step)
            yield type(self)(
                self.group, self.units[some], self.row[some], self.d[some], self.pairs[some],
                self.y[..., some, :, :], self.size[some],
            )  # fmt: skip

    def predictor(self, fixed: np.ndarray, u: np.ndarray) -> np.ndarray:
        """Give the linear predictor (J, n, K) of the fixed part of all rows (R,) and of u (J, q, K)."""
        eta = self.d[:, : u.shape[1]].swapaxes(1, 2) @ u
        eta += fixed[self.row][:, :, None]
        return np.asarray(eta)

    def value(self, law: Outcome, eta: np.ndarray) -> np.ndarray:
        """Give the log density of the rows of each unit, (J, K), at linear predictors (J, n, K)."""
        return np.asarray(self._sums(law.value(eta, self.y, self.size)))

    def slopes(
        self, law: Outcome, eta: np.ndarray, q: int | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Give it, its slopes (J, m, K) in the coefficients of the columns, and its curvatures.

        These are minus the second derivatives, the lower triangle by rows, (J, m (m + 1) / 2, K). With ``q``
        of the columns of q random effects alone.
        """
        value, slope, bend = law.rows(eta, self.y, self.size)
        m = self.d.shape[1] if q is None else q
        return self._sums(value), self.d[:, :m] @ slope, self.pairs[:, : m * (m + 1) // 2] @ bend

    def _sums(self, values: np.ndarray) -> np.ndarray:
        """Sum (J, n, K) over the rows of each unit, (J, K)."""
        return np.asarray((np.ones((1, 1, values.shape[1])) @ values)[:, 0])


def each_block[B: Block](work: Callable[[B], None], blocks: Sequence[B]) -> None:
    """Do some work for every block, on as many processors as there are where there are many blocks.

    What is done for one block must not touch what belongs to another: results are the same on any number.
    """
    each(work, blocks, min(MOST_WORKERS, processors()) if len(blocks) >= MANY else 1)


def blocks_of[B: Block](
    kind: type[B],
    d: np.ndarray,
    y: np.ndarray,
    size: np.ndarray,
    starts: np.ndarray,
    group: np.ndarray | None = None,
) -> tuple[B, ...]:
    """Lay out the blocks of rows: ``d`` (p, R), ``y`` (..., R), ``size`` (R,), ``starts``, ``group`` (J,)."""
    group = np.zeros(len(starts), dtype=int) if group is None else group

    def block(units: np.ndarray) -> B:
        place = np.arange(count[units].max())
        real = place < count[units, None]
        row = starts[units, None] + np.where(real, place, 0)
        columns = np.ascontiguousarray((d[:, row] * real).swapaxes(0, 1))
        pairs, of_row = columns[:, a] * columns[:, b], (y[..., row] * real)[..., None]
        return kind(int(group[units[0]]), units, row, columns, pairs, of_row, (size[row] * real)[:, :, None])

    a, b = lower(len(d))
    count = np.diff(starts, append=len(size))
    order = np.lexsort((count, group))
    rows = count[order]
    full = (np.cumsum(rows) - rows) // FEWEST
    like = np.ceil(np.log(rows) / np.log(UNLIKE))
    apart = (np.diff(full) != 0) | (np.diff(like) != 0) | (np.diff(group[order]) != 0)
    ends = np.r_[np.flatnonzero(apart) + 1, len(order)]
    return tuple(map(block, np.split(order, _joined(ends, rows, group[order])[:-1])))


def _joined(ends: np.ndarray, rows: np.ndarray, group: np.ndarray) -> list[int]:
    """Join neighbouring blocks, which end at these of the sorted units (J,), where their units are alike."""
    total, kept = np.r_[0, np.cumsum(rows)], [0]
    for end in ends.tolist():
        first, last = kept[-2] if len(kept) > 1 else 0, kept[-1] - 1
        alike = last >= 0 and rows[end - 1] <= ALIKE * rows[first] and group[end - 1] == group[first]
        if alike and total[end] - total[first] <= ROWS:
            kept[-1] = end
        else:
            kept.append(end)
    return kept[1:]
