"""Nodes of Gauss-Hermite quadrature for several random effects: products of those for one."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

MANY = 11  # nodes along an axis from which corners are left out


class Nodes(NamedTuple):
    """Places z (K, q) of a standard normal variable, and the logarithm of their weights (K,).

    ``log_weight`` has 0.5 z'z in it: the integrand is divided by the normal density it was centred with.
    """

    z: np.ndarray
    log_weight: np.ndarray


@lru_cache(maxsize=64)
def nodes(n: int, q: int) -> Nodes:
    """Give n nodes a dimension for q of them: sums of weight * f(z) integrate f over the normal density."""
    place, weight = np.polynomial.hermite_e.hermegauss(n)
    log_weight = np.log(weight) - 0.5 * np.log(2.0 * np.pi) + 0.5 * place**2
    z = np.stack(np.meshgrid(*[place] * q, indexing="ij"), axis=-1).reshape(-1, q)
    total = np.sum(np.stack(np.meshgrid(*[log_weight] * q, indexing="ij"), axis=-1).reshape(-1, q), axis=1)
    # the corners of the product hold nothing: nodes farther out than the last one along an axis
    near = (n < MANY) | (np.einsum("kq,kq->k", z, z) <= place[-1] ** 2 * (1.0 + 1e-12))
    z, total = z[near], total[near]
    for array in (z, total):
        array.flags.writeable = False
    return Nodes(z, total)
