"""Parametric bootstrap where the outcome is not normal: new outcomes of the same rows, estimated again.

Random effects are drawn from tau, outcomes from their law (Davison & Hinkley 1997, ch. 4). The search starts
at the fit's own estimates, with its nodes; where more of them move the deviance it is made anew.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..arguments import seed_or_none, whole
from ..errors import EstimationError, HypothesisError
from ..estimation.fitted import Fitted
from ..hglm.estimates import GeneralizedEstimates
from ..hglm.replicas import Replicas, replicas_of
from ..laws.law import Need
from .bootstrapped import GeneralizedBootstrap, Progress, repeated, simulated_p_value


def bootstrap_generalized(
    fit: GeneralizedEstimates, n: int = 1000, seed: int | None = None, *, progress: Progress | None = None
) -> GeneralizedBootstrap:
    """Simulate the fitted model n times and estimate each as the fit was.

    The same ``seed`` gives the same numbers; ``progress`` is called with (done, n) after every data set.
    Data sets without an estimate (separated, a category that does not occur) or where the search did not
    converge are counted as failed.

    Raises
    ------
    HypothesisError
        n < 2, frequencies or sampling weights, or no data set could be estimated.
    """
    _check(fit, n)
    rng, source = np.random.default_rng(seed_or_none(seed, HypothesisError)), replicas_of(fit)
    found = repeated(lambda: _converged(source, source.outcomes(rng)), n, 2, progress)
    free = fit.design.free
    return GeneralizedBootstrap(
        np.array([each.gamma_free[free] for each in found]), np.array([each.tau_values for each in found]),
        np.array([each.law.fixed_cuts for each in found]), fit.model, fit.design.pattern,
        (fit.gamma_free[free], fit.tau_values, fit.law.fixed_cuts), seed, n - len(found),
        sum(bool(each.boundary) for each in found),
    )  # fmt: skip


def _converged(source: Replicas, y: np.ndarray) -> GeneralizedEstimates:
    """Estimate the model with outcomes (N,); EstimationError where the search did not converge."""
    found = source.again(y)
    if not found.converged:
        raise EstimationError(found.stop_reason)
    return found


def refuse_counted(fit: Fitted, what: str) -> None:
    """Raise where rows or units stand for several: of those no outcomes can be simulated."""
    fit.require(what, Need.LIKELIHOOD)
    if Need.SINGLE_ROWS in fit.counting.lacks:
        raise HypothesisError(
            f"{what} is not available for a fit with {fit.counting.lacks[Need.SINGLE_ROWS]}, whose records "
            "stand for several rows: write the data out in full, a record for each row and unit"
        )


def _check(fit: GeneralizedEstimates, n: int) -> None:
    refuse_counted(fit, "the parametric bootstrap")
    whole("n, the number of data sets (better 1000),", n, 2, HypothesisError)


def generalized_p_value(
    simple: GeneralizedEstimates, general: GeneralizedEstimates, chi2: float, n: int, seed: int | None,
    progress: Progress | None = None,
) -> tuple[float, int]:  # fmt: skip
    """Give the share of data sets simulated from the simpler model whose deviance difference reaches chi2.

    (1 + count) / (1 + n), Davison & Hinkley (1997, eq. 4.11); and the number of data sets that count. The
    general model must contain the simpler one.
    """
    for each in (simple, general):
        _check(each, n)
    rng = np.random.default_rng(seed_or_none(seed, HypothesisError))
    # the rows of one and the same data, so that outcomes are those of the same rows in both
    low, high = (replicas_of(replace(each, data=general.data)) for each in (simple, general))

    def difference() -> float:
        y = low.outcomes(rng)
        return _converged(low, y).deviance - _converged(high, y).deviance

    return simulated_p_value(difference, chi2, n, progress)
