"""pql.json: penalised quasi-likelihood by MASS::glmmPQL, and by dense matrices with one row a row.

python make_pql.py. glmmPQL estimates the scale of the level-1 variance by ML and stops early: its iterations
are carried on until nothing changes. The dense ones have the scale at 1 or estimated, ML or REML, by a
general optimiser of the working outcome's likelihood; and the population-average model, generalized least
squares about the fixed part with the variances held. Standard errors: (X'V^-1X)^-1, the sandwich over units.
"""

import numpy as np
from common import HERE, columns, run_r, save, write_rows
from scipy import optimize, special, stats

CASES = {  # family, link, trials or exposure, random effects, gamma, root of tau, units, seed
    "binary": ("binomial", "logit", False, 1, [-0.5, 0.5, 0.4], [[1.0, 0.0], [0.0, 0.0]], 40, 41),
    "slopes": ("binomial", "logit", True, 2, [-0.2, 0.4, 0.5], [[0.8, 0.0], [0.3, 0.5]], 40, 42),
    "probit": ("binomial", "probit", True, 1, [0.2, -0.3, 0.4], [[0.6, 0.0], [0.0, 0.0]], 30, 43),
    "cloglog": ("binomial", "cloglog", False, 1, [-0.6, 0.4, 0.3], [[0.8, 0.0], [0.0, 0.0]], 40, 44),
    "counts": ("poisson", "log", True, 2, [0.1, 0.3, 0.4], [[0.6, 0.0], [0.2, 0.3]], 40, 45),
}
INVERSE = {
    "logit": special.expit, "probit": special.ndtr, "cloglog": lambda e: -np.expm1(-np.exp(e)), "log": np.exp,
}  # fmt: skip
SLOPE = {
    "logit": lambda e: special.expit(e) * special.expit(-e), "probit": stats.norm.pdf,
    "cloglog": lambda e: np.exp(e - np.exp(e)), "log": np.exp,
}  # fmt: skip


def simulated(family, link, sized, q, gamma, root, J, seed):
    rng = np.random.default_rng(seed)
    unit = np.repeat(np.arange(J), rng.integers(4, 10, J))
    x, w = np.round(rng.normal(size=len(unit)), 2), np.round(rng.normal(size=J), 2)
    u = rng.normal(size=(J, 2)) @ np.array(root).T
    eta = gamma[0] + gamma[1] * x + gamma[2] * w[unit] + u[unit, 0] + u[unit, 1] * x
    n = rng.integers(2, 9, len(unit)) if sized else np.ones(len(unit), dtype=int)
    mean = INVERSE[link](eta)
    y = rng.binomial(n, mean) if family == "binomial" else rng.poisson(n * mean)
    return {"id": unit + 1, "x": x, "w": w[unit], "n": n, "y": y}


class Dense:
    def __init__(self, data, family, link, q):
        self.family, self.link, self.q = family, link, q
        self.unit = data["id"].astype(int) - 1
        self.X = np.stack([np.ones_like(data["x"]), data["x"], data["w"]], 1)
        self.Z = self.X[:, :q]
        self.y, self.n = data["y"], data["n"]
        self.off = np.log(self.n) if family == "poisson" else np.zeros(len(self.y))
        self.same = self.unit[:, None] == self.unit

    def working(self, eta):
        at = eta + self.off
        mean, slope = INVERSE[self.link](at), SLOPE[self.link](at)
        if self.family == "poisson":
            return eta + (self.y - mean) / slope, slope**2 / mean
        return eta + (self.y / self.n - mean) / slope, self.n * slope**2 / (mean * (1 - mean))

    def marginal(self, weight, tau, sigma2):
        return np.diag(sigma2 / weight) + self.same * (self.Z @ tau @ self.Z.T)

    def gls(self, z, V):
        inverse = np.linalg.inv(V)
        A = self.X.T @ inverse @ self.X
        gamma = np.linalg.solve(A, self.X.T @ inverse @ z)
        residual = z - self.X @ gamma
        scores = np.array(
            [
                (self.X * (inverse @ residual)[:, None])[self.unit == j].sum(0)
                for j in range(self.unit.max() + 1)
            ]
        )
        bread = np.linalg.inv(A)
        return gamma, bread, bread @ scores.T @ scores @ bread, residual, inverse

    def unpack(self, theta, free):
        root = np.zeros((self.q, self.q))
        k = self.q * (self.q + 1) // 2
        root[np.tril_indices(self.q)] = theta[:k]
        return root @ root.T, np.exp(theta[k]) if free else 1.0

    def deviance(self, theta, z, weight, free, reml):
        V = self.marginal(weight, *self.unpack(theta, free))
        _, bread, _, residual, inverse = self.gls(z, V)
        value = np.linalg.slogdet(V)[1] + residual @ inverse @ residual
        return value - reml * np.linalg.slogdet(bread)[1]

    def fit(self, free, reml):
        theta = np.r_[0.6 * np.eye(self.q)[np.tril_indices(self.q)], [0.0] * free]
        near = (self.y + 0.5) / (self.n + 1.0) if self.family == "binomial" else (self.y + 0.1) / self.n
        eta = optimize.elementwise.find_root(
            lambda e, to: INVERSE[self.link](e) - to, (-30.0, 30.0), args=(near,)
        ).x
        for _ in range(200):
            z, weight = self.working(eta)
            found = optimize.minimize(
                self.deviance, theta, args=(z, weight, free, reml), method="BFGS", options={"gtol": 1e-8}
            )
            theta = found.x
            tau, sigma2 = self.unpack(theta, free)
            V = self.marginal(weight, tau, sigma2)
            gamma, bread, robust, residual, inverse = self.gls(z, V)
            u = (
                tau
                @ np.array(
                    [
                        self.Z[self.unit == j].T @ (inverse @ residual)[self.unit == j]
                        for j in range(self.unit.max() + 1)
                    ]
                ).T
            )
            new = self.X @ gamma + np.einsum("nq,qn->n", self.Z, u[:, self.unit])
            change, eta = np.abs(new - eta).max(), new
            if change < 1e-7:
                break
        return {
            "gamma": gamma, "tau": tau, "sigma2": sigma2, "se": np.sqrt(np.diag(bread)),
            "se_robust": np.sqrt(np.diag(robust)), "change": change,
            "average": self.average(gamma, tau, sigma2),
        }  # fmt: skip

    def average(self, gamma, tau, sigma2):
        for _ in range(200):
            z, weight = self.working(self.X @ gamma)
            new, bread, robust, *_ = self.gls(z, self.marginal(weight, tau, sigma2))
            change, gamma = np.abs(new - gamma).max(), new
            if change < 1e-10:
                break
        return {"gamma": gamma, "se": np.sqrt(np.diag(bread)), "se_robust": np.sqrt(np.diag(robust))}


if __name__ == "__main__":
    content = {}
    for name, (family, link, sized, q, *rest) in CASES.items():
        path = HERE / "data" / f"pql_{name}.csv"
        write_rows(path, **simulated(family, link, sized, q, *rest))
        data = columns(path)
        content[name] = {"family": family, "link": link, "sized": sized, "q": q}
        dense = Dense(data, family, link, q)
        for free in (False, True):
            for reml in (False, True):
                key = f"{'free' if free else 'one'}_{'REML' if reml else 'ML'}"
                content[name][key] = dense.fit(free, reml)
        content[name] |= run_r("pql.R", {"family": family, "link": link, "q": q}, **data)
        print(name, content[name]["glmmPQL"], content[name]["carried_on"], content[name]["change"])
        print(
            content[name]["free_ML"]["gamma"],
            content[name]["free_ML"]["sigma2"],
            content[name]["free_ML"]["change"],
        )
    save("pql.json", "make_pql.py", content, ["MASS", "nlme"])
