"""What each unit says of the fixed effects: scores, empirical Bayes residuals and HLM's robust covariance."""

from __future__ import annotations

import numpy as np

from ..estimation.estimates import Estimates
from ..estimation.point import Point
from ..likelihood.evaluate import weigh
from ..likelihood.orthonormal import COLLINEAR
from ..likelihood.symmetric import semidefinite_root
from ..likelihood.system import to_standard

ROUNDING = 1e-8  # of a robust standard error, relative to the model-based one


def unit_scores(fit: Point, gamma_of_u: np.ndarray | None = None) -> np.ndarray:
    """Give X_j'(y_j - X_j gamma - Z_j u*_j) / s2, shape (J, F), X in orthonormal columns (`Design.to_gamma`).

    That is X_j'V_j^-1(y_j - X_j gamma) where u* was taken from the same gamma; ``gamma_of_u`` (F,) is the
    one it was taken from, the fit's own by default. Z_j u* is not taken from residuals that it nearly
    equals: D'V^-1 e is W_d'W_e and what Z leaves of D'e, as the likelihood has it (see `evaluate`).
    """
    design, system, q = fit.design, fit.system, fit.design.n_random
    if gamma_of_u is None:
        gamma_of_u = fit.gamma_free if fit.gamma_of_u is None else fit.gamma_of_u
    w = weigh(system, semidefinite_root(to_standard(system, fit.entering.tau, fit.entering.sigma2)[0])).w
    b, moved = (
        design.standard_fixed(np.linalg.solve(design.to_gamma, gamma))
        for gamma in (gamma_of_u - design.gamma_ols, fit.gamma_free - gamma_of_u)
    )
    w_e = system.e_scale * w[:, -1] - np.einsum("apj,pj->aj", w[:, :-1], b)
    left = np.einsum("apj,aj->pj", w[:, :-1], w_e) - np.einsum("abj,bj->aj", design.standard_dd, moved)
    rest = system.e_scale * system.rest[:, -1] - np.einsum("abj,bj->aj", system.rest[:, :-1], b[q:])
    # where Z leaves nothing of a unit's column the difference is rounding, and V^-1 would magnify it
    remains = (
        np.einsum("aaj->aj", system.rest[:, :-1]) > COLLINEAR * np.einsum("aaj->aj", design.standard_dd)[q:]
    )
    left[q:] += np.where(remains, rest, 0.0)
    return np.asarray(np.einsum("jpf,pj->jf", design.standard_x(), left / fit.entering.sigma2))


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


def robust_parts(fit: Estimates) -> np.ndarray:
    """Give s_j'Vg of every unit, (J, F), X in orthonormal columns (`Design.to_gamma`).

    Their products, added up, are HLM's robust covariance matrix; there is no small-sample factor.
    """
    scores = unit_scores(fit)
    if fit.design.moments.unit_weight is not None:
        scores = scores * fit.design.moments.unit_weight[:, None]
    return np.asarray(scores @ fit.vcov_white)
