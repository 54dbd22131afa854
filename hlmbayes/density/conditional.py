"""What is exact once the variances are drawn: gamma, the random effects, each unit's likelihood.

Given tau and sigma2 everything left is normal. With the unit's triangular factor [C' B T] of
`likelihood.evaluate`, G = C'L and M M' = I + G'G,

    u = A L M^-T (M^-1 G'(T - [C' B] W delta) + sigma eps),  eps standard normal,

has mean Theta Z'V^-1(e - X delta) and covariance sigma2 L (I + L' Z'Z L)^-1 L', singular tau included
(Raudenbush & Bryk 2002, p. 47-49, in the square-root form of `likelihood`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..likelihood.criterion import LOG_2PI
from ..likelihood.evaluate import one_and_square, times_factor
from ..likelihood.planes import solve_planes
from .batch import Batch, chunks, evaluate_batch
from .coordinates import to_standard_factor, unpack
from .prior_density import log_cosh, log_prior
from .target import Target


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """Draws of everything but the random effects, in the units of the data.

    ``phi`` (B, d) folded, the parameters of level 1 among them; free ``gamma`` (B, F); ``tau`` (B, q, q).
    """

    phi: np.ndarray
    gamma: np.ndarray
    tau: np.ndarray

    def take(self, index: np.ndarray) -> Draws:
        """Give the draws of an index."""
        return Draws(self.phi[index], self.gamma[index], self.tau[index])


@dataclass(frozen=True, slots=True, eq=False)
class Effects:
    """Random effects: ``draws`` (B, J, q) where they are kept, and their mean and sd (J, q)."""

    draws: np.ndarray | None
    mean: np.ndarray
    sd: np.ndarray


def complete(target: Target, phi: np.ndarray, rng: np.random.Generator, batch: Batch | None = None) -> Draws:
    """Draw gamma given the variance parameters ``phi`` (B, d) and give all in the units of the data.

    ``batch`` is what `evaluate_batch` says of the points, where that is known already.
    """
    batch = evaluate_batch(target, phi) if batch is None else batch
    delta = batch.delta(target.system, rng.standard_normal(batch.half.shape))
    gamma = target.design.gamma_ols + delta * target.system.gamma_scale
    return Draws(phi, gamma, unpack(target, phi).tau)


def draw_effects(
    target: Target, draws: Draws, rng: np.random.Generator, *, keep: bool, dtype: type = np.float64
) -> Effects:
    """Draw u_j from its conditional normal, once for every draw.

    ``keep`` the draws, as numbers of a ``dtype``; otherwise only their mean and sd, for which 400 of them do.
    """
    J, q, B = target.design.n_units, target.n_random, len(draws.phi)
    used = np.arange(B) if keep else np.unique(np.linspace(0, B - 1, min(B, 400)).astype(int))
    kept: np.ndarray | None = np.empty((B, J, q), dtype=dtype) if keep else None
    total, square = np.zeros((J, q)), np.zeros((J, q))
    for rows in chunks(len(used), target.law.width):
        index = used[rows]
        u = _effects(target, draws.phi[index], draws.gamma[index], rng)
        total += u.sum(axis=0)
        square += np.einsum("bjq,bjq->jq", u, u)
        if kept is not None:
            kept[index] = u
    mean = total / len(used)
    return Effects(kept, mean, np.sqrt(np.maximum(square / len(used) - mean**2, 0.0)))


def _whitened(
    target: Target, phi: np.ndarray, gamma: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give L (B, q, q), M (q, q, B, J) and M^-1 G'(T - [C' B] W delta) (q, B, J)."""
    system = target.system
    parts = unpack(target, phi)
    factor = to_standard_factor(target, parts)
    root = target.law.triangular(phi[:, target.level1], slice(None))[0]
    g = times_factor(root, factor)
    root = root if root.ndim == g.ndim else root[:, :, None]
    delta = (gamma - target.design.gamma_ols) / system.gamma_scale
    left = np.empty(g.shape[1:])
    left[...] = root[:, -1]
    for a, (w, columns) in enumerate(zip(system.w, system.columns, strict=True)):
        if len(columns):
            left -= root[:, a] * (delta[:, columns] @ w)
    m = one_and_square(g.swapaxes(0, 1))
    return factor, m, solve_planes(m, np.einsum("ra...,r...->a...", g, left)[:, None])[:, 0]


def _effects(target: Target, phi: np.ndarray, gamma: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Give u (B, J, q)."""
    q = target.n_random
    if not q:
        return np.zeros((len(phi), target.design.n_units, 0))
    factor, m, left = _whitened(target, phi, gamma)
    sigma = unpack(target, phi).sigma / target.system.e_scale
    left += sigma[:, None] * rng.standard_normal(left.shape)
    for i in range(q - 1, -1, -1):  # M' x = left, from the last row up
        for k in range(i + 1, q):
            left[i] -= m[k, i] * left[k]
        left[i] /= m[i, i]
    to_data = target.system.to_tau @ factor
    return np.asarray(np.einsum("baq,qbj->bja", to_data, left))


def unit_log_likelihood(target: Target, draws: Draws) -> np.ndarray:
    """Give log p(y_j | gamma, tau, sigma), u_j integrated out, shape (B, J), units of the data."""
    design = target.design
    values = np.empty((len(draws.phi), design.n_units))
    for rows in chunks(len(draws.phi), target.law.width):
        b = coefficients(target, draws.gamma[rows], moved=True)
        level1 = draws.phi[rows, target.level1]
        sigma = target.law.sigma(level1)[:, None]
        deviance = design.n * LOG_2PI + target.law.unit_deviance(level1, b)
        if target.n_random:
            _, m, left = _whitened(target, draws.phi[rows], draws.gamma[rows])
            explained = np.einsum("qbj,qbj->bj", left, left) * target.system.e_scale**2
            deviance += 2.0 * sum(np.log(m[k, k]) for k in range(target.n_random)) - explained / sigma**2
        values[rows] = -0.5 * deviance
    return values


def coefficients(target: Target, gamma: np.ndarray, *, moved: bool = False) -> np.ndarray:
    """Give W_j gamma, the fixed part of every level-1 coefficient, shape (B, J, p).

    ``moved``: of gamma minus the pooled OLS fit, about which the design's products are taken.
    """
    design = target.design
    gamma = gamma - design.gamma_ols if moved else gamma
    result = np.empty((len(gamma), design.n_units, len(design.w)))
    for k, (w, columns) in enumerate(zip(design.w, design.columns, strict=True)):
        result[:, :, k] = gamma[:, columns] @ w.T
    return result


def full_log_prior(target: Target, draws: Draws) -> np.ndarray:
    """Give the log prior density of every draw, fixed effects included; flat ones count nothing.

    It is the density of standard deviations, partial correlations, sigma and gamma themselves: a
    power of a density depends on the scale it is a density on.
    """
    jacobian = -2.0 * log_cosh(draws.phi[:, target.partials]).sum(axis=1)
    jacobian += target.law.log_jacobian(draws.phi[:, target.level1])
    precision = target.priors.gamma_precision
    squares = (draws.gamma - target.priors.gamma_mean) ** 2 @ precision
    return np.asarray(log_prior(target, draws.phi) - jacobian - 0.5 * squares)
