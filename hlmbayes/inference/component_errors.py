"""Information, covariance matrix and standard errors of tau and sigma2."""

from __future__ import annotations

import numpy as np

from ..estimation.estimates import Estimates
from ..laws.law import Need
from ..laws.log_linear import EstimatedLogLinear
from ..likelihood.criterion import expected_information
from ..likelihood.evaluate import System, evaluate
from ..likelihood.pattern import elements
from ..likelihood.symmetric import semidefinite_root
from ..likelihood.system import to_standard
from .sandwich import sandwich


def variance_standard_errors(fit: Estimates) -> tuple[np.ndarray, float]:
    """Give standard errors of tau (q, q) and sigma2 from the expected information at the estimates.

    Under REML the information is that of the restricted likelihood. nan where tau is singular: there is no
    standard error on the boundary; nor has a covariance one that is no parameter, or a sigma2 that is known.
    With sampling weights they are the sandwich's.
    """
    q = fit.design.n_random
    se = np.full((q, q), np.nan)
    if isinstance(fit.law, EstimatedLogLinear):
        return (se if fit.boundary else fit.law.se_tau), float("nan")
    try:
        covariance = components_covariance(fit)
    except np.linalg.LinAlgError:
        return se, float("nan")
    variances = np.diag(covariance)
    # a negative one is rounding, of an information that is singular
    variances = np.where(variances >= 0, variances, np.nan)
    rows, cols = elements(fit.design.pattern)
    if not fit.boundary:
        se[rows, cols] = se[cols, rows] = np.sqrt(variances[:-1])
    return se, float(np.sqrt(variances[-1])) if fit.has(Need.ESTIMATED_SIGMA2) else float("nan")


def components_covariance(fit: Estimates) -> np.ndarray:
    """Give the covariance matrix of (free elements of tau, sigma2), units of the data; see `elements`."""
    if fit.counting.pseudo:
        return sandwich(fit)[fit.design.n_fixed :, fit.design.n_fixed :]
    information = components_information(fit)
    covariance, n = np.zeros_like(information), len(information)
    n -= not fit.has(Need.ESTIMATED_SIGMA2)  # a known variance has no error
    covariance[:n, :n] = np.linalg.inv(information[:n, :n])
    jacobian = to_data_jacobian(fit.system)
    return np.asarray(jacobian @ covariance @ jacobian.T)


def components_information(fit: Estimates) -> np.ndarray:
    """Give the expected information of (free elements of tau, sigma2), standardised units."""
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
    """Give d(data elements) / d(standardised elements) of (free elements of tau, sigma2)."""
    of_tau = system.tau_columns.map_to_data
    jacobian = np.zeros((len(of_tau) + 1, len(of_tau) + 1))
    jacobian[:-1, :-1], jacobian[-1, -1] = of_tau, system.e_scale**2
    return jacobian
