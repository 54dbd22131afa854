"""What more random coefficients cost: seconds from arrays to a fit with all standard errors, 45 rows a unit.

python -m tests.bench.random_coefficients [UNITS]
"""

from __future__ import annotations

import statistics
import sys
import time

import numpy as np

import hlmbayes as hlm

ROWS, REPEATS = 45, 5


def model(q: int) -> hlm.Model:
    """Give a model with q random coefficients."""
    slopes = "".join(f" + b{k}*x{k}" for k in range(1, q))
    level2 = "".join(f"\nb{k} = g{k}0 + u{k}" for k in range(1, q))
    return hlm.Model(f"y = b0{slopes} + r\nb0 = g00 + g01*w + u0{level2}")


def main() -> None:
    n_units = int(float(sys.argv[1])) if len(sys.argv) > 1 else 100_000
    rng = np.random.default_rng(1)
    unit = np.repeat(np.arange(n_units), ROWS)
    x, u = rng.standard_normal((3, len(unit))), 0.7 * rng.standard_normal((4, n_units))
    y = 10.0 + u[0][unit] + sum((1.0 + u[k + 1][unit]) * x[k] for k in range(3))
    y += 6.0 * rng.standard_normal(len(unit))
    level1 = {"id": unit, "y": y, **{f"x{k + 1}": x[k] for k in range(3)}}
    level2 = {"id": np.arange(n_units), "w": rng.standard_normal(n_units)}
    base = None
    for q in (1, 2, 3, 4):
        seconds = []
        for _ in range(REPEATS):
            clock = time.perf_counter()
            fit = model(q).fit(hlm.read(level1, level2, id="id"))
            _ = fit.vcov, fit.se_tau, fit.se_sigma2
            seconds.append(time.perf_counter() - clock)
        median = statistics.median(seconds)
        base = median if q == 2 else base
        ratio = "" if base is None else f", {median / base:.2f} times q = 2"
        print(f"q = {q}: {median:.3f} s, {fit.iterations} iterations{ratio}")


if __name__ == "__main__":
    main()
