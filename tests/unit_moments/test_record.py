"""Moments against brute force, and the laws they obey."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hlmbayes.unit_moments.accumulate as accumulate
from hlmbayes.data.two_level import read
from hlmbayes.errors import DataError
from hlmbayes.unit_moments.record import merge, moments_of, unit_moments
from tests.small import model, small


def brute(unit: np.ndarray, n_units: int, columns: list[np.ndarray], w: np.ndarray):
    X = np.column_stack(columns)
    mean = np.array([np.average(X[unit == j], axis=0, weights=w[unit == j]) for j in range(n_units)])
    sscp = np.array(
        [((X - mean[j])[unit == j] * w[unit == j, None]).T @ (X - mean[j])[unit == j] for j in range(n_units)]
    )
    return np.bincount(unit), np.bincount(unit, weights=w), mean, sscp


@pytest.mark.parametrize("chunk", [3, 16, 1 << 16])
@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_moments_equal_brute_force(monkeypatch, chunk: int, shuffled: bool, weighted: bool) -> None:
    monkeypatch.setattr(accumulate, "CHUNK", chunk)
    source, rng = small(2), np.random.default_rng(0)
    order = rng.permutation(len(source.unit)) if shuffled else np.arange(len(source.unit))
    columns = [source.columns[k][order] for k in ("y", "x", "d")]
    w = rng.uniform(0.5, 2, len(order)) if weighted else np.ones(len(order))
    got = unit_moments(source.unit[order], 12, columns, w if weighted else None)
    for a, b in zip(got, brute(source.unit[order], 12, columns, w), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("chunk", [4, 7, 20, 61])
def test_rows_of_a_unit_are_summed_together_where_they_lie_together(monkeypatch, chunk: int) -> None:
    source, columns = small(2), [small(2).columns[name] for name in ("y", "x")]
    whole = unit_moments(source.unit, 12, columns)
    monkeypatch.setattr(accumulate, "CHUNK", chunk)
    monkeypatch.setattr(accumulate, "SHORT", 1)
    got = unit_moments(source.unit, 12, columns)
    for a, b in zip(got, whole, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-13)
    if chunk > source.unit.size // 2:  # no unit has more rows than a chunk: to the last digit
        for a, b in zip(got, whole, strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_large_level_costs_no_digits() -> None:
    source = small(2)
    x, y = source.columns["x"], source.columns["y"]
    plain = unit_moments(source.unit, 12, [x, y])
    shifted = unit_moments(source.unit, 12, [x * 1e6 + 2e12, y + 1e6])
    scale = np.array([1e6, 1.0])
    np.testing.assert_allclose(
        shifted[3], plain[3] * np.outer(scale, scale), rtol=1e-8, atol=1e-8 * scale.max() ** 2
    )
    np.testing.assert_allclose(shifted[3][:, 1, 1], plain[3][:, 1, 1], rtol=1e-8, atol=1e-9)


@settings(max_examples=30)
@given(st.integers(0, 10_000))
def test_order_of_rows_does_not_matter(seed: int) -> None:
    source = small(4)
    order = np.random.default_rng(seed).permutation(len(source.unit))
    a, b = (moments_of(source.data(o), ["y", "x"]) for o in (None, order))
    np.testing.assert_array_equal(a.unit_ids, b.unit_ids)
    np.testing.assert_allclose(a.mean, b.mean, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(a.sscp, b.sscp, rtol=1e-11, atol=1e-12)


def test_rows_with_missing_values_are_dropped_and_counted() -> None:
    source = small(4)
    y = source.columns["y"].copy()
    y[[3, 4]] = np.nan
    y[source.unit == 0] = np.nan
    source.columns["y"] = y
    got = moments_of(source.data(), ["y", "x"], level2=["w"])
    assert got.n_dropped == 3
    assert got.n_units == 11
    assert len(got.level2["w"]) == 11
    assert any("1 unit" in note and "100" in note for note in got.notes)
    assert got.n_rows == len(y) - 3
    # a column that is not analysed does not count
    assert moments_of(source.data(), ["x"]).n_dropped == 0


def test_no_complete_row_is_an_error() -> None:
    data = read({"id": [1, 1, 2], "y": [1.0, np.nan, np.nan], "x": [np.nan, 2.0, 1.0]}, id="id")
    with pytest.raises(DataError, match="nothing is left"):
        moments_of(data, ["y", "x"])


# --- merging -----------------------------------------------------------------------------------------


def parts_of(source, pieces: np.ndarray):
    return [
        moments_of(source.data(np.flatnonzero(pieces == k)), ["y", "x"], ["w"]) for k in np.unique(pieces)
    ]


def assert_same(a, b, rtol: float = 1e-11, atol: float = 1e-12) -> None:
    np.testing.assert_array_equal(a.unit_ids, b.unit_ids)
    np.testing.assert_array_equal(a.n, b.n)
    np.testing.assert_allclose(a.mean, b.mean, rtol=rtol, atol=1e-13)
    np.testing.assert_allclose(a.sscp, b.sscp, rtol=rtol, atol=atol)
    np.testing.assert_array_equal(a.level2["w"], b.level2["w"])


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.integers(2, 5), st.sampled_from([0.0, 1e8]))
def test_parts_of_the_rows_merge_to_the_whole_in_any_order(seed: int, n_parts: int, level: float) -> None:
    source, rng = small(seed), np.random.default_rng(seed)
    source.columns["y"] = source.columns["y"] + level
    whole = moments_of(source.data(), ["y", "x"], ["w"])
    parts = parts_of(source, rng.integers(0, n_parts, len(source.unit)))
    # a mean near 1e8 is known to 1.5e-8
    tolerances = (1e-11, 1e-12) if level == 0 else (1e-6, 1e-6)
    for merged in (merge(parts), sum(parts), sum(parts[::-1])):
        assert_same(merged, whole, *tolerances)


def test_weights_merge() -> None:
    source, rng = small(2), np.random.default_rng(0)
    columns, w = [source.columns["y"], source.columns["x"]], rng.uniform(0.5, 2, len(source.unit))
    whole = unit_moments(source.unit, 12, columns, w)
    half = rng.random(len(w)) < 0.5
    parts = [unit_moments(source.unit, 12, columns, w, keep=k) for k in (half, ~half)]
    present = [part[0] > 0 for part in parts]
    index = np.concatenate([np.flatnonzero(k) for k in present])
    records = [np.concatenate([part[i][k] for part, k in zip(parts, present, strict=True)]) for i in range(4)]
    for got, wanted in zip(accumulate.combine(index, 12, *records), whole, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-12)


def test_columns_may_come_in_another_order_and_case() -> None:
    source = small(2)
    a, b = source.data(np.arange(0, 20)), source.data(np.arange(20, len(source.unit)))
    one = moments_of(a, ["y", "x"], ["w"])
    other = replace(moments_of(b, ["x", "y"], ["w"]), columns=("X", "Y"))
    assert_same(one + other, moments_of(source.data(), ["y", "x"], ["w"]))
    assert (one + other).columns == ("y", "x")


def test_what_cannot_be_merged_is_refused() -> None:
    source = small(2)
    one = moments_of(source.data(), ["y", "x"], ["w"])
    with pytest.raises(DataError, match=r"level-1 columns.*y, x.*y, z"):
        _ = one + moments_of(source.data(), ["y", "z"], ["w"])
    with pytest.raises(DataError, match="level-2 variables"):
        _ = one + moments_of(source.data(), ["y", "x"], ["v"])
    with pytest.raises(DataError, match="same id"):
        _ = one + replace(one, id_name="school")
    with pytest.raises(DataError, match="text in another"):
        _ = one + replace(one, unit_ids=one.unit_ids.astype(str).astype(object))
    w = one.level2["w"].copy()
    w[4] += 1
    with pytest.raises(DataError, match=r"1 units: 104.*same values everywhere"):
        _ = one + replace(one, level2={"w": w})
    with pytest.raises(DataError, match="no moments to merge"):
        merge([])
    with pytest.raises(TypeError):
        _ = one + 1
    with pytest.raises(TypeError):
        _ = 1 + one


def test_weights_of_units_go_with_the_units() -> None:
    one = moments_of(small(2).data(), ["y", "x"], ["w"])
    weighted = replace(one, unit_weight=np.arange(12.0) + 1)
    np.testing.assert_array_equal((weighted + weighted).unit_weight, weighted.unit_weight)
    with pytest.raises(DataError, match=r"kind of units: got unweighted and weighted"):
        _ = one + weighted
    with pytest.raises(DataError, match="sampling weights has different values"):
        _ = weighted + replace(one, unit_weight=np.ones(12))


def test_missing_level2_values_agree_with_each_other() -> None:
    one = moments_of(small(2).data(), ["y", "x"], ["w"])
    w = one.level2["w"].copy()
    w[4] = np.nan
    holes = replace(one, level2={"w": w})
    np.testing.assert_array_equal((holes + holes).level2["w"], w)


def test_a_fit_from_merged_parts_equals_the_fit_from_rows() -> None:
    source, m = small(9), model("slopes")
    pieces = np.random.default_rng(1).integers(0, 3, len(source.unit))
    fit, merged = m.fit(source.data()), m.fit(merge(parts_of(source, pieces)))
    assert merged.deviance == pytest.approx(fit.deviance, rel=1e-12)
    np.testing.assert_allclose(merged.gamma, fit.gamma, rtol=1e-9)
    np.testing.assert_allclose(merged.tau, fit.tau, rtol=1e-9)
    np.testing.assert_allclose(merged.vcov, fit.vcov, rtol=1e-9)


@pytest.mark.parametrize("dtype", ["f4", "i8", "u1", "?"])
def test_columns_of_any_numeric_type(dtype: str) -> None:
    source = small(2)
    values = (source.columns["x"] * 3 + 20).astype(dtype)
    got = unit_moments(source.unit, 12, [values])
    wanted = unit_moments(source.unit, 12, [values.astype(float)])
    for a, b in zip(got, wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-12)


def test_scattered_and_sorted_rows_use_little_memory() -> None:
    rng, J, n = np.random.default_rng(0), 2000, 500
    unit = np.repeat(np.arange(J), n)
    columns = [rng.normal(size=len(unit)).astype("f4") for _ in range(3)]
    for index in (unit, rng.permutation(unit)):
        tracemalloc.start()
        unit_moments(index, J, columns)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 0.4 * unit.nbytes  # one column as float64 would be as much as ``unit``


def test_moments_say_what_they_are_of_and_not_what_they_are():
    data = read({"school": [1, 1, 2, 2], "y": [1.0, 2, 3, 5], "x": [0.0, 1, 1, 0]}, id="school")
    text = repr(moments_of(data, ["y", "x"]))
    assert text == "Moments(4 rows in 2 units of school; level 1: y, x; level 2: none)"
