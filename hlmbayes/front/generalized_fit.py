"""`GeneralizedFit`: a model of an outcome that is not normal, by maximum likelihood, as users hold it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..arguments import one_or_several
from ..derived.generalized_shares import generalized_icc, generalized_r2
from ..diagnostics.calibration import calibration
from ..equations.names import component_names, cut_parameters
from ..errors import HypothesisError
from ..faces import asked, shown
from ..hglm.estimates import GeneralizedEstimates
from ..hglm.fit import fit_by_likelihood
from ..inference.bootstrap_generalized import bootstrap_generalized
from ..inference.compare import DevianceTest, compare_any
from ..inference.intervals import Interval, fixed_intervals
from ..inference.likelihood_tables import Component, Cut, Ratio, components, cut_intervals, cuts, ratios
from ..inference.profile_generalized import profile_intervals, profiled_generalized
from ..inference.simulate import simulate
from ..labelled import records_table
from ..labels import NamedArray
from ..laws.law import Need
from ..naming import Parameters
from ..predictions.response import predict_generalized
from ..predictions.typical import means_generalized, slopes_generalized
from ..predictions.unit_means import plausible_range_generalized, prediction_interval_generalized
from ..residuals.generalized_exploratory import explore_generalized
from ..residuals.generalized_frames import generalized_residuals, quantile_residuals
from ..residuals.generalized_influence import generalized_influence
from ..writing import page_place, write_text
from .any_fit import AnyFit
from .fit import Fit
from .other_outcomes import OtherOutcome

if TYPE_CHECKING:
    import pandas as pd

    from ..diagnostics.checks import Checks


class GeneralizedFit(OtherOutcome, AnyFit):
    """A fitted model whose outcome is not normal: what `Model.fit` returns for it.

    The random effects are integrated out by adaptive quadrature. Estimates are on the scale of the link;
    predictions, slopes and means on that of the outcome, averaged over the random effects.
    """

    __slots__ = ()
    _record: GeneralizedEstimates
    normal = Fit
    instead = "dir(fit) lists what there is; slopes, means, predict and residuals are on the outcome's scale"

    # --- estimates ---

    algorithm: str = shown("algorithm", '"exact".')
    vcov: np.ndarray = shown("vcov", "Covariance matrix of all fixed effects, from the observed information.")
    vcov_robust: np.ndarray = shown("vcov_robust", "The same by the sandwich of the units' scores.")
    se_tau: NamedArray = shown("se_tau", "Standard errors of tau; nan on the boundary.")
    n_nodes: tuple[int, ...] = shown("n_nodes", "Nodes along each direction of a unit's random effects.")
    integration: str = shown("integration", "How the random effects were integrated out, in words.")
    data: Any = shown("data", "The rows it came from.")

    # --- tables ---

    def fixed_effects(self, robust: bool | None = None) -> pd.DataFrame:
        """Tabulate the fixed effects: name, coefficient, se, t_ratio (z), df (infinite), p_value.

        ``robust``: standard errors by the sandwich of the units' scores instead of the observed information.
        """
        return self._fixed_effects(robust)

    def ratios(self, robust: bool | None = None, *, prob: float = 0.95) -> pd.DataFrame:
        """Tabulate exp of the fixed effects, odds ratios (event rate, hazard ratios), with intervals.

        They are unit-specific: of two rows of the same unit.

        Raises
        ------
        HypothesisError
            A probit link, of which exp means nothing.
        """
        names = self._record.model.fixed_parameters.name_of
        return self._table(ratios(self._record, robust, prob), Ratio, "gamma", names)

    def cuts(self) -> pd.DataFrame:
        """Tabulate the cuts between categories of an ordinal outcome: estimate, se; empty of others.

        They are counted from the lowest, which is the intercept's: d2, d3, ... as in HLM.
        """
        return records_table(cuts(self._record), Cut, "cut")

    def variance_components(self) -> pd.DataFrame:
        """Tabulate the variances of the random effects: name, sd, variance, se; index = u0, u1, ...

        `test_variance` tests one; there is no level-1 variance.
        """
        names = component_names(self._record.model.coefficients)
        return self._table(components(self._record), Component, "effect", names)

    def confint(
        self, prob: float = 0.95, *, parameters: str | Sequence[str] = (),
        method: Literal["wald", "profile"] = "wald", robust: bool | None = None,
    ) -> pd.DataFrame:  # fmt: skip
        """Tabulate confidence intervals: name, estimate, low, high, method; index = parameter.

        Fixed effects and cuts: normal ones, or with ``method="profile"`` from the profile likelihood.
        Standard deviations and covariances of the random effects: always from the profile.

        ``parameters``: only those of these, by code ("g11", "sd[b1]") or name.
        """
        if method not in ("wald", "profile"):
            raise HypothesisError(f'method= is "wald" or "profile", got {method!r}')
        if method == "profile" and robust:
            raise HypothesisError("a profile has no standard errors to be robust: leave robust= out")
        found, known = self._record, self._record.model.scalar_parameters
        known = Parameters(known.kind, (*known.each, *cut_parameters(len(found.law.fixed_cuts)).each))
        normal = fixed_intervals(found, prob=prob, robust=robust) + cut_intervals(found, prob, robust)
        there = known.only([*(row.parameter for row in normal), *profiled_generalized(found)])
        wanted = [there.find(name, HypothesisError) for name in one_or_several(parameters)] or there.codes
        walds = {} if method == "profile" else {row.parameter: row for row in normal}
        by_profile = profile_intervals(found, prob, tuple(c for c in wanted if c not in walds))
        rows = walds | {row.parameter: row for row in by_profile}
        names = known.name_of
        return self._table([rows[code] for code in wanted], Interval, "parameter", names)

    # --- residuals and predictions ---

    residuals = asked(generalized_residuals)
    quantile_residuals = asked(quantile_residuals)
    predict = asked(predict_generalized)
    slopes = asked(slopes_generalized)
    means = asked(means_generalized)

    # --- checks ---

    def check(self, *, n: int = 199, seed: int | None = 1) -> Checks:
        """Check rows, random effects, calibration and influence against ``n`` data sets simulated from it.

        See `hlmbayes.diagnostics.link_checks.check_generalized`.
        """
        from ..diagnostics.link_checks import check_generalized

        return check_generalized(self._record, n=n, seed=seed)

    calibration = asked(calibration)
    influence = asked(generalized_influence)
    explore = asked(explore_generalized)

    bootstrap = asked(bootstrap_generalized)
    simulate = asked(simulate)

    # --- tests and what follows from the estimates ---

    icc = asked(generalized_icc)
    r2 = asked(generalized_r2)
    plausible_range = asked(plausible_range_generalized)
    prediction_interval = asked(prediction_interval_generalized)

    def test_variance(self, effect: str, **options: Any) -> DevianceTest:
        """Test a random effect ("u1") by the deviance of the model without it.

        The p-value beside the chi-square's, ``p_boundary``, knows that a variance cannot be negative: with k
        covariances of the effect it is the tail of a mixture, half chi-square on k degrees of freedom and
        half on k + 1 (Self & Liang 1987; Stram & Lee 1994). ``bootstrap=1000, seed=1`` adds one by
        simulation from the model without the effect, which relies on no large sample.

        Raises
        ------
        HypothesisError
            The model has no such random effect.
        """
        found = self._record
        found.require("a test of deviances", Need.LIKELIHOOD)
        one_for_all = found.model.outcome_law.by_category  # an effect is tested in all of them together
        parts = (self.model if one_for_all else found.model).parts
        effects = [c.effect for c in parts.coefficients if c.random]
        if effect not in effects:
            there = ", ".join(effects) or "none"
            raise HypothesisError(f"{effect!r} is no random effect of this model; there are: {there}")
        without = tuple(replace(c, random=c.random and c.effect != effect) for c in parts.coefficients)
        blocks = [[u for u in block if u != effect] for block in parts.blocks]
        model = type(found.model).from_parts(
            *parts._replace(coefficients=without, blocks=tuple(tuple(b) for b in blocks if b))
        )
        asked_for = max(found.n_nodes) if found.asked_nodes else None
        other = fit_by_likelihood(model, found.data, weights=found.counting.asked, n_nodes=asked_for)
        return compare_any(found, other, None, None, **options)

    # --- reports ---

    def listing(self) -> str:
        """Return the results as text: fixed effects, robust errors, ratios, variances, what to know."""
        from ..report.generalized import listing

        return listing(self._record)

    def report(self, path: str | Path) -> Path:
        """Write `to_html` with its figures as a file that needs no other, and give its place.

        Raises
        ------
        OutputError
            A file that cannot be written, or is called otherwise than .html.
        """
        from ..figures.report_figures import link_report

        return write_text(page_place(path), link_report(self._record))

    def to_json(self) -> str:
        """Return the results as JSON text at full precision; nan and infinity are null."""
        from ..report.generalized import to_json

        return to_json(self._record)

    def to_html(self) -> str:
        """Return the results as one self-contained HTML page."""
        from ..report.generalized import to_html

        return to_html(self._record)

    def _repr_html_(self) -> str:
        from ..report.generalized import to_html

        return to_html(self._record, whole_page=False)

    def __repr__(self) -> str:
        law = self._record.model.outcome_law
        how = f" ({law.name}, {law.link} link): maximum likelihood"
        return self._said(how, note=f" ({self._record.integration})")
