"""Outcomes that a law cannot give: one line that says so, whatever the command, and no result."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import hlmbayes as hlm
from hlmbayes.cli import main
from hlmbayes.errors import HLMError

REST = " = b0 + b1*x\nb0 = g00 + g01*w + u0\nb1 = g10"
N = 60
RNG = np.random.default_rng(1)
HALF, COUNT, SUCCESSES = RNG.integers(0, 2, N), RNG.poisson(2, N), RNG.binomial(4, 0.5, N)
BASE = {
    "id": np.repeat(np.arange(6), 10), "x": RNG.normal(size=N).round(2), "e": np.full(N, 2.0),
    "w": np.repeat(RNG.normal(size=6).round(2), 10), "t": np.full(N, 4),
}  # fmt: skip
TRIALS, EXPOSED = "logit(y, trials=t)", "log(y, exposure=e)"


def put(values: np.ndarray, value: float) -> np.ndarray:
    """Put a wrong value into the fourth row."""
    return np.where(np.arange(N) == 3, value, values)


WRONG = {  # left side, what is changed of the data, what is said
    "0, 1 and 2": ("logit(y)", {"y": put(HALF, 2)}, "is 0 or 1 in every row, and y is also 2"),
    "never": ("logit(y)", {"y": 0 * HALF}, "y is never a success"),
    "always": ("probit(y)", {"y": 0 * HALF + 1}, "y is always a success"),
    "three words": (
        "logit(y)", {"y": np.where(BASE["id"] > 4, "maybe", np.where(HALF, "yes", "no"))},
        "two values, and y has 3: maybe, no, yes",
    ),
    "words to count": ("log(y)", {"y": np.where(HALF, "yes", "no")}, "is not numeric"),
    "missing": ("logit(y)", {"y": np.full(N, np.nan)}, "y has no value at all"),
    "of level 2": ("logit(y)", {"y": BASE["id"] % 2}, "the rows of each unit have one and the same y"),
    "one unit": ("logit(y)", {"y": HALF, "id": np.ones(N)}, "there is one unit"),
    "single rows": ("logit(y)", {"y": HALF, "id": np.arange(N)}, "every unit has a single row of one trial"),
    "no trials": (TRIALS, {"y": put(SUCCESSES, 0), "t": put(BASE["t"], 0)}, "t is 0 (such rows: 1)"),
    "few trials": (TRIALS, {"y": put(SUCCESSES, 5)}, "y is 5 where t is 4: more successes than trials"),
    "half a success": (TRIALS, {"y": SUCCESSES / 2}, "such rows"),
    "negative": ("log(y)", {"y": put(COUNT, -1)}, "whole numbers of at least 0, and y is -1 (such rows: 1)"),
    "no count": ("log(y)", {"y": put(COUNT, 1.5)}, "y is 1.5 (such rows: 1)"),
    "no exposure": (EXPOSED, {"y": COUNT, "e": put(BASE["e"], 0)}, "it is 0 (such rows: 1)"),
    "only zeros": ("log(y)", {"y": 0 * COUNT}, "y is 0 in every row"),
    "one rating": ("cumlogit(y)", {"y": 0 * COUNT + 3}, "y is 3 in every row"),
    "two ratings": ("cumlogit(y)", {"y": HALF}, "two categories, 0 and 1: write logit(y)"),
    "many ratings": ("cumlogit(y)", {"y": BASE["x"]}, "at most 30 categories"),
    "one choice": ("mlogit(y)", {"y": 0 * COUNT + 3}, "y is 3 in every row"),
    "many choices": ("mlogit(y)", {"y": BASE["x"]}, "at most 10 categories"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.parametrize("algorithm", ["exact", "hlm"])
def test_a_wrong_outcome_is_refused_in_one_line(case, algorithm, tmp_path, capsys):
    left, changed, message = WRONG[case]
    frame = pd.DataFrame({**BASE, **changed})
    frame.to_csv(tmp_path / "rows.csv", index=False)
    source = ["--equations", f"{left}{REST}", "--level1", str(tmp_path / "rows.csv"), "--id", "id"]
    with pytest.raises(HLMError) as refused:
        hlm.Model(f"{left}{REST}").fit(hlm.read(frame, id="id"), algorithm=algorithm)
    assert message in str(refused.value)
    for command in ("run", "plot") if algorithm == "hlm" else ("run", "summary", "predict", "plot"):
        assert main([command, *source, "--algorithm", algorithm]) == 2
        out, err = capsys.readouterr()
        assert (out, len(err.splitlines())) == ("", 1)
        assert message in err


@pytest.fixture
def saved(tmp_path: Path) -> str:
    data = hlm.read(pd.DataFrame({**BASE, "y": HALF}), id="id")
    hlm.Model(f"logit(y){REST}").save(tmp_path / "m.hlm", data)
    return str(tmp_path / "m.hlm")


@pytest.mark.parametrize("command", ["run", "summary", "predict", "table", "plot", "sample"])
@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--known-variance", "e"], "is for normal outcomes, and y of this model is Bernoulli"),
        (["--method", "REML"], "has no restricted form: leave --method out"),
    ],
)
def test_what_is_of_normal_outcomes_is_refused_by_every_command(saved, command, more, message, capsys):
    if command == "sample" and "--method" in more:
        pytest.skip("a posterior has no method")
    exact = [] if command == "sample" else ["--algorithm", "exact"]
    seed = ["--seed", "1"] if command == "sample" else []
    assert main([command, saved, *more, *exact, *seed]) == 2
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    assert message in err
