"""hglm.json: binary, binomial and count outcomes by lme4 (nodes, Laplace), glmmTMB and brute force.

python make_hglm.py. Five simulated sets (tau singular, events rare, trials, counts) and, for each, the
maximum of the likelihood whose integrals are trapezoids over a wide fixed grid of the random effects, which
knows nothing of modes or nodes.
"""

import numpy as np
from common import HERE, columns, run_r, save, write_rows
from scipy import optimize, special

FORMULAS = {1: "x + w + (1 | id)", 2: "x + w + (x | id)"}
CASES = {  # family, trials or exposure, gamma, root of tau, units, seed
    "binary": ("binomial", False, [-0.5, 0.5, 0.4], [[0.9, 0.0], [0.3, 0.5]], 60, 11),
    "rare": ("binomial", False, [-3.2, 0.5, 0.4], [[0.8, 0.0], [0.2, 0.4]], 120, 12),
    "singular": ("binomial", False, [-0.3, 0.4, 0.5], [[0.8, 0.0], [-0.3, 0.0]], 60, 31),
    "trials": ("binomial", True, [-0.2, 0.4, 0.5], [[0.7, 0.0], [0.2, 0.4]], 40, 14),
    "counts": ("poisson", True, [0.1, 0.3, 0.4], [[0.6, 0.0], [0.2, 0.3]], 40, 15),
}


def simulated(family, sized, gamma, root, J, seed):
    rng = np.random.default_rng(seed)
    unit = np.repeat(np.arange(J), rng.integers(4, 10, J))
    x, w = rng.integers(-2, 3, len(unit)) / 2.0, np.round(rng.normal(size=J), 3)
    u = rng.normal(size=(J, 2)) @ np.array(root).T
    eta = gamma[0] + gamma[1] * x + gamma[2] * w[unit] + u[unit, 0] + u[unit, 1] * x
    n = rng.integers(2, 7, len(unit)) if sized else np.ones(len(unit), dtype=int)
    y = rng.binomial(n, special.expit(eta)) if family == "binomial" else rng.poisson(n * np.exp(eta))
    return {"id": unit + 1, "x": x, "w": w[unit], "n": n, "y": y}


def negative_loglik(theta, data, family, q, step, reach):
    """Brute force, and its gradient: trapezoids over a grid of standard normal t, u = root t."""
    unit = data["id"].astype(int) - 1
    axis = np.arange(-reach, reach + step / 2, step)
    t = np.stack(np.meshgrid(*[axis] * q, indexing="ij"), -1).reshape(-1, q)
    log_weight = -0.5 * np.sum(t**2, axis=1) - 0.5 * q * np.log(2 * np.pi) + q * np.log(step)
    root = np.zeros((q, q))
    lower = np.tril_indices(q)
    root[lower] = theta[3:]
    z = np.stack([np.ones_like(data["x"]), data["x"]], 1)[:, :q]
    X = np.stack([np.ones_like(data["x"]), data["x"], data["w"]], 1)
    eta = (X @ theta[:3])[:, None] + z @ (root @ t.T)
    y, n = data["y"][:, None], data["n"][:, None]
    if family == "binomial":
        value, slope = y * eta - n * np.logaddexp(0, eta), y - n * special.expit(eta)
        const = special.gammaln(n + 1) - special.gammaln(y + 1) - special.gammaln(n - y + 1)
    else:
        value, slope = y * (eta + np.log(n)) - n * np.exp(eta), y - n * np.exp(eta)
        const = -special.gammaln(y + 1)
    J = unit.max() + 1
    by_unit = np.zeros((J, len(t)))
    np.add.at(by_unit, unit, value)
    by_unit += log_weight
    top = special.logsumexp(by_unit, axis=1)
    weight = np.exp(by_unit - top[:, None])[unit]
    ws = weight * slope
    gradient = np.r_[X.T @ ws.sum(1), [np.sum(z[:, a] * (ws @ t[:, b])) for a, b in zip(*lower, strict=True)]]
    return -(top.sum() + const.sum()), -gradient


def brute_force(data, family, q):
    args = (data, family, q)
    theta = np.r_[0.0, 0.0, 0.0, 0.7 * np.eye(q)[np.tril_indices(q)]]
    theta = optimize.minimize(
        negative_loglik, theta, args=(*args, 0.5, 7.0), jac=True, method="BFGS", options={"gtol": 1e-6}
    ).x
    fine = (*args, 0.1, 9.0)
    sharp = {"gtol": 1e-9}
    theta = optimize.minimize(negative_loglik, theta, args=fine, jac=True, method="BFGS", options=sharp).x
    h = 1e-4
    hessian = np.array(
        [
            (negative_loglik(theta + e, *fine)[1] - negative_loglik(theta - e, *fine)[1]) / (2 * h)
            for e in h * np.eye(len(theta))
        ]
    )
    root = np.zeros((q, q))
    root[np.tril_indices(q)] = theta[3:]
    return {
        "gamma": theta[:3],
        "tau": root @ root.T,
        "deviance": 2 * negative_loglik(theta, *fine)[0],
        "gradient": np.abs(negative_loglik(theta, *fine)[1]).max(),
        "se": np.sqrt(np.diag(np.linalg.pinv(hessian, rcond=1e-9)))[:3],
    }


if __name__ == "__main__":
    content = {}
    for name, (family, sized, *rest) in CASES.items():
        path = HERE / "data" / f"hglm_{name}.csv"
        write_rows(path, **simulated(family, sized, *rest))
        data = columns(path)
        for q in (1, 2):
            key = f"{name}_{q}"
            content[key] = {"family": family, "sized": sized, "brute_force": brute_force(data, family, q)}
            request = {"family": family, "formula": FORMULAS[q], "q": q}
            content[key] |= run_r("hglm.R", request, **data)
            print(key, content[key]["brute_force"], content[key]["laplace"]["deviance"])
    save("hglm.json", "make_hglm.py", content, ["lme4", "glmmTMB", "performance"])
