"""Moments by DuckDB, Polars, Dask and Spark: the same numbers and the same refusals as from rows."""

from __future__ import annotations

import os
import shutil
import sys
import unicodedata
import warnings
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

import hlmbayes as hlm
from hlmbayes.errors import DataError
from hlmbayes.unit_moments import engine_sources, engines
from tests.small import model, small

ENGINES = ("duckdb", "polars", "dask", pytest.param("spark", marks=pytest.mark.slow))
pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning",
    "ignore:The inplace keyword",  # Dask's own
    "ignore:PySpark does not yet fully support pandas",
)


def need(engine: str) -> None:
    """Skip with a reason where an engine is missing; in CI it must not be."""
    package = engine_sources.PACKAGES[engine]
    missing = None
    if find_spec(package) is None:
        missing = f"{package} is not installed"
    elif engine == "spark" and not (shutil.which("java") or os.environ.get("JAVA_HOME")):
        missing = "Spark needs Java, which is not on this machine"
    if missing and os.environ.get("CI") == "true":
        pytest.fail(missing)
    if missing:
        pytest.skip(missing)


@pytest.fixture(scope="module")
def spark():
    need("spark")
    from pyspark.sql import SparkSession

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    builder = builder.config("spark.sql.shuffle.partitions", "2").config("spark.driver.host", "127.0.0.1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    yield session
    session.stop()


@pytest.fixture(params=ENGINES)
def lazy(request):
    """A function that makes an engine's frame of a pandas frame."""
    engine = request.param
    need(engine)
    if engine == "duckdb":
        import duckdb

        return lambda frame: duckdb.connect().from_df(frame)
    if engine == "polars":
        import polars as pl

        return lambda frame: pl.from_pandas(frame).lazy()
    if engine == "dask":
        import dask.dataframe as dd

        return lambda frame: dd.from_pandas(frame, npartitions=3)
    session = request.getfixturevalue("spark")
    return session.createDataFrame


def frame_of(seed: int = 3, level: float = 0.0) -> pd.DataFrame:
    """Rows in no order, level-2 variables on every row, some values missing, one unit lost by it."""
    source = small(seed, n_units=14)
    frame = pd.DataFrame({"id": source.unit + 100, **source.columns})
    frame["y"] += level
    for name, values in source.level2.items():
        frame[name] = values[source.unit]
    frame.loc[3, "x"] = np.nan
    frame.loc[[5, 6], "y"] = np.nan
    frame.loc[frame["id"] == 100, "y"] = np.nan
    return frame.sample(frac=1.0, random_state=1).reset_index(drop=True)


def assert_same(got, wanted) -> None:
    np.testing.assert_array_equal(got.unit_ids, wanted.unit_ids)
    np.testing.assert_array_equal(got.n, wanted.n)
    assert (got.columns, got.n_dropped, got.notes) == (wanted.columns, wanted.n_dropped, wanted.notes)
    np.testing.assert_allclose(got.mean, wanted.mean, rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(got.sscp, wanted.sscp, rtol=1e-9, atol=1e-11)
    for name, values in wanted.level2.items():
        np.testing.assert_array_equal(got.level2[name], values)


def assert_same_fit(m, got, wanted) -> None:
    a, b = m.fit(got), m.fit(wanted)
    for name in ("gamma", "tau", "sigma2", "se_sigma2", "se_tau", "vcov", "vcov_robust"):
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("level", [0.0, 1e6])
def test_an_engine_gives_the_moments_and_the_fit_of_the_rows(lazy, level: float) -> None:
    frame, m = frame_of(level=level), model("slopes")
    wanted = hlm.moments(frame, id="id", model=m)
    got = hlm.moments(lazy(frame), id="ID", model=m)
    assert wanted.n_dropped == 4
    assert_same(got, wanted)
    assert_same_fit(m, got, wanted)


def test_units_far_apart_are_aggregated_about_their_own_means(lazy) -> None:
    frame = frame_of()
    frame["y"] += 1e7 * (frame["id"] - 107)
    wanted = hlm.moments(frame, id="id", columns=["y", "x"])
    got = hlm.moments(lazy(frame), id="id", columns=["y", "x"])
    assert_same(got, wanted)
    plain = engines.LARGEST_OFFSET
    try:
        engines.LARGEST_OFFSET = np.inf
        lost = hlm.moments(lazy(frame), id="id", columns=["y", "x"])
    finally:
        engines.LARGEST_OFFSET = plain
    assert np.abs(lost.sscp[:, 0, 0] / wanted.sscp[:, 0, 0] - 1)[wanted.n > 1].max() > 1e-6


def test_a_missing_id_is_refused(lazy) -> None:
    frame = frame_of()
    frame["id"] = frame["id"].astype("float64")
    frame.loc[[1, 2], "id"] = np.nan
    with pytest.raises(DataError, match="'id' of the data is missing in 2 rows"):
        hlm.moments(lazy(frame), id="id", columns=["y"])


def test_text_ids(lazy) -> None:
    frame = frame_of()
    frame["id"] = [f"s{value}" for value in frame["id"]]
    assert_same(hlm.moments(lazy(frame), columns=["y"]), hlm.moments(frame, columns=["y"]))


def test_integer_and_boolean_columns(lazy) -> None:
    frame = frame_of()
    frame["d"], frame["k"] = frame["d"] > 0.5, np.arange(len(frame))
    names = ["d", "k", "y"]
    assert_same(hlm.moments(lazy(frame), columns=names), hlm.moments(frame, columns=names))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda f: f.assign(w=f["w"].where(f.index != 4)),
            "'w' of the data is missing on some rows in 1 of 14",
        ),
        (lambda f: f.assign(w=f["w"] + (f.index == 4)), "differs between rows of the same unit in 1 of 14"),
        (lambda f: f.assign(x="a"), "'x' of the data is not numeric"),
        (lambda f: f.assign(x=f["x"].where(f.index != 4, np.inf)), "'x' of the data has infinite values"),
        (lambda f: f.assign(x=np.nan), "nothing is left to analyse"),
        (lambda f: f.drop(columns="x"), "no column 'x'"),
    ],
)
def test_what_cannot_be_used_is_refused_in_words(change, words: str) -> None:
    pl = pytest.importorskip("polars")
    with pytest.raises(DataError, match=words):
        hlm.moments(pl.from_pandas(change(frame_of())).lazy(), id="id", model=model("slopes"))


def files(tmp_path, frame: pd.DataFrame) -> str:
    for k in range(3):
        frame.iloc[k::3].to_parquet(tmp_path / f"part{k}.parquet", index=False)
    return str(tmp_path / "part*.parquet")


@pytest.mark.parametrize("engine", [*ENGINES, None])
def test_many_parquet_files(tmp_path, engine: str | None, request) -> None:
    need(engine or "duckdb")
    if engine == "spark":
        request.getfixturevalue("spark")
    frame, m = frame_of(), model("slopes")
    assert_same(hlm.moments(files(tmp_path, frame), model=m, engine=engine), hlm.moments(frame, model=m))


@pytest.mark.parametrize("engine", ENGINES)
def test_csv_files(tmp_path, engine: str, request) -> None:
    need(engine)
    if engine == "spark":
        request.getfixturevalue("spark")
    frame, m = frame_of(), model("slopes")
    frame.to_csv(tmp_path / "a.csv", index=False)
    got = hlm.moments(tmp_path / "a.csv", model=m, engine=engine)
    assert_same(got, hlm.moments(tmp_path / "a.csv", model=m))


@pytest.mark.parametrize("engine", [*ENGINES, None])
def test_decimal_commas(tmp_path, engine: str | None, request) -> None:
    need(engine or "duckdb")
    frame, m = frame_of(), model("slopes")
    wanted = hlm.moments(frame, model=m)
    level2 = frame.groupby("id", as_index=False)[["w"]].first()
    for name, part in {"a": frame, "rows": frame.drop(columns="w"), "units": level2}.items():
        part.to_csv(tmp_path / f"{name}.csv", index=False, sep=";", decimal=",")
    if engine == "spark":
        request.getfixturevalue("spark")
        with pytest.raises(DataError, match="Spark reads no decimal commas"):
            hlm.moments(tmp_path / "a.csv", model=m, engine=engine, decimal=",")
        return
    assert_same(hlm.moments(tmp_path / "a.csv", model=m, engine=engine, decimal=","), wanted)
    two = tmp_path / "rows.csv", tmp_path / "units.csv"
    got = hlm.moments(*two, model=m, engine=engine, decimal=",")  # which says a word more of unit 100
    assert_same(replace(got, notes=wanted.notes), wanted)
    with pytest.raises(DataError, match="decimal=';' is no decimal mark"):
        hlm.moments(tmp_path / "a.csv", model=m, engine=engine, decimal=";")


def test_a_folder_and_a_list_of_files(tmp_path) -> None:
    need("duckdb")
    frame = frame_of()
    files(tmp_path, frame)
    wanted = hlm.moments(frame, columns=["y"])
    assert_same(hlm.moments(tmp_path, columns=["y"], engine="duckdb"), wanted)
    assert_same(hlm.moments(sorted(tmp_path.iterdir()), columns=["y"]), wanted)


def test_level2_variables_from_a_second_source(tmp_path) -> None:
    need("duckdb")
    frame, m = frame_of(), model("slopes")
    units = frame.groupby("id", as_index=False)[["w", "v"]].first()
    units.loc[len(units)] = [999, 0.0, 0.0]
    pattern = files(tmp_path, frame.drop(columns=["w", "v"]))
    got = hlm.moments(pattern, units, id="id", model=m)
    wanted = hlm.moments(frame, model=m)
    np.testing.assert_array_equal(got.level2["w"], wanted.level2["w"])
    assert any("999" in note for note in got.notes)
    assert_same_fit(m, got, wanted)
    with pytest.raises(DataError, match="no record"):
        hlm.moments(pattern, units[units["id"] != 104], id="id", model=m)


def test_columns_and_model_together() -> None:
    source, m = small(3), model("slopes")
    got = hlm.moments(source.data(), model=m, columns=["Z", "x"], level2=["v"])
    assert got.columns == ("y", "x", "z")
    assert list(got.level2) == ["w", "v"]


def test_what_is_asked_wrongly_is_refused_in_words(tmp_path, monkeypatch) -> None:
    with pytest.raises(DataError, match="which columns"):
        hlm.moments(frame_of())
    with pytest.raises(DataError, match="engine 'sql' is not known"):
        hlm.moments(frame_of(), columns=["y"], engine="sql")
    with pytest.raises(DataError, match="engines read Parquet or CSV"):
        hlm.moments("a.sav", columns=["y"], engine="duckdb")
    need("duckdb")
    with pytest.raises(DataError, match="cannot be read: "):
        hlm.moments(tmp_path / "no*.parquet", columns=["y"], engine="duckdb")
    with pytest.raises(DataError, match=r"cannot read a builtins\.int"):
        hlm.moments(3, columns=["y"])
    monkeypatch.setattr(engine_sources, "find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"pip install \"hlmbayes\[engines\]\""):
        hlm.moments("rows.parquet", columns=["y"], engine="duckdb")
    with pytest.raises(DataError, match=r"many files the package duckdb is needed"):
        hlm.moments("rows*.parquet", columns=["y"])
    frame_of().to_parquet(tmp_path / "rows.parquet")
    assert hlm.moments(tmp_path / "rows.parquet", columns=["y"]).n_units == 13


def test_level2_variables_of_log_sigma2_are_taken_too() -> None:
    frame = frame_of()
    m = hlm.Model("y = b0 + r\nb0 = g00 + u0\nlog(sigma2) = a0 + a1*v")
    taken = hlm.moments(frame, model=m)
    assert list(taken.level2) == ["v"]
    assert m.fit(taken).deviance == pytest.approx(m.fit(hlm.read(frame, id="id")).deviance, abs=1e-9)


def test_folders_pairs_of_names_and_missing_files(tmp_path) -> None:
    need("duckdb")
    source, m = small(4), model("slopes")
    rows = pd.DataFrame({"pupil_of": source.unit, **source.columns})
    folder = tmp_path / "rows"
    folder.mkdir()
    rows.iloc[::2].to_parquet(folder / "a.parquet")
    rows.iloc[1::2].to_parquet(folder / "b.parquet")
    units = pd.DataFrame({"school": np.arange(len(source.level2["w"])), **source.level2})
    taken = hlm.moments(folder, units, id=("pupil_of", "school"), model=m)
    whole = hlm.moments(rows, units, id=("pupil_of", "school"), model=m)
    assert m.fit(taken).deviance == pytest.approx(m.fit(whole).deviance, rel=1e-10)
    for engine in ("duckdb", "polars", "dask"):
        need(engine)
        for path in ("nowhere.parquet", "no*.parquet"):
            with pytest.raises(DataError, match=r"no.*\.parquet cannot be read: "):
                hlm.moments(tmp_path / path, columns=["y"], engine=engine)


def test_ids_that_are_rounded_are_refused(lazy) -> None:
    for kind, start in (("float32", 2**24), ("float64", 2**53)):
        frame = frame_of()
        with pytest.raises(DataError, match="'id' of the data is a floating number"):
            hlm.moments(lazy(frame.assign(id=np.array(frame["id"] + start, dtype=kind))), columns=["y"])
    whole = hlm.moments(lazy(frame.assign(id=frame["id"] + 2**53)), columns=["y"])
    np.testing.assert_array_equal(whole.unit_ids, hlm.moments(frame, columns=["y"]).unit_ids + 2**53)


@pytest.mark.parametrize("engine", ["duckdb", "polars", "dask"])
@pytest.mark.parametrize("start", [2**53, 2**64 - 10, 10**25])
def test_long_ids_of_csv_files_are_exact(tmp_path, engine: str, start: int) -> None:
    need(engine)
    ids = [start + k // 4 for k in range(20)]
    pd.DataFrame({"id": np.array(ids, dtype=object), "y": np.arange(20.0)}).to_csv(
        tmp_path / "a.csv", index=False
    )
    if (
        start > 2**63 and engine != "dask" and import_module(engine).__version__ < "2"
    ):  # no wider integers there
        with pytest.raises(DataError, match=r"floating number|could not parse|more digits than"):
            hlm.moments(tmp_path / "a.csv", columns=["y"], engine=engine)
        return
    got = hlm.moments(tmp_path / "a.csv", columns=["y"], engine=engine)
    assert [int(value) for value in got.unit_ids] == sorted(set(ids))


@pytest.mark.parametrize("engine", ["duckdb", "polars", "dask"])
def test_ids_of_csv_files_that_are_one_number_are_not_merged(tmp_path, engine: str) -> None:
    """A leading zero far down: by then the engine has judged that the ids are numbers."""
    need(engine)
    ids = [str(k // 4 + 1) for k in range(40_000)] + ["01"] * 4
    pd.DataFrame({"id": ids, "y": np.arange(len(ids)) % 7}).to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(DataError, match="1 ids 'id' are the same number as others that are written"):
        hlm.moments(tmp_path / "a.csv", columns=["y"], engine=engine)
    with pytest.raises(DataError, match=r"Write them alike, or as text into Parquet files"):
        hlm.counts(tmp_path / "a.csv", id="id", columns=["y"], engine=engine)
    assert hlm.moments(tmp_path / "a.csv", columns=["y"]).n_units == 10_001


def test_text_ids_of_two_spellings_are_one_unit_with_one_level2_value(lazy) -> None:
    forms = [unicodedata.normalize("NFC" if k % 2 else "NFD", f"\u00c9{k // 4}") for k in range(20)]
    frame = pd.DataFrame({"id": forms, "y": np.arange(20.0), "w": np.repeat(np.arange(5.0), 4)})
    got = hlm.moments(lazy(frame), columns=["y"], level2=["w"])
    np.testing.assert_array_equal(got.n, [4.0] * 5)
    np.testing.assert_array_equal(got.level2["w"], np.arange(5.0))
    frame["w"] = np.arange(20.0) % 2
    with pytest.raises(DataError, match="'w' of the data differs between rows of the same unit"):
        hlm.moments(lazy(frame), columns=["y"], level2=["w"])


@pytest.mark.parametrize("engine", [*ENGINES, None])
def test_nan_in_a_parquet_file_is_missing(tmp_path, engine: str | None, request) -> None:
    """As Polars and NumPy write it: nan, not null, and no nan in the file's statistics."""
    need(engine or "duckdb")
    if engine == "spark":
        request.getfixturevalue("spark")
    frame = frame_of()
    for kind in ("float64", "float32"):
        table = pa.table({name: frame[name].to_numpy() for name in ("id", "y")})
        table = table.append_column("x", pa.array(frame["x"].to_numpy().astype(kind)))
        assert table["x"].null_count == 0
        parquet.write_table(table, tmp_path / "a.parquet")
        got = hlm.moments(tmp_path / "a.parquet", columns=["y", "x"], engine=engine)
        assert_same(got, hlm.moments(frame.astype({"x": kind}), columns=["y", "x"]))
