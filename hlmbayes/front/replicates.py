"""`ReplicateFit`: a weighted fit with standard errors from replicate weights, as users hold it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arguments import in_words, one_or_several
from ..data.two_level import TwoLevelData
from ..data.weights import Weights
from ..derived.intraclass import IntraclassCorrelation, IntraclassCurve
from ..derived.r2 import R2
from ..equations.model import TwoLevelModel
from ..equations.names import component_names
from ..faces import Face, shown
from ..hypotheses.contrasts import Contrast
from ..inference.intervals import Interval
from ..labelled import parameter_table, records_table
from ..many_fits import pooled_derived, pooled_fit, pooled_tests, replicate_weights
from ..many_fits.replicate_weights import Replicates, Replication
from ..report.pooled import columns_of, pooled_json, pooled_listing
from .fit import Fit

if TYPE_CHECKING:
    import pandas as pd


class ReplicateFit(Face):
    """A weighted fit with standard errors from replicate weights: what `fit_replicates` returns."""

    __slots__ = ()
    _record: Replicates

    names: tuple[str, ...] = shown("names", "Columns of the replicate weights.")
    gammas: np.ndarray = shown("gammas", "Free fixed effects with each replicate's weights, (R, F).")
    thetas: np.ndarray = shown("thetas", "Free elements of tau by rows and sigma2 with each, (R, m + 1).")
    method: str = shown("method", "Kind of the replicates.")
    factor: float = shown("factor", "What multiplies the sum of squares.")
    df: float = shown("df", "Degrees of freedom of t-ratios.")
    vcov: np.ndarray = shown("vcov", "Covariance matrix of all fixed effects.")
    vcov_components: np.ndarray = shown("vcov_components", "Of (free elements of tau by rows, sigma2).")

    @property
    def fit(self) -> Fit:
        """The fit with the full-sample weights."""
        return Fit(self._record.full)

    @property
    def _pooled(self) -> pooled_fit.PooledReplicates:
        return pooled_fit.alone(self._record)

    def fixed_effects(self) -> pd.DataFrame:
        """Tabulate the fixed effects: name, coefficient, se, t_ratio, df, p_value."""
        columns = columns_of(pooled_fit.pooled_fixed(self._pooled))
        known = self._record.full.model.fixed_parameters
        columns = {name: columns[name] for name in columns if name not in ("fmi", "riv")}
        return parameter_table(columns, known.codes, known.name_of, "gamma", self._record.full.labels)

    def variance_components(self) -> pd.DataFrame:
        """Tabulate tau and sigma2 ("r") with their standard errors."""
        names, pooled = pooled_fit.pooled_components(self._pooled)
        columns, known = {"variance": pooled.estimate, "se": pooled.se}, self._record.full.model.coefficients
        return parameter_table(columns, names, component_names(known), "effect", self._record.full.labels)

    def confint(self, prob: float = 0.95) -> pd.DataFrame:
        """Tabulate t intervals: name, estimate, low, high, method; of variances on the log scale."""
        found, known = (
            pooled_derived.pooled_intervals(self._pooled, prob=prob),
            self._record.full.model.scalar_parameters,
        )
        return records_table(found, Interval, "parameter", known.name_of, self._record.full.labels)

    def contrast(self, *combinations: Any, prob: float = 0.95) -> Contrast:
        """Give estimate, standard error, interval and t test of combinations of fixed effects; see `Fit`."""
        return pooled_tests.pooled_contrast(self._pooled, *combinations, prob=prob)

    def wald(self, *hypotheses: Any, prob: float = 0.95) -> Any:
        """Test hypotheses, written as for `Fit.wald`: F = Wald / k (d - k + 1) / d (Korn & Graubard 1990)."""
        return pooled_tests.pooled_wald(self._pooled, *hypotheses, prob=prob)

    def icc(
        self, *, at: str | Mapping[str, Any] | None = None, prob: float = 0.95
    ) -> IntraclassCorrelation | IntraclassCurve:
        """Give the intraclass correlation as `Fit.icc`, its interval from the replicate weights."""
        return pooled_derived.pooled_icc(self._pooled, at=at, prob=prob)

    def r2(self) -> R2:
        """Give the parts of the outcome's variance and R-squared as `Fit.r2`, without intervals."""
        return pooled_derived.pooled_r2(self._pooled)

    def listing(self, **run: Any) -> str:
        """Return the listing of the full-sample fit, and the tables with the replicates' standard errors."""
        return pooled_listing(self._pooled, each=True, **run)

    def to_json(self) -> str:
        """Return the results as JSON text."""
        return pooled_json(self._pooled)

    def __repr__(self) -> str:
        table = str(self.fixed_effects())
        return f"{self.fit!r}\nStandard errors from {self._record.words}\n{table}"


@in_words
def fit_replicates(
    model: TwoLevelModel, data: TwoLevelData, weights: Weights, replicates: str | Sequence[str],
    **options: Any,
) -> ReplicateFit:  # fmt: skip
    """Fit with the full weights and with each replicate's; see `Replication` for the options.

    Parameters
    ----------
    weights : Weights
        The full-sample weights.
    replicates : str or sequence of str
        Columns of replicate weights; "rep1-rep80" stands for all of a series.
    **options
        ``of``, the weight they are replicates of ("level1", "level2", "total"); ``method`` ("brr", "fay",
        "jackknife", "jk2"), ``fay``, ``factor``, ``df``.
    """
    asked = Replication.asked(one_or_several(replicates), options)
    return ReplicateFit(replicate_weights.fit_replicates(model, data, weights, asked))
