"""The sampling variance of estimates from several data sets: by covariance matrices, or replicate weights."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..estimation.estimates import Estimates
from ..hypotheses.contrasts import hlm_df
from ..inference.component_errors import components_covariance, variance_standard_errors
from ..inference.covariances import Covariance
from ..likelihood.pattern import elements
from .replicate_weights import Replicates, components_of


@dataclass(frozen=True)
class Sampling(ABC):
    """Gives variances within data sets, (n, ...): n may be fewer than there are data sets.

    ``words`` says what they are; ``df`` are their own degrees of freedom, of which `pool` makes use.
    """

    @property
    @abstractmethod
    def words(self) -> str:
        """What the standard errors are, in words."""

    @property
    def df(self) -> float:
        """Degrees of freedom of the variances; infinite where they are taken as known."""
        return float("inf")

    @abstractmethod
    def of(self, contrast: np.ndarray) -> np.ndarray:
        """Give the covariance matrices (n, r, r) of contrast @ gamma_free, contrast (r, F)."""

    @abstractmethod
    def complete_df(self, rows: np.ndarray) -> np.ndarray:
        """Give the degrees of freedom of rows (r, n_gamma) were no value missing, (r,)."""

    @abstractmethod
    def of_components(self) -> np.ndarray:
        """Give the variances of the free elements of tau by rows and sigma2, (n, m + 1)."""

    @abstractmethod
    def of_function(
        self, value: Callable[[np.ndarray], np.ndarray], slope: Callable[[np.ndarray], np.ndarray]
    ) -> np.ndarray:
        """Give the variance of a function of (free elements of tau, sigma2), (n,).

        ``value`` takes components (..., m + 1), ``slope`` gives the derivatives at some of them, (m + 1,).
        """


@dataclass(frozen=True)
class OfCovariances(Sampling):
    """Each data set's covariance matrix of a kind."""

    fits: Sequence[Estimates]
    kind: Covariance

    @property
    def words(self) -> str:
        """What the standard errors are, in words."""
        return self.kind.words

    def of(self, contrast: np.ndarray) -> np.ndarray:
        """Give the covariance matrices (m, r, r) of contrast @ gamma_free, contrast (r, F)."""
        return np.array([self.kind.of(fit, contrast) for fit in self.fits])

    def complete_df(self, rows: np.ndarray) -> np.ndarray:
        """Give HLM's degrees of freedom of rows (r, n_gamma)."""
        return hlm_df(self.fits[0], rows, self.kind.hlm)

    def of_components(self) -> np.ndarray:
        """Give the squared standard errors of the free elements of tau by rows and sigma2, (m, m' + 1)."""
        both = [variance_standard_errors(f) for f in self.fits]
        rows, cols = elements(self.fits[0].design.pattern)
        return np.array([np.append(np.asarray(tau)[rows, cols], sigma2) for tau, sigma2 in both]) ** 2

    def of_function(
        self, value: Callable[[np.ndarray], np.ndarray], slope: Callable[[np.ndarray], np.ndarray]
    ) -> np.ndarray:
        """Give it by the delta method; nan where tau is on the boundary."""
        return np.array([_delta(fit, slope) for fit in self.fits])


def _delta(fit: Estimates, slope: Callable[[np.ndarray], np.ndarray]) -> float:
    if fit.boundary:
        return float("nan")
    gradient = slope(components_of(fit))
    return float(gradient @ components_covariance(fit) @ gradient)


@dataclass(frozen=True)
class OfReplicates(Sampling):
    """Replicate weights of all data sets, or of the first."""

    samples: Sequence[Replicates]

    @property
    def words(self) -> str:
        """What the standard errors are, in words."""
        return self.samples[0].words

    @property
    def df(self) -> float:
        """Degrees of freedom of the replicates."""
        return self.samples[0].df

    def of(self, contrast: np.ndarray) -> np.ndarray:
        """Give the covariance matrices (n, r, r) of contrast @ gamma_free, contrast (r, F)."""
        return np.array([sample.of(contrast) for sample in self.samples])

    def complete_df(self, rows: np.ndarray) -> np.ndarray:
        """Give the degrees of freedom of the replicates, of every row."""
        return np.full(len(rows), self.df)

    def of_components(self) -> np.ndarray:
        """Give the variances of the free elements of tau by rows and sigma2, (n, m + 1)."""
        return np.array([np.diag(sample.vcov_components) for sample in self.samples])

    def of_function(
        self, value: Callable[[np.ndarray], np.ndarray], slope: Callable[[np.ndarray], np.ndarray]
    ) -> np.ndarray:
        """Give it from the function's values with each replicate's weights."""
        away = [value(sample.thetas) - value(sample.components) for sample in self.samples]
        return np.array([s.factor * np.sum(a**2) for s, a in zip(self.samples, away, strict=True)])
