"""The marginal log-likelihood by adaptive Gauss-Hermite quadrature, its score and observed information.

In unit j the integral over u_j = chol t_j is taken at nodes about the mode of the integrand, scaled by its
curvature there (Pinheiro & Bates 1995). Score and information are the posterior means, over the same nodes,
of those of the complete data (Louis 1982): exact as the quadrature is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..laws.outcomes import Outcome
from .counted_rows import CountedRows
from .modes import Modes, find_modes
from .quadrature import nodes

CELLS = 1 << 15  # rows times nodes at a time: they stay in the processor's cache


@dataclass(frozen=True, slots=True, eq=False)
class Marginal:
    """The likelihood at one point: gamma (F,) and chol (q, q), lower triangular, tau = chol chol'.

    Both are of the orthonormal columns: in the units of the data they are `Design.to_gamma` times gamma and
    `Design.z_basis` times chol.

    ``score`` (P,) and ``information`` (P, P) are of gamma, then of the lower triangle of chol by rows;
    ``unit_loglik`` (J,), ``unit_scores`` (J, P).
    """

    gamma: np.ndarray
    chol: np.ndarray
    n_nodes: int
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


def linear_predictor(rows: CountedRows, gamma: np.ndarray) -> np.ndarray:
    """Give the fixed part of every row's linear predictor, offset included, (R,)."""
    b = rows.x @ gamma  # (J, p)
    return np.asarray(rows.offset + np.einsum("pr,pr->r", rows.d, b.T[:, rows.unit]))


def marginal(
    rows: CountedRows, law: Outcome, gamma: np.ndarray, chol: np.ndarray, n_nodes: int, start: np.ndarray
) -> Marginal:
    """Evaluate the likelihood, its score and its information with ``n_nodes`` nodes a random effect."""
    q, eta = len(chol), linear_predictor(rows, gamma)
    modes = find_modes(rows, law, eta, chol, start)
    grid = nodes(n_nodes, q)
    sums = Sums(rows, q)
    step = max(1, CELLS // len(rows.y))
    for k in range(0, len(grid.z), step):
        sums.add(law, eta, chol, modes, grid.z[k : k + step], grid.log_weight[k : k + step])
    return sums.marginal(gamma, chol, n_nodes, modes)


def log_scale(modes: Modes) -> np.ndarray:
    """Give the logarithm of the volume each unit's nodes are scaled by, (J,)."""
    return np.asarray(np.log(np.einsum("jaa->ja", modes.root)).sum(axis=1))


def integrand(
    rows: CountedRows, law: Outcome, eta: np.ndarray, chol: np.ndarray, modes: Modes, z: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Give t (K, q, J) at nodes z (K, q), the log integrand (K, J), slope and curvature of rows (K, R)."""
    t = modes.t + np.einsum("jab,kb->kaj", modes.root, z)
    u = np.einsum("ab,kbj->kaj", chol, t)
    at = eta + np.zeros((len(z), 1))
    for a in range(len(chol)):
        at += rows.d[a] * u[:, a][:, rows.unit]
    value, slope, bend = law.rows(at, rows.y, rows.size)
    return t, rows.sums(value) - 0.5 * np.einsum("kaj,kaj->kj", t, t), slope, bend


class Sums:
    """Sums over nodes, each unit's weights relative to its integrand at the mode."""

    def __init__(self, rows: CountedRows, q: int) -> None:
        J, p, R = rows.n_units, len(rows.d), len(rows.y)
        self.rows, self.q = rows, q
        self.lower = [(a, b) for a in range(q) for b in range(a + 1)]
        n = p + len(self.lower)
        self.total = np.zeros(J)
        self.first = np.zeros((n, J))  # of the complete-data score of D*'s coefficients and of chol
        self.cross = np.zeros((n, n, J))
        self.bend = np.zeros((1 + q + len(self.lower), R))  # of curvature times 1, t, t t'
        self.t = np.zeros((q, J))
        self.tt = np.zeros((q, q, J))

    def add(
        self,
        law: Outcome,
        eta: np.ndarray,
        chol: np.ndarray,
        modes: Modes,
        z: np.ndarray,
        log_weight: np.ndarray,
    ) -> None:
        """Add the nodes z (K, q), centred and scaled by ``modes``."""
        rows, q = self.rows, self.q
        t, height, slope, bend = integrand(rows, law, eta, chol, modes, z)
        weight = np.exp(height - modes.value + log_weight[:, None])  # (K, J)
        # the complete data's score: D*'r, then (Z*'r)_a t_b for the elements of chol
        own = [rows.sums(slope * d) for d in rows.d]
        score = np.stack([*own, *(own[a] * t[:, b] for a, b in self.lower)])  # (n, K, J)
        weighted = weight * score
        self.total += weight.sum(axis=0)
        self.first += weighted.sum(axis=1)
        self.cross += np.einsum("nkj,mkj->nmj", weighted, score)
        self.t += np.einsum("kj,kaj->aj", weight, t)
        self.tt += np.einsum("kj,kaj,kbj->abj", weight, t, t)
        factors = [weight, *(weight * t[:, b] for b in range(q))]
        factors += [weight * t[:, b] * t[:, d] for b, d in self.lower]
        for m, factor in enumerate(factors):
            self.bend[m] += np.einsum("kr,kr->r", bend, factor[:, rows.unit])

    def marginal(self, gamma: np.ndarray, chol: np.ndarray, n_nodes: int, modes: Modes) -> Marginal:
        """Give what the sums over all nodes say of the likelihood at this point."""
        rows = self.rows
        unit_loglik = modes.value + np.log(self.total) + log_scale(modes)
        mean = self.first / self.total
        spread = self.cross / self.total - mean[:, None] * mean[None]
        inside = self._inside() - spread  # information of (b, chol) in each unit
        p = len(rows.d)
        gg = np.einsum("jpf,pqj,jqg->fg", rows.x, inside[:p, :p], rows.x, optimize=True)
        gl = np.einsum("jpf,plj->fl", rows.x, inside[:p, p:], optimize=True)
        ll = inside[p:, p:].sum(axis=2)
        scores = np.concatenate([np.einsum("jpf,pj->jf", rows.x, mean[:p]), mean[p:].T], axis=1)
        t = self.t / self.total
        return Marginal(
            gamma, chol, n_nodes, unit_loglik, scores, np.block([[gg, gl], [gl.T, ll]]), modes,
            t.T, (self.tt / self.total).transpose(2, 0, 1), rows.constant,
        )  # fmt: skip

    def _inside(self) -> np.ndarray:
        """Posterior mean of the complete data's information of b and chol in each unit, (n, n, J)."""
        rows, q, p = self.rows, self.q, len(self.rows.d)
        bend = self.bend / self.total[rows.unit]
        pairs = self.lower
        place = {pair: 1 + q + m for m, pair in enumerate(pairs)}
        n = p + len(pairs)
        inside = np.zeros((n, n, rows.n_units))
        products: dict[tuple[int, int, int], np.ndarray] = {}

        def product(c: int, d: int, m: int) -> np.ndarray:
            key = (max(c, d), min(c, d), m)
            if key not in products:
                products[key] = rows.sums(rows.d[c] * rows.d[d] * bend[m])
            return products[key]

        for c in range(p):
            for d in range(p):
                inside[c, d] = product(c, d, 0)
            for m, (a, b) in enumerate(pairs):
                inside[c, p + m] = inside[p + m, c] = product(c, a, 1 + b)
        for m, (a, b) in enumerate(pairs):
            for o, (c, d) in enumerate(pairs):
                inside[p + m, p + o] = product(a, c, place[max(b, d), min(b, d)])
        return inside
