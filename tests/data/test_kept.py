"""What data keep between models: given again for the same values and rows, and for no others."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hlmbayes.data.kept as kept
import hlmbayes.data.rows as rows_module
import hlmbayes.unit_moments.record as record
from hlmbayes.data.kept import Kept, fingerprint, kept_of
from hlmbayes.data.two_level import read
from hlmbayes.errors import DataError
from hlmbayes.unit_moments.record import Moments, moments_of
from tests.small import model, small


def columns(seed: int = 3, **changed: np.ndarray) -> dict[str, np.ndarray]:
    """Rows with their level-2 variable beside them, one source."""
    source = small(seed)
    return {"id": source.unit, **source.columns, "w": source.level2["w"][source.unit], **changed}


def same(one: Moments, other: Moments) -> None:
    for name in ("columns", "n_dropped", "notes"):
        assert getattr(one, name) == getattr(other, name)
    for name in ("unit_ids", "n", "weight", "mean", "sscp"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@pytest.fixture
def passes(monkeypatch) -> list[int]:
    """Count the passes over rows for moments."""
    counted: list[int] = []

    def counting(*args, **options):
        counted.append(1)
        return unit_moments(*args, **options)

    unit_moments = record.unit_moments
    monkeypatch.setattr(record, "unit_moments", counting)
    return counted


@pytest.mark.parametrize("names", [["y", "x"], ["x"], ["Y", "z"], ["y", "x", "z"], ["x", "y"], ["d"]])
def test_moments_of_columns_among_those_kept_are_those_of_a_pass(names, passes) -> None:
    data = read(columns(), id="id")
    moments_of(data, ["y", "x", "z"])
    again = moments_of(data, names)
    # in another order the last digit of a product may be another
    assert len(passes) == 1 + (names in (["x", "y"], ["d"]))
    same(again, moments_of(read(columns(), id="id"), names))


def test_a_column_that_is_not_used_drops_no_row(passes) -> None:
    holes = columns()
    holes["z"] = np.where(np.arange(len(holes["z"])) % 5 == 0, np.nan, holes["z"])
    data = read(holes, id="id")
    for names in (["y", "x", "z"], ["y", "x"], ["x", "z"], ["y"]):
        same(moments_of(data, names), moments_of(read(holes, id="id"), names))
    assert len(passes) == 4 + 2  # those with z, and those without it, are of the same rows


def test_a_unit_without_complete_rows_is_gone_for_the_models_that_use_the_column() -> None:
    holes = columns()
    holes["z"] = np.where(holes["id"] == 2, np.nan, holes["z"])
    data = read(holes, id="id")
    assert [moments_of(data, names).n_units for names in (["y", "z"], ["y"], ["z"])] == [11, 12, 11]


@pytest.mark.parametrize("name", ["y", "x", "w"])
@pytest.mark.parametrize(
    "write",
    [
        lambda values: np.multiply(values, 2.0, out=values),
        lambda values: np.copyto(values, values[::-1].copy()),
        lambda values: np.copyto(values, values + (np.arange(len(values)) == 7) * 1e-9),
    ],
    ids=["scaled", "turned round", "one value"],
)
def test_values_written_into_the_users_arrays_are_those_analysed(name, write) -> None:
    own = columns(w=small(3).level2["w"][small(3).unit])
    data = read(own, id="id")
    model("slopes").fit(data)
    if name == "w":
        own["w"][own["id"] == 4] = 9.0
    else:
        write(own[name])
    got, fresh = model("slopes").fit(data), model("slopes").fit(read(own, id="id"))
    assert [*got.gamma, got.deviance] == [*fresh.gamma, fresh.deviance]


def test_the_second_model_is_what_it_is_without_the_first() -> None:
    data = read(columns(), id="id")
    model("means").fit(data), model("raw").fit(data)
    for name in ("slopes", "means"):
        got, fresh = model(name).fit(data), model(name).fit(read(columns(), id="id"))
        np.testing.assert_array_equal(got.tau, fresh.tau)
        assert [*got.gamma, got.deviance] == [*fresh.gamma, fresh.deviance]


def test_a_level2_variable_on_rows_is_reduced_once(monkeypatch) -> None:
    data = read(columns(), id="id")
    values = data.level2_column("w")
    monkeypatch.setattr(rows_module, "unit_column", None)
    assert data.level2_column("w") is values
    with pytest.raises(TypeError):
        read(columns(), id="id").level2_column("w")


def test_other_data_and_files_begin_without() -> None:
    data = read(columns(), id="id")
    moments_of(data, ["y", "x"])
    turned = replace(data, level1={**data.level1, "y": -data.level1["y"]})
    for other in (turned, copy.copy(data), pickle.loads(pickle.dumps(data))):
        assert not kept_of(other)._results
    assert len(kept_of(data)._results) == 1
    assert moments_of(turned, ["y"]).mean[0, 0] == -moments_of(data, ["y"]).mean[0, 0]


def test_what_is_kept_goes_with_the_data() -> None:
    data = read(columns(), id="id")
    moments_of(data, ["y", "x"])
    gone = weakref.ref(kept_of(data))
    del data
    gc.collect()
    assert gone() is None


def test_memory_is_bounded(monkeypatch) -> None:
    monkeypatch.setattr(kept, "MOST", 100)
    store, column = Kept(), {"y": np.arange(4.0)}
    for k in range(9):
        assert store.once(str(k), column, 40, partial(int, k)) == k
    assert [asked for asked, _ in store._results] == ["7", "8"]
    assert store.once("large", column, 101, lambda: "given, not kept") == "given, not kept"
    assert not store._results


@given(st.data(), st.sampled_from(["f8", "i8", "f4", "i1", "?"]), st.integers(2, 3000))
def test_a_value_or_two_that_change_places_change_the_fingerprint(draw, dtype: str, n: int) -> None:
    values = np.random.default_rng(n).integers(0, 100, n).astype(dtype)
    before = fingerprint(values)
    assert fingerprint(np.repeat(values, 2)[::2]) == before
    i, j = draw.draw(st.integers(0, n - 1)), draw.draw(st.integers(0, n - 1))
    changed, turned = values.copy(), values.copy()
    changed[i] = not changed[i]
    assert (fingerprint(changed) == before) == (changed[i] == values[i])
    turned[[i, j]] = turned[[j, i]]
    apart = abs(i - j) * values.itemsize % (8 * kept.WORDS)
    assert apart == 0 or (fingerprint(turned) == before) == (values[i] == values[j])


def test_text_is_worked_out_anew() -> None:
    store, column = Kept(), {"y": np.array(["a", None], dtype=object)}
    assert [store.once("x", column, 1, partial(int, k)) for k in (1, 2)] == [1, 2]


@pytest.mark.parametrize("value", [np.nan, 1e200])
def test_values_missing_or_too_large_beyond_the_first_rows_are_met(value, monkeypatch) -> None:
    monkeypatch.setattr(record, "FIRST", 5)
    odd = columns()
    odd["x"] = np.where(np.arange(len(odd["x"])) == 20, value, odd["x"])
    data = read(odd, id="id")
    for names in (["y", "x", "z"], ["y", "z"], ["x"], ["y", "x"]):
        found = moments_of(data, names)
        own = np.isfinite(value) | ("x" not in names)
        rows = slice(None) if own else np.arange(len(odd["x"])) != 20
        same(
            found,
            replace(
                moments_of(read({k: v[rows] for k, v in odd.items()}, id="id"), names),
                n_dropped=0 + (not own),
            ),
        )


def test_an_infinite_value_beyond_the_first_rows_is_refused(monkeypatch) -> None:
    monkeypatch.setattr(record, "FIRST", 5)
    odd = columns()
    odd["x"] = np.where(np.arange(len(odd["x"])) == 20, np.inf, odd["x"])
    with pytest.raises(DataError, match="infinite values: 1 of 57, in rows 21"):
        moments_of(read(odd, id="id"), ["y", "x"])


def test_data_with_another_note_keep_what_the_data_keep() -> None:
    data = read(columns(), id="id")
    noted = kept.with_kept(replace(data, notes=("said",)), data)
    assert kept_of(noted) is kept_of(data)
