"""What notebooks show: the numbers that are printed, and nothing that a variable's name could do."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import numpy as np
import pytest

import hlmbayes as hlm
from hlmbayes import notebook

EVIL = "x<script>alert(1)</script>"


@pytest.fixture(scope="module")
def fit() -> Any:
    rng = np.random.default_rng(2)
    unit = np.repeat(np.arange(12), 8)
    columns = {"id": unit, EVIL: rng.normal(size=96), "größe & <b>": rng.normal(size=12)[unit]}
    columns["y"] = columns[EVIL] + rng.normal(size=12)[unit] + rng.normal(size=96)
    model = f"y = b0 + b1*`{EVIL}` + r\nb0 = g00 + g01*`größe & <b>` + u0\nb1 = g10"
    return hlm.Model(model).fit(hlm.read(columns, id="id"))


def test_all_that_is_held_shows_itself_and_names_are_only_text(fit: Any) -> None:
    held = {
        "model": fit.model, "data": fit.data, "description": fit.data.describe(), "fit": fit,
        "checks": fit.check(), "wald": fit.wald("g10 = 0"), "contrast": fit.contrast("g01 - g10"),
        "homogeneity": fit.homogeneity(), "effects": fit.fixed_effects(), "r2": fit.r2(),
        "summary": fit.summary(), "table": hlm.table(fit), "priors": hlm.Priors(),
        "posterior": fit.model.sample(fit.data, seed=1, draws=200),
    }  # fmt: skip
    for name, each in held.items():
        found = each._repr_html_()
        assert "<script" not in found, name
        assert "<b>`" not in found, name
        assert found.count("<div") == found.count("</div>"), name
    for name in ("model", "data", "effects"):
        assert EVIL in unescape(held[name]._repr_html_())
        assert "größe &amp; &lt;b&gt;" in held[name]._repr_html_()


def test_the_numbers_are_those_that_are_printed(fit: Any) -> None:
    table = fit.fixed_effects()
    cells = re.findall(r"<td>([^<]*)</td>", table._repr_html_())
    assert [cell.replace("\N{MINUS SIGN}", "-") for cell in cells[:2]] == str(table).split("\n")[1].split()[
        2:4
    ]
    test = fit.wald("g10 = 0")
    assert str(test).split("\n")[0] in unescape(test._repr_html_()).replace("\N{MINUS SIGN}", "-")
    description = fit.data.describe()
    for row in (*description.level1, *description.level2):
        assert f"{row.sd:.2f}" in description._repr_html_()
    assert "96 level-1 rows in 12 level-2 units" in fit.data._repr_html_()


def test_a_model_is_typeset_and_a_formula_that_waits_stands_as_it_is(fit: Any) -> None:
    assert "<math>" in fit.model._repr_html_()
    assert "In one equation" in fit.model._repr_html_()
    waiting = hlm.Model("y ~ x*z + (1 | school)")
    assert "(1 | school)" in waiting._repr_html_()


def test_text_in_columns_stays_in_columns() -> None:
    assert notebook.sentences("a    1\nbb   2") == "<pre>a    1\nbb   2</pre>"
    assert notebook.sentences("p < 0.05, -2") == "<p>p &lt; 0.05, \N{MINUS SIGN}2</p>"
    assert notebook.true_minus("-0.00") == "0.00"
    assert "\x1b" not in notebook.sentences("\x1b[31m")
