"""The design of an outcome of categories: that of one set of equations, for every category but the last.

Its level-1 columns are those of category 1, then those of category 2, ..., and D'D is block-diagonal: what is
orthonormal for one set is so for all.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..equations.categories import with_categories
from ..likelihood.design import Design
from ..likelihood.orthonormal import Orthonormal, Products


def places_of(n_random: int, n_columns: int, K: int) -> np.ndarray:
    """Give where the columns of each category are in `Design.order`, (K, p): random ones of all first."""
    q, p = n_random, n_columns
    of = np.arange(K)[:, None]
    return np.hstack([of * q + np.arange(q), K * q + of * (p - q) + np.arange(p - q)])


def design_of_categories(design: Design, labels: tuple[str, ...]) -> Design:
    """Give the design of K sets of equations, for categories with ``labels`` (K,)."""
    K, p, F, J = len(labels), design.n_coefficients, design.n_fixed, design.n_units
    # there is no one outcome: e is taken for what is orthogonal to all columns, of unit mean square
    model = type(design.model).from_parts(*with_categories(design.model.parts, labels))
    columns = tuple(own + k * F for k in range(K) for own in design.columns)
    products = Products(design.products.mass, np.zeros((K * p, J)), _blocks(design.products.dd, K))
    return replace(
        design, model=model, products=products,
        bases=_bases(design, K), de=np.zeros((J, K * p)), ee=design.n.astype(float),
        loading=_blocks(design.loading, K), columns=columns,
        random=np.concatenate([design.random + k * p for k in range(K)]), gamma_ols=np.zeros(K * F),
        free=np.concatenate([design.free + k * F for k in range(K)]), outcome=None,
    )  # fmt: skip


def _bases(design: Design, K: int) -> Orthonormal:
    """Give the orthonormal bases of all sets of equations."""
    one, q, p, u = design.bases, design.n_random, design.n_coefficients, len(design.level2)
    at = places_of(q, p, K)
    cells = (at[:, :, None] * u + np.arange(u)).reshape(K, p * u)
    basis, dd = np.zeros((K * p, K * p)), np.zeros((K * p, K * p, design.n_units))
    root, sums = np.zeros((K * q, K * p, design.n_units)), np.zeros((K * p * u, K * p * u))
    F = design.n_fixed
    loading, white = np.zeros((K * F, K * p, u)), np.zeros((K * F, K * p * u))
    for k in range(K):
        own = np.ix_(at[k], at[k])
        basis[own], dd[own] = one.basis, one.dd
        root[k * q : (k + 1) * q, at[k]] = one.root
        sums[np.ix_(cells[k], cells[k])] = one.sums
        loading[k * F : (k + 1) * F, at[k]] = one.loading
        white[k * F : (k + 1) * F, cells[k]] = one.white
    return Orthonormal(
        basis, dd, root, _blocks(one.rest, K), sums, loading, _blocks(one.xx, K), np.tile(one.scale, K),
        _blocks(one.whitener, K), white,
    )  # fmt: skip


def _blocks(matrix: np.ndarray, K: int) -> np.ndarray:
    """Repeat a matrix (a, b, ...) along the diagonal: (K a, K b, ...)."""
    a, b = matrix.shape[:2]
    found = np.zeros((K * a, K * b, *matrix.shape[2:]))
    for k in range(K):
        found[k * a : (k + 1) * a, k * b : (k + 1) * b] = matrix
    return found
