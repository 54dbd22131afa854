"""The result of an estimation: frozen, with every table a method away."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ..equations.model import Model
from ..labels import NamedArray
from ..likelihood.design import Design
from ..likelihood.evaluate import Evaluation, System
from .hlm_path import Iteration, Start, to_standard
from .weights import refuse_weighted

if TYPE_CHECKING:
    import pandas as pd

    from ..data.two_level import TwoLevelData
    from ..diagnostics.checks import Checks
    from ..inference.bootstrap import Bootstrap
    from ..inference.compare import DevianceTest
    from ..inference.homogeneity import HomogeneityTest
    from ..inference.hypotheses import WaldTest
    from ..inference.plausible import PlausibleRange
    from ..inference.variance_explained import IntraclassCorrelation, VarianceExplained
    from .heterogeneous import VarianceModel
    from .weights import Weighting


@dataclass(frozen=True, slots=True, eq=False)
class Components:
    """tau (q, q) and sigma2, in the units of the data."""

    tau: np.ndarray
    sigma2: float

    def __post_init__(self) -> None:
        self.tau.flags.writeable = False


@dataclass(frozen=True, eq=False, repr=False)
class Fit:
    """A fitted two-level model.

    HLM prints fixed effects, their standard errors and the log-likelihood at the values of tau and
    sigma2 that ENTER the last iteration, everything else at the values that LEAVE it, the factor sigma2
    of the model-based standard errors included. ``components`` are those that leave, ``entering`` those
    that enter; `exact` has one and the same.

    Attributes
    ----------
    model : Model
    design : Design
    system : System
        The design's standardised cross-products.
    at : Evaluation
        The likelihood's ingredients at ``entering``.
    method : "REML" or "ML"
    algorithm : "exact" or "hlm"
    gamma_free : ndarray, shape (F,)
        Free fixed effects.
    components, entering : Components
    loglik : float
    iterations : int
    converged : bool
    stop_reason : str
    boundary : tuple of str
        In words, which variances or combinations are estimated as zero.
    start : Start or None
        HLM's starting values (algorithm "hlm").
    log : tuple of Iteration
    data : TwoLevelData or None
        The rows, where the fit came from rows.
    variance_model : VarianceModel or None
        The estimated log(sigma2), where the model has that equation. ``design`` is then the one whose
        rows are divided by their sigma, and the level-1 variance of ``components`` is 1.
    notes : tuple of str
        What was done differently from what was asked, in words.
    gamma_of_u : ndarray, shape (F,), or None
        The gamma from which u* were taken, where it is not ``gamma_free``: HLM's ML uses the previous
        iteration's, and its robust standard errors show it.
    weighting : Weighting or None
        How rows and units were weighted.
    """

    model: Model
    design: Design
    system: System
    at: Evaluation
    method: str
    algorithm: str
    gamma_free: np.ndarray
    components: Components
    entering: Components
    loglik: float
    iterations: int
    converged: bool
    stop_reason: str
    boundary: tuple[str, ...]
    start: Start | None
    log: tuple[Iteration, ...]
    data: TwoLevelData | None
    variance_model: VarianceModel | None = None
    notes: tuple[str, ...] = ()
    gamma_of_u: np.ndarray | None = None
    weighting: Weighting | None = None

    def __post_init__(self) -> None:
        self.gamma_free.flags.writeable = False

    # --- estimates ---

    @property
    def gamma(self) -> NamedArray:
        """All fixed effects by name, constrained ones repeated, shape (n_gamma,)."""
        return NamedArray(self.gamma_free[self.design.free], self.model.gamma_names)

    @cached_property
    def vcov_white(self) -> np.ndarray:
        """(X'V^-1X)^-1, (F, F), at ``entering``, of X in orthonormal columns: see `Design.to_gamma`."""
        return self.entering.sigma2 * self.at.vg_white

    @cached_property
    def vcov_free(self) -> np.ndarray:
        """Model-based covariance matrix (X'V^-1X)^-1 of the free fixed effects at ``entering``, (F, F)."""
        s2 = to_standard(self.system, self.entering.tau, self.entering.sigma2)[1]
        scale = self.system.gamma_scale
        vcov = s2 * self.at.vg * np.outer(scale, scale)
        vcov.flags.writeable = False
        return vcov

    @cached_property
    def vcov_printed(self) -> np.ndarray:
        """``vcov_free`` as HLM prints its standard errors: with the sigma2 that leaves, (F, F)."""
        if self.entering is self.components:
            return self.vcov_free
        return self.vcov_free * (self.components.sigma2 / self.entering.sigma2)

    @property
    def weighted_kind(self) -> str:
        """What kind of weights the fit has: "sampling", "frequency", "precision", "variance known" or ""."""
        return "" if self.weighting is None else self.weighting.kind

    @property
    def vcov(self) -> np.ndarray:
        """Model-based covariance matrix of all fixed effects, shape (n_gamma, n_gamma)."""
        return self.vcov_printed[np.ix_(self.design.free, self.design.free)]

    @cached_property
    def vcov_robust(self) -> np.ndarray:
        """Robust (sandwich) covariance matrix of all fixed effects, shape (n_gamma, n_gamma)."""
        from ..inference.covariances import CR0

        return CR0().matrix(self)[np.ix_(self.design.free, self.design.free)]

    @property
    def tau(self) -> NamedArray:
        """Covariance matrix of the random effects, by coefficient name, shape (q, q)."""
        return NamedArray(self.components.tau, self.random_names)

    @property
    def sigma2(self) -> float:
        """Level-1 variance; nan where it differs between rows (see ``variance_model``)."""
        return self.components.sigma2 if self.variance_model is None else float("nan")

    @property
    def tau_corr(self) -> NamedArray:
        """Tau as correlations; nan where a variance is zero."""
        sd = np.sqrt(np.diag(self.components.tau))
        with np.errstate(divide="ignore", invalid="ignore"):
            corr = self.components.tau / np.outer(sd, sd)
        return NamedArray(corr, self.random_names)

    @property
    def random_names(self) -> tuple[str, ...]:
        """Names of the random level-1 coefficients, b0, b1, ..."""
        return tuple(self.model.coefficients[r].name for r in self.design.random)

    @property
    def effect_names(self) -> tuple[str, ...]:
        """Names of the random effects, u0, u1, ..."""
        return tuple(self.model.coefficients[r].effect for r in self.design.random)

    @property
    def deviance(self) -> float:
        """-2 log-likelihood; HLM's constant under ``algorithm="hlm"``, the true one under "exact"."""
        return -2.0 * self.loglik

    @property
    def n_parameters(self) -> int:
        """Number of estimated parameters as HLM counts: variances under REML, gammas too under ML."""
        q = self.design.n_random
        n_level1 = 1 if self.variance_model is None else len(self.variance_model.alpha)
        if self.weighted_kind == "variance known":
            n_level1 = 0
        return q * (q + 1) // 2 + n_level1 + (self.design.n_fixed if self.method == "ML" else 0)

    @property
    def aic(self) -> float:
        """Akaike's criterion, deviance + 2 k; k counts the gammas under REML too, as lme4 does."""
        return self.deviance + 2.0 * self._all_parameters("AIC")

    @property
    def bic(self) -> float:
        """Schwarz's criterion, deviance + k ln(N), N the level-1 rows and k as for `aic`: lme4's."""
        return self.deviance + self._all_parameters("BIC") * float(np.log(self.n_rows))

    def _all_parameters(self, what: str) -> int:
        refuse_weighted(self, what, "sampling")
        return self.n_parameters + (self.design.n_fixed if self.method == "REML" else 0)

    @property
    def n_rows(self) -> int:
        """Level-1 rows analysed, N."""
        return self.design.n_rows

    @property
    def n_units(self) -> int:
        """Level-2 units analysed, J."""
        return self.design.n_units

    @cached_property
    def _standard_errors(self) -> tuple[np.ndarray, float]:
        from ..inference.component_errors import variance_standard_errors

        return variance_standard_errors(self)

    @property
    def se_tau(self) -> NamedArray:
        """Standard errors of tau, from the expected information; shape (q, q)."""
        return NamedArray(self._standard_errors[0], self.random_names)

    @property
    def se_sigma2(self) -> float:
        """Standard error of sigma2, from the expected information."""
        return self._standard_errors[1]

    @property
    def warnings(self) -> tuple[str, ...]:
        """What should be known before the numbers are used, in words."""
        messages = list(self.notes)
        if not self.converged:
            messages.append(f"The estimation did not converge: {self.stop_reason}.")
        messages += [f"On the boundary: {message}." for message in self.boundary]
        return tuple(messages)

    # --- tables ---

    def fixed_effects(self, robust: bool | str | None = None, *, df: str | None = None) -> pd.DataFrame:
        """Tabulate the fixed effects: coefficient, se, t_ratio, df, p_value; index = gamma names.

        Parameters
        ----------
        robust : bool or str, optional
            False: model-based standard errors; True: HLM's robust ones; "CR1"; "CR2", bias-reduced. By
            default False, with sampling weights True: the model-based ones are not valid with them.
        df : "hlm", "satterthwaite" or "kenward-roger", optional
            Degrees of freedom; Kenward-Roger brings its own standard errors. By default "hlm", with
            "CR2" "satterthwaite". The table's ``attrs`` say in words what was used.
        """
        from ..inference.covariances import table_kind
        from ..inference.hlm_tables import fixed_effects

        kind = table_kind(self, robust, df)
        rows = fixed_effects(self, kind)
        table = _table(rows, "gamma", "name", ["coefficient", "se", "t_ratio", "df", "p_value"])
        table.attrs.update(kind.basis())
        return table

    def variance_components(self) -> pd.DataFrame:
        """Tabulate the variance components: sd, variance, df, chi2, p_value; index = u0, ..., r.

        There is no r where log(sigma2) depends on variables.
        """
        from ..inference.hlm_tables import variance_components

        rows = variance_components(self)
        return _table(rows, "effect", "name", ["sd", "variance", "df", "chi2", "p_value"])

    def reliability(self) -> NamedArray:
        """Reliability of each random level-1 coefficient's OLS estimate, averaged over full-rank units."""
        from ..inference.hlm_tables import reliability

        return NamedArray(reliability(self), self.random_names)

    # --- residuals ---

    def residuals(self, level: int = 2, extra: str | Sequence[str] = ()) -> pd.DataFrame:
        """Return the level-2 or level-1 residual file in HLM's names; see `hlmbayes.residuals.frames`.

        ``extra`` names variables to add ("all": all of that level).
        """
        from ..residuals.frames import residuals

        return residuals(self, level, extra)

    def influence(self) -> pd.DataFrame:
        """Tabulate how much each unit moves the fixed effects: Cook's distance, leverage, changes."""
        from ..residuals.influence import influence

        return influence(self)

    def check(self) -> Checks:
        """Check normality, homogeneity, outliers and influence; each with a verdict in plain words."""
        from ..diagnostics.checks import check

        return check(self)

    # --- intervals ---

    def confint(
        self, level: float = 0.95, *, robust: bool | str | None = None, df: str | None = None
    ) -> pd.DataFrame:
        """Tabulate confidence intervals: estimate, low, high, method; index = parameter.

        Fixed effects: t intervals with the standard errors and degrees of freedom of `fixed_effects`,
        ``robust`` and ``df`` as there. Standard deviations, elements of tau, correlations and sigma2: from
        the profile likelihood, around its optimum. With sampling weights the fixed effects' are robust; these
        and known level-1 variances have no profile intervals. Where log(sigma2) depends on variables its
        coefficients have normal intervals, and there are no profile intervals either.
        """
        from ..inference.intervals import alpha_intervals, fixed_intervals
        from ..inference.profile import intervals

        found = fixed_intervals(self, level=level, robust=robust, df=df)
        if self.variance_model is not None:
            found += alpha_intervals(self.variance_model, level=level)
        elif self.weighted_kind not in ("sampling", "variance known"):
            found += intervals(self, level=level)
        return _table(found, "parameter", "parameter", ["estimate", "low", "high", "method"])

    def bootstrap(
        self, n: int = 1000, seed: int | None = None, *, progress: Callable[[int, int], None] | None = None
    ) -> Bootstrap:
        """Simulate the fitted model n times and estimate each; see `bootstrap.bootstrap`."""
        from ..inference.bootstrap import bootstrap

        return bootstrap(self, n, seed, progress=progress)

    # --- reports ---

    def listing(self, **run: Any) -> str:
        """Return HLM 6.08's listing of the fit, with notes after it.

        Parameters
        ----------
        **run
            What the listing says about the run: ``title``, ``full_output`` (starting values, OLS and
            iterations, too), and the other fields of `hlmbayes.report.collect.Run`.
        """
        from ..report import listing

        return listing(self, **run)

    def to_json(self, **run: Any) -> str:
        """Return the results as JSON text at full precision; nan and infinity are null."""
        from ..report import to_json

        return to_json(self, **run)

    def to_html(self, **run: Any) -> str:
        """Return the results as one self-contained HTML page."""
        from ..report import to_html

        return to_html(self, **run)

    def _repr_html_(self) -> str:
        from ..report import to_html

        return to_html(self, whole_page=False)

    # --- tests and what follows from the estimates ---

    def wald(self, *hypotheses: Any, robust: bool | str | None = None, df: str | None = None) -> Any:
        """Test general linear hypotheses about the fixed effects; see `hypotheses.wald`.

        ``fit.wald({"g01": [1, 0], "g11": [0, 1]})`` tests g01 = 0 and g11 = 0 together, with HLM's
        robust covariance. Several hypotheses give a tuple of results.
        """
        from ..inference.hypotheses import wald

        return wald(self, *hypotheses, robust=robust, df=df)

    def test_variable(
        self, name: str | Sequence[str], *, robust: bool | str | None = None, df: str | None = None
    ) -> WaldTest:
        """Test all fixed effects of a variable, or of a categorical variable's dummies, together."""
        from ..inference.hypotheses import variable_test

        return variable_test(self, name, robust=robust, df=df)

    def compare(
        self,
        other: Fit | None = None,
        *,
        deviance: float | None = None,
        n_parameters: int | None = None,
        **options: Any,
    ) -> DevianceTest:
        """Compare deviances with another fit, or with a stored deviance and its number of parameters.

        ``bootstrap=1000, seed=1`` adds a p-value by parametric bootstrap; see `compare.compare`.
        """
        from ..inference.compare import compare_any

        return compare_any(self, other, deviance, n_parameters, **options)

    def homogeneity(self) -> HomogeneityTest:
        """Test that the level-1 variance is the same in all units."""
        from ..inference.homogeneity import homogeneity

        return homogeneity(self)

    def icc(self, *, level: float = 0.95) -> IntraclassCorrelation:
        """Give the (conditional) intraclass correlation with a confidence interval."""
        from ..inference.variance_explained import icc

        return icc(self, level=level)

    def plausible_range(
        self, coefficient: str = "b0", *, level: float = 0.95, at: Mapping[str, float] | None = None
    ) -> PlausibleRange:
        """Give the range that holds 95 % of the units' values of a level-1 coefficient."""
        from ..inference.plausible import plausible_range

        return plausible_range(self, coefficient, level=level, at=at)

    def variance_explained(self, base: Fit) -> VarianceExplained:
        """Give the proportion of each variance of the model ``base`` that this one explains."""
        from ..inference.variance_explained import variance_explained

        return variance_explained(self, base)

    def _level1_variance(self) -> str:
        if self.variance_model is None:
            return f"sigma2 {self.sigma2:.8g}"
        pairs = zip(self.variance_model.names, self.variance_model.alpha, strict=True)
        return "log(sigma2): " + ", ".join(f"{name} {value:.8g}" for name, value in pairs)

    def __repr__(self) -> str:
        state = "converged" if self.converged else "NOT CONVERGED"
        lines = [
            f"Fit of {self.model.outcome}: {self.method}, algorithm {self.algorithm!r}, {state} after "
            f"{self.iterations} iterations; {self.n_rows} rows in {self.n_units} units",
            f"gamma  {self.gamma}",
            "tau    " + "; ".join(" ".join(f"{v:.8g}" for v in row) for row in self.components.tau),
            f"{self._level1_variance()}, deviance {self.deviance:.6f}, {self.n_parameters} parameters",
        ]
        return "\n".join([*lines, *self.warnings])


def _table(rows: Sequence[Any], index_name: str, key: str, columns: list[str]) -> pd.DataFrame:
    """Lay records out as a table, one row each, indexed by their attribute ``key``."""
    import pandas as pd

    index = pd.Index([getattr(row, key) for row in rows], name=index_name)
    return pd.DataFrame([[getattr(row, c) for c in columns] for row in rows], index=index, columns=columns)
