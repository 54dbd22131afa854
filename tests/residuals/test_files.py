"""Residual files as other programs read them; nothing half-written."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyreadstat
import pytest

import hlmbayes as hlm
from hlmbayes.errors import OutputError
from hlmbayes.residuals import files as residual_files
from hlmbayes.residuals.files import write_residuals

MODEL4 = """mathach = b0 + b1*group(ses) + r
    b0 = g00 + g01*sector + g02*meanses + u0
    b1 = g10 + g11*sector + g12*meanses + u1"""

READERS = {".sav": pyreadstat.read_sav, ".dta": pyreadstat.read_dta, ".xpt": pyreadstat.read_xport}


@pytest.fixture(scope="module")
def fit() -> Any:
    return hlm.Model(MODEL4).fit(hlm.datasets.hsb())


@pytest.mark.parametrize("suffix", READERS)
@pytest.mark.parametrize("level", [1, 2])
def test_statistical_packages_read_every_value_and_label(
    fit: Any, suffix: str, level: int, tmp_path: Path
) -> None:
    frame = fit.residuals(level=level, extra="all")
    path = write_residuals(frame, tmp_path / f"resfil{suffix}")
    back, meta = READERS[suffix](path)
    assert list(back) == list(frame)
    np.testing.assert_array_equal(back.to_numpy(float), frame.to_numpy(float))
    limit = {".sav": 256, ".dta": 80, ".xpt": 40}[suffix]
    wanted = {name: label[:limit] for name, label in frame.attrs["labels"].items()}
    assert meta.column_names_to_labels == wanted
    assert [p.name for p in tmp_path.iterdir()] == [f"resfil{suffix}"]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_text_and_parquet(fit: Any, suffix: str, tmp_path: Path) -> None:
    frame = fit.residuals()
    path = write_residuals(frame, tmp_path / f"resfil2{suffix}")
    back = pd.read_csv(path) if suffix == ".csv" else pd.read_parquet(path)
    assert list(back) == list(frame)
    np.testing.assert_allclose(back.to_numpy(float), frame.to_numpy(float), rtol=1e-15)
    if suffix == ".parquet":
        assert back.attrs["labels"] == frame.attrs["labels"]


@pytest.mark.parametrize("suffix", [".sav", ".dta", ".xpt"])
def test_missing_values_text_ids_and_long_names(suffix: str, tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "id": ["a", "Ä b"],
            "mdist": [1.5, np.nan],
            "a_long_variable": [1.0, 2.0],
            "a_long_value": [3.0, 4.0],
        }
    )
    frame.attrs["labels"] = {"id": "Schüler", "mdist": "é" * 200}
    back, meta = READERS[suffix](write_residuals(frame, tmp_path / f"x{suffix}"))
    assert list(back.iloc[:, 0]) == ["a", "Ä b"]
    assert np.isnan(back["mdist"].iloc[1])
    assert list(back.iloc[:, 3]) == [3.0, 4.0]
    names = ["a_long_v", "a_long_2"] if suffix == ".xpt" else ["a_long_variable", "a_long_value"]
    assert list(back.columns[2:]) == names
    assert set(meta.column_names_to_labels["mdist"]) == {"é"}


def test_stata_files_are_of_the_version_that_every_stata_reads(fit: Any, tmp_path: Path) -> None:
    """Format 118; 119 is opened by Stata/MP alone (pandas' and haven's documentation, Stata's help dta)."""
    path = write_residuals(fit.residuals(), tmp_path / "resfil2.dta")
    assert path.read_bytes().startswith(b"<stata_dta><header><release>118</release>")


def test_text_ids_and_missing_values_in_csv(tmp_path: Path) -> None:
    frame = pd.DataFrame({"id": ['a,b "c"', "d"], "mdist": [1.5, np.nan], "nj": [3, 4]})
    path = write_residuals(frame, tmp_path / "a.csv")
    assert path.read_text().splitlines() == ["id,mdist,nj", '"a,b ""c""",1.5,3', '"d",,4']


def test_hlms_types_decide_where_the_name_does_not(fit: Any, tmp_path: Path) -> None:
    frame = fit.residuals()
    path = write_residuals(frame, tmp_path / "resfil2.txt", "ascii")
    assert path.name == "resfil2.txt"
    assert path.read_text().startswith("L2ID,id,nj,chipct")
    sas = write_residuals(frame, tmp_path / "resfil2.sas7bdat", "sas")
    assert sas.name == "resfil2.xpt"
    assert pyreadstat.read_xport(sas)[0].shape == frame.shape


def test_refusals_name_the_file_and_leave_nothing(fit: Any, tmp_path: Path) -> None:
    frame = fit.residuals()
    with pytest.raises(OutputError, match=r"folder .*nowhere does not exist"):
        write_residuals(frame, tmp_path / "nowhere" / "a.sav")
    with pytest.raises(OutputError, match=r"a\.xls: a residual file is written as \.sav"):
        write_residuals(frame, tmp_path / "a.xls")
    (tmp_path / "folder.sav").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        write_residuals(frame, tmp_path / "folder.sav")
    assert [p.name for p in tmp_path.iterdir()] == ["folder.sav"]


def test_a_failure_half_way_keeps_the_old_file(
    fit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "a.csv"
    target.write_text("old")

    def full(frame: pd.DataFrame, path: Path, labels: Any) -> None:
        path.write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(residual_files._WRITERS, ".csv", full)
    with pytest.raises(OutputError, match=r"a\.csv cannot be written: No space left"):
        write_residuals(fit.residuals(), target)
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.csv"]


def test_a_folder_that_cannot_be_written_to(
    fit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any, **options: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.mkdtemp", refuse)
    with pytest.raises(OutputError, match="Permission denied"):
        write_residuals(fit.residuals(), tmp_path / "a.csv")


def test_files_have_ordinary_permissions(fit: Any, tmp_path: Path) -> None:
    path = write_residuals(fit.residuals(), tmp_path / "a.csv")
    mask = os.umask(0)
    os.umask(mask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~mask
