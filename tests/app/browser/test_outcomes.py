"""Outcomes that are not normal: chosen, estimated both ways, read, drawn and saved in a browser."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hlmbayes.cli import main

pytestmark = pytest.mark.slow

TRIALS = "Trials, or exposure"
OPTIMUM, HLM6 = "The optimum, as lme4, SAS, Stata", "HLM 6: its steps, its numbers"
OUTCOMES = {  # variable, settings, its equation, how it is said to be distributed
    "bernoulli": ("passed", {"Distribution": "Bernoulli (0 or 1)"}, "logit(passed)", "Bernoulli"),
    "binomial": (
        "right", {"Distribution": "Binomial (successes in trials)", TRIALS: "tried"},
        "logit(right, trials=tried)", "binomial",
    ),
    "poisson": (
        "absent", {"Distribution": "Poisson (counts)", TRIALS: "years"},
        "log(absent, exposure=years)", "Poisson",
    ),
    "ordinal": ("rating", {"Distribution": "Ordinal (ratings)"}, "cumlogit(rating)", ""),
    "multinomial": (
        "choice", {"Distribution": "Multinomial (categories without an order)"}, "mlogit(choice)", "",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    """One outcome of each kind, of pupils in schools."""
    rng = np.random.default_rng(3)
    school, n = np.repeat(np.arange(1, 31), 10), 300
    sex, size = rng.integers(0, 2, n), rng.normal(size=30).round(2)[school - 1]
    eta = -0.4 + 0.5 * sex + 0.3 * size + rng.normal(size=30)[school - 1]
    p, tried, years = 1 / (1 + np.exp(-eta)), rng.integers(3, 9, n), rng.uniform(0.5, 3, n).round(2)
    odds = np.exp(np.column_stack([eta, 0.3 - sex + rng.normal(size=30)[school - 1], np.zeros(n)]))
    cut = (rng.random(n)[:, None] * odds.sum(axis=1)[:, None] > odds.cumsum(axis=1)).sum(axis=1)
    frame = {
        "school": school, "sex": sex, "size": size, "passed": (rng.random(n) < p).astype(int),
        "tried": tried, "right": rng.binomial(tried, p), "years": years,
        "absent": rng.poisson(years * np.exp(eta / 2)),
        "rating": 1 + np.digitize(eta + rng.logistic(size=n), [-1.5, 0, 1.5]), "choice": 1 + cut,
    }  # fmt: skip
    path: Path = tmp_path_factory.mktemp("outcomes") / "schools.csv"
    pd.DataFrame(frame).to_csv(path, index=False)
    return path


def opened(click, file: Path, outcome: str) -> None:
    """Open the data, and click the outcome and its predictors."""
    click.files(file)
    click.expect(click.region("Data")).to_contain_text("300 rows in 30 units")
    click.menu(outcome, "Outcome variable")
    for name in ("sex", "size"):
        click.menu(name, "Add uncentred")
    click.press("Mixed model")


def command_line(tmp_path: Path, file: Path, left: str, algorithm: str) -> dict:
    """What the command line says of the same model."""
    out = tmp_path / "command.json"
    equations = f"{left} = b0 + b1*sex\nb0 = g00 + g01*size + u0\nb1 = g10"
    where = ["--level1", str(file), "--id", "school", "--algorithm", algorithm, "--output", os.devnull]
    assert main(["run", "--equations", equations, "--json", str(out), *where]) == 0
    return json.loads(out.read_text())


def whole(image) -> bool:
    return image.evaluate("image => image.decode().then(() => image.naturalWidth)") > 100


@pytest.mark.parametrize("kind", OUTCOMES)
def test_an_outcome_is_chosen_estimated_and_read(click, file, tmp_path, kind):
    outcome, settings, left, law = OUTCOMES[kind]
    page = click.page
    opened(click, file, outcome)
    click.settings({**settings, "Algorithm": OPTIMUM})
    click.expect(click.region("Level-1 model")).to_contain_text(f"∼{law}" if law else "P(")
    assert click.run() == command_line(tmp_path, file, left, "exact")
    panel = page.get_by_role("tabpanel")
    click.expect(panel).to_contain_text("95 % interval")
    assert "-0." not in panel.inner_text()  # minus signs, no hyphens
    for width in (400, 1200):
        page.set_viewport_size({"width": width, "height": 900})
        for tab in ("Report", "HLM listing", "Figures", "Residuals", "Tests", "Compare"):
            click.tab(tab)
            click.fine(tab)
            assert not page.locator("#results .error").count(), tab
        for name in ("Data", "Settings", "Code", "Posterior"):
            click.press(name)
            click.fine(name)
        click.press("Close")
    click.tab("Figures")
    picture = page.locator("#picture img")
    for name in page.locator("[data-choice]").all_inner_texts():
        click.press(name)
        assert whole(picture), name
    with page.expect_download() as download:
        click.button("Save as .hlm").click()
    assert f"nonlin:{kind}" in Path(download.value.path()).read_text()
    page.get_by_label("Over").select_option("sex")
    click.press("Draw")
    assert page.locator("[data-choice][aria-pressed=true]").count() == 0
    assert whole(picture)
    click.settings({"Algorithm": HLM6})
    found, known = click.run(), command_line(tmp_path, file, left, "hlm")
    assert found == known
    for width in (400, 1200):
        page.set_viewport_size({"width": width, "height": 900})
        for tab in ("Report", "HLM listing", "Figures", "Residuals", "Tests", "Compare"):
            click.tab(tab)
            click.fine(tab)
    click.expect(panel).to_contain_text("penalised quasi-likelihood")


def test_what_the_settings_ask_is_tested_in_the_report(click, file):
    page = click.page
    opened(click, file, "passed")
    click.settings(
        {
            "Distribution": "Bernoulli (0 or 1)",
            "Algorithm": OPTIMUM,
            "Compare with deviance": "500",
            "and its parameters": "2",
            "test homogeneity of level-1 variance": True,
        }
    )
    click.run()
    click.tab("Tests")
    page.get_by_label("Contrast 1, g10").fill("1")
    page.get_by_label("print it in the next report").check()
    click.press("Test it")
    click.expect(page.locator("#found")).to_contain_text("g10")
    found = click.run()
    assert [test["df"] for test in found["tests"]] == [1, 2]
    panel = page.get_by_role("tabpanel")
    click.expect(panel).to_contain_text("Test that g10 = 0")
    click.expect(panel).to_contain_text("Deviance 500.000000 (2 parameters)")
    click.expect(panel).to_contain_text("(homvar:) was not done")


def test_draws_are_made_kept_and_asked_about_their_priors(click, file):
    page = click.page
    opened(click, file, "rating")
    click.settings({"Distribution": "Ordinal (ratings)"})
    click.press("Posterior")
    panel = page.get_by_role("region", name="Posterior distribution")
    click.expect(panel).to_contain_text("on the scale of the link")
    panel.get_by_label("Draws of each chain").fill("200")
    click.press("Draw")
    panel.get_by_role("link", name="All draws (.nc)").wait_for(timeout=300_000)
    click.press("Do the priors matter?")
    click.expect(panel).to_contain_text("What moves the draws")
    click.fine("draws")


def test_ratios_stand_in_the_table_where_they_are_asked_for(click, file):
    page = click.page
    opened(click, file, "passed")
    click.settings({"Distribution": "Bernoulli (0 or 1)", "Algorithm": OPTIMUM})
    click.run()
    click.tab("Compare")
    panel = page.get_by_role("tabpanel")
    page.get_by_label("odds, rate and hazard ratios").check()
    click.press("Put the ticked models side by side")
    click.expect(panel).to_contain_text("odds ratios (exp of the coefficients")
    for width in (400, 1200):
        page.set_viewport_size({"width": width, "height": 900})
        click.fine("ratios")


@pytest.mark.parametrize("kind", ["poisson", "ordinal", "multinomial"])
def test_a_posterior_is_drawn_and_read(click, file, kind):
    outcome, settings, *_ = OUTCOMES[kind]
    opened(click, file, outcome)
    click.settings(settings)
    click.press("Posterior")
    click.press("Draw")
    panel = click.region("Posterior distribution")
    panel.get_by_role("link", name="All draws (.nc)").wait_for(timeout=300_000)
    click.expect(panel).to_contain_text("Beside maximum likelihood")
    for width in (400, 1200):
        click.page.set_viewport_size({"width": width, "height": 900})
        click.fine("Posterior")
    for picture in panel.locator("img").all():
        assert whole(picture)


def test_a_table_among_answers_keeps_its_lines_on_a_narrow_page(click):
    click.press("High School and Beyond")
    click.menu("mathach", "Outcome variable")
    click.menu("ses", "Add group-mean centred")
    click.run()
    click.tab("Tests")
    click.press("R-squared")
    click.page.set_viewport_size({"width": 400, "height": 900})
    click.fine("R-squared")
    table = click.page.locator("#found pre.table")
    lines = len(table.inner_text().splitlines())
    assert table.evaluate("e => e.clientHeight") < 1.5 * (lines + 1) * 20
    assert table.evaluate("e => e.scrollWidth > e.clientWidth")
