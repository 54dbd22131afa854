"""condvar.json: EB residuals, their posterior variances, Mahalanobis distances and the influence of "
"each unit.

python make_condvar.py [FOLDER]. Dense at the REML optimum; lme4's ranef and condVar beside it.
"""

import numpy as np
import small
from common import HERE, columns, design, folder_argument, hsb, run_r, save, with_centred
from dense import fit, gls, split, unpack
from make_lme4 import lower_root
from make_singular import CASES
from scipy import linalg

from models import MODELS


def posterior(p, theta):
    """u*, T - TZ'V^-1ZT (gamma known: lme4's condVar), and with gamma's uncertainty added (REML), by unit."""
    T, _ = unpack(p, theta)
    _, vcov, _, inverse, residual = gls(p, theta)
    u, given, full = [], [], []
    for X, Z, Vi, r in zip(p.X, p.Z, inverse, residual, strict=True):
        G = T @ Z.T @ Vi
        u.append(G @ r)
        given.append(T - G @ Z @ T)
        full.append(given[-1] + G @ X @ vcov @ X.T @ G.T)
    return np.array(u), np.array(given), np.array(full)


def leave_one_out(p, theta):
    """gamma without unit j, tau and sigma2 held at the full fit: every GLS done again from scratch."""
    out = []
    for j in range(len(p.y)):
        keep = [k for k in range(len(p.y)) if k != j]
        sub = type(p)([p.y[k] for k in keep], [p.X[k] for k in keep], [p.Z[k] for k in keep], p.reml)
        out.append(gls(sub, theta)[0])
    return np.array(out)


def refits(p):
    """The same with tau and sigma2 estimated again (small data only)."""
    out = []
    for j in range(len(p.y)):
        keep = [k for k in range(len(p.y)) if k != j]
        f = fit(type(p)([p.y[k] for k in keep], [p.X[k] for k in keep], [p.Z[k] for k in keep], p.reml))
        out.append({"gamma": f["gamma"], "tau": f["tau"], "sigma2": f["noise"][0], "deviance": f["deviance"]})
    return out


def mahalanobis(u, D):
    """u' D^+ u; D may be singular with tau."""
    return np.array([a @ linalg.pinvh(M, rtol=1e-8) @ a for a, M in zip(u, D, strict=True)])


def summary(a, first):
    """The first units' values and checksums over all units."""
    a = np.asarray(a)
    return {"first": a[:first], "sum": a.sum(axis=0), "sum_of_squares": (a**2).sum(axis=0), "n_units": len(a)}


def case(model, data, y, first, again=False):
    X, Z = design(data, model)
    p = split(data["id"], data[y], X, Z, True)
    found = fit(p)
    theta, T, F = found["theta"], found["tau"], len(found["gamma"])
    u, given, full = posterior(p, theta)
    without = leave_one_out(p, theta)
    change = found["gamma"] - without
    cook = np.einsum("jf,fg,jg->j", change, linalg.inv(found["vcov"]), change) / F
    r = run_r(
        "condvar.R", {"theta_reml": lower_root(T, found["noise"][0])}, id=data["id"], y=data[y], x=X, z=Z
    )
    gap = {"u": np.abs(np.array(r["u"]) - u).max(), "condvar": np.abs(np.array(r["condvar"]) - given).max()}
    assert max(gap.values()) < 1e-7, gap
    out = {
        "equations": model["equations"],
        "names": list(model["fixed"]),
        "gamma": found["gamma"],
        "tau": T,
        "sigma2": found["noise"][0],
        "rank_of_tau": found["rank"],
        "deviance": found["deviance"],
        "unit_ids_first": np.unique(data["id"])[:first],
        "u": summary(u, first),
        "condvar": summary(given, first),
        "condvar_with_gamma": summary(full, first),
        "mdist_gamma_known": summary(mahalanobis(u, T - given), first),
        "mdist_with_gamma": summary(mahalanobis(u, T - full), first),
        "gamma_without_unit": summary(without, first),
        "cook": summary(cook, first),
        "lme4_max_abs_difference": gap,
    }
    if again:
        out["refit_without_unit"] = refits(p)
    return out


def main():
    data = hsb(folder_argument())
    out = {
        k: case(MODELS[k], data, "mathach", 10)
        for k in ("model3_random_coefficients", "model4_intercepts_slopes")
    }
    out["random_only_REML"] = case(MODELS["random_only"], data, "mathach", 10)
    out["small"] = case(small.MODEL, small.load(), "y", 12, again=True)
    for name, model in CASES.items():
        one = with_centred(columns(HERE / "data" / f"singular_{name}.csv"))
        out[f"singular_{name}"] = case(model, one, "y", 20)
    for k, v in out.items():
        print(k, v["lme4_max_abs_difference"], v["cook"]["first"][:3], v["mdist_gamma_known"]["first"][:3])
    what = (
        "REML fits. u: EB residuals (ranef). condvar: lme4's condVar, T - TZ'V^-1ZT (gamma taken as known). "
        "condvar_with_gamma: plus TZ'V^-1X vcov X'V^-1ZT. mdist: u'D^+u with D = T - condvar (of either "
        "kind). "
        "gamma_without_unit: GLS without the unit, tau and sigma2 held; cook: (gamma - gamma_without)' "
        "vcov^-1 "
        "(gamma - gamma_without) / F; refit_without_unit: everything estimated again without the unit."
    )
    save("condvar.json", "make_condvar.py (dense.py, condvar.R)", {"what": what, "cases": out}, ("lme4",))


if __name__ == "__main__":
    main()
