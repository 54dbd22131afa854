"""Level-1 variance that depends on variables: log(sigma2_ij) = sum_k alpha_k c_kij.

Rows of one unit that share the values of the covariates form a group; a continuous covariate makes
every row a group of its own. With weights exp(-c'alpha) the groups' cross-products add up to those
of a model whose level-1 variance is 1, so the kernel, the tables and the residuals of a homogeneous
model serve unchanged (Raudenbush & Bryk 2002, pp. 131-134; Pinheiro & Bates 2000, sec. 5.2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr

from ..errors import EstimationError
from ..likelihood.design import Design, with_products
from ..likelihood.evaluate import Evaluation, System
from ..likelihood.orthonormal import Products
from ..unit_moments.record import Moments, unit_moments

if TYPE_CHECKING:
    from ..data.two_level import TwoLevelData


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """Rows of a unit with the same variance, G of them, sorted by unit.

    Attributes
    ----------
    unit : ndarray of int, shape (G,)
    n : ndarray, shape (G,)
    covariates : ndarray, shape (G, K)
        1 and the variables of log(sigma2).
    products : Products
        D'D of the group's rows.
    de, ee : ndarray, shape (G, p), (G,)
        D'e and e'e, e as in the Design.
    """

    unit: np.ndarray
    n: np.ndarray
    covariates: np.ndarray
    products: Products
    de: np.ndarray
    ee: np.ndarray

    @property
    def dd(self) -> np.ndarray:
        """D'D, shape (G, p, p)."""
        return self.products.dd.transpose(2, 0, 1)


@dataclass(frozen=True, slots=True, eq=False)
class VarianceModel:
    """The estimated model of log(sigma2).

    Attributes
    ----------
    names : tuple of str
        a0, a1, ...
    variables : tuple of str
        What a1, ... multiply.
    alpha, se : ndarray, shape (K,)
    vcov : ndarray, shape (K, K)
    se_tau : ndarray, shape (q, q)
    homogeneous_deviance : float
        Of the same model with one sigma2.
    homogeneous_parameters : int
    macro_iterations : int
        Updates of alpha.
    """

    names: tuple[str, ...]
    variables: tuple[str, ...]
    alpha: np.ndarray
    se: np.ndarray
    vcov: np.ndarray
    se_tau: np.ndarray
    homogeneous_deviance: float
    homogeneous_parameters: int
    macro_iterations: int

    @property
    def z_ratio(self) -> np.ndarray:
        """Alpha divided by its standard error."""
        return self.alpha / self.se

    @property
    def p_value(self) -> np.ndarray:
        """Two-sided, from the normal distribution."""
        return 2.0 * ndtr(-np.abs(self.z_ratio))


def variance_columns(variables: Sequence[str], data: TwoLevelData | Moments) -> tuple[list[str], list[str]]:
    """Split the variables of log(sigma2) into level-1 and level-2 ones, as the data name them."""
    if isinstance(data, Moments):
        known = {name.lower(): name for name in data.level2}
        missing = [v for v in variables if v.lower() not in known]
        if missing:
            raise EstimationError(
                f"log(sigma2) depends on {', '.join(missing)}, which only the level-1 rows tell: "
                "fit from the data instead of from moments"
            )
        return [], [known[v.lower()] for v in variables]
    level1 = [v for v in variables if not data.is_level2(v)]
    return level1, [v for v in variables if v not in level1]


def groups_of(design: Design, data: TwoLevelData | Moments) -> Groups:
    """Divide the rows of a design into groups of equal variance."""
    spec = design.model.log_sigma2
    if spec is None:
        raise EstimationError("the model has no equation for log(sigma2)")
    level1, _ = variance_columns(spec.variables, data)
    moments, unit, values = _split(design, data, level1)
    columns = [np.ones(len(unit))]
    for name in spec.variables:
        source = values[name] if name in values else design.moments.level2[_spelling(design, name)][unit]
        columns.append(np.asarray(source, dtype=float))
    covariates = np.column_stack(columns)
    _refuse_collinear(covariates, moments.n, spec.variables)
    return Groups(unit, moments.n, covariates, *group_products(design, moments, unit))


def _spelling(design: Design, name: str) -> str:
    return next(known for known in design.moments.level2 if known.lower() == name.lower())


def _split(
    design: Design, data: TwoLevelData | Moments, level1: Sequence[str]
) -> tuple[Moments, np.ndarray, dict[str, np.ndarray]]:
    """Give the groups' moments, their units (G,) and their values of the level-1 covariates."""
    whole = design.moments
    if isinstance(data, Moments) or not level1:
        return whole, np.arange(whole.n_units), {}
    arrays = data.level1_columns(whole.columns)
    covariates = [np.asarray(c, dtype=float) for c in data.level1_columns(level1)]
    keep, _ = data.complete_rows(whole.columns)
    rows = slice(None) if keep is None else keep
    unit = np.searchsorted(whole.unit_ids, data.unit_ids)[data.unit[rows]]
    key = unit
    for c in covariates:
        codes = np.unique(c[rows], return_inverse=True)[1]
        key = key * (codes.max() + 1) + codes
    first, group = np.unique(key, return_index=True, return_inverse=True)[1:]
    n, weight, mean, sscp = unit_moments(group, len(first), [a[rows] for a in arrays])
    moments = replace(whole, unit_ids=first, n=n, weight=weight, mean=mean, sscp=sscp)
    return moments, unit[first], {name: c[rows][first] for name, c in zip(level1, covariates, strict=True)}


def _refuse_collinear(covariates: np.ndarray, n: np.ndarray, variables: Sequence[str]) -> None:
    scale = np.sqrt(np.einsum("g,gk->k", n, covariates**2))
    scaled = covariates / np.where(scale > 0, scale, 1.0)
    if np.linalg.eigvalsh((scaled * n[:, None]).T @ scaled)[0] < 1e-10:
        raise EstimationError(
            f"the variables of log(sigma2), {', '.join(variables)}, are constant or collinear: take one out"
        )


def group_products(
    design: Design, moments: Moments, unit: np.ndarray
) -> tuple[Products, np.ndarray, np.ndarray]:
    """Give D'D, D'e (G, p) and e'e (G,) of each group, D centred as the design centres it."""
    names = [c.lower() for c in moments.columns]
    G, p = len(unit), len(design.model.coefficients)
    mean, at = np.ones((G, p)), []
    for k, coefficient in enumerate(design.model.coefficients):
        variable = coefficient.predictor.variable
        if variable is None:
            continue
        column = names.index(variable.lower())
        at.append((k, column))
        mean[:, k] = moments.mean[:, column]
        if coefficient.predictor.centering == "group":
            mean[:, k] -= design.moments.mean[unit, column]
        elif coefficient.predictor.centering == "grand":
            mean[:, k] -= design.centers[variable.lower()]
    y = names.index(design.model.outcome.lower())
    cross, cross_y = np.zeros((G, p, p)), np.zeros((G, p))
    for k, column in at:
        cross_y[:, k] = moments.sscp[:, column, y]
        for m, other in at:
            cross[:, k, m] = moments.sscp[:, column, other]
    b = design.level1_coefficients(design.gamma_ols)[unit]
    e_mean = moments.mean[:, y] - np.sum(mean * b, axis=1)
    cross_b = np.einsum("gab,gb->ga", cross, b)
    inside = moments.sscp[:, y, y] - 2 * np.sum(b * cross_y, axis=1) + np.sum(b * cross_b, axis=1)
    n = moments.n
    de = cross_y - cross_b + (n * e_mean)[:, None] * mean
    products = Products(n, np.ascontiguousarray(mean.T), np.ascontiguousarray(cross.transpose(1, 2, 0)))
    return products, de, np.maximum(inside, 0.0) + n * e_mean**2


def weighted_design(design: Design, groups: Groups, alpha: np.ndarray) -> Design:
    """Give the design in which rows are divided by their sigma: its level-1 variance is 1."""
    return with_products(design, *weighted_rows(groups, alpha))


def weighted_rows(groups: Groups, alpha: np.ndarray) -> tuple[Products, np.ndarray, np.ndarray]:
    """Give D'D, D'e (J, p) and e'e (J,) of the units, their rows divided by their sigma."""
    weight = np.exp(-groups.covariates @ alpha)
    starts = np.flatnonzero(np.diff(groups.unit, prepend=-1))
    de = np.add.reduceat(weight[:, None] * groups.de, starts, axis=0)
    ee = np.add.reduceat(weight * groups.ee, starts)
    return groups.products.weighted(weight).merged(groups.unit), de, ee


def unit_variance(system: System) -> float:
    """Give the level-1 variance 1 in a system's standardised units."""
    return 1.0 / system.e_scale**2


def log_sigma2_sum(groups: Groups, alpha: np.ndarray) -> float:
    """Give the sum over rows of log(sigma2): what weighting takes off -2 log-likelihood."""
    return float(groups.n @ (groups.covariates @ alpha))


def expected_squares(
    design: Design, system: System, at: Evaluation, groups: Groups, reml: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Give E[sum r^2 | y] of each group, shape (G,), and the posterior covariance of u*, (J, q, q).

    ``design`` is the weighted one; ``at`` the likelihood at tau. Under REML the uncertainty of
    gamma is part of the expectation. All in columns that are orthonormal over all rows: u = B u*, B
    the design's z_basis; the level-1 variance is 1, so that tau* is the theta of ``at``.
    """
    q, de = design.n_random, design.as_standard(design.de)
    dd = _standard_dd(design, design.products)
    zd = dd[:, :q, :]
    m = at.theta @ np.linalg.inv(np.eye(q) + zd[:, :, :q] @ at.theta)
    delta = np.linalg.solve(system.whitener.T, at.delta) * system.e_scale
    fixed = design.standard_fixed(delta).T
    b = fixed.copy()
    b[:, :q] += np.einsum("jab,jb->ja", m, de[:, :q] - np.einsum("jab,jb->ja", zd, fixed))
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


def _standard_dd(design: Design, products: Products) -> np.ndarray:
    """Give D*'D*, shape (G, p, p), of D*, the columns that are orthonormal over all rows."""
    return products.turned(design.bases.basis, design.order).dd.transpose(2, 0, 1)


def alpha_score(groups: Groups, alpha: np.ndarray, squares: np.ndarray) -> np.ndarray:
    """Give the derivative of the log-likelihood in alpha, shape (K,)."""
    weight = np.exp(-groups.covariates @ alpha)
    return 0.5 * groups.covariates.T @ (weight * squares - groups.n)


def information(
    design: Design, groups: Groups, alpha: np.ndarray, m: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give the expected information (ML) of alpha, of (alpha, tau*) and of tau*; elements of tau* by rows.

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
    return aa / 2.0, at / 2.0, tt / 2.0
