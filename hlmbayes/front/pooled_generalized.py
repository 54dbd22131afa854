"""`PooledGeneralizedFit`: an outcome that is not normal over imputed data sets, as users hold it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..equations.model import TwoLevelModel
from ..equations.names import component_names
from ..faces import asked, shown
from ..inference.likelihood_tables import Ratio
from ..labelled import parameter_table, records_table
from ..labels import NamedArray
from ..many_fits import pooled_fit, pooled_generalized, pooled_tests
from ..report.pooled import columns_of
from .generalized_fit import GeneralizedFit
from .other_outcomes import OtherOutcome
from .pooled import PooledFit

if TYPE_CHECKING:
    import pandas as pd


class PooledGeneralizedFit(OtherOutcome):
    """Fits of a model whose outcome is not normal to m imputed data sets, pooled by Rubin's rules.

    All is on the scale of the link, and `ratios` its exp.
    """

    __slots__ = ()
    _record: pooled_generalized.PooledGeneralized
    normal = PooledFit
    instead = (
        "fixed_effects, ratios, cuts, variance_components, contrast and wald are pooled; fits has each fit"
    )

    names: tuple[str, ...] = shown("names", "Numbers of the data sets, or names of the plausible values.")
    m: int = shown("m", "Number of data sets.")
    model: TwoLevelModel = shown("model", "The model (of the first plausible value).")
    method: str = shown("method", '"ML".')
    gamma: NamedArray = shown("gamma", "Fixed effects, averaged.")
    tau: NamedArray = shown("tau", "Covariance matrix of the random effects, averaged.")
    vcov: np.ndarray = shown("vcov", "Total covariance matrix of all fixed effects; robust with weights.")
    warnings: tuple[str, ...] = shown("warnings", "Warnings of the data sets, with the sets they are of.")

    @property
    def fits(self) -> tuple[GeneralizedFit, ...]:
        """The m fits."""
        return tuple(GeneralizedFit(each) for each in self._record.fits)

    def fixed_effects(self, robust: bool | None = None) -> pd.DataFrame:
        """Tabulate the pooled fixed effects: coefficient, se, t_ratio, df (Rubin's), p_value, fmi, riv."""
        pooled = pooled_fit.pooled_fixed(self._record, robust)
        known, labels = self._record.model.fixed_parameters, self._record.fits[0].labels
        return parameter_table(columns_of(pooled), known.codes, known.name_of, "gamma", labels)

    def ratios(self, robust: bool | None = None, *, prob: float = 0.95) -> pd.DataFrame:
        """Tabulate exp of the pooled fixed effects, pooled before exp is taken, with t limits."""
        found = pooled_generalized.pooled_ratios(self._record, robust, prob)
        names = self._record.model.fixed_parameters.name_of
        return records_table(found, Ratio, "gamma", names, self._record.fits[0].labels)

    def cuts(self) -> pd.DataFrame:
        """Tabulate the pooled cuts of an ordinal outcome: estimate, se, df, fmi, riv; empty of others."""
        names, pooled = pooled_generalized.pooled_cuts(self._record)
        return parameter_table(
            columns_of(pooled, "estimate", tests=False), names, {n: n for n in names}, "cut"
        )

    def variance_components(self) -> pd.DataFrame:
        """Tabulate tau: name, variance, se, df, fmi, riv; nan where a data set has no standard error."""
        names, pooled = pooled_generalized.pooled_variances(self._record)
        columns = columns_of(pooled, "variance", tests=False)
        known = component_names(self._record.model.coefficients)
        return parameter_table(columns, names, known, "effect", self._record.fits[0].labels)

    wald = asked(pooled_tests.pooled_wald)
    contrast = asked(pooled_tests.pooled_contrast)

    def __repr__(self) -> str:
        law = self.model.outcome_law
        lines = [
            f"Fits of {self.model.outcome} ({law.name}, {law.link} link) to {self.m} data sets, pooled",
            f"gamma  {', '.join(f'{name} {value:.6g}' for name, value in self.gamma.items())}",
            "tau    " + "; ".join(" ".join(f"{v:.6g}" for v in row) for row in np.asarray(self.tau)),
        ]
        return "\n".join([*lines, *self.warnings])
