"""Sentences on outcomes that are not normal: their numbers are those of the ratios and of the predictions."""

import numpy as np
import pandas as pd
import pytest

import hlmbayes as hlm
from hlmbayes.faces import record_of
from hlmbayes.report.ratio_sentences import ratio_sentences
from hlmbayes.report.sentences import figures
from tests.hglm.test_fit import ORACLES, frame_of

ONE = "b0 = g00 + g01*w + u0; b1 = g10"


def told_of(fit):
    return {told.variable: told for told in ratio_sentences(record_of(fit))}


@pytest.fixture(scope="module", params=["logit(y)", "log(y, exposure=n)"])
def fit(request):
    frame = frame_of("binary" if request.param == "logit(y)" else "counts")
    return hlm.Model(f"{request.param} = b0 + b1*x; {ONE}").fit(hlm.read(frame, id="id"))


def test_a_ratio_is_that_of_the_table(fit):
    told = told_of(fit)
    for name, code in (("x", "g10"), ("w", "g01")):
        row = fit.ratios().loc[code]
        interval = f"(95 % interval {figures(row.low)} to {figures(row.high)}"
        assert f" by {figures(row.ratio)} {interval}" in told[name].sentence


def test_the_means_over_units_are_those_predicted(fit):
    told = told_of(fit)
    frame = fit.data.level1
    x, w = np.mean(frame["x"]), np.mean(frame["w"])
    start, to = fit.predict(pd.DataFrame({"x": [x, x + 1.0], "w": [w, w]}), level=2).predicted
    assert f"is {figures(to)} then, instead of {figures(start)}." in told["x"].sentence
    first = fit.predict(pd.DataFrame({"x": [x], "w": [w]}), level=2, interval="confidence").iloc[0]
    said = f"(95 % interval {figures(first.low)} to {figures(first.high)}); in a typical unit, u = 0, it is "
    assert told[""].sentence.endswith(f"{said}{figures(first.at_zero)}.")


def test_ratings_and_probits_are_told_in_their_own_words():
    rating = hlm.read(pd.read_csv(ORACLES / "data" / "ordinal_four.csv"), id="id")
    told = told_of(hlm.Model(f"cumlogit(y) = b0 + b1*x; {ONE}").fit(rating))
    assert "multiplies the odds of a category of y or a lower one by" in told["x"].sentence
    assert "" not in told
    fit = hlm.Model(f"probit(y) = b0 + b1*x; {ONE}").fit(hlm.read(frame_of("binary"), id="id"))
    assert f"that is {figures(fit.gamma['g10'])} higher" in told_of(fit)["x"].sentence


def test_the_page_has_sentences_shares_and_figures(tmp_path):
    fit = hlm.Model(f"logit(y) = b0 + b1*x; {ONE}").fit(hlm.read(frame_of("binary"), id="id"))
    page = fit.report(tmp_path / "page.html").read_text(encoding="utf-8")
    for heading in ("What the effects say", "How much lies between units and is explained", "Figures"):
        assert f"<h2>{heading}</h2>" in page
    assert page.count("data:image/png") == 6
    assert "data:image" not in fit.to_html()


def test_each_category_is_told_against_the_reference(tmp_path):
    frame = frame_of("binary")
    frame["choice"] = 1 + frame.y.to_numpy(int) + np.arange(len(frame)) % 2
    fit = hlm.Model(f"mlogit(choice) = b0 + b1*x; {ONE}").fit(hlm.read(frame, id="id"))
    told = ratio_sentences(record_of(fit))
    assert [each.variable for each in told] == ["x", "w", "x", "w"]
    for k, code in enumerate(["g10[1]", "g01[1]", "g10[2]", "g01[2]"]):
        row, category = fit.ratios().loc[code], code[-2]
        said = f"multiplies the odds of choice = {category} against 3 by {figures(row.ratio)} "
        assert f"{said}(95 % interval {figures(row.low)} to {figures(row.high)}" in told[k].sentence
    page = fit.report(tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<h2>What the effects say</h2>" in page
