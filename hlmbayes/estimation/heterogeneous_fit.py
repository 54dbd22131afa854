"""Estimation where log(sigma2) depends on variables: the joint optimum, and HLM's macro iterations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ..errors import EstimationError
from ..laws.log_linear import EstimatedLogLinear, LogLinear
from ..likelihood.criterion import criterion, em_step
from ..likelihood.design import Design
from ..likelihood.evaluate import Evaluation, System, at_gamma, evaluate, standardise
from ..likelihood.pattern import by_blocks, elements
from ..likelihood.row_groups import Groups, log_sigma2_sum, weighted_design
from ..likelihood.system import data_scale, to_data, to_standard, unit_variance
from .estimates import Components, Estimates, Iteration
from .heterogeneous import alpha_score, expected_squares, information, solved_alpha
from .hlm_path import Limits, hlm_loglik, root_of, stop_line
from .newton import Minimum, Point, minimise
from .optimum import AGREES, JOINED, NEAR, NO_RESIDUAL, evaluation, is_lower, optimum, theta_at
from .prepare import Prepared
from .starts import FEW_UNITS
from .zero_variance import describe_boundary

LARGEST_LOG_RANGE = 50.0  # of log(sigma2) between rows: beyond it the weights leave double precision
FURTHER = 40  # evaluations of a search from another place than the first
FAR = 30.0  # above the optimum found: no search goes out from places where the deviance is so much higher
SIZES = (-2.0, 2.0)  # of an effect on log(sigma2), of a variable with unit variance, to start from
STOP_MACRO = 1e-6  # relative change of the log-likelihood: HLM's stopmacro
UNKNOWN = 5.0  # standard error of a row's log(sigma2): with a tenth of a degree of freedom it is 4.5
FLAT = (
    "The level-1 variance of {n} of {of} rows is as good as unknown: the likelihood hardly changes as it "
    "goes to zero, and {names} are where the search ended. Take a variable out of log(sigma2)."
)
DIFFERENCE = 1e-5  # step of the forward difference of the analytic score in alpha


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """A model with unequal variances at one alpha: weighted design, its system, the likelihood there.

    ``theta`` (q, q) is in the columns in which it has tau's pattern, ``factor`` (q, q) a root of tau.
    """

    alpha: np.ndarray
    design: Design
    system: System
    at: Evaluation
    theta: np.ndarray
    deviance: float
    score: np.ndarray
    spread: np.ndarray
    factor: np.ndarray


def joint_optimum(design: Design, groups: Groups, reml: bool, sigma2: float) -> tuple[State, Minimum]:
    """Maximise over tau and alpha: Newton steps in alpha, tau and gamma at their optimum for each.

    ``sigma2`` is that of the homogeneous fit, where alpha starts.
    """
    basis = _whiten(groups)
    warm: list[np.ndarray | None] = [None]

    def state_at(x: np.ndarray) -> State | None:
        if np.ptp(groups.covariates @ (basis @ x)) > LARGEST_LOG_RANGE:
            return None
        try:
            state = _solve(design, groups, basis @ x, reml, warm[0])
        except (EstimationError, np.linalg.LinAlgError):
            return None  # some rows weigh next to nothing
        warm[0] = state.factor
        return state

    def objective(x: np.ndarray) -> Point:
        states = [state_at(x)]
        if states[0] is not None:
            states += [state_at(x + DIFFERENCE * e) for e in np.eye(len(x))]
        slopes = [-2.0 * basis.T @ state.score for state in states if state is not None]
        if states[0] is None or len(slopes) < len(states):
            return Point(x, np.inf, np.zeros_like(x), np.eye(len(x)), None)
        hessian = (np.array(slopes[1:]) - slopes[0]) / DIFFERENCE
        return Point(x, states[0].deviance, slopes[0], 0.5 * (hessian + hessian.T), states[0])

    start = np.linalg.solve(basis, np.append(np.log(sigma2), np.zeros(len(basis) - 1)))
    found, least = minimise(objective, start), np.log(sigma2) + np.log(NO_RESIDUAL)
    for other in _other_starts(design, start):
        warm[0] = None
        there = state_at(other)
        if there is None or there.deviance > found.point.value + FAR:
            continue
        then = minimise(objective, other, enough=_goes_where(found), limit=FURTHER)
        if then.converged and _is_optimum(then, groups, least) and is_lower(then, found):
            found = then
    state = found.point.extra
    if not isinstance(state, State):
        raise EstimationError("log(sigma2) has no optimum: a variable's effect on it grows without bound")
    if not _is_optimum(found, groups, least):
        raise EstimationError(
            "log(sigma2) has no optimum: some rows can be fitted exactly, and the likelihood grows without "
            "bound as their level-1 variance goes to zero. Is the outcome constant in them, or a copy of a "
            "predictor?"
        )
    return state, found


def _other_starts(design: Design, start: np.ndarray) -> list[np.ndarray]:
    """Give more places to start from, in whitened alpha: where few units are, a maximum is not the only one.

    The effect of each variable in turn is large, the mean of log(sigma2) over rows that of the first start.
    """
    if design.n_units > FEW_UNITS:
        return []
    steps = np.eye(len(start))[1:]
    return [start + size * step for step in steps for size in SIZES]


def _goes_where(found: Minimum) -> Callable[[Point], str]:
    """Give what ends a search that is seen to go where another went."""
    at = found.point

    def reason(point: Point) -> str:
        away, rise = point.x - at.x, point.value - at.value
        expected = float(away @ (at.gradient + 0.5 * at.hessian @ away))
        return JOINED if rise < NEAR and abs(rise - expected) < AGREES * abs(rise) + 1e-6 else ""

    return reason


def _is_optimum(found: Minimum, groups: Groups, least: float) -> bool:
    """Say whether no row's log(sigma2) is below ``least``: such a row is fitted exactly."""
    state = found.point.extra
    return isinstance(state, State) and bool(np.min(groups.covariates @ state.alpha) >= least)


def _whiten(groups: Groups) -> np.ndarray:
    """Give the basis in which the covariates are orthonormal over rows, so that units do not matter."""
    c = groups.covariates * np.sqrt(groups.n / groups.n.sum())[:, None]
    return np.linalg.inv(np.linalg.qr(c, mode="r"))


def _solve(design: Design, groups: Groups, alpha: np.ndarray, reml: bool, warm: np.ndarray | None) -> State:
    weighted = weighted_design(design, groups, alpha)
    system = standardise(weighted)
    s2 = unit_variance(system)
    found = optimum(system, reml, sigma2=s2, start=None if warm is None else _carry(system, warm))
    return _state(weighted, groups, alpha, reml, found.point, system)


def _carry(system: System, factor: np.ndarray) -> np.ndarray:
    """Bring a root of tau (units of the data) to this system's L, away from exact singularity."""
    root = np.linalg.solve(system.tau_columns.scale, factor) / np.sqrt(unit_variance(system))
    theta = root @ root.T
    raised = theta + 1e-6 * max(1e-3, float(np.trace(theta))) * np.eye(len(theta))
    return by_blocks(raised, system.tau_columns.pattern, np.linalg.cholesky)


def _state(
    weighted: Design, groups: Groups, alpha: np.ndarray, reml: bool, point: Point, system: System
) -> State:
    s2, at, theta = unit_variance(system), evaluation(point), theta_at(point)
    deviance = criterion(system, at, reml, sigma2=s2).value + data_scale(system, reml)
    deviance += log_sigma2_sum(groups, alpha)
    squares, spread = expected_squares(weighted, system, at, groups, reml)
    values, vectors = np.linalg.eigh(theta)
    root = system.tau_columns.scale @ (vectors * np.sqrt(np.maximum(values, 0.0) * s2))
    score = alpha_score(groups, alpha, squares)
    return State(alpha, weighted, system, at, theta, deviance, score, spread, root)


def exact_log_linear(law: LogLinear, prepared: Prepared, homogeneous: Estimates) -> Estimates:
    """Go on from the homogeneous optimum to the joint optimum of tau and alpha."""
    groups, reml = prepared.groups, homogeneous.method == "REML"
    state, found = joint_optimum(prepared.design, groups, reml, homogeneous.sigma2)
    states = [point.extra for point in found.path if isinstance(point.extra, State)]
    log = tuple(_iteration(each, k) for k, each in enumerate(states, 1))
    found_here = _estimates(homogeneous, law, groups, state, log, len(log))
    return replace(
        found_here, entering=found_here.components, converged=found.converged, stop_reason=found.reason,
        boundary=describe_boundary(state.design, state.system.tau_columns, state.theta),
    )  # fmt: skip


def _iteration(state: State, number: int) -> Iteration:
    gamma = state.at.delta * state.system.gamma_scale + state.design.gamma_ols
    tau = state.system.tau_columns.to_data(state.theta * unit_variance(state.system))
    return Iteration(number, -0.5 * state.deviance, gamma, tau, float("nan"))


def hlm_log_linear(law: LogLinear, prepared: Prepared, homogeneous: Estimates, limits: Limits) -> Estimates:
    """Go on from HLM's homogeneous fit with its macro and micro iterations."""
    groups = prepared.groups
    end = macro_iterations(prepared.design, groups, homogeneous.log[-1], limits)
    converged = end.converged and homogeneous.converged
    return replace(
        _estimates(homogeneous, law, groups, end, end.log, end.count), entering=Components(end.entering, 1.0),
        converged=converged, stop_reason=stop_line(converged), gamma_of_u=end.gamma_of_u,
    )  # fmt: skip


def _estimates(
    homogeneous: Estimates, law: LogLinear, groups: Groups, end: State | Macro, log: tuple[Iteration, ...],
    count: int,
) -> Estimates:  # fmt: skip
    """Put the estimates together; standard errors from the information of (alpha, tau)."""
    design, q, columns = end.design, end.design.n_random, end.design.tau_columns
    aa, at, tt = information(design, groups, end.alpha, end.spread)
    vcov = _covariance(aa - at @ np.linalg.pinv(tt) @ at.T)
    rows, cols = elements(columns.pattern)
    to_tau = columns.map_to_data
    vcov_tau = to_tau @ np.linalg.pinv(tt - at.T @ _covariance(aa) @ at) @ to_tau.T
    se_tau = np.full((q, q), np.nan)
    se_tau[rows, cols] = se_tau[cols, rows] = _roots(np.diag(vcov_tau))
    estimated = EstimatedLogLinear(
        law.names, law.variables, alpha=end.alpha, se=_roots(np.diag(vcov)), vcov=vcov, se_tau=se_tau,
        homogeneous_deviance=homogeneous.deviance, homogeneous_parameters=homogeneous.n_parameters,
        macro_iterations=count,
    )  # fmt: skip
    return replace(
        homogeneous, design=design, system=end.system, at=end.at, gamma_free=log[-1].gamma,
        components=Components(log[-1].tau, 1.0), loglik=log[-1].loglik, log=log, law=estimated,
        notes=(*homogeneous.notes, *_unknown(groups, law, vcov)),
    )  # fmt: skip


def _covariance(information: np.ndarray) -> np.ndarray:
    """Invert alpha's information; what it does not tell from rounding has a variance beyond `UNKNOWN`."""
    own = np.sqrt(np.maximum(np.diag(information), np.finfo(float).tiny))
    values, vectors = np.linalg.eigh(information / np.outer(own, own))
    root = vectors / np.sqrt(np.maximum(values, len(own) * np.finfo(float).eps)) / own[:, None]
    return np.asarray(root @ root.T)


def _unknown(groups: Groups, law: LogLinear, vcov: np.ndarray) -> tuple[str, ...]:
    """Say of how many rows log(sigma2) is not known, from alpha's covariances; empty where of none."""
    variance = np.einsum("gk,kl,gl->g", groups.covariates, vcov, groups.covariates)
    flat = ~((variance >= 0.0) & (variance < UNKNOWN**2))
    if not flat.any():
        return ()
    n, of = (round(float(groups.n[which].sum())) for which in (flat, slice(None)))
    return (FLAT.format(n=n, of=of, names=" and ".join(law.names)),)


def _roots(variance: np.ndarray) -> np.ndarray:
    """Give the roots; nan where a variance is rounding, of an information that is singular."""
    return np.sqrt(np.where(variance > 0, variance, np.nan))


@dataclass(frozen=True, slots=True, eq=False)
class Macro:
    """The end of HLM's macro iterations; ``log`` holds the micro iterations of the last of them."""

    design: Design
    system: System
    at: Evaluation
    alpha: np.ndarray
    spread: np.ndarray
    entering: np.ndarray
    log: tuple[Iteration, ...]
    count: int
    converged: bool
    gamma_of_u: np.ndarray


def macro_iterations(design: Design, groups: Groups, last: Iteration, limits: Limits) -> Macro:
    """Alternate, from the homogeneous fit (macro iteration 1), an M-step of alpha with EM for tau.

    The M-step is complete: a gamma regression of the expected squares. Their u* are those of the last micro
    iteration, of the tau that entered it; their covariances are at the newest tau. ML throughout. The end is
    where the first log-likelihoods of two macro iterations hardly differ.
    """
    alpha = np.append(np.log(last.sigma2), np.zeros(groups.covariates.shape[1] - 1))
    weighted = weighted_design(design, groups, alpha)
    system, seen, first = standardise(weighted), None, last.loglik
    count, converged = 1, False
    while count < max(limits.max_iterations, 2) and not converged:
        count += 1
        newest = _seen(weighted, system, last)
        squares = expected_squares(weighted, system, seen or newest, groups, False, newest.theta)[0]
        alpha = solved_alpha(groups, alpha, squares)
        weighted = weighted_design(design, groups, alpha)
        system = standardise(weighted)
        log, at, seen, entering, gamma_of_u = _micro(weighted, system, groups, alpha, last, limits)
        last, before, first = log[-1], first, log[0].loglik
        converged = abs(first - before) < STOP_MACRO * abs(first)
    spread = expected_squares(weighted, system, _seen(weighted, system, last), groups, False)[1]
    return Macro(weighted, system, at, alpha, spread, entering, log, count, converged, gamma_of_u)


def _seen(weighted: Design, system: System, last: Iteration) -> Evaluation:
    """Evaluate at an iteration's tau, the residuals from its gamma."""
    return at_gamma(_at(system, last.tau), (last.gamma - weighted.gamma_ols) / system.gamma_scale)


def tau_step(
    weighted: Design, system: System, groups: Groups, alpha: np.ndarray, at: Evaluation
) -> np.ndarray | None:
    """Take a Fisher-scoring step of ML in tau, alpha held; None if tau leaves the parameter space."""
    if not weighted.n_random:
        return None
    columns, spread = weighted.tau_columns, expected_squares(weighted, system, at, groups, False)[1]
    information_of_tau = information(weighted, groups, alpha, spread)[2]
    slope = 0.5 * (at.vv / unit_variance(system) - at.h)
    gradient = np.einsum("kab,ab->k", columns.directions, slope)
    step = np.linalg.lstsq(information_of_tau, gradient, rcond=None)[0]
    tau = at.theta + np.einsum("k,kab->ab", step, columns.directions)  # tau*: see `expected_squares`
    if np.linalg.eigvalsh(tau)[0] <= 0:
        return None
    return columns.only(weighted.z_basis @ tau @ weighted.z_basis.T)


def _at(system: System, tau: np.ndarray) -> Evaluation:
    return evaluate(system, root_of(to_standard(system, tau, 1.0)[0]))


def _micro(
    weighted: Design, system: System, groups: Groups, alpha: np.ndarray, last: Iteration, limits: Limits
) -> tuple[tuple[Iteration, ...], Evaluation, Evaluation, np.ndarray, np.ndarray]:
    """Iterate EM for tau with the level-1 variances held, until the log-likelihood hardly changes.

    As in `hlm_path.run_path` under ML, residuals use the gamma of the iteration before, and every fifth
    iteration is a scoring step. Gives the iterations, the last evaluation without and with that gamma, and
    the tau and gamma that entered it.
    """
    s2, log = unit_variance(system), [last]
    for number in range(1, limits.max_iterations + 1):
        entering, gamma_of_u = log[-1].tau, log[-1].gamma
        at = _at(system, entering)
        seen = at_gamma(at, (gamma_of_u - weighted.gamma_ols) / system.gamma_scale)
        loglik = hlm_loglik(system, seen, s2, False) - 0.5 * log_sigma2_sum(groups, alpha)
        tau = to_data(system, em_step(system, seen, s2, False)[0], s2)[0]
        if limits.accel > 0 and number % limits.accel == 0:
            moved = tau_step(weighted, system, groups, alpha, seen)
            tau = tau if moved is None else moved
        gamma = at.delta * system.gamma_scale + weighted.gamma_ols
        log.append(Iteration(number, float(loglik), gamma, tau, float("nan")))
        if number > 1 and limits.settled(loglik, log[-2].loglik):
            break
    return tuple(log[1:]), at, seen, entering, gamma_of_u
