"""The interval in which a new unit's coefficient is expected: a new study's effect, a new school's mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri, stdtrit

from ..arguments import check_prob
from ..errors import HypothesisError
from ..estimation.fitted import Fitted
from ..inference.covariances import table_kind
from ..labelled import table
from ..labels import Sentence
from .plausible import middle_of

if TYPE_CHECKING:
    import pandas as pd


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
        where = ", ".join(f"{name} = {value:g}" for name, value in self.at.items())
        text = (
            f"{100 * self.prob:g} % prediction interval of {self.coefficient} in a new unit"
            f"{' where ' + where if where else ''}: {self.low:.4f} to {self.high:.4f} (mean {self.mean:.4f}, "
            f"s.e. {self.se:.4f}, {self.basis})"
        )
        return "\n".join([text, *self.notes])

    @property
    def basis(self) -> str:
        """What the ends were found with, in words."""
        return "normal" if self.df == np.inf else f"t on {self.df:g} d.f."


def prediction_interval(
    fit: Fitted, coefficient: str = "b0", *, prob: float = 0.95, at: Mapping[str, float] | None = None,
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
    at : mapping of str to float, optional
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
