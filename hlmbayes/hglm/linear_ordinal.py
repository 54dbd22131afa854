"""Ordinal outcomes about their linear predictors: M = K - 1 cumulative ones in each row.

The indicators y <= m of a row have means p_m = sigma(delta_m + eta) and covariances p_m (1 - p_m'), m <= m'
(Raudenbush & Bryk 2002, p. 317-325): the working outcomes of a row are correlated. Their products with the
columns are kept as moments all the same. The cuts are level-1 coefficients that do not vary, of columns that
are 1 where the predictor is that of their category.
"""

# ruff: noqa: D102 (what the methods give is said once, in Linear)

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..data.two_level import TwoLevelData
from ..equations.model import TwoLevelModel
from ..equations.parts import Coefficient, Gamma, Predictor, gamma_name
from ..estimation.estimates import Estimates
from ..estimation.prepare import Prepared
from ..laws.counting import ONCE
from ..laws.ordinal import Ordinal
from ..laws.outcomes import Outcome
from ..likelihood.build_design import build_design
from ..likelihood.design import Design
from ..likelihood.rows import analysed_rows, level1_values, outcome_values
from ..likelihood.weighing import weighed_design
from ..unit_moments.record import Moments
from ..words import unique_name
from .linear_rows import Linear, complete_data, products_by, working_known
from .ordinal_rows import check_ordinal, rows_of_law
from .separation import refuse_separating

FAR = 15.0  # linear predictors beyond are taken for that
APART = 1e-6  # the least distance of two cumulative predictors of a row


@dataclass(frozen=True, slots=True, eq=False)
class LinearOrdinal(Linear):
    """The rows of an ordinal outcome, N of them.

    ``d`` (p + T, N, M): level-1 columns, those of the cuts last; ``values`` (C, N): the columns of the
    moments but the outcome and the cuts, ``below`` (N, M): whether the category is m or lower.
    """

    data: TwoLevelData
    design: Design
    plain: Design  # without the cuts
    law: Ordinal
    unit: np.ndarray
    d: np.ndarray
    values: np.ndarray
    below: np.ndarray

    def predictor(self, b: np.ndarray) -> np.ndarray:
        return np.asarray(np.einsum("pnm,np->nm", self.d, b[self.unit]))

    def first(self) -> np.ndarray:
        share = (self.below.sum(axis=0) + 0.5) / (len(self.below) + 1.0)
        near = 0.25 * self.below + 0.75 * share
        return np.asarray(np.log(near / (1.0 - near)))

    def working(self, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Give the working outcomes (N, M) and the inverse of their covariance in each row, (N, M, M)."""
        eta = np.clip(eta, -FAR, FAR)
        M = eta.shape[1]
        eta = np.maximum.accumulate(eta - APART * np.arange(M), axis=1) + APART * np.arange(M)
        p = 1.0 / (1.0 + np.exp(-eta))
        slope = p * (1.0 - p)
        lower, upper = (of.outer(np.arange(M), np.arange(M)) for of in (np.minimum, np.maximum))
        inverse = np.linalg.inv(p[:, lower] * (1.0 - p)[:, upper])
        return eta + (self.below - p) / slope, slope[:, :, None] * inverse * slope[:, None, :]

    def certain(self, eta: np.ndarray) -> np.ndarray:
        return np.asarray(np.abs(eta) > 0.5 * FAR)

    def linearised(self, eta: np.ndarray) -> Prepared:
        z, precision = self.working(eta)
        moments = self._moments(z, precision)
        law = working_known(moments, self.unit, precision)
        return Prepared(weighed_design(self.design, moments), law, ONCE, self.data, self.data)

    def _moments(self, z: np.ndarray, precision: np.ndarray) -> Moments:
        """Give 1'P1, P being a row's precision, and the columns' means and products by P, unit by unit."""
        plain, J = self.design.moments, self.design.n_units
        N, M = z.shape
        T = M - 1
        columns = np.empty((len(plain.columns), N, M))
        columns[0] = z
        columns[1 : len(columns) - T] = self.values[:, :, None]
        columns[len(columns) - T :] = np.eye(M)[1:, None, :]
        shift = plain.mean.copy()
        shift[:, 0] = np.bincount(self.unit, z.mean(axis=1), J) / plain.n
        columns -= shift.T[:, self.unit, None]
        weight, offset, sscp = products_by(precision, columns, self.unit, J)
        return replace(plain, weight=weight, mean=shift + offset.T, sscp=sscp.transpose(2, 0, 1))

    def law_with(self, fit: Estimates) -> Outcome:
        T = self.below.shape[1] - 1
        last = slice(len(fit.gamma_free) - T, len(fit.gamma_free))
        return self.law.with_cuts(fit.gamma_free[last], np.sqrt(np.diag(fit.vcov_free)[last]))

    def refuse_unbounded(self, eta: np.ndarray | None = None) -> None:
        """Refuse what predictors separate at what was found; the rest is where the rows are laid out."""
        if eta is not None and self.certain(eta).any():
            laid = rows_of_law(self.law, self.plain, self.data)
            refuse_separating(laid.rows, laid.of_rows, self.plain)


def linear_ordinal(prepared: Prepared, law: Ordinal) -> LinearOrdinal:
    """Lay out the rows of a prepared model of an ordinal outcome; refuse what is none (DataError)."""
    design, kept = prepared.design, complete_data(prepared)
    row, unit = analysed_rows(design, kept)
    values, category, _ = check_ordinal(
        design, law, outcome_values(design, kept, row), unit, np.ones(len(row))
    )
    M = len(values) - 1
    names = [unique_name(f"THOLD{m}", kept.level1) for m in range(2, M + 1)]
    model = with_cuts(design.model, names)
    plain = design.moments
    own = [name for name in plain.columns if name.lower() != design.model.outcome.lower()]
    order = [plain.column(name) for name in (design.model.outcome, *own)]
    moments = _with_cuts(plain, order, names, M)
    extended = replace(build_design(model, moments), terms=design.terms)
    d = np.empty((len(model.coefficients), len(row), M))
    for k in range(design.n_coefficients):
        d[k] = level1_values(design, kept, k, row, unit)[:, None]
    d[design.n_coefficients :] = np.eye(M)[1:, None, :]
    columns = np.array([np.asarray(kept.level1_column(name), dtype=float)[row] for name in own])
    below = (category[:, None] <= np.arange(M)).astype(float)
    law = replace(law, categories=tuple(values.tolist()))
    return LinearOrdinal(kept, extended, design, law, unit, d, columns.reshape(len(own), len(row)), below)


def with_cuts(model: TwoLevelModel, names: list[str]) -> TwoLevelModel:
    """Give the model with the cuts as coefficients that do not vary, of columns with these names."""
    last = max(c.index for c in model.coefficients)
    more = []
    for k, name in enumerate(names, start=last + 1):
        fixed = (Gamma(gamma_name(k, 0), Predictor(None)),)
        more.append(Coefficient(f"b{k}", Predictor(name), fixed, False))
    parts = model.parts
    return type(model).from_parts(*parts._replace(coefficients=(*parts.coefficients, *more)))


def _with_cuts(plain: Moments, order: list[int], names: list[str], M: int) -> Moments:
    """Give moments, the outcome first, with the columns of the cuts: averages over the M predictors."""
    T, C, J = len(names), len(order), plain.n_units
    mean, sscp = np.full((J, C + T), 1.0 / M), np.zeros((J, C + T, C + T))
    mean[:, :C] = plain.mean[:, order]
    sscp[:, :C, :C] = plain.sscp[:, order][:, :, order]
    sscp[:, C:, C:] = plain.n[:, None, None] * (np.eye(T) / M - 1.0 / M**2)
    columns = (*(plain.columns[k] for k in order), *names)
    return replace(plain, columns=columns, mean=mean, sscp=sscp)
