"""Intervals, intraclass correlation and R-squared of pooled fits, and of fits with replicate weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.special import expit, logit

from ..arguments import check_prob, seed_or_none
from ..derived.intraclass import (
    IntraclassCorrelation,
    IntraclassCurve,
    Place,
    at_places,
    column_means,
    conditional,
    formula,
    of_elements,
)
from ..derived.r2 import PARTS, R2, r2, said_of
from ..errors import HypothesisError
from ..inference.intervals import Interval
from ..laws.law import Need
from ..likelihood.pattern import elements
from .pooled_fit import PooledEstimates, pooled_components, pooled_fixed
from .replicate_weights import components_of
from .rubin import Pooled, pool

ON_LOG = "t on the log scale"
NONE = "not available"


def pooled_intervals(
    pooled: PooledEstimates, *, prob: float = 0.95, robust: bool | str | None = None, df: str = "rubin"
) -> tuple[Interval, ...]:
    """Give t intervals of the fixed effects, and of tau and sigma2.

    Variances have theirs on the log scale, where they are nearly normal; standard deviations are their roots.
    There is none where a data set has no standard error, its tau being singular, nor of a sigma2 that is
    known.
    """
    check_prob(prob)
    parts = pooled_components(pooled)[1]
    half = float((parts.quantile(prob) * parts.se)[-1])
    estimated = pooled.fits[0].has(Need.ESTIMATED_SIGMA2)
    return (
        *t_intervals(pooled.model.gamma_names, pooled_fixed(pooled, robust, df), prob),
        *tau_intervals(pooled, parts, prob),
        *(_of_variance("sigma", "sigma2", parts.estimate[-1], half) if estimated else ()),
    )


def t_intervals(names: Sequence[str], found: Pooled, prob: float) -> list[Interval]:
    """Give t intervals of parameters that have no bounds."""
    reach = found.quantile(prob) * np.where(found.se > 0, found.se, np.nan)
    return [
        Interval(name, b, b - h, b + h, "t" if np.isfinite(h) else NONE)
        for name, b, h in zip(names, found.estimate.tolist(), reach.tolist(), strict=True)
    ]


def tau_intervals(pooled: PooledEstimates, parts: Pooled, prob: float) -> list[Interval]:
    """Give those of sd and variance of each coefficient, and of covariances; ``parts``: tau first."""
    names, half = pooled.fits[0].random_names, parts.quantile(prob) * parts.se
    found, pairs = list[Interval](), list[Interval]()
    free = zip(*elements(pooled.fits[0].design.pattern), parts.estimate, half, strict=False)  # sigma2 is last
    for a, b, value, reach in free:
        if a == b:
            found += _of_variance(f"sd[{names[a]}]", f"tau[{names[a]},{names[a]}]", value, reach)
        else:
            how = "t" if np.isfinite(reach) else NONE
            limits = float(value - reach), float(value + reach)
            pairs.append(Interval(f"tau[{names[a]},{names[b]}]", float(value), *limits, how))
    return [*found, *pairs]


def _of_variance(sd: str, variance: str, value: float, half: float) -> tuple[Interval, Interval]:
    """Give limits on the log scale, of a standard deviation and its square, by half of the plain interval."""
    known = bool(np.isfinite(half)) and value > 0
    factor = float(np.exp(half / value)) if known else float("nan")
    ends, how = (float(value), float(value / factor), float(value * factor)), ON_LOG if known else NONE
    root = [float(np.sqrt(end)) for end in ends]
    return Interval(sd, root[0], root[1], root[2], how), Interval(variance, *ends, how)


def pooled_icc(
    pooled: PooledEstimates, *, at: str | Mapping[str, Any] | None = None, prob: float = 0.95
) -> IntraclassCorrelation | IntraclassCurve:
    """Give the intraclass correlation, averaged over the data sets; ``at`` as in `Fit.icc`.

    Its standard error is by Rubin's rules, from each data set's by the delta method or by replicate weights;
    the limits are t limits on the logit scale.
    """
    check_prob(prob)
    fits, sampling = pooled.fits, pooled.sampling()
    for fit in fits:
        fit.require("the intraclass correlation", Need.ONE_SIGMA2, Need.ROWS_ALIKE)
    estimates = np.array([components_of(fit) for fit in fits])
    means = np.mean([column_means(fit.design) for fit in fits], axis=0)

    def point(place: Place, notes: tuple[str, ...]) -> IntraclassCorrelation:
        weight = of_elements(place.z, fits[0].design.pattern)

        def value(parts: np.ndarray) -> np.ndarray:
            between = parts[..., :-1] @ weight
            return np.asarray(between / (between + parts[..., -1]))

        def slope(parts: np.ndarray) -> np.ndarray:
            between, sigma2 = parts[:-1] @ weight, parts[-1]
            return np.asarray(np.append(sigma2 * weight, -between) / (between + sigma2) ** 2)

        each = value(estimates)[:, None]
        found = pool(each, sampling.of_function(value, slope)[:, None], None, sampling.df)
        share, spread = float(found.estimate[0]), float(found.se[0])
        low = high = float("nan")
        if 0 < share < 1 and np.isfinite(spread):
            half = float(found.quantile(prob)[0]) * spread / (share * (1.0 - share))
            low, high = (float(expit(logit(share) + sign * half)) for sign in (-1, 1))
        else:
            notes = (*notes, "No interval: tau is on the boundary.")
        how = f"{formula(at)}, mean of {pooled.m} data sets" if pooled.m > 1 else formula(at)
        return IntraclassCorrelation(
            share, low, high, prob, conditional(fits[0].design), how, notes, place.at, place.where
        )

    return at_places(fits[0].design, at, point, means)  # type: ignore[no-any-return]


def pooled_r2(
    pooled: PooledEstimates, *, bootstrap: int = 0, seed: int | None = None, prob: float = 0.95
) -> R2:
    """Give the parts of the outcome's variance, averaged over the data sets, and R-squared; see `Fit.r2`.

    With ``bootstrap`` every data set's fit is simulated so many times, and the limits are percentiles of all
    together (Schomaker & Heumann 2018, Statistics in Medicine 37, 2252: pooled bootstrap samples).

    Raises
    ------
    HypothesisError
        As `Fit.r2`; with replicate weights, or sampling weights, there is no model to simulate.
    """
    check_prob(prob)
    streams = np.random.SeedSequence(seed_or_none(seed, HypothesisError)).generate_state(pooled.m)
    each = [
        r2(fit, bootstrap=bootstrap, seed=int(own)) for fit, own in zip(pooled.fits, streams, strict=True)
    ]
    mean = {name: float(np.mean([found.variance[name] for found in each])) for name in PARTS}
    draws = {name: np.concatenate([found.draws[name] for found in each]) for name in each[0].draws}
    said = [f"parts averaged over {pooled.m} data sets"] if pooled.m > 1 else []
    said += [f"percentiles of {bootstrap} simulated data sets of each"] if bootstrap else []
    return R2(mean, prob, draws, "; ".join(said), said_of(pooled.fits[0].design))
