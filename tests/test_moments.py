"""Moments against brute force, and the laws they obey."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hlmbayes.accumulate as accumulate
from hlmbayes.data import read
from hlmbayes.errors import DataError
from hlmbayes.moments import moments_of, unit_moments

from .small import small


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


@settings(max_examples=30, deadline=None)
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
