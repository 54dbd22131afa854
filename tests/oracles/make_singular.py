"""singular.json: REML and ML optima with a singular tau, lme4 and dense (data/singular_*.csv).

python make_singular.py
"""

import numpy as np
from common import HERE, columns, save, with_centred
from make_lme4 import both

LINE = {
    "equations": ["y = b0 + b1*x + r", "b0 = g00 + u0", "b1 = g10 + u1"],
    "fixed": {"g00": "1", "g10": "x"},
    "random": ["1", "x"],
}
CASES = {
    "slope_zero": LINE,
    "intercept_zero_balanced": LINE,
    "corr_plus1": LINE,
    "corr_minus1": LINE,
    "all_zero": LINE,
    "intercept_zero": {
        "equations": ["y = b0 + b1*x + r", "b0 = g00 + u0", "b1 = g10"],
        "fixed": {"g00": "1", "g10": "x"},
        "random": ["1"],
    },
    "three_rank1": {
        "equations": ["y = b0 + b1*x + b2*x2 + r", "b0 = g00 + u0", "b1 = g10 + u1", "b2 = g20 + u2"],
        "fixed": {"g00": "1", "g10": "x", "g20": "x2"},
        "random": ["1", "x", "x2"],
    },
}
CASES["three_rank2"] = CASES["three_rank1"]


def main():
    out = {}
    for name, model in CASES.items():
        data = with_centred(columns(HERE / "data" / f"singular_{name}.csv"))
        out[name] = {"data": f"data/singular_{name}.csv", "equations": model["equations"]} | both(
            data, model, "y"
        )
        for m in ("REML", "ML"):
            e = out[name][m]
            print(
                name,
                m,
                f"{e['deviance']:.10f}",
                "rank",
                e["rank_of_tau"],
                np.round(e["tau"], 5).tolist(),
                e["kkt"],
                {k: f"{v:.0e}" for k, v in e["lme4"]["at_this_optimum_max_abs_difference"].items()},
                {k: f"{v - e['deviance']:.0e}" for k, v in e["lme4"]["criterion_by_optimiser"].items()},
                flush=True,
            )
    save(
        "singular.json",
        "make_singular_data.py, make_singular.py (dense.py, lme4_fit.R)",
        {
            "what": "Optima on the boundary of tau. rank_of_tau < order of tau; kkt: S = d deviance / d "
            "tau must be positive "
            "semidefinite on the null space of tau, and S tau = 0.",
            "cases": out,
        },
        ("lme4", "minqa", "jsonlite"),
    )


if __name__ == "__main__":
    main()
