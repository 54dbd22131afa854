"""How many processor instructions five kernels take: speed that no other process on the machine disturbs.

    python -m tests.bench.instructions          compare with those stored; fails above +15 %
    python -m tests.bench.instructions store    store those of now

valgrind counts (Debian: apt-get install valgrind). Counts depend on the releases of Python, NumPy and SciPy,
and are compared with stored ones of the same releases only: constraints.txt pins them.
"""

from __future__ import annotations

import gc
import json
import math
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import scipy

import hlmbayes as hlm
from hlmbayes.density.batch import evaluate_batch
from hlmbayes.density.target import target_for
from hlmbayes.estimation.prepare import prepare
from hlmbayes.hglm.counted_rows import counted_rows
from hlmbayes.hglm.marginal import marginal
from hlmbayes.hglm.quadrature import product_rule
from hlmbayes.laws.ordinal import law_of
from hlmbayes.likelihood.build_design import build_design
from hlmbayes.likelihood.evaluate import evaluate, standardise
from tests.bench import cases

STORED = Path(__file__).with_name("instructions.json")
MORE = 0.15  # of the stored count, from which on a kernel has become slow
MARK = "getppid"  # a call of libc's: valgrind writes down what it has counted so far
WARM = 2  # runs before the one that counts: what is imported or tabulated at first use is not the kernel's
UNITS, POINTS = 1000, 100
BINARY = "logit(pass) = b0 + b1*x; b0 = g00 + g01*w1 + u0; b1 = g10 + u1"


def kernels() -> dict[str, Callable[[], object]]:
    """Give a pass over rows, the likelihood, a fit, a posterior density, and a likelihood by quadrature."""
    model, case = hlm.Model(cases.MODELS["model 4"]), cases.simulate(UNITS)
    level1 = {"id": case["id"].astype(int), "y": case["y"], "x": case["x"]}
    level1["pass"] = (case["y"] > 12.0).astype(float)
    level2 = {"id": np.arange(UNITS), "w1": case["w1"], "w2": case["w2"]}
    data = hlm.read(level1, level2, id="id")
    moments = hlm.moments(data, model=model)
    design = build_design(model, moments)
    system, half = standardise(design), 0.5 * np.eye(2)
    target = target_for(model, data, None)
    phi = 1.0 + 0.1 * np.random.default_rng(1).normal(size=(POINTS, target.size))
    binary = hlm.Model(BINARY)
    law = law_of(binary.outcome_law)
    prepared = prepare(binary, data, law=law)
    rows = counted_rows(prepared.design, data, law)
    gamma, start, rule = np.zeros(rows.n_fixed), np.zeros((2, UNITS)), product_rule((7, 5))
    return {
        "rows to moments": lambda: hlm.moments(replace(data), model=model),  # the same data keep theirs
        "likelihood at a point": lambda: evaluate(system, half),
        "moments to fit": lambda: model.fit(moments),
        "posterior density": lambda: evaluate_batch(target, phi),
        "quadrature at a point": lambda: marginal(rows, law, gamma, half, rule, start),
    }


def run() -> None:
    """Run each kernel between two marks; what valgrind counts."""
    for name, kernel in kernels().items():
        for _ in range(WARM):
            kernel()
        gc.collect()
        os.getppid()
        kernel()
        os.getppid()
        print(name)


def counted() -> dict[str, float]:
    """Count the instructions of each kernel, in millions."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            "valgrind",
            "--tool=callgrind",
            f"--dump-before={MARK}",
            f"--callgrind-out-file={folder}/n",
        ]
        env = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
        line = [*command, sys.executable, "-m", "tests.bench.instructions", "run"]
        done = subprocess.run(line, env=env, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(done.stderr[-2000:])
        names = done.stdout.splitlines()
        # the dump before a mark holds what came since the mark before: 2, 4, ... are the kernels'
        totals = [_total(Path(folder, f"n.{2 * k}")) for k in range(1, len(names) + 1)]
    return dict(zip(names, totals, strict=True))


def _total(path: Path) -> float:
    return int(path.read_text().rpartition("totals:")[2]) / 1e6


def releases() -> dict[str, str]:
    """Say of what the counts are."""
    named = {"python": platform.python_version(), "numpy": np.__version__, "scipy": scipy.__version__}
    return named | {"machine": platform.machine()}


def compare(now: dict[str, float], before: dict[str, float]) -> list[str]:
    """Print the counts, in millions, and give the names of those that have grown too much."""
    slow = []
    for name in before | now:
        old, new = before.get(name, math.nan), now.get(name, math.nan)
        print(f"{name:24} {old:10.2f} {new:10.2f}  {new / old - 1:+8.1%}")
        if not new <= (1 + MORE) * old:
            slow.append(name)
    return slow


def main() -> None:
    """Run, store or compare."""
    asked = sys.argv[1:]
    if asked == ["run"]:
        run()
    elif asked == ["store"]:
        STORED.write_text(json.dumps({"releases": releases(), "millions": counted()}, indent=1) + "\n")
    else:
        stored = json.loads(STORED.read_text())
        if shutil.which("valgrind") is None:
            print("not compared: valgrind is not installed (apt-get install valgrind)")
        elif stored["releases"] != releases():
            print(f"not compared: counts are stored for {stored['releases']}, these are {releases()}")
        elif slow := compare(counted(), stored["millions"]):
            raise SystemExit(
                f"more than {MORE:.0%} slower: {', '.join(slow)}. Mend it, or store the new counts"
            )


if __name__ == "__main__":
    main()
