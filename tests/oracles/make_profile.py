"""profile.json: 95 % profile-likelihood intervals of tau and sigma2, REML and ML, dense; lme4's confint "
"(ML) beside.

python make_profile.py [FOLDER]. The interval of a parameter: where the deviance, minimised over all the
others
(tau positive semidefinite), is its minimum plus 3.841458820694124 (chi-square, 1 d.f.).
"""

import numpy as np
import small
from common import design, folder_argument, hsb, run_r, save
from dense import derivatives, deviance, fit, split
from make_lme4 import lower_root
from scipy import optimize

from models import MODELS

CUT = 3.841458820694124  # qchisq(0.95, 1)
NAMES = {1: ["tau00", "sigma2"], 2: ["tau00", "tau10", "tau11", "sigma2"]}


def chart(q, k, c):
    """Free numbers -> theta with theta[k] = c; tau = L L' in an order that keeps the fixed element exact."""
    if q == 1:
        return (lambda f: np.array([c, np.exp(f[0])])) if k == 0 else (lambda f: np.array([f[0] ** 2, c]))
    if k == 0:
        return lambda f: np.array([c, np.sqrt(c) * f[0], f[0] ** 2 + f[1] ** 2, np.exp(f[2])])
    if k == 2:
        return lambda f: np.array([f[0] ** 2 + f[1] ** 2, np.sqrt(c) * f[0], c, np.exp(f[2])])
    if k == 1:
        return lambda f: np.array([np.exp(f[0]), c, c**2 / np.exp(f[0]) + f[1] ** 2, np.exp(f[2])])
    return lambda f: np.array([f[0] ** 2, f[0] * f[1], f[1] ** 2 + f[2] ** 2, c])


def start_free(q, k, theta):
    """Free numbers of chart(q, k, theta[k]) at theta."""
    s = np.log(theta[-1])
    if q == 1:
        return np.array([s] if k == 0 else [np.sqrt(theta[0])])
    t00, t10, t11 = theta[:3]
    rest = lambda v: np.sqrt(max(v, 1e-4))  # noqa: E731
    return {
        0: lambda: np.array([t10 / np.sqrt(t00), rest(t11 - t10**2 / t00), s]),
        2: lambda: np.array([t10 / np.sqrt(t11), rest(t00 - t10**2 / t11), s]),
        1: lambda: np.array([np.log(t00), rest(t11 - t10**2 / t00), s]),
        3: lambda: np.array([np.sqrt(t00), t10 / np.sqrt(t00), rest(t11 - t10**2 / t00)]),
    }[k]()


def profiled(p, k, c, free):
    """Smallest deviance with theta[k] = c, and where."""
    make = chart(p.q, k, c)

    def slope(f):
        J = np.zeros((len(make(f)), len(f)))
        for i in range(len(f)):
            h = 1e-5 * max(1, abs(f[i]))
            e = np.eye(len(f))[i] * h
            J[:, i] = (make(f + e) - make(f - e)) / (2 * h)
        return J.T @ derivatives(p, make(f))[0]

    found = optimize.minimize(
        lambda f: deviance(p, make(f)), free, jac=slope, method="BFGS", options={"gtol": 1e-5}
    )
    return found.fun, found.x


def limit(p, best, k, side):
    """One end of the interval; None where the deviance never rises by CUT (a variance's lower end: 0)."""
    theta = best["theta"]
    q = p.q
    variance = k in {0, len(theta) - 1} or (q == 2 and k == 2)
    se = np.sqrt(np.linalg.inv(best["expected"])[k, k])
    free = [start_free(q, k, theta)]

    def excess(c):
        dev, x = profiled(p, k, c, free[0])
        free[0] = x
        return dev - best["deviance"] - CUT

    near, far = theta[k], theta[k] + side * 1.5 * se
    for _ in range(25):
        if variance and far <= 0:
            far = 1e-9 * theta[-1]
            if excess(far) < 0:
                return 0.0
            break
        if excess(far) > 0:
            break
        near, far = far, far + side * 0.7 * se
    else:
        return None
    return optimize.brentq(excess, min(near, far), max(near, far), xtol=1e-9, rtol=1e-11)


def main():
    data, little = hsb(folder_argument()), small.load()
    cases = {
        k: (MODELS[k], data, "mathach")
        for k in ("model1_unconditional", "model2_means_as_outcomes", "model3_random_coefficients")
    }
    cases["small"] = (small.MODEL, little, "y")
    cases["small_intercept_only"] = (
        {
            "equations": ["y = b0 + b1*x + r", "b0 = g00 + u0", "b1 = g10"],
            "fixed": {"g00": "1", "g10": "x"},
            "random": ["1"],
        },
        little,
        "y",
    )
    out = {}
    for name, (model, d, y) in cases.items():
        X, Z = design(d, model)
        out[name] = {"equations": model["equations"]}
        for method in ("REML", "ML"):
            p = split(d["id"], d[y], X, Z, method == "REML")
            best = fit(p)
            theta = best["theta"]
            out[name][method] = {
                "deviance": best["deviance"],
                "intervals": {
                    label: {
                        "estimate": theta[k],
                        "lower": limit(p, best, k, -1),
                        "upper": limit(p, best, k, 1),
                    }
                    for k, label in enumerate(NAMES[p.q])
                },
            }
            print(name, method, out[name][method], flush=True)
        ask = {"theta_ml": lower_root(best["tau"], best["noise"][0])}
        out[name]["lme4_confint_ML"] = run_r("profile.R", ask, id=d["id"], y=d[y], x=X, z=Z)
        print(out[name]["lme4_confint_ML"], flush=True)
    save(
        "profile.json",
        "make_profile.py (dense.py, profile.R)",
        {
            "what": "95 % profile intervals of tau and sigma2 (variances; lower 0.0: the boundary is "
            "inside the interval). "
            "lme4_confint_ML: lme4's, for standard deviations, correlation, sigma and gamma; splines, 4 "
            "to 5 digits.",
            "cut": CUT,
            "cases": out,
        },
        ("lme4",),
    )


if __name__ == "__main__":
    main()
