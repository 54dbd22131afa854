"""Model + moments -> the cross-products of every matrix the model has.

In unit j the fixed-effects design is X_j = D_j W_j: D_j (n_j x p) holds the
level-1 columns (1, x_1, ...) after centring, W_j (p x F) the level-2
predictors. Z_j is the columns of D_j whose coefficient is random. So D'D, D'y
and W are everything; they follow from the moments by algebra.

The outcome is carried as its residual e about the pooled OLS fit: sums of
squares then measure what is left to explain, not the outcome's level.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .equations import Coefficient, Model
from .errors import DataError, EquationError, EstimationError
from .moments import Moments

EXACT_FIT = 1e-14  # residual sum of squares relative to the outcome's: below this no digit of it is left
RANK_TOLERANCE = 1e-10  # of a pivot, relative to its column's own sum of squares


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """A model's cross-products per unit, in the units of the data.

    Attributes
    ----------
    model : Model
    unit_ids : ndarray, shape (J,)
    n : ndarray, shape (J,)
        Rows of each unit (the sum of weights where rows are weighted).
    n_rows : int
    level1_mean : ndarray, shape (J, p)
        Unit means of the columns of D.
    dd : ndarray, shape (J, p, p)
        D'D.
    de : ndarray, shape (J, p)
        D'e, with e = y - X ``gamma_ols``.
    ee : ndarray, shape (J,)
        e'e.
    w : tuple of p ndarrays, shape (J, F_p)
        Level-2 predictors of each level-1 coefficient.
    columns : tuple of p ndarrays of int, shape (F_p,)
        For each of them the free fixed effect it belongs to; constrained gammas share one.
    random : ndarray of int, shape (q,)
        Which columns of D have a random coefficient.
    gamma_ols : ndarray, shape (F,)
        OLS fit of all rows, free fixed effects only.
    free : ndarray of int, shape (n_gamma,)
        For every gamma of the model, its free fixed effect.
    centers : mapping of str to float
        Grand means taken out, by variable.
    full_rank : ndarray of bool, shape (J,)
        Units whose Z'Z has full rank.
    moments : Moments
    """

    model: Model
    unit_ids: np.ndarray
    n: np.ndarray
    n_rows: int
    level1_mean: np.ndarray
    dd: np.ndarray
    de: np.ndarray
    ee: np.ndarray
    w: tuple[np.ndarray, ...]
    columns: tuple[np.ndarray, ...]
    random: np.ndarray
    gamma_ols: np.ndarray
    free: np.ndarray
    centers: dict[str, float]
    full_rank: np.ndarray
    moments: Moments

    @property
    def n_units(self) -> int:
        """Number of level-2 units, J."""
        return len(self.n)

    @property
    def n_fixed(self) -> int:
        """Number of free fixed effects, F."""
        return len(self.gamma_ols)

    @property
    def n_random(self) -> int:
        """Number of random coefficients, q."""
        return len(self.random)

    def x_blocks(self) -> np.ndarray:
        """Give W as one array, shape (J, p, F): b_j = W_j gamma."""
        full = np.zeros((self.n_units, len(self.w), self.n_fixed))
        for p, (w, columns) in enumerate(zip(self.w, self.columns, strict=True)):
            for k, column in enumerate(columns):
                full[:, p, column] += w[:, k]
        return full

    def level1_coefficients(self, gamma: np.ndarray) -> np.ndarray:
        """Give W_j gamma, the fixed part of each unit's level-1 coefficients, shape (J, p)."""
        parts = [w @ gamma[columns] for w, columns in zip(self.w, self.columns, strict=True)]
        return np.stack(parts, axis=1)


def build_design(model: Model, moments: Moments) -> Design:
    """Join a model with the moments of its level-1 columns.

    Raises
    ------
    DataError
        A variable is missing or constant, or a level-2 variable has missing values.
    EquationError
        A variable is used at the wrong level.
    EstimationError
        The fixed effects, or the random coefficients, are collinear.
    """
    centers: dict[str, float] = {}
    mean, cross = _level1_columns(model.coefficients, moments, centers)
    y = _column(moments, model.outcome, "the outcome")
    y_mean, y_cross, yy = moments.mean[:, y], moments.sscp[:, y, y], moments.sscp[:, :, y]
    if not np.any(y_cross > 0) and np.ptp(y_mean) == 0:
        raise DataError(f"the outcome {model.outcome} is constant: there is nothing to explain")
    dy_within = _pick(yy, model.coefficients, moments)
    weight = moments.weight
    dd = cross + weight[:, None, None] * mean[:, :, None] * mean[:, None, :]
    free, n_free = free_gammas(model)
    w, columns = _level2_columns(model, moments, free, centers)
    gamma = _ols(model, free, n_free, dd, dy_within + weight[:, None] * mean * y_mean[:, None], w, columns)
    b = np.stack([w[p] @ gamma[columns[p]] for p in range(len(w))], axis=1)
    e_mean = y_mean - np.sum(mean * b, axis=1)
    cross_b = np.einsum("jab,jb->ja", cross, b)
    de = dy_within - cross_b + weight[:, None] * mean * e_mean[:, None]
    ee = y_cross - 2 * np.sum(b * dy_within, axis=1) + np.sum(b * cross_b, axis=1)
    ee = np.maximum(ee, 0.0) + weight * e_mean**2
    _refuse_exact_fit(moments, y, float(ee.sum()))
    random = np.array([p for p, c in enumerate(model.coefficients) if c.random], dtype=np.intp)
    full_rank = full_rank_units(
        dd[:, random[:, None], random[None, :]], weight, dd.sum(axis=0)[random, random]
    )
    return Design(
        model, moments.unit_ids, weight, moments.n_rows, mean, dd, de, ee, w, columns, random,
        gamma, free, centers, full_rank, moments,
    )  # fmt: skip


def _refuse_exact_fit(moments: Moments, y: int, ee: float) -> None:
    """Raise where the fixed effects leave nothing but rounding of the outcome's own variation."""
    mean = moments.mean[:, y]
    center = np.average(mean, weights=moments.weight)
    total = moments.sscp[:, y, y].sum() + np.sum(moments.weight * (mean - center) ** 2)
    if ee <= EXACT_FIT * total:
        raise EstimationError(
            f"the fixed effects fit {moments.columns[y]} exactly in every row: "
            "no variance is left to estimate. Is a predictor a copy of the outcome?"
        )


def _column(moments: Moments, name: str, what: str) -> int:
    for k, column in enumerate(moments.columns):
        if column.lower() == name.lower():
            return k
    raise DataError(f"{what} {name} is not among the level-1 columns: {', '.join(moments.columns)}")


def _level1_columns(
    coefficients: Sequence[Coefficient], moments: Moments, centers: dict[str, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Give the unit means (J, p) of D's columns and their cross-products about them (J, p, p)."""
    J, p = moments.n_units, len(coefficients)
    mean, cross = np.zeros((J, p)), np.zeros((J, p, p))
    at: list[int | None] = []
    for k, coefficient in enumerate(coefficients):
        variable = coefficient.predictor.variable
        if variable is None:
            mean[:, k] = 1.0
            at.append(None)
            continue
        column = _column(moments, variable, f"{coefficient.where}: the level-1 variable")
        at.append(column)
        if coefficient.predictor.centering == "none":
            mean[:, k] = moments.mean[:, column]
        elif coefficient.predictor.centering == "grand":
            center = float(np.average(moments.mean[:, column], weights=moments.weight))
            centers[variable.lower()] = center
            mean[:, k] = moments.mean[:, column] - center
    inside = [k for k, column in enumerate(at) if column is not None]
    index = np.array([column for column in at if column is not None], dtype=np.intp)
    cross[:, np.array(inside, dtype=np.intp)[:, None], inside] = moments.sscp[:, index[:, None], index]
    return mean, cross


def _pick(xy: np.ndarray, coefficients: Sequence[Coefficient], moments: Moments) -> np.ndarray:
    """Give the within-unit products of D's columns with the outcome, shape (J, p)."""
    picked = np.zeros((moments.n_units, len(coefficients)))
    for k, coefficient in enumerate(coefficients):
        if coefficient.predictor.variable is not None:
            picked[:, k] = xy[:, _column(moments, coefficient.predictor.variable, "the variable")]
    return picked


def free_gammas(model: Model) -> tuple[np.ndarray, int]:
    """Number the free fixed effects: gammas held equal share the number of the first of them."""
    leader = {name: name for name in model.gamma_names}
    for group in model.constraints:
        first = min(group, key=model.gamma_names.index)
        leader.update(dict.fromkeys(group, first))
    order = [name for name in model.gamma_names if leader[name] == name]
    return np.array([order.index(leader[name]) for name in model.gamma_names], dtype=np.intp), len(order)


def _level2_columns(
    model: Model, moments: Moments, free: np.ndarray, centers: dict[str, float]
) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
    names = {name.lower(): name for name in moments.level2}
    blocks, columns, at = [], [], 0
    for coefficient in model.coefficients:
        block = np.ones((moments.n_units, len(coefficient.gammas)))
        for k, gamma in enumerate(coefficient.gammas):
            variable = gamma.predictor.variable
            if variable is None:
                continue
            if variable.lower() not in names:
                raise EquationError(f"{gamma.where}: {variable} is not a level-2 variable of these data")
            values = np.asarray(moments.level2[names[variable.lower()]], dtype=float)
            if gamma.predictor.centering == "grand":
                centers[variable.lower()] = float(values.mean())
                values = values - values.mean()
            block[:, k] = values
        blocks.append(block)
        columns.append(free[at : at + len(coefficient.gammas)])
        at += len(coefficient.gammas)
    return tuple(blocks), tuple(columns)


def scatter_xx(
    products: np.ndarray, w: Sequence[np.ndarray], columns: Sequence[np.ndarray], n_fixed: int
) -> np.ndarray:
    """Give sum_j W_j' A_j W_j, shape (F, F), for A of shape (J, p, p)."""
    total = np.zeros((n_fixed, n_fixed))
    for a, (wa, ca) in enumerate(zip(w, columns, strict=True)):
        for b, (wb, cb) in enumerate(zip(w, columns, strict=True)):
            np.add.at(total, (ca[:, None], cb[None, :]), (wa * products[:, a, b, None]).T @ wb)
    return total


def scatter_x(
    vectors: np.ndarray, w: Sequence[np.ndarray], columns: Sequence[np.ndarray], n_fixed: int
) -> np.ndarray:
    """Give W_j' a_j per unit, shape (J, F), for a of shape (J, p)."""
    result = np.zeros((len(vectors), n_fixed))
    for p, (block, c) in enumerate(zip(w, columns, strict=True)):
        for k, column in enumerate(c):
            result[:, column] += block[:, k] * vectors[:, p]
    return result


def _ols(
    model: Model, free: np.ndarray, n_free: int, dd: np.ndarray, dy: np.ndarray,
    w: Sequence[np.ndarray], columns: Sequence[np.ndarray],
) -> np.ndarray:  # fmt: skip
    """Fit all rows by ordinary least squares, after scaling every column of X to unit length."""
    xx = scatter_xx(dd, w, columns, n_free)
    xy = scatter_x(dy, w, columns, n_free).sum(axis=0)
    scale = np.sqrt(np.diag(xx))
    names = [model.gamma_names[int(np.flatnonzero(free == f)[0])] for f in range(n_free)]
    for f in np.flatnonzero(scale == 0):
        raise EstimationError(
            f"the column of {names[f]} is zero in every row, so its effect cannot be estimated: take it out"
        )
    correlation = xx / np.outer(scale, scale)
    _refuse_collinear(correlation, names)
    return np.linalg.solve(correlation, xy / scale) / scale if n_free else np.zeros(0)


def _refuse_collinear(correlation: np.ndarray, names: Sequence[str]) -> None:
    """Raise where X'X, scaled to a unit diagonal, is singular; name the effects involved."""
    if not len(correlation):
        return
    values, vectors = np.linalg.eigh(correlation)
    if values[0] > RANK_TOLERANCE:
        return
    null = np.abs(vectors[:, 0])
    involved = [name for name, size in zip(names, null, strict=True) if size > 1e-4 * null.max()]
    raise EstimationError(
        f"the fixed effects {', '.join(involved)} cannot be told apart: their columns are collinear. "
        "Take one of them out"
    )


def full_rank_units(zz: np.ndarray, n: np.ndarray, total: np.ndarray) -> np.ndarray:
    """Say which units' Z'Z (J, q, q) has full rank, by the pivots of its Cholesky factor.

    A pivot counts as zero relative to the column's mean square over all rows (``total`` is
    the pooled diagonal), so that rounding in a constant column is not taken for variation.
    """
    J, q = zz.shape[:2]
    remaining = zz.copy()
    ok = np.ones(J, dtype=bool)
    threshold = n[:, None] * (total / n.sum())[None, :] * RANK_TOLERANCE
    for k in range(q):
        pivot = remaining[:, k, k]
        ok &= pivot > np.maximum(threshold[:, k], RANK_TOLERANCE * zz[:, k, k])
        column = remaining[:, :, k] / np.where(ok, pivot, 1.0)[:, None]
        remaining = remaining - column[:, :, None] * remaining[:, k, None, :]
    return ok
