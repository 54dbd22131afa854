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
from typing import TYPE_CHECKING

import numpy as np

from ..likelihood.criterion import symmetric_basis
from ..likelihood.design import scatter_x

if TYPE_CHECKING:
    from ..estimation.fit import Fit


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """Per unit, data units: v (J, q), h (J, q, q), k (J, q, F), score of gamma (J, F), r'V^-1 r (J,)."""

    v: np.ndarray
    h: np.ndarray
    k: np.ndarray
    score: np.ndarray
    quadratic: np.ndarray


def unit_pieces(fit: Fit) -> Pieces:
    """Apply V^-1 of every unit to its residuals and predictors."""
    design, r = fit.design, fit.design.random
    shift = design.level1_coefficients(fit.gamma_free - design.gamma_ols)
    residual = design.remaining(fit.gamma_free)
    solved = _weigh(fit, residual)
    rr = (
        design.ee - 2 * np.sum(shift * design.de, axis=1) + np.einsum("ja,jab,jb->j", shift, design.dd, shift)
    )
    columns = np.stack([_weigh(fit, design.dd[:, :, c]) for c in range(design.dd.shape[2])], axis=2)
    tau, sigma2 = fit.entering.tau, fit.entering.sigma2
    # r'V^-1 r = (r'r - r'Z tau Z'V^-1 r) / sigma2
    quadratic = (rr - np.einsum("ja,ab,jb->j", residual[:, r], tau, solved[:, r])) / sigma2
    k = columns[:, r, :] @ design.x_blocks()
    score = scatter_x(solved, design.w, design.columns, design.n_fixed)
    return Pieces(solved[:, r], columns[:, r[:, None], r], k, score, quadratic)


def _weigh(fit: Fit, products: np.ndarray) -> np.ndarray:
    """Turn D'a per unit, (J, p), into D'V^-1 a."""
    design, theta, r = fit.design, fit.entering.tau / fit.entering.sigma2, fit.design.random
    zz = design.dd[:, r[:, None], r]
    # Z'V^-1 = (I + Z'Z Theta)^-1 Z' / s2, and D'V^-1 = (D' - D'Z Theta (I + Z'Z Theta)^-1 Z') / s2
    inner = np.linalg.solve(np.eye(len(r)) + zz @ theta, products[:, r, None])
    return (products - (design.dd[:, :, r] @ theta @ inner)[:, :, 0]) / fit.entering.sigma2


def unit_scores_all(fit: Fit, pieces: Pieces) -> np.ndarray:
    """Give the derivatives of each unit's log-likelihood in (gamma, tau by rows, sigma2), (J, F + m + 1)."""
    tau, sigma2 = fit.entering.tau, fit.entering.sigma2
    basis = symmetric_basis(len(tau))
    spread = pieces.v[:, :, None] * pieces.v[:, None, :] - pieces.h
    in_tau = 0.5 * np.einsum("kab,jab->jk", basis, spread)
    along = 0.5 * np.einsum("ab,jab->j", tau, spread)
    in_sigma2 = (0.5 * (pieces.quadratic - fit.design.n) - along) / sigma2
    return np.column_stack([pieces.score, in_tau, in_sigma2])


def observed_information_all(fit: Fit, pieces: Pieces, weight: np.ndarray) -> np.ndarray:
    """Give minus the second derivatives of the log pseudo-likelihood, shape (F + m + 1, F + m + 1)."""
    tau, sigma2 = fit.entering.tau, fit.entering.sigma2
    f, basis = fit.design.n_fixed, symmetric_basis(len(tau))
    m = len(basis)
    total = np.zeros((f + m + 1, f + m + 1))
    root = np.sqrt(weight)[:, None, None]
    v, h = pieces.v, pieces.h
    be = np.einsum("kab,jb->jka", basis, v)
    hb = np.einsum("jab,kbc->jkac", h, basis)
    total[f:-1, f:-1] = np.einsum("j,jkab,jlba->kl", weight, hb, hb, optimize=True) / 2
    total[f:-1, f:-1] -= np.einsum("jka,jab,jlb->kl", root * be, h, root * be, optimize=True)
    total[:f, f:-1] = -np.einsum("j,jaf,jka->fk", weight, pieces.k, be, optimize=True)
    total[:f, :f] = -np.linalg.inv(fit.vcov_free) if f else 0.0
    first = weight @ unit_scores_all(fit, pieces)
    along = np.array([tau[row, col] for row, col in zip(*np.tril_indices(len(tau)), strict=True)])
    vv = np.einsum("j,ja,jb->ab", weight, v, v)
    total[:f, -1] = (-first[:f] - total[:f, f:-1] @ along) / sigma2
    in_q = -0.5 * np.einsum("kab,ab->k", basis, vv)
    total[f:-1, -1] = (in_q - first[f:-1] - total[f:-1, f:-1] @ along) / sigma2
    through = 0.5 * (-(weight @ pieces.quadratic) + np.sum(tau * vv)) / sigma2
    total[-1, -1] = (through - first[-1] - total[f:-1, -1] @ along) / sigma2
    lower = np.tril_indices(len(total), -1)
    total[lower] = total.T[lower]
    return -total


def sandwich(fit: Fit) -> np.ndarray:
    """Give the covariance matrix of (free gamma, lower triangle of tau by rows, sigma2) by the sandwich.

    Returns
    -------
    ndarray, shape (F + m + 1, F + m + 1), m = q (q + 1) / 2, units of the data
        Where tau is on the boundary it has no such covariance: those rows are nan and gamma's block
        takes tau and sigma2 as known.
    """
    weight = fit.design.moments.unit_weight
    weight = np.ones(fit.design.n_units) if weight is None else weight
    pieces = unit_pieces(fit)
    scores = unit_scores_all(fit, pieces) * weight[:, None]
    if fit.boundary:
        f = fit.design.n_fixed
        covariance = np.full((scores.shape[1],) * 2, np.nan)
        covariance[:f, :f] = fit.vcov_free @ (scores[:, :f].T @ scores[:, :f]) @ fit.vcov_free
        return covariance
    bread = np.linalg.inv(observed_information_all(fit, pieces, weight))
    return bread @ (scores.T @ scores) @ bread
