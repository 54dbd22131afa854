"""Normal rows whose variance depends on variables: log(sigma2_ij) = sum_k alpha_k c_kij."""

# ruff: noqa: D102 (what the methods give is said once, in Law)

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from scipy.special import ndtr

from ..data.two_level import TwoLevelData
from ..likelihood.build_design import build_design
from ..likelihood.design import Design
from ..likelihood.rows import rows_covariates
from .law import Alpha, Law, Need


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
        return len(self.names)


@dataclass(frozen=True, eq=False)
class LogLinearAt(LogLinear):
    """The same at values of the alphas (K,); the design is of rows divided by their sigma."""

    weighs_rows = True
    alpha: np.ndarray = field(kw_only=True)

    @property
    def held(self) -> float | None:
        return 1.0  # rows are divided by their sigma

    def plain(self, design: Design) -> Design:
        return build_design(design.model, design.moments)

    def of_own_regressions(self, design: Design) -> Design:
        return self.plain(design)  # a unit's own regression knows no alpha

    def row_sigma(
        self, design: Design, data: TwoLevelData, row: np.ndarray, unit: np.ndarray, sigma2: float
    ) -> np.ndarray:
        return np.asarray(np.exp(0.5 * rows_covariates(design, data, row, unit, self.variables) @ self.alpha))


@dataclass(frozen=True, eq=False)
class EstimatedLogLinear(LogLinearAt):
    """The same at its estimates."""

    se: np.ndarray = field(kw_only=True)  # (K,)
    vcov: np.ndarray = field(kw_only=True)  # (K, K)
    se_tau: np.ndarray = field(kw_only=True)  # (q, q)
    homogeneous_deviance: float = field(kw_only=True)  # of the same model with one sigma2
    homogeneous_parameters: int = field(kw_only=True)
    macro_iterations: int = field(kw_only=True)  # updates of alpha

    @property
    def alphas(self) -> tuple[Alpha, ...]:
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
