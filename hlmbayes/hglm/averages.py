"""Means on the scale of the outcome: averaged over random effects by quadrature, with their slopes.

The mean at u = 0 is that of a typical unit, not the mean over units: the link bends between them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..likelihood.pattern import elements
from .estimates import GeneralizedEstimates
from .quadrature import product_rule

NODES = 63  # along the one direction z'u


class Averages(NamedTuple):
    """Means (n,) of rows over u, their gradient (n, P) in gamma and the root of tau, and those at u = 0."""

    mean: np.ndarray
    gradient: np.ndarray
    at_zero: np.ndarray

    def errors(self, covariance: np.ndarray) -> np.ndarray:
        """Give the standard errors of the means by the delta method, (n,)."""
        P = self.gradient.shape[1]  # cuts of an ordinal outcome come after
        variance = np.einsum("np,pq,nq->n", self.gradient, covariance[:P, :P], self.gradient)
        return np.asarray(np.sqrt(np.maximum(variance, 0.0)))


def averages(fit: GeneralizedEstimates, x: np.ndarray, z: np.ndarray) -> Averages:
    """Average rows with fixed effects x (n, F) and random ones z (n, q) over u with covariance tau."""
    eta = x @ fit.gamma_free
    sd = np.sqrt(np.maximum(np.einsum("na,ab,nb->n", z, fit.tau_values, z), 0.0))
    at, weight = nodes_along()
    with np.errstate(over="ignore", invalid="ignore"):  # counts whose mean is no number any more
        return _averages(fit, x, z, eta, sd, at, weight)


def _averages(
    fit: GeneralizedEstimates, x: np.ndarray, z: np.ndarray, eta: np.ndarray, sd: np.ndarray, at: np.ndarray,
    weight: np.ndarray,
) -> Averages:  # fmt: skip
    inside = eta[:, None] + sd[:, None] * at
    slope = fit.law.slope(inside)
    mean, by_eta = fit.law.inverse_link(inside) @ weight, slope @ weight
    # d mean / d variance: half the mean second derivative, by parts E[mu'(eta + sd t) t] / (2 sd)
    by_variance = np.divide(slope @ (weight * at), 2.0 * sd, out=np.zeros_like(sd), where=sd > 0)
    rows, cols = elements(fit.design.pattern)
    of_tau = z[:, rows] * z[:, cols] * np.where(rows == cols, 1.0, 2.0)
    gradient = np.concatenate([by_eta[:, None] * x, by_variance[:, None] * (of_tau @ fit.root)], axis=1)
    return Averages(mean, gradient, fit.law.inverse_link(eta))


def nodes_along() -> tuple[np.ndarray, np.ndarray]:
    """Give places and weights (k,) that average over a standard normal variable."""
    rule = product_rule((NODES,))
    at = rule.z[:, 0]
    return at, np.exp(rule.log_weight - 0.5 * at**2)


def of_own(fit: GeneralizedEstimates, x: np.ndarray, z: np.ndarray, unit: np.ndarray) -> np.ndarray:
    """Average rows over what is not known of their own units' random effects, (n,).

    u is taken for normal about its posterior mean; a unit of place -1 is one of all.
    """
    known = unit >= 0
    spread = np.broadcast_to(fit.tau_values, (len(z), *fit.tau_values.shape)).copy()
    spread[known] = fit.var_u[unit[known]]
    eta = x @ fit.gamma_free
    eta[known] += np.einsum("nq,nq->n", z[known], fit.u[unit[known]])
    sd = np.sqrt(np.maximum(np.einsum("na,nab,nb->n", z, spread, z), 0.0))
    at, weight = nodes_along()
    return np.asarray(fit.law.inverse_link(eta[:, None] + sd[:, None] * at) @ weight)
