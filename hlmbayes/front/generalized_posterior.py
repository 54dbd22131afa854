"""`GeneralizedPosterior`: draws of a model whose outcome is not normal, as users hold them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..density.link import link_target
from ..diagnostics.calibration_drawn import calibration_drawn
from ..diagnostics.predictive_checks import predictive_checks
from ..equations.model import TwoLevelModel
from ..faces import asked
from ..posterior import derived, draw
from ..posterior.contrasts import drawn_ratios
from ..posterior.predictive_link import with_predictive
from ..posterior.record import LinkSample
from ..predictions.response import predict_link
from ..predictions.typical import means_link, slopes_link
from ..priors.priors import Priors
from .any_posterior import AnyPosterior
from .other_outcomes import OtherOutcome
from .posterior import Posterior

if TYPE_CHECKING:
    import pymc as pm


class GeneralizedPosterior(OtherOutcome, AnyPosterior):
    """Draws from the posterior of a model whose outcome is not normal: what `Model.sample` returns for it.

    Parameters are on the scale of the link, `predict`, `means` and `slopes` on that of the outcome.
    ``post["g01"]`` are the draws of one parameter by its name in `summary`, (chain, draw).
    """

    __slots__ = ()
    normal = Posterior
    instead = "dir(post) lists what there is; slopes, means and predict are on the outcome's scale"
    _record: LinkSample

    ratios = asked(drawn_ratios)

    icc = asked(derived.icc_on_link)
    r2 = asked(derived.r2_on_link)
    predict = asked(predict_link)
    means = asked(means_link)
    slopes = asked(slopes_link)

    check = asked(predictive_checks)
    calibration = asked(calibration_drawn)

    def with_predictive(self, seed: int | None = None, draws: int = 100) -> GeneralizedPosterior:
        """Give the posterior with its group posterior_predictive, from ``draws`` draws of each chain."""
        return GeneralizedPosterior(with_predictive(self._record, seed, draws))

    def rerun(self, **changes: Any) -> GeneralizedPosterior:
        """Draw again from the rows the posterior carries; see `Posterior.rerun`."""
        return GeneralizedPosterior(draw.rerun_link(self._record, **changes))

    def __repr__(self) -> str:
        law = self._record.model.outcome_law
        return self._said(f" ({law.name}, {law.link} link)")


def build_link(model: TwoLevelModel, data: Any, priors: Priors | None, marginal: bool) -> pm.Model:
    """Give a model whose outcome is not normal as a `pymc.Model`, u integrated out or on rows."""
    from ..sampling.pymc_link import marginal_link, on_link

    return (marginal_link if marginal else on_link)(link_target(model, data, priors))
