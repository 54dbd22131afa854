"""Sums over very many units as polynomials in the variance parameters.

What a density needs of the units, log|V|, X'V^-1X, X'V^-1e and e'V^-1e for sigma2 = 1, are smooth functions
of tau / sigma2 (and of what else the rows' weights depend on). With many units the posterior covers a small
region, in which a polynomial of low degree is those sums to many digits: it is fitted to the sums at some
hundred points, and held against them at others. Outside the region the sums are taken as ever. Neither
samplers nor priors know of it, and gamma's mean and precision come with it.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from math import ceil, comb

import numpy as np
from scipy.special import chdtri

from .batch import Batch, Sums, evaluate_batch, unit_sums
from .target import Target

TOLERANCE = 1e-3  # of the log density, about a constant
CHECKED, WIDER = 60, 1.25  # points at which that is held, and how much wider than the posterior they lie
DEGREES = (4, 5, 6, 7, 8)
PER_TERM = 1.5  # points for each coefficient of the polynomial
MOST_POINTS = 1600  # a third or less of those a sampler takes
OUTSIDE = 1e-8  # probability of a normal posterior outside the region


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """An ellipsoid of what the sums depend on: |z| <= 1 for mean + root z, K coordinates.

    They are the signed standard deviations over sigma, the correlations, and the parameters of level 1
    where rows are weighed by them; ``level1`` are those of the centre.
    """

    mean: np.ndarray
    root: np.ndarray
    level1: np.ndarray

    def to_z(self, target: Target, phi: np.ndarray) -> np.ndarray:
        """Give z (B, K) of points (B, d)."""
        return np.asarray(np.linalg.solve(self.root, (relative(target, phi) - self.mean).T).T)

    def to_phi(self, target: Target, z: np.ndarray) -> np.ndarray:
        """Give points (B, d) that have z (B, K)."""
        x, m = self.mean + z @ self.root.T, target.partials.stop
        level1 = x[:, m:] if target.law.reweighs else np.tile(self.level1, (len(z), 1))
        sd = x[:, : target.n_random] * target.law.sigma(level1)[:, None]
        return np.column_stack([sd, x[:, target.partials], level1])


def relative(target: Target, phi: np.ndarray) -> np.ndarray:
    """Give what the sums depend on, (B, K), at points (B, d)."""
    level1 = phi[:, target.level1]
    sd = phi[:, : target.n_random] / target.law.sigma(level1)[:, None]
    return np.column_stack([sd, phi[:, target.partials], *([level1] if target.law.reweighs else [])])


def region_about(target: Target, mean: np.ndarray, root: np.ndarray) -> Region:
    """Give the region that holds nearly all of a normal distribution of phi, mean (d,) and root (d, d)."""
    step = 1e-3 * root.T
    by_z = (relative(target, mean + step) - relative(target, mean - step)) / 2e-3  # (d, K)
    own = np.linalg.cholesky(by_z.T @ by_z) * np.sqrt(chdtri(by_z.shape[1], OUTSIDE))
    return Region(relative(target, mean[None])[0], own, mean[target.level1])


@dataclass(frozen=True, slots=True, eq=False)
class Expansion:
    """Polynomials for the sums: coefficients (terms, sums) of products of Chebyshev's; called as `unit_sums`.

    ``degrees`` (terms, K); ``error`` is the largest difference of log densities, by them and exact, at
    points that had no part in the fit.
    """

    region: Region
    degrees: np.ndarray
    coefficients: np.ndarray
    error: float

    def __call__(self, target: Target, phi: np.ndarray) -> Sums:
        """Give the sums at points (B, d)."""
        z = self.region.to_z(target, phi)
        inside = np.einsum("bk,bk->b", z, z) <= 1.0
        found = np.empty((len(z), self.coefficients.shape[1]))
        found[inside] = _terms(z[inside], self.degrees) @ self.coefficients
        if not inside.all():
            found[~inside] = _flat(unit_sums(target, phi[~inside]))
        return _sums(found, target.system.n_fixed)


def expand(
    target: Target, mean: np.ndarray, root: np.ndarray, rng: np.random.Generator, most: int = MOST_POINTS
) -> Expansion | None:
    """Fit polynomials about a mode of phi, ``mean`` (d,); ``root`` (d, d) is the Hessian's inverse root.

    The degree grows until the log density is exact to `TOLERANCE`; None where that would take the sums at
    more than ``most`` points.
    """
    region = region_about(target, mean, root)
    size, F = len(region.mean), target.system.n_fixed
    held = mean + WIDER * rng.standard_normal((CHECKED, len(mean))) @ root.T
    exact: Batch | None = None
    z, values = np.empty((0, size)), np.empty((0, 2 + F + F * F))
    for degree in DEGREES:
        terms = comb(size + degree, degree)
        wanted = ceil(PER_TERM * terms)
        if wanted + CHECKED > most:
            return None
        more = _in_ball(rng, wanted - len(z), size)
        z = np.vstack([z, more])
        values = np.vstack([values, _flat(unit_sums(target, region.to_phi(target, more)))])
        exact = evaluate_batch(target, held) if exact is None else exact
        fitted = _fitted(region, z, values, degree)
        away = evaluate_batch(target, held, fitted).log_density - exact.log_density
        error = 0.5 * float(np.ptp(away))  # a constant is none
        if error <= TOLERANCE:
            return Expansion(region, fitted.degrees, fitted.coefficients, error)
    return None


def _fitted(region: Region, z: np.ndarray, values: np.ndarray, degree: int) -> Expansion:
    """Fit by least squares; the sums are taken about their means, for they are far larger than they vary."""
    factors = np.array([*itertools.combinations_with_replacement(range(z.shape[1] + 1), degree)])
    degrees = (factors[:, :, None] == np.arange(1, z.shape[1] + 1)).sum(axis=1)  # the first is the constant
    centre = values.mean(axis=0)
    coefficients = np.linalg.lstsq(_terms(z, degrees), values - centre, rcond=None)[0]
    coefficients[0] += centre
    return Expansion(region, degrees, coefficients, np.inf)


def _terms(z: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    """Give the products of Chebyshev polynomials at points of the unit ball, (B, terms)."""
    one = np.polynomial.chebyshev.chebvander(z, int(degrees.max(initial=0)))
    terms = np.ones((len(z), len(degrees)))
    for k in range(z.shape[1]):
        terms *= one[:, k, degrees[:, k]]
    return terms


def _in_ball(rng: np.random.Generator, size: int, dimension: int) -> np.ndarray:
    """Draw points evenly from the unit ball."""
    z = rng.standard_normal((size, dimension))
    length = np.maximum(np.linalg.norm(z, axis=1), 1e-300)  # of no coordinates: 0
    return np.asarray(z * (rng.random(size) ** (1.0 / max(dimension, 1)) / length)[:, None])


def _flat(sums: Sums) -> np.ndarray:
    return np.column_stack([sums.logdet, sums.ee, sums.xe, sums.xx.reshape(len(sums.xx), -1)])


def _sums(flat: np.ndarray, n_fixed: int) -> Sums:
    xe, xx = np.split(flat[:, 2:], [n_fixed], axis=1)
    return Sums(flat[:, 0], xx.reshape(-1, n_fixed, n_fixed), xe, flat[:, 1])
