"""The range that holds most of the units' values of a coefficient, and the interval of a new unit's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from numbers import Real
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy.special import ndtri, stdtrit

from ..arguments import check_prob
from ..equations.model import TwoLevelModel
from ..equations.names import coefficient_parameters
from ..errors import HypothesisError
from ..estimation.fitted import Fitted
from ..inference.covariances import table_kind
from ..labelled import table
from ..labels import Sentence
from ..likelihood.design import Design
from ..naming import Parameter
from ..text_table import number_format
from .factor_levels import at_levels

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, repr=False)
class PlausibleRange(Sentence):
    """The range that holds a share ``prob`` of the units' values of a level-1 coefficient.

    ``center`` and ``sd`` are over units that have the values ``at`` of the level-2 predictors, in the units
    of the data.
    """

    coefficient: str
    center: float
    sd: float
    low: float
    high: float
    prob: float
    at: Mapping[str, float]
    formula: str
    name: str = ""  # of the coefficient
    notes: tuple[str, ...] = ()

    def frame(self) -> pd.DataFrame:
        """Tabulate the range's two ends and its middle."""
        return table({"estimate": [self.low, self.center, self.high]}, ["low", "middle", "high"])

    def __str__(self) -> str:
        what, how = Parameter(self.coefficient, self.name), number_format([self.low, self.high])
        text = (
            f"{100 * self.prob:g} % of units have {what} between {self.low:{how}} and "
            f"{self.high:{how}}{where(self.at)} ({self.formula})"
        )
        return "\n".join([text, *self.notes])


def plausible_range(
    fit: Fitted, coefficient: str = "b0", *, prob: float = 0.95, at: Mapping[str, Any] | None = None
) -> PlausibleRange:
    """Give the range of the units' values of a coefficient: mean +- 1.96 sqrt(tau_qq).

    Raudenbush & Bryk (2002, ch. 4).

    Parameters
    ----------
    coefficient : str
        "b0", "b1", ..., or the name of its variable: "intercept", "ses".
    prob : float
        Share of units the range is to hold.
    at : mapping, optional
        Values of the level-2 predictors, in the units of the data: ``{"size": 0}``, of a factor a level:
        ``{"sector": "public"}``. By default each is at its mean over the units, as few units have the value
        zero on all of them.

    Raises
    ------
    HypothesisError
        No such coefficient, one without a random effect, or a predictor it does not have.
    """
    check_prob(prob)
    middle = middle_of(fit.model, fit.design, coefficient, at)
    name = middle.coefficient.code
    k = fit.random_names.index(name)
    center = sum((float(fit.gamma[gamma]) * weight for gamma, weight in middle.weights.items()), 0.0)
    sd = float(np.sqrt(np.asarray(fit.tau)[k, k]))
    z = float(ndtri(0.5 + prob / 2.0))
    own = fit.model.coefficients[fit.design.random[k]]
    mean = " + ".join(
        g.name if g.predictor.variable is None else f"{g.name}*{g.predictor.variable}" for g in own.gammas
    )
    formula = f"{mean or '0'} +- {z:.2f} sqrt(tau[{name}])"
    point = ("The variance is estimated as zero: the range is a point.",) if sd == 0 else ()
    notes = (*middle.notes, *point)
    low, high = center - z * sd, center + z * sd
    return PlausibleRange(
        name, center, sd, low, high, prob, middle.at, formula, middle.coefficient.name, notes
    )


def where(at: Mapping[str, float]) -> str:
    """Say which values the level-2 predictors have, if there are any."""
    said = ", ".join(f"{name} = {value:g}" for name, value in at.items())
    return f" where {said}" if said else ""


class Middle(NamedTuple):
    """The mean of a coefficient: what each gamma counts in it, the level-2 values it is at, and notes."""

    coefficient: Parameter
    weights: dict[str, float]
    at: dict[str, float]
    notes: tuple[str, ...]


def middle_of(model: TwoLevelModel, design: Design, coefficient: str, at: Mapping[str, Any] | None) -> Middle:
    """Give the mean of a coefficient over units with level-2 values ``at``, their means where not given."""
    random = model.random_parameters
    if not (random.matching(coefficient) or random.columns(coefficient)):
        known = coefficient_parameters(model.coefficients)
        there = known.matching(coefficient) or known.columns(coefficient)
        kind = "does not vary at random" if there else "is not in the model"
        raise HypothesisError(
            f"{coefficient} {kind}; coefficients that do, and so have a plausible range: "
            f"{', '.join(random.shown(random.codes)) or 'none'}"
        )
    name = random.find(coefficient, HypothesisError)
    own = next(c for c in model.coefficients if c.name == name)
    given = _values(design, at)
    weights, used, notes = dict[str, float](), dict[str, float](), list[str]()
    for gamma in own.gammas:
        variable = gamma.predictor.variable
        if variable is None:
            weights[gamma.name] = 1.0
            continue
        mean = level2_mean(design, variable)
        notes += [] if variable.lower() in given else [variable]
        used[variable] = given.pop(variable.lower(), mean)
        weights[gamma.name] = used[variable] - (mean if gamma.predictor.centering == "grand" else 0.0)
    if given:
        raise HypothesisError(
            f"{', '.join(given)}: not a level-2 predictor of {random.by_code[name]} "
            f"({', '.join(used) or 'it has none'})"
        )
    said = (f"{', '.join(notes)}: at the mean of the units; at= takes other values.",) if notes else ()
    return Middle(random.by_code[name], weights, used, said)


def _values(design: Design, at: Mapping[str, Any] | None) -> dict[str, float]:
    """Check the level-2 values that are asked for; give them by names of columns in small letters."""
    if at is not None and not isinstance(at, Mapping):
        raise HypothesisError(f'at= wants values of level-2 predictors, {{"sector": 1}}, got {at!r}')
    found: dict[str, float] = {}
    for key, value in (at or {}).items():
        if columns := at_levels(design, 2, str(key), [value]):
            found |= columns[0]
        elif not isinstance(value, Real) or not isfinite(value):
            raise HypothesisError(f"at={key!r}: a number is wanted, got {value!r}")
        else:
            found[str(key).lower()] = float(value)
    return found


def level2_mean(design: Design, variable: str) -> float:
    """Give the mean of a level-2 variable over the units, by their weights where they have any."""
    moments = design.moments
    return float(np.average(np.asarray(moments.level2_values(variable), float), weights=moments.unit_weight))


@dataclass(frozen=True, slots=True, repr=False)
class PredictionInterval(Sentence):
    """The interval that holds a new unit's coefficient with probability ``prob``.

    ``mean`` and its standard error ``se`` are those of all units with the values ``at`` of the level-2
    predictors; ``sd``, the root of se^2 + tau, is that of the new unit's. ``df``: of the t-distribution.
    """

    coefficient: str
    mean: float
    se: float
    sd: float
    low: float
    high: float
    prob: float
    df: float
    at: Mapping[str, float]
    notes: tuple[str, ...] = ()

    def frame(self) -> pd.DataFrame:
        """Tabulate the interval's ends and its middle."""
        return table({"estimate": [self.low, self.mean, self.high]}, ["low", "middle", "high"])

    def __str__(self) -> str:
        how = number_format([self.low, self.high])
        text = (
            f"{100 * self.prob:g} % prediction interval of {self.coefficient} in a new unit"
            f"{where(self.at)}: {self.low:{how}} to {self.high:{how}} (mean {self.mean:{how}}, "
            f"s.e. {self.se:{how}}, {self.basis})"
        )
        return "\n".join([text, *self.notes])

    @property
    def basis(self) -> str:
        """What the ends were found with, in words."""
        return "normal" if self.df == np.inf else f"t on {self.df:g} d.f."


def prediction_interval(
    fit: Fitted, coefficient: str = "b0", *, prob: float = 0.95, at: Mapping[str, Any] | None = None,
    df: float | None = None,
) -> PredictionInterval:  # fmt: skip
    """Give the interval in which a new unit's coefficient is expected: mean +- t sqrt(se^2 + tau_qq).

    Where `plausible_range` takes the mean as known, this does not. In a meta-analysis it is the interval of
    a new study's true effect: metafor's with test = "t".

    Parameters
    ----------
    coefficient : str
        "b0", "b1", ..., or the name of its variable: "intercept", "ses".
    prob : float
    at : mapping, optional
        Values of the level-2 predictors, as for `plausible_range`.
    df : float, optional
        Degrees of freedom; J less the fixed effects of the coefficient by default, as in the table of fixed
        effects, and infinity where the outcome is not normal. Infinity gives normal quantiles (metafor's
        default), J - 2 those of Higgins, Thompson & Spiegelhalter (2009).

    Raises
    ------
    HypothesisError
        No such coefficient, one without a random effect, a predictor it does not have, or no d.f.
    """
    check_prob(prob)
    middle = middle_of(fit.model, fit.design, coefficient, at)
    name = middle.coefficient.code
    k = fit.random_names.index(name)
    own_df = fit.n_units - len(fit.design.columns[fit.design.random[k]]) if fit.law.of_normal else np.inf
    df = float(own_df) if df is None else df
    if isinstance(df, bool) or not isinstance(df, int | float) or not df > 0:
        raise HypothesisError(
            f"df= wants degrees of freedom, a number above 0 (infinity: normal), got {df!r}"
        )
    vector = np.zeros(fit.design.n_fixed)
    for gamma, weight in middle.weights.items():
        vector[fit.design.free[fit.model.gamma_names.index(gamma)]] += weight
    se = float(np.sqrt(vector @ table_kind(fit, None, None).matrix(fit) @ vector))
    mean, sd = float(vector @ fit.gamma_free), float(np.hypot(se, np.sqrt(np.asarray(fit.tau)[k, k])))
    quantile = ndtri(0.5 + prob / 2.0) if df == np.inf else stdtrit(df, 0.5 + prob / 2.0)
    low, high = mean - quantile * sd, mean + quantile * sd
    return PredictionInterval(
        name, mean, se, sd, float(low), float(high), prob, float(df), middle.at, middle.notes
    )
