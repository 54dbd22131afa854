"""What an estimation found: frozen records."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..data.two_level import TwoLevelData
from ..labels import NamedArray
from ..laws.counting import Counting
from ..laws.law import Law
from ..likelihood.design import Design
from ..likelihood.evaluate import Evaluation
from ..likelihood.system import System, to_standard
from .fitted import Fitted


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """Starting values: tau as used, tau before the fix-up, sigma2, in the units of the data."""

    tau: np.ndarray
    tau_raw: np.ndarray
    sigma2: float


@dataclass(frozen=True, slots=True, eq=False)
class Iteration:
    """One iteration: what enters it (loglik, gamma) and what leaves it (tau, sigma2); data units."""

    number: int
    loglik: float
    gamma: np.ndarray
    tau: np.ndarray
    sigma2: float
    accelerated: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Components:
    """tau (q, q) and sigma2, in the units of the data."""

    tau: np.ndarray
    sigma2: float

    def __post_init__(self) -> None:
        self.tau.flags.writeable = False


@dataclass(frozen=True, eq=False)
class Estimates(Fitted):
    """A fitted two-level model: what `hlmbayes.Fit` is a face of.

    HLM prints fixed effects, their standard errors and the log-likelihood at the values of tau and
    sigma2 that ENTER the last iteration, everything else at the values that LEAVE it, the factor sigma2
    of the model-based standard errors included. ``components`` are those that leave, ``entering`` those
    that enter; `exact` has one and the same. Both are of ``design``: the level-1 variance is 1 where rows are
    divided by their whole sigma.
    """

    design: Design  # of rows divided by their sigma, where the level-1 variance differs between rows
    system: System  # the design's standardised cross-products
    at: Evaluation  # the likelihood's ingredients at ``entering``
    law: Law  # what level 1 is, with its estimates
    counting: Counting  # how rows and units count
    method: str  # "REML" or "ML"
    algorithm: str  # "exact" or "hlm"
    gamma_free: np.ndarray  # (F,): free fixed effects
    components: Components
    entering: Components
    loglik: float
    converged: bool
    stop_reason: str
    log: tuple[Iteration, ...]
    data: TwoLevelData | None  # the rows, where the fit came from rows
    boundary: tuple[str, ...] = ()  # in words, which variances or combinations are estimated as zero
    start: Start | None = None  # HLM's starting values (algorithm "hlm")
    notes: tuple[str, ...] = ()  # what was done differently from what was asked, in words
    # the gamma (F,) from which u* were taken, where it is not ``gamma_free``: HLM's ML uses the previous
    # iteration's, and its robust standard errors show it
    gamma_of_u: np.ndarray | None = None

    def __post_init__(self) -> None:
        self.gamma_free.flags.writeable = False

    def parts(self) -> Iterator[Estimates]:
        """Give the fit beside some of its units at a time: here all of them."""
        yield self

    @property
    def iterations(self) -> int:
        """Number of iterations; with unequal level-1 variances, of the last round."""
        return self.log[-1].number

    @cached_property
    def vcov_white(self) -> np.ndarray:
        """(X'V^-1X)^-1, (F, F), at ``entering``, of X in orthonormal columns: see `Design.to_gamma`."""
        return self.entering.sigma2 * self.at.vg_white

    @cached_property
    def vcov_free(self) -> np.ndarray:
        """Model-based covariance matrix (X'V^-1X)^-1 of the free fixed effects at ``entering``, (F, F)."""
        s2 = to_standard(self.system, self.entering.tau, self.entering.sigma2)[1]
        scale = self.system.gamma_scale
        vcov = s2 * self.at.vg * np.outer(scale, scale)
        vcov.flags.writeable = False
        return vcov

    @cached_property
    def vcov_printed(self) -> np.ndarray:
        """``vcov_free`` as HLM prints its standard errors: with the sigma2 that leaves, (F, F)."""
        if self.entering is self.components:
            return self.vcov_free
        return self.vcov_free * (self.components.sigma2 / self.entering.sigma2)

    @property
    def vcov(self) -> np.ndarray:
        """Model-based covariance matrix of all fixed effects, shape (n_gamma, n_gamma)."""
        return self.vcov_printed[np.ix_(self.design.free, self.design.free)]

    @property
    def tau(self) -> NamedArray:
        """Covariance matrix of the random effects, by coefficient name, shape (q, q)."""
        return NamedArray(self.components.tau, self.model.random_parameters)

    @property
    def sigma2(self) -> float:
        """Level-1 variance; nan where it depends on variables (see ``law``)."""
        return self.components.sigma2 if self.law.one_sigma2 else float("nan")

    @property
    def n_parameters(self) -> int:
        """Number of estimated parameters as HLM counts: variances under REML, gammas too under ML."""
        of_tau = self.design.pattern.n_free
        return of_tau + self.law.n_parameters + (self.design.n_fixed if self.method == "ML" else 0)
