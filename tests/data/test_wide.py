"""Files with one row a person are recognised and turned into long ones."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyreadstat
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hlmbayes as hlm
from hlmbayes.cli.command import main
from hlmbayes.data.wide import measures
from hlmbayes.errors import DataError, EstimationError

WIDE = pd.DataFrame(
    {
        "person": [7, 8, 9, 10],
        "sex": [0, 1, 1, 0],
        "score1": [1.0, 2, 3, 4],
        "score2": [5.0, 6, np.nan, 8],
        "score3": [9.0, 9, 9, np.nan],
    }
)

NAMES = {
    "score1 score2 score3": {"score": {1: "score1", 2: "score2", 3: "score3"}},
    "Y_0 Y_6 y_12": {"Y": {0: "Y_0", 6: "Y_6", 12: "y_12"}},
    "math2010 math2012": {"math": {2010: "math2010", 2012: "math2012"}},
    "t1_mood t2_mood": {"mood": {1: "t1_mood", 2: "t2_mood"}},
    "mood_t1 mood_t2": {"mood": {1: "mood_t1", 2: "mood_t2"}},
    "mood.wave2 mood.wave1": {"mood": {1: "mood.wave1", 2: "mood.wave2"}},
    "größe_1 größe_2 ses": {"größe": {1: "größe_1", 2: "größe_2"}},
    "score1 sex age": {}, "v12 w12": {}, "1 2 3": {},
}  # fmt: skip


@pytest.mark.parametrize("names", NAMES)
def test_columns_that_are_one_variable_at_several_times(names):
    assert measures(names.split()) == NAMES[names]


@given(st.lists(st.text(max_size=12), max_size=12, unique=True))
def test_any_names_can_be_looked_at(names):
    columns = [column for own in measures(names).values() for column in own.values()]
    assert len(set(columns)) == len(columns) <= len(names)


def test_long():
    found = hlm.long(WIDE)
    assert list(found) == ["person", "sex", "time", "score"]
    assert found["person"].tolist() == [7, 7, 7, 8, 8, 8, 9, 9, 10, 10]
    assert found["time"].tolist() == [1, 2, 3, 1, 2, 3, 1, 3, 1, 2]
    assert found["score"].tolist() == [1, 5, 9, 2, 6, 9, 3, 9, 4, 8]
    expected = pd.wide_to_long(WIDE, "score", "person", "time").dropna().sort_index().reset_index()
    pd.testing.assert_frame_equal(found, expected[list(found)], check_dtype=False)
    model = hlm.Model("score = b0 + b1*time + r; b0 = g00 + g01*sex + u0; b1 = g10")
    assert model.fit(hlm.read(found, id="person")).n_rows == 10


def test_variables_times_and_names_are_chosen(tmp_path):
    wide = WIDE.assign(x1=[1, 2, 3, 4], x3=[5, 6, 7, 8], pre=["a", None, "c", "d"], post=["e", "f", "g", "h"])
    wide.to_csv(tmp_path / "a.csv", index=False)
    both = hlm.long(tmp_path / "a.csv")
    assert list(both)[-3:] == ["time", "score", "x"]
    np.testing.assert_array_equal(both["x"][:3], [1, np.nan, 5])
    one = hlm.long(tmp_path / "a.csv", "SCORE", times=[0, 0.5, 6], time="month")
    assert one["month"].tolist()[:3] == [0, 0.5, 6]
    assert one["x1"].tolist()[:3] == [1, 1, 1]
    named = hlm.long(wide, {"mood": ["Pre", "post"]})
    assert named["mood"].tolist() == ["a", "e", "f", "c", "g", "d", "h"]
    assert named["time"].tolist() == [1, 2, 2, 1, 2, 1, 2]
    coded = hlm.long(wide.fillna({"score2": -99}), "score", missing=-99)
    assert coded["score"].tolist() == one["score"].tolist()


def test_persons_that_no_column_tells_apart_are_counted():
    assert list(hlm.long(WIDE.drop(columns="person")))[:2] == ["person", "sex"]
    twice = hlm.long(WIDE.assign(person=1))
    assert list(twice)[:2] == ["person2", "person"]
    assert twice.iloc[:, 0].tolist() == [1, 1, 1, 2, 2, 2, 3, 3, 4, 4]


@pytest.mark.parametrize(
    ("variables", "options", "words"),
    [
        (
            "mood",
            {},
            r"the data has no columns mood1, mood2, ...; those that look so are of: score\. Name them",
        ),
        ({"mood": ["pre"]}, {}, "has no column 'pre'"),
        ("score", {"times": [1, 2]}, "times= has 2 different times for 3 columns: score1, score2, score3"),
        ("score", {"times": [1, 2, 2]}, "times= has 2 different times for 3 columns"),
        (
            "score",
            {"time": "sex"},
            r"has a column 'sex' beside those that become it: rename it, or say time=",
        ),
        ({"sex": ["score1", "score2"]}, {}, "has a column 'sex'"),
    ],
)
def test_what_is_not_there_or_taken_is_refused(variables, options, words):
    with pytest.raises(DataError, match=words):
        hlm.long(WIDE, variables, **options)


def test_nothing_that_looks_wide_is_refused_with_the_way_out():
    with pytest.raises(
        DataError, match=r'hlm\.long\(data, \{"score": \["pre", "post"\]\}\) \(hlmbayes long --variable'
    ):
        hlm.long({"a": [1], "b": [2]})


HINT = r"looks like one row a person: score1 score2 score3\. hlm\.long \(hlmbayes long\) makes a row of each"


def test_a_wide_file_is_recognised():
    data = hlm.read(WIDE, id="person")
    with pytest.raises(EstimationError, match=f"every unit has a single row.*The file {HINT}"):
        hlm.Model("score1 = b0 + r; b0 = g00 + u0").fit(data)
    with pytest.raises(DataError, match=f"no level-1 column 'score'.*The file {HINT}"):
        hlm.Model("score = b0 + r; b0 = g00 + u0").fit(data)
    assert "Note: the data looks like one row a person: score1 score2 score3" in str(data.describe())
    assert hlm.read(WIDE.drop(columns="score3"), id="person").notes == ()
    assert hlm.read(pd.concat([WIDE, WIDE]), id="person").notes == ()
    studies = hlm.read({"id": [1, 2, 3], "d": [0.1, 0.2, 0.4], "v": [0.1, 0.1, 0.2]})
    assert studies.notes == ()
    with pytest.raises(EstimationError, match=r"cannot be told from variance within them$"):
        hlm.Model("d = b0 + r; b0 = g00 + u0").fit(studies)


def test_the_command(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    labels = {"sex": "Sex of the person"}
    pyreadstat.write_sav(WIDE.assign(pre=WIDE.score1, post=WIDE.score3), "wide.sav", column_labels=labels)
    assert main(["long", "wide.sav", "long.sav", "--variable", "score"]) == 0
    out = capsys.readouterr().out
    assert out == "long.sav: 10 rows of 4 persons\n  score: score1 at 1, score2 at 2, score3 at 3\n"
    data = hlm.read("long.sav", id="person")
    assert data.labels["sex"] == "Sex of the person"
    assert data.level1_column("score").tolist() == [1, 5, 9, 2, 6, 9, 3, 9, 4, 8]
    command = [
        "long",
        "wide.sav",
        "long.csv",
        "--variable",
        "y=pre,post",
        "--time",
        "month",
        "--times",
        "0,6",
    ]
    assert main(command) == 0
    assert hlm.read("long.csv", id="person").level1_column("month").tolist() == [0, 6, 0, 6, 0, 6, 0]
    capsys.readouterr()
    for wrong, words in {
        "--times a,b": "--times 'a,b' are not numbers: wanted 0,6,12",
        "--variable zzz": "has no columns zzz1, zzz2",
    }.items():
        assert main(["long", "wide.sav", "x.csv", *wrong.split()]) == 2
        assert words in capsys.readouterr().err
    assert main(["long", "wide.sav", "wide.sav"]) == 2
    assert "is read here and would be lost" in capsys.readouterr().err


def test_names_that_part_their_number_in_two_ways_are_two_variables():
    frame = {"pupil": [1, 2], "score_1": [4, 5], "score1": [6, 7], "score2": [8, 9], "score_2": [1, 3]}
    made = hlm.long(frame)
    assert made["score"].tolist() == [6, 8, 7, 9]
    assert made["score_"].tolist() == [4, 1, 5, 3]


def test_a_column_that_is_named_twice_is_refused():
    frame = {"pupil": [1, 2], "pre": [1, 2], "post": [3, 4]}
    for asked in ({"x": ["pre", "PRE"]}, {"x": ["pre", "post"], "z": ["post", "pre"]}):
        with pytest.raises(DataError, match="named twice: a column is one variable at one time"):
            hlm.long(frame, asked)
