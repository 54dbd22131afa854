"""Nodes of quadrature for several random effects: products of those for one, Gauss and Hermite's.

Each direction has a number of its own: where the rows of a unit say little about one, the integrand is nearly
normal along it and needs few.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

GAUSS = 45  # nodes along a direction that are Gauss and Hermite's; more are trapezoids
WIDE = 16.0  # how far as many of these as `GAUSS` go; more go further, with the root of their number
LEAST = 1e-17  # of the normal density's mass at a node, relative to the largest: lighter ones hold nothing


class Rule(NamedTuple):
    """Places z (K, q) of a standard normal variable, and the logarithm of their weights (K,).

    ``log_weight`` has 0.5 z'z in it: the integrand is divided by the normal density it was centred with.
    ``counts`` (q,): the nodes along each direction, the one the rows say most about first.
    """

    counts: tuple[int, ...]
    z: np.ndarray
    log_weight: np.ndarray

    def of(self, group: int) -> Rule:
        """Give the rule of a group of units: the same for all."""
        return self

    @property
    def total(self) -> int:
        """How many nodes it has."""
        return len(self.z)


class GroupRules(NamedTuple):
    """A rule of its own for each group of units, as `CountedRows.group` numbers them."""

    rules: tuple[Rule, ...]

    def of(self, group: int) -> Rule:
        """Give the rule of a group of units."""
        return self.rules[group]

    @property
    def counts(self) -> tuple[int, ...]:
        """The most nodes any unit has along each direction."""
        return tuple(map(max, zip(*(rule.counts for rule in self.rules), strict=True)))

    @property
    def total(self) -> int:
        """The most nodes any unit has."""
        return max(rule.total for rule in self.rules)


type Rules = Rule | GroupRules


@lru_cache(maxsize=64)
def product_rule(counts: tuple[int, ...]) -> Rule:
    """Give ``counts[k]`` nodes along direction k: sums of weight * f(z) integrate f over normal z."""
    z, log_weight = np.zeros((1, 0)), np.zeros(1)
    for place, log_own in map(_along, counts):
        old, new = np.repeat(np.arange(len(z)), len(place)), np.tile(np.arange(len(place)), len(z))
        z, log_weight = np.column_stack([z[old], place[new]]), log_weight[old] + log_own[new]
    if max(counts, default=0) > GAUSS:
        return Rule(counts, z, log_weight)
    log_mass = log_weight - 0.5 * np.sum(z**2, axis=1)
    near = log_mass > log_mass.max() + np.log(LEAST)
    return Rule(counts, z[near], log_weight[near])


def _along(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Give n nodes of one direction and the logarithm of their weights, 0.5 z^2 in it.

    Where more than a few of Gauss and Hermite's are needed the integrand is far from normal, its tails wide
    and an edge sharp, as of units without a success where tau is very large: trapezoids need fewer there.
    """
    if n > GAUSS:
        wide = WIDE * np.sqrt(n / GAUSS)
        place = np.linspace(-wide, wide, n)
        return place, np.full(n, np.log(2.0 * wide / (n - 1)) - 0.5 * np.log(2.0 * np.pi))
    place, weight = np.polynomial.hermite_e.hermegauss(n)
    return place, np.log(weight) - 0.5 * np.log(2.0 * np.pi) + 0.5 * place**2


def few_points(q: int) -> Rule:
    """Give 2 q points that have the means and covariances of the normal distribution exactly, (2 q, q)."""
    z = np.sqrt(q) * np.concatenate([np.eye(q), -np.eye(q)])
    return Rule((1,) * q, z, np.full(2 * q, 0.5 * q - np.log(2.0 * q)))
