"""A fit's optimum once more, from its record: the rows as they were laid out, and the likelihood there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..likelihood.symmetric import semidefinite_root
from .estimates import GeneralizedEstimates
from .marginal import Marginal, marginal
from .ordinal_rows import Laid, rows_of_law
from .quadrature import Rule, product_rule


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
