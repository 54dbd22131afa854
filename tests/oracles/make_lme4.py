"""lme4.json: REML and ML optima of the HSB models, by lme4 and by the dense likelihood.

python make_lme4.py [FOLDER]
"""

import numpy as np
from common import DERIVED, design, folder_argument, hsb, run_r, save
from dense import fit, split

from models import MODELS


def lower_root(tau, sigma2):
    """lme4's theta: lower triangle by columns of the root of T / sigma2 (singular T too)."""
    values, vectors = np.linalg.eigh(tau / sigma2)
    R = np.linalg.qr((vectors * np.sqrt(np.clip(values, 0, None))).T)[1]
    L = R.T * np.where(np.diag(R) < 0, -1.0, 1.0)
    return [L[a, b] for b in range(len(tau)) for a in range(b, len(tau))]


def information_se(found, q):
    """SE of tau (q, q) and sigma2 from the inverse of the expected information of (T, sigma2)."""
    se = np.sqrt(np.diag(np.linalg.inv(found["expected"])))
    out = np.zeros((q, q))
    at = 0
    for a in range(q):
        for b in range(a + 1):
            out[a, b] = out[b, a] = se[at]
            at += 1
    return out, se[-1]


def entry(found, r, names, method):
    """One method's record: dense values, what lme4 says at the same theta, and lme4's own best."""
    q = len(found["tau"])
    se_tau, se_s2 = information_se(found, q)
    at, best = r["at_polished"], r["best"]
    F = len(names)
    here = {
        "deviance": found["deviance"],
        "loglik": -found["deviance"] / 2,
        "gamma": dict(zip(names, found["gamma"], strict=True)),
        "vcov": found["vcov"],
        "tau": found["tau"],
        "sigma2": found["noise"][0],
        "rank_of_tau": found["rank"],
        "se_tau_expected_information": se_tau,
        "se_sigma2_expected_information": se_s2,
        "n_parameters": q * (q + 1) // 2 + 1 + (F if method == "ML" else 0),
        "kkt": found["kkt"],
    }
    gap = {
        "deviance": abs(at["criterion"] - found["deviance"]),
        "gamma": np.abs(np.array(at["gamma"]) - found["gamma"]).max(),
        "vcov": np.abs(np.array(at["vcov"]) - found["vcov"]).max(),
        "tau": np.abs(np.array(at["tau"]) - found["tau"]).max(),
        "sigma2": abs(at["sigma2"] - found["noise"][0]),
    }
    here["lme4"] = {
        "at_this_optimum_max_abs_difference": gap,
        "best_of_optimisers": best,
        "criterion_by_optimiser": r["by_optimiser"],
    }
    worst = min(r["by_optimiser"].values()) - found["deviance"]
    assert gap["deviance"] < 1e-8 * max(1, abs(found["deviance"]) * 1e-2), gap
    assert worst > -1e-8, worst
    assert max(gap["gamma"], gap["tau"], gap["sigma2"]) < 1e-6, gap
    return here


def both(data, model, y):
    """REML and ML records of one model on one data set."""
    X, Z = design(data, model)
    found = {m: fit(split(data["id"], data[y], X, Z, m == "REML")) for m in ("REML", "ML")}
    ask = {f"theta_{m.lower()}": lower_root(f["tau"], f["noise"][0]) for m, f in found.items()}
    r = run_r("lme4_fit.R", ask, id=data["id"], y=data[y], x=X, z=Z)
    return {m: entry(found[m], r[m], list(model["fixed"]), m) for m in found}


def main():
    data = hsb(folder_argument())
    school = data["meanses"][np.unique(data["id"], return_index=True)[1]].mean()
    data["school(meanses)"] = data["meanses"] - school
    out = {}
    for name, model in MODELS.items():
        out[name] = dict(model) | both(data, model, "mathach")
        for m in ("REML", "ML"):
            e = out[name][m]
            print(
                name,
                m,
                f"{e['deviance']:.9f}",
                "rank",
                e["rank_of_tau"],
                e["lme4"]["at_this_optimum_max_abs_difference"],
                {k: f"{v - e['deviance']:.1e}" for k, v in e["lme4"]["criterion_by_optimiser"].items()},
                flush=True,
            )
    save(
        "lme4.json",
        "make_lme4.py (dense.py, lme4_fit.R)",
        {
            "what": "Optimum of the REML criterion and the ML deviance, true constants. Values: dense "
            "likelihood polished by Newton; lme4: its criterion etc. at the same theta (differences) and its "
            "own best optimiser.",
            "derived_columns": DERIVED | {"school(meanses)": "meanses - its mean over the 160 schools"},
            "models": out,
        },
        ("lme4", "minqa", "nloptr", "jsonlite"),
    )


if __name__ == "__main__":
    main()
