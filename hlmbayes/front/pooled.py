"""`PooledFit`: fits to imputed data sets, or plausible values, pooled; as users hold them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..equations.model import TwoLevelModel
from ..equations.names import component_names
from ..faces import Face, asked, record_of, shown
from ..inference.intervals import Interval
from ..labelled import parameter_table, records_table
from ..labels import NamedArray
from ..many_fits import pooled_derived, pooled_fit, pooled_predictions, pooled_tests
from ..many_fits.rubin import Pooled, PooledTest
from ..model_tables.protocol import Tabled
from ..report.pooled import columns_of, pooled_json, pooled_listing
from ..writing import page_place, write_text
from .any_fit import matrix_line
from .fit import Fit

if TYPE_CHECKING:
    import pandas as pd


class AnyPooledFit(Face):
    """Fits of one model to m data sets, whatever the outcome, pooled by Rubin's rules."""

    __slots__ = ()
    _record: pooled_fit.PooledEstimates

    names: tuple[str, ...] = shown("names", "Numbers of the data sets, or names of the plausible values.")
    m: int = shown("m", "Number of data sets.")
    model: TwoLevelModel = shown("model", "The model (of the first plausible value).")
    method: str = shown("method", '"REML" or "ML"; of an outcome that is not normal always "ML".')
    gamma: NamedArray = shown("gamma", "Fixed effects, averaged.")
    tau: NamedArray = shown("tau", "Covariance matrix of the random effects, averaged.")
    vcov: np.ndarray = shown("vcov", "Total covariance matrix of all fixed effects; robust with weights.")
    warnings: tuple[str, ...] = shown("warnings", "Warnings of the data sets, with the sets they are of.")

    wald = asked(pooled_tests.pooled_wald)
    contrast = asked(pooled_tests.pooled_contrast)

    def listing(self, *, each: bool = False, data_sources: Sequence[str] = (), **run: Any) -> str:
        """Return the pooled listing; ``each``: after those of every data set, by ``data_sources`` in turn."""
        return pooled_listing(self._record, each=each, data_sources=data_sources, **run)

    def report(self, path: str | Path, tests: Sequence[PooledTest] = ()) -> Path:
        """Write the report, one page to hand out, as an HTML file that needs no other; give its place.

        It has the equations, estimates with intervals, of normal outcomes ICC and R-squared, ``tests``, a
        paragraph for a paper and the listings.

        Raises
        ------
        OutputError
            A file that cannot be written, or is called otherwise than .html.
        """
        from ..report.pooled_page import pooled_page

        text = pooled_listing(self._record, each=True)
        return write_text(page_place(path), pooled_page(self._record, text, tests=map(str, tests)))

    def to_json(self, tests: Sequence[PooledTest] = (), warnings: Sequence[str] = ()) -> str:
        """Return the pooled results and the estimates of every data set as JSON text; nan is null.

        ``tests`` and ``warnings`` are put in with the rest.
        """
        return pooled_json(self._record, tests, warnings)

    def _effects_table(self, pooled: Pooled) -> pd.DataFrame:
        """Tabulate pooled fixed effects."""
        known, labels = self._record.model.fixed_parameters, self._record.fits[0].labels
        return parameter_table(columns_of(pooled), known.codes, known.name_of, "gamma", labels)

    def _variances_table(self, names: Sequence[str], pooled: Pooled) -> pd.DataFrame:
        """Tabulate pooled variances and covariances."""
        columns = columns_of(pooled, "variance", tests=False)
        known = component_names(self._record.model.coefficients)
        known["r"] += self._record.fits[0].law.known
        return parameter_table(columns, names, known, "effect", self._record.fits[0].labels)

    def _said(self, how: str, *more: str) -> str:
        """Say the estimates in a few lines."""
        lines = [
            f"Fits of {self.model.outcome}{how}",
            f"gamma  {', '.join(f'{name} {value:.6g}' for name, value in self.gamma.items())}",
            f"tau    {matrix_line(self.tau, 6)}",
        ]
        return "\n".join([*lines, *more, *self.warnings])


class PooledFit(AnyPooledFit, Tabled):
    """Fits of one model to m imputed data sets, or plausible values, and what Rubin's rules make of them."""

    __slots__ = ()
    _record: pooled_fit.PooledEstimates

    sigma2: float = shown("sigma2", "Level-1 variance, averaged.")

    @property
    def fits(self) -> tuple[Fit, ...]:
        """The m fits."""
        return tuple(Fit(each) for each in self._record.fits)

    def fixed_effects(self, robust: bool | str | None = None, *, df: str = "rubin") -> pd.DataFrame:
        """Tabulate the pooled fixed effects: name, coefficient, se, t_ratio, df, p_value, fmi, riv.

        Parameters
        ----------
        robust : bool or str, optional
            As `Fit.fixed_effects`; by default the robust ones with sampling weights, else model-based.
        df : "rubin" or "barnard-rubin"
            Rubin's (1987) degrees of freedom (we take HLM's to be these: no listing to check), or those of
            Barnard & Rubin (1999), never more than those of a single data set. With replicate weights both
            reckon with how many replicates there are.
        """
        return self._effects_table(pooled_fit.pooled_fixed(self._record, robust, df))

    def variance_components(self) -> pd.DataFrame:
        """Tabulate tau and sigma2 ("r"): name, variance, se, df, fmi, riv; nan where a set has no s.e."""
        return self._variances_table(*pooled_fit.pooled_components(self._record))

    def confint(
        self, prob: float = 0.95, *, robust: bool | str | None = None, df: str = "rubin"
    ) -> pd.DataFrame:
        """Tabulate t intervals: name, estimate, low, high, method; of variances on the log scale.

        ``robust`` and ``df`` as in `fixed_effects`.
        """
        found = pooled_derived.pooled_intervals(self._record, prob=prob, robust=robust, df=df)
        known = self._record.model.scalar_parameters
        return records_table(found, Interval, "parameter", known.name_of, self._record.fits[0].labels)

    icc = asked(pooled_derived.pooled_icc)
    r2 = asked(pooled_derived.pooled_r2)
    predict = asked(pooled_predictions.pooled_predict)
    slopes = asked(pooled_predictions.pooled_slopes)
    means = asked(pooled_predictions.pooled_means)

    def compare(self, other: PooledFit) -> PooledTest:
        """Compare with a nested model fitted to the same data sets, by D3 (Meng & Rubin 1992).

        Raises
        ------
        HypothesisError
            REML fits, sampling weights, different data sets, or as many parameters in both.
        """
        return pooled_tests.pooled_comparison(self._record, record_of(other))

    def __repr__(self) -> str:
        known = self._record.fits[0].law.known
        return self._said(
            f" to {self.m} data sets, pooled: {self.method}", f"sigma2 {self.sigma2:.6g}{known}"
        )
