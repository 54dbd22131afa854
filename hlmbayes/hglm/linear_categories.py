"""Outcomes of categories without an order about their linear predictors: K indicators in each row.

The indicators y = m of a row, m = 1, ..., K, have means p_m = exp(eta_m) / (1 + sum_k exp(eta_k)) and
covariances P = diag(p) - pp' (Raudenbush & Bryk 2002, p. 325-327). d p / d eta is P too: the working outcomes
z = eta + P^-1 (y - p) have covariance P^-1, and P is their precision.
"""

# ruff: noqa: D102 (what the methods give is said once, in Linear)

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..data.two_level import TwoLevelData
from ..estimation.estimates import Estimates
from ..estimation.prepare import Prepared
from ..laws.counting import ONCE
from ..laws.multinomial import Multinomial
from ..laws.outcomes import Outcome
from ..likelihood.design import Design, Level1Products
from ..likelihood.orthonormal import Products
from ..likelihood.rows import analysed_rows, level1_values, outcome_values
from ..likelihood.weighing import weighed_by
from .category_layout import with_found_categories
from .linear_rows import CERTAIN, Linear, complete_data, products_by, working_known
from .ordinal_rows import rows_of_law
from .separation import refuse_separating

FAR = 20.0  # log odds of the likeliest category against another go no further
NEAR = 0.25  # of a row's own category, in the probabilities to begin with


@dataclass(frozen=True, slots=True, eq=False)
class LinearCategories(Linear):
    """The rows of an outcome of K + 1 categories, N of them.

    ``design`` has the columns of every category; ``d`` (p, N) are those of one; ``is_in`` (N, K + 1): whether
    the outcome is each category.
    """

    data: TwoLevelData
    design: Design
    law: Multinomial
    unit: np.ndarray
    d: np.ndarray
    is_in: np.ndarray

    def predictor(self, b: np.ndarray) -> np.ndarray:
        own = b.reshape(len(b), -1, len(self.d))
        return np.asarray(np.einsum("pn,nkp->nk", self.d, own[self.unit]))

    def first(self) -> np.ndarray:
        near = np.log(NEAR * self.is_in + (1.0 - NEAR) * self.is_in.mean(axis=0))
        return np.asarray(near[:, :-1] - near[:, -1:])

    def probabilities(self, eta: np.ndarray) -> np.ndarray:
        """Give the probabilities of all categories, (N, K + 1), of linear predictors (N, K)."""
        return self.law.probabilities(eta.T).T

    def working(self, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Give the working outcomes (N, K) and their precision in each row, (N, K, K)."""
        full = np.column_stack([eta, np.zeros(len(eta))])
        full = np.maximum(full - full.max(axis=1, keepdims=True), -FAR)
        eta = full[:, :-1] - full[:, -1:]
        p = self.probabilities(eta)
        share = self.is_in / p  # P^-1 is diag(1 / p) and 1 / p_M everywhere
        own = p[:, :-1]
        precision = own[:, :, None] * (np.eye(eta.shape[1]) - own[:, None])
        return eta + share[:, :-1] - share[:, -1:], precision

    def certain(self, eta: np.ndarray) -> np.ndarray:
        p = self.probabilities(eta)
        return np.asarray((p * (1.0 - p)).min(axis=1) < CERTAIN)

    def linearised(self, eta: np.ndarray) -> Prepared:
        z, precision = self.working(eta)
        law = working_known(self.design.moments, self.unit, precision)
        weighed = weighed_by(self.design, self._products(z, precision))
        return Prepared(weighed, law, ONCE, self.data, self.data)

    def _products(self, z: np.ndarray, precision: np.ndarray) -> Level1Products:
        """Give the products of the K p columns and of z by the rows' precision P, about means by 1'P1."""
        J, (p, N), K = self.design.n_units, self.d.shape, z.shape[1]
        columns = np.zeros((K * p + 1, N, K))
        for k in range(K):
            columns[k * p : (k + 1) * p, :, k] = self.d
        columns[-1] = z
        mass, mean, cross = products_by(precision, columns, self.unit, J)
        own = Products(mass, mean[:-1], cross[:-1, :-1])
        return Level1Products(own, cross[:-1, -1], mean[-1], cross[-1, -1])

    def law_with(self, fit: Estimates) -> Outcome:
        return self.law

    def refuse_unbounded(self, eta: np.ndarray | None = None) -> None:
        """Refuse what predictors separate at what was found; the rest is where categories are found."""
        if eta is not None and self.certain(eta).any():
            laid = rows_of_law(self.law, self.design, self.data)
            refuse_separating(laid.rows, laid.of_rows, self.design)


def linear_categories(prepared: Prepared, law: Multinomial) -> LinearCategories:
    """Lay out the rows of a prepared model of an outcome of categories; refuse what is none (DataError)."""
    kept = complete_data(prepared)
    law, design = with_found_categories(law, prepared.design, kept)
    row, unit = analysed_rows(design, kept)
    p = prepared.design.n_coefficients
    d = np.stack([level1_values(prepared.design, kept, k, row, unit) for k in range(p)])
    y = outcome_values(design, kept, row)
    return LinearCategories(kept, design, law, unit, d, (y[:, None] == law.categories).astype(float))
