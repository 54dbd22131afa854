"""`ReplicateFit`: a weighted fit with standard errors from replicate weights, as users hold it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import stdtr

from ..data.two_level import TwoLevelData
from ..data.weights import Weights
from ..equations.model import TwoLevelModel
from ..faces import Face, shown
from ..labelled import table
from ..likelihood.pattern import elements
from ..many_fits import replicate_weights
from ..many_fits.replicate_weights import Replicates
from .fit import Fit

if TYPE_CHECKING:
    import pandas as pd


class ReplicateFit(Face):
    """A weighted fit with standard errors from replicate weights: what `fit_replicates` returns."""

    __slots__ = ()
    _record: Replicates

    names: tuple[str, ...] = shown("names", "Columns of the replicate weights.")
    gammas: np.ndarray = shown("gammas", "Free fixed effects with each replicate's weights, (R, F).")
    thetas: np.ndarray = shown("thetas", "Lower triangle of tau by rows and sigma2 with each, (R, m + 1).")
    method: str = shown("method", "Kind of the replicates.")
    factor: float = shown("factor", "What multiplies the sum of squares.")
    df: float = shown("df", "Degrees of freedom of t-ratios.")
    vcov: np.ndarray = shown("vcov", "Covariance matrix of all fixed effects.")
    vcov_components: np.ndarray = shown("vcov_components", "Of (lower triangle of tau by rows, sigma2).")

    @property
    def fit(self) -> Fit:
        """The fit with the full-sample weights."""
        return Fit(self._record.full)

    def fixed_effects(self) -> pd.DataFrame:
        """Tabulate the fixed effects: coefficient, se, t_ratio, df, p_value."""
        full, df = self._record.full, self.df
        estimate, se = np.asarray(full.gamma), np.sqrt(np.diag(self.vcov))
        t = estimate / se
        columns: dict[str, Any] = {
            "coefficient": estimate, "se": se, "t_ratio": t, "df": df, "p_value": 2.0 * stdtr(df, -np.abs(t)),
        }  # fmt: skip
        return table(columns, full.model.gamma_names, "gamma")

    def variance_components(self) -> pd.DataFrame:
        """Tabulate tau and sigma2 ("r") with their standard errors."""
        names = self._record.full.effect_names
        rows, cols = elements(self._record.full.design.pattern)
        labels = [names[a] if a == b else f"{names[a]}, {names[b]}" for a, b in zip(rows, cols, strict=True)]
        columns = {"variance": self._record.components, "se": np.sqrt(np.diag(self.vcov_components))}
        return table(columns, [*labels, "r"], "effect")

    def __repr__(self) -> str:
        table = self.fixed_effects().to_string(float_format="{:.6g}".format)
        return (
            f"{self.fit!r}\nStandard errors from {len(self.names)} replicate weights ({self.method}, factor "
            f"{self.factor:.6g}, {self.df:g} d.f.)\n{table}"
        )


def fit_replicates(
    model: TwoLevelModel, data: TwoLevelData, weights: Weights, replicates: str | Sequence[str],
    **options: Any,
) -> ReplicateFit:  # fmt: skip
    """Fit with the full weights and with each replicate's; see `hlmbayes.many_fits.replicate_weights`.

    ``options``: ``of``, ``method``, ``fay``, ``factor``, ``df``.
    """
    return ReplicateFit(replicate_weights.fit_replicates(model, data, weights, replicates, **options))
