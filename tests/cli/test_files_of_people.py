"""Files as people export them give the fit in one command; codes that nobody names are warned of."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import openpyxl
import pytest

import hlmbayes as hlm
from hlmbayes.cli import command as cli


def excel(tmp_path: Path) -> tuple[Path, dict[str, np.ndarray]]:
    """Write a sheet as people export them, and the equations; give the folder and the data without codes."""
    rng = np.random.default_rng(1)
    school = np.repeat(np.arange(1, 21), 8)
    climate = rng.normal(size=20).round(2)[school - 1]
    ses = rng.normal(size=160).round(2)
    score = (10 + rng.normal(size=20)[school - 1] + climate + ses + rng.normal(size=160)).round(2)
    ses[[3, 17, 40]] = -99
    made = openpyxl.Workbook()
    made.active.append(["Results of the school study, spring 2024"])
    made.active.append([])
    made.active.append(["school", "ses", "climate", "score"])
    for row in zip(school, ses, climate, score, strict=True):
        made.active.append([int(row[0]), *(f"{v:.2f}".replace(".", ",") for v in row[1:])])
    made.active.append([" ", "", None])
    made.active.append([" "])
    made.save(tmp_path / "study.xlsx")
    (tmp_path / "m.txt").write_text("score = b0 + b1*ses + r\nb0 = g00 + g01*climate + u0\nb1 = g10\n")
    kept = ses != -99
    return tmp_path, {
        "school": school[kept],
        "ses": ses[kept],
        "climate": climate[kept],
        "score": score[kept],
    }


@pytest.mark.parametrize("codes", [["--missing", "-99"], ["--missing=-99,-9"], ["--missing", "ses=-99,-9"]])
def test_an_excel_sheet_gives_the_fit_in_one_command(tmp_path, capsys, monkeypatch, codes) -> None:
    folder, clean = excel(tmp_path)
    monkeypatch.chdir(folder)
    command = ["run", "m.txt", "--level1", "study.xlsx", "--id", "school"]
    assert cli.main([*command, *codes, "--json", "a.json"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert '1 row stands above the names of the columns of study.xlsx, left out: "Results of the' in said
    assert "2 rows of study.xlsx in which nothing stands were left out." in said
    assert "missing codes, as missing= (--missing) says: ses: 3 values of -99" in said
    assert "3 of 160 level-1 records were left out" in said
    model = hlm.Model((folder / "m.txt").read_text())
    fit = model.fit(hlm.read(clean, id="school"))
    assert json.loads(Path("a.json").read_text())["deviance"] == pytest.approx(fit.deviance, abs=1e-9)


@pytest.mark.parametrize("command", ["run", "describe", "sample"])
def test_a_code_that_nobody_names_is_warned_of(tmp_path, capsys, monkeypatch, command) -> None:
    monkeypatch.chdir(excel(tmp_path)[0])
    equations = ["m.txt", "--level1", "study.xlsx"]
    more = ["--draws", "20", "--chains", "2", "--seed", "1", "--no-progress"] if command == "sample" else []
    data = ["study.xlsx"] if command == "describe" else equations
    assert cli.main([command, *data, "--id", "school", *more]) == 0
    got = capsys.readouterr()
    said = " ".join((got.out if command == "describe" else got.err).split())
    assert "These look like missing codes and are taken for numbers: ses: 3 values of -99." in said
    if command != "describe":
        Path("m.txt").write_text("score = b0 + r\nb0 = g00 + g01*climate + u0\n")
        assert cli.main([command, *equations, "--id", "school", *more]) == 0
        assert "missing codes" not in capsys.readouterr().err


def test_sheets_on_the_command_line(tmp_path, capsys) -> None:
    made = openpyxl.Workbook()
    sheets = {"Pupils": [["id", "y"], *([k // 4, k % 5] for k in range(24))]}
    sheets["Schools"] = [["id", "w"], *([j, j] for j in range(6))]
    for name, rows in sheets.items():
        sheet = made.create_sheet(name)
        for row in rows:
            sheet.append(row)
    path = str(tmp_path / "a.xlsx")
    made.save(path)
    assert cli.main(["describe", path, "--sheet", "pupils", "--sheet", "schools"]) == 0
    assert " W          6 " in capsys.readouterr().out
    assert cli.main(["describe", path, "--sheet", "a", "--sheet", "b", "--sheet", "c"]) == 2
    assert "--sheet was said 3 times" in capsys.readouterr().err
    assert cli.main(["describe", path, "--missing", "x="]) == 2
    assert "missing codes 'x=' are not understood" in capsys.readouterr().err


TEMPLATE = """\
#HLM2 MDM CREATION TEMPLATE
l1fname:rows.csv
l2fname:units.csv
l1missing:y
timeofdeletion:now
mdmname:t.mdm
*begin l1vars
level2id:ID
X
Y
*end l1vars
*begin l2vars
level2id:ID
W
V
TOWN
*end l2vars
"""
COMMANDS = """\
#WHLM CMD FILE FOR t.mdm
level1:Y=INTRCPT1+X+RANDOM
level2:INTRCPT1=INTRCPT2+W+random/
level2:X=INTRCPT2/
"""


def test_a_listed_level2_variable_that_is_missing_is_noted_and_its_units_go_on_request(
    tmp_path, capsys, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [f"{k // 6},{k % 4},{(k * 7) % 11 + k // 6}" for k in range(60)]
    units = [f"{j},{j * j % 7},{'' if j == 4 else j},a" for j in range(10)]
    Path("rows.csv").write_text("\n".join(["ID,X,Y", *rows, ""]))
    Path("units.csv").write_text("\n".join(["ID,W,V,TOWN", *units, ""]))
    Path("t.mdmt").write_text(TEMPLATE)
    Path("t.hlm").write_text(COMMANDS)
    assert cli.main(["run", "t.hlm", "--json", "all.json"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert (
        "v of t.mdmt is missing in 1 of 10 units; id: 4. this model does not use it and the units"
        in said.lower()
    )
    assert cli.main(["run", "t.hlm", "--drop-incomplete", "--json", "less.json"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "1 of 10 units (6 rows) were left out, as level2_missing='drop'" in said
    assert "54 level-1 records in 9 level-2 units were analysed" in said
    Path("rows.csv").write_text("\n".join(["ID,X,Y", *(row for row in rows if not row.startswith("4,")), ""]))
    assert cli.main(["run", "t.hlm", "--json", "kept.json"]) == 0
    less, kept, every = (
        json.loads(Path(f"{n}.json").read_text())["deviance"] for n in ("less", "kept", "all")
    )
    assert less == kept != every
    Path("t.hlm").write_text(COMMANDS.replace("+W+", "+V+"))
    Path("rows.csv").write_text("\n".join(["ID,X,Y", *rows, ""]))
    assert cli.main(["run", "t.hlm"]) == 2
    assert (
        'or say level2_missing="drop" (--drop-incomplete), which leaves them out' in capsys.readouterr().err
    )
