"""Deviance, score and curvature of a two-level linear model at a value of tau / sigma2.

Everything is written for V_j = sigma2 (I + Z_j Theta Z_j'), Theta = tau / sigma2 = L L', with
L lower triangular, so that a singular tau is an ordinary point:

    R_j = I + L' Z'Z L = C C',   S = C^-1 L' [Z'Z Z'D Z'e]
    Z'V^-1[Z D e] = [Z'Z Z'D Z'e] - S_z' S          (times 1 / sigma2)

Bates & Pinheiro 1998 (the penalised least squares form); Lindstrom & Bates 1988 for the profile.
Nothing is looped over units: a quantity per unit is an array whose LAST axis is the unit (J), which
keeps each entry of the small matrices contiguous. Units of the arrays are standardised
(`standardise`): columns of Z orthonormal over all rows, columns of X and e of unit root mean square.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_triangular

from .design import Design
from .errors import EstimationError


@dataclass(frozen=True, slots=True, eq=False)
class System:
    """The standardised cross-products of a design.

    Attributes
    ----------
    products : ndarray, shape (q, q + p' + 1, J)
        Z'[Z D* e]: D* are the columns of Z, then the other columns of D.
    w : tuple of p arrays, shape (F_c, J)
        Level-2 predictors of each column of D*.
    columns : tuple of p int arrays, shape (F_c,)
        The fixed effects they belong to.
    xx, xe, ee : ndarray (F, F), ndarray (F,), float
        X'X, X'e and e'e over all rows.
    n : float
        Rows (or sum of weights).
    to_tau : ndarray, shape (q, q)
        A with Z = Z* A^-1: tau = A Theta* A' times sigma2 of the data.
    gamma_scale : ndarray, shape (F,)
    e_scale : float
    """

    products: np.ndarray
    w: tuple[np.ndarray, ...]
    columns: tuple[np.ndarray, ...]
    xx: np.ndarray
    xe: np.ndarray
    ee: float
    n: float
    to_tau: np.ndarray
    gamma_scale: np.ndarray
    e_scale: float

    @property
    def n_fixed(self) -> int:
        """Number of free fixed effects, F."""
        return len(self.xe)

    @property
    def n_random(self) -> int:
        """Number of random coefficients, q."""
        return self.products.shape[0]


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """The likelihood's ingredients at one Theta, in standardised units.

    ``h``, ``p`` and ``vv`` are sums over units of Z'V^-1Z, Z'V^-1X Vg X'V^-1Z and
    v v' with v = Z'V^-1(e - X delta), all for sigma2 = 1; ``hh``, ``hp``, ``hv`` the sums of
    their outer products (q, q, q, q), index order [a, b, c, d] of H_ab M_cd; ``kk`` is
    sum_j K_j' (x) K_j as (q, q, F, F) and ``kv`` sum_j v_b K_a as (q, q, F), K = Z'V^-1X.
    """

    theta: np.ndarray
    logdet_v: float
    logdet_xvx: float
    delta: np.ndarray
    vg: np.ndarray
    rss: float
    h: np.ndarray
    p: np.ndarray
    vv: np.ndarray
    hh: np.ndarray
    hp: np.ndarray
    hv: np.ndarray
    kk: np.ndarray
    kv: np.ndarray


def standardise(design: Design) -> System:
    """Scale a design so that neither tolerances nor rounding depend on the units of the data."""
    q, p = design.n_random, len(design.w)
    n = float(design.n.sum())
    order = np.concatenate([design.random, np.setdiff1d(np.arange(p), design.random)]).astype(np.intp)
    basis = _orthonormal_basis(design.dd.sum(axis=0)[np.ix_(order, order)] / n, q)
    e_scale = float(np.sqrt(design.ee.sum() / n))
    if not e_scale > 0:
        raise EstimationError(
            "the fixed effects fit every row exactly: there is no variance left to estimate"
        )
    dd = basis.T @ design.dd[:, order[:, None], order] @ basis
    de = design.de[:, order] @ basis / e_scale
    w, columns = _combine_w(design, order, np.linalg.inv(basis))
    f = design.n_fixed
    xx, xe = np.zeros((f, f)), np.zeros(f)
    for a in range(p):
        xe_a = w[a] @ de[:, a]
        np.add.at(xe, columns[a], xe_a)
        for b in range(p):
            block = (w[a] * dd[:, a, b]) @ w[b].T
            np.add.at(xx, (columns[a][:, None], columns[b][None, :]), block)
    gamma_scale = 1.0 / np.sqrt(np.diag(xx) / n)
    w = tuple(w[c] * gamma_scale[columns[c]][:, None] for c in range(p))
    products = np.concatenate([dd[:, :q, :], de[:, :q, None]], axis=2)
    return System(
        np.ascontiguousarray(np.moveaxis(products, 0, 2)), w, columns,
        xx * np.outer(gamma_scale, gamma_scale), xe * gamma_scale, n * 1.0, n,
        basis[:q, :q] * e_scale, gamma_scale * e_scale, e_scale,
    )  # fmt: skip


def _orthonormal_basis(dd: np.ndarray, q: int) -> np.ndarray:
    """Give B, upper triangular, with (D B) of unit mean square and its first q columns orthogonal."""
    p = len(dd)
    scale = np.sqrt(np.diag(dd))
    basis = np.diag(1.0 / np.where(scale > 0, scale, 1.0))
    if q:
        correlation = dd[:q, :q] / np.outer(scale[:q], scale[:q])
        try:
            chol = np.linalg.cholesky(correlation)
        except np.linalg.LinAlgError:
            chol = np.zeros((q, q))
        if np.min(np.diag(chol)) < 1e-7:
            raise EstimationError(
                "the random coefficients are collinear in the data, so their variances cannot be told apart: "
                "make one of them nonrandom"
            )
        basis[:q, :q] = basis[:q, :q] @ solve_triangular(chol, np.eye(q), lower=True).T
    return basis.reshape(p, p)


def _combine_w(
    design: Design, order: np.ndarray, inverse: np.ndarray
) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
    """Carry W to the new basis of D: W*_c = sum_k inverse[c, k] W_k, columns that are not all zero."""
    blocks, columns = [], []
    for c in range(len(order)):
        sources = [k for k in range(len(order)) if inverse[c, k] != 0 and design.w[order[k]].shape[1]]
        merged = np.unique(
            np.concatenate([np.zeros(0, np.intp), *(design.columns[order[k]] for k in sources)])
        )
        block = np.zeros((len(merged), design.n_units))
        for k in sources:
            for i, column in enumerate(design.columns[order[k]]):
                block[np.searchsorted(merged, column)] += inverse[c, k] * design.w[order[k]][:, i]
        blocks.append(block)
        columns.append(merged)
    return tuple(blocks), tuple(columns)


def cholesky_planes(r: np.ndarray) -> np.ndarray:
    """Factor many small matrices at once: r is (q, q, J), positive definite; lower factor."""
    q = r.shape[0]
    c = np.zeros_like(r)
    for j in range(q):
        pivot = r[j, j] - np.einsum("kj,kj->j", c[j, :j], c[j, :j]) if j else r[j, j]
        c[j, j] = np.sqrt(pivot)
        for i in range(j + 1, q):
            entry = r[i, j] - np.einsum("kj,kj->j", c[i, :j], c[j, :j]) if j else r[i, j]
            c[i, j] = entry / c[j, j]
    return c


def solve_planes(c: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Solve C S = B for lower C (q, q, J) and B (q, m, J)."""
    s = np.empty_like(b)
    for i in range(c.shape[0]):
        row = b[i]
        for k in range(i):
            row = row - c[i, k] * s[k]
        s[i] = row / c[i, i]
    return s


def reduce_products(products: np.ndarray, factor: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give log|R_j| (J,), S = C^-1 L' products and products - S_z' S, both (q, m, J)."""
    q, m, J = products.shape
    lp = (factor.T @ products.reshape(q, m * J)).reshape(q, m, J)
    r = np.matmul(factor.T, lp[:, :q])
    for k in range(q):
        r[k, k] += 1.0
    c = cholesky_planes(r)
    s = solve_planes(c, lp)
    reduced = products.copy()
    for a in range(q):
        reduced -= s[a, :q, None, :] * s[a, None, :, :]
    logdet = 2.0 * np.log(np.prod([c[k, k] for k in range(q)], axis=0)) if q else np.zeros(J)
    return logdet, s, reduced


def expand_x(system: System, planes: np.ndarray) -> np.ndarray:
    """Carry (q, p, J) in the basis of D to (q, F, J) in the fixed effects: times W_j."""
    q, _, J = planes.shape
    result = np.zeros((q, system.n_fixed, J))
    for c, (w, columns) in enumerate(zip(system.w, system.columns, strict=True)):
        if len(columns):
            result[:, columns] += planes[:, c, None, :] * w
    return result


def evaluate(system: System, factor: np.ndarray) -> Evaluation:
    """Evaluate deviance parts, score sums and curvature sums at Theta = factor factor'.

    Parameters
    ----------
    system : System
    factor : ndarray, shape (q, q)
        Lower triangular L.

    Raises
    ------
    EstimationError
        X'V^-1X is not positive definite.
    """
    q, f = system.n_random, system.n_fixed
    logdet, s, reduced = reduce_products(system.products, factor)
    t = s[:, -1].reshape(-1)
    g = expand_x(system, s[:, :-1]).transpose(1, 0, 2).reshape(f, t.size)
    xvx, xve = system.xx - g @ g.T, system.xe - g @ t
    vg, logdet_xvx = _inverse(xvx)
    delta = vg @ xve
    rss = system.ee - float(t @ t) - float(delta @ xve)
    h = reduced[:, :q]
    k = expand_x(system, reduced[:, :-1])
    v = reduced[:, -1] - np.einsum("afj,f->aj", k, delta, optimize=True)
    ks = np.matmul(np.linalg.cholesky(vg).T, k) if f else k
    rows, cols = np.tril_indices(q)
    p = np.einsum("mfj,mfj->mj", ks[rows], ks[cols])
    planes = np.stack([h[rows, cols], p, v[rows] * v[cols]])
    unpack = np.zeros((q, q), dtype=np.intp)
    unpack[rows, cols] = unpack[cols, rows] = np.arange(len(rows))
    sums = planes.sum(axis=2)
    outer = planes[0] @ planes.reshape(3 * len(rows), planes.shape[2]).T
    hh, hp, hv = (o[unpack[:, :, None, None], unpack] for o in np.split(outer, 3, axis=1))
    flat = k.reshape(q * f, k.shape[2])
    return Evaluation(
        factor @ factor.T, float(logdet.sum()), logdet_xvx, delta, vg, rss,
        sums[0][unpack], sums[1][unpack], sums[2][unpack], hh, hp, hv,
        (flat @ flat.T).reshape(q, f, q, f).transpose(0, 2, 1, 3),
        (flat @ v.T).reshape(q, f, q).transpose(0, 2, 1),
    )  # fmt: skip


def _inverse(xvx: np.ndarray) -> tuple[np.ndarray, float]:
    """Give the inverse and log-determinant of X'V^-1X, scaled to a unit diagonal on the way."""
    f = len(xvx)
    if not f:
        return np.zeros((0, 0)), 0.0
    diagonal = np.diag(xvx)
    if not np.all(diagonal > 0):
        raise EstimationError("the fixed effects' information matrix is singular: a fixed effect has no data")
    scale = np.sqrt(diagonal)
    try:
        chol = np.linalg.cholesky(xvx / np.outer(scale, scale))
    except np.linalg.LinAlgError:
        raise EstimationError(
            "the fixed effects' information matrix is singular: they are collinear"
        ) from None
    inverse = solve_triangular(chol, np.diag(1.0 / scale), lower=True)
    return inverse.T @ inverse, 2.0 * float(np.log(np.diag(chol)).sum() + np.log(scale).sum())
