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

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from math import isfinite
from numbers import Real
from typing import Any

import numpy as np

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
SERIES = re.compile(r"(.*?)(\d+)\s*-\s*(.*?)(\d+)")  # W_FSTR1-W_FSTR80
FULL = {
    "level1": "level-1 weight",
    "level2": "level-2 weight",
    "total": "total weight (level 1 times level 2)",
}
NEAR, FAR = 0.05, 0.03  # relative distances of the mean of the replicates from the weight it is, and is not


@dataclass(frozen=True, slots=True)
class Replication:
    """What the user says of replicate weights.

    Attributes
    ----------
    names : tuple of str
        Columns of replicate weights; ``"rep1-rep80"`` stands for all from the first to the last.
    of : "level1", "level2" or "total", optional
        The weight they are replicates of; "total" is level-1 times level-2 weight where the level-1 weight is
        conditional. By default "level2" for level-2 variables or without a level-1 weight, else "level1".
    method : "brr", "fay", "jackknife" or "jk2"
    fay : float, optional
        Fay's factor, from 0 to below 1, of method "fay" alone: 0.5 by default.
    factor : float, optional
        Of the sum of squares, instead of the method's.
    df : float, optional
        Degrees of freedom of t-ratios; R, for "jackknife" R - 1, by default.
    """

    names: tuple[str, ...]
    of: str | None = None
    method: str = "brr"
    fay: float | None = None
    factor: float | None = None
    df: float | None = None

    def __post_init__(self) -> None:
        if not all(isinstance(name, str) for name in self.names):
            raise DataError(f"replicates= wants names of columns, got {some(map(repr, self.names))}")
        if self.method not in METHODS:
            ml = " (with sampling weights estimation is by maximum likelihood)"
            said = ml if str(self.method).upper() in ("ML", "REML") else ""
            raise EstimationError(f"method {self.method!r} is not known: use {', '.join(METHODS)}{said}")
        if self.fay is not None and self.method != "fay":  # as if it were 0, the errors of BRR are too small
            raise EstimationError(
                f"fay={self.fay!r}: Fay's factor is of the method fay, and the replicates' method is "
                f"{self.method}: say that they are Fay's, or leave the factor out"
            )
        if self.fay is not None and not (_number(self.fay) and 0 <= self.fay < 1):
            raise EstimationError(f"fay={self.fay!r}: Fay's factor is from 0 to below 1; PISA's is 0.5")
        for what, got in (("factor", self.factor), ("df", self.df)):
            if got is not None and not (_number(got) and got > 0):
                raise EstimationError(f"{what}={got!r}: a number above 0 is wanted")

    @classmethod
    def asked(cls, names: tuple[str, ...], options: Mapping[str, Any]) -> Replication:
        """Read the options of a call; refuse those there are not."""
        known = [field.name for field in fields(cls)][1:]
        other = [name for name in options if name not in known]
        if other:
            raise EstimationError(
                f"{some(other)}: not an option of fits with replicate weights, which are {', '.join(known)}"
            )
        return cls(names, **options)

    def columns(self, data: TwoLevelData) -> tuple[str, ...]:
        """Find the columns, each once."""
        found = [data.find(name) for written in self.names for name in _series(written, data)]
        twice = [name for k, name in enumerate(found) if name in found[:k]]
        if twice:
            raise DataError(f"replicate weights named twice: {some(twice)}. Name each once")
        if len(found) < 2:
            raise DataError(f"got {len(found)} replicate weights: at least two are needed")
        return tuple(found)

    def multiplier(self, n: int) -> float:
        """Give the factor of the sum of squares over n replicates."""
        if self.factor is not None:
            return float(self.factor)
        fay = 1.0 / (n * (1.0 - (0.5 if self.fay is None else self.fay)) ** 2)
        return {"brr": 1.0 / n, "fay": fay, "jackknife": (n - 1.0) / n, "jk2": 1.0}[self.method]

    def freedom(self, n: int) -> float:
        """Give the degrees of freedom of n replicates."""
        return float(n - (self.method == "jackknife")) if self.df is None else float(self.df)


def _number(got: object) -> bool:
    return isinstance(got, Real) and not isinstance(got, bool) and isfinite(got)


def _series(written: str, data: TwoLevelData) -> list[str]:
    """Give the names that "rep1-rep80" stands for, where there is no column of that name."""
    found = SERIES.fullmatch(written.strip())
    known = {name.casefold() for name in (*data.level1, *data.level2)}
    if found is None or written.casefold() in known:
        return [written]
    stem, first, other, last = found.groups()
    if stem.casefold() != other.casefold() or int(first) > int(last) or int(last) - int(first) > 10_000:
        return [written]
    width = len(first) if first.startswith("0") else 0
    return [f"{stem}{k:0{width}d}" for k in range(int(first), int(last) + 1)]


def fit_replicates(
    model: TwoLevelModel, data: TwoLevelData, weights: Weights | None, asked: Replication
) -> Replicates:
    """Fit with the full-sample weights and with each replicate's.

    Raises
    ------
    DataError
        Fewer than two replicates, weights that are missing or negative, or are of another weight.
    EstimationError
        No full weights, or a replicate that cannot be estimated.
    """
    if not isinstance(weights, Weights):
        raise EstimationError(
            "replicate weights are replicates of sampling weights, which are wanted too: "
            f'weights=hlm.Weights(level1="NAME"), got {type(weights).__name__}'
        )
    prepared = prepare(model, data, weights=weights)
    sample = _sample(prepared, weights)
    names = asked.columns(sample.data)
    of = _which(asked.of, names, sample)
    full = estimate(prepared)
    found = [_named(name, full, sample, weights, of) for name in names]
    gammas, thetas = (np.array(each) for each in zip(*found, strict=True))
    n = len(names)
    return Replicates(full, names, gammas, thetas, asked.method, asked.multiplier(n), asked.freedom(n))


def components_of(found: Estimates) -> np.ndarray:
    """Give the free elements of tau by rows and sigma2, (m + 1,)."""
    rows, cols = elements(found.design.pattern)
    return np.append(found.components.tau[rows, cols], found.sigma2)


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
    return found.gamma_free, components_of(found)


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
    them ``gammas`` (R, F), the free fixed effects, and ``thetas`` (R, m + 1), the free elements of tau by
    rows and sigma2.
    """

    full: Estimates
    names: tuple[str, ...]
    gammas: np.ndarray
    thetas: np.ndarray
    method: str
    factor: float
    df: float

    def of(self, contrast: np.ndarray) -> np.ndarray:
        """Give the covariance matrix (r, r) of contrast @ gamma_free, contrast (r, F)."""
        away = (self.gammas - self.full.gamma_free) @ contrast.T
        return np.asarray(self.factor * (away.T @ away))

    @property
    def words(self) -> str:
        """The standard errors in words."""
        return (
            f"{len(self.names)} replicate weights ({self.method}, factor {self.factor:.6g}, {self.df:g} d.f.)"
        )

    @property
    def components(self) -> np.ndarray:
        """Free elements of tau by rows and sigma2, (m + 1,), with the full-sample weights."""
        return components_of(self.full)

    @property
    def vcov(self) -> np.ndarray:
        """Covariance matrix of all fixed effects."""
        return self.of(np.eye(self.full.design.n_fixed)[self.full.design.free])

    @property
    def vcov_components(self) -> np.ndarray:
        """Covariance matrix of (free elements of tau by rows, sigma2)."""
        away = self.thetas - self.components
        return np.asarray(self.factor * (away.T @ away))
