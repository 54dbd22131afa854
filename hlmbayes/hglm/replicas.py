"""Data simulated from a fit, and the fit to each of them: what the data would look like if the model held."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ..data.table import with_columns
from ..data.two_level import TwoLevelData
from ..errors import DataError, EstimationError
from ..likelihood.rows import outcome_values
from ..likelihood.symmetric import semidefinite_root
from .enough_nodes import stands_still
from .estimates import GeneralizedEstimates
from .fit import estimates_of
from .fitted_rows import Optimum, PlainRows, at_optimum, plain_rows
from .fixed_nodes import search_with
from .ordinal_rows import Laid, rows_of_law
from .search import FEW_STEPS, GAIN, Found, climb, search, snapped
from .separation import refuse_separated, refuse_unbounded_tau

CLOSE = 1e-4  # of the deviance, that more nodes than the fit's may move: chance moves it by more than 1


@dataclass(frozen=True, eq=False)
class Replicas:
    """Simulates a fit's data and estimates its model again, from the fit's own estimates."""

    fit: GeneralizedEstimates
    rows: PlainRows
    best: Optimum

    def outcomes(self, rng: np.random.Generator) -> np.ndarray:
        """Simulate the outcome of every row analysed, (N,), with new random effects."""
        return new_outcomes(self.fit, self.rows, rng)

    def with_outcomes(self, y: np.ndarray) -> TwoLevelData:
        """Give the data with other outcomes of the rows analysed."""
        data, name = self.fit.data, self.fit.model.outcome
        values = np.array(data.level1_column(name), dtype=float)
        values[self.rows.row] = y
        return replace(data, level1=with_columns(data.level1, {name: values}))

    def near(self, y: np.ndarray) -> GeneralizedEstimates:
        """Take one step of Newton from the fit's estimates to those of other outcomes.

        That is what estimates move by as units become many. A fit by Laplace's method, or by so many nodes,
        keeps its fixed effects and variances: its score is not zero at the estimates.
        """
        data = self.with_outcomes(y)
        laid = self._laid(data)
        most = 0 if self.fit.asked_nodes else 1
        at = replace(self.best, laid=laid).evaluated()
        return self._estimates(data, laid, climb(laid.rows, laid.of_rows, at, GAIN, most))

    def again(self, y: np.ndarray) -> GeneralizedEstimates:
        """Estimate the model with other outcomes; DataError or EstimationError where that is not possible."""
        data = self.with_outcomes(y)
        laid = self._laid(data)
        with np.errstate(all="ignore"):
            found = self._searched(laid)
            refuse_separated(laid.rows, laid.of_rows, self.fit.design, found)
        return self._estimates(data, laid, found)

    def _laid(self, data: TwoLevelData) -> Laid:
        there = np.unique(outcome_values(self.fit.design, data, self.rows.row))
        if not np.isin(self.fit.law.fixed_categories, there).all():
            raise DataError("a category does not occur")
        laid = rows_of_law(self.fit.law, self.fit.design, data)
        refuse_unbounded_tau(laid.rows, laid.of_rows, self.fit.model.outcome)
        return laid

    def _searched(self, laid: Laid) -> Found:
        if self.fit.asked_nodes:
            return search_with(laid.rows, laid.of_rows, self.fit.n_nodes)
        found = climb(laid.rows, laid.of_rows, replace(self.best, laid=laid).evaluated(), GAIN, FEW_STEPS)
        if not (found.converged and stands_still(laid.rows, laid.of_rows, found.at, CLOSE)):
            return search(laid.rows, laid.of_rows)
        return found._replace(at=snapped(laid.rows, laid.of_rows, found.at))

    def _estimates(self, data: TwoLevelData, laid: Laid, found: Found) -> GeneralizedEstimates:
        return estimates_of(self.fit.design, data, laid.law, laid.rows, found, self.fit.asked_nodes)


def new_outcomes(fit: GeneralizedEstimates, rows: PlainRows, rng: np.random.Generator) -> np.ndarray:
    """Simulate the outcome of every row, (N,), with new random effects."""
    u = rng.normal(size=(fit.n_units, fit.design.n_random)) @ semidefinite_root(fit.tau_values).T
    return fit.law.draw(rng, rows.predictor(u), rows.size)


def replicas_of(fit: GeneralizedEstimates) -> Replicas:
    """Lay out what simulating from a fit wants."""
    return Replicas(fit, plain_rows(fit), at_optimum(fit))


def near_fits(fit: GeneralizedEstimates, n: int, seed: int | None) -> Iterator[GeneralizedEstimates]:
    """Give the fits to ``n`` simulated data sets, each by a step of Newton; fewer where some have none."""
    rng, source = np.random.default_rng(seed), replicas_of(fit)
    for _ in range(n):
        y = source.outcomes(rng)
        try:
            with np.errstate(all="ignore"):
                yield source.near(y)
        except (DataError, EstimationError, np.linalg.LinAlgError):
            continue
