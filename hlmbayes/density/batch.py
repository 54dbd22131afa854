"""The marginal density at many points at once: what importance sampling and exact draws need.

The sums of `likelihood.evaluate` with one more axis for the points. Units are taken in blocks and
points in runs, so that the working planes (points by units) stay in the cache.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..likelihood.planes import blocks, cholesky_planes, solve_planes
from ..likelihood.system import System
from .coordinates import to_standard_factor, unpack
from .marginal import constant
from .prior_density import log_prior
from .target import Target
from .unequal import log_sigma2_sums

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
    logdet, xx, xe, ee = sums_batch(target, to_standard_factor(target, parts), parts.alpha)
    turn = system.whitener
    precision = xx / s2[:, None, None] + (turn * target.p0) @ turn.T
    squares = ee / s2 + float(target.d0 @ (target.p0 * target.d0))
    chol, half = _solve_half(precision, xe / s2[:, None] + turn @ (target.p0 * target.d0), squares)
    logdet += 2.0 * np.log(np.einsum("bff->bf", chol) / turn.diagonal()).sum(axis=1)
    deviance = logdet + system.n * np.log(s2) + squares - np.sum(half**2, axis=1) + constant(target)
    if target.grouped is not None:
        deviance += log_sigma2_sums(target.grouped, phi[:, target.level1])
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


def planes_width(target: Target) -> int:
    """Give how many numbers a point has in a working plane: units, or groups of rows where they are more."""
    n_groups = 0 if target.grouped is None else len(target.grouped.groups.n)
    return max(target.system.n_units, n_groups)


def chunks(n_points: int, n_units: int) -> Iterator[slice]:
    """Cut points into runs whose working planes, by ``n_units`` units, stay small."""
    step = max(1, CHUNK // max(n_units, 1))
    for start in range(0, n_points, step):
        yield slice(start, min(start + step, n_points))


def reduce_batch(products: np.ndarray, factor: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give C and S of many L at once.

    Parameters
    ----------
    products : ndarray, shape (q, m, J), or (q, m, B, J) where every point has its own
        Z'[Z D e].
    factor : ndarray, shape (B, q, q)

    Returns
    -------
    c : ndarray, shape (q, q, B, J)
        C C' = I + L' Z'Z L.
    s : ndarray, shape (q, m, B, J)
        C^-1 L' products.
    """
    q, m, *_, J = products.shape
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


def sums_batch(target: Target, factor: np.ndarray, alpha: np.ndarray | None = None) -> tuple[np.ndarray, ...]:
    """Give log|V|, X'V^-1X and X'V^-1e in the whitened basis, and e'V^-1e, leading axis B, sigma2 = 1."""
    system, p, B = target.system, target.system.p, len(factor)
    lay = system.layout
    by_pairs = np.zeros((B, p * (p + 1) // 2, len(lay.pairs_u[0])))
    by_level2 = np.zeros((B, p, len(system.level2)))
    logdet, ee = np.zeros(B), np.full(B, system.ee)
    if target.grouped is not None and alpha is not None:
        ee = target.grouped.weights(alpha) @ target.grouped.ee
    # rows regrouped at every point are taken for all units at once
    for block in blocks(system.n_units) if alpha is None else [slice(0, system.n_units)]:
        pairs, level2 = system.level2_pairs(block).T, system.level2[:, block].T
        for rows in chunks(B, planes_width(target) if target.grouped else len(pairs)):
            e = np.empty((rows.stop - rows.start, by_pairs.shape[1], len(pairs)))
            r = np.empty((len(e), p, len(pairs)))
            weighed = _weigh(target, factor[rows], None if alpha is None else alpha[rows], block, e, r)
            logdet[rows] += weighed[0]
            ee[rows] -= weighed[1]
            by_pairs[rows] += _flat_product(e, pairs)
            by_level2[rows] += _flat_product(r, level2)
    white = system.white
    xx = white @ by_pairs.reshape(B, -1).take(lay.t, axis=1) @ white.T
    return logdet, xx, by_level2.reshape(B, -1) @ white.T, ee


def _flat_product(planes: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Multiply (B, n, J) by (J, u): one large product, where matmul makes B small ones."""
    return (planes.reshape(-1, planes.shape[2]) @ columns).reshape(*planes.shape[:2], -1)


def _weigh(
    target: Target, factor: np.ndarray, alpha: np.ndarray | None, block: slice, e: np.ndarray, r: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Write the distinct planes of D'V^-1D into e (B, ., J) and those of D'V^-1e into r (B, p, J).

    Gives log|V| and e'Z Theta Z'V^-1e, both (B,).
    """
    system, q = target.system, target.n_random
    theta = factor @ factor.transpose(0, 2, 1)
    if alpha is None and q <= 2:
        logdet = _weigh_few(system, theta, factor, block, e, r)
        t = _flat_product(r, system.products[:, -1, block].T)[:, :q]
        return np.asarray(logdet), np.einsum("bac,bac->b", theta, t)
    if alpha is None or target.grouped is None:
        products, others = system.products[:, :, block], system.others[:, :, block]
    else:
        products, others = target.grouped.products(alpha), target.grouped.others(alpha)
    c, s = reduce_batch(products, factor)
    for a in range(q):
        for col in (*range(a + 1), *range(q, system.p)):
            e[:, system.layout.k[a, col]] = products[a, col] - _dot(s[:, a], s[:, col])
        r[:, a] = products[a, -1] - _dot(s[:, a], s[:, -1])
    if system.p > q:
        cross = products[:, q:-1]
        if alpha is not None:  # every point has its own: points before planes
            cross, others = np.moveaxis(cross, 2, 0), np.moveaxis(others, 2, 0)
        _weigh_others(system, theta, cross, others, e, r)
    diagonal = np.ones(e.shape[::2])
    for k in range(q):
        diagonal *= c[k, k]
    return 2.0 * np.log(diagonal).sum(axis=1), _dot(s[:, -1], s[:, -1]).sum(axis=1) if q else np.zeros(len(e))


def _weigh_few(
    system: System, theta: np.ndarray, factor: np.ndarray, block: slice, e: np.ndarray, r: np.ndarray
) -> np.ndarray:
    """Do it for up to two random coefficients; give log|V|."""
    q, nk = system.n_random, system.layout.nk
    logdet = np.zeros(len(theta))
    if q == 1:
        logdet = _weigh_one(system, theta, block, e[:, :nk], r[:, :q])
    elif q == 2:
        logdet = _weigh_two(system, theta, factor, block, e[:, :nk], r[:, :q])
    if system.p > q:
        _weigh_others(system, theta, system.products[:, q:-1, block], system.others[:, :, block], e, r)
    return logdet


def _weigh_one(system: System, theta: np.ndarray, block: slice, k: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Write Z'V^-1D into k, Z'V^-1e into v: (1 + A Theta)^-1 is a number a unit."""
    products = system.products[0, :, block]
    inverse = 1.0 / (1.0 + theta[:, 0] * products[0])
    np.multiply(products[:-1], inverse[:, None], out=k)
    np.multiply(products[-1:], inverse[:, None], out=v)
    return -np.log(inverse).sum(axis=1)


def _weigh_two(
    system: System, theta: np.ndarray, factor: np.ndarray, block: slice, k: np.ndarray, v: np.ndarray
) -> np.ndarray:
    """Do it for q = 2: (I + A Theta)^-1 = (I + adj(Theta) adj(A)) / (1 + tr(A Theta) + |A| |Theta|)."""
    products, pivots = system.products[:, :, block], system.root[:, :, block]
    a00, a10, a11 = products[0, 0], products[1, 0], products[1, 1]
    table = np.stack([np.ones(len(a00)), a00, a10, a11, (pivots[0, 0] * pivots[1, 1]) ** 2])
    rest = products[:, 2:]
    turned = np.stack([a11 * rest[0] - a10 * rest[1], a00 * rest[1] - a10 * rest[0]])
    a, b, d = theta[:, 0, 0], theta[:, 0, 1], theta[:, 1, 1]
    adjugate, rows = np.empty((len(theta), 2, 2)), np.zeros((len(theta), 4, 5))
    adjugate[:, 0, 0], adjugate[:, 1, 1] = d, a
    adjugate[:, 0, 1] = adjugate[:, 1, 0] = -b
    rows[:, 0, 0] = rows[:, 1, 1] = rows[:, 2, 2] = rows[:, 3, 3] = 1.0
    rows[:, 0, 1] = rows[:, 3, 4] = a
    rows[:, 0, 2], rows[:, 2, 4] = 2.0 * b, -b
    rows[:, 0, 3] = rows[:, 1, 4] = d
    rows[:, 0, 4] = (factor[:, 0, 0] * factor[:, 1, 1] - factor[:, 0, 1] * factor[:, 1, 0]) ** 2
    numerators = (rows.reshape(-1, 5) @ table).reshape(len(theta), 4, -1)
    inverse = 1.0 / numerators[:, 0]
    np.multiply(numerators[:, 1:], inverse[:, None], out=k[:, :3])
    part = (adjugate @ turned.reshape(2, -1)).reshape(len(theta), *turned.shape)
    part += rest
    part *= inverse[:, None, None]
    if k.shape[1] > 3:
        k[:, 3:] = part[:, :, :-1].reshape(len(theta), k.shape[1] - 3, -1)
    v[:] = part[:, :, -1]
    return -np.log(inverse).sum(axis=1)


def _weigh_others(
    system: System, theta: np.ndarray, b: np.ndarray, others: np.ndarray, e: np.ndarray, r: np.ndarray
) -> None:
    """Write the planes of the columns that are not random: D'D - B'Theta K and D'e - B'Theta v.

    ``b`` is Z'D and ``others`` D'[D e] of those columns, of all points or with a leading axis of points.
    """
    lay, q = system.layout, system.n_random
    rows, cols = np.tril_indices(system.p - q)
    e[:, lay.nk :], r[:, q:] = others[..., rows, cols, :], others[..., -1, :]
    if q:
        shrunk = np.einsum("...ab,...bmj->...amj", theta, e[:, lay.k[:, q:]])
        e[:, lay.nk :] -= np.einsum("...amj,...amj->...mj", b[..., rows, :], shrunk[..., cols, :])
        r[:, q:] -= np.einsum("...amj,...aj->...mj", b, theta @ r[:, :q])


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Give sum_k a_k b_k, planes (B, J)."""
    total = a[0] * b[0]
    for k in range(1, len(a)):
        total += a[k] * b[k]
    return total
