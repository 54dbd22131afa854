"""From a model and data to estimates: the exact optimum, or HLM's own early-stopped path."""

from __future__ import annotations

from dataclasses import replace
from functools import singledispatch
from typing import Any

from ..arguments import not_negative, whole
from ..data.two_level import TwoLevelData
from ..data.weights import Frequencies, Weights
from ..equations.model import TwoLevelModel
from ..errors import EstimationError
from ..laws.law import Law
from ..laws.log_linear import LogLinear
from ..unit_moments.record import Moments
from .estimates import Estimates
from .exact import exact_fit
from .heterogeneous_fit import exact_log_linear, hlm_log_linear
from .hlm_fit import hlm_fit
from .hlm_path import Limits
from .lost_digits import lost_digits
from .prepare import Prepared, law_and_counting, prepare

NO_REML = (
    "REML was asked for, but pseudo-likelihood with sampling weights has no restricted form: estimation is "
    "by full maximum likelihood (ML), as in Stata, Mplus and SAS."
)
NO_REML_PATH = "HLM estimates heterogeneous sigma2 by full maximum likelihood: REML became ML."


def fit(
    model: TwoLevelModel,
    data: TwoLevelData | Moments,
    *,
    method: str | None = None,
    algorithm: str = "exact",
    weights: Weights | None = None,
    frequency: Frequencies | None = None,
    precision: str | None = None,
    variance_known: str | None = None,
    sigma2: float | None = None,
    max_iterations: int = 100,
    stopval: float = 1e-6,
    accel: int = 5,
) -> Estimates:
    """Estimate a two-level model; the parameters and errors are those of `hlmbayes.Model.fit`."""
    wanted = chosen_method(method)
    _choose("algorithm", algorithm, ("exact", "hlm"))
    limits = Limits(
        whole("max_iterations", max_iterations, 1, EstimationError),
        not_negative("stopval", stopval, EstimationError),
        whole("accel", accel, 0, EstimationError),
    )
    law, counted = law_and_counting(
        model, weights=weights, frequency=frequency, precision=precision, variance_known=variance_known,
        sigma2=sigma2,
    )  # fmt: skip
    return estimate(prepare(model, data, law=law, weights=counted), wanted, algorithm, limits)


def chosen_method(method: str | None) -> str | None:
    """Give "REML", "ML" or None where it was left open; refuse others."""
    wanted = method.upper() if isinstance(method, str) else method
    _choose("method", "REML" if wanted is None else wanted, ("REML", "ML"))
    return wanted


def _choose(what: str, got: Any, allowed: tuple[str, ...]) -> None:
    if got not in allowed:
        raise EstimationError(f"{what} {got!r} is not known: use {' or '.join(allowed)}")


def estimate(
    prepared: Prepared, method: str | None = None, algorithm: str = "exact", limits: Limits | None = None
) -> Estimates:
    """Estimate a prepared model, by REML unless ``method`` is "ML"; with sampling weights always by ML.

    ``algorithm`` is "exact" or "hlm": the optimum is given where HLM's iterations are not known, and a note
    says so. ``limits`` are those of HLM's iterations.
    """
    reml, notes = method != "ML", []
    if prepared.counting.pseudo and reml:
        reml = False
        notes += [NO_REML] if method == "REML" else []
    n = prepared.design.n_rows - reml * prepared.design.n_fixed
    no_path = (*prepared.law.without_path(n), *prepared.counting.without_path(n))
    if algorithm == "exact" or no_path:
        found = exact_estimates(prepared.law, prepared, reml)
        notes += no_path if algorithm == "hlm" else ()
    else:
        found = hlm_estimates(prepared.law, prepared, reml, limits or Limits())
    notes += lost_digits(found)
    return replace(found, notes=(*notes, *found.notes)) if notes else found


@singledispatch
def exact_estimates(law: Law, prepared: Prepared, reml: bool) -> Estimates:
    """Give the optimum under a law of level 1; laws that need another search register theirs."""
    return exact_fit(prepared, reml)


@exact_estimates.register
def _(law: LogLinear, prepared: Prepared, reml: bool) -> Estimates:
    plain = replace(prepared, law=Law())
    return exact_log_linear(law, plain, exact_fit(plain, reml))


@singledispatch
def hlm_estimates(law: Law, prepared: Prepared, reml: bool, limits: Limits) -> Estimates:
    """Give HLM's early-stopped answer under a law of level 1."""
    return hlm_fit(prepared, reml, limits)


@hlm_estimates.register
def _(law: LogLinear, prepared: Prepared, reml: bool, limits: Limits) -> Estimates:
    plain = replace(prepared, law=Law())
    found = hlm_log_linear(law, plain, hlm_fit(plain, False, limits, varying=True), limits)
    return replace(found, notes=(NO_REML_PATH, *found.notes)) if reml else found
