"""Imputed data and plausible values in the Bayesian engine: the draws of all data sets, taken together.

The posterior given incomplete data is the mixture of the posteriors given each completed data set, so
equally many draws from each are draws from it (Gelman et al. 2013, sec. 18.2). Whether a sampler
converged is judged within each data set: between them draws are meant to differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arguments import one_or_several, seed_or_none
from ..data.imputed import named
from ..errors import SamplingError
from .pooled_fit import model_and_data

if TYPE_CHECKING:
    import pandas as pd

    from ..data.two_level import TwoLevelData
    from ..equations.model import TwoLevelModel
    from ..posterior.posterior import Posterior


@dataclass(frozen=True, eq=False, repr=False)
class PooledPosterior:
    """Posteriors of one model given m completed data sets.

    Attributes
    ----------
    posteriors : tuple of m Posterior
    names : tuple of m str
        Numbers of the data sets, or names of the plausible values.
    """

    posteriors: tuple[Posterior, ...]
    names: tuple[str, ...]

    def draws(self, name: str) -> np.ndarray:
        """Give the draws of "gamma", "sigma", "tau", ... of all data sets, (m * chain, draw, ...)."""
        return np.concatenate([p.draws(name) for p in self.posteriors])

    def __getitem__(self, name: str) -> np.ndarray:
        """Give the draws of one scalar of the summary: pooled["g01"], (m * chain, draw)."""
        return np.concatenate([p[name] for p in self.posteriors])

    def summary(self, ci_prob: float = 0.95) -> pd.DataFrame:
        """Tabulate the parameters over all draws: mean, median, sd, equal-tailed interval, between.

        ``between`` is the share of the posterior variance that lies between the data sets: what is not
        known because values were missing.
        """
        import pandas as pd

        from ..posterior.summaries import bounds, interval

        names = list(self.posteriors[0].summary().index)
        rows = []
        for name in names:
            x = self[name]
            low, high = interval(x, ci_prob, "eti")
            variance = float(x.var())
            means = np.array([p[name].mean() for p in self.posteriors])
            between = float(means.var()) / variance if variance > 0 else 0.0
            rows.append([x.mean(), np.median(x), x.std(ddof=1), low, high, between])
        columns = ["mean", "median", "sd", *bounds(ci_prob, "eti"), "between"]
        return pd.DataFrame(rows, index=pd.Index(names), columns=columns)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the samplers of the data sets warn of, each with its data set."""
        return tuple(
            f"Data set {name}: {p.convergence}"
            for name, p in zip(self.names, self.posteriors, strict=True)
            if not p.convergence.ok
        )

    def __repr__(self) -> str:
        table = self.summary().to_string(float_format="{:.4g}".format)
        names = ", ".join(self.names)
        head = f"Draws given {len(self.posteriors)} completed data sets ({names}), taken together"
        return "\n".join([head, table, *self.warnings])


def sample_imputed(
    model: TwoLevelModel,
    data: TwoLevelData | Sequence[TwoLevelData],
    *,
    outcomes: str | Sequence[str] = (),
    seed: int | None = None,
    **options: Any,
) -> PooledPosterior:
    """Draw from the posterior given every imputed data set, or every plausible value, and take all draws.

    Parameters
    ----------
    model : TwoLevelModel
    data, outcomes
        As `hlmbayes.fit_imputed`.
    seed : int, optional
        The data sets get seeds that follow from it.
    **options
        As `hlmbayes.posterior.posterior.sample`.

    Raises
    ------
    DataError
        Data sets that differ in variables, units or rows; fewer than two.
    """
    runs = model_and_data(model, data, one_or_several(outcomes))
    seeds = np.random.SeedSequence(seed_or_none(seed, SamplingError)).generate_state(len(runs))
    posteriors = tuple(
        named(name, partial(each.sample, one, seed=int(own), **options))
        for (name, each, one), own in zip(runs, seeds, strict=True)
    )
    return PooledPosterior(posteriors, tuple(name for name, _, _ in runs))
