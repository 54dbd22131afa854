"""Moments files read a part at a time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import hlmbayes as hlm
from hlmbayes.errors import DataError
from hlmbayes.unit_moments.record import Moments, merge
from hlmbayes.unit_moments.stream import MomentsStream, stream_moments


def made(units: range, x: str = "x", seed: int = 1) -> Moments:
    """Give the moments of a few rows in each of some units."""
    rng = np.random.default_rng(seed)
    unit = np.repeat(np.asarray(units), 3)
    rows = {"id": unit, "y": rng.normal(size=len(unit)), x: rng.normal(size=len(unit))}
    level2 = {"id": np.asarray(units), "w": rng.normal(size=len(units))}
    moments = hlm.moments(hlm.read(rows, level2, id="id"), columns=["y", x], level2=["w"])
    kind = np.array([f"k{u}" for u in units], dtype=object)  # text, with which nothing is computed
    return replace(moments, level2={**moments.level2, "kind": kind})


def saved(folder: Path, *parts: Moments) -> list[Path]:
    paths = [folder / f"{k}.moments.parquet" for k in range(len(parts))]
    for path, part in zip(paths, parts, strict=True):
        part.save(path)
    return paths


def small_parts(stream: MomentsStream, size: int) -> MomentsStream:
    return replace(stream, size=size)


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_the_parts_together_are_the_files(tmp_path, size) -> None:
    both = made(range(10)), made(range(10, 25), seed=2)
    stream = stream_moments(saved(tmp_path, *both)[::-1])  # in whatever order they are named
    assert (stream.n_units, stream.columns, stream.level2) == (25, ("y", "x"), ("w", "kind"))
    parts = list(small_parts(stream, size).parts(["X", "y"], ["W"]))
    assert max(part.n_units for part in parts) <= size
    found, wanted = merge(parts), merge(both)
    assert list(found.level2) == ["w"]
    np.testing.assert_array_equal(found.level2["w"], wanted.level2["w"])
    for name in ("unit_ids", "n", "mean", "sscp"):
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name))


def test_names_are_those_of_the_first_file(tmp_path) -> None:
    stream = stream_moments(saved(tmp_path, made(range(4)), made(range(4, 8), x="X")))
    assert [part.n_units for part in stream.parts(["y", "x"], ["w"])] == [4, 4]


def test_one_column_of_several_is_read_alone(tmp_path) -> None:
    (part,) = stream_moments(saved(tmp_path, made(range(4)))).parts(["y"], [])
    assert part.columns == ("y",)
    assert part.sscp.shape == (4, 1, 1)
    assert not part.level2


def test_what_cannot_be_streamed_is_refused_in_words(tmp_path) -> None:
    first, second, overlap = saved(tmp_path, made(range(4)), made(range(4, 8), x="z"), made(range(2, 6)))
    with pytest.raises(DataError, match=r"other columns than 0\.moments\.parquet: y, z"):
        stream_moments([first, second])
    with pytest.raises(DataError, match="each unit is to be in one file only"):
        list(stream_moments([first, overlap]).parts(["y"], []))
    with pytest.raises(DataError, match="age: not among y, x of the moments"):
        list(stream_moments(first).parts(["age"], []))
    with pytest.raises(DataError, match="at least one path"):
        stream_moments([])
    with pytest.raises(DataError, match="there is no moments file"):
        stream_moments(tmp_path / "none.parquet")
    weighted = tmp_path / "weighted.parquet"
    replace(made(range(3)), unit_weight=np.ones(3)).save(weighted)
    with pytest.raises(DataError, match="sampling weights of units"):
        stream_moments(weighted)
    replace(made(range(3)), weight=np.full(3, 2.5)).save(weighted)
    with pytest.raises(DataError, match="sampling weights of rows"):
        list(stream_moments(weighted).parts(["y"], []))


def test_a_damaged_file_is_found_before_anything_is_computed(tmp_path) -> None:
    (path,) = saved(tmp_path, made(range(2000)))
    raw = bytearray(path.read_bytes())
    for place in range(4, len(raw) - 8000, len(raw) // 20):
        changed = raw.copy()
        changed[place] ^= 4
        path.write_bytes(changed)
        with pytest.raises(DataError, match=r"damaged|not a Parquet file"):
            stream_moments(path)
