"""Normal rows whose variances are known, altogether or up to sigma2.

A row with level-1 variance sigma2 / w_i contributes what a row weighted by w_i does, apart from the
determinant: the cross-products are weighted, n_j stays the number of rows, and sum_i log(w_i) is added
to twice the log-likelihood. With w_i = 1 / v_i and sigma2 = 1 the model is that of meta-analysis, where
the variances v_i come with the effect sizes (Raudenbush & Bryk 2002, ch. 7). Group and grand means for
centering are those of the rows, not weighted by their precision. REML and ML.
"""

# ruff: noqa: D102 (what the methods give is said once, in Law)

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self

import numpy as np

from ..data.two_level import TwoLevelData
from ..data.weights import row_weights
from ..errors import EstimationError
from ..likelihood.build_design import build_design
from ..likelihood.design import Design
from ..likelihood.weighing import Weighing, weighed_design
from ..unit_moments.record import Moments
from .counting import precise_moments
from .law import NO_PATH, Law, Need, check_units

ODD = "HLM would print the deviance 1.838 lower: it leaves one ln(2 pi) out for this number of observations."


class Known(Law):
    """Level-1 variances that are not estimated: a unit may have a single row."""

    lacks: ClassVar[Mapping[Need, str]] = dict.fromkeys(
        (Need.ESTIMATED_SIGMA2, Need.ROWS_ALIKE), "the level-1 variances are known, not estimated"
    )

    @property
    def n_parameters(self) -> int:
        return 0

    def check(self, design: Design) -> None:
        check_units(design)


@dataclass(frozen=True)
class FixedSigma2(Known):
    """One sigma2 that is held at a value (HLM's fixsigma2); raise EstimationError where it is no variance."""

    value: float
    alone = "sigma2"

    def __post_init__(self) -> None:
        number = isinstance(self.value, int | float | np.number) and not isinstance(self.value, bool)
        if not (number and 0 < float(self.value) < np.inf):
            raise EstimationError(f"sigma2= wants the level-1 variance, a number above 0, got {self.value!r}")

    @property
    def held(self) -> float | None:
        return float(self.value)

    @property
    def given(self) -> tuple[object, ...]:
        return ("sigma2", float(self.value))

    @property
    def arguments(self) -> dict[str, Any]:
        return {self.alone: float(self.value)}

    @property
    def sentence(self) -> str:
        return f"Sigma squared is held at {self.value:.10g} and not estimated."

    def without_path(self, n: int) -> tuple[str, ...]:
        said = NO_PATH.format(where="where sigma squared is estimated")
        return (said, ODD) if n % 2 else (said,)


@dataclass(frozen=True)
class Precision(Law):
    """Level-1 variances sigma2 / w, w a level-1 variable; sigma2 is estimated."""

    variable: str  # w, as the data name it once the rows are weighed
    weighing: Weighing | None = field(default=None, repr=False)  # once the rows are weighed
    what: ClassVar[str] = "the precision weight"
    heading = "Weights"
    alone = "precision"
    weighs_rows = True
    lacks: ClassVar[Mapping[Need, str]] = {
        Need.ROWS_ALIKE: "the level-1 variance differs between rows (precision weights)"
    }

    @property
    def log_precision(self) -> float:
        return 0.0 if self.weighing is None else float(self.weighing.log_weight.sum())

    @property
    def given(self) -> tuple[object, ...]:
        return (self.what, self.variable, self.log_precision)

    @property
    def arguments(self) -> dict[str, Any]:
        return {self.alone: self.variable}

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.variable,)

    def precision(self, values: np.ndarray) -> np.ndarray:
        """Give w from the variable."""
        return values

    @property
    def needs_rows(self) -> bool:
        return self.weighing is None

    def weighed(self, design: Design, data: TwoLevelData | Moments) -> tuple[Design, Self]:
        law = self if isinstance(data, Moments) else self._of_rows(design.moments, data)
        assert law.weighing is not None
        return weighed_design(design, law.weighing.moments), law

    def _of_rows(self, plain: Moments, data: TwoLevelData) -> Self:
        """Give the law with what the rows weigh."""
        found = data.find(self.variable)
        weight = self.precision(row_weights(data, found, self.what))
        log, spread = (np.bincount(data.unit, v, data.n_units) for v in (np.log(weight), 1.0 / weight))
        return replace(
            self, variable=found, weighing=Weighing(precise_moments(data, plain, weight), log, spread)
        )

    def weighed_as(self, weighing: Weighing) -> Self:
        return replace(self, weighing=weighing)

    def by_unit(self, design: Design) -> tuple[np.ndarray, np.ndarray]:
        assert self.weighing is not None
        return self.weighing.log_weight, self.weighing.spread

    def plain(self, design: Design) -> Design:
        return build_design(design.model, design.moments)

    def row_sigma(
        self, design: Design, data: TwoLevelData, row: np.ndarray, unit: np.ndarray, sigma2: float
    ) -> np.ndarray:
        values = np.asarray(data.level1_column(self.variable), dtype=float)[row]
        return np.asarray(np.sqrt(sigma2) / np.sqrt(self.precision(values)))

    @property
    def sentence(self) -> str:
        return f"Precision weights: the level-1 variance of a row is sigma squared / {self.variable}."

    def without_path(self, n: int) -> tuple[str, ...]:
        return (NO_PATH.format(where="for unweighted estimation only"),)


@dataclass(frozen=True)
class KnownVariance(Known, Precision):
    """Level-1 variances that a level-1 variable gives."""

    what: ClassVar[str] = "the known variance"
    alone = "variance_known"
    cochran = True

    @property
    def held(self) -> float | None:
        return 1.0  # rows are divided by their sigma

    def precision(self, values: np.ndarray) -> np.ndarray:
        return 1.0 / values

    @property
    def sentence(self) -> str:
        return (
            f"The level-1 variance is known: {self.variable}. Sigma squared is fixed at 1 and not estimated."
        )


NO_LIKELIHOOD = (
    "penalised quasi-likelihood is of a linearised outcome and has no likelihood of the data; "
    'algorithm="exact" has'
)
WEIGHT = "working weight"  # the column of the linearised data


@dataclass(frozen=True)
class Working(Precision):
    """Working outcomes of overdispersed rows of a linearised model, variance sigma2 / w; sigma2 is estimated.

    Penalised quasi-likelihood estimates a model of another outcome by a series of normal ones (Breslow &
    Clayton 1993); what is asked of the last of them is asked of this law.
    """

    what: ClassVar[str] = "the working weight"
    heading: ClassVar[str] = "Level-1 variance"
    of_normal: ClassVar[bool] = False
    lacks: ClassVar[Mapping[Need, str]] = dict.fromkeys(
        (Need.LIKELIHOOD, Need.ROWS_ALIKE, Need.ONE_SIGMA2), NO_LIKELIHOOD
    )

    @property
    def sentence(self) -> str:
        return "The level-1 variance is sigma squared times that of the distribution."


@dataclass(frozen=True)
class WorkingKnown(Known, Working):
    """Working outcomes of rows with the variance of their distribution: sigma2 is 1."""

    one_sigma2: ClassVar[bool] = False
    lacks: ClassVar[Mapping[Need, str]] = dict.fromkeys(
        (Need.LIKELIHOOD, Need.ROWS_ALIKE, Need.ONE_SIGMA2, Need.ESTIMATED_SIGMA2), NO_LIKELIHOOD
    )

    @property
    def held(self) -> float | None:
        return 1.0

    @property
    def sentence(self) -> str:
        return "The level-1 variance is that of the distribution."
