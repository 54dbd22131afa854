"""Rows with K linear predictors, and their likelihood: their `blocks`, and `separation`.

With r the slopes and H_km minus the second derivatives of a row's log density in its predictors, the score of
predictor k's coefficients is D'r_k and their information with those of m is D'H_km D.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from ..laws.outcomes import Outcome
from ..likelihood.symmetric import lower, place
from .blocks import Block, blocks_of
from .counted_rows import CountedRows
from .marginal import linear_predictor
from .separation import refuse_unbounded_tau, sides


class CategoryBlock(Block):
    """Some units whose rows have K linear predictors: ``y`` (K, J, n, 1), and K p columns."""

    def predictor(self, fixed: np.ndarray, u: np.ndarray) -> np.ndarray:
        """Give the linear predictors (K, J, n, nodes) of fixed parts (K, R) and of u (J, q, nodes)."""
        J, q, nodes = u.shape
        K = len(self.y)
        own = u.reshape(J, K, q // K, nodes).swapaxes(0, 1)
        eta = self.d[:, : q // K].swapaxes(1, 2) @ own
        eta += fixed[:, self.row][..., None]
        return np.asarray(eta)

    def slopes(
        self, law: Outcome, eta: np.ndarray, q: int | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Give log density, slopes and curvatures of units, the columns of category 1 first."""
        value, slope, bend = law.rows(eta, self.y, self.size)
        K = len(self.y)
        m = self.d.shape[1] if q is None else q // K
        of_slope = np.concatenate([*(self.d[:, :m] @ slope)], axis=1)
        products = self.pairs[:, : m * (m + 1) // 2] @ bend
        a, b = lower(K * m)
        of_bend = products[place(a // m, b // m), :, place(a % m, b % m)] if m else products[0]
        return self._sums(value), of_slope, of_bend.swapaxes(0, 1) if m else of_bend


class CategoryRows(CountedRows):
    """Distinct rows with K linear predictors.

    ``d`` (p, R) are the columns of each predictor, ``x`` (J, K p, F) those of category 1 first, then those of
    category 2, ...; random effects (K q) are in this order too. ``y`` (K, R) counts the categories but the
    last, ``size`` (R,) all.
    """

    @property
    def n_predictors(self) -> int:
        """Number of linear predictors of a row, K."""
        return len(self.y)

    @property
    def random(self) -> np.ndarray:
        """Which of the columns the random effects have, (q,): the first ones of each predictor."""
        own = np.arange(self.n_random // self.n_predictors)
        return np.asarray((np.arange(self.n_predictors)[:, None] * len(self.d) + own).ravel())

    @cached_property
    def unit_blocks(self) -> tuple[CategoryBlock, ...]:
        """The same rows in blocks of units of about as many rows."""
        return blocks_of(CategoryBlock, self.d, self.y, self.size, self.starts, self.group)


@linear_predictor.register
def _(rows: CategoryRows, gamma: np.ndarray) -> np.ndarray:
    b = (rows.x @ gamma).reshape(rows.n_units, rows.n_predictors, len(rows.d))
    return np.asarray(np.einsum("pr,rkp->kr", rows.d, b[rows.unit]))


@refuse_unbounded_tau.register
def _(rows: CategoryRows, law: Outcome, outcome: str) -> None:
    """Nothing is left to refuse: it is done where the categories are found."""


@sides.register
def _(rows: CategoryRows, law: Outcome, to_x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """In a row of category m the predictor of m, less that of any other, must be at least 0."""
    K, p, F = rows.n_predictors, len(rows.d), rows.n_fixed
    x = np.einsum("pr,rkpf->krf", rows.d, rows.x.reshape(-1, K, p, F)[rows.unit]) @ to_x
    x = np.concatenate([x, np.zeros((1, *x.shape[1:]))])
    seen = np.vstack([rows.y, rows.size - rows.y.sum(axis=0)]) > 0
    found = [(x[m] - x[o])[seen[m]] for m in range(K + 1) for o in range(K + 1) if o != m]
    return np.vstack(found), np.zeros((0, F))
