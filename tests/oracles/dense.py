"""Dense two-level likelihood by brute force: the independent side of the oracles.

Nothing here knows about hlmbayes or its moments: every unit's n_j x n_j covariance matrix is built, inverted
and differentiated as it stands (plain NumPy/SciPy). Slow on purpose, short enough to be read and believed.

    y_j = X_j gamma + Z_j u_j + r_j,  u_j ~ N(0, T),  r_j ~ N(0, diag(d_j)),  V_j = Z_j T Z_j' + diag(d_j)

Parameters theta = (lower triangle of T by rows: T00, T10, T11, T20, ..., then the noise parameters).
Noise kinds: "sigma2" d = sigma2; "loglinear" d = exp(C alpha); "known" d = given, no parameter.
The restricted criterion is lme4's: -2 log of the REML likelihood with + log|sum X'V^-1X| and
(N - F) ln(2 pi), without the constant -log|X'X|.
"""

from dataclasses import dataclass

import numpy as np
from scipy import linalg, optimize

LN2PI = np.log(2 * np.pi)


@dataclass(frozen=True)
class Problem:
    """Lists over units of y (n,), X (n, F), Z (n, q); `noise` (n, m) covariates or (n,) known variances."""

    y: list
    X: list
    Z: list
    reml: bool
    kind: str = "sigma2"
    noise: list | None = None

    @property
    def q(self):
        return self.Z[0].shape[1]

    @property
    def pairs(self):
        return [(a, b) for a in range(self.q) for b in range(a + 1)]

    @property
    def n_noise(self):
        return (
            {"sigma2": 1, "known": 0}.get(self.kind) if self.kind != "loglinear" else self.noise[0].shape[1]
        )


def split(unit, y, X, Z, reml, kind="sigma2", noise=None):
    """Rows -> Problem, one block per distinct value of unit, in sorted order."""
    rows = [np.flatnonzero(unit == j) for j in np.unique(unit)]
    cut = lambda a: [np.asarray(a, float)[r] for r in rows]  # noqa: E731
    return Problem(cut(y), cut(X), cut(Z), reml, kind, None if noise is None else cut(noise))


def unpack(p, theta):
    """theta -> T (q, q), list of the units' noise variances."""
    T = np.zeros((p.q, p.q))
    for value, (a, b) in zip(theta, p.pairs, strict=False):
        T[a, b] = T[b, a] = value
    rest = np.asarray(theta)[len(p.pairs) :]
    if p.kind == "sigma2":
        return T, [np.full(len(y), rest[0]) for y in p.y]
    if p.kind == "known":
        return T, list(p.noise)
    return T, [np.exp(C @ rest) for C in p.noise]


def gls(p, theta):
    """gamma, vcov, deviance (ML or REML, true constants), V^-1 and residuals by unit; None if V is not PD."""
    T, noise = unpack(p, theta)
    F = p.X[0].shape[1]
    A, b, logdet, inverse = np.zeros((F, F)), np.zeros(F), 0.0, []
    for y, X, Z, d in zip(p.y, p.X, p.Z, noise, strict=True):
        try:
            L = linalg.cholesky(Z @ T @ Z.T + np.diag(d), lower=True)
        except (linalg.LinAlgError, ValueError):
            return None
        Vi = linalg.cho_solve((L, True), np.eye(len(y)))
        inverse.append(Vi)
        logdet += 2 * np.log(np.diag(L)).sum()
        A += X.T @ Vi @ X
        b += X.T @ Vi @ y
    vcov = linalg.inv(A)
    gamma = linalg.solve(A, b, assume_a="pos")
    residual = [y - X @ gamma for y, X in zip(p.y, p.X, strict=True)]
    quad = sum(r @ Vi @ r for r, Vi in zip(residual, inverse, strict=True))
    N = sum(len(y) for y in p.y)
    dev = logdet + quad + N * LN2PI
    if p.reml:
        dev += np.linalg.slogdet(A)[1] - F * LN2PI
    return gamma, (vcov + vcov.T) / 2, dev, inverse, residual


def deviance(p, theta):
    found = gls(p, theta)
    return np.inf if found is None else found[2]


def _first(p, theta, j):
    """dV_j / dtheta_k, every k."""
    Z = p.Z[j]
    out = []
    for a, b in p.pairs:
        M = np.outer(Z[:, a], Z[:, b])
        out.append(M if a == b else M + M.T)
    if p.kind == "sigma2":
        out.append(np.eye(len(Z)))
    elif p.kind == "loglinear":
        d = np.exp(p.noise[j] @ np.asarray(theta)[len(p.pairs) :])
        out += [np.diag(d * c) for c in p.noise[j].T]
    return out


def derivatives(p, theta):
    """Gradient of the deviance, expected and observed information of theta (those of the log-likelihood)."""
    _, vcov, _, inverse, residual = gls(p, theta)
    K = len(p.pairs) + p.n_noise
    F = vcov.shape[0]
    tr1, quad1, tr2, quad2 = np.zeros(K), np.zeros(K), np.zeros((K, K)), np.zeros((K, K))
    B, XQ, second = np.zeros((K, F, F)), np.zeros((K, F)), np.zeros((K, K))
    XKL = np.zeros((K, K, F, F))
    for j, (X, Vi, r) in enumerate(zip(p.X, inverse, residual, strict=True)):
        dV = _first(p, theta, j)
        A = [Vi @ D for D in dV]
        w, ViX = Vi @ r, Vi @ X
        Dw, DX = [D @ w for D in dV], [D @ ViX for D in dV]
        for k in range(K):
            tr1[k] += np.trace(A[k])
            quad1[k] += w @ Dw[k]
            B[k] += ViX.T @ DX[k]
            XQ[k] += ViX.T @ Dw[k]
            for m in range(k + 1):
                tr2[k, m] += np.sum(A[k] * A[m].T)
                quad2[k, m] += Dw[k] @ Vi @ Dw[m]
                XKL[k, m] += DX[k].T @ Vi @ DX[m]
        if p.kind == "loglinear":
            q0 = len(p.pairs)
            d = np.exp(p.noise[j] @ np.asarray(theta)[q0:])
            for s, c in enumerate(p.noise[j].T):
                for t in range(s + 1):
                    e = d * c * p.noise[j][:, t]
                    # second derivative of V: enters trace and quadratic form (ML only is used with it)
                    second[q0 + s, q0 + t] += np.sum(np.diag(Vi) * e) - w @ (e * w)
    low = np.tril_indices(K, -1)
    for M in (tr2, quad2, second):
        M.T[low] = M[low]
    # P = V^-1 - V^-1 X (X'V^-1X)^-1 X'V^-1 also where gamma is profiled out under ML
    quad2 -= XQ @ vcov @ XQ.T
    if p.reml:
        tr1 = tr1 - np.array([np.sum(vcov * Bk) for Bk in B])
        for k in range(K):
            for m in range(k + 1):
                t = -2 * np.sum(vcov * XKL[k, m]) + np.trace(vcov @ B[k] @ vcov @ B[m])
                tr2[k, m] += t
                if k != m:
                    tr2[m, k] += t
    gradient = tr1 - quad1
    return gradient, tr2 / 2, quad2 - tr2 / 2 + second / 2


def tau_gradient(p, theta, gradient):
    """Symmetric S with d deviance = trace(S dT)."""
    S = np.zeros((p.q, p.q))
    for g, (a, b) in zip(gradient, p.pairs, strict=False):
        S[a, b] = S[b, a] = g if a == b else g / 2
    return S


def _theta_of(p, free, rank):
    L = free[: p.q * rank].reshape(p.q, rank)
    T = L @ L.T
    noise = free[p.q * rank :]
    noise = np.exp(noise) if p.kind == "sigma2" else noise
    return np.array([T[a, b] for a, b in p.pairs] + list(noise))


def _free_gradient(p, free, rank):
    theta = _theta_of(p, free, rank)
    g = derivatives(p, theta)[0]
    L = free[: p.q * rank].reshape(p.q, rank)
    noise = g[len(p.pairs) :]
    if p.kind == "sigma2":
        noise = noise * theta[-1]
    return np.concatenate([(2 * tau_gradient(p, theta, g) @ L).ravel(), noise])


def _fit_rank(p, free, rank, target=1e-10, steps=60):
    """Newton on the factor (T = L L', L q x rank): Hessian by differences of the analytic gradient, pinv
    for rotations."""
    dev = lambda f: deviance(p, _theta_of(p, f, rank))  # noqa: E731
    if not len(free):
        return free
    found = optimize.minimize(
        dev, free, jac=lambda f: _free_gradient(p, f, rank), method="BFGS", options={"gtol": 1e-5}
    )
    free = found.x
    for _ in range(steps):
        g = _free_gradient(p, free, rank)
        H = np.zeros((len(free), len(free)))
        for k in range(len(free)):
            h = 1e-4 * max(1e-1, abs(free[k]))
            e = np.zeros(len(free))
            e[k] = h
            H[:, k] = (_free_gradient(p, free + e, rank) - _free_gradient(p, free - e, rank)) / (2 * h)
        H = (H + H.T) / 2
        values, vectors = linalg.eigh(H)
        keep = np.abs(values) > 1e-6 * np.abs(values).max()
        step = -vectors[:, keep] @ ((vectors[:, keep].T @ g) / np.abs(values[keep]))
        size, now = 1.0, dev(free)
        while dev(free + size * step) > now + 1e-9 * abs(now) * 1e-3 and size > 1e-6:
            size /= 2
        free = free + size * step
        if np.abs(g).max() < target or np.abs(step).max() < 1e-13:
            break
    return free


def fit(p, start_tau=None, start_noise=None, tol=1e-5):
    """Optimum over T >= 0 (singular T included) and the noise parameters; checks the KKT conditions.

    Returns dict: deviance, gamma, vcov, tau, noise, rank, kkt (largest |S T|, smallest eigenvalue of S on
    the null space of T; S = d deviance / dT), gradient (largest), expected and observed information.
    """
    y = np.concatenate(p.y)
    v = y.var()
    if start_noise is None:
        if p.kind == "sigma2":
            start_noise = [np.log(0.7 * v)]
        elif p.kind == "loglinear":
            start_noise = [np.log(0.7 * v)] + [0.0] * (p.n_noise - 1)
        else:
            start_noise = []
    best = None
    for scale in (0.3, 0.03) if start_tau is None else (None,):
        if scale is None:
            L = linalg.cholesky(np.asarray(start_tau), lower=True)
        else:
            root = np.sqrt(scale * v) / np.array(
                [
                    max(np.sqrt(np.mean(np.concatenate(z) ** 2)), 1e-12)
                    for z in zip(*[Z.T for Z in p.Z], strict=True)
                ]
            )
            L = np.diag(root)
        free = _fit_rank(p, np.concatenate([L.ravel(), start_noise]), p.q)
        d = deviance(p, _theta_of(p, free, p.q))
        if best is None or d < best[0]:
            best = (d, free)
    free, rank = best[1], p.q
    T = unpack(p, _theta_of(p, free, rank))[0]
    scales = np.array([np.mean(np.concatenate(z) ** 2) for z in zip(*[Z.T for Z in p.Z], strict=True)])
    values, vectors = linalg.eigh(T * np.sqrt(np.outer(scales, scales)))
    size = max(v, 1e-300)
    rank = int(np.sum(values > tol * size))
    if rank < p.q:
        L = (vectors[:, p.q - rank :] * np.sqrt(values[p.q - rank :])) / np.sqrt(scales)[:, None]
        free = _fit_rank(p, np.concatenate([L.ravel(), free[p.q * p.q :]]), rank)
    theta = _theta_of(p, free, rank)
    if rank == p.q:  # exact Newton in T itself for the last digits
        for _ in range(4):
            g, _, observed = derivatives(p, theta)
            theta = theta - linalg.solve(2 * observed, g)
    gradient, expected, observed = derivatives(p, theta)
    gamma, vcov, dev, _, _ = gls(p, theta)
    T = unpack(p, theta)[0]
    S = tau_gradient(p, theta, gradient)
    values, vectors = linalg.eigh(T * np.sqrt(np.outer(scales, scales)))
    null = (vectors[:, : p.q - rank] / np.sqrt(scales)[:, None]) if rank < p.q else np.zeros((p.q, 0))
    return {
        "deviance": dev,
        "gamma": gamma,
        "vcov": vcov,
        "tau": T,
        "noise": theta[len(p.pairs) :],
        "rank": rank,
        "theta": theta,
        "expected": expected,
        "observed": observed,
        "kkt": {
            "max_abs_S_T": float(np.abs(S @ T).max()),
            "max_abs_noise_gradient": float(np.abs(gradient[len(p.pairs) :]).max(initial=0.0)),
            "smallest_eigenvalue_of_S_on_null_space": float(linalg.eigvalsh(null.T @ S @ null).min())
            if null.size
            else None,
        },
    }
