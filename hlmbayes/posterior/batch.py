"""The marginal density at many points at once: what importance sampling and exact draws need.

The formulas of `likelihood.evaluate` with one more axis for the points. Units are taken in blocks and
points in runs, so that the working planes (points by units) stay in the cache.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..likelihood.evaluate import weigh_block, weigh_others
from ..likelihood.planes import blocks, cholesky_planes, solve_planes
from ..likelihood.system import System
from .marginal import Target, constant, log_prior, to_standard_factor, unpack

CHUNK = 1 << 15  # numbers in one working plane


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """What many points give at once.

    ``log_density`` (B,). Given the variances gamma is normal: in the whitened basis its precision is
    C C', ``chol`` C (B, F, F), and its mean solves C'x = ``half`` (B, F).
    """

    log_density: np.ndarray
    half: np.ndarray
    chol: np.ndarray

    def take(self, index: np.ndarray) -> Batch:
        """Give the points of an index."""
        return Batch(self.log_density[index], self.half[index], self.chol[index])

    def delta(self, system: System, noise: np.ndarray) -> np.ndarray:
        """Draw gamma in standardised units (B, F); ``noise`` is standard normal, 0 gives the means."""
        upper = self.chol.transpose(0, 2, 1)
        return np.linalg.solve(upper, (self.half + noise)[:, :, None])[:, :, 0] @ system.whitener


def evaluate_batch(target: Target, phi: np.ndarray) -> Batch:
    """Evaluate points (B, d): the same density as `value_and_gradient`, without its gradient."""
    system = target.system
    parts = unpack(target, phi)
    s2 = (parts.sigma / system.e_scale) ** 2
    logdet, xx, xe, ee = sums_batch(target, to_standard_factor(target, parts))
    turn = system.whitener
    precision = xx / s2[:, None, None] + (turn * target.p0) @ turn.T
    squares = ee / s2 + float(target.d0 @ (target.p0 * target.d0))
    chol, half = _solve_half(precision, xe / s2[:, None] + turn @ (target.p0 * target.d0), squares)
    logdet += 2.0 * np.log(np.einsum("bff->bf", chol) / turn.diagonal()).sum(axis=1)
    deviance = logdet + system.n * np.log(s2) + squares - np.sum(half**2, axis=1) + constant(target)
    density = log_prior(target, phi) - 0.5 * deviance
    return Batch(np.where(np.isfinite(density), density, -np.inf), half, chol)


def _solve_half(a: np.ndarray, b: np.ndarray, most: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give C with C C' = A (B, F, F) and C^-1 b (B, F); nan where A is not positive definite.

    Both from one factorisation, of A bordered by b; ``most`` (B,) is no less than b'A^-1 b.
    """
    F = a.shape[1]
    scale = np.sqrt(np.einsum("bff->bf", a))
    bordered = np.zeros((len(a), F + 1, F + 1))  # the lower triangle is read
    bordered[:, :F, :F] = a / (scale[:, :, None] * scale[:, None, :])
    bordered[:, F, :F] = b / scale
    bordered[:, F, F] = most + 1.0
    bad = ~np.isfinite(bordered).all(axis=(1, 2))
    bordered[bad] = np.eye(F + 1)
    try:
        chol = np.linalg.cholesky(bordered)
    except np.linalg.LinAlgError:
        # far out in a proposal's tails rounding can leave A indefinite: such a point gets no weight
        bad |= np.linalg.eigvalsh(bordered[:, :F, :F])[:, 0] <= 1e-14
        bordered[bad] = np.eye(F + 1)
        chol = np.linalg.cholesky(bordered)
    chol[bad] = np.nan
    return chol[:, :F, :F] * scale[:, :, None], chol[:, F, :F]


def chunks(n_points: int, n_units: int) -> Iterator[slice]:
    """Cut points into runs whose working planes, by ``n_units`` units, stay small."""
    step = max(1, CHUNK // max(n_units, 1))
    for start in range(0, n_points, step):
        yield slice(start, min(start + step, n_points))


def reduce_batch(products: np.ndarray, factor: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give C and S of many L at once.

    Parameters
    ----------
    products : ndarray, shape (q, m, J)
        Z'[Z D e].
    factor : ndarray, shape (B, q, q)

    Returns
    -------
    c : ndarray, shape (q, q, B, J)
        C C' = I + L' Z'Z L.
    s : ndarray, shape (q, m, B, J)
        C^-1 L' products.
    """
    q, m, J = products.shape
    B = len(factor)
    lp = np.empty((q, m, B, J))
    for k in range(q):
        for col in range(m):
            np.multiply(factor[:, 0, k, None], products[0, col], out=lp[k, col])
            for a in range(1, q):
                lp[k, col] += factor[:, a, k, None] * products[a, col]
    r = np.empty((q, q, B, J))
    for k in range(q):
        for i in range(k, q):
            np.multiply(factor[:, 0, k, None], lp[i, 0], out=r[i, k])
            for a in range(1, q):
                r[i, k] += factor[:, a, k, None] * lp[i, a]
        r[k, k] += 1.0
    c = cholesky_planes(r.reshape(q, q, B * J))
    return c.reshape(q, q, B, J), solve_planes(c, lp.reshape(q, m, B * J)).reshape(q, m, B, J)


def sums_batch(target: Target, factor: np.ndarray) -> tuple[np.ndarray, ...]:
    """Give log|V|, X'V^-1X and X'V^-1e in the whitened basis, and e'V^-1e, leading axis B, sigma2 = 1."""
    system, q, p, B = target.system, target.n_random, target.system.p, len(factor)
    lay, theta = system.layout, factor @ factor.transpose(0, 2, 1)
    by_pairs = np.zeros((B, p * (p + 1) // 2, len(lay.pairs_u[0])))
    by_level2 = np.zeros((B, p, len(system.level2)))
    logdet, ee = np.zeros(B), np.full(B, system.ee)
    for block in blocks(system.n_units):
        pairs, level2 = system.level2_pairs(block).T, system.level2[:, block].T
        t = system.products[:, p, block].T
        for rows in chunks(B, len(t)):
            e = np.empty((rows.stop - rows.start, by_pairs.shape[1], len(t)))
            r = np.empty((len(e), p, len(t)))
            logdet[rows] += _weigh(system, theta[rows], factor[rows], block, e, r)
            by_pairs[rows] += _flat_product(e, pairs)
            by_level2[rows] += _flat_product(r, level2)
            ee[rows] -= np.einsum("bac,bac->b", theta[rows], _flat_product(r, t)[:, :q])
    white = system.white
    xx = white @ by_pairs.reshape(B, -1).take(lay.t, axis=1) @ white.T
    return logdet, xx, by_level2.reshape(B, -1) @ white.T, ee


def _flat_product(planes: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Multiply (B, n, J) by (J, u): one large product, where matmul makes B small ones."""
    return (planes.reshape(-1, planes.shape[2]) @ columns).reshape(*planes.shape[:2], -1)


def _weigh(
    system: System, theta: np.ndarray, factor: np.ndarray, block: slice, e: np.ndarray, r: np.ndarray
) -> np.ndarray:
    """Do `likelihood.evaluate.weigh_block` at many points, for any number of random coefficients."""
    q = system.n_random
    if q <= 2:
        return weigh_block(system, theta, factor, block, e, r)  # type: ignore[return-value]
    products = system.products[:, :, block]
    c, s = reduce_batch(products, factor)
    for a in range(q):
        for col in (*range(a + 1), *range(q, system.p)):
            e[:, system.layout.k[a, col]] = products[a, col] - _dot(s[:, a], s[:, col])
        r[:, a] = products[a, -1] - _dot(s[:, a], s[:, -1])
    if system.p > q:
        weigh_others(system, theta, block, e, r)
    diagonal = c[0, 0].copy()
    for k in range(1, q):
        diagonal *= c[k, k]
    return 2.0 * np.log(diagonal).sum(axis=1)


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Give sum_k a_k b_k, planes (B, J)."""
    total = a[0] * b[0]
    for k in range(1, len(a)):
        total += a[k] * b[k]
    return total
