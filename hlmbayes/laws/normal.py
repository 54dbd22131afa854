"""Normal rows whose variances are known, altogether or up to sigma2.

A row with level-1 variance sigma2 / w_i contributes what a row weighted by w_i does, apart from the
determinant: the cross-products are weighted, n_j stays the number of rows, and sum_i log(w_i) is added
to twice the log-likelihood. With w_i = 1 / v_i and sigma2 = 1 the model is that of meta-analysis, where
the variances v_i come with the effect sizes (Raudenbush & Bryk 2002, ch. 7). Group and grand means for
centering are those of the rows, not weighted by their precision. REML and ML.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from ..data.weights import row_weights
from ..errors import EstimationError
from ..likelihood.build_design import build_design
from ..likelihood.design import Design, with_products
from ..likelihood.row_groups import group_products
from ..unit_moments.record import unit_moments
from .law import NO_PATH, Law, Need, check_units

if TYPE_CHECKING:
    from ..data.two_level import TwoLevelData

KNOWN = {
    Need.ESTIMATED_SIGMA2: "the level-1 variances are known, not estimated",
    Need.ROWS_ALIKE: "the level-1 variances are known, not estimated",
}
ODD = "HLM would print the deviance 1.838 lower: it leaves one ln(2 pi) out for this number of observations."


@dataclass(frozen=True)
class FixedSigma2(Law):
    """One sigma2 that is held at a value (HLM's fixsigma2); a unit may have a single row.

    Raises
    ------
    EstimationError
        A value that is no variance.
    """

    value: float
    lacks = KNOWN
    alone = "sigma2"

    def __post_init__(self) -> None:
        number = isinstance(self.value, int | float | np.number) and not isinstance(self.value, bool)
        if not (number and 0 < float(self.value) < np.inf):
            raise EstimationError(f"sigma2= wants the level-1 variance, a number above 0, got {self.value!r}")

    @property
    def n_parameters(self) -> int:
        """None."""
        return 0

    @property
    def held(self) -> float | None:
        """The value."""
        return float(self.value)

    @property
    def given(self) -> tuple[object, ...]:
        """The value."""
        return ("sigma2", float(self.value))

    def check(self, design: Design) -> None:
        """Refuse designs with no more units than random coefficients."""
        check_units(design)

    @property
    def sentence(self) -> str:
        """What is given, in words."""
        return f"Sigma squared is held at {self.value:.10g} and not estimated."

    def without_path(self, n: int) -> tuple[str, ...]:
        """Say that HLM's own iterations are not known, and what its constant does to the deviance."""
        said = NO_PATH.format(where="where sigma squared is estimated")
        return (said, ODD) if n % 2 else (said,)


@dataclass(frozen=True)
class Precision(Law):
    """Level-1 variances sigma2 / w, w a level-1 variable; sigma2 is estimated.

    Attributes
    ----------
    variable : str
        w, as the data name it once the rows are weighed.
    log_weights : float
        Sum of log(w) over rows.
    """

    variable: str
    log_weights: float = 0.0
    what: ClassVar[str] = "the precision weight"
    heading = "Weights"
    alone = "precision"
    weighs_rows = True
    lacks: ClassVar[Mapping[Need, str]] = {
        Need.ROWS_ALIKE: "the level-1 variance differs between rows (precision weights)"
    }

    @property
    def log_precision(self) -> float:
        """Sum of log(w) over rows."""
        return self.log_weights

    @property
    def given(self) -> tuple[object, ...]:
        """The kind, the variable and the sum of its logarithms."""
        return (self.what, self.variable, self.log_weights)

    @property
    def columns(self) -> tuple[str, ...]:
        """The variable."""
        return (self.variable,)

    def precision(self, values: np.ndarray) -> np.ndarray:
        """Give w from the variable."""
        return values

    def weighed(self, design: Design, data: TwoLevelData) -> tuple[Design, Self]:  # type: ignore[override]
        """Divide rows by the root of their variance (up to sigma2); ``data`` are the complete rows."""
        found, plain = data.find(self.variable), design.moments
        weight = self.precision(row_weights(data, found, self.what))
        _, total, mean, sscp = unit_moments(
            data.unit, data.n_units, data.level1_columns(plain.columns), weight
        )
        rows = replace(plain, n=total, weight=total, mean=mean, sscp=sscp)
        products = group_products(design, rows, np.arange(plain.n_units))
        law = replace(self, variable=found, log_weights=float(np.log(weight).sum()))
        return with_products(design, *products), law

    def plain(self, design: Design) -> Design:
        """Give the design of the rows as they are."""
        return build_design(design.model, design.moments)

    def row_sigma(
        self, design: Design, data: TwoLevelData, row: np.ndarray, unit: np.ndarray, sigma2: float
    ) -> np.ndarray:
        """Give sqrt(sigma2 / w), (N,)."""
        values = np.asarray(data.level1_column(self.variable), dtype=float)[row]
        return np.asarray(np.sqrt(sigma2) / np.sqrt(self.precision(values)))

    @property
    def sentence(self) -> str:
        """What is given, in words."""
        return f"Precision weights: the level-1 variance of a row is sigma squared / {self.variable}."

    def without_path(self, n: int) -> tuple[str, ...]:
        """Say that HLM's own iterations are not known."""
        return (NO_PATH.format(where="for unweighted estimation only"),)


@dataclass(frozen=True)
class KnownVariance(Precision):
    """Level-1 variances that a level-1 variable gives; a unit may have a single row."""

    what: ClassVar[str] = "the known variance"
    alone = "variance_known"
    lacks = KNOWN
    cochran = True

    @property
    def n_parameters(self) -> int:
        """None."""
        return 0

    @property
    def held(self) -> float | None:
        """1: rows are divided by their sigma."""
        return 1.0

    def precision(self, values: np.ndarray) -> np.ndarray:
        """Give 1 / v."""
        return 1.0 / values

    def check(self, design: Design) -> None:
        """Refuse designs with no more units than random coefficients."""
        check_units(design)

    @property
    def sentence(self) -> str:
        """What is given, in words."""
        return (
            f"The level-1 variance is known: {self.variable}. Sigma squared is fixed at 1 and not estimated."
        )
