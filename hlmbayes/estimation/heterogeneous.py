"""Score and information of log(sigma2_ij) = sum_k alpha_k c_kij, from groups of rows with one variance."""

from __future__ import annotations

import numpy as np

from ..likelihood.design import Design
from ..likelihood.evaluate import Evaluation, System
from ..likelihood.orthonormal import Products
from ..likelihood.row_groups import Groups

MOST_STEPS = 100
SMALLEST_STEP = 1e-13  # in log(sigma2)


def expected_squares(
    design: Design,
    system: System,
    at: Evaluation,
    groups: Groups,
    reml: bool,
    newest: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Give E[sum r^2 | y] of each group, shape (G,), and the posterior covariance of u*, (J, q, q).

    ``design`` is the weighted one; ``at`` the likelihood at tau. Under REML the uncertainty of
    gamma is part of the expectation. All in columns that are orthonormal over all rows: u = B u*, B
    the design's z_basis; the level-1 variance is 1, so that tau* is the theta of ``at``. ``newest`` is a tau*
    (q, q) of which the posterior covariance is taken instead, as HLM does.
    """
    q, de = design.n_random, design.as_standard(design.de)
    dd = _standard_dd(design, design.products)
    zd = dd[:, :q, :]
    m = _posterior_covariance(zd, at.theta)
    delta = np.linalg.solve(system.whitener.T, at.delta) * system.e_scale
    fixed = design.standard_fixed(delta).T
    b = fixed.copy()
    b[:, :q] += np.einsum("jab,jb->ja", m, de[:, :q] - np.einsum("jab,jb->ja", zd, fixed))
    if newest is not None:
        m = _posterior_covariance(zd, newest)
    spread = np.zeros_like(dd)
    spread[:, :q, :q] = m
    if reml:
        x = design.standard_x()
        x[:, :q, :] -= m @ (zd @ x)
        spread += x @ at.vg_white @ x.transpose(0, 2, 1)
    b, spread = b[groups.unit], spread[groups.unit]
    dd, de = _standard_dd(design, groups.products), design.as_standard(groups.de)
    squares = groups.ee - 2 * np.sum(b * de, axis=1)
    squares += np.einsum("ga,gab,gb->g", b, dd, b) + np.einsum("gab,gba->g", dd, spread)
    return squares, m


def _posterior_covariance(zd: np.ndarray, theta: np.ndarray) -> np.ndarray:
    """Give (Z*'Z* + tau*^-1)^-1 of each unit, (J, q, q), tau* perhaps singular."""
    q = len(theta)
    return np.asarray(theta @ np.linalg.inv(np.eye(q) + zd[:, :, :q] @ theta))


def _standard_dd(design: Design, products: Products) -> np.ndarray:
    """Give D*'D*, shape (G, p, p), of D*, the columns that are orthonormal over all rows."""
    return products.turned(design.bases.basis, design.order).dd.transpose(2, 0, 1)


def alpha_score(groups: Groups, alpha: np.ndarray, squares: np.ndarray) -> np.ndarray:
    """Give the derivative of the log-likelihood in alpha, shape (K,)."""
    weight = np.exp(-groups.covariates @ alpha)
    return np.asarray(0.5 * groups.covariates.T @ (weight * squares - groups.n))


def solved_alpha(groups: Groups, alpha: np.ndarray, squares: np.ndarray) -> np.ndarray:
    """Regress expected squares on the covariates, log link, gamma likelihood: the M-step of alpha.

    By scoring, whose steps are cut in halves where the likelihood falls.
    """
    c = groups.covariates
    weight = np.linalg.inv((c * groups.n[:, None]).T @ c)

    def value(at: np.ndarray) -> float:
        eta = c @ at
        return float(groups.n @ eta + squares @ np.exp(-eta))

    for _ in range(MOST_STEPS):
        step = 2.0 * weight @ alpha_score(groups, alpha, squares)
        while value(alpha + step) > value(alpha) and np.max(np.abs(step)) > SMALLEST_STEP:
            step = step / 2.0
        alpha = alpha + step
        if np.max(np.abs(step)) <= SMALLEST_STEP:
            break
    return alpha


def information(
    design: Design, groups: Groups, alpha: np.ndarray, m: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give the expected information (ML) of alpha, of (alpha, tau) and of tau's free elements.

    Those are of tau in the columns in which it has its pattern (`Design.tau_columns`).

    I_kl = tr(V^-1 V_k V^-1 V_l) / 2 with V_k = diag(sigma2 c_k) or Z* E Z*'; V^-1 = S - S Z* M Z*' S,
    S the inverse variances, M (J, q, q) the posterior covariance of u*. tau = B tau* B', B
    the design's z_basis.
    """
    q, c = design.n_random, groups.covariates
    starts = np.flatnonzero(np.diff(groups.unit, prepend=-1))
    zz = np.exp(-c @ alpha)[:, None, None] * _standard_dd(design, groups.products)[:, :q, :q]
    leverage = np.einsum("gab,gba->g", zz, m[groups.unit])
    aa = (c * (groups.n - 2 * leverage)[:, None]).T @ c
    parts = np.stack([np.add.reduceat(ck[:, None, None] * zz, starts, axis=0) for ck in c.T])
    pm = parts @ m
    aa += np.einsum("kjab,ljba->kl", pm, pm)
    total = parts[0] if np.all(c[:, 0] == 1) else np.add.reduceat(zz, starts, axis=0)
    h = total - total @ m @ total  # Z'V^-1Z
    # Z'V^-1 diag(sigma2 c_k) V^-1 Z
    eye = np.eye(q)
    left = eye - total @ m
    through = left @ parts @ left.transpose(0, 2, 1)
    rows, cols = np.tril_indices(q)
    weight = np.where(rows == cols, 1.0, 2.0)
    at = through.sum(axis=1)[:, rows, cols] * weight
    tt = np.einsum("jab,jcd->abcd", h, h)
    tt = tt[rows[:, None], rows, cols[:, None], cols] + tt[rows[:, None], cols, cols[:, None], rows]
    tt = tt * np.outer(weight, weight) / 2.0
    free = design.tau_columns.directions[:, rows, cols]
    return aa / 2.0, at @ free.T / 2.0, free @ tt @ free.T / 2.0
