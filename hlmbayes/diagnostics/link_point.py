"""A fit whose outcome is not normal, as figures look at it: units on the scale of the link."""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch
from typing import Any

import numpy as np

from ..hglm.estimates import GeneralizedEstimates
from ..hglm.pql import PQLEstimates, Predicted, predicted
from ..laws.law import Need
from ..laws.ordinal import Ordinal
from ..posterior.predictive_link import effects_drawn, kept_draws
from ..posterior.record import LinkSample
from ..residuals.quantities import unit_residuals
from ..sampling import container

DRAWS = 250  # of each chain, of which units are looked at
SEED = 1996  # figures must not change from one call to the next


@dataclass(frozen=True, slots=True, eq=False)
class LinkPoint(Predicted):
    """A fit at its estimates, and what it is of.

    ``var_u`` (J, q, q) is what is not known of each unit's random effects, ``tau`` (q, q) their covariance.
    """

    var_u: np.ndarray
    tau: np.ndarray
    record: GeneralizedEstimates | PQLEstimates | LinkSample

    @property
    def method(self) -> str:
        """How it was estimated."""
        return "posterior" if isinstance(self.record, LinkSample) else str(self.record.algorithm)

    @property
    def estimated(self) -> bool:
        """Whether it is a fit, and not draws from a posterior."""
        return not isinstance(self.record, LinkSample)

    @property
    def has_mean(self) -> bool:
        """Whether the outcome has one mean, and not a probability for each category."""
        return Need.ONE_MEAN not in self.law.lacks

    @property
    def one_equation(self) -> bool:
        """Whether it has one set of equations, and not one for each category."""
        return Need.ONE_EQUATION not in self.law.lacks

    @property
    def random_names(self) -> tuple[str, ...]:
        """Names of the random level-1 coefficients, b0, b1, ..."""
        return tuple(self.model.coefficients[r].name for r in self.design.random)

    def draw(self) -> np.ndarray:
        """Draw each unit's u from a normal distribution with its mean and covariance, (J, q).

        Over the units such draws have the distribution of u that the model says, however little is known of
        each; the means have not, which are drawn in towards zero.
        """
        values, vectors = np.linalg.eigh(self.var_u)
        z = np.random.default_rng(SEED).normal(size=self.u.shape)
        return np.asarray(
            self.u + np.einsum("jab,jb->ja", vectors * np.sqrt(np.maximum(values, 0.0))[:, None], z)
        )


@singledispatch
def link_point(record: Any) -> LinkPoint | None:
    """Give a fit whose outcome is not normal as figures look at it; None of what is none."""
    return None


@link_point.register
def _(record: GeneralizedEstimates) -> LinkPoint:
    rows = (record.design, record.law, record.data, record.gamma_free, record.u)
    return LinkPoint(*rows, record.var_u, record.tau_values, record)


@link_point.register
def _(record: PQLEstimates) -> LinkPoint:
    at, working = predicted(record), record.working
    q = at.design.n_random
    var_u = unit_residuals(working).pv if q else np.zeros((at.design.n_units, 0, 0))
    tau = np.asarray(working.components.tau)
    return LinkPoint(at.design, at.law, at.data, at.gamma_free, at.u, var_u, tau, record)


@link_point.register
def _(record: LinkSample) -> LinkPoint:
    design, law, kept = record.target.design, record.link.law, kept_draws(record, DRAWS)
    gamma = container.flat(record.tree, "gamma")[:, design.first_of_free].mean(axis=0)
    u = effects_drawn(record, kept)
    apart = u - u.mean(axis=0)
    var_u = np.einsum("bja,bjc->jac", apart, apart) / (len(u) - 1)
    if isinstance(law, Ordinal):
        cuts = container.flat(record.tree, "cuts")
        law = law.with_cuts(cuts.mean(axis=0), cuts.std(axis=0, ddof=1))
    tau = container.flat(record.tree, "tau").mean(axis=0)
    return LinkPoint(design, law, record.link.data, gamma, u.mean(axis=0), var_u, tau, record)
