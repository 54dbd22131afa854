"""What the likelihood of an outcome that is not normal gave: a frozen record."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..data.two_level import TwoLevelData
from ..estimation.fitted import Fitted
from ..labels import NamedArray
from ..laws.counting import ONCE, Counting
from ..laws.outcomes import Outcome
from ..likelihood.design import Design
from ..likelihood.pattern import elements


@dataclass(frozen=True, eq=False)
class GeneralizedEstimates(Fitted):
    """A fitted model whose outcome is not normal, by maximum likelihood.

    All is in the units of the data, and on the scale of the link. ``covariance`` (P, P) and ``unit_scores``
    (J, P) are of the free fixed effects, then of a root of tau, last of the cuts of an ordinal outcome;
    ``root`` (m, m) is what turns the root's changes into those of tau's free elements.
    """

    design: Design
    law: Outcome
    data: TwoLevelData  # the rows
    gamma_free: np.ndarray  # (F,): free fixed effects
    tau_values: np.ndarray  # (q, q)
    covariance: np.ndarray  # inverse of the observed information
    unit_scores: np.ndarray  # at the optimum: they sum to zero; with the units' sampling weights
    root: np.ndarray
    unit_loglik: np.ndarray  # (J,)
    loglik: float  # constants included
    u: np.ndarray  # (J, q): posterior means of the random effects
    var_u: np.ndarray  # (J, q, q)
    n_nodes: tuple[int, ...]  # along each direction of a unit's random effects; 1 is Laplace's approximation
    asked_nodes: bool  # for so many nodes, or Laplace's method, instead of as many as it takes
    converged: bool
    stop_reason: str
    iterations: int
    boundary: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    method: str = "ML"
    algorithm: str = "exact"
    counting: Counting = ONCE  # how rows and units count

    @property
    def vcov_free(self) -> np.ndarray:
        """Covariance matrix of the free fixed effects from the observed information, (F, F)."""
        return self.covariance[: self.design.n_fixed, : self.design.n_fixed]

    @property
    def vcov(self) -> np.ndarray:
        """The same of all fixed effects, (n_gamma, n_gamma)."""
        return self.vcov_free[np.ix_(self.design.free, self.design.free)]

    @cached_property
    def sandwich(self) -> np.ndarray:
        """Covariance of all parameters that holds whatever the rows' distribution is within units, (P, P).

        I^-1 (sum_j s_j s_j') I^-1, s_j the score of unit j: Huber (1967), White (1982).
        """
        half = self.unit_scores @ self.covariance
        return np.asarray(half.T @ half)

    @property
    def vcov_robust(self) -> np.ndarray:
        """Robust covariance matrix of all fixed effects, (n_gamma, n_gamma)."""
        return self.sandwich[np.ix_(self.design.free, self.design.free)]

    @property
    def tau(self) -> NamedArray:
        """Covariance matrix of the random effects, by coefficient name, (q, q)."""
        return NamedArray(self.tau_values, self.model.random_parameters)

    @property
    def valid_covariance(self) -> np.ndarray:
        """Covariance of all parameters where nobody says which: robust with sampling weights, (P, P)."""
        return self.covariance_by(None)

    def covariance_by(self, robust: bool | None) -> np.ndarray:
        """Give the covariance of all parameters, (P, P); that which is valid where nobody says which."""
        return self.sandwich if (self.counting.pseudo if robust is None else robust) else self.covariance

    @property
    def se_tau(self) -> NamedArray:
        """Standard errors of tau, robust with sampling weights, (q, q); nan on the boundary."""
        q, F, m = self.design.n_random, self.design.n_fixed, self.design.pattern.n_free
        se = np.full((q, q), np.nan)
        if not self.boundary:
            rows, cols = elements(self.design.pattern)
            variance = np.diag(self.root @ self.valid_covariance[F : F + m, F : F + m] @ self.root.T)
            se[rows, cols] = se[cols, rows] = np.sqrt(variance)
        return NamedArray(se, self.model.random_parameters)

    @property
    def n_parameters(self) -> int:
        """Number of estimated parameters, fixed effects included."""
        return self.design.n_fixed + self.design.pattern.n_free + self.law.n_parameters

    @property
    def integration(self) -> str:
        """How the random effects were integrated out, in words."""
        if not self.n_nodes:
            return "there are no random effects to integrate over"
        if max(self.n_nodes) == 1:
            return "Laplace's approximation"
        return f"adaptive Gauss-Hermite quadrature, {' x '.join(map(str, self.n_nodes))} nodes"
