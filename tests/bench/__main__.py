"""One table: time, peak memory, deviance reached and what each tool says, measured in one run.

    python -m tests.bench [--python OTHER ...] [--sizes 160 1000 10000 100000] [--json FILE]

Writes tests/bench/speed.json: machine, releases, medians; `python -m tests.bench.page` makes docs/speed.md's
table of it.

Cases: High School and Beyond, models 3 and 4; simulated from model 4 with a fixed seed, 45 rows a unit;
growth, four occasions that are the same for all of 125,066 units. Tools that are not installed are left out
with a reason; `--python` names interpreters that have some of them. Every tool runs in a process of its
own, whose peak memory above the data is reported; times are medians. "above best" is the REML deviance at a
tool's tau and sigma2, by one formula for all, minus the smallest: a tool that says it converged with 0.1
there has not found the optimum.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

import hlmbayes as hlm
from hlmbayes.likelihood.build_design import build_design
from hlmbayes.likelihood.criterion import criterion
from hlmbayes.likelihood.evaluate import evaluate, standardise
from hlmbayes.likelihood.system import data_scale, to_standard
from tests.bench import cases
from tests.bench.page import table

HERE = Path(__file__).parent
WAYS = {
    "arrays": "arrays -> Fit",
    "arrays, SE": "arrays -> Fit with all standard errors",
    "frames": "data frames + equations -> Fit",
    "moments": "moments -> Fit",
    "second": "a second model on the same data -> Fit",
}
IN_R = {"lmer": "lme4", "nlme optim": "nlme", "glmmTMB": "glmmTMB"}
OTHERS = (*IN_R, "mixedlm", "mixedlm_rs", "lme_python", "statsmodels", "bambi")
GROWTH = 125_066  # units
# seconds one fit may take to be tried again at ten times the units
LIMIT = {"lmer": 20.0, "nlme optim": 3.0, "mixedlm": 6.0, "statsmodels": 8.0, "bambi": 0.0}
LIMIT |= {"glmmTMB": 10.0, "mixedlm_rs": 20.0, "lme_python": 5.0}


@dataclass
class Result:
    """What one tool did on one case; ``excess`` is its deviance above the best."""

    case: str
    tool: str
    seconds: float
    peak: float
    excess: float = float("nan")
    says: str = ""


def command(tool: str, folder: Path, model: str, repeats: int, pythons: list[str]) -> list[str] | None:
    """Give the command line that runs a tool, None if nobody has it."""
    if tool in WAYS or tool in ("one pass", "rows -> moments"):
        return [sys.executable, "-m", "tests.bench.tool_hlmbayes", str(folder), model, tool, str(repeats)]
    rest = [str(folder), cases.LME4[model], tool, str(repeats)]
    if tool in IN_R:
        has = f'quit(status = !(requireNamespace("{IN_R[tool]}") && requireNamespace("jsonlite")))'
        if (
            shutil.which("Rscript") is None
            or subprocess.run(["Rscript", "-e", has], capture_output=True).returncode
        ):
            return None
        return ["Rscript", str(HERE / "tool_lmer.R"), *rest]
    for python in pythons:
        if subprocess.run([python, "-c", f"import {tool}"], capture_output=True).returncode == 0:
            return [python, str(HERE / "tool_python.py"), *rest]
    return None


def measure(tool: str, folder: Path, model: str, repeats: int, pythons: list[str]) -> dict[str, Any] | None:
    """Run a tool; None if it is missing."""
    line = command(tool, folder, model, repeats, pythons)
    if line is None:
        return None
    done = subprocess.run(line, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "2"})
    if done.returncode:
        return {"seconds": [float("nan")], "peak": float("nan"), "messages": [done.stderr.strip()[-200:]]}
    return json.loads(done.stdout.strip().splitlines()[-1])


class Judge:
    """The REML deviance at any tau and sigma2, gamma at its best."""

    def __init__(self, folder: Path, model: str) -> None:
        case = cases.load(folder)
        level2 = {"id": np.arange(len(case["w1"])), "w1": case["w1"], "w2": case["w2"]}
        data = hlm.read({"id": case["id"], "y": case["y"], "x": case["x"]}, level2, id="id")
        parsed = hlm.Model(cases.MODELS[model])
        self.system = standardise(build_design(parsed, hlm.moments(data, model=parsed)))

    def deviance(self, tau: Any, sigma2: Any) -> float:
        """Give the deviance at estimates of another tool."""
        s2 = float(np.ravel(sigma2)[0])
        theta, s2 = to_standard(self.system, np.asarray(tau, dtype=float), s2)
        values, vectors = np.linalg.eigh(theta)
        factor = vectors * np.sqrt(np.maximum(values, 0.0))
        at = evaluate(self.system, factor)
        return criterion(self.system, at, True, sigma2=s2).value + data_scale(self.system, True)


def run_case(
    name: str, folder: Path, model: str, tools: list[str], pythons: list[str], repeats: int
) -> Iterator[Result]:
    """Run every tool on a case."""
    judge, best, results = Judge(folder, model), np.inf, []
    for tool in tools:
        ours = tool in WAYS or tool in ("one pass", "rows -> moments")
        report = measure(tool, folder, model, repeats * (5 if ours else 1), pythons)
        if report is None:
            print(f"  {tool}: not installed", file=sys.stderr)
            continue
        peak = float(np.ravel(report["peak"])[0])
        result = Result(name, WAYS.get(tool, tool), statistics.median(report["seconds"]), peak)
        result.says = says(report)
        if "tau" in report:
            result.excess = judge.deviance(report["tau"], report["sigma2"])
            best = min(best, result.excess if tool != "bambi" else np.inf)
        results.append(result)
    for result in results:
        result.excess -= best
        yield result


def says(report: dict[str, Any]) -> str:
    """Put what a tool says of its convergence into a few words."""
    words = [message.replace("\n", " ")[:60] for message in report.get("messages", [])]
    converged = report.get("converged")
    if converged is not None and not np.all(converged) and not words:
        words.append("not converged")
    return "; ".join(words)


def rows(
    sizes: list[int], growth: int, pythons: list[str], folder: Path, skip: list[str]
) -> Iterator[Result]:
    """Run all cases, tools that became too slow left out of larger ones."""
    cases.save(cases.hsb(), folder / "hsb")
    everyone = [*WAYS, *(tool for tool in OTHERS if tool not in skip)]
    for model in ("model 3", "model 4"):
        yield from run_case(f"HSB {model}", folder / "hsb", model, everyone, pythons, 10)
    left = [tool for tool in everyone if tool != "bambi"]
    for size in sizes:
        place = folder / str(size)
        cases.save(cases.simulate(size), place)
        repeats = 10 if size < 2000 else 3 if size < 50_000 else 1
        tools = [*left, "rows -> moments", "one pass"]
        for result in run_case(f"J = {size}", place, "model 4", tools, pythons, repeats):
            if result.tool in LIMIT and not result.seconds < LIMIT[result.tool]:
                left.remove(result.tool)
            yield result
        shutil.rmtree(place)
    alone = [tool for tool in left if tool != "second"]  # it has one model
    cases.save(cases.growth(growth), folder / "growth")
    yield from run_case(f"growth, J = {growth}", folder / "growth", "growth", alone, pythons, 3)


def machine(pythons: list[str]) -> dict[str, Any]:
    """Say where and with what it was measured."""
    cpu = next((line for line in _lines("/proc/cpuinfo") if line.startswith("model name")), ":").split(":")
    versions = {"python": platform.python_version(), "hlmbayes": hlm.__version__}
    for tool in ("numpy", "scipy", *OTHERS):
        versions |= _version(tool, pythons)
    about = {"cores": os.cpu_count(), "cpu": cpu[1].strip(), "load": round(os.getloadavg()[0], 1)}
    return about | {"date": date.today().isoformat(), "versions": versions}


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []


def _version(tool: str, pythons: list[str]) -> dict[str, str]:
    """Find a tool's release; nothing where it is not installed."""
    if tool in IN_R:
        lines = [["Rscript", "-e", f'cat(as.character(packageVersion("{IN_R[tool]}")))']]
    else:
        code = f"from importlib.metadata import version; print(version({tool!r}))"
        lines = [[python, "-c", code] for python in pythons]
    for line in lines if tool not in IN_R or shutil.which("Rscript") else ():
        done = subprocess.run(line, capture_output=True, text=True)
        if not done.returncode:
            return {IN_R.get(tool, tool): done.stdout.strip()}
    return {}


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", action="append", default=[], help="an interpreter with other tools")
    parser.add_argument("--growth", type=int, default=GROWTH, help="units of that case")
    parser.add_argument("--sizes", type=int, nargs="*", default=[160, 1000, 10_000, 100_000])
    parser.add_argument("--skip", action="append", default=[], choices=OTHERS, help="leave a tool out")
    parser.add_argument("--json", type=Path, default=HERE / "speed.json")
    args = parser.parse_args()
    pythons = [sys.executable, *args.python]
    found = {"machine": machine(pythons), "results": []}
    with tempfile.TemporaryDirectory() as folder:
        for result in rows(args.sizes, args.growth, pythons, Path(folder), args.skip):
            print(f"  {result.case}: {result.tool} {result.seconds:.4g} s", file=sys.stderr, flush=True)
            found["results"].append(vars(result))
    args.json.write_text(json.dumps(found, indent=1) + "\n")
    print(table(found))


if __name__ == "__main__":
    main()
