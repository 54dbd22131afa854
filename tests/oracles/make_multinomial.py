"""multinomial.json: logits of each category against the last, by brute force; by nnet::multinom without u.

Also penalised quasi-likelihood of them, by the matrices of the stacked indicators, unit by unit.

python make_multinomial.py. A simulated set of three categories, one random intercept for each logit: the
likelihood's integrals are trapezoids over a wide fixed grid of the two. gamma (2, 3) is of 1, w, x.
"""

import numpy as np
from common import HERE, columns, run_r, save, write_rows
from scipy import optimize, special

GAMMA = np.array([[0.4, 0.4, 0.5], [-0.2, 0.0, -0.4]])
ROOT = np.array([[0.9, 0.0], [0.3, 0.7]])


def simulated():
    rng = np.random.default_rng(61)
    unit = np.repeat(np.arange(40), rng.integers(5, 14, 40))
    x, w = np.round(rng.normal(size=len(unit)), 1), np.round(rng.normal(size=40), 2)
    u = rng.normal(size=(40, 2)) @ ROOT.T
    eta = np.column_stack([np.ones_like(x), w[unit], x]) @ GAMMA.T + u[unit]
    p = special.softmax(np.column_stack([eta, np.zeros(len(x))]), axis=1)
    y = 1 + (rng.random(len(x))[:, None] > p.cumsum(axis=1)).sum(axis=1)
    return {"id": unit + 1, "w": w[unit], "x": x, "y": y}


def deviance(theta, data, step, reach):
    unit, y = data["id"].astype(int) - 1, data["y"].astype(int) - 1
    axis = np.arange(-reach, reach + step / 2, step)
    t = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
    log_weight = -0.5 * np.sum(t**2, axis=1) - np.log(2 * np.pi) + 2 * np.log(step)
    root = np.array([[theta[6], 0.0], [theta[7], theta[8]]])
    fixed = np.column_stack([np.ones_like(data["x"]), data["w"], data["x"]]) @ theta[:6].reshape(2, 3).T
    eta = np.concatenate([fixed[:, :, None] + (root @ t.T), np.zeros((len(y), 1, len(t)))], axis=1)
    log = special.log_softmax(eta, axis=1)[np.arange(len(y)), y]
    by_unit = np.zeros((unit.max() + 1, len(t)))
    np.add.at(by_unit, unit, log)
    return -2 * special.logsumexp(by_unit + log_weight, axis=1).sum()


def brute_force(data):
    theta = np.r_[np.zeros(6), 0.6, 0.0, 0.6]
    for step, reach in ((0.5, 6.0), (0.25, 7.0)):
        theta = optimize.minimize(
            deviance, theta, args=(data, step, reach), method="BFGS", options={"gtol": 1e-7}
        ).x
    root = np.array([[theta[6], 0.0], [theta[7], theta[8]]])
    value = deviance(theta, data, 0.2, 8.0)
    return {"gamma": theta[:6].reshape(2, 3), "tau": root @ root.T, "deviance": value}


class Dense:
    """The working model of the stacked indicators of the first two categories, a random intercept each."""

    def __init__(self, data):
        y, unit = data["y"].astype(int), data["id"].astype(int) - 1
        row = np.column_stack([np.ones(len(y)), data["w"], data["x"]])
        self.X = [np.kron(row[unit == j], np.eye(2)) for j in range(unit.max() + 1)]  # 1, 1, w, w, x, x
        self.Z = [np.kron(np.ones(((unit == j).sum(), 1)), np.eye(2)) for j in range(unit.max() + 1)]
        self.y = [(y[unit == j, None] == [1, 2]).astype(float).ravel() for j in range(unit.max() + 1)]

    def working(self, eta):
        p = special.softmax(np.column_stack([eta.reshape(-1, 2), np.zeros(len(eta) // 2)]), axis=1)[:, :2]
        covariance = np.zeros((len(eta), len(eta)))  # of the indicators, which is d p / d eta too
        for i, own in enumerate(p):
            covariance[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] = np.diag(own) - np.outer(own, own)
        return p.ravel(), np.linalg.inv(covariance)

    def gls(self, z, R, tau):
        V = [r + Z @ tau @ Z.T for r, Z in zip(R, self.Z, strict=True)]
        half = [X.T @ np.linalg.inv(v) for X, v in zip(self.X, V, strict=True)]
        bread = np.linalg.inv(sum(h @ X for h, X in zip(half, self.X, strict=True)))
        gamma = bread @ sum(h @ each for h, each in zip(half, z, strict=True))
        left = [each - X @ gamma for each, X in zip(z, self.X, strict=True)]
        scores = np.array([h @ e for h, e in zip(half, left, strict=True)])
        robust = bread @ scores.T @ scores @ bread
        errors = {"se": np.sqrt(np.diag(bread)), "se_robust": np.sqrt(np.diag(robust))}
        minus2 = sum(
            np.linalg.slogdet(v)[1] + e @ np.linalg.solve(v, e) + len(e) * np.log(2 * np.pi)
            for v, e in zip(V, left, strict=True)
        )
        u = [tau @ Z.T @ np.linalg.solve(v, e) for Z, v, e in zip(self.Z, V, left, strict=True)]
        return gamma, bread, minus2, u, errors

    def fit(self, reml):
        eta, root = [0 * y for y in self.y], np.array([0.6, 0.0, 0.6])

        def tau_of(root):
            chol = np.array([[root[0], 0.0], [root[1], root[2]]])
            return chol @ chol.T

        for _macro in range(60):
            z, R = self.linear(eta)

            def criterion(root, z=z, R=R):
                _, bread, minus2, _, _ = self.gls(z, R, tau_of(root))
                return minus2 - reml * np.linalg.slogdet(2 * np.pi * bread)[1]

            found = optimize.minimize(criterion, root, method="BFGS", jac="3-point", options={"gtol": 1e-8})
            root = found.x
            gamma, _, _, u, errors = self.gls(z, R, tau_of(root))
            new = [X @ gamma + Z @ each for X, Z, each in zip(self.X, self.Z, u, strict=True)]
            change = max(np.abs(a - b).max() for a, b in zip(new, eta, strict=True))
            eta = new
            if change < 1e-8:
                break
        average = gamma
        for _ in range(60):
            average, _, _, _, of_average = self.gls(*self.linear([X @ average for X in self.X]), tau_of(root))
        return {
            "gamma": gamma, "tau": tau_of(root), "change": change, "loglik": -0.5 * found.fun, **errors,
            "average": {"gamma": average, **of_average},
        }  # fmt: skip

    def linear(self, eta):
        pairs = [self.working(each) for each in eta]
        z = [each + r @ (y - p) for each, y, (p, r) in zip(eta, self.y, pairs, strict=True)]
        return z, [r for _, r in pairs]


if __name__ == "__main__":
    path = HERE / "data" / "multinomial.csv"
    write_rows(path, **simulated())
    data = columns(path)
    content = {f"pql_{method}": Dense(data).fit(method == "REML") for method in ("ML", "REML")}
    content |= {"brute_force": brute_force(data), "multinom": run_r("multinomial.R", {}, **data)}
    print(content)
    save("multinomial.json", "make_multinomial.py", content, packages=("nnet",))
