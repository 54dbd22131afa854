"""`Posterior`: what users ask of the draws from a posterior."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..derived.intraclass import IntraclassCurve
from ..equations.model import TwoLevelModel
from ..faces import asked, shown
from ..model_tables.protocol import Tabled
from ..posterior import (
    beside_fit,
    derived,
    draw,
    evidence,
    new_units,
    predictive,
    summaries,
)
from ..posterior.contrasts import contrast
from ..posterior.convergence import Convergence
from ..posterior.record import PosteriorSample
from ..predictions import means, predict, slopes
from ..priors.priors import Priors
from ..sampling import posterior_file
from ..sampling.settings import Settings

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from ..data.two_level import TwoLevelData
    from ..diagnostics.checks import Checks


class Posterior(Tabled):
    """Draws from the posterior of a model: `Model.sample` gives one, `load_posterior` reads one.

    ``post["g01"]`` are the draws of one parameter by its name in `summary`, (chain, draw).
    """

    __slots__ = ()
    _record: PosteriorSample

    # --- what it is ---

    tree: xr.DataTree = shown("tree", "An ArviZ DataTree; its layout is in `hlmbayes.sampling.container`.")

    @property
    def model(self) -> TwoLevelModel:
        """The model as it was written; of a posterior from a file, with the columns of its terms."""
        return self._record.target.design.terms.written or self._record.model

    data: TwoLevelData | None = shown("data", "The rows it came from; None where it came from moments.")
    priors: Priors = shown("priors", "The priors as they were asked for.")
    settings: Settings = shown("settings", "Sampler, seed, draws, chains, ...")
    sampler: dict[str, Any] = shown("sampler", "What the sampler says of itself: its name, k-hat, seconds.")
    convergence: Convergence = shown("convergence", "Whether the draws can be used, in words and figures.")

    def draws(self, name: str) -> np.ndarray:
        """Give the draws of "gamma", "sigma", "tau", "sd", "tau_corr", "u" or "b", (chain, draw, ...)."""
        return self._record.values(name)

    def __getitem__(self, name: str) -> np.ndarray:
        return self._record.scalar(name)

    # --- tables ---

    def summary(self, prob: float = 0.95, kind: Literal["eti", "hdi"] = "eti") -> pd.DataFrame:
        """Tabulate the parameters: name, mean, median, sd, interval, R-hat, effective draws, mean's error.

        Parameters
        ----------
        prob : float
            Probability of the interval.
        kind : "eti" or "hdi"
            Equal-tailed, which is the same whatever the scale, or highest-density.
        """
        return summaries.summary(self._record, prob, kind)

    def effects(self) -> pd.DataFrame:
        """Tabulate the posterior mean and sd of every unit's random effects; index = unit ids."""
        return summaries.effects(self._record)

    # --- what follows from the parameters ---

    def compare(self, fit: Any, prob: float = 0.95) -> beside_fit.BesideFit:
        """Put a fit beside the posterior: estimate, se, mean, median, sd, interval, shift, overlap."""
        return beside_fit.compare(self._record, fit, prob)

    contrast = asked(contrast)

    def icc(
        self, *, at: str | Mapping[str, Any] | None = None, prob: float = 0.95
    ) -> derived.DrawnCorrelation | IntraclassCurve:
        """Give the (conditional) intraclass correlation; ``at`` values of predictors as in `Fit.icc`."""
        return derived.icc(self._record, at, prob)

    def r2(self, *, prob: float = 0.95) -> derived.DrawnR2:
        """Give the parts of the outcome's variance, within and between units, and R-squared."""
        return derived.r2(self._record, prob)

    def i2(self, *, prob: float = 0.95) -> new_units.DrawnBetween:
        """Give I2 and H2 of studies whose variances are known: how much they differ; see `Fit.i2`."""
        return new_units.i2(self._record, prob)

    def prediction_interval(
        self, coefficient: str = "b0", *, prob: float = 0.95, at: Mapping[str, float] | None = None
    ) -> new_units.DrawnPrediction:
        """Give the posterior of a new unit's coefficient, in a meta-analysis a new study's true effect.

        At level-2 predictors of zero, or ``at`` given values.
        """
        return new_units.prediction_interval(self._record, coefficient, prob, at)

    def predict(
        self, data: Any = None, *, level: int = 1, interval: predict.Kind | None = None, prob: float = 0.95,
        seed: int | None = 0,
    ) -> pd.DataFrame:  # fmt: skip
        """Predict rows: ``predicted``, ``sd``, with an interval ``low`` and ``high``; see `Fit.predict`."""
        return predict.predict_draws(self._record, data, level=level, interval=interval, prob=prob, seed=seed)

    def slopes(
        self, variable: str, by: str | Mapping[str, Any] | None = None, *,
        at: Mapping[str, Any] | None = None, prob: float = 0.95,
    ) -> slopes.Slopes:  # fmt: skip
        """Give the posterior of the simple slopes of a variable; see `Fit.slopes`."""
        return slopes.slopes_of_draws(self._record, variable, by, at=at, prob=prob)

    def means(
        self, variable: str, *, values: Any = None, at: Mapping[str, Any] | None = None, prob: float = 0.95
    ) -> means.Means:
        """Give the posterior of adjusted means and their differences; see `Fit.means`."""
        return means.means_of_draws(self._record, variable, values=values, at=at, prob=prob)

    def plausible_range(
        self, coefficient: str = "b0", *, prob: float = 0.95, at: Mapping[str, float] | None = None
    ) -> derived.DrawnRange:
        """Give the range that holds a share ``prob`` of the units' values of a level-1 coefficient.

        As `Fit.plausible_range`: at the means of the level-2 predictors, or ``at`` given values.
        """
        return derived.plausible_range(self._record, coefficient, prob, at)

    def variance_explained(self, base: Posterior, *, prob: float = 0.95) -> derived.DrawnExplained:
        """Give the proportion of each variance of the model of ``base`` that this one explains."""
        return derived.variance_explained(self._record, base, prob)

    # --- checks ---

    def check(self) -> Checks:
        """Check normality, homogeneity, outliers and influence; each with a verdict in plain words."""
        from ..diagnostics.checks import check

        return check(self._record)

    def variance_is_zero(self, name: str) -> pd.Series:
        """Weigh the model against the one in which coefficient ``name`` ("b1" or "u1") does not vary."""
        return evidence.variance_is_zero(self._record, name)

    def loo(self, by: Literal["unit", "row"] = "unit") -> Any:
        """Cross-validate by leaving out units (u_j integrated out) or rows; an ArviZ ELPDData."""
        return predictive.loo(self._record, by)

    def with_log_likelihood(self, by: Literal["unit", "row"] = "unit") -> Posterior:
        """Give the posterior with its group log_likelihood, by unit (u_j integrated out) or by row."""
        return Posterior(predictive.with_log_likelihood(self._record, by))

    def with_predictive(self, seed: int | None = None, draws: int = 100) -> Posterior:
        """Give the posterior with its group posterior_predictive, from ``draws`` draws of each chain."""
        return Posterior(predictive.with_predictive(self._record, seed, draws))

    # --- files ---

    def save(self, path: str | Path) -> Path:
        """Write everything to a netCDF file (or zarr, where the name ends so); `load_posterior` reads it."""
        return posterior_file.write(self.tree, path)

    def rerun(self, **changes: Any) -> Posterior:
        """Draw again from the moments the posterior carries: the same draws, or with changed settings.

        Parameters
        ----------
        **changes
            ``priors``, ``seed`` (None: another one), ``sampler``, ``draws``, ``chains``, ``tune``,
            ``keep_effects``.
        """
        return Posterior(draw.rerun(self._record, **changes))

    def _repr_html_(self) -> str:
        from ..report.posterior_report import fragment

        return fragment(self._record)

    def __repr__(self) -> str:
        design = self._record.target.design
        table = self.summary()
        return (
            f"Posterior of {self.model.outcome}: {self.settings.chains} chains of {self.settings.draws} "
            f"draws, sampler {self.sampler['sampler']!r}, seed {self.settings.seed}; {design.n_rows} rows in "
            f"{design.n_units} units\n{table}\n{self.convergence}"
        )
