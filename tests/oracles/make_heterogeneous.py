"""heterogeneous.json: joint ML optimum with log(sigma2) = a0 + a1*c1 + ..., dense, nlme beside it.

python make_heterogeneous.py [FOLDER]
"""

import numpy as np
from common import design, folder_argument, hsb, run_r, save
from dense import fit, split

from models import MODELS

CASES = {
    "model4_female": ("model4_intercepts_slopes", ["female"]),
    "model3_ses": ("model3_random_coefficients", ["ses"]),
    "model2_sector": ("model2_means_as_outcomes", ["sector"]),
    "model3_female_minority_sector": ("model3_random_coefficients", ["female", "minority", "sector"]),
}


def record(found, names, covariates):
    """Values of one fit; SE from the expected and from the observed information of (tau, alpha)."""
    q, k = len(found["tau"]), len(found["noise"])
    alpha = dict(zip([f"a{i}" for i in range(k)], found["noise"], strict=True))
    out = {
        "deviance": found["deviance"],
        "gamma": dict(zip(names, found["gamma"], strict=True)),
        "vcov": found["vcov"],
        "tau": found["tau"],
        "rank_of_tau": found["rank"],
        "alpha": alpha,
        "variables": covariates,
        "kkt": found["kkt"],
        "n_parameters": len(names) + q * (q + 1) // 2 + k,
    }
    for kind in ("expected", "observed"):
        out[f"se_theta_{kind}_information"] = np.sqrt(np.diag(np.linalg.inv(found[kind])))
    # alpha alone, tau held: what a two-step (macro/micro) program prints
    block = found["expected"][-k:, -k:]
    out["se_alpha_expected_information_tau_fixed"] = np.sqrt(np.diag(np.linalg.inv(block)))
    return out


def main():
    data = hsb(folder_argument())
    out = {}
    for name, (key, covariates) in CASES.items():
        model = MODELS[key]
        X, Z = design(data, model)
        C = np.column_stack([np.ones(len(data["id"]))] + [data[c] for c in covariates])
        found = fit(split(data["id"], data["mathach"], X, Z, False, "loglinear", C))
        here = record(found, list(model["fixed"]), covariates)
        try:
            r = run_r("heterogeneous.R", {}, id=data["id"], y=data["mathach"], x=X, z=Z, c=C[:, 1:])
            assert r["deviance"] > here["deviance"] - 1e-6, (r["deviance"], here["deviance"])
        except RuntimeError as failed:  # nlme's pdSymm cannot reach a singular tau and may stop there
            r = {"failed": str(failed).strip().splitlines()[-1]}
        equations = [
            *model["equations"],
            "log(sigma2) = " + " + ".join(["a0"] + [f"a{i + 1}*{c}" for i, c in enumerate(covariates)]),
        ]
        out[name] = {"model": key, "equations": equations, "ML": here, "nlme": r}
        print(name, here["deviance"], here["alpha"], here["tau"].tolist(), here["kkt"], r, flush=True)
        print({k: v for k, v in here.items() if k.startswith("se")}, flush=True)
    save(
        "heterogeneous.json",
        "make_heterogeneous.py (dense.py, heterogeneous.R)",
        {
            "what": "ML optimum over gamma, tau and alpha jointly. theta order: tau lower triangle by "
            "rows, then alpha. nlme::lme with varExp (log-Cholesky tau: it cannot be singular) is the "
            "cross-check.",
            "cases": out,
        },
        ("nlme", "jsonlite"),
    )


if __name__ == "__main__":
    main()
