"""What can be asked of a run, in the words of the page, and which run can be gone back to."""

from __future__ import annotations

import html
import re

import hlmbayes as hlm
from hlmbayes.app.asked_of import questions
from hlmbayes.faces import record_of
from tests.posterior.test_multinomial_posterior import FRAME, TEXT

from .test_server import files, text_of_data

PYTHON = re.compile(r"\b(method|algorithm|robust|missing)=|--[a-z]")


def two_models(hsb):
    """The seminar's models 1 and 2."""
    hsb.edit("outcome", "mathach")
    hsb.client.post("/run")
    hsb.edit("none", "meanses", 2)
    hsb.client.post("/run")
    return hsb


def test_the_variance_explained_is_the_seminars(hsb):
    two_models(hsb)
    asked = {"what": "explained", "other": "1"}
    answer = hsb.client.post("/results/2/test", data=asked).text
    assert "Variance of Model 1 that Model 2 explains" in answer
    assert "Variance of b0 (intercept) explained: 0.6937" in answer  # "that is about 69%"
    assert "Variance explained" in hsb.client.get("/results/2/tests").text


def test_residual_files_have_the_names_of_the_version_that_the_report_has(hsb):
    """As `hlmbayes run` of the saved command file writes them."""
    hsb.edit("outcome", "mathach")
    hsb.client.post("/settings", data={"method": "REML", "algorithm": "hlm7"})
    hsb.client.post("/run")
    assert "EBINTRCPT1" in hsb.client.get("/results/1/residuals").text
    header = hsb.client.get("/results/1/residual-file", params={"level": "2", "kind": ".csv"}).text
    assert {"EBINTRCPT1", "PV0_0"} <= set(header.split("\n")[0].split(","))


def test_models_that_are_not_compared_say_why_in_the_words_of_the_page(hsb):
    two_models(hsb)
    page = html.unescape(hsb.client.get("/results/2/compare").text)
    assert "Not compared: the models differ in their fixed effects" in page
    assert "Run both with the method “Full maximum likelihood” in Settings to compare them" in page
    assert not PYTHON.search(re.sub("<[^>]*>", "", page))


def test_the_listing_on_the_page_names_what_is_on_the_page(hsb):
    two_models(hsb)
    shown = html.unescape(hsb.client.get("/results/2/listing").text)
    assert not PYTHON.search(re.sub("<[^>]*>", "", shown))


def test_results_stay_below_the_reason_why_a_model_cannot_be_estimated(hsb):
    two_models(hsb)
    sent = files(("new.csv", text_of_data()))
    before = hsb.session.state
    hsb.client.post("/open", files=sent)
    hsb.session.state = before
    page = html.unescape(hsb.client.post("/run").text)
    assert "The data have no column 'meanses'" in page
    assert "Results: Model 2" in page
    assert page.index("Not done:") < page.index("Results: Model 2")


def test_a_model_of_other_data_is_not_gone_back_to(hsb):
    two_models(hsb)
    hsb.client.post("/open", files=files(("new.csv", text_of_data())))
    before = hsb.session.state
    answer = html.unescape(hsb.client.post("/take/1").text)
    assert "Not done:" in answer
    assert "Model 1 is of other data than those that are open" in answer
    assert hsb.session.state == before


def test_a_hypothesis_that_reports_cannot_test_is_not_said_to_be_kept(window):
    csv = FRAME.to_csv(index=False).encode()
    window.client.post("/open", files=files(("rows.csv", csv)))
    window.edit("outcome", "y")
    window.edit("none", "x")
    settings = {"method": "REML", "max_iterations": "100", "family": "multinomial", "algorithm": "exact"}
    window.client.post("/settings", data=settings)
    window.client.post("/run")
    asked = {"what": "hypothesis", "c1-g10[1]": "1", "keep": "on"}
    answer = window.client.post("/results/1/test", data=asked).text
    assert "Test that g10[1] = 0" in answer
    assert "It is not in the next report" in answer
    assert window.session.state.options.hypotheses == ()
    window.edit("delete", "x")
    assert "are not those of Model 1 any more" in window.client.post("/results/1/test", data=asked).text


def test_categories_are_not_offered_what_they_have_not():
    fit = record_of(hlm.Model(TEXT).fit(hlm.read(FRAME, id="id")))
    assert list(questions(fit)) == ["calibration"]
    for _, answer in questions(fit).values():
        assert str(answer(fit))
