"""category_predictions.json: probabilities of categories at x = 0 and 1, w at its mean, and their errors.

python make_category_predictions.py. `averaged`: over the random intercepts, at the likelihood's optimum by
trapezoids over a fixed grid (make_ordinal.py, make_multinomial.py); errors by the delta method from second
differences of that likelihood. `clmm` is the same of ordinal::clmm with 25 nodes and R's integrate.
`emmeans`: without random effects, of ordinal::clm and nnet::multinom, and differences (x = 0 minus x = 1).
"""

import json

import make_multinomial
import make_ordinal
import numpy as np
from common import HERE, columns, run_r, save
from scipy import integrate, optimize, special, stats

AT = (0.0, 1.0)


def hessian(f, at, h=2e-3):
    """Second derivatives by fourth-order differences along lines."""
    n = len(at)

    def along(d):
        values = [f(at + k * h * d) for k in (-2, -1, 0, 1, 2)]
        return float(np.dot([-1, 16, -30, 16, -1], values)) / (12 * h * h)

    one = np.eye(n)
    own = [along(one[i]) for i in range(n)]
    found = np.diag(own)
    for i in range(n):
        for j in range(i):
            found[i, j] = found[j, i] = (along(one[i] + one[j]) - own[i] - own[j]) / 2
    return found


def with_errors(probabilities, deviance, theta):
    """Probabilities (2, K) at the optimum of the deviance and their standard errors."""
    theta = optimize.minimize(
        deviance, theta, method="Nelder-Mead",
        options={"xatol": 1e-9, "fatol": 1e-11, "maxiter": 6000, "maxfev": 6000},
    ).x  # fmt: skip
    covariance = np.linalg.inv(hessian(deviance, theta) / 2)
    h, found, steps = 1e-4, probabilities(theta), 1e-4 * np.eye(len(theta))
    slopes = [(probabilities(theta + s) - probabilities(theta - s)) / (2 * h) for s in steps]
    variance = np.einsum("pnk,pq,qnk->nk", slopes, covariance, slopes)
    return {"probability": found, "se": np.sqrt(variance)}


def ordinal(data):
    start = json.loads((HERE / "ordinal.json").read_text())["four_1"]["brute_force"]

    def probabilities(theta):
        cuts = np.r_[0.0, theta[3:5]]

        def below(eta):
            def inside(u):
                return special.expit(eta + theta[5] * u) * stats.norm.pdf(u)

            return integrate.quad(inside, -10, 10, epsabs=1e-13, epsrel=1e-13)[0]

        rows = [theta[0] + theta[1] * x + theta[2] * data["w"].mean() + cuts for x in AT]
        return np.diff([[below(eta) for eta in row] for row in rows], axis=1, prepend=0.0, append=1.0)

    theta = np.r_[start["gamma"], start["cuts"], np.sqrt(start["tau"][0][0])]
    return with_errors(probabilities, lambda t: make_ordinal.deviance(t, data, 1, 0.2, 8.0), theta)


def multinomial(data):
    start = json.loads((HERE / "multinomial.json").read_text())["brute_force"]
    axis = np.arange(-8.0, 8.01, 0.1)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
    weight = np.exp(-0.5 * np.sum(grid**2, axis=1))

    def probabilities(theta):
        root = np.array([[theta[6], 0.0], [theta[7], theta[8]]])
        found = []
        for x in AT:
            eta = theta[:6].reshape(2, 3) @ [1.0, data["w"].mean(), x] + grid @ root.T
            found.append(weight @ special.softmax(np.column_stack([eta, np.zeros(len(grid))]), axis=1))
        return np.array(found) / weight.sum()

    root = np.linalg.cholesky(start["tau"])
    theta = np.r_[np.ravel(start["gamma"]), root[0, 0], root[1]]
    return with_errors(probabilities, lambda t: make_multinomial.deviance(t, data, 0.25, 7.0), theta)


if __name__ == "__main__":
    content = {}
    for law, file, of in (("ordinal", "ordinal_four", ordinal), ("multinomial", "multinomial", multinomial)):
        data = columns(HERE / "data" / f"{file}.csv")
        found = run_r("category_predictions.R", {"law": law}, **data)
        averaged = {"averaged": of(data)} | ({"clmm": found.pop("averaged")} if law == "ordinal" else {})
        content[law] = averaged | found
        print(content[law])
    packages = ["ordinal", "nnet", "emmeans", "numDeriv"]
    save("category_predictions.json", "make_category_predictions.py", content, packages)
