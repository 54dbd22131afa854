"""The maximum of the marginal likelihood: Newton's method with the observed information.

tau = chol chol' in columns that are orthonormal over all rows; the likelihood is an even function of each
column of chol, so that a variance of zero is an ordinary maximum inside the parameters, and needs no wall.
The search goes up with few nodes; then as many as it takes are sought, direction by direction, until the
deviance stands still.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ..laws.outcomes import Outcome
from ..likelihood.symmetric import lower, place
from .blocks import Block, each_block
from .counted_rows import CountedRows
from .enough_nodes import MOST_NODES, enough, few, grouped, more, stands_still
from .marginal import Marginal, linear_predictor, loglik, marginal
from .newton import MOST_STEPS, ROUGH, higher, newton_step
from .quadrature import Rules, few_points, product_rule

LEAST, MOST = 0.05, 4.0  # variance of a first random effect, in the rows' own units
GAIN = 1e-11  # the step's predicted gain in log-likelihood at which the search ends
FEW_STEPS = 20  # once many nodes are used
SLACK = 0.05  # of the likelihood, by which a step may lower it: the nodes are not exact
MORE = {  # nodes for what few of them do not find: tau is very large
    1: [product_rule((15,)), product_rule((75,))],
    2: [product_rule((13, 9)), product_rule((75, 15))],
    3: [product_rule((11, 7, 5)), product_rule((65, 11, 7))],
    4: [product_rule((9, 5, 5, 3))],
}
NEARLY = 1e-3  # of chol's largest element: a column below it is tried as zero,
SMALL = 0.03  # and so is one below this, a standard deviation on the scale of the link
VERY_MANY = 10  # times as many nodes as some with which the optimum is looked for first
SEVERAL = 4  # random effects that are integrated by quadrature; more by Laplace's method


class Still(NamedTuple):
    """The likelihood at u = 0: ``slope`` (J, p) and ``bend`` (J, p (p + 1) / 2) are the units', in D*."""

    gamma: np.ndarray
    loglik: float
    score: np.ndarray
    information: np.ndarray
    slope: np.ndarray
    bend: np.ndarray


def pooled(rows: CountedRows, law: Outcome) -> Still:
    """Fit without random effects, roughly."""
    at = _still(rows, law, rows.first)
    for _ in range(MOST_STEPS):
        step, promised, _ = newton_step(at.score, at.information)
        if promised < ROUGH or (new := _further(rows, law, at, step)) is None:
            break
        at = new
    return at


def first_chol(rows: CountedRows, at: Still) -> np.ndarray:
    """Take a first chol, diagonal, from how units' scores vary at tau = 0."""
    own = rows.random
    score, info = at.slope[:, own], at.bend[:, place(own, own)]
    variance = rows.weight @ (score**2 - info) / (rows.weight @ info**2)
    return np.diag(np.sqrt(np.clip(variance, LEAST, MOST)))


def _further(rows: CountedRows, law: Outcome, at: Still, step: np.ndarray) -> Still | None:
    return higher(step, lambda size: _still(rows, law, at.gamma + size * step), at.loglik - 1e-9)


def _still(rows: CountedRows, law: Outcome, gamma: np.ndarray) -> Still:
    eta, (J, p, _) = linear_predictor(rows, gamma), rows.x.shape
    a, b = lower(p)
    value, slope, bend = np.empty(J), np.empty((J, p)), np.empty((J, len(a)))

    def work(block: Block) -> None:
        still = block.predictor(eta, np.zeros((len(block.units), rows.n_random, 1)))
        for own, found in zip((value[:, None], slope, bend), block.slopes(law, still), strict=True):
            own[block.units] = found[..., 0].reshape(len(block.units), -1)

    each_block(work, rows.unit_blocks)
    full = np.empty((J, p, p))
    full[:, a, b] = full[:, b, a] = bend * rows.weight[:, None]
    scores = rows.weight[:, None] * (slope[:, None] @ rows.x)[:, 0]
    information = np.tensordot(rows.x, full @ rows.x, axes=([0, 1], [0, 1]))
    rows.cuts.add_slopes(gamma, scores, information)
    loglik = float(rows.weight @ value + rows.cuts.unit_values(gamma).sum())
    return Still(gamma, loglik, scores.sum(axis=0), information, slope, bend)


class Found(NamedTuple):
    """The optimum, the number of steps, whether it converged, and why it ended in words."""

    at: Marginal
    steps: int
    converged: bool
    reason: str


def search(rows: CountedRows, law: Outcome) -> Found:
    """Find the maximum by as many nodes as it takes, for up to four random effects."""
    found = rough(rows, law)
    if not rows.n_random:
        return found
    if not found.converged:
        return found
    rows = grouped(rows, found.at.modes)
    found, rule = nearer(rows, law, found)
    while True:
        at = marginal(rows, law, found.at.gamma, found.at.chol, rule, found.at.modes.t)
        steps, found = found.steps, climb(rows, law, at, GAIN, FEW_STEPS)
        found = found._replace(steps=steps + found.steps, at=snapped(rows, law, found.at))
        if found.converged and stands_still(rows, law, found.at):
            return found._replace(at=replace(found.at, rule=product_rule(found.at.rule.counts)))
        # where the nodes are too few the score leads astray: with more it is found
        rule = more(rule, 4 if found.converged else 2, zero=int((~found.at.chol.any(axis=0)).sum()))
        if rule.total > MOST_NODES:
            counts = " x ".join(map(str, found.at.rule.counts))
            return found._replace(converged=False, reason=f"more nodes than {counts} still move the deviance")


def nearer(rows: CountedRows, law: Outcome, found: Found) -> tuple[Found, Rules]:
    """Give the nodes it takes; of three effects or more, where they are very many, climb with fewer first.

    Few nodes may have led far from the optimum, and every step with very many of them is slow.
    """
    rule = enough(rows, law, found.at)
    for fewer in MORE[q] if (q := rows.n_random) > 2 else ():
        if rule.total <= VERY_MANY * fewer.total:
            break
        at = marginal(rows, law, found.at.gamma, found.at.chol, fewer, found.at.modes.t)
        climbed = climb(rows, law, at, ROUGH, FEW_STEPS)
        found = found._replace(at=snapped(rows, law, climbed.at), steps=found.steps + climbed.steps)
        rule = enough(rows, law, found.at)
    return found, rule


def rough(rows: CountedRows, law: Outcome) -> Found:
    """Climb from the fit without random effects with few nodes: to the optimum where there are none."""
    q = rows.n_random
    if not q:
        at = marginal(rows, law, rows.first, np.zeros((0, 0)), product_rule(()), np.zeros((0, rows.n_units)))
        return climb(rows, law, at, GAIN, MOST_STEPS)
    still = pooled(rows, law)
    start = first_chol(rows, still)
    for rule in [few(q), *MORE[q]] if q <= SEVERAL else [few_points(q)]:
        here = marginal(rows, law, still.gamma, start, rule, np.zeros((q, rows.n_units)))
        found = climb(rows, law, here, ROUGH, MOST_STEPS)
        if found.converged:
            break
    return found


def climb(rows: CountedRows, law: Outcome, at: Marginal, gain: float, most: int) -> Found:
    """Take Newton's steps until the next one promises less than ``gain``."""
    for done in range(most):
        step, promised, saddle = newton_step(at.score, at.information)
        if promised < max(gain, at.rounding) and not saddle:
            return Found(at, done, True, "the score is zero")
        new = _better(rows, law, at, step, min(max(promised, 1e-9), SLACK))
        if new is at:
            flat = promised < max(1e-6, at.rounding)
            return Found(
                at, done, flat, "the score is zero to rounding" if flat else "no step raises the likelihood"
            )
        at = new
    return Found(at, most, False, f"there were more than {most} steps")


def _better(rows: CountedRows, law: Outcome, at: Marginal, step: np.ndarray, slack: float = 1e-9) -> Marginal:
    """Go along a step, shortened until the likelihood is not lower; the same point where none helps."""
    least = at.loglik - max(slack, at.rounding)
    new = higher(step, lambda size: _tried(rows, law, at, step, size), least)
    return at if new is None else new


def _tried(rows: CountedRows, law: Outcome, at: Marginal, step: np.ndarray, size: float) -> Marginal:
    """Evaluate a part of a step further; with no likelihood where it leaves the numbers there are."""
    try:
        return marginal(rows, law, *moved(rows, at, step, size), at.rule, at.modes.t)
    except np.linalg.LinAlgError:
        return replace(at, constant=-np.inf)


def moved(
    rows: CountedRows, at: Marginal, step: np.ndarray, size: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Give gamma and chol a part of a step further."""
    chol = at.chol.copy()
    for (a, b), change in zip(rows.free, step[rows.n_fixed :], strict=True):
        chol[a, b] += size * change
    return at.gamma + size * step[: rows.n_fixed], chol


def snapped(rows: CountedRows, law: Outcome, at: Marginal) -> Marginal:
    """Make directions of tau exactly zero where that costs no likelihood."""
    scale = max(float(np.abs(at.chol).max(initial=0.0)), 1e-3)
    for b in range(rows.n_random):
        if not at.chol[:, b].any() or np.abs(at.chol[:, b]).max() > max(NEARLY * scale, SMALL):
            continue
        chol = at.chol.copy()
        chol[:, b] = 0.0
        if loglik(rows, law, at.gamma, chol, at.rule, at.modes.t) >= at.loglik - max(1e-8, at.rounding):
            at = marginal(rows, law, at.gamma, chol, at.rule, at.modes.t)
    return at
