"""meta.json: meta-analyses: profile interval of tau, I2, H2, predictions, posteriors. python make_meta.py."""

import json
import subprocess

import numpy as np
from common import HERE, columns, save
from scipy import integrate, optimize, stats

POINTS = 400_001  # of the quadrature over the standard deviation


def profile(y, v, x, reml):
    """95 % limits of tau2 by root finding on the deviance, gamma profiled out or integrated out (REML)."""

    def deviance(tau2):
        w = 1 / (v + tau2)
        a = (x * w[:, None]).T @ x
        e = y - x @ np.linalg.solve(a, (x * w[:, None]).T @ y)
        return w @ e**2 - np.log(w).sum() + reml * np.linalg.slogdet(a)[1]

    grid = np.concatenate([[0.0], np.geomspace(1e-8, 1e5, 20_000)])
    near = grid[np.argmin([deviance(t) for t in grid])]
    best = optimize.minimize_scalar(
        deviance, bounds=(0.9 * near, 1.1 * near + 1e-9), method="bounded", options={"xatol": 1e-14}
    )
    lowest = min(best.fun, deviance(0.0))
    tau2 = float(best.x) if best.fun < deviance(0.0) else 0.0

    def rise(t):
        return deviance(t) - lowest - stats.chi2.ppf(0.95, 1)

    low = 0.0 if rise(0.0) < 0 else optimize.brentq(rise, 0.0, tau2, xtol=1e-14, rtol=1e-13)
    return [tau2, low, optimize.brentq(rise, tau2, 1e5, xtol=1e-14, rtol=1e-13)]


def posterior(y, v, mean_sd, sd_scale, top):
    """g00 ~ normal(0, mean_sd), sd ~ half-normal(sd_scale), by quadrature over sd; g00 given sd is normal."""
    sd = np.linspace(0.0, top, POINTS)
    total = v[:, None] + sd**2
    precision = mean_sd**-2.0 + (1 / total).sum(axis=0)
    mean = (y[:, None] / total).sum(axis=0) / precision
    log = -0.5 * (np.log(2 * np.pi * total) + y[:, None] ** 2 / total).sum(axis=0)
    log += 0.5 * precision * mean**2 - 0.5 * np.log(precision) - np.log(mean_sd)
    log += stats.halfnorm.logpdf(sd, scale=sd_scale)
    density = np.exp(log - log.max())
    evidence = float(integrate.simpson(density, x=sd))
    density /= evidence
    cumulative = integrate.cumulative_simpson(density, x=sd, initial=0.0)

    def mean_of(values):
        return float(integrate.simpson(values * density, x=sd))

    g00 = mean_of(mean)
    u = sd**2 / (total) * (y[:, None] - mean)  # of every unit given sd
    return {
        "priors": {"g00": ["normal", 0, mean_sd], "sd": ["half-normal", sd_scale]},
        "g00": {"mean": g00, "sd": float(np.sqrt(mean_of(1 / precision + mean**2) - g00**2))},
        "sd[b0]": {
            "mean": mean_of(sd), "sd": float(np.sqrt(mean_of(sd**2) - mean_of(sd) ** 2)),
            **{name: float(np.interp(p, cumulative, sd)) for name, p in (("median", 0.5), ("97.5 %", 0.975))},
        },
        "u": [mean_of(row) for row in u], "log_evidence": float(np.log(evidence) + log.max()),
    }  # fmt: skip


def main():
    done = subprocess.run(
        ["Rscript", "--vanilla", str(HERE / "meta.R"), str(HERE / "data")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    cases = json.loads(done.stdout)
    for case in cases:
        d = columns(HERE / "data" / f"{case['data']}.csv")
        x = np.ones((len(d["v"]), 1))
        if case["moderator"]:
            x = np.column_stack([x, d[case["moderator"]]])
        for method in ("REML", "ML"):
            case[method]["dense_profile"] = profile(d["effect"], d["v"], x, method == "REML")
            print(case["data"], method, case[method]["dense_profile"], case[method]["z"]["profile"][0])
        if not case["moderator"]:
            top = 120.0 if case["data"] == "sites" else 12.0
            case["posterior"] = posterior(d["effect"], d["v"], 20.0, 10.0, top)
            print(case["posterior"])
    save(
        "meta.json",
        "make_meta.py (meta.R)",
        {
            "what": "Random-effects meta-analyses: metafor's rma (test z and t): profile is estimate, low, "
            "high of tau2, tau, I2 (per cent), H2 by confint(type = 'PL'), vt the typical sampling variance, "
            "predict has pred, se, ci and pi limits; dense_profile is tau2's by root finding here; posterior "
            "by quadrature.",
            "sources": {
                "sites": "effects and variances of nine sites, filed with a bug report of a Bayesian package"
            },
            "cases": cases,
        },
        ("metafor", "metadat"),
    )


if __name__ == "__main__":
    main()
