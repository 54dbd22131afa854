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
from ..likelihood.row_groups import Groups, weighted_rows
from ..likelihood.system import split_products, standard_outcome, with_rows


@dataclass(frozen=True, slots=True, eq=False)
class GroupedRows:
    """Rows of a unit with the same variance, in the basis of the system of the units.

    Attributes
    ----------
    groups : Groups
    own_products : ndarray, shape (q, p + 1, G)
        Z*'[D* e] of each of the G groups.
    own_others : ndarray, shape (p - q, p - q + 1, G)
        The same products of the columns that are not random.
    ee : ndarray, shape (G,)
        e'e of each group, standardised.
    starts : ndarray of int, shape (J,)
        Where each unit's groups begin.
    """

    groups: Groups
    own_products: np.ndarray
    own_others: np.ndarray
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

    def products(self, alpha: np.ndarray) -> np.ndarray:
        """Give Z'[Z D e] of the weighted rows at points (B, K), shape (q, m, B, J)."""
        return self._weighted(self.own_products, self.weights(alpha))

    def others(self, alpha: np.ndarray) -> np.ndarray:
        """Give the same products of the columns that are not random, shape (o, o + 1, B, J)."""
        return self._weighted(self.own_others, self.weights(alpha))

    def _weighted(self, products: np.ndarray, weights: np.ndarray) -> np.ndarray:
        q, m, _ = products.shape
        result = np.empty((q, m, len(weights), len(self.starts)))
        for a in range(q):
            for b in range(m):
                result[a, b] = self.per_unit(products[a, b] * weights)
        return result


def grouped_rows(design: Design, system: System, groups: Groups) -> GroupedRows:
    """Bring the products of groups of rows to the columns in which the likelihood is evaluated."""
    dd = groups.products.turned(design.bases.basis, design.order).dd
    de = standard_outcome(design, groups.de, system.e_scale)
    starts = np.flatnonzero(np.diff(groups.unit, prepend=-1))
    ee = groups.ee / system.e_scale**2
    return GroupedRows(groups, *split_products(dd, de, design.n_random), ee, starts)


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
