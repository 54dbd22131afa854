"""Parametric bootstrap from per-unit moments: no row is ever simulated.

Given tau and sigma2, what a fit needs of unit j's simulated errors e = Z u + r are D'e and e'e. With
D = U G^1/2 (U orthonormal, rank k), U'r is normal and the rest of r'r a chi-square on n_j - k degrees of
freedom, independent of it: both are drawn exactly (the Bartlett decomposition of a Wishart matrix; Davison &
Hinkley 1997, ch. 4 for the bootstrap).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from ..arguments import check_prob, seed_or_none, whole
from ..equations.model import TwoLevelModel
from ..errors import EstimationError, HypothesisError
from ..estimation.estimates import Estimates
from ..estimation.optimum import evaluation, optimum, theta_at
from ..estimation.zero_variance import describe_boundary
from ..labels import NamedArray, Sentence
from ..laws.law import Need
from ..likelihood.criterion import profiled_sigma2
from ..likelihood.design import Design
from ..likelihood.evaluate import standardise
from ..likelihood.pattern import Pattern, elements
from ..likelihood.symmetric import from_eigen
from ..likelihood.system import data_scale
from .intervals import Interval
from .same_data import predictor_key

RANK = 1e-10
type Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Bootstrap(Sentence):
    """Estimates from simulated data sets: ``gamma`` (n, n_gamma), ``tau`` (n, q, q) and ``sigma2`` (n,).

    ``estimates``: the gamma, tau and sigma2 that the data were simulated from; ``n_failed``: data sets that
    could not be estimated and are left out; ``n_boundary``: those with a variance of zero or a correlation
    of 1 or -1.
    """

    gamma: np.ndarray
    tau: np.ndarray
    sigma2: np.ndarray
    model: TwoLevelModel
    pattern: Pattern
    estimates: tuple[np.ndarray, np.ndarray, float]
    seed: int | None
    n_failed: int
    n_boundary: int

    @property
    def n(self) -> int:
        """Number of simulated data sets that were estimated."""
        return len(self.sigma2)

    @property
    def se_gamma(self) -> NamedArray:
        """Bootstrap standard errors of the fixed effects."""
        return NamedArray(self.gamma.std(axis=0, ddof=1), self.model.fixed_parameters)

    @property
    def se_tau(self) -> NamedArray:
        """Bootstrap standard errors of tau."""
        return NamedArray(self.tau.std(axis=0, ddof=1), self.model.random_parameters)

    @property
    def se_sigma2(self) -> float:
        """Bootstrap standard error of sigma2."""
        return float(self.sigma2.std(ddof=1))

    def intervals(self, prob: float = 0.95) -> tuple[Interval, ...]:
        """Give percentile intervals of gamma, of the free elements of tau and of sigma2."""
        check_prob(prob)
        rows, cols = elements(self.pattern)
        gamma, tau, sigma2 = self.estimates
        first, second = (np.array(self.model.random)[k] for k in (rows, cols))
        of_tau = (f"tau[{a},{b}]" for a, b in zip(first, second, strict=True))
        draws = np.column_stack([self.gamma, self.tau[:, rows, cols], self.sigma2])
        values = [*gamma, *tau[rows, cols], sigma2]
        limits = np.quantile(draws, [0.5 - prob / 2.0, 0.5 + prob / 2.0], axis=0)
        names = (*self.model.gamma_names, *of_tau, "sigma2")
        return tuple(
            Interval(name, float(v), float(low), float(high), "bootstrap, percentile")
            for name, v, low, high in zip(names, values, *limits, strict=True)
        )

    def __str__(self) -> str:
        found = self.intervals()
        names = self.model.scalar_parameters.shown(i.parameter for i in found)
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


def bootstrap(
    fit: Estimates, n: int = 1000, seed: int | None = None, *, progress: Progress | None = None
) -> Bootstrap:
    """Simulate the fitted model n times and estimate each (algorithm "exact", the fit's method).

    The same ``seed`` gives the same numbers; ``progress`` is called with (done, n) after every data set.

    Raises
    ------
    HypothesisError
        n < 2, a level-1 variance that depends on variables, row weights, or no data set could be estimated.
    """
    _check(fit, n)
    rng, reml = np.random.default_rng(seed_or_none(seed, HypothesisError)), fit.method == "REML"
    simulate = Simulator(fit.design, fit.components.tau, fit.components.sigma2)
    results = _repeat(lambda: estimate(simulate.draw(rng, fit.gamma_free), reml), n, 2, progress)
    gammas, taus, sigmas, boundary = (np.array(values) for values in zip(*results, strict=True))
    free = fit.design.free
    return Bootstrap(
        gammas[:, free], taus, sigmas, fit.model, fit.design.pattern,
        (fit.gamma_free[free], fit.components.tau, fit.components.sigma2), seed, n - len(results),
        int(boundary.sum()),
    )  # fmt: skip


def _repeat[Result](
    once: Callable[[], Result], n: int, least: int, progress: Progress | None
) -> list[Result]:
    """Simulate and estimate n times; give the results of those that could be estimated."""
    results = []
    for done in range(1, n + 1):
        with suppress(EstimationError, np.linalg.LinAlgError):
            results.append(once())
        if progress is not None:
            progress(done, n)
    if len(results) < least:
        raise HypothesisError("none of the simulated data sets could be estimated: simplify the model")
    return results


def _check(fit: Estimates, n: int) -> None:
    fit.require("the parametric bootstrap", Need.ONE_SIGMA2, Need.LIKELIHOOD, Need.ROWS_ALIKE)
    whole("n, the number of data sets (better 1000),", n, 2, HypothesisError)


def estimate(design: Design, reml: bool) -> tuple[np.ndarray, np.ndarray, float, bool]:
    """Give gamma_free, tau, sigma2 at the optimum, and whether it is on the boundary."""
    system = standardise(design)
    point = optimum(system, reml, thorough=False).point
    at, theta = evaluation(point), theta_at(point)
    boundary = describe_boundary(design, system.tau_columns, theta)
    s2 = profiled_sigma2(system, at, reml)
    gamma, tau = at.delta * system.gamma_scale + design.gamma_ols, system.tau_columns.to_data(theta * s2)
    return gamma, tau, s2 * system.e_scale**2, bool(boundary)


class Simulator:
    """Draws designs whose outcome is simulated from (tau, sigma2); what does not change is kept.

    Everything is in the columns D* that are orthonormal over all rows. ``tau`` (q, q) is that of the effects
    of the columns ``random`` (q,) of D; those of the design by default.
    """

    def __init__(
        self, design: Design, tau: np.ndarray, sigma2: float, random: np.ndarray | None = None
    ) -> None:
        if not np.array_equal(design.n, design.moments.n):
            raise HypothesisError("rows with weights cannot be simulated: the weights' meaning is not known")
        self.design, self.sigma = design, float(np.sqrt(sigma2))
        place = np.argsort(design.order)[design.random if random is None else random]
        inverse = np.linalg.inv(design.bases.basis)[:, place]
        # symmetric roots: the signs of eigenvectors, and their directions where values are equal, are
        # settled by rounding, so that draws from other roots would depend on the order of the rows
        values, vectors = np.linalg.eigh(inverse @ tau @ inverse.T)
        self.effects_root = from_eigen(np.sqrt(np.maximum(values, 0.0)), vectors)
        self.dd = design.standard_dd.transpose(2, 0, 1)
        values, vectors = np.linalg.eigh(self.dd)
        kept = values > RANK * np.maximum(values[:, -1:], 0.0)
        # n rows have no more than n directions; of columns that nearly agree rounding may show another
        kept &= np.arange(values.shape[1], 0, -1) <= design.n[:, None]
        self.kept = from_eigen(kept, vectors)
        self.root = from_eigen(np.sqrt(np.where(kept, values, 0.0)), vectors)
        self.df = design.n - kept.sum(axis=1)

    def draw(self, rng: np.random.Generator, gamma: np.ndarray) -> Design:
        """Give a design with simulated cross-products; e is again the residual about its own OLS fit."""
        return about_ols(self.design, *self.errors(rng), gamma)

    def errors(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Give D'e (J, p) and e'e (J,) of simulated errors e = Z u + r."""
        b = rng.normal(size=(len(self.dd), self.effects_root.shape[1])) @ self.effects_root.T
        z = np.einsum("jab,jb->ja", self.kept, rng.normal(size=self.kept.shape[:2])) * self.sigma
        rest = self.sigma**2 * 2.0 * rng.standard_gamma(self.df / 2.0)
        zu, dr = np.einsum("jab,jb->ja", self.dd, b), np.einsum("jab,jb->ja", self.root, z)
        ee = np.einsum("ja,ja->j", b, zu + 2.0 * dr) + np.einsum("ja,ja->j", z, z) + rest
        return self.design.as_given(zu + dr), ee


def about_ols(design: Design, de: np.ndarray, ee: np.ndarray, gamma: np.ndarray) -> Design:
    """Give the design whose outcome is X gamma + e, from D'e and e'e: e is taken about its OLS fit."""
    own = design.as_standard(de)
    delta = design.bases.white @ (own.T @ design.level2.T).reshape(-1) / design.n.sum()
    left, ee = design.less_fixed(own, ee, design.standard_fixed(delta))
    return replace(
        design, de=design.as_given(left), ee=np.maximum(ee, 0.0), gamma_ols=gamma + design.to_gamma @ delta
    )


def deviance_p_value(
    simple: Estimates, general: Estimates, chi2: float, n: int, seed: int | None,
    progress: Progress | None = None,
) -> tuple[float, int]:  # fmt: skip
    """Give the share of data sets simulated from the simpler model whose deviance difference reaches chi2.

    (1 + count) / (1 + n), Davison & Hinkley (1997, eq. 4.11); and the number of data sets that count.
    Both models are estimated at their optimum. The general model must contain the simpler one.
    """
    for each in (simple, general):
        _check(each, n)
    # the simpler model's level-1 columns among those of the general one
    ours, theirs = ([predictor_key(c.predictor) for c in f.model.coefficients] for f in (simple, general))
    at = np.array([theirs.index(key) for key in ours], dtype=np.intp)
    simulate = Simulator(
        general.design, simple.components.tau, simple.components.sigma2, at[simple.design.random]
    )
    rng = np.random.default_rng(seed_or_none(seed, HypothesisError))

    def difference() -> float:
        de, ee = simulate.errors(rng)
        low, high = (
            _deviance(about_ols(f.design, products, ee, np.zeros(f.design.n_fixed)), simple.method == "REML")
            for f, products in ((simple, de[:, at]), (general, de))
        )
        return low - high

    found = np.array(_repeat(difference, n, 1, progress))
    return float((1.0 + np.sum(found >= chi2 - 1e-8)) / (1.0 + len(found))), len(found)


def _deviance(design: Design, reml: bool) -> float:
    system = standardise(design)
    return optimum(system, reml, thorough=False).point.value + data_scale(system, reml)
