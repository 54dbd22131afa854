"""The range of units' mean outcomes, and the interval of a new unit's, where the outcome is not normal.

A unit's linear predictor is normal over units, and the link keeps order: the ends on the scale of the outcome
are those on that of the link, carried over (Raudenbush & Bryk 2002, p. 297). The middle is the mean of a
typical unit, u = 0, which is the median over units and not their mean.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtri

from ..arguments import check_prob
from ..derived.plausible import PlausibleRange, PredictionInterval, plausible_range, prediction_interval
from ..errors import HypothesisError
from ..hglm.averages import nodes_along
from ..hglm.estimates import GeneralizedEstimates
from ..labelled import table
from ..labels import Sentence
from ..laws.law import Need
from ..text_table import number_format
from .new_rows import x_of
from .reference import Variable, grid, held_at, variables, z_of
from .response import Scale, check_scale

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class MeanOfUnits:
    """A mean outcome over units: ``of`` what; ends, that of a typical unit (u = 0), and the mean of all."""

    of: str
    low: float
    at_zero: float
    mean: float
    high: float


@dataclass(frozen=True, slots=True, repr=False)
class MeansOfUnits(Sentence):
    """The range that holds a share ``prob`` of the units' mean outcomes, of rows with the values ``at``.

    ``means``: one, or the probability of each category of an ordinal outcome or a lower one. ``new``: the
    errors of the fixed effects are in it, and it holds a new unit's mean with probability ``prob``.
    """

    means: tuple[MeanOfUnits, ...]
    prob: float
    at: Mapping[str, Any]
    new: bool
    notes: tuple[str, ...] = ()

    def frame(self) -> pd.DataFrame:
        """Tabulate the ranges: low, at_zero, mean, high; the index says of what."""
        columns = {name: [getattr(each, name) for each in self.means] for name in MeanOfUnits.__slots__[1:]}
        return table(columns, [each.of for each in self.means], "of")

    def __str__(self) -> str:
        where = ", ".join(
            f"{name} = {value:g}" if isinstance(value, float) else f"{name} = {value}"
            for name, value in self.at.items()
        )
        share, where = f"{100 * self.prob:g} %", f" where {where}" if where else ""
        said = f"{share} prediction interval of a new unit's" if self.new else f"{share} of units have their"
        between, to = (": ", "to") if self.new else (" between ", "and")
        how = number_format([end for each in self.means for end in (each.low, each.high)])
        lines = [
            f"{said} {each.of}{where}{between}{each.low:{how}} {to} {each.high:{how}} "
            f"(a typical unit {each.at_zero:{how}}, mean over units {each.mean:{how}})"
            for each in self.means
        ]
        return "\n".join([*lines, *self.notes])


def plausible_range_generalized(
    fit: GeneralizedEstimates, coefficient: str | None = None, *, scale: Scale = "link", prob: float = 0.95,
    at: Mapping[str, Any] | None = None,
) -> PlausibleRange | MeansOfUnits:  # fmt: skip
    """Give the range that holds most units' values of a coefficient, or of their mean outcome.

    Parameters
    ----------
    coefficient : str, optional
        "b0" (the default), "b1", ..., or the name of its variable; of the scale of the link only.
    scale : "link" or "response"
        A coefficient: mean +- 1.96 sqrt(tau_qq), as of normal outcomes. Or the probability (expected count)
        of a row in the unit, of ordinal outcomes that of each category or a lower one.
    prob : float
        Share of units the range is to hold.
    at : mapping, optional
        Values of the level-2 predictors of the coefficient; with ``scale="response"`` of any variables, the
        others at their means.

    Returns
    -------
    PlausibleRange, or MeansOfUnits for ``scale="response"``

    Raises
    ------
    HypothesisError
        No such coefficient or variable, no random effect; for ``scale="response"`` a coefficient, or an
        outcome whose categories have equations of their own.
    """
    check_scale(scale)
    if scale == "link":
        return plausible_range(fit, coefficient or "b0", prob=prob, at=at)
    return _of_outcome(fit, coefficient, prob, at, new=False)


def prediction_interval_generalized(
    fit: GeneralizedEstimates, coefficient: str | None = None, *, scale: Scale = "link", prob: float = 0.95,
    at: Mapping[str, Any] | None = None, df: float | None = None,
) -> PredictionInterval | MeansOfUnits:  # fmt: skip
    """Give the interval in which a new unit's coefficient is expected, or its mean outcome.

    As `plausible_range`, with the errors of the fixed effects: mean +- 1.96 sqrt(se^2 + tau_qq). ``df`` are
    degrees of freedom, infinite by default, on the scale of the link.
    """
    check_scale(scale)
    if scale == "link":
        return prediction_interval(fit, coefficient or "b0", prob=prob, at=at, df=df)
    if df is not None:
        raise HypothesisError('df= is for scale="link": leave it out')
    return _of_outcome(fit, coefficient, prob, at, new=True)


def _of_outcome(
    fit: GeneralizedEstimates, coefficient: str | None, prob: float, at: Mapping[str, Any] | None, *,
    new: bool,
) -> MeansOfUnits:  # fmt: skip
    check_prob(prob)
    fit.require("a range of units' means", Need.ONE_EQUATION)
    _check(fit, coefficient)
    known = variables(fit.design, fit.data)
    held = held_at(known, at)
    effects = grid(fit.design, known, {key: [value] for key, value in held.items()}, 1, fit.data)
    x, z, law = x_of(fit.design, effects)[0], z_of(fit.design, effects)[0], fit.law.of_categories
    tau = float(z @ fit.tau_values @ z)
    cuts = np.r_[0.0, fit.law.fixed_cuts]
    eta, error = x @ fit.gamma_free + cuts, _variances(fit, x, len(cuts)) if new else 0.0
    reach = float(ndtri(0.5 + prob / 2.0)) * np.sqrt(tau + error)
    nodes, weight = nodes_along()
    means = law.inverse_link(eta[:, None] + np.sqrt(tau) * nodes) @ weight
    lines = (law.inverse_link(eta - reach), law.inverse_link(eta), means, law.inverse_link(eta + reach))
    others = [v for key, v in known.items() if key not in held and not v.deviations]
    said = list(_elsewhere(others))
    said += ["The variance is estimated as zero: units do not differ."] if tau == 0.0 else []
    named = {known[key].name: value for key, value in held.items()}
    return MeansOfUnits(
        tuple(MeanOfUnits(of, *map(float, v)) for of, *v in zip(_words(fit), *lines, strict=True)),
        prob, named, new, tuple(said),
    )  # fmt: skip


def _elsewhere(others: Sequence[Variable]) -> Iterator[str]:
    """Say at which values the variables are that at= does not name."""
    numbers = ", ".join(v.name for v in others if not v.levels)
    factors = ", ".join(v.name for v in others if v.levels)
    if numbers:
        yield f"{numbers}: at the mean of the rows; at= takes other values."
    if factors:
        yield f"{factors}: averaged over the levels, on the scale of the link; at= takes one."


def _check(fit: GeneralizedEstimates, coefficient: str | None) -> None:
    if coefficient is not None:
        raise HypothesisError(
            f'{coefficient} is on the scale of the link: with scale="response" the range is of the mean '
            "outcome of a row, and at= says with which values; leave the coefficient out"
        )
    if not fit.design.n_random:
        raise HypothesisError("the model has no random effect: the mean outcome is the same in all units")


def _variances(fit: GeneralizedEstimates, x: np.ndarray, n_cuts: int) -> np.ndarray:
    """Give the variances of the linear predictor of a row x (F,) at each cut, the first of which is 0."""
    F, T = fit.design.n_fixed, n_cuts - 1
    covariance = fit.valid_covariance
    keep = np.r_[np.arange(F), np.arange(len(covariance) - T, len(covariance))]  # cuts go last
    rows = np.hstack([np.tile(x, (n_cuts, 1)), np.eye(n_cuts)[:, 1:]])
    return np.asarray(np.einsum("np,pq,nq->n", rows, covariance[np.ix_(keep, keep)], rows))


def _words(fit: GeneralizedEstimates) -> list[str]:
    """Say what the means are of, at each cut."""
    outcome = fit.model.outcome
    if fit.has(Need.ONE_MEAN):
        return [fit.law.expected(outcome, fit.law.size, {})]
    return [f"probability ({outcome} <= {label})" for label in fit.law.labels[:-1]]
