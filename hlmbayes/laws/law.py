"""The law of level 1: what the rows of a unit are, given its coefficients.

One frozen object alone says which parameters level 1 has, what the rows weigh, what that adds to the
log-likelihood, the sentences of a report, and what cannot be had with it. The base class is the normal law
with one estimated sigma2; the others change some of its answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, ClassVar, Self

import numpy as np

from ..data.two_level import TwoLevelData
from ..errors import EstimationError, HypothesisError
from ..likelihood.design import Design
from ..likelihood.weighing import Weighing
from ..unit_moments.record import Moments


class SingleRowsError(EstimationError):
    """Every unit has one row."""


NO_PATH = (
    "HLM's own iterations are known {where}: these are the values at the optimum, which HLM's iterations "
    "approach and stop just before."
)


class Need(Enum):
    """What an analysis takes for granted; a law, or a way of counting rows, may lack it and says why."""

    LIKELIHOOD = auto()
    ONE_SIGMA2 = auto()
    ESTIMATED_SIGMA2 = auto()
    ROWS_ALIKE = auto()
    SINGLE_ROWS = auto()
    ONE_MEAN = auto()
    ONE_EQUATION = auto()


@dataclass(frozen=True, slots=True)
class Alpha:
    """An estimated coefficient of log(sigma2), its standard error, and the variable it multiplies."""

    name: str
    variable: str
    estimate: float
    se: float


@dataclass(frozen=True)
class Law:
    """Normal rows with one level-1 variance sigma2, which is estimated."""

    lacks: ClassVar[Mapping[Need, str]] = {}
    heading: ClassVar[str] = "Level-1 variance"
    of_normal: ClassVar[bool] = True  # the rows are normal
    one_sigma2: ClassVar[bool] = True  # the table of variance components has a level-1 line
    weighs_rows: ClassVar[bool] = False  # the fit's design is of rows divided by their sigma
    cochran: ClassVar[bool] = False  # chi-squares of variances are about the fixed effects at tau = 0
    alone: ClassVar[str] = ""  # what it is called where weights of rows or units are refused beside it

    # --- parameters and likelihood ---

    @property
    def n_parameters(self) -> int:
        """How many parameters level 1 has."""
        return 1

    @property
    def held(self) -> float | None:
        """The level-1 variance of the weighed design where it is not estimated."""
        return None

    @property
    def log_precision(self) -> float:
        """Sum over rows of log(w), rows having variance sigma2 / w: what weighing takes off the deviance."""
        return 0.0

    @property
    def alphas(self) -> tuple[Alpha, ...]:
        """The estimated coefficients of log(sigma2), where that depends on variables."""
        return ()

    @property
    def given(self) -> tuple[object, ...]:
        """What is given of the rows' variances: fits that differ in it have different likelihoods."""
        return ()

    @property
    def arguments(self) -> dict[str, Any]:
        """What the call that asks for it names, by argument; nothing where the model says it."""
        return {}

    @property
    def columns(self) -> tuple[str, ...]:
        """Level-1 variables that give the rows' variances."""
        return ()

    @property
    def weighing(self) -> Weighing | None:
        """What rows weigh, where they have been weighed by their precision."""
        return None

    def weighed_as(self, weighing: Weighing) -> Self:
        """Give the law with what rows weigh, as a file has it."""
        return self

    @property
    def needs_rows(self) -> bool:
        """Whether the rows must be there to say what they weigh."""
        return False

    def by_unit(self, design: Design) -> tuple[np.ndarray, np.ndarray]:
        """Give sums over each unit's rows of log(w) and 1 / w, rows having variance sigma2 / w, (J,) each."""
        return np.zeros(design.n_units), design.n

    def weighed(self, design: Design, data: TwoLevelData | Moments) -> tuple[Design, Self]:
        """Give the design of rows divided by their sigma (up to one factor), and the law with its constants.

        ``design`` is that of the rows as they are; ``data`` are the complete rows, or moments where the law
        needs no rows.
        """
        return design, self

    def plain(self, design: Design) -> Design:
        """Give the design of the rows as they are, from the fit's own."""
        return design

    def of_own_regressions(self, design: Design) -> Design:
        """Give the design that units' own regressions are of: of the rows as they are, or weighed."""
        return design

    def check(self, design: Design) -> None:
        """Refuse designs whose variances have nothing to be estimated from."""
        if design.n_rows <= design.n_fixed:
            raise EstimationError(
                f"{design.n_rows} rows cannot carry {design.n_fixed} fixed effects: take some out"
            )
        check_units(design)
        if design.n_random and design.n_rows <= design.n_units:
            raise SingleRowsError(
                "every unit has a single row: variance between units cannot be told from variance within them"
            )

    # --- rows ---

    def link(self, mean: np.ndarray) -> np.ndarray:
        """Give the linear predictor of a mean; of normal rows it is the mean."""
        return mean

    def inverse_link(self, predictor: np.ndarray) -> np.ndarray:
        """Give the mean of a linear predictor."""
        return predictor

    def variance(self, mean: np.ndarray) -> np.ndarray:
        """Give a row's variance at a mean, in units of sigma2."""
        return np.ones_like(mean)

    def working(self, y: np.ndarray, predictor: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Give the working outcome and the weight of rows about a linear predictor, (N,) each."""
        return y, np.ones_like(predictor)

    def row_sigma(
        self, design: Design, data: TwoLevelData, row: np.ndarray, unit: np.ndarray, sigma2: float
    ) -> np.ndarray:
        """Give the level-1 standard deviation of rows, (N,), ``sigma2`` being that of the weighed design.

        ``row`` and ``unit`` (N,) are places in the data and in the design's units.
        """
        return np.full(len(row), np.sqrt(sigma2))

    # --- words ---

    @property
    def sentence(self) -> str:
        """What is given, in words; empty where nothing is."""
        return ""

    @property
    def known(self) -> str:
        """What stands after a level-1 variance that is not estimated; empty of others."""
        return "" if self.held is None else " (known, not estimated)"

    def without_path(self, n: int) -> tuple[str, ...]:
        """Say that HLM's own iterations are not known; empty where they are.

        ``n`` is the number of observations: N, under REML N - F.
        """
        return ()


def check_units(design: Design) -> None:
    """Refuse designs with no more units than random coefficients."""
    if design.n_random and design.n_units <= design.n_random:
        raise EstimationError(
            f"{design.n_units} units cannot carry {design.n_random} random coefficients: "
            "make some of them nonrandom"
        )


def refuse(what: str, lacks: Mapping[Need, str], *needs: Need) -> None:
    """Raise, with the reason, where an analysis needs what is lacking."""
    for need in needs:
        if need in lacks:
            raise HypothesisError(f"{what} is not available for this fit: {lacks[need]}")
