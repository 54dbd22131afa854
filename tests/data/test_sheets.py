"""Sheets of Excel and LibreOffice as people lay them out: titles, blank rows, text for numbers, damage."""

from __future__ import annotations

import datetime
import time
import zipfile
from pathlib import Path

import numpy as np
import openpyxl
import pytest

import hlmbayes as hlm
from hlmbayes.errors import DataError, HLMWarning
from tests.workbook import book

DATA: list[list] = [[1, 1.5, 2], [1, 2.5, None], [2, -1.25, 4], [2, 3.0, 5.5]]
ROWS: list[list] = [["school", "y", "x"], *DATA]
ORACLES = Path(__file__).parents[1] / "oracles"


def ods(path: Path, rows: str) -> Path:
    names = "".join(
        f' xmlns:{short}="urn:oasis:names:tc:opendocument:xmlns:{short}:1.0"'
        for short in ("office", "table", "text")
    )
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", kind)
        body = f'<office:body><office:spreadsheet><table:table table:name="Data">{rows}</table:table>'
        end = "</office:spreadsheet></office:body></office:document-content>"
        entry = f'<m:file-entry m:full-path="/" m:media-type="{kind}"/></m:manifest>'
        name = 'xmlns:m="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"'
        archive.writestr("META-INF/manifest.xml", f'<?xml version="1.0"?><m:manifest {name}>{entry}')
        archive.writestr("content.xml", f'<?xml version="1.0"?><office:document-content{names}>{body}{end}')
    return path


def cell(value) -> str:
    if value is None:
        return "<table:table-cell/>"
    kind = "string" if isinstance(value, str) else "float"
    number = "" if isinstance(value, str) else f' office:value="{value}"'
    return f'<table:table-cell office:value-type="{kind}"{number}><text:p>{value}</text:p></table:table-cell>'


def row(values) -> str:
    return f"<table:table-row>{''.join(map(cell, values))}</table:table-row>"


def check(data) -> None:
    assert data.unit_ids.tolist() == [1, 2]
    np.testing.assert_array_equal(data.level1_column("y"), [1.5, 2.5, -1.25, 3.0])
    np.testing.assert_array_equal(data.level1_column("x"), [2, np.nan, 4, 5.5])


@pytest.mark.parametrize("suffix", [".xlsx", ".xlsm", ".ods", ".xls"])
def test_every_kind_of_sheet(tmp_path, suffix):
    if suffix == ".xls":
        path = ORACLES / "rows.xls"
    elif suffix == ".ods":
        path = ods(tmp_path / "rows.ods", "".join(map(row, ROWS)))
    else:
        path = book(tmp_path / f"rows{suffix}", Data=ROWS)
    data = hlm.read(path, id="school")
    check(data)
    assert data.notes == ()
    assert data.sources == (path.name, path.name)


def test_titles_blank_rows_and_columns_and_decimal_commas(tmp_path):
    rows: list[list] = [["Results of the study, 2024"], [], ["", *ROWS[0], None, None]]
    rows += [["", a, f"{b:.2f}".replace(".", ","), c] for a, b, c in DATA]
    path = book(tmp_path / "rows.xlsx", Data=[*rows, [], ["", " ", None, " "], [" "]])
    data = hlm.read(path, id="school")
    check(data)
    assert data.notes == (
        '1 row stands above the names of the columns of rows.xlsx, left out: "Results of the study, 2024"',
        "3 rows of rows.xlsx in which nothing stands were left out",
    )


def test_a_column_without_a_name_is_called_by_its_place(tmp_path):
    rows = [[*r, k] for k, r in enumerate(ROWS)]
    rows[0][3] = None
    data = hlm.read(book(tmp_path / "rows.xlsx", Data=rows), id="school")
    assert data.level1_column("column_4").tolist() == [1, 2, 3, 4]
    assert data.notes == ("1 column of rows.xlsx without a name: column_4",)


def test_the_sheet_is_chosen(tmp_path):
    path = book(tmp_path / "all.xlsx", About=[], Students=ROWS, Schools=[["school", "w"], [1, 7], [2, 9]])
    data = hlm.read(path, id="school")
    check(data)
    assert data.notes == (
        "all.xlsx has several sheets, and the first, 'Students', was read: sheet= (--sheet) chooses another "
        "(Schools)",
    )
    for students, schools in (("Students", "schools"), (2, 3), ("2", "3")):
        data = hlm.read(path, id="school", sheet=(students, schools))
        check(data)
        assert data.level2_column("w").tolist() == [7, 9]
        assert data.notes == ()
        assert not data.one_source
    assert hlm.read(path, path, id="school", sheet=(2, 2)).one_source
    refused = {
        "Student": r"all\.xlsx has no sheet 'Student'\. Did you mean 'Students'\? Say sheet=",
        "zzz": "Its sheets are: About, Students, Schools",
        4: "has no sheet 4",
        "About": "is empty",
        1.5: r"sheet=1\.5 names no sheet",
        (1, 2, 3): "names no sheet",
    }
    for sheet, words in refused.items():
        with pytest.raises(DataError, match=words):
            hlm.read(path, id="school", sheet=sheet)


def test_hidden_sheets_are_not_read_by_themselves(tmp_path):
    path = book(tmp_path / "a.xlsx", Lists=[["a"], ["b"]], Data=ROWS)
    made = openpyxl.load_workbook(path)
    made["Lists"].sheet_state = "hidden"
    made.save(path)
    check(hlm.read(path, id="school"))


def test_text_numbers_ids_and_dates(tmp_path):
    rows = [["id", "y", "town", "day"]]
    rows += [
        [i, y, t, datetime.date(2024, 1, 2)]
        for i, y, t in (("06", "1", "Ulm"), ("06", ".", "NA"), ("6", 2, "Ulm"))
    ]
    data = hlm.read(book(tmp_path / "a.xlsx", Data=rows))
    assert data.unit_ids.tolist() == ["06", "6"]
    np.testing.assert_array_equal(data.level1_column("y"), [1, np.nan, 2])
    assert data.level1["town"].tolist() == ["Ulm", None, "Ulm"]
    with pytest.raises(DataError, match=r"'day' of a\.xlsx is not numeric.*'2024-01-02'"):
        data.level1_column("day")


# --- damage --------------------------------------------------------------------------------------


def refuse_soon(path: Path, words: str) -> None:
    start = time.process_time()
    with pytest.raises(DataError, match=words) as info:
        hlm.read(path)
    assert "\n" not in str(info.value)
    assert time.process_time() - start < 1


def test_a_stray_cell_in_the_last_corner_is_refused_before_it_takes_the_memory(tmp_path):
    for corner in ("XFD1048576", "ZZ1048576", "XFD99999"):
        path = book(tmp_path / "far.xlsx", Data=ROWS)
        made = openpyxl.load_workbook(path)
        made["Data"][corner] = 1
        made.save(path)
        refuse_soon(path, r"far\.xlsx has a sheet of [\d,]+ cells, at most .*delete what stands far outside")
    wide = '<table:table-cell table:number-columns-repeated="16000"/>'
    rows = f"{row([1])[:-18]}{wide}{cell(1)}</table:table-row>"
    rows += '<table:table-row table:number-rows-repeated="99999">'
    refuse_soon(
        ods(tmp_path / "far.ods", f"{rows}{cell(1)}</table:table-row>"), r"far\.ods (could not|has a)"
    )


def test_an_empty_cell_far_away_does_no_harm(tmp_path):
    path = book(tmp_path / "rows.xlsx", Data=ROWS)
    made = openpyxl.load_workbook(path)
    made["Data"]["XFD1048576"].font = openpyxl.styles.Font(bold=True)
    made.save(path)
    check(hlm.read(path, id="school"))


@pytest.mark.parametrize("suffix", [".xlsx", ".xls", ".ods", ".xlsb"])
def test_what_is_no_sheet_is_refused_in_a_line(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    again = "save it again"
    old = again if suffix in (".xls", ".xlsx") else "it is an old workbook of Excel"
    for content, words in (
        (b"only text" * 50, r"it is text: let its name end in \.csv"),
        (b"PK\x03\x04" + b"\0" * 90, "it is zipped" if suffix == ".xls" else again),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 900, old),
    ):
        path.write_bytes(content)
        refuse_soon(path, rf"a{suffix} could not be read as a {suffix} file: .*{words}")
    path.write_bytes(b"")
    refuse_soon(path, "has no bytes")


def test_damaged_workbooks_are_refused_in_a_line_or_read(tmp_path):
    rng = np.random.default_rng(0)
    whole = {
        ".xlsx": book(tmp_path / "a.xlsx", Data=ROWS).read_bytes(),
        ".xls": (ORACLES / "rows.xls").read_bytes(),
    }
    for suffix, content in whole.items():
        path = tmp_path / f"b{suffix}"
        for k in range(60):
            damaged = np.frombuffer(content, np.uint8).copy()
            damaged[rng.integers(0, len(damaged), 1 + k // 4)] = rng.integers(0, 256, 1 + k // 4)
            path.write_bytes(damaged.tobytes()[: len(content) - (k % 3) * 200])
            start = time.process_time()
            try:
                hlm.read(path, id="school")
            except DataError as error:
                assert "\n" not in str(error)  # noqa: PT017
            assert time.process_time() - start < 1


def test_an_empty_workbook(tmp_path):
    refuse_soon(
        book(tmp_path / "a.xlsx", One=[], Two=[]), "is empty: there is nothing in its sheets, One, Two"
    )
    refuse_soon(
        book(tmp_path / "b.xlsx", One=[["id", "y"]]), r"b\.xlsx is empty: it has 2 columns and 0 rows"
    )
    refuse_soon(book(tmp_path / "c.xlsx", One=[[1, 2], [3, 4]]), "numbers in the first line of c.xlsx")
    refuse_soon(book(tmp_path / "d.xlsx", One=[["id", "y", "y"], [1, 2, 3]]), "columns of the same name.*: y")


def test_text_that_may_part_thousands_is_warned_of(tmp_path):
    path = book(tmp_path / "a.xlsx", Data=[["id", "x"], [1, "1,234"], [1, "2,345"], [2, 999]])
    with pytest.warns(HLMWarning, match=r"a\.xlsx .*x \(1,234\).*thousands=','"):
        assert hlm.read(path).level1["x"].tolist() == [1.234, 2.345, 999]
    assert hlm.read(path, thousands=",").level1["x"].tolist() == [1234, 2345, 999]


def test_messages_name_the_sheet_that_was_read(tmp_path):
    path = book(tmp_path / "a.xlsx", About=[["About this file"], ["of 2024"]], Data=ROWS)
    with pytest.raises(DataError, match=r"^sheet 'About' of a\.xlsx has no id column 'school'"):
        hlm.read(path, id="school")
    assert hlm.read(path, id="school", sheet=" data ").n_rows == len(ROWS) - 1
