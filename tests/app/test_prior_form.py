"""Priors chosen one by one on the page: what is asked for, in words and as Python."""

from __future__ import annotations

import pytest

import hlmbayes as hlm
from hlmbayes.equations.model import TwoLevelModel
from hlmbayes.errors import SamplingError

pytest.importorskip("starlette")
from starlette.datastructures import FormData

from hlmbayes.app.answers import Form
from hlmbayes.app.prior_form import in_python, priors_of, rows_of
from hlmbayes.priors.priors import Priors

MODEL = TwoLevelModel("y = b0 + b1*x + r\nb0 = g00 + g01*w + u0\nb1 = g10 + u1")


def asked(**fields: str) -> Priors:
    pairs = [(name.replace("_", "-"), value) for name, value in fields.items()]
    return priors_of(Form(FormData(pairs), {}), MODEL)


def test_every_parameter_has_a_row():
    names = [row.name for row in rows_of(Priors(), MODEL)]
    assert names == [
        "g00 intercept", "g01 w", "g10 x", "standard deviation of u0", "standard deviation of u1",
        "level-1 standard deviation",
    ]  # fmt: skip
    uneven = TwoLevelModel(f"{MODEL.equations()}\nlog(sigma2) = a0 + a1*x")
    assert [row.field for row in rows_of(Priors(), uneven)][-2:] == ["alpha-a0", "alpha-a1"]


def test_what_is_chosen_is_asked_for_and_shown_again():
    priors = asked(
        gamma_g01="Normal", gamma_g01_first="1", gamma_g01_second="2", gamma_g10="Flat", sd_b0="HalfT",
        sd_b0_first="4", sd_b0_second="3", sd_b1="InverseGamma", sd_b1_first="0.001", sd_b1_second="0.001",
        sigma="HalfCauchy", eta="2", width="2",
    )  # fmt: skip
    assert dict(priors.gamma) == {"g01": hlm.Normal(1.0, 2.0), "g10": hlm.Flat()}
    assert dict(priors.sd) == {"b0": hlm.HalfT(4.0, 3.0), "b1": hlm.InverseGamma(0.001, 0.001)}
    assert (priors.sigma, priors.corr, priors.width) == (hlm.HalfCauchy(), hlm.LKJ(2.0), 2.0)
    rows = {row.field: (row.family, row.first, row.second) for row in rows_of(priors, MODEL)}
    assert rows["gamma-g01"] == ("Normal", "1", "2")
    assert rows["sd-b0"] == ("HalfT", "4", "3")
    assert rows["sd-b1"] == ("InverseGamma", "0.001", "0.001")
    assert rows["sigma"] == ("HalfCauchy", "", "")
    assert rows["gamma-g00"] == ("", "", "")


def test_python_says_the_same():
    assert in_python(Priors()) == "model.sample(data)"
    for priors in (
        asked(gamma_g01="Normal", gamma_g01_second="2", sigma="Exponential", width="0.5"),
        asked(wishart_df="5", wishart_scale="2 0; 0 1"),
    ):
        text = in_python(priors)
        made = eval(text.removeprefix("model.sample(data, priors=").removesuffix(")"), {"hlm": hlm})
        assert made.to_json() == priors.to_json()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"gamma_g01": "Normal"}, "g01 w: a normal prior wants a standard deviation"),
        ({"sd_b0": "InverseGamma"}, "wants shape and scale"),
        ({"sd_b0": "HalfT", "sd_b0_second": "-1"}, "positive"),
        ({"sigma": "Cauchy"}, "is no prior"),
        ({"wishart_df": "5", "wishart_scale": "a"}, "wanted a matrix"),
        ({"wishart_df": "5", "wishart_scale": "1 0; 0 1", "eta": "2"}, "not both"),
    ],
)
def test_what_is_no_prior_is_said(fields, words):
    with pytest.raises(SamplingError, match=words):
        asked(**fields)


def test_the_page_says_them_in_words_and_keeps_them(model4):
    form = {"gamma-g01": "Normal", "gamma-g01-first": "0", "gamma-g01-second": "1.5", "sd-b1": "HalfNormal"}
    page = model4.client.post("/posterior/priors", data=form).text
    assert "normal, mean 0, sd 1.5" in page
    assert "half-normal, scale" in page
    assert "hlm.HalfNormal()" in page
    assert 'value="1.5"' in model4.client.get("/panel/posterior").text
    wrong = model4.client.post("/posterior/priors", data=form | {"gamma-g01-second": "no"}).text
    assert "wanted a number" in wrong
    assert "inverse-Wishart" in model4.client.post(
        "/posterior/priors", data={"wishart-df": "5", "wishart-scale": "1 0; 0 1"}
    ).text  # fmt: skip
    model4.edit("u", "u1")  # the matrix is of two effects
    assert "the model has 1 random effects" in model4.client.get("/panel/posterior").text
