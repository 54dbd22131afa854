"""The rows of a model about their linear predictors: what penalised quasi-likelihood works on."""

# ruff: noqa: D102 (what the methods give is said once, in Linear)

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

import numpy as np

from ..data.table import with_columns
from ..data.two_level import TwoLevelData
from ..errors import DataError
from ..estimation.estimates import Estimates
from ..estimation.prepare import Prepared
from ..laws.counting import ONCE, precise_moments
from ..laws.normal import WEIGHT, Working, WorkingKnown
from ..laws.outcomes import Outcome
from ..likelihood.criterion import LOG_2PI
from ..likelihood.design import Design
from ..likelihood.rows import analysed_rows, level1_values, outcome_values
from ..likelihood.weighing import Weighing, weighed_design
from ..unit_moments.record import Moments
from .counted_rows import counted_rows
from .separation import refuse_separating, refuse_unbounded_tau

CERTAIN = 3e-7  # variance of a row: of a logit beyond 15


class Linear(ABC):
    """Rows that can be linearised; ``design`` is that of the rows as they are, ``data`` the complete ones."""

    data: TwoLevelData
    design: Design

    @abstractmethod
    def first(self) -> np.ndarray:
        """Give linear predictors to begin with, from each row's own outcome (R's glm does so)."""

    @abstractmethod
    def predictor(self, b: np.ndarray) -> np.ndarray:
        """Give the linear predictors, without offset, of level-1 coefficients b (J, p)."""

    @abstractmethod
    def certain(self, eta: np.ndarray) -> np.ndarray:
        """Say where outcomes are as good as certain."""

    @abstractmethod
    def linearised(self, eta: np.ndarray) -> Prepared:
        """Give the normal model of the working outcome at linear predictors."""

    @abstractmethod
    def law_with(self, fit: Estimates) -> Outcome:
        """Give the law of level 1 with what the fit of a linearised model says of it."""

    @abstractmethod
    def refuse_unbounded(self, eta: np.ndarray | None = None) -> None:
        """Raise EstimationError where nothing has a finite estimate: at first, or at what was found."""


@dataclass(frozen=True, slots=True, eq=False)
class LinearRows(Linear):
    """The rows of a model, N of them, each with one linear predictor.

    ``d`` (p, N): level-1 columns; ``offset`` (N,) is added to the linear predictor; ``trials`` (N,) is what
    an outcome is divided by.
    """

    data: TwoLevelData
    design: Design
    law: Outcome
    unit: np.ndarray
    d: np.ndarray
    y: np.ndarray
    offset: np.ndarray
    trials: np.ndarray

    def predictor(self, b: np.ndarray) -> np.ndarray:
        return np.asarray(np.einsum("pn,np->n", self.d, b[self.unit]))

    def working(self, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Give the working outcome and its weight at a linear predictor, (N,) each."""
        at = np.clip(eta + self.offset, *self.law.far)
        mean, slope = self.law.inverse_link(at), self.law.slope(at)
        weight = self.trials * slope**2 / self.law.variance(mean)
        return at - self.offset + (self.y / self.trials - mean) / slope, weight

    def certain(self, eta: np.ndarray) -> np.ndarray:
        at = np.clip(eta + self.offset, *self.law.far)
        return np.asarray(self.law.variance(self.law.inverse_link(at)) < CERTAIN)

    def first(self) -> np.ndarray:
        return np.asarray(self.law.link(self.law.near(self.y, self.trials)) - self.offset)

    def linearised(self, eta: np.ndarray) -> Prepared:
        z, weight = self.working(eta)
        columns = {self.design.model.outcome: z, WEIGHT: weight}
        data = replace(self.data, level1=with_columns(self.data.level1, columns))
        moments = precise_moments(data, self.design.moments, weight)
        log, spread = (np.bincount(data.unit, v, data.n_units) for v in (np.log(weight), 1.0 / weight))
        kind = Working if self.design.model.outcome_law.overdispersed else WorkingKnown
        law = kind(WEIGHT, Weighing(moments, log, spread))
        return Prepared(weighed_design(self.design, moments), law, ONCE, data, data)

    def law_with(self, fit: Estimates) -> Outcome:
        return self.law

    def refuse_unbounded(self, eta: np.ndarray | None = None) -> None:
        counted = counted_rows(self.design, self.data, self.law)
        if eta is None:
            refuse_unbounded_tau(counted, self.law, self.design.model.outcome)
        elif self.certain(eta).any():
            refuse_separating(counted, self.law, self.design)


def working_known(moments: Moments, unit: np.ndarray, precision: np.ndarray) -> WorkingKnown:
    """Give the law of rows of M working outcomes with precisions (N, M, M), unit by unit.

    The likelihood counts one constant, log(2 pi), for each row: the others are in the logarithms.
    """
    J, more = len(moments.n), precision.shape[1] - 1
    log = np.bincount(unit, np.linalg.slogdet(precision)[1] - more * LOG_2PI, J)
    spread = np.bincount(unit, 1.0 / precision.sum(axis=(1, 2)), J)
    return WorkingKnown(WEIGHT, Weighing(moments, log, spread))


def products_by(
    precision: np.ndarray, columns: np.ndarray, unit: np.ndarray, J: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give 1'P1 (J,), means (C, J) and products about them (C, C, J), unit by unit.

    ``precision`` P (N, M, M) is a row's, ``columns`` (C, N, M) have the M values of each row.
    """
    turned = np.einsum("cnm,nmk->cnk", columns, precision)
    mass = np.bincount(unit, precision.sum(axis=(1, 2)), J)
    mean = np.array([np.bincount(unit, c.sum(axis=1), J) for c in turned]) / mass
    cross = np.empty((len(columns), len(columns), J))
    for a in range(len(columns)):
        for b in range(a + 1):
            both = np.einsum("nk,nk->n", turned[a], columns[b])
            cross[a, b] = cross[b, a] = np.bincount(unit, both, J)
    return mass, mean, cross - (mass * mean)[:, None] * mean


def complete_data(prepared: Prepared) -> TwoLevelData:
    """Give the complete rows of a prepared model; raise DataError where there are only moments."""
    design, data = prepared.design, prepared.source
    if not isinstance(data, TwoLevelData):
        raise DataError(f"an outcome that is {design.model.outcome_law.name} needs the rows, got moments")
    return data.drop_incomplete([data.find(name) for name in design.moments.columns])


def linear_rows(prepared: Prepared, law: Outcome) -> LinearRows:
    """Lay out the rows of a prepared model; refuse outcomes the law cannot give (DataError)."""
    design, kept = prepared.design, complete_data(prepared)
    row, unit = analysed_rows(design, kept)
    y, size = outcome_values(design, kept, row), np.ones(len(row))
    if law.size is not None:
        size = np.asarray(kept.level1_column(law.size), dtype=float)
    law.check_rows(y, size, design.model.outcome)
    d = np.stack([level1_values(design, kept, k, row, unit) for k in range(design.n_coefficients)])
    return LinearRows(kept, design, law, unit, d, y, law.offset(size), law.counts(size))
