"""own_unit.json: CR2 of twelve simulated sets, one unit with an intercept and slope effect of its own.

python make_own_unit.py. What clubSandwich gives for lme4's fit, and dense matrices; the rows are in the file.
"""

import numpy as np
from common import run_r, save
from dense import fit, split
from dense_inference import cluster_robust
from make_lme4 import lower_root

CONTRASTS = {"g00=g10=0": [[1, 0, 0, 0], [0, 0, 1, 0]]}
EQUATIONS = ["y = b0 + b1*x + r", "b0 = g00 + g01*own + u0", "b1 = g10 + g11*own + u1"]


def rows(seed):
    """10 or 12 units of 3 to 8 rows; the first is the one with effects of its own."""
    rng = np.random.default_rng(seed)
    n = rng.integers(3, 9, 10 + 2 * (seed % 2))
    unit = np.repeat(np.arange(len(n)), n)
    x = np.round(rng.normal(0, 1, len(unit)), 2)
    u = rng.normal(size=(len(n), 2)) @ np.array([[1.5, 0.6], [0.0, 1.2]])
    own = (unit == 0).astype(float)
    y = np.round(2 + 3 * own + u[unit, 0] + (0.7 - own + u[unit, 1]) * x + rng.normal(0, 1, len(unit)), 2)
    return unit, x, y, own


def main():
    cases = {}
    for seed in range(1, 13):
        unit, x, y, own = rows(seed)
        X = np.column_stack([np.ones(len(y)), own, x, x * own])
        Z = X[:, [0, 2]]
        p = split(unit, y, X, Z, True)
        found = fit(p)
        assert found["rank"] == 2
        ask = {
            "theta_reml": lower_root(found["tau"], found["noise"][0]),
            "contrasts": CONTRASTS,
            "parts": ["cr"],
        }
        r = run_r("inference.R", ask, id=unit, y=y, x=X, z=Z)["cr"]
        case = {"unit": unit, "x": x, "y": y}
        for kind in ("CR0", "CR2"):
            mine = cluster_robust(p, found["theta"], kind)
            theirs = {k: r[kind][k] for k in ("se", "df", "vcov")}
            htz = r[kind]["wald"]["g00=g10=0"]["HTZ"][0]
            case[kind] = {
                "dense": {k: mine[k] for k in ("se", "df")},
                "clubSandwich": theirs | {"HTZ": {k: htz[k] for k in ("Fstat", "df_denom", "p_val")}},
            }
        gap = np.abs(np.array(case["CR2"]["clubSandwich"]["df"]) / case["CR2"]["dense"]["df"] - 1).max()
        print(seed, found["tau"].tolist(), case["CR2"]["dense"]["df"], gap, flush=True)
        cases[str(seed)] = case
    save(
        "own_unit.json",
        "make_own_unit.py (dense_inference.py, inference.R)",
        {
            "what": "Unit 0 has an intercept and a slope effect of its own: g00, g01, g10, g11. In sets 3 "
            "and 7 rounding exceeds clubSandwich's absolute tolerance: its d.f. of g01, g11 are not right.",
            "equations": EQUATIONS,
            "contrasts": CONTRASTS,
            "cases": cases,
        },
        ("lme4", "clubSandwich"),
    )


if __name__ == "__main__":
    main()
