"""Rows -> sums: the one pass over the data.

Rows come in any order and are never sorted. They are taken a chunk at a time, so that the working
columns stay in the processor's cache; what grows with the data is J small matrices and nothing else.
Each value is taken relative to a value of its own unit, so that no digit is lost to a large level.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

CHUNK = 1 << 15  # rows at a time
SHORT_UNIT = 1 << 12  # rows: so far back the beginning of a unit is looked for
SHORT = 4  # rows a run of equal ids must have on average for runs to be summed as runs


@dataclass(slots=True, eq=False)
class Sums:
    """Sums per unit, over rows seen so far, of values relative to ``reference``.

    ``n``, ``weight``, ``seen`` (J,); ``reference``, ``first`` (p, J); ``second`` (p, p, J), lower triangle.
    """

    n: np.ndarray
    weight: np.ndarray
    seen: np.ndarray
    reference: np.ndarray
    first: np.ndarray
    second: np.ndarray


@np.errstate(over="ignore", invalid="ignore")  # sums that overflow are refused where a model is fitted
def unit_moments(
    unit: np.ndarray, n_units: int, columns: Sequence[np.ndarray], weights: np.ndarray | None = None,
    keep: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """Reduce rows to counts, weights, means and cross-products about the means, per unit.

    Parameters
    ----------
    unit : ndarray of int, shape (N,)
        Index of each row's unit, in any order.
    n_units : int
    columns : sequence of p ndarrays, shape (N,)
        Any numeric type; no column is copied whole.
    weights : ndarray, shape (N,), optional
        Row weights.
    keep : ndarray of bool, shape (N,), optional
        Rows to use; all by default.

    Returns
    -------
    n, weight (J,), mean (J, p), sscp (J, p, p)
        Views of arrays that run over units fastest. Zero for units without rows.
    """
    p = len(columns)
    planes = np.zeros((2 + 2 * p + p * p, n_units))  # at once: systems give a large block large pages
    sums = Sums(
        planes[0], planes[1], np.zeros(n_units, dtype=bool), planes[2 : 2 + p], planes[2 + p : 2 + 2 * p],
        planes[2 + 2 * p :].reshape(p, p, n_units),
    )  # fmt: skip
    work = np.empty((p + 2, 0))
    for rows in _chunks(unit, n_units):
        index, values = unit[rows], [column[rows] for column in columns]
        w = None if weights is None else np.asarray(weights[rows], dtype=float)
        if keep is not None and not keep[rows].all():
            index, values = index[keep[rows]], [v[keep[rows]] for v in values]
            w = None if w is None else w[keep[rows]]
        if len(index) > work.shape[1]:
            work = np.empty((p + 2, len(index)))
        if len(index):
            add_rows(sums, index, values, w, work[:, : len(index)])
    if weights is None:
        sums.weight = sums.n
    return sums.n, sums.weight, *about_means(sums)


def _chunks(unit: np.ndarray, n_units: int) -> Iterator[slice]:
    """Cut the rows; scattered ids touch every unit's sums in every chunk, so they get longer ones."""
    head = unit[:CHUNK]
    scattered = np.count_nonzero(head[1:] != head[:-1]) * SHORT > len(head)
    step = max(CHUNK, 4 * n_units) if scattered else CHUNK
    start = 0
    while start < len(unit):
        end = start + step
        if not scattered and end < len(unit):  # where the unit before begins: its rows stay together
            first = max(start, end - SHORT_UNIT)
            others = np.flatnonzero(unit[first:end] != unit[end])
            end = first + int(others[-1]) + 1 if len(others) else end
        yield slice(start, end)
        start = end


def add_rows(
    sums: Sums, index: np.ndarray, values: Sequence[np.ndarray], weights: np.ndarray | None, work: np.ndarray
) -> None:
    """Add a chunk of rows: their units (n,), p columns (n,) and weights (n,); ``work`` (p + 2, n) is free."""
    runs = find_runs(index)
    seen = sums.seen[runs.place]
    if not seen.any():
        for k, column in enumerate(values):
            sums.reference[k, runs.place] = column[runs.starts]
        sums.seen[runs.place] = True
    elif not seen.all():
        new = ~seen
        sums.seen[runs.owners] = True
        for k, column in enumerate(values):
            sums.reference[k, runs.owners[new]] = column[runs.starts[new]]
    add_up(sums.n, runs, None)
    if weights is not None:
        add_up(sums.weight, runs, weights)
    *shifted, own, product = work
    for k, column in enumerate(values):
        np.subtract(column, spread(sums.reference[k], runs), out=shifted[k])
    for a, column in enumerate(shifted):
        weighted = column if weights is None else np.multiply(weights, column, out=own)
        add_up(sums.first[a], runs, weighted)
        for b in range(a + 1):
            add_up(sums.second[a, b], runs, np.multiply(weighted, shifted[b], out=product))


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """Runs of equal ids in a chunk: where they start, how long they are, whose they are.

    Where runs are short every row is a run of its own (``lengths`` None): rows are then summed by
    `numpy.bincount`. ``ascending``: no unit has two runs.
    """

    starts: np.ndarray
    lengths: np.ndarray | None
    owners: np.ndarray
    ascending: bool

    @property
    def place(self) -> slice | np.ndarray:
        """The owners, as a slice where no unit is left out between them."""
        first, last = self.owners[0], self.owners[-1]
        whole = self.ascending and last - first + 1 == len(self.owners)
        return slice(first, last + 1) if whole else self.owners


def find_runs(index: np.ndarray) -> Runs:
    """Find the runs of equal ids of a chunk."""
    starts = np.concatenate(([0], np.flatnonzero(index[1:] != index[:-1]) + 1, [len(index)]))
    starts, lengths = starts[:-1], starts[1:] - starts[:-1]
    if len(starts) * SHORT > len(index):
        return Runs(np.arange(len(index)), None, index, False)
    owners = index[starts]
    return Runs(starts, lengths, owners, bool(np.all(owners[1:] > owners[:-1])))


def spread(of_unit: np.ndarray, runs: Runs) -> np.ndarray:
    """Give every row its unit's value."""
    return of_unit[runs.owners] if runs.lengths is None else np.repeat(of_unit[runs.place], runs.lengths)


def add_up(total: np.ndarray, runs: Runs, values: np.ndarray | None) -> None:
    """Add a chunk's values (None: ones) to the sums of their units, (J,)."""
    if runs.lengths is not None:
        values = runs.lengths if values is None else np.add.reduceat(values, runs.starts)
        if runs.ascending:
            total[runs.place] += values
            return
    total += np.bincount(runs.owners, weights=values, minlength=len(total))


def about_means(sums: Sums) -> tuple[np.ndarray, np.ndarray]:
    """Turn sums about the references into means (J, p) and products about the means (J, p, p), in place."""
    p, n_units = sums.first.shape
    offset, sscp = sums.first / np.where(sums.weight > 0, sums.weight, 1.0), sums.second
    taken = np.empty(n_units)
    for a in range(p):
        for b in range(a + 1):
            sscp[a, b] -= np.multiply(sums.first[a], offset[b], out=taken)
            if a != b:
                sscp[b, a] = sscp[a, b]
        # a sum of squares that is zero but for rounding would look like variation
        np.maximum(sscp[a, a], 0.0, out=sscp[a, a])
    offset += sums.reference
    return offset.T, sscp.transpose(2, 0, 1)


def combine(
    index: np.ndarray, n_units: int, n: np.ndarray, weight: np.ndarray, mean: np.ndarray, sscp: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Combine records of the same unit (Chan, Golub & LeVeque 1983, eq. 2.1, for any number of records).

    ``index`` (R,) is the unit of each record, in any order; n and weight (R,), mean (R, p) and sscp (R, p, p)
    become those of J units.
    """

    def total(values: np.ndarray) -> np.ndarray:
        return np.bincount(index, weights=values, minlength=n_units)

    p = mean.shape[1]
    whole = total(weight)
    one = np.empty((n_units, p))
    one[index] = mean  # a record's own mean: offsets from it are exactly zero for units with one record
    offset = np.stack([total(weight * (mean[:, k] - one[index, k])) for k in range(p)]) / whole
    center = one + offset.T
    away = mean - center[index]
    products = np.empty((p, p, n_units))
    for a in range(p):
        for b in range(a + 1):
            products[a, b] = products[b, a] = total(sscp[:, a, b] + weight * away[:, a] * away[:, b])
    return total(n), whole, center, products.transpose(2, 0, 1)
