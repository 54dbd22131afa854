"""From a model and data to a Fit: the exact optimum, or HLM's own early-stopped path."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from ..arguments import name_or_none, not_negative, whole
from ..equations.model import Model
from ..errors import DataError, EstimationError
from ..likelihood.criterion import degrees_of_freedom
from ..likelihood.design import Design, build_design
from ..likelihood.evaluate import System, standardise
from ..unit_moments.record import Moments, moments_of
from .fit import Components, Fit
from .heterogeneous import groups_of, variance_columns
from .heterogeneous_fit import joint_optimum, macro_iterations, tau_of, variance_model
from .hlm_path import Iteration, Start, data_scale, run_path, starting_values, stop_line
from .identified import CANNOT_TELL, GROWS_BEYOND, cannot_tell_apart, refuse_without_information
from .newton import Minimum
from .optimum import NO_RESIDUAL, evaluation, has_level1_variance, is_curved, optimum
from .zero_variance import describe_boundary

if TYPE_CHECKING:
    from ..data.two_level import TwoLevelData
    from ..data.weights import Frequencies, Weights


def fit(
    model: Model,
    data: TwoLevelData | Moments | Any,
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
) -> Fit:
    """Estimate a two-level model.

    Parameters
    ----------
    model : Model
    data : TwoLevelData or Moments
    method : "REML" or "ML"
        REML by default; with sampling weights always ML.
    algorithm : "exact" or "hlm"
        The optimum of the likelihood, or HLM 6.08's iterations, which stop before it.
    weights : Weights, optional
        Sampling weights; see `hlmbayes.data.weights`.
    frequency : Frequencies, optional
        How many identical rows and units each record stands for.
    precision : str, optional
        Level-1 variable w: the level-1 variance of a row is sigma2 / w.
    variance_known : str, optional
        Level-1 variable that is the level-1 variance itself; sigma2 is then 1.
    sigma2 : float, optional
        Hold the level-1 variance at this value (HLM's `fixsigma2`).
    max_iterations, stopval, accel
        HLM's `numit`, `stopval` (per cent change of the log-likelihood) and `accel`; `hlm` only.

    Raises
    ------
    DataError, EquationError, EstimationError
    """
    wanted = method.upper() if isinstance(method, str) else method
    reml = _choose("method", "REML" if wanted is None else wanted, ("REML", "ML")) == "REML"
    _choose("algorithm", algorithm, ("exact", "hlm"))
    max_iterations = whole("max_iterations", max_iterations, 1, EstimationError)
    stopval = not_negative("stopval", stopval, EstimationError)
    accel = whole("accel", accel, 0, EstimationError)
    name_or_none("precision=", precision, EstimationError)
    name_or_none("variance_known=", variance_known, EstimationError)
    weighting = (weights, frequency, precision, variance_known, sigma2)
    if any(w is not None for w in weighting) or (isinstance(data, Moments) and data.weighted):
        from .weighted_fit import fit_weighted

        how: dict[str, Any] = {"max_iterations": max_iterations, "stopval": stopval, "accel": accel}
        return fit_weighted(model, data, *weighting, method=method, algorithm=algorithm, **how)
    design = build_design(model, moments_for(model, data))
    check_size(design)
    system = standardise(design)
    rows = None if isinstance(data, Moments) else data
    notes: tuple[str, ...] = ()
    if model.log_sigma2 and algorithm == "hlm" and reml:
        reml, notes = (
            False,
            ("HLM estimates heterogeneous sigma2 by full maximum likelihood: REML became ML.",),
        )
    if algorithm == "exact":
        fitted = exact_fit(design, system, reml, rows)
        return _exact_heterogeneous(fitted, data) if model.log_sigma2 else fitted
    limits: dict[str, Any] = {"max_iterations": max_iterations, "stopval": stopval}
    fitted = hlm_fit(design, system, reml, rows, accel=accel, **limits)
    return replace(_hlm_heterogeneous(fitted, data, **limits), notes=notes) if model.log_sigma2 else fitted


def _choose(what: str, got: Any, allowed: tuple[str, ...]) -> str:
    if got not in allowed:
        raise EstimationError(f"{what} {got!r} is not known: use {' or '.join(allowed)}")
    return str(got)


def moments_for(model: Model, data: TwoLevelData | Moments) -> Moments:
    """Take the moments of a model's level-1 columns, or check that given moments have them."""
    if isinstance(data, Moments):
        return data
    if not hasattr(data, "level1_columns"):
        raise DataError(
            f"a model wants data that hlmbayes.read has read, got {type(data).__name__}: "
            'hlmbayes.read(frame, id="school") takes data frames too, level-2 variables in it or in another'
        )
    level1, level2 = columns_for(model, data)
    return moments_of(data, level1, level2=level2)


def columns_for(model: Model, data: TwoLevelData) -> tuple[list[str], list[str]]:
    """Name the level-1 columns, the outcome first, and the level-2 variables a model needs of its data.

    Raises
    ------
    DataError
        A variable the data do not have at that level, with the line of the model that uses it.
    """
    _check_names(model, data)
    level1, level2 = [model.outcome, *model.level1_variables], list(model.level2_variables)
    if model.log_sigma2:
        more1, more2 = variance_columns(model.log_sigma2.variables, data)
        level1, level2 = level1 + more1, level2 + more2
    return _unique(level1), _unique(level2)


def _check_names(model: Model, data: TwoLevelData) -> None:
    level1, level2 = ({name.lower() for name in columns} for columns in (data.level1, data.level2))
    for coefficient in model.coefficients:
        variable = coefficient.predictor.variable
        if variable is not None and variable.lower() not in level1:
            data.level1_column(variable, coefficient.where)  # raises: it has the words for what is wrong
        for gamma in coefficient.gammas:
            variable = gamma.predictor.variable
            if variable is not None and not data.one_source and variable.lower() not in level2:
                data.level2_column(variable, gamma.where)
            elif variable is not None:
                data.find(variable, gamma.where)
    if model.outcome.lower() not in level1:
        data.level1_column(model.outcome, model.coefficients[0].where)


def _unique(names: list[str]) -> list[str]:
    return list({name.lower(): name for name in reversed(names)}.values())[::-1]


def check_size(design: Design) -> None:
    """Refuse designs whose variances have nothing to be estimated from."""
    if design.n_rows <= design.n_fixed:
        raise EstimationError(
            f"{design.n_rows} rows cannot carry {design.n_fixed} fixed effects: take some out"
        )
    if design.n_random and design.n_units <= design.n_random:
        raise EstimationError(
            f"{design.n_units} units cannot carry {design.n_random} random coefficients: "
            "make some of them nonrandom"
        )
    if design.n_random and design.n_rows <= design.n_units:
        raise EstimationError(
            "every unit has a single row: variance between units cannot be told from variance within them"
        )


# --- the optimum ---------------------------------------------------------------------------------


def exact_fit(design: Design, system: System, reml: bool, rows: Any) -> Fit:
    """Find the optimum of a design's likelihood; ``rows`` are the data it came from."""
    found = optimum(system, reml)
    at = evaluation(found.point)
    if not has_level1_variance(system, found):
        refuse_no_level1_variance(design)
    if reml:
        refuse_without_information(design, system, at)
    log = _log(design, system, found, reml)
    last = log[-1]
    notes = [GROWS_BEYOND] if found.lower_elsewhere else []
    if not is_curved(found) and cannot_tell_apart(system, at, reml):
        notes.append(CANNOT_TELL)
    components = Components(last.tau, last.sigma2)
    return Fit(
        model=design.model, design=design, system=system, at=at, method="REML" if reml else "ML",
        algorithm="exact", gamma_free=last.gamma, components=components, entering=components,
        loglik=last.loglik, iterations=len(log), converged=found.converged, stop_reason=found.reason,
        boundary=describe_boundary(design, system, at), start=None, log=log, data=rows, notes=tuple(notes),
    )  # fmt: skip


def refuse_no_level1_variance(design: Design) -> NoReturn:
    """Say why the likelihood grows without bound as the level-1 variance goes to zero."""
    if np.all(design.n <= design.n_random):
        raise EstimationError(
            f"no unit has more rows than random coefficients ({design.n_random}), and the likelihood is "
            "largest with a level-1 variance of zero: make some of the coefficients nonrandom"
        )
    raise EstimationError(
        "the rows inside the units fit exactly, or but for rounding, so the level-1 variance is zero and the "
        "likelihood has no maximum. Is the outcome a level-2 variable, or a predictor a copy of it?"
    )


def _log(design: Design, system: System, found: Minimum, reml: bool) -> tuple[Iteration, ...]:
    """Give the search's accepted points in the units of the data."""
    points = [evaluation(point) for point in found.path]
    s2 = np.array([at.rss for at in points]) / degrees_of_freedom(system, reml)
    tau = system.to_tau @ (np.array([at.theta for at in points]) * s2[:, None, None]) @ system.to_tau.T
    tau = 0.5 * (tau + tau.transpose(0, 2, 1))
    gamma = np.array([at.delta for at in points]) * system.gamma_scale + design.gamma_ols
    loglik = -0.5 * (np.array([point.value for point in found.path]) + data_scale(system, reml))
    rows = zip(loglik.tolist(), gamma, tau, (s2 * system.e_scale**2).tolist(), strict=True)
    return tuple(Iteration(k, *row) for k, row in enumerate(rows, 1))


def _exact_heterogeneous(fit: Fit, data: Any) -> Fit:
    """Go on from the homogeneous optimum to the joint optimum of tau and alpha."""
    reml = fit.method == "REML"
    groups = groups_of(fit.design, data)
    state, found = joint_optimum(fit.design, groups, reml, fit.sigma2)
    log = tuple(_heterogeneous_iteration(point.extra, k) for k, point in enumerate(found.path, 1))
    components = Components(tau_of(state), 1.0)
    homogeneous = (fit.deviance, fit.n_parameters)
    return replace(
        fit, design=state.design, system=state.system, at=state.at, gamma_free=log[-1].gamma,
        components=components, entering=components, loglik=-0.5 * state.deviance, iterations=len(log),
        converged=found.converged, stop_reason=found.reason, log=log,
        boundary=describe_boundary(state.design, state.system, state.at),
        variance_model=variance_model(state.design, groups, state.alpha, state.spread, homogeneous, len(log)),
    )  # fmt: skip


def _heterogeneous_iteration(state: Any, number: int) -> Iteration:
    gamma = state.at.delta * state.system.gamma_scale + state.design.gamma_ols
    return Iteration(number, -0.5 * state.deviance, gamma, tau_of(state), float("nan"))


# --- HLM's path ----------------------------------------------------------------------------------


def hlm_fit(
    design: Design, system: System, reml: bool, rows: Any, *, max_iterations: int, stopval: float, accel: int
) -> Fit:
    """Go HLM's way; ``rows`` are the data the design came from."""
    path = run_path(design, system, reml=reml, max_iterations=max_iterations, stopval=stopval, accel=accel)
    last = path.log[-1]
    if not last.sigma2 > NO_RESIDUAL * system.e_scale**2:
        refuse_no_level1_variance(design)
    return Fit(
        model=design.model, design=design, system=system, at=path.at, method="REML" if reml else "ML",
        algorithm="hlm", gamma_free=last.gamma, components=Components(last.tau, last.sigma2),
        entering=Components(*path.entering), loglik=last.loglik, iterations=last.number,
        converged=path.converged, stop_reason=path.reason, boundary=(), start=path.start, log=path.log,
        data=rows, gamma_of_u=None if reml else path.gamma_of_u,
    )  # fmt: skip


def _hlm_heterogeneous(fit: Fit, data: Any, *, max_iterations: int, stopval: float) -> Fit:
    """Go on from HLM's homogeneous fit with its macro and micro iterations."""
    groups = groups_of(fit.design, data)
    end = macro_iterations(fit.design, groups, fit.log[-1], max_iterations=max_iterations, stopval=stopval)
    last, converged = end.log[-1], end.converged and fit.converged
    homogeneous = (fit.deviance, fit.n_parameters)
    return replace(
        fit, design=end.design, system=end.system, at=end.at, gamma_free=last.gamma,
        components=Components(last.tau, 1.0), entering=Components(end.entering, 1.0), loglik=last.loglik,
        iterations=last.number, converged=converged, stop_reason=stop_line(converged), log=end.log,
        gamma_of_u=end.gamma_of_u,
        variance_model=variance_model(end.design, groups, end.alpha, end.spread, homogeneous, end.count),
    )  # fmt: skip


__all__ = ["Start", "fit", "starting_values"]
