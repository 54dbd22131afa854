"""metafor.json: level-1 variances known; metafor::rma and the dense likelihood. python make_metafor.py."""

import json
import subprocess

import numpy as np
from common import HERE, columns, save
from dense import fit, split
from dense_inference import t_p
from scipy import special

CASES = {
    "bcg": ("bcg", None),
    "bcg_ablat": ("bcg", "ablat"),
    "raudenbush1985": ("raudenbush1985", None),
    "raudenbush1985_weeks": ("raudenbush1985", "weeks"),
    "raudenbush1985_week3": ("raudenbush1985", "week3"),
}
SOURCES = {
    "bcg": "Colditz et al. (1994), JAMA 271, 698-702: 13 trials of the BCG vaccine; log risk ratios and "
    "variances by "
    "metafor::escalc(measure = 'RR') from metadat::dat.bcg",
    "raudenbush1985": "Raudenbush (1984), J. Educ. Psych. 76, 85-97; Raudenbush & Bryk (1985), J. Educ. "
    "Stat. 10, 75-98: 19 "
    "studies of teacher expectancy; metadat::dat.raudenbush1985; week3 = min(weeks, 3)",
}


def main():
    done = subprocess.run(
        ["Rscript", "--vanilla", str(HERE / "metafor.R"), str(HERE / "data")],
        capture_output=True,
        text=True,
        check=True,
    )
    theirs = json.loads(done.stdout)
    out = {}
    for name, (file, moderator) in CASES.items():
        d = columns(HERE / "data" / f"{file}.csv")
        one = np.ones((len(d["v"]), 1))
        X = one if moderator is None else np.column_stack([one, d[moderator]])
        model = "b0 = g00 + u0" if moderator is None else f"b0 = g00 + g01*{moderator} + u0"
        out[name] = {
            "data": f"data/{file}.csv",
            "id": "study",
            "varianceknown": "v",
            "equations": ["effect = b0 + r", model],
        }
        for method in ("REML", "ML"):
            f = fit(split(d["study"], d["effect"], X, one, method == "REML", "known", d["v"]), tol=1e-9)
            se = np.sqrt(np.diag(f["vcov"]))
            z, df = f["gamma"] / se, len(d["v"]) - X.shape[1]
            their = theirs[name][method]
            here = {
                "tau2": f["tau"][0, 0],
                "se_tau2_expected_information": 1 / np.sqrt(f["expected"][0, 0]),
                "gamma": f["gamma"],
                "vcov": f["vcov"],
                "se": se,
                "z": z,
                "p_z": special.erfc(np.abs(z) / np.sqrt(2)),
                "df_t": df,
                "p_t": t_p(z, df),
                "deviance": f["deviance"],
                "rank_of_tau": f["rank"],
            }
            shift = np.linalg.slogdet(X.T @ X)[1] if method == "REML" else 0.0
            gap = {
                "tau2": abs(their["z"]["tau2"] - here["tau2"]),
                "gamma": np.abs(np.array(their["z"]["beta"]) - f["gamma"]).max(),
                "deviance_less_logdet_XX": abs(their["z"]["deviance_minus2ll"] + shift - f["deviance"]),
                "se_tau2": abs(their["z"]["se_tau2"] - here["se_tau2_expected_information"]),
                "p_t": np.abs(np.array(their["t"]["pval"]) - here["p_t"]).max(),
            }
            out[name][method] = here | {"metafor": their, "max_abs_difference": gap}
            print(name, method, here["tau2"], here["gamma"], {k: f"{v:.0e}" for k, v in gap.items()})
    save(
        "metafor.json",
        "make_metafor.py (dense.py, metafor.R)",
        {
            "what": "Random-effects meta-analysis, knha = FALSE. deviance: as in lme4.json (metafor's "
            "REML -2 logLik is lower by "
            "log det X'X). metafor tests 'z' and 't' (k - p d.f.).",
            "sources": SOURCES,
            "cases": out,
        },
        ("metafor", "metadat"),
    )


if __name__ == "__main__":
    main()
