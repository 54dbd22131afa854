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
from hlmbayes.errors import DataError, OutputError
from hlmbayes.unit_moments.moments_file import KEY
from hlmbayes.unit_moments.record import load_moments, moments_of
from tests.small import model, small


def written(path, **changes):
    """A file of version 1, which has no checksum, with its description or its columns changed."""
    small_moments().save(path)
    table = pq.read_table(path)
    head = json.loads(table.schema.metadata[KEY]) | {"version": 1}
    del head["sha256"]
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
        ({"version": 9}, "version 9 of the format; this program reads up to 2"),
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
    path = written(tmp_path / "a.parquet")
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


@pytest.mark.parametrize("names", [("y", "y:y", "y:y:y"), ("y", "a:b", "a%3Ab", "b", "50%", ":b", "a", "a:")])
def test_names_with_colons_keep_their_own_products(tmp_path, names) -> None:
    rng = np.random.default_rng(3)
    values = {name: rng.normal(size=60) for name in names} | {"id": np.repeat(np.arange(12), 5)}
    moments = hlm.moments(hlm.read(values, id="id"), columns=names)
    moments.save(tmp_path / "colon.parquet")
    again = load_moments(tmp_path / "colon.parquet")
    np.testing.assert_array_equal(again.sscp, moments.sscp)
    text = f"y = b0 + b1*`{names[1]}` + b2*`{names[2]}` + r\nb0 = g00 + u0\nb1 = g10\nb2 = g20"
    assert hlm.Model(text).fit(again).deviance == hlm.Model(text).fit(moments).deviance


def test_a_file_of_version_1_whose_names_merge_two_products_is_refused(tmp_path) -> None:
    path = written(tmp_path / "a.parquet", columns=["y", "y:y", "y:y:y"])
    with pytest.raises(DataError, match="two cross-products one"):
        load_moments(path)


def test_a_bit_that_flips_never_gives_other_numbers(tmp_path) -> None:
    path, rng = tmp_path / "a.parquet", np.random.default_rng(11)
    small_moments().save(path)
    whole, moments = path.read_bytes(), load_moments(path)
    said = []
    for place, bit in zip(rng.integers(len(whole), size=300), rng.integers(8, size=300), strict=True):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << bit
        path.write_bytes(flipped)
        try:
            again = load_moments(path)
        except DataError as error:
            said.append(str(error))
            continue
        for name in ("unit_ids", "n", "weight", "mean", "sscp"):
            np.testing.assert_array_equal(getattr(again, name), getattr(moments, name))
        assert (again.columns, again.notes, again.n_dropped) == (moments.columns, moments.notes, 1)
    assert len(said) > 150
    assert all("\n" not in message and len(message) < 400 for message in said)


def changed(values, value, where=5):
    """Values with one of them another."""
    values = np.array(values, dtype=float)
    values[where] = value
    return values


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("n", 0.5, "units without rows"),
        ("n", 2.5, "rows not whole"),
        ("n", 1e9, "not below"),
        ("n", np.inf, "not below"),
        ("n", np.nan, "units without rows"),
        ("n", 1.0, "units of one row"),
        ("weight", 0.0, "not above 0"),
        ("weight", -1.0, "not above 0"),
        ("weight", np.nan, "not above 0"),
        ("weight", np.inf, "not above 0"),
        ("unit_weight", 0.0, "not above 0"),
        ("unit_weight", np.nan, "not above 0"),
        ("sscp:y:y", -1e-3, "negative sums of squares"),
        ("sscp:x:x", 0.0, "correlations beyond 1"),
        ("sscp:x:y", 1e3, "correlations beyond 1"),
        ("sscp:x:y", np.inf, "not numbers"),
    ],
)
@pytest.mark.parametrize("scale", [1e-15, 1.0, 1e15])
def test_statistics_no_rows_have_are_refused(tmp_path, column, value, words, scale) -> None:
    moments, path = small_moments(), tmp_path / "a.parquet"
    moments = replace(
        moments, mean=moments.mean * scale, sscp=moments.sscp * scale**2, unit_weight=np.ones(12),
    )  # fmt: skip
    assert moments.n[5] > 3
    moments.save(path)
    load_moments(path)
    a, b = {"sscp:y:y": (0, 0), "sscp:x:x": (1, 1), "sscp:x:y": (1, 0)}.get(column, (0, 0))
    if column.startswith("sscp"):
        sscp = moments.sscp.copy()
        sscp[5, a, b] = sscp[5, b, a] = value * scale**2
        moments = replace(moments, sscp=sscp)
    else:
        moments = replace(moments, **{column: changed(getattr(moments, column), value)})
    moments.save(path)
    with pytest.raises(DataError, match=words):
        load_moments(path)


def test_three_columns_whose_correlations_contradict_each_other_are_refused(tmp_path) -> None:
    moments = small_moments()
    r = np.array([[1.0, 0.9, 0.9], [0.9, 1.0, -0.9], [0.9, -0.9, 1.0]])
    moments = replace(
        moments, columns=("y", "x", "z"), mean=np.zeros((12, 3)), sscp=np.broadcast_to(r, (12, 3, 3)).copy(),
        n=np.full(12, 4.0), weight=np.full(12, 4.0),
    )  # fmt: skip
    moments.save(tmp_path / "a.parquet")
    with pytest.raises(DataError, match="cross-products no rows have"):
        load_moments(tmp_path / "a.parquet")


@pytest.mark.parametrize("engine", ["numpy", "duckdb"])
def test_what_rows_do_have_is_never_refused(tmp_path, engine) -> None:
    """Constant, collinear, huge and tiny columns, units of one row, far levels."""
    if engine == "duckdb":
        pytest.importorskip("duckdb")
    rng = np.random.default_rng(5)
    for k in range(12):
        unit = np.sort(rng.integers(12, size=90))
        x = rng.normal(size=90) * 10.0 ** rng.integers(-9, 9)
        values = {
            "y": x + 10.0 ** rng.integers(-3, 9), "twice": 2 * x, "third": x / 3 + 0.1,
            "constant": np.full(90, 0.1 + 0.2),
            "level": rng.normal(size=12)[unit], "dummy": 1.0 * (np.arange(90) % 7 == 0), "id": unit,
            "drift": 1e8 + unit * 1e4 + rng.normal(size=90) * 1e-3,
        }  # fmt: skip
        names = [name for name in values if name != "id"]
        source = hlm.read(values, id="id") if engine == "numpy" else pa.table(values)
        moments = hlm.moments(source, id=None if engine == "numpy" else "id", columns=names, engine=engine)
        parts = (moments, replace(moments, mean=moments.mean + 0.1), moments)
        for m in (moments, sum(parts)):
            m.save(tmp_path / f"{k}.parquet")
            load_moments(tmp_path / f"{k}.parquet")


@pytest.mark.parametrize(
    "head",
    [
        b"{", b"\xff", b"[]", b'"text"', b"3", b"[" * 100_000, b"null",
        b'{"format": "hlmbayes.moments"}', b'{"format": "hlmbayes.moments", "version": null}',
        b'{"format": "hlmbayes.moments", "version": "1"}', b'{"format": "hlmbayes.moments", "version": 0}',
        b'{"format": "hlmbayes.moments", "version": 1}', b'{"format": "hlmbayes.moments", "version": 2}',
        b'{"format": "hlmbayes.moments", "version": NaN}',
    ],
)  # fmt: skip
def test_heads_that_are_not_right_are_refused(tmp_path, head) -> None:
    path = written(tmp_path / "a.parquet")
    pq.write_table(pq.read_table(path).replace_schema_metadata({KEY: head}), path)
    with pytest.raises(DataError, match=r"damaged|version") as caught:
        load_moments(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"n_dropped": 1e30}, {"n_dropped": "many"}, {"n_dropped": -1}, {"n_dropped": 10**40},
        {"n_dropped": True}, {"notes": "abc"}, {"notes": [1]}, {"id": 3}, {"columns": "y"},
        {"columns": [["y"]]}, {"columns": ["y", "Y"]}, {"level2": None}, {"level2": ["w", "W"]},
        {"mean__y": ["1.5"] * 12},
    ],
)  # fmt: skip
def test_descriptions_of_another_type_are_refused(tmp_path, changes) -> None:
    with pytest.raises(DataError, match="is damaged"):
        load_moments(written(tmp_path / "a.parquet", **changes))


def test_level2_text_is_a_factor_of_the_model_that_uses_it(tmp_path) -> None:
    moments, model = small_moments(), hlm.Model("y = b0 + r\nb0 = g00 + g01*w + u0")
    half = np.arange(12) % 2
    replace(moments, level2={"w": np.array(["a", "b"], dtype=object)[half]}).save(tmp_path / "a.parquet")
    replace(moments, level2={"w": half.astype(float)}).save(tmp_path / "b.parquet")
    text, number = (model.fit(load_moments(tmp_path / name)) for name in ("a.parquet", "b.parquet"))
    assert text.gamma["g01[b]"] == pytest.approx(number.gamma["g01"], rel=1e-12)
    replace(moments, level2={"w": np.array(["1"] * 12, dtype=object)}).save(tmp_path / "c.parquet")
    with pytest.raises(DataError, match="'w' of the moments is not numeric"):
        model.fit(load_moments(tmp_path / "c.parquet"))


def test_save_says_why_it_cannot_write(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    moments = small_moments()
    moments.save("rel: ative.parquet")
    assert load_moments("rel: ative.parquet").n_units == 12
    for path in ("folder", "nothing/a.parquet", "a\0b"):
        with pytest.raises(OutputError, match="cannot be written"):
            moments.save(path)
    with pytest.raises(OutputError, match="cannot be written"):
        replace(moments, level2={"w": np.array([1j] * 12)}).save("a.parquet")
    with pytest.raises(DataError, match="not a Parquet file"):
        load_moments("folder")


def test_a_head_of_very_many_columns_is_refused_at_once(tmp_path) -> None:
    with pytest.raises(DataError, match="too few for 50000 variables"):
        load_moments(written(tmp_path / "a.parquet", columns=[f"x{k}" for k in range(50_000)]))


def test_a_file_that_claims_more_than_it_has_asks_for_no_memory(tmp_path) -> None:
    path = tmp_path / "large.parquet"
    zeros = pa.array(np.zeros(2_000_000))
    pq.write_table(pa.table({f"mean:{k}": zeros for k in range(4)}), path, compression="zstd")
    assert path.stat().st_size < 50_000
    with pytest.raises(DataError, match="it claims more values than it has"):
        load_moments(path)
