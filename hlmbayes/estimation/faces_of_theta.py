"""Faces of Theta: the matrices F F' of given ranks, F lower trapezoidal in each block of tau."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ..likelihood.pattern import Pattern
from ..likelihood.symmetric import eigh

ZERO = 1e-7  # a direction of Theta (variance relative to sigma2, Z'Z/N = I) below this is tried as zero


@dataclass(frozen=True, slots=True)
class Face:
    """The Theta whose blocks have the given ranks."""

    pattern: Pattern
    ranks: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, int]:
        """Shape (q, r) of F: the columns of each block's own, one block after the other."""
        return self.pattern.n_random, sum(self.ranks)

    def parts(self, value: np.ndarray) -> list[np.ndarray]:
        """Give each block's own part of F."""
        if self.pattern.full:
            return [value]
        ends = np.cumsum(self.ranks).tolist()
        return [
            value[list(block), end - rank : end]
            for block, end, rank in zip(self.pattern.blocks, ends, self.ranks, strict=True)
        ]


class Root(NamedTuple):
    """F (q, r) of a Theta = F F', and the face it lies on."""

    value: np.ndarray
    face: Face


def whole_root(root: np.ndarray, pattern: Pattern) -> Root:
    """Give F from a lower triangular root (q, q) of Theta that has tau's pattern."""
    if pattern.full:
        return Root(root, Face(pattern, (len(root),) * len(pattern.blocks)))
    return _together([root[np.ix_(block, block)] for block in pattern.blocks], pattern)


def trapezoid(roots: Sequence[np.ndarray], pattern: Pattern) -> Root:
    """Turn any roots (q_b, r_b) of Theta's blocks into the lower trapezoidal ones: same F F'."""
    return _together([np.linalg.qr(root.T, mode="r").T if root.size else root for root in roots], pattern)


def _together(roots: Sequence[np.ndarray], pattern: Pattern) -> Root:
    face = Face(pattern, tuple(root.shape[1] for root in roots))
    if len(roots) == 1:
        return Root(roots[0], face)
    value = np.zeros(face.shape)
    ends = np.cumsum(face.ranks).tolist()
    for block, end, root in zip(pattern.blocks, ends, roots, strict=True):
        value[list(block), end - root.shape[1] : end] = root
    return Root(value, face)


class Layout(NamedTuple):
    """How vec(F F') (q^2,) depends on the m free elements of F (q x r), by rows of its blocks.

    Its Jacobian is ``x @ slopes`` (m, m q^2); ``curvature`` (m, m) is 2 where two elements share a
    column, and ``same_column`` the flat place in (q, q) of the element of F F' they then share in.
    """

    place: tuple[np.ndarray, np.ndarray]
    slopes: np.ndarray
    curvature: np.ndarray
    same_column: np.ndarray


@lru_cache(maxsize=64)
def layout(face: Face) -> Layout:
    """Give the derivatives of F F' on a face."""
    q, at = face.pattern.n_random, 0
    places = [np.zeros((2, 0), dtype=np.intp)]
    for block, rank in zip(face.pattern.blocks, face.ranks, strict=True):
        rows, cols = np.tril_indices(len(block))
        kept = cols < rank
        places.append(np.stack([np.array(block, dtype=np.intp)[rows[kept]], at + cols[kept]]))
        at += rank
    rows, cols = np.concatenate(places, axis=1)
    m = len(rows)
    slopes = np.zeros((m, m, q, q))
    for i in range(m):
        for k in np.flatnonzero(cols == cols[i]):
            # F_rc F_sc is part of element (r, s)
            slopes[i, k, rows[k], rows[i]] += 1.0
            slopes[i, k, rows[i], rows[k]] += 1.0
    same = 2.0 * np.equal.outer(cols, cols)
    return Layout((rows, cols), slopes.reshape(m, m * q * q), same, rows[:, None] * q + rows)


def free_root(x: np.ndarray, face: Face) -> Root:
    """Give F from its free elements."""
    f = np.zeros(face.shape)
    f[layout(face).place] = x
    return Root(f, face)


class Directions(NamedTuple):
    """Of each block: an orthonormal basis of its vanished directions (q_b, z_b), a root of the others."""

    null: list[np.ndarray]
    roots: list[np.ndarray]

    @property
    def n_null(self) -> int:
        """How many directions vanished."""
        return sum(null.shape[1] for null in self.null)


def zero_directions(theta: np.ndarray, pattern: Pattern, tolerance: float = ZERO) -> Directions:
    """Find the directions of Theta that have vanished, by its blocks."""
    found = Directions([], [])
    for block in pattern.blocks:
        own = theta if pattern.full else theta[np.ix_(block, block)]
        values, vectors = eigh(own)
        zero = values < tolerance * np.maximum(1.0, values[-1:])
        found.null.append(vectors[:, zero])
        found.roots.append(vectors[:, ~zero] * np.sqrt(values[~zero]))
    return found
