"""`Fit`: the result of an estimation as users hold it, every table a method away."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..arguments import one_or_several
from ..derived.between_studies import i2
from ..derived.intraclass import icc
from ..derived.plausible import plausible_range, prediction_interval
from ..derived.r2 import r2
from ..derived.variance_explained import VarianceExplained, variance_explained
from ..equations.names import component_names
from ..errors import HypothesisError
from ..estimation.estimates import Estimates
from ..faces import asked, record_of, shown
from ..inference import hlm_tables
from ..inference.bootstrap import bootstrap
from ..inference.homogeneity import homogeneity
from ..inference.intervals import Interval, alpha_intervals, fixed_intervals
from ..inference.profile import intervals, profiled
from ..inference.simulate import simulate
from ..labelled import records_table
from ..labels import NamedArray
from ..laws.law import Alpha
from ..predictions.means import means
from ..predictions.predict import predict
from ..predictions.slopes import slopes
from ..residuals.exploratory import explore
from ..residuals.frames import residuals
from ..residuals.influence import influence
from ..writing import page_place, write_text
from .any_fit import NormalFit

if TYPE_CHECKING:
    import pandas as pd

    from ..diagnostics.checks import Checks


class Fit(NormalFit):
    """A fitted two-level model: what `Model.fit` returns.

    Estimates are attributes, tables and tests are methods; `print(fit.listing())` is HLM's listing.
    """

    __slots__ = ()
    _record: Estimates

    # --- estimates ---

    algorithm: str = shown("algorithm", '"exact", the optimum, or "hlm", where HLM stops.')
    log: tuple[Any, ...] = shown("log", "The iterations: number, loglik, gamma, tau, sigma2.")
    start: Any = shown("start", "HLM's starting values; None at the optimum.")
    data: Any = shown("data", "The rows it came from; None where it came from moments.")

    # --- tables ---

    def variance_components(self) -> pd.DataFrame:
        """Tabulate the variance components: name, sd, variance, df, chi2, p_value; index = u0, ..., r.

        nan: no test of r; none of a u where too few units have full rank, or with sampling weights. There is
        no r where log(sigma2) depends on variables.
        """
        rows = hlm_tables.variance_components(self._record)
        names = component_names(self._record.model.coefficients)
        names["r"] += self._record.law.known
        return self._table(rows, hlm_tables.VarianceComponent, "effect", names)

    def log_sigma2(self) -> pd.DataFrame:
        """Tabulate the equation of log(sigma2): variable, estimate, se; index = a0, a1, ...; else empty."""
        return records_table(self._record.law.alphas, Alpha, "alpha")

    def reliability(self) -> NamedArray:
        """Reliability of each random coefficient's OLS estimate: mean over full-rank units, nan without."""
        return NamedArray(hlm_tables.reliability(self._record), self._record.model.random_parameters)

    # --- residuals ---

    def residuals(self, level: int = 2, extra: str | Sequence[str] = (), hlm: str = "6") -> pd.DataFrame:
        """Return the level-2 or level-1 residual file in the names of HLM "6" or "7".

        ``extra`` names variables to add ("all": all of that level). See `hlmbayes.residuals.frames`.
        """
        return residuals(self._record, level, extra, hlm)

    influence = asked(influence)
    explore = asked(explore)

    def check(self) -> Checks:
        """Check normality, homogeneity, outliers and influence; each with a verdict in plain words."""
        from ..diagnostics.checks import check

        return check(self._record)

    # --- intervals ---

    def confint(
        self, prob: float = 0.95, *, parameters: str | Sequence[str] = (), robust: bool | str | None = None,
        df: str | None = None,
    ) -> pd.DataFrame:  # fmt: skip
        """Tabulate confidence intervals: name, estimate, low, high, method; index = parameter.

        Fixed effects: t intervals with the standard errors and degrees of freedom of `fixed_effects`,
        ``robust`` and ``df`` as there. Standard deviations, elements of tau, correlations and sigma2: from
        the profile likelihood, around its optimum. With sampling weights the fixed effects' are robust, and
        there are no profile intervals. A level-1 variance that is known has no row. Where log(sigma2) depends
        on variables its coefficients have normal intervals, and there are no profile intervals either.

        ``parameters``: only those of these, by code ("g11", "sd[b1]") or name ("ses:sector", "sd[ses]").
        """
        found = fixed_intervals(self._record, prob=prob, robust=robust, df=df)
        found += alpha_intervals(self._record.law.alphas, prob=prob)
        of_variances, known = profiled(self._record), self._record.model.scalar_parameters
        there = known.only([*(row.parameter for row in found), *of_variances])
        wanted = [there.find(name, HypothesisError) for name in one_or_several(parameters)] or there.codes
        if not set(of_variances).isdisjoint(wanted):
            found += intervals(self._record, prob=prob)
        by_code = {row.parameter: row for row in found}
        return self._table([by_code[code] for code in wanted], Interval, "parameter", known.name_of)

    bootstrap = asked(bootstrap)
    simulate = asked(simulate)

    # --- reports ---

    def listing(self, **run: Any) -> str:
        """Return HLM 6.08's listing of the fit, with notes after it.

        Parameters
        ----------
        **run
            What the listing says about the run: ``title``, ``full_output`` (starting values, OLS and
            iterations, too), and the other fields of `hlmbayes.report.header.Run`.
        """
        from ..report import listing

        return listing(self._record, **run)

    def to_json(self, **run: Any) -> str:
        """Return the results as JSON text at full precision; nan and infinity are null."""
        from ..report import to_json

        return to_json(self._record, **run)

    def report(self, path: str | Path, **run: Any) -> Path:
        """Write the report, one page to hand out, as an HTML file that needs no other; give its place.

        It has the equations, estimates with intervals, what each effect says in a sentence, ICC, R-squared,
        ranges, checks, figures, a paragraph for a paper and HLM's tables. ``run`` as for `listing`.

        Raises
        ------
        OutputError
            A file that cannot be written, or is called otherwise than .html.
        """
        from ..figures.report_figures import report
        from ..report import report_tables
        from ..report.findings import findings

        place = page_place(path)
        page = report(self._record, report_tables(self._record, **run), findings(self._record))
        return write_text(place, page)

    def to_html(self, **run: Any) -> str:
        """Return HLM's tables as one self-contained HTML page; `report` writes one to hand out."""
        from ..report import to_html

        return to_html(self._record, **run)

    def _repr_html_(self) -> str:
        from ..report import to_html

        return to_html(self._record, whole_page=False)

    # --- tests and what follows from the estimates ---

    homogeneity = asked(homogeneity)
    icc = asked(icc)
    r2 = asked(r2)
    i2 = asked(i2)
    prediction_interval = asked(prediction_interval)
    predict = asked(predict)
    slopes = asked(slopes)
    means = asked(means)
    plausible_range = asked(plausible_range)

    def variance_explained(self, base: Fit) -> VarianceExplained:
        """Give the proportion of each variance of the model ``base`` that this one explains."""
        return variance_explained(self._record, record_of(base))

    def __repr__(self) -> str:
        found = self._record
        alphas = ", ".join(f"{a.name} {a.estimate:.8g}" for a in found.law.alphas)
        level1 = f"log(sigma2): {alphas}" if alphas else f"sigma2 {found.sigma2:.8g}{found.law.known}"
        return self._said(f": {found.method}, algorithm {found.algorithm!r}", f"{level1}, ")
