"""Damaged files of every format are refused in one line, within a second, or read."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyreadstat
import pytest

import hlmbayes as hlm
from hlmbayes.errors import DataError

ORACLES = Path(__file__).parents[1] / "oracles"
ROUNDS = 40


def whole(tmp_path: Path, suffix: str) -> bytes:
    path = tmp_path / f"whole{suffix}"
    frame = pd.DataFrame({"id": np.repeat([1.0, 2, 3], 20), "y": np.arange(60.0), "t": ["a", "b", "c"] * 20})
    labels = {"column_labels": {"y": "Outcome"}, "variable_value_labels": {"y": {1.0: "one"}}}
    match suffix:
        case ".sav" | ".zsav":
            pyreadstat.write_sav(
                frame, path, compress=suffix == ".zsav", missing_ranges={"y": [3.0]}, **labels
            )
        case ".dta":
            pyreadstat.write_dta(frame, path, **labels)
        case ".xpt":
            pyreadstat.write_xport(frame, path)
        case ".parquet":
            frame.to_parquet(path)
        case _:
            path = ORACLES / f"rows{suffix}"
    return path.read_bytes()


@pytest.mark.parametrize("suffix", [".sav", ".zsav", ".dta", ".xpt", ".parquet", ".sas7bdat", ".por"])
def test_damaged_files_are_refused_in_a_line_or_read(tmp_path, suffix):
    content, rng = whole(tmp_path, suffix), np.random.default_rng(1)
    for k in range(ROUNDS):
        damaged = np.frombuffer(content, np.uint8).copy()
        size = 1 + k // 4
        damaged[rng.integers(0, min(len(damaged), 400 if k % 2 else len(damaged)), size)] = rng.integers(
            0, 256, size
        )
        path = tmp_path / f"a{suffix}"
        path.write_bytes(damaged.tobytes()[: len(content) - (k % 3) * len(content) // 4])
        start = time.process_time()
        try:
            data = hlm.read(path)
            data.level1_column("y")
        except DataError as error:
            assert "\n" not in str(error)  # noqa: PT017
        except hlm.HLMWarning:
            pass  # values that look like codes
        assert time.process_time() - start < 1


SPOILT = {  # what ended the program: a byte, and what it says
    327: (1, "value labels belong to a variable that is not there"),
    213: (92, "a variable of 23552 letters is in its dictionary"),
    180: (226, "a text variable in its dictionary is cut"),
    176: (9, "there is a record of type 9 in its dictionary"),
}


@pytest.mark.parametrize("suffix", [".sav", ".zsav"])
def test_a_dictionary_that_would_end_the_program_is_refused(tmp_path, suffix):
    content = whole(tmp_path, suffix)
    for place, (value, words) in SPOILT.items():
        spoilt = bytearray(content)
        spoilt[place] = value
        path = tmp_path / f"a{suffix}"
        path.write_bytes(bytes(spoilt))
        with pytest.raises(DataError, match=rf"a{suffix} is damaged: {words}\. Copy it again"):
            hlm.read(path)
    path.write_bytes(content[:400])
    with pytest.raises(DataError, match=rf"a{suffix} is damaged: its dictionary ends too early"):
        hlm.read(path)


@pytest.mark.parametrize("width", [1, 8, 9, 255, 256, 600, 3000])
def test_long_text_is_no_damage(tmp_path, width):
    frame = pd.DataFrame({"id": [1.0, 2], "t": ["a" * width, "b"], "y": [1.0, 2]})
    labels = {"t": {"b": "last"}} if width < 100 else {}
    pyreadstat.write_sav(frame, tmp_path / "a.sav", variable_value_labels=labels, note="a note")
    assert hlm.read(tmp_path / "a.sav").level1["t"].tolist() == ["a" * width, "b"]


def test_a_sheet_of_excel_97_with_a_size_that_is_none_is_refused(tmp_path):
    content = bytearray((ORACLES / "rows.xls").read_bytes())
    at = content.index(b"\x00\x02\x0e\x00")
    content[at + 8 : at + 12] = b"\xff\xff\xff\x0f"
    (tmp_path / "a.xls").write_bytes(bytes(content))
    with pytest.raises(DataError, match=r"a\.xls has a sheet of [\d,]+ cells, at most 20,000,000 are read"):
        hlm.read(tmp_path / "a.xls", id="school")


@pytest.mark.parametrize("suffix", [".sav", ".zsav"])
@pytest.mark.parametrize(("place", "value"), [(-20, 8), (-6, 1), (-2, 1)])
def test_labels_of_numbers_on_text_are_refused(tmp_path, suffix, place, value):
    spoilt = bytearray(whole(tmp_path, suffix))
    spoilt[spoilt.index(b"Y       ") + place] = value
    path = tmp_path / f"a{suffix}"
    path.write_bytes(bytes(spoilt))
    with pytest.raises(DataError, match="value labels of numbers belong to a text variable, or the reverse"):
        hlm.read(path)


@pytest.mark.parametrize("suffix", [".sav", ".dta"])
def test_claims_of_many_rows_or_variables_ask_for_no_memory(tmp_path, suffix):
    spoilt, path = bytearray(whole(tmp_path, suffix)), tmp_path / f"a{suffix}"
    at = 83 if suffix == ".sav" else spoilt.index(b"<K>") + 4
    spoilt[at] = 43
    path.write_bytes(bytes(spoilt))
    start = time.process_time()
    with pytest.raises(DataError, match=r"it claims \d+ rows.* and has room for fewer"):
        hlm.read(path)
    assert time.process_time() - start < 1


def test_labels_of_text_are_read(tmp_path):
    frame = pd.DataFrame({"id": [1.0, 2], "t": ["é", "b"], "y": [1.0, 2]})
    labels = {"t": {"é": "one", "b": "two"}, "y": {1.0: "one"}}
    for suffix in (".sav", ".zsav"):
        compress = suffix == ".zsav"
        pyreadstat.write_sav(frame, tmp_path / f"a{suffix}", variable_value_labels=labels, compress=compress)
        assert hlm.read(tmp_path / f"a{suffix}").value_labels["t"] == labels["t"]
