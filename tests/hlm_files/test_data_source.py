"""The data of a command file: its template's files, or its .mdm itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hlmbayes.cli.command import main
from hlmbayes.errors import CommandFileError
from hlmbayes.hlm_files.command_file import read_command_file

from ..mdm_writer import ORACLES, popular2, small_mdm

PRINTED = json.loads((ORACLES / "popular2.json").read_text())["printed"]
POPULAR = """\
#WHLM CMD FILE FOR D:\\hox\\popular2.mdm
nonlin:n
numit:100
stopval:0.0000010000
level1:POPULAR=INTRCPT1+EXTRAV+SEX+RANDOM
level2:INTRCPT1=INTRCPT2+TEXP+random/
level2:EXTRAV=INTRCPT2+random/
level2:SEX=INTRCPT2/
fixtau:3
lev1ols:10
accel:5
mlf:y
"""
SMALL = """\
#WHLM CMD FILE FOR x.mdm
level1:Y=INTRCPT1+X+RANDOM
level2:INTRCPT1=INTRCPT2+W+RANDOM/
level2:X=INTRCPT2/
"""


def put(folder: Path, command: str = SMALL, **files: bytes | str) -> Path:
    """Files in a folder, ``x_mdm`` as x.mdm, and the command file, whose path it gives."""
    for name, content in {**files, "run_hlm": command}.items():
        raw = content.encode("latin-1") if isinstance(content, str) else content
        (folder / name.replace("_", ".")).write_bytes(raw)
    return folder / "run.hlm"


def results(file: Path, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[dict[str, Any], str]:
    assert main(["run", str(file), "--json", "-", *options]) == 0
    said = capsys.readouterr()
    return json.loads(said.out), said.err


def rounds(value: float, printed: str) -> bool:
    """Whether a number rounds to what is printed."""
    mantissa, _, exponent = printed.partition("E")
    return abs(value - float(printed)) <= 0.5001 * 10.0 ** (
        int(exponent or 0) - len(mantissa.partition(".")[2])
    )


def test_the_genuine_run_from_its_mdm_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every estimate that HLM 7 printed, from the moments of the genuine file."""
    found, err = results(put(tmp_path, POPULAR, popular2_mdm=popular2()), capsys)
    assert err == ""
    assert (found["iteration"], found["n_parameters"]) == (9, 8)
    for key in ("sigma2", "se_sigma2", "loglik", "deviance"):
        assert rounds(found[key], PRINTED[key]), key
    for key in ("tau", "se_tau"):
        for row, printed in zip(found[key], PRINTED[key], strict=True):
            assert all(map(rounds, row, printed)), key
    assert rounds(found["tau_corr"][0][1], PRINTED["tau_corr"])
    assert all(map(rounds, found["reliability"], PRINTED["reliability"]))
    for key in ("fixed", "fixed_robust"):
        for row, (name, *printed) in zip(found[key], PRINTED[key], strict=True):
            assert row["level2"] == name
            assert all(map(rounds, [row[part] for part in ("estimate", "se", "t")], printed[:3])), (key, name)
    for row, printed in zip(found["variance_components"], PRINTED["variance_components"], strict=True):
        parts = [row[part] for part in ("sd", "variance", "df", "chi2")[: len(printed)]]
        assert all(map(rounds, parts, printed))


def test_what_the_mdm_is_read_for(tmp_path: Path) -> None:
    content, _ = small_mdm(version=6.05)
    source = read_command_file(put(tmp_path, x_mdm=content)).source
    assert source is not None
    assert source.header is not None
    assert (source.level1.name, source.level2, source.header.version) == ("x.mdm", None, 6.05)
    assert (source.level1_names, source.level2_names) == (("X", "Y"), ("W",))
    file = put(tmp_path, SMALL.replace("+X", "+V").replace(":X", ":V"))
    with pytest.raises(
        CommandFileError, match=r"line 2: V is not a level-1 variable of x.mdm; wanted one of X"
    ):
        read_command_file(file)


TEMPLATE = """\
#HLM2 MDM CREATION TEMPLATE
rawdattype:spss
l1fname:rows.csv
l2fname:rows.csv
timeofdeletion:now
mdmname:x.mdm
*begin l1vars
level2id:SCHOOL
X
Y
*end l1vars
*begin l2vars
level2id:SCHOOL
W
*end l2vars
"""


def rows(seed: int = 1) -> str:
    columns = small_mdm(seed)[1]
    lines = zip(*(columns[name] for name in ("id", "X", "Y", "W")), strict=True)
    return "\n".join(["SCHOOL,X,Y,W", *(",".join(map(repr, map(float, line))) for line in lines)])


def test_the_data_files_come_first_and_the_mdm_steps_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = put(tmp_path, x_mdm=small_mdm()[0], x_mdmt=TEMPLATE, rows_csv=rows())
    source = read_command_file(file).source
    assert source is not None
    assert source.header is not None
    assert (source.level1.name, source.id, source.header.version) == ("rows.csv", "SCHOOL", 7.0)
    first, _ = results(file, capsys)
    (tmp_path / "rows.csv").unlink()
    second, err = results(file, capsys)
    assert second["deviance"] == pytest.approx(first["deviance"], abs=1e-9)
    (line,) = [line for line in err.splitlines() if "x.mdm" in line]
    assert "there is no file" in line
    assert line.endswith("The data are read from x.mdm.")
    put(tmp_path, x_mdmt=TEMPLATE.replace("spss", "ascii").replace("rows.csv", "rows.dat"))
    assert "ascii data in fixed columns" in results(file, capsys)[1]


def test_data_that_are_not_those_of_the_mdm_are_warned_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fewer = rows().rsplit("\n", 1)[0]
    file = put(tmp_path, x_mdm=small_mdm()[0], x_mdmt=TEMPLATE, rows_csv=fewer)
    said = (
        "x.mdm has 35 rows in 8 units, the data files that its template names have 34 in 8: they have changed"
    )
    assert said in results(file, capsys)[1]
    put(tmp_path, rows_csv=rows())
    assert "have changed" not in results(file, capsys)[1]


def test_an_mdm_that_cannot_be_read_is_no_matter_where_the_data_are(tmp_path: Path) -> None:
    file = put(tmp_path, x_mdm=b"", x_mdmt=TEMPLATE, rows_csv=rows())
    source = read_command_file(file).source
    assert source is not None
    assert source.header is None
    (tmp_path / "x.mdmt").unlink()
    with pytest.raises(CommandFileError, match=r"^x.mdm is empty: the file has no bytes"):
        read_command_file(file)


def test_the_caller_may_name_an_mdm(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = put(tmp_path, SMALL.replace("x.mdm", "lost.mdm"), x_mdm=small_mdm()[0])
    found, _ = results(file, capsys, "--level1", str(tmp_path / "x.mdm"))
    assert found["fixed"][0]["level2"] == "INTRCPT2"
    assert main(["describe", str(tmp_path / "x.mdm")]) == 0
    assert "35 level-1 rows in 8 level-2 units" in capsys.readouterr().out
    equations = "y = b0 + r; b0 = g00 + u0"
    assert main(["run", "--equations", equations, "--level1", str(tmp_path / "x.mdm"), "--json", "-"]) == 0


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("level3:INTRCPT2=INTRCPT3/", "a three-level model"), ("nonlin:gamma,3", "a nonlinear model"),
        ("r_e_model:2", "a multivariate model"), ("rowcol:x", "a cross-classified model"),
    ],
)  # fmt: skip
def test_other_kinds_of_models_are_refused_before_any_question_about_data(
    tmp_path: Path, line: str, kind: str
) -> None:
    file = put(tmp_path, f"{SMALL}{line}\n", x_mdm=b"")
    with pytest.raises(CommandFileError, match=rf"run.hlm, line 5: {kind} \(.*\) is not available"):
        read_command_file(file)


def test_imputed_data_may_be_mdm_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = put(tmp_path, SMALL + "plausvals:x2.mdm\n", x_mdm=small_mdm(1)[0], x2_mdm=small_mdm(2)[0])
    assert main(["run", str(file)]) == 0
    assert "x2.mdm" in capsys.readouterr().out
