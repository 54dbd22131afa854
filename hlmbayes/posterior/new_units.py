"""What a posterior says of units not seen, and of how much studies differ: the twins of a fit's answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..arguments import check_prob
from ..derived.between_studies import shares, typical_variance
from ..derived.plausible import middle_of
from ..labelled import table
from ..labels import Sentence
from .record import PosteriorSample
from .summaries import interval

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class DrawnBetween(Sentence):
    """Posterior medians of I2 (per cent) and H2; ``draws`` of both, (chain, draw), by "i2" and "h2"."""

    i2: float
    h2: float
    typical_variance: float
    prob: float
    draws: Mapping[str, np.ndarray]

    def frame(self) -> pd.DataFrame:
        """Tabulate median and equal-tailed interval; index = i2, h2."""
        return _medians(self.draws, self.prob)

    def __str__(self) -> str:
        low, high = interval(self.draws["i2"], self.prob)
        return (
            f"I2: posterior median {self.i2:.2f} %, {100 * self.prob:g} % interval {low:.2f} to {high:.2f}; "
            f"H2 {self.h2:.3f}, at a typical sampling variance of {self.typical_variance:.6g}"
        )


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class DrawnPrediction(Sentence):
    """The posterior of a new unit's coefficient: median, equal-tailed interval, ``draws`` (chain, draw)."""

    coefficient: str
    median: float
    low: float
    high: float
    prob: float
    at: Mapping[str, float]
    draws: np.ndarray

    def frame(self) -> pd.DataFrame:
        """Tabulate median and interval."""
        return _medians({self.coefficient: self.draws}, self.prob)

    def __str__(self) -> str:
        where = ", ".join(f"{name} = {value:g}" for name, value in self.at.items())
        return (
            f"{self.coefficient} of a new unit{' where ' + where if where else ''}: median "
            f"{self.median:.4f}, {100 * self.prob:g} % interval {self.low:.4f} to {self.high:.4f}"
        )


def _medians(draws: Mapping[str, np.ndarray], prob: float) -> pd.DataFrame:
    ends = [interval(values, prob) for values in draws.values()]
    low, high = zip(*ends, strict=True)
    medians = [float(np.median(values)) for values in draws.values()]
    return table({"median": medians, "low": low, "high": high}, list(draws))


def i2(posterior: PosteriorSample, *, prob: float = 0.95) -> DrawnBetween:
    """Give the posterior of I2 and H2, how much studies with known variances differ; see `Fit.i2`."""
    check_prob(prob)
    target = posterior.target
    typical = typical_variance(target.design, target.law.law)
    name = posterior.model.random[0]
    draws = shares(posterior.scalar(f"tau[{name},{name}]"), typical)
    return DrawnBetween(float(np.median(draws["i2"])), float(np.median(draws["h2"])), typical, prob, draws)


def prediction_interval(
    posterior: PosteriorSample, coefficient: str = "b0", *, prob: float = 0.95,
    at: Mapping[str, float] | None = None,
) -> DrawnPrediction:  # fmt: skip
    """Give the posterior of a new unit's coefficient: a draw of it for each draw of gamma and tau.

    In a meta-analysis that of a new study's true effect. At level-2 predictors of zero, or ``at`` given
    values, with the posterior's own seed. Refuses what `Fit.prediction_interval` does.
    """
    check_prob(prob)
    found = middle_of(posterior.model, posterior.target.design, coefficient, at)
    name = found.coefficient.code
    sd = posterior.scalar(f"sd[{name}]")
    parts = (weight * posterior.scalar(gamma) for gamma, weight in found.weights.items())
    middle = sum(parts, np.zeros_like(sd))
    rng = np.random.default_rng([posterior.settings.seed, 7])
    draws = middle + sd * rng.standard_normal(sd.shape)
    low, high = interval(draws, prob)
    return DrawnPrediction(name, float(np.median(draws)), low, high, prob, found.at, draws)
