"""Fits with weights: which kind was asked for, what it does to the data, and the estimation."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..data.weights import Frequencies, Weights
from ..equations.model import Model
from ..errors import DataError, EstimationError
from ..likelihood.design import build_design
from ..likelihood.evaluate import standardise
from ..unit_moments.record import Moments
from .estimate import check_size, columns_for, exact_fit, hlm_fit
from .fit import Fit
from .known_variance import fit_fixed_sigma2, fit_known_variance, fit_precision
from .weights import Weighting, weighted_moments

if TYPE_CHECKING:
    from ..data.two_level import TwoLevelData

NO_REML = (
    "REML was asked for, but pseudo-likelihood with sampling weights has no restricted form: estimation is "
    "by full maximum likelihood (ML), as in Stata, Mplus and SAS."
)
NO_PATH = (
    "HLM's own iterations are known for unweighted estimation only: these are the values at the optimum, "
    "which HLM's iterations approach and stop just before."
)
NO_PATH_FIXED = NO_PATH.replace("for unweighted estimation only", "where sigma squared is estimated")
ODD = "HLM would print the deviance 1.838 lower: it leaves one ln(2 pi) out for this number of observations."


def fit_weighted(
    model: Model,
    data: TwoLevelData | Any,
    weights: Weights | None,
    frequency: Frequencies | None,
    precision: str | None,
    variance_known: str | None,
    sigma2: float | None,
    *,
    method: str | None,
    algorithm: str,
    **limits: Any,
) -> Fit:
    """Estimate with one kind of weights, or a given sigma2; see `hlmbayes.estimation.estimate.fit`.

    Raises
    ------
    EstimationError
        Two kinds at once, or weights with a model of log(sigma2).
    DataError
        Weights that are no weights.
    """
    given = _refuse(model, weights, frequency, precision, variance_known, sigma2)
    if isinstance(data, Moments) and given and (given != ["sigma2"] or data.weighted):
        raise DataError("weights need the rows, and these data are moments: fit from the data instead")
    reml = (method or "REML").upper() == "REML"
    if sigma2 is not None:
        fixed = fit_fixed_sigma2(model, data, sigma2, reml)
        odd = (fixed.n_rows - reml * fixed.design.n_fixed) % 2
        hlms = (NO_PATH_FIXED, ODD) if odd else (NO_PATH_FIXED,)
        return fixed if algorithm == "exact" else replace(fixed, notes=hlms)
    notes: tuple[str, ...] = () if algorithm == "exact" else (NO_PATH,)
    if weights is not None or isinstance(data, Moments):
        if method is not None and reml:
            notes = (NO_REML, *notes)
        fitted = _sampling(model, data, weights)
        return replace(fitted, notes=(*notes, *fitted.notes))
    if frequency is not None:
        return _frequencies(model, data, frequency, reml, algorithm, **limits)
    if precision is not None:
        fitted = fit_precision(model, data, precision, reml)
        return replace(fitted, notes=(*notes, *fitted.notes))
    assert variance_known is not None
    return replace(fit_known_variance(model, data, variance_known, reml), notes=notes)


def _refuse(model: Model, *kinds: Any) -> list[str]:
    """Name the kinds of weights that are given; refuse more than one."""
    names = ("weights", "frequency", "precision", "variance_known", "sigma2")
    given = [name for name, kind in zip(names, kinds, strict=True) if kind is not None]
    if len(given) > 1:
        raise EstimationError(
            f"{' and '.join(given)} were given, which are different kinds of weights or variances: use one"
        )
    if not isinstance(kinds[0], Weights | None) or not isinstance(kinds[1], Frequencies | None):
        raise EstimationError(
            f"{given[0]}= wants {'hlm.Weights' if kinds[0] is not None else 'hlm.Frequencies'}"
            '(level1="NAME", level2="NAME"), '
            f"got {type(kinds[0] if kinds[0] is not None else kinds[1]).__name__}"
        )
    if model.log_sigma2:
        raise EstimationError(
            f"{given[0] if given else 'weights'} cannot be combined with an equation for log(sigma2): take "
            "one of them out"
        )
    return given


def _sampling(model: Model, data: Any, weights: Weights | None) -> Fit:
    if weights is None:  # they are in the moments
        moments, weighting = data, Weighting("sampling", "in the moments", scaling="none")
    else:
        level1, level2 = columns_for(model, data)
        moments, weighting = weighted_moments(data, level1, level2, weights)
    design = build_design(model, moments)
    check_size(design)
    rows = None if isinstance(data, Moments) else data
    return replace(exact_fit(design, standardise(design), False, rows), weighting=weighting)


def _frequencies(
    model: Model, data: Any, frequency: Frequencies, reml: bool, algorithm: str, **limits: Any
) -> Fit:
    level1, level2 = columns_for(model, data)
    moments, weighting = weighted_moments(data, level1, level2, frequency)
    design = build_design(model, moments)
    check_size(design)
    system = standardise(design)
    exact = algorithm == "exact"
    fitted = exact_fit(design, system, reml, data) if exact else hlm_fit(design, system, reml, data, **limits)
    return replace(fitted, weighting=weighting)
