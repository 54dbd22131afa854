"""Independent random effects in equations and formulas."""

from __future__ import annotations

import re

import pytest

from hlmbayes import Model
from hlmbayes.equations.text import tau_words
from hlmbayes.errors import EquationError

THREE = "y = b0 + b1*x + b2*z + r\nb0 = g00 + u0\nb1 = g10 + u1\nb2 = g20 + u2\n"
DIAGONAL = (("u0",), ("u1",), ("u2",))


@pytest.mark.parametrize(
    ("lines", "blocks", "printed"),
    [
        ("", (("u0", "u1", "u2"),), "b2 = g20 + u2"),
        ("cov(u0, u1, u2) = 0", DIAGONAL, "cov(u0, u1, u2) = 0"),
        ("cov(u0,u1)=0; COV(U_0j, u2)=0\ncov(u1, u2) = 0", DIAGONAL, "cov(u0, u1, u2) = 0"),
        ("cov(u2, u0) = cov(u2, u1) = 0", (("u0", "u1"), ("u2",)), "cov(u0, u2) = cov(u1, u2) = 0"),
        ("cov(u1, u0) = cov(u1, u2) = 0", (("u0", "u2"), ("u1",)), "cov(u0, u1) = cov(u1, u2) = 0"),
    ],
)
def test_lines_say_which_effects_are_independent(
    lines: str, blocks: tuple[tuple[str, ...], ...], printed: str
) -> None:
    model = Model(THREE + lines)
    assert model.blocks == blocks
    assert model.equations().splitlines()[-1] == printed
    assert Model(model.equations()) == model
    assert (model == Model(THREE)) == (len(blocks) == 1)
    assert model.constrain("g10 = g20").blocks == blocks


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("cov(u0, u1) = 0", "both are correlated with others, u2 among them: write also cov(u0, u2) = 0 or"),
        ("cov(u0) = 0", "cov() wants two or more random effects, each once"),
        ("cov(u0, u0) = 0", "cov() wants two or more random effects, each once"),
        ("cov(u0, u1,) = 0", "cov() wants two or more random effects, each once"),
        ("cov(u0, u3) = 0", "u3 is not a random effect of this model; it has u0, u1, u2"),
        ("cov(u0, x) = 0", "x is not a random effect of this model"),
        ("cov(u0 u1) = 0", "independent random effects are written cov(u0, u1) = 0"),
        ("cov(u0, u1) = 0.5", "independent random effects are written cov(u0, u1) = 0"),
        ("cov(u0, u1) = cov(u1, u2)", "independent random effects are written cov(u0, u1) = 0"),
        ("cov(u0, u1) = b0 = 0", "independent random effects are written cov(u0, u1) = 0"),
        ("cov(u0, u1)", 'there is no "="'),
        ("corr(u0; u1) = 0", 'a "(" is not closed'),
    ],
)
def test_what_is_no_such_line_is_said(lines: str, message: str) -> None:
    with pytest.raises(EquationError, match=re.escape(message)) as caught:
        Model(THREE + lines)
    assert str(caught.value).startswith("line 5: ")


def test_parts_are_checked() -> None:
    parts = Model(THREE).coefficients
    for blocks, message in (
        ([["u0"], ["u1"]], "u2 is in no set"),
        ([["u0", "u1"], ["u1", "u2"]], "u1 is in two sets"),
        ([["u0", "u1", "u2", "u3"]], "'u3' is not a random effect"),
    ):
        with pytest.raises(EquationError, match=message):
            Model.from_parts("y", parts, blocks=blocks)


@pytest.mark.parametrize(
    ("formula", "blocks"),
    [
        ("y ~ x + z + (x + z || id)", DIAGONAL),
        ("y ~ x + z + (1 | id) + (0 + x | id) + (0 + z | id)", DIAGONAL),
        ("y ~ x + z + (1 + x | id) + (0 + z | id)", (("u0", "u1"), ("u2",))),
        ("y ~ x + z + (0 + z | id) + (x | ID)", (("u0", "u1"), ("u2",))),
        ("y ~ x + z + (0 + x | id) + (z | id)", (("u0", "u2"), ("u1",))),
        ("y ~ x + z + (x + z | id)", (("u0", "u1", "u2"),)),
    ],
)
def test_formulas_mean_the_same(formula: str, blocks: tuple[tuple[str, ...], ...]) -> None:
    model = Model.from_formula(formula)
    assert model.blocks == blocks
    assert model == Model.from_parts("y", Model(THREE).coefficients, blocks=blocks)


def test_in_words_and_in_latex() -> None:
    diagonal = Model(THREE + "cov(u0, u1, u2) = 0")
    assert tau_words(diagonal.blocks) == "tau is diagonal: u0, u1 and u2 are independent"
    blocks = Model(THREE + "cov(u0, u2) = cov(u1, u2) = 0")
    assert tau_words(blocks.blocks) == (
        "tau is block-diagonal: effects of different sets, (u0, u1) and (u2), are independent"
    )
    assert tau_words(Model(THREE).blocks) == ""
    latex = r"\operatorname{cov}(u_{0j},\,u_{2j}) &= \operatorname{cov}(u_{1j},\,u_{2j}) = 0"
    assert latex in blocks.equations(latex=True)
    assert "cov(u0, u1, u2) = 0" in diagonal.mixed()
