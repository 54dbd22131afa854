"""Nodes of Gauss-Hermite quadrature for several random effects: products of those for one.

Each direction has a number of its own: where the rows of a unit say little about one, the integrand is nearly
normal along it and needs few.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

LEAST = 1e-17  # of the normal density's mass at a node, relative to the largest: lighter ones hold nothing


class Rule(NamedTuple):
    """Places z (K, q) of a standard normal variable, and the logarithm of their weights (K,).

    ``log_weight`` has 0.5 z'z in it: the integrand is divided by the normal density it was centred with.
    ``counts`` (q,): the nodes along each direction, the one the rows say most about first.
    """

    counts: tuple[int, ...]
    z: np.ndarray
    log_weight: np.ndarray


@lru_cache(maxsize=64)
def product_rule(counts: tuple[int, ...]) -> Rule:
    """Give ``counts[k]`` nodes along direction k: sums of weight * f(z) integrate f over normal z."""
    axes = [np.polynomial.hermite_e.hermegauss(n) for n in counts]
    z, log_mass = np.zeros((1, 0)), np.zeros(1)
    for place, weight in axes:
        old, new = np.repeat(np.arange(len(z)), len(place)), np.tile(np.arange(len(place)), len(z))
        z = np.column_stack([z[old], place[new]])
        log_mass = log_mass[old] + np.log(weight)[new] - 0.5 * np.log(2.0 * np.pi)
    near = log_mass > log_mass.max() + np.log(LEAST)
    return Rule(counts, z[near], (log_mass + 0.5 * np.sum(z**2, axis=1))[near])


def few_points(q: int) -> Rule:
    """Give 2 q points that have the means and covariances of the normal distribution exactly, (2 q, q)."""
    z = np.sqrt(q) * np.concatenate([np.eye(q), -np.eye(q)])
    return Rule((1,) * q, z, np.full(2 * q, 0.5 * q - np.log(2.0 * q)))
