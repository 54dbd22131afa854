"""What the records of fits say of themselves, whatever the outcome and the algorithm."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from ..data.two_level import TwoLevelData
from ..equations.model import TwoLevelModel
from ..equations.names import variable_labels
from ..labels import NamedArray
from ..laws.counting import Counting
from ..laws.law import Law, Need, refuse
from ..likelihood.design import Design


class Fitted(ABC):
    """A fitted model: what follows from what every record of one holds."""

    design: Design
    law: Law  # what level 1 is
    counting: Counting  # how rows and units count
    data: TwoLevelData | None
    method: str  # "REML" or "ML"
    gamma_free: np.ndarray  # (F,): free fixed effects
    loglik: float
    converged: bool
    stop_reason: str
    boundary: tuple[str, ...]  # in words, which variances or combinations are estimated as zero
    notes: tuple[str, ...]  # what was done differently from what was asked, in words

    @property
    @abstractmethod
    def tau(self) -> NamedArray:
        """Covariance matrix of the random effects, by coefficient name, (q, q)."""

    @property
    @abstractmethod
    def n_parameters(self) -> int:
        """Number of estimated parameters."""

    @property
    def model(self) -> TwoLevelModel:
        """The model."""
        return self.design.model

    @property
    def labels(self) -> dict[str, str]:
        """The labels that the data have for the model's predictors."""
        return {} if self.data is None else variable_labels(self.model.predictors, self.data.labels)

    @property
    def gamma(self) -> NamedArray:
        """All fixed effects by name, constrained ones repeated, (n_gamma,)."""
        return NamedArray(self.gamma_free[self.design.free], self.model.fixed_parameters)

    @property
    def tau_corr(self) -> NamedArray:
        """Tau as correlations; nan where a variance is zero."""
        tau = np.asarray(self.tau)
        sd = np.sqrt(np.diag(tau))
        with np.errstate(divide="ignore", invalid="ignore"):
            return NamedArray(tau / np.outer(sd, sd), self.model.random_parameters)

    @property
    def random_names(self) -> tuple[str, ...]:
        """Names of the random level-1 coefficients, b0, b1, ..."""
        return tuple(self.model.coefficients[r].name for r in self.design.random)

    @property
    def effect_names(self) -> tuple[str, ...]:
        """Names of the random effects, u0, u1, ..."""
        return tuple(self.model.coefficients[r].effect for r in self.design.random)

    @property
    def deviance(self) -> float:
        """-2 log-likelihood, with the constant that the likelihood has."""
        return -2.0 * self.loglik

    @property
    def aic(self) -> float:
        """Akaike's criterion, deviance + 2 k; k counts the gammas under REML too, as lme4 does."""
        return self.deviance + 2.0 * self._all_parameters("AIC")

    @property
    def bic(self) -> float:
        """Schwarz's criterion, deviance + k ln(N), N the level-1 rows and k as for `aic`: lme4's."""
        return self.deviance + self._all_parameters("BIC") * float(np.log(self.n_rows))

    def _all_parameters(self, what: str) -> int:
        self.require(what, Need.LIKELIHOOD)
        return self.n_parameters + (self.design.n_fixed if self.method == "REML" else 0)

    @property
    def n_rows(self) -> int:
        """Level-1 rows analysed, N."""
        return self.design.n_rows

    @property
    def n_units(self) -> int:
        """Level-2 units analysed, J."""
        return self.design.n_units

    def has(self, *needs: Need) -> bool:
        """Say whether neither the law nor the way of counting lacks what an analysis needs."""
        return not any(need in part.lacks for part in (self.law, self.counting) for need in needs)

    def require(self, what: str, *needs: Need) -> None:
        """Refuse an analysis that needs what the law or the way of counting lacks."""
        for part in (self.law, self.counting):
            refuse(what, part.lacks, *needs)

    @property
    def cautions(self) -> tuple[str, ...]:
        """The warnings but for that of convergence."""
        return (*self.notes, *(f"On the boundary: {message}." for message in self.boundary))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What should be known before the numbers are used, in words."""
        if self.converged:
            return self.cautions
        return (f"The estimation did not converge: {self.stop_reason}.", *self.cautions)
