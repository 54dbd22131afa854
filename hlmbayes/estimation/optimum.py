"""The optimum of the likelihood over tau, wherever it lies: inside, or on the boundary.

tau / sigma2 = Theta = F F' with F (q x r) lower trapezoidal, in each of tau's blocks where there are several
(`faces_of_theta`; in the columns in which Theta has them, `likelihood.pattern`). Newton's method in F is
smooth at singular Theta, but it has stationary points there that are no optimum. So the search goes by faces:
minimise with full rank; where directions of Theta vanish, go on with the smaller rank, which makes them
exactly zero and the rest exact; then look whether Theta wants to grow in a vanished direction (the gradient
there is negative: Karush, Kuhn and Tucker's condition), and if so start again from there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np

from ..likelihood.criterion import Criterion, criterion, degrees_of_freedom, trace_tensor
from ..likelihood.evaluate import Evaluation, System, evaluate
from ..likelihood.pattern import by_blocks
from ..likelihood.symmetric import all_above, eigh
from .faces_of_theta import Root, free_root, layout, trapezoid, whole_root, zero_directions
from .newton import OPTIMUM, Minimum, Point, minimise
from .starts import FEW_UNITS, alike_theta, moment_start, other_starts

GROWS = 1e-7  # a gradient below minus this, relative to its natural size, asks a direction to grow
DIFFERENT = 1e-5  # between the criterion at two optima: a smaller difference may be rounding
NEAR = 4.0  # above an optimum found: up to here another search may be seen to go there too
LARGE = 1e5  # Theta: from here columns of Z are sought in which it is not
Joins = Callable[[Point], bool] | None  # says whether a search is seen to go where another went
JOINED = "the search joins another"
TOO_LARGE = "tau is large beside sigma2"
LIMIT = 100  # evaluations of a search in the same columns
ROUNDS = 5  # how often columns are sought anew
AGREES = 0.2  # relative, between what the criterion is above an optimum and what its expansion says
CURVED = 1e-4  # smallest eigenvalue of the Hessian, scaled to a unit diagonal
NO_RESIDUAL = 1e-9  # level-1 variance relative to the OLS residual's: below it rounding takes over
HARDLY_A_RESIDUAL = 1e-5  # the same where a search did not end at an optimum in all its digits
NO_SHARE = 1e-4  # of sigma2 in the rows' variance: below it, zero is as likely (of 250 data sets with as many
# random effects as rows, simulated, the optima with a level-1 variance have 0.003 at least, others 1e-6)


def optimum(
    system: System, reml: bool, *, sigma2: float | None = None, start: np.ndarray | None = None,
    thorough: bool = True,
) -> Minimum:  # fmt: skip
    """Minimise the criterion over Theta, positive semidefinite.

    The likelihood may have several maxima: searches go out from several places, and each of them ends
    as soon as it is seen to join one made before.

    ``sigma2`` is a level-1 variance held fixed (standardised units), profiled out by default; ``start`` a
    lower triangular root (q, q) of tau's pattern to start from, there only. Without ``thorough`` there is no
    other start than the first. ``evaluation(found.point)`` is the likelihood there; vanished directions of
    `theta_at` are exactly zero.
    """
    pattern, size = system.tau_columns.pattern, _weight_size(system)
    if size != 1.0:
        found = optimum(system.counted_times(1.0 / size), reml, sigma2=sigma2, start=start, thorough=thorough)
        return _again(system, reml, found, sigma2)
    if start is not None:
        return _search(system, reml, whole_root(start, pattern), sigma2)
    alike = alike_theta(system, sigma2) if system.n_random else None
    found = _search(system, reml, whole_root(moment_start(system, reml, sigma2, alike), pattern), sigma2)
    if not thorough or _weighting_makes_no_difference(system, reml, found, sigma2, alike):
        return found
    for other in other_starts(system, reml, sigma2):
        then = _search(system, reml, whole_root(other, pattern), sigma2, _joins(found))
        found = _better(system, reml, found, then, sigma2)
        if then.reason == JOINED and then.evaluations == 1 and system.n_units > FEW_UNITS:
            break
    return found


def _weight_size(system: System) -> float:
    """Give the size of the units' sampling weights, a power of 2: dividing by it loses no digits.

    The criterion is as large as they are, and when a search may end is judged by what it still falls.
    """
    weight = system.unit_weight
    return 1.0 if weight is None else float(2.0 ** np.round(np.log2(weight.mean())))


def _again(system: System, reml: bool, found: Minimum, sigma2: float | None) -> Minimum:
    """Evaluate the points of a search in another system of the same columns."""

    def again(point: Point) -> Point:
        return _point(system, reml, _place(point).root, sigma2)

    return replace(found, point=again(found.point), path=tuple(map(again, found.path)))


def _weighting_makes_no_difference(
    system: System, reml: bool, found: Minimum, sigma2: float | None, alike: np.ndarray | None
) -> bool:
    """Say whether many units, weighed alike, have a Theta about as likely as the optimum found.

    Of 1,500 data sets simulated as in tests/estimation/test_optimum.py, heavy-tailed and unbalanced, 3 had a
    higher maximum elsewhere; this is said of 555 of them, and of none of the 3.
    """
    if not system.n_random:
        return True
    if alike is None or not is_minimum(system, reml, found, sigma2):
        return False
    return 0.0 <= _expansion(found.point)(alike) < NEAR


def _search(system: System, reml: bool, start: Root, sigma2: float | None, joins: Joins = None) -> Minimum:
    """Go from one place to the optimum that is reached from there."""
    found = on_face(system, reml, start, sigma2, joins)
    if found.reason == JOINED:
        return found
    for _ in range(system.n_random + 1):
        vanished = zero_directions(theta_at(found.point), system.tau_columns.pattern)
        if not vanished.n_null:
            break
        found = _after(found, _drop_zero_directions(system, reml, found, vanished.roots, sigma2))
        away = _direction_to_grow(system, reml, found.point, sigma2)
        if away is None:
            break
        found = _after(found, on_face(system, reml, away, sigma2))
    return found


def _better(system: System, reml: bool, first: Minimum, then: Minimum, sigma2: float | None) -> Minimum:
    """Keep the search that ended lower, but one that ended at a minimum rather than one that did not."""
    evaluations = first.evaluations + then.evaluations
    if then.reason == JOINED:
        return replace(first, evaluations=evaluations)
    proper = is_minimum(system, reml, then, sigma2)
    wins = is_lower(then, first) if proper == is_minimum(system, reml, first, sigma2) else proper
    best, other = (then, first) if wins else (first, then)
    elsewhere = first.lower_elsewhere or (
        not is_minimum(system, reml, other, sigma2) and is_lower(other, best)
    )
    return replace(best, evaluations=evaluations, lower_elsewhere=elsewhere)


def is_lower(one: Minimum, other: Minimum) -> bool:
    """Say whether a search ended lower than another, by more than rounding."""
    margin = DIFFERENT * (1.0 + 1e-5 * abs(other.point.value))
    return bool(one.point.value < other.point.value - margin)


def is_minimum(system: System, reml: bool, found: Minimum, sigma2: float | None) -> bool:
    """Say whether a search ended at a minimum, and did not break off on its way to no level-1 variance."""
    if not (found.converged and np.isfinite(found.point.value)):
        return False
    return sigma2 is not None or has_level1_variance(system, reml, found)


def is_curved(found: Minimum) -> bool:
    """Say whether a search ended at a minimum inside, and the criterion bends up in all directions there."""
    pattern, hessian = _place(found.point).root.face.pattern, found.point.hessian
    if not found.converged or len(hessian) < pattern.n_free or not np.all(hessian.diagonal() > 0):
        return False
    scale = 1.0 / np.sqrt(hessian.diagonal())
    return all_above(hessian * np.multiply.outer(scale, scale), CURVED)


def has_level1_variance(system: System, reml: bool, found: Minimum) -> bool:
    """Say whether a search ended with a level-1 variance, profiled out, that is more than rounding.

    Where the units' own coefficients fit every row (no more rows than random effects, say), the criterion may
    fall to a limit as sigma2 goes to zero, and a search stops somewhere on its way there. sigma2 then has no
    share in the rows' variance: tr(P) sigma2 is next to nothing.
    """
    at = evaluation(found.point)
    least = NO_RESIDUAL if found.reason == OPTIMUM else HARDLY_A_RESIDUAL
    if not at.rss > least * system.n:
        return False
    if system.left > NO_RESIDUAL * system.n:
        return True
    df = degrees_of_freedom(system, reml)
    return bool(df - np.sum(at.theta * (at.h - at.p if reml else at.h)) > NO_SHARE * df)


def _joins(found: Minimum) -> Joins:
    """Give what tells whether a point of a new search lies in the valley whose floor was found.

    So it does where the criterion is what its second-order expansion about the floor says.
    """
    if not (found.converged and np.isfinite(found.point.value)):
        return None
    expected = _expansion(found.point)

    def joins(point: Point) -> bool:
        rise = point.value - found.point.value
        if not abs(rise) < NEAR:
            return False
        return bool(abs(rise - expected(evaluation(point).theta)) < AGREES * abs(rise) + 1e-6)

    return joins


def _expansion(point: Point) -> Callable[[np.ndarray], float]:
    """Give the criterion's second-order expansion about a point, less its value there: Theta -> float."""
    at, c, _ = _place(point)
    assert c is not None  # the value is finite
    slope, curvature = c.gradient.reshape(-1), c.hessian.reshape(c.gradient.size, -1)

    def expansion(theta: np.ndarray) -> float:
        away = (theta - at.theta).reshape(-1)
        return float(slope @ away + 0.5 * (away @ curvature @ away))

    return expansion


def _after(first: Minimum, then: Minimum) -> Minimum:
    """Join two stretches of a search."""
    if then is first:
        return first
    return replace(then, path=first.path + then.path, evaluations=first.evaluations + then.evaluations)


def on_face(system: System, reml: bool, start: Root, sigma2: float | None, joins: Joins = None) -> Minimum:
    """Minimise over the F of a face, from ``start``.

    Where Theta is large the search is made in columns of Z in which it is not: sums over units of fourth
    powers of Z would lose what is small in them.
    """
    found, pattern = _minimise_on_face(system, reml, start, sigma2, joins), start.face.pattern
    for _ in range(ROUNDS):
        theta = evaluation(found.point).theta
        if found.reason == JOINED or np.trace(theta) < (LARGE if found.converged else 0.01 * LARGE):
            break
        # the size of tau is wanted, not its digits: what is rounding beside its largest part is raised
        raised = (1.0 + 1e-12 * np.trace(theta)) * np.eye(len(theta))
        m = np.linalg.cholesky(theta + raised)
        own = m if pattern.full else by_blocks(theta_at(found.point) + raised, pattern, np.linalg.cholesky)
        value = np.linalg.solve(own, _place(found.point).root.value)
        turned, there = system.turned(m, own), trapezoid(start.face.parts(value), pattern)
        then = _minimise_on_face(turned, reml, there, sigma2, None)
        found = _after(found, _turned_back(system, reml, then, own, sigma2))
        if found.converged:
            break
    return found


def _turned_back(
    system: System, reml: bool, found: Minimum, own: np.ndarray, sigma2: float | None
) -> Minimum:
    """Say what a search found in columns scaled by ``own`` (see `System.turned`) in those of the system."""

    def back(point: Point) -> Point:
        value, face = _place(point).root
        return _point(system, reml, trapezoid(face.parts(own @ value), face.pattern), sigma2)

    *path, last = [back(point) for point in (*found.path, found.point)]
    return replace(found, point=last, path=tuple(path))


def _minimise_on_face(system: System, reml: bool, start: Root, sigma2: float | None, joins: Joins) -> Minimum:
    def objective(x: np.ndarray) -> Point:
        return _point(system, reml, free_root(x, start.face), sigma2)

    def enough(point: Point) -> str:
        if joins is not None and joins(point):
            return JOINED
        return TOO_LARGE if point.x @ point.x > 10.0 * LARGE else ""  # the trace of F F'

    first, bend = start.value[layout(start.face).place], partial(third_along, system)
    return minimise(objective, first, enough=enough, limit=LIMIT, bend=bend)


def third_along(system: System, point: Point, step: np.ndarray) -> np.ndarray:
    """Give about the third derivatives of the criterion, twice along a step of F's free elements, (m,).

    With Theta's step D and Theta the optimum of J units that are all alike, the criterion's third derivatives
    along D, twice, are -4 J H D H D H, H their Z'V^-1Z: the gradient of J (log|H^-1| + tr(H S)) where S is
    H^-1. What is due to Theta being quadratic in F is exact.
    """
    at, c, (f, face) = _place(point)
    if c is None:
        return np.zeros_like(step)
    columns, place, shape = system.tau_columns, layout(face).place, at.theta.shape
    e = np.zeros_like(f)
    e[place] = step
    d = f @ e.T
    d += d.T
    h = columns.gathered(at.h) / system.n_units
    curved = columns.gathered_twice(c.hessian.reshape(d.size, d.size))
    along, bent = (np.stack([d.reshape(-1), 2.0 * (e @ e.T).reshape(-1)]) @ curved).reshape(2, *shape)
    bent = bent - 4.0 * system.n_units * (h @ d @ h @ d @ h)
    return np.asarray(((bent + bent.T) @ f + 2.0 * (along + along.T) @ e)[place])


def _point(system: System, reml: bool, root: Root, sigma2: float | None) -> Point:
    """Evaluate the criterion at F (q, r), with its derivatives in F's free elements."""
    columns, free = system.tau_columns, layout(root.face)
    (q, r), x, f = root.face.shape, root.value[free.place], root.value
    if r < q:
        f = np.zeros((q, q))
        f[:, :r] = root.value
    at = evaluate(system, columns.spread(f))
    if sigma2 is None and at.rss < 0.1 * NO_RESIDUAL * system.n:
        return Point(x, np.inf, np.zeros_like(x), np.eye(len(x)), Place(at, None, root))
    c = criterion(system, at, reml, sigma2=sigma2)
    jacobian = (x @ free.slopes).reshape(len(x), q * q)
    gradient = columns.gathered(c.gradient)
    hessian = jacobian @ columns.gathered_twice(c.hessian.reshape(q * q, q * q)) @ jacobian.T
    hessian += free.curvature * gradient.take(free.same_column)
    slope = 2.0 * (gradient @ f)[free.place]
    return Point(x, c.value, slope, 0.5 * (hessian + hessian.T), Place(at, c, root))


class Place(NamedTuple):
    """What a point of a search carries: the likelihood, its criterion where that is finite, and F."""

    at: Evaluation
    criterion: Criterion | None
    root: Root


class Asked(NamedTuple):
    """How strongly a vanished direction (q_b,) of a block asks to grow, and a first step for it."""

    strength: float
    block: int
    direction: np.ndarray
    step: float


def _place(point: Point) -> Place:
    place = point.extra
    assert isinstance(place, Place)  # every objective of this module leaves one
    return place


def evaluation(point: Point) -> Evaluation:
    """Give the likelihood at a point of a search for the optimum."""
    return _place(point).at


def theta_at(point: Point) -> np.ndarray:
    """Give Theta at a point of a search, in the columns in which it has tau's pattern."""
    at, _, root = _place(point)
    return at.theta if root.face.pattern.full else root.value @ root.value.T


def _drop_zero_directions(
    system: System, reml: bool, found: Minimum, roots: Sequence[np.ndarray], sigma2: float | None
) -> Minimum:
    """Go on with the ranks that are left, from their roots; keep the larger ones where they are better."""
    smaller = on_face(system, reml, trapezoid(roots, system.tau_columns.pattern), sigma2)
    lost = smaller.point.value - found.point.value
    if smaller.converged and lost > 1e-9 * (1.0 + abs(found.point.value)):
        return found
    return smaller


def _direction_to_grow(system: System, reml: bool, point: Point, sigma2: float | None) -> Root | None:
    """Give a better start of higher rank where the gradient asks a vanished direction to grow."""
    at, c, _ = _place(point)
    columns = system.tau_columns
    null, roots = zero_directions(theta_at(point), columns.pattern)
    if c is None or not np.isfinite(point.value):
        return None
    gradient, trace, asks = columns.gathered(c.gradient), trace_tensor(at, reml), None
    for k, block in enumerate(columns.pattern.blocks):
        if not null[k].shape[1]:
            continue
        values, vectors = eigh(null[k].T @ gradient[np.ix_(block, block)] @ null[k])
        direction = np.zeros(len(gradient))
        direction[list(block)] = null[k] @ vectors[:, 0]
        # the curvature's natural size: the gradient of a sum of J chi-squares has this standard deviation
        d = columns.spread(direction)
        curvature = float(np.einsum("a,b,c,d,abcd", d, d, d, d, trace))
        if curvature <= 0 or values[0] > -GROWS * np.sqrt(curvature):
            continue
        asked = Asked(
            -float(values[0]) / np.sqrt(curvature), k, direction[list(block)], -float(values[0]) / curvature
        )
        asks = asked if asks is None else max(asks, asked, key=lambda a: a.strength)
    if asks is None:
        return None
    step = asks.step
    for _ in range(30):
        parts = list(roots)
        parts[asks.block] = np.column_stack([roots[asks.block], asks.direction * np.sqrt(step)])
        grown = trapezoid(parts, columns.pattern)
        if _point(system, reml, grown, sigma2).value < point.value:
            return grown
        step *= 0.25
    return None
