"""Files of equations that say where their data are, and models saved as files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import hlmbayes as hlm
from hlmbayes.cli import main
from hlmbayes.errors import CommandFileError, OutputError
from hlmbayes.runs.equation_files import read_equation_file

EQUATIONS = "mathach = b0 + b1*group(ses) + r\nb0 = g00 + g01*sector + u0\nb1 = g10 + u1"
FORMULA = "mathach ~ sector + group(ses) + (group(ses) | id)"
MODELS = Path(__file__).parents[2] / "models"


def deviance(capsys: pytest.CaptureFixture[str], *argv: str) -> float:
    assert main(["run", *argv, "--json", "-"]) == 0
    return float(json.loads(capsys.readouterr().out)["deviance"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with students, whose ses misses values under a code, and schools."""
    place = tmp_path_factory.mktemp("equations")
    data = hlm.datasets.hsb()
    students = pd.DataFrame({"id": data.unit_ids[data.unit], **data.level1})
    students.loc[::50, "ses"] = -99
    students.to_csv(place / "students.csv", index=False)
    pd.DataFrame({"id": data.unit_ids, **data.level2}).to_csv(place / "schools.csv", index=False)
    return place


@pytest.mark.parametrize("model", [EQUATIONS, FORMULA])
def test_a_file_of_equations_needs_no_options(
    folder: Path, capsys: pytest.CaptureFixture[str], model: str
) -> None:
    head = ("# a comment", "Data: students.csv", "level2: 'schools.csv'  # records", "id: id", "missing: -99")
    (folder / "my.txt").write_text("\n".join([*head, "method: ml", "", model]))
    data = hlm.read(folder / "students.csv", folder / "schools.csv", id="id", missing=-99)
    expected = hlm.Model(EQUATIONS).fit(data, method="ML").deviance
    assert deviance(capsys, str(folder / "my.txt")) == pytest.approx(expected, abs=1e-8)
    assert deviance(capsys, str(folder / "my.txt"), "--method", "REML") != pytest.approx(expected, abs=1)


def test_options_go_before_the_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "my.txt").write_text(f"data: nothing.csv\nid: nobody\nmissing: ses=-99\n{EQUATIONS}")
    where = ["--level1", str(folder / "students.csv"), "--level2", str(folder / "schools.csv"), "--id", "id"]
    data = hlm.read(folder / "students.csv", folder / "schools.csv", id="id", missing=-99)
    expected = hlm.Model(EQUATIONS).fit(data).deviance
    assert deviance(capsys, str(folder / "my.txt"), *where) == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dat: a.csv", "x, line 1: dat: is not known; did you mean data:"),
        ("plausible_values: PV2", "did you mean plausvals:"),
        ("weights: w", "weights: is not known; wanted data:, level2:, id:"),
        ("\ndata:", "x, line 2: nothing stands after data:"),
        ("data: a\ndata: b", "x, line 2: data: is there twice, as a and as b; keep one"),
        ("method: MLE", "method: MLE is not known; wanted REML or ML"),
        ("algorithm: fast", "algorithm: fast is not known; wanted exact or hlm"),
    ],
)
def test_lines_that_are_none_are_refused(text: str, message: str) -> None:
    with pytest.raises(CommandFileError, match=message):
        read_equation_file(f"{text}\n{EQUATIONS}", "x")


def test_equations_keep_their_lines_and_their_colons() -> None:
    found = read_equation_file('data: "a b.csv"\nlevel2: c:\\x#1.sav\ny ~ x:w + (1 | id)', "x")
    assert dict(found.settings) == {"data": "a b.csv", "level2": "c:\\x#1.sav"}
    assert found.equations == "#\n#\ny ~ x:w + (1 | id)"


def test_an_error_names_the_line_of_the_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "bad.txt").write_text(f"data: students.csv\nid: id\n{EQUATIONS} + u9")
    assert main(["run", str(folder / "bad.txt")]) == 2
    assert "line 5" in capsys.readouterr().err


# ---------------------------------------------------------------- models saved


def test_a_saved_model_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = hlm.datasets.hsb()
    plain, terms = hlm.Model(EQUATIONS), hlm.Model("mathach ~ C(sector)*group(ses) + log(size) + (1 | id)")
    written = plain.save(tmp_path / "my.hlm", data, method="ML")
    assert [path.name for path in written] == ["my.hlm", "my.mdmt", "my_level1.sav", "my_level2.sav"]
    expected = plain.fit(data, method="ML").deviance
    assert deviance(capsys, str(written[0]), "--algorithm", "exact") == pytest.approx(expected, abs=1e-8)
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for path in terms.save(tmp_path / "terms.txt", data):
        shutil.move(path, moved)
    expected = terms.fit(data).deviance
    assert deviance(capsys, str(moved / "terms.txt")) == pytest.approx(expected, abs=1e-8)


def test_what_a_saved_model_keeps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hsb = hlm.datasets.hsb()
    kind = pd.Categorical(np.where(hsb.level1["ses"] > 0, "high", "low"), ["none", "low", "high"])
    table = pd.DataFrame(
        {"school": hsb.unit_ids[hsb.unit], "math score": hsb.level1["mathach"], "kind": kind}
    )
    table["sector"] = np.where(hsb.level2["sector"][hsb.unit] == 1, "catholic", "public")
    table.loc[3, "kind"] = None
    model = hlm.Model("`math score` = b0 + b1*kind + r; b0 = g00 + g01*sector + u0; b1 = g10")
    model.save(tmp_path / "a.txt", hlm.read(table, id="school"))
    assert main(["run", str(tmp_path / "a.txt")]) == 0
    listing = capsys.readouterr().out
    assert "kind is a factor: low, high; low is the reference" in listing
    assert f"{model.fit(table, id='school').deviance:.6f}" in listing


def test_what_level_1_takes_is_saved_at_level_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Years are the same in all rows of a nest, which is what level-2 variables are."""
    rng = np.random.default_rng(1)
    nest = np.repeat(np.arange(20), 6)
    table = pd.DataFrame({"nest": nest, "years": 1.0 + nest % 4, "x": rng.normal(size=120)})
    table["calls"] = rng.poisson(table["years"] * np.exp(0.3 * table["x"] + 0.4 * rng.normal(size=20)[nest]))
    data = hlm.read(table, id="nest")
    for equations in ("b0 = g00 + u0; b1 = g10", "b0 = g00 + g01*years + u0; b1 = g10"):
        model = hlm.Model(f"log(calls, exposure=years) = b0 + b1*x; {equations}")
        expected = model.fit(data).deviance
        for name in ("calls.txt", "calls.hlm"):
            model.save(tmp_path / name, data)
            asked = [str(tmp_path / name), "--algorithm", "exact"]
            assert deviance(capsys, *asked) == pytest.approx(expected, abs=1e-9)


def test_what_cannot_be_saved_says_the_way_out(tmp_path: Path) -> None:
    data, model = hlm.datasets.hsb(), hlm.Model(EQUATIONS)
    with pytest.raises(OutputError, match=r"saved as NAME.hlm, .* or as NAME.txt"):
        model.save(tmp_path / "a.docx", data)
    with pytest.raises(OutputError, match="there is no folder"):
        model.save(tmp_path / "none" / "a.hlm", data)
    with pytest.raises(OutputError, match="with the rows it is for, got Moments"):
        model.save(tmp_path / "a.txt", hlm.moments(data, model=model))
    terms = hlm.Model("mathach = b0 + b1*ses^2; b0 = g00 + u0; b1 = g10")
    with pytest.raises(CommandFileError, match=r"ses\^2 is a term.* model.save\(\"model.txt\", data\)"):
        terms.save(tmp_path / "a.hlm", data)
    text = hlm.read(pd.DataFrame({"id": [1, 1, 2, 2], "y": [1.0, 2, 3, 4], "sex": list("mfmf")}), id="id")
    with pytest.raises(OutputError, match=r"sex is not numeric, .* model.save\(\"a.txt\", data\)"):
        hlm.Model("y ~ sex + (1 | id)").save(tmp_path / "a.hlm", text)
    odd = hlm.read({"id": [1, 1, 2, 2], "a b": [1.0, 2.0, 3.0, 5.0]}, id="id")
    with pytest.raises(OutputError, match=r"'a b' cannot be the name .* or save a.txt"):
        hlm.Model("`a b` = b0; b0 = g00 + u0").save(tmp_path / "a.hlm", odd)
    assert list(tmp_path.iterdir()) == []


def test_the_models_folder_works_elsewhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in MODELS.iterdir():
        shutil.copy(path, tmp_path)
    found = deviance(capsys, str(tmp_path / "model4_intercepts_slopes.hlm"))
    assert found == pytest.approx(46501.875643, abs=1e-6)
