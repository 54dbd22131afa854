"""Make bambi.json: posteriors of HSB models 1-4 by bambi (its default priors), in an environment with bambi.

    python tests/oracles/make_bambi.py HSB1.sav HSB2.sav > tests/oracles/bambi.json

bambi's default priors are weakly informative and scaled by the data, as the package's are. Its random
effects of one unit are independent: model 3 and 4 have no correlation here.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version

import bambi as bmb
import numpy as np
import pandas as pd
from arviz_stats.base import array_stats

FORMULAS = {
    "1": "mathach ~ 1 + (1|id)",
    "2": "mathach ~ meanses + (1|id)",
    "3": "mathach ~ cses + (cses|id)",
    "4": "mathach ~ sector + meanses + cses + sector:cses + meanses:cses + (cses|id)",
}
NAMES = {
    "1": {"Intercept": "g00"},
    "2": {"Intercept": "g00", "meanses": "g01"},
    "3": {"Intercept": "g00", "cses": "g10"},
    "4": {
        "Intercept": "g00", "sector": "g01", "meanses": "g02", "cses": "g10", "sector:cses": "g11",
        "meanses:cses": "g12",
    },
}  # fmt: skip
OTHERS = {"sigma": "sigma", "1|id_sigma": "sd[b0]", "cses|id_sigma": "sd[b1]"}
SEED = 20261123


def read(students: str, schools: str) -> pd.DataFrame:
    """Join the two files; cses is ses minus the mean of the school's rows."""
    frames = [pd.read_csv(p) if p.endswith(".csv") else pd.read_spss(p) for p in (students, schools)]
    rows, units = (f.rename(columns=str.lower) for f in frames)
    data = rows.merge(units, on="id")
    data["cses"] = data["ses"] - data.groupby("id")["ses"].transform("mean")
    data["id"] = data["id"].astype(str)
    return data


def describe(values: np.ndarray) -> dict[str, float]:
    """Summarise draws (chain, draw)."""
    return {
        "mean": float(values.mean()), "median": float(np.median(values)), "sd": float(values.std(ddof=1)),
        "ess_bulk": float(array_stats.ess(values, method="bulk")), "r_hat": float(array_stats.rhat(values)),
    }  # fmt: skip


def main() -> None:
    data = read(*sys.argv[1:3])
    result: dict[str, object] = {
        "source": ", ".join(f"{name} {version(name)}" for name in ("bambi", "pymc", "nutpie")),
        "seed": SEED,
        "settings": "4 chains of 4000 draws after 2000, default priors",
    }
    for name, formula in FORMULAS.items():
        trace = bmb.Model(formula, data).fit(
            draws=4000, tune=2000, chains=4, random_seed=SEED, inference_method="nutpie", progressbar=False,
            target_accept=0.95,
        )  # fmt: skip
        posterior = trace["posterior"]
        names = {**NAMES[name], **{k: v for k, v in OTHERS.items() if k in posterior.data_vars}}
        result[name] = {ours: describe(posterior[theirs].values) for theirs, ours in names.items()}
        result[name]["divergences"] = int(trace["sample_stats"]["diverging"].values.sum())  # type: ignore[index]
        print(name, sorted(posterior.data_vars), file=sys.stderr)
    json.dump(result, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
