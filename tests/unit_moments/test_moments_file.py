"""Moments files: the round trip, what they say of themselves, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import hlmbayes as hlm
from hlmbayes.data.two_level import read
from hlmbayes.errors import DataError
from hlmbayes.unit_moments.moments_file import KEY
from hlmbayes.unit_moments.record import load_moments, moments_of
from tests.small import model, small


def written(path, **changes):
    """A file with its description or its columns changed."""
    small_moments().save(path)
    table = pq.read_table(path)
    head = json.loads(table.schema.metadata[KEY])
    for name, value in changes.items():
        if name in head:
            head[name] = value
        else:
            place = table.column_names.index(name.replace("__", ":"))
            table = table.set_column(place, table.column_names[place], pa.array(value))
    pq.write_table(table.replace_schema_metadata({KEY: json.dumps(head).encode()}), path)
    return path


def small_moments():
    source = small(3)
    source.columns["y"] = source.columns["y"].copy()
    source.columns["y"][7] = np.nan
    return moments_of(source.data(), ["y", "x"])


def test_the_round_trip_is_exact(tmp_path) -> None:
    moments, path = small_moments(), tmp_path / "small.moments.parquet"
    moments.save(path)
    again = hlm.load_moments(path)
    for name in ("unit_ids", "n", "weight", "mean", "sscp"):
        np.testing.assert_array_equal(getattr(again, name), getattr(moments, name))
    assert (again.columns, again.id_name, again.notes) == (moments.columns, moments.id_name, moments.notes)
    assert again.n_dropped == moments.n_dropped == 1
    assert list(again.level2) == ["w", "v"]
    np.testing.assert_array_equal(again.level2["w"], moments.level2["w"])


def test_weights_of_units_are_kept(tmp_path) -> None:
    moments, path = replace(small_moments(), unit_weight=np.arange(12.0) + 1), tmp_path / "w.parquet"
    moments.save(path)
    np.testing.assert_array_equal(load_moments(path).unit_weight, moments.unit_weight)


def test_a_fit_from_the_file_alone_equals_the_fit_from_rows(tmp_path) -> None:
    source, m, path = small(9), model("slopes"), tmp_path / "s.parquet"
    hlm.moments(source.data(), model=m).save(path)
    fit, again = m.fit(source.data()), m.fit(hlm.load_moments(str(path)))
    assert again.deviance == fit.deviance
    np.testing.assert_array_equal(again.vcov_robust, fit.vcov_robust)


def test_text_ids_and_text_level2_variables(tmp_path) -> None:
    units = {"id": ["a", "b", "c"], "w": [1.0, 2.0, 3.0], "name": ["Ada", "Bo", "Cy"]}
    data = read({"id": ["b", "a", "b", "c", "a"], "y": [1.0, 2, 3, 4, 6]}, units, id="id")
    moments_of(data, ["y"]).save(tmp_path / "t.parquet")
    again = load_moments(tmp_path / "t.parquet")
    assert again.unit_ids.tolist() == ["a", "b", "c"]
    assert again.level2["name"].tolist() == ["Ada", "Bo", "Cy"]


def test_the_file_says_what_it_holds(tmp_path) -> None:
    table = pq.read_table(written(tmp_path / "a.parquet"))
    head = json.loads(table.schema.metadata[KEY])
    assert head["format"] == "hlmbayes.moments"
    assert head["version"] == 1
    names = [
        "id",
        "n",
        "weight",
        "mean:y",
        "mean:x",
        "sscp:y:y",
        "sscp:x:y",
        "sscp:x:x",
        "level2:w",
        "level2:v",
    ]
    assert table.column_names == names


def test_no_row_is_in_the_file(tmp_path) -> None:
    source, path = small(3), tmp_path / "a.parquet"
    moments_of(source.data(), ["y", "x"]).save(path)
    assert pq.read_metadata(path).num_rows == 12 < len(source.unit)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"version": 9}, "version 9 of the format; this program reads up to 1"),
        ({"format": "other"}, "not a moments file"),
        ({"columns": ["y", "z"]}, "column mean:z is missing"),
        ({"id": "unit", "n": [0] * 12}, "units without rows"),
        ({"mean__y": [np.nan] * 12}, "not numbers"),
    ],
)
def test_files_that_are_not_right_are_refused(tmp_path, changes, words: str) -> None:
    with pytest.raises(DataError, match=words):
        load_moments(written(tmp_path / "bad.parquet", **changes))


def test_ids_out_of_order_are_refused(tmp_path) -> None:
    path = tmp_path / "a.parquet"
    small_moments().save(path)
    table = pq.read_table(path)
    pq.write_table(table.take(list(range(table.num_rows))[::-1]), path)
    with pytest.raises(DataError, match="ascending order"):
        load_moments(path)


def test_other_files_are_refused_in_words(tmp_path) -> None:
    with pytest.raises(DataError, match="there is no moments file"):
        load_moments(tmp_path / "nothing.parquet")
    (tmp_path / "text.parquet").write_text("not parquet")
    with pytest.raises(DataError, match="not a Parquet file"):
        load_moments(tmp_path / "text.parquet")
    pq.write_table(pa.table({"id": [1], "y": [2.0]}), tmp_path / "rows.parquet")
    with pytest.raises(DataError, match=r"hlmbayes.moments\(\"rows.parquet\""):
        load_moments(tmp_path / "rows.parquet")
