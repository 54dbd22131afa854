"""Names HLM cut to eight characters find the columns they were cut from, ids too."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pyreadstat
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hlmbayes as hlm
from hlmbayes.data.reading import read_table
from hlmbayes.data.sav_dictionary import short_names
from hlmbayes.data.table import Table
from hlmbayes.data.two_level import TwoLevelData
from hlmbayes.errors import DataError, HLMWarning
from hlmbayes.hlm_files.short_names import hlm_names, read_with_short_names, with_short_names

RNG = np.random.default_rng(0)
UNIT = np.repeat(np.arange(6), 5)
ROWS = {
    "school_number": UNIT,
    "achievement_score": RNG.normal(size=30),
    "SES_of_student": RNG.normal(size=30),
}
UNITS = {
    "school_id_1982": np.arange(6), "sector_1982": np.arange(6) % 2, "school_ses_a": RNG.normal(size=6),
    "school_ses_b": RNG.normal(size=6), "sizes": np.arange(6.0),
}  # fmt: skip


def data() -> TwoLevelData:
    return hlm.read(ROWS, UNITS, id=("school_number", "school_id_1982"))


def files(folder: Path, suffix: str, one: bool) -> tuple[Path, Path | None]:
    level1, level2 = pd.DataFrame(ROWS), pd.DataFrame(UNITS)
    if one:
        level1, level2 = level1.merge(level2, left_on="school_number", right_on="school_id_1982"), None
    paths = []
    for name, frame in (("one", level1), ("two", level2)):
        path = folder / f"{name}{suffix}"
        if frame is not None and suffix == ".csv":
            frame.to_csv(path, index=False)
        elif frame is not None:
            pyreadstat.write_sav(frame, str(path))
        paths.append(path)
    return paths[0], None if one else paths[1]


@pytest.mark.parametrize("suffix", [".csv", ".sav"])
@pytest.mark.parametrize("one", [False, True])
def test_a_cut_name_is_that_of_the_column_it_was_cut_from(tmp_path: Path, suffix: str, one: bool) -> None:
    ids = ("SCHOOL_N", "SCHOOL_N" if one else "SCHOOL_I")
    names = ["ACHIEVEM", "SES_OF_S"], ["SECTOR_1", "SIZES"]
    short = read_with_short_names(files(tmp_path, suffix, one), ids, *names)
    np.testing.assert_array_equal(short.level1["ACHIEVEM"], data().level1["achievement_score"])
    np.testing.assert_array_equal(short.level2_column("SECTOR_1"), np.arange(6) % 2)
    assert "achievement_score" not in short.level1
    assert short.id_name == "SCHOOL_N"
    assert sum("shorten names to 8 characters" in note for note in short.notes) == (4 if one else 5)
    fit = hlm.Model("ACHIEVEM = b0 + b1*SES_OF_S\nb0 = g00 + g01*SECTOR_1 + u0\nb1 = g10").fit(short)
    long = hlm.Model("achievement_score = b0 + b1*SES_of_student\nb0 = g00 + g01*sector_1982 + u0\nb1 = g10")
    assert fit.deviance == pytest.approx(long.fit(data()).deviance, abs=1e-9)


def table(*names: str) -> Table:
    return read_table({name: np.full(2, float(k)) for k, name in enumerate(names)}, "x.csv")


def meant(names: list[str], *columns: str) -> tuple[dict[str, float], list[str], list[str]]:
    """The columns that were renamed, by their new names, the notes and the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", HLMWarning)
        found, notes = with_short_names(table(*columns), Path("x.csv"), names)
    new = {name: float(found.columns[name][0]) for name in found.columns if name not in columns}
    return new, notes, [str(w.message) for w in caught]


def test_columns_that_begin_alike_are_named_in_their_order() -> None:
    columns = ("id", "school_ses_a", "x", "school_ses_b", "school_ses_c")
    found, notes, warned = meant(["SCHOOL_S", "SCHOOL_1"], *columns)
    assert found == {"SCHOOL_S": 1.0, "SCHOOL_1": 4.0}
    assert notes[1] == "SCHOOL_1 is school_ses_c of x.csv: HLM's files shorten names to 8 characters"
    assert warned == [
        "SCHOOL_S is taken for school_ses_a, the first of the columns of x.csv that begin so (school_ses_a, "
        "school_ses_b, school_ses_c): HLM shortens names in the order of the file."
    ]
    assert hlm_names(["achievement_a", "ACHIEVEM", "achievement_b", "ses"]) == {
        "ACHIEVEM": "achievement_a", "ACHIEVE0": "ACHIEVEM", "ACHIEVE1": "achievement_b",
    }  # fmt: skip
    assert list(hlm_names([f"achievement{k}" for k in range(12)]))[-2:] == ["ACHIEVE9", "ACHIEV10"]


def test_a_column_that_bears_the_name_is_taken_and_an_earlier_one_that_is_cut_to_it_named() -> None:
    assert meant(["SES_OF_S"], "SES_OF_S", "ses_of_student") == ({}, [], [])
    found, notes, (warned,) = meant(["ses_of_s"], "ses_of_student", "SES_OF_S")
    assert (found, notes) == ({}, [])
    assert warned == "ses_of_s of x.csv is taken; ses_of_student stands before it, which HLM may call so."


def test_other_names_are_left_alone() -> None:
    """Shorter than eight characters, of no column, or of a column that bears them."""
    assert meant(["ACHIEVE", "NOWHERE1", "SIZES"], "achievement", "sizes") == ({}, [], [])


@given(st.lists(st.text("AB_", min_size=1, max_size=11), unique=True))
def test_every_long_column_has_a_name_of_its_own(columns: list[str]) -> None:
    names = hlm_names(columns)
    assert sorted(names.values()) == sorted(c for c in columns if len(c) >= 8)
    assert all(len(name) == 8 for name in names)


def test_names_that_an_spss_file_has_come_first(tmp_path: Path) -> None:
    """SPSS cut achievement_b to ACHIEV_B; the file says so."""
    path = tmp_path / "x.sav"
    pyreadstat.write_sav(pd.DataFrame({"achievement_a": [1.0, 2.0], "achievement_b": [3.0, 4.0]}), str(path))
    whole = path.read_bytes()
    assert whole.count(b"V1=achievement_b") == 1  # what the library that wrote it makes of the second
    size = len("ACHIEVEM=achievement_a\tV1=achievement_b").to_bytes(4, "little")
    at = whole.index(size + b"ACHIEVEM=")
    more = (len("ACHIEVEM=achievement_a\tACHIEV_B=achievement_b")).to_bytes(4, "little")
    whole = whole.replace(b"V1      ", b"ACHIEV_B")
    changed = whole[:at] + more + whole[at + 4 :].replace(b"V1=achievement_b", b"ACHIEV_B=achievement_b")
    path.write_bytes(changed)
    assert short_names(path) == {"ACHIEVEM": "achievement_a", "ACHIEV_B": "achievement_b"}
    found, notes = with_short_names(read_table(path, ""), path, ["ACHIEV_B", "achievem"])
    assert found.columns["ACHIEV_B"].tolist() == [3.0, 4.0]
    assert len(notes) == 2


def test_names_of_a_file_that_is_cut_or_not_there_are_none(tmp_path: Path) -> None:
    assert short_names(tmp_path / "x.sav") == {}
    (tmp_path / "x.sav").write_bytes(b"")
    assert short_names(tmp_path / "x.sav") == {}
    (tmp_path / "x.sav").write_bytes(bytes.fromhex("070000000d000000010000 00ffffffff") + b"A=\xfcber\tB")
    assert short_names(tmp_path / "x.sav") == {"A": "über"}


def test_an_id_that_is_no_column_is_named_as_it_stands(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"one.csv has no id column 'PUPIL'"):
        read_with_short_names(files(tmp_path, ".csv", True), ("PUPIL", "PUPIL"), [], [])
