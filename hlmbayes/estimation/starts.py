"""Where to start the search for the optimum; more than one place, for a likelihood may have several maxima.

A start is a root of Theta in the columns in which Theta has tau's pattern (`likelihood.pattern`).
Unbalanced, heavy-tailed or few units can give the likelihood one maximum where the units differ little
and another where they differ much. The sums of squares that the first kind of start is made of weigh
large units most; those of the second, taken where tau is large beside sigma2, weigh all units alike.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..likelihood.criterion import degrees_of_freedom, expected_information, profiled_sigma2, score
from ..likelihood.evaluate import System, evaluate, solve_planes
from ..likelihood.pattern import Pattern, by_blocks, pattern_basis
from ..likelihood.symmetric import eigh, semidefinite_root

SMALLEST_SHARE = 0.05  # of the residual variance, for the sigma2 of the starting values
FLOOR = 0.02  # smallest variance of the starting values, relative to the largest (Z orthonormal)
FEW_UNITS = 60  # up to here maxima other than the best are frequent, and searches take a moment
OWN_ROWS = 2.0  # Z'Z of a unit, where Z'Z/n = I over all rows, from which it has coefficients of its own
BEST_KNOWN = 1e4  # Z'Z of a unit from which that is looked for
SIZES = (1e5, 30.0, 1.0)  # of Theta, Z'Z/n = I, from which a step of scoring leads to a start


def moment_start(
    system: System, reml: bool, sigma2: float | None, alike: np.ndarray | None = None
) -> np.ndarray:
    """Start from MINQUE(0), which weighs large units most, or midway to the Theta of units weighed ``alike``.

    Midway the criterion is nearer to its optimum than at either, as a rule. Made well conditioned.
    """
    if not system.n_random:
        return np.zeros((0, 0))
    theta, columns = _minque(system, reml, sigma2), system.tau_columns
    return well_conditioned(theta if alike is None else 0.5 * (theta + columns.own(alike)), columns.pattern)


def _minque(system: System, reml: bool, sigma2: float | None) -> np.ndarray:
    """Give MINQUE(0)'s Theta: sums of squares at Theta = 0 set equal to their expectations.

    The sums are of t_a t_b, t = Z'e, and e'e; their expectations, were the units' Z'Z diagonal, are
    tau_ab S_ab + sigma2 n [a = b] and n (sum tau_aa + sigma2), with S_ab the sum of (Z'Z)_aa (Z'Z)_bb
    over units (Z'Z/n is I over all rows). Where tau has blocks, each as if it were alone.
    """
    q, n = system.n_random, system.n
    columns, root, outcome = system.tau_columns, system.root[:, :q], system.root[:, -1]
    if not columns.pattern.full:
        root = columns.m.T @ root
    t, squares = np.einsum("caj,cj->aj", root, outcome), np.einsum("caj,caj->aj", root, root)
    if system.unit_weight is not None:
        t, squares = t * np.sqrt(system.unit_weight), squares * np.sqrt(system.unit_weight)
    s, tt = system.repeated(squares, slice(None)) @ squares.T, t @ t.T
    variance = system.ee / degrees_of_freedom(system, reml) if sigma2 is None else sigma2
    share = 1.0 - n * float(np.sum(1.0 / s.diagonal()))
    if sigma2 is None and share > 0.2:  # else hardly a row is left for sigma2
        inside = variance - float(np.sum(tt.diagonal() / s.diagonal()))
        variance = max(inside / share, SMALLEST_SHARE * variance)
    # two dummies that no unit has both have no products: nothing is known of their covariance
    return np.asarray((tt / variance - n * np.eye(q)) / np.where(s > 0, s, np.inf))


def alike_theta(system: System, sigma2: float | None) -> np.ndarray | None:
    """Estimate Theta* from units weighed alike: the mean u u' of OLS coefficients, less its sampling part.

    Of units with the rows for it; None where these are few, hardly a row is left for sigma2, or units have
    sampling weights.
    """
    q = system.n_random
    if system.unit_weight is not None:
        return None
    own, root, times = own_rows(system), system.root, system.times
    if not own.all():
        root, times = root[:, :, own], None if times is None else times[own]
    n_units = own.sum() if times is None else times.sum()
    if n_units <= FEW_UNITS:
        return None
    if sigma2 is None:
        left = system.n - q * system.n_units
        if left < 0.2 * system.n:
            return None
        sigma2 = (system.left) / left
    inverse = solve_planes(root[:, :q].transpose(1, 0, 2), np.eye(q)[:, :, None])
    u = np.einsum("caj,cj->aj", inverse, root[:, -1])
    counted = inverse if times is None else inverse * times
    sampling = np.matmul(counted, inverse.transpose(0, 2, 1)).sum(axis=0)
    theta = (u @ u.T / sigma2 - sampling) / n_units
    columns = system.tau_columns
    root = columns.spread(by_blocks(columns.own(theta), columns.pattern, semidefinite_root))
    return np.asarray(root @ root.T)


def own_rows(system: System) -> np.ndarray:
    """Say which units have the rows for coefficients of their own, bool (J,)."""
    q = system.n_random
    return np.asarray((system.root[np.arange(q), np.arange(q)] > OWN_ROWS**0.5).all(axis=0))


def other_starts(system: System, reml: bool, sigma2: float | None) -> Iterator[np.ndarray]:
    """Give more places to start from, the most different first; many where there are few units."""
    q = system.n_random
    if not q:
        return
    for size in SIZES:
        found = scoring_start(system, reml, sigma2, size)
        if found is not None:
            yield found
    if system.n_units > FEW_UNITS:
        return
    # a unit known far better than the others makes a maximum where tau is as small as its variance
    best_known = float(np.max(system.root[np.arange(q), np.arange(q)])) ** 2
    for size in (0.01, 1.0, 100.0, 1e4, *([1.0 / best_known] if best_known > BEST_KNOWN else [])):
        yield np.sqrt(size) * np.eye(q)
    for k in range(q if q > 1 else 0):  # one coefficient varies, the others hardly
        yield np.diag(np.where(np.arange(q) == k, 10.0, 0.1))


def scoring_start(system: System, reml: bool, sigma2: float | None, size: float) -> np.ndarray | None:
    """Take one step of Fisher scoring from Theta = ``size`` I; None where that has no information.

    It solves the equations of MINQUE there (Searle, Casella & McCulloch 1992, sec. 11.3).
    """
    columns, root = system.tau_columns, np.sqrt(size) * np.eye(system.n_random)
    at = evaluate(system, columns.spread(root))
    s2 = profiled_sigma2(system, at, reml) if sigma2 is None else sigma2
    if not s2 > 0:
        return None
    basis, slope = pattern_basis(columns.pattern), score(system, at, s2, reml)
    information = expected_information(system, at, s2, reml)
    if sigma2 is not None:
        information, slope = information[:-1, :-1], slope[:-1]
    if not np.all(information.diagonal() > 0):
        return None
    scale = 1.0 / np.sqrt(information.diagonal())
    step = scale * np.linalg.lstsq(information * np.outer(scale, scale), scale * slope, rcond=1e-10)[0]
    tau = root @ root.T * s2 + np.einsum("k,kab->ab", step[: len(basis)], basis)
    variance = s2 if sigma2 is not None else max(s2 + float(step[-1]), SMALLEST_SHARE * s2)
    return well_conditioned(tau / variance, columns.pattern)


def well_conditioned(theta: np.ndarray, pattern: Pattern) -> np.ndarray:
    """Give the lower triangular root of a matrix's blocks after their small eigenvalues were raised."""
    return by_blocks(theta, pattern, _raised_root)


def _raised_root(theta: np.ndarray) -> np.ndarray:
    values, vectors = eigh(theta)
    floor = max(FLOOR * float(values[-1]), 1e-3)
    return np.linalg.cholesky(vectors * np.maximum(values, floor) @ vectors.T)
