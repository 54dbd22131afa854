"""lmertest.json and clubsandwich.json: small-sample d.f. and cluster-robust standard errors of REML fits.

python make_inference.py [FOLDER]. Values by dense matrices; lmerTest, pbkrtest, clubSandwich beside them.
"""

import time

import numpy as np
import small
from common import design, folder_argument, hsb, run_r, save
from dense import fit, split
from dense_inference import cluster_robust, kenward_roger, kr_test, satterthwaite
from make_lme4 import lower_root

from models import MODELS

G4 = {
    "g01=g11=0": [[0, 1, 0, 0, 0, 0], [0, 0, 0, 0, 1, 0]],
    "g10=g11=g12=0": [[0, 0, 0, 1, 0, 0], [0, 0, 0, 0, 1, 0], [0, 0, 0, 0, 0, 1]],
    "g02-g12=0": [[0, 0, 1, 0, 0, -1]],
}
CONTRASTS = {
    "model3_random_coefficients": {"g00=g10=0": [[1, 0], [0, 1]]},
    "model4_intercepts_slopes": G4,
    "model4_nonrandom_slope": G4,
    "first20_model4": G4,
    "small": {
        "g01=g11=0": [[0, 1, 0, 0], [0, 0, 0, 1]],
        "g00=g10=0": [[1, 0, 0, 0], [0, 0, 1, 0]],
        "g00=g01=0": [[1, 0, 0, 0], [0, 1, 0, 0]],
    },
}


def problems(folder):
    """name, equations, fixed names, Problem, R columns; also the first 20 schools alone (group means
    unchanged)."""
    data = hsb(folder)
    keep = data["id"] <= np.unique(data["id"])[19]
    first = {k: v[keep] for k, v in data.items()}
    cases = [
        ("small", small.load(), small.MODEL, "y"),
        ("first20_model4", first, MODELS["model4_intercepts_slopes"], "mathach"),
    ]
    cases += [(k, data, MODELS[k], "mathach") for k in CONTRASTS if k.startswith("model")]
    for name, d, model, y in cases:
        X, Z = design(d, model)
        yield name, model, split(d["id"], d[y], X, Z, True), {"id": d["id"], "y": d[y], "x": X, "z": Z}


def worst(a, b):
    return float(
        np.max(
            np.abs(np.asarray(a, float) - np.asarray(b, float))
            / np.maximum(1e-3, np.abs(np.asarray(b, float)))
        )
    )


def main():
    df_cases, cr_cases = {}, {}
    for name, model, p, cols in problems(folder_argument()):
        began = time.time()
        found = fit(p)
        theta, contrasts = found["theta"], CONTRASTS[name]
        r = run_r(
            "inference.R",
            {
                "theta_reml": lower_root(found["tau"], found["noise"][0]),
                "contrasts": contrasts,
                "parts": ["lmertest", "kr", "cr"],
            },
            **cols,
        )
        singular = found["rank"] < p.q
        sat, kr = None if singular else satterthwaite(p, theta), kenward_roger(p, theta)
        column = lambda part, key: [row[key] for row in r[part]]  # noqa: B023, E731
        gap = {
            "satterthwaite_df": None if singular else worst(column("satterthwaite", "df"), sat["df"]),
            "kr_df": worst(column("kr", "df"), kr["df"]),
            "kr_vcov": worst(r["kr_vcov"], kr["vcov"]),
        }
        head = {
            "equations": model["equations"],
            "names": list(model["fixed"]),
            "tau": found["tau"],
            "sigma2": found["noise"][0],
            "rank_of_tau": found["rank"],
            "deviance": found["deviance"],
            "contrasts": contrasts,
        }
        df_cases[name] = head | {
            "satterthwaite": sat,
            "kenward_roger": kr,
            "kenward_roger_multi": {k: kr_test(p, theta, L) for k, L in contrasts.items()},
            "R": {k: r[k] for k in ("satterthwaite", "satterthwaite_multi", "kr", "kr_vcov", "kr_multi")},
            "largest_relative_difference": gap,
        }
        cr_cases[name] = dict(head)
        for kind in ("CR0", "CR1", "CR2"):
            mine, theirs = cluster_robust(p, theta, kind), r["cr"][kind]
            cr_cases[name][kind] = mine | {
                "wald_clubSandwich": theirs["wald"],
                "clubSandwich": {k: theirs[k] for k in ("se", "df", "p")},
            }
            gap[kind] = {k: worst(theirs[k], mine[k]) for k in ("se", "df")}
        print(name, round(time.time() - began), gap, flush=True)
        print(
            "  KR multi",
            {k: (v["F"], v["ddf"]) for k, v in df_cases[name]["kenward_roger_multi"].items()},
            {k: (v["Ftest"]["stat"], v["Ftest"]["ddf"]) for k, v in r["kr_multi"].items()},
            flush=True,
        )
    note = (
        "Values by dense matrices at the polished REML optimum; what the R packages give for the same fit "
        "is beside them. "
    )
    save(
        "lmertest.json",
        "make_inference.py (dense_inference.py, inference.R)",
        {
            "what": note
            + "satterthwaite_multi is lmerTest::contestMD (d.f. 2 where a component has d.f. <= 2); kr_multi "
            "is pbkrtest::KRmodcomp. first20_model4 has a singular tau: the information in tau is not "
            "defined "
            "there, lmerTest's d.f. (in the Cholesky factor) are its own, and no dense ones are given.",
            "cases": df_cases,
        },
        ("lme4", "lmerTest", "pbkrtest"),
    )
    save(
        "clubsandwich.json",
        "make_inference.py (dense_inference.py, inference.R)",
        {
            "what": note + "CR1 = CR0 * J/(J-1). wald: clubSandwich::Wald_test; its Fstat of chi-sq is Q/q.",
            "cases": cr_cases,
        },
        ("lme4", "clubSandwich"),
    )


if __name__ == "__main__":
    main()
