"""Which elements of tau are free, and the columns of Z in which Theta has the same pattern.

Effects of one block are correlated, effects of different blocks are independent: with one block tau has all
its covariances, with a block an effect it is diagonal. The likelihood is evaluated in columns Z* that are
orthonormal over all rows, where Theta* = Z*'s tau / sigma2 is full whatever the pattern is. In columns
Z* M of which each block's own are orthonormal, Theta = F F' has the pattern, and Theta* = M F F' M':
the search is in F, and digits are lost neither there nor in the likelihood.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np


@dataclass(frozen=True, slots=True)
class Pattern:
    """The blocks of the q random effects, each its places, ascending; the first effect is in the first."""

    blocks: tuple[tuple[int, ...], ...]

    @property
    def n_random(self) -> int:
        """Number of random effects, q."""
        return sum(map(len, self.blocks))

    @property
    def full(self) -> bool:
        """Whether all covariances are free."""
        return len(self.blocks) < 2

    @property
    def n_pairs(self) -> int:
        """Number of free covariances."""
        return self.n_free - self.n_random

    @property
    def n_free(self) -> int:
        """Number of free elements of tau, m."""
        return sum(len(block) * (len(block) + 1) // 2 for block in self.blocks)


@lru_cache(maxsize=64)
def mask(pattern: Pattern) -> np.ndarray:
    """Say which elements of tau are free, bool (q, q)."""
    block = np.zeros(pattern.n_random, dtype=int)
    for k, places in enumerate(pattern.blocks):
        block[list(places)] = k
    return _kept(np.equal.outer(block, block))


@lru_cache(maxsize=64)
def elements(pattern: Pattern) -> tuple[np.ndarray, np.ndarray]:
    """Give rows and columns of tau's free elements, (m,) each: the lower triangle by rows."""
    rows, cols = np.nonzero(np.tril(mask(pattern)))
    return _kept(rows), _kept(cols)


@lru_cache(maxsize=64)
def pairs(pattern: Pattern) -> tuple[np.ndarray, np.ndarray]:
    """Give rows and columns of tau's free covariances: the lower triangle by rows."""
    rows, cols = np.nonzero(np.tril(mask(pattern), -1))
    return _kept(rows), _kept(cols)


@lru_cache(maxsize=64)
def pattern_basis(pattern: Pattern) -> np.ndarray:
    """Give the directions of tau's free elements, (m, q, q), in the order of `elements`."""
    rows, cols = elements(pattern)
    q = pattern.n_random
    basis = np.zeros((len(rows), q, q))
    basis[np.arange(len(rows)), rows, cols] = basis[np.arange(len(rows)), cols, rows] = 1.0
    return _kept(basis)


def _kept(values: np.ndarray) -> np.ndarray:
    values.flags.writeable = False
    return values


def symmetric_basis(q: int) -> np.ndarray:
    """Give the directions of the distinct elements of a symmetric matrix, shape (m, q, q), rows first.

    Order: (0,0), (1,0), (1,1), (2,0), ...: the lower triangle by rows.
    """
    return pattern_basis(Pattern((tuple(range(q)),) if q else ()))


def symmetric_map(m: np.ndarray, pattern: Pattern) -> np.ndarray:
    """Give d(free elements of M tau M') / d(those of tau), (m, m); M (q, q) has the pattern, too."""
    rows, cols = elements(pattern)
    return np.asarray((m @ pattern_basis(pattern) @ m.T)[:, rows, cols].T)


def by_blocks(
    matrix: np.ndarray, pattern: Pattern, root_of: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Put what a function gives of a matrix's blocks together, (q, q)."""
    if pattern.full:
        return root_of(matrix)
    result = np.zeros_like(matrix)
    for block in pattern.blocks:
        at = np.ix_(block, block)
        result[at] = root_of(matrix[at])
    return result


@dataclass(frozen=True, eq=False)
class TauColumns:
    """The columns Z* M in which Theta has tau's pattern; ``m`` (q, q) is the identity where all is free.

    ``scale`` (q, q), of the same pattern: tau = scale Theta scale' times the level-1 variance.
    """

    pattern: Pattern
    m: np.ndarray
    scale: np.ndarray

    @cached_property
    def directions(self) -> np.ndarray:
        """Directions of Theta* for every free element of Theta, (m, q, q)."""
        basis = pattern_basis(self.pattern)
        return basis if self.pattern.full else np.asarray(self.m @ basis @ self.m.T)

    @cached_property
    def twice(self) -> np.ndarray:
        """What carries vec(Theta) to vec(Theta*), (q^2, q^2)."""
        return np.kron(self.m, self.m)

    def spread(self, factor: np.ndarray) -> np.ndarray:
        """Give the root of Theta* from that of Theta."""
        return factor if self.pattern.full else np.asarray(self.m @ factor)

    def gathered(self, gradient: np.ndarray) -> np.ndarray:
        """Give a gradient in Theta (q, q) from one in Theta*."""
        return gradient if self.pattern.full else np.asarray(self.m.T @ gradient @ self.m)

    def gathered_twice(self, hessian: np.ndarray) -> np.ndarray:
        """Give a Hessian in vec(Theta) (q^2, q^2) from one in vec(Theta*)."""
        return hessian if self.pattern.full else np.asarray(self.twice.T @ hessian @ self.twice)

    def own(self, theta: np.ndarray) -> np.ndarray:
        """Give Theta from Theta*; of one without the pattern what lies in the blocks."""
        if self.pattern.full:
            return theta
        half = np.linalg.solve(self.m, theta)
        return np.asarray(np.linalg.solve(self.m, half.T) * mask(self.pattern))

    def only(self, tau: np.ndarray) -> np.ndarray:
        """Give tau with its free elements only."""
        return tau if self.pattern.full else np.where(mask(self.pattern), tau, 0.0)

    @property
    def map_to_data(self) -> np.ndarray:
        """The derivatives of tau's free elements in those of Theta times the level-1 variance, (m, m)."""
        return symmetric_map(self.scale, self.pattern)

    def to_data(self, theta: np.ndarray) -> np.ndarray:
        """Give tau (..., q, q) over the level-1 variance; what is zero in Theta is exactly zero."""
        tau = self.scale @ theta @ self.scale.T
        return np.asarray(0.5 * (tau + tau.swapaxes(-1, -2)))

    def from_data(self, tau: np.ndarray) -> np.ndarray:
        """Give Theta times the level-1 variance of a tau of the data; zeros stay exact."""
        half = np.linalg.solve(self.scale, tau)
        return self.only(np.linalg.solve(self.scale, half.T))

    def turned(self, m: np.ndarray, block_scale: np.ndarray) -> TauColumns:
        """Give the same for Z* m instead of Z*, and Theta = block_scale^-1 Theta block_scale'^-1."""
        scale = self.scale @ block_scale
        if self.pattern.full:
            return replace(self, scale=scale)
        return replace(self, m=np.linalg.solve(m, self.m @ block_scale), scale=scale)


def tau_columns(pattern: Pattern, z_basis: np.ndarray) -> TauColumns:
    """Find the columns: Z = Z* R, R = ``z_basis``^-1, and each block R_b = M_b U_b with M_b orthonormal."""
    q = pattern.n_random
    if pattern.full:
        return TauColumns(pattern, np.eye(q), z_basis)
    m, scale, inverse = np.zeros((q, q)), np.zeros((q, q)), np.linalg.inv(z_basis)
    for block in map(list, pattern.blocks):
        own, upper = np.linalg.qr(inverse[:, block])
        sign = np.sign(np.diag(upper))
        m[:, block] = own * sign
        scale[np.ix_(block, block)] = np.linalg.inv(upper * sign[:, None])
    return TauColumns(pattern, m, scale)
