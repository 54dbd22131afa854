"""The marginal log-likelihood by adaptive Gauss-Hermite quadrature, its score and observed information.

In unit j the integral over u_j = chol t_j is taken at nodes about the mode of the integrand, scaled by its
curvature there (Pinheiro & Bates 1995). Score and information are the posterior means, over the same nodes,
of those of the complete data (Louis 1982): exact as the quadrature is.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch
from typing import NamedTuple

import numpy as np

from ..laws.outcomes import Outcome
from .counted_rows import CountedRows
from .modes import Modes, find_modes
from .quadrature import Rule

CELLS = 1 << 14  # rows times nodes at a time: they stay in the processor's cache


@dataclass(frozen=True, slots=True, eq=False)
class Marginal:
    """The likelihood at one point: gamma (F,) and chol (q, q), lower triangular, tau = chol chol'.

    Both are of the columns of `CountedRows`: in the units of the data they are `Design.to_gamma` times gamma
    and `TauColumns` scale times chol.

    ``score`` (P,) and ``information`` (P, P) are of gamma, then of the free elements of chol by rows;
    ``unit_loglik`` (J,), without what cuts add, ``unit_scores`` (J, P): of each as often as it counts.
    """

    gamma: np.ndarray
    chol: np.ndarray
    rule: Rule
    unit_loglik: np.ndarray
    unit_scores: np.ndarray
    information: np.ndarray
    modes: Modes
    mean: np.ndarray  # (J, q): posterior mean of t
    second: np.ndarray  # (J, q, q): posterior mean of t t'
    constant: float

    @property
    def loglik(self) -> float:
        """Log-likelihood, constants included."""
        return float(self.unit_loglik.sum()) + self.constant

    @property
    def score(self) -> np.ndarray:
        """Gradient of the log-likelihood, (P,)."""
        return np.asarray(self.unit_scores.sum(axis=0))


@singledispatch
def linear_predictor(rows: CountedRows, gamma: np.ndarray) -> np.ndarray:
    """Give the fixed part of every row's linear predictor, offset included, (R,)."""
    b = rows.x @ gamma  # (J, p)
    return np.asarray(rows.offset + np.einsum("pr,pr->r", rows.d, b.T[:, rows.unit]))


class Cells(NamedTuple):
    """Nodes of a block of units: t (J, q, K), the fixed and random part eta (R, K) of its rows."""

    t: np.ndarray
    eta: np.ndarray
    local: np.ndarray  # (R,): each row's unit in the block
    starts: np.ndarray  # (J,)

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Sum (R, K) over the rows of each unit, (J, K)."""
        return np.asarray(np.add.reduceat(values, self.starts, axis=0))

    def height(self, value: np.ndarray) -> np.ndarray:
        """Give the log integrand (J, K) from the rows' log densities."""
        return np.asarray(self.sums(value) - 0.5 * np.einsum("jak,jak->jk", self.t, self.t))


@singledispatch
def cells_of(
    rows: CountedRows, eta: np.ndarray, chol: np.ndarray, modes: Modes, z: np.ndarray, at: tuple[slice, slice]
) -> Cells:
    """Lay out the nodes z (K, q) of the units and rows ``at``, ``eta`` (R,) the fixed part of all rows."""
    units, own = at
    local = rows.unit[own] - units.start
    t = modes.root[units] @ z.T + modes.t.T[units, :, None]
    u, full = chol @ t, eta[own, None] + np.zeros(len(z))
    for a in range(len(chol)):
        full += rows.d[a, own, None] * u[:, a][local]
    return Cells(t, full, local, rows.starts[units] - own.start)


def unit_logliks(
    rows: CountedRows, law: Outcome, eta: np.ndarray, chol: np.ndarray, modes: Modes, rule: Rule
) -> np.ndarray:
    """Give the log-likelihood of each unit as often as it counts, without its constant, (J,)."""
    total = np.empty(rows.n_units)
    for at in rows.blocks(max(1, CELLS // len(rule.z))):
        cells = cells_of(rows, eta, chol, modes, rule.z, at)
        value = law.value(cells.eta, rows.y[..., at[1], None], rows.size[at[1], None])
        height = cells.height(value) - modes.value[at[0], None] + rule.log_weight
        total[at[0]] = np.exp(height).sum(axis=1)
    return np.asarray(rows.weight * (modes.value + np.log(total) + modes.log_volume))


def loglik(
    rows: CountedRows, law: Outcome, gamma: np.ndarray, chol: np.ndarray, rule: Rule, start: np.ndarray
) -> float:
    """Give the log-likelihood alone, constants included."""
    eta = linear_predictor(rows, gamma)
    modes = find_modes(rows, law, eta, chol, start)
    of_cuts = float(rows.cuts.unit_values(gamma).sum())
    return float(unit_logliks(rows, law, eta, chol, modes, rule).sum()) + of_cuts + rows.constant


def marginal(
    rows: CountedRows, law: Outcome, gamma: np.ndarray, chol: np.ndarray, rule: Rule, start: np.ndarray
) -> Marginal:
    """Evaluate the likelihood, its score and its information at the nodes of a rule."""
    eta = linear_predictor(rows, gamma)
    modes = find_modes(rows, law, eta, chol, start)
    return _sums(rows, law, eta, chol, rule, modes).marginal(gamma, chol, rule, modes)


def sums_at(rows: CountedRows, law: Outcome, at: Marginal) -> Sums:
    """Give the posterior means, unit by unit, that the likelihood at a point was made of."""
    return _sums(rows, law, linear_predictor(rows, at.gamma), at.chol, at.rule, at.modes)


def _sums(
    rows: CountedRows, law: Outcome, eta: np.ndarray, chol: np.ndarray, rule: Rule, modes: Modes
) -> Sums:
    sums = sums_of(rows)
    for at in rows.blocks(max(1, CELLS // len(rule.z))):
        sums.add(law, cells_of(rows, eta, chol, modes, rule.z, at), modes.value, rule.log_weight, at)
    return sums


class Sums:
    """Posterior means over the nodes, unit by unit and row by row, as blocks of units are added."""

    def __init__(self, rows: CountedRows) -> None:
        J, p, q, R = rows.n_units, len(rows.d), rows.n_random, len(rows.y)
        self.rows, self.free = rows, rows.free
        self.pairs = [(a, b) for a in range(q) for b in range(a + 1)]
        n = p + len(self.free)
        self.total = np.empty(J)
        self.first = np.empty((J, n))  # of the complete-data score of D*'s coefficients and of chol
        self.cross = np.empty((J, n, n))
        self.bend = np.empty((1 + q + len(self.pairs), R))  # of curvature times 1, t, t t'
        self.t = np.empty((J, q))
        self.tt = np.empty((J, q, q))

    def add(
        self, law: Outcome, cells: Cells, top: np.ndarray, log_weight: np.ndarray, at: tuple[slice, slice]
    ) -> None:
        """Add a block of units; ``top`` (J,) is the log integrand at the mode."""
        rows, (units, own) = self.rows, at
        value, slope, bend = law.rows(cells.eta, rows.y[own, None], rows.size[own, None])
        weight = np.exp(cells.height(value) - top[units, None] + log_weight)  # (J, K)
        self.total[units] = total = weight.sum(axis=1)
        weight /= total[:, None]
        t = cells.t
        # the complete data's score: D*'r, then (Z*'r)_a t_b for the elements of chol
        score = np.empty((len(total), self.first.shape[1], weight.shape[1]))
        for k, d in enumerate(rows.d):
            score[:, k] = cells.sums(slope * d[own, None])
        for m, (a, b) in enumerate(self.free, start=len(rows.d)):
            np.multiply(score[:, a], t[:, b], out=score[:, m])
        weighted = score * weight[:, None]
        self.first[units] = weighted.sum(axis=2)
        self.cross[units] = weighted @ score.swapaxes(1, 2)
        spread = t * weight[:, None]
        self.t[units], self.tt[units] = spread.sum(axis=2), spread @ t.swapaxes(1, 2)
        factors = [weight, *spread.swapaxes(0, 1), *(spread[:, a] * t[:, b] for a, b in self.pairs)]
        for m, factor in enumerate(factors):
            self.bend[m, own] = np.einsum("rk,rk->r", bend, factor[cells.local])

    def marginal(self, gamma: np.ndarray, chol: np.ndarray, rule: Rule, modes: Modes) -> Marginal:
        """Give what the means say of the likelihood at this point."""
        x, p = self.rows.x, self.rows.x.shape[1]
        inside = self.informations() * (times := self.rows.weight)[:, None, None]
        half = inside[:, :, :p] @ x  # (J, n, F)
        gg = np.tensordot(x, half[:, :p], axes=([0, 1], [0, 1]))
        lg, ll = half[:, p:].sum(axis=0), inside[:, p:, p:].sum(axis=0)
        own = (self.first[:, None, :p] @ x)[:, 0]
        scores = times[:, None] * np.hstack([own, self.first[:, p:]])
        information = np.block([[gg, lg.T], [lg, ll]])
        self.rows.cuts.add_slopes(gamma, scores, information)
        unit_loglik = times * (modes.value + np.log(self.total) + modes.log_volume)
        return Marginal(
            gamma, chol, rule, unit_loglik, scores, information, modes, self.t, self.tt,
            self.rows.constant + float(self.rows.cuts.unit_values(gamma).sum()),
        )  # fmt: skip

    def informations(self) -> np.ndarray:
        """Give each unit's information of its coefficients of D* and of chol, (J, n, n)."""
        return self._inside() - self.cross + self.first[:, :, None] * self.first[:, None]

    def unit_informations(self, gamma: np.ndarray) -> np.ndarray:
        """Give each unit's part of the information, (J, P, P)."""
        x, p, inside = self.rows.x, self.rows.x.shape[1], self.informations()
        half = inside[:, :, :p] @ x
        own, across = x.swapaxes(1, 2) @ half[:, :p], half[:, p:]
        own += self.rows.cuts.bends(gamma, self.rows.cuts.counts)
        return np.block([[own, across.swapaxes(1, 2)], [across, inside[:, p:, p:]]])

    def _inside(self) -> np.ndarray:
        """Posterior mean of the complete data's information of b and chol in each unit, (J, n, n)."""
        rows, q, p = self.rows, self.rows.n_random, len(self.rows.d)
        place = {pair: 1 + q + m for m, pair in enumerate(self.pairs)}
        inside = np.zeros((rows.n_units, self.first.shape[1], self.first.shape[1]))
        products: dict[tuple[int, int, int], np.ndarray] = {}

        def product(c: int, d: int, m: int) -> np.ndarray:
            key = (max(c, d), min(c, d), m)
            if key not in products:
                products[key] = rows.sums(rows.d[c] * rows.d[d] * self.bend[m])
            return products[key]

        for c in range(p):
            for d in range(p):
                inside[:, c, d] = product(c, d, 0)
            for m, (a, b) in enumerate(self.free, start=p):
                inside[:, c, m] = inside[:, m, c] = product(c, a, 1 + b)
        for m, (a, b) in enumerate(self.free, start=p):
            for o, (c, d) in enumerate(self.free, start=p):
                inside[:, m, o] = product(a, c, place[max(b, d), min(b, d)])
        return inside


@singledispatch
def sums_of(rows: CountedRows) -> Sums:
    """Give what takes the posterior means of rows."""
    return Sums(rows)
