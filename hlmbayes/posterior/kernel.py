"""The marginal density and its gradient, compiled (Numba): the twin of `marginal.value_and_gradient`.

A gradient of a few hundred units takes NumPy half a millisecond, nearly all of it spent between array
operations. Here every operation is a loop over units, whose arrays stay in the processor's cache. The
formulas are those of `likelihood`, with sums over units of products of level-2 predictors taken from
`Target.ww`; a test holds the two against each other.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from .kernel_tables import Tables

FAST: dict[str, Any] = {
    "cache": True,
    "nogil": True,
    "error_model": "numpy",
    "fastmath": {"contract", "reassoc", "nsz", "arcp"},
}
# what only compiled code calls needs no way in from Python
INSIDE: dict[str, Any] = {
    **FAST,
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}


@njit(**INSIDE)
def _curve(c, x):  # type: ignore[no-untyped-def]
    """Give a prior's log density and its slope at x > 0."""
    ratio = (x / c[3]) ** 2
    value = c[0] - c[2] * np.log1p(ratio) - c[4] * x - c[5] * x * x
    slope = -2.0 * c[2] * ratio / (x * (1.0 + ratio)) - c[4] - 2.0 * c[5] * x if x > 0.0 else -c[4]
    if c[1] != 0.0 or c[6] != 0.0 or c[7] != 0.0:
        value += c[1] * np.log(x) - c[6] / x - c[7] / (x * x)
        slope += c[1] / x + c[6] / (x * x) + 2.0 * c[7] / (x * x * x)
    return value, slope


@njit(**INSIDE)
def _invert(a, inverse):  # type: ignore[no-untyped-def]
    """Write the inverse of a positive definite matrix; give its log-determinant, or nan."""
    f = a.shape[0]
    c = np.zeros((f, f))
    for j in range(f):
        for i in range(j, f):
            total = a[i, j]
            for k in range(j):
                total -= c[i, k] * c[j, k]
            if i == j:
                if not total > 1e-13 * a[j, j]:
                    return np.nan
                c[j, j] = np.sqrt(total)
            else:
                c[i, j] = total / c[j, j]
    logdet = 0.0
    root = np.zeros((f, f))
    for j in range(f):
        logdet += 2.0 * np.log(c[j, j])
        root[j, j] = 1.0 / c[j, j]
        for i in range(j + 1, f):
            total = 0.0
            for k in range(j, i):
                total -= c[i, k] * root[k, j]
            root[i, j] = total / c[i, i]
    for i in range(f):
        for j in range(i + 1):
            total = 0.0
            for k in range(i, f):
                total += root[k, i] * root[k, j]
            inverse[i, j] = inverse[j, i] = total
    return logdet


@njit(**INSIDE)
def _reduce(products, factor, s, c):  # type: ignore[no-untyped-def]
    """Write S = C^-1 L' products (q, m, J) and C (q, q, J); give sum_j log|R_j|."""
    q, m, J = products.shape
    for k in range(q):
        for col in range(m):
            for j in range(J):
                s[k, col, j] = factor[0, k] * products[0, col, j]
            for a in range(1, q):
                for j in range(J):
                    s[k, col, j] += factor[a, k] * products[a, col, j]
    for k in range(q):
        for i in range(k, q):
            for j in range(J):
                c[i, k, j] = 1.0 if i == k else 0.0
            for a in range(q):
                for j in range(J):
                    c[i, k, j] += factor[a, k] * s[i, a, j]
    logdet = 0.0
    for k in range(q):
        for i in range(k, q):
            for h in range(k):
                for j in range(J):
                    c[i, k, j] -= c[i, h, j] * c[k, h, j]
            if i == k:
                for j in range(J):
                    logdet += np.log(c[k, k, j])
                    c[k, k, j] = 1.0 / np.sqrt(c[k, k, j])  # the reciprocal from here on
            else:
                for j in range(J):
                    c[i, k, j] *= c[k, k, j]
        for col in range(m):
            for h in range(k):
                for j in range(J):
                    s[k, col, j] -= c[k, h, j] * s[h, col, j]
            for j in range(J):
                s[k, col, j] *= c[k, k, j]
    return logdet


@njit(**INSIDE)
def _fixed_sums(s, t, xx, xe):  # type: ignore[no-untyped-def]
    """Take the units' S'S parts off X'X and X'e; give the sum of S_e'S_e."""
    q, m, J = s.shape
    plane = np.empty(J)
    at = (-1, -1)
    for e in range(len(t.pair)):
        a, b, f, g = t.pair[e]
        if at != (a, b):
            at = (a, b)
            for j in range(J):
                plane[j] = s[0, a, j] * s[0, b, j]
            for k in range(1, q):
                for j in range(J):
                    plane[j] += s[k, a, j] * s[k, b, j]
        total = 0.0
        for j in range(J):
            total += plane[j] * t.ww[e, j]
        xx[f, g] -= total
        if a != b:
            xx[g, f] -= total
    for r in range(len(t.w)):
        total = 0.0
        for k in range(q):
            for j in range(J):
                total += s[k, t.w_block[r], j] * s[k, m - 1, j] * t.w[r, j]
        xe[t.w_column[r]] -= total
    square = 0.0
    for k in range(q):
        for j in range(J):
            square += s[k, m - 1, j] ** 2
    return square


@njit(**INSIDE)
def _score(products, s, t, vg, delta, s2):  # type: ignore[no-untyped-def]
    """Give sum_j of Z'V^-1Z - Z'V^-1X Vg X'V^-1Z - v v' / s2, (q, q), sigma2 = 1."""
    q, m, J = s.shape
    p = m - 1
    reduced = products.copy()
    for a in range(q):
        for k in range(q):
            for col in range(m):
                for j in range(J):
                    reduced[k, col, j] -= s[a, k, j] * s[a, col, j]
    moved = np.zeros((p, J))
    for r in range(len(t.w)):
        for j in range(J):
            moved[t.w_block[r], j] += t.w[r, j] * delta[t.w_column[r]]
    v = np.empty((q, J))
    for k in range(q):
        for j in range(J):
            v[k, j] = reduced[k, p, j]
        for a in range(p):
            for j in range(J):
                v[k, j] -= reduced[k, a, j] * moved[a, j]
    spread = np.zeros((p, p, J))
    for e in range(len(t.pair)):
        a, b, f, g = t.pair[e]
        weight = vg[f, g]
        for j in range(J):
            spread[a, b, j] += weight * t.ww[e, j]
    score = np.zeros((q, q))
    for k in range(q):
        for h in range(k + 1):
            total = 0.0
            for j in range(J):
                total += reduced[k, h, j] - v[k, j] * v[h, j] / s2
            for a in range(p):
                for j in range(J):
                    total -= reduced[k, a, j] * reduced[h, a, j] * spread[a, a, j]
                for b in range(a):
                    for j in range(J):
                        total -= spread[a, b, j] * (
                            reduced[k, a, j] * reduced[h, b, j] + reduced[k, b, j] * reduced[h, a, j]
                        )
            score[k, h] = score[h, k] = total
    return score


@njit(**INSIDE)
def _correlations(y, q):  # type: ignore[no-untyped-def]
    """Give C (q, q) and tanh(y)."""
    c, z, at = np.zeros((q, q)), np.tanh(y), 0
    for i in range(q):
        left = 1.0
        for j in range(i):
            c[i, j] = z[at] * left
            left *= np.sqrt((1.0 - z[at]) * (1.0 + z[at]))
            at += 1
        c[i, i] = left
    return c, z


@njit(**INSIDE)
def _log_prior(phi, t, gradient):  # type: ignore[no-untyped-def]
    """Write the gradient of the log prior; give its value up to a constant."""
    q = len(t.reference)
    sigma = np.exp(phi[-1])
    value, slope = _curve(t.curves[q], sigma)
    value += phi[-1]
    gradient[-1] = slope * sigma + 1.0
    for k in range(q):
        if t.wishart_df > 0.0:  # d tau / d sd; the density of tau is in _wishart
            value += q * np.log(abs(phi[k]))
            gradient[k] = q / phi[k]
            continue
        s = phi[k] * t.reference[k]
        v, slope = _curve(t.curves[k], abs(s))
        value += v
        gradient[k] = slope * np.sign(s) * t.reference[k]
    for i in range(len(t.shapes)):
        size = abs(phi[q + i])
        value -= 2.0 * t.shapes[i] * (size + np.log1p(np.exp(-2.0 * size)))
        gradient[q + i] = -2.0 * t.shapes[i] * np.tanh(phi[q + i])
    return value


@njit(**INSIDE)
def _wishart(phi, t, c, by_factor):  # type: ignore[no-untyped-def]
    """Add the gradient of the log inverse-Wishart density in L = diag(s) C; give its value."""
    q = len(t.reference)
    inverse = np.zeros((q, q))
    logdet = 0.0
    for j in range(q):
        logdet += np.log(abs(phi[j] * t.reference[j]) * c[j, j])
        for i in range(j, q):
            s = phi[i] * t.reference[i]
            total = 1.0 if i == j else 0.0
            for k in range(j, i):
                total -= s * c[i, k] * inverse[k, j]
            inverse[i, j] = total / (s * c[i, i])
    half = np.zeros((q, q))  # L^-1 S
    inner = np.zeros((q, q))  # L^-1 S L^-T
    for i in range(q):
        for j in range(q):
            for k in range(i + 1):
                half[i, j] += inverse[i, k] * t.wishart[k, j]
    trace = 0.0
    for i in range(q):
        for j in range(q):
            for k in range(j + 1):
                inner[i, j] += half[i, k] * inverse[j, k]
        trace += inner[i, i]
        inner[i, i] -= t.wishart_df + q + 1.0
    for i in range(q):
        for j in range(q):
            for k in range(i, q):
                by_factor[i, j] += inverse[k, i] * inner[k, j]
    return -(t.wishart_df + q + 1.0) * logdet - 0.5 * trace


@njit(**INSIDE)
def log_density(phi, t):  # type: ignore[no-untyped-def]
    """Give the log posterior density at phi (d,), up to a constant, and its gradient (d,)."""
    q, m, J = t.products.shape
    ee, n, constant, e_scale = t.scalars
    gradient = np.zeros(len(phi))
    value = _log_prior(phi, t, gradient)
    c, z = _correlations(phi[q:-1], q)
    sigma = np.exp(phi[-1])
    s2 = (sigma / e_scale) ** 2
    factor = np.zeros((q, q))
    for a in range(q):
        for b in range(q):
            for k in range(b, q):
                factor[a, b] += t.to_factor[a, k] * phi[k] * t.reference[k] * c[k, b] / sigma
    s, root = np.empty((q, m, J)), np.empty((q, q, J))
    logdet = _reduce(t.products, factor, s, root) if q else 0.0
    f = len(t.xe)
    xx, xe, rss = t.xx.copy(), t.xe.copy(), ee
    for i in range(f):
        xx[i, i] += s2 * t.p0[i]
        xe[i] += s2 * t.p0[i] * t.d0[i]
        rss += s2 * t.p0[i] * t.d0[i] ** 2
    if q:
        rss -= _fixed_sums(s, t, xx, xe)
    vg = np.zeros((f, f))
    logdet_xx = _invert(xx, vg)
    delta = np.zeros(f)
    by_s2 = n - f
    for i in range(f):
        for j in range(f):
            delta[i] += vg[i, j] * xe[j]
    for i in range(f):
        rss -= delta[i] * xe[i]
        by_s2 += s2 * vg[i, i] * t.p0[i] + t.p0[i] * (delta[i] - t.d0[i]) ** 2
    by_s2 -= rss / s2
    value -= 0.5 * (logdet + logdet_xx + (n - f) * np.log(s2) + rss / s2 + constant)
    gradient[-1] -= by_s2
    if q:
        score = _score(t.products, s, t, vg, delta, s2)
        by_factor = np.zeros((q, q))  # in diag(s) C
        for a in range(q):
            for b in range(q):
                by_standard = 0.0
                for k in range(q):
                    by_standard -= score[a, k] * factor[k, b]
                gradient[-1] -= by_standard * factor[a, b]
                for i in range(q):
                    by_factor[i, b] += t.to_factor[a, i] * by_standard / sigma
        if t.wishart_df > 0.0:
            value += _wishart(phi, t, c, by_factor)
        _chain(phi, t, c, z, by_factor, gradient)
    return value, gradient


@njit(**INSIDE)
def _chain(phi, t, c, z, by_factor, gradient):  # type: ignore[no-untyped-def]
    """Add the gradient in (s / ref, y) that a gradient in diag(s) C (q, q) comes to."""
    q, at = len(t.reference), 0
    for i in range(q):
        for j in range(i + 1):
            gradient[i] += by_factor[i, j] * c[i, j] * t.reference[i]
        left = 1.0
        s = phi[i] * t.reference[i]
        for j in range(i):
            rest = 0.0
            for k in range(j + 1, i + 1):
                rest += c[i, k] * by_factor[i, k] * s
            square = (1.0 - z[at]) * (1.0 + z[at])
            gradient[q + at] += by_factor[i, j] * s * left * square - z[at] * rest
            left *= np.sqrt(square)
            at += 1


@njit(**INSIDE)
def _take(flat, at, rows, columns):  # type: ignore[no-untyped-def]
    """Give a matrix of the flat array and where the next part begins."""
    end = at + rows * columns
    return flat[at:end].reshape((rows, columns)), end


@njit(**INSIDE)
def _unflatten(flat, whole, sizes):  # type: ignore[no-untyped-def]
    """Undo `flatten`."""
    q, m, J, R, E, F = sizes[0], sizes[1], sizes[2], sizes[3], sizes[4], sizes[5]
    products, at = _take(flat, 0, q, m * J)
    w, at = _take(flat, at, R, J)
    ww, at = _take(flat, at, E, J)
    xx, at = _take(flat, at, F, F)
    xe, at = _take(flat, at, 1, F)
    scalars, at = _take(flat, at, 1, 4)
    to_factor, at = _take(flat, at, q, q)
    reference, at = _take(flat, at, 1, q)
    curves, at = _take(flat, at, q + 1, 8)
    shapes, at = _take(flat, at, 1, q * (q - 1) // 2)
    p0, at = _take(flat, at, 1, F)
    d0, at = _take(flat, at, 1, F)
    wishart, at = _take(flat, at, q, q)
    return Tables(
        products.reshape((q, m, J)), w, whole[:R], whole[R : 2 * R], ww, whole[2 * R :].reshape((E, 4)),
        xx, xe[0], scalars[0], to_factor, reference[0], curves, shapes[0], p0[0], d0[0], wishart, flat[at],
    )  # fmt: skip


@njit(**FAST)
def whitened(zeta, centre, root, flat, whole, sizes):  # type: ignore[no-untyped-def]
    """Give the log density at phi = centre + root zeta and its gradient in zeta."""
    d = len(zeta)
    phi = centre.copy()
    for i in range(d):
        for j in range(d):
            phi[i] += root[i, j] * zeta[j]
    value, gradient = log_density(phi, _unflatten(flat, whole, sizes))
    turned = np.zeros(d)
    for i in range(d):
        for j in range(d):
            turned[j] += root[i, j] * gradient[i]
    return value, turned
