"""Scores and curvature of the log pseudo-likelihood in (gamma, tau, sigma2), and the sandwich of them.

For unit j with v = Z'V^-1 r, H = Z'V^-1Z, K = Z'V^-1X, q = r'V^-1 r, n the sum of its row weights:

    dl/dgamma = X'V^-1 r,  dl/dtau_E = (v'E v - tr H E) / 2,  sigma2 dl/dsigma2 + tau . dl/dtau = (q - n) / 2

(E symmetric directions of tau; the last because V -> c V scales r'V^-1 r by 1 / c). The second
derivatives follow in the same way. With S_j the scores and A the observed information, both with the
units' weights, the covariance matrix is A^-1 (sum_j S_j S_j') A^-1 (Binder 1983; Rabe-Hesketh &
Skrondal 2006). Stata multiplies it by J / (J - 1); nothing here does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import block_diag

from ..estimation.estimates import Estimates
from ..likelihood.pattern import elements
from ..likelihood.system import to_standard
from .scores import unit_scores


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """What the derivatives are made of, with X and Z in columns that are orthonormal over all rows.

    ``tau`` (q, q) is that of Z*; per unit: v (J, q), h (J, q, q), k (J, q, F), score of delta (J, F),
    r'V^-1 r (J,).
    """

    tau: np.ndarray
    v: np.ndarray
    h: np.ndarray
    k: np.ndarray
    score: np.ndarray
    quadratic: np.ndarray


def unit_pieces(fit: Estimates) -> Pieces:
    """Apply V^-1 of every unit to its residuals and predictors."""
    design, q, sigma2 = fit.design, fit.design.n_random, fit.entering.sigma2
    theta = to_standard(fit.system, fit.entering.tau, sigma2)[0]
    dd, x = design.standard_dd.transpose(2, 0, 1), design.standard_x()
    residual, rr = design.standard_residual(fit.gamma_free)
    right = np.concatenate([dd, residual[:, :, None]], axis=2)
    # Z'V^-1 = (I + Z'Z Theta)^-1 Z' / s2, and D'V^-1 = (D' - D'Z Theta (I + Z'Z Theta)^-1 Z') / s2
    inner = np.linalg.solve(np.eye(q) + dd[:, :q, :q] @ theta, right[:, :q])
    solved = (right - dd[:, :, :q] @ theta @ inner) / sigma2
    quadratic = (rr - np.einsum("ja,ab,jb->j", residual[:, :q], theta, inner[:, :, -1])) / sigma2
    v, h = solved[:, :q, -1], solved[:, :q, :q]
    return Pieces(sigma2 * theta, v, h, solved[:, :q, :-1] @ x, unit_scores(fit, fit.gamma_free), quadratic)


def to_data(fit: Estimates) -> np.ndarray:
    """Give d(gamma, free elements of tau, sigma2) / d(the same of standardised columns).

    Shape (F + m + 1, F + m + 1); tau in the columns in which it has its pattern.
    """
    return np.asarray(block_diag(fit.design.to_gamma, fit.design.tau_columns.map_to_data, np.eye(1)))


def unit_scores_all(fit: Estimates, pieces: Pieces) -> np.ndarray:
    """Give the derivatives of each unit's log-likelihood in (delta, tau, sigma2), (J, F + m + 1)."""
    tau, sigma2 = pieces.tau, fit.entering.sigma2
    basis = fit.design.tau_columns.directions
    spread = pieces.v[:, :, None] * pieces.v[:, None, :] - pieces.h
    in_tau = 0.5 * np.einsum("kab,jab->jk", basis, spread)
    along = 0.5 * np.einsum("ab,jab->j", tau, spread)
    in_sigma2 = (0.5 * (pieces.quadratic - fit.design.n) - along) / sigma2
    return np.column_stack([pieces.score, in_tau, in_sigma2])


def observed_information_all(fit: Estimates, pieces: Pieces, weight: np.ndarray) -> np.ndarray:
    """Give minus the second derivatives of the log pseudo-likelihood, shape (F + m + 1, F + m + 1)."""
    tau, sigma2 = pieces.tau, fit.entering.sigma2
    f, columns = fit.design.n_fixed, fit.design.tau_columns
    basis = columns.directions
    m = len(basis)
    total = np.zeros((f + m + 1, f + m + 1))
    root = np.sqrt(weight)[:, None, None]
    v, h = pieces.v, pieces.h
    be = np.einsum("kab,jb->jka", basis, v)
    hb = np.einsum("jab,kbc->jkac", h, basis)
    total[f:-1, f:-1] = np.einsum("j,jkab,jlba->kl", weight, hb, hb, optimize=True) / 2
    total[f:-1, f:-1] -= np.einsum("jka,jab,jlb->kl", root * be, h, root * be, optimize=True)
    total[:f, f:-1] = -np.einsum("j,jaf,jka->fk", weight, pieces.k, be, optimize=True)
    total[:f, :f] = -np.linalg.inv(fit.vcov_white) if f else 0.0
    first = weight @ unit_scores_all(fit, pieces)
    along = columns.own(tau)[elements(columns.pattern)]
    vv = np.einsum("j,ja,jb->ab", weight, v, v)
    total[:f, -1] = (-first[:f] - total[:f, f:-1] @ along) / sigma2
    in_q = -0.5 * np.einsum("kab,ab->k", basis, vv)
    total[f:-1, -1] = (in_q - first[f:-1] - total[f:-1, f:-1] @ along) / sigma2
    through = 0.5 * (-(weight @ pieces.quadratic) + np.sum(tau * vv)) / sigma2
    total[-1, -1] = (through - first[-1] - total[f:-1, -1] @ along) / sigma2
    lower = np.tril_indices(len(total), -1)
    total[lower] = total.T[lower]
    return -total


def sandwich(fit: Estimates) -> np.ndarray:
    """Give the covariance matrix of (free gamma, free elements of tau, sigma2) by the sandwich.

    Shape (F + m + 1, F + m + 1), units of the data. Where tau is on the boundary it has
    no such covariance: those rows are nan and gamma's block takes tau and sigma2 as known.
    """
    weight = fit.design.moments.unit_weight
    weight = np.ones(fit.design.n_units) if weight is None else weight
    pieces = unit_pieces(fit)
    scores = unit_scores_all(fit, pieces) * weight[:, None]
    if fit.boundary:
        f = fit.design.n_fixed
        covariance = np.full((scores.shape[1],) * 2, np.nan)
        turned = scores[:, :f] @ fit.vcov_white @ fit.design.to_gamma.T
        covariance[:f, :f] = turned.T @ turned
        return covariance
    turned = scores @ np.linalg.inv(observed_information_all(fit, pieces, weight)) @ to_data(fit).T
    return np.asarray(turned.T @ turned)
