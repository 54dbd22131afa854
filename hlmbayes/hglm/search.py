"""The maximum of the marginal likelihood: Newton's method with the observed information.

tau = chol chol' in columns that are orthonormal over all rows; the likelihood is an even function of each
column of chol, so that a variance of zero is an ordinary maximum inside the parameters, and needs no wall.
Nodes are added until the deviance stands still.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..laws.outcomes import Outcome
from .counted_rows import CountedRows
from .marginal import Marginal, marginal

STILL = 1e-6  # of the deviance: more nodes must not move it further
SURELY = 0.05  # what one more level leaves of the change, at the least counted on
GAIN = 1e-11  # the step's predicted gain in log-likelihood at which the search ends
ROUGH = 1e-2  # that at which more nodes are worth their time
MOST_STEPS = 200
FEW = {1: 7, 2: 7, 3: 5, 4: 3}  # nodes a random effect at the start of the search, for so many of them
MOST_NODES = {1: 255, 2: 63, 3: 31, 4: 15}  # for so many random effects
FLOOR = 1e-10  # of an eigenvalue of the information, relative to its diagonal


class Found(NamedTuple):
    """The optimum, the number of steps, whether it converged, and why it ended in words."""

    at: Marginal
    steps: int
    converged: bool
    reason: str


def search(rows: CountedRows, law: Outcome, n_nodes: int | None = None) -> Found:
    """Find the maximum; with ``n_nodes`` by that many nodes a random effect, else by as many as it takes."""
    q = rows.n_random
    at = _pooled(rows, law)
    if not q:
        return Found(at, 0, True, "the score is zero")
    n = n_nodes or FEW[q]
    at = marginal(rows, law, at.gamma, _first_chol(rows, law, at), n, np.zeros((q, rows.n_units)))
    found = _climb(rows, law, at, GAIN if n_nodes else ROUGH, MOST_STEPS)
    if n_nodes is None and found.converged:
        found = _with_more_nodes(rows, law, found)
    return found._replace(at=_snapped(rows, law, found.at))


def _with_more_nodes(rows: CountedRows, law: Outcome, found: Found) -> Found:
    """Go on with ever more nodes until neither they nor a further step move the deviance."""
    at, steps, last = found.at, found.steps, np.inf
    while (n := at.n_nodes + max(2, at.n_nodes // 2)) <= MOST_NODES[rows.n_random]:
        step, promised, _ = _step(at)
        expected = at.loglik + promised
        at, steps = marginal(rows, law, *_moved(rows, at, step, 1.0), n, at.modes.t), steps + 1
        moved = 2.0 * abs(at.loglik - expected)
        # the error falls at least geometrically with the level: what is left is below moved * their ratio
        if moved * max(moved / last, SURELY) < STILL and _step(at)[1] < GAIN:
            return Found(at, steps, True, found.reason)
        last = moved
    return Found(at, steps, False, f"more nodes than {at.n_nodes} a random effect still move the deviance")


def _pooled(rows: CountedRows, law: Outcome) -> Marginal:
    """Fit without random effects."""
    q = rows.n_random
    zero, t = np.zeros((q, q)), np.zeros((q, rows.n_units))
    F = rows.n_fixed
    at = marginal(rows, law, np.zeros(F), zero, 1, t)
    for _ in range(MOST_STEPS):
        step = np.linalg.solve(at.information[:F, :F], at.score[:F])
        if at.score[:F] @ step < 1e-6:
            break
        at = _better(rows, law, at, np.r_[step, np.zeros(len(at.score) - F)])
    return at


def _first_chol(rows: CountedRows, law: Outcome, at: Marginal) -> np.ndarray:
    """Take a first chol, diagonal, from how units' scores vary at tau = 0."""
    q = rows.n_random
    eta = np.einsum("pr,pr->r", rows.d, (rows.x @ at.gamma).T[:, rows.unit]) + rows.offset
    _, slope, bend = law.rows(eta, rows.y, rows.size)
    score = rows.sums(slope * rows.d[:q])
    info = rows.sums(bend * rows.d[:q] ** 2)
    variance = np.sum(score**2 - info, axis=1) / np.sum(info**2, axis=1)
    return np.diag(np.sqrt(np.clip(variance, 0.05, 4.0)))


def _climb(rows: CountedRows, law: Outcome, at: Marginal, gain: float, most: int) -> Found:
    """Take Newton's steps until the next one promises less than ``gain``."""
    for done in range(most):
        step, promised, saddle = _step(at)
        if promised < gain and not saddle:
            return Found(at, done, True, "the score is zero")
        new = _better(rows, law, at, step, max(promised, 1e-9))
        if new is at:
            flat = promised < 1e-6
            return Found(
                at, done, flat, "the score is zero to rounding" if flat else "no step raises the likelihood"
            )
        at = new
    return Found(at, most, False, f"there were more than {most} steps")


def _step(at: Marginal) -> tuple[np.ndarray, float, bool]:
    """Give Newton's step, the gain it promises, and whether it leaves a saddle."""
    scale = np.sqrt(np.maximum(np.abs(np.diag(at.information)), 1e-8))
    values, vectors = np.linalg.eigh(at.information / np.outer(scale, scale))
    along = vectors.T @ (at.score / scale)
    sure = np.maximum(np.abs(values), FLOOR)
    move = along / sure
    saddle = bool(values[0] < -1e-6 and abs(along[0]) < 1e-6)
    if saddle:
        move[0] = 0.1
    return vectors @ move / scale, float(0.5 * along @ (along / sure)), saddle


def _better(rows: CountedRows, law: Outcome, at: Marginal, step: np.ndarray, slack: float = 1e-9) -> Marginal:
    """Go along a step, shortened until the likelihood is not lower; the same point where none helps."""
    size = min(1.0, 5.0 / max(float(np.abs(step).max()), 1e-300))
    for _ in range(25):
        new = marginal(rows, law, *_moved(rows, at, step, size), at.n_nodes, at.modes.t)
        if np.isfinite(new.loglik) and new.loglik >= at.loglik - slack:
            return new
        size *= 0.4
    return at


def _moved(rows: CountedRows, at: Marginal, step: np.ndarray, size: float) -> tuple[np.ndarray, np.ndarray]:
    """Give gamma and chol a part of a step further."""
    chol = at.chol.copy()
    chol[np.tril_indices(len(chol))] += size * step[rows.n_fixed :]
    return at.gamma + size * step[: rows.n_fixed], chol


def _snapped(rows: CountedRows, law: Outcome, at: Marginal) -> Marginal:
    """Make variances exactly zero where that costs no likelihood."""
    scale = np.sqrt(np.einsum("ab,ab->a", at.chol, at.chol))
    for a in range(rows.n_random):
        chol = at.chol.copy()
        chol[a:, a] = 0.0
        if abs(at.chol[a, a]) < 0.05 * max(scale.max(), 1e-3):
            new = marginal(rows, law, at.gamma, chol, at.n_nodes, at.modes.t)
            if new.loglik >= at.loglik - 1e-7:
                at = new
    return at
