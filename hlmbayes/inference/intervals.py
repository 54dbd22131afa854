"""Confidence intervals of the fixed effects, and of the coefficients of log(sigma2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scipy.special import ndtr, ndtri, stdtrit

from ..arguments import check_prob
from ..equations.names import INTERCEPT, gamma_parameters
from ..laws.law import Alpha
from .covariances import table_kind
from .hlm_tables import fixed_effects
from .same_data import Fitted


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval: parameter, estimate, limits, and the method in a word."""

    parameter: str
    estimate: float
    low: float
    high: float
    method: str


@dataclass(frozen=True, slots=True)
class EffectRow:
    """An effect as papers show it: ``code`` g01, ``name``, estimate, standard error, limits, d.f., p."""

    code: str
    name: str
    estimate: float
    se: float
    low: float
    high: float
    df: float
    p: float


def effect_rows(
    fit: Fitted, *, prob: float = 0.95, robust: bool | str | None = None, df: str | None = None
) -> tuple[EffectRow, ...]:
    """Give the fixed effects with their t intervals, named by their variables; of a constrained set each."""
    tests = fixed_effects(fit, table_kind(fit, robust, df))
    limits = fixed_intervals(fit, prob=prob, robust=robust, df=df)
    names = gamma_parameters(fit.model.coefficients).name_of
    return tuple(
        EffectRow(t.name, names[t.name], t.coefficient, t.se, limit.low, limit.high, t.df, t.p_value)
        for t, limit in zip(tests, limits, strict=True)
    )


def alpha_rows(fit: Fitted, *, prob: float = 0.95) -> tuple[EffectRow, ...]:
    """Give the coefficients of log(sigma2) with normal intervals, named by what they multiply."""
    alphas = fit.law.alphas
    found = []
    for k, (a, limit) in enumerate(zip(alphas, alpha_intervals(alphas, prob=prob), strict=True)):
        p, name = float(2.0 * ndtr(-abs(a.estimate / a.se))), a.variable if k else INTERCEPT
        found.append(EffectRow(a.name, name, a.estimate, a.se, limit.low, limit.high, float("inf"), p))
    return tuple(found)


def fixed_intervals(
    fit: Fitted, *, prob: float = 0.95, robust: bool | str | None = None, df: str | None = None
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
    return tuple(
        normal_interval(a.name, a.estimate, a.se, prob, "normal" if a.se > 0 else "not available: flat")
        for a in alphas
    )


def normal_interval(name: str, estimate: float, se: float, prob: float, method: str = "normal") -> Interval:
    """Give the interval of an estimate that is about normal."""
    reach = float(ndtri(0.5 + prob / 2.0)) * se
    return Interval(name, estimate, estimate - reach, estimate + reach, method)
