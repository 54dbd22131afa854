"""The doors to a posterior: `sample` and `build` of a model, its file, several priors side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Unpack

from ..arguments import in_words, seed_or_new
from ..data.weights import Frequencies, Weights
from ..equations.model import TwoLevelModel
from ..errors import SamplingError
from ..estimation.prepare import Level1Asked, law_and_counting
from ..faces import Face, record_of
from ..posterior import draw, predictive, prior_sensitivity
from ..posterior.record import Drawn, LinkSample, drawn_of
from ..priors.priors import NO_POSTERIOR, Priors
from ..sampling.settings import Settings
from .any_posterior import AnyPosterior
from .generalized_posterior import GeneralizedPosterior, build_link
from .not_normal import refuse_given
from .posterior import Posterior
from .sources import Id, data_for

if TYPE_CHECKING:
    import pandas as pd
    import pymc as pm
    import xarray as xr


def _faced(record: Drawn) -> AnyPosterior:
    return GeneralizedPosterior(record) if isinstance(record, LinkSample) else Posterior(record)


class Sensitivity(Face):
    """Posteriors of one model under several priors, by the name given to each; see `sensitivity`."""

    __slots__ = ()
    _record: Mapping[str, Drawn]

    @property
    def posteriors(self) -> dict[str, AnyPosterior]:
        """The posteriors by the names of their priors."""
        return {name: _faced(record) for name, record in self._record.items()}

    @property
    def first(self) -> AnyPosterior:
        """The posterior under the prior named first, with which the others are compared."""
        return next(iter(self.posteriors.values()))

    def frame(self, parameters: str | Sequence[str] = (), prob: float = 0.95) -> pd.DataFrame:
        """Tabulate mean, median, sd and interval of each parameter under each prior.

        Parameters
        ----------
        parameters : str or tuple of str
            Names as in `Posterior.summary`; all of them by default.
        prob : float
            Probability of the equal-tailed interval.

        Returns
        -------
        DataFrame
            Index (parameter, prior). ``shift``: the median's distance from that under the first
            prior, in its posterior sds.
        """
        return prior_sensitivity.under_priors(self._record, parameters, prob)

    def plot(self, parameters: Sequence[str] = (), fit: Any = None, path: str | Path | None = None) -> Any:
        """Draw a forest: one row a prior in each parameter's panel, a line at the fit's estimate.

        Returns
        -------
        matplotlib.figure.Figure
        """
        from ..figures.posterior_plots import sensitivity_forest

        return sensitivity_forest(self._record, parameters, fit, path)

    def __repr__(self) -> str:
        table = self.frame()
        return f"Sensitivity to {len(self._record)} priors\n{table}"


@in_words
def sample(
    model: TwoLevelModel,
    data: Any,
    *,
    id: Id = None,
    level2: Any = None,
    priors: Priors | None = None,
    seed: int | None = None,
    sampler: Literal["direct", "nuts"] | None = None,
    draws: int = 1000,
    chains: int = 4,
    tune: int = 1000,
    marginal: bool = True,
    keep_effects: bool | None = None,
    progressbar: bool = False,
    weights: Weights | None = None,
    frequency: Frequencies | None = None,
    precision: str | None = None,
    variance_known: str | None = None,
    sigma2: float | None = None,
) -> Any:
    """Draw from the posterior distribution of a model.

    Parameters
    ----------
    model : TwoLevelModel
    data : TwoLevelData or Moments, or a frame or file
    id, level2
        Of a frame or file, as for `Model.fit`.
    priors : Priors, optional
        Weakly informative defaults where left out; `Priors.describe` says them in words.
    seed : int, optional
        Same seed, same draws.
    sampler : "direct" or "nuts", optional
        Independent draws by importance sampling (the default up to four random coefficients, of an
        outcome that is not normal up to two, where it passes its own check), or the No-U-Turn sampler.
    draws, chains, tune : int
        Draws a chain, chains, and (nuts) steps to adapt that are thrown away.
    marginal : bool
        False: the textbook model with every u_j a parameter, on the rows, sampled by PyMC. Slow; for
        checks and for models extended by hand (`Model.pymc`). Of an
        outcome that is not normal with three or more random effects it is what is done unless a sampler is
        named.
    keep_effects : bool, optional
        Keep every draw of u and b. By default while they take less than 512 MB; otherwise their mean
        and sd are kept (`Posterior.effects`).
    progressbar : bool
        Of NUTS.
    frequency, precision, variance_known, sigma2
        As for `Model.fit`: frequencies of rows and units; the level-1 variance known up to sigma2, known
        (every meta-analysis), or held at a value. A variance that is known is no parameter.
    weights : Weights
        Refused: with sampling weights there is a pseudo-likelihood, and no posterior.

    Returns
    -------
    Posterior; of an outcome that is not normal a GeneralizedPosterior

    Raises
    ------
    HLMError
        What `Model.fit` would refuse, priors that do not fit the model, settings that cannot be meant.

    Warns
    -----
    HLMWarning
        The draws should not be used, the direct sampler gave way to NUTS, or a predictor is centred so that
        the priors say much about its slope's variance.
    """
    seed = seed_or_new(seed, SamplingError)
    settings = Settings(sampler, seed, draws, chains, tune, keep_effects, progressbar)
    if not model.outcome_law.is_normal:
        if weights is not None:
            raise SamplingError(f"these are {NO_POSTERIOR}")
        given = {"frequency": frequency, "precision": precision, "variance_known": variance_known,
                 "sigma2": sigma2}  # fmt: skip
        refuse_given(model, given)
        return GeneralizedPosterior(
            draw.draw_link(model, data_for(model, data, id, level2), priors, settings, marginal=marginal)
        )
    law, counted = law_and_counting(
        model, weights=weights, frequency=frequency, precision=precision, variance_known=variance_known,
        sigma2=sigma2,
    )  # fmt: skip
    found = data_for(model, data, id, level2)
    drawn = draw.draw_posterior(model, found, priors, settings, marginal=marginal, law=law, weights=counted)
    return Posterior(drawn)


@in_words
def build(
    model: TwoLevelModel, data: Any, priors: Priors | None = None, *, marginal: bool = True, id: Id = None,
    level2: Any = None, **level1: Unpack[Level1Asked],
) -> pm.Model:  # fmt: skip
    """Give the model as a `pymc.Model`; see `hlmbayes.sampling.pymc_model.build`.

    The random effects are integrated out, where the outcome is normal from moments, else by quadrature for up
    to four of them; or (``marginal=False``) it is the textbook model on rows. ``id`` and ``level2`` are of a
    frame or file, as for `Model.fit`.
    """
    from ..sampling.pymc_model import build as build_pymc

    data = data_for(model, data, id, level2)
    if model.outcome_law.is_normal:
        return build_pymc(model, data, priors, marginal=marginal, **level1)
    refuse_given(model, level1)
    return build_link(model, data, priors, marginal)


@in_words
def load_posterior(path: str | Path) -> AnyPosterior:
    """Read a posterior that `Posterior.save` or `GeneralizedPosterior.save` wrote."""
    return _faced(draw.read(path))


@in_words
def prior_predictive(
    model: TwoLevelModel, data: Any, priors: Priors | None = None, *, draws: int = 500,
    seed: int | None = None, id: Id = None, level2: Any = None, **level1: Unpack[Level1Asked],
) -> xr.DataTree:  # fmt: skip
    """Draw parameters and the units' means from the prior; see `predictive.prior_predictive`.

    ``id`` and ``level2`` are of a frame or file, as for `Model.fit`.
    """
    found = data_for(model, data, id, level2)
    return predictive.prior_predictive(model, found, priors, draws=draws, seed=seed, **level1)


@in_words
def power_scale(posterior: AnyPosterior) -> pd.DataFrame:
    """Say how fast each parameter moves with the prior's weight; see `prior_sensitivity.power_scale`."""
    return prior_sensitivity.power_scale(drawn_of(posterior))


@in_words
def sensitivity(model: TwoLevelModel, data: Any, priors: Mapping[str, Priors], **options: Any) -> Sensitivity:
    """Draw from the posterior under each of several priors.

    Parameters
    ----------
    model : TwoLevelModel
    data : TwoLevelData or Moments
    priors : mapping of name to Priors
        The first is the one the others are compared with.
    **options
        As for `Model.sample`: seed, draws, chains, sampler, variance_known, ... All have the same seed.

    Raises
    ------
    SamplingError
        No priors, or what `Model.sample` raises.
    """
    if not isinstance(priors, Mapping) or not priors:
        raise SamplingError(
            f'sensitivity wants {{"a name": Priors(...), "another": Priors(...)}}, got {priors!r}'
        )
    # the same seed for all: they differ by their priors
    seed = seed_or_new(options.pop("seed", None), SamplingError)
    drawn = {name: sample(model, data, priors=p, seed=seed, **options) for name, p in priors.items()}
    return Sensitivity({name: record_of(posterior) for name, posterior in drawn.items()})
