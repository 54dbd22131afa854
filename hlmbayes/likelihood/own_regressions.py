"""Each unit's own regression on its Z."""

from __future__ import annotations

import numpy as np

from .design import Design


def unit_ols(design: Design) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Fit each unit by OLS on its own Z, to the residual about the pooled OLS fit.

    Returns
    -------
    b : ndarray, shape (J, q)
        Coefficients of e = y - X gamma_OLS; nan where Z'Z lacks full rank.
    inverse : ndarray, shape (J, q, q)
        (Z'Z)^-1; nan where singular.
    rss : ndarray, shape (J,)
        Residual sum of squares.
    df : ndarray, shape (J,)
        n_j - q.
    """
    r, basis = design.random, design.z_basis
    inverse = basis @ design.zz_inverse @ basis.T
    b = design.own_coefficients(design.de[:, r])
    rss = np.maximum(design.ee - np.einsum("ja,ja->j", b, design.de[:, r]), 0.0)
    return b, inverse, rss, design.n - len(r)
