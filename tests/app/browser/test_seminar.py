"""The whole seminar clicked through, and every number on the pages held against the command line's.

The numbers written out here are those that the seminar prints.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from hlmbayes.data.two_level import read

from .clicks import MODELS, build_model4, command_line

pytestmark = pytest.mark.slow


def test_models_1_to_4(click, tmp_path):
    page = click.page
    click.press("High School and Beyond")
    click.expect(click.region("Level-1 variables")).to_contain_text("minority")
    click.expect(click.region("Data")).to_contain_text("7,185 rows in 160 units")
    click.picture("open")
    click.menu("mathach", "Outcome variable")
    found = {"Model 1": click.run()}
    assert page.get_by_text("47116.793477").count()
    click.picture("model1", 1000)
    click.menu("meanses", "Add uncentred")
    found["Model 2"] = click.run()
    click.picture("model2")
    click.menu("meanses", "Delete from model")
    click.menu("ses", "Add group-mean centred")
    click.press("u1")
    found["Model 3"] = click.run()
    click.picture("model3")
    for equation in ("b0", "b1"):
        click.press(equation)
        for name in ("sector", "meanses"):
            click.menu(name, "Add uncentred")
    click.press("Mixed model")
    click.expect(click.region("Mixed model")).to_contain_text("mathach")
    found["Model 4"] = click.run()
    click.picture("model4")
    for name, equations in MODELS.items():
        assert found[name] == command_line(tmp_path, equations), name
    assert click.saved(tmp_path) == found["Model 4"]


def test_a_slope_that_varies_nonrandomly(click, tmp_path):
    click.press("High School and Beyond")
    build_model4(click)
    click.run()
    click.press("u1")
    found = click.run()
    assert found == click.saved(tmp_path)
    assert found["deviance"] == pytest.approx(46502.952734, abs=1e-5)
    click.tab("Tests")
    click.page.get_by_label("Against the model").select_option(label="Model 1")
    click.press("Test the difference of the deviances")
    click.expect(click.page.locator("#found")).to_contain_text("1.07710")
    click.settings({"Compare with an earlier model": "Model 1"})
    found = click.run()
    assert found == click.saved(tmp_path)
    assert found["variance_covariance_test"]["chi2"] == pytest.approx(1.07710, abs=5e-6)
    click.expect(click.page.get_by_role("tabpanel")).to_contain_text("1.07710")


def test_hypotheses_homogeneity_and_the_residual_file(click, tmp_path):
    page = click.page
    click.press("High School and Beyond")
    build_model4(click)
    click.run()
    click.tab("Tests")
    page.get_by_label("Contrast 1, g01").fill("1")
    page.get_by_label("Contrast 2, g11").fill("1")
    page.get_by_label("print it in the next report").check()
    click.press("Test it")
    click.expect(page.locator("#found")).to_contain_text("60.59688")
    click.press("Homogeneity of level-1 variance")
    click.expect(page.locator("#found")).to_contain_text("246.11665")
    click.settings({"test homogeneity of level-1 variance": True, "a level-2 residual file": True})
    found = click.run()
    assert found == click.saved(tmp_path)
    assert found["general_linear_hypothesis"]["chi2"] == pytest.approx(60.596880, abs=5e-6)
    click.tab("HLM listing")
    click.expect(page.get_by_role("tabpanel")).to_contain_text("60.596880")

    click.tab("Residuals")
    click.expect(page.get_by_role("tabpanel")).to_contain_text("chipct", ignore_case=True)
    with page.expect_download() as download:
        click.button("Save the level-2 file").click()
    assert download.value.suggested_filename.endswith("resfil2.sav")
    ours = tmp_path / "ours.sav"
    download.value.save_as(ours)
    theirs = tmp_path / "resfil2.sav"  # the saved .hlm asks for it, and the command line wrote it
    assert theirs.is_file()
    one, two = (read(str(file), id="l2id").level1 for file in (ours, theirs))
    for name in two:
        assert (one[name] == two[name]).all(), name


def test_a_level_1_variance_that_differs(click, tmp_path):
    click.press("High School and Beyond")
    build_model4(click)
    click.settings(
        {
            "Method": "Full maximum likelihood",
            "Level-1 variance differs with": "female",
            "Compare with deviance": "46501.875643",
            "and its parameters": "4",
        }
    )
    found = click.run()
    assert found == click.saved(tmp_path)
    assert found["sigma2"] is None
    assert found["deviance"] == pytest.approx(46482.093344, abs=2e-5)
    panel = click.page.get_by_role("tabpanel")
    click.expect(panel).to_contain_text("Model for the level-1 variance")
    for number in ("46482.0933", "46494.5926", "3.665", "12.499"):
        click.expect(panel).to_contain_text(number)


def test_constrained_effects(click, tmp_path):
    click.press("High School and Beyond")
    build_model4(click)
    click.settings({"Method": "Full maximum likelihood", "Fixed effects held equal": "g02 = g12"})
    found = click.run()
    assert found == click.saved(tmp_path)
    assert found["deviance"] == pytest.approx(46567.491225, abs=1e-5)
    assert sum(row["constrained"] for row in found["fixed"]) == 1
    panel = click.page.get_by_role("tabpanel")
    for number in ("2.654", "3.159", "36.751"):
        click.expect(panel).to_contain_text(number)


def test_random_only(click, tmp_path):
    click.press("High School and Beyond")
    build_model4(click)
    click.menu("female", "Add uncentred")
    click.press("b2")
    click.press("u2")
    click.menu("INTRCPT2", "Delete from model")
    click.expect(click.region("Level-2 model").get_by_role("button")).to_have_count(6)
    assert click.button("u2").get_attribute("aria-pressed") == "true"
    click.settings({"Method": "Full maximum likelihood", "Iterations at most": "500"})
    found = click.run()
    assert found == click.saved(tmp_path)
    assert found["deviance"] == pytest.approx(46473.216028, abs=2e-5)
    assert found["n_parameters"] == 13
    click.expect(click.page.get_by_role("tabpanel")).to_contain_text("123 of 160")


def test_figures_and_the_table_of_models(click):
    page = click.page
    click.press("High School and Beyond")
    build_model4(click)
    click.run()
    click.press("u1")
    click.run()
    click.button("Model 1").first.click()
    click.settled()
    click.tab("Figures")
    page.get_by_label("Over").select_option("ses")
    page.get_by_label("A line for each").select_option("sector")
    click.press("Draw")
    picture = page.locator("#picture img")
    picture.wait_for()
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 100
    click.picture("figures", 1250)
    assert picture.get_attribute("alt")
    for kind, begin in (("PNG", b"\x89PNG"), ("SVG", b"<?xml"), ("PDF", b"%PDF")):
        with page.expect_download() as download:
            page.locator("#picture").get_by_role("link", name=kind).click()
        assert Path(download.value.path()).read_bytes().startswith(begin)
    names = page.locator("[data-choice]").all_inner_texts()
    assert len(names) > 10
    for name in names:  # every diagnostic figure is drawn
        click.press(name)
        assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 100, name
    click.tab("Compare")
    click.expect(page.get_by_role("tabpanel")).to_contain_text("12.096")
    click.picture("compare", 1700)
    for name, begin in (("Word", b"PK"), ("Excel", b"PK"), ("LaTeX", b"")):
        with page.expect_download() as download:
            page.get_by_role("link", name=name).click()
        assert Path(download.value.path()).read_bytes().startswith(begin)
