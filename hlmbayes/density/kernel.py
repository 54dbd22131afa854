"""The marginal density and its gradient, compiled (Numba): the twin of `marginal.value_and_gradient`.

A gradient of a few hundred units takes NumPy half a millisecond, nearly all of it spent between array
operations. Here every operation is a loop over a block of units, whose working arrays stay in the
processor's cache whatever the number of units. The formulas are those of `likelihood.evaluate`, with K from
the rows of [C'L I] made orthogonal (Gram & Schmidt) for any number of random coefficients, so that every
pivot is a sum of squares; a test holds the two against each other. Everything is read from one array of
floats (`kernel_tables`), so that a sampler written in another language can call `density`, a C function.

The compiler's time grows with the number of array types and of calls it sees: arrays are two-dimensional
floats only, and allocated in one place. All is in one file, since the compiler notices changes of a file it
has compiled from, not of the files that one imports.
"""

from __future__ import annotations

from math import exp, log, log1p, sqrt, tanh
from typing import Any

import numpy as np
from numba import carray, cfunc, njit, types

BLOCK = 256  # units whose working arrays stay in the cache
LARGE = 1e150  # a product of determinants up to here takes one more without overflow
HEADER = 11
DOUBLES = types.CPointer(types.double)


def _has_a_place() -> bool:
    """Say whether compiled code can be kept: not where neither the package nor the home can be written."""
    try:
        njit("f8(f8)", cache=True)(lambda x: x)
    except RuntimeError:
        return False
    return True


FAST: dict[str, Any] = {
    "cache": _has_a_place(),
    "error_model": "numpy",
    "fastmath": {"contract", "reassoc", "nsz", "arcp"},
}
# what only compiled code calls needs no way in from Python
INSIDE: dict[str, Any] = {**FAST, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}


@njit(**INSIDE)
def _solve(a, rows):  # type: ignore[no-untyped-def]
    """Turn a positive definite matrix into its factor C and every row b into C^-1 b; give log|a|, or nan."""
    logdet = 0.0
    for j in range(a.shape[0]):
        for i in range(j, a.shape[0]):
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
        for i in range(rows.shape[0]):
            total = rows[i, j]
            for k in range(j):
                total -= a[j, k] * rows[i, k]
            rows[i, j] = total / a[j, j]
    return logdet


@njit("void(f8[:,::1], f8[:,::1], f8[:,::1])", **INSIDE)
def _product(a, b, result):  # type: ignore[no-untyped-def]
    """Write a b' (n, m) for a (n, k) and b (m, k)."""
    for i in range(a.shape[0]):
        for j in range(b.shape[0]):
            total = 0.0
            for k in range(a.shape[1]):
                total += a[i, k] * b[j, k]
            result[i, j] = total


# --- rows of arrays, over the units of a block ------------------------------------------------------


@njit("void(f8[:,::1], i8, f8, f8, f8[:,::1], i8, i8, i8)", **INSIDE)
def _add(y, i, kept, a, x, k, lo, n):  # type: ignore[no-untyped-def]
    """Write y[i] = kept y[i] + a x[k, lo:]."""
    to, row = y[i, :n], x[k, lo : lo + n]
    for j in range(n):
        to[j] = kept * to[j] + a * row[j]


@njit("void(f8[:,::1], i8, f8, f8, f8[:,::1], i8, f8[:,::1], i8, i8)", **INSIDE)
def _add_times(y, i, kept, a, x, k, z, h, n):  # type: ignore[no-untyped-def]
    """Write y[i] = kept y[i] + a x[k] z[h]."""
    to, one, two = y[i, :n], x[k, :n], z[h, :n]
    for j in range(n):
        to[j] = kept * to[j] + a * one[j] * two[j]


@njit("f8(f8[:,::1], i8, i8, f8[:,::1], i8, i8, i8)", **INSIDE)
def _dot(x, k, h, y, i, lo, n):  # type: ignore[no-untyped-def]
    """Give sum x[k] x[h] y[i, lo:]."""
    one, two, weight, total = x[k, :n], x[h, :n], y[i, lo : lo + n], 0.0
    for j in range(n):
        total += one[j] * two[j] * weight[j]
    return total


@njit("f8(f8[:,::1], i8, i8)", **INSIDE)
def _root(c, row, n):  # type: ignore[no-untyped-def]
    """Turn 1 + c[row] into the reciprocals of its roots; give the sum of its logarithms."""
    x, logdet, product = c[row, :n], 0.0, 1.0
    for j in range(n):
        product *= 1.0 + x[j]
        if product > LARGE:  # few logarithms, and no overflow
            logdet += log(product)
            product = 1.0
    for j in range(n):
        x[j] = 1.0 / sqrt(1.0 + x[j])
    return logdet + log(product)


@njit(**INSIDE)
def _shrink(root, lo, n, factor, s, w, plane):  # type: ignore[no-untyped-def]
    """Write W = K^-1 [C' B T], K K' = I + C'Theta C, of n units from lo; give their sum of log|K K'|.

    A row of ``s`` by units: C'L, then what I has left of its diagonal. To take from each row of [C'L I] what
    it has of those before it is to apply K^-1, but for the rows' lengths. ``plane`` has ones in its last row.
    """
    q = factor.shape[0]
    m, logdet = root.shape[0] // q, 0.0
    for i in range(q):
        for k in range(q):
            for a in range(i, q):
                _add(s, 2 * i * q + k, 1.0 if a > i else 0.0, factor[a, k], root, i * m + a, lo, n)
        for k in range(m):
            _add(w, i * m + k, 0.0, 1.0, root, i * m + k, lo, n)
    for h in range(q):
        for k in range(q + h):
            _add_times(plane, 0, 1.0 if k else 0.0, 1.0, s, 2 * h * q + k, s, 2 * h * q + k, n)
        logdet += _root(plane, 0, n)  # one over the row's length from here on
        for k in range(m):
            _add_times(w, h * m + k, 0.0, 1.0, w, h * m + k, plane, 0, n)
        for i in range(h + 1, q):
            one = 2 * i * q + q + h
            for k in range(q + h):
                _add_times(s, one, 1.0 if k else 0.0, -1.0, s, 2 * i * q + k, s, 2 * h * q + k, n)
            _add_times(s, one, 0.0, 1.0, s, one, plane, 0, n)
            for k in range(m):
                _add_times(w, i * m + k, 1.0, 1.0, s, one, w, h * m + k, n)
            _add_times(s, one, 0.0, 1.0, s, one, plane, 0, n)
            for k in range(q + h):
                _add_times(s, 2 * i * q + k, 1.0, 1.0, s, one, s, 2 * h * q + k, n)
    return logdet


@njit(**INSIDE)
def _add_sums(w, q, u, pairs, lo, n, plane, sums):  # type: ignore[no-untyped-def]
    """Add a block's sums of W_D'W_D by level-2 columns, blocks of the lower triangle, and W_e'W_D below."""
    p = sums.shape[1] // u
    for b in range(p):
        for a in range(b, p + 1):
            for i in range(q):
                _add_times(plane, 0, 1.0 if i else 0.0, 1.0, w, i * (p + 1) + a, w, i * (p + 1) + b, n)
            for f in range(u):
                for g in range(f + 1 if a < p else 1):
                    total = _dot(plane, 0, 1, pairs, f * (f + 1) // 2 + g, lo, n)
                    sums[a * u + g, b * u + f] += total
                    if f > g and a < p:
                        sums[a * u + f, b * u + g] += total


@njit(**INSIDE)
def _add_score(w, u, pairs, lo, n, gram, s2, reduced, plane, score):  # type: ignore[no-untyped-def]
    """Add a block's sum of Z'V^-1Z - Z'V^-1X Vg X'V^-1Z - v v' / s2, sigma2 = 1, to the lower triangle.

    Vg by level-2 columns is in the corner of ``gram``, delta in its last row. With W_left =
    W_e - W_X delta, v = W_Z'W_left; gives the sum of W_left'W_left.
    """
    q, last = score.shape[0], gram.shape[0] - 1
    m, square = w.shape[0] // q, 0.0
    p = m - 1
    for a in range(p):
        for f in range(u):
            _add(plane, 0, 1.0 if f else 0.0, gram[last, a * u + f], pairs, f * (f + 1) // 2, lo, n)
        for i in range(q):
            _add_times(w, i * m + p, 1.0, -1.0, w, i * m + a, plane, 0, n)
    for k in range(q):
        square += _dot(w, k * m + p, k * m + p, pairs, 0, lo, n)
        for a in range(k):
            _add(reduced, k * m + a, 0.0, 1.0, reduced, a * m + k, 0, n)
        for a in range(k, m):
            for i in range(q):
                _add_times(reduced, k * m + a, 1.0 if i else 0.0, 1.0, w, i * m + k, w, i * m + a, n)
        for h in range(k + 1):
            score[k, h] += _dot(plane, 1, 1, reduced, k * m + h, 0, n)
            score[k, h] -= _dot(reduced, k * m + p, h * m + p, pairs, 0, lo, n) / s2
    for a in range(p):
        for b in range(a + 1):
            for f in range(u):
                for g in range(f + 1):
                    weight = gram[a * u + f, b * u + g] + (gram[a * u + g, b * u + f] if f > g else 0.0)
                    _add(plane, 0, 1.0 if f else 0.0, weight, pairs, f * (f + 1) // 2 + g, lo, n)
            for k in range(q):
                for h in range(k + 1):
                    score[k, h] -= _dot(reduced, k * m + a, h * m + b, plane, 0, 0, n)
                    if a > b:
                        score[k, h] -= _dot(reduced, k * m + b, h * m + a, plane, 0, 0, n)
    return square


@njit(**INSIDE)
def _log_prior(phi, reference, curves, shapes, gradient):  # type: ignore[no-untyped-def]
    """Write the gradient of the log prior; give its value up to a constant. See `distributions.Curve`."""
    q, last = reference.shape[1], phi.shape[1] - 1
    value = phi[0, last]
    for k in range(q + 1):
        to, x = last, exp(phi[0, last])
        by_phi = x
        if k < q:
            by_phi = -reference[0, k] if phi[0, k] < 0.0 else reference[0, k]
            to, x = k, phi[0, k] * by_phi
        a, b, d, e, f, g = curves[k, 1], curves[k, 2], curves[k, 4], curves[k, 5], curves[k, 6], curves[k, 7]
        ratio = (x / curves[k, 3]) ** 2
        value -= b * log1p(ratio) + d * x + e * x * x
        slope = -d - 2.0 * e * x
        if x > 0.0:
            slope -= 2.0 * b * ratio / (x * (1.0 + ratio))
        if a != 0.0 or f != 0.0 or g != 0.0:
            value += a * log(x) - f / x - g / (x * x)
            slope += a / x + f / (x * x) + 2.0 * g / (x * x * x)
        gradient[0, to] = slope * by_phi
    gradient[0, last] += 1.0
    for i in range(shapes.shape[1]):
        size = abs(phi[0, q + i])
        value -= 2.0 * shapes[0, i] * (size + log1p(exp(-2.0 * size)))
        gradient[0, q + i] = -2.0 * shapes[0, i] * tanh(phi[0, q + i])
    return value


@njit(**INSIDE)
def _correlations(phi, reference, c):  # type: ignore[no-untyped-def]
    """Write C (q, q); see `coordinates.correlation_factor`."""
    q = at = c.shape[0]
    for i in range(q):
        left = 1.0
        for j in range(i):
            if reference[1, j] == reference[1, i]:
                z = tanh(phi[0, at])
                c[i, j] = z * left
                left *= sqrt((1.0 - z) * (1.0 + z))
                at += 1
        c[i, i] = left


@njit(**INSIDE)
def _chain(phi, reference, c, by_factor, gradient):  # type: ignore[no-untyped-def]
    """Add the gradient in (s / ref, y) that a gradient in diag(s) C (q, q) comes to."""
    q = at = reference.shape[1]
    for i in range(q):
        s = phi[0, i] * reference[0, i]
        for j in range(i + 1):
            gradient[0, i] += by_factor[i, j] * c[i, j] * reference[0, i]
        left = 1.0
        for j in range(i):
            if reference[1, j] == reference[1, i]:
                z = tanh(phi[0, at])
                rest = 0.0
                for k in range(j + 1, i + 1):
                    rest += c[i, k] * by_factor[i, k] * s
                square = (1.0 - z) * (1.0 + z)
                gradient[0, at] += by_factor[i, j] * s * left * square - z * rest
                left *= sqrt(square)
                at += 1


@njit("Tuple((f8[:,::1], i8))(f8[::1], i8, i8, i8)", **INSIDE)
def _matrix(t, at, rows, columns):  # type: ignore[no-untyped-def]
    """Give a matrix of the array of floats, and where the next one begins."""
    end = at + rows * columns
    return t[at:end].reshape((rows, columns)), end


@cfunc(types.int64(types.uint64, DOUBLES, DOUBLES, DOUBLES, types.voidptr), **FAST)
def density(size, point, slope, value_, tables):  # type: ignore[no-untyped-def]
    """Write the log density at phi = centre + root zeta, up to a constant, and its gradient in zeta.

    A C function: zeta's ``size``, zeta, room for the gradient and for the value, what `kernel_tables.flatten`
    gives (phi has log sigma, known or not, last). Returns 0, or 1 where the density is not finite.
    """
    header = carray(tables, (HEADER,), np.float64)
    t = carray(tables, (int(header[9]),), np.float64)
    free, d = int(size), int(size) + int(t[10])
    zeta, out = carray(point, (free,)), carray(slope, (free,))
    q, m, J, u, F = int(t[0]), int(t[1]), int(t[2]), int(t[3]), int(t[4])
    rss, n, e_scale, constant = t[5], t[6], t[7], t[8]
    pu = (m - 1) * u
    root, at = _matrix(t, HEADER, q * m, J)
    pairs, at = _matrix(t, at, u * (u + 1) // 2, J)
    rest, at = _matrix(t, at, pu + 1, pu)
    white, at = _matrix(t, at, F, pu)
    right, at = _matrix(t, at, pu + F, F)
    prior, at = _matrix(t, at, F, F)
    pull, at = _matrix(t, at, 2, F)
    to_factor, at = _matrix(t, at, q, q)
    reference, at = _matrix(t, at, 2, q)  # below it the block of tau each effect is in
    curves, at = _matrix(t, at, q + 1, 8)
    shapes, at = _matrix(t, at, 1, d - q - 1)
    centre, at = _matrix(t, at, 1, d)
    turn, at = _matrix(t, at, d, free)

    width, large = min(J, BLOCK), pu + F + 1
    units = q * m * J + q * (m + max(2 * q, m)) * width + 2 * width
    room = np.zeros(units + 2 * d + 4 * q * q + pu * (pu + 1 + F) + F * (F + large) + large**2)
    work, at = _matrix(room, q * m * (J + width), q * max(2 * q, m), width)  # W before it, block by block
    plane, at = _matrix(room, at, 2, width)
    phi, at = _matrix(room, at, 1, d)
    gradient, at = _matrix(room, at, 1, d)
    small, at = _matrix(room, at, 4 * q, q)
    c, factor, by_factor, score = small[:q], small[q : 2 * q], small[2 * q : 3 * q], small[3 * q :]
    sums, at = _matrix(room, at, pu + 1, pu)
    half, at = _matrix(room, at, F, pu)
    xx, at = _matrix(room, at, F, F)
    solved, at = _matrix(room, at, large, F)
    gram, at = _matrix(room, at, large, large)

    for j in range(width):
        plane[1, j] = 1.0
    _product(_matrix(zeta, 0, 1, free)[0], turn, phi)
    for i in range(d):
        phi[0, i] += centre[0, i]
    value, logdet = _log_prior(phi, reference, curves, shapes, gradient), 0.0
    _correlations(phi, reference, c)
    sigma = exp(phi[0, d - 1])
    s2 = (sigma / e_scale) ** 2
    for a in range(q):
        for b in range(q):
            for k in range(b, q):
                factor[a, b] += to_factor[a, k] * phi[0, k] * reference[0, k] * c[k, b] / sigma

    if q:
        for lo in range(0, J, BLOCK):
            w, size = _matrix(room, lo * q * m, q * m, width)[0], min(BLOCK, J - lo)
            logdet += _shrink(root, lo, size, factor, work, w, plane)
            _add_sums(w, q, u, pairs, lo, size, plane, sums)
    for k in range(pu):
        sums[pu, k] += rest[pu, k]
        for i in range(k + 1):
            sums[k, i] += rest[k, i]
            sums[i, k] = sums[k, i]
    _product(white, sums[:pu], half)
    _product(half, white, xx)
    _product(sums[pu:], white, solved[pu + F :])
    for i in range(F):
        solved[pu + F, i] += s2 * pull[0, i]
        for k in range(pu + F):
            solved[k, i] = right[k, i]
        for k in range(F):
            xx[i, k] += s2 * prior[i, k]
    logdet += _solve(xx, solved)
    _product(solved, solved, gram)
    for i in range(pu):
        rss -= 2.0 * gram[pu + F, i] * rest[pu, i]
        for k in range(pu):
            rss += gram[pu + F, i] * rest[i, k] * gram[pu + F, k]
    if q:
        for lo in range(0, J, BLOCK):
            w, size = _matrix(room, lo * q * m, q * m, width)[0], min(BLOCK, J - lo)
            rss += _add_score(w, u, pairs, lo, size, gram, s2, work, plane, score)
        for a in range(q):
            for b in range(q):
                by_standard = 0.0
                for k in range(q):
                    by_standard -= score[max(a, k), min(a, k)] * factor[k, b]
                gradient[0, d - 1] -= by_standard * factor[a, b]
                for i in range(q):
                    by_factor[i, b] += to_factor[a, i] * by_standard / sigma
        _chain(phi, reference, c, by_factor, gradient)
    value -= 0.5 * (logdet + (n - F) * log(s2) + rss / s2 + constant)
    gradient[0, d - 1] -= n - F - rss / s2
    for k in range(pu, pu + F):
        value -= 0.5 * (gram[pu + F, k] - pull[1, k - pu]) ** 2
        gradient[0, d - 1] -= s2 * gram[k, k]
    carray(value_, (1,))[0] = value
    for j in range(free):
        out[j] = 0.0
        for i in range(d):
            out[j] += turn[i, j] * gradient[0, i]
        value += out[j]
    return 0 if abs(value) < np.inf else 1


@cfunc(types.int64(types.uint64, types.uint64, DOUBLES, DOUBLES, types.voidptr), **FAST)
def same(size, kept, zeta, out, tables):  # type: ignore[no-untyped-def]
    """Keep a point as it is."""
    x, y = carray(zeta, (size,)), carray(out, (kept,))
    for i in range(size):
        y[i] = x[i]
    return 0
