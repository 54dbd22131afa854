"""Algebra on many small matrices at once: every entry of them is a plane, an array over units (J,).

A plane is contiguous, so each operation is one sweep over memory, and sums over units of products of
planes are BLAS calls. `layout` numbers the distinct planes once for a size of model; nothing here
knows what the planes mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import prod

import numpy as np

BLOCK = 8192  # units at a time: their planes stay in the processor's cache, and NumPy is called seldom
FEW_SUMS = 100  # over units, up to which each is taken by itself
LARGEST_TABLE = 1 << 23  # numbers: products of level-2 columns are kept up to here, else made block by block


def blocks(n_units: int) -> list[slice]:
    """Cut the units into runs of about ``BLOCK``; one run if there are few."""
    if n_units <= BLOCK + BLOCK // 2:
        return [slice(0, n_units)]
    return [slice(start, min(start + BLOCK, n_units)) for start in range(0, n_units, BLOCK)]


def empty_planes(J: int, *shapes: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    """Make room for planes (*shape, J) of each shape, in one block: systems give a large one large pages."""
    sizes = [prod(shape) for shape in shapes]
    block, end = np.empty((sum(sizes), J)), 0
    parts = []
    for shape, size in zip(shapes, sizes, strict=True):
        parts.append(block[end : end + size].reshape(*shape, J))
        end += size
    return tuple(parts)


def inner(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Sum the products of planes a (m, J) and b (n, J) over units, (m, n).

    A matrix product packs both before it begins, which takes longer than a few sums do.
    """
    return np.asarray(np.vecdot(a[:, None], b) if len(a) * len(b) <= FEW_SUMS else a @ b.T)


def pair_index(m: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Number the distinct elements of a symmetric (m, m) matrix by rows of its lower triangle.

    Gives their rows and columns, (m (m + 1) / 2,), and the number of each element, (m, m).
    """
    rows, cols = np.tril_indices(m)
    index = np.zeros((m, m), dtype=np.intp)
    index[rows, cols] = index[cols, rows] = np.arange(len(rows))
    return rows, cols, index


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Where things are, for q random of p level-1 columns and u level-2 columns.

    The distinct planes of D'V^-1D are ordered: Z by Z (lower triangle by rows), Z by the other columns
    of D, the others by themselves (lower triangle). ``nk`` planes, the first two kinds, are Z'V^-1D.
    """

    q: int
    nk: int
    pairs_q: tuple[np.ndarray, np.ndarray]  # (rows, cols) of the lower triangle of (q, q)
    h: np.ndarray  # (q, q): plane of Z'V^-1Z
    k: np.ndarray  # (q, p): plane of Z'V^-1D
    e: np.ndarray  # (p, p): plane of D'V^-1D
    pairs_u: tuple[np.ndarray, np.ndarray]  # (rows, cols) of the products of two level-2 columns
    g: np.ndarray  # (p, p): number of each plane of a symmetric (p, p) matrix
    t: np.ndarray  # (p u, p u): flat index into sums of (D'V^-1D planes) by (products of level-2 columns)
    g_one: np.ndarray  # flat indices into a (p u, p u) matrix; their sum folds it to (p-pairs, u-pairs)
    g_two: np.ndarray
    g_weight: np.ndarray  # 1 where the second counts
    kk: np.ndarray  # (q, q, p u, p u): flat indices into their sums by level-2 columns
    kv: np.ndarray  # (q, q, p u): likewise
    curve: np.ndarray  # (3, q, q, q, q): flat index into sums of H by (H, P, vv)


@lru_cache(maxsize=64)
def layout(q: int, p: int, u: int) -> Layout:
    """Number the planes of models of one size."""
    rows_q, cols_q, h = pair_index(q)
    m, o = len(rows_q), p - q
    k = np.concatenate([h, m + np.arange(q * o, dtype=np.intp).reshape(q, o)], axis=1)
    nk = m + q * o
    e = np.zeros((p, p), dtype=np.intp)
    e[:q], e[:, :q] = k, k.T
    e[q:, q:] = nk + pair_index(o)[2]
    rows_u, cols_u, of_u = pair_index(u)
    rows_p, cols_p, g = pair_index(p)
    of_k = np.zeros((nk, nk), dtype=np.intp)
    of_k[np.triu_indices(nk)] = of_k.T[np.triu_indices(nk)] = np.arange(nk * (nk + 1) // 2)
    n_u, pu = len(rows_u), p * u
    t = e[:, None, :, None] * n_u + of_u[None, :, None, :]
    kk = of_k[k[:, None, :, None], k[None, :, None, :]][:, :, :, None, :, None] * n_u + of_u[:, None, :]
    kv = (np.arange(q)[:, None] * nk + k[:, None, :])[..., None] * u + np.arange(u)
    s, pair = 3 * m, h[None, :, :]
    curve = np.stack([h[:, :, None, None] * s + kind * m + pair for kind in range(3)])
    left, right = rows_p[:, None] * u, cols_p[:, None] * u
    return Layout(
        q=q, nk=nk, pairs_q=(rows_q, cols_q), h=h, k=k, e=e, pairs_u=(rows_u, cols_u),
        g=g, t=t.reshape(pu, pu),
        g_one=(left + rows_u) * pu + right + cols_u, g_two=(left + cols_u) * pu + right + rows_u,
        g_weight=np.where(rows_u == cols_u, 0.0, 1.0),
        kk=kk.reshape(q, q, pu, pu), kv=kv.reshape(q, q, pu), curve=curve,
    )  # fmt: skip


def cholesky_planes(r: np.ndarray) -> np.ndarray:
    """Factor symmetric positive definite R, (q, q, J), as C C': plane by plane; only the lower triangle."""
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
    """Solve C S = B for lower C (q, q, ...) and B (q, m, ...), whose planes may broadcast to those of C."""
    s = np.empty((*b.shape[:2], *c.shape[2:]))
    for i in range(c.shape[0]):
        row = b[i]
        for k in range(i):
            row = row - c[i, k] * s[k]
        np.divide(row, c[i, i], out=s[i])
    return s
