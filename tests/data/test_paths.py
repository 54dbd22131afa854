"""Paths as people give them, and files that are not what they are called."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import hlmbayes as hlm
from hlmbayes.data.paths import given_path
from hlmbayes.errors import DataError

ROWS = "id,y\n1,2\n1,3\n2,5\n"


def test_quotes_blanks_and_the_users_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    file = tmp_path / "stu dents ü.csv"
    file.write_text(ROWS)
    for path in (file, str(file), f'"{file}"', f" {file} ", f"~/{file.name}", Path("~") / file.name):
        assert hlm.read(path).n_rows == 3
    assert hlm.read(file, f'"{file}"').one_source
    assert given_path("~nobody-of-this-name/a.csv").name == "a.csv"


def test_a_backslash_of_python_is_told(tmp_path):
    for path in ("C:\new\table.csv", "a\0b.csv"):
        with pytest.raises(
            DataError, match=r"a backslash and the letter after it .* Put an r before the text"
        ):
            hlm.read(path)
    with pytest.raises(DataError, match=r"There is no file a{500}"):
        hlm.read(tmp_path / ("a" * 500 + ".csv"))


def test_a_file_that_another_program_holds(tmp_path, monkeypatch):
    (tmp_path / "a.xlsx").write_text("PK")

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(
        DataError, match=r"a\.xlsx cannot be opened \(Permission denied\)\. .*Excel, close it"
    ):
        hlm.read(tmp_path / "a.xlsx")


def contents(folder: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        archive.writestr("a.csv", ROWS)
    pd.DataFrame({"id": [1, 2], "y": [1.0, 2.0]}).to_stata(folder / "a.dta", version=118)
    page = b"<HTML><table><tr><td>id</td></tr></table></HTML>"
    return {
        "zipped": (folder / "a.zip").read_bytes(), "gzip": gzip.compress(ROWS.encode()),
        "Stata": (folder / "a.dta").read_bytes(), "web page": page, "PDF": b"%PDF-1.7\n",
        "text": ROWS.encode(),
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["zipped", "gzip", "Stata", "web page", "PDF", "text"])
@pytest.mark.parametrize("ending", [".csv", ".sav", ".xls", ".xlsx", ".parquet", ".dta"])
def test_a_file_that_is_not_what_it_is_called(tmp_path, kind, ending):
    path = tmp_path / f"b{ending}"
    path.write_bytes(contents(tmp_path)[kind])
    if (kind, ending) in (("text", ".csv"), ("Stata", ".dta")):
        assert hlm.read(path).n_rows in (2, 3)
        return
    with pytest.raises(DataError, match=r"^b\.") as info:
        hlm.read(path)
    if (kind, ending) != ("zipped", ".xlsx"):
        assert kind in str(info.value).partition("y its first bytes it is")[2]


def test_endings_that_are_not_read_say_what_to_do(tmp_path):
    for name, words in {
        "a.zip": "Unpack it", "a.csv.gz": "Unpack it", "a.RData": r"write\.csv", "a.ssm": "HLM 5",
        "a.txt": r"let its name end in \.csv",
    }.items():  # fmt: skip
        (tmp_path / name).write_text(ROWS)
        with pytest.raises(DataError, match=words):
            hlm.read(tmp_path / name)


def test_numbers_that_a_library_does_not_give_are_refused_in_words():
    pl = pytest.importorskip("polars")
    frame = pl.DataFrame({"id": [1, 2], "y": pl.Series([1, 2], dtype=pl.Int128)})
    with pytest.raises(DataError, match=r"Column 'y' cannot be read: .*128"):
        hlm.read(frame).level1_column("y")
    assert np.array_equal(hlm.read(frame.cast(pl.Int64)).level1_column("y"), [1, 2])
