"""How many units fit into memory, and beyond: seconds and peak memory of moments and fit, 4 rows a unit.

python -m tests.bench.many_units 1e6 5e6
python -m tests.bench.many_units --stream FOLDER 5e7    moments files written there, and a fit
python -m tests.bench.many_units --posterior 1e5

With --posterior: processor seconds of 4 x 1,000 draws, 45 rows a unit, by polynomials for the sums over units
and by the sums themselves.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import hlmbayes as hlm
from hlmbayes.density import sampled
from tests.bench import cases

ROWS = 4
FILE = 1_000_000  # units of a file


def data(n_units: int, first: int = 0) -> Any:
    """Simulate model 4 with few rows a unit; ``first`` is the id of the first."""
    rng = np.random.default_rng(1 + first)
    unit = np.repeat(np.arange(n_units, dtype=np.int32), ROWS)
    w1, w2 = (rng.random(n_units) < 0.44).astype(float), 0.41 * rng.standard_normal(n_units)
    x = w2[unit] + 0.66 * rng.standard_normal(len(unit))
    b0 = 12.1 + 1.23 * w1 + 5.33 * w2 + 1.5 * rng.standard_normal(n_units)
    b1 = 2.94 - 1.64 * w1 + 1.03 * w2 + 0.5 * rng.standard_normal(n_units)
    y = b0[unit] + b1[unit] * x + 6.06 * rng.standard_normal(len(unit))
    level2 = {"id": first + np.arange(n_units, dtype=np.int32), "w1": w1, "w2": w2}
    return hlm.read({"id": first + unit, "y": y, "x": x}, level2, id="id")


def timed(what: str, work: Callable[[], Any]) -> Any:
    """Do it and say how long it took and the peak so far."""
    clock = time.perf_counter()
    result = work()
    print(f"  {what:8} {time.perf_counter() - clock:7.2f} s, peak {cases.rss('VmHWM') / 1000:.2f} GB")
    return result


def posterior(n_units: int) -> None:
    """Time the direct sampler both ways."""
    case, model = cases.simulate(n_units), hlm.Model(cases.MODELS["model 4"])
    level1 = {"id": case["id"].astype(int), "y": case["y"], "x": case["x"]}
    level2 = {"id": np.arange(n_units), "w1": case["w1"], "w2": case["w2"]}
    moments = hlm.moments(hlm.read(level1, level2, id="id"), model=model)
    del case, level1
    for name, many in (("polynomials", sampled.MANY_UNITS), ("sums", n_units + 1)):
        sampled.MANY_UNITS = many
        clock = time.process_time()
        post = timed(name, lambda: model.sample(moments, seed=1))
        print(f"  {time.process_time() - clock:.1f} s of processor time; {post.sampler}")


def stream(folder: Path, n_units: int) -> None:
    """Fit model 4 to moments files, of which a part is in memory at a time."""
    folder.mkdir(parents=True, exist_ok=True)
    model = hlm.Model(cases.MODELS["model 4"])
    for first in range(0, n_units, FILE):
        path = folder / f"{first:010d}.moments.parquet"
        if not path.exists():
            hlm.moments(data(min(FILE, n_units - first), first), model=model).save(path)
    paths = sorted(folder.glob("*.parquet"))
    print(f"{len(paths)} files, {sum(path.stat().st_size for path in paths) / 1e9:.2f} GB")
    moments = timed("open", lambda: hlm.stream_moments(paths))
    fit = timed("fit", lambda: model.fit(moments))
    timed("robust", lambda: fit.vcov_robust)
    print(fit)


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sizes", nargs="*", type=float, default=[1e6])
    parser.add_argument("--stream", type=Path)
    parser.add_argument("--posterior", action="store_true")
    args = parser.parse_args()
    if args.stream:
        return stream(args.stream, int(args.sizes[0]))
    if args.posterior:
        return posterior(int(args.sizes[0]))
    model = hlm.Model(cases.MODELS["model 4"])
    for size in map(int, args.sizes):
        print(f"{size:,} units")
        rows = timed("data", lambda size=size: data(size))
        moments = timed("moments", lambda rows=rows: hlm.moments(rows, model=model))
        del rows
        fit = timed("fit", lambda moments=moments: model.fit(moments))
        print(f"  converged: {fit.converged}")
    return None


if __name__ == "__main__":
    main()
