"""Level-2 values on rows: rounding, first rows only, missing; and units that are left out on request."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hlmbayes as hlm
from hlmbayes.data.two_level import read
from hlmbayes.data.unit_columns import unit_column
from hlmbayes.errors import DataError

MODEL = hlm.Model("y = b0 + b1*x + r; b0 = g00 + g01*w + u0; b1 = g10")
J, N = 12, 6


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(4)
    unit = np.repeat(np.arange(J), N)
    w = rng.normal(size=J)
    columns = {
        "id": unit,
        "x": rng.normal(size=J * N),
        "w": w[unit],
        "v": rng.integers(0, 9, J)[unit].astype(float),
    }
    return pd.DataFrame(
        {**columns, "y": columns["x"] + w[unit] + rng.normal(size=J)[unit] + rng.normal(size=J * N)}
    )


def gammas(data) -> list[float]:
    return list(MODEL.fit(data).gamma)


# --- rounding ------------------------------------------------------------------------------------


def test_a_value_that_differs_by_rounding_is_accepted_with_a_note(frame):
    rounded = frame.assign(w=np.where(frame.index % N == 2, frame.w.astype("float32"), frame.w))
    data = read(rounded)
    assert data.is_level2("w")
    fit = MODEL.fit(data)
    np.testing.assert_allclose(list(fit.gamma), gammas(read(frame)), rtol=1e-6)
    assert "w differs by rounding inside units, and the middle was taken; id: 0, 1, 2, 3 and 8" in " ".join(
        fit.listing().split()
    )
    assert "W         12" in str(data.describe())
    np.testing.assert_allclose(gammas(hlm.moments(rounded, model=MODEL)), list(fit.gamma), rtol=1e-12)
    assert gammas(read(rounded[::-1])) == pytest.approx(list(fit.gamma), rel=1e-12)


@pytest.mark.parametrize("step", [1e-3, 1e-5])
def test_a_value_that_differs_by_more_is_refused(frame, step):
    odd = frame.assign(w=frame.w + step * (frame.index == 8))
    with pytest.raises(
        DataError, match=r"'w' of the data differs between rows of the same unit in 1 of 12 units; id: 1\."
    ):
        MODEL.fit(read(odd))
    years = frame.assign(w=2000 + frame.w / 1e3)  # as large as the differences between units
    with pytest.raises(DataError, match="differs between rows"):
        MODEL.fit(read(years.assign(w=years.w + 1e-3 * (frame.index % 2))))


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=8, max_size=8),
    st.floats(-1e-8, 1e-8),
    st.randoms(use_true_random=False),
)
def test_the_value_of_a_unit_depends_on_no_order(values, eps, random):
    unit = np.repeat(np.arange(8), 3)
    rows = np.repeat(values, 3) * (1 + eps * np.tile([0, 1, -1], 8))
    order = list(range(24))
    random.shuffle(order)
    one, other = unit_column(rows, unit, 8), unit_column(rows[order], unit[order], 8)
    np.testing.assert_array_equal(one.values, other.values)
    assert (one.differs is None) == (other.differs is None)
    np.testing.assert_allclose(one.values, values, rtol=1e-7)


# --- first rows ----------------------------------------------------------------------------------


def first_rows(frame):
    return frame.assign(w=frame.w.where(frame.index % N == 0))


def test_values_in_first_rows_only_are_taken_with_a_note(frame):
    data = read(first_rows(frame))
    fit = MODEL.fit(data)
    assert list(fit.gamma) == gammas(read(frame))
    assert "w stands in the first row only in 12 of 12 units of the data: taken from there" in " ".join(
        fit.listing().split()
    )
    assert fit.data.level1_column("w").tolist() == frame.w.tolist()


def test_first_rows_that_are_incomplete_lend_their_value_all_the_same(frame):
    gone = first_rows(frame).assign(x=frame.x.where(frame.index % N > 0))
    assert gammas(read(gone)) == gammas(read(frame.assign(x=gone.x)))
    weights = hlm.Weights(level1="p")
    one, other = (read(f.assign(p=1.0 + (f.index % 3))) for f in (gone, frame.assign(x=gone.x)))
    assert list(MODEL.fit(one, weights=weights).gamma) == list(MODEL.fit(other, weights=weights).gamma)


def test_values_on_other_rows_only_are_refused(frame):
    for place in (1, N - 1):
        with pytest.raises(DataError, match=r'missing on some rows in 12 of 12 units.*level2_missing="drop"'):
            MODEL.fit(read(frame.assign(w=frame.w.where(frame.index % N == place))))
    once = frame.assign(w=frame.w.where((frame.index >= N) | (frame.index == 0)))
    with pytest.raises(DataError, match="missing on some rows in 1 of 12 units; id: 0"):
        MODEL.fit(read(once))


# --- units that are left out ---------------------------------------------------------------------


@pytest.mark.parametrize("door", ["one source", "two sources", "csv", "first rows"])
def test_incomplete_units_are_left_out_on_request(frame, tmp_path, door):
    gone = frame.assign(w=frame.w.where(~frame.id.isin([3, 7])))
    kept = frame[~frame.id.isin([3, 7])]
    second = None
    if door == "two sources":
        second = gone.groupby("id").first().reset_index()[["id", "w"]]
        gone = gone[["id", "y", "x"]]
    if door == "first rows":
        gone = first_rows(gone)
    if door == "csv":
        gone.to_csv(tmp_path / "a.csv", index=False)
        gone = tmp_path / "a.csv"
    with pytest.raises(
        DataError, match=r'in 2 of 12 units; id: 3, 7\..*or say level2_missing="drop" \(--drop-incom'
    ):
        MODEL.fit(read(gone, second))
    data = read(gone, second, level2_missing="drop")
    assert data.n_units == J
    fit = MODEL.fit(data)
    np.testing.assert_allclose(list(fit.gamma), gammas(read(kept)), rtol=1e-12)
    assert fit.data.n_units == J - 2
    listing = " ".join(fit.listing().split())
    assert "2 of 12 units (12 rows) were left out, as level2_missing='drop' (--drop-incomplete)" in listing
    assert "Without a value: w in 2; id: 3, 7" in listing
    assert fit.residuals(level=1).shape[0] == len(kept)
    plain = hlm.Model("y = b0 + b1*x + r; b0 = g00 + u0; b1 = g10").fit(data)  # does not use w
    assert plain.data.n_units == J
    np.testing.assert_allclose(gammas(hlm.moments(data, model=MODEL)), list(fit.gamma), rtol=1e-12)


def test_several_variables_and_too_few_units(frame):
    gone = frame.assign(w=frame.w.where(frame.id != 3), v=frame.v.where(frame.id > 4))
    model = hlm.Model("y = b0 + r; b0 = g00 + g01*w + g02*v + u0")
    fit = model.fit(read(gone, level2_missing="drop"))
    assert "5 of 12 units (30 rows) were left out" in fit.listing()
    assert "w in 1, v in 5" in " ".join(fit.listing().split())
    with pytest.raises(
        DataError, match=r"level2_missing='drop' leaves 1 of 12 units: in the others w is missing"
    ):
        MODEL.fit(read(frame.assign(w=frame.w.where(frame.id == 3)), level2_missing="drop"))


def test_the_posterior_and_imputed_data_leave_them_out_too(frame):
    gone = frame.assign(w=frame.w.where(frame.id != 3))
    data = read(gone, level2_missing="drop")
    post = MODEL.sample(data, seed=1, draws=300, chains=2, progressbar=False)
    hlm.prior_predictive(MODEL, data, draws=3, seed=1)
    assert post.data.n_units == J - 1
    sets = hlm.read_imputed([gone, gone.copy()], level2_missing="drop")
    assert hlm.fit_imputed(MODEL, sets).fits[0].n_units == J - 1


# --- engines -------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["duckdb", "polars"])
@pytest.mark.parametrize("level2", ["columns", "records"])
def test_engines_leave_units_out_and_know_missing_codes(frame, tmp_path, engine, level2):
    pytest.importorskip(engine)
    gone = frame.assign(w=frame.w.where(~frame.id.isin([3, 7])), x=frame.x.mask(frame.index % 17 == 0, -99))
    rows, units = tmp_path / "a.parquet", None
    if level2 == "records":
        units = gone.groupby("id").first().reset_index()[["id", "w"]]
        gone = gone[["id", "y", "x"]]
    gone.to_parquet(rows)
    with pytest.raises(DataError, match=r'in 2 of 12 units.*(3, 7|7, 3)\..*or say level2_missing="drop"'):
        hlm.moments(rows, units, model=MODEL, engine=engine)
    options = {"missing": {"x": [-99], "*": -9}, "level2_missing": "drop"}
    found = hlm.moments(rows, units, model=MODEL, engine=engine, **options)
    fit = MODEL.fit(read(gone, units, **options))
    np.testing.assert_allclose(gammas(found), list(fit.gamma), rtol=1e-9)
    listing = " ".join(MODEL.fit(found).listing().split())
    assert "2 of 12 units" in listing
    assert "Without a value: w in 2; id: " in listing
    assert "missing codes, as missing= says: -99, -9" in listing
    with pytest.raises(DataError, match="thousands=, percent= and sheet= are for one file that"):
        hlm.moments(rows, units, model=MODEL, engine=engine, thousands=",")
    with pytest.raises(DataError, match=r"these data have been read already.*leave missing= out"):
        hlm.moments(read(gone, units, missing=-99), model=MODEL, missing=-99)
    with pytest.raises(DataError, match="missing= names 'xx', which no column is called"):
        hlm.moments(rows, units, model=MODEL, engine=engine, missing={"xx": -99})


@pytest.mark.parametrize("engine", ["duckdb", "polars"])
def test_engines_accept_rounding(frame, tmp_path, engine):
    pytest.importorskip(engine)
    rounded = frame.assign(w=np.where(frame.index % N == 2, frame.w.astype("float32"), frame.w))
    rounded.to_parquet(tmp_path / "a.parquet")
    found = hlm.moments(tmp_path / "a.parquet", model=MODEL, engine=engine)
    np.testing.assert_allclose(gammas(found), gammas(read(rounded)), rtol=1e-9)
