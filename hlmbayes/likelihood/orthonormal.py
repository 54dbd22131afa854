"""Level-1 columns as means and products about them, and orthonormal bases of D and X over all rows.

A column such as a year varies by little about a large level, and two columns may hardly differ. D'D in
the columns as they are would lose the square of what they have in common to rounding, so it is formed
once in the columns of D B, B upper triangular, orthonormal over all rows, from unit means that were
carried there first. Both bases are found in two rounds of Cholesky's method: the second starts from
products that are nearly the identity and makes good what the first lost (Yamamoto, Nakatsukasa,
Yanagisawa & Fukaya 2015, CholeskyQR2). Where it lost next to nothing there is no second.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg.lapack import dpotrf, dtrtri

from ..errors import EstimationError
from .alike import Alike, alike
from .planes import blocks, empty_planes

MOST_KINDS = 0.25  # of the units, where equal ones are worked out once
COLLINEAR = 1e-13  # what is left of a column's sum of squares beside the others: below it is rounding
EASY = 1e3  # a column's sum of squares over what is left of it: to here one round loses at most three digits
SETTLED = 0.5  # of the second round's products about the identity: else the first found rounding only


@dataclass(frozen=True, eq=False)
class Products:
    """D'D of every unit: its mass (J,), the means of D's columns (p, J), products about them (p, p, J).

    ``mass`` is the number of rows, or the sum of their weights. Products of unit j are
    ``cross + mass mean mean'``.
    """

    mass: np.ndarray
    mean: np.ndarray
    cross: np.ndarray

    @cached_property
    def dd(self) -> np.ndarray:
        """D'D, shape (p, p, J)."""
        return np.asarray(self.cross + (self.mass * self.mean)[:, None] * self.mean)

    @cached_property
    def kinds(self) -> Alike | None:
        """Units with the same products, where most have those of another."""
        return alike([self.mass, *self.mean, *self.cross.reshape(-1, len(self.mass))], MOST_KINDS)

    @property
    def different(self) -> Products:
        """The products of one unit of each kind; of all, where most are different."""
        if self.kinds is None:
            return self
        first = self.kinds.first
        return Products(self.mass[first], self.mean[:, first], self.cross[:, :, first])

    def of_all(self, planes: np.ndarray) -> np.ndarray:
        """Give planes (..., J) of all units from those of ``different``."""
        return planes if self.kinds is None else planes.take(self.kinds.of, axis=-1)

    def times(self, b: np.ndarray) -> np.ndarray:
        """Give D'D b, shape (p, J), for b of the same shape."""
        level = self.mass * np.einsum("pj,pj->j", self.mean, b)
        return np.asarray(np.einsum("abj,bj->aj", self.cross, b) + level * self.mean)

    def weighted(self, weight: np.ndarray) -> Products:
        """Multiply every unit's products by its weight, (J,)."""
        return Products(weight * self.mass, self.mean, weight * self.cross)

    def merged(self, unit: np.ndarray) -> Products:
        """Add up the products of rows of the same unit; ``unit`` is 0, 0, 0, 1, 1, ... up to J - 1."""
        starts = np.flatnonzero(np.diff(unit, prepend=-1))
        mass = np.add.reduceat(self.mass, starts)
        mean = np.add.reduceat(self.mass * self.mean, starts, axis=1) / mass
        away = self.mean - mean[:, unit]
        cross = self.cross + (self.mass * away)[:, None] * away
        return Products(mass, mean, np.add.reduceat(cross, starts, axis=2))

    def turned(self, basis: np.ndarray, order: np.ndarray) -> Products:
        """Give the products of D[:, order] @ basis."""
        p, J = self.mean.shape
        turn = np.ascontiguousarray(basis.T)
        mean, cross = self.mean, self.cross
        if order.tolist() != list(range(p)):
            mean, cross = mean[order], cross[order[:, None], order]
        cross = np.matmul(turn, (turn @ cross.reshape(p, p * J)).reshape(p, p, J))
        return Products(self.mass, turn @ mean, cross)

    def factored(
        self, basis: np.ndarray, order: np.ndarray, q: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Give D*'D* (p, p, J) of D* = D[:, order] @ basis, and its triangular factor: see `triangular`.

        A block of units at a time: what lies between is never fetched from memory, nor asked of the system.
        """
        p, J = self.mean.shape
        if len(runs := blocks(J)) == 1:
            turned = self.turned(basis, order)
            return turned.dd, *turned.triangular(q)
        dd, root, rest = empty_planes(J, (p, p), (q, p), (p - q, p - q))
        for block in runs:
            own = Products(self.mass[block], self.mean[:, block], self.cross[:, :, block])
            dd[:, :, block], root[:, :, block], rest[:, :, block] = own.factored(basis, order, q)
        return dd, root, rest

    def triangular(self, q: int) -> tuple[np.ndarray, np.ndarray]:
        """Factor every unit's D'D in its first q columns.

        The products about the means are factored first and the means rotated in after, so that a column
        which varies little about a large mean keeps its digits beside an intercept. Gives ``root`` and
        ``rest`` of `Orthonormal`; a row is zero where a column adds nothing.
        """
        left, root = self.cross.copy(), np.zeros((q, *self.mean.shape))
        for k in range(q):
            ok = left[k, k] > COLLINEAR * self.cross[k, k]
            if ok.any():  # not in an intercept, which has nothing about its mean
                np.divide(left[k, k:], np.sqrt(np.where(ok, left[k, k], np.inf)), out=root[k, k:])
                left[k + 1 :, k + 1 :] -= root[k, k + 1 :, None] * root[k, k + 1 :]
        level = np.sqrt(self.mass) * self.mean
        for k in range(q):
            if not level[k].any():  # centred in every unit: there is nothing to rotate in
                continue
            length = np.sqrt(root[k, k] ** 2 + level[k] ** 2)  # columns are about orthonormal: no overflow
            none = length == 0
            length[none] = np.inf
            c, s = root[k, k] / length, level[k] / length
            c[none] = 1.0
            root[k], level = c * root[k] + s * level, c * level - s * root[k]
        return root, left[q:, q:] + level[q:, None] * level[q:]


@dataclass(frozen=True, eq=False)
class Orthonormal:
    """D* = D[:, order] B and X in orthonormal bases."""

    basis: np.ndarray  # (p, p): B, upper triangular; columns that add nothing to those before are only scaled
    dd: np.ndarray  # (p, p, J): D*'D*
    root: np.ndarray  # (q, p, J): rows of Z* in the triangular factor of every unit's D*'D*
    rest: np.ndarray  # (p - q, p - q, J): what they leave of the other columns' products
    sums: np.ndarray  # (p u, p u): of D*'D* by products of level-2 columns; X'X is ``loading sums loading'``
    loading: (
        np.ndarray
    )  # (F, p, u): X = D* W*, W*_cf = sum_u loading[f, c, u] level2[u]; X of unit mean square
    xx: np.ndarray  # (F, F): X'X of those columns
    scale: np.ndarray  # (F,): X's columns as the model has them, times this, have unit mean square
    whitener: np.ndarray  # (F, F): R^-1 with X'X / n = R R'
    white: np.ndarray  # (F, p u): ``whitener`` times ``loading``


class CollinearError(EstimationError):
    """X'X is singular: ``columns`` are the fixed effects involved; ``zero``: one whose column is zero."""

    def __init__(self, columns: np.ndarray, *, zero: bool = False) -> None:
        super().__init__("the fixed effects are collinear in the data: take one out")
        self.columns, self.zero = columns, zero


def orthonormal(
    products: Products, level2: np.ndarray, loading: np.ndarray, order: np.ndarray, q: int, n: float
) -> Orthonormal:
    """Find the bases.

    ``products`` and ``loading`` (F, p, u) are of D, its columns as the model has them, and of X on D and the
    level-2 columns (u, J); ``order`` (p,) numbers the columns of D, the q of Z first; ``n`` is the number of
    rows (sum of weights). Raise EstimationError where the columns of Z are collinear over all rows,
    CollinearError where those of X are.
    """
    basis = _level1_basis(products, order, q, n)
    dd, root, rest = map(products.of_all, products.different.factored(basis, order, q))
    sums = level2_sums(dd, level2)
    inverse = dtrtri(basis)[0] if len(basis) else basis
    loading = inverse @ loading[:, order]
    flat = loading.reshape(len(loading), len(sums))
    xx = flat @ sums @ flat.T
    square = xx.diagonal()
    zero = square <= COLLINEAR * (flat**2 @ sums.diagonal())
    if zero.any():
        raise CollinearError(np.flatnonzero(zero), zero=True)
    scale = np.sqrt(n / square)
    flat, xx = flat * scale[:, None], scale[:, None] * xx * scale
    whitener = _inverse_root(xx / n)
    if whitener is None:
        raise CollinearError(_null_columns(xx))
    white = whitener @ flat
    if not (whitener.diagonal() ** 2 < EASY).all():
        step = _inverse_root(white @ sums @ white.T / n)
        if step is None or np.abs(step - np.eye(len(step))).max(initial=0.0) > SETTLED:
            raise CollinearError(_null_columns(xx))
        whitener, white = step @ whitener, step @ white
    return Orthonormal(basis, dd, root, rest, sums, flat.reshape(loading.shape), xx, scale, whitener, white)


def weighted_orthonormal(
    products: Products, level2: np.ndarray, loading: np.ndarray, order: np.ndarray, basis: np.ndarray, q: int,
    n: float,
) -> Orthonormal:  # fmt: skip
    """Find the bases of weighted rows whose columns are independent: nothing is refused for the weights.

    ``basis`` (p, p) makes D about orthonormal; the level-2 columns are orthogonal over units as they weigh.
    The others as for `orthonormal`.
    """
    dd, root, rest = products.factored(basis, order, q)
    sums = level2_sums(dd, level2)
    loading = (dtrtri(basis)[0] if len(basis) else basis) @ loading[:, order]
    flat = loading.reshape(len(loading), len(sums))
    values, vectors = np.linalg.eigh(sums)
    half = flat @ (vectors * np.sqrt(np.maximum(values, 0.0)))
    scale = np.sqrt(n) / np.linalg.norm(half, axis=1)
    flat, half = flat * scale[:, None], half * scale[:, None] / np.sqrt(n)
    r = np.linalg.qr(half.T, mode="r")
    r *= np.where(r.diagonal() < 0, -1.0, 1.0)[:, None]
    whitener = np.asarray(dtrtri(r)[0].T) if len(r) else r
    return Orthonormal(
        basis, dd, root, rest, sums, flat.reshape(loading.shape), n * (r.T @ r), scale, whitener,
        whitener @ flat,
    )  # fmt: skip


def level2_sums(dd: np.ndarray, level2: np.ndarray) -> np.ndarray:
    """Give sums over units of D'D (p, p, J) by products of two level-2 columns (u, J): (p u, p u)."""
    p, (u, J) = len(dd), level2.shape
    sums = np.zeros((u * u, p * p))
    for block in blocks(J):
        own = level2[:, block]
        sums += (own[:, None] * own).reshape(u * u, -1) @ dd[:, :, block].reshape(p * p, -1).T
    return np.asarray(sums.reshape(u, u, p, p).transpose(2, 0, 3, 1).reshape(p * u, p * u))


def _inverse_root(xx: np.ndarray) -> np.ndarray | None:
    """Give R^-1 with X'X = R R', lower triangular; None where X'X is singular."""
    if not len(xx):
        return xx
    chol, failed = dpotrf(xx, lower=1)
    if failed or chol.diagonal().min() ** 2 < COLLINEAR:
        return None
    return np.asarray(dtrtri(chol, lower=1)[0])


def _null_columns(xx: np.ndarray) -> np.ndarray:
    """Say which columns X'X, of unit diagonal but for a factor, is singular in."""
    null = np.abs(np.linalg.eigh(xx)[1][:, 0])
    return np.flatnonzero(null > 1e-4 * null.max())


def _level1_basis(products: Products, order: np.ndarray, q: int, n: float) -> np.ndarray:
    """Give B, upper triangular, with D B orthonormal over all rows, its first q columns a basis of Z."""
    mean, own = products.mean, (order[:, None], order)
    within = products.cross.sum(axis=2)[own]
    total = within + ((products.mass * mean) @ mean.T)[own]
    basis = _gram_schmidt(total / n, q)
    if not (basis.diagonal() ** 2 * total.diagonal() < EASY * n).all():
        turned = basis.T @ mean[order]
        total = basis.T @ within @ basis + (products.mass * turned) @ turned.T
        step = _gram_schmidt(total / n, q)
        if np.any(np.abs(step.diagonal() - 1.0)[:q] > SETTLED):
            _refuse_random()
        basis = basis @ step
    return basis


def _gram_schmidt(gram: np.ndarray, q: int) -> np.ndarray:
    """Give the step that makes columns with these products orthonormal, each of those before it.

    A column beyond the first q that the others determine is scaled and not turned.
    """
    p = len(gram)
    if not p:
        return gram
    chol, failed = dpotrf(gram)
    if not failed and (chol.diagonal() ** 2 > COLLINEAR * gram.diagonal()).all():
        return np.asarray(dtrtri(chol)[0])
    root, ok = np.zeros((p, p)), np.ones(p, dtype=bool)
    for k in range(p):
        for i in np.flatnonzero(ok[:k]):
            root[i, k] = (gram[i, k] - root[:i, i] @ root[:i, k]) / root[i, i]
        pivot = gram[k, k] - root[:k, k] @ root[:k, k]
        if not pivot > COLLINEAR * gram[k, k]:
            if k < q:
                _refuse_random()
            ok[k], root[:k, k], pivot = False, 0.0, gram[k, k] or 1.0
        root[k, k] = np.sqrt(pivot)
    return np.asarray(dtrtri(root)[0])


def _refuse_random() -> None:
    raise EstimationError(
        "the random coefficients are collinear in the data, so their variances cannot be told apart: "
        "make one of them nonrandom"
    )
