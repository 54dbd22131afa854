"""How long outcomes that are not normal take: python -m tests.bench.hglm [UNITS ...] [--rows N] [--no-r].

Binary rows with a continuous predictor, one random effect and two. Every tool's estimates are judged by one
formula, the deviance by adaptive quadrature with 35 nodes along each direction. lme4 (9 nodes for one effect,
Laplace's approximation for both) and glmmTMB take part where Rscript has them; mixedlm, and bambi (medians of
4 x 1,000 draws, effects uncorrelated) with few units, where they are installed. Processor time stands beside
seconds: on a machine that does other things it is what can be compared.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple
from warnings import catch_warnings

import numpy as np
import pandas as pd

import hlmbayes as hlm
from hlmbayes.estimation.prepare import prepare
from hlmbayes.faces import record_of
from hlmbayes.hglm.counted_rows import counted_rows
from hlmbayes.hglm.marginal import loglik
from hlmbayes.hglm.quadrature import product_rule
from hlmbayes.laws.outcomes import Binomial
from hlmbayes.likelihood.symmetric import semidefinite_root

R = """
suppressPackageStartupMessages({library(lme4); library(glmmTMB); library(jsonlite)})
d <- read.csv(commandArgs(TRUE)[1]); two <- commandArgs(TRUE)[2] == "2"
f <- if (two) y ~ x + w + (x | id) else y ~ x + w + (1 | id)
said <- function(tool, t, m, fixed, tau)
  cat(toJSON(list(tool = tool, seconds = t[[3]], cpu = t[[1]] + t[[2]], gamma = unname(fixed),
    tau = unname(matrix(tau, if (two) 2 else 1)), warns = ""), auto_unbox = TRUE, digits = NA), "\\n")
for (n in if (two) 1 else c(9, 1)) {
  t <- system.time(m <- suppressWarnings(glmer(f, d, family = binomial, nAGQ = n)))
  said(sprintf("glmer, nAGQ = %d", n), t, m, fixef(m), VarCorr(m)$id)
}
t <- system.time(m <- suppressWarnings(glmmTMB(f, d, family = binomial)))
said("glmmTMB", t, m, fixef(m)$cond, VarCorr(m)$cond$id)
"""
MODEL = "logit(y) = b0 + b1*x; b0 = g00 + g01*w + u0; b1 = g10"
FEW = 160  # units that bambi is tried with
NODES, LONG = 35, 2.0  # a fit that takes so many seconds is timed once, another the median of five


class Found(NamedTuple):
    """What a tool found, and how long it took: seconds, and those of the processor."""

    tool: str
    seconds: float
    cpu: float
    gamma: np.ndarray  # of 1, x, w
    tau: np.ndarray


def simulated(J: int, n: int) -> pd.DataFrame:
    """Give J units of n rows."""
    rng = np.random.default_rng(1)
    unit = np.repeat(np.arange(J), n)
    x, w, u = rng.normal(size=J * n), rng.normal(size=J), rng.normal(size=(J, 2))
    eta = -1 + 0.5 * x + 0.3 * w[unit] + u[unit, 0] + 0.4 * u[unit, 1] * x
    y = (rng.random(J * n) < 1 / (1 + np.exp(-eta))).astype(int)
    return pd.DataFrame({"id": unit, "x": x, "w": w[unit], "y": y})


def own(model: hlm.Model, data: hlm.TwoLevelData) -> Found:
    """Fit here."""
    times: list[tuple[float, float]] = []
    while not times or (len(times) < 5 and times[0][0] < LONG):
        *took, fit = timed(lambda: model.fit(data))
        times.append((took[0], took[1]))
    seconds, used = (statistics.median(each) for each in zip(*times, strict=True))
    named = dict(zip(model.gamma_names, np.asarray(fit.gamma), strict=True))
    gamma = np.array([named[code] for code in ("g00", "g10", "g01")])
    return Found(
        f"hlmbayes ({' x '.join(map(str, record_of(fit).n_nodes))})",
        seconds,
        used,
        gamma,
        np.asarray(fit.tau),
    )


def of_r(frame: pd.DataFrame, effects: int) -> Iterator[Found]:
    """Fit with lme4 and glmmTMB."""
    with tempfile.TemporaryDirectory() as folder:
        script, rows = Path(folder, "fit.R"), Path(folder, "rows.csv")
        script.write_text(R)
        frame.to_csv(rows, index=False)
        done = subprocess.run(
            ["Rscript", str(script), str(rows), str(effects)], check=True, capture_output=True, text=True
        )
    for line in done.stdout.splitlines():
        said = json.loads(line)
        tau = np.array(said["tau"], dtype=float).reshape(effects, effects)
        yield Found(said["tool"], said["seconds"], said["cpu"], np.array(said["gamma"]), tau)


def of_python(frame: pd.DataFrame, effects: int) -> Iterator[Found]:
    """Fit with mixedlm and, where units are few, bambi."""
    group = "x | id" if effects == 2 else "1 | id"
    if find_spec("mixedlm") is not None:
        from mixedlm import families, glmer

        for n in (9, 1) if effects == 1 else (1,):
            with catch_warnings(action="ignore"):
                seconds, cpu, fit = timed(
                    lambda n=n: glmer(f"y ~ x + w + ({group})", frame, family=families.Binomial(), nAGQ=n)
                )
            root = np.zeros((effects, effects))
            root.T[np.triu_indices(effects)] = fit.theta  # the lower triangle by columns
            gamma = np.array(list(fit.fixef().values()))
            yield Found(f"mixedlm, nAGQ = {n}", seconds, cpu, gamma, root @ root.T)
    if find_spec("bambi") is not None and frame["id"].nunique() <= FEW:
        import bambi

        model = bambi.Model(f"y ~ x + w + ({group})", frame, family="bernoulli")
        asked = {"draws": 1000, "tune": 1000, "chains": 4, "cores": 2, "random_seed": 1, "progressbar": False}
        with catch_warnings(action="ignore"):
            seconds, cpu, drawn = timed(lambda: model.fit(**asked))
        median = drawn.posterior.median(("chain", "draw"))
        names = ("1|id_sigma", "x|id_sigma")[:effects]
        gamma = np.array([float(median[name]) for name in ("Intercept", "x", "w")])
        yield Found("bambi", seconds, cpu, gamma, np.diag([float(median[name]) ** 2 for name in names]))


def timed(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """Give the seconds of some work, those of the processor, and its result."""
    start, cpu = time.perf_counter(), sum(os.times()[:4])
    result = work()
    return time.perf_counter() - start, sum(os.times()[:4]) - cpu, result


def deviance(model: hlm.Model, data: hlm.TwoLevelData, found: Found) -> float:
    """Give the deviance at a tool's estimates, by one formula for all."""
    law = Binomial()
    design = prepare(model, data, law=law).design
    rows = counted_rows(design, data, law)
    order = [("g00", "g10", "g01").index(code) for code in model.gamma_names]
    gamma = np.linalg.solve(design.to_gamma, found.gamma[order])
    q = len(found.tau)
    root = semidefinite_root(rows.tau_columns.from_data(found.tau))
    rule = product_rule((NODES,) * q)
    return -2.0 * loglik(rows, law, gamma, root, rule, np.zeros((q, rows.n_units)))


def main() -> None:
    """Print a table."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("units", nargs="*", type=int, default=[160, 1000, 10_000, 100_000])
    asked.add_argument("--rows", type=int, default=45, help="of each unit")
    asked.add_argument("--no-r", action="store_true", help="this package alone")
    given = asked.parse_args()
    with_r = shutil.which("Rscript") is not None and not given.no_r
    print(
        "| units | random effects | tool | seconds | processor | times hlmbayes | deviance above the best |"
    )
    print("|---:|---:|---|---:|---:|---:|---:|")
    for J in given.units:
        frame = simulated(J, given.rows)
        data = hlm.read(frame, id="id")
        for effects in (1, 2):
            model = hlm.Model(MODEL + (" + u1" if effects == 2 else ""))
            all_of = [
                own(model, data),
                *(of_r(frame, effects) if with_r else ()),
                *of_python(frame, effects),
            ]
            reached = [deviance(model, data, each) for each in all_of]
            for each, value in zip(all_of, reached, strict=True):
                print(
                    f"| {J:,} | {effects} | {each.tool} | {each.seconds:.3g} | {each.cpu:.3g} "
                    f"| {each.seconds / all_of[0].seconds:.1f} | {value - min(reached):.5f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
