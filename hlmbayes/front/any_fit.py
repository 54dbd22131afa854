"""What the faces of fits by a likelihood have in common, whatever the outcome."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np

from ..equations.model import TwoLevelModel
from ..estimation.fitted import Fitted
from ..faces import asked, record_of, shown
from ..hypotheses.contrasts import contrast
from ..hypotheses.wald import variable_test, wald
from ..inference import hlm_tables
from ..inference.compare import DevianceTest, compare_any
from ..inference.component_errors import variance_standard_errors
from ..inference.covariances import CR0, table_kind
from ..labelled import records_table
from ..labels import NamedArray
from ..model_tables.protocol import Tabled
from ..model_tables.summary import summary

if TYPE_CHECKING:
    import pandas as pd


class AnyFit(Tabled):
    """A fitted model: estimates are attributes, tables and tests are methods."""

    __slots__ = ()

    method: str = shown("method", '"REML" or "ML"; of an outcome that is not normal always "ML".')
    gamma: NamedArray = shown("gamma", "All fixed effects by name, constrained ones repeated, (n_gamma,).")
    vcov: np.ndarray = shown("vcov", "Model-based covariance matrix of all fixed effects.")
    tau: NamedArray = shown("tau", "Covariance matrix of the random effects, by coefficient name, (q, q).")
    tau_corr: NamedArray = shown("tau_corr", "Tau as correlations; nan where a variance is zero.")
    loglik: float = shown("loglik", "Log-likelihood, constants included; HLM's under algorithm 'hlm'.")
    deviance: float = shown("deviance", "-2 log-likelihood.")
    aic: float = shown("aic", "Akaike's criterion; gammas count under REML too, as in lme4.")
    bic: float = shown("bic", "Schwarz's criterion, with ln of the level-1 rows, as in lme4.")
    n_parameters: int = shown("n_parameters", "Parameters as HLM counts: no gammas under REML.")
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

    def compare(
        self, other: AnyFit | None = None, *, deviance: float | None = None, n_parameters: int | None = None,
        **options: Any,
    ) -> DevianceTest:  # fmt: skip
        """Compare deviances with another fit, or with a stored deviance and its number of parameters.

        ``bootstrap=1000, seed=1`` adds a p-value by parametric bootstrap; see `hlmbayes.inference.compare`.
        """
        return compare_any(self._record, record_of(other), deviance, n_parameters, **options)

    def _fixed_effects(self, robust: bool | str | None, df: str | None = None) -> pd.DataFrame:
        """Tabulate the fixed effects; the attributes of the table say what was used, and what lacks."""
        kind = table_kind(self._record, robust, df)
        rows = hlm_tables.fixed_effects(self._record, kind)
        names = self._record.model.fixed_parameters.name_of
        table = self._table(rows, hlm_tables.FixedEffect, "gamma", names)
        table.attrs.update(kind.basis())
        if lacking := {row.name: row.lacks for row in rows if row.lacks}:
            table.attrs["not_available"] = lacking
        return table

    def _table(self, rows: Sequence[Any], kind: type, index: str, names: Mapping[str, str]) -> pd.DataFrame:
        """Lay records of parameters out as a table with their names and the labels of variables."""
        return records_table(rows, kind, index, names, self._record.labels)

    def _said(self, how: str, level1: str = "", note: str = "") -> str:
        """Say the estimates in a few lines: ``how`` follows the outcome, ``note`` the count of parameters."""
        found = self._record
        state = "converged" if found.converged else "NOT CONVERGED"
        lines = [
            f"Fit of {found.model.outcome}{how}, {state} after {found.iterations} iterations; "
            f"{found.n_rows} rows in {found.n_units} units",
            *wrap(f"gamma  {found.gamma}", 80, subsequent_indent=" " * 7, break_long_words=False),
            f"tau    {matrix_line(found.tau)}",
            f"{level1}deviance {found.deviance:.6f}, {found.n_parameters} parameters{note}",
        ]
        return "\n".join([*lines, *found.warnings])


class NormalFit(AnyFit):
    """A fit of a normal outcome, from units in memory or read a part at a time."""

    __slots__ = ()

    sigma2: float = shown("sigma2", "Level-1 variance; nan where it depends on variables (`log_sigma2`).")

    @property
    def vcov_robust(self) -> np.ndarray:
        """Robust (sandwich) covariance matrix of all fixed effects, shape (n_gamma, n_gamma)."""
        return robust_of(self._record)

    @property
    def se_tau(self) -> NamedArray:
        """Standard errors of tau, from the expected information; shape (q, q); nan on the boundary."""
        return NamedArray(variance_standard_errors(self._record)[0], self._record.model.random_parameters)

    @property
    def se_sigma2(self) -> float:
        """Standard error of sigma2, from the expected information; nan where none is estimated."""
        return variance_standard_errors(self._record)[1]

    def fixed_effects(self, robust: bool | str | None = None, *, df: str | None = None) -> pd.DataFrame:
        """Tabulate the fixed effects: name, coefficient, se, t_ratio, df, p_value; index = codes, g00, ...

        Parameters
        ----------
        robust : bool or str, optional
            False: model-based standard errors; True: HLM's robust ones; "CR1"; "CR2", bias-reduced. By
            default False, with sampling weights True: the model-based ones are not valid with them.
        df : "hlm", "hlm7", "satterthwaite" or "kenward-roger", optional
            Degrees of freedom, "hlm" those of HLM 5 and 6, "hlm7" of HLM 7 and 8; Kenward-Roger brings its
            own standard errors. By default "hlm", with "CR2" "satterthwaite". The table's ``attrs`` say in
            words what was used, and ``"not_available"`` there why an effect has no test (nan).
        """
        return self._fixed_effects(robust, df)


def robust_of(fit: Fitted) -> np.ndarray:
    """Give the sandwich's covariance matrix of all fixed effects, (n_gamma, n_gamma)."""
    free = fit.design.free
    return CR0().matrix(fit)[np.ix_(free, free)]


def matrix_line(values: np.ndarray, digits: int = 8) -> str:
    """Write a matrix in one line, its rows parted by semicolons."""
    return "; ".join(" ".join(f"{v:.{digits}g}" for v in row) for row in np.asarray(values))
