"""How long outcomes that are not normal take: python tests/bench/hglm.py [UNITS] [ROWS A UNIT].

Binary rows with a continuous predictor, one and two random effects; beside it lme4 and glmmTMB by Laplace's
approximation where Rscript has them and --r is given.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

import hlmbayes as hlm

R = """
suppressPackageStartupMessages({library(lme4); library(glmmTMB)})
d <- read.csv(commandArgs(TRUE)[1])
for (f in c("y ~ x + w + (1 | id)", "y ~ x + w + (x | id)")) {
  t <- system.time(m <- glmer(as.formula(f), d, family = binomial, nAGQ = if (grepl("1 [|]", f)) 9 else 1))[3]
  cat(sprintf("glmer    %-24s %8.2f s\\n", f, t))
  t <- system.time(m <- glmmTMB(as.formula(f), d, family = binomial))[3]
  cat(sprintf("glmmTMB  %-24s %8.2f s  deviance %.4f\\n", f, t, -2 * as.numeric(logLik(m))))
}
"""


def simulated(J: int, n: int) -> pd.DataFrame:
    """Give J units of n rows."""
    rng = np.random.default_rng(1)
    unit = np.repeat(np.arange(J), n)
    x, w, u = rng.normal(size=J * n), rng.normal(size=J), rng.normal(size=(J, 2))
    eta = -1 + 0.5 * x + 0.3 * w[unit] + u[unit, 0] + 0.4 * u[unit, 1] * x
    y = (rng.random(J * n) < 1 / (1 + np.exp(-eta))).astype(int)
    return pd.DataFrame({"id": unit, "x": x, "w": w[unit], "y": y})


def main() -> None:
    """Time every fit once, after one that warms up."""
    sizes = [int(a) for a in sys.argv[1:] if not a.startswith("-")]
    frame = simulated(*(sizes or [400, 25]))
    data = hlm.read(frame, id="id")
    for u1 in ("", " + u1"):
        model = hlm.Model(f"logit(y) = b0 + b1*x; b0 = g00 + g01*w + u0; b1 = g10{u1}")
        start = time.perf_counter()
        fit = model.fit(data)
        spent = time.perf_counter() - start
        print(f"hlmbayes {'two' if u1 else 'one'} {spent:8.3f} s  {fit.integration}")
        print(f"         deviance {fit.deviance:.6f}, {fit.iterations} iterations")
    if "--r" in sys.argv:
        with tempfile.TemporaryDirectory() as folder:
            script, rows = Path(folder, "b.R"), Path(folder, "rows.csv")
            script.write_text(R)
            frame.to_csv(rows, index=False)
            subprocess.run(["Rscript", str(script), str(rows)], check=True)


if __name__ == "__main__":
    main()
