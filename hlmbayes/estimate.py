"""From a model and data to a Fit: the exact optimum, or HLM's own early-stopped path."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .criterion import criterion, degrees_of_freedom, profiled_sigma2
from .design import Design, build_design
from .equations import Model
from .errors import EstimationError
from .fit import Components, Fit
from .heterogeneous import groups_of, variance_columns
from .heterogeneous_fit import joint_optimum, macro_iterations, tau_of, variance_model
from .hlm_path import Iteration, Start, data_scale, run_path, starting_values, to_data
from .likelihood import Evaluation, System, evaluate, standardise
from .moments import Moments, moments_of
from .newton import Minimum, Point, minimise

if TYPE_CHECKING:
    from .data import TwoLevelData
    from .weights import Frequencies, Weights

ZERO = 1e-9  # a direction of Theta (variance relative to sigma2, Z'Z/N = I) below this is zero

SMALLEST_SHARE = 0.05  # of the OLS residual variance, for the sigma2 of the starting values
FLOOR = 0.02  # smallest variance of the starting values, relative to the largest (Z orthonormal)

NO_RESIDUAL = 1e-12  # level-1 variance, relative to the OLS residual's: below this it is rounding


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
        Sampling weights; see `hlmbayes.weights`.
    frequency : Frequencies, optional
        How many identical rows and units each record stands for.
    precision : str, optional
        Level-1 variable w: the level-1 variance of a row is sigma2 / w.
    variance_known : str, optional
        Level-1 variable that is the level-1 variance itself; sigma2 is then 1.
    max_iterations, stopval, accel
        HLM's `numit`, `stopval` (per cent change of the log-likelihood) and `accel`; `hlm` only.

    Raises
    ------
    DataError, EquationError, EstimationError
    """
    reml = _choose("method", (method or "REML").upper(), ("REML", "ML")) == "REML"
    _choose("algorithm", algorithm, ("exact", "hlm"))
    weighting = (weights, frequency, precision, variance_known)
    if any(w is not None for w in weighting):
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


def _choose(what: str, got: str, allowed: tuple[str, ...]) -> str:
    if got not in allowed:
        raise EstimationError(f"{what} {got!r} is not known: use {' or '.join(allowed)}")
    return got


def moments_for(model: Model, data: TwoLevelData | Moments) -> Moments:
    """Take the moments of a model's level-1 columns, or check that given moments have them."""
    if isinstance(data, Moments):
        return data
    level1, level2 = columns_for(model, data)
    return moments_of(data, level1, level2=level2)


def columns_for(model: Model, data: TwoLevelData) -> tuple[list[str], list[str]]:
    """Name the level-1 columns, the outcome first, and the level-2 variables a model needs of its data."""
    level1, level2 = [model.outcome, *model.level1_variables], list(model.level2_variables)
    if model.log_sigma2:
        more1, more2 = variance_columns(model.log_sigma2.variables, data)
        level1, level2 = level1 + more1, level2 + more2
    return _unique(level1), _unique(level2)


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
    found_at: Evaluation = found.point.extra  # type: ignore[assignment]
    if profiled_sigma2(system, found_at, reml) < NO_RESIDUAL:
        raise EstimationError(
            "the rows inside the units fit exactly, so the level-1 variance is zero and the likelihood "
            "has no maximum. Is the outcome a level-2 variable, or a predictor a copy of it?"
        )
    at, boundary = settle_boundary(design, system, found_at, reml)
    log = _log(design, system, found, reml)
    last = log[-1] if at is found_at else _iteration(design, system, at, reml, len(log))
    components = Components(last.tau, last.sigma2)
    return Fit(
        model=design.model, design=design, system=system, at=at, method="REML" if reml else "ML",
        algorithm="exact", gamma_free=last.gamma, components=components, entering=components,
        loglik=last.loglik, iterations=len(log), converged=found.converged, stop_reason=found.reason,
        boundary=boundary, start=None, log=log, data=rows,
    )  # fmt: skip


def optimum(
    system: System, reml: bool, *, sigma2: float | None = None, start: np.ndarray | None = None
) -> Minimum:
    """Minimise the criterion over L, Theta = L L', by Newton steps in a trust region.

    Parameters
    ----------
    system : System
    reml : bool
    sigma2 : float, optional
        Level-1 variance held fixed (standardised units); profiled out by default.
    start : ndarray, shape (q, q), optional
        L to start from.
    """
    q = system.n_random
    lower = lower_triangle(q)

    def objective(x: np.ndarray) -> Point:
        factor = np.zeros((q, q))
        factor[lower.place] = x
        at = evaluate(system, factor)
        c = criterion(system, at, reml, sigma2=sigma2)
        jacobian = (x @ lower.slopes).reshape(len(x), q * q)
        hessian = jacobian @ c.hessian.reshape(q * q, q * q) @ jacobian.T
        hessian += lower.curvature * c.gradient.take(lower.same_column)
        slope = 2.0 * (c.gradient @ factor)[lower.place]
        return Point(x, c.value, slope, 0.5 * (hessian + hessian.T), at)

    first = _start(system, reml, sigma2) if start is None else start
    return minimise(objective, first[lower.place])


class LowerTriangle(NamedTuple):
    """How vec(L L') (q^2,) depends on the m elements of L, by rows of its lower triangle.

    Its Jacobian is ``x @ slopes`` (m, m q^2); ``curvature`` (m, m) is 2 where two elements share a
    column, and ``same_column`` the flat place in (q, q) of the element of L L' they then share in.
    """

    place: tuple[np.ndarray, np.ndarray]
    slopes: np.ndarray
    curvature: np.ndarray
    same_column: np.ndarray


@lru_cache(maxsize=32)
def lower_triangle(q: int) -> LowerTriangle:
    """Give the derivatives of L L' for q by q matrices."""
    rows, cols = place = np.tril_indices(q)
    m = len(rows)
    slopes = np.zeros((m, m, q, q))
    for i in range(m):
        for k in np.flatnonzero(cols == cols[i]):
            # L_rc L_sc is part of element (r, s)
            slopes[i, k, rows[k], rows[i]] += 1.0
            slopes[i, k, rows[i], rows[k]] += 1.0
    same = 2.0 * np.equal.outer(cols, cols)
    return LowerTriangle(place, slopes.reshape(m, m * q * q), same, rows[:, None] * q + rows)


def _start(system: System, reml: bool, sigma2: float | None) -> np.ndarray:
    """Start from MINQUE(0): sums of squares at Theta = 0 set equal to their expectations.

    The sums are of t_a t_b, t = Z'e, and e'e; their expectations, were the units' Z'Z diagonal, are
    tau_ab S_ab + sigma2 n [a = b] and n (sum tau_aa + sigma2), with S_ab the sum of (Z'Z)_aa (Z'Z)_bb
    over units (Z'Z/n is I over all rows). Made well conditioned.
    """
    q, n = system.n_random, system.n
    if not q:
        return np.zeros((0, 0))
    t, squares = system.products[:, -1], system.products[np.arange(q), np.arange(q)]
    if system.unit_weight is not None:
        t, squares = t * np.sqrt(system.unit_weight), squares * np.sqrt(system.unit_weight)
    s, tt = squares @ squares.T, t @ t.T
    variance = system.ee / degrees_of_freedom(system, reml) if sigma2 is None else sigma2
    share = 1.0 - n * float(np.sum(1.0 / s.diagonal()))
    if sigma2 is None and share > 0.2:  # else hardly a row is left for sigma2
        inside = variance - float(np.sum(tt.diagonal() / s.diagonal()))
        variance = max(inside / share, SMALLEST_SHARE * variance)
    theta = (tt / variance - n * np.eye(q)) / s
    values, vectors = np.linalg.eigh(theta)
    floor = max(FLOOR * float(values[-1]), 1e-3)
    return np.linalg.cholesky(vectors * np.maximum(values, floor) @ vectors.T)


def settle_boundary(
    design: Design, system: System, at: Evaluation, reml: bool
) -> tuple[Evaluation, tuple[str, ...]]:
    """Set directions of tau that vanish to exactly zero and say which they are."""
    q = system.n_random
    if not q:
        return at, ()
    values, vectors = np.linalg.eigh(at.theta)
    zero = values < ZERO * max(1.0, float(values[-1]))
    if not zero.any():
        return at, ()
    kept = vectors[:, ~zero] * np.sqrt(values[~zero])
    # a lower-triangular root of a singular matrix: the R of a QR factorisation, transposed
    root = np.zeros((q, q))
    if kept.shape[1]:
        root[:, : kept.shape[1]] = np.linalg.qr(kept.T, mode="r").T
    names = [design.model.coefficients[r].effect for r in design.random]
    directions = np.linalg.solve(system.to_tau.T, vectors[:, zero])
    scale = np.sqrt(np.einsum("jaa->a", design.dd)[design.random] / design.n.sum())
    return evaluate(system, root), _describe_zero(directions, scale, names)


def _describe_zero(directions: np.ndarray, scale: np.ndarray, names: list[str]) -> tuple[str, ...]:
    """Say in words which combinations of the random effects have no variance.

    ``directions`` (q, z) spans the null space of tau; ``scale`` makes their entries comparable.
    """
    q, z = directions.shape
    if z == q:
        return tuple(f"the variance of {name} is estimated as zero" for name in names)
    weights = np.linalg.qr(directions / scale[:, None])[0]
    share = np.einsum("az,az->a", weights, weights)
    alone = [k for k in range(q) if share[k] > 1 - 1e-8]
    messages = [f"the variance of {names[k]} is estimated as zero" for k in alone]
    left = z - len(alone)
    if left:
        mixed = [names[k] for k in range(q) if k not in alone and share[k] > 1e-8]
        messages.append(
            f"a combination of {' and '.join(mixed)} has zero variance "
            + (
                "(their correlation is estimated as 1 or -1)"
                if len(mixed) == 2
                else f"({left} of {q} directions of tau)"
            )
        )
    return tuple(messages)


def _log(design: Design, system: System, found: Minimum, reml: bool) -> tuple[Iteration, ...]:
    """Give the search's accepted points in the units of the data."""
    constant = data_scale(system, reml)
    return tuple(
        _iteration(design, system, point.extra, reml, k, point.value + constant)  # type: ignore[arg-type]
        for k, point in enumerate(found.path, 1)
    )


def _iteration(
    design: Design, system: System, at: Evaluation, reml: bool, number: int, deviance: float | None = None
) -> Iteration:
    s2 = profiled_sigma2(system, at, reml)
    tau, sigma2 = to_data(system, at.theta * s2, s2)
    if deviance is None:
        deviance = criterion(system, at, reml).value + data_scale(system, reml)
    gamma = at.delta * system.gamma_scale + design.gamma_ols
    return Iteration(number, -0.5 * deviance, gamma, tau, sigma2)


def _exact_heterogeneous(fit: Fit, data: Any) -> Fit:
    """Go on from the homogeneous optimum to the joint optimum of tau and alpha."""
    reml = fit.method == "REML"
    groups = groups_of(fit.design, data)
    state, found = joint_optimum(fit.design, groups, reml, fit.sigma2, optimum)
    at, boundary = settle_boundary(state.design, state.system, state.at, reml)
    log = tuple(_heterogeneous_iteration(point.extra, k) for k, point in enumerate(found.path, 1))
    components = Components(tau_of(replace(state, at=at)), 1.0)
    homogeneous = (fit.deviance, fit.n_parameters)
    return replace(
        fit, design=state.design, system=state.system, at=at, gamma_free=log[-1].gamma, components=components,
        entering=components, loglik=-0.5 * state.deviance, iterations=len(log), converged=found.converged,
        stop_reason=found.reason, boundary=boundary, log=log,
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
    if not design.full_rank.any():
        raise EstimationError(
            "no unit has enough rows for a regression of its own, which HLM's starting values need: "
            'use algorithm="exact"'
        )
    path = run_path(design, system, reml=reml, max_iterations=max_iterations, stopval=stopval, accel=accel)
    last = path.log[-1]
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
    last = end.log[-1]
    homogeneous = (fit.deviance, fit.n_parameters)
    return replace(
        fit, design=end.design, system=end.system, at=end.at, gamma_free=last.gamma,
        components=Components(last.tau, 1.0), entering=Components(end.entering, 1.0), loglik=last.loglik,
        iterations=last.number, converged=end.converged and fit.converged, log=end.log,
        gamma_of_u=end.gamma_of_u,
        variance_model=variance_model(end.design, groups, end.alpha, end.spread, homogeneous, end.count),
    )  # fmt: skip


__all__ = ["Start", "fit", "starting_values"]
