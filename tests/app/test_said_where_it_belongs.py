"""What is wrong with a form is said in a place of its own, and the form stays as it was filled in."""

from __future__ import annotations

import pytest

from .test_server import files, text_of_data


@pytest.mark.parametrize(
    ("address", "form", "place", "words"),
    [
        ("/settings", {"max_iterations": "0"}, "settings-said", "iterations: wanted at least 1"),
        ("/settings", {"max_iterations": "x"}, "settings-said", "iterations: wanted a whole number"),
        ("/settings", {"fix_sigma2": "x"}, "settings-said", "σ² held at: wanted a number"),
        ("/settings", {"deviance": "x"}, "settings-said", "deviance to compare with: wanted"),
        ("/settings", {"deviance": "1", "df": "x"}, "settings-said", "its parameters: wanted"),
        ("/settings", {"replicates": "w1", "fay": "x"}, "settings-said", "Fay’s factor: wanted"),
        ("/settings", {"constraints": "g00 = g99"}, "settings-said", "g99"),
        ("/imputed", {}, "imputed-said", "no file was sent"),
        ("/posterior", {"gamma-g00": "Normal", "gamma-g00-second": "x"}, "draw-said",
         "g00 intercept, Standard deviation: wanted"),
        ("/posterior", {"eta": "x"}, "draw-said", "LKJ with η: wanted"),
    ],
)  # fmt: skip
def test_the_form_stays(model4, address, form, place, words):
    before = model4.session.state
    answer = model4.client.post(address, data=form)
    assert answer.headers["HX-Retarget"] == f"#{place}"
    assert answer.headers["HX-Reswap"] == "innerHTML"
    assert words in answer.text
    assert "<form" not in answer.text
    panel = {"settings": "settings", "imputed": "settings", "draw": "posterior"}[place.split("-")[0]]
    assert f'id="{place}"' in model4.client.get(f"/panel/{panel}").text
    assert model4.session.state == before


def test_a_number_of_a_contrast_is_called_as_the_page_calls_it(model4):
    model4.client.post("/run")
    wrong = {"what": "hypothesis", "c2-g01": "x"}
    answer = model4.client.post(f"/results/{model4.session.shown}/test", data=wrong)
    assert "contrast 2 of g01: wanted a number" in answer.text


def test_a_variable_that_the_data_lack_is_said_before_anything_is_run(model4):
    before = model4.session.state
    lacking = "mathach = b0 + b1*nothere + r\nb0 = g00 + u0\nb1 = g10"
    said = model4.client.post("/text", data={"text": lacking}).text
    assert "no column &#39;nothere&#39;" in said.partition('id="text-error"')[2]
    assert "b1*nothere" in said  # what was written is there still
    assert "no column &#39;foo&#39;" in model4.edit("add_term", text="ses*foo")
    assert model4.session.state == before


def test_the_question_for_the_id_can_be_left(hsb):
    before = hsb.session.opened
    sent = files(("new.csv", text_of_data().replace(b"school", b"where")))
    assert "Which variable says the unit?" in hsb.client.post("/open", files=sent).text
    assert "Level-1 variables" in hsb.client.post("/open/leave").text
    assert hsb.session.opened is before
    assert hsb.session.asked is None
