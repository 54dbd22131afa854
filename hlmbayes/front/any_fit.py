"""What the faces of fits by a likelihood have in common, whatever the outcome."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..equations.model import TwoLevelModel
from ..estimation.fitted import Fitted
from ..faces import asked, shown
from ..hypotheses.contrasts import contrast
from ..hypotheses.wald import variable_test, wald
from ..labelled import records_table
from ..labels import NamedArray
from ..model_tables.protocol import Tabled
from ..model_tables.summary import summary

if TYPE_CHECKING:
    import pandas as pd


class AnyFit(Tabled):
    """A fitted model: estimates are attributes, tables and tests are methods."""

    __slots__ = ()

    gamma: NamedArray = shown("gamma", "All fixed effects by name, constrained ones repeated, (n_gamma,).")
    tau: NamedArray = shown("tau", "Covariance matrix of the random effects, by coefficient name, (q, q).")
    tau_corr: NamedArray = shown("tau_corr", "Tau as correlations; nan where a variance is zero.")
    deviance: float = shown("deviance", "-2 log-likelihood.")
    bic: float = shown("bic", "Schwarz's criterion, with ln of the level-1 rows, as in lme4.")
    n_rows: int = shown("n_rows", "Level-1 rows analysed, N.")
    n_units: int = shown("n_units", "Level-2 units analysed, J.")
    iterations: int = shown("iterations", "Number of iterations.")
    converged: bool = shown("converged", "Whether the estimation converged.")
    stop_reason: str = shown("stop_reason", "Why it ended, in words.")
    boundary: tuple[str, ...] = shown("boundary", "Which variances are estimated as zero, in words.")
    warnings: tuple[str, ...] = shown("warnings", "What to know before the numbers are used, in words.")
    notes: tuple[str, ...] = shown("notes", "What was done differently from what was asked, in words.")
    random_names: tuple[str, ...] = shown("random_names", "Names of the random coefficients, b0, b1, ...")
    effect_names: tuple[str, ...] = shown("effect_names", "Names of the random effects, u0, u1, ...")

    @property
    def model(self) -> TwoLevelModel:
        """The model as it was written."""
        found: Fitted = self._record
        return found.design.terms.written or found.model

    summary = asked(summary)
    wald = asked(wald)
    contrast = asked(contrast)
    test_variable = asked(variable_test)

    def _table(self, rows: Sequence[Any], kind: type, index: str, names: Mapping[str, str]) -> pd.DataFrame:
        """Lay records of parameters out as a table with their names and the labels of variables."""
        return records_table(rows, kind, index, names, self._record.labels)
