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

FEWEST, CELLS = 100, 4_000_000  # conditional normals for u's mean and sd, at least, and times units


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """Draws of everything but the random effects, in the units of the data.

    ``phi`` (B, d) folded, the parameters of level 1 among them; free ``gamma`` (B, F); ``tau`` (B, q, q).
    """

    phi: np.ndarray
    gamma: np.ndarray
    tau: np.ndarray

    @classmethod
    def of(cls, target: Target, phi: np.ndarray, gamma: np.ndarray) -> Draws:
        """Put tau beside points and the fixed effects given them."""
        return cls(phi, gamma, unpack(target, phi).tau)

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
    return Draws.of(target, phi, gamma)


def draw_effects(target: Target, draws: Draws, rng: np.random.Generator, *, keep: bool) -> Effects:
    """Draw u_j from its conditional normal, once for every draw.

    ``keep`` the draws. Otherwise only their mean and sd, which follow from those of the conditional
    normals; of very many units a hundred of these are taken, for they hardly differ.
    """
    if not keep:
        return _summarised(target, draws)
    B, J, q = len(draws.phi), target.design.n_units, target.n_random
    kept = np.empty((B, J, q))
    total, square = np.zeros((J, q)), np.zeros((J, q))
    for rows in chunks(B, target.law.width):
        u = _effects(target, draws.phi[rows], draws.gamma[rows], rng)
        total += u.sum(axis=0)
        square += np.einsum("bjq,bjq->jq", u, u)
        kept[rows] = u
    mean = total / B
    return Effects(kept, mean, np.sqrt(np.maximum(square / B - mean**2, 0.0)))


def _summarised(target: Target, draws: Draws) -> Effects:
    """Give the mean and sd of u alone."""
    J, q, B = target.design.n_units, target.n_random, len(draws.phi)
    used = np.unique(np.linspace(0, B - 1, min(B, max(FEWEST, CELLS // J))).astype(int))
    total, square = np.zeros((J, q)), np.zeros((J, q))
    for rows in chunks(len(used), target.law.width) if q else ():
        index = used[rows]
        root, sigma, m, left = _conditional(target, draws.phi[index], draws.gamma[index])
        mean = np.einsum("baq,qbj->bja", root, _back(m, left))
        by_noise = np.zeros((q, *m.shape[1:]))
        by_noise[np.arange(q), np.arange(q)] = sigma[:, None]
        total += mean.sum(axis=0)
        square += np.einsum("bja,bja->ja", mean, mean)
        spread = np.einsum("bac,cnbj->anbj", root, _back(m, by_noise))
        square += np.einsum("anbj,anbj->ja", spread, spread)
    mean = total / len(used)
    return Effects(None, mean, np.sqrt(np.maximum(square / len(used) - mean**2, 0.0)))


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


def _conditional(
    target: Target, phi: np.ndarray, gamma: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Give A L (B, q, q), sigma in standardised units (B,), M (q, q, B, J) and M^-1 G'(...), (q, B, J)."""
    factor, m, left = _whitened(target, phi, gamma)
    sigma = target.law.sigma(phi[:, target.level1]) / target.system.e_scale
    return target.system.to_tau @ factor, sigma, m, left


def _back(m: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Turn ``right`` (q, ..., B, J) into M'^-1 of it, from the last row up; M (q, q, B, J)."""
    for i in range(len(m) - 1, -1, -1):
        for k in range(i + 1, len(m)):
            right[i] -= m[k, i] * right[k]
        right[i] /= m[i, i]
    return right


def _effects(target: Target, phi: np.ndarray, gamma: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Give u (B, J, q)."""
    if not target.n_random:
        return np.zeros((len(phi), target.design.n_units, 0))
    root, sigma, m, left = _conditional(target, phi, gamma)
    left += sigma[:, None] * rng.standard_normal(left.shape)
    return np.asarray(np.einsum("baq,qbj->bja", root, _back(m, left)))


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
