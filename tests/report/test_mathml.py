"""Equations as MathML: well formed, with nothing of the model left out and nothing executed."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from hlmbayes.equations.model import TwoLevelModel
from hlmbayes.report import mathml

TEXTS = [
    "y = b0 + r\nb0 = g00 + u0",
    "y = b0 + b1*group(x) + b2*x^2 + r\nb0 = g00 + g01*w + u0\nb1 = g10 + g11*grand(w) + u1\nb2 = u2",
    "y = b0 + b1*C(x) + r\nb0 = g00 + u0\nb1 = g10 + u1\ncov(u0, u1) = 0\nlog(sigma2) = a0 + a1*x",
    "`<script>` = b0 + b1*`a&b` + r\nb0 = g00 + g01*w + u0\nb1 = g10 + g11*w\ng01 = g11",
]


@pytest.mark.parametrize("text", TEXTS)
def test_every_formula_is_well_formed(text):
    model = TwoLevelModel(text)
    formulas = [mathml.level1(model), mathml.mixed(model), *mathml.extra(model)]
    for formula in [*formulas, *map(mathml.level2, model.coefficients)]:
        assert ElementTree.fromstring(formula).tag == "math"


def words(formula: str) -> str:
    return "".join(ElementTree.fromstring(formula).itertext())


def test_the_mixed_model_multiplies_out():
    model = TwoLevelModel(TEXTS[1])
    assert words(mathml.mixed(model)) == (
        "yij=γ00+γ01wj+γ10(xij−x.j)+γ11(wj−w.)(xij−x.j)+u0j+u1j(xij−x.j)+u2jx^2ij+rij"
    )
    assert words(mathml.level2(model.coefficients[2])) == "β2j=u2j"


def test_what_is_held_equal_or_zero_is_said():
    assert words(mathml.extra(TwoLevelModel(TEXTS[2]))[0]) == "cov(u0j,u1j)=0"
    assert words(mathml.extra(TwoLevelModel(TEXTS[2]))[1]) == "lnσij2=α0+α1xij"
    assert words(mathml.extra(TwoLevelModel(TEXTS[3]))[0]) == "γ01=γ11"
