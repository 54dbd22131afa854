"""Effective draws per second on HSB model 4: hlmbayes beside bambi, each in fresh processes, in one run.

    python -m tests.bench.bench_posterior [--bambi PYTHON] [--repeat N] [--json FILE]

``--bambi``: the interpreter of an environment with bambi and nutpie (default: this one). Every engine draws
4 chains of 1,000 after 1,000; engines take turns, and the table has medians over the seeds. "process" is the
process from start to end, imports, reading of the data and compilation included; "after imports" leaves the
imports out; "sampling" is the sampler alone. The effective number is the smallest bulk ESS over gamma, the
standard deviations and sigma. "first run" starts without compiled code on disk. "times bambi" compares with
the best of bambi's rows of the same kind: first runs with first runs, later ones with later ones. bambi's
random effects of a unit are independent, hlmbayes' are correlated: hlmbayes has one parameter more.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
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
import hlmbayes.front.model, pyreadstat  # else imported when they are used
if sys.argv[1] == "nuts": import nutpie, numba
imported = time.perf_counter()
data = hlm.datasets.hsb()
model = hlm.Model('''mathach = b0 + b1*group(ses) + r
b0 = g00 + g01*sector + g02*meanses + u0
b1 = g10 + g11*sector + g12*meanses + u1''')
post = model.sample(data, sampler=sys.argv[1], seed=int(sys.argv[2]))
done = time.perf_counter()
from hlmbayes.posterior.mixing import mixing
names = [*model.gamma_names, "sd[b0]", "sd[b1]", "sigma"]
ess = mixing(np.stack([post[n] for n in names])).ess_bulk.min()
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


def run(python: str, code: str, *arguments: str, **environment: str) -> dict[str, float]:
    """Run code in a fresh process and read the JSON it prints last."""
    settings = {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore", "OMP_NUM_THREADS": "1"}
    begun = time.perf_counter()
    done = subprocess.run(
        [python, "-c", code, *arguments], capture_output=True, text=True, check=False,
        env={**os.environ, **settings, **environment},
    )  # fmt: skip
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


def measure(bambi: str, repeat: int) -> dict[str, list[dict[str, float]]]:
    """Run every engine ``repeat`` times, in turns, so that a busy machine is busy for all."""
    results: dict[str, list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        rows = write_rows(folder)
        for seed in map(str, range(1, repeat + 1)):
            place = Path(folder) / f"compiled{seed}"
            empty = {"NUMBA_CACHE_DIR": str(place), "PYTENSOR_FLAGS": f"base_compiledir={place}"}
            for name in ("nutpie, first run", "nutpie", "pymc"):  # what the first compiles the others find
                done = run(bambi, BAMBI, name.split(",")[0], seed, rows, **empty)
                results.setdefault(f"bambi, {name}", []).append(done)
            for name in ("nuts, first run", "nuts", "direct"):
                done = run(sys.executable, OURS, name.split(",")[0], seed, **empty)
                results.setdefault(f"hlmbayes, {name}", []).append(done)
    return results


def show(results: dict[str, list[dict[str, float]]]) -> str:
    """Make the table, in Markdown: medians, and effective draws a second as multiples of bambi's best."""
    spans = ("process", "after_imports", "sampling")
    median = {
        name: {key: statistics.median(r[key] for r in runs) for key in ("ess", *spans)}
        for name, runs in results.items()
    }

    def times_bambi(name: str, span: str) -> float:
        kind = "first run" in name
        best = max(
            m["ess"] / m[span] for n, m in median.items() if "bambi" in n and ("first run" in n) == kind
        )
        return median[name]["ess"] / median[name][span] / best

    lines = [
        "| engine | ESS | process | after imports | sampling | ESS/s: process | after imports | sampling |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, m in median.items():
        seconds = " | ".join(f"{m[s]:.2f} s" for s in spans)
        rates = (
            f"{m['ess'] / m[s]:.0f}"
            + ("" if name.startswith("bambi") else f" ({times_bambi(name, s):.0f} times bambi)")
            for s in spans
        )
        lines.append(f"| {name} | {m['ess']:.0f} | {seconds} | {' | '.join(rates)} |")
    checks = [
        f"{name}, seed {k}: {r['check']}" for name, runs in results.items() for k, r in enumerate(runs, 1)
    ]
    return "\n".join([*lines, "", *checks])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bambi", default=sys.executable)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json")
    args = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    results = measure(args.bambi, args.repeat)
    print(show(results))
    if args.json:
        Path(args.json).write_text(json.dumps(results, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
