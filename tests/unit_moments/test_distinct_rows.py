"""Counted rows, by whatever counts them, give the fit of the rows themselves."""

import warnings

import numpy as np
import pandas as pd
import pytest

import hlmbayes as hlm
from hlmbayes.errors import DataError, EstimationError, HLMWarning
from tests.unit_moments.test_engines import ENGINES, lazy, need, spark  # noqa: F401

pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning",
    "ignore:The inplace keyword",  # Dask's own
    "ignore:PySpark does not yet fully support pandas",
)
LEVEL2 = "b0 = g00 + g01*w + u0; b1 = g10; b2 = g20"
MODELS = {
    "bernoulli": hlm.Model(f"logit(y) = b0 + b1*x + b2*C(track); {LEVEL2}"),
    "binomial": hlm.Model(f"probit(hits, trials=n) = b0 + b1*group(x) + b2*x^2; {LEVEL2}"),
    "poisson": hlm.Model(f"log(hits, exposure=n) = b0 + b1*grand(x) + b2*C(track); {LEVEL2}"),
    "ordinal": hlm.Model(f"cumlogit(hits) = b0 + b1*x + b2*C(track); {LEVEL2}"),
    "normal": hlm.Model(f"hits = b0 + b1*x + b2*C(track) + r; {LEVEL2}"),
}
J, N = 20, 120


def frame_of() -> pd.DataFrame:
    """Simulate rows in no order, with categories, and values that are missing."""
    rng = np.random.default_rng(11)
    unit = rng.permutation(np.repeat(np.arange(J), N))
    x, w, u = rng.integers(0, 3, J * N).astype(float), rng.normal(size=J).round(3), rng.normal(size=J)
    p = 1.0 / (1.0 + np.exp(0.4 - 0.4 * x - (0.3 * w + u)[unit]))
    n = rng.integers(3, 5, J * N)
    x[rng.random(J * N) < 0.03] = np.nan
    return pd.DataFrame({
        "school": unit, "x": x, "w": w[unit], "track": rng.choice(["a", "b"], J * N), "n": n,
        "y": rng.binomial(1, p), "hits": rng.binomial(n, p), "beside": rng.normal(size=J * N),
    })  # fmt: skip


FRAME = frame_of()
ROWS = hlm.read(FRAME, id="school")


def same(model, counted):
    """Check that counted rows have the fit of the rows."""
    fit, plain = model.fit(counted), model.fit(ROWS)
    assert counted.n_rows < 0.7 * ROWS.n_rows
    assert fit.n_rows == plain.n_rows
    assert fit.deviance == pytest.approx(plain.deviance, rel=1e-12)
    for name in ("gamma", "tau", "vcov"):
        np.testing.assert_allclose(getattr(fit, name), getattr(plain, name), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("kind", MODELS)
def test_a_fit_of_counted_rows_is_that_of_the_rows(kind):
    same(MODELS[kind], hlm.counts(ROWS, model=MODELS[kind]))


@pytest.mark.parametrize("kind", ["bernoulli", "binomial"])
def test_so_it_is_by_an_engine(lazy, kind):  # noqa: F811
    same(MODELS[kind], hlm.counts(lazy(FRAME), id="school", model=MODELS[kind]))


@pytest.mark.parametrize("engine", ["duckdb", "polars"])
def test_so_it_is_of_files_with_level_2_records_of_their_own(tmp_path, engine):
    need(engine)
    for k, part in enumerate((FRAME[:500], FRAME[500:])):
        part.drop(columns="w").to_parquet(tmp_path / f"part{k}.parquet")
    schools = FRAME[["school", "w"]].drop_duplicates()
    how = {"id": "school", "model": MODELS["poisson"], "engine": engine}
    same(MODELS["poisson"], hlm.counts(f"{tmp_path}/*.parquet", schools, **how))


@pytest.mark.parametrize("chunk", [37, 400, 5000])
def test_so_it_is_of_chunks_whatever_their_size(tmp_path, monkeypatch, chunk):
    monkeypatch.setattr("hlmbayes.unit_moments.distinct_rows.HELD", 100)
    FRAME.to_csv(tmp_path / "rows.csv", index=False)
    chunks = pd.read_csv(tmp_path / "rows.csv", chunksize=chunk)
    same(MODELS["ordinal"], hlm.counts(chunks, id="school", model=MODELS["ordinal"]))


def test_a_formula_says_what_is_counted_whatever_the_levels():
    model = hlm.Model("hits ~ x*C(track) + w + (x | school)", family="binomial", link="probit", trials="n")
    assert model.variables == ("hits", "n", "x", "track", "w")
    same(model, hlm.counts((FRAME[k : k + 500] for k in range(0, J * N, 500)), id="school", model=model))


def test_the_data_say_how_they_were_counted():
    counted = hlm.counts(FRAME, id="school", model=MODELS["bernoulli"])
    assert counted.frequency == "count"
    assert counted.level1["count"].sum() == len(FRAME)
    assert "beside" not in counted.level1
    assert f"2,400 rows are {counted.n_rows:,} distinct ones, counted by count" in counted.notes
    assert "2,400 rows; level-1 means" in str(counted.describe())
    again = hlm.counts(counted, columns=["y", "w"])
    assert again.level1["count"].sum() == len(FRAME)
    assert again.n_rows <= 2 * J


def test_rows_that_nearly_all_differ_are_warned_of():
    with pytest.warns(
        HLMWarning, match="2,400 of 2,400 rows differ in y, beside: counting them saves little"
    ):
        hlm.counts(FRAME, id="school", columns=["y", "beside"])


def test_too_many_distinct_rows_are_refused(monkeypatch):
    monkeypatch.setattr("hlmbayes.unit_moments.distinct_rows.MOST", 1000)
    monkeypatch.setattr("hlmbayes.unit_moments.distinct_rows.HELD", 100)
    chunks = (FRAME[k : k + 100] for k in range(0, len(FRAME), 100))
    with pytest.raises(DataError, match="rows differ, and 1,000 distinct ones are held at most"):
        hlm.counts(chunks, id="school", columns=["y", "beside"])
    need("duckdb")
    import duckdb

    with pytest.raises(DataError, match="2,400 rows differ, and 1,000 distinct ones"):
        hlm.counts(duckdb.connect().from_df(FRAME), id="school", columns=["y", "beside"])


def test_what_counted_rows_cannot_have_is_said():
    counted, model = hlm.counts(ROWS, model=MODELS["bernoulli"]), MODELS["bernoulli"]
    with pytest.raises(DataError, match="these rows are counted by 'count', and count so often"):
        model.fit(counted, weights=hlm.Weights("x"))
    with pytest.raises(EstimationError, match="counted rows use algorithm"):
        model.fit(counted, algorithm="hlm")
    with pytest.raises(EstimationError, match="posteriors of counted rows"):
        hlm.Model("logit(y) = b0 + b1*x; b0 = g00 + u0; b1 = g10").sample(counted, seed=1)
    with pytest.raises(DataError, match="these rows are counted by 'count': fit them"):
        hlm.moments(counted, columns="y")
    with pytest.raises(DataError, match="which columns"):
        hlm.counts(FRAME, id="school")
    with pytest.raises(DataError, match="no column 'schol'"):
        hlm.counts(iter([FRAME]), id="schol", columns="y")
    with pytest.raises(DataError, match="there is no chunk"):
        hlm.counts(iter([]), id="school", columns="y")
    with pytest.raises(DataError, match="chunks are to be data frames, got int"):
        hlm.counts(iter([1]), id="school", columns="y")


def test_only_distinct_rows_are_read_when_nothing_warns():
    with warnings.catch_warnings():
        warnings.simplefilter("error", hlm.HLMWarning)  # what libraries say of each other is no concern
        hlm.counts(iter([FRAME, FRAME]), id="school", model=MODELS["binomial"])
