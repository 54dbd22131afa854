"""HLM 6.08's own route to its numbers: start values, EM, an accelerator, an early stop.

The rules and what is verified of them are in `docs/hlm_numerics.md`. Statements there marked
exact reproduce HLM's printed digits; the REML accelerator is the best single rule found.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

import numpy as np

from ..errors import EstimationError
from ..likelihood.criterion import criterion, em_step, expected_information, score
from ..likelihood.design import Design, unit_ols
from ..likelihood.evaluate import Evaluation, System, at_gamma, evaluate
from ..likelihood.pattern import Pattern, elements
from ..likelihood.system import data_scale, to_data, to_standard
from .estimates import Iteration, Start

HLM_LOG_2PI = float(np.log(2.0 * 3.14159265))  # HLM's pi has nine digits, and its last decimals show it
FIX_UP_SHARE = 0.2  # of D_qq, where a starting variance is not positive
LARGEST_RATIO = 0.98  # of successive EM steps for an extrapolation to be made; see docs/hlm_numerics.md


@dataclass(frozen=True, slots=True)
class Limits:
    """HLM's `numit`, `stopval` (per cent change of the log-likelihood) and `accel`.

    The accelerator runs every ``accel`` iterations; 0 for never.
    """

    max_iterations: int = 100
    stopval: float = 1e-6
    accel: int = 5

    def settled(self, loglik: float, before: float) -> bool:
        """Say whether the log-likelihood hardly changes any more."""
        return abs(loglik - before) < self.stopval / 100.0 * abs(loglik)


@dataclass(frozen=True, slots=True, eq=False)
class Path:
    """The iterations, the values that entered the last one, and why it was the last.

    ``gamma_of_u`` is the gamma from which the last iteration's u* were taken, units of the data.
    """

    start: Start
    log: tuple[Iteration, ...]
    entering: tuple[np.ndarray, float]
    gamma_of_u: np.ndarray
    at: Evaluation
    converged: bool
    reason: str


def starting_values(design: Design, reml: bool, varying: bool = False) -> Start:
    """Take HLM's starting values from the units' own OLS regressions.

    sigma2(0) is the pooled residual variance of the J' full-rank units; tau(0) the dispersion of
    their OLS coefficients about W_j gamma_OLS, minus sigma2(0) times the mean of (Z'Z)^-1. REML divides
    by J' - S - 1 and J'; ML divides both sums by J, the units without full rank included. Where a
    diagonal element is not positive it becomes 0.2 of that dispersion (`fixtau`), or, where log(sigma2) is to
    depend on variables (``varying``), tau(0) is the absolute values of the diagonal. Covariances that are no
    parameters are left out. Raise EstimationError where there are too few units, or rows in them, for these
    sums.
    """
    ok, q = design.full_rank, design.n_random
    if not ok.any():
        _refuse_start("no unit has enough rows for a regression of its own")
    b, inverse, rss, df = unit_ols(design)
    if not df[ok].sum() > 0:
        _refuse_start("no unit has more rows than random coefficients")
    sigma2 = float(rss[ok].sum() / df[ok].sum())
    if not sigma2 > 0:
        _refuse_start("the units' own regressions fit every row exactly")
    divisor = np.array([ok.sum() - len(design.columns[r]) for r in design.random], dtype=float)
    n_units = float(ok.sum())
    if reml and q and divisor.min() <= 0:
        most = max(len(design.columns[r]) for r in design.random)
        _refuse_start(f"{ok.sum()} units have a regression of their own, an equation {most} level-2 effects")
    if not reml:
        divisor, n_units = np.full(q, float(design.n_units)), float(design.n_units)
    dispersion = b[ok].T @ b[ok] / np.sqrt(np.multiply.outer(divisor, divisor))
    raw = design.tau_columns.only(dispersion - sigma2 * inverse[ok].sum(axis=0) / n_units)
    tau = raw.copy()
    bad = np.flatnonzero(np.diag(raw) <= 0)
    if varying and len(bad):
        return Start(np.diag(np.abs(np.diag(raw))), raw, sigma2)
    tau[bad, bad] = FIX_UP_SHARE * np.diag(dispersion)[bad]
    return Start(positive_definite(tau, dispersion).reshape(q, q), raw, sigma2)


def _refuse_start(why: str) -> NoReturn:
    raise EstimationError(f'{why}, so HLM\'s starting values cannot be had: use algorithm="exact"')


def positive_definite(tau: np.ndarray, dispersion: np.ndarray) -> np.ndarray:
    """Keep tau if it is positive definite; else fall back on HLM 5's diagonal of the dispersion."""
    if not len(tau) or np.linalg.eigvalsh(tau)[0] > 0:
        return tau
    return np.diag(FIX_UP_SHARE * np.diag(dispersion))


def run_path(design: Design, system: System, reml: bool, limits: Limits, varying: bool = False) -> Path:
    """Iterate as HLM does; ``varying``: as the first stage of a model whose log(sigma2) has variables."""
    accel = limits.accel
    start = starting_values(design, reml, varying)
    values = (start.tau, start.sigma2)
    history, log, previous = [values], [], np.nan
    converged, entering, gamma_of_u = False, values, design.gamma_ols
    delta = np.zeros(system.n_fixed)  # the previous iteration's gamma: OLS at the start
    for number in range(1, limits.max_iterations + 1):
        jump = accel > 0 and number % accel == 0
        moved = _extrapolate(history[-3:], design.pattern) if reml and jump else None
        if moved is not None:
            history[-1] = moved
        entering = history[-1]
        theta, s2 = to_standard(system, *entering)
        at = evaluate(system, root_of(theta))
        seen = at if reml else at_gamma(at, delta)
        gamma_of_u, delta = seen.delta * system.gamma_scale + design.gamma_ols, at.delta
        loglik = hlm_loglik(system, seen, s2, reml)
        values = to_data(system, *em_step(system, seen, s2, reml))
        if not reml and jump:
            moved = _fisher_step(system, seen, s2)
            values = values if moved is None else moved
        gamma = at.delta * system.gamma_scale + design.gamma_ols
        log.append(Iteration(number, loglik, gamma, *values, accelerated=moved is not None))
        history.append(values)
        converged = limits.settled(loglik, previous)
        if converged:
            break
        previous = loglik
    return Path(start, tuple(log), entering, gamma_of_u, at, converged, stop_line(converged))


def stop_line(converged: bool) -> str:
    """Say why HLM's iterations ended, as its listing does."""
    if converged:
        return "Iterations stopped due to small change in likelihood function"
    return "Iterations stopped: the maximum number of iterations was reached"


def root_of(theta: np.ndarray) -> np.ndarray:
    """Give the Cholesky factor of a Theta on HLM's path; raise where it is not positive definite."""
    try:
        return np.linalg.cholesky(theta) if len(theta) else theta
    except np.linalg.LinAlgError:
        raise EstimationError(
            "HLM's iterations have come to a tau that is singular in all digits, where its formulas end: "
            'use algorithm="exact", or make a random coefficient nonrandom'
        ) from None


def hlm_loglik(system: System, at: Evaluation, sigma2: float, reml: bool) -> float:
    """Give HLM's log-likelihood: its constant is -floor(n / 2) ln(2 pi), n = N - F or N."""
    value = criterion(system, at, reml, sigma2=sigma2).value
    n = system.n - system.n_fixed * reml
    value += data_scale(system, reml) - n * np.log(2.0 * np.pi) + 2.0 * (n // 2) * HLM_LOG_2PI
    return float(-0.5 * value)


def _extrapolate(
    history: list[tuple[np.ndarray, float]], pattern: Pattern
) -> tuple[np.ndarray, float] | None:
    """Extrapolate (tau, sigma2) along their last EM step by Aitken's rule, with one ratio for all.

    The ratio is the mean, over the free elements of tau and sigma2, of the last step divided by
    the one before it. None where it is not inside (0, LARGEST_RATIO) or the result is no variance.
    """
    if len(history) < 3:
        return None
    rows, cols = elements(pattern)
    first, second, last = (np.append(tau[rows, cols], sigma2) for tau, sigma2 in history)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = float(np.mean((last - second) / (second - first)))
    if not 0 < ratio < LARGEST_RATIO:
        return None
    moved = last + (last - second) * ratio / (1.0 - ratio)
    tau = np.zeros_like(history[0][0])
    tau[rows, cols] = tau[cols, rows] = moved[:-1]
    if moved[-1] <= 0 or (len(tau) and np.linalg.eigvalsh(tau)[0] <= 0):
        return None
    return tau, float(moved[-1])


def _fisher_step(system: System, at: Evaluation, s2: float) -> tuple[np.ndarray, float] | None:
    """Take a Fisher-scoring step of ML in (tau, sigma2); None if it leaves the parameter space."""
    q, basis = system.n_random, system.tau_columns.directions
    step = np.linalg.solve(expected_information(system, at, s2, False), score(system, at, s2, False))
    tau = at.theta * s2 + np.einsum("k,kab->ab", step[:-1], basis)
    if s2 + step[-1] <= 0 or (q and np.linalg.eigvalsh(tau)[0] <= 0):
        return None
    return to_data(system, tau, s2 + step[-1])
