"""Degrees of freedom for few units: Satterthwaite and Kenward-Roger, from sums over units.

With V = sum of variance parameters times known matrices, P_k = X'V^-1 V_k V^-1 X and
Q_kl = X'V^-1 V_k V^-1 V_l V^-1 X. Both follow from K = Z'V^-1X and H = Z'V^-1Z of each unit:
P_ab = sum_j K_a'K_b, Q_abcd = sum_j K_a' H_bc K_d; those of sigma2 from V V^-1 = I.

Satterthwaite: Fai & Cornelius (1996); Kuznetsova, Brockhoff & Christensen (2017). Kenward & Roger (1997);
Halekoh & Hojsgaard (2014, J. Stat. Softw. 59(9), section 4.2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import HypothesisError
from ..estimation.estimates import Estimates
from ..laws.law import Need
from ..likelihood.criterion import expected_information, observed_information
from ..likelihood.evaluate import System, weigh
from ..likelihood.pattern import Pattern, elements
from ..likelihood.symmetric import semidefinite_root
from ..likelihood.system import to_standard
from .kept import once_per_fit


@dataclass(frozen=True, slots=True, eq=False)
class Adjusted:
    """Kenward-Roger's ingredients, all of X in columns that are orthonormal over all rows.

    ``white`` (F, F): Phi_A of its coefficients, standardised; ``to_gamma`` (F, F) leads from those to gamma;
    ``covariance`` (F, F): their Phi; ``w`` (K, K): that of the variance parameters; ``p`` (K, F, F): P_k.
    """

    white: np.ndarray
    to_gamma: np.ndarray
    covariance: np.ndarray
    w: np.ndarray
    p: np.ndarray


# --- sums over units -----------------------------------------------------------------------------


def first_sums(fit: Estimates, directions: np.ndarray) -> np.ndarray:
    """Give P_k for each direction of tau (m, q, q) and for sigma2 last: (m + 1, F, F), standardised.

    Here and below of X in orthonormal columns: see `_to_gamma`.
    """
    at, s2, kk = fit.at, _standard_sigma2(fit), _white_kk(fit)
    p = np.einsum("kab,abfg->kfg", directions, kk) / s2**2
    xvx = np.linalg.inv(at.vg_white) if len(at.delta) else at.vg_white
    last = (xvx - np.einsum("ab,abfg->fg", at.theta, kk)) / s2**2
    return np.concatenate([0.5 * (p + p.transpose(0, 2, 1)), 0.5 * (last + last.T)[None]])


def _white_kk(fit: Estimates) -> np.ndarray:
    """Give sum_j K_a' K_b with K = Z'V^-1X, shape (q, q, F, F)."""
    return np.asarray(fit.system.white @ fit.at.kk_level2 @ fit.system.white.T)


def _to_gamma(fit: Estimates) -> np.ndarray:
    """Give the map from the coefficients of X in orthonormal columns, standardised, to gamma, (F, F)."""
    return np.asarray(fit.system.gamma_scale[:, None] * fit.system.whitener.T)


def second_sums(fit: Estimates, directions: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Give Q_kl, shape (m + 1, m + 1, F, F), standardised; ``p`` from `first_sums`."""
    s2, m = _standard_sigma2(fit), len(directions)
    # the last "direction" is tau itself: from it and V V^-1 = I follow the entries of sigma2
    extended = np.concatenate([directions, s2 * fit.at.theta[None]])
    tensor = _triple_sums(fit.system, semidefinite_root(fit.at.theta))
    q = np.einsum("kab,lcd,abcdfg->klfg", extended, extended, tensor, optimize=True) / s2**3
    p_tau = np.einsum("ab,abfg->fg", fit.at.theta, _white_kk(fit)) / s2
    p_tau = 0.5 * (p_tau + p_tau.T)
    with_s2 = (p[:m] - q[:m, m]) / s2
    tau_s2 = (p_tau - q[m, m]) / s2
    result = np.empty((m + 1, m + 1, *p.shape[1:]))
    result[:m, :m], result[:m, m] = q[:m, :m], with_s2
    result[m, :m], result[m, m] = with_s2.transpose(0, 2, 1), (p[m] - tau_s2) / s2
    return result


def _triple_sums(system: System, factor: np.ndarray) -> np.ndarray:
    """Give sum_j K_a' H_bc K_d, shape (q, q, q, q, F, F) [a, b, c, d], for sigma2 = 1."""
    q, f, p = system.n_random, system.n_fixed, system.p
    planes = weigh(system, factor).e
    x = (system.white.reshape(f * p, len(system.level2)) @ system.level2).reshape(f, p, system.n_units)
    h, k = planes[system.layout.h], np.einsum("apj,fpj->afj", planes[system.layout.k], x)
    flat = k.reshape(q * f, system.n_units)
    result = np.empty((q, q, q, q, f, f))
    for b in range(q):
        for c in range(q):
            blocks = (flat * h[b, c]) @ flat.T
            result[:, b, c] = blocks.reshape(q, f, q, f).transpose(0, 2, 1, 3)
    return result


def _standard_sigma2(fit: Estimates) -> float:
    return to_standard(fit.system, fit.entering.tau, fit.entering.sigma2)[1]


# --- Satterthwaite -------------------------------------------------------------------------------


def satterthwaite_df(fit: Estimates, contrast: np.ndarray) -> float:
    """Give the denominator degrees of freedom of a contrast (r, F), as lmerTest does.

    One row: 2 (L Phi L')^2 / (g'A g), g the gradient of L Phi L' in the variance parameters and A their
    covariance matrix from the observed information. More rows: from the eigenvectors of
    L Phi L'. On the boundary the null directions of tau stay null: A is that of the variance parameters
    which remain.

    Raises
    ------
    HypothesisError
        The likelihood is not curved downwards at the estimates (only off the optimum).
    """
    fit.require("Satterthwaite's method", Need.ONE_SIGMA2, Need.LIKELIHOOD, Need.ESTIMATED_SIGMA2)
    directions, a = variance_parameters(fit)
    phi, turned = _standard_sigma2(fit) * fit.at.vg_white, contrast @ _to_gamma(fit)
    values, vectors = np.linalg.eigh(turned @ phi @ turned.T)
    rows = vectors.T @ turned @ phi  # L Phi of the uncorrelated combinations
    gradients = np.einsum("rf,kfg,rg->rk", rows, first_sums(fit, directions), rows)
    nu = 2.0 * values**2 / np.einsum("rk,kl,rl->r", gradients, a, gradients)
    if len(nu) == 1 or np.ptp(nu) < 1e-8:
        return float(nu.mean())
    if np.any(nu <= 2):
        return 2.0
    e = float(np.sum(nu / (nu - 2.0)))
    return 2.0 * e / (e - len(nu))


def variance_parameters(fit: Estimates) -> tuple[np.ndarray, np.ndarray]:
    """Give directions of tau (m, q, q) and the covariance of steps along them, sigma2 last, (m + 1, m + 1).

    Inside the parameter space: the free elements of tau. On the boundary, tau = M M' with M (q, r), each of
    tau's blocks in columns of its own: the entries of M, whose information has the second derivatives of
    M M' in it and is singular only in rotations of M.
    """
    system, at, s2 = fit.system, fit.at, _standard_sigma2(fit)
    reml, columns = fit.method == "REML", system.tau_columns
    observed = observed_information(system, at, s2, reml)
    if not fit.boundary:
        return columns.directions, _inverse_information(observed, 0)
    full = columns.pattern.full
    tau = at.theta * s2 if full else columns.from_data(fit.entering.tau)
    directions, turns, first, n_null = _of_root(tau, columns.pattern)
    rows, cols = elements(columns.pattern)
    jacobian = np.zeros((len(directions) + 1, len(rows) + 1))
    jacobian[:-1, :-1], jacobian[-1, -1] = directions[:, rows, cols], 1.0
    information = jacobian @ observed @ jacobian.T
    slope = columns.gathered(0.5 * ((at.h - reml * at.p) / s2 - at.vv / s2**2))
    information[:-1, :-1] += 2.0 * slope[np.ix_(first, first)] * turns
    spread = directions if full else columns.m @ directions @ columns.m.T
    return spread, _inverse_information(information, n_null)


def _of_root(tau: np.ndarray, pattern: Pattern) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Give the K free entries of M, tau = M M': their directions of tau (K, q, q), which two share a column
    of M (K, K), the row each is in (K,), and in how many directions M turns without a change of tau.
    """
    q, n_null = len(tau), 0
    none = np.zeros(0, dtype=np.intp)
    directions, row, column = [np.zeros((0, q, q))], [none], [none]
    for block in map(list, pattern.blocks):
        values, vectors = np.linalg.eigh(tau[np.ix_(block, block)])
        kept = values > 1e-12 * max(1.0, float(values[-1]))
        m = np.zeros((q, int(kept.sum())))
        m[block] = vectors[:, kept] * np.sqrt(values[kept])
        half = np.einsum("ab,ck->akbc", np.eye(q)[block], m)  # e_a m_k'
        r = m.shape[1]
        directions.append((half + half.swapaxes(2, 3)).reshape(len(block) * r, q, q))
        row.append(np.repeat(block, r))
        column.append(sum(map(len, column)) + np.tile(np.arange(r), len(block)))
        n_null += r * (r - 1) // 2
    columns = np.concatenate(column)
    return np.concatenate(directions), np.equal.outer(columns, columns), np.concatenate(row), n_null


def _inverse_information(information: np.ndarray, n_null: int) -> np.ndarray:
    """Invert an information matrix that has ``n_null`` directions without information."""
    diagonal = np.diag(information)
    if not n_null:
        if np.all(diagonal > 0):
            scale = np.outer(diagonal, diagonal) ** -0.5
            if np.linalg.eigvalsh(information * scale)[0] > 1e-12:
                return np.linalg.inv(information * scale) * scale
    elif np.all(np.isfinite(information)):
        values, vectors = np.linalg.eigh(information)
        if values[n_null] > 1e-10 * values[-1]:
            kept = vectors[:, n_null:]
            return (kept / values[n_null:]) @ kept.T
    raise HypothesisError(
        "Satterthwaite's method needs a likelihood that is curved downwards at the estimates, and it is not: "
        'fit with algorithm="exact", or use df="kenward-roger"'
    )


# --- Kenward-Roger -------------------------------------------------------------------------------


@once_per_fit
def kenward_roger(fit: Estimates) -> Adjusted:
    """Adjust the covariance matrix of the fixed effects: Phi + 2 Phi (sum W_kl (Q_kl - P_k Phi P_l)) Phi.

    W is the inverse of the expected restricted information of (tau, sigma2), taken over all of tau
    on the boundary too (as pbkrtest does).

    Raises
    ------
    HypothesisError
        Not a REML fit, or an information matrix that is singular.
    """
    fit.require("Kenward and Roger's method", Need.ONE_SIGMA2, Need.LIKELIHOOD, Need.ESTIMATED_SIGMA2)
    if fit.method != "REML":
        raise HypothesisError('Kenward-Roger is defined for REML estimates: fit with method="REML"')
    system, s2 = fit.system, _standard_sigma2(fit)
    basis = system.tau_columns.directions
    information = expected_information(system, fit.at, s2, True)
    scale = 1.0 / np.sqrt(np.maximum(np.diag(information), 1e-200))
    correlation = information * np.outer(scale, scale)
    if not np.all(np.isfinite(correlation)) or not np.linalg.eigvalsh(correlation)[0] > 1e-12:
        alike = "the variance parameters cannot be told apart in these data"
        raise HypothesisError(f"{alike}: no Kenward-Roger d.f.")
    w = np.linalg.inv(correlation) * np.outer(scale, scale)
    phi, p = s2 * fit.at.vg_white, first_sums(fit, basis)
    u = np.einsum("kl,klfg->fg", w, second_sums(fit, basis, p))
    u -= np.einsum("kl,kfg,gh,lhi->fi", w, p, phi, p, optimize=True)
    return Adjusted(phi + phi @ (u + u.T) @ phi, _to_gamma(fit), phi, w, p)


def kenward_roger_df(parts: Adjusted, contrast: np.ndarray) -> tuple[float, float]:
    """Give the factor of Wald / r and the denominator degrees of freedom of a contrast (r, F).

    For one row the equations of Kenward & Roger (1997, sec. 3) come down to 1 and 2 / A2.

    Raises
    ------
    HypothesisError
        Several rows and so few units that the approximation has no degrees of freedom above 2.
    """
    r, phi, contrast = len(contrast), parts.covariance, contrast @ parts.to_gamma
    theta = contrast.T @ np.linalg.solve(contrast @ phi @ contrast.T, contrast)
    products = np.einsum("fg,gh,khi,ij->kfj", theta, phi, parts.p, phi, optimize=True)
    traces = np.einsum("kff->k", products)
    a1 = float(traces @ parts.w @ traces)
    a2 = float(np.einsum("kl,kfg,lgf->", parts.w, products, products, optimize=True))
    if r == 1:
        return 1.0, 2.0 / a2 if a2 > 0 else float("inf")
    b = (a1 + 6.0 * a2) / (2.0 * r)
    g = ((r + 1) * a1 - (r + 4) * a2) / ((r + 2) * a2)
    c = 3.0 * r + 2.0 * (1.0 - g)
    v0, v1, v2 = 1.0 + g / c * b, 1.0 - (r - g) / c * b, 1.0 - (r + 2 - g) / c * b
    v0 = 0.0 if abs(v0) < 1e-10 else v0
    ratio = (1.0 - a2 / r) / v1 if abs(v1) > 1e-14 else 1.0
    rho = ratio**2 * v0 / v2 / r
    if abs(r * rho - 1.0) < 1e-12:  # F is as concentrated as with infinitely many d.f.
        return 1.0 - a2 / r, float("inf")
    df = 4.0 + (r + 2.0) / (r * rho - 1.0)
    if not df > 2.0:
        raise HypothesisError(
            "Kenward and Roger's approximation breaks down for this hypothesis: too few units for so many "
            'rows. Test fewer rows at once, or use df="satterthwaite"'
        )
    return (1.0 if abs(df - 2.0) < 1e-2 else df * (1.0 - a2 / r) / (df - 2.0)), df
