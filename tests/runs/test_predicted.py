"""`hlmbayes predict`: what Python gives, on the screen or in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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
        (["--means", "sector", "--by", "ses"], "--by has no meaning with --means; --at NAME=VALUE"),
        (["--slopes", "ses", "--interval", "prediction"], "--interval has no meaning with --slopes"),
        (["--at", "ses=1"], "--at has no meaning with predicted rows"),
        (["--category", "1"], "--category has no meaning with predicted rows"),
        (
            ["--means", "sector", "--category", "1"],
            "--category is of outcomes of categories, and MATHACH is none",
        ),
    ],
)
def test_refusals(options: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", MODEL, *options]) == 2
    assert said in capsys.readouterr().err


CSV = "clinic,kind,dose,pain\n" + "".join(
    f"Clinic {chr(65 + j)},{'public' if j % 2 else 'private'},"
    f"{'' if (j, i) == (2, 1) else (i * 7 + j) % 5},{-99 if (j, i) == (3, 0) else 2 * i + j + (i * j) % 3}\n"
    for j in range(12)
    for i in range(6)
)


def test_five_commands_from_a_csv_with_names_missing_codes_and_a_factor(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pain.csv").write_text(CSV, encoding="utf-8")
    Path("mine.txt").write_text(
        "data: pain.csv\nid: clinic\nmissing: pain=-99, dose=-9\n"
        "pain = b0 + b1*group(dose) + r\nb0 = g00 + g01*kind + u0\nb1 = g10\n",
        encoding="utf-8",
    )
    assert main(["describe", "pain.csv", "--id", "clinic"]) == 0
    assert "-99" in capsys.readouterr().out  # said to look like a missing code
    assert main(["run", "mine.txt", "--json", "mine.json"]) == 0
    assert "70 level-1 records" in " ".join(capsys.readouterr().out.split())
    assert main(["table", "mine.txt", "--out", "table.docx"]) == 0
    assert "1 model in table.docx" in capsys.readouterr().out
    assert main(["predict", "mine.txt", "--out", "p.csv"]) == 0
    written = pd.read_csv("p.csv")
    assert len(written) == 72
    assert written["clinic"].iloc[13] == "Clinic C"
    assert written["predicted"].isna().to_numpy().nonzero()[0].tolist() == [13]  # dose is not known there
    fit = hlm.Model("pain = b0 + b1*group(dose) + r\nb0 = g00 + g01*kind + u0\nb1 = g10").fit(
        hlm.read("pain.csv", id="clinic", missing={"pain": -99})
    )
    own = fit.predict()["predicted"]
    assert np.allclose(written["predicted"], own, equal_nan=True)
    assert own.notna().iloc[18]  # the outcome is missing, its prediction is not
    assert np.allclose(own.drop([13, 18]), fit.residuals(level=1)["fitval"])
    assert main(["predict", "mine.txt", "--means", "kind", "--out", "m.csv"]) == 0
    means: Any = fit.means("kind").frame()
    assert np.allclose(pd.read_csv("m.csv")["estimate"], means["estimate"])


def test_of_imputed_data_it_is_what_python_pools(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    frames = []
    for k in (1, 2, 3):
        rng = np.random.default_rng(k)
        one = pd.DataFrame({"id": np.repeat(np.arange(12), 8), "x": rng.normal(size=96), "set": k})
        one["pass"] = (rng.random(96) < 0.5).astype(int)
        one["y"] = one.x + one.id % 3 + rng.normal(size=96)
        frames.append(one)
    pd.concat(frames).to_csv("sets.csv", index=False)
    sets = hlm.read_imputed("sets.csv", id="id", by="set")
    for equation in ("y = b0 + b1*x + r", "logit(pass) = b0 + b1*x"):
        text = f"{equation}\nb0 = g00 + u0\nb1 = g10\n"
        Path("mine.txt").write_text("data: sets.csv\nid: id\nimputed_by: set\n" + text, encoding="utf-8")
        pooled: Any = hlm.fit_imputed(hlm.Model(text), sets)
        assert main(["predict", "mine.txt", "--means", "x", "--out", "m.csv"]) == 0
        written = pd.read_csv("m.csv")[["estimate", "se", "low"]]
        np.testing.assert_allclose(written, pooled.means("x").frame()[["estimate", "se", "low"]], rtol=1e-12)
        assert main(["predict", "mine.txt", "--slopes", "x", "--out", "s.csv"]) == 0
        np.testing.assert_allclose(pd.read_csv("s.csv").se, pooled.slopes("x").frame().se, rtol=1e-12)
        assert main(["predict", "mine.txt", "--level", "2", "--out", "p.csv"]) == 0
        np.testing.assert_allclose(pd.read_csv("p.csv").se, pooled.predict(level=2).se, rtol=1e-12)
    capsys.readouterr()


def test_rows_to_predict_are_read_as_the_data(tmp_path, monkeypatch, capsys):
    """A code that was declared missing was a number there: a prediction for -99."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    rows = "".join(f"{j};{5 + j + rng.normal():.2f};{rng.normal():.2f}\n" for j in range(9) for _ in range(8))
    Path("rows.csv").write_text("id;y;x\n" + rows)
    Path("m.txt").write_text("data: rows.csv\nid: id\ny = b0 + b1*x + r\nb0 = g00 + u0\nb1 = g10\n")
    Path("new.csv").write_text("x\n0.5\n-99\n")
    assert main(["predict", "m.txt", "--new", "new.csv", "--missing", "-99"]) == 2
    assert "x is missing in 1 of 2 rows of the new data" in capsys.readouterr().err
    assert main(["predict", "m.txt", "--new", "new.csv"]) == 0
    said = "new data look like missing codes and are taken for numbers: x: 1 value of -99"
    assert said in capsys.readouterr().err
    Path("new.csv").write_text("x\n50%\n")
    assert main(["predict", "m.txt", "--new", "new.csv", "--percent"]) == 0
