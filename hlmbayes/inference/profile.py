"""Profile-likelihood intervals of standard deviations, variances, covariances, correlations and sigma2.

The limits of a parameter are where the deviance, minimised over all the others with tau kept positive
semi-definite, is its minimum plus the chi-square quantile (Pawitan 2001, sec. 3.4; Bates et al. 2015,
sec. 5.1). Held fixed is an entry of a root Lambda of tau, with the coefficients ordered so that the parameter
stands in its first rows:

    sd_a = c       Lambda_11 = c (also for tau / sigma2 = Lambda Lambda')
    corr_ab = c    Lambda_11 = e^s, Lambda_2. = e^t (c, sqrt(1 - c^2)), s and t free
    tau_ab = c     Lambda_11 = e^t, Lambda_21 = c e^-t, t free
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import chdtri, ndtri, stdtrit

from ..errors import EstimationError
from ..estimation.newton import Minimum, Point, minimise
from ..estimation.weights import refuse_weighted
from ..likelihood.criterion import criterion, observed_information, profiled_sigma2
from ..likelihood.evaluate import System, evaluate
from .variance_explained import check_level, refuse_heterogeneous

if TYPE_CHECKING:
    from ..estimation.estimates import Estimates
    from ..estimation.heterogeneous import VarianceModel


MISSED = "not available"
STARTS = 8  # of a search for another branch of the likelihood
FEW_UNITS = 200  # up to here it is made at every limit,
NEARLY_SINGULAR = 0.05  # beyond, where an eigenvalue of tau's correlations is below this
MOST_BRANCHES = 6


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval: parameter, estimate, limits, and the method in a word."""

    parameter: str
    estimate: float
    low: float
    high: float
    method: str


class Chart(NamedTuple):
    """Lambda (q, q), and its first and second derivatives in each of the m free numbers, (m, q, q)."""

    root: np.ndarray
    first: np.ndarray
    second: np.ndarray


class Profile(NamedTuple):
    """What a profile needs: the system, the scaled tau's map M to standardised units, the optimum."""

    system: System
    reml: bool
    to_standard: np.ndarray
    tau: np.ndarray
    sigma2: float
    minimum: float
    cut: float


def intervals(fit: Estimates, *, level: float = 0.95) -> tuple[Interval, ...]:
    """Give profile-likelihood intervals of all variance parameters.

    Order: sd and variance of each random coefficient, covariance and correlation of each pair, sigma2 and
    sigma. Of the fit's own likelihood (restricted or full), around its optimum; HLM's estimates under
    ``algorithm="hlm"`` may differ a little from that. A lower limit of 0, or a correlation's of -1 or 1: the
    boundary is inside the interval.

    Raises
    ------
    HypothesisError
        A level-1 variance that depends on variables.
    """
    check_level(level)
    refuse_heterogeneous(fit, "the profile likelihood")
    refuse_weighted(fit, "the profile likelihood", "sampling", "variance known")
    p, scale, e = _prepare(fit, level)
    names, q = fit.random_names, len(scale)
    found: list[Interval] = []
    for a in range(q):
        sd = float(np.sqrt(max(p.tau[a, a], 0.0)))
        low, high = _limits(p, sd, (0.0, np.inf), _sd_chart, (a,))
        unit = e / scale[a]
        sd, low, high = (float(v * unit) for v in (sd, low, high))
        found.append(Interval(f"sd[{names[a]}]", sd, low, high, "profile"))
        found.append(Interval(f"tau[{names[a]},{names[a]}]", sd**2, low**2, high**2, "profile"))
    for a in range(q):
        for b in range(a):
            found += _pair(p, (b, a), f"{names[a]},{names[b]}", e**2 / (scale[a] * scale[b]))
    low, high = _limits(p, np.log(p.sigma2), (-np.inf, np.inf), _sigma_chart, ())
    sigma, low, high = (float(np.exp(0.5 * v)) * e for v in (np.log(p.sigma2), low, high))
    found.append(Interval("sigma", sigma, low, high, "profile"))
    found.append(Interval("sigma2", sigma**2, low**2, high**2, "profile"))
    return tuple(i if i.low == i.low and i.high == i.high else replace(i, method=MISSED) for i in found)


def alpha_intervals(found: VarianceModel, *, level: float) -> tuple[Interval, ...]:
    """Give normal intervals of the coefficients of log(sigma2), from their standard errors."""
    check_level(level)
    reach = float(ndtri(0.5 + level / 2.0)) * found.se
    values = zip(found.names, found.alpha.tolist(), reach.tolist(), strict=True)
    return tuple(Interval(name, a, a - h, a + h, "normal") for name, a, h in values)


def _pair(p: Profile, pair: tuple[int, int], name: str, unit: float) -> list[Interval]:
    a, b = pair
    covariance, product = float(p.tau[a, b]), float(p.tau[a, a] * p.tau[b, b])
    low, high = _limits(p, covariance, (-np.inf, np.inf), _covariance_chart, pair)
    found = [Interval(f"tau[{name}]", covariance * unit, low * unit, high * unit, "profile")]
    if product > 0:
        corr = float(np.clip(covariance / np.sqrt(product), -1.0, 1.0))
        found.append(
            Interval(
                f"corr[{name}]", corr, *_limits(p, corr, (-1.0, 1.0), _correlation_chart, pair), "profile"
            )
        )
    else:  # a variance of zero has no correlation with anything
        nan = float("nan")
        found.append(Interval(f"corr[{name}]", nan, nan, nan, MISSED))
    return found


def ratio_limits(fit: Estimates, k: int, level: float) -> tuple[float, float]:
    """Give profile-likelihood limits of tau_kk / sigma2, k among the random coefficients."""
    check_level(level)
    p, scale, _ = _prepare(fit, level)
    estimate = float(np.sqrt(p.tau[k, k] / p.sigma2))
    low, high = _limits(p, estimate, (0.0, np.inf), _ratio_chart, (k,))
    return (low / float(scale[k])) ** 2, (high / float(scale[k])) ** 2


def fixed_intervals(
    fit: Estimates, *, level: float = 0.95, robust: bool | str | None = None, df: str | None = None
) -> tuple[Interval, ...]:
    """Give t intervals of the fixed effects, with the standard errors and d.f. of `fixed_effects`."""
    from .hlm_tables import default_robust, fixed_effects, kind_and_df

    check_level(level)
    robust = default_robust(fit, robust, df)
    rows, (kind, df) = fixed_effects(fit, robust=robust, df=df), kind_and_df(robust, df)
    errors = {"model": "", "CR0": ", robust s.e."}.get(kind, f", {kind} s.e.")
    method = f"t, {df} d.f.{errors}"
    reach = [float(stdtrit(min(row.df, 1e15), 0.5 + level / 2.0)) * row.se for row in rows]
    return tuple(
        Interval(r.name, r.coefficient, r.coefficient - h, r.coefficient + h, method)
        for r, h in zip(rows, reach, strict=True)
    )


def _prepare(fit: Estimates, level: float) -> tuple[Profile, np.ndarray, float]:
    """Find the optimum, and tau there in units where every Z column and e have mean square one."""
    from ..estimation.optimum import evaluation, optimum

    design, system, reml = fit.design, fit.system, fit.method == "REML"
    r = design.random
    at = evaluation(optimum(system, reml).point)
    scale = design.rms[r]
    to_standard = np.linalg.solve(system.to_tau, np.diag(1.0 / scale)) * system.e_scale
    sigma2 = profiled_sigma2(system, at, reml)
    inverse = np.linalg.inv(to_standard) if len(r) else to_standard
    tau = inverse @ (at.theta * sigma2) @ inverse.T
    minimum = criterion(system, at, reml).value
    cut = float(chdtri(1, 1.0 - level))
    return (
        Profile(system, reml, to_standard, 0.5 * (tau + tau.T), sigma2, minimum, cut),
        scale,
        system.e_scale,
    )


# --- the limits ----------------------------------------------------------------------------------


def _limits(
    p: Profile,
    estimate: float,
    bounds: tuple[float, float],
    chart: Callable[..., Chart],
    pair: tuple[int, ...],
) -> tuple[float, float]:
    """Find where the profile deviance reaches the cut, on both sides of the estimate; nan where it fails."""

    def limit(bound: float) -> float:
        try:
            return _limit(p, estimate, bound, chart, pair)
        except (EstimationError, np.linalg.LinAlgError):  # columns so scaled that the search is lost
            return float("nan")

    return limit(bounds[0]), limit(bounds[1])


def _limit(
    p: Profile, estimate: float, bound: float, chart: Callable[..., Chart], pair: tuple[int, ...]
) -> float:
    from scipy.optimize import brentq

    order = [*pair, *(k for k in range(len(p.tau)) if k not in pair)]
    start = _first_free(p, order, chart)
    known: dict[float, Point] = {}

    @np.errstate(all="ignore")  # a search may leave the numbers there are: its limit is then not available
    def rise(c: float) -> float:
        if c not in known:
            nearest = min(known, key=lambda k: abs(k - c), default=None)
            starts = [start] if nearest is None else [known[nearest].x]
            if chart is _correlation_chart and nearest is not None:
                starts.append(start)  # where a variance has gone to zero the correlation leads nowhere
            known[c] = min(
                (_minimise_at(p, order, chart, c, x).point for x in starts), key=lambda at: at.value
            )
        return float(np.sqrt(max(known[c].value - p.minimum, 0.0)) - np.sqrt(p.cut))

    side = 1.0 if bound > estimate else -1.0
    reach = abs(bound - estimate)
    step, inside, outside = min(_first_step(p, chart, estimate), 0.5 * reach), 0.0, reach
    for _ in range(40):
        if step >= 0.999 * reach or rise(estimate + side * step) > 0:
            outside = min(step, reach)
            break
        inside, step = step, 2.0 * step
    else:  # the likelihood never falls far enough
        return bound
    if reach == 0 or (outside >= 0.999 * reach and rise(bound) <= 0):
        return bound
    outside = reach if outside >= 0.999 * reach else outside
    if rise(estimate + side * inside) >= 0:  # the constrained search misses even the optimum itself
        return float("nan")

    def crossing(inside: float, outside: float) -> float:
        tolerance = 1e-9 * max(outside, 1e-6)
        found = brentq(lambda d: rise(estimate + side * d), inside, outside, xtol=tolerance, rtol=1e-9)
        return float(found)

    root = crossing(inside, outside)
    for _ in range(MOST_BRANCHES):
        c = estimate + side * root
        rise(c)
        found = _lower_branch(p, order, chart, c, known[c], start)
        if found is None:
            break
        known = {c: found}
        if rise(c) > 0:  # the minimum itself was missed by a little
            break
        inside, outside = root, root
        for _ in range(40):
            outside = min(outside + max(0.2 * root, _first_step(p, chart, estimate)), reach)
            if outside == reach or rise(estimate + side * outside) > 0:
                break
            inside = outside
        else:
            return bound
        if outside == reach and rise(bound) <= 0:
            return bound
        root = crossing(inside, outside)
    return estimate + side * root


@np.errstate(all="ignore")
def _lower_branch(
    p: Profile, order: list[int], chart: Callable[..., Chart], c: float, here: Point, start: np.ndarray
) -> Point | None:
    """Look from elsewhere for a lower deviance at c than that of the minimum here; None if there is none.

    The search that follows the parameter may end on a branch of its own where units are few, or tau is
    singular or nearly so.
    """
    if len(order) < 2:
        return None
    has_sigma = chart not in (_sigma_chart, _ratio_chart)  # the last of the free numbers is log sigma2
    root = chart(c, here.x[:-1] if has_sigma else here.x, len(order)).root
    length = np.linalg.norm(root, axis=1)
    regular = length.all() and np.linalg.svd(root / length[:, None])[1][-1] ** 2 > NEARLY_SINGULAR
    if regular and p.system.n_units > FEW_UNITS:
        return None
    rng = np.random.default_rng(0)
    best = here
    for k in range(STARTS):
        at = start if k == 0 else (0.5, 1.5)[k % 2] * rng.normal(size=len(start))
        try:
            found = _minimise_at(p, order, chart, c, at).point
        except (EstimationError, np.linalg.LinAlgError):
            continue
        if found.value < best.value - 1e-6:
            best = found
    return None if best is here else best


def _first_step(p: Profile, chart: Callable[..., Chart], estimate: float) -> float:
    """Guess how far off a limit is."""
    if chart is _sigma_chart:
        return float(np.sqrt(2.0 * p.cut / p.system.n))
    return 0.3 if chart is _correlation_chart else 0.3 * max(abs(estimate), 0.05)


def _minimise_at(
    p: Profile, order: list[int], chart: Callable[..., Chart], c: float, x: np.ndarray
) -> Minimum:
    """Minimise the deviance over all other parameters with the chart's parameter held at c."""
    if chart is _ratio_chart:
        return _minimise_ratio(p, order, c, x)
    m = p.to_standard[:, order]
    q = len(order)
    rows, cols = np.tril_indices(q)
    fixed_sigma = chart is _sigma_chart

    def objective(x: np.ndarray) -> Point:
        free = x if fixed_sigma else x[:-1]
        log_s2 = c if fixed_sigma else float(x[-1])
        s2 = float(np.exp(np.clip(log_s2, -50.0, 50.0)))
        root, first, second = chart(c, free, q)
        at = evaluate(p.system, m @ root / np.sqrt(s2))
        value = criterion(p.system, at, p.reml, sigma2=s2).value
        slope = m.T @ ((at.h - p.reml * at.p) / s2 - at.vv / s2**2) @ m
        slope_s2 = (p.system.n - p.system.n_fixed * p.reml - np.sum((at.h - p.reml * at.p) * at.theta)) / s2
        slope_s2 -= (at.rss - np.sum(at.vv * at.theta)) / s2**2
        moves = first @ root.T
        moves = m @ (moves + moves.transpose(0, 2, 1)) @ m.T
        jacobian = np.zeros((len(free) + 1, len(rows) + 1))
        jacobian[:-1, :-1], jacobian[-1, -1] = moves[:, rows, cols], s2
        gradient = np.append(2.0 * np.einsum("iab,ac,cb->i", first, slope, root), slope_s2 * s2)
        hessian = 2.0 * jacobian @ observed_information(p.system, at, s2, p.reml) @ jacobian.T
        hessian[:-1, :-1] += 2.0 * np.einsum("iab,ac,jcb->ij", first, slope, first)
        curved = np.einsum("iab,ab->i", second, slope @ root)
        hessian += np.diag(np.append(2.0 * curved, slope_s2 * s2))
        if fixed_sigma:
            gradient, hessian = gradient[:-1], hessian[:-1, :-1]
        return Point(x, value, gradient, 0.5 * (hessian + hessian.T), at)

    return minimise(objective, x)


def _minimise_ratio(p: Profile, order: list[int], c: float, x: np.ndarray) -> Minimum:
    """Do it for tau / sigma2 = Lambda Lambda', with sigma2 profiled out."""
    m, q = p.to_standard[:, order], len(order)

    def objective(x: np.ndarray) -> Point:
        root, first, _ = _ratio_chart(c, x, q)
        at = evaluate(p.system, m @ root)
        found = criterion(p.system, at, p.reml)
        slope = m.T @ found.gradient @ m
        moves = first @ root.T
        moves = (m @ (moves + moves.transpose(0, 2, 1)) @ m.T).reshape(len(x), q * q)
        hessian = moves @ found.hessian.reshape(q * q, q * q) @ moves.T
        hessian += 2.0 * np.einsum("iab,ac,jcb->ij", first, slope, first)
        gradient = 2.0 * np.einsum("iab,ac,cb->i", first, slope, root)
        return Point(x, found.value, gradient, 0.5 * (hessian + hessian.T), at)

    return minimise(objective, x)


def _first_free(p: Profile, order: list[int], chart: Callable[..., Chart]) -> np.ndarray:
    """Give the free numbers of a chart near the optimum."""
    tau = p.tau[np.ix_(order, order)]
    floor = 1e-3 * max(float(np.trace(tau)), p.sigma2)
    root = np.linalg.cholesky(tau + floor * np.eye(len(tau))) if len(tau) else tau
    log_s2 = np.log(p.sigma2)
    if chart is _sigma_chart:
        return root[np.tril_indices(len(tau))]
    rest = root[_free_entries(len(tau), chart)]
    if chart is _ratio_chart:
        return rest / np.sqrt(p.sigma2)
    if chart is _correlation_chart:
        rest = np.append(rest, np.log([root[0, 0], np.hypot(root[1, 0], root[1, 1])]))
    if chart is _covariance_chart:
        rest = np.append(rest, np.log(root[0, 0]))
    return np.append(rest, log_s2)


# --- the charts: a parameter's value and free numbers -> Lambda -------------------------------------


def _free_entries(q: int, chart: Callable[..., Chart]) -> tuple[np.ndarray, np.ndarray]:
    """Give the entries of Lambda that are free numbers as they stand."""
    held = {
        _sd_chart: {(0, 0)},
        _ratio_chart: {(0, 0)},
        _correlation_chart: {(0, 0), (1, 0), (1, 1)},
        _covariance_chart: {(0, 0), (1, 0)},
    }.get(chart, set())
    entries = [(a, b) for a in range(q) for b in range(a + 1) if (a, b) not in held]
    rows = np.array([a for a, _ in entries], dtype=np.intp)
    return rows, np.array([b for _, b in entries], dtype=np.intp)


def _linear(
    free: np.ndarray, q: int, chart: Callable[..., Chart], extra: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Put the free numbers but the last ``extra`` in their places."""
    rows, cols = _free_entries(q, chart)
    root, first = np.zeros((q, q)), np.zeros((len(free), q, q))
    root[rows, cols] = free[: len(free) - extra]
    first[np.arange(len(rows)), rows, cols] = 1.0
    return root, first, np.zeros_like(first)


def _sigma_chart(_c: float, free: np.ndarray, q: int) -> Chart:
    return Chart(*_linear(free, q, _sigma_chart, 0))


def _sd_chart(c: float, free: np.ndarray, q: int) -> Chart:
    root, first, second = _linear(free, q, _sd_chart, 0)
    root[0, 0] = c
    return Chart(root, first, second)


def _ratio_chart(c: float, free: np.ndarray, q: int) -> Chart:
    return _sd_chart(c, free, q)


def _correlation_chart(c: float, free: np.ndarray, q: int) -> Chart:
    root, first, second = _linear(free, q, _correlation_chart, 2)
    s, t = np.exp(np.clip(free[-2:], -30.0, 30.0))  # a change of sign would be the opposite correlation
    root[0, 0] = first[-2, 0, 0] = second[-2, 0, 0] = s
    root[1, :2] = first[-1, 1, :2] = second[-1, 1, :2] = t * np.array([c, np.sqrt(max(1.0 - c * c, 0.0))])
    return Chart(root, first, second)


def _covariance_chart(c: float, free: np.ndarray, q: int) -> Chart:
    root, first, second = _linear(free, q, _covariance_chart, 1)
    t = float(np.clip(free[-1], -30.0, 30.0))
    root[0, 0] = first[-1, 0, 0] = second[-1, 0, 0] = np.exp(t)
    root[1, 0] = second[-1, 1, 0] = c * np.exp(-t)
    first[-1, 1, 0] = -root[1, 0]
    return Chart(root, first, second)
