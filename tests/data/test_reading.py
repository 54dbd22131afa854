"""Every file format and frame gives the same columns, with their labels and missing values."""

from __future__ import annotations

import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

import hlmbayes as hlm
from hlmbayes.data.reading import read_table
from hlmbayes.errors import DataError

SCHOOL = [3.0, 1.0, 1.0, 2.0, 3.0, 2.0]
Y = [1.5, 2.0, 3.0, -4.0, None, 6.25]
SEX = [0.0, 1.0, 1.0, 0.0, 1.0, 0.0]
TOWN = ["Ulm", "Bonn", "Bonn", "Jena", "Ulm", "Jena"]


@pytest.fixture
def frame():
    return pd.DataFrame({"School": SCHOOL, "Y": Y, "sex": SEX, "town": TOWN})


def write(frame, path):
    import pyreadstat

    labels = {"column_labels": {"Y": "Outcome"}, "variable_value_labels": {"sex": {0: "male", 1: "female"}}}
    match path.suffix:
        case ".sav":
            pyreadstat.write_sav(frame, path, **labels)
        case ".zsav":
            pyreadstat.write_sav(frame, path, compress=True, **labels)
        case ".dta":
            pyreadstat.write_dta(frame.astype({"sex": int}), path, **labels)
        case ".xpt":
            pyreadstat.write_xport(frame, path, column_labels={"Y": "Outcome"})
        case ".parquet":
            frame.to_parquet(path)
        case suffix:
            frame.to_csv(path, index=False, sep="\t" if suffix == ".tsv" else ",")
    return path


@pytest.mark.parametrize("suffix", [".sav", ".zsav", ".dta", ".xpt", ".parquet", ".csv", ".tsv", ".SAV"])
def test_round_trip_in_every_format(frame, tmp_path, suffix):
    path = write(frame, tmp_path / f"rows{suffix.lower()}")
    path = path.rename(tmp_path / f"rows{suffix}")
    data = hlm.read(path, id="school")
    assert data.unit_ids.tolist() == [1, 2, 3]
    assert data.unit.tolist() == [2, 0, 0, 1, 2, 1]
    np.testing.assert_array_equal(data.level1_column("y"), np.array(Y, dtype=float))
    np.testing.assert_array_equal(data.level1_column("sex"), SEX)
    assert [str(town) for town in data.level1["town"]] == TOWN
    if suffix.lower() in (".sav", ".zsav", ".dta", ".xpt"):
        assert data.labels["y"] == "Outcome"
    if suffix.lower() in (".sav", ".zsav", ".dta"):
        assert data.value_labels["sex"] == {0: "male", 1: "female"}


@pytest.mark.parametrize("suffix", ["sas7bdat", "por"])
def test_sas7bdat_and_por(suffix):
    data = hlm.read(Path(__file__).parents[1] / "oracles" / f"rows.{suffix}", id="school")
    assert data.unit_ids.tolist() == ["A1", "B2"]
    np.testing.assert_array_equal(data.level1_column("y"), [1, 2.5, np.nan, 4])
    assert data.labels == {"school": "School", "y": "Outcome"}


def polars_frame(frame):
    return pytest.importorskip("polars").from_pandas(frame)


@pytest.mark.parametrize(
    "convert",
    [lambda f: f, polars_frame, pa.Table.from_pandas, lambda f: {k: f[k].tolist() for k in f}],
    ids=["pandas", "polars", "pyarrow", "dict"],
)
def test_frames(frame, convert):
    data = hlm.read(convert(frame), id="SCHOOL")
    assert data.unit.tolist() == [2, 0, 0, 1, 2, 1]
    np.testing.assert_array_equal(data.level1_column("Y"), np.array(Y, dtype=float))
    assert data.level1["town"].tolist() == TOWN
    by_text = hlm.read(convert(frame), id="town")
    assert by_text.unit_ids.tolist() == ["Bonn", "Jena", "Ulm"]
    assert by_text.unit.tolist() == [2, 0, 0, 1, 2, 1]


def test_a_frame_is_not_copied():
    rng = np.random.default_rng(0)
    for dtype in ("float64", "float32", "int32", "bool"):
        frame = pd.DataFrame({"id": [1, 1, 2, 2], "x": rng.normal(size=4).astype(dtype)})
        column = hlm.read(frame).level1_column("x")
        assert column.dtype == dtype
        assert np.shares_memory(column, frame["x"].to_numpy())


def test_kinds_of_number_in_frames():
    frame = pd.DataFrame(
        {
            "id": pd.array([1, 1, 2], dtype="Int64"),
            "nullable": pd.array([1, None, 3], dtype="Int64"),
            "flag": pd.array([True, None, False], dtype="boolean"),
            "arrow": pd.array([1.5, None, 2.5], dtype="double[pyarrow]"),
            "category": pd.Categorical([10, None, 30]),
            "truth": [True, False, True],
            "decimal": [Decimal("1.5"), None, Decimal(2)],
            "mixed": pd.Series([1, pd.NA, 2.5], dtype=object),
        }
    )
    data = hlm.read(frame)
    expected = {
        "nullable": [1, np.nan, 3],
        "flag": [1, np.nan, 0],
        "arrow": [1.5, np.nan, 2.5],
        "category": [10, np.nan, 30],
        "truth": [1, 0, 1],
        "decimal": [1.5, np.nan, 2],
        "mixed": [1, np.nan, 2.5],
    }
    for name, values in expected.items():
        np.testing.assert_array_equal(data.level1_column(name), values, err_msg=name)
    assert frame["mixed"].isna().tolist() == [False, True, False]  # the user's frame is as it was


def test_numeric_dictionary_of_arrow():
    codes = pa.array([10, 30, None]).dictionary_encode()
    data = hlm.read(pa.table({"id": [1, 1, 2], "x": codes}))
    np.testing.assert_array_equal(data.level1_column("x"), [10, 30, np.nan])


def test_categorical_ids():
    frame = pd.DataFrame({"id": pd.Categorical(["b", "a", "b"]), "y": [1, 2, 3]})
    pl = pytest.importorskip("polars")
    for source in (frame, pl.from_pandas(frame), pa.Table.from_pandas(frame)):
        data = hlm.read(source)
        assert data.unit_ids.tolist() == ["a", "b"]
        assert data.unit.tolist() == [1, 0, 1]


def test_columns_whose_names_are_not_text():
    data = hlm.read(pd.DataFrame({"id": [1, 2], 7: [0.5, 1.5]}))
    assert data.level1_column("7").tolist() == [0.5, 1.5]


def test_masked_arrays():
    x = np.ma.array([1.0, 2.0, 3.0, 4.0], mask=[0, 1, 0, 0])
    text = np.ma.array(["a", "b", "c", "d"], mask=[0, 0, 1, 0])
    clean = np.ma.array([1, 2, 3, 4])
    data = hlm.read({"id": [1, 1, 2, 2], "x": x, "text": text, "clean": clean})
    np.testing.assert_array_equal(data.level1_column("x"), [1, np.nan, 3, 4])
    assert data.level1["text"].tolist() == ["a", "b", None, "d"]
    assert data.level1_column("clean").tolist() == [1, 2, 3, 4]
    assert x.data.tolist() == [1, 2, 3, 4]


def test_user_missing_values_of_spss_are_missing(tmp_path):
    import pyreadstat

    frame = pd.DataFrame({"id": [1.0, 1, 2, 2, 2], "x": [1.0, 99, 3, 97, 5], "z": [-5.0, 1, 2, -9, 3]})
    path = tmp_path / "rows.sav"
    pyreadstat.write_sav(frame, path, missing_ranges={"x": [{"lo": 97, "hi": 99}], "z": [-9.0]})
    data = hlm.read(path)
    np.testing.assert_array_equal(data.level1_column("x"), [1, np.nan, 3, np.nan, 5])
    np.testing.assert_array_equal(data.level1_column("z"), [-5, 1, 2, np.nan, 3])


def test_dates_of_spss_are_not_numbers(tmp_path):
    import pyreadstat

    path = tmp_path / "rows.sav"
    pyreadstat.write_sav(pd.DataFrame({"id": [1.0, 2], "born": pd.to_datetime(["2001-05-06", None])}), path)
    with pytest.raises(DataError, match=r"'born' of rows.sav is not numeric: .*for example '2001-05-06"):
        hlm.read(path).level1_column("born")


def csv(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "rows.csv"
    path.write_bytes(text.encode(encoding))
    return path


def test_csv_missing_values(tmp_path):
    path = csv(tmp_path, "id,x,y\n1,NA,2\n1,.,3\n2,,4\n2,5.5,nan\n")
    data = hlm.read(path)
    np.testing.assert_array_equal(data.level1_column("x"), [np.nan, np.nan, np.nan, 5.5])
    np.testing.assert_array_equal(data.level1_column("y"), [2, 3, 4, np.nan])


def test_csv_with_semicolons_and_decimal_commas(tmp_path):
    data = hlm.read(csv(tmp_path, "ID;Größe\r\n1;1,5\r\n2;2,25\r\n", "cp1252"))
    assert data.level1_column("größe").tolist() == [1.5, 2.25]


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_csv_in_utf_16_as_excel_saves_unicode_text(tmp_path, ends):
    text = "id\tGröße\n1\t1,5\n2\t2,25\n".replace("\n", ends)
    assert hlm.read(csv(tmp_path, text, "utf-16")).level1_column("größe").tolist() == [1.5, 2.25]


def test_csv_with_quotes_and_blanks_around_names(tmp_path):
    data = hlm.read(csv(tmp_path, '"id", "ses" , y \n1,2,3\n2,3,4\n'))
    assert list(data.level1) == ["ses", "y"]


@pytest.mark.parametrize("text", ["1224,0,5.9\n1,2,3\n", '"1224","0","5.9"\n1,2,3\n', "1;-2,5;3\n2;1e-3;4\n"])
def test_csv_without_names_is_refused(tmp_path, text):
    with pytest.raises(DataError, match=r"numbers in the first line of rows\.csv .*the names of the columns"):
        hlm.read(csv(tmp_path, text))


def test_csv_with_blanks_between_columns_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"no comma, semicolon, tab or \| in the first line .*\(id x y\)"):
        hlm.read(csv(tmp_path, "id x y\n1 2 3\n2 3 4\n"))


def test_a_folder_is_no_data_file(tmp_path):
    (tmp_path / "a.sav").mkdir()
    for place in (tmp_path, tmp_path / "a.sav"):
        with pytest.raises(DataError, match="is a folder; wanted a data file"):
            hlm.read(place)


def test_csv_with_semicolons_and_decimal_points(tmp_path):
    assert hlm.read(csv(tmp_path, "id;x\n1;1.5\n2;2.25\n")).level1_column("x").tolist() == [1.5, 2.25]


def test_csv_with_tabs_blanks_in_names_and_a_byte_order_mark(tmp_path):
    data = hlm.read(csv(tmp_path, "id\t x \n1\t3\n2\t4\n", "utf-8-sig"))
    assert data.level1_column("x").tolist() == [3, 4]


def test_a_cut_character_at_the_end_of_the_sample_is_still_utf8(tmp_path):
    padding = "id,x,t\n1,3,a\n2,4,"
    path = csv(tmp_path, padding + "a" * (65535 - len(padding)) + "é\n")
    assert hlm.read(path).level1["t"][1].endswith("aé")


# --- errors --------------------------------------------------------------------------------------


def test_missing_file_names_the_folder_and_the_nearest_file(frame, tmp_path):
    write(frame, tmp_path / "hsb1.csv")
    with pytest.raises(
        DataError, match=r"no file hsb1\.sav in .*The nearest name there is hsb1\.csv"
    ) as info:
        hlm.read(tmp_path / "hsb1.sav")
    assert str(tmp_path.resolve()) in str(info.value)
    with pytest.raises(DataError, match=r"no file zzzzzzz\.dta in .*Data files there: hsb1\.csv\."):
        hlm.read(str(tmp_path / "zzzzzzz.dta"))


def test_missing_folder(tmp_path):
    with pytest.raises(DataError, match=r"no file a\.sav: the folder .*nowhere does not exist"):
        hlm.read(tmp_path / "nowhere" / "a.sav")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("a.numbers", "Wanted: .sav"),
        ("a.hlm", "It is a command file: hlmbayes run takes it"),
        ("a.mdmt", "It says which files the data are in"),
        ("a", "files without an ending are not read"),
        ("a.rds", "Wanted: .sav"),
    ],
)
def test_unknown_extension(name, hint):
    with pytest.raises(DataError, match=hint) as info:
        hlm.read(name)
    assert ".parquet" in str(info.value)


def test_a_file_without_bytes(tmp_path):
    (tmp_path / "a.csv").touch()
    with pytest.raises(DataError, match=r"a\.csv is empty: the file has no bytes"):
        hlm.read(tmp_path / "a.csv")


@pytest.mark.parametrize("source", [{}, {"id": []}, pd.DataFrame({"id": [], "x": []}), pd.DataFrame()])
def test_no_rows_or_no_columns(source):
    with pytest.raises(DataError, match=r"the data is empty: it has \d columns and 0 rows"):
        hlm.read(source)


def test_a_csv_with_a_header_only(tmp_path):
    with pytest.raises(DataError, match=r"rows\.csv is empty: it has 2 columns and 0 rows"):
        hlm.read(csv(tmp_path, "id,x\n"))


@pytest.mark.parametrize("suffix", [".sav", ".dta", ".sas7bdat", ".parquet"])
def test_a_file_that_is_something_else(tmp_path, suffix):
    path = tmp_path / f"rows{suffix}"
    path.write_text("this is only text" * 50)
    what = rf"rows{suffix} could not be read as a {suffix} file: .*it is text: let its name end in \.csv"
    with pytest.raises(DataError, match=what):
        hlm.read(path)


def test_something_that_is_not_data():
    with pytest.raises(
        DataError, match=r"the data: cannot read a builtins\.int\..*pandas, polars or pyarrow"
    ):
        hlm.read(42)


def test_a_lazy_frame_must_be_collected():
    pl = pytest.importorskip("polars")
    with pytest.raises(DataError, match="collect it first"):
        hlm.read(pl.LazyFrame({"id": [1, 2]}))


def test_columns_of_the_same_name():
    with pytest.raises(DataError, match="columns of the same name"):
        hlm.read(pd.DataFrame([[1, 2, 3]], columns=["id", "x", "x"]))


def test_columns_of_the_same_name_in_a_file(tmp_path):
    with pytest.raises(DataError, match=r"rows\.csv has columns of the same name"):
        hlm.read(csv(tmp_path, "id,x,x\n1,2,3\n2,3,4\n"))


@pytest.mark.parametrize("columns", [{"id": [1, 2], "x": [1, 2, 3]}, {"id": [1, 2], "x": [[1, 2], [3, 4]]}])
def test_columns_that_do_not_fit_together(columns):
    with pytest.raises(DataError, match="one-dimensional and equally long; got id"):
        hlm.read(columns)


# --- small parts ---------------------------------------------------------------------------------


def test_columns_are_loaded_when_asked_for(frame):
    columns = read_table(frame, "the data").columns
    assert list(columns) == ["School", "Y", "sex", "town"]
    assert len(columns) == 4
    assert repr(columns) == "Columns(School, Y, sex, town)"
    assert columns["Y"] is columns["Y"]
    with pytest.raises(KeyError, match="y"):
        columns["y"]


def test_reading_spss_files_does_not_import_pandas():
    code = (
        "import sys, hlmbayes as h; h.datasets.hsb().level2_column('sector'); print('pandas' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_parquet_of_arrow_with_text_ids_in_several_chunks(tmp_path):
    table = pa.concat_tables(
        [pa.table({"id": ["b", None], "x": [1, 2]}), pa.table({"id": ["a ", "a"], "x": [3, 4]})]
    )
    parquet.write_table(table, tmp_path / "rows.parquet")
    for source in (table, tmp_path / "rows.parquet"):
        with pytest.raises(DataError, match="missing in 1 of 4 rows: 2"):
            hlm.read(source)
    whole = hlm.read(table.slice(2).append_column("k", [[1, 2]]), id="k")
    assert whole.level1["id"].tolist() == ["a ", "a"]
    joined = hlm.read(pa.concat_tables([table.slice(0, 1), table.slice(2)]))
    assert joined.unit_ids.tolist() == ["a", "b"]
    assert joined.unit.tolist() == [1, 0, 0]


def test_ids_of_a_csv_that_are_one_number_written_in_two_ways_are_two_units(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    rows = [f'"{u}",{k}.5,{k}' for u in ("1.1", "1.10", "6", "06", " 7") for k in range(3)]
    path.write_text("ID,X,Y\n" + "\n".join(rows) + "\n")
    data = hlm.read(path, id="id")
    assert list(data.unit_ids) == ["06", "1.1", "1.10", "6", "7"]
    assert data.notes == (
        "ids of a.csv that are the same number, but written differently, are different units: "
        "06 and 6, 1.1 and 1.10",
    )


def test_ids_of_a_csv_that_are_numbers_stay_numbers(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("ID,Y\n" + "".join(f"{u:03d},{k}\n" for u in (1, 2, 10) for k in range(2)))
    data = hlm.read(path, id="id")
    assert list(data.unit_ids) == [1, 2, 10]
    assert data.notes == ()


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_blanks_in_a_csv_are_missing_values(tmp_path: Path, delimiter: str) -> None:
    path, comma = tmp_path / "a.csv", "," if delimiter == ";" else "."
    rows = [(1, f"0{comma}5", 1), (1, " ", 2), (1, ".", 3), (2, f" 2{comma}25 ", 4), (2, "", 5)]
    path.write_text(
        "ID;X;Y\n".replace(";", delimiter) + "".join(delimiter.join(map(str, row)) + "\n" for row in rows)
    )
    x = hlm.read(path, id="id").level1_column("x")
    np.testing.assert_array_equal(x, [0.5, np.nan, np.nan, 2.25, np.nan])
    path.write_text(f"ID{delimiter}X\n1{delimiter} \n1{delimiter}a5\n2{delimiter}1\n")
    with pytest.raises(DataError, match="1 of 3 values are not numbers, for example 'a5' in row 2"):
        hlm.read(path, id="id").level1_column("x")


@pytest.mark.parametrize("step", [1, 1000])
def test_long_ids_are_not_rounded(step: int) -> None:
    ids = [12345678901234567890 + step * (k // 4) for k in range(20)]
    columns = {"id": np.array(ids, dtype=object), "y": np.arange(20.0)}
    assert hlm.read(columns, id="id").n_units == 5
    assert hlm.read(pd.DataFrame(columns), id="id").n_units == 5
    decimal = [Decimal(i) for i in ids]
    assert hlm.read({"id": np.array(decimal, dtype=object), "y": np.arange(20.0)}, id="id").n_units == 5


def test_text_ids_meet_numbers_digit_by_digit() -> None:
    text = np.array(["9007199254740993"] * 2 + ["2.0"] * 2 + [" 007"] * 2, dtype=object)
    units = {"id": np.array([9007199254740992, 9007199254740993, 2, 7]), "w": np.arange(4.0)}
    data = hlm.read({"id": text, "y": np.arange(6.0)}, units, id="id")
    np.testing.assert_array_equal(data.level2_column("w")[data.unit], [1, 1, 2, 2, 3, 3])
    for odd in ("1_0", "inf", "nan", "0x1"):
        with pytest.raises(DataError, match="are not numbers"):
            hlm.read({"id": np.array([odd, "2"], dtype=object), "y": [1.0, 2.0]}, units, id="id")


def test_an_infinite_id_is_missing() -> None:
    with pytest.raises(DataError, match="missing"):
        hlm.read({"id": np.array([1, np.inf, 2], dtype=object), "y": [1.0, 2.0, 3.0]}, id="id")


def long_ids(tmp_path: Path, name: str, ids: np.ndarray) -> Path:
    path = tmp_path / name
    frame = pd.DataFrame({"id": ids, "y": np.arange(float(len(ids)))})
    match path.suffix:
        case ".dta":
            frame.to_stata(path, write_index=False)
        case ".csv":
            frame.to_csv(path, index=False)
        case _:
            write(frame, path)
    return path


@pytest.mark.parametrize("name", ["a.dta", "a.parquet", "b.dta", "b.parquet", "b.sav", "b.xpt"])
def test_ids_that_a_format_has_rounded_are_refused(tmp_path: Path, name: str) -> None:
    """Twelve schools of float and double that are three when they are read."""
    start, kind = (2 * 10**8, "float32") if name[0] == "a" else (2 * 10**17, "float64")
    path = long_ids(tmp_path, name, np.repeat(start + np.arange(12), 4).astype(kind))
    with pytest.raises(DataError, match=rf"'id' of {name} is a floating number .* text or as an integer"):
        hlm.read(path, id="id")
    assert hlm.read(long_ids(tmp_path, name, np.repeat(np.arange(12), 4).astype(kind))).n_units == 12


@pytest.mark.parametrize("start", [2 * 10**8, 2 * 10**17, 2**63, 10**25])
def test_long_ids_of_a_csv_are_taken_as_written(tmp_path: Path, start: int) -> None:
    ids = [start + k // 4 for k in range(48)]
    data = hlm.read(long_ids(tmp_path, "a.csv", np.array(ids, dtype=object)), id="id")
    assert [int(value) for value in data.unit_ids] == sorted(set(ids))
    assert data.notes == ()
    stacked = pd.DataFrame({"id": ids * 2, "imp": [1] * 48 + [2] * 48, "y": np.arange(96.0)})
    stacked.to_csv(tmp_path / "s.csv", index=False)
    assert [each.n_units for each in hlm.read_imputed(tmp_path / "s.csv", by="imp")] == [12, 12]


def test_stacked_data_keep_ids_as_they_are_written_or_rounded(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text(
        "id,imp,y\n" + "".join(f"{u},{m},{m}.5\n" for m in (1, 2) for u in ("06", "6"))
    )
    sets = hlm.read_imputed(tmp_path / "s.csv", by="imp")
    assert [each.unit_ids.tolist() for each in sets] == [["06", "6"]] * 2
    frame = pd.DataFrame({"id": np.float32(2e8) + np.repeat(np.arange(12), 2), "imp": [1, 2] * 12})
    frame.astype({"id": "float32"}).to_stata(tmp_path / "s.dta", write_index=False)
    with pytest.raises(DataError, match="floating number"):
        hlm.read_imputed(tmp_path / "s.dta", by="imp")


# semicolon files: what stands in a column beside the numbers, and never is one
BESIDE = {
    "dates": "0{k}.02.2020", "versions": "4.{k}b", "times": "10.{k}0", "addresses": "10.0.0.{k}",
    "words": "e.g. {k}", "decades": "{k}.5-{k}.9", "lists": "{k},2", "money": "{k}.250", "nothing": "",
}  # fmt: skip


@pytest.mark.parametrize("delimiter", [";", "\t"])
@pytest.mark.parametrize("mark", [",", "."])
@pytest.mark.parametrize("beside", BESIDE)
def test_the_decimal_mark_is_judged_by_columns(
    tmp_path: Path, delimiter: str, mark: str, beside: str
) -> None:
    x, whole = np.arange(12) / 4 - 1, np.arange(12)
    rows = [
        [str(k // 2), f"{x[k]:.2f}".replace(".", mark), BESIDE[beside].format(k=k % 9 + 1), str(k)]
        for k in whole
    ]
    text = "\n".join(delimiter.join(row) for row in [["id", "x", "beside", "whole"], *rows])
    for asked in (None, mark):
        data = hlm.read(csv(tmp_path, text + "\n"), decimal=asked)
        np.testing.assert_array_equal(data.level1_column("x"), x)
        np.testing.assert_array_equal(data.level1_column("whole"), whole)
    other = hlm.read(csv(tmp_path, text), decimal="." if mark == "," else ",")
    with pytest.raises(
        DataError, match=rf"If '{mark}' is its decimal mark, say decimal='{mark}' \(--decimal\)"
    ):
        other.level1_column("x")


def test_points_that_part_thousands_beside_decimal_commas_are_no_decimals(tmp_path: Path) -> None:
    path = csv(tmp_path, "id;x;pop\n1;0,5;12.500\n1;1,25;1.250\n2;2,5;300\n")
    with pytest.raises(
        DataError, match=r"'pop' of rows\.csv is not numeric: it holds numbers stored as text"
    ):
        hlm.read(path).level1_column("pop")


def test_a_decimal_mark_that_is_none_is_refused() -> None:
    with pytest.raises(DataError, match=r"decimal=';' is no decimal mark: wanted '\.' or ','"):
        hlm.read("a.csv", decimal=";")


@pytest.mark.parametrize("name", ["y", "id"])
@pytest.mark.parametrize("kind", ["struct", "array", "list"])
def test_lists_and_records_are_not_numbers(name: str, kind: str) -> None:
    pl = pytest.importorskip("polars")
    columns = {"id": [1, 1, 2, 2], "y": [1.5, 2.0, 3.0, 4.0]}
    nested = {"struct": pl.struct(name), "array": pl.col(name).reshape((4, 1)), "list": pl.concat_list(name)}[
        kind
    ]
    frame = pl.DataFrame(columns).with_columns(nested.alias(name))
    with pytest.raises(DataError, match="is not numeric" if name == "y" else "whole numbers or text"):
        hlm.read(frame).level1_column("y")
