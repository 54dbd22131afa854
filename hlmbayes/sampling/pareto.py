"""Pareto-smoothed importance weights (Vehtari, Simpson, Gelman, Yao & Gabry 2024, JMLR 25, 72).

The largest weights are replaced by the quantiles of a generalized Pareto distribution fitted to them (Zhang &
Stephens 2009, Technometrics 51, 316, with a weak prior); its shape is k-hat. The same numbers as ArviZ's
`psislw`, whose package takes longer to import than a posterior to draw.
"""

from __future__ import annotations

import numpy as np
from scipy.special import logsumexp

PRIOR_SCALE, PRIOR_SHAPE, PRIOR_WEIGHT = 3.0, 0.5, 10.0
MANY = 225  # weights above which the tail is 3 sqrt(B), and a fifth up to which
NEGLIGIBLE = 10.0 * np.finfo(float).eps


def smoothed_weights(log_ratio: np.ndarray) -> tuple[np.ndarray, float]:
    """Give the logarithms (B,) of smoothed weights that sum to 1, and k-hat, infinite where no fit is found.

    Parameters
    ----------
    log_ratio : ndarray (B,)
        Log density over proposal, B at least 25; -inf is a weight of zero.
    """
    log_weight = log_ratio - log_ratio.max()
    n = len(log_weight)
    n_tail = int(3.0 * n**0.5) if n > MANY else n // 5
    order = np.argsort(log_weight)
    tail = order[n - n_tail :]
    cutoff = np.exp(log_weight[order[n - n_tail - 1]])
    shape, scale = pareto_fit(np.exp(log_weight[tail]) - cutoff)
    if np.isfinite(shape):
        share = np.arange(0.5, n_tail) / n_tail
        quantile = -np.log1p(-share) if shape == 0 else np.expm1(-shape * np.log1p(-share)) / shape
        log_weight[tail] = np.minimum(np.log(cutoff + scale * quantile), 0.0)
    return log_weight - logsumexp(log_weight), shape


def pareto_fit(excess: np.ndarray) -> tuple[float, float]:
    """Give shape and scale of a generalized Pareto distribution of sorted excesses; inf, nan without a fit.

    The posterior mean over a grid of Zhang and Stephens's parameter.
    """
    n = len(excess)
    grid = 30 + int(n**0.5)
    quartile = excess[int(n / 4 + 0.5) - 1]
    if quartile <= excess[0]:  # far from such a distribution
        return float("inf"), float("nan")
    theta = 1.0 - np.sqrt(grid / (np.arange(1.0, grid + 1.0) - 0.5))
    theta = theta / (PRIOR_SCALE * quartile) + 1.0 / excess[-1]
    shape = np.mean(np.log1p(-theta[:, None] * excess), axis=1)
    log_profile = n * (np.log(-theta / shape) - shape - 1.0)
    weight = np.exp(log_profile - logsumexp(log_profile))
    kept = weight >= NEGLIGIBLE
    mean = float(theta[kept] @ weight[kept] / weight[kept].sum())
    found = float(np.mean(np.log1p(-mean * excess)))
    return (n * found + PRIOR_WEIGHT * PRIOR_SHAPE) / (n + PRIOR_WEIGHT), -found / mean
