"""`StreamedFit`: a fit to moments that are larger than memory, as users hold it."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import wrap
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from ..equations.model import TwoLevelModel
from ..equations.names import component_names
from ..errors import EstimationError, HypothesisError, NotHereError
from ..estimation.estimate import chosen_method
from ..estimation.streamed import StreamedEstimates, fit_stream, refuse_stream
from ..faces import record_of, shown
from ..inference import hlm_tables
from ..inference.compare import DevianceTest, compare_any
from ..inference.component_errors import variance_standard_errors
from ..inference.covariances import CR0, table_kind
from ..inference.intervals import Interval, fixed_intervals
from ..inference.likelihood_tables import Component
from ..labels import NamedArray
from ..unit_moments.stream import MomentsStream
from .any_fit import AnyFit
from .fit import Fit

if TYPE_CHECKING:
    import pandas as pd


class StreamedFit(AnyFit):
    """A fitted two-level model whose units were read a part at a time: what `Model.fit` returns for them.

    Estimates, their standard errors, tests and intervals are those of all units.
    """

    __slots__ = ()
    _record: StreamedEstimates

    method: str = shown("method", '"REML" or "ML".')
    vcov: np.ndarray = shown("vcov", "Model-based covariance matrix of all fixed effects.")
    sigma2: float = shown("sigma2", "Level-1 variance.")
    loglik: float = shown("loglik", "Log-likelihood.")
    aic: float = shown("aic", "Akaike's criterion; gammas count under REML too, as in lme4.")
    n_parameters: int = shown("n_parameters", "Parameters as HLM counts: no gammas under REML.")

    @property
    def vcov_robust(self) -> np.ndarray:
        """Robust (sandwich) covariance matrix of all fixed effects, (n_gamma, n_gamma): the files anew."""
        free = self._record.design.free
        return CR0().matrix(self._record)[np.ix_(free, free)]

    @property
    def se_tau(self) -> NamedArray:
        """Standard errors of tau, from the expected information; (q, q); nan on the boundary."""
        return NamedArray(variance_standard_errors(self._record)[0], self._record.model.random_parameters)

    @property
    def se_sigma2(self) -> float:
        """Standard error of sigma2, from the expected information."""
        return variance_standard_errors(self._record)[1]

    def fixed_effects(self, robust: bool | str | None = None, *, df: str | None = None) -> pd.DataFrame:
        """Tabulate the fixed effects: name, coefficient, se, t_ratio, df, p_value; index = codes, g00, ...

        ``robust``: True or "CR1"; ``df``: "hlm" or "hlm7". See `Fit.fixed_effects`.
        """
        kind = table_kind(self._record, robust, df)
        names = self._record.model.fixed_parameters.name_of
        found = self._table(
            hlm_tables.fixed_effects(self._record, kind), hlm_tables.FixedEffect, "gamma", names
        )
        found.attrs.update(kind.basis())
        return found

    def variance_components(self) -> pd.DataFrame:
        """Tabulate the variance components: name, sd, variance, se; index = u0, ..., r."""
        variances = [*np.diag(np.asarray(self.tau)).tolist(), self.sigma2]
        errors = [*np.diag(np.asarray(self.se_tau)).tolist(), self.se_sigma2]
        codes = [*self.effect_names, "r"]
        rows = [Component(c, v**0.5, v, se) for c, v, se in zip(codes, variances, errors, strict=True)]
        return self._table(rows, Component, "effect", component_names(self._record.model.coefficients))

    def confint(
        self, prob: float = 0.95, *, robust: bool | str | None = None, df: str | None = None
    ) -> pd.DataFrame:
        """Tabulate t intervals of the fixed effects: name, estimate, low, high, method; index = parameter."""
        rows = fixed_intervals(self._record, prob=prob, robust=robust, df=df)
        return self._table(rows, Interval, "parameter", self._record.model.fixed_parameters.name_of)

    def compare(
        self, other: StreamedFit | None = None, *, deviance: float | None = None,
        n_parameters: int | None = None,
    ) -> DevianceTest:  # fmt: skip
        """Compare deviances with another fit to the stream, or with a stored deviance and its parameters."""
        return compare_any(self._record, record_of(other), deviance, n_parameters)

    def _lacks(self, name: str) -> NoReturn:
        if not hasattr(Fit, name):
            super()._lacks(name)
        try:
            refuse_stream(name)
        except HypothesisError as error:
            raise NotHereError(str(error)) from None

    def __repr__(self) -> str:
        found = self._record
        state = "converged" if found.converged else "NOT CONVERGED"
        lines = [
            f"Fit of {found.model.outcome} to streamed moments: {found.method}, {state} after "
            f"{found.iterations} iterations; {found.n_rows} rows in {found.n_units} units",
            *wrap(f"gamma  {found.gamma}", 80, subsequent_indent=" " * 7, break_long_words=False),
            "tau    " + "; ".join(" ".join(f"{v:.8g}" for v in row) for row in found.components.tau),
            f"sigma2 {found.sigma2:.8g}, deviance {found.deviance:.6f}, {found.n_parameters} parameters",
        ]
        return "\n".join([*lines, *found.warnings])


def fit_streamed(
    model: TwoLevelModel, stream: MomentsStream, method: str | None, algorithm: str, given: Mapping[str, Any]
) -> StreamedFit:
    """Fit a model to streamed moments; see `hlmbayes.Model.fit`, some of whose arguments are ``given``."""
    if asked := [name for name, value in given.items() if value is not None]:
        raise EstimationError(f"streamed moments are fitted without {asked[0]}=: read them with load_moments")
    if algorithm != "exact":
        raise EstimationError(
            f'algorithm={algorithm!r} needs all units in memory: use "exact", or read the moments with '
            "load_moments"
        )
    return StreamedFit(fit_stream(model, stream, chosen_method(method) != "ML"))
