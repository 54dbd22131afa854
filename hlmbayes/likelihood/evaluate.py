"""Deviance, score and curvature of a two-level linear model at a value of tau / sigma2.

Everything is written for V_j = sigma2 (I + Z_j Theta Z_j'), Theta = tau / sigma2, so that a singular
tau is an ordinary point. With A = Z'Z and D the level-1 columns,

    Z'V^-1[Z D e] = (I + A Theta)^-1 Z'[Z D e]                                  (times 1 / sigma2)

With the triangular factor of each unit's [Z D e], [C' B T] in the rows of Z, and K K' = I + C'Theta C,

    W = K^-1 [C' B T],   D'V^-1D = W_d'W_d + what Z leaves of D'D,   Z'V^-1e = W_z'W_e, ...

so that everything is a sum of products of like size, however large tau is beside sigma2 and however
little a unit's columns differ (Bates & Pinheiro 1998; Lindstrom & Bates 1988 for the profile).

The level-2 predictors enter last: X_j = D_j W_j, and W_j is linear in the few level-2 columns U. So
sums over units are sums of (planes of D'V^-1D) by (products of level-2 columns), and the fixed effects,
however many, are algebra on those sums. Nothing is looped over units: see `planes`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import singledispatch
from math import prod
from typing import NamedTuple

import numpy as np
from scipy.linalg.lapack import dpotrf, dtrtri

from ..errors import EstimationError
from .planes import blocks, cholesky_planes, empty_planes, inner, solve_planes
from .system import System, standardise

__all__ = ["Evaluation", "System", "at_gamma", "cholesky_planes", "evaluate", "solve_planes", "standardise"]


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """The likelihood's ingredients at one Theta, in standardised units.

    ``h``, ``p`` and ``vv`` are sums over units of Z'V^-1Z, Z'V^-1X Vg X'V^-1Z and
    v v' with v = Z'V^-1(e - X delta), all for sigma2 = 1; ``hh``, ``hp``, ``hv`` the sums of
    their outer products (q, q, q, q), index order [a, b, c, d] of H_ab M_cd. With
    K = Z'V^-1D by level-2 columns, (q, p u) a unit: ``kk_level2`` is sum_j K_a' K_b as
    (q, q, p u, p u), ``kv_level2`` sum_j v_b K_a as (q, q, p u), and ``vg_level2`` (p u, p u) is Vg in
    that basis; ``loading`` (F, p u) leads from it to the fixed effects, ``whitener`` (F, F) from those of
    ``vg_white`` (F, F), where X is orthonormal over all rows.
    """

    theta: np.ndarray
    logdet_v: float
    logdet_xvx: float
    delta: np.ndarray
    vg_white: np.ndarray
    rss: float
    h: np.ndarray
    p: np.ndarray
    vv: np.ndarray
    hh: np.ndarray
    hp: np.ndarray
    hv: np.ndarray
    kk_level2: np.ndarray
    kv_level2: np.ndarray
    vg_level2: np.ndarray
    loading: np.ndarray
    whitener: np.ndarray

    @property
    def vg(self) -> np.ndarray:
        """(X'V^-1X)^-1, shape (F, F)."""
        return np.asarray(self.whitener.T @ self.vg_white @ self.whitener)

    def information_times(self, d: np.ndarray) -> np.ndarray:
        """Give X'V^-1X d, shape (F,)."""
        inner = np.linalg.solve(self.vg_white, np.linalg.solve(self.whitener.T, d))
        return np.asarray(np.linalg.solve(self.whitener, inner))

    @property
    def kk(self) -> np.ndarray:
        """sum_j K_a' K_b with K = Z'V^-1X, shape (q, q, F, F)."""
        return np.asarray(self.loading @ self.kk_level2 @ self.loading.T)

    @property
    def kv(self) -> np.ndarray:
        """sum_j v_b K_a with K = Z'V^-1X, shape (q, q, F)."""
        return np.asarray(self.kv_level2 @ self.loading.T)


def at_gamma(at: Evaluation, delta: np.ndarray) -> Evaluation:
    """Give the likelihood's sums with the residuals taken from another gamma than the GLS one.

    HLM's ML iterations use the gamma of the iteration before in everything but gamma itself.
    """
    moved = at.delta - delta
    cross = at.kv @ moved
    vv = at.vv + cross + cross.T + at.kk @ moved @ moved
    return replace(at, delta=delta, vv=vv, rss=at.rss + float(moved @ at.information_times(moved)))


@singledispatch
def evaluate(system: System, factor: np.ndarray) -> Evaluation:
    """Evaluate deviance parts, score sums and curvature sums at Theta = factor factor', (q, q).

    Raise EstimationError where X'V^-1X is not positive definite.
    """
    weighed = weigh(system, factor)
    solved = solve_fixed(system, weighed)
    return assembled(system, factor, weighed.logdet, solved, second_pass(system, weighed, solved))


def assembled(system: System, factor: np.ndarray, logdet: float, solved: Solved, sums: Sums) -> Evaluation:
    """Put what two passes over the units gave together; ``logdet`` is log|V|."""
    lay = system.layout
    m = len(lay.pairs_q[0])
    h, p, vv = sums.first.reshape(3, m).take(lay.h, axis=1)
    hh, hp, hv = sums.outer.take(lay.curve)
    delta = system.whitener.T @ solved.delta
    return Evaluation(
        factor @ factor.T, logdet, solved.logdet, delta, solved.vg, sums.rss + _added(system, delta),
        h, p, vv, hh, hp, hv, sums.kk.take(lay.kk), sums.kv.take(lay.kv), solved.vk,
        system.loading.reshape(len(delta), lay.t.shape[0]), system.whitener,
    )  # fmt: skip


# --- first pass: V^-1, then the fixed effects -----------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Weighed:
    """What V^-1 makes of the products: planes (J,), and their sums over units.

    ``w`` (q, p + 1, J) is W, ``e`` the distinct planes of D'V^-1D (order: see `planes.Layout`);
    ``by_pairs`` their sums by products of level-2 columns, ``by_level2`` those of D'V^-1e by level-2
    columns; ``logdet`` is log|V|.
    """

    w: np.ndarray
    e: np.ndarray
    by_pairs: np.ndarray
    by_level2: np.ndarray
    logdet: float


def weigh(system: System, factor: np.ndarray) -> Weighed:
    """Apply V^-1, Theta = factor factor', to every unit's products."""
    q, p, J = system.n_random, system.p, system.level2.shape[1]
    w, e = empty_planes(J, (q, p + 1), (p * (p + 1) // 2,))
    logdet, by_pairs, by_level2 = 0.0, [], []
    for block in blocks(J):
        logs = shrink(system.root[:, :, block], factor, w[:, :, block])
        logdet += float(system.counted(system.repeated(logs, block), block).sum())
        r = squares(w[:, :, block], system.rest[:, :, block], e[:, block])
        by_pairs.append(inner(e[:, block], system.counted(system.level2_pairs(block), block)))
        by_level2.append(inner(r, system.counted(system.level2[:, block], block)))
    return Weighed(w, e, _total(by_pairs), _total(by_level2), logdet)


def _total(parts: list[np.ndarray]) -> np.ndarray:
    """Add up what the blocks of units give."""
    return parts[0] if len(parts) == 1 else np.sum(parts, axis=0)


def times_factor(root: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """Give C'L (q, q, J) of one L (q, q), (q, q, B, J) of many (B, q, q).

    ``root`` is [C' B T] (q, ., J), or (q, ., B, J) where every point has its own.
    """
    q = len(root)
    if root.ndim > 3:
        return np.asarray(np.einsum("rabj,bac->rcbj", root[:, :q], factor))
    columns = factor.T if factor.ndim == 2 else factor.transpose(2, 0, 1)
    return np.asarray(np.matmul(columns.reshape(-1, q), root[:, :q]).reshape(q, *columns.shape[:-1], -1))


def shrink(root: np.ndarray, factor: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Write W = K^-1 [C' B T] with K K' = I + C'Theta C into ``w``, and give log|V|, (J,) or (B, J).

    ``root`` (q, p + 1, J) is [C' B T], ``factor`` (q, q) is L; of many points ``factor`` is (B, q, q), ``w``
    (q, p + 1, B, J), and so is ``root`` where every point has its own.
    """
    q = len(root)
    if q == 0:
        return np.zeros(w.shape[2:])
    if q == 2:
        return _shrink_two(root, factor, w)
    g = times_factor(root, factor)  # [row, column of L]
    if root.ndim < w.ndim:
        root = root[:, :, None]
    if q == 1:
        square = g[0, 0]
        square *= square
        square += 1.0
        np.divide(root, np.sqrt(square), out=w)
        return np.asarray(np.log(square))
    k = one_and_square(g)
    w[...] = solve_planes(k, root)
    return 2.0 * np.log(np.prod([k[c, c] for c in range(q)], axis=0))


def one_and_square(g: np.ndarray) -> np.ndarray:
    """Give K, lower triangular, with K K' = I + G G', G (q, q, ..., J)."""
    q = len(g)
    flat = g.reshape(q, q, -1)
    k = np.einsum("acj,bcj->abj", flat, flat)
    for c in range(q):
        k[c, c] += 1.0
    return cholesky_planes(k).reshape(g.shape)


def _shrink_two(root: np.ndarray, factor: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Do it for two columns: |K K'| = 1 + |C'L|^2 + det(C'L)^2, a sum of squares."""
    g = times_factor(root, factor)
    (a, b), (c, d) = g
    det, turn = a * d, a * c
    det -= b * c
    det *= det
    turn += b * d
    g *= g
    a += b
    a += 1.0  # the first row's square
    c += d
    c += a
    det += c
    turn /= a
    np.sqrt(a, out=b)
    a /= det
    np.sqrt(a, out=a)
    if root.ndim < w.ndim:
        root = root[:, :, None]
    np.divide(root[0], b, out=w[0])
    np.multiply(root[0], turn, out=w[1])
    np.subtract(root[1], w[1], out=w[1])
    w[1] *= a
    return np.asarray(np.log(det))


def squares(w: np.ndarray, rest: np.ndarray, e: np.ndarray) -> np.ndarray:
    """Write D'V^-1D (its distinct planes) into e and give D'V^-1e, (p, ..., J).

    They are products of W and, of columns that are not in Z, what Z leaves of them.
    """
    q, p, J = len(w), w.shape[1] - 1, prod(w.shape[2:])
    flat, planes, r = w.reshape(q, p + 1, J), e.reshape(len(e), J), np.empty((p, *w.shape[2:]))
    z, others, v, at = flat[:, :q], flat[:, q:], r.reshape(p, J), 0
    for a in range(q):
        np.einsum("cj,cbj->bj", z[:, a], z[:, : a + 1], out=planes[at : at + a + 1])
        at += a + 1
    mixed = np.einsum("caj,cbj->abj", z, others)
    planes[at : at + q * (p - q)], v[:q] = mixed[:, :-1].reshape(-1, J), mixed[:, -1]
    at += q * (p - q)
    if p > q:
        rest = rest if rest.ndim == w.ndim else rest[:, :, None]
        for a in range(p - q):
            np.einsum("cj,cbj->bj", others[:, a], others[:, : a + 1], out=planes[at : at + a + 1])
            e[at : at + a + 1] += rest[a, : a + 1]
            at += a + 1
        np.einsum("cmj,cj->mj", others[:, :-1], others[:, -1], out=v[q:])
        r[q:] += rest[:, -1]
    return r


@dataclass(frozen=True, slots=True, eq=False)
class Solved:
    """GLS in the whitened basis: ``delta`` (F,), ``vg`` (F, F), ``vk`` (p u, p u) and ``dk`` (p, u) the
    same two by level-2 columns; log|X'V^-1X| of the standardised X.
    """

    delta: np.ndarray
    vg: np.ndarray
    vk: np.ndarray
    dk: np.ndarray
    logdet: float


def solve_fixed(system: System, weighed: Weighed) -> Solved:
    """Solve for the fixed effects, in the basis in which X is orthonormal over all rows."""
    white, whitener, shape = system.white, system.whitener, system.loading.shape[1:]
    xvx = white @ weighed.by_pairs.take(system.layout.t) @ white.T
    xve = white @ weighed.by_level2.reshape(-1)
    if system.xx is not system.own_xx:  # a prior's precision, say
        xvx += whitener @ (system.xx - system.own_xx) @ whitener.T
        xve += whitener @ (system.xe - system.own_xe)
    if not len(xve):
        return Solved(xve, xvx, np.zeros((shape[0] * shape[1],) * 2), np.zeros(shape), 0.0)
    chol, failed = dpotrf(xvx, lower=1)
    if failed:
        raise EstimationError(
            "the fixed effects' information matrix is singular: they are collinear, or one has no data"
        )
    root = dtrtri(chol, lower=1)[0]
    vg = root.T @ root
    delta = vg @ xve
    half = root @ white
    logdet = 2.0 * float(np.log(chol.diagonal() / whitener.diagonal()).sum())
    return Solved(delta, vg, half.T @ half, (delta @ white).reshape(shape), logdet)


def _added(system: System, delta: np.ndarray) -> float:
    """Give what a caller's own squares, a prior's say, add to the residual sum of squares."""
    if system.xx is system.own_xx:
        return 0.0
    constant = system.ee - system.own_ee
    away = (system.xx - system.own_xx) @ delta - 2.0 * (system.xe - system.own_xe)
    return float(constant + delta @ away)


# --- second pass: score and curvature --------------------------------------------------------------


class Sums(NamedTuple):
    """Sums over units: (y - X gamma)'V^-1(y - X gamma) and what its derivatives are made of.

    (H, P, vv); H by (H, P, vv); K K by pairs of level-2 columns; v K by level-2 columns; of the distinct
    planes only: (3 m,), (m, 3 m), (pairs of nk, pairs of u), (q nk, u).
    """

    rss: float
    first: np.ndarray
    outer: np.ndarray
    kk: np.ndarray
    kv: np.ndarray


def second_pass(system: System, weighed: Weighed, solved: Solved) -> Sums:
    """Go over the units again, the fixed effects known."""
    lay, q = system.layout, system.n_random
    m = len(lay.pairs_q[0])
    sums, outer, kk, kv = [], [], [], []
    rss = system.left
    flat = solved.vk.reshape(-1)
    fold = flat.take(lay.g_one) + lay.g_weight * flat.take(lay.g_two)
    for block in blocks(system.level2.shape[1]):
        level2, pairs = system.level2[:, block], system.level2_pairs(block)
        d, w = solved.dk @ level2, weighed.w[:, :, block]
        left = w[:, -1] - np.einsum("cpj,pj->cj", w[:, :-1], d)
        rss += float(np.vdot(system.counted(left, block), left)) + _rest_squares(system, block, d[q:])
        k = weighed.e[: lay.nk, block]
        full = k.take(lay.k, axis=0)
        v = np.einsum("caj,cj->aj", w[:, :q], left)
        squares = v.take(lay.pairs_q[0], axis=0) * v.take(lay.pairs_q[1], axis=0)
        planes = system.counted(
            np.concatenate([system.repeated(k[:m], block), _sandwich(full, fold @ pairs, system), squares]),
            block,
        )
        sums.append(planes.sum(axis=1))
        outer.append(inner(k[:m], planes))
        kk.append(inner(_products(k), system.counted(pairs, block)))
        moved = (v[:, None] * k).reshape(q * lay.nk, w.shape[2])
        kv.append(inner(moved, system.counted(level2, block)))
    return Sums(rss, _total(sums), _total(outer), _total(kk), _total(kv))


def _rest_squares(system: System, block: slice, d: np.ndarray) -> float:
    """Give what the coefficients d (p - q, J) of columns not in Z make of what Z leaves of e'e."""
    if not len(d):
        return 0.0
    rest = system.rest[:, :, block]
    product = np.einsum("mnj,nj->mj", rest[:, :-1], d) - 2.0 * rest[:, -1]
    return float(np.sum(system.counted(d, block) * product))


def _sandwich(full: np.ndarray, middle: np.ndarray, system: System) -> np.ndarray:
    """Give the distinct planes of K G K', K (q, p, J) and G's distinct planes."""
    through = np.einsum("cdj,bdj->bcj", middle.take(system.layout.g, axis=0), full)
    rows, cols = system.layout.pairs_q
    return np.asarray(np.einsum("mcj,mcj->mj", full.take(rows, axis=0), through.take(cols, axis=0)))


def _products(planes: np.ndarray) -> np.ndarray:
    """Give the products of every two planes, by rows of the upper triangle."""
    n, J = planes.shape
    result, at = np.empty((n * (n + 1) // 2, J)), 0
    for a in range(n):
        np.multiply(planes[a], planes[a:], out=result[at : at + n - a])
        at += n - a
    return result
