"""Rows weighted by their precision: what is kept of them, and the design they make.

One row may weigh 1e12 times as much as the others. Whatever is a difference of sums over rows would then be
rounding: so e is taken about the weighted fit and goes into the triangular factors of the units by itself,
level-2 columns are made orthogonal on the units, and X is whitened by an orthogonal decomposition.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..unit_moments.record import Moments
from .design import Design, Level1Products, OutcomeFactor, level1_products
from .orthonormal import Products, weighted_orthonormal

NOTHING_LEFT = 1e-13  # of a level-2 column's length beside the others: it is rounding whatever the weights


@dataclass(frozen=True, slots=True, eq=False)
class Weighing:
    """Rows with weights w, their precision up to one factor: their moments, and sums over each unit's rows.

    ``log_weight`` and ``spread`` (J,) are the sums of log(w) and of 1 / w.
    """

    moments: Moments
    log_weight: np.ndarray
    spread: np.ndarray


def weighed_design(design: Design, moments: Moments) -> Design:
    """Give the design of the rows weighted as ``moments`` are; its ``gamma_ols`` is the weighted fit."""
    return weighed_by(design, level1_products(design.model, moments, design.centers, design.moments.mean))


def weighed_by(design: Design, level1: Level1Products) -> Design:
    """Give it of the products of D and y of weighted rows."""
    products, n = level1.products, float(design.n.sum())
    level2, turn = _orthonormal_columns(design.level2, products.mass)
    size = np.median(products.mass / design.n) ** -0.5
    loading = design.loading @ turn.T
    bases = weighted_orthonormal(
        products, level2, loading, design.order, size * design.bases.basis, design.n_random, n
    )
    weighed = replace(design, products=products, level2=level2, loading=loading, bases=bases)
    for _ in range(
        3
    ):  # from the fit of the rows as they are to the weighted one, and twice to mend its rounding
        weighed = replace(weighed, **_residual(weighed, level1))
        step = bases.white @ (weighed.as_standard(weighed.de).T @ level2.T).reshape(-1) / n
        weighed = replace(weighed, gamma_ols=weighed.gamma_ols + weighed.to_gamma @ step)
    return replace(weighed, **_residual(weighed, level1))


def _residual(design: Design, level1: Level1Products) -> dict[str, Any]:
    """Give D'e, e'e and e in the triangular factors of the units, of e = y - X ``gamma_ols``."""
    b = design.level1_coefficients(design.gamma_ols).T
    de, ee = level1.residual(b)
    own, order, q, p = level1.products, design.order, design.n_random, len(b)
    cross = np.empty((p + 1, p + 1, design.n_units))
    cross[:p, :p] = own.cross
    cross[:p, p] = cross[p, :p] = cross_e = level1.cross_y - np.einsum("abj,bj->aj", own.cross, b)
    inside = level1.yy - np.einsum("pj,pj->j", b, level1.cross_y + cross_e)
    cross[p, p] = np.maximum(inside, 0.0)
    mean = np.vstack([own.mean, level1.y_mean - np.einsum("pj,pj->j", own.mean, b)])
    basis = np.eye(p + 1)
    basis[:p, :p] = design.bases.basis
    root, rest = Products(own.mass, mean, cross).turned(basis, np.append(order, p)).triangular(q)
    return {"de": de, "ee": ee, "outcome": OutcomeFactor(root[:, p], rest[:-1, -1], rest[-1, -1])}


def _orthonormal_columns(level2: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Make columns (u, J) orthogonal over units as they weigh, each of those before it, of mean square one.

    Gives also R (u, u): the columns as they were are R' times those. By Gram and Schmidt's method, every step
    made twice: it works on the units themselves, where X'X would have squared what the weights differ by. A
    column that the others determine becomes zero.
    """
    columns, r = level2.copy(), np.zeros((len(level2),) * 2)
    weight = weight / weight.sum()
    for k in range(len(level2)):
        length = np.sqrt(weight @ columns[k] ** 2)
        for i in [*range(k), *range(k)]:
            share = float((weight * columns[i]) @ columns[k])
            r[i, k] += share
            columns[k] -= share * columns[i]
        left = np.sqrt(weight @ columns[k] ** 2)
        if left > NOTHING_LEFT * length:
            r[k, k] = left
            columns[k] /= left
        else:
            columns[k] = 0.0
    return columns, r
