"""What must not happen: strangers come in, markup in data runs, names of files lead elsewhere."""

from __future__ import annotations

from urllib.error import HTTPError
from urllib.request import Request, urlopen

import numpy as np
import pandas as pd
import pyreadstat
import pytest

from .clicks import build_model4

pytestmark = pytest.mark.slow
EVIL = "<img src=x onerror=document.title='stolen'><script>document.title='stolen'</script>"


def test_without_the_token_there_is_a_sentence(browser, address):
    context = browser.new_context()
    page = context.new_page()
    for where in (address.split("?")[0], address[:-3]):
        page.goto(where)
        assert "wants the address that the program printed" in page.inner_text("body")
    context.close()


@pytest.mark.parametrize("name", ["Host", "Origin"])
def test_strangers_are_refused(address, name):
    with pytest.raises(HTTPError) as refused:
        urlopen(Request(address, headers={name: "http://evil.example"}))
    assert refused.value.code == 403
    words = refused.value.read().decode()
    assert "this machine alone" in words or "another site" in words


def test_markup_in_names_and_labels_does_nothing(click, tmp_path):
    page = click.page
    rng = np.random.default_rng(1)
    unit = np.repeat(np.arange(20), 8)
    frame = pd.DataFrame({"id": unit, "y": rng.normal(size=160), "x": rng.normal(size=160), "w": unit % 3})
    file = tmp_path / "labels.sav"
    pyreadstat.write_sav(
        frame, str(file), column_labels={"y": EVIL, "x": EVIL, "w": "<b>w</b>"},
        variable_value_labels={"w": {0: EVIL, 1: EVIL, 2: EVIL}},
    )  # fmt: skip
    csv = tmp_path / "<b>names.csv"
    csv.write_text(frame.rename(columns={"x": EVIL.replace(",", "")}).to_csv(index=False))
    for path, predictor in ((file, "x"), (csv, EVIL)):
        click.files(path)
        click.expect(click.region("Data")).to_contain_text("160 rows in 20 units")
        click.menu("y", "Outcome variable")
        click.menu(predictor, "Add uncentred")
        click.menu("w", "Add as factor")
        click.press("Mixed model")
        click.press("Settings")
        page.locator("[name=title]").fill(f"Mine {EVIL}")
        click.press("Use these settings")
        page.get_by_text("Taken.").wait_for()
        click.run()
        for tab in ("HLM listing", "Figures", "Residuals", "Tests", "Compare"):
            click.tab(tab)
        for panel in ("Data", "Settings", "Code", "Posterior"):
            click.press(panel)
        assert page.title() == "hlmbayes"
        assert page.locator("img[src=x], main script").count() == 0
        click.press("Mixed model")


def test_a_name_that_leads_elsewhere_is_only_a_name(click, tmp_path):
    page = click.page
    data = "id,y\n" + "\n".join(f"{k // 5},{k % 7}" for k in range(100))
    content = {"name": "../../../../tmp/elsewhere.csv", "mimeType": "text/csv", "buffer": data.encode()}
    page.locator("#files").set_input_files(content)
    page.get_by_text("100 rows in 20 units").wait_for()
    click.expect(click.region("Data")).to_contain_text("elsewhere.csv")
    assert ".." not in click.region("Data").inner_text()


def test_nothing_is_lost_when_the_page_is_loaded_again(click):
    click.press("High School and Beyond")
    build_model4(click)
    found = click.run()
    click.page.reload()
    assert click.json() == found
