"""Symmetric matrices of a few rows: LAPACK itself, as NumPy takes longer to call it than it takes."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.linalg.lapack import dpotrf, dsyevd


def eigh(a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give the eigenvalues, ascending, and the eigenvectors in columns, as `numpy.linalg.eigh`."""
    values, vectors, failed = dsyevd(a, lower=1)
    if failed:
        raise np.linalg.LinAlgError("Eigenvalues did not converge")
    return values, vectors


@lru_cache(maxsize=64)
def lower(q: int) -> tuple[np.ndarray, np.ndarray]:
    """Give rows and columns of the lower triangle of q, by rows."""
    a, b = np.tril_indices(q)
    for each in (a, b):
        each.flags.writeable = False
    return a, b


def place(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Give where elements (a, b) of a symmetric matrix are in its lower triangle by rows."""
    high, low = np.maximum(a, b), np.minimum(a, b)
    return np.asarray(high * (high + 1) // 2 + low)


def eigh_each(a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give the eigenvalues (..., q), ascending, and eigenvectors of many matrices (..., q, q).

    Up to two rows by formula, a hundredth of the calls' time; the smaller of two eigenvalues has the digits
    that their sum has.
    """
    if a.shape[-1] == 1:
        return a[..., 0], np.ones_like(a)
    if a.shape[-1] != 2:
        values, vectors = np.linalg.eigh(a)
        return values, vectors
    middle, half, b = 0.5 * (a[..., 0, 0] + a[..., 1, 1]), 0.5 * (a[..., 0, 0] - a[..., 1, 1]), a[..., 1, 0]
    apart, turn = np.hypot(half, b), 0.5 * np.arctan2(b, half)  # of the axis of the larger one
    cos, sin = np.cos(turn), np.sin(turn)
    vectors = np.stack([np.stack([-sin, cos], axis=-1), np.stack([cos, sin], axis=-1)], axis=-1)
    return np.stack([middle - apart, middle + apart], axis=-1), vectors


def solve_each(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Give a^-1 b for many positive definite matrices (..., q, q) and vectors (..., q)."""
    if a.shape[-1] == 1:
        return np.asarray(b / a[..., 0])
    if a.shape[-1] != 2:
        return np.asarray(np.linalg.solve(a, b[..., None])[..., 0])
    ratio = a[..., 1, 0] / a[..., 0, 0]
    second = (b[..., 1] - ratio * b[..., 0]) / (a[..., 1, 1] - ratio * a[..., 1, 0])
    return np.stack([b[..., 0] / a[..., 0, 0] - ratio * second, second], axis=-1)


def from_eigen(values: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Put symmetric matrices (..., q, q) together from eigenvalues (..., q) and eigenvectors."""
    return np.asarray((vectors * values[..., None, :]) @ vectors.swapaxes(-1, -2))


def semidefinite_root(a: np.ndarray) -> np.ndarray:
    """Give a root M of a positive semidefinite matrix, M M' = a but for rounding below zero."""
    values, vectors = eigh(a)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))


def semidefinite_roots(a: np.ndarray) -> np.ndarray:
    """Give such roots of many matrices (..., q, q)."""
    values, vectors = np.linalg.eigh(a)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0))[..., None, :])


def all_above(a: np.ndarray, bound: float) -> bool:
    """Say whether every eigenvalue of a symmetric matrix is above a bound, by a Cholesky factorisation."""
    if not len(a):
        return True
    left = a.copy()
    left.reshape(-1)[:: len(a) + 1] -= bound
    return not dpotrf(left, lower=1)[1]
