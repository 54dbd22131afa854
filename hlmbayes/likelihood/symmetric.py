"""Symmetric matrices of a few rows: LAPACK itself, as NumPy takes longer to call it than it takes."""

from __future__ import annotations

import numpy as np
from scipy.linalg.lapack import dpotrf, dsyevd


def eigh(a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give the eigenvalues, ascending, and the eigenvectors in columns, as `numpy.linalg.eigh`."""
    values, vectors, failed = dsyevd(a, lower=1)
    if failed:
        raise np.linalg.LinAlgError("Eigenvalues did not converge")
    return values, vectors


def from_eigen(values: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Put symmetric matrices (..., q, q) together from eigenvalues (..., q) and eigenvectors."""
    return np.asarray((vectors * values[..., None, :]) @ vectors.swapaxes(-1, -2))


def semidefinite_root(a: np.ndarray) -> np.ndarray:
    """Give a root M of a positive semidefinite matrix, M M' = a but for rounding below zero."""
    values, vectors = eigh(a)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))


def all_above(a: np.ndarray, bound: float) -> bool:
    """Say whether every eigenvalue of a symmetric matrix is above a bound, by a Cholesky factorisation."""
    if not len(a):
        return True
    left = a.copy()
    left.reshape(-1)[:: len(a) + 1] -= bound
    return not dpotrf(left, lower=1)[1]
