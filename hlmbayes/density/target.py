"""What the samplers draw from: a design with its priors, in standardised units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..likelihood.design import Design
from ..likelihood.evaluate import System, standardise
from ..likelihood.row_groups import Groups
from ..priors.priors import ResolvedPriors
from .unequal import GroupedRows, grouped_rows


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """A posterior of variance parameters.

    Attributes
    ----------
    design : Design
    system : System
    priors : ResolvedPriors
    reference : ndarray, shape (q,)
        Unit of the signed standard deviations, so that phi is of order one.
    p0, d0 : ndarray, shape (F,)
        Prior precision and mean of gamma in standardised units (of delta).
    grouped : GroupedRows, optional
        Rows by their level-1 variance, where log(sigma2) depends on variables.
    """

    design: Design
    system: System
    priors: ResolvedPriors
    reference: np.ndarray
    p0: np.ndarray
    d0: np.ndarray
    grouped: GroupedRows | None = None

    @property
    def n_random(self) -> int:
        """Number of random coefficients, q."""
        return self.system.n_random

    @property
    def size(self) -> int:
        """Number of variance parameters, d."""
        q = self.n_random
        level1 = 1 if self.grouped is None else self.grouped.n_alpha
        return q * (q + 1) // 2 + level1

    @property
    def partials(self) -> slice:
        """Where phi has the correlations."""
        q = self.n_random
        return slice(q, q * (q + 1) // 2)

    @property
    def level1(self) -> slice:
        """Where phi has log sigma, or alpha."""
        return slice(self.partials.stop, None)


def build_target(design: Design, priors: ResolvedPriors, groups: Groups | None = None) -> Target:
    """Join a design and its priors; ``groups`` where log(sigma2) depends on variables."""
    system = standardise(design)
    scale = system.gamma_scale
    return Target(
        design, system, priors, _reference(design), priors.gamma_precision * scale**2,
        (priors.gamma_mean - design.gamma_ols) / scale,
        None if groups is None else grouped_rows(design, system, groups),
    )  # fmt: skip


def _reference(design: Design) -> np.ndarray:
    """Give the sampling sd of one unit's coefficient: the size at which an sd begins to matter."""
    square = np.einsum("jaa->a", design.dd)[design.random] / design.n_units
    return np.sqrt(design.ee.sum() / design.n.sum() / square)
