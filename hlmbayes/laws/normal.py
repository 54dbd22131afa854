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
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np

from ..data.two_level import TwoLevelData
from ..data.weights import row_weights
from ..errors import EstimationError
from ..likelihood.build_design import build_design
from ..likelihood.design import Design, with_products
from ..likelihood.row_groups import group_products
from .counting import with_row_weights
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
    def sentence(self) -> str:
        return f"Sigma squared is held at {self.value:.10g} and not estimated."

    def without_path(self, n: int) -> tuple[str, ...]:
        said = NO_PATH.format(where="where sigma squared is estimated")
        return (said, ODD) if n % 2 else (said,)


@dataclass(frozen=True)
class Precision(Law):
    """Level-1 variances sigma2 / w, w a level-1 variable; sigma2 is estimated."""

    variable: str  # w, as the data name it once the rows are weighed
    log_weights: float = 0.0  # sum of log(w) over rows
    what: ClassVar[str] = "the precision weight"
    heading = "Weights"
    alone = "precision"
    weighs_rows = True
    lacks: ClassVar[Mapping[Need, str]] = {
        Need.ROWS_ALIKE: "the level-1 variance differs between rows (precision weights)"
    }

    @property
    def log_precision(self) -> float:
        return self.log_weights

    @property
    def given(self) -> tuple[object, ...]:
        return (self.what, self.variable, self.log_weights)

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.variable,)

    def precision(self, values: np.ndarray) -> np.ndarray:
        """Give w from the variable."""
        return values

    def weighed(self, design: Design, data: TwoLevelData) -> tuple[Design, Self]:  # type: ignore[override]
        found, plain = data.find(self.variable), design.moments
        weight = self.precision(row_weights(data, found, self.what))
        products = group_products(design, with_row_weights(data, plain, weight), np.arange(plain.n_units))
        law = replace(self, variable=found, log_weights=float(np.log(weight).sum()))
        return with_products(design, *products), law

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
