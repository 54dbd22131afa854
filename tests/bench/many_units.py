"""How many units fit into memory: seconds and peak memory of moments and fit, 4 rows a unit.

python -m tests.bench.many_units 1e6 5e6
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import hlmbayes as hlm
from tests.bench import cases

ROWS = 4


def data(n_units: int) -> Any:
    """Simulate model 4 with few rows a unit."""
    rng = np.random.default_rng(1)
    unit = np.repeat(np.arange(n_units, dtype=np.int32), ROWS)
    w1, w2 = (rng.random(n_units) < 0.44).astype(float), 0.41 * rng.standard_normal(n_units)
    x = w2[unit] + 0.66 * rng.standard_normal(len(unit))
    b0 = 12.1 + 1.23 * w1 + 5.33 * w2 + 1.5 * rng.standard_normal(n_units)
    b1 = 2.94 - 1.64 * w1 + 1.03 * w2 + 0.5 * rng.standard_normal(n_units)
    y = b0[unit] + b1[unit] * x + 6.06 * rng.standard_normal(len(unit))
    level2 = {"id": np.arange(n_units, dtype=np.int32), "w1": w1, "w2": w2}
    return hlm.read({"id": unit, "y": y, "x": x}, level2, id="id")


def timed(what: str, work: Callable[[], Any]) -> Any:
    """Do it and say how long it took and the peak so far."""
    clock = time.perf_counter()
    result = work()
    print(f"  {what:8} {time.perf_counter() - clock:7.2f} s, peak {cases.rss('VmHWM') / 1000:.2f} GB")
    return result


def main() -> None:
    model = hlm.Model(cases.MODELS["model 4"])
    for size in sys.argv[1:] or ["1e6"]:
        print(f"{int(float(size)):,} units")
        rows = timed("data", lambda size=size: data(int(float(size))))
        moments = timed("moments", lambda rows=rows: hlm.moments(rows, model=model))
        del rows
        fit = timed("fit", lambda moments=moments: model.fit(moments))
        print(f"  converged: {fit.converged}")


if __name__ == "__main__":
    main()
