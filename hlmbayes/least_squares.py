"""What HLM prints before it iterates: OLS of all rows, the units' own OLS, effects at the starting values.

All from the moments; the units' regressions are of y minus the part of the fixed effects whose level-1
variable is not random (as in the chi-square tests of HLM 6.08's listing).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .hlm_path import hlm_loglik, to_standard, unit_ols
from .likelihood import evaluate

if TYPE_CHECKING:
    from .design import Design
    from .fit import Fit


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


def least_squares(fit: Fit) -> LeastSquaresFit:
    """Give the OLS fit of all rows with both kinds of standard errors."""
    design = fit.design
    x = design.x_blocks()
    xx = np.einsum("jpf,jpk,jkg->fg", x, design.dd, x, optimize=True)
    inverse = np.linalg.inv(xx)
    scores = np.einsum("jpf,jp->jf", x, design.de)
    df = float(design.n_rows - design.n_fixed)
    rss = float(design.ee.sum())
    robust = inverse @ (scores.T @ scores) @ inverse
    free = design.free
    return LeastSquaresFit(
        gamma=design.gamma_ols[free],
        se=np.sqrt(rss / df * np.diag(inverse))[free],
        se_robust=np.sqrt(np.diag(robust))[free],
        sigma2=rss / df,
        df=df,
        loglik=_loglik(design, rss, float(np.linalg.slogdet(xx)[1]), fit.method == "REML"),
    )


def _loglik(design: Design, rss: float, logdet_xx: float, reml: bool) -> float:
    """Give the (restricted) normal log-likelihood of OLS, at the variance that maximises it."""
    n = design.n_rows - design.n_fixed * reml
    return float(-0.5 * (n * np.log(2.0 * np.pi * rss / n) + reml * logdet_xx + n))


def unit_regressions(design: Design) -> np.ndarray:
    """Give each unit's OLS coefficients, shape (J, q); nan where the unit lacks full rank."""
    fixed_part = design.level1_coefficients(design.gamma_ols)[:, design.random]
    return unit_ols(design)[0] + fixed_part


def starting_effects(fit: Fit) -> tuple[np.ndarray, np.ndarray]:
    """Give the fixed effects and their standard errors, (n_gamma,) each, by GLS at the starting values."""
    if fit.start is None:
        raise ValueError("only the hlm algorithm has starting values of its own")
    theta, s2 = to_standard(fit.system, fit.start.tau, fit.start.sigma2)
    at = evaluate(fit.system, np.linalg.cholesky(theta) if len(theta) else theta)
    scale, free = fit.system.gamma_scale, fit.design.free
    gamma = at.delta * scale + fit.design.gamma_ols
    return gamma[free], (np.sqrt(s2 * np.diag(at.vg)) * scale)[free]


def loglik_on_hlms_constant(fit: Fit) -> float:
    """Give a fit's log-likelihood with HLM's constant, whichever algorithm made the fit."""
    s2 = to_standard(fit.system, fit.entering.tau, fit.entering.sigma2)[1]
    return hlm_loglik(fit.system, fit.at, s2, fit.method == "REML")
