"""The posterior density of the variance parameters, u and gamma integrated out exactly.

gamma has a normal or flat prior, and is integrated out: with prior precision P0 the marginal density
is that of `likelihood.evaluate` with X'X + sigma2 P0 for X'X (and X'e, e'e likewise). Where log(sigma2)
depends on variables the rows are weighted by their precision first, and sigma2 is 1 (see `level1`).
"""

from __future__ import annotations

import numpy as np

from ..likelihood.criterion import LOG_2PI
from ..likelihood.evaluate import at_gamma, evaluate
from .coordinates import chain, to_standard_factor, unpack
from .prior_density import log_prior, prior_slope
from .target import Target


def constant(target: Target) -> float:
    """Give what -2 log p(y) has whatever the variances are (units of the data)."""
    system, proper = target.system, target.p0 > 0
    value = (system.n - np.sum(~proper)) * LOG_2PI + 2.0 * system.n * np.log(system.e_scale)
    value -= np.log(target.p0[proper]).sum() + 2.0 * np.log(system.gamma_scale[~proper]).sum()
    return float(value)


def value_and_gradient(target: Target, phi: np.ndarray) -> tuple[float, np.ndarray]:
    """Give the log posterior density (prior + marginal likelihood) at phi (d,) and its gradient."""
    parts, level1 = unpack(target, phi[None]), phi[target.level1]
    factor = to_standard_factor(target, parts)[0]
    sigma = float(parts.sigma[0])
    s2 = (sigma / target.system.e_scale) ** 2
    rows = target.law.rows_at(level1)
    system = rows[1]
    at = evaluate(system.with_prior(target.p0, target.d0, s2), factor)
    dof = system.n - system.n_fixed
    deviance = at.logdet_v + at.logdet_xvx + dof * np.log(s2) + at.rss / s2 + constant(target)
    deviance += target.law.log_weights(level1[None])[0]
    gradient = prior_slope(target, phi)
    # of log p in the standard factor: -(h - p - vv / s2) L
    by_standard = -(at.h - at.p - at.vv / s2) @ factor
    by_factor = np.linalg.solve(system.to_tau.T, by_standard) * system.e_scale / sigma
    by_s, by_y = chain(target, phi, parts, by_factor)
    gradient[: target.n_random] += by_s
    gradient[target.partials] += by_y
    away = at.delta - target.d0
    by_s2 = dof - at.rss / s2 + s2 * np.sum(np.diag(at.vg) * target.p0) + np.sum(target.p0 * away**2)
    by_log_sigma = -by_s2 - np.sum(by_standard * factor)
    gradient[target.level1] += target.law.slope(level1, rows, at, float(by_log_sigma))
    return float(log_prior(target, phi[None])[0] - 0.5 * deviance), gradient


def fixed_gamma(
    target: Target, gamma: np.ndarray, factor: np.ndarray, sigma: float
) -> tuple[float, np.ndarray, np.ndarray, float]:
    """Give log p(y | gamma, tau, sigma), u integrated out, and its gradients; units of the data.

    Everything follows from the evaluation at gamma's GLS estimate: away from it by d, the sum of
    squares grows by d'X'V^-1X d and Z'V^-1(e - X d) moves by Z'V^-1X d. Free ``gamma`` (F,) and a root of
    tau, ``factor`` (q, q); gradients of their shapes.
    """
    system = target.system
    ratio = system.e_scale / sigma
    s2 = ratio**-2.0
    standard = np.linalg.solve(system.to_tau, factor) * ratio if target.n_random else factor
    at = evaluate(system, standard)
    delta = (gamma - target.design.gamma_ols) / system.gamma_scale
    here, moved = at_gamma(at, delta), at.information_times(delta - at.delta)
    rss, vv, n = here.rss, here.vv, system.n
    value = -0.5 * (at.logdet_v + n * (LOG_2PI + 2.0 * np.log(sigma)) + rss / s2)
    value += 0.5 * target.law.law.log_precision
    by_standard = -(at.h - vv / s2) @ standard
    by_factor = np.linalg.solve(system.to_tau.T, by_standard) * ratio if target.n_random else factor
    by_sigma = (-n + rss / s2 - np.sum(by_standard * standard)) / sigma
    return float(value), -moved / (s2 * system.gamma_scale), by_factor, float(by_sigma)
