"""Parameters by their codes and by the variables they are of."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlmbayes import Model
from hlmbayes.equations.names import component_names
from hlmbayes.errors import EquationError, HypothesisError

MODEL = Model("""
    mathach = b0 + b1*group(ses) + b2*`math score` + r
    b0 = g00 + g01*sector + g02*grand(meanses) + u0
    b1 = g10 + g11*sector + g12*grand(meanses) + u1
    b2 = g20
    log(sigma2) = a0 + a1*female
""")


def test_codes_have_names_made_of_the_variables() -> None:
    assert dict(zip(MODEL.fixed_parameters.codes, MODEL.fixed_parameters.names, strict=True)) == {
        "g00": "intercept", "g01": "sector", "g02": "meanses", "g10": "ses", "g11": "ses x sector",
        "g12": "ses x meanses", "g20": "math score",
    }  # fmt: skip
    assert MODEL.random_parameters.names == ("intercept", "ses")
    assert component_names(MODEL.coefficients) == {
        "u0": "intercept", "u1": "ses slope", "u1, u0": "ses slope, intercept", "r": "level-1",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("g11", "g11"), ("G11", "g11"), ("gamma11", "g11"), ("g1_1", "g11"), ("γ11", "g11"),
        ("ses:sector", "g11"), ("sector:ses", "g11"), ("Ses * SECTOR", "g11"), ("ses x sector", "g11"),
        ("ses × sector", "g11"), ("sector x ses", "g11"), ("group(ses):sector", "g11"),
        ("group(ses):grand(meanses)", "g12"), ("meanses", "g02"), ("grand(meanses)", "g02"),
        ("intercept", "g00"), ("(Intercept)", "g00"), ("INTRCPT2", "g00"), ("`math score`", "g20"),
        ("math score", "g20"), (" ses ", "g10"),
    ],
)  # fmt: skip
def test_a_fixed_effect_may_be_written_in_many_ways(text: str, code: str) -> None:
    assert MODEL.fixed_parameters.find(text, HypothesisError) == code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("sd[ses]", "sd[b1]"), ("sd[u1]", "sd[b1]"), ("SD[B1]", "sd[b1]"), ("sd[ses slope]", "sd[b1]"),
        ("corr[intercept, ses]", "corr[b1,b0]"), ("corr[b0,b1]", "corr[b1,b0]"),
        ("tau[ses,ses]", "tau[b1,b1]"),
        ("tau[u0,group(ses)]", "tau[b1,b0]"), ("sigma2", "sigma2"), ("level-1 variance", "sigma2"),
        ("log(sigma2): female", "a1"), ("log(sigma2):intercept", "a0"), ("alpha1", "a1"), ("ses", "g10"),
    ],
)  # fmt: skip
def test_so_may_every_other_parameter(text: str, code: str) -> None:
    assert MODEL.scalar_parameters.find(text, HypothesisError) == code


def test_a_name_of_two_parameters_is_refused_with_both() -> None:
    model = Model("y = b0 + b1*group(x) + r\nb0 = g00 + g01*x + u0\nb1 = g10")
    with pytest.raises(HypothesisError, match=r"x could be g01 \(x\) or g10 \(x\): write its code"):
        model.fixed_parameters.find("x", HypothesisError)
    assert model.fixed_parameters.find("group(x)", HypothesisError) == "g10"


def test_a_variable_called_like_a_code_does_not_take_its_place() -> None:
    model = Model("y = b0 + r\nb0 = g00 + g01*`g00` + u0")
    assert model.fixed_parameters.find("g00", HypothesisError) == "g00"
    assert model.fixed_parameters.names == ("intercept", "g00")


def test_an_unknown_name_is_refused_with_those_there_are_and_the_nearest() -> None:
    known = r"g00 \(intercept\), .*g11 \(ses x sector\)"
    with pytest.raises(
        HypothesisError, match=f"'ses:secter' is not a fixed effect.*{known}.*mean ses:sector"
    ):
        MODEL.fixed_parameters.find("ses:secter", HypothesisError)
    with pytest.raises(HypothesisError, match="'' is not a random coefficient"):
        MODEL.random_parameters.find("", HypothesisError)
    many = Model("y = b0 + r\nb0 = g00 + " + " + ".join(f"g0{k}*w{k}" for k in range(1, 60)) + " + u0")
    with pytest.raises(HypothesisError, match="and 36 more"):
        many.fixed_parameters.find("w99", HypothesisError)


def test_constraints_take_names() -> None:
    by_name = MODEL.constrain("meanses = ses:meanses", "sector = g11")
    assert by_name.constraints == (("g01", "g11"), ("g02", "g12"))
    with pytest.raises(EquationError, match="g01 is twice in the constraint sector = g01"):
        MODEL.constrain("sector = g01")


def test_names_go_through_a_pickle() -> None:
    MODEL.fixed_parameters.find("ses", HypothesisError)
    again = pickle.loads(pickle.dumps(MODEL))
    assert again == MODEL
    assert again.fixed_parameters == MODEL.fixed_parameters


names = st.text(st.characters(codec="utf-8", exclude_characters="`\r\n\0"), min_size=1, max_size=6).filter(
    lambda name: name == name.strip()
)


@given(st.lists(names, min_size=4, max_size=4, unique_by=lambda name: name.casefold().replace(" ", "")))
def test_every_name_that_is_shown_finds_its_parameter_or_is_refused_as_ambiguous(found: list[str]) -> None:
    y, x, z, w = (f"`{name}`" for name in found)
    model = Model(
        f"{y} = b0 + b1*{x} + b2*{z}\nb0 = g00 + g01*{w} + u0\nb1 = g10 + g11*{w} + u1\nb2 = g20 + u2"
    )
    for known in (model.fixed_parameters, model.random_parameters, model.scalar_parameters):
        for parameter in known.each:
            assert known.find(parameter.code, HypothesisError) == parameter.code
            # a code goes before a name
            assert parameter.code in known.matching(parameter.name) or parameter.name in known.by_code
