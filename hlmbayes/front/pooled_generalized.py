"""`PooledGeneralizedFit`: an outcome that is not normal over imputed data sets, as users hold it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..equations.names import cut_parameters
from ..faces import asked
from ..inference.intervals import Interval
from ..inference.likelihood_tables import Ratio
from ..labelled import parameter_table, records_table
from ..many_fits import pooled_fit, pooled_generalized, pooled_predictions
from ..report.pooled import columns_of
from .generalized_fit import GeneralizedFit
from .other_outcomes import OtherOutcome
from .pooled import AnyPooledFit, PooledFit

if TYPE_CHECKING:
    import pandas as pd


class PooledGeneralizedFit(OtherOutcome, AnyPooledFit):
    """Fits of a model whose outcome is not normal to m imputed data sets, pooled by Rubin's rules.

    Estimates are on the scale of the link, and `ratios` their exp; `predict`, `slopes` and `means` on that of
    the outcome.
    """

    __slots__ = ()
    _record: pooled_generalized.PooledGeneralized
    normal = PooledFit
    instead = (
        "fixed_effects, ratios, cuts, variance_components, confint, contrast, wald, predict, slopes and "
        "means are pooled, and listing, report and to_json have the tables; fits has each fit"
    )

    @property
    def fits(self) -> tuple[GeneralizedFit, ...]:
        """The m fits."""
        return tuple(GeneralizedFit(each) for each in self._record.fits)

    def fixed_effects(self, robust: bool | None = None) -> pd.DataFrame:
        """Tabulate the pooled fixed effects: coefficient, se, t_ratio, df (Rubin's), p_value, fmi, riv."""
        return self._effects_table(pooled_fit.pooled_fixed(self._record, robust))

    def ratios(self, robust: bool | None = None, *, prob: float = 0.95) -> pd.DataFrame:
        """Tabulate exp of the pooled fixed effects, pooled before exp is taken, with t limits."""
        found = pooled_generalized.pooled_ratios(self._record, robust, prob)
        names = self._record.model.fixed_parameters.name_of
        return records_table(found, Ratio, "gamma", names, self._record.fits[0].labels)

    def cuts(self) -> pd.DataFrame:
        """Tabulate the pooled cuts of an ordinal outcome: estimate, se, df, fmi, riv; empty of others."""
        names, pooled = pooled_generalized.pooled_cuts(self._record)
        known = cut_parameters(len(names)).name_of
        return parameter_table(columns_of(pooled, "estimate", tests=False), names, known, "cut")

    def variance_components(self) -> pd.DataFrame:
        """Tabulate tau: name, variance, se, df, fmi, riv; nan where a data set has no standard error."""
        return self._variances_table(*pooled_generalized.pooled_variances(self._record))

    def confint(self, prob: float = 0.95, *, robust: bool | None = None) -> pd.DataFrame:
        """Tabulate t intervals: name, estimate, low, high, method; of variances on the log scale."""
        found = pooled_generalized.generalized_intervals(self._record, prob, robust=robust)
        cuts = cut_parameters(len(self._record.fits[0].law.fixed_cuts)).name_of
        known = {**self._record.model.scalar_parameters.name_of, **cuts}
        return records_table(found, Interval, "parameter", known, self._record.fits[0].labels)

    predict = asked(pooled_predictions.pooled_predict_generalized)
    slopes = asked(pooled_predictions.pooled_slopes_generalized)
    means = asked(pooled_predictions.pooled_means_generalized)

    def __repr__(self) -> str:
        law = self.model.outcome_law
        return self._said(f" ({law.name}, {law.link} link) to {self.m} data sets, pooled")
