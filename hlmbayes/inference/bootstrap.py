"""Parametric bootstrap from per-unit moments: no row is ever simulated.

Given tau and sigma2, what a fit needs of unit j's simulated errors e = Z u + r are D'e and e'e. With
D = U G^1/2 (U orthonormal, rank k), U'r is normal and the rest of r'r a chi-square on n_j - k degrees of
freedom, independent of it: both are drawn exactly (the Bartlett decomposition of a Wishart matrix; Davison &
Hinkley 1997, ch. 4 for the bootstrap).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..arguments import seed_or_none, whole
from ..errors import HypothesisError
from ..estimation.estimates import Estimates
from ..estimation.optimum import evaluation, optimum, theta_at
from ..estimation.zero_variance import describe_boundary
from ..laws.law import Need
from ..likelihood.criterion import profiled_sigma2
from ..likelihood.design import Design
from ..likelihood.evaluate import standardise
from ..likelihood.symmetric import from_eigen
from ..likelihood.system import data_scale
from .bootstrapped import Bootstrap, Progress, repeated, simulated_p_value
from .same_data import predictor_key

RANK = 1e-10


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
    results = repeated(lambda: estimate(simulate.draw(rng, fit.gamma_free), reml), n, 2, progress)
    gammas, taus, sigmas, boundary = (np.array(values) for values in zip(*results, strict=True))
    free, sigma2 = fit.design.free, np.array([fit.components.sigma2])
    return Bootstrap(
        gammas[:, free], taus, sigmas[:, None], fit.model, fit.design.pattern,
        (fit.gamma_free[free], fit.components.tau, sigma2), seed, n - len(results), int(boundary.sum()),
    )  # fmt: skip


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

    return simulated_p_value(difference, chi2, n, progress)


def _deviance(design: Design, reml: bool) -> float:
    system = standardise(design)
    return optimum(system, reml, thorough=False).point.value + data_scale(system, reml)
