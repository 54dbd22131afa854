"""Satterthwaite, Kenward-Roger and CR0/CR1/CR2 from dense matrices (Kenward & Roger 1997; Pustejovsky &
Tipton 2018)."""

import numpy as np
from dense import _first, derivatives, gls
from scipy import linalg, special


def t_p(t, df):
    """Two-sided p of Student's t."""
    return special.betainc(df / 2, 0.5, df / (df + np.square(t)))


def f_p(F, d1, d2):
    """Upper tail of F."""
    return special.betainc(d2 / 2, d1 / 2, d2 / (d2 + d1 * F))


def _pq(p, theta):
    """P_k = -X'V^-1 V_k V^-1 X and Q_kl = X'V^-1 V_k V^-1 V_l V^-1 X, summed over units."""
    _, vcov, _, inverse, _ = gls(p, theta)
    K, F = len(theta), len(vcov)
    P, Q = np.zeros((K, F, F)), np.zeros((K, K, F, F))
    for j, (X, Vi) in enumerate(zip(p.X, inverse, strict=True)):
        DX = [D @ Vi @ X for D in _first(p, theta, j)]
        for k in range(K):
            P[k] -= (Vi @ X).T @ DX[k]
            for m in range(K):
                Q[k, m] += DX[k].T @ Vi @ DX[m]
    return P, Q


def satterthwaite(p, theta):
    """One t test per coefficient: 2 f^2 / (g' A g), A the inverse of the observed information of (tau,
    sigma2)."""
    gamma, vcov = gls(p, theta)[:2]
    A = linalg.inv(derivatives(p, theta)[2])
    P, _ = _pq(p, theta)
    # d vcov / d theta_k = -vcov P_k vcov
    change = np.array([-np.diag(vcov @ Pk @ vcov) for Pk in P])
    se = np.sqrt(np.diag(vcov))
    df = 2 * se**4 / np.einsum("kf,kl,lf->f", change, A, change)
    return {"estimate": gamma, "se": se, "df": df, "t": gamma / se, "p": t_p(gamma / se, df)}


def kr_adjusted(p, theta):
    """Kenward-Roger's adjusted covariance of gamma (V linear in theta), W and P."""
    vcov = gls(p, theta)[1]
    W = linalg.inv(derivatives(p, theta)[1])
    P, Q = _pq(p, theta)
    K = len(theta)
    inner = sum(W[k, m] * (Q[k, m] - P[k] @ vcov @ P[m]) for k in range(K) for m in range(K))
    return vcov + 2 * vcov @ ((inner + inner.T) / 2) @ vcov, W, P


def kr_test(p, theta, L):
    """F, d.f., scaling of L gamma = 0 (Kenward & Roger 1997, section 3)."""
    L = np.atleast_2d(np.asarray(L, float))
    gamma, vcov = gls(p, theta)[:2]
    adjusted, W, P = kr_adjusted(p, theta)
    ell = len(L)
    M = L.T @ linalg.inv(L @ vcov @ L.T) @ L
    S = [M @ vcov @ Pk @ vcov for Pk in P]
    K = range(len(P))
    A1 = sum(W[k, m] * np.trace(S[k]) * np.trace(S[m]) for k in K for m in K)
    A2 = sum(W[k, m] * np.trace(S[k] @ S[m]) for k in K for m in K)
    B = (A1 + 6 * A2) / (2 * ell)
    g = ((ell + 1) * A1 - (ell + 4) * A2) / ((ell + 2) * A2)
    base = 3 * ell + 2 * (1 - g)
    c1, c2, c3 = g / base, (ell - g) / base, (ell + 2 - g) / base
    E = 1 / (1 - A2 / ell)
    V = (2 / ell) * (1 + c1 * B) / ((1 - c2 * B) ** 2 * (1 - c3 * B))
    df = 4 + (ell + 2) / (ell * V / (2 * E**2) - 1)
    scale = df / (E * (df - 2))
    Lg = L @ gamma
    F = Lg @ linalg.solve(L @ adjusted @ L.T, Lg) / ell
    return {
        "F": scale * F,
        "F_unscaled": F,
        "ndf": ell,
        "ddf": df,
        "scale": scale,
        "p": f_p(scale * F, ell, df),
    }


def kenward_roger(p, theta):
    """One t test per coefficient with the adjusted standard error."""
    gamma = gls(p, theta)[0]
    adjusted = kr_adjusted(p, theta)[0]
    se = np.sqrt(np.diag(adjusted))
    df = np.array([kr_test(p, theta, row)["ddf"] for row in np.eye(len(gamma))])
    return {
        "estimate": gamma,
        "se": se,
        "df": df,
        "t": gamma / se,
        "p": t_p(gamma / se, df),
        "vcov": adjusted,
    }


def cluster_robust(p, theta, kind):
    """CR0, CR1 (J / (J - 1)) or CR2 with the fitted V as working model: vcov, se, Satterthwaite df, t, p."""
    gamma, vcov, _, inverse, residual = gls(p, theta)
    scores, bread = [], []
    for X, Vi, r in zip(p.X, inverse, residual, strict=True):
        V = linalg.inv(Vi)
        if kind == "CR2":
            D = linalg.cholesky(V)  # upper: V = D'D
            values, U = linalg.eigh(D @ (V - X @ vcov @ X.T) @ D.T)
            keep = values > 1e-10 * linalg.eigvalsh(D @ V @ D.T)[-1]  # of what X takes nothing from
            root = (U[:, keep] / np.sqrt(values[keep])) @ U[:, keep].T
            A = D.T @ root @ D
        else:
            A = np.eye(len(r)) * (np.sqrt(len(p.y) / (len(p.y) - 1)) if kind == "CR1" else 1.0)
        bread.append(A.T @ Vi @ X @ vcov)
        scores.append(bread[-1].T @ r)
    v = sum(np.outer(s, s) for s in scores)
    df = []
    for f in range(len(gamma)):
        a = [b[:, f] for b in bread]
        XA = np.array([X.T @ aj for X, aj in zip(p.X, a, strict=True)])
        G = -XA @ vcov @ XA.T
        G[np.diag_indices(len(a))] += [aj @ linalg.solve(Vi, aj) for aj, Vi in zip(a, inverse, strict=True)]
        df.append(np.trace(G) ** 2 / np.sum(G * G))
    se, df = np.sqrt(np.diag(v)), np.array(df)
    return {"vcov": v, "se": se, "t": gamma / se, "df": df, "p": t_p(gamma / se, df)}
