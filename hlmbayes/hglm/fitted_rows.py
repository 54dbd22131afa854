"""A fit whose outcome is not normal, from its record: its rows with their linear predictors, its optimum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..laws.multinomial import Multinomial
from ..likelihood.rows import analysed_rows, level1_values, outcome_values
from ..likelihood.symmetric import semidefinite_root
from .estimates import GeneralizedEstimates
from .marginal import Marginal, marginal
from .ordinal_rows import Laid, rows_of_law
from .pql import Predicted
from .quadrature import Rule, product_rule

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


class CategoryPlainRows(PlainRows):
    """The same of rows with K linear predictors: ``fixed`` (K, N); ``z`` is the same for each of them."""

    __slots__ = ()

    def predictor(self, u: np.ndarray) -> np.ndarray:
        """Give the linear predictors of every row, (K, N), at random effects u (J, K q)."""
        own = u.reshape(len(u), len(self.fixed), -1)[self.unit]
        return np.asarray(self.fixed + np.einsum("nq,nkq->kn", self.z, own))


def plain_rows(fit: RowsOf) -> PlainRows:
    """Lay out every row that was analysed."""
    if isinstance(fit.law, Multinomial):
        return _of_categories(fit, len(fit.law.categories) - 1)
    design, law = fit.design, fit.law
    row, unit = analysed_rows(design, fit.data, law.columns)
    d = np.column_stack([level1_values(design, fit.data, k, row, unit) for k in range(design.n_coefficients)])
    b = design.level1_coefficients(fit.gamma_free)
    y, size = outcome_values(design, fit.data, row), law.row_sizes(fit.data, row)
    return PlainRows(row, unit, y, size, np.einsum("np,np->n", d, b[unit]), d[:, design.random])


def _of_categories(fit: RowsOf, K: int) -> CategoryPlainRows:
    """Lay out rows with K linear predictors: level-1 columns are those of category 1, then of 2, ..."""
    design = fit.design
    p, own = design.n_coefficients // K, design.random[: design.n_random // K]
    row, unit = analysed_rows(design, fit.data, fit.law.columns)
    d = np.column_stack([level1_values(design, fit.data, k, row, unit) for k in range(p)])
    b = design.level1_coefficients(fit.gamma_free).reshape(design.n_units, K, p)
    y, size = outcome_values(design, fit.data, row), fit.law.row_sizes(fit.data, row)
    return CategoryPlainRows(row, unit, y, size, np.einsum("np,nkp->kn", d, b[unit]), d[:, own])


@dataclass(frozen=True, slots=True, eq=False)
class Optimum:
    """Rows, and a fit's estimates in their columns: gamma (F,), chol (q, q), and the nodes of the fit."""

    laid: Laid
    gamma: np.ndarray
    chol: np.ndarray
    rule: Rule

    def evaluated(self) -> Marginal:
        """Evaluate the likelihood of the rows at the estimates."""
        rows = self.laid.rows
        start = np.zeros((len(self.chol), rows.n_units))
        return marginal(rows, self.laid.of_rows, self.gamma, self.chol, self.rule, start)


def at_optimum(fit: GeneralizedEstimates) -> Optimum:
    """Lay out a fit's rows with its estimates."""
    laid, design = rows_of_law(fit.law, fit.design, fit.data, fit.counting), fit.design
    own = np.linalg.solve(design.to_gamma, fit.gamma_free)
    theta = laid.rows.tau_columns.from_data(fit.tau_values)
    root = np.zeros_like(theta)
    for block in map(list, design.pattern.blocks):
        half = semidefinite_root(theta[np.ix_(block, block)])
        lower = np.linalg.qr(half.T, mode="r").T
        root[np.ix_(block, block)] = lower * np.where(np.diag(lower) < 0, -1.0, 1.0)
    return Optimum(laid, np.r_[own, fit.law.fixed_cuts], root, product_rule(fit.n_nodes))
