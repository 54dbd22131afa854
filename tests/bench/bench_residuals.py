"""Time the residual files of 100,000 units: ``PYTHONPATH=. python tests/bench/bench_residuals.py``."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import hlmbayes as hlm
from hlmbayes.residuals.files import write_residuals

MODEL = "y = b0 + b1*group(x) + r\nb0 = g00 + g01*w + u0\nb1 = g10 + g11*w + u1"


def simulated(n_units: int, n_rows: int = 8) -> Any:
    """A fit of a model with a random intercept and slope to n_units * n_rows rows."""
    rng = np.random.default_rng(0)
    unit = np.repeat(np.arange(n_units), n_rows)
    w, x, u = rng.normal(size=n_units), rng.normal(size=len(unit)), rng.normal(size=(n_units, 2))
    y = w[unit] + u[unit, 0] + (1 + 0.5 * u[unit, 1]) * x + 2 * rng.normal(size=len(unit))
    return hlm.Model(MODEL).fit(hlm.read({"id": unit, "y": y, "x": x}, {"id": np.arange(n_units), "w": w}))


def seconds(task: Callable[[], Any]) -> float:
    start = time.perf_counter()
    task()
    return time.perf_counter() - start


if __name__ == "__main__":
    fit = simulated(100_000)
    frame = fit.residuals()
    print(f"residuals(level=2)  {seconds(fit.residuals):6.2f} s")
    with tempfile.TemporaryDirectory() as folder:
        for suffix in (".sav", ".dta", ".xpt", ".csv", ".parquet"):
            path = Path(folder) / f"resfil2{suffix}"
            print(f"write {suffix:<14}{seconds(lambda path=path: write_residuals(frame, path)):6.2f} s")
    print(f"residuals(level=1)  {seconds(lambda: fit.residuals(level=1)):6.2f} s")
    print(f"influence()         {seconds(fit.influence):6.2f} s")
