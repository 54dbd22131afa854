"""Names HLM cut to eight characters find the columns they were cut from."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import hlmbayes as hlm
from hlmbayes.data.two_level import TwoLevelData
from hlmbayes.errors import DataError
from hlmbayes.hlm_files.short_names import with_short_names


def data(one: bool = False) -> TwoLevelData:
    rng = np.random.default_rng(0)
    unit = np.repeat(np.arange(6), 5)
    rows = {"id": unit, "achievement_score": rng.normal(size=30), "SES_of_student": rng.normal(size=30)}
    units = {"id": np.arange(6), "sector_1982": np.arange(6) % 2, "school_ses_a": rng.normal(size=6)}
    units |= {"school_ses_b": rng.normal(size=6), "sizes": np.arange(6.0)}
    if one:
        return hlm.read(rows | {name: values[unit] for name, values in units.items()}, id="id")
    return hlm.read(rows, units, id="id")


@pytest.mark.parametrize("one", [False, True])
def test_a_cut_name_is_that_of_the_one_column_that_begins_with_it(one: bool) -> None:
    short = with_short_names(data(one), ["ACHIEVEM", "SES_OF_S"], ["SECTOR_1", "SIZES"])
    np.testing.assert_array_equal(short.level1["ACHIEVEM"], data().level1["achievement_score"])
    np.testing.assert_array_equal(short.level2_column("SECTOR_1"), np.arange(6) % 2)
    assert "achievement_score" not in short.level1
    assert pickle.loads(pickle.dumps(short.level1))["ACHIEVEM"].shape == (30,)
    assert sum("shorten names to 8 characters" in note for note in short.notes) == 3
    fit = hlm.Model("ACHIEVEM = b0 + b1*SES_OF_S\nb0 = g00 + g01*SECTOR_1 + u0\nb1 = g10").fit(short)
    long = hlm.Model("achievement_score = b0 + b1*SES_of_student\nb0 = g00 + g01*sector_1982 + u0\nb1 = g10")
    assert fit.deviance == long.fit(data()).deviance


def test_columns_that_begin_alike_are_refused() -> None:
    with pytest.raises(
        DataError, match="SCHOOL_S may be each of school_ses_a, school_ses_b of the level-2 data"
    ):
        with_short_names(data(), [], ["SCHOOL_S"])


def test_other_names_are_left_alone() -> None:
    """Shorter than eight characters, of no column, or of a column that bears them."""
    same = data()
    assert with_short_names(same, ["ACHIEVE", "NOWHERE1"], ["SIZES"]) is same
    rows = {"id": np.repeat([1, 2], 3), "SES_OF_S": np.arange(6.0), "ses_of_student": np.ones(6)}
    both = hlm.read(rows, id="id")
    assert with_short_names(both, ["SES_OF_S"], []) is both
