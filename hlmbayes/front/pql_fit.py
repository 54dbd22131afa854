"""`PQLFit`: a fit by penalised quasi-likelihood as users hold it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arguments import accepted
from ..equations.model import TwoLevelModel
from ..equations.names import component_names
from ..faces import asked, shown
from ..hglm.pql import PQLEstimates
from ..hypotheses.contrasts import contrast
from ..hypotheses.wald import wald
from ..inference import hlm_tables
from ..inference.covariances import table_kind
from ..inference.intervals import Interval, fixed_intervals
from ..labelled import records_table, table
from ..labels import NamedArray
from ..residuals.generalized_exploratory import explore_pql
from ..residuals.generalized_frames import pql_residuals
from ..residuals.generalized_influence import influence_pql
from ..writing import page_place, write_text
from .any_fit import matrix_line, robust_of
from .fit import Fit
from .other_outcomes import OtherOutcome

if TYPE_CHECKING:
    import pandas as pd


class PQLFit(OtherOutcome):
    """A model of an outcome that is not normal, fitted as HLM does: what `Model.fit` returns for "hlm".

    Estimates are on the scale of the link. There is no likelihood, and so no deviance, AIC or profile.
    """

    __slots__ = ()
    normal = Fit
    instead = 'dir(fit) lists what there is, and algorithm="exact" has more'
    _record: PQLEstimates

    converged: bool = shown("converged", "Whether the macro iterations converged.")
    stop_reason: str = shown("stop_reason", "Why they ended, in words.")
    warnings: tuple[str, ...] = shown("warnings", "What to know before the numbers are used, in words.")
    log: tuple[Any, ...] = shown("macro", "The macro iterations: number, micro, gamma, tau, sigma2, change.")
    method: str = shown("working.method", '"REML" or "ML", of the working outcome.')
    gamma: NamedArray = shown("working.gamma", "All unit-specific fixed effects by name, (n_gamma,).")
    gamma_average: NamedArray = shown("population.gamma", "All population-average ones by name, (n_gamma,).")
    vcov: np.ndarray = shown("working.vcov", "Model-based covariance matrix of the unit-specific ones.")
    tau: NamedArray = shown("working.tau", "Covariance matrix of the random effects, by coefficient, (q, q).")
    sigma2: float = shown("working.components.sigma2", "Level-1 variance's scale: 1 unless overdispersed.")
    n_rows: int = shown("working.n_rows", "Level-1 rows analysed, N.")
    n_units: int = shown("working.n_units", "Level-2 units analysed, J.")

    algorithm = "hlm"

    @property
    def model(self) -> TwoLevelModel:
        """The model as it was written."""
        return self._record.working.design.terms.written or self._record.model

    @property
    def vcov_robust(self) -> np.ndarray:
        """Robust (sandwich) covariance matrix of the unit-specific fixed effects."""
        return robust_of(self._record.working)

    @property
    def iterations(self) -> int:
        """Number of macro iterations."""
        return len(self._record.macro)

    def fixed_effects(self, robust: bool | str | None = None, *, average: bool = False) -> pd.DataFrame:
        """Tabulate the fixed effects: name, coefficient, se, t_ratio, df, p_value; index = codes, g00, ...

        Parameters
        ----------
        robust : bool or "CR1", optional
            False: model-based standard errors; True: HLM's robust ones.
        average : bool
            Of the population-average model instead of the unit-specific one.
        """
        fit = self._record.population if average else self._record.working
        kind = table_kind(fit, robust, None)
        rows = hlm_tables.fixed_effects(fit, kind)
        names = fit.model.fixed_parameters.name_of
        found = records_table(rows, hlm_tables.FixedEffect, "gamma", names, fit.labels)
        found.attrs.update(kind.basis())
        return found

    def ratios(self, robust: bool = False, *, average: bool = False) -> pd.DataFrame:
        """Tabulate exp of the fixed effects with 95 % intervals: odds, event rate or hazard ratios.

        Raises
        ------
        HypothesisError
            A probit link, of which exp means nothing.
        """
        from ..report.nonlinear import ratios_of

        rows = ratios_of(self._record, robust, average)
        values = {name: [getattr(r, name) for r in rows] for name in ("ratio", "low", "high")}
        return table(values, [r.row.gamma.lower() for r in rows], "gamma")

    def variance_components(self) -> pd.DataFrame:
        """Tabulate the variance components: name, sd, variance, df, chi2, p_value; index = u0, ..."""
        rows = hlm_tables.variance_components(self._record.working)
        names = component_names(self._record.model.coefficients)
        return records_table(rows, hlm_tables.VarianceComponent, "effect", names)

    def reliability(self) -> NamedArray:
        """Reliability of each random coefficient's own estimate, of the working outcome."""
        fit = self._record.working
        return NamedArray(hlm_tables.reliability(fit), fit.model.random_parameters)

    residuals = asked(pql_residuals)
    explore = asked(explore_pql)
    influence = asked(influence_pql)

    def confint(self, prob: float = 0.95, *, robust: bool | str | None = None) -> pd.DataFrame:
        """Tabulate t intervals of the unit-specific fixed effects."""
        fit = self._record.working
        rows = fixed_intervals(fit, prob=prob, robust=robust, df=None)
        names = fit.model.scalar_parameters.name_of
        return records_table(rows, Interval, "parameter", names, fit.labels)

    def wald(self, *hypotheses: Any, **options: Any) -> Any:
        """Test hypotheses on the unit-specific fixed effects; see `Fit.wald`."""
        return wald(self._record.working, *hypotheses, **accepted(wald, options, "wald"))

    def contrast(self, *combinations: Any, **options: Any) -> Any:
        """Estimate combinations of the unit-specific fixed effects; see `Fit.contrast`."""
        return contrast(self._record.working, *combinations, **accepted(contrast, options, "contrast"))

    def listing(self, **run: Any) -> str:
        """Return HLM 6's listing of the fit, with notes after it; ``run`` as for `Fit.listing`."""
        from ..report import nonlinear

        return nonlinear.listing(nonlinear.nonlinear_tables(self._record, **run))

    def report(self, path: str | Path, **run: Any) -> Path:
        """Write `to_html` as a file that needs no other, and give its place; ``run`` as for `listing`.

        Raises
        ------
        OutputError
            A file that cannot be written, or is called otherwise than .html.
        """
        return write_text(page_place(path), self.to_html(**run))

    def to_json(self, **run: Any) -> str:
        """Return the results as JSON text at full precision."""
        from ..report import nonlinear

        return nonlinear.to_json(nonlinear.nonlinear_tables(self._record, **run))

    def to_html(self, **run: Any) -> str:
        """Return HLM's tables as one self-contained HTML page."""
        from ..report import nonlinear

        return nonlinear.page(nonlinear.nonlinear_tables(self._record, **run))

    def __repr__(self) -> str:
        law, fit = self._record.model.outcome_law, self._record.working
        state = "converged" if self.converged else "NOT CONVERGED"
        lines = [
            f"Fit of {fit.model.outcome} ({law.name}, {law.link} link): penalised quasi-likelihood, "
            f"{self.method}, {state} after {self.iterations} macro iterations; {self.n_rows} rows in "
            f"{self.n_units} units",
            f"gamma  {self.gamma}",
            f"tau    {matrix_line(fit.tau)}",
            *([f"sigma2 {self.sigma2:.8g}"] if law.overdispersed else []),
        ]
        return "\n".join([*lines, *self.warnings])
