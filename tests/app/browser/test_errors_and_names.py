"""Errors beside what they are of, downloads that cannot be had, and names of any length and script."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from .clicks import build_model4

pytestmark = pytest.mark.slow

LONG = "a_very_long_variable_name_of_a_survey_item_that_goes_on_and_on_and_on_for_seventy_letters"
OUTCOME, SCHOOL = "数学成绩", "Größe der Schule (Schüler & <b>Lehrer</b>)"


def in_view(place) -> bool:
    box = place.bounding_box()
    return 0 <= box["y"] <= place.page.viewport_size["height"] - box["height"]


@pytest.mark.parametrize("width", [400, 1200])
def test_a_form_with_an_error_is_kept_and_the_error_is_seen(click, width):
    page = click.page
    page.set_viewport_size({"width": width, "height": 900})
    click.press("High School and Beyond")
    build_model4(click)
    click.press("Settings")
    page.get_by_label("Title").fill("A title")
    page.get_by_label("Fixed effects held equal").fill("g02 = g99")
    click.press("Use these settings")
    wrong = click.region("Settings").get_by_role("alert")
    click.expect(wrong).to_contain_text("g99")
    assert in_view(wrong)
    assert page.get_by_label("Title").input_value() == "A title"
    assert page.evaluate("document.activeElement.id") == "use-settings"
    page.get_by_label("Fixed effects held equal").fill("g02 = g12")
    click.press("Use these settings")
    taken = page.get_by_text("Taken.")
    taken.wait_for()
    assert in_view(taken)
    assert page.evaluate("document.activeElement.id") == "use-settings"
    click.press("Posterior")
    page.get_by_text("Choose the prior of each parameter").click()
    page.get_by_label("Prior of g00 intercept").select_option("Normal")
    page.get_by_label("Standard deviation, g00 intercept").fill("wide")
    page.locator("#draw").click(delay=1000)  # a slow press: what the field has wrong is said meanwhile
    wrong = page.locator("#draw-said").get_by_role("alert")
    click.expect(wrong).to_contain_text("g00 intercept, Standard deviation: wanted a number")
    assert page.get_by_label("Standard deviation, g00 intercept").input_value() == "wide"


def test_a_file_that_cannot_be_had_is_said_on_the_page(click):
    page = click.page
    click.press("High School and Beyond")
    build_model4(click)
    click.run()
    click.tab("Residuals")
    page.get_by_label("Level 2, with the variables").fill("nothere")
    click.button("Save the level-2 file").click()
    click.expect(page.get_by_role("alert")).to_contain_text("'nothere'")
    assert "/results/" not in page.url
    page.get_by_label("Level 2, with the variables").fill("size")
    with page.expect_download() as download:
        click.button("Save the level-2 file").click()
    assert download.value.suggested_filename == "Model_1_resfil2.sav"
    click.expect(page.get_by_role("alert")).to_have_count(0)
    click.tab("Compare")
    page.route("**/compare/table*", lambda route: route.fulfill(status=422, body="Not done: there is none."))
    page.get_by_role("link", name="Word").click()
    click.expect(page.get_by_role("alert")).to_contain_text("there is none.")


@pytest.mark.parametrize("width", [400, 1200])
def test_long_and_foreign_names_stay_on_the_page(click, tmp_path: Path, width):
    rng = np.random.default_rng(1)
    school = np.repeat(np.arange(20), 15)
    frame = {"school": school, OUTCOME: rng.normal(size=300), LONG: rng.normal(size=300)}
    pd.DataFrame(frame | {SCHOOL: rng.normal(size=20)[school]}).to_csv(tmp_path / "names.csv", index=False)
    click.page.set_viewport_size({"width": width, "height": 900})
    click.files(tmp_path / "names.csv")
    click.menu(OUTCOME, "Outcome variable")
    click.menu(LONG, "Add group-mean centred")
    click.press("u1")
    click.menu(SCHOOL, "Add uncentred")
    click.press("Mixed model")
    click.fine("equations")
    click.run()
    click.fine_everywhere()
