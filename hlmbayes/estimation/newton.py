"""Trust-region Newton minimisation for a few parameters with an exact Hessian.

The Hessian's eigenvectors are used throughout, so a saddle point is left along its negative
direction: in L (Theta = L L') every singular Theta is a stationary point in some directions, and
only curvature tells a boundary optimum from a place to move on from (Nocedal & Wright 2006, ch. 4).

Where something is known of the third derivatives, a Newton step n is bent by Chebyshev's correction,
-H^-1 T(n, n) / 2 (Traub 1964, sec. 5.2): the better T is known, the fewer steps remain.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..likelihood.symmetric import eigh

FLAT = 1e-7  # curvature relative to the largest, below which a direction may be flat
NOISE = 1e-11  # relative rounding of the objective: a smaller loss or gain says nothing about a step
OPTIMUM = "no smaller value nearby: the optimum"
HIDDEN = "rounding hides any smaller value nearby"
STUCK = "no step lowers the criterion further"
ROUNDING = 1e-5  # absolute, in the objective: what steps that promise nothing may appear to change
BENDS = 1.0  # promised decrease up to which a minimum is near enough for third derivatives to be of use
SETTLED = 1e-20  # a smaller promise in -2 log-likelihood: every estimate is within 2e-10 standard errors


class Point(NamedTuple):
    """A place and what is known there; ``extra`` is whatever the objective wants kept."""

    x: np.ndarray
    value: float
    gradient: np.ndarray
    hessian: np.ndarray
    extra: object


@dataclass(frozen=True, slots=True, eq=False)
class Minimum:
    """The last point, every accepted point before it, and why the search ended.

    ``lower_elsewhere``: another search found smaller values where there is no minimum to be had.
    """

    point: Point
    path: tuple[Point, ...]
    evaluations: int
    converged: bool
    reason: str
    lower_elsewhere: bool = False


def minimise(
    objective: Callable[[np.ndarray], Point], start: np.ndarray, *, tolerance: float = 1e-9, limit: int = 300,
    enough: Callable[[Point], str] | None = None,
    bend: Callable[[Point, np.ndarray], np.ndarray] | None = None,
) -> Minimum:  # fmt: skip
    """Minimise a smooth function from ``start`` (m,) in at most ``limit`` evaluations.

    The search stops once the decrease still promised by the quadratic model is below ``tolerance``; one more
    Newton step is then taken, which squares what is left, unless nothing is. It ends too where ``enough`` of
    a point is not empty, with that as its reason. ``bend`` of a point and a step n gives T(n, n) (m,), the
    third derivatives twice along n, as well as they are known.
    """
    point, radius, path = objective(start), 1.0, []
    for count in range(2, limit + 1):
        path.append(point)
        if enough is not None and (why := enough(point)):
            return Minimum(point, tuple(path), count - 1, False, why)
        values, vectors = eigh(point.hessian)
        step, promised = _step(values, vectors, point.gradient, radius, tolerance)
        convex = _convex(values)
        if convex and bend is not None and tolerance < promised < BENDS and step @ step < radius**2:
            step = step + _bent(values, vectors, bend(point, step), step)
        tried = objective(point.x + step)
        noise = NOISE * (1.0 + abs(point.value))
        gain = point.value - tried.value
        if promised < tolerance and abs(gain) < ROUNDING:
            # a step along a direction that is flat but for rounding can lose what the others gained
            if tried.gradient @ tried.gradient > point.gradient @ point.gradient:
                tried = point
            return Minimum(tried, (*path, tried), count, True, OPTIMUM)
        if convex and gain > -noise and _promise(values, vectors, tried.gradient) < SETTLED:
            return Minimum(tried, (*path, tried), count, True, OPTIMUM)
        ratio = (gain + noise) / (promised + noise) if np.isfinite(gain) else -1.0
        length = float(step @ step) ** 0.5
        if ratio < 0.25:
            radius = 0.25 * length
        elif ratio > 0.75 and length > 0.8 * radius:
            radius *= 2.0
        if ratio > 1e-4:
            point = tried
        else:
            path.pop()
        if radius < 1e-12:
            done = promised < ROUNDING
            return Minimum(point, (*path, point), count, done, HIDDEN if done else STUCK)
    return Minimum(point, (*path, point), limit, False, f"{limit} evaluations were not enough")


def _step(
    values: np.ndarray, vectors: np.ndarray, gradient: np.ndarray, radius: float, tolerance: float
) -> tuple[np.ndarray, float]:
    """Minimise the quadratic model inside the radius; give the step and the decrease it promises.

    Where one factor of a singular matrix is as good as another, the Hessian has directions whose
    curvature is rounding: they are left alone unless they promise more than the tolerance.
    """
    if not values.size:
        return gradient, 0.0
    g = vectors.T @ gradient
    largest = max(-float(values[0]), float(values[-1]))
    if values[0] < FLAT * largest:
        flat = (np.abs(values) < FLAT * largest) & (g**2 < 2.0 * tolerance * np.abs(values))
        g[flat], values = 0.0, np.where(flat, largest, values)
    tiny = 1e-12 * max(1.0, largest)
    if values.min() > tiny:
        newton = -g / values
        if newton @ newton <= radius**2:
            return vectors @ newton, float(-0.5 * (g @ newton))
    shift = _shift(values, g, radius, tiny)
    z = -g / (values + shift)
    missing = radius**2 - float(z @ z)
    if values[0] < -tiny and missing > 0:  # the hard case: along the most negative direction
        z[0] += np.copysign(np.sqrt(missing), z[0])
    return vectors @ z, float(-(g @ z) - 0.5 * np.sum(values * z**2))


def _convex(values: np.ndarray) -> bool:
    """Say whether a Hessian of these eigenvalues, ascending, bends up in all directions, none flat."""
    return bool(values.size and values[0] > FLAT * max(1e-5, float(values[-1])))


def _promise(values: np.ndarray, vectors: np.ndarray, gradient: np.ndarray) -> float:
    """Give the decrease that a convex quadratic model promises."""
    g = gradient @ vectors
    return float(0.5 * (g @ (g / values)))


def _bent(values: np.ndarray, vectors: np.ndarray, third: np.ndarray, step: np.ndarray) -> np.ndarray:
    """Give Chebyshev's correction of a Newton step; none where it is too large to be one."""
    away = vectors @ (third @ vectors / values) * -0.5
    return away if away @ away < 0.25 * (step @ step) else np.zeros_like(step)


def _shift(values: np.ndarray, g: np.ndarray, radius: float, tiny: float) -> float:
    """Find the shift of the eigenvalues at which the step has the radius' length, or the least allowed."""
    low = max(0.0, -float(values.min(initial=0.0))) + tiny
    high = low + float(np.linalg.norm(g)) / radius
    if np.linalg.norm(g / (values + low)) <= radius:
        return low
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if np.linalg.norm(g / (values + middle)) > radius else (low, middle)
        if high - low < 1e-3 * high:
            break
    return high
