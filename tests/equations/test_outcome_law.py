"""The distribution of the outcome: how it is said, printed and refused."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hlmbayes as hlm
from hlmbayes import Model
from hlmbayes.equations.categories import of_one_set, with_categories
from hlmbayes.equations.model import one_set
from hlmbayes.equations.outcome_law import LINKS, NORMAL, Asked, OutcomeLaw
from hlmbayes.equations.parts import Coefficient, Gamma, Predictor
from hlmbayes.errors import EquationError
from hlmbayes.report import mathml

REST = " = b0 + b1*sex; b0 = g00 + g01*w + u0; b1 = g10"


@pytest.mark.parametrize(
    ("left", "said", "law"),
    [
        ("repeat", {}, NORMAL),
        ("logit(repeat)", {}, OutcomeLaw("bernoulli", "logit")),
        ("Probit( repeat )", {}, OutcomeLaw("bernoulli", "probit")),
        ("cloglog(repeat)", {}, OutcomeLaw("bernoulli", "cloglog")),
        ("logit(passed, trials=tried)", {}, OutcomeLaw("binomial", "logit", "tried")),
        ("logit(passed)", {"trials": "tried"}, OutcomeLaw("binomial", "logit", "tried")),
        ("passed", {"family": "binomial", "trials": "tried"}, OutcomeLaw("binomial", "logit", "tried")),
        ("passed", {"trials": "tried"}, OutcomeLaw("binomial", "logit", "tried")),
        ("passed", {"family": "binomial"}, OutcomeLaw("bernoulli", "logit")),
        ("passed", {"family": "Binomial", "link": "probit"}, OutcomeLaw("bernoulli", "probit")),
        ("log(count)", {}, OutcomeLaw("poisson", "log")),
        ("log(count, exposure=`r`)", {}, OutcomeLaw("poisson", "log", "r")),
        ("count", {"family": "poisson", "exposure": "t"}, OutcomeLaw("poisson", "log", "t")),
        ("log(count, overdispersed=yes)", {}, OutcomeLaw("poisson", "log", None, True)),
        ("log(count)", {"overdispersed": True}, OutcomeLaw("poisson", "log", None, True)),
        ("cumlogit(rating)", {}, OutcomeLaw("ordinal", "cumlogit")),
        ("rating", {"family": "ordinal"}, OutcomeLaw("ordinal", "cumlogit")),
        ("mlogit(choice)", {}, OutcomeLaw("multinomial", "mlogit")),
        ("choice", {"family": "multinomial"}, OutcomeLaw("multinomial", "mlogit")),
        ("y", {"family": "gaussian"}, NORMAL),
        ("y", {"overdispersed": False}, NORMAL),
    ],
)
def test_ways_of_saying_what_the_outcome_is(left: str, said: dict[str, Any], law: OutcomeLaw) -> None:
    assert Model(left + REST, **said).outcome_law == law


@pytest.mark.parametrize(
    ("text", "said", "message"),
    [
        (f"log(y){REST.replace('*sex;', '*sex + r;')}", {}, "a Poisson outcome has no r"),
        (f"y{REST.replace('*sex;', '*sex + r;')}", {"family": "binomial"}, "a Bernoulli outcome has no r"),
        (f"log(y/t){REST}", {}, "write log(y, exposure=NAME)"),
        (f"logit(y/n){REST}", {}, "write logit(y, trials=NAME)"),
        (f"log(y + 1){REST}", {}, 'wanted a comma or ")", got +'),
        (f"log(y)*2{REST}", {}, "something stands after the parenthesis"),
        (f"log(){REST}", {}, "is not one name"),
        (f"sqrt(y){REST}", {}, "is not one name"),
        (f"logit(y, exposure=t){REST}", {}, "logit(...) has exposure=t; wanted logit(y, trials=NAME"),
        (f"logit(y, n){REST}", {}, "logit(...) has n; wanted"),
        (f"logit(y, overdispersed=maybe){REST}", {}, "has overdispersed=maybe"),
        (f"logit(y, trials=y){REST}", {}, "y is the outcome, and its own trials"),
        (f"logit(y, trials=n){REST}", {"trials": "m"}, "trials is said twice"),
        (f"logit(y){REST}", {"link": "probit"}, "link is said twice"),
        (f"logit(y){REST}", {"family": "poisson"}, "the links of a Poisson outcome are log; got logit"),
        (f"logit(y){REST}", {"exposure": "t"}, "exposure= is for a Poisson outcome"),
        (f"log(y){REST}", {"trials": "n"}, "trials= is for a binomial outcome, and this one is Poisson"),
        (f"y{REST}", {"family": "gamma"}, "the family 'gamma' is not known"),
        (f"y{REST}", {"link": "sqrt"}, "say the family of the outcome too"),
        (f"y{REST}", {"overdispersed": True}, "say the family of the outcome too"),
        (f"y{REST}", {"family": "bernoulli", "trials": "n"}, "a Bernoulli outcome has one trial a row"),
        (f"y{REST}", {"family": 3}, "family= wants a name, got 3"),
        (f"y{REST}", {"trials": ""}, "trials= wants a name, got ''"),
        (f"y{REST}", {"family": "poisson", "overdispersed": 1}, "overdispersed= wants True or False, got 1"),
        (f"y{REST}", {"family": "normal", "overdispersed": True}, "take overdispersed= out"),
        (f"logit(y){REST}; log(sigma2) = a0", {}, "log(sigma2) is of a normal outcome"),
        (f"cumlogit(y, trials=n){REST}", {}, "trials= is for a binomial outcome, and this one is ordinal"),
        (f"cumlogit(y, overdispersed=yes){REST}", {}, "an ordinal outcome has no variance to be multiplied"),
        (f"mlogit(y, trials=n){REST}", {}, "trials= is for a binomial outcome, and this one is multinomial"),
        (f"mlogit(y, overdispersed=yes){REST}", {}, "a multinomial outcome has no variance to be multiplied"),
        ("log(y) ~ x + (1 | id)", {}, "before ~ stands the outcome alone, got log(...)"),
        ("cbind(y, n) ~ x + (1 | id)", {}, "before ~ stands the outcome alone, got cbind(...)"),
        ("y ~ x + (1 | id)", {"trials": "y"}, "y is the outcome, and its own trials"),
    ],
)
def test_what_is_refused_is_said_in_one_line(text: str, said: dict[str, Any], message: str) -> None:
    with pytest.raises(EquationError) as caught:
        Model(text, **said)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


LAWS = [
    Asked(family, link, "n m" if family == "binomial" else None, exposure, over).law()
    for family, links in LINKS.items()
    for link in links
    for exposure, over in product((None, "r") if family == "poisson" else (None,), (False, True))
    if not (family in ("normal", "ordinal", "multinomial") and over)
]


@given(st.sampled_from(LAWS), st.sampled_from(["y", "log", "b1", "two words", "logit"]))
def test_what_is_printed_reads_back(law: OutcomeLaw, outcome: str) -> None:
    model = Model.from_parts(*Model("y" + REST).parts._replace(outcome=outcome, outcome_law=law))
    assert Model(str(model)) == model
    assert ("+ r" in str(model)) == ("+ r" in model.mixed()) == law.is_normal
    assert model.constrain("g01 = g10").outcome_law == law
    assert hash(model) != hash(Model.from_parts(*model.parts._replace(outcome_law=OutcomeLaw("x", "y"))))


def test_a_formula_keeps_its_family_until_the_data_say_the_levels() -> None:
    frame = pd.DataFrame({"id": np.repeat([1, 2, 3], 4), "y": 0.0, "n": 5, "x": np.arange(12.0) % 5})
    frame["w"] = frame["id"] * 2.0
    text, said = "y ~ x*w + (1 | id)", {"family": "binomial", "trials": "n", "link": "cloglog"}
    model = Model(text, **said)
    data = hlm.read(frame, id="id")
    assert model.outcome_law == OutcomeLaw("binomial", "cloglog", "n")
    assert model != Model(text)
    assert str(model.with_levels(data)).startswith("cloglog(y, trials=n) = b0 + b1*x\n")
    assert model.with_levels(data) == Model.from_formula(text, data=data, **said)
    assert model.with_levels(data).variables == ("y", "n", "x", "w")
    assert Model.from_formula(text, **said) == model
    assert repr(Model(text, family="poisson")).endswith('""", family="poisson")')


def test_typeset_equations_have_the_distribution_and_no_residual() -> None:
    model = Model(f"cloglog(passed, trials=tried){REST}")
    for latex in (model.equations(latex=True), model.mixed(latex=True)):
        assert r"\mathrm{passed}_{ij} &\sim \operatorname{binomial}(\mathrm{tried}_{ij},\,p_{ij})" in latex
        assert r"\operatorname{cloglog}(p_{ij}) &= " in latex
        assert "r_{ij}" not in latex
    ordinal = Model(f"cumlogit(rating){REST}")
    level1 = r"\operatorname{logit}P(\mathrm{rating}_{ij} \le m) &= \delta_{m} + \beta_{0j}"
    assert level1 in ordinal.equations(latex=True)
    assert r"\sim" not in ordinal.equations(latex=True)
    assert "<mo>≤</mo>" in mathml.level1(ordinal)
    assert mathml.extra(ordinal) == []
    by_category = Model(f"mlogit(choice){REST}")
    latex = by_category.equations(latex=True)
    for part in (r"\log\frac{P(\mathrm{choice}_{ij} = m)}{P(\mathrm{choice}_{ij} = M)} &= \beta_{0[m]j}",
                 r"\gamma_{01[m]}", r"u_{0[m]j}"):  # fmt: skip
        assert part in latex
    assert "<mfrac>" in mathml.level1(by_category)
    assert "<mtext>[m]</mtext>" in mathml.mixed(by_category)
    assert r"\operatorname{log}(\lambda_{ij}) &=" in Model(f"log(y){REST}").mixed(latex=True)
    assert r"\operatorname{Poisson}(\mathrm{t}_{ij}\,\lambda_{ij})" in Model(
        f"log(y, exposure=t){REST}"
    ).mixed(latex=True)
    assert "<mi>cloglog</mi>" in mathml.level1(model)
    assert mathml.RESIDUAL not in mathml.level1(model) + mathml.mixed(model)
    assert "<mi>binomial</mi>" in mathml.distribution(model)[0]
    assert mathml.RESIDUAL in mathml.level1(Model(f"y{REST}"))


def test_equations_of_categories_are_those_of_one_set() -> None:
    model = Model(f"mlogit(y){REST} + u1; cov(u0, u1) = 0; g00 = g01")
    parts = with_categories(model.parts, ("1", "-2.5"))
    of_categories = Model.from_parts(*parts)
    assert one_set(of_categories) == model == one_set(model)
    assert of_categories.blocks == (("u0[1]", "u0[-2.5]"), ("u1[1]", "u1[-2.5]"))
    assert of_categories.constraints == (("g00[1]", "g01[1]"), ("g00[-2.5]", "g01[-2.5]"))
    assert "mlogit(y = -2.5) = b0[-2.5] + b1[-2.5]*sex\n" in of_categories.equations()
    known = of_categories.fixed_parameters
    assert known.names[:3] == ("intercept[1]", "w[1]", "sex[1]")
    assert known.find("sex[-2.5]", EquationError) == known.find("g10[-2.5]", EquationError) == "g10[-2.5]"
    assert known.columns("sex") == known.columns("g10") == ("g10[1]", "g10[-2.5]")
    of_term = Gamma("g11[general,private]", Predictor("w"))
    column = Coefficient("b1[general]", Predictor("track[general]"), (of_term,), True)
    of_one = model.parts._replace(coefficients=(column,), blocks=(), constraints=())
    (found,) = with_categories(of_one, "2").coefficients
    assert of_one_set(with_categories(of_one, "2")) == of_one
    assert (found.name, found.effect, found.gammas[0].name) == (
        "b1[general,2]", "u1[general,2]", "g11[general,2,private]"
    )  # fmt: skip
