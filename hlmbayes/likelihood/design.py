"""Model + moments -> the cross-products of every matrix the model has.

In unit j the fixed-effects design is X_j = D_j W_j: D_j (n_j x p) holds the
level-1 columns (1, x_1, ...) after centring, W_j (p x F) the level-2
predictors. Z_j is the columns of D_j whose coefficient is random. So D'D, D'y
and W are everything; they follow from the moments by algebra.

The outcome is carried as its residual e about the pooled OLS fit: sums of
squares then measure what is left to explain, not the outcome's level.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..equations.model import Coefficient, Model
from ..errors import DataError, EquationError, EstimationError
from ..unit_moments.record import Moments
from ..words import some
from .orthonormal import CollinearError, Orthonormal, Products, orthonormal

HUGE = 1e300  # sums of squares above this leave no room for products of two columns
EXACT_FIT = 1e-14  # residual sum of squares relative to the outcome's: below this no digit of it is left
RANK_TOLERANCE = 1e-10  # of a pivot, relative to its column's sum of squares


@dataclass(frozen=True, eq=False)
class Design:
    """A model's cross-products per unit, in the units of the data.

    Attributes
    ----------
    model : Model
    unit_ids : ndarray, shape (J,)
    n : ndarray, shape (J,)
        Rows of each unit (the sum of weights where rows are weighted).
    n_rows : int
    products : Products
        D'D, as means and products about them.
    bases : Orthonormal
        The bases that the likelihood is evaluated in.
    de : ndarray, shape (J, p)
        D'e, with e = y - X ``gamma_ols``.
    ee : ndarray, shape (J,)
        e'e.
    level2 : ndarray, shape (u, J)
        A row of ones, then each level-2 variable of the model, centred and scaled.
    loading : ndarray, shape (F, p, u)
        W_j in terms of them: W_j[c, f] = sum_u loading[f, c, u] level2[u, j].
    columns : tuple of p ndarrays of int, shape (F_p,)
        For each column of D the free fixed effects it has, one a gamma; constrained gammas share one.
    random : ndarray of int, shape (q,)
        Which columns of D have a random coefficient.
    gamma_ols : ndarray, shape (F,)
        OLS fit of all rows, free fixed effects only.
    free : ndarray of int, shape (n_gamma,)
        For every gamma of the model, its free fixed effect.
    centers : mapping of str to float
        Grand means taken out, by variable.
    moments : Moments

    Notes
    -----
    The arrays of matrices are views whose memory runs over units fastest: see `planes`.
    """

    model: Model
    unit_ids: np.ndarray
    n: np.ndarray
    n_rows: int
    products: Products
    bases: Orthonormal
    de: np.ndarray
    ee: np.ndarray
    level2: np.ndarray
    loading: np.ndarray
    columns: tuple[np.ndarray, ...]
    random: np.ndarray
    gamma_ols: np.ndarray
    free: np.ndarray
    centers: dict[str, float]
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

    @property
    def n_coefficients(self) -> int:
        """Number of level-1 coefficients, p."""
        return len(self.columns)

    @property
    def order(self) -> np.ndarray:
        """Columns of D, those with a random coefficient first, shape (p,)."""
        return random_first(self.random, self.n_coefficients)

    @cached_property
    def dd(self) -> np.ndarray:
        """D'D, shape (J, p, p)."""
        return self.products.dd.transpose(2, 0, 1)

    @cached_property
    def zz(self) -> np.ndarray:
        """Z*'Z* of every unit, shape (q, q, J): Z* = Z ``z_basis`` is orthonormal over all rows."""
        return self.standard_dd[: self.n_random, : self.n_random]

    @property
    def z_basis(self) -> np.ndarray:
        """Upper triangular matrix that makes Z orthonormal over all rows, shape (q, q)."""
        return self.bases.basis[: self.n_random, : self.n_random]

    # --- in columns that are orthonormal over all rows: no digits are lost there

    @cached_property
    def to_gamma(self) -> np.ndarray:
        """T of gamma = OLS + T delta, delta the coefficients of X in columns orthonormal over all rows."""
        return self.bases.scale[:, None] * self.bases.whitener.T

    @cached_property
    def standard_dd(self) -> np.ndarray:
        """D*'D* of every unit, shape (p, p, J): D* = D[:, order] B, the columns of ``bases``."""
        weight = self.moments.unit_weight
        return self.bases.dd if weight is None else self.bases.dd / weight

    def standard_x(self) -> np.ndarray:
        """Give X in orthonormal columns as D* times this, shape (J, p, F)."""
        f, p = self.n_fixed, self.n_coefficients
        full = self.bases.white.reshape(f * p, len(self.level2)) @ self.level2
        return full.reshape(f, p, self.n_units).transpose(2, 1, 0)

    def standard_fixed(self, delta: np.ndarray) -> np.ndarray:
        """Give the level-1 coefficients of D*, (p, J), that fixed effects delta (F,) make: see `to_gamma`."""
        level2 = (delta @ self.bases.white).reshape(self.n_coefficients, len(self.level2))
        return level2 @ self.level2

    def as_standard(self, products: np.ndarray) -> np.ndarray:
        """Turn D'v (J, p), the columns as the model has them, into D*'v."""
        return products[:, self.order] @ self.bases.basis

    def as_given(self, products: np.ndarray) -> np.ndarray:
        """Turn D*'v (J, p) into D'v, the columns as the model has them."""
        given = np.empty_like(products)
        given[:, self.order] = np.linalg.solve(self.bases.basis.T, products.T).T
        return given

    def standard_residual(self, gamma: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Give D*'e (J, p) and e'e (J,) of e = y - X gamma, for free fixed effects gamma (F,)."""
        b = self.standard_fixed(np.linalg.solve(self.to_gamma, gamma - self.gamma_ols))
        return self.less_fixed(self.as_standard(self.de), self.ee, b)

    def less_fixed(self, de: np.ndarray, ee: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Take D* b, b (p, J), out of rows e: D*'e (J, p) and e'e (J,) before and after."""
        left = de - np.einsum("abj,bj->ja", self.standard_dd, b)
        return left, ee - np.einsum("pj,jp->j", b, de + left)

    def own_regressions(self, gamma: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Regress y - X gamma on Z* in each unit.

        Returns
        -------
        b : ndarray, shape (J, q)
            Coefficients; nan where the unit lacks full rank.
        rss : ndarray, shape (J,)
            Residual sums of squares; nan there too.
        df : ndarray, shape (J,)
            n_j - q.
        """
        de, ee = self.standard_residual(gamma)
        zv = de[:, : self.n_random]
        b = np.einsum("jab,jb->ja", self.zz_inverse, zv)
        rss = np.maximum(ee - np.einsum("ja,ja->j", b, zv), 0.0)
        return b, rss, self.n - self.n_random

    @cached_property
    def zz_inverse(self) -> np.ndarray:
        """(Z*'Z*)^-1 of every unit, shape (J, q, q); nan where it lacks full rank."""
        inverse = np.full((self.n_units, self.n_random, self.n_random), np.nan)
        inverse[self.full_rank] = np.linalg.inv(self.zz.transpose(2, 0, 1)[self.full_rank])
        return inverse

    def own_coefficients(self, zv: np.ndarray) -> np.ndarray:
        """Give each unit's OLS coefficients (J, q) of v on its Z from Z'v (J, q); nan without full rank."""
        return np.einsum("jab,jb->ja", self.zz_inverse, zv @ self.z_basis) @ self.z_basis.T

    def shrinkage(self, theta: np.ndarray) -> np.ndarray:
        """Give K = Theta (I + Z*'Z* Theta)^-1, (J, q, q), for the Theta (q, q) of Z* = Z ``z_basis``.

        With B = ``z_basis``, u* = B K B'Z'(y - X gamma) and the posterior variance is sigma2 B K B'.
        """
        k = theta @ np.linalg.inv(np.eye(self.n_random) + self.zz.transpose(2, 0, 1) @ theta)
        return 0.5 * (k + k.transpose(0, 2, 1))

    @cached_property
    def rms(self) -> np.ndarray:
        """Root mean squares of D's columns over all rows, shape (p,)."""
        return np.sqrt(np.einsum("jaa->a", self.dd) / self.n.sum())

    def dd_times(self, b: np.ndarray) -> np.ndarray:
        """Give D'D b, shape (J, p), for level-1 coefficients b of that shape."""
        return self.products.times(b.T).T

    @cached_property
    def w(self) -> tuple[np.ndarray, ...]:
        """Level-2 predictors of each level-1 coefficient as the model has them, p ndarrays (J, F_p)."""
        values = {name.lower(): column for name, column in self.moments.level2.items()}
        blocks = []
        for coefficient in self.model.coefficients:
            block = np.ones((self.n_units, len(coefficient.gammas)))
            for k, gamma in enumerate(coefficient.gammas):
                if gamma.predictor.variable is not None:
                    block[:, k] = values[gamma.predictor.variable.lower()]
                    if gamma.predictor.centering == "grand":
                        block[:, k] -= self.centers[gamma.predictor.variable.lower()]
            blocks.append(block)
        return tuple(blocks)

    @cached_property
    def full_rank(self) -> np.ndarray:
        """Units whose Z'Z has full rank, bool, shape (J,)."""
        return full_rank_units(self.zz, self.products.mass)

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
    _refuse_huge(moments)
    y = _column(moments, model.outcome, "the outcome")
    y_mean, yy = moments.mean[:, y], moments.sscp[:, y, y]
    if not np.any(yy > 0) and np.ptp(y_mean) == 0:
        raise DataError(f"the outcome {model.outcome} is constant: there is nothing to explain")
    centers: dict[str, float] = {}
    weight = moments.weight
    mean, cross, cross_y = _level1_planes(model.coefficients, moments, centers, y)
    products = Products(weight, mean, cross)
    free, n_free = free_gammas(model)
    level2, loading, columns = _level2_planes(model, moments, free, n_free, centers)
    random = np.array([p for p, c in enumerate(model.coefficients) if c.random], dtype=np.intp)
    bases = _bases(model, free, products, level2, loading, random, moments.unit_weight)
    order = random_first(random, len(mean))
    gamma = _ols(bases, (cross_y + weight * mean * y_mean)[order], level2, moments)
    b = (gamma @ loading.reshape(n_free, mean.shape[0] * len(level2))).reshape(len(mean), -1) @ level2
    e_mean = y_mean - np.einsum("pj,pj->j", mean, b)
    cross_b = np.einsum("abj,bj->aj", cross, b)
    de = cross_y - cross_b + weight * mean * e_mean
    inside = yy - np.einsum("pj,pj->j", b, 2.0 * cross_y - cross_b)
    ee = np.maximum(inside, 0.0) + weight * e_mean**2
    _refuse_exact_fit(moments, y, float(ee.sum()))
    return Design(
        model, moments.unit_ids, weight, moments.n_rows, products, bases, de.T, ee, level2, loading,
        columns, random, gamma, free, centers, moments,
    )  # fmt: skip


def _refuse_huge(moments: Moments) -> None:
    """Raise where sums of squares overflow: some programs leave such numbers where a value is missing."""
    with np.errstate(over="ignore", invalid="ignore"):
        squares = np.einsum("jkk->k", moments.sscp) + moments.weight @ moments.mean**2
    _refuse_above(HUGE, moments.columns, squares.tolist())


def _refuse_above(limit: float, names: Iterable[str], sizes: Iterable[float]) -> None:
    huge = [name for name, size in zip(names, sizes, strict=True) if not size < limit]
    if huge:
        raise DataError(
            f"{', '.join(huge)}: there are values too large to be squared. Is this how a missing value is "
            "stored? Set such values to missing, or rescale the variable"
        )


def random_first(random: np.ndarray, p: int) -> np.ndarray:
    """Number p columns of D, those with a random coefficient first."""
    first = random.tolist()
    return np.array(first + [k for k in range(p) if k not in first], dtype=np.intp)


def _refuse_exact_fit(moments: Moments, y: int, ee: float) -> None:
    """Raise where the fixed effects leave nothing but rounding of the outcome's own variation."""
    mean = moments.mean[:, y]
    center = moments.weight @ mean / moments.weight.sum()
    total = moments.sscp[:, y, y].sum() + moments.weight @ (mean - center) ** 2
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


def _level1_planes(
    coefficients: Sequence[Coefficient], moments: Moments, centers: dict[str, float], y: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give the unit means (p, J) of D's columns, and their products about them: (p, p, J), with y (p, J)."""
    J, p = moments.n_units, len(coefficients)
    mean, at = np.zeros((p, J)), []
    for k, coefficient in enumerate(coefficients):
        variable = coefficient.predictor.variable
        if variable is None:
            mean[k] = 1.0
            continue
        column = _column(moments, variable, f"{coefficient.where}: the level-1 variable")
        at.append((k, column))
        if coefficient.predictor.centering == "none":
            mean[k] = moments.mean[:, column]
        elif coefficient.predictor.centering == "grand":
            center = float(np.average(moments.mean[:, column], weights=moments.total_weight))
            centers[variable.lower()] = center
            mean[k] = moments.mean[:, column] - center
    cross, cross_y = np.zeros((p, p, J)), np.zeros((p, J))
    for k, column in at:
        cross_y[k] = moments.sscp[:, column, y]
        for m, other in at:
            cross[k, m] = moments.sscp[:, column, other]
    return mean, cross, cross_y


def free_gammas(model: Model) -> tuple[np.ndarray, int]:
    """Number the free fixed effects: gammas held equal share the number of the first of them."""
    names = model.gamma_names
    if not model.constraints:
        return np.arange(len(names)), len(names)
    leader = {name: name for name in names}
    for group in model.constraints:
        first = min(group, key=names.index)
        leader.update(dict.fromkeys(group, first))
    order = [name for name in names if leader[name] == name]
    return np.array([order.index(leader[name]) for name in names], dtype=np.intp), len(order)


def _level2_planes(
    model: Model, moments: Moments, free: np.ndarray, n_free: int, centers: dict[str, float]
) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, ...]]:
    """Give the level-2 columns (u, J), W's loading on them (F, p, u) and each coefficient's effects."""
    names = {name.lower(): name for name in moments.level2}
    for gamma in model.gammas:
        if gamma.predictor.variable is not None and gamma.predictor.variable.lower() not in names:
            raise EquationError(
                f"{gamma.where}: {gamma.predictor.variable} is not a level-2 variable of these data"
            )
    used = [variable.lower() for variable in model.level2_variables]
    level2, center, scale = _centred(moments, [names[key] for key in used])
    loading = np.zeros((n_free, len(model.coefficients), len(level2)))
    columns, at = [], 0
    for c, coefficient in enumerate(model.coefficients):
        own = free[at : at + len(coefficient.gammas)]
        at += len(coefficient.gammas)
        columns.append(own)
        for f, gamma in zip(own.tolist(), coefficient.gammas, strict=True):
            if gamma.predictor.variable is None:
                loading[f, c, 0] += 1.0
                continue
            key = gamma.predictor.variable.lower()
            k = used.index(key)
            loading[f, c, k + 1] += scale[k]
            if gamma.predictor.centering == "grand":
                centers[key] = center[k]
            else:
                loading[f, c, 0] += center[k]
    return level2, loading, tuple(columns)


def _centred(moments: Moments, names: Sequence[str]) -> tuple[np.ndarray, list[float], list[float]]:
    """Give ones and the level-2 variables centred and scaled, (u, J), their (weighted) means and scales."""
    level2, weight = np.ones((len(names) + 1, moments.n_units)), moments.unit_weight
    own = level2[1:]
    for k, name in enumerate(names):
        own[k] = moments.level2[name]
    largest = np.abs(own).max(axis=1, initial=0.0)
    if np.isnan(largest).any():
        k = int(np.flatnonzero(np.isnan(largest))[0])
        gone = np.isnan(own[k])
        raise DataError(
            f"the level-2 variable {names[k]} is missing in {gone.sum()} of {len(gone)} units, "
            f"{some(moments.unit_ids[gone])}: complete it, or leave these units out"
        )
    _refuse_above(HUGE**0.5, names, largest.tolist())
    center = own.mean(axis=1) if weight is None else own @ weight / weight.sum()
    own -= center[:, None]
    scale = np.sqrt(np.einsum("vj,vj->v", own, own) / moments.n_units)
    scale[scale == 0] = 1.0
    own /= scale[:, None]
    return level2, center.tolist(), scale.tolist()


def _bases(
    model: Model, free: np.ndarray, products: Products, level2: np.ndarray, loading: np.ndarray,
    random: np.ndarray, unit_weight: np.ndarray | None,
) -> Orthonormal:  # fmt: skip
    """Find the orthonormal bases; where there are none, name the fixed effects that are to blame."""
    own = products if unit_weight is None else products.weighted(unit_weight)
    order = random_first(random, len(model.coefficients))
    try:
        return orthonormal(own, level2, loading, order, len(random), float(own.mass.sum()))
    except CollinearError as error:
        effects = _effect_names(model, free)
        names = [effects[f] for f in error.columns]
        if error.zero:
            raise EstimationError(
                f"the column of {names[0]} is zero in every row, so its effect cannot be estimated: "
                "take it out"
            ) from None
        raise EstimationError(
            f"the fixed effects {', '.join(names)} cannot be told apart: their columns are collinear. "
            "Take one of them out, or centre variables that vary little about a large mean, grand(x)"
        ) from None


def _effect_names(model: Model, free: np.ndarray) -> list[str]:
    """Name the free fixed effects with their variables: g00, g01 (sector), g11 (ses*sector)."""
    full = []
    for c in model.coefficients:
        for gamma in c.gammas:
            variables = [v for v in (c.predictor.variable, gamma.predictor.variable) if v is not None]
            full.append(f"{gamma.name} ({'*'.join(variables)})" if variables else gamma.name)
    return [full[int(np.flatnonzero(free == f)[0])] for f in range(int(free.max()) + 1)]


def _ols(bases: Orthonormal, dy: np.ndarray, level2: np.ndarray, moments: Moments) -> np.ndarray:
    """Fit all rows by ordinary least squares, (F,), from D'y, (p, J) in the order of the bases."""
    own = dy if moments.unit_weight is None else dy * moments.unit_weight
    n = float(moments.total_weight.sum())
    turned = bases.basis.T @ (own @ level2.T)
    return bases.scale * (bases.whitener.T @ (bases.white @ turned.reshape(-1))) / n


def with_products(design: Design, products: Products, de: np.ndarray, ee: np.ndarray) -> Design:
    """Give the design with its rows weighted: other D'D, D'e (J, p) and e'e (J,), the same n."""
    q, n = design.n_random, float(design.n.sum())
    bases = orthonormal(products, design.level2, design.loading, design.order, q, n)
    return replace(design, products=products, bases=bases, de=de, ee=ee)


def with_unit_weights(design: Design) -> Design:
    """Multiply every unit's cross-products by the unit's sampling weight, as sums over units want them."""
    weight = design.moments.unit_weight
    assert weight is not None
    return replace(
        design, n=weight * design.n, products=design.products.weighted(weight),
        de=weight[:, None] * design.de, ee=weight * design.ee,
    )  # fmt: skip


def full_rank_units(zz: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Say which units' Z'Z (q, q, J) has full rank, by the pivots of its Cholesky factor.

    Z is orthonormal over all rows: a pivot counts as zero relative to the column's mean square there, so
    that rounding in a constant column is not taken for variation.
    """
    q, J = zz.shape[1:]
    remaining = zz.copy()
    ok = np.ones(J, dtype=bool)
    for k in range(q):
        pivot = remaining[k, k]
        ok &= pivot > RANK_TOLERANCE * np.maximum(n, zz[k, k])
        column = remaining[:, k] / np.where(ok, pivot, 1.0)
        remaining = remaining - column[:, None] * remaining[k]
    return ok
