"""Known level-1 variances are said to be known wherever they stand; Stata's names of factors are answered."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import hlmbayes as hlm
from hlmbayes.errors import DataError

KNOWN = "known, not estimated"
MODEL = hlm.Model("y = b0 + r\nb0 = g00 + u0")


@pytest.fixture(scope="module")
def data() -> hlm.TwoLevelData:
    rng = np.random.default_rng(1)
    columns = {"s": np.repeat(np.arange(20), 2), "y": rng.normal(size=40), "v": rng.uniform(0.1, 0.3, 40)}
    return hlm.read(columns, id="s")


@pytest.mark.parametrize(
    ("law", "said"), [({"variance_known": "v"}, True), ({"sigma2": 1.5}, True), ({}, False)]
)
def test_a_known_variance_is_said_to_be_known(data: hlm.TwoLevelData, law: dict, said: bool) -> None:
    fit = MODEL.fit(data, **law)
    pooled = hlm.fit_imputed(MODEL, [data, replace(data)], **law)
    texts = [str(fit), str(fit.summary()), str(hlm.table(fit)), str(pooled)]
    texts += [each.variance_components().loc["r", "name"] for each in (fit, pooled)]
    assert [KNOWN in " ".join(text.split()) for text in texts] == [said] * 6
    assert ("not estimated" in " ".join(pooled.listing().split())) == said


@pytest.mark.parametrize(
    ("written", "here"),
    [
        ("i.sector", "C(sector) here"), ("ib1.sector", 'C(sector, ref="1") here'), ("c.ses", "is ses here"),
        ("i.sectr", "C(sector) here"), ("i.nothing", "Its columns are"),
    ],
)  # fmt: skip
def test_names_of_factors_in_stata(written: str, here: str) -> None:
    with pytest.raises(DataError) as refused:
        hlm.Model(f"mathach ~ {written} + (1 | id)").fit(hlm.datasets.hsb())
    assert here in str(refused.value)
