"""How a fit is weighted: weights put into the moments, and what cannot be done with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..data.weights import SCALINGS, Frequencies, Weights, row_weights, scaled, unit_weights
from ..errors import DataError, HypothesisError
from ..unit_moments.record import Moments, moments_of, unit_moments

if TYPE_CHECKING:
    from ..data.two_level import TwoLevelData
    from .fit import Fit


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
