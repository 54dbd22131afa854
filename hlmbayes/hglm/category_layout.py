"""The categories of an outcome found in the data, and its rows laid out: equal ones counted once.

Its design has the level-1 columns of category 1, then those of category 2, ..., but the last, and D'D is
block-diagonal: what is orthonormal for one set is so for all.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..data.two_level import TwoLevelData
from ..equations.categories import with_categories
from ..errors import EstimationError
from ..laws.counting import ONCE, Counting
from ..laws.multinomial import Multinomial
from ..likelihood.design import Design
from ..likelihood.orthonormal import Orthonormal, Products
from ..likelihood.rows import analysed_rows, level1_values, outcome_values
from .category_rows import CategoryRows
from .counted_rows import counts_of, distinct_units, kinds, standard_columns, starts_of
from .cuts import no_cuts
from .ordinal_rows import Laid, rows_of_law


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


def with_found_categories(law: Multinomial, design: Design, data: TwoLevelData) -> tuple[Multinomial, Design]:
    """Give the law with the categories the data have, and the design of an equation for each.

    Raises
    ------
    DataError, EstimationError
        Fewer than three categories or too many; units of one category each.
    """
    row, unit = analysed_rows(design, data)
    y = outcome_values(design, data, row)
    law.check_rows(y, np.ones(len(y)), design.model.outcome)
    values, category = np.unique(y, return_inverse=True)
    lowest, highest = (np.full(design.n_units, start) for start in (len(values), -1))
    np.minimum.at(lowest, unit, category)
    np.maximum.at(highest, unit, category)
    if design.n_random and (lowest == highest).all():
        raise EstimationError(
            f"the rows of each unit have one and the same {design.model.outcome}: the variance between units "
            "grows without end"
        )
    law = replace(law, categories=tuple(values.tolist()))
    return law, design_of_categories(design, law.labels[:-1])


@rows_of_law.register
def _(law: Multinomial, design: Design, data: TwoLevelData, counting: Counting = ONCE) -> Laid:
    row, unit = analysed_rows(design, data)
    unit = (place := distinct_units(design))[unit]
    times = counts_of(counting, data, row, place[-1] + 1)
    K = len(law.categories) - 1
    at = places_of(design.n_random // K, design.n_coefficients // K, K)
    d = np.stack([level1_values(design, data, k, row, unit) for k in design.order[at[0]].tolist()])
    first, of = kinds(unit, [*d])
    category = np.searchsorted(law.categories, outcome_values(design, data, row))
    R = len(first)
    counts = np.bincount(category * R + of, times.row, (K + 1) * R).reshape(K + 1, R)
    each = np.empty((design.n_coefficients, R))
    each[at] = d[:, first]
    each, x = standard_columns(design, each)
    unit = unit[first]
    rows = CategoryRows(
        each[at[0]], x[:, at.ravel()], counts[:-1], counts.sum(axis=0), np.zeros(R), unit, starts_of(unit),
        times.unit, times.scale, design.tau_columns, 0.0, no_cuts(len(x)),
    )  # fmt: skip
    return Laid(law, law, rows)
