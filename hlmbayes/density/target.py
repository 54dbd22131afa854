"""What the samplers draw from: a design with its priors, in standardised units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from ..equations.model import TwoLevelModel
from ..likelihood.design import Design
from ..likelihood.evaluate import System, standardise
from ..likelihood.pattern import Pattern
from ..likelihood.row_groups import Groups
from ..priors.priors import Priors, posterior_design, resolve
from ..priors.resolved import ResolvedPriors, SigmaPrior
from .level1 import Level1, LogLinearSigma, OneSigma
from .unequal import grouped_rows


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """A posterior of variance parameters; ``law`` is what level 1 is, and its parameters.

    ``reference`` (q,): unit of the signed standard deviations, so that phi is of order one. ``p0`` and
    ``d0`` (F,): prior precision and mean of gamma in standardised units (of delta).
    """

    design: Design
    system: System
    priors: ResolvedPriors
    reference: np.ndarray
    p0: np.ndarray
    d0: np.ndarray
    law: Level1

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
    model: TwoLevelModel, data: Any, priors: Priors | None, *, groups: Groups | None = None
) -> Target:
    """Join model, data and priors; ``groups`` of rows where data are moments and log(sigma2) varies in units.

    Refuses what `Model.fit` would, and priors that do not fit the model.
    """
    design, groups = posterior_design(model, data, groups)
    return build_target(design, resolve(priors, design, groups), groups)


def build_target(design: Design, priors: ResolvedPriors, groups: Groups | None = None) -> Target:
    """Join a design and its priors; ``groups`` where log(sigma2) depends on variables."""
    system = standardise(design)
    scale, prior = system.gamma_scale, priors.level1
    law: Level1
    if isinstance(prior, SigmaPrior):
        law = OneSigma(design, system, prior)
    else:
        law = LogLinearSigma(design, system, prior, grouped_rows(design, system, cast("Groups", groups)))
    return Target(
        design, system, priors, _reference(design), priors.gamma_precision * scale**2,
        (priors.gamma_mean - design.gamma_ols) / scale, law,
    )  # fmt: skip


def _reference(design: Design) -> np.ndarray:
    """Give the sampling sd of one unit's coefficient: the size at which an sd begins to matter."""
    square = np.einsum("jaa->a", design.dd)[design.random] / design.n_units
    return np.asarray(np.sqrt(design.ee.sum() / design.n.sum() / square))
