"""`GeneralizedPosterior`: draws of a model whose outcome is not normal, as users hold them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..density.link import link_target
from ..diagnostics.calibration_drawn import calibration_drawn
from ..diagnostics.predictive_checks import predictive_checks
from ..equations.model import TwoLevelModel
from ..faces import asked, shown
from ..model_tables.protocol import Tabled
from ..posterior import derived, draw, predictive, summaries
from ..posterior.beside_fit import BesideFit, compare
from ..posterior.contrasts import contrast
from ..posterior.convergence import Convergence
from ..posterior.drawn_ratios import drawn_ratios
from ..posterior.predictive_link import with_predictive
from ..posterior.record import LinkSample
from ..predictions.response import predict_link
from ..predictions.typical import means_link, slopes_link
from ..priors.priors import Priors
from ..sampling import posterior_file
from ..sampling.settings import Settings
from .other_outcomes import OtherOutcome
from .posterior import Posterior

if TYPE_CHECKING:
    import pandas as pd
    import pymc as pm
    import xarray as xr

    from ..data.two_level import TwoLevelData


class GeneralizedPosterior(OtherOutcome, Tabled):
    """Draws from the posterior of a model whose outcome is not normal: what `Model.sample` returns for it.

    Parameters are on the scale of the link, `predict`, `means` and `slopes` on that of the outcome.
    ``post["g01"]`` are the draws of one parameter by its name in `summary`, (chain, draw).
    """

    __slots__ = ()
    normal = Posterior
    instead = "dir(post) lists what there is; slopes, means and predict are on the outcome's scale"
    _record: LinkSample

    tree: xr.DataTree = shown("tree", "An ArviZ DataTree; its layout is in `hlmbayes.sampling.container`.")
    data: TwoLevelData = shown("data", "The rows it came from.")
    priors: Priors = shown("priors", "The priors as they were asked for.")
    settings: Settings = shown("settings", "Sampler, seed, draws, chains, ...")
    sampler: dict[str, Any] = shown("sampler", "What the sampler says of itself: its name, seconds, ...")
    convergence: Convergence = shown("convergence", "Whether the draws can be used, in words and figures.")

    @property
    def model(self) -> TwoLevelModel:
        """The model as it was written."""
        return self._record.target.design.terms.written or self._record.model

    def draws(self, name: str) -> np.ndarray:
        """Give the draws of "gamma", "tau", "sd", "tau_corr", "u" or "b", (chain, draw, ...)."""
        return self._record.values(name)

    def __getitem__(self, name: str) -> np.ndarray:
        return self._record.scalar(name)

    def summary(self, prob: float = 0.95, kind: Literal["eti", "hdi"] = "eti") -> pd.DataFrame:
        """Tabulate the parameters: name, mean, median, sd, interval, R-hat, effective draws, mean's error.

        ``prob`` is the probability of the interval, ``kind`` "eti" (equal-tailed) or "hdi" (highest-density).
        """
        return summaries.summary(self._record, prob, kind)

    def effects(self) -> pd.DataFrame:
        """Tabulate the posterior mean and sd of every unit's random effects; index = unit ids."""
        return summaries.effects(self._record)

    # --- what follows from the parameters ---

    contrast = asked(contrast)
    ratios = asked(drawn_ratios)

    def compare(self, fit: Any, prob: float = 0.95) -> BesideFit:
        """Put a fit beside the posterior, by likelihood or quasi-likelihood; see `Posterior.compare`."""
        return compare(self._record, fit, prob)

    icc = asked(derived.icc_on_link)
    r2 = asked(derived.r2_on_link)
    predict = asked(predict_link)
    means = asked(means_link)
    slopes = asked(slopes_link)

    def plausible_range(
        self, coefficient: str = "b0", *, prob: float = 0.95, at: Mapping[str, float] | None = None
    ) -> derived.DrawnRange:
        """Give the range that holds a share ``prob`` of the units' values of a level-1 coefficient.

        On the scale of the link; see `Posterior.plausible_range`.
        """
        return derived.plausible_range(self._record, coefficient, prob, at)

    # --- checks ---

    check = asked(predictive_checks)
    calibration = asked(calibration_drawn)

    def loo(self, by: Literal["unit", "row"] = "unit") -> Any:
        """Cross-validate by leaving out units (u_j integrated out) or rows; an ArviZ ELPDData."""
        return predictive.loo(self._record, by)

    def with_log_likelihood(self, by: Literal["unit", "row"] = "unit") -> GeneralizedPosterior:
        """Give the posterior with its group log_likelihood, by unit (u_j integrated out) or by row."""
        return GeneralizedPosterior(predictive.with_log_likelihood(self._record, by))

    def with_predictive(self, seed: int | None = None, draws: int = 100) -> GeneralizedPosterior:
        """Give the posterior with its group posterior_predictive, from ``draws`` draws of each chain."""
        return GeneralizedPosterior(with_predictive(self._record, seed, draws))

    # --- files ---

    def save(self, path: str | Path) -> Path:
        """Write everything, the rows of the model's columns too, to a netCDF or zarr file.

        `load_posterior` reads it.
        """
        return posterior_file.write(self.tree, path)

    def rerun(self, **changes: Any) -> GeneralizedPosterior:
        """Draw again from the rows the posterior carries; see `Posterior.rerun`."""
        return GeneralizedPosterior(draw.rerun_link(self._record, **changes))

    def _repr_html_(self) -> str:
        from ..report.posterior_report import fragment

        return fragment(self._record)

    def __repr__(self) -> str:
        design, law = self._record.target.design, self._record.model.outcome_law
        how = self.settings
        return (
            f"Posterior of {self._record.model.outcome} ({law.name}, {law.link} link): {how.chains} chains "
            f"of {how.draws} draws, sampler {self.sampler['sampler']!r}, seed {how.seed}; {design.n_rows} "
            f"rows in {design.n_units} units\n{self.summary()}\n{self.convergence}"
        )


def build_link(model: TwoLevelModel, data: Any, priors: Priors | None, marginal: bool) -> pm.Model:
    """Give a model whose outcome is not normal as a `pymc.Model`, u integrated out or on rows."""
    from ..sampling.pymc_link import marginal_link, on_link

    return (marginal_link if marginal else on_link)(link_target(model, data, priors))
