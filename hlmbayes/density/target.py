"""What the samplers draw from: a design with its priors, in standardised units."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from ..data.weights import Frequencies, Weights
from ..equations.model import TwoLevelModel
from ..estimation.exact import optimum_of, variances
from ..laws.counting import ONCE, Counting
from ..laws.law import Law, Need
from ..likelihood.design import Design
from ..likelihood.evaluate import System, standardise
from ..likelihood.pattern import Pattern
from ..likelihood.row_groups import Groups
from ..priors.priors import LAW, Priors, ready_to_sample, resolve
from ..priors.resolved import AlphaPrior, NoPrior, ResolvedPriors, SigmaPrior
from .level1 import KnownSigma, Level1, LogLinearSigma, OneSigma
from .unequal import grouped_rows


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """A posterior of variance parameters; ``law`` is what level 1 is, and its parameters.

    ``reference`` (q,): unit of the signed standard deviations, so that phi is of order one. ``p0`` and
    ``d0`` (F,): prior precision and mean of gamma in standardised units (of delta). ``counting`` is how the
    rows and units of the data counted.
    """

    design: Design
    system: System
    priors: ResolvedPriors
    reference: np.ndarray
    p0: np.ndarray
    d0: np.ndarray
    law: Level1
    counting: Counting = ONCE

    @property
    def single_rows(self) -> bool:
        """Whether every row of the data is one row of the design."""
        return Need.SINGLE_ROWS not in self.counting.lacks

    @property
    def n_random(self) -> int:
        """Number of random coefficients, q."""
        return self.system.n_random

    @property
    def pattern(self) -> Pattern:
        """Which elements of tau are free."""
        return self.design.pattern

    @property
    def size(self) -> int:
        """Number of variance parameters, d."""
        return self.n_random + self.pattern.n_pairs + len(self.law.names)

    @property
    def partials(self) -> slice:
        """Where phi has the correlations."""
        q = self.n_random
        return slice(q, q + self.pattern.n_pairs)

    @property
    def level1(self) -> slice:
        """Where phi has the parameters of level 1."""
        return slice(self.partials.stop, None)


def target_for(
    model: TwoLevelModel, data: Any, priors: Priors | None, *, law: Law | None = None,
    weights: Weights | Frequencies | None = None, groups: Groups | None = None,
) -> Target:  # fmt: skip
    """Join model, data and priors; ``groups`` of rows where data are moments and log(sigma2) varies in units.

    Refuses what `Model.fit` would, sampling weights, and priors that do not fit the model.
    """
    prepared, groups = ready_to_sample(model, data, law, weights, groups)
    target = build_target(
        prepared.design, resolve(priors, prepared.plain, groups, prepared.law), groups, prepared.law
    )
    return replace(target, counting=prepared.counting)


def build_target(
    design: Design, priors: ResolvedPriors, groups: Groups | None = None, law: Law = LAW
) -> Target:
    """Join a design, of rows as their law weighs them, and priors; ``groups`` as for `resolve`."""
    system = standardise(design)
    scale = system.gamma_scale
    return Target(
        design, system, priors, _reference(design, system, law), priors.gamma_precision * scale**2,
        (priors.gamma_mean - design.gamma_ols) / scale, _level1(design, system, priors, groups, law),
    )  # fmt: skip


def _level1(
    design: Design, system: System, priors: ResolvedPriors, groups: Groups | None, law: Law
) -> Level1:
    """Give what level 1 is to the posterior."""
    prior = priors.level1
    if isinstance(prior, SigmaPrior):
        return OneSigma(design, system, law, prior)
    if isinstance(prior, NoPrior):
        return KnownSigma(design, system, law)
    assert isinstance(prior, AlphaPrior)  # cuts are of outcomes that are not normal
    rows = grouped_rows(design, system, cast("Groups", groups))
    return LogLinearSigma(design, system, law, prior, rows)


def _reference(design: Design, system: System, law: Law) -> np.ndarray:
    """Give the sampling sd of one unit's coefficient, (q,): the size at which an sd begins to matter.

    Where rows weigh differently one unit may be known far better than the others: then that of a usual unit,
    and the sd itself where it is larger.
    """
    square = np.einsum("jaa->ja", design.dd)[:, design.random]
    if not (law.weighs_rows and design.n_random):
        return np.asarray(np.sqrt(design.ee.sum() / design.n.sum() / (square.sum(axis=0) / design.n_units)))
    tau, sigma2 = variances(system, optimum_of(system, True, law.held), True, law.held)
    usual = np.array([np.median(column[column > 0]) for column in square.T])
    return np.asarray(np.sqrt(sigma2 / usual + tau.diagonal()))
