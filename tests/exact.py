"""A deviance in exact arithmetic, row by row: what double precision should have computed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np

Matrix = list[list[Fraction]]


def exactly(values: np.ndarray) -> Matrix:
    return [[Fraction(float(v)) for v in row] for row in np.atleast_2d(values)]


def times(a: Matrix, b: Matrix) -> Matrix:
    columns = list(zip(*b, strict=True))
    return [[sum((x * y for x, y in zip(row, c, strict=True)), Fraction(0)) for c in columns] for row in a]


def solve(a: Matrix, b: Matrix) -> tuple[Matrix, Fraction]:
    """Give A^-1 B and |A|, A positive definite."""
    rows, det = [[*x, *y] for x, y in zip(a, b, strict=True)], Fraction(1)
    for k, pivot in enumerate(rows):
        det *= pivot[k]
        rows[k] = pivot = [v / pivot[k] for v in pivot]
        for i, row in enumerate(rows):
            if i != k and row[k]:
                rows[i] = [v - row[k] * p for v, p in zip(row, pivot, strict=True)]
    return [row[len(a) :] for row in rows], det


def log(value: Fraction) -> float:
    with localcontext() as context:
        context.prec = 60
        return float((Decimal(value.numerator) / Decimal(value.denominator)).ln())


def deviance(
    y: np.ndarray, x: np.ndarray, z: np.ndarray, unit: np.ndarray, tau: Sequence, sigma2: float, reml: bool
) -> float:
    """-2 log-likelihood at (tau, sigma2), gamma at its GLS value, for y (N,), X (N, F), Z (N, q)."""
    f, total, quadratic = x.shape[1], 0.0, Fraction(0)
    sums = [[Fraction(0)] * (f + 1) for _ in range(f + 1)]
    for j in np.unique(unit):
        rows = unit == j
        zj, both = exactly(z[rows]), exactly(np.column_stack([x, y])[rows])
        v = times(times(zj, exactly(np.asarray(tau))), [list(c) for c in zip(*zj, strict=True)])
        for i in range(len(v)):
            v[i][i] += Fraction(float(sigma2))
        solved, det = solve(v, both)
        total += log(det)
        part = times([list(c) for c in zip(*both, strict=True)], solved)
        sums = [[s + p for s, p in zip(u, w, strict=True)] for u, w in zip(sums, part, strict=True)]
    xvx, xvy = [row[:f] for row in sums[:f]], [[row[f]] for row in sums[:f]]
    gamma, det = solve(xvx, xvy)
    quadratic = sums[f][f] - sum((g[0] * v[0] for g, v in zip(gamma, xvy, strict=True)), Fraction(0))
    total += float(quadratic) + (len(y) - f * reml) * math.log(2.0 * math.pi)
    return total + (log(det) if reml else 0.0)
