"""What a file of equations says beside them: options of command files, replicate weights, imputed data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hlmbayes.cli import main
from hlmbayes.data.imputed import read_imputed
from hlmbayes.data.weights import Frequencies
from hlmbayes.datasets import hsb_paths
from hlmbayes.equations.model import TwoLevelModel
from hlmbayes.errors import CommandFileError
from hlmbayes.front.imputed_fits import fit_imputed
from hlmbayes.runs.jobs import job_from_equations

EQUATIONS = "y = b0 + b1*x + r\nb0 = g00 + u0\nb1 = g10"


def test_options_of_command_files_stand_before_equations():
    text = (
        "data: a.csv\nnumit: 500,y\ngamma1: 0,1\nhomvar: y\nresfil2: y/size\nlevel1weight: w\n"
        "deviance: 10.5\ndf: 3\nhlm: 7\nmethod: ML\n"
    )
    options = job_from_equations(text + EQUATIONS).options
    assert (options.max_iterations, options.keep_going, options.method, options.hlm) == (500, True, "ML", "7")
    assert options.hypotheses == (((0.0, 1.0),),)
    assert (options.homogeneity, options.level1_weight, options.deviance, options.df) == (True, "w", 10.5, 3)
    assert options.residuals2 is not None
    assert options.residuals2.variables == ("size",)


def test_what_no_command_file_can_say():
    text = (
        "data: a.csv\nreplicates: w1-w80\nreplicate_method: fay\nfay: 0.3\nreplicates_of: total\n"
        "sampling_from: first\nfrequency: n\nimputed: b.csv, c.csv\n"
    )
    job = job_from_equations(text + EQUATIONS, folder=Path("there"))
    assert job.replication is not None
    assert (job.replication.names, job.replication.method, job.replication.fay) == (("w1-w80",), "fay", 0.3)
    assert (job.replication.of, job.sampling_from) == ("total", "first")
    assert job.level1["frequency"] == Frequencies("n")
    assert job.imputed == (Path("there/b.csv"), Path("there/c.csv"))
    with pytest.raises(CommandFileError, match="fay: much is not understood"):
        job_from_equations(f"data: a.csv\nreplicates: w\nreplicate_method: fay\nfay: much\n{EQUATIONS}")


def files(folder: Path) -> list[Path]:
    """Three imputed data sets: x is another in each."""
    rng = np.random.default_rng(1)
    unit = np.repeat(np.arange(20), 8)
    y = rng.normal(size=160) + rng.normal(size=20)[unit]
    made = []
    for k in range(3):
        x = y + rng.normal(size=160)
        rows = "\n".join(f"{j},{a:.4f},{b:.4f},{k + 1}" for j, a, b in zip(unit, y, x, strict=True))
        (folder / f"m{k}.csv").write_text(f"id,y,x,m\n{rows}\n")
        made.append(folder / f"m{k}.csv")
    stacked = "".join(file.read_text().partition("\n")[2] for file in made)
    (folder / "all.csv").write_text(f"id,y,x,m\n{stacked}")
    return made


def test_imputed_data_in_files_and_in_one_file(tmp_path):
    made = files(tmp_path)
    wanted = json.loads(
        fit_imputed(TwoLevelModel(EQUATIONS), read_imputed(list(map(str, made)), id="id")).to_json()
    )
    ways = {
        "files": "data: m0.csv\nimputed: m1.csv, m2.csv\nid: id\n",
        "one file": "data: all.csv\nimputed_by: m\nid: id\n",
    }
    for way, where in ways.items():
        (tmp_path / "model.txt").write_text(where + EQUATIONS)
        assert run(tmp_path, "model.txt")["fixed"] == wanted["fixed"], way
    (tmp_path / "bare.txt").write_text("data: m0.csv\nid: id\n" + EQUATIONS)
    assert run(tmp_path, "bare.txt", "--imputed", *map(str, made[1:]))["fixed"] == wanted["fixed"]


def run(folder: Path, file: str, *more: str) -> Any:
    """What the command line says."""
    out = folder / "out.json"
    assert (
        main(["run", str(folder / file), *more, "--json", str(out), "--output", str(folder / "l.txt")]) == 0
    )
    return json.loads(out.read_text())


@pytest.mark.parametrize("command", ["sample", "summary", "plot"])
def test_what_is_of_one_data_set_is_refused(command, tmp_path, capsys, monkeypatch):
    files(tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.txt").write_text("data: m0.csv\nimputed: m1.csv\nid: id\n" + EQUATIONS)
    assert main([command, "model.txt"]) == 2
    assert "of pooled data sets; take imputed: out" in capsys.readouterr().err


def test_two_kinds_of_imputed_data_are_refused(tmp_path, capsys):
    one, two = map(str, hsb_paths())
    text = f"data: {one}\nlevel2: {two}\nimputed_by: female\nplausvals: ses\n"
    (tmp_path / "model.txt").write_text(text + "mathach = b0 + r\nb0 = g00 + u0")
    assert main(["run", str(tmp_path / "model.txt")]) == 2
    assert "were asked for together" in capsys.readouterr().err
