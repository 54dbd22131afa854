"""Means on the scale of the outcome: averaged over random effects by quadrature, with their slopes.

The mean at u = 0 is that of a typical unit, not the mean over units: the link bends between them. An ordinal
outcome has the probability of each category in place of a mean.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..laws.outcomes import Outcome
from ..likelihood.pattern import elements
from .estimates import GeneralizedEstimates
from .quadrature import product_rule

# along each direction: the one of z'u, or those of the linear predictors of several categories, of seven and
# more of which a probability is off by up to 1e-3 where sds are 1.5
NODES = {1: 63, 2: 25, 3: 13, 4: 7, 5: 5, 6: 4, 7: 4, 8: 3, 9: 3}


class Averages(NamedTuple):
    """Means (n,) of rows over u, their gradient (n, P) in gamma and the root of tau, and those at u = 0.

    Of K categories there are probabilities (n, K), their gradient (n, K, P), of ratings in the cuts, too.
    """

    mean: np.ndarray
    gradient: np.ndarray
    at_zero: np.ndarray

    def errors(self, covariance: np.ndarray) -> np.ndarray:
        """Give the standard errors of the means by the delta method, (n,) or (n, K)."""
        P = self.gradient.shape[-1]  # cuts of an ordinal outcome come after
        variance = np.einsum("...p,pq,...q->...", self.gradient, covariance[:P, :P], self.gradient)
        return np.asarray(np.sqrt(np.maximum(variance, 0.0)))


def averages(fit: GeneralizedEstimates, x: np.ndarray, z: np.ndarray) -> Averages:
    """Average rows with fixed effects x (n, F) and random ones z (n, q) over u with covariance tau."""
    eta = x @ fit.gamma_free
    with np.errstate(over="ignore", invalid="ignore"):  # counts whose mean is no number any more
        mean, by_eta, by_variance = _averaged(fit.law, eta, _sd(fit, z))
        gradient = np.concatenate([by_eta[:, None] * x, by_variance[:, None] * _of_tau(fit, z)], axis=1)
        return Averages(mean, gradient, fit.law.inverse_link(eta))


def ordinal_averages(fit: GeneralizedEstimates, x: np.ndarray, z: np.ndarray) -> Averages:
    """Average the probabilities of an ordinal outcome's categories over u with covariance tau."""
    cuts, law = np.r_[0.0, fit.law.fixed_cuts], fit.law.of_categories
    eta = (x @ fit.gamma_free)[:, None] + cuts
    each = (
        part.reshape(eta.shape) for part in _averaged(law, eta.ravel(), np.repeat(_sd(fit, z), len(cuts)))
    )
    below, by_eta, by_variance = each  # of the category of each cut, or a lower one: (n, K - 1)
    parts = [x[:, None], _of_tau(fit, z)[:, None], np.eye(len(cuts))[None, :, 1:]]
    slopes = (by_eta, by_variance, by_eta)
    gradient = np.concatenate([s[:, :, None] * part for s, part in zip(slopes, parts, strict=True)], axis=2)
    return Averages(between(below, 1.0), between(gradient, 0.0), between(law.inverse_link(eta), 1.0))


def between(below: np.ndarray, last: float) -> np.ndarray:
    """Give what categories have from what they and all lower ones have, (n, K, ...) from (n, K - 1, ...)."""
    first = np.zeros_like(below[:, :1])
    return np.diff(below, axis=1, prepend=first, append=first + last)


def _sd(fit: GeneralizedEstimates, z: np.ndarray) -> np.ndarray:
    """Give the standard deviation of each row's z'u, (n,)."""
    return np.asarray(np.sqrt(np.maximum(np.einsum("na,ab,nb->n", z, fit.tau_values, z), 0.0)))


def _of_tau(fit: GeneralizedEstimates, z: np.ndarray) -> np.ndarray:
    """Give d(z' tau z) / d(root of tau), (n, m)."""
    rows, cols = elements(fit.design.pattern)
    return np.asarray((z[:, rows] * z[:, cols] * np.where(rows == cols, 1.0, 2.0)) @ fit.root)


def _averaged(law: Outcome, eta: np.ndarray, sd: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give the mean of the inverse link of eta + sd t over t, its slope in eta and in the variance, (n,)."""
    at, weight = nodes_along()
    inside = eta[:, None] + sd[:, None] * at
    slope = law.slope(inside)
    # d mean / d variance: half the mean second derivative, by parts E[mu'(eta + sd t) t] / (2 sd)
    by_variance = np.divide(slope @ (weight * at), 2.0 * sd, out=np.zeros_like(sd), where=sd > 0)
    return law.inverse_link(inside) @ weight, slope @ weight, by_variance


def nodes_along() -> tuple[np.ndarray, np.ndarray]:
    """Give places and weights (k,) that average over a standard normal variable."""
    at, weight = nodes_of(1)
    return at[:, 0], weight


def nodes_of(K: int) -> tuple[np.ndarray, np.ndarray]:
    """Give places (k, K) and weights (k,) that average over K independent standard normal variables."""
    rule = product_rule((NODES[K],) * K)
    return rule.z, np.exp(rule.log_weight - 0.5 * np.sum(rule.z**2, axis=1))


def of_own(
    fit: GeneralizedEstimates, x: np.ndarray, z: np.ndarray, unit: np.ndarray, cut: float = 0.0
) -> np.ndarray:
    """Average rows over what is not known of their own units' random effects, (n,).

    u is taken for normal about its posterior mean; a unit of place -1 is one of all. Of an ordinal outcome it
    is the probability of the category below ``cut``, or of a lower one.
    """
    known = unit >= 0
    spread = np.broadcast_to(fit.tau_values, (len(z), *fit.tau_values.shape)).copy()
    spread[known] = fit.var_u[unit[known]]
    eta = x @ fit.gamma_free + cut
    eta[known] += np.einsum("nq,nq->n", z[known], fit.u[unit[known]])
    sd = np.sqrt(np.maximum(np.einsum("na,nab,nb->n", z, spread, z), 0.0))
    at, weight = nodes_along()
    return np.asarray(fit.law.of_categories.inverse_link(eta[:, None] + sd[:, None] * at) @ weight)
