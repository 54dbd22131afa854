"""Sampling weights and frequencies: what the user says, checked and scaled.

Three things are called weights and are three arguments here. *Sampling (design) weights*, `Weights`,
are inverse probabilities of selection: estimation is by pseudo-maximum likelihood, inference by the
sandwich. *Frequencies*, `Frequencies`, say how many identical rows or units a record stands for: all
results are those of the data written out in full. *Precision weights* (`precision=`,
`variance_known=`, see `hlmbayes.laws.normal`) say how well each row's outcome is known.

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

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..arguments import name_or_none
from ..errors import DataError
from ..words import some
from .rows import Rows

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
        _check_names(self, "; for an unweighted fit leave weights out")
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
        _check_names(self)


def _check_names(weights: Weights | Frequencies, advice: str = "") -> None:
    kind = type(weights).__name__
    for what in ("level1", "level2"):
        name_or_none(f"{kind}: {what}=", getattr(weights, what), DataError)
    if weights.level1 is None and weights.level2 is None:
        raise DataError(f"{kind}() names no variable: wanted level1=, level2= or both{advice}")


def weights_of(data: Rows, weights: Weights | Frequencies | None) -> tuple[np.ndarray, np.ndarray]:
    """Give what rows (N,) and units (J,) count: 1 without weights, frequencies, or scaled sampling weights.

    Raise DataError for weights that are missing or negative, or all zero in a unit.
    """
    row, unit = np.ones(data.n_rows), np.ones(data.n_units)
    if weights is not None and weights.level1 is not None:
        row = row_weights(data, data.find(weights.level1), "level-1 weight")
    if weights is not None and weights.level2 is not None:
        unit = unit_weights(data, data.find(weights.level2), "level-2 weight")
    if not isinstance(weights, Weights):
        return row, unit
    if weights.level1_is == "total":
        row = row / unit[data.unit]
    return scaled(data.unit, row, unit, weights.scaling)


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


def row_weights(data: Rows, name: str, what: str) -> np.ndarray:
    """Return a level-1 weight, (N,), refusing what is no weight."""
    values = np.asarray(data.level1_column(name), dtype=float)
    of_unit = np.bincount(data.unit, weights=np.where(values > 0, values, 0.0), minlength=data.n_units)
    if what == "level-1 weight" and np.any(of_unit == 0) and np.all(values >= 0):
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


def unit_weights(data: Rows, name: str, what: str) -> np.ndarray:
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
