"""Columns made of terms have names by the same rule, and columns of a listing hold them."""

from __future__ import annotations

import numpy as np
import pytest

import hlmbayes as hlm
from hlmbayes.errors import HypothesisError

TEXT = """
    y = b0 + b1*C(track, ref="general") + b2*x*z + r
    b0 = g00 + g01*size + u0
    b1 = g10 + g11*size
    b2 = g20
"""


@pytest.fixture(scope="module")
def fit() -> hlm.Fit:
    rng = np.random.default_rng(0)
    unit = np.repeat(np.arange(20), 9)
    columns = {
        "id": unit, "x": rng.normal(size=180), "z": rng.normal(size=180),
        "size": rng.integers(1, 9, 20)[unit], "track": rng.choice(["general", "academic", "vocational"], 180),
    }  # fmt: skip
    columns["y"] = columns["x"] + rng.normal(size=20)[unit] + rng.normal(size=180)
    return hlm.Model(TEXT).fit(hlm.read(columns, id="id"))


def test_every_name_of_the_table_finds_its_effect(fit: hlm.Fit) -> None:
    table = fit.fixed_effects()
    assert table.loc["g11[academic]", "name"] == "track[academic] x size"
    assert table.loc["g20", "name"] == "x*z"
    for code, name in table["name"].items():
        assert fit.wald(name).hypothesis == f"{code} = 0"
        assert fit.gamma[name] == fit.gamma[code] == table.loc[code, "coefficient"]
        assert fit.confint(parameters=name).index == [code]
    assert fit.gamma["z:x"] == fit.gamma["g20"]
    assert fit.contrast("track[academic] - track[vocational]").combination == (
        "g10[academic] - g10[vocational]",
    )


def test_a_factor_is_several_effects(fit: hlm.Fit) -> None:
    assert fit.wald("track").df == 2  # tested whole; anywhere else one is wanted
    with pytest.raises(HypothesisError, match=r"track is several: g10\[academic\].*test_variable"):
        fit.wald("track - g20")


def test_a_factor_of_two_levels_is_its_one_column(fit: hlm.Fit) -> None:
    rows = {"id": fit.data.unit_ids[fit.data.unit], **fit.data.level1, "sex": np.resize(["f", "m", "m"], 180)}
    own = hlm.Model("y = b0 + b1*x + b2*sex; b0 = g00 + u0; b1 = g10; b2 = g20 + u2").fit(rows, id="id")
    assert own.gamma["sex"] == own.gamma["g20"] == own.gamma["g20[m]"]
    assert own.contrast("sex - x").combination == ("-g10 + g20[m]",)
    assert own.icc(at={"sex": 1}).icc == own.icc(at={"sex[m]": 1}).icc


def test_columns_of_the_listing_hold_their_codes(fit: hlm.Fit) -> None:
    lines = fit.listing().splitlines()
    start = lines.index(" Final estimation of fixed effects:")
    rows = [line for line in lines[start : lines.index("", start)] if ", G" in line]
    assert len(rows) == 7
    assert len({len(row) for row in rows}) == 1
    assert [float(row.split()[2]) for row in rows] == pytest.approx(list(fit.gamma), abs=6e-7)
