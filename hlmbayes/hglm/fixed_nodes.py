"""The maximum of what a given number of nodes makes of the likelihood; with one node it is Laplace's.

That function's own slopes differ from the score by what the nodes leave out, so they are taken by central
differences: what lme4 and glmmTMB call the Laplace approximation, or nAGQ nodes, is this maximum.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..laws.outcomes import Outcome
from .counted_rows import CountedRows
from .marginal import Marginal, linear_predictor, marginal, unit_logliks
from .modes import find_modes
from .newton import higher, newton_step
from .quadrature import product_rule
from .search import Found, moved, rough

GAIN = 1e-9  # the step's predicted gain in log-likelihood at which the search ends
MOST_STEPS = 60
SLOPE, BEND = 1e-3, 1e-2  # steps of differences, in standard errors
EXACT_MODES = 1e-10  # of a step in t: differences show what is left of it


def search_with(rows: CountedRows, law: Outcome, counts: tuple[int, ...]) -> Found:
    """Find the maximum by ``counts`` (q,) nodes along the directions of the random effects."""
    found = rough(rows, law)
    if not rows.n_random or not found.converged:
        return found
    start = replace(found.at, rule=product_rule(counts))
    surface = Surface(rows, law, start)
    for done in range(MOST_STEPS):
        by_unit, information = surface.slopes(), surface.bends()
        step, promised, saddle = newton_step(by_unit.sum(axis=0), information)
        if promised < GAIN and not saddle:
            return Found(surface.marginal(by_unit, information), found.steps + done, True, found.reason)
        further = surface.moved(step)
        if further is surface:
            break
        surface = further
    at = surface.marginal(by_unit, information)
    return Found(at, found.steps + done, promised < 1e-6, "no step raises the likelihood")


@dataclass(frozen=True, eq=False)
class Surface:
    """The approximate log-likelihood about a point."""

    rows: CountedRows
    law: Outcome
    at: Marginal  # whose gamma, chol, rule and modes count

    @cached_property
    def scale(self) -> np.ndarray:
        """About a standard error of each parameter, (P,)."""
        return np.asarray(1.0 / np.sqrt(np.maximum(np.abs(np.diag(self.at.information)), 1e-6)))

    @cached_property
    def loglik(self) -> float:
        """The approximate log-likelihood at the point."""
        return float(self.unit_logliks(np.zeros(len(self.scale))).sum())

    def unit_logliks(self, change: np.ndarray) -> np.ndarray:
        """Give each unit's log-likelihood (J,) at a change (P,) of the parameters."""
        gamma, chol = moved(self.rows, self.at, change)
        eta = linear_predictor(self.rows, gamma)
        modes = find_modes(self.rows, self.law, eta, chol, self.at.modes.t, EXACT_MODES)
        found = unit_logliks(self.rows, self.law, eta, chol, modes, self.at.rule)
        return np.asarray(found + self.rows.cuts.unit_values(gamma))

    def slopes(self) -> np.ndarray:
        """Give the units' slopes by central differences, (J, P)."""
        steps = SLOPE * np.diag(self.scale)
        pairs = [self.unit_logliks(step) - self.unit_logliks(-step) for step in steps]
        return np.stack(pairs, axis=1) / (2.0 * SLOPE * self.scale)

    def bends(self) -> np.ndarray:
        """Give minus the second derivatives by central differences, (P, P)."""
        steps = BEND * np.diag(self.scale)
        P = len(steps)

        def value(change: np.ndarray) -> float:
            return float(self.unit_logliks(change).sum())

        centre, bends = self.loglik, np.empty((P, P))
        for i in range(P):
            bends[i, i] = 2.0 * centre - value(steps[i]) - value(-steps[i])
            for j in range(i):
                same = value(steps[i] + steps[j]) + value(-steps[i] - steps[j])
                bends[i, j] = bends[j, i] = same
        # f(i+j) + f(-i-j) = 2 f - b_ii - b_jj - 2 b_ij in units of the steps
        own = np.diag(bends).copy()
        off = 0.5 * (2.0 * centre - bends - own[:, None] - own)
        np.fill_diagonal(off, own)
        return np.asarray(off / (BEND**2 * np.outer(self.scale, self.scale)))

    def moved(self, step: np.ndarray) -> Surface:
        """Go along a step, shortened until the likelihood is not lower; the same where none helps."""

        def at(size: float) -> Surface:
            gamma, chol = moved(self.rows, self.at, step, size)
            return Surface(self.rows, self.law, replace(self.at, gamma=gamma, chol=chol))

        found = higher(step, at, self.loglik - 1e-10 * abs(self.loglik))
        return self if found is None else found

    def marginal(self, by_unit: np.ndarray, information: np.ndarray) -> Marginal:
        """Give the point with its own slopes and bends; by one node moments of u are mode and curvature."""
        at = self.at
        there = marginal(self.rows, self.law, at.gamma, at.chol, at.rule, at.modes.t)
        second = there.second
        if max(at.rule.counts) == 1:
            root = there.modes.root
            second = np.einsum("ja,jb->jab", there.mean, there.mean) + root @ root.swapaxes(1, 2)
        return replace(there, unit_scores=by_unit, information=information, second=second)


def with_own_slopes(rows: CountedRows, law: Outcome, at: Marginal) -> Marginal:
    """Give a point with the slopes and bends of what its nodes make of the likelihood."""
    surface = Surface(rows, law, at)
    return surface.marginal(surface.slopes(), surface.bends())
