"""Model + moments -> the cross-products of every matrix the model has.

In unit j the fixed-effects design is X_j = D_j W_j: D_j (n_j x p) holds the
level-1 columns (1, x_1, ...) after centring, W_j (p x F) the level-2
predictors. Z_j is the columns of D_j whose coefficient is random. So D'D, D'y
and W are everything; they follow from the moments by algebra.

The outcome is carried as its residual e about the pooled OLS fit: sums of
squares then measure what is left to explain, not the outcome's level.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from ..equations.model import TwoLevelModel
from ..terms.expand import NO_TERMS, Terms
from ..unit_moments.record import Moments
from .orthonormal import Orthonormal, Products, orthonormal
from .pattern import Pattern, TauColumns, tau_columns
from .symmetric import semidefinite_root

RANK_TOLERANCE = 1e-10  # of a pivot, relative to its column's sum of squares


class OutcomeFactor(NamedTuple):
    """What the triangular factor of each unit's [D* e] has of e: (q, J), (p - q, J); e'e left of it, (J,)."""

    root: np.ndarray
    rest: np.ndarray
    left: np.ndarray


class Scaling(NamedTuple):
    """What was taken out of the level-2 variables of a design, and what they were divided by."""

    names: tuple[str, ...]
    center: tuple[float, ...]
    scale: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Design:
    """A model's cross-products per unit, in the units of the data.

    The arrays of matrices are views whose memory runs over units fastest: see `planes`.
    """

    model: TwoLevelModel
    unit_ids: np.ndarray  # (J,)
    n: np.ndarray  # (J,): rows of each unit (the sum of weights where rows are weighted)
    n_rows: int
    products: Products  # D'D, as means and products about them
    bases: Orthonormal  # that the likelihood is evaluated in
    de: np.ndarray  # (J, p): D'e, with e = y - X ``gamma_ols``
    ee: np.ndarray  # (J,): e'e
    level2: np.ndarray  # (u, J): ones, then each level-2 variable of the model, centred and scaled
    loading: np.ndarray  # (F, p, u): W_j[c, f] = sum_u loading[f, c, u] level2[u, j]
    columns: tuple[np.ndarray, ...]  # p of (F_p,): a column's free fixed effects, one a gamma
    random: np.ndarray  # (q,): which columns of D have a random coefficient
    gamma_ols: np.ndarray  # (F,): OLS fit of all rows, free fixed effects only
    free: np.ndarray  # (n_gamma,): for every gamma of the model, its free fixed effect; equal ones share it
    centers: dict[str, float]  # grand means taken out, by variable
    scaling: Scaling
    moments: Moments
    terms: Terms = NO_TERMS  # what the model's columns were made of
    most_condition: float = np.inf  # of a unit's Z'Z, for a regression of its own
    outcome: OutcomeFactor | None = None  # e beside D*, where sums of e would lose digits

    @property
    def n_units(self) -> int:
        """Number of level-2 units, J."""
        return len(self.n)

    @property
    def n_fixed(self) -> int:
        """Number of free fixed effects, F."""
        return len(self.gamma_ols)

    @property
    def first_of_free(self) -> np.ndarray:
        """Place among all gammas of the first one of each free fixed effect, (F,)."""
        return np.unique(self.free, return_index=True)[1]

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

    @cached_property
    def pattern(self) -> Pattern:
        """Which elements of tau are free."""
        place = {effect: k for k, effect in enumerate(self.model.effects)}
        return Pattern(tuple(tuple(place[effect] for effect in block) for block in self.model.blocks))

    @cached_property
    def tau_columns(self) -> TauColumns:
        """Columns in which Theta has tau's pattern; their scale gives tau in the units of the data."""
        return tau_columns(self.pattern, self.z_basis)

    # --- in columns that are orthonormal over all rows: no digits are lost there

    @cached_property
    def to_gamma(self) -> np.ndarray:
        """T of gamma = OLS + T delta, delta the coefficients of X in columns orthonormal over all rows."""
        return np.asarray(self.bases.scale[:, None] * self.bases.whitener.T)

    @cached_property
    def standard_dd(self) -> np.ndarray:
        """D*'D* of every unit, shape (p, p, J): D* = D[:, order] B, the columns of ``bases``."""
        weight = self.moments.unit_weight
        return self.bases.dd if weight is None else self.bases.dd / weight

    def standard_x(self) -> np.ndarray:
        """Give X in orthonormal columns as D* times this, shape (J, p, F)."""
        f, p = self.n_fixed, self.n_coefficients
        full = self.bases.white.reshape(f * p, len(self.level2)) @ self.level2
        return np.asarray(full.reshape(f, p, self.n_units).transpose(2, 1, 0))

    def standard_fixed(self, delta: np.ndarray) -> np.ndarray:
        """Give the level-1 coefficients of D*, (p, J), that fixed effects delta (F,) make: see `to_gamma`."""
        level2 = (delta @ self.bases.white).reshape(self.n_coefficients, len(self.level2))
        return np.asarray(level2 @ self.level2)

    def as_standard(self, products: np.ndarray) -> np.ndarray:
        """Turn D'v (J, p), the columns as the model has them, into D*'v."""
        return np.asarray(products[:, self.order] @ self.bases.basis)

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
        """Regress y - X gamma on Z* in each unit: coefficients (J, q), residual squares and d.f. (J,).

        Where a unit lacks full rank the first two are nan.
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
        return np.asarray(np.einsum("jab,jb->ja", self.zz_inverse, zv @ self.z_basis) @ self.z_basis.T)

    def shrinkage(self, theta: np.ndarray) -> np.ndarray:
        """Give K = Theta (I + Z*'Z* Theta)^-1, (J, q, q), for the Theta (q, q) of Z* = Z ``z_basis``.

        With B = ``z_basis``, u* = B K B'Z'(y - X gamma) and the posterior variance is sigma2 B K B'.
        """
        q, root = self.n_random, semidefinite_root(theta)
        # K = F (I + M'M)^-1 F' with Theta = F F', M = C F, Z*'Z* = C'C: where Theta is huge I is still there
        _, size, turn = np.linalg.svd(self.bases.root[:, :q].transpose(2, 0, 1) @ root)
        half = root @ turn.swapaxes(1, 2) / np.sqrt(1.0 + size**2)[:, None]
        return np.asarray(half @ half.swapaxes(1, 2))

    @cached_property
    def rms(self) -> np.ndarray:
        """Root mean squares of D's columns over all rows, shape (p,)."""
        return np.asarray(np.sqrt(np.einsum("jaa->a", self.dd) / self.n.sum()))

    def dd_times(self, b: np.ndarray) -> np.ndarray:
        """Give D'D b, shape (J, p), for level-1 coefficients b of that shape."""
        return self.products.times(b.T).T

    @cached_property
    def w(self) -> tuple[np.ndarray, ...]:
        """Level-2 predictors of each level-1 coefficient as the model has them, p ndarrays (J, F_p)."""
        blocks = []
        for coefficient in self.model.coefficients:
            block = np.ones((self.n_units, len(coefficient.gammas)))
            for k, gamma in enumerate(coefficient.gammas):
                if gamma.predictor.variable is not None:
                    block[:, k] = self.moments.level2_values(gamma.predictor.variable)
                    if gamma.predictor.centering == "grand":
                        block[:, k] -= self.centers[gamma.predictor.variable.lower()]
            blocks.append(block)
        return tuple(blocks)

    @cached_property
    def weighed_n(self) -> np.ndarray:
        """Rows of each unit by what they weigh beside a usual unit's, shape (J,): the scale of ``zz``."""
        mass = self.products.mass
        return np.asarray(mass / np.median(mass / self.n))

    @cached_property
    def full_rank(self) -> np.ndarray:
        """Units whose Z'Z has full rank and a condition number below ``most_condition``: bool, (J,)."""
        ok = full_rank_units(self.zz, self.weighed_n)
        return ok if np.isinf(self.most_condition) else ok & (self.condition < self.most_condition)

    @property
    def condition(self) -> np.ndarray:
        """Condition numbers of each unit's Z'Z, columns as the model has them, (J,); inf where singular."""
        if not self.n_random:
            return np.ones(self.n_units)
        values = np.linalg.eigvalsh(self.dd[:, self.random[:, None], self.random])
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(values[:, 0] > 0, values[:, -1] / values[:, 0], np.inf)

    def level1_coefficients(self, gamma: np.ndarray) -> np.ndarray:
        """Give W_j gamma, the fixed part of each unit's level-1 coefficients, shape (J, p)."""
        parts = [w @ gamma[columns] for w, columns in zip(self.w, self.columns, strict=True)]
        return np.stack(parts, axis=1)


class Level1Products(NamedTuple):
    """Products of D and y, units or groups of rows (J of them): D'D; D'y about the means (p, J); y's (J,)."""

    products: Products
    cross_y: np.ndarray
    y_mean: np.ndarray
    yy: np.ndarray

    def residual(self, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Give D'e (J, p) and e'e (J,) of e = y - D b, b (p, J)."""
        mass, mean, cross = self.products.mass, self.products.mean, self.products.cross
        e_mean = self.y_mean - np.einsum("pj,pj->j", mean, b)
        cross_b = np.einsum("abj,bj->aj", cross, b)
        de = self.cross_y - cross_b + mass * e_mean * mean
        inside = self.yy - 2.0 * np.einsum("pj,pj->j", b, self.cross_y) + np.einsum("pj,pj->j", b, cross_b)
        return de.T, np.maximum(inside, 0.0) + mass * e_mean**2


def level1_products(
    model: TwoLevelModel, moments: Moments, centers: dict[str, float], unit_mean: np.ndarray
) -> Level1Products:
    """Give the products of D and y; D centred about the unit means (J, columns) or the grand means.

    Grand means that ``centers`` lacks are put there.
    """
    J, p = len(moments.mean), len(model.coefficients)
    y, mean, at = moments.column(model.outcome), np.ones((p, J)), []
    for k, coefficient in enumerate(model.coefficients):
        variable, centering = coefficient.predictor.variable, coefficient.predictor.centering
        if variable is None:
            continue
        column = moments.column(variable, f"{coefficient.where}: the level-1 variable")
        at.append((k, column))
        mean[k] = moments.mean[:, column]
        if centering == "group":
            mean[k] -= unit_mean[:, column]
        elif centering == "grand":
            if variable.lower() not in centers:
                centers[variable.lower()] = float(np.average(mean[k], weights=moments.total_weight))
            mean[k] -= centers[variable.lower()]
    cross, cross_y = np.zeros((p, p, J)), np.zeros((p, J))
    for k, column in at:
        cross_y[k] = moments.sscp[:, column, y]
        for m, other in at:
            cross[k, m] = moments.sscp[:, column, other]
    return Level1Products(
        Products(moments.weight, mean, cross), cross_y, moments.mean[:, y], moments.sscp[:, y, y]
    )


def random_first(random: np.ndarray, p: int) -> np.ndarray:
    """Number p columns of D, those with a random coefficient first."""
    first = random.tolist()
    return np.array(first + [k for k in range(p) if k not in first], dtype=np.intp)


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


def unit_ols(design: Design) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Fit each unit by OLS on its own Z, to the residual e about the pooled OLS fit.

    Gives the coefficients (J, q) and (Z'Z)^-1 (J, q, q), both nan where Z'Z lacks full rank, the residual sum
    of squares (J,) and n_j - q (J,).
    """
    r, basis = design.random, design.z_basis
    inverse = basis @ design.zz_inverse @ basis.T
    b = design.own_coefficients(design.de[:, r])
    rss = np.maximum(design.ee - np.einsum("ja,ja->j", b, design.de[:, r]), 0.0)
    return b, inverse, rss, design.n - len(r)
