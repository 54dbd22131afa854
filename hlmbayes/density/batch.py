"""The marginal density at many points at once: what importance sampling and exact draws need.

The sums of `likelihood.evaluate` with one more axis for the points. Units are taken in blocks and
points in runs, so that the working planes (points by units) stay in the cache.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..likelihood.evaluate import shrink, squares
from ..likelihood.system import System
from .coordinates import to_standard_factor, unpack
from .marginal import constant
from .prior_density import log_prior
from .target import Target

CHUNK = 1 << 15  # numbers in one working plane; the draws of u of a seed depend on it
CACHED = 1 << 14  # the same where a point has many


class Sums(NamedTuple):
    """Sums over units at many points, sigma2 = 1, X in the whitened basis.

    ``logdet`` log|V| (B,), ``xx`` X'V^-1X (B, F, F), ``xe`` X'V^-1e (B, F), ``ee`` e'V^-1e (B,).
    """

    logdet: np.ndarray
    xx: np.ndarray
    xe: np.ndarray
    ee: np.ndarray


SumsOf = Callable[[Target, np.ndarray], Sums]


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
        return np.asarray(np.linalg.solve(upper, (self.half + noise)[:, :, None])[:, :, 0] @ system.whitener)


def evaluate_batch(target: Target, phi: np.ndarray, sums_of: SumsOf | None = None) -> Batch:
    """Evaluate points (B, d): the same density as `value_and_gradient`, without its gradient.

    ``sums_of`` gives the sums over units where they are not to be taken: see `expansion`.
    """
    system, level1 = target.system, phi[:, target.level1]
    s2 = (target.law.sigma(level1) / system.e_scale) ** 2
    logdet, xx, xe, ee = (sums_of or unit_sums)(target, phi)
    turn = system.whitener
    precision = xx / s2[:, None, None] + (turn * target.p0) @ turn.T
    squares = ee / s2 + float(target.d0 @ (target.p0 * target.d0))
    chol, half = _solve_half(precision, xe / s2[:, None] + turn @ (target.p0 * target.d0), squares)
    logdet = logdet + 2.0 * np.log(np.einsum("bff->bf", chol) / turn.diagonal()).sum(axis=1)
    deviance = logdet + system.n * np.log(s2) + squares - np.sum(half**2, axis=1) + constant(target)
    deviance += target.law.log_weights(level1)
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


def chunks(n_points: int, n_units: int, size: int = CHUNK) -> Iterator[slice]:
    """Cut points into runs whose working planes, by ``n_units`` units, stay small."""
    step = max(1, size // max(n_units, 1))
    for start in range(0, n_points, step):
        yield slice(start, min(start + step, n_points))


def unit_sums(target: Target, phi: np.ndarray) -> Sums:
    """Take the sums over units at points (B, d)."""
    system, q, p, B = target.system, target.n_random, target.system.p, len(phi)
    lay, white, level1 = system.layout, system.white, phi[:, target.level1]
    factor = to_standard_factor(target, unpack(target, phi))
    by_pairs = np.zeros((p * (p + 1) // 2, B, len(lay.pairs_u[0])))
    by_level2 = np.zeros((p, B, len(system.level2)))
    w = e = np.empty((0, 0, 0, 0))
    logdet, ee, left = np.zeros(B), np.zeros(B), np.zeros(B)
    for block, width in target.law.blocks():
        pairs, level2 = system.level2_pairs(block).T, system.level2[:, block].T
        for rows in chunks(B, width, CACHED):
            root, rest, left[rows] = target.law.triangular(level1[rows], block)
            planes = (rows.stop - rows.start, len(pairs))
            if w.shape[2:] != planes:
                w, e = np.empty((q, p + 1, *planes)), np.empty((len(by_pairs), *planes))
            logdet[rows] += shrink(root, factor[rows], w).sum(axis=1)
            by_level2[:, rows] += squares(w, rest, e) @ level2
            by_pairs[:, rows] += e @ pairs
            ee[rows] += np.einsum("cbj,cbj->b", w[:, -1], w[:, -1])
    xx = white @ by_pairs.transpose(1, 0, 2).reshape(B, -1).take(lay.t, axis=1) @ white.T
    return Sums(logdet, xx, by_level2.transpose(1, 0, 2).reshape(B, -1) @ white.T, left + ee)
