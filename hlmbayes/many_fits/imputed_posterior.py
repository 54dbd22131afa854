"""Imputed data and plausible values in the Bayesian engine: the draws of all data sets, taken together.

The posterior given incomplete data is the mixture of the posteriors given each completed data set, so
equally many draws from each are draws from it (Gelman et al. 2013, sec. 18.2). Whether a sampler
converged is judged within each data set: between them draws are meant to differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from ..data.imputed import named
from ..equations.model import TwoLevelModel
from ..estimation.prepare import Level1Asked, law_and_counting, prepare
from ..labelled import numbers_table
from ..laws.law import Law
from ..likelihood.design import Design
from ..posterior.draw import draw_link, draw_posterior
from ..posterior.summaries import bounds, interval
from ..priors.priors import Priors, ready_on_link
from ..sampling.settings import Settings, checked
from .pooled_fit import check_alike, model_and_data

if TYPE_CHECKING:
    import pandas as pd

    from ..data.two_level import TwoLevelData


@dataclass(frozen=True, eq=False)
class PooledSample:
    """Posteriors of one model given m completed data sets.

    ``names`` are the numbers of the data sets, or the names of the plausible values.
    """

    samples: tuple[Any, ...]  # PosteriorSample each, or LinkSample where the outcome is not normal
    names: tuple[str, ...]

    @property
    def model(self) -> TwoLevelModel:
        """The model (of the first plausible value)."""
        model: TwoLevelModel = self.samples[0].model
        return model

    def values(self, name: str) -> np.ndarray:
        """Give the draws of "gamma", "sigma", "tau", ... of all data sets, (m * chain, draw, ...)."""
        return np.concatenate([sample.values(name) for sample in self.samples])

    def scalar(self, name: str) -> np.ndarray:
        """Give the draws of one scalar of the summary, (m * chain, draw)."""
        return np.concatenate([sample.scalar(name) for sample in self.samples])

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the samplers of the data sets warn of, each with its data set."""
        said = zip(self.names, (sample.convergence for sample in self.samples), strict=True)
        return tuple(f"Data set {name}: {convergence}" for name, convergence in said if not convergence.ok)


def pooled_summary(pooled: PooledSample, prob: float = 0.95) -> pd.DataFrame:
    """Tabulate the parameters over all draws: name, mean, median, sd, equal-tailed interval, between.

    ``between`` is the share of the posterior variance that lies between the data sets: what is not known
    because values were missing.
    """
    first, rows, (low_name, high_name) = pooled.samples[0], {}, bounds(prob)
    for name in first.scalars:
        x = pooled.scalar(name)
        low, high = interval(x, prob)
        variance = float(x.var())
        means = np.array([sample.scalar(name).mean() for sample in pooled.samples])
        between = float(means.var()) / variance if variance > 0 else 0.0
        rows[name] = {
            "mean": x.mean(), "median": np.median(x), "sd": x.std(ddof=1), low_name: low, high_name: high,
            "between": between,
        }  # fmt: skip
    return numbers_table(rows, first.parameters.name_of, first.labels)


def draw_pooled(
    model: TwoLevelModel, data: TwoLevelData | Sequence[TwoLevelData], outcomes: tuple[str, ...],
    priors: Priors | None, settings: Settings, *, marginal: bool = True, **level1: Unpack[Level1Asked],
) -> PooledSample:  # fmt: skip
    """Draw from the posterior given every data set; see `hlmbayes.front.pooled_posterior.sample_imputed`."""
    runs, settings = model_and_data(model, data, outcomes), checked(settings)
    check_alike([(name, *named(name, partial(_joined, m, d, priors, level1))) for name, m, d in runs])
    seeds = np.random.SeedSequence(settings.seed).generate_state(len(runs))
    samples = []
    for (name, each, one), seed in zip(runs, seeds, strict=True):
        own = replace(settings, seed=int(seed))
        if model.outcome_law.is_normal:
            law, weights = law_and_counting(each, **level1)
            draw: Any = partial(draw_posterior, law=law, weights=weights)
        else:
            draw = draw_link
        samples.append(named(name, partial(draw, each, one, priors, own, marginal=marginal)))
    return PooledSample(tuple(samples), tuple(name for name, _, _ in runs))


def _joined(
    model: TwoLevelModel, data: TwoLevelData, priors: Priors | None, level1: Level1Asked
) -> tuple[Design, Law]:
    """Join a model and data as for a posterior: drawing takes long, what is unlike is refused before it."""
    if not model.outcome_law.is_normal:
        prepared, _, link_law = ready_on_link(model, data, priors)
        return prepared.design, link_law
    law, weights = law_and_counting(model, **level1)
    prepared = prepare(model, data, law=law, weights=weights)
    return prepared.design, prepared.law
