"""The window with outcomes that are not normal: chosen in the settings, estimated both ways, shown."""

import re

import pytest

import hlmbayes as hlm
from hlmbayes.app.pages import in_parts
from tests.hglm.test_fit import frame_of

BASE = {"method": "REML", "max_iterations": "100", "constraints": "", "sigma": ""}


@pytest.fixture
def counts(window, tmp_path):
    return opened(window, tmp_path, frame_of("counts"))


def opened(window, tmp_path, frame):
    file = tmp_path / "counts.csv"
    frame.to_csv(file, index=False)
    with file.open("rb") as sent:
        window.client.post("/open", files={"files": sent})
    if window.session.asked:
        window.client.post("/open/id", data={"id": "id"})
    window.edit("outcome", "y")
    window.edit("none", "x")
    window.edit("none", "w", 2)
    return window


def settle(window, **asked):
    page = window.client.post("/settings", data={**BASE, **asked}).text
    return page, re.findall(r"Not done:</b>([^<]*)", page)


def run(window):
    page = window.client.post("/run").text
    assert "Not done" not in page
    return page


def test_counts_are_estimated_by_likelihood(counts):
    page, wrong = settle(counts, family="poisson", size="n", algorithm="exact")
    assert not wrong
    assert "Poisson" in page
    assert str(counts.session.state.model.outcome_law.size) == "n"
    page = run(counts)
    assert "What the effects say" in page
    fit = hlm.Model("log(y, exposure=n) = b0 + b1*x; b0 = g00 + g01*w + u0; b1 = g10").fit(
        hlm.read(frame_of("counts"), id="id")
    )
    assert counts.session.runs[0].fit.deviance == pytest.approx(fit.deviance, abs=1e-8)
    get = counts.client.get
    for tab in ("report", "listing", "figures", "residuals", "tests", "compare"):
        assert 'class="box error"' not in get(f"/results/1/{tab}").text
    assert get("/results/1/figure?name=predicted_x").headers["content-type"] == "image/png"
    assert get("/results/1/figure?x=x&draw=level1").status_code == 200
    assert "data:image/png" in get("/results/1/report.html").text
    assert "pearson" in get("/results/1/residual-file?level=1&kind=.csv").text


@pytest.mark.parametrize("what", ["icc", "r2"])
def test_what_is_asked_of_a_fit_is_answered(counts, what):
    settle(counts, family="poisson", size="n", algorithm="exact")
    run(counts)
    page = counts.client.post("/results/1/test", data={"what": what}).text
    assert "Not done" not in page
    page = counts.client.post("/results/1/test", data={"what": "homogeneity"}).text
    assert "no test of this window for this model" in page


def test_hlms_way_has_both_models_and_no_deviance(counts):
    settle(counts, family="poisson", size="n", algorithm="hlm")
    page = run(counts)
    assert "Unit-specific model" in page
    assert "Population-average model" in page
    assert "quasi-likelihood: no deviance" in page
    assert "nonlin:poisson,n" in counts.client.get("/save/model.hlm").text
    assert "log(y, exposure=n) = b0" in counts.client.get("/save/model.txt").text
    settle(counts, family="poisson", size="n", algorithm="exact")
    run(counts)
    page = counts.client.post("/results/2/test", data={"what": "compare", "other": "1"}).text
    assert "quasi-likelihood, which has no deviance" in page


def test_what_does_not_go_together_is_said(counts):
    assert "the variable with the trials" in settle(counts, family="binomial")[1][0]
    _, wrong = settle(counts, family="ordinal", overdispersed="on")
    assert "take the tick at “overdispersed” away" in wrong[0]
    assert counts.session.state.model.outcome_law.is_normal


def test_the_way_back_to_a_normal_outcome(counts):
    settle(counts, family="poisson", size="n", algorithm="exact")
    assert not counts.session.state.model.outcome_law.is_normal
    settle(counts, family="normal", algorithm="exact")
    assert counts.session.state.model.outcome_law.is_normal
    counts.client.post("/undo")
    assert counts.session.state.model.outcome_law.family == "poisson"


def test_tables_among_words_are_parted_from_them():
    text = "Part of the variance    Share\nresidual  0.7493  (1)\nMarginal R2 (fixed effects): 0.1048\nNote."
    (table, rows), (words, rest) = in_parts(text)
    assert table
    assert rows.splitlines() == text.splitlines()[:2]
    assert not words
    assert rest == "Marginal R2 (fixed effects): 0.1048\nNote."
    assert in_parts("") == []


@pytest.mark.parametrize("algorithm", ["hlm", "exact"])
def test_ratings_are_offered_no_level_1_file_and_can_keep_that_of_level_2(window, tmp_path, algorithm):
    frame = frame_of("counts")
    counts = opened(window, tmp_path, frame.assign(y=frame["y"].clip(upper=2)))
    _, wrong = settle(counts, family="ordinal", algorithm=algorithm)
    assert not wrong
    run(counts)
    page = counts.client.get("/results/1/residuals").text
    assert "Save the level-2 file" in page
    assert "Save the level-1 file" not in page
    assert "ebintrcp" in counts.client.get("/results/1/residual-file?level=2&kind=.csv").text
