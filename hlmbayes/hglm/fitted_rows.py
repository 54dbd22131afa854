"""The rows of a fit whose outcome is not normal, one by one, with their linear predictors."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..likelihood.rows import analysed_rows, level1_values, outcome_values
from .estimates import GeneralizedEstimates
from .pql import Predicted

type RowsOf = GeneralizedEstimates | Predicted


class PlainRows(NamedTuple):
    """N rows: place in the data, unit, outcome, trials or exposure, and the linear predictor without offset.

    ``fixed`` (N,) is what the fixed effects make of it, ``z`` (N, q) what random effects multiply.
    """

    row: np.ndarray
    unit: np.ndarray
    y: np.ndarray
    size: np.ndarray
    fixed: np.ndarray
    z: np.ndarray

    def predictor(self, u: np.ndarray) -> np.ndarray:
        """Give the linear predictor of every row, (N,), at random effects u (J, q)."""
        return np.asarray(self.fixed + np.einsum("nq,nq->n", self.z, u[self.unit]))


def plain_rows(fit: RowsOf) -> PlainRows:
    """Lay out every row that was analysed."""
    design, law = fit.design, fit.law
    row, unit = analysed_rows(design, fit.data, law.columns)
    d = np.column_stack([level1_values(design, fit.data, k, row, unit) for k in range(design.n_coefficients)])
    b = design.level1_coefficients(fit.gamma_free)
    y, size = outcome_values(design, fit.data, row), law.row_sizes(fit.data, row)
    return PlainRows(row, unit, y, size, np.einsum("np,np->n", d, b[unit]), d[:, design.random])
