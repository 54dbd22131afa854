"""The marginal density at many points at once: what importance sampling and exact draws need.

The same formulas as `likelihood`, in the square-root form, with one more axis for the points. Units are
taken in blocks and points in runs, so that the working planes (points by units) stay in the cache.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..likelihood.planes import BLOCK, cholesky_planes, solve_planes
from .marginal import Target, constant, log_prior, to_standard_factor, unpack

CHUNK = 1 << 15  # numbers in one working plane


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """What many points give at once.

    ``log_density`` (B,); gamma given the variances is normal with mean ``delta`` (B, F) and
    covariance ``root`` ``root``' (B, F, F), standardised units.
    """

    log_density: np.ndarray
    delta: np.ndarray
    root: np.ndarray

    def take(self, index: np.ndarray) -> Batch:
        """Give the points of an index."""
        return Batch(self.log_density[index], self.delta[index], self.root[index])


def evaluate_batch(target: Target, phi: np.ndarray) -> Batch:
    """Evaluate points (B, d): the same density as `value_and_gradient`, without its gradient."""
    system = target.system
    parts = unpack(target, phi)
    factor = to_standard_factor(target, parts)
    s2 = (parts.sigma / system.e_scale) ** 2
    logdet, xx, xe, ee = sums_batch(target, factor)
    a = xx / s2[:, None, None] + np.diag(target.p0)
    b = xe / s2[:, None] + target.p0 * target.d0
    root, log_a = inverse_roots(a)
    half = np.einsum("bfg,bf->bg", root, b)
    quadratic = ee / s2 + float(target.d0 @ (target.p0 * target.d0)) - np.sum(half**2, axis=1)
    deviance = logdet + system.n * np.log(s2) + log_a + quadratic + constant(target)
    density = log_prior(target, phi) - 0.5 * deviance
    return Batch(np.where(np.isfinite(density), density, -np.inf), np.einsum("bfg,bg->bf", root, half), root)


def inverse_roots(a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give roots R with R R' = A^-1 (B, F, F) and log|A| (B,); nan where A is not positive definite."""
    scale = np.sqrt(np.einsum("bff->bf", a))
    scaled = a / (scale[:, :, None] * scale[:, None, :])
    bad = ~np.isfinite(scaled).all(axis=(1, 2))
    scaled[bad] = np.eye(a.shape[1])
    try:
        chol = np.linalg.cholesky(scaled)
    except np.linalg.LinAlgError:
        # far out in a proposal's tails rounding can leave A indefinite: such a point gets no weight
        bad |= np.linalg.eigvalsh(scaled)[:, 0] <= 1e-14
        scaled[bad] = np.eye(a.shape[1])
        chol = np.linalg.cholesky(scaled)
    root = (np.linalg.inv(chol) / scale[:, None, :]).transpose(0, 2, 1)
    log_a = 2.0 * np.log(np.einsum("bff->bf", chol) * scale).sum(axis=1)
    return root, np.where(bad, np.nan, log_a)


def unit_blocks(n_units: int) -> Iterator[slice]:
    """Cut units into blocks."""
    for start in range(0, n_units, BLOCK):
        yield slice(start, min(start + BLOCK, n_units))


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
    """Give log|V| (B,), X'V^-1X (B, F, F), X'V^-1e (B, F) and e'V^-1e (B,), sigma2 = 1."""
    system = target.system
    B = len(factor)
    logdet, ee = np.zeros(B), np.full(B, system.ee)
    xx, xe = np.repeat(system.xx[None], B, axis=0), np.repeat(system.xe[None], B, axis=0)
    if system.n_random:
        for block in unit_blocks(system.n_units):
            for rows in chunks(B, block.stop - block.start):
                _add_block(target, factor[rows], block, logdet[rows], xx[rows], xe[rows], ee[rows])
    return logdet, xx, xe, ee


def _add_block(
    target: Target, factor: np.ndarray, block: slice, logdet: np.ndarray, xx: np.ndarray, xe: np.ndarray,
    ee: np.ndarray,
) -> None:  # fmt: skip
    """Add a block of units to the sums, which are changed in place."""
    system = target.system
    c, s = reduce_batch(system.products[:, :, block], factor)
    q, B = len(c), len(factor)
    diagonal = c[0, 0].copy()
    for k in range(1, q):
        diagonal *= c[k, k]
    logdet += 2.0 * np.log(diagonal).sum(axis=1)
    t = s[:, -1]
    ee -= np.einsum("kbj,kbj->b", t, t)
    for a, (w, ca) in enumerate(zip(system.w, system.columns, strict=True)):
        if not len(ca):
            continue
        xe[:, ca] -= _dot(s[:, a], t) @ w[:, block].T
        for b in range(a + 1):
            cb = system.columns[b]
            if not len(cb):
                continue
            cross = (_dot(s[:, a], s[:, b]) @ target.ww[a, b][block]).reshape(B, len(ca), len(cb))
            xx[:, ca[:, None], cb[None, :]] -= cross
            if a != b:
                xx[:, cb[:, None], ca[None, :]] -= cross.transpose(0, 2, 1)


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Give sum_k a_k b_k, planes (B, J)."""
    total = a[0] * b[0]
    for k in range(1, len(a)):
        total += a[k] * b[k]
    return total
