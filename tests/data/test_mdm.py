"""HLM's .mdm files: every value read, every damaged file refused in words and in bounds."""

from __future__ import annotations

import random
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import hlmbayes as hlm
from hlmbayes.data.mdm import read_header, read_mdm
from hlmbayes.errors import DataError, HLMError, HLMWarning

from ..mdm_writer import popular2, small_mdm, to_mdm


def at(folder: Path, content: bytes, name: str = "x.mdm") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("text", [False, True])
@pytest.mark.parametrize("version", [6.05, 7.0, 8.2])
def test_every_value_is_read(tmp_path: Path, version: float, text: bool) -> None:
    content, columns = small_mdm(version=version, text=text)
    data = hlm.read(at(tmp_path, content))
    assert list(data.unit_ids) == sorted(set(columns["id"]))
    assert np.array_equal(data.unit_ids[data.unit], columns["id"])
    assert np.array_equal(data.level1_column("x"), columns["X"])
    assert np.array_equal(data.level1_column("Y"), columns["Y"])
    assert np.array_equal(data.level2_column("w")[data.unit], columns["W"])
    assert f"which HLM {version:g} made" in data.notes[0]
    header = read_header(tmp_path / "x.mdm")
    assert (header.version, header.level1, header.level2) == (version, ("X", "Y"), ("W",))


def test_the_genuine_data_are_described(tmp_path: Path) -> None:
    """Grand means stand in the genuine file itself."""
    described = hlm.read(str(at(tmp_path, popular2())), id="CLASS").describe()
    assert [(v.name, round(v.mean, 5)) for v in described.level1] == [
        ("EXTRAV", 5.215), ("SEX", 0.5055), ("POPULAR", 5.07645),
    ]  # fmt: skip
    assert [(v.name, v.mean) for v in described.level2] == [("TEXP", 14.3)]
    assert (described.n_rows, described.n_units) == (2000, 100)


def test_both_levels_are_in_the_file(tmp_path: Path) -> None:
    path = at(tmp_path, small_mdm()[0])
    assert hlm.read(path, path).n_units == 8
    with pytest.raises(DataError, match=r"x.mdm holds both levels; leave the level-2 data out"):
        hlm.read(path, {"id": [1, 2]})
    with pytest.raises(DataError, match="It holds both levels: give it alone"):
        hlm.read({"id": [1, 2], "y": [1, 2]}, path)
    with pytest.raises(DataError, match=r"There is no file y.mdm in "):
        hlm.read(tmp_path / "y.mdm")


SMALL = small_mdm()[0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "x.mdm is empty"),
        (b"SSHLM", "x.mdm is truncated: 5 bytes are less than a header"),
        (b"\1\2", r"x.mdm is no .mdm file of HLM: it begins with b'\\x01\\x02'"),
        (b"#HLM2 MDM CREATION TEMPLATE", "is no .mdm file of HLM"),
        (b"SSHLM3" + SMALL[6:], r"is the .mdm file of a three-level model \(SSHLM3\)"),
        (b"SSHMLM" + SMALL[6:], r"is the .mdm file of a multivariate model \(SSHMLM\)"),
        (SMALL[:6] + struct.pack("<f", 5.0) + SMALL[10:], "is of version 5, whose layout is not known"),
        (SMALL[:6] + struct.pack("<f", 9.1) + SMALL[10:], "is of version 9.1, whose layout is not known"),
        (SMALL[:6] + struct.pack("<f", np.nan) + SMALL[10:], "is of version nan"),
        (SMALL[:10] + struct.pack("<i", -1) + SMALL[14:], "is damaged: its header counts -1 and 1 variables"),
        (SMALL[:18] + struct.pack("<i", 2**31 - 1) + SMALL[22:], "or its header is damaged: 2,147"),
        (SMALL[:-1], r"x.mdm is truncated: 35 rows in 8 units need .* bytes, it has"),
        (SMALL[:100], "is truncated"),
        (SMALL + b"\0", r"\(version 7\) has .* it is damaged or laid out in a way that is not known"),
        (SMALL[:52] + b"A" + SMALL[53:], "names are not where its header has them"),
        (SMALL[:-60] + b"\xff" + SMALL[-59:], "is damaged"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said_in_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read_mdm(at(tmp_path, content))
    assert "\n" not in str(caught.value)


def with_values(rows: list[np.ndarray], means: np.ndarray | None = None) -> bytes:
    return to_mdm([1.0, 2.0], rows, (["X", "Y"], ["W"]), np.array([[0.0], [1.0]]), means=means)


ROWS = [np.array([[1.0, 2.0], [3.0, -99.0]]), np.array([[2.0, 5.0], [4.0, 3.0], [0.0, 1.0]])]


def test_a_value_that_may_stand_for_a_missing_one_is_asked_about(tmp_path: Path) -> None:
    with pytest.warns(
        HLMWarning, match=r"1 of 5 values of Y in x.mdm are -99: does that stand for a missing"
    ):
        data = hlm.read(at(tmp_path, with_values(ROWS)))
    assert data.level1_column("Y")[1] == -99


def test_means_that_leave_a_code_out_say_that_it_is_missing(tmp_path: Path) -> None:
    means = np.array([[2.0, 2.0], [2.0, 3.0]])
    with pytest.warns(HLMWarning, match=r"1 of 5 values of Y in x.mdm are -99: they are taken as missing"):
        data = hlm.read(at(tmp_path, with_values(ROWS, means)))
    assert np.isnan(data.level1_column("Y")).tolist() == [False, True, False, False, False]


@pytest.mark.parametrize("value", [-1.7976931348623157e308, np.nan, -np.inf])
def test_values_that_no_data_have_are_missing(tmp_path: Path, value: float) -> None:
    rows = [ROWS[0].copy(), ROWS[1]]
    rows[0][1, 1] = value
    with pytest.warns(HLMWarning, match="values of Y in x.mdm are .*: they are taken as missing"):
        data = hlm.read(at(tmp_path, with_values(rows, np.array([[2.0, 2.0], [2.0, 3.0]]))))
    assert np.isnan(data.level1_column("Y")).sum() == 1


def test_damage_to_the_data_is_found_by_the_means(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"x.mdm is damaged: means of Y are not those of its values"):
        read_mdm(at(tmp_path, with_values(ROWS, np.array([[2.0, -48.5], [2.0, 3.1]]))))


def test_ids_of_several_units_and_single_units_are_refused(tmp_path: Path) -> None:
    names, level2 = (["X", "Y"], ["W"]), np.array([[0.0], [1.0]])
    with pytest.raises(DataError, match="several of its units have the same id"):
        hlm.read(at(tmp_path, to_mdm([1.0, 1.0], [ROWS[1], ROWS[1]], names, level2)))
    with pytest.raises(DataError, match=r"There is one unit in x.mdm"):
        hlm.read(at(tmp_path, to_mdm([1.0], ROWS[1:], names, level2[:1])))


def damaged(rng: random.Random, content: bytes) -> bytes:
    """Some bytes changed, mostly of the header, where it hurts; cut, lengthened or doubled."""
    new = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 8))):
        kind = rng.randrange(6)
        place = rng.randrange(rng.choice((60, 300, len(new))) % (len(new) + 1) + 1) % max(len(new), 1)
        if kind == 0:
            new = new[:place]
        elif kind == 1:
            new[place:place] = rng.randbytes(rng.choice((1, 4, 8, 13)))
        elif kind == 2:
            new[place : place + 4] = struct.pack("<i", rng.choice((-1, 0, 1, 2, 255, 2**30, 2**31 - 1)))
        elif kind == 3:
            new[place : place + 8] = struct.pack("<d", rng.choice((np.nan, np.inf, 1e308, -99.0, 0.0)))
        else:
            new[place : place + 1] = bytes([rng.randrange(256)])
    return bytes(new)


@pytest.mark.filterwarnings("ignore::hlmbayes.errors.HLMWarning")
@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=pytest.mark.slow)])
def test_damaged_files_are_refused_or_read_in_bounds(tmp_path: Path, count: int) -> None:
    rng = random.Random(count)
    whole = [
        small_mdm(version=version, text=text)[0] for version in (6.05, 7.0, 8.2) for text in (False, True)
    ]
    read = 0
    tracemalloc.start()
    for _ in range(count):
        content = damaged(rng, rng.choice(whole))
        path = at(tmp_path, content)
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        try:
            hlm.read(path)
            read += 1
        except HLMError as error:
            assert len(str(error)) < 1000  # noqa: PT017 - some damage goes unseen
        assert tracemalloc.get_traced_memory()[1] - before < 20 * len(content) + 200_000
    tracemalloc.stop()
    assert read < count
