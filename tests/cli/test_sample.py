"""`hlmbayes sample` beside what tests/posterior has of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from hlmbayes import datasets
from hlmbayes.cli.command import main

MODELS = Path(__file__).parents[2] / "models"


def test_what_belongs_to_a_fit_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (MODELS / "model1_unconditional.hlm").read_text(encoding="utf-8")
    text = text.replace("homvar:n", "homvar:y\nresfil2:y").replace("mlf:n", "mlf:y")
    for name, content in (("m.hlm", text), ("f.hlm", text + "\nfixsigma2:36.0\n")):
        (tmp_path / name).write_text(content, encoding="utf-8")
    data = ["--level1", *map(str, datasets.hsb_paths()[:1]), "--id", "id", "--no-progress"]
    assert main(["sample", str(tmp_path / "m.hlm"), *data, "--draws", "200", "--seed", "1"]) == 0
    err = capsys.readouterr().err
    assert "left out: the test of homogeneity, residual files: hlmbayes run does this" in err
    assert "left out: mlf:y: the estimates beside the posterior are by restricted" in err
    assert main(["sample", str(tmp_path / "f.hlm"), *data]) == 2
    assert "fixsigma2:36.0 cannot be sampled" in capsys.readouterr().err


def test_what_is_not_done_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (MODELS / "model1_unconditional.hlm").read_text(encoding="utf-8")
    (tmp_path / "m.hlm").write_text(text + "\nprintvariance-covariance:A\n", encoding="utf-8")
    data = ["--level1", *map(str, datasets.hsb_paths()[:1]), "--id", "id", "--no-progress"]
    assert main(["sample", str(tmp_path / "m.hlm"), *data, "--draws", "200", "--seed", "1"]) == 0
    assert "left out: the files of covariance matrices: hlmbayes run does this" in capsys.readouterr().err


def test_equations_and_output_as_with_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "posterior.txt"
    data = ["--level1", *map(str, datasets.hsb_paths()[:1]), "--id", "id", "--no-progress", "--seed", "1"]
    equations = "mathach = b0 + r; b0 = g00 + u0"
    assert main(["sample", "--equations", equations, *data, "--output", str(place)]) == 0
    assert capsys.readouterr().out == ""
    assert "Can the draws be used?" in place.read_text(encoding="utf-8")
    assert main(["sample", *data]) == 2
    assert "neither a file nor --equations" in capsys.readouterr().err
    assert main(["sample", "m.hlm", "--equations", equations, *data]) == 2
    assert "both a file and --equations" in capsys.readouterr().err
