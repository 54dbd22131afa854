"""The range that holds most of the units' values of a level-1 coefficient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from ..arguments import check_prob
from ..equations.model import TwoLevelModel
from ..errors import HypothesisError
from ..estimation.estimates import Estimates
from ..labelled import table
from ..labels import Sentence
from ..likelihood.design import Design

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
    notes: tuple[str, ...] = ()

    def frame(self) -> pd.DataFrame:
        """Tabulate the range's two ends and its middle."""
        return table({"estimate": [self.low, self.center, self.high]}, ["low", "middle", "high"])

    def __str__(self) -> str:
        where = ", ".join(f"{name} = {value:g}" for name, value in self.at.items())
        text = (
            f"{100 * self.prob:g} % of units have {self.coefficient} between {self.low:.4f} and "
            f"{self.high:.4f}{' where ' + where if where else ''} ({self.formula})"
        )
        return "\n".join([text, *self.notes])


def plausible_range(
    fit: Estimates, coefficient: str = "b0", *, prob: float = 0.95, at: Mapping[str, float] | None = None
) -> PlausibleRange:
    """Give the range of the units' values of a coefficient: mean +- 1.96 sqrt(tau_qq).

    Raudenbush & Bryk (2002, ch. 4).

    Parameters
    ----------
    coefficient : str
        "b0", "b1", ...
    prob : float
        Share of units the range is to hold.
    at : mapping of str to float, optional
        Values of the level-2 predictors, in the units of the data; zero where not given (the grand
        mean for a predictor centred about it).

    Raises
    ------
    HypothesisError
        No such coefficient, one without a random effect, or a predictor it does not have.
    """
    check_prob(prob)
    weights, used = middle_of(fit.model, fit.design, coefficient, at)
    name = coefficient.strip().lower()
    k = fit.random_names.index(name)
    center = sum((float(fit.gamma[gamma]) * weight for gamma, weight in weights.items()), 0.0)
    sd = float(np.sqrt(fit.components.tau[k, k]))
    z = float(ndtri(0.5 + prob / 2.0))
    own = fit.model.coefficients[fit.design.random[k]]
    mean = " + ".join(
        g.name if g.predictor.variable is None else f"{g.name}*{g.predictor.variable}" for g in own.gammas
    )
    formula = f"{mean or '0'} +- {z:.2f} sqrt(tau[{name}])"
    notes = ("The variance is estimated as zero: the range is a point.",) if sd == 0 else ()
    return PlausibleRange(name, center, sd, center - z * sd, center + z * sd, prob, used, formula, notes)


def middle_of(
    model: TwoLevelModel, design: Design, coefficient: str, at: Mapping[str, float] | None
) -> tuple[dict[str, float], dict[str, float]]:
    """Give what each gamma counts in the mean of a coefficient, and the level-2 values that is at."""
    name = str(coefficient).strip().lower()
    random = [model.coefficients[r] for r in design.random]
    own = next((c for c in random if c.name == name), None)
    if own is None:
        kind = "does not vary at random" if name in model.coefficient_names else "is not in the model"
        raise HypothesisError(
            f"{coefficient} {kind}; coefficients that do, and so have a plausible range: "
            f"{', '.join(c.name for c in random) or 'none'}"
        )
    if at is not None and not isinstance(at, Mapping):
        raise HypothesisError(f'at= wants values of level-2 predictors, {{"sector": 1}}, got {at!r}')
    values: dict[str, float] = {}
    for key, value in (at or {}).items():
        if not isinstance(value, Real) or not np.isfinite(value):
            raise HypothesisError(f"at={key!r}: a number is wanted, got {value!r}")
        values[str(key).lower()] = float(value)
    weights, used = {}, {}
    for gamma in own.gammas:
        variable = gamma.predictor.variable
        if variable is None:
            weights[gamma.name] = 1.0
            continue
        middle = design.centers.get(variable.lower(), 0.0) if gamma.predictor.centering == "grand" else 0.0
        used[variable] = values.pop(variable.lower(), middle)
        weights[gamma.name] = used[variable] - middle
    if values:
        raise HypothesisError(
            f"{', '.join(values)}: not a level-2 predictor of {name} ({', '.join(used) or 'it has none'})"
        )
    return weights, used
