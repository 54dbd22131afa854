"""The optimum of the likelihood over tau, wherever it lies: inside, or on the boundary.

tau / sigma2 = Theta = F F' with F (q x r) lower trapezoidal. Newton's method in F is smooth at singular
Theta, but it has stationary points there that are no optimum. So the search goes by faces: minimise
with full rank; where directions of Theta vanish, go on with the smaller rank, which makes them exactly
zero and the rest exact; then look whether Theta wants to grow in a vanished direction (the gradient
there is negative: Karush, Kuhn and Tucker's condition), and if so start again from there.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ..likelihood.criterion import Criterion, criterion, degrees_of_freedom, trace_tensor
from ..likelihood.evaluate import Evaluation, System, evaluate
from .newton import Minimum, Point, minimise

ZERO = 1e-7  # a direction of Theta (variance relative to sigma2, Z'Z/N = I) below this is tried as zero
GROWS = 1e-7  # a gradient below minus this, relative to its natural size, asks a direction to grow
SMALLEST_SHARE = 0.05  # of the OLS residual variance, for the sigma2 of the starting values
FLOOR = 0.02  # smallest variance of the starting values, relative to the largest (Z orthonormal)
NO_RESIDUAL = 1e-9  # level-1 variance relative to the OLS residual's: below it rounding takes over


def optimum(
    system: System, reml: bool, *, sigma2: float | None = None, start: np.ndarray | None = None
) -> Minimum:
    """Minimise the criterion over Theta, positive semidefinite.

    Parameters
    ----------
    system : System
    reml : bool
    sigma2 : float, optional
        Level-1 variance held fixed (standardised units); profiled out by default.
    start : ndarray, shape (q, q), optional
        Lower triangular F to start from.

    Returns
    -------
    Minimum
        ``point.extra`` is the Evaluation there; vanished directions of its Theta are exactly zero.
    """
    found = on_face(system, reml, _start(system, reml, sigma2) if start is None else start, sigma2)
    for _ in range(system.n_random + 1):
        found = _after(found, _drop_zero_directions(system, reml, found, sigma2))
        away = _direction_to_grow(system, reml, found.point, sigma2)
        if away is None:
            break
        found = _after(found, on_face(system, reml, away, sigma2))
    return found


def _after(first: Minimum, then: Minimum) -> Minimum:
    """Join two stretches of a search."""
    if then is first:
        return first
    return replace(then, path=first.path + then.path, evaluations=first.evaluations + then.evaluations)


class Layout(NamedTuple):
    """How vec(F F') (q^2,) depends on the m free elements of F (q x r), by rows.

    Its Jacobian is ``x @ slopes`` (m, m q^2); ``curvature`` (m, m) is 2 where two elements share a
    column, and ``same_column`` the flat place in (q, q) of the element of F F' they then share in.
    """

    place: tuple[np.ndarray, np.ndarray]
    slopes: np.ndarray
    curvature: np.ndarray
    same_column: np.ndarray


@lru_cache(maxsize=64)
def layout(q: int, r: int) -> Layout:
    """Give the derivatives of F F' for lower trapezoidal F, q by r."""
    rows, cols = np.tril_indices(q)
    rows, cols = place = rows[cols < r], cols[cols < r]
    m = len(rows)
    slopes = np.zeros((m, m, q, q))
    for i in range(m):
        for k in np.flatnonzero(cols == cols[i]):
            # F_rc F_sc is part of element (r, s)
            slopes[i, k, rows[k], rows[i]] += 1.0
            slopes[i, k, rows[i], rows[k]] += 1.0
    same = 2.0 * np.equal.outer(cols, cols)
    return Layout(place, slopes.reshape(m, m * q * q), same, rows[:, None] * q + rows)


def on_face(system: System, reml: bool, factor: np.ndarray, sigma2: float | None) -> Minimum:
    """Minimise over F of the rank (number of columns) that ``factor`` has."""
    q, r = factor.shape
    free = layout(q, r)

    def objective(x: np.ndarray) -> Point:
        f = np.zeros((q, q))
        f[free.place] = x
        at = evaluate(system, f)
        if sigma2 is None and at.rss < 0.1 * NO_RESIDUAL * system.n:
            return Point(x, np.inf, np.zeros_like(x), np.eye(len(x)), at)
        c = criterion(system, at, reml, sigma2=sigma2)
        jacobian = (x @ free.slopes).reshape(len(x), q * q)
        hessian = jacobian @ c.hessian.reshape(q * q, q * q) @ jacobian.T
        hessian += free.curvature * c.gradient.take(free.same_column)
        slope = 2.0 * (c.gradient @ f)[free.place]
        return Point(x, c.value, slope, 0.5 * (hessian + hessian.T), at)

    return minimise(objective, factor[free.place])


def evaluation(point: Point) -> Evaluation:
    """Give the Evaluation a point carries."""
    at = point.extra
    assert isinstance(at, Evaluation)  # every objective of this module leaves one
    return at


def trapezoid(root: np.ndarray) -> np.ndarray:
    """Turn any root (q, r) of a matrix into its lower trapezoidal one: same F F'."""
    return np.linalg.qr(root.T, mode="r").T if root.size else root


def zero_directions(theta: np.ndarray, tolerance: float = ZERO) -> tuple[np.ndarray, np.ndarray]:
    """Give orthonormal bases of the vanished directions (q, z) and a root of the others (q, q - z)."""
    values, vectors = np.linalg.eigh(theta)
    zero = values < tolerance * max(1.0, float(values.max(initial=0.0)))
    return vectors[:, zero], vectors[:, ~zero] * np.sqrt(values[~zero])


def _drop_zero_directions(system: System, reml: bool, found: Minimum, sigma2: float | None) -> Minimum:
    """Go on with the rank that is left; keep the larger one where it is better after all."""
    at = evaluation(found.point)
    null, root = zero_directions(at.theta)
    if not null.shape[1]:
        return found
    smaller = on_face(system, reml, trapezoid(root), sigma2)
    lost = smaller.point.value - found.point.value
    if smaller.converged and lost > 1e-9 * (1.0 + abs(found.point.value)):
        return found
    return smaller


def _direction_to_grow(system: System, reml: bool, point: Point, sigma2: float | None) -> np.ndarray | None:
    """Give a better start of higher rank where the gradient asks a vanished direction to grow."""
    at = evaluation(point)
    null, root = zero_directions(at.theta)
    if not null.shape[1] or not np.isfinite(point.value):
        return None
    c = criterion(system, at, reml, sigma2=sigma2)
    values, vectors = np.linalg.eigh(null.T @ c.gradient @ null)
    direction = null @ vectors[:, 0]
    # the curvature's natural size: the gradient of a sum of J chi-squares has this standard deviation
    trace = trace_tensor(at, reml)
    curvature = float(np.einsum("a,b,c,d,abcd", direction, direction, direction, direction, trace))
    if curvature <= 0 or values[0] > -GROWS * np.sqrt(curvature):
        return None
    step = -float(values[0]) / curvature
    for _ in range(30):
        grown = trapezoid(np.column_stack([root, direction * np.sqrt(step)]))
        full = np.zeros((system.n_random, system.n_random))
        full[:, : grown.shape[1]] = grown
        if _value(system, reml, full, sigma2) < point.value:
            return grown
        step *= 0.25
    return None


def _value(system: System, reml: bool, factor: np.ndarray, sigma2: float | None) -> float:
    at = evaluate(system, factor)
    if at.rss <= 0:
        return float("inf")
    c: Criterion = criterion(system, at, reml, sigma2=sigma2)
    return c.value


def _start(system: System, reml: bool, sigma2: float | None) -> np.ndarray:
    """Start from MINQUE(0): sums of squares at Theta = 0 set equal to their expectations.

    The sums are of t_a t_b, t = Z'e, and e'e; their expectations, were the units' Z'Z diagonal, are
    tau_ab S_ab + sigma2 n [a = b] and n (sum tau_aa + sigma2), with S_ab the sum of (Z'Z)_aa (Z'Z)_bb
    over units (Z'Z/n is I over all rows). Made well conditioned.
    """
    q, n = system.n_random, system.n
    if not q:
        return np.zeros((0, 0))
    t, squares = system.products[:, -1], system.products[np.arange(q), np.arange(q)]
    if system.unit_weight is not None:
        t, squares = t * np.sqrt(system.unit_weight), squares * np.sqrt(system.unit_weight)
    s, tt = squares @ squares.T, t @ t.T
    variance = system.ee / degrees_of_freedom(system, reml) if sigma2 is None else sigma2
    share = 1.0 - n * float(np.sum(1.0 / s.diagonal()))
    if sigma2 is None and share > 0.2:  # else hardly a row is left for sigma2
        inside = variance - float(np.sum(tt.diagonal() / s.diagonal()))
        variance = max(inside / share, SMALLEST_SHARE * variance)
    theta = (tt / variance - n * np.eye(q)) / s
    values, vectors = np.linalg.eigh(theta)
    floor = max(FLOOR * float(values[-1]), 1e-3)
    return np.linalg.cholesky(vectors * np.maximum(values, floor) @ vectors.T)
