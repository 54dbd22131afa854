"""The bias of penalised quasi-likelihood: binary outcomes, few rows a unit, a large variance between units.

python examples/pql_bias.py [SETS]: simulates SETS (by default 40) data sets of 200 units for each number of
rows a unit, and prints the means of the estimates: the true values are -1, 1 and 2.
"""

import sys

import numpy as np
import pandas as pd

import hlmbayes as hlm

TRUE = {"g00": -1.0, "g10": 1.0, "sd(u0)": 2.0}
MODEL = hlm.Model("logit(y) = b0 + b1*x; b0 = g00 + u0; b1 = g10")


def simulated(rows: int, rng: np.random.Generator, units: int = 200) -> pd.DataFrame:
    unit = np.repeat(np.arange(units), rows)
    x = rng.normal(size=len(unit))
    eta = TRUE["g00"] + TRUE["g10"] * x + rng.normal(0, TRUE["sd(u0)"], units)[unit]
    return pd.DataFrame(
        {"id": unit, "x": x, "y": (rng.random(len(unit)) < 1 / (1 + np.exp(-eta))).astype(int)}
    )


def estimates(frame: pd.DataFrame) -> list[float]:
    fit = MODEL.fit(frame, algorithm="hlm")
    return [fit.gamma["g00"], fit.gamma["g10"], float(fit.tau["b0", "b0"]) ** 0.5]


def main(sets: int) -> None:
    rng = np.random.default_rng(1995)
    print("rows a unit    g00    g10   sd(u0)")
    for rows in (3, 6, 12, 50):
        means = np.mean([estimates(simulated(rows, rng)) for _ in range(sets)], axis=0)
        print(f"{rows:>11} {means[0]:>6.2f} {means[1]:>6.2f} {means[2]:>8.2f}")
    print(f"{'true':>11} {TRUE['g00']:>6.2f} {TRUE['g10']:>6.2f} {TRUE['sd(u0)']:>8.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 40)
