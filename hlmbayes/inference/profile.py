"""Profile-likelihood intervals of standard deviations, variances, covariances, correlations and sigma2.

The limits of a parameter are where the deviance, minimised over all the others with tau kept positive
semi-definite, is its minimum plus the chi-square quantile (Pawitan 2001, sec. 3.4; Bates et al. 2015,
sec. 5.1). `profile_charts` says how a parameter is held.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate, islice, repeat

import numpy as np
from scipy.special import chdtri

from ..arguments import check_prob
from ..errors import EstimationError
from ..estimation.estimates import Estimates
from ..estimation.newton import Point, minimise
from ..estimation.optimum import evaluation, optimum
from ..laws.law import Need
from ..likelihood.criterion import criterion, profiled_sigma2
from ..likelihood.pattern import mask
from . import profile_charts as charts
from .intervals import Interval
from .kept import once_per_fit
from .profile_charts import Chart, Profile

MISSED = "not available"
PROFILE = "profile"
AT_OPTIMUM = "profile, of the optimum"  # where the fit's own numbers are HLM's
STARTS = 8  # of a search for another branch of the likelihood
FEW_UNITS = 200  # up to here it is made at every limit,
NEARLY_SINGULAR = 0.05  # beyond, where an eigenvalue of tau's correlations is below this
MOST_BRANCHES = 6
MOST_STEPS = 40  # outwards, until the deviance has risen
LIMIT = 300  # evaluations of one minimisation over the other parameters
MOST_LOST = 3  # of them without an end: the likelihood is flat beyond what can be followed


def intervals(fit: Estimates, *, prob: float = 0.95) -> tuple[Interval, ...]:
    """Give profile-likelihood intervals of all variance parameters.

    Order: sd and variance of each random coefficient, covariance and correlation of each pair that has one,
    sigma2 and sigma where they are estimated. Of the fit's own likelihood (restricted or full), around its
    optimum; under ``algorithm="hlm"`` the estimates are the optimum's, too, not those where HLM stopped, and
    ``method`` says so. A lower limit of 0, or a correlation's of -1 or 1: the boundary is inside.

    Raises
    ------
    HypothesisError
        A level-1 variance that depends on variables.
    """
    check_prob(prob)
    fit.require("the profile likelihood", Need.ONE_SIGMA2, Need.LIKELIHOOD)
    return _intervals(fit, prob)


@once_per_fit  # a report after `confint` need not search again
def _intervals(fit: Estimates, prob: float) -> tuple[Interval, ...]:
    p, scale, e = _prepare(fit, prob)
    names = fit.random_names
    found: dict[str, tuple[float, ...]] = {}
    for a, name in enumerate(names):
        sd = _limits(charts.SdChart(p, (a,)), float(e / scale[a]))
        found[f"sd[{name}]"], found[f"tau[{name},{name}]"] = sd, tuple(v**2 for v in sd)
    nothing = (float("nan"),) * 3
    for a, b in np.argwhere(np.tril(mask(fit.design.pattern), -1)).tolist():
        pair, name = (b, a), f"{names[a]},{names[b]}"
        found[f"tau[{name}]"] = _limits(charts.CovarianceChart(p, pair), e**2 / (scale[a] * scale[b]))
        # a variance of zero has no correlation with anything
        varies = p.tau[b, b] * p.tau[a, a] > 0
        found[f"corr[{name}]"] = _limits(charts.CorrelationChart(p, pair)) if varies else nothing
    if not p.held:
        sigma = tuple(float(np.exp(0.5 * v)) * e for v in _limits(charts.Sigma2Chart(p)))
        found["sigma"], found["sigma2"] = sigma, tuple(v**2 for v in sigma)
    method = PROFILE if fit.algorithm == "exact" else AT_OPTIMUM
    return tuple(
        Interval(name, value, low, high, MISSED if np.isnan([low, high]).any() else method)
        for name, (value, low, high) in found.items()
    )


def profiled(fit: Estimates) -> tuple[str, ...]:
    """Name the parameters that `intervals` has, those of tau that are free; none where it has none."""
    if not fit.has(Need.LIKELIHOOD, Need.ONE_SIGMA2):
        return ()
    names = fit.random_names
    pairs = [f"{names[a]},{names[b]}" for a, b in np.argwhere(np.tril(mask(fit.design.pattern), -1)).tolist()]
    own = [code for name in names for code in (f"sd[{name}]", f"tau[{name},{name}]")]
    level1 = ("sigma", "sigma2") if fit.has(Need.ESTIMATED_SIGMA2) else ()
    return (*own, *(f"{kind}[{pair}]" for pair in pairs for kind in ("tau", "corr")), *level1)


def ratio_limits(fit: Estimates, z: np.ndarray, prob: float) -> tuple[float, float, float]:
    """Give the optimum's z'tau z / sigma2, z (q,), and its profile-likelihood limits; zero where z is.

    The random coefficients of z's block are rotated until the first is along z: then it is a variance's
    ratio. nan where z has coefficients of several blocks.
    """
    check_prob(prob)
    if not z.any():
        return 0.0, 0.0, 0.0
    p, scale, _ = _prepare(fit, prob)
    along = z / scale
    size = float(np.linalg.norm(along))
    block, *others = [list(block) for block in fit.design.pattern.blocks if along[list(block)].any()]
    if others:
        return (float("nan"),) * 3
    turn = np.eye(len(z))
    turn[np.ix_(block, block)] = np.linalg.qr(np.column_stack([along[block] / size, np.eye(len(block))]))[0]
    turned = p._replace(to_standard=p.to_standard @ turn, tau=turn.T @ p.tau @ turn)
    at, low, high = ((value * size) ** 2 for value in _limits(charts.RatioChart(turned, (block[0],))))
    return at, low, high


def _prepare(fit: Estimates, prob: float) -> tuple[Profile, np.ndarray, float]:
    """Find the optimum, and tau there in units where every Z column and e have mean square one."""
    design, system, reml = fit.design, fit.system, fit.method == "REML"
    r = design.random
    held = None if fit.law.held is None else fit.law.held / system.e_scale**2
    at = evaluation(optimum(system, reml, sigma2=held).point)
    scale = design.rms[r]
    to_standard = np.linalg.solve(system.to_tau, np.diag(1.0 / scale)) * system.e_scale
    sigma2 = profiled_sigma2(system, at, reml) if held is None else held
    inverse = np.linalg.inv(to_standard) if len(r) else to_standard
    tau = system.tau_columns.only(inverse @ (at.theta * sigma2) @ inverse.T)
    lowest, cut = criterion(system, at, reml, sigma2=held).value, float(chdtri(1, 1.0 - prob))
    profile = Profile(system, reml, to_standard, 0.5 * (tau + tau.T), sigma2, lowest, cut, held is not None)
    return profile, scale, system.e_scale


# --- the limits ----------------------------------------------------------------------------------


def _limits(chart: Chart, unit: float = 1.0) -> tuple[float, float, float]:
    """Give the estimate, and where the profile deviance reaches the cut on both sides; nan where it fails.

    All three are multiplied by ``unit``.
    """

    def limit(end: float) -> float:
        try:
            return Search(chart, end).limit()
        except (EstimationError, np.linalg.LinAlgError):  # columns so scaled that the search is lost
            return float("nan")

    return chart.estimate * unit, limit(chart.ends[0]) * unit, limit(chart.ends[1]) * unit


@dataclass(frozen=True, eq=False)
class Search:
    """A search for a limit from the estimate towards an end of the parameter's range.

    ``known``: the minima at the values of the parameter that were tried; ``lost``: the values at which a
    minimisation over the others came to no end.
    """

    chart: Chart
    end: float
    known: dict[float, Point] = field(default_factory=dict)
    lost: list[float] = field(default_factory=list)

    @property
    def reach(self) -> float:
        """How far off the end is."""
        return abs(self.end - self.chart.estimate)

    def at(self, distance: float) -> float:
        """Give the value of the parameter at a distance from the estimate."""
        side = 1.0 if self.end > self.chart.estimate else -1.0
        return self.end if distance == self.reach else self.chart.estimate + side * distance

    @np.errstate(all="ignore")  # a search may leave the numbers there are: its limit is then not available
    def rise(self, distance: float) -> float:
        """Give the square root of what the profile deviance has risen to there, less that of the cut."""
        c, p = self.at(distance), self.chart.profile
        if c not in self.known:
            nearest = min(self.known, key=lambda k: abs(k - c), default=None)
            starts = self.chart.starts(None if nearest is None else self.known[nearest].x)
            self.known[c] = min((self.minimum(c, x) for x in starts), key=lambda at: at.value)
        return float(np.sqrt(max(self.known[c].value - p.minimum, 0.0)) - np.sqrt(p.cut))

    def limit(self) -> float:
        """Give the limit; the end, where the likelihood never falls far enough."""
        step = min(self.chart.first_step, 0.5 * self.reach)
        bracket = self.bracket(0.0, accumulate(repeat(2.0), lambda d, by: d * by, initial=step))
        if bracket is None:
            return self.end
        if self.rise(bracket[0]) >= 0:  # the constrained search misses even the optimum itself
            return float("nan")
        root = self.crossing(*bracket)
        for _ in range(MOST_BRANCHES):
            found = self.lower_branch(root)
            if found is None:
                break
            self.known.clear()
            self.known[self.at(root)] = found
            if self.rise(root) > 0:  # the minimum itself was missed by a little
                break
            step = max(0.2 * root, self.chart.first_step)
            bracket = self.bracket(root, accumulate(repeat(step), initial=root + step))
            if bracket is None:
                return self.end
            root = self.crossing(*bracket)
        return self.at(root)

    def bracket(self, inside: float, distances: Iterator[float]) -> tuple[float, float] | None:
        """Give distances between which the deviance reaches the cut; None where it does not up to the end."""
        for outside in islice(distances, MOST_STEPS):
            outside = self.reach if outside >= 0.999 * self.reach else outside
            if outside == 0:  # the estimate is at the end
                return None
            if self.rise(outside) > 0:
                return inside, outside
            if outside == self.reach:
                return None
            inside = outside
        return None

    def crossing(self, inside: float, outside: float) -> float:
        """Give the distance between the two at which the deviance has risen to the cut."""
        from scipy.optimize import brentq  # takes longer to import than all the rest: only where it is used

        tolerance = 1e-9 * max(outside, 1e-6)
        return float(brentq(self.rise, inside, outside, xtol=tolerance, rtol=1e-9))

    @np.errstate(all="ignore")
    def lower_branch(self, distance: float) -> Point | None:
        """Look from elsewhere for a lower deviance than that of the minimum known; None if there is none.

        The search that follows the parameter may end on a branch of its own where units are few, or tau is
        singular or nearly so.
        """
        self.rise(distance)
        c, chart = self.at(distance), self.chart
        here = best = self.known[c]
        if len(chart.order) < 2:
            return None
        root = chart.root(c, here.x).value
        length = np.linalg.norm(root, axis=1)
        regular = length.all() and np.linalg.svd(root / length[:, None])[1][-1] ** 2 > NEARLY_SINGULAR
        if regular and chart.profile.system.n_units > FEW_UNITS:
            return None
        rng = np.random.default_rng(0)
        for k in range(STARTS):
            x = chart.start if k == 0 else (0.5, 1.5)[k % 2] * rng.normal(size=len(chart.start))
            try:
                found = self.minimum(c, x)
            except (EstimationError, np.linalg.LinAlgError):
                continue
            if found.value < best.value - 1e-6:
                best = found
        return None if best is here else best

    def minimum(self, c: float, x: np.ndarray) -> Point:
        """Minimise the deviance over all other parameters, from x, with the chart's held at c.

        Raises
        ------
        EstimationError
            Several of these searches came to no end: what they found is no profile, and takes seconds.
        """
        if len(self.lost) >= MOST_LOST:
            raise EstimationError("the likelihood is too flat for its profile to be followed")
        found = minimise(lambda x: self.chart.objective(c, x), x, limit=LIMIT)
        if found.evaluations >= LIMIT:
            self.lost.append(c)
        return found.point
