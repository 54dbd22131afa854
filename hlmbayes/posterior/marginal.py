"""The posterior density of the variance parameters, u and gamma integrated out exactly.

A point phi (d,) holds, in this order,

    s_k / ref_k      q signed standard deviations: u = diag(s) C z, sd_k = |s_k|
    y_ij             q (q - 1) / 2 correlations, rows first: canonical partial correlation tanh(y_ij)
    log sigma

C is the Cholesky factor of the correlation matrix (Lewandowski, Kurowicka & Joe 2009, J. Multivariate
Analysis 100, 1989). Flipping the sign of s_k together with its correlations changes nothing, so an
sd near zero is no wall: the density goes on smoothly on the other side, and draws are folded afterwards.

gamma has a normal or flat prior, and is integrated out: with prior precision P0 the marginal density
is that of `likelihood.evaluate` with X'X + sigma2 P0 for X'X (and X'e, e'e likewise).
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln, multigammaln

from ..likelihood.criterion import LOG_2PI
from ..likelihood.design import Design
from ..likelihood.evaluate import System, evaluate, standardise
from .distributions import InverseWishart
from .priors import ResolvedPriors


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """A posterior of variance parameters.

    Attributes
    ----------
    design : Design
    system : System
    priors : ResolvedPriors
    reference : ndarray, shape (q,)
        Unit of the signed standard deviations, so that phi is of order one.
    p0, d0 : ndarray, shape (F,)
        Prior precision and mean of gamma in standardised units (of delta).
    """

    design: Design
    system: System
    priors: ResolvedPriors
    reference: np.ndarray
    p0: np.ndarray
    d0: np.ndarray

    @property
    def n_random(self) -> int:
        """Number of random coefficients, q."""
        return self.system.n_random

    @property
    def size(self) -> int:
        """Number of variance parameters, d."""
        q = self.n_random
        return q * (q + 1) // 2 + 1


def build_target(design: Design, priors: ResolvedPriors) -> Target:
    """Join a design and its priors."""
    system = standardise(design)
    scale = system.gamma_scale
    return Target(
        design, system, priors, _reference(design), priors.gamma_precision * scale**2,
        (priors.gamma_mean - design.gamma_ols) / scale,
    )  # fmt: skip


def _reference(design: Design) -> np.ndarray:
    """Give the sampling sd of one unit's coefficient: the size at which an sd begins to matter."""
    square = np.einsum("jaa->a", design.dd)[design.random] / design.n_units
    return np.sqrt(design.ee.sum() / design.n.sum() / square)


# --- coordinates -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """phi in the units of the data: s (B, q), C (B, q, q), sigma (B,)."""

    s: np.ndarray
    corr_factor: np.ndarray
    sigma: np.ndarray

    @property
    def factor(self) -> np.ndarray:
        """diag(s) C, a square root of tau, shape (B, q, q)."""
        return self.s[:, :, None] * self.corr_factor

    @property
    def tau(self) -> np.ndarray:
        """Covariance matrix of the random effects, shape (B, q, q)."""
        factor = self.factor
        return factor @ factor.transpose(0, 2, 1)


def unpack(target: Target, phi: np.ndarray) -> Parts:
    """Carry points (B, d) to the parameters they stand for."""
    q = target.n_random
    return Parts(
        phi[:, :q] * target.reference, correlation_factor(np.tanh(phi[:, q:-1]), q), np.exp(phi[:, -1])
    )


def correlation_factor(partial: np.ndarray, q: int) -> np.ndarray:
    """Build C (B, q, q), lower triangular, from canonical partial correlations (B, q (q - 1) / 2)."""
    c = np.zeros((len(partial), q, q))
    at = 0
    for i in range(q):
        left = np.ones(len(partial))
        for j in range(i):
            z = partial[:, at]
            c[:, i, j] = z * left
            left = left * np.sqrt((1.0 - z) * (1.0 + z))
            at += 1
        c[:, i, i] = left
    return c


def pack(target: Target, tau: np.ndarray, sigma: float, floor: float = 0.0) -> np.ndarray:
    """Give the phi (d,) of a tau and sigma; standard deviations are at least ``floor`` references."""
    q = target.n_random
    sd = np.sqrt(np.maximum(np.diag(tau), 0.0))
    corr = tau / np.maximum(np.outer(sd, sd), 1e-300)
    np.fill_diagonal(corr, 1.0)
    values, vectors = np.linalg.eigh(corr) if q else (np.zeros(0), np.zeros((0, 0)))
    corr = (vectors * np.maximum(values, 1e-2)) @ vectors.T
    c = np.linalg.cholesky(corr) if q else corr
    c = c / np.sqrt(np.sum(c**2, axis=1, keepdims=True))
    partial = []
    for i in range(q):
        left = 1.0
        for j in range(i):
            z = float(np.clip(c[i, j] / left, -0.99, 0.99))
            partial.append(np.arctanh(z))
            left *= np.sqrt(1.0 - z * z)
    return np.concatenate([np.maximum(sd / target.reference, floor), partial, [np.log(sigma)]])


def pack_many(target: Target, tau: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """Give the phi (B, d) of many tau (B, q, q), positive definite, and sigma (B,)."""
    q = target.n_random
    c = np.linalg.cholesky(tau) if q else tau
    sd = np.sqrt(np.einsum("bqq->bq", tau))
    c = c / sd[:, :, None]
    partial = []
    for i in range(q):
        left = np.ones(len(tau))
        for j in range(i):
            z = np.clip(c[:, i, j] / left, -1 + 1e-15, 1 - 1e-15)
            partial.append(np.arctanh(z))
            left = left * np.sqrt((1 - z) * (1 + z))
    return np.column_stack([sd / target.reference, *partial, np.log(sigma)])


def fold(target: Target, phi: np.ndarray, signs: np.ndarray | None = None) -> np.ndarray:
    """Flip signs of effects: to non-negative standard deviations, or by given ``signs`` (B, q) or (q,)."""
    q = target.n_random
    if signs is None:
        signs = np.where(phi[:, :q] < 0, -1.0, 1.0)
    rows, cols = np.tril_indices(q, -1)
    flipped = phi.copy()
    flipped[:, :q] *= signs
    flipped[:, q:-1] *= signs[..., rows] * signs[..., cols]
    return flipped


# --- prior density ---------------------------------------------------------------------------------


def correlation_shapes(q: int, eta: float) -> np.ndarray:
    """Give b of every partial correlation: under LKJ(eta), (1 + tanh y) / 2 is Beta(b, b)."""
    columns = np.tril_indices(q, -1)[1]
    return eta + 0.5 * (q - 2 - columns)


def log_cosh(y: np.ndarray) -> np.ndarray:
    """Give log cosh(y), also where cosh overflows."""
    size = np.abs(y)
    return size + np.log1p(np.exp(-2.0 * size)) - np.log(2.0)


def log_prior(target: Target, phi: np.ndarray) -> np.ndarray:
    """Give the log prior density of points (B, d) with respect to phi, normalised; shape (B,)."""
    q, priors = target.n_random, target.priors
    sd = np.abs(phi[:, :q]) * target.reference
    value = priors.sigma.curve().log_density(np.exp(phi[:, -1])) + phi[:, -1]
    value = value + np.log(target.reference).sum() - q * np.log(2.0)
    if priors.tau is not None:
        return value + _log_inverse_wishart(target, phi, priors.tau)
    for k, prior in enumerate(priors.sd):
        value = value + prior.curve().log_density(sd[:, k])
    b = correlation_shapes(q, priors.eta)
    # Beta(b, b) of (1 + z) / 2, and dz / dy = 1 - z^2 = cosh(y)^-2
    constant = gammaln(2.0 * b) - 2.0 * gammaln(b) - (2.0 * b - 1.0) * np.log(2.0)
    return value + np.sum(constant - 2.0 * b * log_cosh(phi[:, q:-1]), axis=1)


def _log_inverse_wishart(target: Target, phi: np.ndarray, prior: InverseWishart) -> np.ndarray:
    """Give the log density of tau times d tau / d (sd, y)."""
    q = target.n_random
    parts = unpack(target, phi)
    s = np.abs(parts.s)
    with np.errstate(divide="ignore"):
        log_sd = np.log(s).sum(axis=1)
    log_det = 2.0 * (log_sd + np.log(np.einsum("baa->ba", parts.corr_factor)).sum(axis=1))
    half = np.linalg.solve(parts.factor, np.broadcast_to(np.linalg.cholesky(prior.scale), parts.factor.shape))
    df = prior.df
    constant = 0.5 * df * np.linalg.slogdet(prior.scale)[1] - 0.5 * df * q * np.log(2.0)
    density = constant - multigammaln(0.5 * df, q) - 0.5 * (df + q + 1) * log_det
    jacobian = q * np.log(2.0) + q * log_sd  # tau to (sd, correlations)
    to_y = np.sum(-2.0 * correlation_shapes(q, 1.0) * log_cosh(phi[:, q:-1]), axis=1)
    return density - 0.5 * np.sum(half**2, axis=(1, 2)) + jacobian + to_y


def prior_slope(target: Target, phi: np.ndarray) -> np.ndarray:
    """Give the gradient of `log_prior` at one point, shape (d,)."""
    q, priors = target.n_random, target.priors
    slope = np.zeros(target.size)
    sigma = np.exp(phi[-1])
    slope[-1] = priors.sigma.curve().slope(sigma) * sigma + 1.0
    tanh = np.tanh(phi[q:-1])
    if priors.tau is not None:
        parts = unpack(target, phi[None])
        inverse = np.linalg.inv(parts.factor[0])
        inner = inverse @ priors.tau.scale @ inverse.T
        # d/dL of -(df + q + 1) log|L| - tr(L^-1 S L^-T) / 2
        by_factor = inverse.T @ (inner - (priors.tau.df + q + 1) * np.eye(q))
        slope[:q], slope[q:-1] = chain(target, phi, parts, by_factor)
        slope[:q] += q / phi[:q]
        slope[q:-1] -= 2.0 * correlation_shapes(q, 1.0) * tanh
        return slope
    for k, prior in enumerate(priors.sd):
        s = phi[k] * target.reference[k]
        slope[k] = prior.curve().slope(abs(s)) * np.sign(s) * target.reference[k]
    slope[q:-1] = -2.0 * correlation_shapes(q, priors.eta) * tanh
    return slope


def chain(
    target: Target, phi: np.ndarray, parts: Parts, by_factor: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Carry a gradient in diag(s) C (q, q) to one in s / ref (q,) and y."""
    q = target.n_random
    c, s, z = parts.corr_factor[0], parts.s[0], np.tanh(phi[q:-1])
    by_s = np.sum(by_factor * c, axis=1) * target.reference
    by_c = by_factor * s[:, None]
    by_y = np.zeros(len(z))
    at = 0
    for i in range(q):
        for j in range(i):
            rest = c[i, j + 1 : i + 1] @ by_c[i, j + 1 : i + 1]
            # dC_ij / dy_ij = left (1 - z^2), and entries to the right shrink by -z each
            left = c[i, j] / z[at] if z[at] else np.sqrt(1.0 - c[i, :j] @ c[i, :j])
            by_y[at] = by_c[i, j] * left * (1.0 - z[at] ** 2) - z[at] * rest
            at += 1
    return by_s, by_y


# --- likelihood ------------------------------------------------------------------------------------


def to_standard_factor(target: Target, parts: Parts) -> np.ndarray:
    """Give factors (B, q, q) of Theta = tau / sigma2 in standardised units."""
    half = np.linalg.solve(target.system.to_tau, parts.factor) if target.n_random else parts.factor
    return half * (target.system.e_scale / parts.sigma)[:, None, None]


def with_prior(target: Target, s2: float) -> System:
    """Give the system whose X'X, X'e and e'e hold the prior of gamma as extra observations."""
    system, p0, d0 = copy(target.system), target.p0, target.d0  # what it has tabulated is shared
    object.__setattr__(system, "xx", system.own_xx + s2 * np.diag(p0))
    object.__setattr__(system, "xe", system.own_xe + s2 * p0 * d0)
    object.__setattr__(system, "ee", system.ee + s2 * float(d0 @ (p0 * d0)))
    return system


def constant(target: Target) -> float:
    """Give what -2 log p(y) has whatever the variances are (units of the data)."""
    system, proper = target.system, target.p0 > 0
    value = (system.n - np.sum(~proper)) * LOG_2PI + 2.0 * system.n * np.log(system.e_scale)
    value -= np.log(target.p0[proper]).sum() + 2.0 * np.log(system.gamma_scale[~proper]).sum()
    return float(value)


def value_and_gradient(target: Target, phi: np.ndarray) -> tuple[float, np.ndarray]:
    """Give the log posterior density (prior + marginal likelihood) at phi (d,) and its gradient."""
    parts = unpack(target, phi[None])
    factor = to_standard_factor(target, parts)[0]
    sigma = float(parts.sigma[0])
    s2 = (sigma / target.system.e_scale) ** 2
    at = evaluate(with_prior(target, s2), factor)
    dof = target.system.n - target.system.n_fixed
    deviance = at.logdet_v + at.logdet_xvx + dof * np.log(s2) + at.rss / s2 + constant(target)
    gradient = prior_slope(target, phi)
    # of log p in the standard factor: -(h - p - vv / s2) L
    by_standard = -(at.h - at.p - at.vv / s2) @ factor
    by_factor = np.linalg.solve(target.system.to_tau.T, by_standard) * target.system.e_scale / sigma
    by_s, by_y = chain(target, phi, parts, by_factor)
    q = target.n_random
    gradient[:q] += by_s
    gradient[q:-1] += by_y
    away = at.delta - target.d0
    by_s2 = dof - at.rss / s2 + s2 * np.sum(np.diag(at.vg) * target.p0) + np.sum(target.p0 * away**2)
    gradient[-1] += -by_s2 - np.sum(by_standard * factor)
    return float(log_prior(target, phi[None])[0] - 0.5 * deviance), gradient


def fixed_gamma(
    target: Target, gamma: np.ndarray, factor: np.ndarray, sigma: float
) -> tuple[float, np.ndarray, np.ndarray, float]:
    """Give log p(y | gamma, tau, sigma), u integrated out, and its gradients; units of the data.

    Everything follows from the evaluation at gamma's GLS estimate: away from it by d, the sum of
    squares grows by d'X'V^-1X d and Z'V^-1(e - X d) moves by Z'V^-1X d.

    Parameters
    ----------
    target : Target
    gamma : ndarray, shape (F,)
        Free fixed effects.
    factor : ndarray, shape (q, q)
        A root of tau.
    sigma : float

    Returns
    -------
    value : float
    by_gamma : ndarray, shape (F,)
    by_factor : ndarray, shape (q, q)
    by_sigma : float
    """
    system = target.system
    ratio = system.e_scale / sigma
    s2 = ratio**-2.0
    standard = np.linalg.solve(system.to_tau, factor) * ratio if target.n_random else factor
    at = evaluate(system, standard)
    d = (gamma - target.design.gamma_ols) / system.gamma_scale - at.delta
    xvx = np.linalg.inv(at.vg)
    moved = xvx @ d
    rss = at.rss + float(d @ moved)
    cross = (at.kv_level2 @ at.loading.T) @ d  # [a, b]: sum_j v_b K_a d
    vv = at.vv - cross - cross.T + np.einsum("abfg,f,g->ab", at.kk, d, d)
    n = system.n
    value = -0.5 * (at.logdet_v + n * (LOG_2PI + 2.0 * np.log(sigma)) + rss / s2)
    by_standard = -(at.h - vv / s2) @ standard
    by_factor = np.linalg.solve(system.to_tau.T, by_standard) * ratio if target.n_random else factor
    by_sigma = (-n + rss / s2 - np.sum(by_standard * standard)) / sigma
    return float(value), -moved / (s2 * system.gamma_scale), by_factor, float(by_sigma)
