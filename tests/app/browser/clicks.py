"""What a person does in the window, by the labels that they read, and what the command line says to it.

The pictures of docs/window.md are made here: HLMBAYES_PICTURES=docs/window says where they go.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from hlmbayes.cli import main
from hlmbayes.datasets import hsb_paths


def served(*arguments: str) -> tuple[subprocess.Popen[str], str]:
    """Start the window; gives its process and its address."""
    command = [sys.executable, "-m", "hlmbayes", "app", "--no-browser", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("hlmbayes app: http://127.0.0.1:")
    return process, line.split(": ", 1)[1].strip()


class Clicks:
    """What a person does, by the labels that they read."""

    def __init__(self, page: Any) -> None:
        self.page = page

    def expect(self, what: Any) -> Any:
        """An assertion that waits until it holds."""
        from playwright.sync_api import expect

        return expect(what)

    def button(self, name: str, **more: Any) -> Any:
        return self.page.get_by_role("button", name=name, exact=True, **more)

    def settled(self) -> None:
        self.page.locator("#busy:not(.on)").wait_for(state="attached")
        self.page.locator("section[aria-label=Reading]").wait_for(state="detached")

    def press(self, name: str) -> None:
        self.button(name).click()
        self.settled()

    def menu(self, variable: str, item: str) -> None:
        self.button(variable).click()
        self.page.get_by_role("menuitem", name=item).click()
        self.settled()

    def run(self) -> dict[str, Any]:
        """Click Run, and give the JSON of what it shows."""
        self.estimate("Run")
        return self.json()

    def estimate(self, name: str) -> None:
        """Click what estimates a model, and wait until the new one is shown."""
        before = self.page.locator("#runs li").count()
        self.press(name)
        new = self.page.locator("#runs li").nth(before).get_by_role("button").first
        self.page.get_by_role("heading", name=f"Results: {new.inner_text()}", exact=True).wait_for()
        self.page.locator("#fitting:empty").wait_for(state="attached")
        self.settled()

    def files(self, *paths: Path) -> None:
        """Open files, and wait until they, or what is wrong with them, are there."""
        old = self.page.locator("#main").element_handle()
        self.page.locator("#files").set_input_files([str(path) for path in paths])
        old.wait_for_element_state("hidden")  # the answer has another in its place
        self.settled()

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

    def fine(self, where: str) -> None:
        """Hold a page to be accessible and no wider than its window."""
        axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
        self.settled()
        serious = [
            f"{where}: {violation['id']} {violation['nodes'][0]['html'][:200]}"
            for violation in axe.run(self.page).response["violations"]
            if violation["impact"] in ("serious", "critical")
        ]
        assert not serious, "\n".join(serious)
        width = self.page.viewport_size["width"]
        assert self.page.evaluate("document.documentElement.scrollWidth") <= width, where

    def fine_everywhere(self) -> None:
        """Hold every tab of the results and every panel to that."""
        for tab in ("Report", "HLM listing", "Figures", "Residuals", "Tests", "Compare"):
            self.tab(tab)
            self.fine(tab)
        for panel in ("Data", "Settings", "Code", "Posterior"):
            self.press(panel)
            self.fine(panel)

    def picture(self, name: str, height: int = 900) -> None:
        """Keep a picture for docs/window.md, where one is wanted."""
        if folder := os.environ.get("HLMBAYES_PICTURES"):
            self.page.evaluate("document.activeElement.blur()")
            self.page.mouse.move(0, 0)
            whole = {"x": 0, "y": 0, "width": 1200, "height": height}
            shot = Image.open(BytesIO(self.page.screenshot(full_page=True, clip=whole)))
            shot.convert("RGB").quantize(48).save(f"{folder}/{name}.png", optimize=True)

    def settings(self, fields: dict[str, str | bool]) -> None:
        """Fill in the settings, by their labels, and use them."""
        self.press("Settings")
        for label, value in fields.items():
            box = self.region("Settings").get_by_label(label)
            if isinstance(value, bool):
                box.set_checked(value)
            elif box.evaluate("box => box.tagName") == "SELECT":
                box.select_option(label=value)
            else:
                box.fill(value)
        self.press("Use these settings")
        self.page.get_by_text("Taken.").wait_for()
        self.press("Close")

    def saved(self, folder: Path) -> dict[str, Any]:
        """Save as .hlm, and give what the command line says of that file."""
        with self.page.expect_download() as download:
            self.button("Save as .hlm").click()
        file, out = folder / "saved.hlm", folder / "saved.json"
        download.value.save_as(file)
        one, two = map(str, hsb_paths())
        where = ["--level1", one, "--level2", two, "--id", "id"]
        main(["run", str(file), *where, "--json", str(out), "--output", os.devnull])
        found: dict[str, Any] = json.loads(out.read_text())
        return found


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
