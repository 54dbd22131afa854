"""Posteriors where log(sigma2) depends on variables: rows weighted by their precision.

Divided by their sigma the rows have a level-1 variance of 1, so that at every alpha the model is an
ordinary one whose cross-products are weighted sums over groups of rows with the same variance (see
`estimation.heterogeneous`). Only those sums change from point to point.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..estimation.heterogeneous import alpha_score, expected_squares
from ..likelihood.design import Design
from ..likelihood.evaluate import Evaluation, System
from ..likelihood.orthonormal import Products
from ..likelihood.row_groups import Groups, weighted_rows
from ..likelihood.system import standard_outcome, with_outcome, with_rows


@dataclass(frozen=True, slots=True, eq=False)
class GroupedRows:
    """Rows of a unit with the same variance, in the basis of the system of the units.

    Attributes
    ----------
    groups : Groups
    products : Products
        D*'D* of each of the G groups.
    de : ndarray, shape (p, G)
        D*'e of each group, standardised.
    ee : ndarray, shape (G,)
        e'e of each group, standardised.
    starts : ndarray of int, shape (J,)
        Where each unit's groups begin.
    """

    groups: Groups
    products: Products
    de: np.ndarray
    ee: np.ndarray
    starts: np.ndarray

    @property
    def n_alpha(self) -> int:
        """Number of coefficients of log(sigma2), K."""
        return self.groups.covariates.shape[1]

    def weights(self, alpha: np.ndarray) -> np.ndarray:
        """Give the precision of every group's rows at points (B, K), shape (B, G)."""
        return np.exp(-alpha @ self.groups.covariates.T)

    def per_unit(self, values: np.ndarray) -> np.ndarray:
        """Add up values of groups (..., G) to units (..., J)."""
        return np.add.reduceat(values, self.starts, axis=-1)

    def triangular(self, alpha: np.ndarray, q: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Give a System's ``root`` and ``rest`` of rows weighted at points (B, K), and what is left of e'e.

        Shapes (q, p + 1, B, J), (p - q, p - q + 1, B, J) and (B,).
        """
        B, J, weights = len(alpha), len(self.starts), self.weights(alpha)
        parts = (self.products.mass, self.products.mean, self.products.cross)
        tiled = Products(*(np.tile(part, B) for part in parts)).weighted(weights.reshape(-1))
        unit = (J * np.arange(B)[:, None] + self.groups.unit).reshape(-1)
        de = self.per_unit(self.de[:, None] * weights).reshape(-1, B * J)
        root, rest = with_outcome(*tiled.merged(unit).triangular(q), de)
        root, rest = root.reshape(*root.shape[:2], B, J), rest.reshape(*rest.shape[:2], B, J)
        return root, rest, weights @ self.ee - np.einsum("qbj,qbj->b", root[:, -1], root[:, -1])


def grouped_rows(design: Design, system: System, groups: Groups) -> GroupedRows:
    """Bring the products of groups of rows to the columns in which the likelihood is evaluated."""
    products = groups.products.turned(design.bases.basis, design.order)
    de = standard_outcome(design, groups.de, system.e_scale)
    starts = np.flatnonzero(np.diff(groups.unit, prepend=-1))
    return GroupedRows(groups, products, de, groups.ee / system.e_scale**2, starts)


def log_sigma2_sums(grouped: GroupedRows, alpha: np.ndarray) -> np.ndarray:
    """Give the sum over rows of log(sigma2) at points (B, K), shape (B,)."""
    return alpha @ (grouped.groups.n @ grouped.groups.covariates)


def weighted_at(
    design: Design, system: System, grouped: GroupedRows, alpha: np.ndarray
) -> tuple[Design, System]:
    """Give the design (but for its bases) and the system of the rows weighted as alpha (K,) says."""
    products, de, ee = weighted_rows(grouped.groups, alpha)
    weighted = replace(design, products=products, de=de, ee=ee)
    return weighted, with_rows(system, design, products, de, float(ee.sum()))


def alpha_slope(
    design: Design, system: System, at: Evaluation, grouped: GroupedRows, alpha: np.ndarray
) -> np.ndarray:
    """Give the derivative of log p(y), u and gamma integrated out, in alpha (K,).

    That of the likelihood given u and gamma, on average over their posterior; ``design``, ``system`` and
    ``at`` are those of the weighted rows, gamma's prior included.
    """
    squares, _ = expected_squares(design, system, at, grouped.groups, True)
    return alpha_score(grouped.groups, alpha, squares)
