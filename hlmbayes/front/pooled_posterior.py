"""`PooledPosterior`: the draws given several completed data sets, taken together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..arguments import accepted, in_words, one_or_several, seed_or_new
from ..data.two_level import TwoLevelData
from ..data.weights import Frequencies
from ..equations.model import TwoLevelModel
from ..errors import SamplingError
from ..faces import Face, asked, shown
from ..many_fits.imputed_posterior import (
    PooledSample,
    draw_pooled,
    pooled_draws_contrast,
    pooled_draws_icc,
    pooled_summary,
)
from ..priors.priors import Priors
from ..sampling.settings import Settings
from .posterior import Posterior


class PooledPosterior(Face):
    """Draws given m completed data sets; ``pooled["g01"]`` are those of one parameter, (m * chain, draw)."""

    __slots__ = ()
    _record: PooledSample

    @property
    def posteriors(self) -> tuple[Posterior, ...]:
        """The posteriors given each data set."""
        return tuple(Posterior(sample) for sample in self._record.samples)

    names: tuple[str, ...] = shown("names", "Numbers of the data sets, or names of the plausible values.")
    warnings: tuple[str, ...] = shown("warnings", "What the samplers warn of, each with its data set.")

    draws = asked(PooledSample.values)

    def __getitem__(self, name: str) -> np.ndarray:
        return self._record.scalar(name)

    summary = asked(pooled_summary)
    contrast = asked(pooled_draws_contrast)
    icc = asked(pooled_draws_icc)

    def __repr__(self) -> str:
        table = str(self.summary())
        head = f"Draws given {len(self.names)} completed data sets ({', '.join(self.names)}), taken together"
        return "\n".join([head, table, *self.warnings])


@in_words
def sample_imputed(
    model: TwoLevelModel,
    data: TwoLevelData | Sequence[TwoLevelData],
    *,
    outcomes: str | Sequence[str] = (),
    priors: Priors | None = None,
    seed: int | None = None,
    marginal: bool = True,
    frequency: Frequencies | None = None,
    precision: str | None = None,
    variance_known: str | None = None,
    sigma2: float | None = None,
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
    priors, marginal, frequency, precision, variance_known, sigma2, **options
        As `hlmbayes.front.draws.sample`.

    Raises
    ------
    DataError
        Data sets that differ in variables, units or rows; fewer than two.
    """
    settings = Settings(
        seed=seed_or_new(seed, SamplingError), **accepted(Settings, options, "sample_imputed")
    )
    names = one_or_several(outcomes)
    drawn = draw_pooled(
        model, data, names, priors, settings, marginal=marginal, frequency=frequency, precision=precision,
        variance_known=variance_known, sigma2=sigma2,
    )  # fmt: skip
    return PooledPosterior(drawn)
