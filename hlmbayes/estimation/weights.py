"""Sampling weights and frequencies: what the user says, checked, scaled, and put into the moments.

Three things are called weights and are three arguments here. *Sampling (design) weights*, `Weights`,
are inverse probabilities of selection: estimation is by pseudo-maximum likelihood, inference by the
sandwich. *Frequencies*, `Frequencies`, say how many identical rows or units a record stands for: all
results are those of the data written out in full. *Precision weights* (`precision=`,
`variance_known=`, see `known_variance`) say how well each row's outcome is known.

Scaling of level-1 weights w_i|j (n_j rows in unit j, W_j the unit's own weight):

=========== ======================================================= =================================
scaling     level 1                                                 level 2
=========== ======================================================= =================================
"hlm"       w n_j / sum(w): they sum to n_j (the default)           W_j J / sum(W): they sum to J
"size"      w n_j / sum(w)                                          W_j
"effective" w sum(w) / sum(w^2): they sum to the effective size     W_j
"cluster"   1                                                       W_j sum(w) / n_j
"none"      w                                                       W_j
=========== ======================================================= =================================

"size", "effective" and "cluster" are pwscale(size), pwscale(effective) and pwscale(gk) of Stata's
`mixed`: method 2 and method 1 of Pfeffermann et al. (1998), A and B of Carle (2009), and Graubard &
Korn (1996), who weight whole clusters by the mean of the rows' total weights; Rabe-Hesketh & Skrondal
(2006) discuss them. Note that Mplus calls "size" CLUSTER and "effective" ECLUSTER. Multiplying all
level-2 weights by a number multiplies the deviance and changes nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..arguments import name_or_none
from ..data.reading import some
from ..errors import DataError, HypothesisError
from ..unit_moments.record import Moments, moments_of, unit_moments

if TYPE_CHECKING:
    from ..data.two_level import TwoLevelData
    from .fit import Fit

SCALINGS = {
    "hlm": "level-1 weights sum to n_j within each unit, level-2 weights to the number of units",
    "size": "level-1 weights sum to n_j within each unit, level-2 weights are as given",
    "effective": "level-1 weights sum to the effective size (sum w)^2 / sum w^2 of each unit, level-2 "
    "weights are as given",
    "cluster": "level-1 weights are 1, level-2 weights are multiplied by the mean of the unit's level-1 "
    "weights (Graubard & Korn)",
    "none": "as given",
}
SHOWN = 5


@dataclass(frozen=True, slots=True)
class Weights:
    """Sampling weights: inverse probabilities of selection.

    Attributes
    ----------
    level1, level2 : str, optional
        Names of the variables. One final weight for each row, and nothing known of the units, is a
        level-1 weight.
    scaling : "hlm", "size", "effective", "cluster" or "none"
        See the table of this module; "hlm" by default. "gk" is another name of "cluster".
    level1_is : "conditional" or "total"
        Whether a level-1 weight is that of a row given its unit was drawn, or of unit and row together;
        a total weight is divided by the level-2 weight.
    """

    level1: str | None = None
    level2: str | None = None
    scaling: str = "hlm"
    level1_is: Literal["conditional", "total"] = "conditional"

    def __post_init__(self) -> None:
        for what in ("level1", "level2"):
            name_or_none(f"Weights: {what}=", getattr(self, what), DataError)
        if self.level1 is None and self.level2 is None:
            raise DataError(
                "Weights() names no variable: wanted level1=, level2= or both; for an unweighted fit leave "
                "weights out"
            )
        if self.scaling == "gk":
            object.__setattr__(self, "scaling", "cluster")
        if self.scaling not in SCALINGS:
            raise DataError(f"scaling {self.scaling!r} is not known: use {', '.join(SCALINGS)}")
        if self.level1_is not in ("conditional", "total"):
            raise DataError(f'level1_is {self.level1_is!r} is not known: use "conditional" or "total"')
        if self.level1_is == "total" and (self.level1 is None or self.level2 is None):
            raise DataError(
                'level1_is="total" needs both weights: a total level-1 weight is divided by the level-2 '
                "weight. A single final weight is given as level1= alone"
            )


@dataclass(frozen=True, slots=True)
class Frequencies:
    """How many identical rows (`level1`), or identical units (`level2`), a record stands for."""

    level1: str | None = None
    level2: str | None = None

    def __post_init__(self) -> None:
        for what in ("level1", "level2"):
            name_or_none(f"Frequencies: {what}=", getattr(self, what), DataError)
        if self.level1 is None and self.level2 is None:
            raise DataError("Frequencies() names no variable: wanted level1=, level2= or both")


@dataclass(frozen=True, slots=True)
class Weighting:
    """How a fit was weighted, for its tables.

    Attributes
    ----------
    kind : "sampling", "frequency", "precision" or "variance known"
    level1, level2 : str or None
        Names of the variables, as the data spell them.
    scaling : str
        Of sampling weights, "" otherwise.
    level1_is : str
    log_weights : float
        Sum of the logarithms of precision weights, which belongs to the log-likelihood.
    fixed : float or None
        The value sigma2 is held at; no variable gives the variances then.
    """

    kind: Literal["sampling", "frequency", "precision", "variance known"]
    level1: str | None = None
    level2: str | None = None
    scaling: str = ""
    level1_is: str = "conditional"
    log_weights: float = 0.0
    fixed: float | None = None

    @property
    def sentence(self) -> str:
        """What was done, in words."""
        names = " and ".join(
            f"{name} at level {level}" for level, name in ((1, self.level1), (2, self.level2)) if name
        )
        if self.kind == "sampling":
            total = (
                f" {self.level1} is a total weight and was divided by {self.level2}."
                if self.level1_is == "total"
                else ""
            )
            return (
                f"Sampling weights: {names}.{total} Scaling: {SCALINGS[self.scaling]}. Estimation is by "
                "pseudo-maximum likelihood. Standard errors that hold under the design are the robust ones, "
                "and those of the variances are robust too; chi-squares of the variances do not exist. Group "
                "means and grand means for centering are weighted."
            )
        if self.kind == "frequency":
            return f"Frequencies: {names}. Every record counts as that many identical rows or units."
        if self.kind == "precision":
            return f"Precision weights: the level-1 variance of a row is sigma squared / {self.level1}."
        if self.fixed is not None:
            return f"Sigma squared is held at {self.fixed:.10g} and not estimated."
        return f"The level-1 variance is known: {self.level1}. Sigma squared is fixed at 1 and not estimated."


def refuse_weighted(fit: Fit, what: str, *kinds: str) -> None:
    """Raise HypothesisError where a fit's weights are of a kind with which a result has no meaning."""
    if fit.weighted_kind in kinds:
        why = {
            "sampling": "with sampling weights there is a pseudo-likelihood only; use the robust standard "
            "errors",
            "precision": "the level-1 variance differs between rows (precision weights)",
            "variance known": "the level-1 variances are known, not estimated",
        }[fit.weighted_kind]
        raise HypothesisError(f"{what} is not available for this fit: {why}")


def weighted_moments(
    data: TwoLevelData | Any, columns: Sequence[str], level2: Sequence[str], weights: Weights | Frequencies
) -> tuple[Moments, Weighting]:
    """Take the moments of the complete rows with the weights in them.

    Raises
    ------
    DataError
        A weight that is missing, zero or negative, naming the units; frequencies that are no whole numbers.
    """
    kept = data.drop_incomplete([data.find(name) for name in columns])
    plain = moments_of(kept, columns, level2=level2)
    plain = replace(plain, n_dropped=data.n_rows - kept.n_rows)
    name1 = None if weights.level1 is None else kept.find(weights.level1)
    name2 = None if weights.level2 is None else kept.find(weights.level2)
    row = np.ones(kept.n_rows) if name1 is None else row_weights(kept, name1, "level-1 weight")
    unit = np.ones(kept.n_units) if name2 is None else unit_weights(kept, name2, "level-2 weight")
    if isinstance(weights, Frequencies):
        return _repeated(kept, plain, row, unit, weights), Weighting("frequency", name1, name2)
    if weights.level1_is == "total":
        row = row / unit[kept.unit]
    row, unit = scaled(kept.unit, row, unit, weights.scaling)
    moments = _with_row_weights(kept, plain, row)
    weighting = Weighting("sampling", name1, name2, weights.scaling, weights.level1_is)
    return replace(moments, unit_weight=unit), weighting


def scaled(unit: np.ndarray, row: np.ndarray, own: np.ndarray, scaling: str) -> tuple[np.ndarray, np.ndarray]:
    """Scale level-1 weights (N,) and level-2 weights (J,); ``unit`` (N,) is each row's unit."""
    n, total = np.bincount(unit), np.bincount(unit, weights=row)
    if scaling in ("hlm", "size"):
        row = row * (n / total)[unit]
    elif scaling == "effective":
        row = row * (total / np.bincount(unit, weights=row**2))[unit]
    elif scaling == "cluster":
        row, own = np.ones(len(row)), own * total / n
    if scaling == "hlm":
        own = own * len(own) / own.sum()
    return row, own


def row_weights(data: TwoLevelData, name: str, what: str) -> np.ndarray:
    """Return a level-1 weight, (N,), refusing what is no weight."""
    values = np.asarray(data.level1_column(name), dtype=float)
    of_unit = np.bincount(data.unit, weights=np.where(values > 0, values, 0.0), minlength=data.n_units)
    if (
        what == "level-1 weight"
        and np.any(of_unit == 0)
        and not np.isnan(values).any()
        and not np.any(values < 0)
    ):
        ids = _ids(data.id_name, data.unit_ids[of_unit == 0])
        raise DataError(
            f"{what} {name!r} is zero on every row of {ids}. Units that do not count must be taken out of "
            "the data."
        )
    for bad, word, advice in _faults(values):
        if bad.any():
            ids = _ids(data.id_name, np.unique(data.unit_ids[data.unit[bad]]))
            raise DataError(
                f"{what} {name!r} is {word} on {bad.sum()} of {data.n_rows} rows, in {ids}. {advice}"
            )
    return values


def unit_weights(data: TwoLevelData, name: str, what: str) -> np.ndarray:
    """Return a level-2 weight, (J,), refusing what is no weight."""
    values = data.level2_column(name)
    for bad, word, advice in _faults(values):
        if bad.any():
            ids = _ids(data.id_name, data.unit_ids[bad])
            raise DataError(f"{what} {name!r} is {word} in {ids}. {advice}")
    return values


def _faults(values: np.ndarray) -> list[tuple[np.ndarray, str, str]]:
    return [
        (np.isnan(values), "missing", "Give it a value, or take these records out of the data."),
        (values < 0, "negative", "A weight is above 0: correct it, or take these records out of the data."),
        (values == 0, "zero", "A record that does not count must be taken out of the data."),
    ]


def _ids(id_name: str, ids: np.ndarray) -> str:
    return f"{len(ids)} unit{'s' if len(ids) > 1 else ''} ({id_name}: {some(ids, SHOWN)})"


def _with_row_weights(data: TwoLevelData, plain: Moments, row: np.ndarray) -> Moments:
    arrays = data.level1_columns(plain.columns)
    _, weight, mean, sscp = unit_moments(data.unit, data.n_units, arrays, row)
    return replace(plain, weight=weight, mean=mean, sscp=sscp)


def _repeated(
    data: TwoLevelData, plain: Moments, row: np.ndarray, unit: np.ndarray, frequencies: Frequencies
) -> Moments:
    """Give the moments of the data written out in full."""
    for values, name in ((row, frequencies.level1), (unit, frequencies.level2)):
        if np.any(values != np.round(values)):
            raise DataError(
                f"frequency {name!r} has values that are no whole numbers, such as "
                f"{values[values != np.round(values)][0]:g}. For sampling weights use weights=, for known "
                "precision precision="
            )
    moments = _with_row_weights(data, plain, row)
    times = unit.astype(np.intp)
    return replace(
        moments,
        unit_ids=np.repeat(moments.unit_ids, times),
        n=np.repeat(moments.weight, times),
        weight=np.repeat(moments.weight, times),
        mean=np.repeat(moments.mean, times, axis=0),
        sscp=np.repeat(moments.sscp, times, axis=0),
        level2={name: np.repeat(values, times, axis=0) for name, values in moments.level2.items()},
    )
