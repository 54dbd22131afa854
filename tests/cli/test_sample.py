"""`hlmbayes sample` beside what tests/posterior has of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hlmbayes import datasets
from hlmbayes.cli.command import main
from tests.estimation.test_known_variance import several_rows

MODELS = Path(__file__).parents[2] / "models"


def test_what_belongs_to_a_fit_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (MODELS / "model1_unconditional.hlm").read_text(encoding="utf-8")
    text = text.replace("homvar:n", "homvar:y\nresfil2:y").replace("mlf:n", "mlf:y")
    (tmp_path / "m.hlm").write_text(text, encoding="utf-8")
    data = ["--level1", *map(str, datasets.hsb_paths()[:1]), "--id", "id", "--no-progress"]
    assert main(["sample", str(tmp_path / "m.hlm"), *data, "--draws", "200", "--seed", "1"]) == 0
    err = capsys.readouterr().err
    assert "left out: the test of homogeneity, residual files: hlmbayes run does this" in err
    assert "left out: full maximum likelihood: the estimates beside the posterior are by restricted" in err


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


COMMANDS = "level1:EFFECT=INTRCPT1+RANDOM\nlevel2:INTRCPT1=INTRCPT2+RANDOM/\n"
STUDIES = Path(__file__).parents[1] / "oracles" / "data" / "bcg.csv"


def test_known_variances_are_sampled(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head = "#WHLM CMD FILE FOR bcg.mdm\n" + COMMANDS
    (tmp_path / "v.hlm").write_text(head + "varianceknown:V\n", encoding="utf-8")
    data = ["--level1", str(STUDIES), "--id", "study", "--no-progress", "--seed", "1"]
    assert main(["sample", str(tmp_path / "v.hlm"), *data, "--json", str(tmp_path / "v.json")]) == 0
    text = capsys.readouterr().out
    assert "The level-1 variance is known: v." in text
    found = json.loads((tmp_path / "v.json").read_text())
    assert list(found["summary"]) == ["g00", "sd[b0]", "tau[b0,b0]"]
    assert found["compare"]["tau[b0,b0]"]["reml_exact"] == pytest.approx(0.313243, abs=1e-6)
    equations = ["sample", "--equations", "effect = b0 + r; b0 = g00 + u0", *data]
    assert main([*equations, "--known-variance", "v", "--json", str(tmp_path / "e.json")]) == 0
    assert json.loads((tmp_path / "e.json").read_text())["summary"] == found["summary"]
    (tmp_path / "s.hlm").write_text(head + "fixsigma2:0.05\n", encoding="utf-8")
    assert main(["sample", str(tmp_path / "s.hlm"), *data]) == 0
    assert "Sigma squared is held at 0.05" in capsys.readouterr().out
    (tmp_path / "w.hlm").write_text(head + "level1weight:V\n", encoding="utf-8")
    assert main(["sample", str(tmp_path / "w.hlm"), *data]) == 2
    assert (
        "is a sampling weight, with which there is a pseudo-likelihood and no posterior"
        in capsys.readouterr().err
    )


def test_precision_and_frequencies_from_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "rows.csv"
    several_rows().assign(k=2).to_csv(file, index=False)
    rest = ["--equations", "y = b0 + r; b0 = g00 + u0", "--level1", str(file), "--id", "id"]
    sample = ["sample", *rest, "--no-progress", "--seed", "1", "--draws", "300"]
    assert main([*sample, "--precision", "p"]) == 0
    assert "Precision weights: the level-1 variance of a row is sigma squared / p." in capsys.readouterr().out
    assert main([*sample, "--frequency", "k", "--html", str(tmp_path / "p.html")]) == 0
    assert "Frequencies: k at level 1." in capsys.readouterr().out
    assert "Frequencies: k at level 1." in (tmp_path / "p.html").read_text(encoding="utf-8")
    assert main(["run", *rest, "--frequency", "k", "--known-variance", "v"]) == 2
    assert "which are different kinds" in capsys.readouterr().err
    assert main(["run", *rest, "--known-variance", "v"]) == 0
    assert "The level-1 variance is known: v." in capsys.readouterr().out


def test_where_the_likelihood_has_no_optimum_the_posterior_stands_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f"{k % 12},{k % 2},{int(k % 2 == 1 or k % 5 == 0)}" for k in range(96)]
    (tmp_path / "rows.csv").write_text("\n".join(["id,x/y,passed", *rows]), encoding="utf-8")
    asked = ["sample", "--equations", "logit(passed) = b0 + b1*`x/y`; b0 = g00 + u0; b1 = g10", "--id", "id"]
    asked += ["--level1", str(tmp_path / "rows.csv"), "--no-progress", "--seed", "1", "--draws", "500"]
    outputs = ["--json", str(tmp_path / "p.json"), "--figures", str(tmp_path / "figures")]
    assert main([*asked, *outputs]) == 0
    said = capsys.readouterr()
    assert "left out: the estimates by maximum likelihood beside the posterior: " in said.err
    assert "Beside maximum likelihood" not in said.out
    assert json.loads((tmp_path / "p.json").read_text(encoding="utf-8"))["compare"] is None
    assert (tmp_path / "figures" / "predicted_x_y.png").exists()


def test_an_outcome_that_is_not_normal_is_sampled(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng, rows = np.random.default_rng(1), tmp_path / "rows.csv"
    passed = [f"{k % 12},{int(rng.random() < 0.5)}" for k in range(96)]
    rows.write_text("\n".join(["id,passed", *passed]), encoding="utf-8")
    asked = [
        "sample",
        "--equations",
        "logit(passed) = b0; b0 = g00 + u0",
        "--level1",
        str(rows),
        "--id",
        "id",
    ]
    asked += ["--no-progress", "--seed", "1", "--draws", "200"]
    assert main([*asked, "--json", str(tmp_path / "p.json")]) == 0
    text = capsys.readouterr().out
    assert "logit(passed) = b0" in text
    assert "The draws can be used" in text
    assert "Priors are on the scale of the logit link" in text
    found = json.loads((tmp_path / "p.json").read_text(encoding="utf-8"))
    assert list(found["summary"]) == ["g00", "sd[b0]", "tau[b0,b0]"]
    assert found["distribution"] == {"family": "bernoulli", "link": "logit", "size": None}
    assert found["compare"]["g00"]["ml_exact"] == pytest.approx(found["compare"]["g00"]["median"], abs=0.1)
    page, folder = tmp_path / "p.html", tmp_path / "figures"
    assert main([*asked, "--html", str(page), "--figures", str(folder)]) == 0
    shown = page.read_text(encoding="utf-8")
    assert "Beside maximum likelihood" in shown
    assert shown.count("<img") == len(list(folder.glob("*.png"))) == 4
    assert main([*asked, "--frequency", "passed"]) == 2
    assert "is for normal outcomes" in capsys.readouterr().err
