"""HLM's tables: fixed effects, robust standard errors, chi-squares of variances, reliabilities.

Formulas: Raudenbush & Bryk (2002, ch. 3), as verified against HLM 6.08's printed digits in
`docs/hlm_numerics.md`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import chdtrc, stdtr

from ..estimation.estimates import Estimates
from ..likelihood.design import unit_ols
from ..likelihood.evaluate import evaluate
from .covariances import Covariance
from .same_data import Fitted

NO_VARIANCE = "its robust variance is zero: one unit alone determines it, or all units say the same of it"
NO_DF = "there are no degrees of freedom: as many fixed effects as units, or as rows"


@dataclass(frozen=True, slots=True)
class FixedEffect:
    """A line of the table of fixed effects."""

    name: str
    coefficient: float
    se: float
    t_ratio: float
    df: float
    p_value: float

    @property
    def lacks(self) -> str:
        """Why it has no test; "" where it has one."""
        if not self.se > 0:
            return NO_VARIANCE
        return "" if self.df > 0 else NO_DF


@dataclass(frozen=True, slots=True)
class VarianceComponent:
    """A line of the table of variance components; the level-1 line has no test."""

    name: str
    sd: float
    variance: float
    df: float
    chi2: float
    p_value: float


def fixed_effects(fit: Fitted, kind: Covariance) -> tuple[FixedEffect, ...]:
    """Give the table of fixed effects, one line a gamma, with a kind's standard errors and d.f."""
    variance, free = np.diag(kind.matrix(fit)), fit.design.free
    if kind.small:
        rows = np.eye(fit.design.n_fixed)[:, None, :]
        dfs = np.array([kind.coefficient_df(fit, row) for row in rows])[free]
    else:
        dfs = np.array(fixed_df(fit, kind.hlm))
    lines = []
    for k, name in enumerate(fit.model.gamma_names):
        value, se, df = float(fit.gamma[k]), float(np.sqrt(variance[free[k]])), float(dfs[k])
        ratio = value / se if se > 0 else float("nan")  # a robust one may be zero: see `Sandwich`
        p = float(2.0 * stdtr(min(df, 1e15), -abs(ratio)))
        lines.append(FixedEffect(name, value, se, ratio, df, p))
    return tuple(lines)


def fixed_df(fit: Fitted, hlm: str = "6") -> list[float]:
    """Give the degrees of freedom of every gamma in a version of HLM.

    They differ in slopes that are not random: N - F in HLM 6, N - q J - (how many such slopes) in HLM 7.
    """
    design, seen, result = fit.design, set[int](), []
    n_slopes = sum(not c.random and c.predictor.variable is not None for c in fit.model.coefficients)
    lost = design.n_fixed if hlm == "6" else design.n_random * design.n_units + n_slopes
    for coefficient, columns in zip(fit.model.coefficients, design.columns, strict=True):
        own = [int(c) for c in columns if int(c) not in seen]
        at_level2 = coefficient.random or coefficient.predictor.variable is None
        df = design.n_units - len(own) if at_level2 else design.n_rows - lost
        result += [float(df)] * len(columns)
        seen.update(own)
    return result


def reliability(fit: Estimates) -> np.ndarray:
    """Give mean_j tau_qq / (tau_qq + s2 [(Z'Z)^-1]_qq) over full-rank units, shape (q,)."""
    ok = fit.design.full_rank
    variance = fit.components.sigma2 * np.einsum("jaa->ja", unit_ols(fit.design)[1][ok])
    tau = np.diag(fit.components.tau)
    if not ok.any() or not len(tau):
        return np.full(len(tau), np.nan)
    weight = fit.design.moments.unit_weight
    return np.average(tau / (tau + variance), axis=0, weights=None if weight is None else weight[ok])


def variance_components(fit: Estimates) -> tuple[VarianceComponent, ...]:
    """Give the table of variance components with HLM's chi-square tests, the level-1 line last.

    chi2_q = sum_j (b_qj - w_qj gamma)^2 / (s2 [(Z'Z)^-1]_qq) over full-rank units, b_j the unit's OLS
    of y minus the fixed part whose level-1 variable is not random; d.f. J' - S_q - 1, J' without
    a gamma.
    """
    design, tau = fit.design, fit.components.tau
    ok, random = design.full_rank, design.random
    b, inverse, _, _ = unit_ols(design)
    deviation = b - ols_shift(_without_tau(fit) if fit.law.cochran else fit)
    with np.errstate(invalid="ignore"):
        chi2 = np.sum((deviation**2 / (fit.components.sigma2 * np.einsum("jaa->ja", inverse)))[ok], axis=0)
    rows = []
    for k, r in enumerate(random):
        df = float(ok.sum() - len(design.columns[r]))
        if fit.counting.pseudo:  # the sum has no chi-square distribution
            chi2[k] = df = float("nan")
        p = float(chdtrc(df, chi2[k])) if df > 0 else float("nan")
        variance = float(tau[k, k])
        rows.append(VarianceComponent(fit.effect_names[k], variance**0.5, variance, df, float(chi2[k]), p))
    if fit.law.one_sigma2:
        rows.append(VarianceComponent("r", fit.sigma2**0.5, fit.sigma2, *(float("nan"),) * 3))
    return tuple(rows)


def _without_tau(fit: Estimates) -> Estimates:
    """Put the fixed effects at tau = 0 into the fit: with known variances chi2 is then Cochran's Q."""
    system, q = fit.system, fit.design.n_random
    at = evaluate(system, np.zeros((q, q)))
    return replace(fit, gamma_free=at.delta * system.gamma_scale + fit.design.gamma_ols)


def ols_shift(fit: Estimates) -> np.ndarray:
    """Give what takes the units' OLS coefficients of e = y - X gamma_OLS to deviations from W gamma.

    With d = W(gamma - gamma_OLS) (J, p), e - X(gamma - gamma_OLS) has OLS coefficients
    b - d_Z - (Z'Z)^-1 Z'D_f d_f: this is the last two terms, shape (J, q).
    """
    design = fit.design
    moved = design.level1_coefficients(fit.gamma_free - design.gamma_ols)
    return design.own_coefficients(design.dd_times(moved)[:, design.random])
