"""Effective draws per second on HSB model 4: hlmbayes beside bambi, each in fresh processes, in one run.

    python tests/bench/bench_posterior.py [--bambi PYTHON] [--repeat N] [--json FILE]

``--bambi``: the interpreter of an environment with bambi and nutpie (default: this one). Every engine draws
4 chains of 1,000 after 1,000. Wall time is that of the process from its first line, imports, reading of the
data and compilation included; "after imports" leaves out the imports; sampling time is the sampler's alone.
The effective number is the smallest bulk ESS over gamma, the standard deviations and sigma. bambi's random
effects of a unit are independent, hlmbayes' are correlated: hlmbayes has one parameter more.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

OURS = """
import sys, time; begun = time.perf_counter()
import json
import numpy as np, hlmbayes as hlm
import hlmbayes.posterior.posterior, hlmbayes.posterior.summaries, arviz_stats.base, xarray
if sys.argv[1] == "nuts": import nutpie, numba
imported = time.perf_counter()
data = hlm.datasets.hsb()
model = hlm.Model('''mathach = b0 + b1*group(ses) + r
b0 = g00 + g01*sector + g02*meanses + u0
b1 = g10 + g11*sector + g12*meanses + u1''')
post = model.sample(data, sampler=sys.argv[1], seed=int(sys.argv[2]))
done = time.perf_counter()
from hlmbayes.posterior.summaries import diagnostics
names = [*model.gamma_names, "sd[b0]", "sd[b1]", "sigma"]
ess = min(diagnostics(post[n])["ess_bulk"] for n in names)
says = post.sampler
print(json.dumps({"wall": done - begun, "after_imports": done - imported, "ess": ess,
    "sampling": says.get("seconds_sampling", done - imported), "check": str(post.convergence)}))
"""

BAMBI = """
import sys, time; begun = time.perf_counter()
import json, logging
import bambi, pandas as pd, numpy as np
from arviz_stats.base import array_stats
if sys.argv[1] == "nutpie": import nutpie
imported = time.perf_counter()
data = pd.read_csv(sys.argv[3]); data["id"] = data["id"].astype(str)
model = bambi.Model("mathach ~ sector + meanses + cses + sector:cses + meanses:cses + (cses|id)", data)
options = dict(draws=1000, tune=1000, chains=4, random_seed=int(sys.argv[2]), progressbar=False)
trace = model.fit(inference_method=sys.argv[1], **options)
done = time.perf_counter()
names = ["Intercept", "sector", "meanses", "cses", "sector:cses", "meanses:cses", "1|id_sigma",
         "cses|id_sigma", "sigma"]
draws = trace["posterior"]
ess = min(float(array_stats.ess(draws[n].values, method="bulk")) for n in names)
attrs = {**trace["posterior"].attrs, **trace["sample_stats"].attrs}
print(json.dumps({"wall": done - begun, "after_imports": done - imported, "ess": ess,
    "sampling": attrs.get("sampling_time"), "check":
    f"{int(trace['sample_stats']['diverging'].values.sum())} divergences"}))
"""


def run(python: str, code: str, *arguments: str) -> dict[str, float]:
    """Run code in a fresh process and read the JSON it prints last."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore", "OMP_NUM_THREADS": "1"}
    begun = time.perf_counter()
    done = subprocess.run(
        [python, "-c", code, *arguments], capture_output=True, text=True, env=environment, check=False
    )
    if done.returncode:
        sys.exit(f"{arguments}: {done.stderr[-2000:]}")
    result: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    result["process"] = time.perf_counter() - begun
    return result


def write_rows(folder: str) -> str:
    """Write what bambi reads: ses minus its school's mean."""
    import pandas as pd

    import hlmbayes as hlm

    data = hlm.datasets.hsb()
    frame = pd.DataFrame({k.lower(): v for k, v in data.level1.items()})
    frame["id"] = data.unit_ids[data.unit]
    for name in ("sector", "meanses"):
        frame[name] = data.level2_column(name)[data.unit]
    frame["cses"] = frame["ses"] - frame.groupby("id")["ses"].transform("mean")
    path = str(Path(folder) / "rows.csv")
    frame.to_csv(path, index=False)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bambi", default=sys.executable)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--json")
    args = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    results: dict[str, list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        rows = write_rows(folder)
        for seed in range(1, args.repeat + 1):  # interleaved, so that a busy machine is busy for all
            for name in ("pymc", "nutpie"):
                results.setdefault(f"bambi {name}", []).append(run(args.bambi, BAMBI, name, str(seed), rows))
            for name in ("nuts", "direct"):
                results.setdefault(f"hlmbayes {name}", []).append(run(sys.executable, OURS, name, str(seed)))
    heads = ("ESS", "wall s", "sampling s", "ESS/s wall", "ESS/s after imports", "ESS/s sampling")
    widths = (8, 9, 12, 12, 21, 16)
    print("engine".ljust(18) + "".join(h.rjust(w) for h, w in zip(heads, widths, strict=True)))
    for name, runs in results.items():
        for r in runs:
            sampling = r["sampling"] or float("nan")
            print(
                f"{name:18}{r['ess']:8.0f}{r['wall']:9.2f}{sampling:12.2f}{r['ess'] / r['wall']:12.1f}"
                f"{r['ess'] / r['after_imports']:21.1f}{r['ess'] / sampling:16.1f}   {r['check']}"
            )
    if args.json:
        Path(args.json).write_text(json.dumps(results, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
