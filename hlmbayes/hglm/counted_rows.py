"""The rows of a model sorted by unit, equal ones counted once.

Rows of a unit that agree in every column are one row with the sum of their outcomes: categorical data come
down to few. Columns are those of the design in which tau has its pattern, otherwise orthonormal over all
rows: the search is well scaled.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from ..data.two_level import TwoLevelData
from ..data.weights import weights_of
from ..laws.counting import ONCE, Counting
from ..laws.outcomes import Outcome
from ..likelihood.alike import keys
from ..likelihood.design import Design
from ..likelihood.pattern import TauColumns, elements
from ..likelihood.rows import analysed_rows, level1_values, outcome_values
from .blocks import Block, blocks_of
from .cuts import Cuts, no_cuts

PAYS = 0.7  # rows are merged where at most this share of them is distinct
SAMPLE = 20_000  # rows from which that is judged


@dataclass(frozen=True, eq=False)
class CountedRows:
    """Distinct rows, those of a unit together; R of them in J units.

    ``d`` (p, R): level-1 columns D* = D[:, order] basis, the q random ones first and of these the
    combinations in which tau has its pattern; ``x`` (J, p, F): X_j = D*_j x_j;
    ``y``, ``size`` (R,): sums over equal rows of the outcome, and of the trials or rows; ``offset`` (R,);
    ``unit`` (R,) ascending, ``starts`` (J,) each unit's first row.
    ``weight`` (J,): how often each unit counts; sampling weights are ``scale`` times these, whose mean is 1.
    Rows that count several times are in ``y`` and ``size`` so often.
    ``constant``: sum over all rows of what has no parameter in it.
    """

    d: np.ndarray
    x: np.ndarray
    y: np.ndarray
    size: np.ndarray
    offset: np.ndarray
    unit: np.ndarray
    starts: np.ndarray
    weight: np.ndarray
    scale: float
    tau_columns: TauColumns
    constant: float
    cuts: Cuts  # of an ordinal outcome: their columns are the last of ``d``, their effects the last of F
    group: np.ndarray | None = None  # (J,): units of a group are together in blocks, and have nodes in common

    @property
    def first(self) -> np.ndarray:
        """Fixed effects to begin with, (F,)."""
        return np.concatenate([np.zeros(self.n_fixed - self.cuts.n), self.cuts.first])

    def to_gamma(self, design: Design) -> np.ndarray:
        """Give what turns the fixed effects into those of the data, (F, F); cuts stay what they are."""
        turn = np.eye(self.n_fixed)
        turn[: design.n_fixed, : design.n_fixed] = design.to_gamma
        return turn

    @property
    def n_units(self) -> int:
        """Number of units, J."""
        return len(self.starts)

    @property
    def n_fixed(self) -> int:
        """Number of free fixed effects, F."""
        return int(self.x.shape[2])

    @property
    def n_random(self) -> int:
        """Number of random effects, q."""
        return self.tau_columns.pattern.n_random

    @property
    def random(self) -> np.ndarray:
        """Which of the columns the random effects have, (q,)."""
        return np.arange(self.n_random)

    @property
    def free(self) -> list[tuple[int, int]]:
        """Rows and columns of the free elements of a root of tau: the lower triangle by rows, m of them."""
        return [(int(a), int(b)) for a, b in zip(*elements(self.tau_columns.pattern), strict=True)]

    @property
    def n_parameters(self) -> int:
        """Number of parameters, P: F and m."""
        return self.n_fixed + self.tau_columns.pattern.n_free

    def blocks(self, cells: int) -> Iterator[tuple[slice, slice]]:
        """Give units, and their rows, in blocks of about so many rows."""
        ends = np.r_[self.starts[1:], len(self.unit)]
        of = self.starts // max(1, cells)
        first = np.flatnonzero(np.r_[True, of[1:] != of[:-1]])
        for a, b in zip(first, np.r_[first[1:], self.n_units], strict=True):
            yield slice(a, b), slice(self.starts[a], ends[b - 1])

    @cached_property
    def unit_blocks(self) -> tuple[Block, ...]:
        """The same rows in blocks of units of about as many rows."""
        return blocks_of(Block, self.d, self.y, self.size, self.starts, self.group)

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Sum (..., R) over the rows of each unit: (..., J)."""
        return np.add.reduceat(values, self.starts, axis=-1)


class Counts(NamedTuple):
    """How often rows (N,) and units (J,) count: sampling weights of units are ``scale`` times ``unit``."""

    row: np.ndarray
    unit: np.ndarray
    scale: float

    def total(self, values: np.ndarray, unit: np.ndarray) -> float:
        """Sum (N,) over all rows as often as they count."""
        return float(np.sum(values * self.row * self.unit[unit]))


def counts_of(counting: Counting, data: TwoLevelData, row: np.ndarray, n_units: int) -> Counts:
    """Give how often the rows (N,) at places of the data, and all units, count."""
    if counting.asked is None:
        return Counts(np.ones(len(row)), np.ones(n_units), 1.0)
    of_rows, of_units = weights_of(data, counting.asked)
    scale = float(of_units.mean()) if counting.pseudo else 1.0
    return Counts(of_rows[row], of_units / scale, scale)


def distinct_units(design: Design) -> np.ndarray:
    """Give the place of a design's units among the distinct ones: frequencies repeat them in it."""
    ids = design.unit_ids
    return np.cumsum(np.r_[0, ids[1:] != ids[:-1]])


def counted_rows(design: Design, data: TwoLevelData, law: Outcome, counting: Counting = ONCE) -> CountedRows:
    """Lay out the rows of a design for a law of level 1; refuse outcomes the law cannot give (DataError)."""
    row, unit = analysed_rows(design, data, law.columns)
    y = outcome_values(design, data, row)
    size = law.row_sizes(data, row)
    law.check_rows(y, size, design.model.outcome)
    d = np.stack([level1_values(design, data, k, row, unit) for k in design.order.tolist()])
    unit = (place := distinct_units(design))[unit]
    counts = counts_of(counting, data, row, place[-1] + 1)
    constant, offset = counts.total(law.constant(y, size), unit), law.offset(size)
    own = offset if offset.any() else None
    first, of = kinds(unit, [*d, *([] if own is None else [own])])
    tops = np.bincount(of, counts.row * law.top(y, law.counts(size)), len(first))
    y, size = (np.bincount(of, counts.row * values, len(first)) for values in (y, law.counts(size)))
    constant += float(np.sum(counts.unit[unit[first]] * (law.top(y, size) - tops)))
    d, x = standard_columns(design, d[:, first])
    unit = unit[first]
    return CountedRows(
        d, x, y, size, offset[first], unit, starts_of(unit), counts.unit, counts.scale,
        design.tau_columns, constant, no_cuts(len(x)),
    )  # fmt: skip


def standard_columns(design: Design, d: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give level-1 columns (p, R), in the design's order, as `CountedRows` has them, and x (J, p, F)."""
    q, m = design.n_random, design.tau_columns.m
    d, x = design.bases.basis.T @ d, design.standard_x()[starts_of(distinct_units(design))]
    d[:q], x[:, :q] = m.T @ d[:q], np.linalg.solve(m, x[:, :q])
    return d, x


def starts_of(unit: np.ndarray) -> np.ndarray:
    """Give each unit's first row, the units of rows (R,) being ascending."""
    return np.flatnonzero(np.r_[True, unit[1:] != unit[:-1]])


def kinds(unit: np.ndarray, columns: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Give a row of each kind, units ascending (R,), and for every row the place of its kind there, (N,)."""
    key = keys([unit, *columns])
    head = key[:SAMPLE]
    if len(np.unique(head)) > PAYS * len(head):
        first, of = np.arange(len(unit)), np.arange(len(unit))
    else:
        _, first, of = np.unique(key, return_index=True, return_inverse=True)
    order = np.argsort(unit[first], kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return first[order], place[of]
