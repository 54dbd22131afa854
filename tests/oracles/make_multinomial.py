"""multinomial.json: logits of each category against the last, by brute force; by nnet::multinom without u.

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


if __name__ == "__main__":
    path = HERE / "data" / "multinomial.csv"
    write_rows(path, **simulated())
    data = columns(path)
    content = {"brute_force": brute_force(data), "multinom": run_r("multinomial.R", {}, **data)}
    print(content)
    save("multinomial.json", "make_multinomial.py", content, packages=("nnet",))
