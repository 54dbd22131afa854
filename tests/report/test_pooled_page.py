"""The report of pooled fits: the numbers of its methods, in words and tables that people read."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import hlmbayes as hlm
from hlmbayes.faces import record_of
from hlmbayes.report.pooled_page import methods, pooled_page
from tests.report.test_html import read

MINUS = "\N{MINUS SIGN}"
MODEL = "y = b0 + b1*group(x) + r\nb0 = g00 + g01*w + u0\nb1 = g10 + u1"


@pytest.fixture(scope="module")
def rows(oracles: Path) -> hlm.TwoLevelData:
    return hlm.read(oracles / "data" / "pv_replicates.csv", id="id")


@pytest.fixture(scope="module")
def pooled(rows: hlm.TwoLevelData) -> hlm.PooledFit:
    return hlm.fit_imputed(hlm.Model(MODEL), rows, outcomes=["pv1", "pv2", "pv3"])


def decimals(value: float) -> str:
    return f"{value:.3f}".replace("-", MINUS)


def test_the_page_says_what_the_pooled_fit_says(pooled: hlm.PooledFit, tmp_path: Path) -> None:
    place = pooled.report(tmp_path / "pooled.html", tests=[pooled.wald("g01 = 0, g10 = 0")])
    reader = read(place.read_text(encoding="utf-8"))
    (_, rows), (_, components) = reader.tables
    effects, limits = pooled.fixed_effects(), pooled.confint()
    for row, code in zip(rows[1:], effects.index, strict=True):
        low, high = limits.loc[code, ["low", "high"]]
        assert row[1:4] == [
            decimals(effects.loc[code, "coefficient"]),
            f"{decimals(low)} to {decimals(high)}",
            decimals(effects.loc[code, "se"]),
        ]
        assert row[5] == f"{100 * effects.loc[code, 'fmi']:.0f} %"
    for row, code in zip(components[1:], ("sd[b0]", "sd[b1]", "sigma"), strict=True):
        found = limits.loc[code]
        assert row[1] == decimals(found["estimate"])
        assert row[2] == f"{decimals(found['low'])} to {decimals(found['high'])}"
    text = " ".join(" ".join(reader.text).split())
    assert f"ICC {pooled.icc().icc:.3f}" in text
    assert f"Conditional R² {pooled.r2().conditional:.3f}" in text
    assert "D1: F = " in text
    assert "Rubin, D. B. (1987)" in text
    assert "for each of 3 plausible values" in text


def test_json_has_the_intervals_and_the_shares(pooled: hlm.PooledFit) -> None:
    found = json.loads(pooled.to_json())
    assert found["intervals"]["sd[b1]"]["high"] == pytest.approx(pooled.confint().loc["sd[b1]", "high"])
    assert [share["name"] for share in found["shares"]] == ["ICC", "Marginal R²", "Conditional R²"]
    assert found["shares"][2]["value"] == pytest.approx(pooled.r2().conditional)


def test_what_replicate_weights_did_is_said_and_warnings_come_first(rows: hlm.TwoLevelData) -> None:
    fit = record_of(
        hlm.fit_imputed(
            hlm.Model(MODEL), rows, outcomes=["pv1", "pv2"], weights=hlm.Weights("w1"),
            replicates="rep1-rep6", method="fay", factor=2 / 3,
        )
    )  # fmt: skip
    page = pooled_page(fit, "listing", ["Beware."])
    assert page.index("Beware.") < page.index("<h2>")
    assert "6 replicate weights (fay" in page
    assert "6 replicate weights (fay" in methods(fit)
    assert not re.search(r"[ (>]-\d", page.partition("</style>")[2].partition("<details>")[0])
