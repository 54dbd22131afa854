"""The samplers' coordinates phi, and the parameters they stand for.

A point phi (d,) holds, in this order,

    s_k / ref_k      q signed standard deviations: u = diag(s) C z, sd_k = |s_k|
    y_ij             free correlations, rows first: canonical partial correlation tanh(y_ij)
    log sigma        or whatever the parameters of level 1 are (see `level1`): alpha_0, alpha_1, ...

C is the Cholesky factor of the correlation matrix (Lewandowski, Kurowicka & Joe 2009, J. Multivariate
Analysis 100, 1989); where tau has blocks, with those of each block. Flipping the sign of s_k together with
its correlations changes nothing, so an sd near zero is no wall: the density goes on smoothly on the other
side, and draws are folded afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..likelihood.pattern import Pattern, mask, pairs
from .target import Target


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """phi in the units of the data: s (B, q), C (B, q, q), sigma (B,), that of the weighted rows."""

    s: np.ndarray
    corr_factor: np.ndarray
    sigma: np.ndarray

    @property
    def factor(self) -> np.ndarray:
        """diag(s) C, a square root of tau, shape (B, q, q)."""
        return np.asarray(self.s[:, :, None] * self.corr_factor)

    @property
    def tau(self) -> np.ndarray:
        """Covariance matrix of the random effects, shape (B, q, q)."""
        factor = self.factor
        return np.asarray(factor @ factor.transpose(0, 2, 1))


def unpack(target: Target, phi: np.ndarray) -> Parts:
    """Carry points (B, d) to the parameters they stand for."""
    q = target.n_random
    factor = correlation_factor(np.tanh(phi[:, target.partials]), target.pattern)
    return Parts(phi[:, :q] * target.reference, factor, target.law.sigma(phi[:, target.level1]))


def correlation_factor(partial: np.ndarray, pattern: Pattern) -> np.ndarray:
    """Build C (B, q, q), lower triangular, from the free canonical partial correlations (B, m)."""
    q, free = pattern.n_random, np.tril(mask(pattern), -1)
    c = np.zeros((len(partial), q, q))
    at = 0
    for i in range(q):
        left = np.ones(len(partial))
        for j in np.flatnonzero(free[i]).tolist():
            z = partial[:, at]
            c[:, i, j] = z * left
            left = left * np.sqrt((1.0 - z) * (1.0 + z))
            at += 1
        c[:, i, i] = left
    return c


def pack(target: Target, tau: np.ndarray, sigma: float, floor: float = 0.0) -> np.ndarray:
    """Give the phi (d,) of a tau and sigma; standard deviations are at least ``floor`` references.

    ``sigma`` is that of every row.
    """
    q = target.n_random
    sd = np.sqrt(np.maximum(np.diag(tau), 0.0))
    corr = tau / np.maximum(np.outer(sd, sd), 1e-300)
    np.fill_diagonal(corr, 1.0)
    values, vectors = np.linalg.eigh(corr) if q else (np.zeros(0), np.zeros((0, 0)))
    corr = (vectors * np.maximum(values, 1e-2)) @ vectors.T
    c = np.linalg.cholesky(corr) if q else corr
    c = c / np.sqrt(np.sum(c**2, axis=1, keepdims=True))
    y = np.ravel(_atanh_partials(c[None], 0.99, target.pattern))
    return np.concatenate([np.maximum(sd / target.reference, floor), y, target.law.start(sigma)])


def pack_many(target: Target, tau: np.ndarray, level1: np.ndarray) -> np.ndarray:
    """Give the phi (B, d) of many tau (B, q, q), positive definite, and level-1 coordinates (B, K)."""
    c = np.linalg.cholesky(tau) if target.n_random else tau
    sd = np.sqrt(np.einsum("bqq->bq", tau))
    y = _atanh_partials(c / sd[:, :, None], 1.0 - 1e-15, target.pattern)
    return np.column_stack([sd / target.reference, *y, level1])


def _atanh_partials(c: np.ndarray, most: float, pattern: Pattern) -> list[np.ndarray]:
    """Take C (B, q, q) apart into y, as `correlation_factor` builds it; |tanh(y)| is ``most`` or less."""
    y, free = [], np.tril(mask(pattern), -1)
    for i in range(c.shape[1]):
        left = np.ones(len(c))
        for j in np.flatnonzero(free[i]).tolist():
            z = np.clip(c[:, i, j] / left, -most, most)
            y.append(np.arctanh(z))
            left = left * np.sqrt((1.0 - z) * (1.0 + z))
    return y


def fold(target: Target, phi: np.ndarray, signs: np.ndarray | None = None) -> np.ndarray:
    """Flip signs of effects: to non-negative standard deviations, or by given ``signs`` (B, q) or (q,)."""
    q = target.n_random
    if signs is None:
        signs = np.where(phi[:, :q] < 0, -1.0, 1.0)
    rows, cols = pairs(target.pattern)
    flipped = phi.copy()
    flipped[:, :q] *= signs
    flipped[:, target.partials] *= signs[..., rows] * signs[..., cols]
    return flipped


def chain(
    target: Target, phi: np.ndarray, parts: Parts, by_factor: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Carry a gradient in diag(s) C (q, q) to one in s / ref (q,) and y."""
    c, s, z = parts.corr_factor[0], parts.s[0], np.tanh(phi[target.partials])
    by_s = np.sum(by_factor * c, axis=1) * target.reference
    by_c = by_factor * s[:, None]
    by_y = np.zeros(len(z))
    for at, (i, j) in enumerate(zip(*(index.tolist() for index in pairs(target.pattern)), strict=True)):
        rest = c[i, j + 1 : i + 1] @ by_c[i, j + 1 : i + 1]
        # dC_ij / dy_ij = left (1 - z^2), and entries to the right shrink by -z each
        left = c[i, j] / z[at] if z[at] else np.sqrt(1.0 - c[i, :j] @ c[i, :j])
        by_y[at] = by_c[i, j] * left * (1.0 - z[at] ** 2) - z[at] * rest
    return by_s, by_y


def to_standard_factor(target: Target, parts: Parts) -> np.ndarray:
    """Give factors (B, q, q) of Theta = tau / sigma2 in standardised units."""
    half = np.linalg.solve(target.system.to_tau, parts.factor) if target.n_random else parts.factor
    return half * (target.system.e_scale / parts.sigma)[:, None, None]
