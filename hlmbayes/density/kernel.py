"""The marginal density and its gradient, compiled (Numba): the twin of `marginal.value_and_gradient`.

A gradient of a few hundred units takes NumPy half a millisecond, nearly all of it spent between array
operations. Here every operation is a loop over a block of units, whose working arrays stay in the
processor's cache whatever the number of units. The formulas are those of `likelihood.evaluate`, in the
square-root form for any number of random coefficients; a test holds the two against each other.

Everything is read from one array of floats (`kernel_tables`), so that a sampler written in another
language can call `density`, a C function, without Python.

The compiler's time grows with the number of array types and of calls it sees: arrays are two-dimensional
floats only, and allocated in one place. All is in one file, since the compiler notices changes of a file it
has compiled from, not of the files that one imports.
"""

from __future__ import annotations

from ctypes import POINTER, c_double
from math import exp, log, log1p, sqrt, tanh
from typing import Any

import numpy as np
from numba import carray, cfunc, njit, types

BLOCK = 256  # units whose working arrays stay in the cache
LARGE = 1e150  # a product of determinants up to here takes one more without overflow
HEADER = 11


def _has_a_place() -> bool:
    """Say whether compiled code can be kept: not where neither the package nor the home can be written."""
    try:
        njit("f8(f8)", cache=True)(_same)
    except RuntimeError:
        return False
    return True


def _same(x):  # type: ignore[no-untyped-def]
    return x


FAST: dict[str, Any] = {
    "cache": _has_a_place(),
    "error_model": "numpy",
    "fastmath": {"contract", "reassoc", "nsz", "arcp"},
}
# what only compiled code calls needs no way in from Python
INSIDE: dict[str, Any] = {**FAST, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}


# --- small matrices --------------------------------------------------------------------------------


@njit(**INSIDE)
def _invert(a):  # type: ignore[no-untyped-def]
    """Turn a positive definite matrix into its inverse, in place; give log|a|, or nan."""
    f, logdet = a.shape[0], 0.0
    for j in range(f):  # Cholesky factor C, in the lower triangle
        for i in range(j, f):
            total = a[i, j]
            for k in range(j):
                total -= a[i, k] * a[j, k]
            if i > j:
                a[i, j] = total / a[j, j]
            elif total > 1e-13 * a[j, j]:
                a[j, j] = sqrt(total)
                logdet += log(total)
            else:
                return np.nan
    for j in range(f):  # C^-1
        a[j, j] = 1.0 / a[j, j]
        for i in range(j + 1, f):
            total = 0.0
            for k in range(j, i):
                total -= a[i, k] * a[k, j]
            a[i, j] = total / a[i, i]
    for i in range(f):  # its square
        for j in range(i + 1):
            total = 0.0
            for k in range(i, f):
                total += a[k, i] * a[k, j]
            a[i, j] = a[j, i] = total
    return logdet


@njit(**INSIDE)
def _sandwich(a, b, room, result):  # type: ignore[no-untyped-def]
    """Write a b a' (n, n) for a (n, m) and symmetric b (m, m), room being (n, m)."""
    n, m = a.shape
    for i in range(n):
        for k in range(m):
            total = 0.0
            for h in range(m):
                total += a[i, h] * b[h, k]
            room[i, k] = total
    for i in range(n):
        for j in range(n):
            total = 0.0
            for k in range(m):
                total += room[i, k] * a[j, k]
            result[i, j] = total


# --- rows of arrays, over the units of a block ------------------------------------------------------


@njit("void(f8[:,::1], i8, f8, f8[:,::1], i8, i8, i8)", **INSIDE)
def _put(y, i, a, x, k, lo, n):  # type: ignore[no-untyped-def]
    """Write y[i] = a x[k, lo:]."""
    to, row = y[i, :n], x[k, lo : lo + n]
    for j in range(n):
        to[j] = a * row[j]


@njit("void(f8[:,::1], i8, f8, f8[:,::1], i8, i8, i8)", **INSIDE)
def _add(y, i, a, x, k, lo, n):  # type: ignore[no-untyped-def]
    """Write y[i] += a x[k, lo:]."""
    to, row = y[i, :n], x[k, lo : lo + n]
    for j in range(n):
        to[j] += a * row[j]


@njit("void(f8[:,::1], i8, f8, f8[:,::1], i8, f8[:,::1], i8, i8)", **INSIDE)
def _add_times(y, i, a, x, k, z, h, n):  # type: ignore[no-untyped-def]
    """Write y[i] += a x[k] z[h]."""
    to, one, two = y[i, :n], x[k, :n], z[h, :n]
    for j in range(n):
        to[j] += a * one[j] * two[j]


@njit("void(f8[:,::1], i8, f8[:,::1], i8, i8)", **INSIDE)
def _times(y, i, x, k, n):  # type: ignore[no-untyped-def]
    """Write y[i] *= x[k]."""
    to, row = y[i, :n], x[k, :n]
    for j in range(n):
        to[j] *= row[j]


@njit("f8(f8[:,::1], i8, f8[:,::1], i8, i8, i8)", **INSIDE)
def _dot(x, k, y, i, lo, n):  # type: ignore[no-untyped-def]
    """Give sum x[k] y[i, lo:]."""
    one, two, total = x[k, :n], y[i, lo : lo + n], 0.0
    for j in range(n):
        total += one[j] * two[j]
    return total


@njit("f8(f8[:,::1], i8, i8, f8[:,::1], i8, i8)", **INSIDE)
def _dot_weighted(x, k, h, y, i, n):  # type: ignore[no-untyped-def]
    """Give sum x[k] x[h] y[i]."""
    one, two, weight, total = x[k, :n], x[h, :n], y[i, :n], 0.0
    for j in range(n):
        total += one[j] * two[j] * weight[j]
    return total


@njit("f8(f8[:,::1], i8, i8)", **INSIDE)
def _root(c, row, n):  # type: ignore[no-untyped-def]
    """Turn c[row] into the reciprocals of its roots; give the sum of its logarithms."""
    x, logdet, product = c[row, :n], 0.0, 1.0
    for j in range(n):
        product *= x[j]
        if product > LARGE:  # few logarithms, and no overflow
            logdet += log(product)
            product = 1.0
    for j in range(n):
        x[j] = 1.0 / sqrt(x[j])
    return logdet + log(product)


# --- sums over units -------------------------------------------------------------------------------


@njit(**INSIDE)
def _whiten(products, lo, n, factor, s, c):  # type: ignore[no-untyped-def]
    """Write S = C^-1 L'Z'[Z D e], C C' = I + L'Z'Z L, of n units from lo; give their sum of log|C C'|."""
    q = factor.shape[0]
    m = products.shape[0] // q
    for k in range(q):
        for col in range(m):
            _put(s, k * m + col, factor[0, k], products, col, lo, n)
            for a in range(1, q):
                _add(s, k * m + col, factor[a, k], products, a * m + col, lo, n)
    for k in range(q):
        for i in range(k, q):
            _put(c, i * q + k, factor[0, k], s, i * m, 0, n)
            for a in range(1, q):
                _add(c, i * q + k, factor[a, k], s, i * m + a, 0, n)
        for j in range(n):
            c[k * q + k, j] += 1.0
    logdet = 0.0
    for k in range(q):
        for i in range(k, q):
            for h in range(k):
                _add_times(c, i * q + k, -1.0, c, i * q + h, c, k * q + h, n)
            if i == k:
                logdet += _root(c, k * q + k, n)  # the reciprocal from here on
            else:
                _times(c, i * q + k, c, k * q + k, n)
        for col in range(m):
            for h in range(k):
                _add_times(s, k * m + col, -1.0, c, k * q + h, s, h * m + col, n)
            _times(s, k * m + col, c, k * q + k, n)
    return logdet


@njit(**INSIDE)
def _add_sums(s, q, level2, pairs, lo, n, plane, ss, se):  # type: ignore[no-untyped-def]
    """Add a block's sums of S_D'S_D and S_D'S_e by level-2 columns; give its sum of S_e'S_e."""
    u = level2.shape[0]
    m = ss.shape[0] // u + 1
    square = 0.0
    for k in range(q):
        square += _dot(s, k * m + m - 1, s, k * m + m - 1, 0, n)
    for b in range(m - 1):
        for a in range(b, m):
            for k in range(q):
                if k == 0:
                    _put(plane, 0, 0.0, s, 0, 0, n)
                _add_times(plane, 0, 1.0, s, k * m + a, s, k * m + b, n)
            row = 0
            for f in range(u):
                if a == m - 1:
                    se[0, b * u + f] += _dot(plane, 0, level2, f, lo, n)
                    continue
                for g in range(f + 1):
                    total = _dot(plane, 0, pairs, row, lo, n)
                    row += 1
                    ss[a * u + f, b * u + g] += total
                    if f > g:
                        ss[a * u + g, b * u + f] += total
    return square


@njit(**INSIDE)
def _add_score(products, s, level2, pairs, lo, n, vk, moved, s2, reduced, plane, score):  # type: ignore[no-untyped-def]
    """Add a block's sum of Z'V^-1Z - Z'V^-1X Vg X'V^-1Z - v v' / s2, sigma2 = 1, to the lower triangle."""
    q, u = score.shape[0], level2.shape[0]
    m = products.shape[0] // q
    p = m - 1
    for k in range(q):
        for col in range(m):
            _put(reduced, k * m + col, 1.0, products, k * m + col, lo, n)
            for a in range(q):
                _add_times(reduced, k * m + col, -1.0, s, a * m + k, s, a * m + col, n)
    for j in range(n):
        plane[1, j] = 1.0
    for a in range(p):
        _put(plane, 0, moved[0, a * u], level2, 0, lo, n)
        for f in range(1, u):
            _add(plane, 0, moved[0, a * u + f], level2, f, lo, n)
        for k in range(q):
            _add_times(reduced, k * m + p, -1.0, reduced, k * m + a, plane, 0, n)
    for k in range(q):
        for h in range(k + 1):
            score[k, h] += _dot(reduced, k * m + h, plane, 1, 0, n)
            score[k, h] -= _dot(reduced, k * m + p, reduced, h * m + p, 0, n) / s2
    for a in range(p):
        for b in range(a + 1):
            _put(plane, 0, vk[a * u, b * u], pairs, 0, lo, n)
            row = 1
            for f in range(1, u):
                for g in range(f + 1):
                    weight = vk[a * u + f, b * u + g]
                    if f > g:
                        weight += vk[a * u + g, b * u + f]
                    _add(plane, 0, weight, pairs, row, lo, n)
                    row += 1
            for k in range(q):
                for h in range(k + 1):
                    score[k, h] -= _dot_weighted(reduced, k * m + a, h * m + b, plane, 0, n)
                    if a > b:
                        score[k, h] -= _dot_weighted(reduced, k * m + b, h * m + a, plane, 0, n)


# --- priors ----------------------------------------------------------------------------------------


@njit(**INSIDE)
def _curve(c, row, x):  # type: ignore[no-untyped-def]
    """Give a prior's log density, up to a constant, and its slope at x > 0; see `distributions.Curve`."""
    a, b, d, e, f, g = c[row, 1], c[row, 2], c[row, 4], c[row, 5], c[row, 6], c[row, 7]
    ratio = (x / c[row, 3]) ** 2
    value = -b * log1p(ratio) - d * x - e * x * x
    slope = -d - 2.0 * e * x
    if x > 0.0:
        slope -= 2.0 * b * ratio / (x * (1.0 + ratio))
    if a != 0.0 or f != 0.0 or g != 0.0:
        value += a * log(x) - f / x - g / (x * x)
        slope += a / x + f / (x * x) + 2.0 * g / (x * x * x)
    return value, slope


@njit(**INSIDE)
def _log_prior(phi, reference, curves, shapes, gradient):  # type: ignore[no-untyped-def]
    """Write the gradient of the log prior; give its value up to a constant."""
    q = reference.shape[1]
    last = gradient.shape[1] - 1
    sigma = exp(phi[0, last])
    value, slope = _curve(curves, q, sigma)
    value += phi[0, last]
    gradient[0, last] = slope * sigma + 1.0
    for k in range(q):
        sign = -1.0 if phi[0, k] < 0.0 else 1.0
        v, slope = _curve(curves, k, abs(phi[0, k]) * reference[0, k])
        value += v
        gradient[0, k] = slope * sign * reference[0, k]
    for i in range(shapes.shape[1]):
        size = abs(phi[0, q + i])
        value -= 2.0 * shapes[0, i] * (size + log1p(exp(-2.0 * size)))
        gradient[0, q + i] = -2.0 * shapes[0, i] * tanh(phi[0, q + i])
    return value


# --- coordinates -----------------------------------------------------------------------------------


@njit(**INSIDE)
def _correlations(phi, c):  # type: ignore[no-untyped-def]
    """Write C (q, q); see `coordinates.correlation_factor`."""
    q = c.shape[0]
    at = q
    for i in range(q):
        left = 1.0
        for j in range(i):
            z = tanh(phi[0, at])
            c[i, j] = z * left
            left *= sqrt((1.0 - z) * (1.0 + z))
            at += 1
        c[i, i] = left


@njit(**INSIDE)
def _chain(phi, reference, c, by_factor, gradient):  # type: ignore[no-untyped-def]
    """Add the gradient in (s / ref, y) that a gradient in diag(s) C (q, q) comes to."""
    q = reference.shape[1]
    at = q
    for i in range(q):
        s = phi[0, i] * reference[0, i]
        for j in range(i + 1):
            gradient[0, i] += by_factor[i, j] * c[i, j] * reference[0, i]
        left = 1.0
        for j in range(i):
            z = tanh(phi[0, at])
            rest = 0.0
            for k in range(j + 1, i + 1):
                rest += c[i, k] * by_factor[i, k] * s
            square = (1.0 - z) * (1.0 + z)
            gradient[0, at] += by_factor[i, j] * s * left * square - z * rest
            left *= sqrt(square)
            at += 1


# --- the fixed effects -----------------------------------------------------------------------------


@njit(**INSIDE)
def _solve_fixed(white, ss, se, xx, xe, prior, pull, s2, delta, room, taken):  # type: ignore[no-untyped-def]
    """Turn xx, X'X + s2 P0 in the whitened basis, to Vg; write delta.

    ``ss`` and ``se`` are S_D'S_D and S_D'S_e by level-2 columns, ``room`` and ``taken`` room. Gives
    log|X'V^-1X|, what delta explains, and the derivative in s2 of the prior's part of the deviance, times s2.
    """
    F, pu = white.shape
    _sandwich(white, ss, room, taken)
    for i in range(F):
        for j in range(F):
            xx[i, j] += s2 * prior[i, j] - taken[i, j]
        xe[0, i] += s2 * pull[0, i]
        for k in range(pu):
            xe[0, i] -= white[i, k] * se[0, k]
    logdet, explained, away = _invert(xx), 0.0, 0.0
    for i in range(F):
        total = 0.0
        for j in range(F):
            total += xx[i, j] * xe[0, j]
        delta[0, i] = total
        explained += total * xe[0, i]
    for i in range(F):
        away -= 2.0 * delta[0, i] * pull[0, i]
        for j in range(F):
            away += prior[i, j] * (s2 * xx[i, j] + delta[0, i] * delta[0, j])
    return logdet, explained, away


# --- the density -----------------------------------------------------------------------------------


@njit("Tuple((f8[:,::1], i8))(f8[::1], i8, i8, i8)", **INSIDE)
def _matrix(t, at, rows, columns):  # type: ignore[no-untyped-def]
    """Give a matrix of the array of floats, and where the next one begins."""
    end = at + rows * columns
    return t[at:end].reshape((rows, columns)), end


@cfunc(
    types.int64(
        types.uint64, types.CPointer(types.double), types.CPointer(types.double),
        types.CPointer(types.double), types.voidptr,
    ),
    **FAST,
)  # fmt: skip
def density(size, point, slope, value_, tables):  # type: ignore[no-untyped-def]
    """Write the log density at phi = centre + root zeta, up to a constant, and its gradient in zeta.

    A C function: ``size`` d, zeta (d,), room for the gradient (d,) and for the value, and what
    `kernel_tables.flatten` gives. Returns 0, or 1 where the density is not finite.
    """
    header = carray(tables, (HEADER,), np.float64)
    t = carray(tables, (int(header[10]),), np.float64)
    d = int(size)
    zeta, out = carray(point, (d,)), carray(slope, (d,))
    q, m, J, u, F = int(t[0]), int(t[1]), int(t[2]), int(t[3]), int(t[4])
    ee, n, e_scale, constant, squares = t[5], t[6], t[7], t[8], t[9]
    pu = (m - 1) * u
    products, at = _matrix(t, HEADER, q * m, J)
    level2, at = _matrix(t, at, u, J)
    pairs, at = _matrix(t, at, u * (u + 1) // 2, J)
    white, at = _matrix(t, at, F, pu)
    turned, at = _matrix(t, at, pu, F)
    own_xx, at = _matrix(t, at, F, F)
    own_xe, at = _matrix(t, at, 1, F)
    prior, at = _matrix(t, at, F, F)
    pull, at = _matrix(t, at, 1, F)
    to_factor, at = _matrix(t, at, q, q)
    reference, at = _matrix(t, at, 1, q)
    curves, at = _matrix(t, at, q + 1, 8)
    shapes, at = _matrix(t, at, 1, q * (q - 1) // 2)
    centre, at = _matrix(t, at, 1, d)
    turn, at = _matrix(t, at, d, d)

    width = min(J, BLOCK)
    rest = (2 * q * m + q * q + 2) * width + 2 * d + 4 * q * q
    room = np.zeros(rest + pu * (pu + F + 2) + 2 * F * (F + 1))
    s, at = _matrix(room, 0, q * m, width)
    reduced, at = _matrix(room, at, q * m, width)
    root, at = _matrix(room, at, q * q, width)
    plane, at = _matrix(room, at, 2, width)
    phi, at = _matrix(room, at, 1, d)
    gradient, at = _matrix(room, at, 1, d)
    c, at = _matrix(room, at, q, q)
    factor, at = _matrix(room, at, q, q)
    by_factor, at = _matrix(room, at, q, q)
    score, at = _matrix(room, at, q, q)
    ss, at = _matrix(room, at, pu, pu)
    room_fp, at = _matrix(room, at, F, pu)
    se, at = _matrix(room, at, 1, pu)
    moved, at = _matrix(room, at, 1, pu)
    xx, at = _matrix(room, at, F, F)
    room_ff, at = _matrix(room, at, F, F)
    xe, at = _matrix(room, at, 1, F)
    delta, at = _matrix(room, at, 1, F)

    for i in range(d):
        phi[0, i] = centre[0, i]
        for j in range(d):
            phi[0, i] += turn[i, j] * zeta[j]
    value = _log_prior(phi, reference, curves, shapes, gradient)
    _correlations(phi, c)
    sigma = exp(phi[0, d - 1])
    s2 = (sigma / e_scale) ** 2
    for a in range(q):
        for b in range(q):
            for k in range(b, q):
                factor[a, b] += to_factor[a, k] * phi[0, k] * reference[0, k] * c[k, b] / sigma

    logdet, rss = 0.0, ee + s2 * squares
    if q:
        for lo in range(0, J, BLOCK):
            size = min(BLOCK, J - lo)
            logdet += _whiten(products, lo, size, factor, s, root)
            rss -= _add_sums(s, q, level2, pairs, lo, size, plane, ss, se)
    for i in range(pu):
        for j in range(i):
            if i // u > j // u:
                ss[j, i] = ss[i, j]
    for i in range(F):
        xe[0, i] = own_xe[0, i]
        for j in range(F):
            xx[i, j] = own_xx[i, j]
    logdet_x, explained, away = _solve_fixed(white, ss, se, xx, xe, prior, pull, s2, delta, room_fp, room_ff)
    rss -= explained
    value -= 0.5 * (logdet + logdet_x + (n - F) * log(s2) + rss / s2 + constant)
    gradient[0, d - 1] -= n - F - rss / s2 + away + squares

    if q:
        _sandwich(turned, xx, room_fp.reshape((pu, F)), ss)
        for k in range(pu):
            for i in range(F):
                moved[0, k] += turned[k, i] * delta[0, i]
        for lo in range(0, J, BLOCK):
            size = min(BLOCK, J - lo)
            if J > BLOCK:  # else the last block is still there
                _whiten(products, lo, size, factor, s, root)
            _add_score(products, s, level2, pairs, lo, size, ss, moved, s2, reduced, plane, score)
        for a in range(q):
            for b in range(q):
                by_standard = 0.0
                for k in range(q):
                    by_standard -= score[max(a, k), min(a, k)] * factor[k, b]
                gradient[0, d - 1] -= by_standard * factor[a, b]
                for i in range(q):
                    by_factor[i, b] += to_factor[a, i] * by_standard / sigma
        _chain(phi, reference, c, by_factor, gradient)
    for j in range(d):
        out[j] = 0.0
        for i in range(d):
            out[j] += turn[i, j] * gradient[0, i]
    carray(value_, (1,))[0] = value
    total = value
    for i in range(d):
        total += out[i]
    return 0 if abs(total) < np.inf else 1


@cfunc(
    types.int64(
        types.uint64, types.uint64, types.CPointer(types.double), types.CPointer(types.double), types.voidptr
    ),
    **FAST,
)
def same(size, kept, zeta, out, tables):  # type: ignore[no-untyped-def]
    """Keep a point as it is."""
    x, y = carray(zeta, (size,)), carray(out, (kept,))
    for i in range(size):
        y[i] = x[i]
    return 0


def evaluate(zeta: np.ndarray, tables: np.ndarray) -> tuple[float, np.ndarray]:
    """Call `density` from Python: the log density, up to a constant, and its gradient (d,) at zeta (d,)."""
    point, gradient, value = np.array(zeta, dtype=float), np.empty(len(zeta)), np.empty(1)
    pointers = (x.ctypes.data_as(POINTER(c_double)) for x in (point, gradient, value))
    density.ctypes(len(point), *pointers, tables.ctypes.data)
    return float(value[0]), gradient
