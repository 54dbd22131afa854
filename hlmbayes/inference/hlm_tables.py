"""HLM's tables: fixed effects, robust standard errors, chi-squares of variances, reliabilities.

Formulas: Raudenbush & Bryk (2002, ch. 3), as verified against HLM 6.08's printed digits in
`docs/hlm_numerics.md`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import chdtrc, stdtr

from ..likelihood.criterion import expected_information, symmetric_map
from ..likelihood.evaluate import System, evaluate
from ..likelihood.own_regressions import unit_ols
from ..likelihood.symmetric import semidefinite_root
from ..likelihood.system import to_standard

if TYPE_CHECKING:
    from ..estimation.estimates import Estimates


ROUNDING = 1e-8  # of a robust standard error, relative to the model-based one


@dataclass(frozen=True, slots=True)
class FixedEffect:
    """A line of the table of fixed effects."""

    name: str
    coefficient: float
    se: float
    t_ratio: float
    df: float
    p_value: float


@dataclass(frozen=True, slots=True)
class VarianceComponent:
    """A line of the table of variance components; the level-1 line has no test."""

    name: str
    sd: float
    variance: float
    df: float
    chi2: float
    p_value: float


def default_robust(fit: Estimates, robust: bool | str | None, df: str | None) -> bool | str:
    """Settle standard errors nobody asked for: with sampling weights model-based ones are not valid."""
    return fit.weighted_kind == "sampling" and df is None if robust is None else robust


def fixed_effects(fit: Estimates, *, robust: bool | str = False, df: str | None = None) -> tuple[FixedEffect, ...]:
    """Give the fixed-effects table, one line a gamma.

    Parameters
    ----------
    fit : Estimates
    robust : bool or str
        False, True (HLM's robust standard errors), "CR1" or "CR2".
    df : "hlm", "satterthwaite" or "kenward-roger", optional
        By default HLM's rule (`fixed_df`); "satterthwaite" with "CR2".
    """
    from .hypotheses import free_covariance

    kind, df = kind_and_df(robust, df)
    if df == "hlm":
        variance, dfs = np.diag(free_covariance(fit, kind))[fit.design.free], np.array(fixed_df(fit))
    else:
        from .small_sample import coefficient_df

        variance, dfs = (values[fit.design.free] for values in coefficient_df(fit, kind, df))
    rows = []
    for k, name in enumerate(fit.model.gamma_names):
        value, se = float(fit.gamma[k]), float(np.sqrt(variance[k]))
        # all units may have the same score: there is then no robust standard error, but rounding
        ratio = value / se if se > ROUNDING * np.sqrt(fit.vcov[k, k]) else float("nan")
        p = float(2.0 * stdtr(min(dfs[k], 1e15), -abs(ratio)))
        rows.append(FixedEffect(name, value, se, ratio, float(dfs[k]), p))
    return tuple(rows)


def kind_and_df(robust: bool | str, df: str | None) -> tuple[str, str]:
    """Settle the covariance's kind and the method of the degrees of freedom."""
    from .hypotheses import covariance_kind

    kind = covariance_kind(robust)
    return kind, df or ("satterthwaite" if kind == "CR2" else "hlm")


def basis_of(robust: bool | str, df: str | None) -> dict[str, str]:
    """Say in words which standard errors and degrees of freedom a fixed-effects table has."""
    from .hypotheses import COVARIANCES

    kind, df = kind_and_df(robust, df)
    if df == "hlm":
        return {"standard_errors": COVARIANCES[kind], "df": "HLM's: J - S - 1, or N - F where not random"}
    from .small_sample import method_name

    name = method_name(df)
    return {"standard_errors": COVARIANCES["KR" if name == "Kenward-Roger" else kind], "df": name}


def fixed_df(fit: Estimates) -> list[float]:
    """Give HLM's degrees of freedom of every gamma."""
    design, seen, result = fit.design, set[int](), []
    for coefficient, columns in zip(fit.model.coefficients, design.columns, strict=True):
        own = [int(c) for c in columns if int(c) not in seen]
        at_level2 = coefficient.random or coefficient.predictor.variable is None
        df = design.n_units - len(own) if at_level2 else design.n_rows - design.n_fixed
        result += [float(df)] * len(columns)
        seen.update(own)
    return result


def unit_scores(fit: Estimates, gamma_of_u: np.ndarray | None = None) -> np.ndarray:
    """Give X_j'(y_j - X_j gamma - Z_j u*_j) / s2, shape (J, F), X in orthonormal columns (`Design.to_gamma`).

    That is X_j'V_j^-1(y_j - X_j gamma) where u* was taken from the same gamma; ``gamma_of_u`` (F,) is the
    one it was taken from, the fit's own by default.
    """
    design, q = fit.design, fit.design.n_random
    if gamma_of_u is None:
        gamma_of_u = fit.gamma_free if fit.gamma_of_u is None else fit.gamma_of_u
    u = standard_u(fit, design.standard_residual(gamma_of_u)[0])
    left = design.standard_residual(fit.gamma_free)[0] - np.einsum("paj,ja->jp", design.standard_dd[:, :q], u)
    return np.einsum("jpf,jp->jf", design.standard_x(), left / fit.entering.sigma2)


def standard_u(fit: Estimates, products: np.ndarray) -> np.ndarray:
    """Give u*_j = tau Z'V^-1(y_j - X_j gamma) in the columns Z*, (J, q), at the values that enter.

    ``products``, (J, p), are D*_j'(y_j - X_j gamma): see `Design.standard_residual`.
    """
    theta = to_standard(fit.system, fit.entering.tau, fit.entering.sigma2)[0]
    return np.einsum("jab,jb->ja", fit.design.shrinkage(theta), products[:, : fit.design.n_random])


def residuals_u(fit: Estimates, products: np.ndarray) -> np.ndarray:
    """Give u*_j, (J, q), of the columns of Z as the model has them."""
    return standard_u(fit, products) @ fit.design.z_basis.T


def _moved(fit: Estimates) -> np.ndarray:
    """Give W_j (gamma - gamma_OLS), shape (J, p)."""
    return fit.design.level1_coefficients(fit.gamma_free - fit.design.gamma_ols)


def robust_white(fit: Estimates) -> np.ndarray:
    """Give Vg (sum_j s_j s_j') Vg, (F, F), X in orthonormal columns (`Design.to_gamma`).

    There is no small-sample factor.
    """
    scores = unit_scores(fit)
    if fit.design.moments.unit_weight is not None:
        scores = scores * fit.design.moments.unit_weight[:, None]
    turned = scores @ fit.vcov_white
    return np.asarray(turned.T @ turned)


def variance_standard_errors(fit: Estimates) -> tuple[np.ndarray, float]:
    """Give standard errors of tau (q, q) and sigma2 from the expected information at the estimates.

    Under REML the information is that of the restricted likelihood. nan where tau is singular:
    there is no standard error on the boundary. With sampling weights they are the sandwich's.
    """
    q = fit.design.n_random
    se = np.full((q, q), np.nan)
    if fit.variance_model is not None:
        return (se if fit.boundary else fit.variance_model.se_tau), float("nan")
    try:
        covariance = components_covariance(fit)
    except np.linalg.LinAlgError:
        return se, float("nan")
    variances = np.diag(covariance)
    # a negative one is rounding, of an information that is singular; a known variance has none
    variances = np.where(variances >= 0, variances, np.nan)
    rows, cols = np.tril_indices(q)
    if not fit.boundary:
        se[rows, cols] = se[cols, rows] = np.sqrt(variances[:-1])
    return se, float(np.sqrt(variances[-1]))


def components_covariance(fit: Estimates) -> np.ndarray:
    """Give the covariance matrix of (lower triangle of tau by rows, sigma2), units of the data."""
    if fit.weighted_kind == "sampling":
        from .sandwich import sandwich

        return sandwich(fit)[fit.design.n_fixed :, fit.design.n_fixed :]
    information = components_information(fit)
    covariance = np.zeros_like(information)
    if fit.weighted_kind == "variance known":  # sigma2 = 1 is no estimate: it has no error
        covariance[:-1, :-1] = np.linalg.inv(information[:-1, :-1])
    else:
        covariance = np.linalg.inv(information)
    jacobian = to_data_jacobian(fit.system)
    return np.asarray(jacobian @ covariance @ jacobian.T)


def components_information(fit: Estimates) -> np.ndarray:
    """Give the expected information of (lower triangle of tau by rows, sigma2), standardised units."""
    reml = fit.method == "REML"
    if fit.entering is fit.components:  # the likelihood has been evaluated there
        return expected_information(fit.system, fit.at, fit.components.sigma2 / fit.system.e_scale**2, reml)
    return standard_information(fit.system, fit.components.tau, fit.components.sigma2, reml)


def information_at(system: System, tau: np.ndarray, sigma2: float, reml: bool) -> np.ndarray:
    """Give the expected information at any (tau, sigma2) of the data, in its units, singular tau included."""
    inverse = np.linalg.inv(to_data_jacobian(system))
    return np.asarray(inverse.T @ standard_information(system, tau, sigma2, reml) @ inverse)


def standard_information(system: System, tau: np.ndarray, sigma2: float, reml: bool) -> np.ndarray:
    """Give the same in standardised units."""
    theta, s2 = to_standard(system, tau, sigma2)
    at = evaluate(system, semidefinite_root(theta))
    return expected_information(system, at, s2, reml)


def to_data_jacobian(system: System) -> np.ndarray:
    """Give d(data elements) / d(standardised elements) of (lower triangle of tau, sigma2)."""
    of_tau = symmetric_map(system.to_tau)
    jacobian = np.zeros((len(of_tau) + 1, len(of_tau) + 1))
    jacobian[:-1, :-1], jacobian[-1, -1] = of_tau, system.e_scale**2
    return jacobian


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
    meta_analysis = (
        fit.weighting is not None and fit.weighted_kind == "variance known" and fit.weighting.level1
    )
    deviation = b - ols_shift(_without_tau(fit) if meta_analysis else fit)
    with np.errstate(invalid="ignore"):
        chi2 = np.sum((deviation**2 / (fit.components.sigma2 * np.einsum("jaa->ja", inverse)))[ok], axis=0)
    rows = []
    for k, r in enumerate(random):
        df = float(ok.sum() - len(design.columns[r]))
        if fit.weighted_kind == "sampling":  # the sum has no chi-square distribution
            chi2[k] = df = float("nan")
        p = float(chdtrc(df, chi2[k])) if df > 0 else float("nan")
        variance = float(tau[k, k])
        rows.append(VarianceComponent(fit.effect_names[k], variance**0.5, variance, df, float(chi2[k]), p))
    nan = float("nan")
    if fit.variance_model is not None:
        return tuple(rows)
    return (*rows, VarianceComponent("r", fit.sigma2**0.5, fit.sigma2, nan, nan, nan))


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
    return design.own_coefficients(design.dd_times(_moved(fit))[:, design.random])
