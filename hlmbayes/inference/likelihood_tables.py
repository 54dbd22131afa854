"""Tables of fits whose outcome is not normal: ratios, and the variances of the random effects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..equations.model import TwoLevelModel
from ..equations.names import cut_parameters
from ..errors import HypothesisError
from ..hglm.estimates import GeneralizedEstimates
from .intervals import Interval, fixed_intervals, normal_interval

WORDS = {
    "logit": "odds ratio", "cumlogit": "odds ratio", "mlogit": "odds ratio",
    "cloglog": "hazard ratio", "log": "event rate ratio",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ratio:
    """A line of the table of ratios: exp of a fixed effect and of its limits."""

    name: str
    ratio: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Component:
    """A line of the table of variances; ``se`` is that of the variance, nan on the boundary."""

    effect: str
    sd: float
    variance: float
    se: float


def ratios(fit: GeneralizedEstimates, robust: bool | None = None, prob: float = 0.95) -> tuple[Ratio, ...]:
    """Give exp of the fixed effects with limits; HypothesisError for a probit link."""
    refuse_no_ratio(fit.model)
    rows = fixed_intervals(fit, prob=prob, robust=robust)
    with np.errstate(over="ignore"):
        return tuple(
            Ratio(row.parameter, *np.exp([row.estimate, row.low, row.high]).tolist()) for row in rows
        )


def refuse_no_ratio(model: TwoLevelModel) -> None:
    """Raise where exp of a coefficient is no ratio."""
    link = model.outcome_law.link
    if link not in WORDS:
        raise HypothesisError(
            f"exp of a coefficient is no ratio with a {link} link: fixed_effects() has the coefficients, "
            "predict() and slopes() are on the scale of the outcome"
        )


@dataclass(frozen=True, slots=True)
class Cut:
    """A line of the table of cuts: that between a category and the next, counted from the lowest cut."""

    cut: str
    estimate: float
    se: float


def cuts(fit: GeneralizedEstimates, robust: bool | None = None) -> tuple[Cut, ...]:
    """Give the cuts between categories of an ordinal outcome; none of other outcomes."""
    values, errors = fit.law.fixed_cuts.tolist(), np.sqrt(np.diag(fit.covariance_by(robust))).tolist()
    codes = cut_parameters(len(values)).codes
    return tuple(Cut(*each) for each in zip(codes, values, errors[len(errors) - len(values) :], strict=True))


def cut_intervals(fit: GeneralizedEstimates, prob: float, robust: bool | None = None) -> tuple[Interval, ...]:
    """Give normal intervals of the cuts."""
    return tuple(normal_interval(row.cut, row.estimate, row.se, prob) for row in cuts(fit, robust))


def components(fit: GeneralizedEstimates) -> tuple[Component, ...]:
    """Give the variances of the random effects with standard errors."""
    variances, errors = np.diag(fit.tau_values).tolist(), np.diag(np.asarray(fit.se_tau)).tolist()
    return tuple(
        Component(name, v**0.5, v, se)
        for name, v, se in zip(fit.effect_names, variances, errors, strict=True)
    )
