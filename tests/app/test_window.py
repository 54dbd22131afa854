"""The window clicked through in a browser: the seminar from its first page to its last.

The pictures of docs/window.md are made here: HLMBAYES_PICTURES=docs/window says where they go.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from hlmbayes.cli import main
from hlmbayes.datasets import hsb_paths

sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = next((p for p in ("/usr/bin/chromium", "/usr/bin/chromium-browser") if Path(p).exists()), None)
ARGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
ARGS += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium to click with: apt-get install chromium"),
]


def served(*arguments: str) -> tuple[subprocess.Popen[str], str]:
    """Start the window; gives its process and its address."""
    command = [sys.executable, "-m", "hlmbayes", "app", "--no-browser", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("hlmbayes app: http://127.0.0.1:")
    return process, line.split(": ", 1)[1].strip()


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    process, found = served()
    yield found
    process.terminate()
    process.communicate(timeout=10)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        yield found
        found.close()


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    """The window in a browser of its own, which asks this machine alone and has nothing to complain of."""
    context = browser.new_context(viewport={"width": 1200, "height": 900}, accept_downloads=True)
    found = context.new_page()
    asked: list[str] = []
    faults: list[str] = []
    found.on("request", lambda request: asked.append(request.url))
    found.on("pageerror", lambda error: faults.append(str(error)))
    found.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    found.goto(address)
    yield found
    # a picture is taken with a style of the browser driver's own, which the page refuses
    assert [fault for fault in faults if "inline style" not in fault] == []
    home = address.split("?")[0]
    assert [url for url in asked if not url.startswith((home, "data:", "blob:"))] == []
    context.close()


class Clicks:
    """What a person does, by the labels that they read."""

    def __init__(self, page: Any) -> None:
        self.page = page

    def button(self, name: str, **more: Any) -> Any:
        return self.page.get_by_role("button", name=name, exact=True, **more)

    def settled(self) -> None:
        self.page.locator("#busy:not(.on)").wait_for(state="attached")

    def press(self, name: str) -> None:
        self.button(name).click()
        self.settled()

    def menu(self, variable: str, item: str) -> None:
        self.button(variable).click()
        self.page.get_by_role("menuitem", name=item).click()
        self.settled()

    def run(self) -> dict[str, Any]:
        """Click Run, and give the JSON of what it shows."""
        before = self.page.locator("#runs li").count()
        self.press("Run")
        self.page.locator("#runs li").nth(before).wait_for()
        return self.json()

    def json(self) -> dict[str, Any]:
        self.tab("Report")
        with self.page.expect_download() as download:
            self.page.get_by_role("link", name="JSON").click()
        return json.loads(Path(download.value.path()).read_text())

    def tab(self, name: str) -> None:
        self.page.get_by_role("tab", name=name).click()
        self.settled()

    def region(self, name: str) -> Any:
        return self.page.get_by_role("region", name=name)

    def picture(self, name: str, height: int = 900) -> None:
        """Keep a picture for docs/window.md, where one is wanted."""
        if folder := os.environ.get("HLMBAYES_PICTURES"):
            self.page.evaluate("document.activeElement.blur()")
            self.page.mouse.move(0, 0)
            whole = {"x": 0, "y": 0, "width": 1200, "height": height}
            shot = Image.open(BytesIO(self.page.screenshot(full_page=True, clip=whole)))
            shot.convert("RGB").quantize(48).save(f"{folder}/{name}.png", optimize=True)

    def settings(self, **fields: str) -> None:
        self.press("Settings")
        for label, value in fields.items():
            self.page.get_by_role("region", name="Settings").locator(f"[name={label}]").fill(value)
        self.press("Use these settings")
        self.page.get_by_text("Taken.").wait_for()
        self.press("Close")


@pytest.fixture
def click(page: Any) -> Clicks:
    return Clicks(page)


MODELS = {
    "Model 1": "mathach = b0 + r\nb0 = g00 + u0",
    "Model 2": "mathach = b0 + r\nb0 = g00 + g01*meanses + u0",
    "Model 3": "mathach = b0 + b1*group(ses) + r\nb0 = g00 + u0\nb1 = g10 + u1",
    "Model 4": "mathach = b0 + b1*group(ses) + r\nb0 = g00 + g01*sector + g02*meanses + u0\n"
    "b1 = g10 + g11*sector + g12*meanses + u1",
}


def command_line(tmp_path: Path, equations: str, *more: str) -> dict[str, Any]:
    """What the command line says of the same model."""
    one, two = map(str, hsb_paths())
    out = tmp_path / "command.json"
    where = ["--level1", one, "--level2", two, "--id", "id", "--algorithm", "hlm", "--output", os.devnull]
    main(["run", "--equations", equations, "--json", str(out), *where, *more])
    return json.loads(out.read_text())


def build_model4(click: Clicks) -> None:
    click.menu("mathach", "Outcome variable")
    for name in ("sector", "meanses"):
        click.menu(name, "Add uncentred")
    click.menu("ses", "Add group-mean centred")
    click.press("u1")
    click.press("b1")
    for name in ("sector", "meanses"):
        click.menu(name, "Add uncentred")


def test_the_seminar(click, tmp_path):
    page = click.page
    click.press("High School and Beyond")
    expect = sync_api.expect
    expect(click.region("Level-1 variables")).to_contain_text("minority")
    expect(click.region("Data")).to_contain_text("7,185 rows in 160 units")
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
    expect(click.region("Mixed model")).to_contain_text("mathach")
    found["Model 4"] = click.run()
    click.picture("model4")
    for name, equations in MODELS.items():
        assert found[name] == command_line(tmp_path, equations), name

    # the slope of ses varies nonrandomly; the two deviances
    click.press("u1")
    nonrandom = click.run()
    assert nonrandom["deviance"] == pytest.approx(46502.952734, abs=1e-5)
    click.tab("Tests")
    page.get_by_label("Deviance against that of").select_option(label="Model 4")
    click.press("Test the difference")
    expect(page.locator("#found")).to_contain_text("1.07710")
    click.press("Undo")

    # heterogeneous level-1 variance, full maximum likelihood left as it is
    click.settings(sigma="female")
    assert click.run()["sigma2"] is None
    expect(page.get_by_role("tabpanel")).to_contain_text("Model for the level-1 variance")
    click.press("Undo")

    # g02 = g12
    click.settings(constraints="g02 = g12")
    constrained = click.run()
    assert constrained == command_line(tmp_path, f"{MODELS['Model 4']}\ng02 = g12")
    click.press("Undo")

    # female is random only
    click.menu("female", "Add uncentred")
    click.press("b2")
    click.press("u2")
    click.menu("INTRCPT2", "Delete from model")
    expect(click.region("Level-2 model").get_by_role("button")).to_have_count(6)
    assert click.button("u2").get_attribute("aria-pressed") == "true"
    click.press("Undo")
    click.press("Undo")
    click.press("Undo")

    # hypothesis, residual file, graphs and the table
    click.button("Model 4").first.click()
    click.settled()
    click.tab("Tests")
    page.get_by_label("Contrast 1, g01").fill("1")
    page.get_by_label("Contrast 2, g11").fill("1")
    click.press("Test it")
    expect(page.locator("#found")).to_contain_text("60.59")
    click.press("Homogeneity of level-1 variance")
    expect(page.locator("#found")).to_contain_text("246.11665")
    click.tab("Residuals")
    expect(page.get_by_role("tabpanel")).to_contain_text("chipct", ignore_case=True)
    with page.expect_download() as download:
        click.button("Save the level-2 file").click()
    assert download.value.suggested_filename.endswith("resfil2.sav")
    click.tab("Figures")
    page.get_by_label("Over").select_option("ses")
    page.get_by_label("A line for each").select_option("sector")
    click.press("Draw")
    picture = page.locator("#picture img")
    picture.wait_for()
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 100
    click.picture("figures", 1250)
    assert picture.get_attribute("alt")
    click.tab("Compare")
    expect(page.get_by_role("tabpanel")).to_contain_text("12.096")
    click.picture("compare", 1700)
    with page.expect_download() as download:
        page.get_by_role("link", name="Word").click()
    assert Path(download.value.path()).read_bytes()[:2] == b"PK"
    click.tab("HLM listing")
    expect(page.get_by_role("tabpanel")).to_contain_text("12.096006")


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
    click.press("Null model")
    page.locator("#files").set_input_files(str(file))
    page.get_by_text("saved.hlm").wait_for()
    assert click.button("u1").get_attribute("aria-pressed") == "true"


def test_run_is_quick(click):
    click.press("High School and Beyond")
    build_model4(click)
    taken = []
    for k in range(1, 8):
        begin = time.perf_counter()
        click.button("Run").click()
        click.page.get_by_role("heading", name=f"Results: Model {k}", exact=True).wait_for()
        click.page.get_by_text("46501.875643").first.wait_for()
        taken.append(time.perf_counter() - begin)
    assert statistics.median(taken) < 0.5


def test_the_posterior_is_drawn_stopped_and_survives_a_kill(click):
    page = click.page
    click.press("High School and Beyond")
    click.menu("mathach", "Outcome variable")
    click.press("Posterior")
    panel = page.get_by_role("region", name="Posterior distribution")
    sync_api.expect(panel).to_contain_text("half-t")
    click.press("Draw")
    panel.get_by_role("link", name="All draws (.nc)").wait_for(timeout=120_000)
    click.picture("posterior", 1400)
    assert re.search("12\\.6", panel.inner_text())
    click.press("Do the priors matter?")
    sync_api.expect(panel).to_contain_text("What moves the draws")
    click.press("Draw again")
    panel.get_by_label("Draws of each chain").fill("90000")
    click.press("Draw")
    click.button("Stop").click()
    panel.get_by_text("Stopped after").wait_for()
    click.press("Draw again")
    panel.get_by_label("Draws of each chain").fill("90000")
    click.press("Draw")
    kill_children()
    panel.get_by_text("ended from outside").wait_for()
    assert click.run()["deviance"] == pytest.approx(47116.793477, abs=1e-5)
    click.tab("Tests")
    page.get_by_label("Parametric bootstrap, data sets").fill("40")
    click.press("Simulate")
    sync_api.expect(page.locator("#bootstrap pre")).to_contain_text("g00", timeout=60_000)


def kill_children() -> None:
    """Kill the window's worker, as a computer without memory does."""
    for status in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = status.read_bytes().decode(errors="replace")
        except OSError:
            continue
        if "spawn_main" in line and "resource_tracker" not in line:
            parent = re.search(r"PPid:\s*(\d+)", (status.parent / "status").read_text())
            assert parent is not None
            if "\0app\0" in Path(f"/proc/{parent[1]}/cmdline").read_bytes().decode():
                os.kill(int(status.parent.name), 9)


def test_the_keyboard_alone_is_enough(click):
    page = click.page
    click.button("High School and Beyond").focus()
    page.keyboard.press("Enter")
    click.button("mathach").wait_for()
    click.button("mathach").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    click.button("u0").wait_for()
    click.settled()
    assert page.evaluate("document.activeElement.dataset.name") == "mathach"
    page.keyboard.press("ArrowUp")
    assert page.evaluate("document.activeElement.dataset.name") == "ses"
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    click.button("u1").wait_for()
    click.button("u1").focus()
    page.keyboard.press("Space")
    page.locator("#u1[aria-pressed=true]").wait_for()
    sync_api.expect(click.button("u1")).to_be_focused()
    click.button("ses").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.dataset.name") == "ses"
    click.button("Run").focus()
    page.keyboard.press("Enter")
    page.get_by_role("tab", name="Report").focus()
    page.keyboard.press("ArrowRight")
    sync_api.expect(page.get_by_role("tab", name="HLM listing")).to_be_focused()
    page.locator("pre.listing").wait_for()


@pytest.mark.parametrize("width", [400, 1200, 1600])
def test_every_page_is_accessible_and_fits(click, width):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = click.page
    page.set_viewport_size({"width": width, "height": 900})

    def fine(where: str) -> None:
        click.settled()
        serious = [
            f"{where}: {violation['id']} {violation['nodes'][0]['html'][:200]}"
            for violation in axe.run(page).response["violations"]
            if violation["impact"] in ("serious", "critical")
        ]
        assert not serious, "\n".join(serious)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, where

    fine("welcome")
    click.press("High School and Beyond")
    fine("open")
    build_model4(click)
    click.press("Mixed model")
    click.button("ses").click()
    fine("menu")
    page.keyboard.press("Escape")
    click.run()
    for tab in ("Report", "HLM listing", "Figures", "Residuals", "Tests", "Compare"):
        click.tab(tab)
        fine(tab)
    for panel in ("Data", "Settings", "Code", "Posterior"):
        click.press(panel)
        fine(panel)


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


def test_many_variables_are_searched(click, tmp_path):
    file = tmp_path / "wide.csv"
    names = [f"x{k}" for k in range(2000)]
    rows = [
        ",".join([str(j), *(str((j * k + i) % 7) for k in range(2000))]) for j in range(5) for i in range(4)
    ]
    file.write_text("\n".join([",".join(["id", *names]), *rows]))
    click.page.locator("#files").set_input_files(str(file))
    click.page.get_by_label("Find a variable").fill("x1999")
    sync_api.expect(click.page.locator(".variable:visible")).to_have_count(1)


def test_ctrl_c_stops_it():
    process, _ = served()
    process.send_signal(2)
    process.communicate(timeout=15)
    assert process.returncode == 0
