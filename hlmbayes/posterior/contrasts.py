"""Combinations of fixed effects from draws, and ratios: mean, sd, interval, probability of direction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arguments import check_prob
from ..hypotheses.combinations import stacked
from ..inference.likelihood_tables import refuse_no_ratio
from ..labelled import parameter_table, table
from ..labels import Sentence
from .record import Drawn, LinkSample, Together
from .summaries import bounds, interval

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class DrawnContrast(Sentence):
    """Posterior of combinations of fixed effects; each array is (r,), ``draws`` (r, chain, draw).

    ``low`` and ``high`` are equal-tailed limits of probability ``prob``. ``direction``: the share of the
    draws on the side of ``value`` where most of them are, the probability of direction.
    """

    combination: tuple[str, ...]
    names: tuple[str, ...]
    value: np.ndarray
    mean: np.ndarray
    median: np.ndarray
    sd: np.ndarray
    low: np.ndarray
    high: np.ndarray
    direction: np.ndarray
    prob: float
    draws: np.ndarray

    def frame(self) -> pd.DataFrame:
        """Tabulate the combinations, one row each."""
        columns = {"name": self.names, **{name: getattr(self, name) for name in ("mean", "median", "sd")}}
        columns |= dict(zip(bounds(self.prob), (self.low, self.high), strict=True))
        columns |= {"value": self.value, "direction": self.direction}
        return table(columns, self.combination, "combination")

    def __str__(self) -> str:
        rows = zip(
            self.combination, self.names, self.mean, self.sd, self.low, self.high, self.median, self.value,
            self.direction, strict=True,
        )  # fmt: skip
        return "\n".join(
            f"{code} ({name}): posterior mean {mean:.6g}, sd {sd:.6g}, {100 * self.prob:g} % interval "
            f"{low:.6g} to {high:.6g}; {100 * share:.2f} % of the draws are "
            f"{'above' if median > at else 'below'} {at:g}"
            for code, name, mean, sd, low, high, median, at, share in rows
        )


def contrast(posterior: Together[Drawn], *combinations: Any, prob: float = 0.95) -> DrawnContrast:
    """Give the posterior of combinations of fixed effects: mean, sd, interval, probability of direction.

    Of several data sets all draws are taken together.

    Parameters
    ----------
    *combinations
        As `Fit.contrast`: text, ``"g01 = g11"``, names with numbers, or rows of numbers.
    prob : float
        Probability of the equal-tailed intervals.

    Raises
    ------
    HypothesisError
        No such fixed effect, rows of different length, a row that says nothing.
    """
    check_prob(prob)
    design = posterior.samples[0].target.design
    asked = stacked(design.model, combinations)
    asked.free(design)  # refuses what says nothing
    draws = np.tensordot(asked.matrix, np.array([posterior.scalar(name) for name in asked.known.codes]), 1)
    return of_values(asked.left, asked.named, asked.value, draws, prob)


def of_values(
    texts: tuple[str, ...], names: tuple[str, ...], value: np.ndarray, draws: np.ndarray, prob: float
) -> DrawnContrast:
    """Sum up draws (r, chain, draw) of quantities, ``value`` (r,) what each is compared with."""
    flat, at = draws.reshape(len(draws), -1), value[:, None]
    low, high = np.quantile(flat, [0.5 - prob / 2, 0.5 + prob / 2], axis=1)
    direction = np.maximum(np.mean(flat > at, axis=1), np.mean(flat < at, axis=1))
    return DrawnContrast(
        texts, names, value, flat.mean(axis=1), np.median(flat, axis=1), flat.std(axis=1, ddof=1), low, high,
        direction, prob, draws,
    )  # fmt: skip


def drawn_ratios(posterior: Together[LinkSample], *, prob: float = 0.95) -> pd.DataFrame:
    """Tabulate exp of the fixed effects, odds ratios (event rate, hazard ratios): median and interval.

    They are unit-specific: of two rows of the same unit. ``above``: the probability that the ratio is above
    1. Of several data sets all draws are taken together.

    Raises
    ------
    HypothesisError
        A probit link, of which exp means nothing.
    """
    first = posterior.samples[0]
    refuse_no_ratio(first.model)
    low, high = bounds(prob)
    codes = first.model.gamma_names
    draws = [posterior.scalar(code) for code in codes]
    with np.errstate(over="ignore"):
        ends = np.exp([interval(each, prob) for each in draws])
        medians = np.exp([np.median(each) for each in draws])
    columns = {"ratio": medians, low: ends[:, 0], high: ends[:, 1], "above": [np.mean(d > 0) for d in draws]}
    return parameter_table(columns, codes, first.parameters.name_of, "gamma", first.labels)
