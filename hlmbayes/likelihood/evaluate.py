"""Deviance, score and curvature of a two-level linear model at a value of tau / sigma2.

Everything is written for V_j = sigma2 (I + Z_j Theta Z_j'), Theta = tau / sigma2, so that a singular
tau is an ordinary point. With A = Z'Z and D the level-1 columns,

    Z'V^-1[Z D e] = (I + A Theta)^-1 Z'[Z D e]                                  (times 1 / sigma2)

In closed form for one and two random coefficients (adjugates: sums of positive terms); beyond, with
Theta = L L' and I + L'AL = C C', as Z'[Z D e] - S_z'S, S = C^-1 L'Z'[Z D e] (Bates & Pinheiro 1998;
Lindstrom & Bates 1988 for the profile). The other columns D of any model are D'[D e] - S'S.

The level-2 predictors enter last: X_j = D_j W_j, and W_j is linear in the few level-2 columns U. So
sums over units are sums of (planes of D'V^-1D) by (products of level-2 columns), and the fixed effects,
however many, are algebra on those sums. Nothing is looped over units: see `planes`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg.lapack import dpotrf, dtrtri

from ..errors import EstimationError
from .planes import blocks, cholesky_planes, solve_planes
from .system import System, standardise

__all__ = [
    "Evaluation",
    "System",
    "cholesky_planes",
    "evaluate",
    "expand_x",
    "reduce_products",
    "solve_planes",
    "standardise",
]


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """The likelihood's ingredients at one Theta, in standardised units.

    ``h``, ``p`` and ``vv`` are sums over units of Z'V^-1Z, Z'V^-1X Vg X'V^-1Z and
    v v' with v = Z'V^-1(e - X delta), all for sigma2 = 1; ``hh``, ``hp``, ``hv`` the sums of
    their outer products (q, q, q, q), index order [a, b, c, d] of H_ab M_cd. With
    K = Z'V^-1D by level-2 columns, (q, p u) a unit: ``kk_level2`` is sum_j K_a' K_b as
    (q, q, p u, p u), ``kv_level2`` sum_j v_b K_a as (q, q, p u), and ``vg_level2`` (p u, p u) is Vg in
    that basis; ``loading`` (F, p u) leads from it to the fixed effects.
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
    kk_level2: np.ndarray
    kv_level2: np.ndarray
    vg_level2: np.ndarray
    loading: np.ndarray

    @property
    def kk(self) -> np.ndarray:
        """sum_j K_a' K_b with K = Z'V^-1X, shape (q, q, F, F)."""
        return self.loading @ self.kk_level2 @ self.loading.T

    @property
    def kv(self) -> np.ndarray:
        """sum_j v_b K_a with K = Z'V^-1X, shape (q, q, F)."""
        return self.kv_level2 @ self.loading.T


def evaluate(system: System, factor: np.ndarray) -> Evaluation:
    """Evaluate deviance parts, score sums and curvature sums at Theta = factor factor'.

    Parameters
    ----------
    system : System
    factor : ndarray, shape (q, q)
        A square root L of Theta.

    Raises
    ------
    EstimationError
        X'V^-1X is not positive definite.
    """
    if system.unit_weight is not None:
        from .weighted_likelihood import evaluate_weighted

        return evaluate_weighted(system, factor)
    theta = factor @ factor.T
    weighed = weigh(system, theta, factor)
    solved = solve_fixed(system, weighed)
    sums, outer, kk, kv = _second_pass(system, weighed, solved)
    lay = system.layout
    m = len(lay.pairs_q[0])
    h, p, vv = sums.reshape(3, m).take(lay.h, axis=1)
    hh, hp, hv = outer.take(lay.curve)
    delta = system.whitener.T @ solved.delta
    return Evaluation(
        theta, weighed.logdet, solved.logdet, delta, system.whitener.T @ solved.vg @ system.whitener,
        system.ee - weighed.quadratic - solved.explained, h, p, vv, hh, hp, hv, kk.take(lay.kk),
        kv.take(lay.kv), solved.vk, system.loading.reshape(len(delta), lay.t.shape[0]),
    )  # fmt: skip


# --- first pass: V^-1, then the fixed effects -----------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Weighed:
    """What V^-1 makes of the products: planes (J,), and their sums over units.

    ``e`` holds the distinct planes of D'V^-1D (order: see `planes.Layout`), ``r`` (p, J) D'V^-1e;
    ``by_pairs`` and ``by_level2`` their sums by products of level-2 columns and by level-2 columns;
    ``logdet`` is log|V|, ``quadratic`` e'e - e'V^-1e.
    """

    e: np.ndarray
    r: np.ndarray
    by_pairs: np.ndarray
    by_level2: np.ndarray
    logdet: float
    quadratic: float


def weigh(system: System, theta: np.ndarray, factor: np.ndarray) -> Weighed:
    """Apply V^-1 = I - Z Theta (I + A Theta)^-1 Z' to every unit's products."""
    lay, q, p, J = system.layout, system.n_random, system.p, system.n_units
    e, r = np.empty((p * (p + 1) // 2, J)), np.empty((p, J))
    by_pairs, by_level2 = np.zeros((len(e), len(lay.pairs_u[0]))), np.zeros((p, len(system.level2)))
    apply = _in_closed_form if q <= 2 else _by_cholesky
    logdet = quadratic = 0.0
    for block in blocks(J):
        det, s = apply(system, theta, factor, block, e[: lay.nk, block], r[:q, block])
        logdet, quadratic = logdet + det, quadratic + float(np.sum(s[:, -1] ** 2))
        if p > q:
            _weigh_others(system, block, s, e[:, block], r[:, block])
        by_pairs += e[:, block] @ system.level2_pairs(block).T
        by_level2 += r[:, block] @ system.level2[:, block].T
    return Weighed(e, r, by_pairs, by_level2, logdet, quadratic)


def _in_closed_form(
    system: System, theta: np.ndarray, factor: np.ndarray, block: slice, k: np.ndarray, v: np.ndarray
) -> tuple[float, np.ndarray]:
    """Write Z'V^-1D (its distinct planes) and Z'V^-1e for at most two random coefficients.

    Gives log|V| and S = C^-1 L'Z'[D e] without Z's columns.
    """
    q, products = system.n_random, system.products[:, :, block]
    if q == 2:
        return _two(system, theta, factor, block, k, v)
    if q == 0:
        return 0.0, products
    inverse = 1.0 / (1.0 + theta[0, 0] * products[0, 0])
    np.multiply(products[0, :-1], inverse, out=k)
    np.multiply(products[0, -1:], inverse, out=v)
    return -float(np.log(inverse).sum()), np.sqrt(theta[0, 0] * inverse) * products[:, 1:]


def _two(
    system: System, theta: np.ndarray, factor: np.ndarray, block: slice, k: np.ndarray, v: np.ndarray
) -> tuple[float, np.ndarray]:
    """Do it for q = 2: (I + A Theta)^-1 = (I + adj(Theta) adj(A)) / |R|, R = I + G'G, G = (root of A)'L.

    |R| = 1 + |G|^2 + det(G)^2: a sum of squares, as R_00 is.
    """
    table, turned, root = (part[..., block] for part in system.adjugate)
    (a, b), (_, d) = theta.tolist()
    upper, lower = factor.T @ root[:2], np.multiply.outer(factor[1], root[2])
    r00, r11 = upper[0] ** 2 + lower[0] ** 2, upper[1] ** 2 + lower[1] ** 2
    det = float(factor[0, 0] * factor[1, 1] - factor[0, 1] * factor[1, 0]) ** 2
    inverse = 1.0 / (1.0 + r00 + r11 + det * table[3])
    numerators = np.array([[1, 0, 0, d], [0, 1, 0, -b], [0, 0, 1, a]]) @ table
    np.multiply(numerators, inverse, out=k[:3])
    rest = system.products[:, 2:, block]
    part = np.tensordot(np.array([[d, -b], [-b, a]]), turned, axes=1)
    part += rest
    part *= inverse
    if len(k) > 3:
        k[3:] = part[:, :-1].reshape(len(k) - 3, -1)
    v[:] = part[:, -1]
    r00 += 1.0
    s = np.tensordot(factor.T, rest, axes=1)
    s[1] -= (upper[0] * upper[1] + lower[0] * lower[1]) / r00 * s[0]
    s[1] *= np.sqrt(r00 * inverse)
    s[0] /= np.sqrt(r00)
    return -float(np.log(inverse).sum()), s


def _by_cholesky(
    system: System, theta: np.ndarray, factor: np.ndarray, block: slice, k: np.ndarray, v: np.ndarray
) -> tuple[float, np.ndarray]:
    """Do it for any number of random coefficients: Z'V^-1[D e] = Z'[D e] - S_z'S."""
    q, products = system.n_random, system.products[:, :, block]
    c, s = _factor_and_solve(products, factor)
    for a in range(q):
        row = slice(a * (a + 1) // 2, (a + 1) * (a + 2) // 2)
        np.subtract(products[a, : a + 1], np.einsum("cj,cbj->bj", s[:, a], s[:, : a + 1]), out=k[row])
    rest = products[:, q:] - np.einsum("caj,cbj->abj", s[:, :q], s[:, q:])
    m = q * (q + 1) // 2
    k[m:] = rest[:, :-1].reshape(len(k) - m, products.shape[2])
    v[:] = rest[:, -1]
    return 2.0 * float(np.log(np.prod([c[a, a] for a in range(q)], axis=0)).sum()), s[:, q:]


def _weigh_others(system: System, block: slice, s: np.ndarray, e: np.ndarray, r: np.ndarray) -> None:
    """Write the planes of the columns that are not random: D'D - S'S and D'e - S'S_e.

    Squares of S, and not Theta times the small differences Z'V^-1D, keep their digits where tau is large
    beside sigma2.
    """
    nk, others = system.layout.nk, system.others[:, :, block]
    rows, cols = np.tril_indices(system.p - system.n_random)
    left = s[:, :-1]
    e[nk:] = others[rows, cols] - np.einsum("cmj,cmj->mj", left[:, rows], left[:, cols])
    r[system.n_random :] = others[:, -1] - np.einsum("cmj,cj->mj", left, s[:, -1])


@dataclass(frozen=True, slots=True, eq=False)
class Solved:
    """GLS in the whitened basis: ``delta`` (F,), ``vg`` (F, F), ``vk`` (p u, p u) and ``dk`` (p, u) the
    same two by level-2 columns; log|X'V^-1X| of the standardised X; what delta explains.
    """

    delta: np.ndarray
    vg: np.ndarray
    vk: np.ndarray
    dk: np.ndarray
    logdet: float
    explained: float


def solve_fixed(system: System, weighed: Weighed) -> Solved:
    """Solve for the fixed effects, in the basis in which X is orthonormal over all rows."""
    white, whitener, shape = system.white, system.whitener, system.loading.shape[1:]
    xvx = white @ weighed.by_pairs.take(system.layout.t) @ white.T
    xve = white @ weighed.by_level2.reshape(-1)
    if system.xx is not system.own_xx:  # a prior's precision, say
        xvx += whitener @ (system.xx - system.own_xx) @ whitener.T
        xve += whitener @ (system.xe - system.own_xe)
    if not len(xve):
        return Solved(xve, xvx, np.zeros((shape[0] * shape[1],) * 2), np.zeros(shape), 0.0, 0.0)
    chol, failed = dpotrf(xvx, lower=1)
    if failed:
        raise EstimationError(
            "the fixed effects' information matrix is singular: they are collinear, or one has no data"
        )
    root = dtrtri(chol, lower=1)[0]
    vg = root.T @ root
    delta = vg @ xve
    half = root @ white
    logdet = 2.0 * float(np.log(chol.diagonal()).sum() - np.log(whitener.diagonal()).sum())
    return Solved(delta, vg, half.T @ half, (delta @ white).reshape(shape), logdet, float(delta @ xve))


# --- second pass: score and curvature --------------------------------------------------------------


def _second_pass(
    system: System, weighed: Weighed, solved: Solved
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Sum over units: (H, P, vv); H by (H, P, vv); K K by pairs of level-2 columns; v K by level-2 columns.

    The distinct planes only: (3 m,), (m, 3 m), (pairs of nk, pairs of u), (q nk, u).
    """
    lay, q = system.layout, system.n_random
    m = len(lay.pairs_q[0])
    sums, outer = np.zeros(3 * m), np.zeros((m, 3 * m))
    kk, kv = (
        np.zeros((lay.nk * (lay.nk + 1) // 2, len(lay.pairs_u[0]))),
        np.zeros((q * lay.nk, len(system.level2))),
    )
    if not q:
        return sums, outer, kk, kv
    flat = solved.vk.reshape(-1)
    fold = flat.take(lay.g_one) + lay.g_weight * flat.take(lay.g_two)
    for block in blocks(system.n_units):
        level2, pairs = system.level2[:, block], system.level2_pairs(block)
        k = weighed.e[: lay.nk, block]
        full = k[lay.k]
        v = weighed.r[:q, block] - np.einsum("apj,pj->aj", full, solved.dk @ level2)
        planes = np.concatenate([k[:m], _sandwich(full, fold @ pairs, system), _squares(v, lay.pairs_q)])
        sums += planes.sum(axis=1)
        outer += k[:m] @ planes.T
        kk += _products(k) @ pairs.T
        kv += (v[:, None] * k).reshape(len(kv), -1) @ level2.T
    return sums, outer, kk, kv


def _sandwich(full: np.ndarray, middle: np.ndarray, system: System) -> np.ndarray:
    """Give the distinct planes of K G K', K (q, p, J) and G's distinct planes."""
    through = np.einsum("cdj,bdj->bcj", middle[system.layout.g], full)
    return np.concatenate([np.einsum("cj,bcj->bj", full[a], through[: a + 1]) for a in range(len(full))])


def _products(planes: np.ndarray) -> np.ndarray:
    """Give the products of every two planes, by rows of the upper triangle."""
    n, J = planes.shape
    result, at = np.empty((n * (n + 1) // 2, J)), 0
    for a in range(n):
        np.multiply(planes[a], planes[a:], out=result[at : at + n - a])
        at += n - a
    return result


def _squares(v: np.ndarray, pairs: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    return v[pairs[0]] * v[pairs[1]]


# --- matrices per unit, for other modules -----------------------------------------------------------


def reduce_products(products: np.ndarray, factor: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give log|R_j| (J,), S = C^-1 L' products and products - S_z' S, both (q, m, J)."""
    q, _, J = products.shape
    c, s = _factor_and_solve(products, factor)
    reduced = products.copy()
    for a in range(q):
        reduced -= s[a, :q, None, :] * s[a, None, :, :]
    logdet = 2.0 * np.log(np.prod([c[k, k] for k in range(q)], axis=0)) if q else np.zeros(J)
    return logdet, s, reduced


def _factor_and_solve(products: np.ndarray, factor: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give C (q, q, J) with C C' = I + L'AL, and S = C^-1 L' products (q, m, J)."""
    q = len(products)
    lp = np.tensordot(factor.T, products, axes=1)
    r = np.matmul(factor.T, lp[:, :q])
    for k in range(q):
        r[k, k] += 1.0
    c = cholesky_planes(r)
    return c, solve_planes(c, lp)


def expand_x(system: System, planes: np.ndarray) -> np.ndarray:
    """Carry (q, p, J) in the basis of D to (q, F, J) in the fixed effects: times W_j."""
    q, _, J = planes.shape
    result = np.zeros((q, system.n_fixed, J))
    for c, (w, columns) in enumerate(zip(system.w, system.columns, strict=True)):
        if len(columns):
            result[:, columns] += planes[:, c, None, :] * w
    return result
