"""A binary outcome as HLM fits it: who repeats a grade, pupils in schools (simulated).

python examples/repeated_grade.py [FOLDER]: writes a command file with its data into FOLDER (by default a
temporary one), runs it as `hlmbayes run repeat.hlm` does, and shows what exp of the effects says.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

import hlmbayes as hlm
from hlmbayes.cli.command import main

MODEL = """
    logit(repeat) = b0 + b1*male + b2*pped
    b0 = g00 + g01*grand(meanses) + u0
    b1 = g10
    b2 = g20
"""


def simulated(n_schools: int = 120, seed: int = 18) -> pd.DataFrame:
    """Pupils in schools: log odds -2 with a standard deviation of 1.1 between schools."""
    rng = np.random.default_rng(seed)
    school = np.repeat(np.arange(1, n_schools + 1), rng.integers(8, 30, n_schools))
    male, pped = rng.integers(0, 2, len(school)), rng.integers(0, 2, len(school))
    meanses, u = rng.normal(0, 0.4, n_schools).round(2), rng.normal(0, 1.1, n_schools)
    eta = -2.0 + 0.5 * male - 0.6 * pped + (-0.3 * meanses + u)[school - 1]
    repeat = rng.random(len(school)) < 1 / (1 + np.exp(-eta))
    values = {"school": school, "repeat": repeat.astype(int), "male": male, "pped": pped}
    return pd.DataFrame(values | {"meanses": meanses[school - 1]})


def run(folder: Path) -> None:
    data = hlm.read(simulated(), id="school")
    model = hlm.Model(MODEL)
    model.save(folder / "repeat.hlm", data)
    print((folder / "repeat.hlm").read_text())
    assert main(["run", str(folder / "repeat.hlm"), "--json", str(folder / "repeat.json")]) == 0
    fit = model.fit(data, algorithm="hlm")
    print(fit.ratios().round(3))
    print(fit.ratios(average=True).round(3))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        run(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as folder:
            run(Path(folder))
