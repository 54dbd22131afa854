"""The marginal log-likelihood by adaptive Gauss-Hermite quadrature, its score and observed information.

In unit j the integral over u_j = chol t_j is taken at nodes about the mode of the integrand, scaled by its
curvature there (Pinheiro & Bates 1995). Score and information are the posterior means, over the same nodes,
of those of the complete data (Louis 1982): exact as the quadrature is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import singledispatch

import numpy as np

from ..laws.outcomes import Outcome
from ..likelihood.symmetric import lower, place
from .blocks import CELLS, Block, each_block
from .counted_rows import CountedRows
from .modes import Modes, find_modes
from .quadrature import Rules

EPSILON = float(np.finfo(float).eps)


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
    rule: Rules
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
    def rounding(self) -> float:
        """What the log-likelihood loses to rounding: its terms cancel, and of large counts they are large."""
        return EPSILON * (float(np.abs(self.unit_loglik).sum()) + abs(self.constant))

    @property
    def score(self) -> np.ndarray:
        """Gradient of the log-likelihood, (P,)."""
        return np.asarray(self.unit_scores.sum(axis=0))


@singledispatch
def linear_predictor(rows: CountedRows, gamma: np.ndarray) -> np.ndarray:
    """Give the fixed part of every row's linear predictor, offset included, (R,)."""
    b = rows.x @ gamma  # (J, p)
    return np.asarray(rows.offset + np.einsum("pr,pr->r", rows.d, b.T[:, rows.unit]))


def nodes(z: np.ndarray, size: int) -> Iterator[slice]:
    """Give nodes (K, q) in runs of so many that arrays of ``size`` times as many stay in the cache."""
    step = max(1, CELLS // size)
    for first in range(0, len(z), step):
        yield slice(first, first + step)


def unit_logliks(
    rows: CountedRows, law: Outcome, eta: np.ndarray, chol: np.ndarray, modes: Modes, rule: Rules,
    blocks: Sequence[Block] | None = None,
) -> np.ndarray:  # fmt: skip
    """Give the log-likelihood of each unit as often as it counts, without its constant, (J,).

    ``blocks``: only these of the units are evaluated, and those of the others are 0.
    """
    total = np.zeros(rows.n_units)

    def work(block: Block) -> None:
        top, own = modes.value[block.units, None], rule.of(block.group)
        for run in nodes(own.z, block.row.size):
            t = placed(modes, block, own.z[run])
            value = block.value(law, block.predictor(eta, chol @ t))
            total[block.units] += np.exp(height(value, t) - top + own.log_weight[run]).sum(axis=1)

    each_block(work, in_parts(rows.unit_blocks if blocks is None else blocks, rule))
    with np.errstate(divide="ignore"):  # of units that are left out, and of a step too far
        found = rows.weight * (modes.value + np.log(total) + modes.log_volume)
    return np.asarray(found if blocks is None else np.where(total > 0, found, 0.0))


def in_parts(blocks: Sequence[Block], rule: Rules) -> list[Block]:
    """Give blocks in parts that are worth the time at the nodes of a rule."""
    return [part for block in blocks for part in block.parts(rule.of(block.group).total)]


def placed(modes: Modes, block: Block, z: np.ndarray) -> np.ndarray:
    """Give t (J, q, K) of a block's units at nodes z (K, q)."""
    return np.asarray(modes.root[block.units] @ z.T + modes.t.T[block.units, :, None])


def height(value: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Give the log integrand (J, K) at t (J, q, K) from the log density of the units' rows."""
    return np.asarray(value - 0.5 * np.einsum("jak,jak->jk", t, t))


def loglik(
    rows: CountedRows, law: Outcome, gamma: np.ndarray, chol: np.ndarray, rule: Rules, start: np.ndarray
) -> float:
    """Give the log-likelihood alone, constants included."""
    eta = linear_predictor(rows, gamma)
    modes = find_modes(rows, law, eta, chol, start)
    of_cuts = float(rows.cuts.unit_values(gamma).sum())
    return float(unit_logliks(rows, law, eta, chol, modes, rule).sum()) + of_cuts + rows.constant


def marginal(
    rows: CountedRows, law: Outcome, gamma: np.ndarray, chol: np.ndarray, rule: Rules, start: np.ndarray
) -> Marginal:
    """Evaluate the likelihood, its score and its information at the nodes of a rule."""
    eta = linear_predictor(rows, gamma)
    modes = find_modes(rows, law, eta, chol, start)
    return _sums(rows, law, eta, chol, rule, modes).marginal(gamma, chol, rule, modes)


def sums_at(rows: CountedRows, law: Outcome, at: Marginal) -> Sums:
    """Give the posterior means, unit by unit, that the likelihood at a point was made of."""
    return _sums(rows, law, linear_predictor(rows, at.gamma), at.chol, at.rule, at.modes)


def _sums(
    rows: CountedRows, law: Outcome, eta: np.ndarray, chol: np.ndarray, rule: Rules, modes: Modes
) -> Sums:
    sums = Sums(rows)

    def work(block: Block) -> None:
        own = rule.of(block.group)
        for run in nodes(own.z, max(block.row.size, sums.first[block.units].size)):
            sums.add(law, block, eta, chol, modes, own.z[run], own.log_weight[run])

    each_block(work, in_parts(rows.unit_blocks, rule))
    sums.divide()
    return sums


class Sums:
    """Sums over the nodes, weighted by the integrand, unit by unit; divided by their own, posterior means.

    The score of the complete data has n elements: D*'r for the p level-1 columns, then (Z*'r)_a t_b for the
    free elements of chol. Its curvature in two of them is a sum of d_c d_e times 1, t_b or t_b t_b'.
    """

    def __init__(self, rows: CountedRows) -> None:
        J, p, q = rows.n_units, rows.x.shape[1], rows.n_random
        self.rows, self.q = rows, q
        a, self.b = np.array(rows.free, dtype=int).reshape(-1, 2).T
        self.a = rows.random[a]
        self.pair = lower(q)
        n = p + len(self.a)
        self.first = np.zeros((J, n))  # of that score
        self.cross = np.zeros((J, n, n))  # of its products
        self.powers = np.zeros((J, 1 + q + len(self.pair[0])))  # of 1, t, t t'
        self.bend = np.zeros((J, p * (p + 1) // 2, self.powers.shape[1]))  # of these and curvatures

    def add(
        self, law: Outcome, block: Block, eta: np.ndarray, chol: np.ndarray, modes: Modes, z: np.ndarray,
        log_weight: np.ndarray,
    ) -> None:  # fmt: skip
        """Add some nodes z (K, q) of a block of units."""
        units, (a, b) = block.units, self.pair
        t = placed(modes, block, z)
        value, slope, bend = block.slopes(law, block.predictor(eta, chol @ t))
        weight = np.exp(height(value, t) - modes.value[units, None] + log_weight)[:, None]  # (J, 1, K)
        score = np.concatenate([slope, slope[:, self.a] * t[:, self.b]], axis=1)
        weighted = score * weight
        self.first[units] += weighted.sum(axis=2)
        self.cross[units] += weighted @ score.swapaxes(1, 2)
        powers = np.concatenate([weight, weight * t, weight * t[:, a] * t[:, b]], axis=1)
        self.powers[units] += powers.sum(axis=2)
        self.bend[units] += bend @ powers.swapaxes(1, 2)

    def divide(self) -> None:
        """Make posterior means of the sums, once all nodes are added; ``total`` (J,) is the integral."""
        self.total = self.powers[:, 0].copy()
        for sums in (self.first, self.cross, self.powers, self.bend):
            sums /= self.total.reshape(-1, *[1] * (sums.ndim - 1))

    def marginal(self, gamma: np.ndarray, chol: np.ndarray, rule: Rules, modes: Modes) -> Marginal:
        """Give what the means say of the likelihood at this point."""
        x, (J, p, _), q = self.rows.x, self.rows.x.shape, self.q
        second, (a, b), times = np.empty((J, q, q)), self.pair, self.rows.weight
        second[:, a, b] = second[:, b, a] = self.powers[:, 1 + q :]
        inside = self.informations() * times[:, None, None]
        half = inside[:, :, :p] @ x  # (J, n, F)
        gg = np.tensordot(x, half[:, :p], axes=([0, 1], [0, 1]))
        lg, ll = half[:, p:].sum(axis=0), inside[:, p:, p:].sum(axis=0)
        own = (self.first[:, None, :p] @ x)[:, 0]
        scores = times[:, None] * np.hstack([own, self.first[:, p:]])
        information = np.block([[gg, lg.T], [lg, ll]])
        self.rows.cuts.add_slopes(gamma, scores, information)
        unit_loglik = times * (modes.value + np.log(self.total) + modes.log_volume)
        return Marginal(
            gamma, chol, rule, unit_loglik, scores, information, modes, self.powers[:, 1 : 1 + q], second,
            self.rows.constant + float(self.rows.cuts.unit_values(gamma).sum()),
        )  # fmt: skip

    def informations(self) -> np.ndarray:
        """Give each unit's information of its coefficients of D* and of chol, (J, n, n)."""
        return np.asarray(self._inside() - self.cross + self.first[:, :, None] * self.first[:, None])

    def unit_informations(self, gamma: np.ndarray) -> np.ndarray:
        """Give each unit's part of the information, (J, P, P)."""
        x, p, inside = self.rows.x, self.rows.x.shape[1], self.informations()
        half = inside[:, :, :p] @ x
        own, across = x.swapaxes(1, 2) @ half[:, :p], half[:, p:]
        own += self.rows.cuts.bends(gamma, self.rows.cuts.counts)
        return np.block([[own, across.swapaxes(1, 2)], [across, inside[:, p:, p:]]])

    def _inside(self) -> np.ndarray:
        """Give the posterior mean of the complete data's information in each unit, (J, n, n)."""
        p = self.rows.x.shape[1]
        column = np.r_[np.arange(p), self.a]
        power = np.r_[np.full(p, -1), self.b]  # -1: no t in it
        high, low = np.maximum(power[:, None], power), np.minimum(power[:, None], power)
        both = np.where(low < 0, 1 + high, 1 + self.q + place(high, low))
        return np.asarray(self.bend[:, place(column[:, None], column), both])
