"""Rows find their unit and their level-2 record; what cannot be used is refused by name."""

from __future__ import annotations

import pickle
import sys
import unicodedata
from typing import Any

import numpy as np
import pandas as pd
import pyreadstat
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hlmbayes as hlm
from hlmbayes.data import units
from hlmbayes.data.two_level import read
from hlmbayes.errors import DataError
from hlmbayes.unit_moments.record import moments_of
from tests.small import model, small


def pupils(**columns):
    return {"id": [20, 10, 10, 30, 20, 30], "Y": [1.0, 2, 3, 4, 5, 6], "x": [0, 1, 0, 1, 1, 0]} | columns


def schools(**columns):
    return {"id": [10, 20, 30], "W": [0.1, 0.2, 0.3]} | columns


# --- joining -------------------------------------------------------------------------------------


def test_two_sources():
    data = read(pupils(), schools())
    assert (data.n_rows, data.n_units) == (6, 3)
    assert data.unit_ids.tolist() == [10, 20, 30]
    assert data.unit.tolist() == [1, 0, 0, 2, 1, 2]
    assert data.unit.dtype == np.intp
    assert data.level2_column("w").tolist() == [0.1, 0.2, 0.3]
    assert (list(data.level1), list(data.level2)) == (["Y", "x"], ["W"])
    assert np.stack(data.level1_columns(["x", "y"]), 1).tolist() == [
        [0, 1],
        [1, 2],
        [0, 3],
        [1, 4],
        [1, 5],
        [0, 6],
    ]
    assert repr(data) == "TwoLevelData(6 rows in 3 units of id; level 1: Y, x; level 2: W)"


def test_one_source():
    data = read(pupils(w=[0.2, 0.1, 0.1, 0.3, 0.2, 0.3]))
    assert data.level2_column("W").tolist() == [0.1, 0.2, 0.3]
    assert (data.is_level2("w"), data.is_level2("x")) == (True, False)
    assert dict(data.level2) == {}
    assert repr(data) == "TwoLevelData(6 rows in 3 units of id; level 1: Y, x, w)"


def test_the_same_file_twice_is_one_source(tmp_path):
    path = tmp_path / "rows.csv"
    pd.DataFrame(pupils(w=[2, 1, 1, 3, 2, 3])).to_csv(path, index=False)
    data = read(path, str(path))
    assert data.one_source
    assert data.level2_column("w").tolist() == [1, 2, 3]
    frame = pd.read_csv(path)
    assert read(frame, frame).one_source


def test_levels_of_variables():
    data = read(pupils(both=[1, 2, 3, 4, 5, 6]), schools(both=[1, 2, 3]))
    assert (data.is_level2("w"), data.is_level2("Y"), data.is_level2("both")) == (True, False, False)
    assert data.level2_column("both").tolist() == [1, 2, 3]


def test_id_columns_of_two_names_in_any_case():
    data = read({"ID": [1, 2], "y": [3, 4]}, {"school": [2, 1], "w": [6, 5]}, id=("id", "SCHOOL"))
    assert data.id_name == "ID"
    assert data.level2_column("w").tolist() == [5, 6]


def test_a_level2_record_without_rows_is_noted():
    data = read(pupils(), schools(id=[10, 20, 40, 30], W=[1, 2, 9, 3]))
    assert data.notes == ("1 level-2 record has no level-1 rows: 40",)
    assert data.level2_column("w").tolist() == [1, 2, 3]
    more = read(pupils(), {"id": [5, 10, 20, 30, 40], "W": [9, 1, 2, 3, 9]})
    assert more.notes == ("2 level-2 records have no level-1 rows: 5, 40",)


def test_labels_of_both_levels(tmp_path):
    import pyreadstat

    first, second = tmp_path / "a.sav", tmp_path / "b.sav"
    for path, columns, label in ((first, pupils(), "of a pupil"), (second, schools(), "of a school")):
        frame = pd.DataFrame(columns)
        values = {"x": {0: "no", 1: "yes"}}
        pyreadstat.write_sav(
            frame, path, column_labels={n: f"{n} {label}" for n in frame}, variable_value_labels=values
        )
    data = read(first, second)
    assert data.labels == {
        "id": "id of a pupil",
        "y": "Y of a pupil",
        "x": "x of a pupil",
        "w": "W of a school",
    }
    assert data.value_labels == {"x": {0: "no", 1: "yes"}}


IDS = {
    "int64": [1224, 7, 7, 1288],
    "int8": np.array([100, 7, 7, -100], dtype=np.int8),
    "uint64": np.array([2**63 + 5, 7, 7, 2**63], dtype=np.uint64),
    "uint64 close": np.array([2**63 + 5, 2**63, 2**63, 2**63 + 9], dtype=np.uint64),
    "int16 wide": np.array([32767, 7, 7, -32768], dtype=np.int16),
    "far apart": [10**15, -(10**15), -(10**15), 0],
    "whole floats": [1224.0, 7.0, 7.0, 1288.0],
    "far floats": [1e14, 7.0, 7.0, -3e15],
    "fractions": [1.5, 7.25, 7.25, -1.5],
    "long floats": [2.0**53 - 1, 7.0, 7.0, 1 - 2.0**53],
    "bool": [True, False, False, True],
    "text": ["b", "a", "a", "c"],
    "bytes": np.array([b"b", b"a", b"a", b"c"]),
    "mixed": pd.Series([1224, "7", 7.0, "x"], dtype=object),
}


@pytest.mark.parametrize("kind", IDS)
@pytest.mark.parametrize("times", [1, 40], ids=["short runs", "long runs"])
@pytest.mark.parametrize("with_pandas", [True, False])
def test_every_kind_of_id_gives_sorted_units(kind, times, with_pandas, monkeypatch):
    if not with_pandas:
        monkeypatch.delitem(sys.modules, "pandas")
    ids = np.repeat(np.asarray(IDS[kind]), times)
    unit, unit_ids = units.index_rows(ids, "id", "the data")
    assert unit.dtype == np.intp
    assert unit_ids.tolist() == sorted(set(unit_ids.tolist()))
    if kind in ("text", "bytes", "mixed"):
        want = {"text": "baac", "bytes": "baac"}.get(kind, ["1224", "7", "7", "x"])
        assert unit_ids[unit].tolist() == [value for value in want for _ in range(times)]
    else:
        np.testing.assert_array_equal(unit_ids[unit], ids)


def test_whole_floats_become_integers():
    assert read({"id": [3.0, 1, 3], "y": [1, 2, 3]}).unit_ids.dtype == np.int64
    assert units.index_rows(np.array([1e14, -5.0]), "id", "d")[1].dtype == np.int64


PAIRS = [
    ([1224.0, 1288.0, 1224.0], [1288, 1224]),
    ([1224, 1288, 1224], ["1288", "1224  "]),
    (["1224 ", "1288", "1224"], [1288.0, 1224.0]),
    (["0012", "13", "0012"], [13, 12]),
    (["a", "b  ", "a   "], ["b", "a"]),
    (np.array([1, 2, 1], dtype=np.int8), np.array([2, 1], dtype=np.uint32)),
    ([1.5, 2.5, 1.5], [2.5, 1.5]),
    (pd.Categorical([1224, 1288, 1224]), pd.array([1288, 1224], dtype="Int64")),
]


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_ids_of_different_kinds_match(first, second):
    data = read(pd.DataFrame({"id": first, "y": [1, 2, 3]}), pd.DataFrame({"id": second, "w": [20, 10]}))
    assert data.level2_column("w").tolist() == [10, 20]
    assert data.unit.tolist() == [0, 1, 0]


BITS = {"float16": 11, "float32": 24, "float64": 53}


@pytest.mark.parametrize("kind", BITS)
def test_floats_that_may_be_two_units_are_refused(kind):
    largest = 2 ** BITS[kind]
    fine = np.array([largest - 1, largest - 2, 1 - largest], dtype=kind)
    assert read({"id": fine, "y": [1, 2, 3]}).n_units == 3
    rounded = np.array([largest, 5, largest + 1], dtype=kind)
    assert rounded[0] == rounded[2]
    words = rf"'id' of .* is a floating number \({kind[5:]} bits\).* {largest} may be .*text or as an integer"
    refuse(words, {"id": rounded, "y": [1, 2, 3]})
    refuse(words, {"id": np.repeat(rounded, 40), "y": np.zeros(120)})
    refuse(words, {"id": [1, 5, 1], "y": [1, 2, 3]}, {"id": np.unique(rounded), "w": [1, 2]})
    if kind == "float64":
        refuse(words, {"id": np.array([*rounded.tolist(), "a"], dtype=object), "y": [1, 2, 3, 4]})


@given(st.integers(2**53, 2**63 - 9), st.sampled_from(["int64", "uint64", "text"]), st.booleans())
def test_long_ids_meet_digit_by_digit(first, kind, swap):
    """The unit next door, which is the same float, never lends its record."""
    kinds = [np.int64, {"text": str}.get(kind, kind)]
    one, other = kinds[::-1] if swap else kinds
    rows = np.array([first, first + 2, first]).astype(one)
    units = np.array([first + 1, first + 2, first]).astype(other)
    data = read({"id": rows, "y": [1, 2, 3]}, {"id": units, "w": [1, 2, 0]})
    assert data.level2_column("w")[data.unit].tolist() == [0, 2, 0]
    refuse("have no record", {"id": rows, "y": [1, 2, 3]}, {"id": units[:2], "w": [1, 2]})


@given(st.text(min_size=1, max_size=4).filter(str.strip))
def test_text_ids_composed_and_decomposed_are_one(text):
    forms = [unicodedata.normalize(form, text) for form in ("NFC", "NFD", "NFC")] + ["other one"]
    data = read({"id": forms, "y": [1, 2, 3, 4]}, {"id": ["other one", forms[1]], "w": [2, 1]})
    assert data.level2_column("w")[data.unit].tolist() == [1, 1, 1, 2]


# --- laws ----------------------------------------------------------------------------------------

id_lists = st.one_of(
    st.lists(st.integers(-50, 50), min_size=2, max_size=60),
    st.lists(st.integers(-(2**40), 2**40), min_size=2, max_size=60),
    st.lists(st.sampled_from(["a", "bb", "c 1", "d"]), min_size=2, max_size=60),
    st.lists(st.floats(-1e6, 1e6).map(lambda x: x + 0.0), min_size=2, max_size=60),
).filter(lambda ids: len(set(ids)) > 1)


@given(id_lists, st.randoms(use_true_random=False))
def test_order_of_rows_and_records_does_not_matter(ids, random):
    values = np.arange(len(ids), dtype=float)
    records = sorted(set(ids))
    order, order2 = list(range(len(ids))), list(range(len(records)))
    random.shuffle(order)
    random.shuffle(order2)
    straight = read({"id": ids, "y": values}, {"id": records, "w": np.arange(len(records))})
    mixed = read(
        {"id": [ids[i] for i in order], "y": values[order]},
        {"id": [records[i] for i in order2], "w": np.arange(len(records))[order2]},
    )
    assert straight.unit_ids.tolist() == mixed.unit_ids.tolist() == records
    np.testing.assert_array_equal(straight.unit[order], mixed.unit)
    np.testing.assert_array_equal(straight.level2_column("w"), mixed.level2_column("w"))
    assert [records[j] for j in straight.unit] == ids
    np.testing.assert_array_equal(straight.level1_column("y")[order], mixed.level1_column("y"))


@given(st.lists(st.integers(0, 20), min_size=2, max_size=50).filter(lambda i: len(set(i)) > 1))
def test_sorted_rows_and_shuffled_rows_agree_with_numpy(ids):
    for rows in (sorted(ids), ids):
        unit, unit_ids = units.index_rows(np.array(rows), "id", "d")
        want_ids, want = np.unique(rows, return_inverse=True)
        np.testing.assert_array_equal(unit_ids, want_ids)
        np.testing.assert_array_equal(unit, want)


# --- missing values ------------------------------------------------------------------------------


def test_complete_rows():
    data = read(pupils(Y=[1, None, 3, 4, 5, 6], z=[1, 2, np.nan, 4, 5, np.nan]), schools())
    assert data.complete_rows(["x"]) == (None, 0)
    mask, dropped = data.complete_rows(["Y", "x"])
    assert (mask.tolist(), dropped) == ([True, False, True, True, True, True], 1)
    mask, dropped = data.complete_rows(["z", "y"])
    assert (mask.tolist(), dropped) == ([True, False, False, True, True, False], 3)


def test_drop_incomplete():
    data = read(pupils(z=[1, None, None, 4, None, 6]), schools(t=["p", "q", "r"]))
    assert data.drop_incomplete(["x", "y"]) is data
    less = data.drop_incomplete(["z"])
    assert less.unit_ids.tolist() == [20, 30]
    assert less.unit.tolist() == [0, 1, 1]
    assert less.unit.dtype == np.intp
    assert less.level1_column("y").tolist() == [1, 4, 6]
    assert less.level2_column("w").tolist() == [0.2, 0.3]
    assert less.notes == (
        "3 of 6 level-1 rows had missing values and were dropped",
        "Units dropped because no level-1 row is complete: 10",
    )
    again = read(pupils(z=[None, 2, 3, 4, 5, 6]), schools()).drop_incomplete(["z"])
    assert again.unit_ids.tolist() == [10, 20, 30]
    assert again.notes == ("1 of 6 level-1 rows had missing values and were dropped",)
    with pytest.raises(DataError, match=r"No row of the level-1 data is complete on z"):
        read(pupils(z=[None] * 6), schools()).drop_incomplete(["z"])


def test_a_sum_that_overflows_is_not_infinite_values():
    data = read({"id": [1, 2], "x": np.array([1e38, 3e38], dtype=np.float32), "y": [1e308, 1e308]})
    assert data.complete_rows(["x", "y"]) == (None, 0)


# --- errors --------------------------------------------------------------------------------------


def refuse(match, *sources, **options):
    with pytest.raises(DataError, match=match):
        read(*sources, **options)


@pytest.mark.parametrize("source", ["arrays", "csv", "sav", "parquet", "duckdb", "polars"])
@pytest.mark.parametrize("forms", [("NFD", "NFC"), ("NFC", "NFD")])
def test_names_composed_and_decomposed_are_one_column(source, forms, tmp_path):
    in_data, in_model = forms
    rows = {"id": [1, 1, 2, 2, 3], "größe": [1.0, 2.0, 4.0, 3.0, 1.5], "y": [1.0, 2.0, 2.5, 3.5, 0.5]}
    x, y = np.array(rows["größe"]), np.array(rows["y"])
    line = np.polyfit(x, y, 1)[::-1]
    rows = {unicodedata.normalize(in_data, name): values for name, values in rows.items()}
    model = hlm.Model(f"y = b0 + b1*{unicodedata.normalize(in_model, 'größe')} + r; b0 = g00; b1 = g10")
    ending = {"duckdb": "parquet", "polars": "parquet"}.get(source, source)
    path, frame = tmp_path / f"d.{ending}", pd.DataFrame(rows)
    if source == "sav":
        pyreadstat.write_sav(frame, path)
    elif source == "csv":
        frame.to_csv(path, index=False)
    elif source != "arrays":
        frame.to_parquet(path)
    if source in ("duckdb", "polars", "parquet"):
        data = hlm.moments(str(path), model=model, engine=None if source == "parquet" else source)
    else:
        data = hlm.read(rows if source == "arrays" else path)
    np.testing.assert_allclose(np.asarray(model.fit(data).gamma), line, rtol=1e-12)


def test_names_that_differ_in_composition_only_stay_two():
    rows = {"id": [1, 2], "é": [1.0, 2.0], unicodedata.normalize("NFD", "é"): [3.0, 4.0]}
    data = hlm.read(rows)
    assert list(data.level1) == ["é", unicodedata.normalize("NFD", "é")]
    assert data.level1["é"].tolist() == [1.0, 2.0]


def test_text_ids_match_whatever_blanks_are_around_them():
    """SPSS pads text on the right, and numbers made text are often right-aligned."""
    ids = ["      20", "10      ", "10", " 30", "20", "30"]
    assert read(pupils(id=ids), schools(id=["10", "20 ", "  30"])).unit.tolist() == [1, 0, 0, 2, 1, 2]
    assert read(pupils(id=ids), schools()).unit.tolist() == [1, 0, 0, 2, 1, 2]


def test_ids_that_never_match_show_those_of_both_sources():
    padded = pupils(id=["020", "010", "010", "030", "020", "030"])
    refuse(
        r"3 of 3 ids .*: 010, 020, 030\. No id of the level-2 data is among them: its are 10, 20, 30\.",
        padded,
        schools(id=["10", "20", "30"]),
    )


def test_columns_without_any_value_are_named_where_no_row_is_left():
    gone = pupils(z=[None] * 6)
    with pytest.raises(
        DataError, match=r"complete on x, z; nothing is left to analyse\. z has no value at all"
    ):
        read(gone, schools()).drop_incomplete(["x", "z"])


def test_no_id_column():
    refuse(r"the data has no id column 'idd'. Did you mean 'id'\?", pupils(), id="idd")
    refuse(r"the data has no id column 'school'. Its columns are: id, Y, x\.", pupils(), id="school")
    refuse(r"the level-2 data has no id column 'id'.*as id=", pupils(), {"unit": [1], "w": [2]})
    refuse(
        r"'id' is the index of the data, not a column. Pass frame.reset_index",
        pd.DataFrame(pupils()).set_index("id"),
    )


def test_missing_ids():
    refuse(r"'id' of the data is missing in 2 of 6 rows: 2, 5\.", pupils(id=[1.0, None, 1, 2, np.nan, 2]))
    refuse(r"missing in 2 of 6 rows: 1, 6\.", pupils(id=["", "a", "a", "b", "b", None]))
    refuse(r"missing in 1 of 6 rows: 3\.", pupils(id=["a", "a", "  ", "b", "b", "b"]))
    refuse(r"missing in 1 of 6 rows: 4\.", pupils(id=[1.0, 1, 2, np.inf, 2, 3]))
    refuse(
        r"missing in 2 of 6 rows: 1, 2\.", pupils(id=pd.Series([pd.NA, np.nan, 1, "b", "b", 2], dtype=object))
    )
    refuse(
        r"missing in 20 of 80 rows: 21, 22, .* and 12 more",
        {"id": np.repeat([1, np.nan, 2, 3], 20), "y": range(80)},
    )
    refuse(r"'id' of the level-2 data is missing in 1 of 3 rows: 3", pupils(), schools(id=[10, 20, None]))


def test_ids_that_are_neither_numbers_nor_text():
    dates = pd.to_datetime(["2020-01-01", "2021-01-01"])
    refuse(
        r"id column 'id' of the data holds values such as .*2020-01-01",
        pd.DataFrame({"id": dates, "y": [1, 2]}),
    )
    refuse(r"such as \(1, 2\) \(tuple\). Ids must be", pd.DataFrame({"id": [(1, 2), (3, 4)], "y": [1, 2]}))


def test_an_id_without_a_level2_record():
    refuse(
        r"2 of 3 ids of the level-1 data have no record in the level-2 data: 10, 30\.",
        pupils(),
        schools(id=[5, 20, 40]),
    )
    refuse(r"1 of 3 ids .*: 30\.", pupils(), {"id": [10, 20], "w": [1, 2]})


def test_duplicate_level2_records():
    refuse(
        r"1 ids have more than one level-2 record in the level-2 data: 20\. A unit needs exactly one",
        pupils(),
        {"id": [10, 20, 30, 20], "w": [1, 2, 3, 2]},
    )


def test_a_single_unit():
    refuse(r"'id' of the data is 7 in every row: there is one unit", pupils(id=[7] * 6))


def test_ids_of_different_kinds_that_do_not_match():
    refuse(
        r"text in the level-1 data and numbers in the level-2 data, and 1 of the texts are not numbers: A1",
        pupils(id=["A1", "10", "10", "A1", "10", "10"]),
        schools(),
    )
    refuse(
        r"text in the level-2 data and numbers in the level-1 data, and several texts .* number: 010, 10",
        pupils(),
        schools(id=["10", "010", "30"]),
    )


def test_columns_that_differ_only_in_case():
    data = read(pupils(SES=[1] * 6, Ses=[2] * 6))
    assert data.level1_column("x").tolist() == [0, 1, 0, 1, 1, 0]
    with pytest.raises(
        DataError, match=r"the data has columns that differ only in case: SES, Ses\. .*rename"
    ):
        data.level1_column("ses")
    assert data.level1_column("Ses").tolist() == [2] * 6
    refuse("differ only in case: id, ID", pupils(ID=[1] * 6), id="Id")
    assert read(pupils(ID=[1] * 6), id="id").n_units == 3


def twins(columns):
    """A column of the same name in another case beside every one, before and after it."""
    other = {
        name.swapcase(): np.asarray(values) * 0 + np.arange(len(values)) for name, values in columns.items()
    }
    return {**{k: other[k] for k in list(other)[::2]}, **columns, **{k: other[k] for k in list(other)[1::2]}}


@pytest.mark.parametrize("one_source", [True, False])
def test_columns_that_the_model_spells_exactly_are_taken(one_source):
    source, m = small(3, n_units=14), model("slopes")
    level1, level2 = {"id": source.unit, **source.columns}, {"id": np.arange(14), **source.level2}
    if one_source:
        level1 |= {name: values[source.unit] for name, values in source.level2.items()}
    plain, doubled = (
        read(pd.DataFrame(how(level1)), None if one_source else pd.DataFrame(how(level2)), id="id")
        for how in (dict, twins)
    )
    wanted, fit = m.fit(plain), m.fit(doubled)
    for name in ("gamma", "tau", "vcov", "vcov_robust"):
        np.testing.assert_array_equal(getattr(fit, name), getattr(wanted, name))
    for level in (1, 2):
        pd.testing.assert_frame_equal(fit.residuals(level), wanted.residuals(level))
    taken = [hlm.moments(data, model=m) for data in (plain, doubled)]
    np.testing.assert_array_equal(m.fit(taken[1]).gamma, m.fit(taken[0]).gamma)
    if not one_source:
        whole = moments_of(doubled, ["X", "y", "Y", "x"])  # with every level-2 column
        np.testing.assert_array_equal(m.fit(whole + whole).gamma, m.fit(taken[0] + taken[0]).gamma)


def test_find():
    data = read(pupils(), schools())
    assert [data.find(name) for name in ("y", "W", "w", "ID")] == ["Y", "W", "W", "id"]
    with pytest.raises(DataError, match=r"no column 'yy' \(line 2\)\. Did you mean 'Y'\?"):
        data.find("yy", "line 2")
    with pytest.raises(DataError, match=r"no column 'zebra'\. Its columns are: Y, x, W\."):
        data.find("zebra")


def test_a_variable_of_the_other_level():
    data = read(pupils(), schools())
    with pytest.raises(DataError, match=r"no level-1 column 'w' \(line 1\)\. It is a level-2 variable"):
        data.level1_columns(["y", "w"], {"w": "line 1"})
    with pytest.raises(DataError, match=r"no level-2 column 'y'\. It is a level-1 variable"):
        data.level2_column("y")
    with pytest.raises(DataError, match=r"no level-1 column 'xx'\. Did you mean 'x'"):
        data.level1_column("xx")
    with pytest.raises(DataError, match=r"no level-2 column 'ww'\. Did you mean 'W'"):
        data.level2_column("ww")


def test_text_columns():
    data = read(
        pupils(
            t=list("abcdef"),
            n=["1", "2.5", None, "n.a.", "", "6"],
            all=["1"] * 6,
            late=[None, None, "3", "4", "5", "6"],
        ),
        schools(city=["Ulm", "Bonn", "Jena"]),
    )
    with pytest.raises(
        DataError, match=r"'t' of the level-1 data is not numeric \(line 3\): 6 of 6 .*'a' in row 1\."
    ):
        data.level1_column("T", "line 3")
    with pytest.raises(
        DataError, match=r"1 of 6 values are not numbers, for example 'n\.a\.' in row 4\. Recode"
    ):
        data.level1_column("n")
    with pytest.raises(DataError, match=r"numbers stored as text, for example '1' in row 1"):
        data.level1_column("all")
    with pytest.raises(DataError, match=r"numbers stored as text, for example '3' in row 3"):
        data.level1_column("late")
    with pytest.raises(DataError, match=r"'city' of the level-2 data is not numeric: .*'Ulm' in row 1"):
        data.level2_column("city")


def test_dates_and_complex_numbers_are_not_numeric():
    frame = pd.DataFrame(pupils(day=pd.to_datetime([None, *["2020-02-03"] * 5]), c=[1j] * 6))
    frame["gone"] = pd.Series([pd.NaT] * 6, dtype="datetime64[ns]")
    data = read(frame)
    with pytest.raises(
        DataError, match=r"'day' of the data is not numeric: it holds dates or times such as 2020-02-03"
    ):
        data.level1_column("day")
    with pytest.raises(DataError, match="dates or times such as NaT"):
        data.level1_column("gone")
    with pytest.raises(DataError, match="values of type complex128 such as 1j"):
        data.level1_column("c")


def test_infinite_values():
    data = read(pupils(z=[1, np.inf, 3, 4, -np.inf, np.nan]), schools(v=[1, np.inf, 2]))
    with pytest.raises(
        DataError, match=r"'z' of the level-1 data has infinite values \(here\): 2 of 6, in rows 2, 5\."
    ):
        data.level1_column("z", "here")
    with pytest.raises(DataError, match=r"'z' .* has infinite values"):
        data.complete_rows(["z"])
    with pytest.raises(DataError, match="'v' of the level-2 data has infinite values: 1 of 3"):
        data.level2_column("v")


def test_missing_level2_values_are_refused_when_used():
    data = read(pupils(), schools(v=[None, 2, None], W=[1, 2, 3]))
    assert data.level2_column("w").tolist() == [1, 2, 3]
    with pytest.raises(
        DataError,
        match=r"'v' of the level-2 data is missing \(line 2\) in 2 of 3 units; id: 10, 30\. A level-2",
    ):
        data.level2_column("V", "line 2")


def test_one_source_level2_variables_must_be_constant_and_complete():
    data = read(pupils(v=[2, 1, 1, 3, 2, 4], m=[2, 1, None, 3, 2, 3]))
    with pytest.raises(
        DataError, match=r"'v' of the data differs between rows of the same unit in 1 of 3 units; id: 30\."
    ):
        data.level2_column("v")
    assert not data.is_level2("v")
    assert data.is_level2("m")
    with pytest.raises(DataError, match=r"'m' of the data is missing on some rows in 1 of 3 units; id: 10\."):
        data.level2_column("m")
    with pytest.raises(DataError, match="no column 'vv'"):
        data.level2_column("vv")


def test_data_can_be_pickled():
    data = pickle.loads(pickle.dumps(read(pd.DataFrame(pupils()), pd.DataFrame(schools()))))
    assert data.level2_column("w").tolist() == [0.1, 0.2, 0.3]
    assert data.level1_column("y").tolist() == [1, 2, 3, 4, 5, 6]


def test_the_message_names_the_file(tmp_path):
    path = tmp_path / "pupils.csv"
    pd.DataFrame(pupils(t=list("abcdef"))).to_csv(path, index=False)
    with pytest.raises(DataError, match=r"'t' of pupils\.csv is not numeric"):
        hlm.read(path).level1_column("t")


def test_data_and_fits_go_to_other_processes() -> None:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"id": np.repeat(range(10), 6), "x": rng.normal(size=60), "y": rng.normal(size=60)})
    data = pickle.loads(pickle.dumps(hlm.read(frame, id="id")))
    fit = hlm.Model("y ~ x + (1 | id)").fit(data)
    assert pickle.loads(pickle.dumps(fit)).deviance == fit.deviance


@pytest.mark.parametrize("equation", ["y = b0 + b1*g + r", "logit(p) = b0 + b1*g"])
def test_fits_with_factors_and_values_in_first_rows_go_to_other_processes(equation: str) -> None:
    rng = np.random.default_rng(1)
    rows = {"id": np.repeat(range(10), 6), "g": ["a", "b", "c"] * 20, "y": rng.normal(size=60)}
    w = np.where(np.arange(60) % 6 == 0, np.repeat(rng.normal(size=10), 6), np.nan)
    frame = pd.DataFrame({**rows, "p": rng.integers(0, 2, 60), "w": w})
    fit = hlm.Model(f"{equation}; b0 = g00 + g01*w + u0; b1 = g10").fit(frame)
    again = pickle.loads(pickle.dumps(fit))
    assert again.gamma.tolist() == fit.gamma.tolist()
    assert again.predict().equals(fit.predict())


@pytest.mark.parametrize("level2", ["g01*id", "g01*C(id)"])
def test_the_id_as_a_variable_is_refused(level2: str) -> None:
    data = read(pd.DataFrame(pupils()))
    for text in (f"y = b0 + r; b0 = g00 + {level2} + u0", "y = b0 + b1*id + r; b0 = g00 + u0; b1 = g10"):
        with pytest.raises(DataError, match="It is the id of the units: to use it as a variable"):
            hlm.Model(text).fit(data)


def test_a_frame_of_numbers_is_read_without_narwhals(monkeypatch) -> None:
    frame = pd.DataFrame({"id": [1, 1, 2, 2], "y": [1.0, np.nan, 3.0, 4.0], "a": [True, False, True, True]})
    plain = read({name: frame[name].to_numpy() for name in frame}, id="id")
    monkeypatch.setitem(sys.modules, "narwhals", None)  # its import fails
    data = read(frame, id="id")
    for name in ("y", "a"):
        np.testing.assert_array_equal(data.level1[name], plain.level1[name])
        assert data.level1[name].dtype == plain.level1[name].dtype
    with pytest.raises(ImportError):
        read(frame.astype({"y": "Float64"}), id="id")


@pytest.mark.parametrize("names", [["id", "y", "y"], ["id", "y", 3]])
def test_names_of_columns_of_a_frame_of_numbers(names) -> None:
    frame = pd.DataFrame(np.arange(12.0).reshape(4, 3) // 6, columns=names)
    if len(set(names)) < 3:
        with pytest.raises(DataError, match="columns of the same name"):
            read(frame, id="id")
    else:
        assert list(read(frame, id="id").level1) == ["y", "3"]


OBJECTS = (
    (["1", "2 x", "03"], [3, 1], [1, -1, 0]),
    ([3, 1], ["3.0", "b", "1"], [0, 2]),
    (["a", "c"], ["b", "a"], [1, -1]),
)
NUMBERS: tuple[tuple[Any, ...], ...] = (
    ([3, 1, 9], "i8", [9, 3], "u8", [1, -1, 0]),
    ([1, -1], "i1", [255, 1], "u1", [1, -1]),
    ([2**63, 5], "u8", [5, -1], "i8", [-1, 0]),  # meet as rounded floats where NumPy compares them
    ([2**53 + 1], "i8", [2.0**53], "f8", [-1]),
    ([1.5, 2.0], "f8", [2, 1], "i8", [-1, 0]),
    ([], "i8", [1], "i8", []),
    ([1], "i8", [], "i8", [-1]),
)


@pytest.mark.parametrize(("ids", "known", "found"), OBJECTS)
def test_places_of_ids_of_text_and_numbers(ids, known, found):
    first, second = (
        np.array(each, dtype=object if isinstance(each[0], str) else None) for each in (ids, known)
    )
    assert units.places_of(first, second, ("new", "old")).tolist() == found


@pytest.mark.parametrize(("ids", "kind", "known", "of", "found"), NUMBERS)
def test_places_of_ids_that_are_numbers(ids, kind, known, of, found):
    places = units.places_of(np.array(ids, dtype=kind), np.array(known, dtype=of), ("new", "old"))
    assert places.tolist() == found


@given(st.sets(st.integers(-50, 50)), st.sets(st.integers(-50, 50), min_size=1), st.randoms())
def test_places_are_those_of_a_dictionary(ids, known, random):
    first, second = (random.sample(sorted(each), len(each)) for each in (ids, known))
    places = units.places_of(np.array(first, dtype=int), np.array(second), ("new", "old"))
    assert places.tolist() == [second.index(key) if key in known else -1 for key in first]


@pytest.mark.parametrize("day", ["2020-05-01", "01.05.2020", "5/1/2020"])
def test_of_dates_that_are_text_it_is_said_what_to_make(day):
    data = hlm.read({"id": [1, 1, 2, 2], "day": [day] * 4, "y": [1, 2, 3, 5]})
    with pytest.raises(DataError, match=r"Of dates make time since a start, in days for example\."):
        data.level1_column("day")


def test_a_variable_without_any_value_is_named_where_nothing_is_left():
    data = hlm.read({"id": [1, 1, 2, 2], "x": [np.nan] * 4, "y": [1, 2, 3, 5]})
    with pytest.raises(DataError, match=r"nothing is left to analyse\. x has no value at all\."):
        hlm.Model("y = b0 + b1*x + r; b0 = g00 + u0; b1 = g10").fit(data)
