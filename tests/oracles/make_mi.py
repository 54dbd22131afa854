"""mi.json: Rubin's rules, Barnard-Rubin, D1 and D3 by hand from dense fits; mitml and mice beside. python
make_mi.py."""

import json
import subprocess

import numpy as np
from common import HERE, columns, design, save, with_centred
from dense import deviance, fit, gls, split
from dense_inference import f_p, t_p
from scipy import linalg

MODEL = {
    "equations": ["mathach = b0 + b1*group(ses) + r", "b0 = g00 + g01*sector + u0", "b1 = g10 + g11*sector"],
    "fixed": {"g00": "1", "g01": "sector", "g10": "group(ses)", "g11": "group(ses)*sector"},
    "random": ["1"],
}
SMALLER = {
    "equations": ["mathach = b0 + b1*group(ses) + r", "b0 = g00 + u0", "b1 = g10"],
    "fixed": {"g00": "1", "g10": "group(ses)"},
    "random": ["1"],
}
DEFINITIONS = {
    "rubin": "qbar = mean Q; ubar = mean U; b = var(Q) with m-1; t = ubar + (1 + 1/m) b; r = (1 + 1/m) b "
    "/ ubar; "
    "df = (m-1)(1 + 1/r)^2; fmi = (r + 2/(df+3)) / (r+1)",
    "barnard_rubin": "df_obs = (dfcom+1)/(dfcom+3) dfcom (1-lambda), lambda = (1+1/m) b / t; df = "
    "1/(1/df + 1/df_obs); fmi with it",
    "D1": "r = (1+1/m) tr(B Ubar^-1)/k; D1 = Qbar' Ubar^-1 Qbar / (k (1+r)); nu: t = k(m-1); t > 4: 4 + "
    "(t-4)(1 + (1 - 2/t)/r)^2, "
    "else t (1 + 1/k)(1 + 1/r)^2 / 2 (Li, Raghunathan & Rubin 1991)",
    "D3": "dbar = mean LR at each set's ML estimates; dtilde = mean LR at the pooled (averaged gamma, "
    "tau, sigma2) estimates; "
    "r = (m+1)/(k(m-1)) (dbar - dtilde); D3 = dtilde/(k(1+r)); nu as for D1 (Meng & Rubin 1992)",
}


def problem(d, model, reml):
    X, Z = design(d, model)
    return split(d["id"], d["mathach"], X, Z, reml)


def nu(k, m, r):
    t = k * (m - 1)
    return 4 + (t - 4) * (1 + (1 - 2 / t) / r) ** 2 if t > 4 else t * (1 + 1 / k) * (1 + 1 / r) ** 2 / 2


def rubin(Q, U, dfcom=None):
    """Q (m, F) estimates, U (m, F) squared standard errors."""
    m = len(Q)
    q, u, b = Q.mean(0), U.mean(0), Q.var(0, ddof=1)
    t = u + (1 + 1 / m) * b
    r, lam = (1 + 1 / m) * b / u, (1 + 1 / m) * b / t
    df = (m - 1) * (1 + 1 / r) ** 2
    if dfcom is not None:
        df = 1 / (1 / df + 1 / ((dfcom + 1) / (dfcom + 3) * dfcom * (1 - lam)))
    return {
        "estimate": q,
        "within": u,
        "between": b,
        "total": t,
        "se": np.sqrt(t),
        "riv": r,
        "df": df,
        "fmi": (r + 2 / (df + 3)) / (r + 1),
        "t": q / np.sqrt(t),
        "p": t_p(q / np.sqrt(t), df),
    }


def d1(Q, U, rows):
    """Q (m, F), U (m, F, F)."""
    m, k = len(Q), len(rows)
    Q, U = Q[:, rows], U[:, rows][:, :, rows].mean(0)
    B = np.cov(Q.T, ddof=1).reshape(k, k)
    r = (1 + 1 / m) * np.trace(B @ linalg.inv(U)) / k
    F = Q.mean(0) @ linalg.solve(U, Q.mean(0)) / (k * (1 + r))
    return {"F": F, "df1": k, "df2": nu(k, m, r), "p": f_p(F, k, nu(k, m, r)), "riv": r}


def fixed_deviance(p, theta, gamma):
    """-2 log-likelihood at any gamma (ML)."""
    return deviance(p, theta) + quadratic(p, theta, gamma)


def quadratic(p, theta, gamma):
    best, vcov = gls(p, theta)[:2]
    return (gamma - best) @ linalg.solve(vcov, gamma - best)


def d3(sets, k):
    fits = {n: [fit(problem(d, M, False)) for d in sets] for n, M in (("full", MODEL), ("smaller", SMALLER))}
    m = len(sets)
    own, pooled = {}, {}
    for n, M in (("full", MODEL), ("smaller", SMALLER)):
        own[n] = np.array([f["deviance"] for f in fits[n]])
        theta = np.mean([f["theta"] for f in fits[n]], axis=0)
        gamma = np.mean([f["gamma"] for f in fits[n]], axis=0)
        pooled[n] = np.array([fixed_deviance(problem(d, M, False), theta, gamma) for d in sets])
    dbar, dtilde = np.mean(own["smaller"] - own["full"]), np.mean(pooled["smaller"] - pooled["full"])
    r = (m + 1) / (k * (m - 1)) * (dbar - dtilde)
    F = dtilde / (k * (1 + r))
    return {
        "F": F,
        "df1": k,
        "df2": nu(k, m, r),
        "p": f_p(F, k, nu(k, m, r)),
        "riv": r,
        "dbar": dbar,
        "dtilde": dtilde,
        "deviance_full": own["full"],
        "deviance_smaller": own["smaller"],
    }


def main():
    every = columns(HERE / "data" / "mi.csv")
    sets = [
        with_centred({k: v[every["imp"] == m] for k, v in every.items() if k != "imp"}) for m in range(1, 6)
    ]
    out = {}
    for method in ("REML", "ML"):
        fits = [fit(problem(d, MODEL, method == "REML")) for d in sets]
        assert all(f["rank"] == 1 for f in fits)
        Q, U = np.array([f["gamma"] for f in fits]), np.array([f["vcov"] for f in fits])
        diag = np.array([np.diag(u) for u in U])
        theta = np.array([f["theta"] for f in fits])
        V = np.array([np.diag(linalg.inv(f["expected"])) for f in fits])
        out[method] = {
            "each": [
                {
                    "deviance": f["deviance"],
                    "gamma": f["gamma"],
                    "vcov": f["vcov"],
                    "tau": f["tau"],
                    "sigma2": f["noise"][0],
                }
                for f in fits
            ],
            "rubin": rubin(Q, diag),
            "barnard_rubin_dfcom_232": rubin(Q, diag, 232),
            "mean_tau_sigma2": theta.mean(0),
            "rubin_tau_sigma2": rubin(theta, V),
            "D1_g01_g11": d1(Q, U, [1, 3]),
        }
    out["D3_g01_g11_ML"] = d3(sets, 2)
    done = subprocess.run(
        ["Rscript", "--vanilla", str(HERE / "mi.R"), str(HERE / "data" / "mi.csv")],
        capture_output=True,
        text=True,
        check=True,
    )
    r = json.loads(done.stdout)
    a = out["REML"]
    check = [
        ([e["Std.Error"] for e in r["testEstimates"]["estimates"]], a["rubin"]["se"]),
        ([e["df"] for e in r["testEstimates"]["estimates"]], a["rubin"]["df"]),
        ([e["FMI"] for e in r["testEstimates"]["estimates"]], a["rubin"]["fmi"]),
        ([e["df"] for e in r["testEstimates_df232"]["estimates"]], a["barnard_rubin_dfcom_232"]["df"]),
        ([e["df"] for e in r["mice_pool_scalar"]], a["rubin"]["df"]),
        ([r["D1"]["F.value"], r["D1"]["df2"]], [a["D1_g01_g11"]["F"], a["D1_g01_g11"]["df2"]]),
        ([r["D3"]["F.value"], r["D3"]["df2"]], [out["D3_g01_g11_ML"]["F"], out["D3_g01_g11_ML"]["df2"]]),
    ]
    gap = [float(np.max(np.abs(np.array(x) / np.array(y) - 1))) for x, y in check]
    print(
        theta[:, 0],
        gap,
        a["rubin"],
        out["D3_g01_g11_ML"],
        r["D3"],
        r["extra"] if "extra" in r else r["testEstimates"]["extra"],
    )
    out["R"] = r
    out["R_largest_relative_difference"] = dict(
        zip(["se", "df", "fmi", "barnard_rubin_df", "mice_df", "D1", "D3"], gap, strict=True)
    )
    save(
        "mi.json",
        "make_mi_data.py, make_mi.py (dense.py, mi.R)",
        {
            "what": "Pooling of five data sets; order of coefficients: "
            + ", ".join(MODEL["fixed"])
            + "; R's order: r.order",
            "data": "data/mi.csv (imp = 1..5)",
            "equations": MODEL["equations"],
            "equations_smaller": SMALLER["equations"],
            "definitions": DEFINITIONS,
            "values": out,
        },
        ("lme4", "mitml", "mice"),
    )


if __name__ == "__main__":
    main()
