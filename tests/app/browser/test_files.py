"""Files opened, clicked, saved and run by the command line."""

from __future__ import annotations

import json
import os

import pytest

from hlmbayes.cli import main
from hlmbayes.datasets import hsb_paths

from .clicks import Clicks, build_model4

pytestmark = pytest.mark.slow


def test_files_are_opened_clicked_saved_and_run(click, tmp_path):
    page = click.page
    with page.expect_file_chooser() as chooser:
        click.button("Open").click()
    chooser.value.set_files(list(map(str, hsb_paths())))
    click.button("mathach").wait_for()
    build_model4(click)
    ours = click.run()
    with page.expect_download() as download:
        click.button("Save as .hlm").click()
    file = tmp_path / "saved.hlm"
    download.value.save_as(file)
    one, two = map(str, hsb_paths())
    out = tmp_path / "out.json"
    where = ["--level1", one, "--level2", two, "--id", "id"]
    main(["run", str(file), *where, "--json", str(out), "--output", os.devnull])
    assert json.loads(out.read_text()) == ours
    page.reload()
    assert click.json() == ours
    click.estimate("Null model")
    click.files(file)
    click.expect(click.button("u1")).to_have_attribute("aria-pressed", "true")


def test_many_variables_are_searched(click, tmp_path):
    file = tmp_path / "wide.csv"
    names = [f"x{k}" for k in range(2000)]
    rows = [
        ",".join([str(j), *(str((j * k + i) % 7) for k in range(2000))]) for j in range(5) for i in range(4)
    ]
    file.write_text("\n".join([",".join(["id", *names]), *rows]))
    click.files(file)
    click.page.get_by_label("Find a variable").fill("x1999")
    click.expect(click.page.locator(".variable:visible")).to_have_count(1)


def test_two_tabs_are_one_session(click, address):
    click.press("High School and Beyond")
    click.menu("mathach", "Outcome variable")
    other = Clicks(click.page.context.new_page())
    other.page.goto(address.split("?")[0])
    other.menu("meanses", "Add uncentred")
    click.menu("sector", "Add uncentred")
    text = click.region("Level-2 model").inner_text()
    assert "meanses" in text
    assert "sector" in text


def test_files_are_dropped_on_the_page(click):
    page = click.page
    rows = "\n".join(f"{k // 5},{k % 7}" for k in range(100))
    page.evaluate(
        """text => {
            const dropped = new DataTransfer();
            dropped.items.add(new File([text], "dropped.csv", {type: "text/csv"}));
            for (const kind of ["dragover", "drop"])
                document.body.dispatchEvent(
                    new DragEvent(kind, {dataTransfer: dropped, bubbles: true, cancelable: true}));
        }""",
        f"id,y\n{rows}\n",
    )
    page.get_by_text("100 rows in 20 units").wait_for()


def test_a_script_that_was_saved_opens_again(click, tmp_path):
    page = click.page
    click.press("High School and Beyond")
    build_model4(click)
    click.settings({"Title": "Mine", "Algorithm": "HLM 7 and 8: HLM 6’s steps, own d.f."})
    ours = click.run()
    click.press("Code")
    file = tmp_path / "model.py"
    with page.expect_download() as download:
        page.get_by_role("link", name="Python (.py)").click()
    download.value.save_as(file)
    click.estimate("Null model")
    click.files(file)
    assert {**click.run(), "notes": 0} == {**ours, "notes": 0}


def test_what_a_command_file_cannot_say_is_said_on_the_page(click):
    click.press("High School and Beyond")
    click.menu("mathach", "Outcome variable")
    click.settings({"Frequency of rows": "female"})
    click.press("Save as .hlm")
    click.page.get_by_text("a command file has no keyword for frequency").wait_for()
