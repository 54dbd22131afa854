"""The listing, page and JSON of a model whose outcome is not normal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import hlmbayes as hlm
from hlmbayes.errors import EstimationError, HypothesisError

DATA = Path(__file__).parents[1] / "oracles" / "data"
REST = "b0 + b1*x; b0 = g00 + g01*grand(w) + u0; b1 = g10"


@pytest.fixture(scope="module")
def binary() -> hlm.TwoLevelData:
    return hlm.read(DATA / "pql_binary.csv", id="id")


@pytest.fixture(scope="module")
def counts() -> hlm.TwoLevelData:
    return hlm.read(DATA / "pql_counts.csv", id="id")


def test_listing_of_a_binary_outcome_has_hlms_parts(binary: hlm.TwoLevelData) -> None:
    fit = hlm.Model(f"logit(y) = {REST}").fit(binary, algorithm="hlm")
    text = fit.listing(title="passed", full_output=True)
    in_order = [
        "SPECIFICATIONS FOR THIS NONLINEAR HLM2 RUN", "Problem Title: passed", "estimation: restricted PQL",
        "Distribution at Level-1: Bernoulli", "Level-1 Model", "\tProb(Y=1|B) = P",
        "\tlog[P/(1-P)] = B0 + B1*(x)\n", "\tB0 = G00 + G01*(w) + U0", "Level-1 variance = 1/[P(1-P)]",
        "Macro iteration 1: ", "Macro iterations stopped due to small change",
        "RESULTS FOR NON-LINEAR MODEL WITH THE LOGIT LINK FUNCTION\nUnit-Specific Model (macro iteration ",
        "Final estimation of fixed effects: (Unit-specific model)", "Odds         Confidence",
        "(Unit-specific model with robust standard errors)", "Final estimation of variance components",
        "Population-Average Model", "Final estimation of fixed effects: (Population-average model)",
        "(Population-average model with robust standard errors)", "Notes by hlmbayes", "PQL is biased",
    ]  # fmt: skip
    places = [text.index(part) for part in in_order]
    assert places == sorted(places)
    assert "Deviance" not in text[: text.index("Notes by hlmbayes")]
    assert "level-1," not in text  # there is no level-1 variance to estimate
    assert max(map(len, text.splitlines())) <= 110


@pytest.mark.parametrize(
    ("left", "said"),
    [
        ("log(y)", ["E(Y|B) = L", "log[L] = B0", "Level-1 variance = 1/L", "Rate", "Poisson (constant"]),
        (
            "log(y, exposure=n, overdispersed=yes)",
            ["E(Y|B) = n*L", "Level-1 variance = Sigma_squared/[n*L]", " Sigma_squared =", "level-1,",
             "Poisson (exposure: n), overdispersed"],
        ),
    ],
)  # fmt: skip
def test_listing_of_counts(counts: hlm.TwoLevelData, left: str, said: list[str]) -> None:
    text = hlm.Model(f"{left} = {REST}").fit(counts, algorithm="hlm", method="ML").listing()
    assert [part for part in [*said, "Method of estimation: full PQL"] if part not in text] == []


def test_json_and_page_have_both_models_and_the_ratios(binary: hlm.TwoLevelData) -> None:
    fit = hlm.Model(f"logit(y) = {REST}").fit(binary, algorithm="hlm")
    found = json.loads(fit.to_json())
    assert found["outcome"] == {"family": "bernoulli", "link": "logit", "size": None, "overdispersed": False}
    assert found["deviance"] is None
    assert found["fixed"][0]["estimate"] == pytest.approx(fit.gamma["g00"])
    assert found["population_average"]["fixed"][0]["estimate"] == pytest.approx(fit.gamma_average["g00"])
    ratio = found["odds_ratios"][2]
    assert ratio["ratio"] == pytest.approx(np.exp(fit.gamma["g10"]))
    assert ratio["low"] < ratio["ratio"] < ratio["high"]
    assert len(found["macro_iterations"]) == fit.iterations == len(fit.log)
    page = fit.to_html()
    assert "Odds ratios (population-average model with robust standard errors)" in page
    assert "log[P/(1-P)] = " in page


def test_the_likelihood_stands_beside_it(binary: hlm.TwoLevelData, counts: hlm.TwoLevelData) -> None:
    model = hlm.Model(f"logit(y) = {REST}")
    fit, by = model.fit(binary, algorithm="hlm"), model.fit(binary)
    text = " ".join(fit.listing().split())
    assert f"G00 {fit.gamma['g00']:.5f} and {by.gamma['g00']:.5f}" in text
    assert f"Deviance {by.deviance:.6f}, {by.n_parameters} parameters" in text
    assert "LAPLACE" not in text
    found = json.loads(fit.to_json(laplace=True))
    approximate = model.fit(binary, laplace=True)
    assert found["likelihood"]["deviance"] == pytest.approx(by.deviance)
    assert found["laplace"]["deviance"] == pytest.approx(approximate.deviance)
    assert found["laplace"]["fixed"][0]["se"] == pytest.approx(np.sqrt(approximate.vcov[0, 0]))
    assert "Laplace’s approximation" in fit.to_html(laplace=True)
    scaled = hlm.Model(f"log(y, exposure=n, overdispersed=yes) = {REST}").fit(counts, algorithm="hlm")
    assert "and the likelihood's" not in scaled.listing()


def test_the_face_has_tables_and_tests(binary: hlm.TwoLevelData) -> None:
    fit = hlm.Model(f"logit(y) = {REST}").fit(binary, algorithm="hlm")
    table = fit.fixed_effects(robust=True)
    assert table.loc["g01", "name"] == "w"
    assert table["se"].to_numpy() == pytest.approx(np.sqrt(np.diag(fit.vcov_robust)))
    interval = fit.confint().loc["g10"]
    assert np.exp([interval["low"], interval["high"]]) == pytest.approx(
        fit.ratios().loc["g10", ["low", "high"]].to_numpy(float)
    )
    assert list(fit.variance_components().index) == ["u0"]
    assert fit.sigma2 == 1.0
    assert fit.wald("g10 = 0").df == 1
    assert len(fit.residuals()) == fit.n_units
    assert "Bernoulli, logit link" in repr(fit)
    probit = hlm.Model(f"probit(y) = {REST}").fit(binary, algorithm="hlm")
    with pytest.raises(HypothesisError, match="exp of an effect means nothing with a probit link"):
        probit.ratios()
    assert "Odds" not in probit.listing()
    assert "Level-1 variance of Y = P(1-P)" in probit.listing()


def test_too_few_iterations_are_said(binary: hlm.TwoLevelData) -> None:
    stopped = hlm.Model(f"logit(y) = {REST}").fit(binary, algorithm="hlm", max_iterations=2)
    assert not stopped.converged
    assert "did not converge: macro iteration 2 reached" in stopped.listing()


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (lambda f: (f["x"] > 0) * 1, "separates the outcomes of y"),
        (lambda f: f["id"] % 2, "the rows of each unit have one and the same y"),
    ],
)
def test_what_has_no_finite_estimate_is_refused(y: Any, message: str) -> None:
    frame = pd.read_csv(DATA / "pql_binary.csv").assign(y=y)
    with pytest.raises(EstimationError, match=message):
        hlm.Model("logit(y) = b0 + b1*x; b0 = g00 + u0; b1 = g10").fit(frame, id="id", algorithm="hlm")


def test_it_takes_an_iteration_at_least(binary: hlm.TwoLevelData) -> None:
    with pytest.raises(EstimationError, match="must be a whole number of at least 1, got 0"):
        hlm.Model(f"logit(y) = {REST}").fit(binary, algorithm="hlm", max_iterations=0)


def test_it_stands_beside_the_likelihood_in_a_table(binary: hlm.TwoLevelData) -> None:
    model = hlm.Model(f"logit(y) = {REST}")
    fit = model.fit(binary, algorithm="hlm")
    text = str(hlm.table(fit, model.fit(binary)))
    assert "likelihood (REML); Model 2, Bernoulli, logit link, ML" in " ".join(text.split())
    assert f"{fit.gamma['g10']:.3f}" in text
