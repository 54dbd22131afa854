"""The optimum of the likelihood over tau, wherever it lies: inside, or on the boundary.

tau / sigma2 = Theta = F F' with F (q x r) lower trapezoidal. Newton's method in F is smooth at singular
Theta, but it has stationary points there that are no optimum. So the search goes by faces: minimise
with full rank; where directions of Theta vanish, go on with the smaller rank, which makes them exactly
zero and the rest exact; then look whether Theta wants to grow in a vanished direction (the gradient
there is negative: Karush, Kuhn and Tucker's condition), and if so start again from there.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .criterion import Criterion, criterion, trace_tensor
from .likelihood import Evaluation, System, evaluate
from .newton import Minimum, Point, minimise

ZERO = 1e-7  # a direction of Theta (variance relative to sigma2, Z'Z/N = I) below this is tried as zero
GROWS = 1e-7  # a gradient below minus this, relative to its natural size, asks a direction to grow
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
    found = on_face(system, reml, _start(system, reml) if start is None else start, sigma2)
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


def on_face(system: System, reml: bool, factor: np.ndarray, sigma2: float | None) -> Minimum:
    """Minimise over F of the rank (number of columns) that ``factor`` has."""
    q, r = factor.shape
    rows, cols = (index[np.tril_indices(q)[1] < r] for index in np.tril_indices(q))
    same_column = np.equal.outer(cols, cols)
    m = np.arange(len(rows))

    def objective(x: np.ndarray) -> Point:
        f = np.zeros((q, q))
        f[rows, cols] = x
        at = evaluate(system, f)
        if sigma2 is None and at.rss < 0.1 * NO_RESIDUAL * system.n:
            return Point(x, np.inf, np.zeros_like(x), np.eye(len(x)), at)
        c = criterion(system, at, reml, sigma2=sigma2)
        half = np.zeros((len(rows), q, q))  # d vec(F F') / d F_ik = e_i f_k' + f_k e_i'
        half[m, rows, :] = f[:, cols].T
        j = (half + half.transpose(0, 2, 1)).reshape(len(rows), q * q)
        hessian = j @ c.hessian.reshape(q * q, q * q) @ j.T
        hessian += 2.0 * same_column * c.gradient[rows[:, None], rows]
        return Point(x, c.value, 2.0 * (c.gradient @ f)[rows, cols], 0.5 * (hessian + hessian.T), at)

    return minimise(objective, factor[rows, cols])


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
    if not null.shape[1]:
        return None
    c = criterion(system, at, reml, sigma2=sigma2)
    values, vectors = np.linalg.eigh(null.T @ c.gradient @ null)
    direction = null @ vectors[:, 0]
    # the curvature's natural size: the gradient of a sum of J chi-squares has this standard deviation
    trace = trace_tensor(at, reml)
    curvature = float(np.einsum("a,b,c,d,abcd", direction, direction, direction, direction, trace))
    if values[0] > -GROWS * np.sqrt(curvature):
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


def _start(system: System, reml: bool) -> np.ndarray:
    """Start from one Fisher-scoring step away from Theta = 0 (MIVQUE(0)), made well conditioned."""
    q = system.n_random
    if not q:
        return np.zeros((0, 0))
    at = evaluate(system, np.zeros((q, q)))
    c = criterion(system, at, reml)
    # the expected curvature in Theta_ab, other elements aside, is the sum of H_aa H_bb
    theta = -c.gradient / np.einsum("aabb->ab", at.hh)
    values, vectors = np.linalg.eigh(theta)
    floor = max(0.1 * float(values[-1]), 1e-3)
    return np.linalg.cholesky(vectors * np.maximum(values, floor) @ vectors.T)
