"""What each unit says of the fixed effects: scores, empirical Bayes residuals and HLM's robust covariance."""

from __future__ import annotations

import numpy as np

from ..estimation.estimates import Estimates
from ..estimation.point import Point
from ..likelihood.system import to_standard

ROUNDING = 1e-8  # of a robust standard error, relative to the model-based one


def unit_scores(fit: Point, gamma_of_u: np.ndarray | None = None) -> np.ndarray:
    """Give X_j'(y_j - X_j gamma - Z_j u*_j) / s2, shape (J, F), X in orthonormal columns (`Design.to_gamma`).

    That is X_j'V_j^-1(y_j - X_j gamma) where u* was taken from the same gamma; ``gamma_of_u`` (F,) is the
    one it was taken from, the fit's own by default.
    """
    design, q = fit.design, fit.design.n_random
    if gamma_of_u is None:
        gamma_of_u = fit.gamma_free if fit.gamma_of_u is None else fit.gamma_of_u
    u = standard_u(fit, design.standard_residual(gamma_of_u)[0])
    left = design.standard_residual(fit.gamma_free)[0] - np.einsum("paj,ja->jp", design.standard_dd[:, :q], u)
    return np.asarray(np.einsum("jpf,jp->jf", design.standard_x(), left / fit.entering.sigma2))


def standard_u(fit: Point, products: np.ndarray) -> np.ndarray:
    """Give u*_j = tau Z'V^-1(y_j - X_j gamma) in the columns Z*, (J, q), at the values that enter.

    ``products``, (J, p), are D*_j'(y_j - X_j gamma): see `Design.standard_residual`.
    """
    theta = to_standard(fit.system, fit.entering.tau, fit.entering.sigma2)[0]
    return np.asarray(
        np.einsum("jab,jb->ja", fit.design.shrinkage(theta), products[:, : fit.design.n_random])
    )


def residuals_u(fit: Point, products: np.ndarray) -> np.ndarray:
    """Give u*_j, (J, q), of the columns of Z as the model has them."""
    return np.asarray(standard_u(fit, products) @ fit.design.z_basis.T)


def robust_white(fit: Estimates) -> np.ndarray:
    """Give Vg (sum_j s_j s_j') Vg, (F, F), X in orthonormal columns (`Design.to_gamma`).

    There is no small-sample factor.
    """
    scores = unit_scores(fit)
    if fit.design.moments.unit_weight is not None:
        scores = scores * fit.design.moments.unit_weight[:, None]
    turned = scores @ fit.vcov_white
    return np.asarray(turned.T @ turned)
