"""Level-2 residuals from the moments, level-1 residuals from the rows.

Everything about units follows from the per-unit cross-products, so it costs O(J) whatever N is.
gamma, tau and sigma2 are those of one E-step: HLM's printed gamma and the tau and sigma2 it belongs
to (``entering``); for ``algorithm="exact"`` they are the estimates. Symbols as in Raudenbush &
Bryk (2002, ch. 3): V = Z tau Z' + sigma2 I, e = y - X gamma.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import chdtri

from ..data.two_level import TwoLevelData
from ..errors import OutputError
from ..estimation.point import Point
from ..inference.scores import residuals_u
from ..laws.law import Need
from ..likelihood.design import RANK_TOLERANCE, Design
from ..likelihood.rows import analysed_rows, level1_values, outcome_values
from ..likelihood.system import to_standard

if TYPE_CHECKING:
    from ..hglm.estimates import GeneralizedEstimates
    from ..hglm.pql import Predicted

EXACT = 1e-12  # a unit's residual sum of squares, relative to its outcome's: below it no digit is left
SINGULAR = 1e-12  # a direction of tau / sigma2 (columns of Z of unit mean square) below this is zero


@dataclass(frozen=True, slots=True, eq=False)
class UnitResiduals:
    """What a level-2 residual file is made of; p level-1 coefficients, q of them random.

    The last three are ln of a standard deviation in the unit, outcome's units; nan where there are no d.f. or
    no variation.
    """

    n: np.ndarray  # (J,): rows of each unit
    eb: np.ndarray  # (J, q): empirical Bayes residuals u* = tau Z'V^-1 e
    pv: np.ndarray  # (J, q, q): posterior variance tau - tau Z'V^-1 Z tau, gamma known (lme4's condVar)
    # (J, q): OLS residuals (Z'Z)^-1 Z'e; nan where Z'Z of the unit lacks full rank. With precision weights or
    # known variances they are of rows times the roots of their precision
    ols: np.ndarray
    fitted: np.ndarray  # (J, p): W gamma, the part of each level-1 coefficient the fixed effects explain
    mdist: np.ndarray  # (J,): squared Mahalanobis distance of u* from zero, see `mahalanobis`
    chipct: np.ndarray  # (J,): chi-square quantile expected at the unit's rank in mdist
    rank: int  # of tau: the d.f. of mdist
    lntotvar: np.ndarray  # (J,): of the outcome (n - 1 d.f.)
    olsrsvar: np.ndarray  # (J,): about the unit's own regression (n - q d.f.; of the rows that ``ols`` is of)
    mdrsvar: np.ndarray  # (J,): of e about its unit mean (n - 1 d.f.)

    def coefficients(self, random: np.ndarray) -> np.ndarray:
        """Give the EB level-1 coefficients, fitted value + EB residual, shape (J, p)."""
        b = self.fitted.copy()
        b[:, random] += self.eb
        return b


@dataclass(frozen=True, slots=True, eq=False)
class RowResiduals:
    """What a level-1 residual file is made of; N rows that were analysed, in the outcome's units."""

    row: np.ndarray  # (N,): position in the data
    unit: np.ndarray  # (N,): index of the unit in the fit
    fitted: np.ndarray  # (N,): D b* with the EB coefficients
    residual: np.ndarray  # (N,): y - fitted
    sigma: np.ndarray  # (N,): the level-1 standard deviation


def unit_residuals(fit: Point) -> UnitResiduals:
    """Compute the level-2 residual quantities of every unit, from the moments alone.

    Raise OutputError where the model has no random level-1 coefficient.
    """
    refuse_repeated(fit)
    design = fit.design
    refuse_without_random(design)
    gamma, q = fit.gamma_free, design.n_random
    de, _ = design.standard_residual(gamma)
    plain = fit.law.of_own_regressions(design)
    mdist, rank = mahalanobis(fit, de[:, :q])
    fitted = design.level1_coefficients(gamma)
    inside = within_products(design, fitted)
    own, rss, df = plain.own_regressions(gamma)
    ols = own @ plain.z_basis.T
    n, total = design.moments.n, outcome_squares(design)
    return UnitResiduals(
        n=n, eb=residuals_u(fit, de), pv=fit.entering.sigma2 * shrinkage(fit), ols=ols, fitted=fitted,
        mdist=mdist, chipct=expected_chi2(mdist, rank), lntotvar=log_sd(total, n - 1.0, 0.0),
        olsrsvar=log_sd(rss, df, plain.ee), mdrsvar=log_sd(inside, n - 1.0, total), rank=rank,
    )  # fmt: skip


def refuse_without_random(design: Design) -> None:
    """Raise where a model has no random level-1 coefficient."""
    if not design.n_random:
        raise OutputError(
            "the model has no random coefficient, so there are no level-2 residuals: add a random effect "
            '(such as "b0 = g00 + u0") to the model'
        )


def refuse_repeated(fit: Point | GeneralizedEstimates) -> None:
    """Raise where a record stands for several: residuals, distances and influence are those of one.

    Precision weights and known variances are no such weights: they say how well an outcome is known.
    """
    if Need.SINGLE_ROWS in fit.counting.lacks:
        raise OutputError(
            "residual files, their figures and checks are not available for a fit with "
            f"{fit.counting.lacks[Need.SINGLE_ROWS]}: fit the model without them to look at residuals"
        )


def shrinkage(fit: Point) -> np.ndarray:
    """Give K = Theta (I + Z'Z Theta)^-1, Theta = tau / sigma2: u* = K Z'e, posterior variance sigma2 K.

    Shape (J, q, q); defined for singular tau and for units of any rank.
    """
    basis, theta = fit.design.z_basis, to_standard(fit.system, fit.entering.tau, fit.entering.sigma2)[0]
    return np.asarray(basis @ fit.design.shrinkage(theta) @ basis.T)


def coefficient_variances(fit: Point) -> np.ndarray:
    """Give the posterior variances of the random level-1 coefficients, W gamma + u, shape (J, q, q).

    sigma2 K + G Var(gamma) G', G = W - K Z'X: what is wrong in gamma is wrong in W gamma and, the other way,
    in u*. So in a posterior with a flat prior of gamma, tau and sigma2 known (Raudenbush & Bryk 2002, ch. 3).
    """
    design, q = fit.design, fit.design.n_random
    theta, x = to_standard(fit.system, fit.entering.tau, fit.entering.sigma2)[0], design.standard_x()
    zx = design.standard_dd[:q].transpose(2, 0, 1) @ x
    g = design.bases.basis[:q] @ x - design.z_basis @ design.shrinkage(theta) @ zx
    return np.asarray(fit.entering.sigma2 * shrinkage(fit) + g @ fit.vcov_white @ g.transpose(0, 2, 1))


def mahalanobis(fit: Point, de: np.ndarray) -> tuple[np.ndarray, int]:
    """Give u*' D^- u*, shape (J,), with D = tau - posterior variance = tau Z'V^-1 Z tau, and the rank of tau.

    D is the dispersion of u* when gamma is known (Raudenbush & Bryk 2002, ch. 9). Where tau or the unit's
    Z'Z is singular, D is too; u* lies in its range, so every generalised inverse gives the same. With Z P,
    P the directions in which tau is not zero, and b the unit's OLS coefficients on it the distance is
    b'(sigma2 (P'Z'ZP)^-1 + Lambda)^-1 b over the directions in which the unit has data. ``de`` (J, q) is
    Z*'(y - X gamma), Z* = Z B, B the `z_basis` of the design.
    """
    design = fit.design
    theta, _ = to_standard(fit.system, fit.entering.tau, fit.entering.sigma2)
    values, vectors = np.linalg.eigh(theta)
    kept = values > SINGULAR * max(1.0, float(values[-1]))
    if not kept.any():
        return np.zeros(design.n_units), 0
    to_range = vectors[:, kept]
    g, turn = np.linalg.eigh(to_range.T @ design.zz.transpose(2, 0, 1) @ to_range)
    empty = g <= RANK_TOLERANCE * design.weighed_n[:, None]  # Z has unit mean square here
    g = np.where(empty, 1.0, g)
    b = np.where(empty, 0.0, np.einsum("jab,ja->jb", turn, de @ to_range) / g)
    spread = np.einsum("jab,a,jac->jbc", turn, values[kept], turn, optimize=True)
    spread[empty[:, :, None] | empty[:, None, :]] = 0.0
    diagonal = np.arange(len(values[kept]))
    spread[:, diagonal, diagonal] += 1.0 / g
    distance = np.einsum("ja,ja->j", b, np.linalg.solve(spread, b[:, :, None])[:, :, 0])
    return distance / fit.entering.sigma2, int(kept.sum())


def expected_chi2(mdist: np.ndarray, df: int) -> np.ndarray:
    """Give the chi-square quantile of (rank - 1/2) / J, J units ranked by mdist (equal ones share a rank).

    Under normality mdist is chi-square distributed; the d.f. are the rank of tau, which is q unless a
    variance or a combination of random effects is estimated as zero. (rank - 1/2) / J is the usual
    approximation to the expected order statistic (Johnson & Wichern 2007, Applied Multivariate
    Statistical Analysis, sec. 4.6).
    """
    if not df:
        return np.zeros(len(mdist))
    _, inverse, count = np.unique(mdist, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - 0.5 * (count - 1.0))[inverse]
    return np.asarray(chdtri(df, 1.0 - (rank - 0.5) / len(mdist)))


def outcome_squares(design: Design) -> np.ndarray:
    """Give each unit's sum of squares of the outcome about its unit mean, shape (J,)."""
    y = design.moments.column(design.model.outcome)
    return design.moments.sscp[:, y, y]


def within_products(design: Design, b: np.ndarray) -> np.ndarray:
    """Give each unit's sum of squares of y - D b about its unit mean, (J,), for b of shape (J, p)."""
    v = np.zeros((design.n_units, len(design.moments.columns)))
    v[:, design.moments.column(design.model.outcome)] = 1.0
    for k, coefficient in enumerate(design.model.coefficients):
        if coefficient.predictor.variable is not None:
            v[:, design.moments.column(coefficient.predictor.variable)] -= b[:, k]
    return np.asarray(np.maximum(np.einsum("ja,jab,jb->j", v, design.moments.sscp, v, optimize=True), 0.0))


def log_sd(squares: np.ndarray, df: np.ndarray, total: np.ndarray | float) -> np.ndarray:
    """Give ln sqrt(squares / df); nan without d.f. or where squares are mere rounding of ``total``."""
    ok = (df > 0) & (squares > EXACT * total)
    result = np.full(len(squares), np.nan)
    result[ok] = 0.5 * np.log(squares[ok] / df[ok])
    return result


# --- level 1 --------------------------------------------------------------------------------------


def row_residuals(fit: Point, b: np.ndarray | None = None) -> RowResiduals:
    """Compute level-1 residuals r = y - D b of the units' coefficients b (J, p), by default the EB ones.

    Raise OutputError where the fit was made from moments, so that there are no rows.
    """
    refuse_repeated(fit)
    data, design = data_of(fit), fit.design
    row, unit = analysed_rows(design, data, fit.law.columns)
    if b is None:
        b = eb_coefficients(fit)
    fitted = np.zeros(len(row))
    for k in range(len(design.model.coefficients)):
        fitted += b[unit, k] * level1_values(design, data, k, row, unit)
    y, sigma2 = outcome_values(design, data, row), fit.entering.sigma2
    sigma = fit.law.row_sigma(design, data, row, unit, sigma2)
    return RowResiduals(row, unit, fitted, y - fitted, sigma)


def eb_coefficients(fit: Point) -> np.ndarray:
    """Give the EB level-1 coefficients W gamma + u*, shape (J, p); u* = 0 where a coefficient has no u."""
    design = fit.design
    b = design.level1_coefficients(fit.gamma_free)
    if design.n_random:
        b[:, design.random] += residuals_u(fit, design.standard_residual(fit.gamma_free)[0])
    return b


def data_of(fit: Point | GeneralizedEstimates | Predicted) -> TwoLevelData:
    """Give the rows a fit was made from; raise where there are none."""
    if fit.data is None:
        raise OutputError(
            "this fit was made from moments, which hold no level-1 rows: fit the model to the data "
            "themselves to get level-1 residuals"
        )
    return fit.data
