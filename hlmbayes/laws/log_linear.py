"""Normal rows whose variance depends on variables: log(sigma2_ij) = sum_k alpha_k c_kij."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from scipy.special import ndtr

from ..likelihood.build_design import build_design
from ..likelihood.design import Design
from ..likelihood.rows import rows_covariates
from .law import Alpha, Law, Need

if TYPE_CHECKING:
    from ..data.two_level import TwoLevelData


@dataclass(frozen=True)
class LogLinear(Law):
    """log(sigma2) = a0 + a1 x1 + ...: ``names`` of the alphas, and the variables from the second on."""

    names: tuple[str, ...]
    variables: tuple[str, ...]
    one_sigma2 = False
    alone = "an equation for log(sigma2)"
    lacks: ClassVar[Mapping[Need, str]] = dict.fromkeys(
        (Need.ONE_SIGMA2, Need.ROWS_ALIKE),
        "it needs one level-1 variance; in this model it depends on variables",
    )

    @property
    def n_parameters(self) -> int:
        """One a name."""
        return len(self.names)


@dataclass(frozen=True, eq=False)
class LogLinearAt(LogLinear):
    """The same at values of the alphas (K,); the design is of rows divided by their sigma."""

    weighs_rows = True
    alpha: np.ndarray = field(kw_only=True)

    @property
    def held(self) -> float | None:
        """1: rows are divided by their sigma."""
        return 1.0

    def plain(self, design: Design) -> Design:
        """Give the design of the rows as they are."""
        return build_design(design.model, design.moments)

    def of_own_regressions(self, design: Design) -> Design:
        """Give the design of the rows as they are: a unit's own regression knows no alpha."""
        return self.plain(design)

    def row_sigma(
        self, design: Design, data: TwoLevelData, row: np.ndarray, unit: np.ndarray, sigma2: float
    ) -> np.ndarray:
        """Give exp(c'alpha / 2), (N,)."""
        return np.asarray(np.exp(0.5 * rows_covariates(design, data, row, unit, self.variables) @ self.alpha))


@dataclass(frozen=True, eq=False)
class EstimatedLogLinear(LogLinearAt):
    """The same at its estimates.

    Attributes
    ----------
    se : ndarray, shape (K,)
    vcov : ndarray, shape (K, K)
    se_tau : ndarray, shape (q, q)
    homogeneous_deviance : float
        Of the same model with one sigma2.
    homogeneous_parameters : int
    macro_iterations : int
        Updates of alpha.
    """

    se: np.ndarray = field(kw_only=True)
    vcov: np.ndarray = field(kw_only=True)
    se_tau: np.ndarray = field(kw_only=True)
    homogeneous_deviance: float = field(kw_only=True)
    homogeneous_parameters: int = field(kw_only=True)
    macro_iterations: int = field(kw_only=True)

    @property
    def alphas(self) -> tuple[Alpha, ...]:
        """The coefficients of log(sigma2)."""
        rows = zip(self.names, ("", *self.variables), self.alpha.tolist(), self.se.tolist(), strict=True)
        return tuple(Alpha(*row) for row in rows)

    @property
    def z_ratio(self) -> np.ndarray:
        """Alpha divided by its standard error, (K,)."""
        return np.asarray(self.alpha / self.se)

    @property
    def p_value(self) -> np.ndarray:
        """Two-sided, from the normal distribution, (K,)."""
        return np.asarray(2.0 * ndtr(-np.abs(self.z_ratio)))
