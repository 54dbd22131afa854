"""weights.json: two-level weighted pseudo-ML on data/small.csv by brute force. python make_weights.py.

Log pseudo-likelihood: sum_j W_j log Integral of prod_i f(y_ij | u)^(w_ij) phi(u; 0, T) du. The integral is
Gaussian:
with V_j = Z T Z' + sigma2 diag(1 / w_ij) it is N(y_j; X_j gamma, V_j) times
exp(-(sum_i w_ij - n_j) ln(2 pi sigma2) / 2 - sum_i ln(w_ij) / 2); one unit is checked by quadrature.
"""

import numpy as np
import small
from common import design, save
from dense import deviance, fit, split
from scipy import linalg, optimize

MODEL = {
    "equations": ["y = b0 + b1*x + r", "b0 = g00 + g01*w + u0", "b1 = g10 + u1"],
    "fixed": {"g00": "1", "g01": "w", "g10": "x"},
    "random": ["1", "x"],
}
SCALINGS = {
    "none": "level-1 weights as given",
    "size": "w_ij * n_j / sum_i w_ij (HLM's and Stata's pwscale(size); sums to n_j)",
    "effective": "w_ij * sum_i w_ij / sum_i w_ij^2 (Stata's pwscale(effective); sums to the effective size)",
    "gk": "w_ij -> 1, W_j -> W_j * mean_i w_ij (Stata's pwscale(gk), Graubard & Korn)",
}


def scaled(rows, w, W, scaling):
    """Level-1 weights (N,) and level-2 weights (J,) after scaling."""
    w, W = w.copy(), W.copy()
    for j, r in enumerate(rows):
        if scaling == "size":
            w[r] *= len(r) / w[r].sum()
        elif scaling == "effective":
            w[r] *= w[r].sum() / (w[r] ** 2).sum()
        elif scaling == "gk":
            W[j] *= w[r].mean()
            w[r] = 1.0
    return w, W


def unit_loglik(y, X, Z, w, par):
    """Log of the weighted integral of one unit; par = gamma, T00, T10, T11, sigma2. Works for complex par."""
    F = X.shape[1]
    t00, t10, t11, s2 = par[F:]
    T = np.array([[t00, t10], [t10, t11]])
    V = Z @ T @ Z.T + s2 * np.diag(1 / w)
    r = y - X @ par[:F]
    sign, logabs = np.linalg.slogdet(V)
    logdet = logabs + np.log(sign) if np.iscomplexobj(V) else logabs
    n = len(y)
    normal = -(n * np.log(2 * np.pi) + logdet + r @ np.linalg.solve(V, r)) / 2
    return normal - (w.sum() - n) * np.log(2 * np.pi * s2) / 2 - np.log(w).sum() / 2


def quadrature(y, X, Z, w, par, points=60):
    """The same by Gauss-Hermite over u, from the definition (centred at the integrand's mode)."""
    F = X.shape[1]
    t00, t10, t11, s2 = par[F:]
    T = np.array([[t00, t10], [t10, t11]])
    H = Z.T @ (w[:, None] * Z) / s2 + linalg.inv(T)
    mode = linalg.solve(H, Z.T @ (w * (y - X @ par[:F])) / s2)
    A = linalg.cholesky(linalg.inv(H), lower=True)
    nodes, weights = np.polynomial.hermite.hermgauss(points)
    total = 0.0
    for a, wa in zip(nodes, weights, strict=True):
        for b, wb in zip(nodes, weights, strict=True):
            z = np.array([a, b])
            u = mode + np.sqrt(2) * A @ z
            e = y - X @ par[:F] - Z @ u
            log_f = np.sum(w * (-np.log(2 * np.pi * s2) / 2 - e**2 / (2 * s2)))
            log_phi = -np.log(2 * np.pi) - np.linalg.slogdet(T)[1] / 2 - u @ linalg.solve(T, u) / 2
            total += wa * wb * np.exp(log_f + log_phi + z @ z)
    return np.log(total * 2 * np.linalg.det(A))


def scores(units, par):
    """(J, P) derivatives of the units' log integrals by complex steps (exact to rounding)."""
    h = 1e-30
    out = np.zeros((len(units), len(par)))
    for k in range(len(par)):
        z = par.astype(complex)
        z[k] += 1j * h
        out[:, k] = [unit_loglik(*u, z).imag / h for u in units]
    return out


def hessian(units, W, par):
    H = np.zeros((len(par), len(par)))
    for k in range(len(par)):
        h = 1e-5 * max(0.1, abs(par[k]))
        e = np.eye(len(par))[k] * h
        # four-point differences of the exact gradient
        g = [W @ scores(units, par + m * e) for m in (-2, -1, 1, 2)]
        H[k] = (g[0] - 8 * g[1] + 8 * g[2] - g[3]) / (12 * h)
    return (H + H.T) / 2


def natural(f, F, rank):
    """Free numbers (gamma, root of T of the given rank, log sigma2) -> gamma, T00, T10, T11, sigma2."""
    a, b = f[F : F + 2]
    c = f[F + 2] if rank == 2 else 0.0
    return np.concatenate([f[:F], [a * a, a * b, b * b + c * c, np.exp(f[-1])]])


def total(units, W, par):
    return sum(Wj * unit_loglik(*u, par) for Wj, u in zip(W, units, strict=True))


def maximise(units, W):
    """BFGS with complex-step gradients over the root of T, then Newton; rank 1 where T turns out singular."""
    F = units[0][1].shape[1]

    def gradient(f, rank):
        out = np.zeros(len(f))
        for k in range(len(f)):
            z = f.astype(complex)
            z[k] += 1e-30j
            out[k] = -total(units, W, natural(z, F, rank)).imag / 1e-30
        return out

    f, rank = np.concatenate([[12.0, 1.5], np.zeros(F - 2), [1.3, 0.3, 0.7, 1.0]]), 2
    while True:
        found = optimize.minimize(
            lambda v, k: -total(units, W, natural(v, F, k)),
            f,
            args=(rank,),
            jac=gradient,
            method="BFGS",
            options={"gtol": 1e-6},
        )
        f = found.x
        if rank == 1 or abs(f[F + 2]) > 1e-4:
            break
        f, rank = np.delete(f, F + 2), 1
    for _ in range(12):
        H = np.zeros((len(f), len(f)))
        for k in range(len(f)):
            e = np.eye(len(f))[k] * 1e-4 * max(0.1, abs(f[k]))
            g = [gradient(f + m * e, rank) for m in (-2, -1, 1, 2)]
            H[k] = (g[0] - 8 * g[1] + 8 * g[2] - g[3]) / (12 * e[k])
        step = linalg.solve((H + H.T) / 2, gradient(f, rank))
        f = f - step
        if np.abs(step).max() < 1e-12:
            break
    return natural(f, F, rank), rank, np.abs(gradient(f, rank)).max()


def case(data, w, W, model=None):
    X, Z = design(data, model or MODEL)
    rows = [np.flatnonzero(data["id"] == j) for j in np.unique(data["id"])]
    units = [(data["y"][r], X[r], Z[r], w[r]) for r in rows]
    F = X.shape[1]
    par, rank, gradient = maximise(units, W)
    full = None
    if rank == 2:
        H, s = hessian(units, W, par), scores(units, par)
        bread = linalg.inv(-H)
        full = bread @ ((s * W[:, None]).T @ (s * W[:, None])) @ bread
    # gamma alone, HLM's robust form: tau and sigma2 as known
    A, M = np.zeros((F, F)), np.zeros((F, F))
    T = np.array([[par[F], par[F + 1]], [par[F + 1], par[F + 2]]])
    for (y, x, z, wj), Wj in zip(units, W, strict=True):
        Vi = linalg.inv(z @ T @ z.T + par[-1] * np.diag(1 / wj))
        A += Wj * x.T @ Vi @ x
        g = Wj * x.T @ Vi @ (y - x @ par[:F])
        M += np.outer(g, g)
    known = linalg.inv(A) @ M @ linalg.inv(A)
    out = {
        "level1_weights_used": w,
        "level2_weights_used": W,
        "deviance": -2 * total(units, W, par),
        "gamma": par[:F],
        "tau": T,
        "rank_of_tau": rank,
        "sigma2": par[-1],
        "largest_gradient": gradient,
        "model_vcov_gamma": linalg.inv(A),
        "robust_vcov_gamma_tau_known": known,
        "robust_se_gamma_tau_known": np.sqrt(np.diag(known)),
    }
    if rank == 2:
        check = [unit_loglik(*units[1], par), quadrature(*units[1], par)]
        assert abs(check[0] - check[1]) < 1e-8, check
        out |= {
            "sandwich_all": full,
            "sandwich_se_all": np.sqrt(np.diag(full)),
            "sandwich_se_all_stata": np.sqrt(np.diag(full) * len(W) / (len(W) - 1)),
            "second_unit_log_integral": {"closed": check[0], "quadrature": check[1]},
        }
    return out


def replicated(data):
    """Rows k1 times, units k2 times (new ids), k1 and k2 as columns of the data."""
    parts = []
    for j in np.unique(data["id"]):
        r = np.flatnonzero(data["id"] == j)
        r = np.repeat(r, data["k1"][r].astype(int))
        parts += [(j * 10 + c, r) for c in range(int(data["k2"][r[0]]))]
    take = np.concatenate([r for _, r in parts])
    out = {k: v[take] for k, v in data.items()}
    out["id"] = np.concatenate([np.full(len(r), i) for i, r in parts])
    return out


def main():
    data = small.load()
    rows = [np.flatnonzero(data["id"] == j) for j in np.unique(data["id"])]
    W = np.array([data["w2"][r[0]] for r in rows])
    ones, J = np.ones(len(W)), len(W)
    out = {}
    for name in SCALINGS:
        out[f"both_{name}"] = case(data, *scaled(rows, data["w1"], W, name))
    w_size = scaled(rows, data["w1"], W, "size")[0]
    out["both_size_level2_normalised"] = case(data, w_size, W * J / W.sum())
    out["level1_size"] = case(data, w_size, ones)
    out["level2_normalised"] = case(data, np.ones(len(data["y"])), W * J / W.sum())
    out["unweighted"] = case(data, np.ones(len(data["y"])), ones)
    out["singular_size"] = case(data, w_size, W, small.MODEL) | {
        "equations": small.MODEL["equations"],
        "names": list(small.MODEL["fixed"]),
    }
    k2 = np.array([data["k2"][r[0]] for r in rows])
    out["whole_numbers"] = case(data, data["k1"], k2)
    copies = replicated(data)
    X, Z = design(copies, MODEL)
    p = split(copies["id"], copies["y"], X, Z, False)
    f = fit(p)
    out["whole_numbers"]["replicated_rows_and_units"] = {
        "deviance": f["deviance"],
        "gamma": f["gamma"],
        "tau": f["tau"],
        "sigma2": f["noise"][0],
        "n_rows": len(copies["y"]),
        "n_units": len(p.y),
    }
    w = out["whole_numbers"]
    theta = [w["tau"][0, 0], w["tau"][1, 0], w["tau"][1, 1], w["sigma2"]]
    assert abs(w["deviance"] - f["deviance"]) < 1e-8
    assert abs(deviance(p, theta) - f["deviance"]) < 1e-8
    for k, v in out.items():
        print(
            k,
            v["deviance"],
            v["gamma"],
            v["tau"].tolist(),
            v["sigma2"],
            v["largest_gradient"],
            v["rank_of_tau"],
            v.get("sandwich_se_all"),
        )
    save(
        "weights.json",
        "small.py, make_weights.py (dense.py)",
        {
            "what": "ML (pseudo-likelihood) of the small data's model. deviance = -2 sum_j W_j log "
            "integral_j. sandwich_all: order "
            "gamma, tau00, tau10, tau11, sigma2; H^-1 sum_j W_j^2 s_j s_j' H^-1, observed H; _stata: "
            "times J/(J-1). "
            "robust_vcov_gamma_tau_known: (sum W X'V^-1X)^-1 sum (W X'V^-1 r)(..)' (..)^-1. Normalising "
            "the level-2 weights scales the "
            "deviance and changes no estimate and no sandwich.",
            "data": "data/small.csv",
            "equations": MODEL["equations"],
            "names": list(MODEL["fixed"]),
            "columns": {"level1": "w1", "level2": "w2", "whole_numbers": ["k1", "k2"]},
            "scalings": SCALINGS,
            "cases": out,
        },
    )


if __name__ == "__main__":
    main()
