"""Missing codes that a user names are missing at every level, in every source, and the notes count them."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyreadstat
import pytest

import hlmbayes as hlm
from hlmbayes.cli.command import main
from hlmbayes.data.read_options import codes_from_text, missing_codes
from hlmbayes.errors import DataError

ROWS = {"id": [1, 1, 2, 2], "y": [1.5, -99.0, 3.0, -9.0], "x": [-9, 2, 3, -99]}
UNITS = {"id": [1, 2], "w": [-99.0, 4.0]}


def column(data, name):
    return data.level1_column(name).tolist()


def test_codes_of_all_variables():
    data = hlm.read(ROWS, UNITS, missing=[-99, -9])
    np.testing.assert_array_equal(data.level1_column("y"), [1.5, np.nan, 3, np.nan])
    np.testing.assert_array_equal(data.level1_column("x"), [np.nan, 2, 3, np.nan])
    np.testing.assert_array_equal(data.level2["w"], [np.nan, 4])
    assert data.notes == (
        "missing codes, as missing= (--missing) says: y: 1 value of -99, y: 1 value of -9, "
        "x: 1 value of -99, x: 1 value of -9, w: 1 value of -99",
    )
    assert ROWS["y"] == [1.5, -99, 3, -9]


def test_codes_of_one_variable_and_of_all():
    data = hlm.read(ROWS, missing={"Y": -99, "*": [-9, 777]})
    np.testing.assert_array_equal(data.level1_column("y"), [1.5, np.nan, 3, np.nan])
    np.testing.assert_array_equal(data.level1_column("x"), [np.nan, 2, 3, -99])
    assert data.notes[1:] == ("missing codes that are nowhere in the data: 777",)
    assert column(hlm.read(ROWS, missing={"x": []}), "x") == ROWS["x"]
    with pytest.raises(DataError, match=r"names 'yy', which no column is called\. Did you mean 'y'\?"):
        hlm.read(ROWS, missing={"yy": -99})


def test_ids_keep_their_values_unless_they_are_named():
    rows = {"id": [9, 9, 10, 10, 99], "y": [9.0, 1, 2, 3, 4]}
    data = hlm.read(rows, missing=[9, 99])
    assert data.unit_ids.tolist() == [9, 10, 99]
    assert "id" not in data.notes[0]
    with pytest.raises(DataError, match="The id 'id' of the data is missing in 1 of 5 rows"):
        hlm.read(rows, missing={"id": 99})


@pytest.mark.parametrize("kind", ["pandas", "polars", "arrow", "csv", "comma", "sav", "parquet", "xlsx"])
def test_every_source(tmp_path, kind):
    frame = pd.DataFrame(ROWS).assign(t=["a", "k.A.", "b", "c"], n=["1", "k.A.", "3", "4.5"])
    source = tmp_path / f"rows.{'csv' if kind == 'comma' else kind}"
    match kind:
        case "pandas":
            source = frame
        case "polars":
            source = pytest.importorskip("polars").from_pandas(frame)
        case "arrow":
            source = pa.Table.from_pandas(frame)
        case "csv":
            frame.to_csv(source, index=False)
        case "comma":
            frame.to_csv(source, index=False, sep=";", decimal=",")
        case "sav":
            pyreadstat.write_sav(frame, source)
        case "parquet":
            frame.to_parquet(source)
        case "xlsx":
            frame.to_excel(source, index=False)
    data = hlm.read(source, missing=[-99, -9, "k.A."])
    np.testing.assert_array_equal(data.level1_column("y"), [1.5, np.nan, 3, np.nan])
    np.testing.assert_array_equal(data.level1_column("x"), [np.nan, 2, 3, np.nan])
    assert data.level1["t"].tolist() == ["a", None, "b", "c"]
    assert "t: 1 value of 'k.A.'" in data.notes[-1]
    if kind in ("csv", "xlsx"):  # which have no types
        np.testing.assert_array_equal(data.level1_column("n"), [1, np.nan, 3, 4.5])


def test_a_column_without_codes_is_not_copied():
    x = np.arange(4.0)
    data = hlm.read(pd.DataFrame({"id": [1, 1, 2, 2], "x": x}, copy=False), missing=-99)
    assert np.shares_memory(data.level1_column("x"), x)


def test_codes_in_every_imputed_data_set():
    stacked = pd.DataFrame({"imp": [1] * 4 + [2] * 4, **{k: v * 2 for k, v in ROWS.items()}})
    for sets in (
        hlm.read_imputed(stacked, by="imp", missing=[-99, -9]),
        hlm.read_imputed([ROWS, dict(ROWS)], missing=[-99, -9]),
    ):
        for data in sets:
            np.testing.assert_array_equal(data.level1_column("y"), [1.5, np.nan, 3, np.nan])
            assert "y: 1 value of -99" in data.notes[0]


@pytest.mark.parametrize("asked", [True, [None], [np.nan], {"x": [[1]]}, {"x": object()}])
def test_what_is_no_code_is_refused(asked):
    with pytest.raises(DataError, match=r"is no missing code\. Wanted numbers or text, missing=\[-99, -9\]"):
        hlm.read(ROWS, missing=asked)


def test_codes_as_they_are_written():
    assert codes_from_text(["-99,-9", "ses = -1;99", "ses=7", "k.A."]) == {
        "*": (-99, -9, "k.A."),
        "ses": (-1, 99, 7),
    }
    two = {"ses": (-99, -9), "my age": (-1,)}
    assert codes_from_text(["ses=-99,-9, my age=-1"]) == codes_from_text(["ses=-99,-9;my age=-1"]) == two
    assert codes_from_text([]) == missing_codes(None) == {}
    assert missing_codes({"A": ["-9", "x"], "*": 3}) == {"a": (-9, "x"), "*": (3,)}
    for text in ("", "ses=", "=3", "1,,2"):
        with pytest.raises(DataError, match="are not understood: wanted numbers, -99,-9, or NAME=-99,-9"):
            codes_from_text([text])


# --- what programs call missing keeps its meaning -------------------------------------------------


def test_extended_missing_values_of_stata_are_missing(tmp_path):
    frame = pd.DataFrame({"id": [1.0, 1, 2, 2], "x": [1, "a", 3, "z"], "y": [1.0, 2, 3, np.nan]})
    pyreadstat.write_dta(frame, tmp_path / "a.dta", missing_user_values={"x": ["a", "z"]})
    np.testing.assert_array_equal(hlm.read(tmp_path / "a.dta").level1_column("x"), [1, np.nan, 3, np.nan])


def test_user_missing_values_of_spss_and_long_names_and_labels_give_the_fit(tmp_path, capsys):
    rng = np.random.default_rng(2)
    long = "socioeconomic_status_of_the_family_as_the_students_reported_it_x"
    assert len(long) == 64
    school = np.repeat(np.arange(1.0, 21), 8)
    ses = rng.normal(size=160)
    frame = pd.DataFrame(
        {
            "school": school,
            long: ses,
            "y": 2 + ses + rng.normal(size=160) + rng.normal(size=20)[school.astype(int) - 1],
        }
    )
    frame.loc[[3, 17], long] = -99.0
    frame.loc[40, long] = 97.0
    pyreadstat.write_sav(
        frame,
        tmp_path / "a.sav",
        column_labels={long: "Status"},
        missing_ranges={long: [-99.0, {"lo": 97, "hi": 99}]},
        variable_value_labels={long: {-99: "no answer"}},
    )
    data = hlm.read(tmp_path / "a.sav", id="school")
    assert np.isnan(data.level1_column(long)).sum() == 3
    assert data.labels[long] == "Status"
    assert data.notes == (f"a.sav declares values that are missing: {long} 97 to 99 and -99",)
    assert data.value_labels[long] == {-99: "no answer"}
    model = f"y = b0 + b1*{long} + r\nb0 = g00 + u0\nb1 = g10"
    fit = hlm.Model(model).fit(data)
    gone = frame[long].isin([-99, 97])
    clean = hlm.Model(model).fit(hlm.read(frame[~gone], id="school"))
    assert fit.gamma["g10"] == clean.gamma["g10"]
    assert "3 of 160 level-1 records were left out" in fit.listing()
    (tmp_path / "m.txt").write_text(model)
    command = ["run", str(tmp_path / "m.txt"), "--level1", str(tmp_path / "a.sav"), "--id", "school"]
    assert main([*command, "--json", str(tmp_path / "a.json")]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert f"a.sav declares values that are missing: {long} 97 to 99 and -99." in said
    assert "3 of 160 level-1 records were left out" in said
    assert json.loads((tmp_path / "a.json").read_text())["deviance"] == pytest.approx(fit.deviance, rel=1e-12)


def test_a_code_with_decimals_in_single_precision(tmp_path):
    """Stata's floats are given in double precision, where -99.9 is another number."""
    frame = pd.DataFrame({"id": [1, 1, 2, 2], "y": np.array([1.5, -99.9, 2, 3], dtype="float32")})
    frame.to_stata(tmp_path / "a.dta", write_index=False)
    for source in (frame, tmp_path / "a.dta", frame.astype({"y": "float64"})):
        data = hlm.read(source, missing=-99.9)
        assert np.isnan(data.level1_column("y")).tolist() == [False, True, False, False]
        assert data.notes == ("missing codes, as missing= (--missing) says: y: 1 value of -99.9",)
