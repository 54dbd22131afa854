"""What a parametric bootstrap gives: estimates from data sets simulated from a fit, and their tables."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from ..arguments import check_prob
from ..equations.model import TwoLevelModel
from ..equations.names import cut_parameters
from ..errors import DataError, EstimationError, HypothesisError
from ..labels import NamedArray, Sentence
from ..likelihood.pattern import Pattern, elements
from ..naming import Parameters
from .intervals import Interval

type Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Bootstrapped(Sentence):
    """Estimates from simulated data sets: ``gamma`` (n, n_gamma), ``tau`` (n, q, q), ``level1`` (n, k).

    ``level1`` has the parameters of level 1, which ``level1_names`` names. ``estimates``: the gamma, tau and
    level1 that the data were simulated from; ``n_failed``: data sets that could not be estimated and are left
    out; ``n_boundary``: those with a variance of zero or a correlation of 1 or -1.
    """

    gamma: np.ndarray
    tau: np.ndarray
    level1: np.ndarray
    model: TwoLevelModel
    pattern: Pattern
    estimates: tuple[np.ndarray, np.ndarray, np.ndarray]
    seed: int | None
    n_failed: int
    n_boundary: int

    @property
    def level1_names(self) -> tuple[str, ...]:
        """Codes of the parameters of level 1, (k,)."""
        return ()

    @property
    def parameters(self) -> Parameters:
        """Every parameter with its name."""
        return self.model.scalar_parameters

    @property
    def n(self) -> int:
        """Number of simulated data sets that were estimated."""
        return len(self.gamma)

    @property
    def se_gamma(self) -> NamedArray:
        """Bootstrap standard errors of the fixed effects."""
        return NamedArray(self.gamma.std(axis=0, ddof=1), self.model.fixed_parameters)

    @property
    def se_tau(self) -> NamedArray:
        """Bootstrap standard errors of tau."""
        return NamedArray(self.tau.std(axis=0, ddof=1), self.model.random_parameters)

    def intervals(self, prob: float = 0.95) -> tuple[Interval, ...]:
        """Give percentile intervals of gamma, of the free elements of tau and of level 1's parameters."""
        check_prob(prob)
        rows, cols = elements(self.pattern)
        gamma, tau, level1 = self.estimates
        first, second = (np.array(self.model.random)[k] for k in (rows, cols))
        of_tau = (f"tau[{a},{b}]" for a, b in zip(first, second, strict=True))
        draws = np.column_stack([self.gamma, self.tau[:, rows, cols], self.level1])
        values = [*gamma, *tau[rows, cols], *level1]
        limits = np.quantile(draws, [0.5 - prob / 2.0, 0.5 + prob / 2.0], axis=0)
        names = (*self.model.gamma_names, *of_tau, *self.level1_names)
        return tuple(
            Interval(name, float(v), float(low), float(high), "bootstrap, percentile")
            for name, v, low, high in zip(names, values, *limits, strict=True)
        )

    def __str__(self) -> str:
        found = self.intervals()
        names = self.parameters.shown(i.parameter for i in found)
        wide = max(map(len, names))
        lines = [f"Parametric bootstrap, {self.n} data sets (seed {self.seed})"]
        lines += [
            f"{name:<{wide}}  {i.estimate:12.5f}  {i.low:12.5f} to {i.high:.5f}"
            for name, i in zip(names, found, strict=True)
        ]
        if self.n_boundary:
            lines.append(f"{self.n_boundary} of them have a variance of zero or a correlation of 1 or -1.")
        if self.n_failed:
            lines.append(f"{self.n_failed} further ones could not be estimated and are left out.")
        return "\n".join(lines)


class Bootstrap(Bootstrapped):
    """Estimates of a normal outcome's model: the parameter of level 1 is sigma2."""

    __slots__ = ()

    @property
    def level1_names(self) -> tuple[str, ...]:
        """Its code."""
        return ("sigma2",)

    @property
    def sigma2(self) -> np.ndarray:
        """Level-1 variances, (n,)."""
        return np.asarray(self.level1[:, 0])

    @property
    def se_sigma2(self) -> float:
        """Bootstrap standard error of sigma2."""
        return float(self.sigma2.std(ddof=1))


class GeneralizedBootstrap(Bootstrapped):
    """Estimates of another outcome's model: parameters of level 1 are the cuts of an ordinal one, if any."""

    __slots__ = ()

    @property
    def level1_names(self) -> tuple[str, ...]:
        """Codes of the cuts, d2, d3, ..."""
        return cut_parameters(self.level1.shape[1]).codes

    @property
    def parameters(self) -> Parameters:
        """Every parameter with its name, cuts too."""
        cuts = cut_parameters(self.level1.shape[1])
        return Parameters("parameter", (*self.model.scalar_parameters.each, *cuts.each))

    @property
    def cuts(self) -> np.ndarray:
        """Cuts of an ordinal outcome but the first, which is 0, (n, k); of others k = 0."""
        return self.level1

    @property
    def se_cuts(self) -> NamedArray:
        """Bootstrap standard errors of the cuts."""
        return NamedArray(self.cuts.std(axis=0, ddof=1), cut_parameters(self.level1.shape[1]))


def repeated[Result](
    once: Callable[[], Result], n: int, least: int, progress: Progress | None
) -> list[Result]:
    """Simulate and estimate n times; give the results of those that could be estimated."""
    results = []
    for done in range(1, n + 1):
        with suppress(EstimationError, DataError, np.linalg.LinAlgError):
            results.append(once())
        if progress is not None:
            progress(done, n)
    if len(results) < least:
        raise HypothesisError("none of the simulated data sets could be estimated: simplify the model")
    return results


def simulated_p_value(
    difference: Callable[[], float], chi2: float, n: int, progress: Progress | None
) -> tuple[float, int]:
    """Give (1 + count) / (1 + n) of n simulated differences that reach chi2, and how many were estimated."""
    found = np.array(repeated(difference, n, 1, progress))
    return float((1.0 + np.sum(found >= chi2 - 1e-8)) / (1.0 + len(found))), len(found)
