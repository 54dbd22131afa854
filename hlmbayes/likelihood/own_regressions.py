"""Each unit's own regression on its Z."""

from __future__ import annotations

import numpy as np

from .design import Design


def unit_ols(design: Design) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Fit each unit by OLS on its own Z, to the residual e about the pooled OLS fit.

    Gives the coefficients (J, q) and (Z'Z)^-1 (J, q, q), both nan where Z'Z lacks full rank, the residual sum
    of squares (J,) and n_j - q (J,).
    """
    r, basis = design.random, design.z_basis
    inverse = basis @ design.zz_inverse @ basis.T
    b = design.own_coefficients(design.de[:, r])
    rss = np.maximum(design.ee - np.einsum("ja,ja->j", b, design.de[:, r]), 0.0)
    return b, inverse, rss, design.n - len(r)
