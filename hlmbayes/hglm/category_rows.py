"""Rows with K linear predictors, and their likelihood: `modes`, `marginal` and `separation` for them.

With r the slopes and H_km minus the second derivatives of a row's log density in its predictors, the score of
predictor k's coefficients is D'r_k and their information with those of m is D'H_km D.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..laws.outcomes import Outcome
from .counted_rows import CountedRows
from .marginal import Cells, Sums, cells_of, linear_predictor, sums_of
from .modes import Integrand, Modes, Values, integrand
from .separation import refuse_unbounded_tau, sides

type Times = tuple[int, ...]  # places of the elements of t in a product, descending
NONE: Times = ()


class CategoryRows(CountedRows):
    """Distinct rows with K linear predictors.

    ``d`` (p, R) are the columns of each predictor, ``x`` (J, K p, F) those of category 1 first, then those of
    category 2, ...; random effects (K q) are in this order too. ``y`` (K, R) counts the categories but the
    last, ``size`` (R,) all.
    """

    __slots__ = ()

    @property
    def n_predictors(self) -> int:
        """Number of linear predictors of a row, K."""
        return len(self.y)

    @property
    def n_own(self) -> int:
        """Number of random effects of one predictor, q."""
        return self.n_random // self.n_predictors

    @property
    def places(self) -> list[tuple[int, int]]:
        """The category and the column of every random effect."""
        return [divmod(a, self.n_own) for a in range(self.n_random)]


@linear_predictor.register
def _(rows: CategoryRows, gamma: np.ndarray) -> np.ndarray:
    b = (rows.x @ gamma).reshape(rows.n_units, rows.n_predictors, len(rows.d))
    return np.asarray(np.einsum("pr,rkp->kr", rows.d, b[rows.unit]))


@integrand.register
def _(rows: CategoryRows, law: Outcome, eta: np.ndarray, chol: np.ndarray) -> Integrand:
    places, d = rows.places, rows.d

    def at(t: np.ndarray) -> Values:
        u, full = chol @ t, eta.copy()
        for a, (k, c) in enumerate(places):
            full[k] += d[c] * u[a][rows.unit]
        value, slope, bend = law.rows(full, rows.y, rows.size)
        of_u = np.array([rows.sums(slope[k] * d[c]) for k, c in places]).reshape(t.shape)
        h = np.empty((rows.n_units, *chol.shape))
        for a, (k, c) in enumerate(places):
            for b, (m, e) in enumerate(places[: a + 1]):
                h[:, a, b] = h[:, b, a] = rows.sums(bend[pair(k, m)] * d[c] * d[e])
        total = rows.sums(value) - 0.5 * np.einsum("qj,qj->j", t, t)
        return total, chol.T @ of_u - t, chol.T @ h @ chol + np.eye(len(chol))

    return at


@cells_of.register
def _(
    rows: CategoryRows, eta: np.ndarray, chol: np.ndarray, modes: Modes, z: np.ndarray,
    at: tuple[slice, slice],
) -> Cells:  # fmt: skip
    units, own = at
    local = rows.unit[own] - units.start
    t = modes.root[units] @ z.T + modes.t.T[units, :, None]
    u, full = chol @ t, eta[:, own, None] + np.zeros(len(z))
    for a, (k, c) in enumerate(rows.places):
        full[k] += rows.d[c, own, None] * u[:, a][local]
    return Cells(t, full, local, rows.starts[units] - own.start)


@sums_of.register
def _(rows: CategoryRows) -> Sums:
    return CategorySums(rows)


def pair(k: int, m: int) -> int:
    """Give the place of a pair of predictors among those of the lower triangle by rows."""
    k, m = max(k, m), min(k, m)
    return k * (k + 1) // 2 + m


class CategorySums(Sums):
    """Posterior means over the nodes of rows with K predictors."""

    rows: CategoryRows

    def __init__(self, rows: CategoryRows) -> None:
        J, q, n = rows.n_units, rows.n_random, rows.x.shape[1] + len(rows.free)
        self.rows, self.free = rows, rows.free
        self.total, self.first = np.empty(J), np.empty((J, n))
        self.cross, self.inside = np.empty((J, n, n)), np.empty((J, n, n))
        self.t, self.tt = np.empty((J, q)), np.empty((J, q, q))

    def add(
        self, law: Outcome, cells: Cells, top: np.ndarray, log_weight: np.ndarray, at: tuple[slice, slice]
    ) -> None:
        """Add a block of units; ``top`` (J,) is the log integrand at the mode."""
        rows, (units, own) = self.rows, at
        value, slope, bend = law.rows(cells.eta, rows.y[:, own, None], rows.size[own, None])
        weight = np.exp(cells.height(value) - top[units, None] + log_weight)  # (J, nodes)
        self.total[units] = total = weight.sum(axis=1)
        weight /= total[:, None]
        score = self._scores(cells, slope, rows.d[:, own])
        weighted = score * weight[:, None]
        self.first[units] = weighted.sum(axis=2)
        self.cross[units] = weighted @ score.swapaxes(1, 2)
        spread = cells.t * weight[:, None]
        self.t[units], self.tt[units] = spread.sum(axis=2), spread @ cells.t.swapaxes(1, 2)
        self.inside[units] = self._of_block(cells, bend, weight, rows.d[:, own])

    def _scores(self, cells: Cells, slope: np.ndarray, d: np.ndarray) -> np.ndarray:
        """Give the complete data's score: D'r_k, then (Z'r_k)_a t_b for the elements of chol."""
        p, q = len(d), self.rows.n_own
        score = np.empty((len(cells.t), self.first.shape[1], slope.shape[2]))
        for k, own in enumerate(slope):
            for c in range(p):
                score[:, k * p + c] = cells.sums(own * d[c, :, None])
        for m, (a, b) in enumerate(self.free, start=self.rows.x.shape[1]):
            np.multiply(score[:, a // q * p + a % q], cells.t[:, b], out=score[:, m])
        return score

    def _of_block(self, cells: Cells, bend: np.ndarray, weight: np.ndarray, d: np.ndarray) -> np.ndarray:
        """Give the posterior mean of the complete data's information in each unit of a block, (J, n, n)."""
        K, p, q, n = self.rows.n_predictors, len(d), self.rows.n_own, self.first.shape[1]
        # the predictor and the column of each coefficient and element of chol, and the t this multiplies
        of = [(k, c, NONE) for k in range(K) for c in range(p)]
        of += [(*divmod(a, q), (b,)) for a, b in self.free]
        factors: dict[Times, np.ndarray] = {NONE: weight}
        for b in range(self.rows.n_random):
            factors[b,] = weight * cells.t[:, b]
            factors |= {(b, e): factors[b,] * cells.t[:, e] for e in range(b + 1)}
        inside = np.empty((len(weight), n, n))
        for k, m in zip(*(each.tolist() for each in np.tril_indices(K)), strict=True):
            product = _Products(cells, bend[pair(k, m)], factors, d)
            for i, (of_i, c, left) in enumerate(of):
                for j, (of_j, e, right) in enumerate(of):
                    if (of_i, of_j) == (k, m):
                        both: Times = tuple(sorted((*left, *right), reverse=True))
                        inside[:, i, j] = inside[:, j, i] = product.of(both, c, e)
        return inside

    def _inside(self) -> np.ndarray:
        return self.inside


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


class _Products:
    """Sums over the rows of units of a curvature times factors of the nodes and two columns, each once."""

    def __init__(
        self, cells: Cells, bend: np.ndarray, factors: Mapping[Times, np.ndarray], d: np.ndarray
    ) -> None:
        self.cells, self.d, self.known = cells, d, dict[tuple[Times, int, int], np.ndarray]()
        self.by = {key: np.einsum("rn,rn->r", bend, each[cells.local]) for key, each in factors.items()}

    def of(self, times: Times, c: int, e: int) -> np.ndarray:
        """Give the sum (J,) with columns c and e, and with the elements of t that are multiplied."""
        key = (times, max(c, e), min(c, e))
        if key not in self.known:
            self.known[key] = self.cells.sums(self.by[times] * self.d[c] * self.d[e])
        return self.known[key]
