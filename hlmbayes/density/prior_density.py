"""The prior density of the variance parameters in the samplers' coordinates, and its gradient."""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln, multigammaln

from ..likelihood.pattern import Pattern, mask, pairs
from ..priors.distributions import InverseWishart
from .coordinates import chain, unpack
from .target import Target


def correlation_shapes(pattern: Pattern, eta: float) -> np.ndarray:
    """Give b of every partial correlation: under LKJ(eta) of a block, (1 + tanh y) / 2 is Beta(b, b)."""
    free, columns = mask(pattern), pairs(pattern)[1]
    size, before = free.sum(axis=1)[columns], np.tril(free, -1).sum(axis=1)[columns]
    return np.asarray(eta + 0.5 * (size - 2 - before))


def log_cosh(y: np.ndarray) -> np.ndarray:
    """Give log cosh(y), also where cosh overflows."""
    size = np.abs(y)
    return np.asarray(size + np.log1p(np.exp(-2.0 * size)) - np.log(2.0))


def log_prior(target: Target, phi: np.ndarray) -> np.ndarray:
    """Give the log prior density of points (B, d) with respect to phi, normalised; shape (B,)."""
    q, priors = target.n_random, target.priors
    sd = np.abs(phi[:, :q]) * target.reference
    value = target.law.log_prior(phi[:, target.level1]) + np.log(target.reference).sum() - q * np.log(2.0)
    if priors.tau is not None:
        return np.asarray(value + _log_inverse_wishart(target, phi, priors.tau))
    for k, prior in enumerate(priors.sd):
        value = value + prior.curve().log_density(sd[:, k])
    b = correlation_shapes(target.pattern, priors.eta)
    # Beta(b, b) of (1 + z) / 2, and dz / dy = 1 - z^2 = cosh(y)^-2
    constant = gammaln(2.0 * b) - 2.0 * gammaln(b) - (2.0 * b - 1.0) * np.log(2.0)
    return np.asarray(value + np.sum(constant - 2.0 * b * log_cosh(phi[:, target.partials]), axis=1))


def _log_inverse_wishart(target: Target, phi: np.ndarray, prior: InverseWishart) -> np.ndarray:
    """Give the log density of tau times d tau / d (sd, y); minus infinity of a singular tau."""
    q, df = target.n_random, prior.df
    parts = unpack(target, phi)
    factor, regular = parts.factor, np.einsum("baa->ba", parts.factor).all(axis=1)
    factor[~regular] = np.eye(q)  # far from the mode a correlation rounds to 1
    log_sd = np.log(np.where(regular[:, None], np.abs(parts.s), 1.0)).sum(axis=1)
    log_det = 2.0 * np.log(np.abs(np.einsum("baa->ba", factor))).sum(axis=1)
    half = np.linalg.solve(factor, np.broadcast_to(np.linalg.cholesky(prior.scale), factor.shape))
    constant = 0.5 * df * np.linalg.slogdet(prior.scale)[1] - 0.5 * df * q * np.log(2.0)
    density = constant - multigammaln(0.5 * df, q) - 0.5 * (df + q + 1) * log_det
    jacobian = q * np.log(2.0) + q * log_sd  # tau to (sd, correlations)
    to_y = np.sum(-2.0 * correlation_shapes(target.pattern, 1.0) * log_cosh(phi[:, target.partials]), axis=1)
    with np.errstate(over="ignore"):
        found = density - 0.5 * np.sum(half**2, axis=(1, 2)) + jacobian + to_y
    return np.where(regular, found, -np.inf)


def prior_slope(target: Target, phi: np.ndarray) -> np.ndarray:
    """Give the gradient of `log_prior` at one point, shape (d,)."""
    q, priors = target.n_random, target.priors
    slope = np.zeros(target.size)
    slope[target.level1] = target.law.prior_slope(phi[target.level1])
    tanh = np.tanh(phi[target.partials])
    if priors.tau is not None:
        parts = unpack(target, phi[None])
        inverse = np.linalg.inv(parts.factor[0])
        inner = inverse @ priors.tau.scale @ inverse.T
        # d/dL of -(df + q + 1) log|L| - tr(L^-1 S L^-T) / 2
        by_factor = inverse.T @ (inner - (priors.tau.df + q + 1) * np.eye(q))
        slope[:q], slope[target.partials] = chain(target, phi, parts, by_factor)
        slope[:q] += q / phi[:q]
        slope[target.partials] -= 2.0 * correlation_shapes(target.pattern, 1.0) * tanh
        return slope
    for k, prior in enumerate(priors.sd):
        s = phi[k] * target.reference[k]
        slope[k] = prior.curve().slope(abs(s)) * np.sign(s) * target.reference[k]
    slope[target.partials] = -2.0 * correlation_shapes(target.pattern, priors.eta) * tanh
    return slope
