"""The packaged data: what is in them and what the labels say."""

from __future__ import annotations

import numpy as np
import pyreadstat
import pytest

import hlmbayes as hlm
from hlmbayes.data.two_level import TwoLevelData


@pytest.fixture(scope="module")
def hsb() -> TwoLevelData:
    return hlm.datasets.hsb()


def test_size_and_columns(hsb):
    assert (hsb.n_rows, hsb.n_units) == (7185, 160)
    assert list(hsb.level1) == ["minority", "female", "ses", "mathach"]
    assert list(hsb.level2) == ["size", "sector", "pracad", "disclim", "himinty", "meanses"]
    assert hsb.notes == ()


def test_published_descriptives(hsb):
    # Raudenbush & Bryk (2002), table 4.1 prints these to two decimals.
    y, ses = hsb.level1_columns(["mathach", "ses"])
    assert (round(y.mean(), 2), round(y.std(ddof=1), 2)) == (12.75, 6.88)
    assert (round(abs(ses.mean()), 2), round(ses.std(ddof=1), 2)) == (0.00, 0.78)
    assert round(hsb.level2_column("sector").mean(), 2) == 0.44


def test_every_school_has_its_own_level2_record(hsb):
    # In the published file meanses is the school's mean of ses plus one constant (0.006), to three decimals.
    mean = np.bincount(hsb.unit, hsb.level1_column("ses")) / np.bincount(hsb.unit)
    shift = hsb.level2_column("meanses") - mean
    assert np.ptp(shift) < 0.0015


def test_labels(hsb):
    assert hsb.labels["mathach"] == "Mathematics achievement"
    assert set(hsb.labels) == {"id", *hsb.level1, *hsb.level2}
    assert hsb.value_labels["female"] == {0: "male", 1: "female"}
    assert hsb.value_labels["sector"] == {0: "public", 1: "Catholic"}
    assert set(hsb.value_labels) == {"minority", "female", "sector", "himinty"}


def test_files_say_their_source():
    for path in hlm.datasets.hsb_paths():
        meta = pyreadstat.read_sav(path, metadataonly=True)[1]
        assert "High School and Beyond" in " ".join(meta.notes)
        assert "nlme" in " ".join(meta.notes)
