"""Imputed data as programs store them: the original data beside them, parts of them, one of them twice."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import hlmbayes as hlm
from hlmbayes.errors import DataError


@pytest.fixture
def sets() -> list[pd.DataFrame]:
    rng = np.random.default_rng(1)
    return [
        pd.DataFrame({"id": np.repeat(range(5), 4), "x": rng.normal(size=20), "t": "a"}) for _ in range(3)
    ]


def stacked(sets: list[pd.DataFrame], original: pd.DataFrame, label: object = 0) -> pd.DataFrame:
    numbered = enumerate([original, *sets])
    return pd.concat(
        [each.assign(m=str(k) if isinstance(label, str) else k) for k, each in numbered]
    ).replace({"m": {"0" if isinstance(label, str) else 0: label}})


ORIGINALS = {
    "numbers": (lambda d: d.assign(x=d["x"].where(d.index > 3)), {}),
    "codes": (lambda d: d.assign(x=d["x"].where(d.index > 3, -99)), {"missing": -99}),
    "text": (lambda d: d.assign(t=d["t"].where(d.index > 3)), {}),
    "blanks": (lambda d: d.assign(t=d["t"].where(d.index > 3, " ")), {}),
}


@pytest.mark.parametrize("kind", ORIGINALS)
@pytest.mark.parametrize("as_file", [False, True])
def test_the_original_data_are_left_out_however_values_are_missing(sets, tmp_path, kind, as_file):
    make, how = ORIGINALS[kind]
    source = stacked(sets, make(sets[0]))
    if as_file:
        source.to_csv(tmp_path / "s.csv", index=False)
    read = hlm.read_imputed(tmp_path / "s.csv" if as_file else source, id="id", by="m", **how)
    assert [each.level1["x"].tolist() for each in read] == [each["x"].tolist() for each in sets]
    assert "m 0 of" in read[0].notes[0]
    assert read[0].notes[0].endswith("the original data with its missing values, was left out")


def test_the_original_data_are_no_second_data_set(sets):
    source = stacked(sets[:1], sets[0].assign(x=np.nan))
    with pytest.raises(DataError, match="got 1 data set: multiple imputation needs at least two"):
        hlm.read_imputed(source, id="id", by="m")


def test_values_that_are_missing_in_all_data_sets_alike_say_nothing(sets):
    gaps = [each.assign(x=each["x"].where(each.index > 3)) for each in sets]
    assert len(hlm.read_imputed(stacked(gaps[1:], gaps[0]), id="id", by="m")) == 3


def test_original_data_at_level_2(sets):
    level2 = pd.DataFrame({"id": range(5), "w": [1.0, 2, 3, 4, 5]})
    records = stacked([level2] * 3, level2.assign(w=[1, np.nan, 3, 4, 5]))
    read = hlm.read_imputed(stacked(sets, sets[0]), records, id="id", by="m")
    assert [each.level2["w"].tolist() for each in read] == [[1, 2, 3, 4, 5]] * 3


def test_incomplete_rows_alone_are_refused(sets):
    """Stata's mlong keeps the complete rows once, under 0."""
    gaps = sets[0].assign(x=sets[0]["x"].where(sets[0].index > 3))
    source = stacked([each[each.index <= 3] for each in sets], gaps)
    with pytest.raises(DataError, match=r"has 20 rows, and m 1 only 4: .*mi convert flong"):
        hlm.read_imputed(source, id="id", by="m")


def test_a_row_without_a_number_of_its_data_set_is_refused(sets):
    for label in (0, "first"):
        source = stacked(sets, sets[0], label).astype({"m": object})
        source.iloc[2, source.columns.get_loc("m")] = None
        with pytest.raises(DataError, match="'m', which numbers the data sets, is missing on 1 rows"):
            hlm.read_imputed(source, id="id", by="m")


def test_a_data_set_that_is_there_twice_is_refused(sets, tmp_path):
    files = [tmp_path / f"{k}.csv" for k in range(3)]
    for file, each in zip(files, sets, strict=True):
        each.to_csv(file, index=False)
    with pytest.raises(DataError, match=r"imputed data set 0\.csv is there twice"):
        hlm.read_imputed([*files, str(files[0])], id="id")
    with pytest.raises(DataError, match="imputed data set number 3 is there twice"):
        hlm.read_imputed([*sets[:2], sets[1]], id="id")
