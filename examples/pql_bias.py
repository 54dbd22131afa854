"""The bias of penalised quasi-likelihood: binary outcomes, few rows a unit, a large variance between units.

python examples/pql_bias.py [SETS]: simulates SETS (by default 40) data sets of 200 units for each number of
rows a unit, and prints the means of the estimates, of the likelihood's beside them: the truth is -1, 1 and 2.
"""

import sys

import numpy as np
import pandas as pd

import hlmbayes as hlm

TRUE = {"g00": -1.0, "g10": 1.0, "sd(u0)": 2.0}
MODEL = hlm.Model("logit(y) = b0 + b1*x; b0 = g00 + u0; b1 = g10")


def simulated(rows: int, rng: np.random.Generator, units: int = 200) -> pd.DataFrame:
    """Units of so many rows."""
    unit = np.repeat(np.arange(units), rows)
    x = rng.normal(size=len(unit))
    eta = TRUE["g00"] + TRUE["g10"] * x + rng.normal(0, TRUE["sd(u0)"], units)[unit]
    return pd.DataFrame(
        {"id": unit, "x": x, "y": (rng.random(len(unit)) < 1 / (1 + np.exp(-eta))).astype(int)}
    )


def estimates(frame: pd.DataFrame, algorithm: str) -> list[float]:
    """Give g00, g10 and the standard deviation of u0."""
    fit = MODEL.fit(frame, algorithm=algorithm)
    return [fit.gamma["g00"], fit.gamma["g10"], float(fit.tau["b0", "b0"]) ** 0.5]


def main(sets: int) -> None:
    """Print a line for each number of rows a unit."""
    rng = np.random.default_rng(1995)
    print(f"{'':14}{'quasi-likelihood':>22}{'likelihood':>22}")
    print(f"{'rows a unit':>14}{'g00':>8}{'g10':>7}{'sd':>7}{'g00':>8}{'g10':>7}{'sd':>7}")
    for rows in (3, 6, 12, 50):
        drawn = [simulated(rows, rng) for _ in range(sets)]
        means = [np.mean([estimates(frame, how) for frame in drawn], axis=0) for how in ("hlm", "exact")]
        print(f"{rows:>14}" + "".join(f"{a:>8.2f}{b:>7.2f}{c:>7.2f}" for a, b, c in means))
    print(
        f"{'true':>14}"
        + 2 * "".join(f"{value:>{w}.2f}" for value, w in zip(TRUE.values(), (8, 7, 7), strict=True))
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 40)
