"""`hlmbayes predict`: what Python gives, on the screen or in a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import hlmbayes as hlm
from hlmbayes.cli import main

MODEL = str(Path(__file__).parents[2] / "models" / "model4_intercepts_slopes.hlm")


def test_rows_slopes_and_means(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "p.csv"
    assert main(["predict", MODEL, "--out", str(out), "--interval", "confidence"]) == 0
    written = pd.read_csv(out)
    fit = hlm.read_command_file(MODEL).model.fit(hlm.datasets.hsb(), algorithm="hlm")
    assert np.allclose(written["predicted"], fit.predict()["predicted"])
    assert "7,185 rows" in capsys.readouterr().out
    assert main(["predict", MODEL, "--slopes", "ses", "--by", "meanses=0,0.5", "--at", "sector=1"]) == 0
    said = capsys.readouterr().out
    assert "Slope of ses at meanses = 0.5" in said
    assert "Johnson-Neyman" in said
    assert main(["predict", MODEL, "--means", "sector"]) == 0
    assert "0 - 1:" in capsys.readouterr().out
    new = tmp_path / "new.csv"
    new.write_text("id,ses,sector,meanses\n1224,0.5,0,0.1\n9999,0.5,1,0.1\n")
    assert main(["predict", MODEL, "--new", str(new), "--level", "2"]) == 0
    assert "15.471" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--slopes", "ses", "--means", "sector"], "one at a time"),
        (["--out", "x.sav"], ".csv"),
        (["--slopes", "nothing"], "not a variable"),
        (["--slopes", "ses", "--by", "sector="], "NAME=VALUE"),
    ],
)
def test_refusals(options: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", MODEL, *options]) == 2
    assert said in capsys.readouterr().err
