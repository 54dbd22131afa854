"""The fit of a model whose outcome is not normal, as it was asked for: a `GeneralizedFit` or a `PQLFit`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..data.two_level import TwoLevelData
from ..data.weights import Frequencies, Weights
from ..equations.model import TwoLevelModel
from ..equations.outcome_law import check_normal
from ..errors import EstimationError
from ..estimation.estimate import chosen_method
from ..hglm.fit import fit_by_likelihood
from ..hglm.pql import ROWS_ONCE, PQLLimits, pql
from ..unit_moments.record import Moments
from .generalized_fit import GeneralizedFit
from .pql_fit import PQLFit


def fit_not_normal(
    model: TwoLevelModel, data: TwoLevelData | Moments, method: str | None, algorithm: str, most: int,
    n_nodes: int | None, laplace: bool, weights: Weights | Frequencies | None = None,
) -> GeneralizedFit | PQLFit:  # fmt: skip
    """Fit a model whose outcome is not normal; see `hlmbayes.Model.fit`."""
    if isinstance(data, Moments):
        check_normal(model.outcome, model.outcome_law, "a fit of moments")
    wanted = chosen_method(method)
    if algorithm == "hlm":
        if weights is not None:
            raise EstimationError(ROWS_ONCE)
        if n_nodes is not None or laplace:
            raise EstimationError(
                'algorithm="hlm" is penalised quasi-likelihood, which has no nodes: leave n_nodes= and '
                'laplace= out, or use algorithm="exact"'
            )
        return PQLFit(pql(model, data, wanted, PQLLimits(most)))
    if algorithm != "exact":
        raise EstimationError(f"algorithm {algorithm!r} is not known: use exact or hlm")
    if wanted == "REML":
        raise EstimationError(
            f"the likelihood of a {model.outcome_law.name} outcome has no restricted form: leave method= "
            'out, or use algorithm="hlm"'
        )
    return GeneralizedFit(fit_by_likelihood(model, data, weights=weights, n_nodes=n_nodes, laplace=laplace))


def refuse_given(model: TwoLevelModel, given: Mapping[str, Any]) -> None:
    """Refuse arguments that are for normal outcomes."""
    for name, value in given.items():
        if value is not None:
            check_normal(model.outcome, model.outcome_law, f"{name}=")
