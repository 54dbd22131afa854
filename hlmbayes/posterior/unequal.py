"""Posteriors where log(sigma2) depends on variables: rows weighted by their precision.

Divided by their sigma the rows have a level-1 variance of 1, so that at every alpha the model is an
ordinary one whose cross-products are weighted sums over groups of rows with the same variance (see
`estimation.heterogeneous`). Only those sums change from point to point.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace

import numpy as np

from ..estimation.heterogeneous import Groups, alpha_score, expected_squares, weighted_design
from ..likelihood.design import Design
from ..likelihood.evaluate import Evaluation, System, standardise


@dataclass(frozen=True, slots=True, eq=False)
class GroupedRows:
    """Rows of a unit with the same variance, as a system whose "units" are the G groups.

    Attributes
    ----------
    groups : Groups
    system : System
        In the same basis as the system of the units: sums over all rows are the same.
    ee : ndarray, shape (G,)
        e'e of each group, standardised.
    starts : ndarray of int, shape (J,)
        Where each unit's groups begin.
    """

    groups: Groups
    system: System
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
        return self._weighted(self.system.products, self.weights(alpha))

    def others(self, alpha: np.ndarray) -> np.ndarray:
        """Give the same products of the columns that are not random, shape (o, o + 1, B, J)."""
        return self._weighted(self.system.others, self.weights(alpha))

    def _weighted(self, products: np.ndarray, weights: np.ndarray) -> np.ndarray:
        q, m, _ = products.shape
        result = np.empty((q, m, len(weights), len(self.starts)))
        for a in range(q):
            for b in range(m):
                result[a, b] = self.per_unit(products[a, b] * weights)
        return result


def grouped_rows(design: Design, groups: Groups) -> GroupedRows:
    """Bring the products of groups of rows to the units in which the likelihood is evaluated."""
    as_units = replace(
        design, n=groups.n, dd=groups.dd, de=groups.de, ee=groups.ee, level2=design.level2[:, groups.unit]
    )
    system = standardise(as_units)
    starts = np.flatnonzero(np.diff(groups.unit, prepend=-1))
    return GroupedRows(groups, system, groups.ee / system.e_scale**2, starts)


def log_sigma2_sums(grouped: GroupedRows, alpha: np.ndarray) -> np.ndarray:
    """Give the sum over rows of log(sigma2) at points (B, K), shape (B,)."""
    return alpha @ (grouped.groups.n @ grouped.groups.covariates)


def system_at(system: System, grouped: GroupedRows, alpha: np.ndarray) -> System:
    """Give the units' system of the rows weighted as alpha (K,) says."""
    result = copy(system)
    result.__dict__.pop("adjugate", None)  # of other products
    weighted = {
        "products": grouped.products(alpha[None])[:, :, 0],
        "others": grouped.others(alpha[None])[:, :, 0],
        "ee": float(grouped.weights(alpha[None])[0] @ grouped.ee),
    }
    for name, value in weighted.items():
        object.__setattr__(result, name, value)
    return result


def alpha_slope(
    design: Design, system: System, at: Evaluation, grouped: GroupedRows, alpha: np.ndarray
) -> np.ndarray:
    """Give the derivative of log p(y), u and gamma integrated out, in alpha (K,).

    That of the likelihood given u and gamma, on average over their posterior; ``system`` and ``at`` are
    those of the weighted rows, gamma's prior included.
    """
    weighted = weighted_design(design, grouped.groups, alpha)
    squares, _ = expected_squares(weighted, system, at, grouped.groups, True)
    return alpha_score(grouped.groups, alpha, squares)
