"""Rows of a unit that share one level-1 variance: their products, and the units' of weighted rows.

A continuous covariate of log(sigma2) makes every row a group of its own. With weights exp(-c'alpha) the
groups' cross-products add up to those of a model whose level-1 variance is 1, so the kernel, the tables and
the residuals of a homogeneous model serve unchanged (Raudenbush & Bryk 2002, pp. 131-134; Pinheiro & Bates
2000, sec. 5.2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..data.two_level import TwoLevelData
from ..errors import EstimationError
from ..unit_moments.record import Moments, unit_moments
from .design import Design, level1_products, with_products
from .orthonormal import Products
from .rows import analysed_rows, covariates_of


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """Rows of a unit with the same variance, G of them, sorted by unit."""

    unit: np.ndarray  # (G,)
    n: np.ndarray  # (G,)
    covariates: np.ndarray  # (G, K): 1 and the variables of log(sigma2)
    products: Products  # D'D of the group's rows
    de: np.ndarray  # (G, p): D'e, e as in the Design
    ee: np.ndarray  # (G,): e'e

    @property
    def dd(self) -> np.ndarray:
        """D'D, shape (G, p, p)."""
        return self.products.dd.transpose(2, 0, 1)


def variance_columns(variables: Sequence[str], data: TwoLevelData | Moments) -> tuple[list[str], list[str]]:
    """Split the variables of log(sigma2) into level-1 and level-2 ones, as the data name them."""
    if isinstance(data, Moments):
        known = {name.lower(): name for name in data.level2}
        missing = [v for v in variables if v.lower() not in known]
        if missing:
            raise EstimationError(
                f"log(sigma2) depends on {', '.join(missing)}, which only the level-1 rows tell: "
                "fit from the data instead of from moments"
            )
        return [], [known[v.lower()] for v in variables]
    level1 = [v for v in variables if not data.is_level2(v)]
    return level1, [v for v in variables if v not in level1]


def groups_of(design: Design, data: TwoLevelData | Moments) -> Groups:
    """Divide the rows of a design into groups of equal variance."""
    variables = design.model.variance_variables
    level1, _ = variance_columns(variables, data)
    moments, unit, values = _split(design, data, level1)
    covariates = covariates_of(design, unit, variables, values)
    _refuse_collinear(covariates, moments.n, variables)
    return Groups(unit, moments.n, covariates, *group_products(design, moments, unit))


def _split(
    design: Design, data: TwoLevelData | Moments, level1: Sequence[str]
) -> tuple[Moments, np.ndarray, dict[str, np.ndarray]]:
    """Give the groups' moments, their units (G,) and their values of the level-1 covariates."""
    whole = design.moments
    if isinstance(data, Moments) or not level1:
        return whole, np.arange(whole.n_units), {}
    arrays = data.level1_columns(whole.columns)
    covariates = [np.asarray(c, dtype=float) for c in data.level1_columns(level1)]
    rows, unit = analysed_rows(design, data)
    key = unit
    for c in covariates:
        codes = np.unique(c[rows], return_inverse=True)[1]
        key = key * (codes.max() + 1) + codes
    first, group = np.unique(key, return_index=True, return_inverse=True)[1:]
    n, weight, mean, sscp = unit_moments(group, len(first), [a[rows] for a in arrays])
    moments = replace(whole, unit_ids=first, n=n, weight=weight, mean=mean, sscp=sscp)
    return moments, unit[first], {name: c[rows][first] for name, c in zip(level1, covariates, strict=True)}


def _refuse_collinear(covariates: np.ndarray, n: np.ndarray, variables: Sequence[str]) -> None:
    scale = np.sqrt(np.einsum("g,gk->k", n, covariates**2))
    scaled = covariates / np.where(scale > 0, scale, 1.0)
    if np.linalg.eigvalsh((scaled * n[:, None]).T @ scaled)[0] < 1e-10:
        raise EstimationError(
            f"the variables of log(sigma2), {', '.join(variables)}, are constant or collinear: take one out"
        )


def group_products(
    design: Design, moments: Moments, unit: np.ndarray
) -> tuple[Products, np.ndarray, np.ndarray]:
    """Give D'D, D'e (G, p) and e'e (G,) of each group, D centred as the design centres it."""
    level1 = level1_products(design.model, moments, design.centers, design.moments.mean[unit])
    return level1.products, *level1.residual(design.level1_coefficients(design.gamma_ols)[unit].T)


def weighted_design(design: Design, groups: Groups, alpha: np.ndarray) -> Design:
    """Give the design in which rows are divided by their sigma: its level-1 variance is 1."""
    return with_products(design, *weighted_rows(groups, alpha))


def weighted_rows(groups: Groups, alpha: np.ndarray) -> tuple[Products, np.ndarray, np.ndarray]:
    """Give D'D, D'e (J, p) and e'e (J,) of the units, their rows divided by their sigma."""
    weight = np.exp(-groups.covariates @ alpha)
    starts = np.flatnonzero(np.diff(groups.unit, prepend=-1))
    de = np.add.reduceat(weight[:, None] * groups.de, starts, axis=0)
    ee = np.add.reduceat(weight * groups.ee, starts)
    return groups.products.weighted(weight).merged(groups.unit), de, ee


def log_sigma2_sum(groups: Groups, alpha: np.ndarray) -> float:
    """Give the sum over rows of log(sigma2): what weighting takes off -2 log-likelihood."""
    return float(groups.n @ (groups.covariates @ alpha))
