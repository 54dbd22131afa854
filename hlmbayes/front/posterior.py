"""`Posterior`: what users ask of the draws from a posterior."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..faces import asked
from ..posterior import derived, draw, evidence, predictive
from ..posterior.record import PosteriorSample
from ..predictions.means import means_of_draws
from ..predictions.predict import predict_draws
from ..predictions.slopes import slopes_of_draws
from .any_posterior import AnyPosterior

if TYPE_CHECKING:
    from ..diagnostics.checks import Checks


class Posterior(AnyPosterior):
    """Draws from the posterior of a model: `Model.sample` gives one, `load_posterior` reads one.

    ``post["g01"]`` are the draws of one parameter by its name in `summary`, (chain, draw).
    """

    __slots__ = ()
    _record: PosteriorSample

    icc = asked(derived.icc)
    r2 = asked(derived.r2)
    i2 = asked(derived.i2)
    prediction_interval = asked(derived.prediction_interval)
    predict = asked(predict_draws)
    slopes = asked(slopes_of_draws)
    means = asked(means_of_draws)
    variance_explained = asked(derived.variance_explained)
    variance_is_zero = asked(evidence.variance_is_zero)

    def check(self) -> Checks:
        """Check normality, homogeneity, outliers and influence; each with a verdict in plain words."""
        from ..diagnostics.checks import check

        return check(self._record)

    def with_predictive(self, seed: int | None = None, draws: int = 100) -> Posterior:
        """Give the posterior with its group posterior_predictive, from ``draws`` draws of each chain."""
        return Posterior(predictive.with_predictive(self._record, seed, draws))

    def rerun(self, **changes: Any) -> Posterior:
        """Draw again from the moments the posterior carries: the same draws, or with changed settings.

        Parameters
        ----------
        **changes
            ``priors``, ``seed`` (None: another one), ``sampler``, ``draws``, ``chains``, ``tune``,
            ``keep_effects``.
        """
        return Posterior(draw.rerun(self._record, **changes))

    def __repr__(self) -> str:
        return self._said()
