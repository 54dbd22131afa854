"""`StreamedFit`: a fit to moments that are larger than memory, as users hold it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from ..equations.model import TwoLevelModel
from ..equations.names import component_names
from ..errors import EstimationError, HypothesisError, NotHereError
from ..estimation.estimate import chosen_method
from ..estimation.streamed import StreamedEstimates, fit_stream, refuse_stream
from ..inference.compare import DevianceTest
from ..inference.intervals import Interval, fixed_intervals
from ..inference.likelihood_tables import Component
from ..unit_moments.stream import MomentsStream
from .any_fit import AnyFit, NormalFit
from .fit import Fit

if TYPE_CHECKING:
    import pandas as pd


class StreamedFit(NormalFit):
    """A fitted two-level model whose units were read a part at a time: what `Model.fit` returns for them.

    Estimates, their standard errors, tests and intervals are those of all units.
    """

    __slots__ = ()
    _record: StreamedEstimates

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
        self, other: AnyFit | None = None, *, deviance: float | None = None, n_parameters: int | None = None,
        **options: Any,
    ) -> DevianceTest:  # fmt: skip
        """Compare deviances with another fit to the stream, or with a stored deviance and its parameters."""
        if options:
            refuse_stream(f"compare with {next(iter(options))}=")
        return super().compare(other, deviance=deviance, n_parameters=n_parameters)

    def _lacks(self, name: str) -> NoReturn:
        if not hasattr(Fit, name):
            super()._lacks(name)
        try:
            refuse_stream(name)
        except HypothesisError as error:
            raise NotHereError(str(error)) from None

    def __repr__(self) -> str:
        found = self._record
        return self._said(f" to streamed moments: {found.method}", f"sigma2 {found.sigma2:.8g}, ")


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
