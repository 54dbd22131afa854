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
from ..estimation.prepare import Level1Asked
from ..faces import Face, asked, shown
from ..many_fits.imputed_posterior import PooledSample, draw_pooled, pooled_summary
from ..posterior import derived
from ..posterior.contrasts import contrast, drawn_ratios
from ..priors.priors import Priors
from ..sampling.settings import Settings
from .generalized_posterior import GeneralizedPosterior
from .not_normal import refuse_given
from .other_outcomes import OtherOutcome
from .posterior import Posterior


class AnyPooledPosterior(Face):
    """Draws given m completed data sets; ``pooled["g01"]`` are those of one parameter, (m * chain, draw)."""

    __slots__ = ()
    _record: PooledSample

    names: tuple[str, ...] = shown("names", "Numbers of the data sets, or names of the plausible values.")
    warnings: tuple[str, ...] = shown("warnings", "What the samplers warn of, each with its data set.")

    draws = asked(PooledSample.values)

    def __getitem__(self, name: str) -> np.ndarray:
        return self._record.scalar(name)

    summary = asked(pooled_summary)
    contrast = asked(contrast)

    def __repr__(self) -> str:
        table = str(self.summary())
        head = f"Draws given {len(self.names)} completed data sets ({', '.join(self.names)}), taken together"
        return "\n".join([head, table, *self.warnings])


class PooledPosterior(AnyPooledPosterior):
    """Draws given m completed data sets; ``pooled["g01"]`` are those of one parameter, (m * chain, draw)."""

    __slots__ = ()

    @property
    def posteriors(self) -> tuple[Posterior, ...]:
        """The posteriors given each data set."""
        return tuple(Posterior(sample) for sample in self._record.samples)

    icc = asked(derived.icc)


class PooledGeneralizedPosterior(OtherOutcome, AnyPooledPosterior):
    """The same of a model whose outcome is not normal; all is on the scale of the link."""

    __slots__ = ()
    normal = PooledPosterior
    instead = "draws, summary, contrast, ratios and icc are of all draws; posteriors has each posterior"

    @property
    def posteriors(self) -> tuple[GeneralizedPosterior, ...]:
        """The posteriors given each data set."""
        return tuple(GeneralizedPosterior(sample) for sample in self._record.samples)

    icc = asked(derived.icc_on_link)
    ratios = asked(drawn_ratios)


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
) -> Any:
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

    Returns
    -------
    PooledPosterior; of an outcome that is not normal a PooledGeneralizedPosterior

    Raises
    ------
    DataError
        Data sets that differ in variables, units or rows; fewer than two.
    """
    settings = Settings(
        seed=seed_or_new(seed, SamplingError), **accepted(Settings, options, "sample_imputed")
    )
    names = one_or_several(outcomes)
    level1 = Level1Asked(
        frequency=frequency, precision=precision, variance_known=variance_known, sigma2=sigma2
    )
    if not model.outcome_law.is_normal:
        refuse_given(model, level1)
    drawn = draw_pooled(model, data, names, priors, settings, marginal=marginal, **level1)
    return (PooledPosterior if model.outcome_law.is_normal else PooledGeneralizedPosterior)(drawn)
