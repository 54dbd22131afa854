"""Standard errors from replicate weights: balanced repeated replication and jackknife.

A survey's replicate weights are columns like its full weight; the model is fitted with each, and the
variance of an estimate is a factor times the sum of squared differences from the full-sample estimate
(Wolter 2007, ch. 3-4; Fay's method: Judkins 1990):

=========== ============================================ =======================
method      replicates                                   factor, R replicates
=========== ============================================ =======================
"brr"       half samples                                 1 / R
"fay"       half samples perturbed by ``fay`` (PISA 0.5) 1 / (R (1 - fay)^2)
"jackknife" one group of units left out (JK1)            (R - 1) / R
"jk2"       one of a pair left out (TIMSS, NAEP)         1
=========== ============================================ =======================

What a replicate does to a whole unit belongs to the unit's weight: level-1 weights are scaled within
units, so that a change of all weights of a unit would be scaled away. Therefore the ratio of the unit's
replicate weights to its full weights multiplies its level-2 weight. Rows and units of weight zero are
left out of that replicate.

Over all replicates of any method a unit's weights average to about its full weight, by which a wrong
``of`` is seen: surveys replicate the total weight, level-1 times level-2 weight.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..arguments import one_or_several
from ..data.two_level import TwoLevelData
from ..data.weights import Weights, row_weights, scaled, unit_weights
from ..equations.model import TwoLevelModel
from ..errors import DataError, EstimationError, HLMError
from ..estimation.estimate import estimate
from ..estimation.estimates import Estimates
from ..estimation.prepare import Prepared, prepare
from ..likelihood.pattern import elements
from ..unit_moments.record import Moments, unit_moments
from ..words import some

METHODS = ("brr", "fay", "jackknife", "jk2")
FULL = {
    "level1": "level-1 weight",
    "level2": "level-2 weight",
    "total": "total weight (level 1 times level 2)",
}
NEAR, FAR = 0.05, 0.03  # relative distances of the mean of the replicates from the weight it is, and is not


def fit_replicates(
    model: TwoLevelModel, data: TwoLevelData, weights: Weights, replicates: str | Sequence[str], *,
    of: str | None = None, method: str = "brr", fay: float = 0.5, factor: float | None = None,
    df: float | None = None,
) -> Replicates:  # fmt: skip
    """Fit with the full weights and with each replicate's.

    Parameters
    ----------
    weights : Weights
        The full-sample weights.
    replicates : sequence of str
        Columns of replicate weights.
    of : "level1", "level2" or "total", optional
        The weight they are replicates of; "total" is level-1 times level-2 weight where the level-1 weight is
        conditional. By default "level2" for level-2 variables or without a level-1 weight, else "level1".
    method : "brr", "fay", "jackknife" or "jk2"
    fay : float
        Fay's factor, 0 to 1; method "fay".
    factor : float, optional
        Of the sum of squares, instead of the method's.
    df : float, optional
        Degrees of freedom of t-ratios; R, for "jackknife" R - 1, by default.

    Raises
    ------
    DataError
        Fewer than two replicates, weights that are missing or negative, or are of another weight.
    EstimationError
        An unknown method, or a replicate that cannot be estimated.
    """
    names = [data.find(name) for name in one_or_several(replicates)]
    multiplier = _factor(method, len(names), fay) if factor is None else factor
    prepared = prepare(model, data, weights=weights)
    sample = _sample(prepared, weights)
    of = _which(of, names, sample)
    full = estimate(prepared)
    found = [_named(name, full, sample, weights, of) for name in names]
    gammas, thetas = (np.array(each) for each in zip(*found, strict=True))
    freedom = float(len(names) - (method == "jackknife")) if df is None else df
    return Replicates(full, tuple(names), gammas, thetas, method, multiplier, freedom)


def _components(found: Estimates) -> np.ndarray:
    """Give the free elements of tau by rows and sigma2, (m + 1,)."""
    rows, cols = elements(found.design.pattern)
    return np.append(found.components.tau[rows, cols], found.sigma2)


def _factor(method: str, n: int, fay: float) -> float:
    if method not in METHODS:
        raise EstimationError(f"method {method!r} is not known: use {', '.join(METHODS)}")
    if n < 2:
        raise DataError(f"got {n} replicate weights: at least two are needed")
    if method == "fay" and not 0 <= fay < 1:
        raise EstimationError(f"fay={fay!r}: Fay's factor is from 0 to below 1; PISA's is 0.5")
    factors = {"brr": 1.0 / n, "fay": 1.0 / (n * (1.0 - fay) ** 2), "jackknife": (n - 1.0) / n, "jk2": 1.0}
    return factors[method]


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """The complete rows, their moments, and the full weights.

    ``row`` (N,): conditional level-1 weights; ``unit`` (J,): level-2 weights; ``full``: the weights that
    replicates may be of, each (N,).
    """

    data: TwoLevelData
    moments: Moments
    row: np.ndarray
    unit: np.ndarray
    full: Mapping[str, np.ndarray]


def _sample(prepared: Prepared, weights: Weights) -> Sample:
    kept = prepared.complete
    if isinstance(kept, Moments):
        raise DataError("replicate weights need the rows, and these data are moments: fit from the data")
    row, unit, full = np.ones(kept.n_rows), np.ones(kept.n_units), {}
    if weights.level1 is not None:
        full["level1"] = row = row_weights(kept, weights.level1, "level-1 weight")
    if weights.level2 is not None:
        unit = unit_weights(kept, weights.level2, "level-2 weight")
        full["level2"] = unit[kept.unit]
    if len(full) == 2:
        total = weights.level1_is == "total"
        full["total"] = row if total else row * unit[kept.unit]
        row = row / unit[kept.unit] if total else row
    return Sample(kept, prepared.design.moments, row, unit, full)


def _which(of: str | None, names: Sequence[str], sample: Sample) -> str:
    """Give the weight the replicates are of; refuse one that is not there, or is not their mean."""
    data, full = sample.data, sample.full
    if of is None:
        above = not data.one_source and all(map(data.is_level2, names))
        of = "level2" if above or "level1" not in full else "level1"
    if of not in full:
        raise EstimationError(
            f"of={of!r}: replicates are of {' or '.join(full)} of these weights. Say of which, or name the "
            "full weights in weights=, level1= and level2="
        )
    mean = np.bincount(data.unit, weights=sum(_replicate(name, sample, of) for name in names) / len(names))
    sums = {which: np.bincount(data.unit, weights=values) for which, values in full.items()}
    away = {which: float(np.mean(np.abs(mean - w) / (mean + w))) for which, w in sums.items()}
    nearest = min(away, key=lambda which: away[which])
    if away[nearest] < NEAR and away[of] > 3.0 * away[nearest] + FAR:
        raise DataError(
            f"the replicate weights {some(names, 2)} are in the mean the {FULL[nearest]}, not the {FULL[of]} "
            f"that they are taken for: say of={nearest!r}, or correct the full weights in weights="
        )
    return of


def _replicate(name: str, sample: Sample, of: str) -> np.ndarray:
    """Give a replicate weight of the rows, (N,)."""
    data = sample.data
    values = data.level2_column(name)[data.unit] if of == "level2" else data.level1_column(name)
    if np.isnan(values).any() or np.any(values < 0):
        word = "missing" if np.isnan(values).any() else "negative"
        raise DataError(f"replicate weight {name!r} has {word} values: a replicate weight is zero or above")
    return np.asarray(values, dtype=float)


def _named(
    name: str, full: Estimates, sample: Sample, weights: Weights, of: str
) -> tuple[np.ndarray, np.ndarray]:
    """Give the fixed effects and the components with one replicate's weights."""
    try:
        found = estimate(prepare(full.model, replicate_moments(name, sample, weights.scaling, of)))
    except HLMError as error:
        raise type(error)(f"replicate weight {name}: {error}") from error
    if not found.converged:
        raise EstimationError(
            f"replicate weight {name}: the estimation did not converge: {found.stop_reason}"
        )
    return found.gamma_free, _components(found)


def replicate_moments(name: str, sample: Sample, scaling: str, of: str) -> Moments:
    """Take the moments with one replicate's weights, of the weight ``of``."""
    unit, own, full = sample.data.unit, _replicate(name, sample, of), sample.full[of]
    ratio = np.bincount(unit, weights=own) / np.bincount(unit, weights=full)
    row = sample.row
    if of != "level2":
        row = own / np.where(ratio > 0, ratio, 1.0)[unit] * (sample.row / full)
    return _weighted(sample, row, sample.unit * ratio, scaling)


def _weighted(sample: Sample, row: np.ndarray, unit: np.ndarray, scaling: str) -> Moments:
    data, full = sample.data, sample.moments
    there = (unit > 0) & (np.bincount(data.unit, weights=row, minlength=data.n_units) > 0)
    new = np.cumsum(there) - 1
    rows = there[data.unit] & (row > 0)
    index = new[data.unit[rows]]
    row, unit = scaled(index, row[rows], unit[there], scaling)
    arrays = [np.asarray(column)[rows] for column in data.level1_columns(full.columns)]
    n, weight, mean, sscp = unit_moments(index, int(there.sum()), arrays, row)
    level2 = {name: values[there] for name, values in full.level2.items()}
    return replace(
        full, unit_ids=full.unit_ids[there], n=n, weight=weight, mean=mean, sscp=sscp, level2=level2,
        unit_weight=unit,
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Replicates:
    """A weighted fit with estimates from replicate weights; `ReplicateFit` is its face.

    ``full``: with the full-sample weights; ``names``: columns of the R replicate weights, and with each of
    them ``gammas`` (R, F), the free fixed effects, and ``thetas`` (R, m + 1), the lower triangle of tau by
    rows and sigma2.
    """

    full: Estimates
    names: tuple[str, ...]
    gammas: np.ndarray
    thetas: np.ndarray
    method: str
    factor: float
    df: float

    @property
    def components(self) -> np.ndarray:
        """Lower triangle of tau by rows and sigma2, (m + 1,), with the full-sample weights."""
        return _components(self.full)

    @property
    def vcov(self) -> np.ndarray:
        """Covariance matrix of all fixed effects."""
        away, free = self.gammas - self.full.gamma_free, self.full.design.free
        return np.asarray(self.factor * (away.T @ away)[np.ix_(free, free)])

    @property
    def vcov_components(self) -> np.ndarray:
        """Covariance matrix of (lower triangle of tau by rows, sigma2)."""
        away = self.thetas - self.components
        return np.asarray(self.factor * (away.T @ away))
