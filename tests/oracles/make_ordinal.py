"""ordinal.json: cumulative logit models by ordinal::clmm (Laplace, 25 nodes), and by brute force.

python make_ordinal.py. Two simulated sets; the likelihood's integrals are trapezoids over a wide fixed grid
of the random effects. gamma and cuts are of P(y <= m) = 1 / (1 + exp(-(delta_m + eta))), delta_1 = 0.
`pql_ML`, `pql_REML`: penalised quasi-likelihood of the cumulative indicators by dense matrices with M = K - 1
rows a row (Raudenbush & Bryk 2002, p. 317-325), and the population-average model.
"""

import numpy as np
from common import HERE, columns, run_r, save, write_rows
from scipy import optimize, special

CASES = {  # cuts after the first, gamma, root of tau, units, seed
    "four": ([1.0, 2.2], [-0.5, 0.6, -0.4], [[0.9, 0.0], [0.3, 0.4]], 40, 51),
    "rare": ([0.4], [-2.2, 0.3, 0.5], [[0.7, 0.0], [-0.2, 0.3]], 50, 52),
}


def simulated(cuts, gamma, root, J, seed):
    rng = np.random.default_rng(seed)
    unit = np.repeat(np.arange(J), rng.integers(5, 12, J))
    x, w = np.round(rng.normal(size=len(unit)), 1), np.round(rng.normal(size=J), 2)
    u = rng.normal(size=(J, 2)) @ np.array(root).T
    eta = gamma[0] + gamma[1] * x + gamma[2] * w[unit] + u[unit, 0] + u[unit, 1] * x
    above = rng.logistic(size=len(unit))[:, None] > np.r_[0.0, cuts] + eta[:, None]
    return {"id": unit + 1, "x": x, "w": w[unit], "y": 1 + above.sum(axis=1)}


def deviance(theta, data, q, step, reach):
    K = int(data["y"].max())
    unit, y = data["id"].astype(int) - 1, data["y"].astype(int) - 1
    axis = np.arange(-reach, reach + step / 2, step)
    t = np.stack(np.meshgrid(*[axis] * q, indexing="ij"), -1).reshape(-1, q)
    log_weight = -0.5 * np.sum(t**2, axis=1) - 0.5 * q * np.log(2 * np.pi) + q * np.log(step)
    root = np.zeros((q, q))
    root[np.tril_indices(q)] = theta[3 + K - 2 :]
    z = np.stack([np.ones_like(data["x"]), data["x"]], 1)[:, :q]
    eta = theta[0] + theta[1] * data["x"] + theta[2] * data["w"]
    eta = eta[:, None] + z @ (root @ t.T)
    cut = np.r_[-np.inf, 0.0, theta[3 : 3 + K - 2], np.inf]
    if np.any(np.diff(cut) <= 0):
        return 1e10
    chance = special.expit(cut[y + 1][:, None] + eta) - special.expit(cut[y][:, None] + eta)
    by_unit = np.zeros((unit.max() + 1, len(t)))
    np.add.at(by_unit, unit, np.log(np.maximum(chance, 1e-300)))
    return -2 * special.logsumexp(by_unit + log_weight, axis=1).sum()


def brute_force(data, q):
    K = int(data["y"].max())
    theta = np.r_[0.0, 0.0, 0.0, 0.7 * np.arange(1, K - 1), 0.6 * np.eye(q)[np.tril_indices(q)]]
    for step, reach in ((0.5, 6.0), (0.2, 8.0)):
        for _ in range(2):
            theta = optimize.minimize(deviance, theta, args=(data, q, step, reach), method="BFGS").x
        theta = optimize.minimize(
            deviance, theta, args=(data, q, step, reach), method="Nelder-Mead",
            options={"xatol": 1e-7, "fatol": 1e-9, "maxiter": 4000, "maxfev": 4000},
        ).x  # fmt: skip
    root = np.zeros((q, q))
    root[np.tril_indices(q)] = theta[3 + K - 2 :]
    return {
        "gamma": theta[:3], "cuts": theta[3 : 3 + K - 2], "tau": root @ root.T,
        "deviance": deviance(theta, data, q, 0.2, 8.0),
    }  # fmt: skip


class Dense:
    """The working model of the stacked cumulative indicators, one random intercept."""

    def __init__(self, data):
        y, K = data["y"].astype(int), int(data["y"].max())
        self.M = M = K - 1
        self.unit = np.repeat(data["id"].astype(int) - 1, M)
        cut = np.tile(np.arange(M), len(y))
        at_cut = (cut[:, None] == np.arange(1, M)).astype(float)
        x, w = (np.repeat(data[name], M) for name in ("x", "w"))
        self.X = np.column_stack([np.ones(len(cut)), x, w, at_cut])
        self.below = (np.repeat(y, M) <= cut + 1).astype(float)
        self.same = (self.unit[:, None] == self.unit).astype(float)

    def working(self, eta):
        p, M = special.expit(eta), self.M
        slope = p * (1 - p)
        covariance = np.zeros((len(p), len(p)))
        for i in range(0, len(p), M):
            for a in range(M):
                for b in range(a, M):
                    value = p[i + a] * (1 - p[i + b]) / (slope[i + a] * slope[i + b])
                    covariance[i + a, i + b] = covariance[i + b, i + a] = value
        return eta + (self.below - p) / slope, covariance

    def gls(self, z, V):
        inverse = np.linalg.inv(V)
        bread = np.linalg.inv(self.X.T @ inverse @ self.X)
        gamma = bread @ self.X.T @ inverse @ z
        r = inverse @ (z - self.X @ gamma)
        scores = np.array([(self.X * r[:, None])[self.unit == j].sum(0) for j in range(self.unit.max() + 1)])
        robust = bread @ scores.T @ scores @ bread
        return gamma, bread, r, {"se": np.sqrt(np.diag(bread)), "se_robust": np.sqrt(np.diag(robust))}

    def fit(self, reml):
        share = np.array([self.below[m :: self.M].mean() for m in range(self.M)])
        eta, root = np.tile(special.logit(share), len(self.below) // self.M), 0.5
        for _ in range(60):
            z, covariance = self.working(eta)

            def minus2(root, z=z, covariance=covariance):
                V = covariance + root**2 * self.same
                gamma, bread, r, _ = self.gls(z, V)
                value = np.linalg.slogdet(V)[1] + (z - self.X @ gamma) @ r
                return value - reml * np.linalg.slogdet(bread)[1]

            root = optimize.minimize_scalar(
                minus2, bounds=(0, 3), method="bounded", options={"xatol": 1e-9}
            ).x
            gamma, _, r, errors = self.gls(z, covariance + root**2 * self.same)
            new = self.X @ gamma + root**2 * (self.same @ r)
            change, eta = np.abs(new - eta).max(), new
            if change < 1e-7:
                break
        average = gamma
        for _ in range(60):
            z, covariance = self.working(self.X @ average)
            average, _, _, of_average = self.gls(z, covariance + root**2 * self.same)
        found = {"gamma": gamma, "tau": root**2, "change": change, **errors}
        return found | {"average": {"gamma": average, **of_average}}


if __name__ == "__main__":
    content = {}
    for name, case in CASES.items():
        path = HERE / "data" / f"ordinal_{name}.csv"
        write_rows(path, **simulated(*case))
        data = columns(path)
        for q in (1, 2):
            content[f"{name}_{q}"] = {"brute_force": brute_force(data, q)} | run_r(
                "ordinal.R", {"q": q}, **data
            )
            print(name, q, content[f"{name}_{q}"])
        for method in ("ML", "REML"):
            content[f"{name}_1"][f"pql_{method}"] = Dense(data).fit(method == "REML")
            print(content[f"{name}_1"][f"pql_{method}"])
    save("ordinal.json", "make_ordinal.py", content, ["ordinal"])
