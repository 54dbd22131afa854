"""Profile-likelihood intervals where the outcome is not normal.

The deviance, minimised over all other parameters, as a function of one: a fixed effect, a cut of an ordinal
outcome, or an element of tau (its diagonal as a standard deviation). The limits are where it has risen by a
chi-square quantile. The parameter is held by Newton's method with a constraint, exact in its curvature too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from scipy.special import chdtri

from ..arguments import check_prob
from ..hglm.counted_rows import CountedRows
from ..hglm.estimates import GeneralizedEstimates
from ..hglm.fitted_rows import at_optimum
from ..hglm.fixed_nodes import with_own_slopes
from ..hglm.marginal import Marginal, marginal
from ..hglm.ordinal_rows import Laid
from ..hglm.search import moved
from ..laws.law import Need
from ..likelihood.pattern import elements
from .intervals import Interval
from .likelihood_tables import cuts

STILL = 1e-9  # of what is left to be gained, at which a constrained search ends
MOST, HALVINGS = 60, 12  # steps of a search, and searches on the way to a place that is far
NEAR_ZERO = 1e-4  # of an estimated standard deviation: as good as zero
FARTHEST = 40.0  # standard errors
METHOD, MISSED = "profile", "not available: the profile was lost"


class Held(NamedTuple):
    """A parameter at a point: its value, slope (P,) and second derivatives (P, P) in gamma and chol."""

    value: float
    slope: np.ndarray
    bend: np.ndarray


@dataclass(frozen=True, eq=False)
class ProfileOf:
    """The profile of one parameter, which ``held`` gives of a point."""

    laid: Laid
    best: Marginal
    held: Callable[[Marginal], Held]
    asked_nodes: bool  # so that the score is that of the nodes, and not the likelihood's
    known: dict[float, Marginal] = field(default_factory=dict)

    def at(self, c: float) -> Marginal:
        """Find the maximum with the parameter held at c, by way of values between where c is too far."""
        nearest = min(self.known, key=lambda k: abs(k - c), default=None)
        start: Marginal | None = self.best if nearest is None else self.known[nearest]
        for _ in range(HALVINGS):
            if start is None:
                break
            found = self._climb(start, c)
            if found is not None:
                self.known[c] = found
                return found
            start = self._climb(start, 0.5 * (self.held(start).value + c))
        raise np.linalg.LinAlgError

    def _climb(self, at: Marginal, c: float) -> Marginal | None:
        """Go to the maximum with the parameter held at c; None where it is not reached."""
        for _ in range(MOST):
            held = self.held(at)
            step, gain = _constrained(at, held, c)
            if gain < STILL and abs(held.value - c) <= 1e-9 * max(1.0, abs(c)):
                return at
            size = min(1.0, 3.0 / max(float(np.abs(step).max()), 1e-300))
            rows, law = self.laid.rows, self.laid.of_rows
            at = marginal(rows, law, *moved(rows, at, step, size), at.rule, at.modes.t)
            at = with_own_slopes(rows, law, at) if self.asked_nodes else at
        return None

    def limit(self, start: float, step: float, cut: float, end: float) -> float:
        """Give where the deviance has risen by ``cut``, in steps from ``start``; ``end`` if never."""
        from scipy.optimize import brentq  # takes longer to import than all the rest: only where it is used

        def rise(c: float) -> float:
            return 2.0 * (self.best.loglik - self.at(c).loglik) - cut

        inner, reach = start, start
        for _ in range(int(FARTHEST)):
            reach = reach + step
            if step < 0 and reach <= end:
                return end if rise(end) < 0 else float(brentq(rise, end, inner, xtol=abs(step) * 1e-7))
            if rise(reach) > 0:
                return float(brentq(rise, reach, inner, xtol=abs(step) * 1e-7))
            inner = reach
        return float("inf") if step > 0 else end


def _constrained(at: Marginal, held: Held, c: float) -> tuple[np.ndarray, float]:
    """Give Newton's step towards the maximum with the parameter at c, and the gain along the constraint."""
    slope, P = held.slope, len(held.slope)
    size = float(slope @ slope)
    multiplier = float(slope @ at.score) / size if size else 0.0
    hessian = at.information + multiplier * held.bend
    # KKT: [H a; a' 0] [step; m] = [score; c - value], along the constraint H made positive
    along = np.linalg.svd(slope[None])[2][1:]  # (P - 1, P): an orthonormal basis of directions that keep it
    toward = slope * (c - held.value) / size if size else np.zeros(P)
    inner = along @ hessian @ along.T
    values, vectors = np.linalg.eigh(inner)
    pull = vectors.T @ (along @ (at.score - hessian @ toward))
    sure = np.maximum(np.abs(values), 1e-8 * max(float(np.abs(values).max(initial=0.0)), 1e-300))
    own = vectors.T @ (along @ at.score)
    return toward + along.T @ (vectors @ (pull / sure)), float(0.5 * own @ (own / sure))


def profile_intervals(
    fit: GeneralizedEstimates, prob: float, wanted: tuple[str, ...]
) -> tuple[Interval, ...]:
    """Give profile intervals of fixed effects, cuts ("d2"), "sd[b0]" and "tau[b1,b0]" by their codes."""
    check_prob(prob)
    if not wanted:
        return ()
    fit.require("the profile likelihood", Need.LIKELIHOOD)
    optimum, cut = at_optimum(fit), float(chdtri(1, 1.0 - prob))
    laid, best, asked = optimum.laid, optimum.evaluated(), fit.asked_nodes
    best = with_own_slopes(laid.rows, laid.of_rows, best) if asked else best
    known = parameters_of(fit, laid.rows)
    return tuple(_interval(laid, best, asked, name, known[name], cut) for name in wanted)


def profiled_generalized(fit: GeneralizedEstimates) -> tuple[str, ...]:
    """Name the standard deviations and free covariances of the random effects that have a profile."""
    if not fit.has(Need.LIKELIHOOD):
        return ()
    names = fit.random_names
    pairs = list(zip(*(each.tolist() for each in elements(fit.design.pattern)), strict=True))
    own = [f"sd[{names[a]}]" for a, b in pairs if a == b]
    return (*own, *(f"tau[{names[a]},{names[b]}]" for a, b in pairs if a != b))


class Parameter(NamedTuple):
    """How a parameter is held; its estimate, an idea of its standard error, its least value."""

    held: Callable[[Marginal], Held]
    estimate: float
    scale: float
    least: float


def parameters_of(fit: GeneralizedEstimates, rows: CountedRows) -> dict[str, Parameter]:
    """Give the parameters that have a profile, by code."""
    F, se = fit.design.n_fixed, np.sqrt(np.maximum(np.diag(fit.vcov_free), 1e-300))
    found = {}
    for code, free in zip(fit.model.gamma_names, fit.design.free.tolist(), strict=True):
        row = np.zeros(rows.n_parameters)
        row[:F] = fit.design.to_gamma[free]
        found[code] = Parameter(_linear(row), float(fit.gamma_free[free]), float(se[free]), -np.inf)
    for place, cut in enumerate(cuts(fit, robust=False), F):
        row = np.eye(rows.n_parameters)[place]
        found[cut.cut] = Parameter(_linear(row), cut.estimate, cut.se, 0.0)
    names, tau = fit.random_names, fit.tau_values
    for a, b in zip(*(each.tolist() for each in elements(fit.design.pattern)), strict=True):
        held = _element(rows, a, b)
        if a == b:
            sd = float(np.sqrt(tau[a, a]))
            guess = max(0.3 * sd, 0.05 / float(fit.design.rms[fit.design.random[a]]))
            found[f"sd[{names[a]}]"] = Parameter(held, sd, guess, 0.0)
        else:
            guess = 0.3 * float(np.sqrt(tau[a, a] * tau[b, b])) or 0.05
            found[f"tau[{names[a]},{names[b]}]"] = Parameter(held, float(tau[a, b]), guess, -np.inf)
    return found


def _linear(row: np.ndarray) -> Callable[[Marginal], Held]:
    bend = np.zeros((len(row), len(row)))

    def held(at: Marginal) -> Held:
        return Held(float(row[: len(at.gamma)] @ at.gamma), row, bend)

    return held


def _element(rows: CountedRows, a: int, b: int) -> Callable[[Marginal], Held]:
    """Hold element (a, b) of tau = S chol chol' S', a diagonal one as its root."""
    s, free, F = rows.tau_columns.scale, rows.free, rows.n_fixed
    P = rows.n_parameters

    def held(at: Marginal) -> Held:
        left, right = s[a] @ at.chol, s[b] @ at.chol
        value, slope, bend = float(left @ right), np.zeros(P), np.zeros((P, P))
        for m, (c, d) in enumerate(free, start=F):
            slope[m] = s[a, c] * right[d] + s[b, c] * left[d]
            for n, (e, f) in enumerate(free, start=F):
                if d == f:
                    bend[m, n] = s[a, c] * s[b, e] + s[b, c] * s[a, e]
        if a != b:
            return Held(value, slope, bend)
        sd = np.sqrt(max(value, 1e-300))
        slope = slope / (2.0 * sd)
        return Held(sd, slope, bend / (2.0 * sd) - np.outer(slope, slope) / sd)

    return held


def _interval(
    laid: Laid, best: Marginal, asked_nodes: bool, name: str, of: Parameter, cut: float
) -> Interval:
    profile = ProfileOf(laid, best, of.held, asked_nodes)
    floor = NEAR_ZERO * of.scale if of.least == 0.0 else -np.inf
    start = max(of.estimate, floor)
    try:
        with np.errstate(all="ignore"):
            high = profile.limit(start, of.scale, cut, np.inf)
            profile.known.clear()
            low = profile.limit(start, -of.scale, cut, floor)
    except (np.linalg.LinAlgError, ValueError):
        return Interval(name, of.estimate, float("nan"), float("nan"), MISSED)
    return Interval(name, of.estimate, 0.0 if low == floor else low, high, METHOD)
