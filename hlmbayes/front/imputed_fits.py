"""`fit_imputed`: a model in every imputed data set, or for every plausible value, pooled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..arguments import in_words, one_or_several
from ..data.two_level import TwoLevelData
from ..data.weights import Frequencies, Weights
from ..equations.model import TwoLevelModel
from ..equations.outcome_law import check_normal
from ..errors import EstimationError
from ..estimation.estimate import chosen_method
from ..estimation.prepare import weights_asked
from ..many_fits import pooled_fit
from ..many_fits.pooled_fit import Run
from ..many_fits.pooled_generalized import PooledGeneralized, fit_each_generalized
from ..many_fits.replicate_weights import Replication
from .not_normal import refuse_given
from .pooled import PooledFit
from .pooled_generalized import PooledGeneralizedFit


@in_words
def fit_imputed(
    model: TwoLevelModel,
    data: TwoLevelData | Sequence[TwoLevelData],
    *,
    outcomes: str | Sequence[str] = (),
    replicates: str | Sequence[str] = (),
    sampling_from: str = "all",
    weights: Weights | None = None,
    workers: int | None = None,
    **options: Any,
) -> Any:
    """Estimate a model in every imputed data set, or for every plausible value, and pool.

    Parameters
    ----------
    model : TwoLevelModel
    data : sequence of TwoLevelData, or one where ``outcomes`` are given
        See `hlmbayes.read_imputed`. With ``outcomes`` and several data sets, one outcome each.
    outcomes : sequence of str
        Plausible values of the outcome: each takes the place of the model's outcome in turn.
    replicates : str or sequence of str
        Columns of replicate weights, "rep1-rep80" for a series: the sampling variance is theirs, and
        ``options`` are those of `hlmbayes.fit_replicates` (of, method, fay, factor, df).
    sampling_from : "all" or "first"
        The plausible values (or data sets) that the replicates' variance is taken from: averaged over all, as
        PISA and TIMSS since 2015 have it, or of the first alone, as NAEP has it: m + R fits, not m R.
    weights : Weights, optional
        Sampling weights; wanted with ``replicates``.
    workers : int, optional
        Threads that fit at the same time; by default one for each processor where the data are large enough
        for that to pay.
    **options
        As `hlmbayes.Model.fit`: method, algorithm, ...; of an outcome that is not normal frequency, n_nodes
        and laplace.

    Returns
    -------
    PooledFit; of an outcome that is not normal a PooledGeneralizedFit

    Raises
    ------
    DataError
        Data sets that differ in variables, units or rows; fewer than two.
    """
    runs = pooled_fit.model_and_data(model, data, one_or_several(outcomes))
    names = one_or_several(replicates)
    if not model.outcome_law.is_normal:
        if names:
            check_normal(model.outcome, model.outcome_law, "replicates=")
        return PooledGeneralizedFit(_generalized(runs, workers, weights, **options))
    if not names:
        return PooledFit(pooled_fit.fit_each(runs, workers, weights=weights, **options))
    asked_for = Replication.asked(names, options)
    found = pooled_fit.replicate_each(runs, asked_for, weights, sampling_from=sampling_from, workers=workers)
    return PooledFit(found)


def _generalized(
    runs: Sequence[Run], workers: int | None, weights: Weights | None, *,
    frequency: Frequencies | None = None, n_nodes: int | None = None, laplace: bool = False, **others: Any,
) -> PooledGeneralized:  # fmt: skip
    """Fit an outcome that is not normal in every data set; refuse other options."""
    method, algorithm = others.pop("method", None), others.pop("algorithm", "exact")
    if algorithm != "exact" or chosen_method(method) == "REML":
        raise EstimationError(
            "outcomes that are not normal are pooled of fits by the likelihood only: leave algorithm= and "
            "method= out"
        )
    refuse_given(runs[0][1], others)
    counted = weights_asked(weights, frequency)
    return fit_each_generalized(runs, workers, weights=counted, n_nodes=n_nodes, laplace=laplace)
