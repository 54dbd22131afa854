"""How often rows and units count: once, as frequencies say, or by sampling weights; put into the moments."""

# ruff: noqa: D102 (what the methods give is said once, in Counting)

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np

from ..data.two_level import TwoLevelData
from ..data.weights import SCALINGS, Frequencies, Weights, weights_of
from ..errors import DataError
from ..unit_moments.record import Moments, moments_of, unit_moments
from .law import NO_PATH, Need


@dataclass(frozen=True)
class Counting:
    """Every row and unit counts once; the base of what counts them otherwise."""

    level1: str | None = None  # names of the variables, as the data spell them
    level2: str | None = None
    heading: ClassVar[str] = "Weights"
    lacks: ClassVar[Mapping[Need, str]] = {}
    pseudo: ClassVar[bool] = False  # estimation is by pseudo-likelihood, inference by the sandwich
    normalized: ClassVar[tuple[bool, bool]] = (False, False)  # weights of level 1 and 2, as HLM says it

    @property
    def sentence(self) -> str:
        """What was done, in words; empty where nothing was."""
        return ""

    def without_path(self, n: int) -> tuple[str, ...]:
        """Say that HLM's own iterations are not known; empty where they are."""
        return ()

    @property
    def arguments(self) -> dict[str, str | None]:
        """What the call that asks for it names: the variables by level; nothing where all count once."""
        return {}

    @property
    def asked(self) -> Weights | Frequencies | None:
        """What was asked for: of the same rows it gives the same counts."""
        return None

    @property
    def names(self) -> str:
        """The variables and their levels, in words."""
        return " and ".join(
            f"{name} at level {level}" for level, name in ((1, self.level1), (2, self.level2)) if name
        )


ONCE = Counting()


@dataclass(frozen=True)
class Repeated(Counting):
    """Every record counts as many identical rows or units."""

    lacks: ClassVar[Mapping[Need, str]] = {Need.SINGLE_ROWS: "frequencies"}

    @property
    def arguments(self) -> dict[str, str | None]:
        return {"level1": self.level1, "level2": self.level2}

    @property
    def asked(self) -> Frequencies:
        return Frequencies(self.level1, self.level2)

    @property
    def sentence(self) -> str:
        return f"Frequencies: {self.names}. Every record counts as that many identical rows or units."


@dataclass(frozen=True)
class Sampled(Counting):
    """Sampling weights, as `Weights` says them."""

    scaling: str = "none"
    level1_is: str = "conditional"
    pseudo = True
    lacks: ClassVar[Mapping[Need, str]] = {
        Need.LIKELIHOOD: "with sampling weights there is a pseudo-likelihood only; use the robust standard "
        "errors",
        Need.SINGLE_ROWS: "sampling weights",
    }

    @property
    def normalized(self) -> tuple[bool, bool]:  # type: ignore[override]
        return self.scaling in ("hlm", "size"), self.scaling == "hlm"

    @property
    def asked(self) -> Weights:
        is_total: Literal["total", "conditional"] = "total" if self.level1_is == "total" else "conditional"
        return Weights(self.level1, self.level2, self.scaling, is_total)

    @property
    def sentence(self) -> str:
        total = self.level1_is == "total"
        divided = f" {self.level1} is a total weight and was divided by {self.level2}." if total else ""
        return (
            f"Sampling weights: {self.names}.{divided} Scaling: {SCALINGS[self.scaling]}. Estimation is by "
            "pseudo-maximum likelihood. Standard errors that hold under the design are the robust ones, "
            "and those of the variances are robust too; chi-squares of the variances do not exist. Group "
            "means and grand means for centering are weighted."
        )

    def without_path(self, n: int) -> tuple[str, ...]:
        return (NO_PATH.format(where="for unweighted estimation only"),)


def counting_in(moments: Moments) -> Counting:
    """Say how moments count their rows: they may carry sampling weights."""
    return Sampled("in the moments") if moments.weighted else ONCE


def counted_moments(
    data: TwoLevelData, columns: Sequence[str], level2: Sequence[str], weights: Weights | Frequencies
) -> tuple[Moments, Counting]:
    """Take the moments of complete rows with the weights in them.

    Raise DataError for weights that are missing, zero or negative, and frequencies that are no whole numbers.
    """
    plain = moments_of(data, columns, level2=level2)
    name1 = None if weights.level1 is None else data.find(weights.level1)
    name2 = None if weights.level2 is None else data.find(weights.level2)
    row, unit = weights_of(data, weights)
    if isinstance(weights, Frequencies):
        return _repeated(data, plain, row, unit, weights), Repeated(name1, name2)
    counting = Sampled(name1, name2, weights.scaling, weights.level1_is)
    return replace(with_row_weights(data, plain, row), unit_weight=unit), counting


def with_row_weights(data: TwoLevelData, plain: Moments, row: np.ndarray) -> Moments:
    """Give the moments of the same rows with weights (N,)."""
    arrays = data.level1_columns(plain.columns)
    _, weight, mean, sscp = unit_moments(data.unit, data.n_units, arrays, row)
    return replace(plain, weight=weight, mean=mean, sscp=sscp)


def precise_moments(data: TwoLevelData, plain: Moments, row: np.ndarray) -> Moments:
    """Give the moments of the same rows with weights (N,), of which one may be 1e12 times the others.

    In two rounds, the first about each unit's heaviest row: about any other, what that row adds to a sum
    would be rounding beside which the others are nothing.
    """
    unit, J = data.unit, data.n_units
    order, heaviest = np.argsort(row, kind="stable"), np.empty(J, dtype=np.intp)
    heaviest[unit[order]] = order  # the last one stays
    columns = np.array(data.level1_columns(plain.columns), dtype=float)
    reference = columns[:, heaviest]
    columns -= reference[:, unit]
    weight = np.bincount(unit, row, J)
    offset = np.array([np.bincount(unit, row * column, J) for column in columns]) / weight
    columns -= offset[:, unit]
    sscp = np.array([[np.bincount(unit, row * a * b, J) for a in columns] for b in columns])
    return replace(plain, weight=weight, mean=(reference + offset).T, sscp=sscp.transpose(2, 0, 1))


def _repeated(
    data: TwoLevelData, plain: Moments, row: np.ndarray, unit: np.ndarray, frequencies: Frequencies
) -> Moments:
    """Give the moments of the data written out in full."""
    for values, name in ((row, frequencies.level1), (unit, frequencies.level2)):
        broken = values[values != np.round(values)]
        if len(broken):
            raise DataError(
                f"frequency {name!r} has values that are no whole numbers, such as {broken[0]:g}. For "
                "sampling weights use weights=, for known precision precision="
            )
    moments = with_row_weights(data, plain, row)
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
