"""Make hglm_posterior.json: posteriors of three simulated sets by bambi, in an environment with bambi.

    python tests/oracles/make_hglm_posterior.py > tests/oracles/hglm_posterior.json

Binary, binomial and count outcomes (data/hglm_*.csv) with a random intercept, sampled on the rows by PyMC as
bambi writes it, predictors not centred: fixed effects normal(0, 2), the sd half-normal(1.5).
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path

import bambi as bmb
import pandas as pd
from make_bambi import describe

DATA = Path(__file__).parent / "data"
MODELS = {
    "binary": ("y ~ 1 + x + w + (1|id)", "bernoulli"),
    "trials": ("p(y, n) ~ 1 + x + w + (1|id)", "binomial"),
    "counts": ("y ~ 1 + x + w + offset(log(n)) + (1|id)", "poisson"),
}
NAMES = {"Intercept": "g00", "w": "g01", "x": "g10", "1|id_sigma": "sd[b0]"}
SEED = 20261129


def main() -> None:
    result: dict[str, object] = {
        "source": ", ".join(f"{name} {version(name)}" for name in ("bambi", "pymc", "nutpie")),
        "seed": SEED,
        "settings": "4 chains of 4000 draws after 2000; normal(0, 2) and half-normal(1.5)",
    }
    fixed = bmb.Prior("Normal", mu=0, sigma=2)
    priors = {"Intercept": fixed, "x": fixed, "w": fixed}
    priors["1|id"] = bmb.Prior("Normal", mu=0, sigma=bmb.Prior("HalfNormal", sigma=1.5))
    for name, (formula, family) in MODELS.items():
        data = pd.read_csv(DATA / f"hglm_{name}.csv").astype({"id": str})
        trace = bmb.Model(formula, data, family=family, priors=priors, center_predictors=False).fit(
            draws=4000, tune=2000, chains=4, random_seed=SEED, inference_method="nutpie", progressbar=False,
            target_accept=0.95,
        )  # fmt: skip
        posterior = trace["posterior"]
        result[name] = {ours: describe(posterior[theirs].values) for theirs, ours in NAMES.items()}
        result[name]["divergences"] = int(trace["sample_stats"]["diverging"].values.sum())  # type: ignore[index]
        print(name, sorted(posterior.data_vars), file=sys.stderr)
    json.dump(result, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
