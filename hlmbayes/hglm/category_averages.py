"""Probabilities of categories, averaged over random effects by quadrature, with their slopes.

The K linear predictors of a row are normal over units, with covariance Z tau Z': the average is an integral
over K dimensions, whatever the number of random effects.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..laws.multinomial import Multinomial
from ..likelihood.pattern import elements
from ..likelihood.symmetric import semidefinite_roots
from .averages import Averages, nodes_of
from .estimates import GeneralizedEstimates

CELLS = 1 << 18  # rows times nodes at a time
SMALL = 300.0  # of exponents whose products of exp are numbers, and not zero


def category_averages(fit: GeneralizedEstimates, x: np.ndarray, z: np.ndarray) -> Averages:
    """Average rows with fixed effects x (n, K, F) and random ones z (n, K, Q) over u with covariance tau."""
    eta = x @ fit.gamma_free
    mean, slope, bend = averaged(law_of(fit), eta, z @ fit.tau_values @ z.swapaxes(1, 2))
    rows, cols = elements(fit.design.pattern)
    # d eta_k eta_l / d tau_ab = z_ka z_lb, of both halves of tau; half of the mean second derivative by that
    by_tau = np.einsum("nmkl,nkt,nlt->nmt", bend, z[:, :, rows], z[:, :, cols])
    by_tau *= np.where(rows == cols, 0.5, 1.0)
    gradient = np.concatenate([slope @ x, by_tau @ fit.root], axis=2)
    return Averages(mean, gradient, probabilities(law_of(fit), eta))


def of_own_units(fit: GeneralizedEstimates, x: np.ndarray, z: np.ndarray, unit: np.ndarray) -> np.ndarray:
    """Average rows over what is not known of their own units' random effects, (n, M).

    u is taken for normal about its posterior mean; a unit of place -1 is one of all.
    """
    known = unit >= 0
    spread = np.broadcast_to(fit.tau_values, (len(z), *fit.tau_values.shape)).copy()
    spread[known] = fit.var_u[unit[known]]
    eta, law = predictors(fit, x, z, unit), law_of(fit)
    mean = np.empty((len(eta), eta.shape[1] + 1))
    for at, p, weight in _at_nodes(law, eta, z @ spread @ z.swapaxes(1, 2)):
        mean[at] = (p @ weight).T
    return mean


def predictors(fit: GeneralizedEstimates, x: np.ndarray, z: np.ndarray, unit: np.ndarray) -> np.ndarray:
    """Give the linear predictors of rows at the posterior mean of their units' u, (n, K)."""
    eta, known = x @ fit.gamma_free, unit >= 0
    eta[known] += np.einsum("nkq,nq->nk", z[known], fit.u[unit[known]])
    return np.asarray(eta)


def law_of(fit: GeneralizedEstimates) -> Multinomial:
    """Give the law of a fit whose categories have equations."""
    assert isinstance(fit.law, Multinomial)
    return fit.law


def probabilities(law: Multinomial, eta: np.ndarray) -> np.ndarray:
    """Give the probabilities of all categories, (n, M, ...), of their linear predictors (n, K, ...)."""
    return law.probabilities(eta.swapaxes(0, 1)).swapaxes(0, 1)


def _at_nodes(
    law: Multinomial, eta: np.ndarray, spread: np.ndarray
) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """Give some rows at a time, their probabilities at nodes (M, rows, nodes), and the weights of these."""
    z, weight = nodes_of(eta.shape[1])
    root = semidefinite_roots(spread)
    step = max(1, CELLS // len(z))
    for at in (slice(a, a + step) for a in range(0, len(eta), step)):
        yield at, law.probabilities(eta[at].T[:, :, None] + np.moveaxis(root[at] @ z.T, 1, 0)), weight


def averaged(
    law: Multinomial, eta: np.ndarray, spread: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give mean probabilities (n, M), and their first (n, M, K) and second (n, M, K, K) derivatives.

    Of predictors that are normal about ``eta`` (n, K) with covariance ``spread`` (n, K, K).
    """
    n, K = eta.shape
    mean, slope, bend = np.empty((n, K + 1)), np.empty((n, K + 1, K)), np.empty((n, K + 1, K, K))
    one = np.eye(K + 1)[:, :K]
    for at, p, weight in _at_nodes(law, eta, spread):
        own, weighted = p[:-1], p * weight
        mean[at] = weighted.sum(axis=2).T
        both = np.einsum("mrz,krz->rmk", weighted, own)
        slope[at] = one * mean[at, :, None] - both
        # p_m [(d_mk - p_k)(d_ml - p_l) - p_k (d_kl - p_l)]
        three = np.einsum("mrz,krz,lrz->rmkl", weighted, own, own)
        bend[at] = (one[:, :, None] * one[:, None]) * mean[at, :, None, None] + 2.0 * three
        bend[at] -= one[:, :, None] * both[:, :, None] + one[:, None] * both[:, :, :, None]
        bend[at] -= np.eye(K) * both[:, :, :, None]
    return mean, slope, bend


def are_small(eta: np.ndarray, root: np.ndarray, at: np.ndarray) -> bool:
    """Say whether exp of predictors and of random effects, and their products, are numbers to divide by."""
    reach = np.abs(root).max(axis=(0, 1, 3), initial=0.0) @ np.abs(at).max(axis=0)
    return bool(np.abs(eta).max(initial=0.0) < SMALL and reach < SMALL)


def averages_of_draws(eta: np.ndarray, root: np.ndarray, kind: np.ndarray) -> np.ndarray:
    """Average probabilities of rows over random effects in each of B draws, (n, M, B).

    ``eta`` (n, K, B) are the predictors at u = 0, ``root`` (g, K, d, B) a root of the covariance of what
    random effects add to them, of g kinds of rows, ``kind`` (n,). The odds at a node are exp(eta_k) times
    what the node makes of them, which is the same for all rows of a kind: so a draw's nodes are two products
    of matrices and one division, and no exponentials of rows by nodes.
    """
    (n, K, B), (at, weight) = eta.shape, nodes_of(root.shape[2])
    odds, found = np.exp(np.moveaxis(eta, 2, 0)), np.empty((B, n, K + 1))
    for one, of in enumerate(np.split(np.argsort(kind, kind="stable"), np.cumsum(np.bincount(kind))[:-1])):
        step = max(1, CELLS // (len(of) * len(at)))
        for part in (slice(first, first + step) for first in range(0, B, step)):
            moved = np.exp(np.moveaxis(root[one, :, :, part], 2, 0) @ at.T)  # (draws, K, nodes)
            own = odds[part, of]
            total = own @ moved
            total += 1.0
            np.divide(1.0, total, out=total)
            found[part, of, :K] = own * (total @ (moved * weight).swapaxes(1, 2))
            found[part, of, K] = total @ weight
    return np.moveaxis(found, 0, 2)
