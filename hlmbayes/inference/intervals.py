"""Confidence intervals of the fixed effects, and of the coefficients of log(sigma2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scipy.special import ndtri, stdtrit

from ..arguments import check_prob
from ..estimation.estimates import Estimates
from ..laws.law import Alpha
from .covariances import table_kind
from .hlm_tables import fixed_effects


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval: parameter, estimate, limits, and the method in a word."""

    parameter: str
    estimate: float
    low: float
    high: float
    method: str


def fixed_intervals(
    fit: Estimates, *, prob: float = 0.95, robust: bool | str | None = None, df: str | None = None
) -> tuple[Interval, ...]:
    """Give t intervals of the fixed effects, with the standard errors and d.f. of `fixed_effects`."""
    check_prob(prob)
    kind = table_kind(fit, robust, df)
    rows = fixed_effects(fit, kind)
    # where there is no robust standard error (it is zero) there is no interval
    reach = [float(stdtrit(min(row.df, 1e15), 0.5 + prob / 2.0)) * (row.se or float("nan")) for row in rows]
    methods = [f"not available: {row.lacks}" if row.lacks else kind.interval_method() for row in rows]
    return tuple(
        Interval(r.name, r.coefficient, r.coefficient - h, r.coefficient + h, method)
        for r, h, method in zip(rows, reach, methods, strict=True)
    )


def alpha_intervals(alphas: Sequence[Alpha], *, prob: float) -> tuple[Interval, ...]:
    """Give normal intervals of the coefficients of log(sigma2), from their standard errors."""
    check_prob(prob)
    z = float(ndtri(0.5 + prob / 2.0))
    return tuple(
        Interval(a.name, a.estimate, a.estimate - z * a.se, a.estimate + z * a.se, "normal") for a in alphas
    )
