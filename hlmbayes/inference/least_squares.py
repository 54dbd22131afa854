"""What HLM prints before it iterates: OLS of all rows, the units' own OLS, effects at the starting values.

All from the moments; the units' regressions are of y minus the part of the fixed effects whose level-1
variable is not random (as in the chi-square tests of HLM 6.08's listing).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..estimation.estimates import Estimates
from ..estimation.hlm_path import HLM_LOG_2PI, root_of
from ..likelihood.criterion import LOG_2PI
from ..likelihood.design import Design, unit_ols, with_unit_weights
from ..likelihood.evaluate import evaluate, standardise
from ..likelihood.system import to_standard
from .scores import ROUNDING


@dataclass(frozen=True, slots=True, eq=False)
class LeastSquaresFit:
    """OLS of all rows, the units ignored.

    ``se`` and ``se_robust`` (n_gamma,) are model-based and robust to dependence within units;
    ``loglik`` has the full constant, -n/2 ln(2 pi) with n = N - F (REML) or N (ML); sigma2 is RSS / (N - F).
    """

    gamma: np.ndarray
    se: np.ndarray
    se_robust: np.ndarray
    sigma2: float
    df: float
    loglik: float


def least_squares(fit: Estimates) -> LeastSquaresFit:
    """Give the OLS fit of all rows with both kinds of standard errors."""
    design = fit.law.plain(fit.design)
    if design.moments.unit_weight is not None:
        design = with_unit_weights(design)
    free, n = design.free, float(design.n.sum())
    root = design.to_gamma / np.sqrt(n)  # X'X of orthonormal columns is n I
    scores = np.einsum("jpf,jp->jf", design.standard_x(), design.as_standard(design.de))
    turned = scores @ design.to_gamma.T / n
    df = float(design.n_rows - design.n_fixed)
    rss = float(design.ee.sum())
    se, robust = np.sqrt(rss / df) * np.linalg.norm(root, axis=1), np.linalg.norm(turned, axis=0)
    robust[robust < ROUNDING * se] = 0.0
    logdet = -2.0 * float(np.linalg.slogdet(root)[1])
    reml = fit.method == "REML"
    m = design.n_rows - design.n_fixed * reml
    # at the variance that maximises it
    loglik = -0.5 * (m * np.log(2.0 * np.pi * rss / m) + reml * logdet + m)
    return LeastSquaresFit(design.gamma_ols[free], se[free], robust[free], rss / df, df, float(loglik))


def unit_regressions(design: Design) -> np.ndarray:
    """Give each unit's OLS coefficients, shape (J, q); nan where the unit lacks full rank."""
    fixed_part = design.level1_coefficients(design.gamma_ols)[:, design.random]
    return np.asarray(unit_ols(design)[0] + fixed_part)


def starting_effects(fit: Estimates) -> tuple[np.ndarray, np.ndarray]:
    """Give the fixed effects and their standard errors, (n_gamma,) each, by GLS at the starting values."""
    if fit.start is None:
        raise ValueError("only the hlm algorithm has starting values of its own")
    design = fit.law.plain(fit.design)
    system = fit.system if design is fit.design else standardise(design)
    theta, s2 = to_standard(system, fit.start.tau, fit.start.sigma2)
    at = evaluate(system, root_of(theta))
    scale, free = system.gamma_scale, design.free
    gamma = at.delta * scale + design.gamma_ols
    return gamma[free], (np.sqrt(s2 * np.diag(at.vg)) * scale)[free]


def loglik_on_hlms_constant(fit: Estimates) -> float:
    """Give a fit's log-likelihood with HLM's constant -floor(n / 2) ln(2 pi), whichever algorithm made it."""
    if fit.algorithm == "hlm":
        return float(fit.loglik)
    n = fit.design.n_rows - fit.design.n_fixed * (fit.method == "REML")
    return float(fit.loglik + 0.5 * n * LOG_2PI - (n // 2) * HLM_LOG_2PI)
