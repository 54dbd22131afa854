"""Equation text -> Model and back: what is accepted, what is refused and in which words, what is printed."""

from __future__ import annotations

import json
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlmbayes import Model
from hlmbayes.data.rows import Rows
from hlmbayes.equations.model import Coefficient, Gamma, LogSigma2, Predictor
from hlmbayes.errors import EquationError
from hlmbayes.faces import record_of
from hlmbayes.words import composed

TABLES = json.loads((Path(__file__).parents[1] / "oracles" / "hlm608_tables.json").read_text())
MODEL4 = """
    mathach = b0 + b1*group(ses) + r
    b0 = g00 + g01*sector + g02*meanses + u0
    b1 = g10 + g11*sector + g12*meanses + u1
"""


# ---------------------------------------------------------------- what is read


def test_model4_has_the_parts_of_the_seminar() -> None:
    model = Model(MODEL4)
    assert model.outcome == "mathach"
    assert model.gamma_names == ("g00", "g01", "g02", "g10", "g11", "g12")
    assert model.coefficient_names == ("b0", "b1")
    assert model.random == ("b0", "b1")
    assert model.effects == ("u0", "u1")
    assert model.level1_variables == ("ses",)
    assert model.level2_variables == ("sector", "meanses")
    assert model.coefficients[0].predictor == Predictor(None)
    assert model.coefficients[1].predictor == Predictor("ses", "group")
    assert model.log_sigma2 is None
    assert model.constraints == ()


def test_where_names_line_and_text_counted_from_the_first_line_written() -> None:
    model = Model(MODEL4)
    assert model.coefficients[1].where == 'line 1: "mathach = b0 + b1*group(ses) + r"'
    assert model.coefficients[0].gammas[1].where == 'line 2: "b0 = g00 + g01*sector + g02*meanses + u0"'


@pytest.mark.parametrize(
    "text",
    [
        MODEL4,
        MODEL4.replace(" ", ""),
        MODEL4.replace("\n", "\r\n"),
        MODEL4.strip().replace("\n", ";"),
        MODEL4.replace("b1*group(ses)", "group(ses)*b1").replace("g01*sector", "sector * g01"),
        MODEL4.replace("group", "GROUP").replace("b", "B").replace("g0", "G0").replace("u1", "U1"),
        MODEL4.replace("b0", "beta0").replace("b1", "beta_1j").replace("g0", "gamma0").replace("u0", "u_0j"),
        MODEL4.replace("b0", "β0").replace("g11", "γ11").replace("+ r", "+ r_ij"),
        MODEL4.replace("+ r", ""),
        MODEL4.replace("sector", "(sector)").replace("meanses", "`meanses`"),
        MODEL4.replace("+ g02*meanses + u0", "+\n  g02*meanses\n + u0  # by school"),
        MODEL4.replace("+ u1", "\\\n + u1"),
        "# a comment\n\n" + MODEL4,
        "\n".join(reversed(MODEL4.strip().splitlines())),
        MODEL4.replace("g00 + g01*sector", "g0_0 + g01*sector"),
    ],
)
def test_ways_of_writing_model4_are_one_model(text: str) -> None:
    assert Model(text) == Model(MODEL4)


def test_listing_of_hlm_reads_back() -> None:
    """The equations HLM 6.08 prints for the nonrandom slope, apart from the centring it leaves out."""
    model = Model(
        "Y = B0 + B1*(SES) + R\nB0 = G00 + G01*(SECTOR) + G02*(MEANSES) + U0\nB1 = G10 + G11*(SECTOR)"
    )
    assert model.outcome == "Y"
    assert model.random == ("b0",)


@pytest.mark.parametrize("name", sorted(TABLES))
def test_equations_of_the_seminar_read(name: str) -> None:
    lines = [line.removeprefix("constraint: ") for line in TABLES[name]["equations"]]
    model = Model("\n".join(lines))
    rows = TABLES[name]["fixed"]
    merged = sum(len(names) - 1 for names in model.constraints)
    assert len(model.gamma_names) == len(rows) + merged


def test_random_only_and_nonrandom_and_no_intercept() -> None:
    model = Model("y = b1*d1 + b2*d2 + b3*x\nb1 = g10 + u1\nb2 = g20\nb3 = u3")
    assert model.coefficient_names == ("b1", "b2", "b3")
    assert model.gamma_names == ("g10", "g20")
    assert model.random == ("b1", "b3")
    assert model.coefficients[2].gammas == ()
    assert [c.index for c in model.coefficients] == [1, 2, 3]


def test_log_sigma2_is_read_with_its_variables_in_order() -> None:
    model = Model(
        "y = b0 + r\nb0 = g00 + u0\nlog(sigma^2) = a0".replace("^2", "2") + " + a2*female + sector*alpha1"
    )
    assert model.log_sigma2 == LogSigma2(("a0", "a2", "a1"), ("female", "sector"))
    assert Model("y=b0+r\nb0=g00\nLOG(sigma_squared)=a0").log_sigma2 == LogSigma2(("a0",), ())


def test_ten_coefficients_and_predictors_have_unmistakable_names() -> None:
    level1 = " + ".join(f"b{i}*x{i}" for i in range(1, 12))
    lines = [f"y = b0 + {level1}", "b0 = g00", *(f"b{i} = g{i}0" for i in range(2, 12))]
    lines.append("b1 = g10 + " + " + ".join(f"g1{k}*w{k}" for k in range(1, 12)))
    model = Model("\n".join(lines))
    assert "g1_10" in model.gamma_names
    assert "g10_0" in model.gamma_names
    assert len(set(model.gamma_names)) == 12 + 11
    assert Model(model.equations()) == model
    with pytest.raises(EquationError, match=r"g110 could be g1_10 \(x1 x w10\) or g11_0 \(x11\)"):
        model.constrain("g110 = g10")
    assert model.constrain("g1_10 = g11_0").constraints == (("g1_10", "g11_0"),)


def test_names_of_the_equations_are_variables_in_backticks() -> None:
    model = Model("`u1` = b0 + b1*`r` + b2*`log` + b3*`a b#;1`\nb0 = g00 + u0\nb1 = u1\nb2 = g20\nb3 = g30")
    assert model.outcome == "u1"
    assert model.level1_variables == ("r", "log", "a b#;1")
    assert Model(model.equations()) == model


def test_case_of_variables_is_kept_and_counts_once() -> None:
    model = Model("Y = b0 + b1*SES\nb0 = g00 + g01*Sector\nb1 = g10 + g11*SECTOR")
    assert model.level2_variables == ("Sector",)


def test_models_are_frozen_hashable_and_pickle() -> None:
    model = Model(MODEL4)
    with pytest.raises(AttributeError):
        model.outcome = "x"  # type: ignore[misc]
    assert hash(model) == hash(Model(MODEL4))
    assert pickle.loads(pickle.dumps(model)) == model
    assert eval(repr(model), {"Model": Model}) == model


# ---------------------------------------------------------------- constraints


def test_constraints_in_the_text_and_by_method_agree() -> None:
    by_method = Model(MODEL4).constrain("G12 = gamma02", "g01 = g11 = g10")
    assert by_method.constraints == (("g01", "g10", "g11"), ("g02", "g12"))
    assert Model(MODEL4 + "g02 = g12\ng10 = g01 = g11") == by_method
    assert Model(by_method.equations()) == by_method
    assert Model(MODEL4).constrain("g02 = g12").constrain("g01=g11") == Model(MODEL4 + "g02=g12\ng01=g11")
    assert Model(MODEL4).constrain() == Model(MODEL4)


@pytest.mark.parametrize(
    ("constraints", "message"),
    [
        (
            ("g02 = g13",),
            "'g13' is not a fixed effect of this model: g00 (intercept), g01 (sector), g02",
        ),
        (("g02 = g12", "g12 = g11"), "g12 is in two constraints; write them as one"),
        (("g02 = g02",), "g02 is twice in the constraint"),
        (("g02",), "a constraint is text such as"),
        ((5,), "a constraint is text such as"),
        (("g02 = ",), "'' is not a fixed effect"),
        (("school = g02",), "'school' is not a fixed effect"),
    ],
)
def test_wrong_constraints_by_method(constraints: tuple[Any, ...], message: str) -> None:
    with pytest.raises(EquationError, match=re.escape(message)):
        Model(MODEL4).constrain(*constraints)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("g02 = g13", "'g13' is not a fixed effect"),
        ("g02 = g12; g12 = g01", "g12 is in two constraints"),
        ("g02 = g12 + g01", "a constraint holds fixed effects equal"),
        ("g02 = g12 =", "a constraint holds fixed effects equal"),
        ("g02 = 0", "a constraint holds fixed effects equal"),
        ("g02 = (g12)", "a constraint holds fixed effects equal"),
        ("g02 = sector", "a constraint holds fixed effects equal"),
    ],
)
def test_wrong_constraints_in_the_text_name_their_line(line: str, message: str) -> None:
    with pytest.raises(EquationError, match=rf"^line 4: .*{re.escape(message)}"):
        Model(MODEL4.rstrip() + "\n" + line)


# ---------------------------------------------------------------- errors

L2 = "\nb0 = g00 + u0\nb1 = g10 + u1"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", None, "there is no level-1 equation; write one such as"),
        ("# nothing", None, "there is no level-1 equation"),
        ("b0 = g00 + u0", None, "there is no level-1 equation"),
        ("y", 1, 'there is no "="'),
        ("= b0", 1, 'nothing stands before "="'),
        ("y =", 1, 'nothing stands after "="'),
        ("y = r", 1, "the level-1 equation has no coefficients"),
        ("y = b0 + b1*ses + r\nb0 = g00 + u0", 1, "b1 is used but has no level-2 equation; add a line"),
        ("y = b0 + r\nb0 = g00\nb2 = g20", 3, "b2 is not in the level-1 equation"),
        ("y = b0 + b0*x\nb0 = g00", 1, "b0 is used twice in the level-1 equation"),
        ("y = b0 + b1*x\nz = b0" + L2, 2, "a second level-1 equation; the first is line 1"),
        ("y = b0 + r\nb0 = g00\nb0 = g00 + u0", 3, "b0 is defined twice; the first is line 2"),
        ("y = b0 + b1*x\nb0 = g00 + g00*w\nb1 = g10", 2, "g00 is used twice"),
        ("y = b0 + b1*x\nb0 = g10\nb1 = g10", 2, "g10 is in the equation of b0; call it g00"),
        ("y = b0 + r\nb0 = g00 + u1", 2, "u1 is in the equation of b0; its random effect is u0"),
        ("y = b0 + r\nb0 = g00 + u0 + u0", 2, "u0 is there twice"),
        ("y = b0 + r\nb0 = g00 + g01*group(w)", 2, "group(w) is a level-2 predictor"),
        ("y = b0 + r\nb0 = g00 + g01*w + g02*grand(W)", 2, "W is used twice in one equation"),
        ("y = b0 + r\nb0 = g00 + g01", 2, "the equation has two intercepts"),
        ("y = b0 + b1" + L2, 1, "the equation has two intercepts"),
        ("y = b0 + b1*x + b2*X" + L2 + "\nb2 = g20", 1, "X is used twice in one equation"),
        ("y = b0 + b1*x + b2*group(x)" + L2 + "\nb2 = g20", 1, "x is used with two kinds of centring"),
        ("y = b0 + b1*Y" + L2, 1, "y is the outcome and a predictor"),
        ("y = b0 + r\nb0 = g00 + g01*Y", 2, "y is the outcome and a predictor"),
        ("log(y) = b0 + r", 1, "a Poisson outcome has no r"),
        ("log y = b0 + r", 1, '"log y" before "=" is not one name'),
        ("y = b0 + b1*sin(x)" + L2, 1, "sin() is not known; there are group(), grand(), log()"),
        ("y = b0 + b1*group()" + L2, 1, "write group(x) with the name of a variable"),
        ("y = b0 + b1*ses:female" + L2, 1, "a product of two variables of one level is written with *"),
        ("y = b0 + b1 ses" + L2, 1, '"b1 ses" lacks an operator'),
        ("y = b0 + b1(ses)" + L2, 1, '"b1(ses)" lacks a "*": write b1*(ses)'),
        ("y = b0 + b1*(ses" + L2, 1, 'a "(" is not closed'),
        ("y = b0 + b1*ses)" + L2, 1, 'a ")" without its "("'),
        ("y = b0 + b1*home work" + L2, 1, "If it is one variable, write it in backticks: `home work`"),
        ("y = b0 + b1*ses - meanses" + L2, 1, "for x minus its mean write group(x)"),
        ("y = b0 + ses" + L2, 1, "ses has no coefficient; write b1*ses"),
        ("y = b0 + r\nb0 = g00 + v0", 2, "v0 has no coefficient; write g01*v0"),
        ("y = b0 + g10*ses" + L2, 1, "g10 belongs to a level-2 equation"),
        ("y = b0 + u0" + L2, 1, "u0 belongs to a level-2 equation"),
        ("y = b0 + r\nb0 = g00 + b1*x", 2, "b1 belongs to the level-1 equation"),
        ("y = b0 + r\nb0 = g00 + r", 2, "r belongs to the level-1 equation"),
        ("y = b0 + r*x", 1, "a random term stands alone"),
        ("y = b0 + r + r\nb0 = g00", 1, "r is there twice"),
        ("y = b0 + b1*b2", 1, "multiplies b1 and b2"),
        ("y = b0 + group(b1)", 1, "b1 stands where a variable is wanted"),
        ("y = b0 + 2*x", 1, '"2" is not the name of a variable'),
        ("y = b0 + b1*``", 1, "the backticks hold no name"),
        ("y = b0 + b1*`x", 1, "a backtick is not closed"),
        ("y ~ x + (1 | id)\ny = b0", 1, "a formula stands alone"),
        ("y = b0 + x^2", 1, "x ^ 2 has no coefficient"),
        ("y = b0 + x/2", 1, "arithmetic goes in parentheses, as in b1*(x/y)"),
        ("y = b0, b1", 1, "no commas"),
        ("y = b0 + e", 1, "the level-1 residual is called r"),
        ("y = b0 | b1", 1, "a formula has ~ after the outcome"),
        ("y = b0 ! b1", 1, '"!" has no meaning here'),
        ("y = b0 + + r", 1, 'a "+" or "*" has nothing on one side'),
        ("y = b0 + b1* + r", 1, 'a "+" or "*" has nothing on one side'),
        ("y = b0 = r", 1, 'a second "="'),
        ("x y = b0", 1, "is not one name"),
        ("math score = b0", 1, "write it in backticks: `math score`"),
        ("2 = b0", 1, '"2" before "=" is not a name'),
        ("u0 = g00", 1, "u0 cannot be defined"),
        ("y = b0 + r\nb0 = g0 + u0", 2, "g0 needs two numbers"),
        ("y = b0 + r\nb0 = g00 + g002*x", 2, "g002 needs two numbers"),
        ("y = b0 + r\nb0 = g1_0", 2, "g1_0 is in the equation of b0; call it g00"),
        ("y = b0 + r\nb0 = g00 + g01234*x", 2, "is not a name of a fixed effect"),
        ("y = b0 + r\nb0 = g00\nlog(sigma2) = a0 + a0*x", 3, "a coefficient is used twice"),
        ("y = b0 + r\nb0 = g00\nlog(sigma2) = a0 + a1*x + a2*X", 3, "a variable is used twice"),
        ("y = b0 + r\nb0 = g00\nlog(sigma2) = a0 + a1*y", 3, "y is the outcome and a predictor"),
        ("y = b0 + r\nb0 = g00\nlog(sigma2) = a1*x", 3, "log(sigma2) wants one intercept"),
        ("y = b0 + r\nb0 = g00\nlog(sigma2) = a0 + x", 3, "log(sigma2) is a sum such as"),
        ("y = b0 + r\nb0 = g00\nlog(sigma2) = a0 + a1*a2*x", 3, "log(sigma2) is a sum such as"),
        ("y = b0 + r\nb0 = g00\nlog(sigma2) = a0 + a1*grand(x)", 3, "are used as they are"),
        ("y = b0 + r\nb0 = g00\nlog(sigma2) = a0\nlog(sigma2) = a0", 4, "log(sigma2) is defined twice"),
        ("y = b0 + r\nb0 = g00\nsigma2 = a0 + a1*x", 3, "a second level-1 equation"),
    ],
)
def test_every_error_names_the_line_and_what_to_do(text: str, line: int | None, message: str) -> None:
    with pytest.raises(EquationError, match=re.escape(message)) as caught:
        Model(text)
    assert str(caught.value).startswith("there is no" if line is None else f"line {line}: ")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("text", ["y ~ (1 | id) + x##w", "y ~ (1 | id) + x#w", "y = b0 + b1*x#w + r" + L2])
def test_a_product_of_statas_is_no_comment(text: str) -> None:
    """What stands after # would be lost: y ~ (1 | id) + x was fitted."""
    with pytest.raises(EquationError, match=r"# begins a comment.* a product is written with"):
        Model(text)
    assert Model("y = b0 + b1*x # x#w" + L2).equations() == Model("y = b0 + b1*x" + L2).equations()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lmer(y ~ x + (1 | id))", r"the formula stands alone, without lmer\( \) around it"),
        ("y ~ factor(x) + (1 | id)", r"factor\(\) is not known; write C\(x\); there are"),
        ("y ~ x, random = ~ 1 | id", "a formula stands alone, without = and without other arguments"),
        ("mixed y x || id: x", r"Stata's mixed y x \|\| id: x is y ~ x \+ \(x \| id\)"),
    ],
)
def test_what_other_programs_write_is_answered_with_what_is_written_here(text: str, said: str) -> None:
    with pytest.raises(EquationError, match=said):
        Model(text)


def test_a_long_line_is_shown_in_part() -> None:
    with pytest.raises(EquationError) as caught:
        Model("y = " + " + ".join(f"x{i}" for i in range(200)))
    assert len(str(caught.value)) < 300


def test_text_is_wanted() -> None:
    with pytest.raises(EquationError, match="the equations must be text, got int"):
        Model(5)  # type: ignore[arg-type]


# ---------------------------------------------------------------- parts


def _gamma(name: str = "g00", variable: str | None = None, **more: Any) -> Gamma:
    return Gamma(name, Predictor(variable, **more), "here")


def _coefficient(*gammas: Gamma, name: str = "b0", x: str | None = None, random: bool = True) -> Coefficient:
    return Coefficient(name, Predictor(x), gammas, random, "here")


def test_from_parts_equals_the_text() -> None:
    parts = [
        _coefficient(_gamma(), _gamma("g01", "w", centering="grand")),
        _coefficient(name="b1", x="x"),
    ]
    model = Model.from_parts("y", parts, LogSigma2(("a0", "a1"), ("x",)))
    assert model == Model("y = b0 + b1*x\nb0 = g00 + g01*grand(w) + u0\nb1 = u1\nlog(sigma2) = a0 + a1*x")


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([], "has no coefficients"),
        ([_coefficient(random=False)], "here: b0 has neither a fixed effect nor a random effect"),
        ([_coefficient(_gamma(), name="c0")], "'c0' is not a name of a coefficient"),
        ([_coefficient(_gamma("h00"))], "'h00' is not a name of a fixed effect"),
        ([_coefficient(_gamma("g0_1"))], "'g0_1' is not a name of a fixed effect"),
        ([_coefficient(_gamma("g10"))], "g10 is in the equation of b0; call it g00"),
        ([_coefficient(_gamma(centering="grand"))], "an intercept cannot be centred"),
        ([_coefficient(_gamma(), _gamma("g01", "w", centering="odd"))], "centring 'odd' is not known"),
        ([_coefficient(_gamma(), _gamma("g01", "a`b"))], "cannot be the name of a variable"),
        ([_coefficient(_gamma(), _gamma("g01", " w"))], "cannot be the name of a variable"),
        ([_coefficient(_gamma(), _gamma("g01", ""))], "cannot be the name of a variable"),
    ],
)
def test_from_parts_refuses(parts: list[Coefficient], message: str) -> None:
    with pytest.raises(EquationError, match=re.escape(message)):
        Model.from_parts("y", parts)


def test_from_parts_refuses_log_sigma2_and_constraints_that_do_not_fit() -> None:
    parts = [_coefficient(_gamma())]
    with pytest.raises(EquationError, match="wants an intercept and one coefficient"):
        Model.from_parts("y", parts, LogSigma2(("a0",), ("x",)))
    with pytest.raises(EquationError, match="needs at least two fixed effects"):
        Model.from_parts("y", parts, constraints=[("g00",)])


# ---------------------------------------------------------------- printing


def test_equations_and_mixed_as_the_seminar_writes_them() -> None:
    model = Model(MODEL4)
    assert model.equations().splitlines() == [line.strip() for line in MODEL4.strip().splitlines()]
    assert str(model) == model.equations()
    assert model.mixed() == (
        "mathach = g00 + g01*sector + g02*meanses + g10*(ses - mean_j) + g11*sector*(ses - mean_j)"
        " + g12*meanses*(ses - mean_j) + u0 + u1*(ses - mean_j) + r"
    )


def test_mixed_shows_raw_and_grand_centring_random_only_and_the_other_equations() -> None:
    model = Model(
        "y = b0 + b1*x + b2*grand(z)\nb0 = g00 + g01*grand(w) + u0\nb1 = u1\nb2 = g20\n"
        "log(sigma2) = a0 + a1*x\ng20 = g01"
    )
    assert model.mixed().splitlines() == [
        "y = g00 + g01*(w - mean) + g20*(z - mean) + u0 + u1*x + r",
        "log(sigma2) = a0 + a1*x",
        "g01 = g20",
    ]


def test_latex_is_an_align_environment_in_the_letters_of_the_book() -> None:
    text = Model(MODEL4 + "log(sigma2) = a0 + a1*my_x\ng02 = g12").equations(latex=True)
    rows = text.splitlines()
    assert rows[0] == r"\begin{align*}"
    assert rows[-1] == r"\end{align*}"
    assert rows[1] == (
        r"\mathrm{mathach}_{ij} &= \beta_{0j} + \beta_{1j}\,(\mathrm{ses}_{ij} - "
        r"\overline{\mathrm{ses}}_{\cdot j}) + r_{ij} \\"
    )
    assert rows[2].startswith(r"\beta_{0j} &= \gamma_{00} + \gamma_{01}\,\mathrm{sector}_{j}")
    assert rows[4] == r"\log(\sigma^{2}_{ij}) &= \alpha_{0} + \alpha_{1}\,\mathrm{my\_x}_{ij} \\"
    assert rows[5] == r"\gamma_{02} &= \gamma_{12}"


def test_latex_of_the_mixed_model() -> None:
    text = Model("y = b0 + b1*grand(x)\nb0 = g00 + g01*grand(w) + u0\nb1 = g10 + u1").mixed(latex=True)
    assert text.splitlines()[1] == (
        r"\mathrm{y}_{ij} &= \gamma_{00} + \gamma_{01}\,(\mathrm{w}_{j} - \overline{\mathrm{w}}_{\cdot}) + "
        r"\gamma_{10}\,(\mathrm{x}_{ij} - \overline{\mathrm{x}}_{\cdot\cdot}) + u_{0j} + "
        r"u_{1j}\,(\mathrm{x}_{ij} - \overline{\mathrm{x}}_{\cdot\cdot}) + r_{ij}"
    )


def test_latex_renders_even_with_odd_names() -> None:
    """matplotlib reads it as LaTeX does (apart from alignment marks and \\&, which it lacks)."""
    mathtext = pytest.importorskip("matplotlib.mathtext")
    model = Model("`a%bc_d e-f{g}~^\\$#` = b0 + b1*group(x_1)\nb0 = g00 + g01*grand(w) + u0\nb1 = u1\n")
    for text in (model.equations(latex=True), model.mixed(latex=True)):
        for row in text.splitlines()[1:-1]:
            formula = row.removesuffix("\\\\").replace(" &= ", " = ")
            assert mathtext.MathTextParser("path").parse(f"${formula.strip()}$").width > 0


# ---------------------------------------------------------------- properties

NAMES = st.text(
    st.characters(exclude_characters="`\r\n", exclude_categories=("Cs",)), min_size=1, max_size=8
).map(str.strip)
SIMPLE = st.sampled_from(
    ["ses", "a1", "w", "sector", "b1", "r", "u0", "group", "x.1", "g_00", "é", "A", "log"]
)
VARIABLES = st.one_of(SIMPLE, NAMES.filter(bool))


@st.composite
def models(draw: st.DrawFn) -> Model:
    """Any model: up to three slopes and two level-2 predictors, with or without everything optional."""
    pool = draw(st.lists(VARIABLES, min_size=7, max_size=7, unique_by=lambda name: composed(name).casefold()))
    outcome, *xs = pool[:4]
    ws = pool[4:6]
    slopes = [Predictor(x, draw(st.sampled_from(["none", "group", "grand"]))) for x in xs]
    predictors = [*([Predictor(None)] if draw(st.booleans()) else []), *slopes]
    coefficients = []
    for q, predictor in enumerate(predictors):
        chosen: Any = [None, *ws] if draw(st.booleans()) else draw(st.sampled_from([[], ws[:1], [None]]))
        index = 0 if predictor.variable is None else q + 1
        gammas = [
            Gamma(
                f"g{index}{s}",
                Predictor(w, "none" if w is None else draw(st.sampled_from(["none", "grand"]))),
            )
            for s, w in enumerate(chosen)
        ]
        coefficients.append(
            Coefficient(f"b{index}", predictor, tuple(gammas), not gammas or draw(st.booleans()))
        )
    sigma = LogSigma2(("a0", "a1"), (pool[6],)) if draw(st.booleans()) else None
    names = [g.name for c in coefficients for g in c.gammas]
    constraints = [names[:2], names[2:]] if len(names) > 3 and draw(st.booleans()) else []
    blocks: list[list[str]] = []
    for effect in (c.effect for c in coefficients if c.random):
        place = draw(st.integers(0, len(blocks)))
        blocks[place : place + 1] = [[*(blocks[place] if place < len(blocks) else []), effect]]
    return Model.from_parts(outcome, coefficients, sigma, constraints, blocks)


@given(models())
def test_equations_read_back_to_the_same_model(model: Model) -> None:
    assert Model(model.equations()) == model
    assert model.mixed().count("=") >= 1
    assert model.equations(latex=True).startswith(r"\begin{align*}")
    assert model.mixed(latex=True).endswith(r"\end{align*}")


_WORDS = (
    "y ses b0 b1 b12 g00 g01 g110 g1_1 u0 u1 r a0 a1 group( grand( log( cov( sigma2 ( ) + * = ; - : ~ | # ` "
    "\\ 0 1 2.5 _ , . é ² ١ y=b0+r b0=g00+u0 log(sigma2)=a0"
)
PIECES = st.sampled_from([*re.findall(r"\S+", _WORDS), "\n", "\r\n", " "])
FULL = (MODEL4.strip() + "\nlog(sigma2) = a0 + a1*`x 1`\ng02 = g12\ncov(u0, u1) = 0").splitlines()


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """A good model with a few pieces put in, taken out or moved."""
    text = "\n".join(FULL)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(PIECES) + text[at + draw(st.integers(0, 3)) :]
    return text


@settings(max_examples=500)
@given(st.one_of(st.text(), st.lists(PIECES).map(" ".join), st.lists(PIECES).map("".join), damaged()))
def test_no_text_raises_anything_but_an_equation_error(text: str) -> None:
    try:
        model = Model(text)
    except EquationError:
        return
    assert Model(model.equations()) == model


# ---------------------------------------------------------------- formulas


class _Data(Rows):
    """Rows of which only the id's name and the level-2 variables are known."""

    def __init__(self) -> None:
        super().__init__("ID", np.zeros(0), np.zeros(0, int), {})

    def is_level2(self, name: str) -> bool:
        return name.casefold() in ("sector", "meanses", "w")


DATA = _Data()


@pytest.mark.parametrize(
    ("formula", "equations"),
    [
        ("mathach ~ (sector + meanses)*group(ses) + (group(ses) | id)", MODEL4),
        ("mathach ~ 1 + group(ses)*(sector + meanses) + (1 + group(ses) | id)", MODEL4),
        ("mathach~sector+meanses+group(ses)+sector:group(ses)+group(ses):meanses+(group(ses)|id)", MODEL4),
        ("y ~ 1 + (1 | id)", "y = b0 + r\nb0 = g00 + u0"),
        ("y ~ (1 | id)", "y = b0 + r\nb0 = g00 + u0"),
        ("y ~ x + w + (1|id)", "y = b0 + b1*x\nb0 = g00 + g01*w + u0\nb1 = g10"),
        ("y ~ w + x + (x|id)", "y = b0 + b1*x\nb0 = g00 + g01*w + u0\nb1 = g10 + u1"),
        ("y ~ 0 + d1 + d2 + (0 + d1 + d2|id)", "y = b1*d1 + b2*d2\nb1 = g10 + u1\nb2 = g20 + u2"),
        ("y ~ d1 + d2 - 1 + (d1 - 1|id)", "y = b1*d1 + b2*d2\nb1 = g10 + u1\nb2 = g20"),
        ("y ~ ses + (female|id)", "y = b0 + b1*ses + b2*female\nb0 = g00 + u0\nb1 = g10\nb2 = u2"),
        ("y ~ 0 + w + (1|id)", "y = b0\nb0 = g01*w + u0"),
        ("y ~ x:w + (1|id)", "y = b0 + b1*x\nb0 = g00 + u0\nb1 = g11*w"),
        ("y ~ grand(w)*grand(x) + (1|id)", "y=b0+b1*grand(x)\nb0=g00+g01*grand(w)+u0\nb1=g10+g11*grand(w)"),
        ("y ~ x + x + `w` + (1|id)", "y = b0 + b1*x\nb0 = g00 + g01*w + u0\nb1 = g10"),
        ("y ~ -1 + 1 + x + (1|id)", "y = b0 + b1*x\nb0 = g00 + u0\nb1 = g10"),
    ],
)
def test_formula_gives_the_model_of_the_equations(formula: str, equations: str) -> None:
    model = Model.from_formula(formula, data=DATA)
    assert model == Model(equations)
    upper = [name for name in ("sector", "meanses", "w") if name in re.findall(r"\w+", formula.lower())]
    assert Model.from_formula(formula, level2=upper) == model


def test_levels_follow_from_a_formula_where_they_can() -> None:
    assert Model.from_formula("mathach ~ (sector + meanses)*group(ses) + (group(ses) | id)") == Model(MODEL4)
    assert Model.from_formula("y ~ x + x:w + (x | id)").level2_variables == ("w",)
    open_ = Model.from_formula("y ~ sector + ses + (1 | id)")  # the data will tell
    with pytest.raises(EquationError, match=r"which level sector, ses belongs to .* level2="):
        open_.equations()
    assert open_.outcome == "y"
    assert str(open_) == open_.formula == "y ~ sector + ses + (1 | id)"
    assert open_ == Model(str(open_)) != Model("y ~ sector + (1 | id)")
    assert len({open_, pickle.loads(pickle.dumps(open_))}) == 1
    assert open_.with_levels(level2=["sector"]).level2_variables == ("sector",)
    assert not hasattr(open_, "nothing")


def test_the_data_have_the_last_word_on_the_levels_of_a_formula() -> None:
    from hlmbayes import datasets, moments

    data = datasets.hsb()
    model = Model("mathach ~ ses*female + sector + (ses | id)  # female might be of level 2")
    assert model.level2_variables == ("female",) if not model._is_open else True
    told = Model.from_formula("mathach ~ ses*female + sector + (ses | id)", data=data)
    assert told.level1_variables == ("ses", "female", "ses*female")
    fit = model.fit(data)
    assert fit.model == told
    assert fit.deviance == told.fit(data).deviance
    assert model.fit(moments(data, model=told)).deviance == pytest.approx(fit.deviance, abs=1e-9)


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("", "the formula ends where a variable is wanted"),
        ("y", 'wanted "~", got the end'),
        ("y x", 'wanted "~", got x'),
        ("y ~ x", "there is no random part; add one such as + (1 | id)"),
        ("y ~ x + (1 | id) + (x | id)", "the intercept (1; it is there unless 0 is) is in two random parts"),
        ("y ~ x + (0 + x | id) + (x || id)", "x is in two random parts"),
        ("y ~ x + (1 | a) + (1 | b)", "random parts of a and of b; two-level models have one grouping"),
        ("y ~ x + (1 | a:b)", "a is nested in another grouping"),
        ("y ~ x + (1 | a/b)", "a is nested in another grouping"),
        ("y ~ x + (w | id)", "w is a level-2 variable, which has no random slope"),
        ("y ~ x + w + (w | id)", "w is a level-2 variable, which has no random slope"),
        ("y ~ x + (0 | id)", "the random part is empty"),
        ("y ~ sin(x) + (1 | id)", "sin() is not known"),
        ("y ~ x - z + (1 | id)", "terms cannot be taken away"),
        ("y ~ 2 + x + (1 | id)", "got 2; the only numbers are 1 and 0"),
        ("y ~ (x + 1)*w + (1 | id)", "got 1; the only numbers"),
        ("y ~ group(x) + (x | id)", "x is used with two kinds of centring"),
        ("y ~ w*((1 | id))", "stands by itself"),
        ("y ~ x + (1 | id) x", '"x" does not fit'),
        ("y ~ x + (1 | school)", "the data's units are ID, got (... | school)"),
        ("y ~ group(w) + (1 | id)", "group(w) is a level-2 predictor"),
        ("y ~ x + (1 | id", 'wanted ")", got the end'),
        ("y ~ x + * + (1|id)", 'got "*" where a variable is wanted'),
        ("y ~ `` + (1|id)", "where a variable is wanted"),
        ("y ~ y + (1|id)", "y is the outcome and a predictor"),
        ("y ~ " + "(" * 40 + "x" + ")" * 40 + "+ (1|id)", "more than 25 parentheses"),
    ],
)
def test_formula_errors_say_what_to_do(formula: str, message: str) -> None:
    with pytest.raises(EquationError, match=re.escape(message)) as caught:
        Model.from_formula(formula, data=DATA)
    assert "formula" in str(caught.value)


def test_level2_list_is_checked() -> None:
    with pytest.raises(EquationError, match="level2 names sektor, which the formula does not use"):
        Model.from_formula("y ~ sector + (1 | id)", level2=["sektor"])
    for wrong in ("sector", [1]):
        with pytest.raises(EquationError, match="level2 is a list of names"):
            Model.from_formula("y ~ sector + (1 | id)", level2=wrong)  # type: ignore[arg-type]
    with pytest.raises(EquationError, match="the formula must be text"):
        Model.from_formula(5, level2=[])  # type: ignore[arg-type]


FORMULA_PIECES = st.sampled_from(
    re.findall(r"\S+", "y ~ x w z group( grand( ( ) + * : - | || id 0 1 2 1|id) `a b` ` , / é")
)


@settings(max_examples=500)
@given(
    st.one_of(
        st.text(), st.lists(FORMULA_PIECES, max_size=14).map(lambda p: "y ~ " + " ".join(p) + "+(x|id)")
    )
)
def test_no_formula_raises_anything_but_an_equation_error(text: str) -> None:
    try:
        model = Model.from_formula(text, level2=["w"] if "w" in text.split() else None)
    except EquationError:
        return
    assert Model(str(model)) == model


# ---------------------------------------------------------------- engines


def test_fit_is_the_estimation_engine() -> None:
    from hlmbayes import datasets

    fit = Model("mathach = b0 + r\nb0 = g00 + u0").fit(datasets.hsb(), method="ML")
    assert fit.method == "ML"
    assert fit.model.outcome == "mathach"


def test_a_model_is_handed_on_to_sampling_and_pymc_as_it_is() -> None:
    from inspect import unwrap

    from hlmbayes.front.draws import build, sample

    assert unwrap(Model.sample) is unwrap(sample)
    assert unwrap(Model.pymc) is unwrap(build)


def test_the_first_coefficient_with_a_random_effect() -> None:
    assert Model("y = b0 + b1*x + r; b0 = g00; b1 = g10 + u1").first_random == ("b1",)
    assert Model("y = b0 + r; b0 = g00").first_random == ()
    rng = np.random.default_rng(2)
    rows = {"id": np.repeat(range(30), 6), "x": rng.normal(size=180), "y": np.arange(180) % 3}
    several = Model("mlogit(y) = b0 + b1*x; b0 = g00 + u0; b1 = g10").fit(rows, id="id")
    assert record_of(several).model.first_random == ("b0[0]", "b0[1]")
