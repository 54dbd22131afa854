"""CR2: bias-reduced cluster-robust covariance and its degrees of freedom, units as clusters.

Bell & McCaffrey (2002); Pustejovsky & Tipton (2018, JBES 36, 672-683), working model = the fitted
V_j, weights V_j^-1. The adjustment matrices are n_j x n_j, but outside the span of the unit's level-1
columns D_j they are the identity, so everything is done in the p dimensions of that span:
D_j = U_j G^1/2 with U_j orthonormal and G = D'D.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..estimation.estimates import Estimates
from ..laws.law import Need
from ..likelihood.symmetric import from_eigen, semidefinite_root
from ..likelihood.system import to_standard
from .kept import once_per_fit

TOLERANCE = 1e-10  # of an eigenvalue, relative to the unit's largest
ROUNDING = 1e-13  # of what is left of a variance


@dataclass(frozen=True, slots=True, eq=False)
class BiasReduced:
    """CR2 and what its degrees of freedom need, all of X in columns that are orthonormal over all rows.

    ``parts`` (J, F): what each unit gives, their products add up to CR2's covariance matrix of the
    coefficients; ``to_gamma`` (F, F) leads from those to gamma; ``vcov`` (F, F): their model-based covariance
    matrix; in the basis U_j, ``loads`` (J, p, F) is A_j V_j^-1 X_j, ``x`` (J, p, F) X_j, ``v`` (J, p, p) V_j.
    """

    parts: np.ndarray
    to_gamma: np.ndarray
    vcov: np.ndarray
    loads: np.ndarray
    x: np.ndarray
    v: np.ndarray


@once_per_fit
def cr2(fit: Estimates) -> BiasReduced:
    """Give the CR2 covariance matrix of the free fixed effects."""
    fit.require("CR2", Need.ONE_SIGMA2, Need.LIKELIHOOD)
    design, q = fit.design, fit.design.n_random
    root, inverse_root = _roots(design.standard_dd.transpose(2, 0, 1))
    x = root @ design.standard_x()
    factor = np.zeros(root.shape[1:])
    theta = to_standard(fit.system, fit.entering.tau, fit.entering.sigma2)[0]
    factor[:q, :q] = semidefinite_root(theta)
    turn, size, _ = np.linalg.svd(root @ factor)  # V = s2 turn (I + size^2) turn'
    deviation = np.sqrt(fit.entering.sigma2 * (1.0 + size**2))
    half, white_x = from_eigen(deviation, turn), from_eigen(1.0 / deviation, turn) @ x
    loads = half @ _adjusted(half, white_x @ np.linalg.cholesky(fit.vcov_white)) @ white_x
    e = np.einsum("jab,jb->ja", inverse_root, design.standard_residual(fit.gamma_free)[0])
    parts = np.einsum("jaf,ja->jf", loads, e) @ fit.vcov_white
    return BiasReduced(parts, design.to_gamma, fit.vcov_white, loads, x, half @ half)


def _adjusted(half: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Give the pseudo-inverse of B^1/2, B = V^1/2 (V - X M X') V^1/2, all (J, p, p), from V^1/2.

    ``share`` (J, p, F) is V^-1/2 X M^1/2. What the fixed effects leave of a unit, K = I - share share', has
    its eigenvalues between 0 and 1: whether one is zero (the unit alone determines a fixed effect) is
    judged there. B = V K V has as many that are not, and they are taken from the
    singular values of K^1/2 V: no digits are squared away.
    """
    values, vectors = np.linalg.eigh(np.eye(share.shape[1]) - share @ share.swapaxes(1, 2))
    left = values > TOLERANCE
    roots = np.sqrt(np.where(left, values, 0.0))[:, :, None] * vectors.swapaxes(1, 2)
    _, size, turn = np.linalg.svd(roots @ half @ half)
    kept = np.arange(size.shape[1]) < left.sum(axis=1)[:, None]
    return from_eigen(np.where(kept, 1.0 / np.where(kept, size, 1.0), 0.0), turn.swapaxes(1, 2))


def _roots(a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give the symmetric square roots of (J, p, p) and their pseudo-inverses."""
    values, vectors = np.linalg.eigh(a)
    positive = values > TOLERANCE * np.maximum(values[:, -1:], 0.0)
    root = np.sqrt(np.where(positive, values, 0.0))
    inverse = np.where(positive, 1.0 / np.where(positive, root, 1.0), 0.0)
    return from_eigen(root, vectors), from_eigen(inverse, vectors)


def hotelling_df(parts: BiasReduced, contrast: np.ndarray) -> float:
    """Give the degrees of freedom of the CR2 covariance of a contrast (r, F).

    One row: Satterthwaite's (Pustejovsky & Tipton 2018, eq. 11). More: eta of the approximate Hotelling
    test HTZ (Tipton & Pustejovsky 2015, eq. 17). The residual covariances
    g_i'Var(e)g_j = [i = j] b_i'V_i b_i - a_i'M a_j are summed without ever being written out, a_j = X_j'b_j.
    nan where the fixed effects leave the units' residuals no variance in this direction.
    """
    directions = parts.vcov @ (contrast @ parts.to_gamma).T
    b = parts.loads @ directions  # (J, p, r)
    within = b.transpose(0, 2, 1) @ parts.v @ b  # b_s'V b_t per unit
    size = np.sqrt(np.einsum("jss->s", within))
    if not size.all():
        return float("nan")
    b, within = b / size, within / np.outer(size, size)  # whatever units of measurement the rows are in
    a = parts.x.transpose(0, 2, 1) @ b  # (J, F, r)
    between = np.einsum("jfs,fg,jgt->jst", a, parts.vcov, a, optimize=True)
    mean = (within - between).sum(axis=0)
    values, vectors = np.linalg.eigh(mean)
    if not values[0] > ROUNDING * np.einsum("jss->", within):
        return float("nan")
    turn = vectors / np.sqrt(values) @ vectors.T
    total = _total_variance(turn @ within @ turn, turn @ between @ turn, a @ turn, parts.vcov)
    return len(contrast) * (len(contrast) + 1.0) / total


def _total_variance(within: np.ndarray, between: np.ndarray, a: np.ndarray, m: np.ndarray) -> float:
    """Sum the variances of all entries of the standardised covariance matrix, normal errors.

    Var(h_st) = sum_ij (C_ss,ij C_tt,ij + C_st,ij C_ts,ij), C_st,ij = [i = j] within_st - a_si'M a_tj. Pairs
    of units are summed by what they have in common, sum_i a_si a_ti'. A unit that nearly determines the
    combination would be lost there beside its own square: its pairs are written out, of few units.
    """
    heavy = np.einsum("jss->j", between) > 0.5 * np.einsum("jss->j", within)
    total = _squares(within - between).sum() - _squares(between[~heavy]).sum()
    outer = np.einsum("jfs,jgt->stfg", a[~heavy], a[~heavy], optimize=True)
    total += np.einsum("tsfg,gh,sthi,if->", outer, m, outer, m, optimize=True)
    total += np.einsum("tsfg,gh,tshi,if->", outer, m, outer, m, optimize=True)
    pairs = _squares(np.einsum("ifs,fg,jgt->ijst", a[heavy], m, a, optimize=True))
    pairs[:, heavy] *= 0.5 * (1.0 - np.eye(len(pairs)))  # each has both of them; its own is in already
    return float(total + 2.0 * pairs.sum())


def _squares(c: np.ndarray) -> np.ndarray:
    """Give sum_st c_ss c_tt + c_st c_ts of matrices (..., r, r)."""
    return np.asarray(np.einsum("...ss->...", c) ** 2 + np.einsum("...st,...ts->...", c, c))
