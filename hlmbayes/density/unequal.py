"""Groups of rows where log(sigma2) depends on variables, weighted by their precision.

Divided by their sigma the rows have a level-1 variance of 1, so that at every alpha the model is an
ordinary one whose cross-products are weighted sums over groups of rows with the same variance (see
`estimation.heterogeneous`). Only those sums change from point to point.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..likelihood.design import Design
from ..likelihood.orthonormal import Products
from ..likelihood.row_groups import Groups
from ..likelihood.system import System, standard_outcome, with_outcome


@dataclass(frozen=True, slots=True, eq=False)
class GroupedRows:
    """Rows of a unit with the same variance, in the basis of the system of the units.

    ``products``, ``de`` (p, G) and ``ee`` (G,): D*'D*, D*'e and e'e of each of the G groups, standardised.
    ``starts`` (J,): where each unit's groups begin.
    """

    groups: Groups
    products: Products
    de: np.ndarray
    ee: np.ndarray
    starts: np.ndarray

    def per_unit(self, values: np.ndarray) -> np.ndarray:
        """Add up values of groups (..., G) to units (..., J)."""
        return np.add.reduceat(values, self.starts, axis=-1)

    def triangular(self, weights: np.ndarray, q: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Give a System's ``root`` and ``rest`` of rows with weights (B, G), and what is left of e'e.

        Shapes (q, p + 1, B, J), (p - q, p - q + 1, B, J) and (B,).
        """
        B, J = len(weights), len(self.starts)
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
