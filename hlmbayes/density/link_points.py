"""The integrals over u of many points at once, and draws of u: every point with a copy of the rows.

Points and units are taken in runs whose rows stay in the processor's cache, node after node. Where the nodes
are centred need not be exact: about each unit's mode at one point, a step or two away at others.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import singledispatch
from typing import NamedTuple

import numpy as np

from ..hglm.category_rows import CategoryRows
from ..hglm.counted_rows import CountedRows
from ..hglm.quadrature import Rule
from ..laws.outcomes import Outcome
from ..likelihood.planes import cholesky_planes, solve_planes

CELLS = 1 << 13  # rows of a run
NEAR = 0.5  # of a unit's posterior sd: a step to its mode that is shorter is the last
LOWER = 1e-6  # of the log integrand, by which a step may lower it
MOST_STEPS = 40
GRID, REACH = 1.6, 4.5  # of the points of which one is a draw of u_j: their distance, and how far they go


class Run(NamedTuple):
    """Copies of the rows of some units, one for each of some points.

    ``eta`` (R,) and ``d`` (q, R): fixed part of the linear predictor, and what standard normal effects t
    multiply there, (K, R) and (q, K, R) of K linear predictors; ``unit`` (R,) numbers the copies of units, C
    of them, ``starts`` (C,).
    """

    points: slice
    units: slice
    law: Outcome
    eta: np.ndarray
    d: np.ndarray
    y: np.ndarray
    size: np.ndarray
    unit: np.ndarray
    starts: np.ndarray

    @property
    def shape(self) -> tuple[int, int]:
        """Number of points and of units."""
        return self.points.stop - self.points.start, self.units.stop - self.units.start

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Sum (R,) over the rows of each copy, (C,)."""
        return np.add.reduceat(values, self.starts)

    def score(self, slope: np.ndarray) -> np.ndarray:
        """Carry the rows' slopes in their predictor to the copies' in t, (q, C)."""
        return np.array([self.sums(slope * d) for d in self.d])

    def bend(self, bend: np.ndarray, a: int, b: int) -> np.ndarray:
        """Carry minus the second derivatives to those in t_a and t_b, (C,)."""
        return self.sums(bend * self.d[a] * self.d[b])


class CategoryRun(Run):
    """Such copies of rows with K linear predictors each."""

    __slots__ = ()

    def score(self, slope: np.ndarray) -> np.ndarray:
        """Carry the slopes in all predictors, (K, R)."""
        return np.array([self.sums((slope * d).sum(axis=0)) for d in self.d])

    def bend(self, bend: np.ndarray, a: int, b: int) -> np.ndarray:
        """Carry those in two predictors, packed: the lower triangle by rows."""
        d, e, total = self.d[a], self.d[b], np.zeros(self.y.shape[1:])
        for m, (k, i) in enumerate(zip(*np.tril_indices(len(self.y)), strict=True)):
            total += bend[m] * (d[k] * e[i] + d[i] * e[k] if k > i else d[k] * e[k])
        return self.sums(total)


class Centre(NamedTuple):
    """Where the nodes of each copy are: t (q, C) + root (q, q, C) z.

    ``eta`` (R,) and ``d`` (q, R) of the rows are those that belong to z; ``top`` (C,) is the log integrand
    nearby, ``log_volume`` (C,) that of root.
    """

    t: np.ndarray
    root: np.ndarray
    eta: np.ndarray
    d: np.ndarray
    top: np.ndarray
    log_volume: np.ndarray


def runs(
    rows: CountedRows, effects: np.ndarray, law: Outcome, gamma: np.ndarray, chol: np.ndarray
) -> Iterator[Run]:
    """Cut points, gamma (B, F) and chol (B, q, q) in the columns of the rows, and units into runs.

    ``effects`` (F, R): what gamma multiplies in each row, see `by_row`.
    """
    B, turned = len(gamma), chol.transpose(2, 0, 1)
    kind = CategoryRun if isinstance(rows, CategoryRows) else Run
    for units, own in rows.blocks(CELLS):
        R, J = own.stop - own.start, units.stop - units.start
        most = min(B, max(1, CELLS // R))
        copy = np.arange(most)[:, None]
        y, size = (np.tile(values[..., own], most) for values in (rows.y, rows.size))
        unit = (copy * J + rows.unit[own] - units.start).ravel()
        starts = (copy * R + rows.starts[units] - own.start).ravel()
        for first in range(0, B, most):
            n = min(most, B - first)
            points = slice(first, first + n)
            eta = np.tensordot(gamma[points], effects[..., own], axes=1)
            eta += rows.offset[own]
            scaled = scaled_columns(rows, turned[:, points], own)
            yield kind(
                points, units, law, _side_by_side(eta), _side_by_side(scaled.swapaxes(0, 1)),
                y[..., : n * R], size[: n * R], unit[: n * R], starts[: n * J],
            )  # fmt: skip


def _side_by_side(values: np.ndarray) -> np.ndarray:
    """Put the rows of points (n, ..., R) beside each other, (..., n R)."""
    moved = np.moveaxis(values, 0, -2)
    *before, n, R = moved.shape
    return np.asarray(moved.reshape(*before, n * R))


@singledispatch
def scaled_columns(rows: CountedRows, turned: np.ndarray, own: slice) -> np.ndarray:
    """Give what standard normal effects multiply in some rows, (q, n, R), at roots of tau (q, n, q)."""
    return np.asarray(turned @ rows.d[: rows.n_random, own])


@scaled_columns.register
def _(rows: CategoryRows, turned: np.ndarray, own: slice) -> np.ndarray:
    """Give it of all linear predictors, (q, n, K, R)."""
    (q, n, _), K = turned.shape, rows.n_predictors
    return np.asarray(turned.reshape(q, n, K, q // K) @ rows.d[: q // K, own])


@singledispatch
def by_row(rows: CountedRows) -> np.ndarray:
    """Give what each fixed effect multiplies in each row, (F, R)."""
    return np.asarray(sum(d * x.T[:, rows.unit] for d, x in zip(rows.d, rows.x.swapaxes(0, 1), strict=True)))


@by_row.register
def _(rows: CategoryRows) -> np.ndarray:
    """Give it in each of the linear predictors, (F, K, R)."""
    x = rows.x.reshape(rows.n_units, rows.n_predictors, len(rows.d), rows.n_fixed)[rows.unit]
    return np.asarray(np.einsum("pr,rkpf->fkr", rows.d, x))


@np.errstate(over="ignore", invalid="ignore", divide="ignore")  # of a step too far, which is halved
def centred(run: Run, start: np.ndarray) -> Centre:
    """Go near the modes from ``start`` (B, q, J), those of each point and unit."""
    q, C = start.shape[1], len(run.starts)
    t = base = start[run.points, :, run.units].swapaxes(0, 1).reshape(q, C)
    step, best = np.zeros((q, C)), np.full(C, -np.inf)
    for _ in range(MOST_STEPS):
        eta = _moved(run.eta, run.d, t, run.unit)
        value, slope, bend = run.law.rows(eta, run.y, run.size)
        top = run.sums(value) - 0.5 * np.sum(t**2, axis=0)
        h = np.empty((q, q, C))
        for a in range(q):
            for b in range(a + 1):
                h[a, b] = run.bend(bend, a, b) + (a == b)
        chol = cholesky_planes(h)
        root = solve_planes(chol, np.broadcast_to(np.eye(q)[:, :, None], h.shape)).swapaxes(0, 1)
        score = run.score(slope).reshape(q, C) - t
        along = np.einsum("abc,ac->bc", root, score)  # the step in the units of its own sd
        worse = ~(top >= best - LOWER)  # too far: half the way from where it came from
        base, best = np.where(worse, base, t), np.where(worse, best, top)
        step = np.where(worse, 0.5 * step, np.einsum("abc,bc->ac", root, along))
        t = base + step
        if np.abs(along).max(initial=0.0) < NEAR and not worse.any():
            break
    volume = -np.log(np.einsum("aac->ac", chol)).sum(axis=0)
    eta = _moved(run.eta, run.d, t, run.unit)
    d = [sum(run.d[a] * root[a, b].take(run.unit) for a in range(b + 1)) for b in range(q)]
    return Centre(t, root, eta, np.array(d).reshape(run.d.shape), best, volume)


def log_integrals(run: Run, start: np.ndarray, rule: Rule) -> np.ndarray:
    """Give the log-likelihood of each copy's unit, its t integrated out, (n, J)."""
    at = centred(run, start)
    total = np.zeros(len(run.starts))
    for z, log_weight in zip(rule.z, rule.log_weight, strict=True):
        total += np.exp(log_weight) * _integrand(run, at, z)
    return np.asarray((at.top + np.log(total) + at.log_volume).reshape(run.shape))


def draw_standard(run: Run, start: np.ndarray, rule: Rule, rng: np.random.Generator) -> np.ndarray:
    """Draw t (n, J, q) of each copy: a point of a grid shifted at random, drawn by the integrand there.

    Sums over a shifted grid hardly depend on its shift (trapezoids of an analytic integrand), so that what
    comes out is distributed as the integrand is. The grid goes as far as the nodes of the ``rule``.
    """
    at = centred(run, start)
    q, C = at.t.shape
    reach = max(REACH, float(np.abs(rule.z).max(initial=0.0)))
    along = GRID * (np.arange(-np.ceil(reach / GRID), np.ceil(reach / GRID)) + 0.5)
    grid = np.stack(np.meshgrid(*[along] * q, indexing="ij"), axis=-1).reshape(-1, q)
    grid = grid[np.linalg.norm(grid, axis=1) < reach + 0.5 * GRID]
    shift = GRID * (rng.random((q, C)) - 0.5)
    moved = at._replace(
        t=at.t + np.einsum("abc,bc->ac", at.root, shift), eta=_moved(at.eta, at.d, shift, run.unit)
    )
    weight = np.array([_integrand(run, moved, z) for z in grid])
    np.cumsum(weight, axis=0, out=weight)
    chosen = grid[(weight < rng.random(C) * weight[-1]).sum(axis=0)]
    t = moved.t + np.einsum("abc,cb->ac", at.root, chosen)
    return np.asarray(t.T.reshape(*run.shape, q))


def _moved(eta: np.ndarray, d: np.ndarray, t: np.ndarray, unit: np.ndarray) -> np.ndarray:
    """Add effects t (q, C) of the copies of units to the linear predictor of rows."""
    return np.asarray(sum((column * own.take(unit) for column, own in zip(d, t, strict=True)), eta))


def _integrand(run: Run, at: Centre, z: np.ndarray) -> np.ndarray:
    """Give the integrand (C,) at t + root z, relative to that of the top."""
    value = run.law.value(at.eta + np.tensordot(z, at.d, axes=1), run.y, run.size)
    t = at.t + np.einsum("abc,b->ac", at.root, z)
    height = run.sums(value) - 0.5 * np.einsum("ac,ac->c", t, t) - at.top
    return np.asarray(np.exp(height))
