"""Text files as people export them: title rows, blank rows, unnamed columns, parted thousands, per cents."""

from __future__ import annotations

import re
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import hlmbayes as hlm
from hlmbayes.errors import DataError, HLMWarning


def csv(tmp_path: Path, text: str, encoding: str = "utf-8") -> Path:
    path = tmp_path / "rows.csv"
    path.write_bytes(text.encode(encoding))
    return path


TITLES = {  # what stands above the names, the delimiter, and the note of it
    "semicolons": ("Results of 2024;;", ";", '1 row.*: "Results of 2024"'),
    "comma in it": ("Results, 2024", ";", '1 row.*: "Results, 2024"'),
    "blank line": ("Results\n\n", ",", '1 row.*: "Results"'),
    "two": ("Results\nSpring term, 2024", ";", '2 rows.*: "Results", "Spring term, 2024"'),
    "commas": ("Results,,", ",", '1 row.*: "Results"'),
    "quoted": ('"Results; all",,', ",", '1 row.*: "Results; all"'),
    "bars": ("Results", "|", '1 row.*: "Results"'),
    "tabs": ("Results", "\t", '1 row.*: "Results"'),
    "some cells": ("Results;2024;", ";", '1 row.*: "Results 2024"'),
}


@pytest.mark.parametrize("kind", TITLES)
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp1252", "utf-16"])
def test_title_rows_above_the_names(tmp_path, kind, ends, encoding):
    title, d, note = TITLES[kind]
    width, mark = 5 if kind == "some cells" else 3, "." if d == "," else ","
    rows = [[str(k // 2), f"{k}{mark}5", str(k), "1", "2"] for k in range(6)]
    lines = [
        title.replace("\n", ends),
        *(d.join(row[:width]) for row in [["id", "größe", "y", "z", "v"], *rows]),
    ]
    data = hlm.read(csv(tmp_path, ends.join([*lines, d * (width - 1), "", ""]), encoding))
    assert data.level1_column("größe").tolist() == [k + 0.5 for k in range(6)]
    assert re.match(note, data.notes[0])
    assert data.notes[1:] == ("1 row of rows.csv in which nothing stands was left out",)


def test_blank_rows_and_lines(tmp_path):
    data = hlm.read(csv(tmp_path, "id,y,t\n1,2,a\n,,\n1,3,b\n2,4,c\n   \n , , \n,,\n"))
    assert data.level1_column("y").tolist() == [2, 3, 4]
    assert data.notes == ("3 rows of rows.csv in which nothing stands were left out",)
    with pytest.raises(DataError, match=r"The id 'id' of rows\.csv is missing in 1 of 3 rows: 2"):
        hlm.read(csv(tmp_path, "id,y,t\n1,2,a\n,5,\n2,3,b\n"))


@pytest.mark.parametrize("door", ["level 1", "level 2", "frame", "stacked"])
def test_blank_rows_by_every_door(tmp_path, door):
    frame = pd.DataFrame(
        {"id": [1, 1, 2, None, None], "y": [1.0, 2, 3, None, None], "t": ["a", "b", "c", None, " "]}
    )
    units = pd.DataFrame({"id": [1, 2, np.nan], "w": [5.0, 6, np.nan]})
    if door == "stacked":
        sets = hlm.read_imputed(
            pd.concat([frame.assign(m=m) for m in (1, 2)]).assign(m=lambda f: f.m.where(f.y > 0)), by="m"
        )
        assert [data.level1_column("y").tolist() for data in sets] == [[1, 2, 3]] * 2
        return
    frame.to_csv(tmp_path / "a.csv", index=False)
    rows = {"level 1": tmp_path / "a.csv", "level 2": frame[:3], "frame": frame}[door]
    data = hlm.read(rows, units)
    assert data.level1_column("y").tolist() == [1, 2, 3]
    assert data.level2_column("w").tolist() == [5, 6]
    left_out = [note.split(" of ")[0] for note in data.notes]
    assert left_out == (["1 row"] if door == "level 2" else ["2 rows", "1 row"])


def test_columns_without_a_name(tmp_path):
    data = hlm.read(csv(tmp_path, ",id,y,,\n0,1,2,,5\n1,1,3,,6\n2,2,3,,7\n"))
    assert list(data.level1) == ["column_1", "y", "column_5"]
    assert data.notes == ("2 columns of rows.csv without a name: column_1, column_5",)


def test_a_line_of_another_length_is_refused_in_a_line(tmp_path):
    one = (
        r"A line of rows\.csv has 1 values and there are 2 names of columns: Source: our survey\. Correct it"
    )
    with pytest.raises(DataError, match=one):
        hlm.read(csv(tmp_path, "id,y\n1,2\n2,3\nSource: our survey\n"))
    with pytest.raises(DataError, match=r"has 3 values and there are 2 names.*write\.csv"):  # row names of R
        hlm.read(csv(tmp_path, '"id","y"\n"1",1,2\n"2",2,3\n'))


def test_nothing_in_the_lines_and_the_end_of_dos(tmp_path):
    for text in ("\n\n", "\ufeff", " \n , \n"):
        with pytest.raises(DataError, match=r"rows\.csv is empty: there is nothing in its lines"):
            hlm.read(csv(tmp_path, text))
    assert hlm.read(csv(tmp_path, "id,y\n1,2\n2,3\n\x1a")).n_rows == 2


# --- encodings -----------------------------------------------------------------------------------

MANY = "".join(f"S{k // 4},{k}\n" for k in range(30_000))  # more than a sample


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "cp850", "utf-8"])
def test_one_letter_in_the_last_line_tells_the_encoding(tmp_path, encoding):
    """The letters that differ are all that tells two units apart."""
    rows = MANY + "Z\u00fcrich,1\nZ\u00fcrich,2\nZ\u00e4rich,3\nZ\u00e4rich,4\n"
    data = hlm.read(csv(tmp_path, "id,y\n" + rows, encoding))
    assert data.n_units == 7502
    assert len(set(data.unit[-4:])) == 2
    if encoding != "cp850":
        assert set(data.unit_ids[-2:]) == {"Z\u00fcrich", "Z\u00e4rich"}


def test_text_of_another_encoding_is_text(tmp_path):
    path = csv(
        tmp_path,
        "id,t,y\n" + "".join(f"{k // 4},abc,{k}\n" for k in range(20_000)) + "9,\u00e9,1\n",
        "cp1252",
    )
    data = hlm.read(path)
    assert set(data.level1["t"].tolist()) == {"abc", "\u00e9"}


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32"])
def test_wide_letters_without_a_mark(tmp_path, encoding):
    data = hlm.read(csv(tmp_path, "id\tgr\u00f6\u00dfe\n1\t2\n2\t3\n", encoding))
    assert data.level1["gr\u00f6\u00dfe"].tolist() == [2, 3]


def test_bytes_of_a_frame_that_are_no_utf8_are_units_of_their_own():
    raw = [b"Z\xfcrich", b"Z\xe4rich", b"Z\x81rich", b"A", "Z\u00fcrich".encode()]
    for ids in (np.array(raw), pd.Series(raw)):
        assert hlm.read({"id": ids, "y": np.arange(5.0)}).unit_ids.tolist() == [
            "A", "Z\x81rich", "Z\u00e4rich", "Z\u00fcrich",
        ]  # fmt: skip


# --- numbers that are text -----------------------------------------------------------------------


PARTED = {
    "points": ("id;x\n1;1.234\n1;999\n2;12.345\n", r"rows\.csv .*x \(1\.234\).*thousands='\.'"),
    "points everywhere": ("id;x\n1;1.234\n1;2.500\n2;12.345\n", r"rows\.csv .*x \(1\.234\).*thousands='\.'"),
    "commas": ("id\tx\n1\t1,234\n1\t2,999\n2\t12,345\n", r"x \(1,234\).*thousands=','.*decimal=','"),
}


@pytest.mark.parametrize("kind", PARTED)
def test_decimals_that_may_part_thousands_are_warned_of(tmp_path, kind, recwarn):
    text, words = PARTED[kind]
    with pytest.warns(HLMWarning, match=words):
        data = hlm.read(csv(tmp_path, text))
    mark = "," if kind == "commas" else "."
    assert data.level1["x"][0] == 1.234
    assert hlm.read(csv(tmp_path, text), thousands=mark).level1["x"][0] == 1234
    assert hlm.read(csv(tmp_path, text), decimal=mark).level1["x"][0] == 1.234
    assert not recwarn


@pytest.mark.parametrize(
    "text",
    [
        "id;x\n1;1.234\n1;0.500\n2;12.345\n",  # thousands do not begin with 0
        "id;x;z\n1;1.234;0.5\n1;999;1\n2;12.345;2\n",  # a point that is a decimal mark elsewhere
        "id;x;z\n1;5,125;2,5\n1;3;3\n2;4;1\n",
        "id,x\n1,1.234\n1,999\n2,12.345\n",
        "id;x\n1;1.234\n1;999\n2;about 12.345\n",  # text
    ],
)
def test_decimals_that_part_no_thousands_are_not_warned_of(tmp_path, text, recwarn):
    hlm.read(csv(tmp_path, text))
    assert not recwarn


def test_thousands_on_request(tmp_path):
    path = csv(tmp_path, 'id,y\n1,"1,234"\n1,567\n2,"-12,345,678.5"\n2,"1,000"\n')
    with pytest.raises(
        DataError, match=r"'1,234' in row 1.*if ',' parts thousands, say thousands=',' \(--thousands\)"
    ):
        hlm.read(path).level1_column("y")
    data = hlm.read(path, thousands=",")
    assert data.level1_column("y").tolist() == [1234, 567, -12345678.5, 1000]
    assert data.unit_ids.tolist() == [1, 2]
    path = csv(tmp_path, 'id;y\n1;1.234,5\n1;"12 345"\n2;7\n')
    with pytest.raises(DataError, match="is not numeric"):
        hlm.read(path, thousands=".").level1_column("y")
    frame = pd.DataFrame({"id": [1, 1, 2], "y": ["1\u00a0234,5", "7", "12 345"]})
    assert hlm.read(frame, thousands=" ", decimal=",").level1_column("y").tolist() == [1234.5, 7, 12345]
    for odd in ("12,34", "1,2345", "1234,567", ",123", "1,,234"):
        with pytest.raises(DataError, match="is not numeric"):
            hlm.read({"id": [1, 2], "y": [odd, "1"]}, thousands=",").level1_column("y")


def test_per_cents_on_request(tmp_path):
    path = csv(tmp_path, "id,y,z\n1,45 %,5%\n1,7.5%,6\n2,NA,7\n")
    with pytest.raises(DataError, match=r"'45 %' in row 1.*percent=True \(--percent\) reads 45 % as 45"):
        hlm.read(path).level1_column("y")
    data = hlm.read(path, percent=True)
    np.testing.assert_array_equal(data.level1_column("y"), [45, 7.5, np.nan])
    with pytest.raises(DataError, match="is not numeric"):  # 5 % beside 6
        data.level1_column("z")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"thousands": ";"}, "thousands=';' parts no thousands: wanted"),
        ({"thousands": ",", "decimal": ","}, "decimal and thousands are both ','"),
        ({"level2_missing": "keep"}, "level2_missing='keep' is not known: wanted 'refuse' or 'drop'"),
    ],
)
def test_options_that_are_none_are_refused(options, words):
    with pytest.raises(DataError, match=words):
        hlm.read({"id": [1, 2], "y": [1, 2]}, **options)


def test_damaged_files_are_refused_in_a_line_and_soon(tmp_path):
    rng = np.random.default_rng(0)
    whole = b"Title;;\nid;x;y\n" + b"".join(b"%d;%d,5;%d\n" % (k // 5, k, k) for k in range(2000))
    for k in range(80):
        damaged = np.frombuffer(whole, np.uint8).copy()
        damaged[rng.integers(0, 60 if k % 2 else len(damaged), 1 + k // 8)] = rng.integers(0, 256, 1 + k // 8)
        path = tmp_path / "a.csv"
        path.write_bytes(damaged.tobytes())
        start = time.process_time()
        try:
            hlm.read(path)
        except (DataError, HLMWarning) as said:
            assert "\n" not in str(said)  # noqa: PT017
        assert time.process_time() - start < 1


@pytest.mark.parametrize("begins", [b"", b"\x81\x8d", b"id,y\n1,2\n"])
def test_a_file_that_is_no_text_is_said_to_be_none(tmp_path: Path, begins: bytes) -> None:
    file = tmp_path / "scores.csv"
    file.write_bytes(begins + np.random.default_rng(1).bytes(4000))
    with pytest.raises(DataError, match=r"^scores\.csv is no text: it has bytes that no text has"):
        hlm.read(file, id="id")


@pytest.mark.parametrize("name", ['screen 15"', '"odd', 'a "b" c', "plain"])
def test_quotes_in_a_name_stay(tmp_path: Path, name: str) -> None:
    frame = pd.DataFrame({"id": [1, 1, 2], name: [1.5, 2.5, 3.5]})
    frame.to_csv(tmp_path / "rows.csv", index=False)
    assert hlm.read(tmp_path / "rows.csv").level1_column(name).tolist() == [1.5, 2.5, 3.5]


def test_names_quoted_twice_lose_both_pairs(tmp_path: Path) -> None:
    data = hlm.read(csv(tmp_path, '"""id""", """y"""\n1,2\n1,3\n2,4\n'))
    assert data.level1_column("y").tolist() == [2, 3, 4]


@pytest.mark.parametrize("door", ["csv", "xlsx", "frame", "arrays"])
def test_names_on_several_lines_are_on_one_and_trimmed(tmp_path: Path, door: str) -> None:
    frame = pd.DataFrame({"School\r\nID": [1, 1, 2, 2], " Score\n(2020)": [1.0, 2, 4, 3]})
    if door in ("csv", "xlsx"):
        write = frame.to_csv if door == "csv" else frame.to_excel
        write(tmp_path / f"rows.{door}", index=False)
    source = {"frame": frame, "arrays": dict(frame)}.get(door, tmp_path / f"rows.{door}")
    for name in ("school id", "School\r\nID"):
        assert hlm.read(source, id=name).level1_column("Score (2020)").tolist() == [1, 2, 4, 3]
    if door != "arrays":
        fit = hlm.Model("`Score (2020)` = b0 + r; b0 = g00 + u0").fit(source, id="School ID")
        assert fit.gamma["g00"] == pytest.approx(2.5)


def test_two_names_of_one_spelling_stay_two() -> None:
    data = hlm.read({"id": [1, 1, 2], "a b": [1, 2, 3], "a\nb": [4, 5, 6]})
    assert data.level1_column("a b").tolist() == [1, 2, 3]
    assert data.level1["a\nb"].tolist() == [4, 5, 6]


def test_names_that_are_longer_than_the_sample(tmp_path):
    names = [f"questionnaire_item_{k:05d}" for k in range(4000)]  # 100 KB in the first line
    lines = [",".join(["id", *names, "y"])] + [
        ",".join([str(k // 2), *["1"] * 4000, f"{k}.5"]) for k in range(4)
    ]
    path = tmp_path / "wide.csv"
    path.write_text("\n".join(lines) + "\n")
    data = hlm.read(path)
    assert len(data.level1) == 4001
    assert data.level1_column("y").tolist() == [0.5, 1.5, 2.5, 3.5]


@pytest.mark.parametrize("end", ["", "\n", "\n\n"])
def test_names_without_rows(tmp_path, end):
    path = tmp_path / "a.csv"
    path.write_text(f"id,y{end}")
    with pytest.raises(DataError, match=r"^a\.csv is empty: it has 2 columns and 0 rows\.$"):
        hlm.read(path)
