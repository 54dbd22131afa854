"""Command files and templates as programs around HLM write them, from the file to the listing.

The data are those of the High School and Beyond models, so the numbers are HLM's printed ones.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyreadstat
import pytest

from hlmbayes import datasets
from hlmbayes.cli.command import main

HSB1, HSB2 = map(str, datasets.hsb_paths())


@pytest.fixture(scope="module")
def frames() -> tuple[pd.DataFrame, pd.DataFrame]:
    return pyreadstat.read_sav(HSB1)[0], pyreadstat.read_sav(HSB2)[0]


def results(folder: Path, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[dict[str, Any], str]:
    """Run the folder's command file and give its numbers and what it says on stderr."""
    assert main(["run", str(next(folder.glob("*.hlm"))), "--json", "-", *options]) == 0
    said = capsys.readouterr()
    return json.loads(said.out), said.err


def text(*lines: str) -> str:
    return "\r\n".join(lines) + "\r\n"


STATA_TEMPLATE = text(
    "#HLM2 MDM CREATION TEMPLATE", "growthmodel:n", "rawdattype:stata", "l1fname:c:\\work\\hsb.dta",
    "l2fname:c:\\work\\hsb.dta", "l1missing:y", "timeofdeletion:analysis", "mdmname:hsb.mdm", "*begin l1vars",
    "level2id:id", "minority", "female", "ses", "mathach", "*end l1vars", "*begin l2vars", "level2id:id",
    "size", "sector", "pracad", "meanses", "*end l2vars",
)  # fmt: skip
STATA_COMMANDS = text(
    "#WHLM CMD FILE FOR c:\\work\\hsb.mdm", "nonlin:n", "numit:20,y", "stopval:0.000001",
    "level1:mathach=intrcpt1+ses,1+random", "level2:intrcpt1=intrcpt2+sector+meanses+random/",
    "level2:ses=intrcpt2+sector+meanses+random/", "fixtau:3", "lev1ols:10", "accel:5",
    "gamma1:0,1,0,0,0,0", "gamma1:0,0,0,0,1,0", "gamma2:0,0,0,1,0,0", "deviance:46502.952734", "df:2",
    "level1weight:none", "level2weight:none", "varianceknown:none", "level1deletion:none", "resfiltype:stata",
    "resfil1:n", "resfil2:y/SIZE,PRACAD", "resfil2name:c:\\work\\run_res2.dta", "hypoth:n", "homvar:n",
    "constrain:n", "heterol1var:n", "graphgammas:c:\\work\\run.geq", "printvariance-covariance:y", "lvr:n",
    "title:", "output:run.txt", "fulloutput:n", "mlf:n",
)  # fmt: skip


def test_a_stata_program_and_both_levels_in_one_file(
    tmp_path: Path, frames: tuple[pd.DataFrame, pd.DataFrame], capsys: pytest.CaptureFixture[str]
) -> None:
    rows, units = frames
    pyreadstat.write_dta(rows.merge(units, on="id"), str(tmp_path / "hsb.dta"))
    (tmp_path / "hsb.mdmt").write_text(STATA_TEMPLATE, encoding="latin-1", newline="")
    (tmp_path / "run.hlm").write_text(STATA_COMMANDS, encoding="latin-1", newline="")
    found, err = results(tmp_path, capsys)
    assert found["iteration"] == 61  # beyond numit:20,y
    assert found["deviance"] == pytest.approx(46501.875643, abs=2e-5)
    first, second = found["general_linear_hypotheses"]
    assert first["chi2"] == pytest.approx(60.596880, abs=1e-4)
    assert (first["df"], second["df"]) == (2, 1)
    assert found["variance_covariance_test"]["chi2"] == pytest.approx(1.07710, abs=1e-4)
    residuals, _ = pyreadstat.read_dta(str(tmp_path / "run_res2.dta"))
    assert len(residuals) == 160
    assert {"size", "pracad"} <= set(residuals)
    kinds = [line.split(": ")[1] for line in err.splitlines()]
    assert sorted(kinds) == ["warning", "wrote", "wrote", "wrote", "wrote"]
    assert "no graph file" in err
    gammas = (tmp_path / "gamvc.dat").read_text().split()
    assert float(gammas[0]) == pytest.approx(found["fixed"][0]["estimate"])
    assert float(gammas[6]) == pytest.approx(found["fixed"][0]["se"] ** 2)


def test_hlm_7_with_long_names_right_aligned_ids_and_a_template_of_another_name(
    tmp_path: Path, frames: tuple[pd.DataFrame, pd.DataFrame], capsys: pytest.CaptureFixture[str]
) -> None:
    rows, units = frames
    number = "{:>8.0f}".format
    long = {"id": "school_number", "mathach": "mathachievement", "meanses": "mean_ses_of_school"}
    rows = rows.assign(id=[number(i) for i in rows["id"]]).rename(columns=long)
    units = units.assign(id=[number(i).strip() for i in units["id"]]).rename(columns=long | {"id": "school"})
    pyreadstat.write_sav(rows, str(tmp_path / "LEVEL1.SAV"))
    pyreadstat.write_sav(units, str(tmp_path / "level2.sav"))
    template = text(
        "#HLM2 MDM CREATION TEMPLATE", "mdmtype:0", "rawdattype:spss", "l1fname:Z:\\tmp\\level1.sav",
        "l2fname:Z:\\tmp\\level2.sav", "l1missing:y", "timeofdeletion:analysis", "mdmname:model",
        "*begin l1vars", "level2id:school_number", "  SES", "  MATHACHI", "*end l1vars",
        "*begin l2vars", "level2id:SCHOOL", "  SECTOR", "  MEAN_SES", "*end l2vars",
    )  # fmt: skip
    (tmp_path / "creatmdm.mdmt").write_text(template, encoding="utf-16", newline="")
    commands = text(
        "#WHLM CMD FILE FOR model", "nonlin:n", "numit:100", "stopval:0.0000010000",
        "level1:MATHACHI=INTRCPT1+RANDOM", "level2:INTRCPT1=INTRCPT2+MEAN_SES+random/", "fixtau:3",
        "lev1ols:10", "accel:5", "level1weight:none", "level2weight:none", "varianceknown:none",
        "level1deletion:none", "level2deletion:none", "hypoth:n", "resfil1:n", "resfil2:n", "homvar:n",
        "constrain:N", "heterol1var:n", "graphgammas:Z:\\tmp\\grapheq.geq", "lvr:n", "title:no title",
        "output:Z:\\tmp\\model.html", "fulloutput:n", "mlf:n", "fishertype:2",
    )  # fmt: skip
    (tmp_path / "model.hlm").write_text(commands, encoding="utf-8", newline="")
    found, err = results(tmp_path, capsys)
    assert found["deviance"] == pytest.approx(46959.446959, abs=2e-5)
    assert found["fixed"][1]["level2"] == "MEAN_SES"
    assert [line for line in err.splitlines() if "grapheq.geq" not in line] == []


def test_a_three_level_file_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commands = text(
        "#WHLM CMD FILE FOR hsb.mdm", "nonlin:n", "numit:100", "stopval:0.0000010000",
        "level1:MATHACH=INTRCPT1+RANDOM", "level2:INTRCPT1=INTRCPT2+RANDOM/",
        "level3:INTRCPT2=INTRCPT3+random/", "fixtau2:3", "fixtau3:3", "level3weight:none", "lvr-beta:n",
    )  # fmt: skip
    (tmp_path / "m.hlm").write_text(commands, encoding="utf-8", newline="")
    assert main(["run", str(tmp_path / "m.hlm"), "--level1", HSB1, "--level2", HSB2, "--id", "id"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == (
        "hlmbayes: error: m.hlm, line 7: a three-level model (level3:) is not available; only two-level "
        "linear models are"
    )
