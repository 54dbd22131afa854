"""The window in a browser, which asks this machine alone and has nothing to complain of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .clicks import Clicks, served

CHROMIUM = next((p for p in ("/usr/bin/chromium", "/usr/bin/chromium-browser") if Path(p).exists()), None)
ARGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
ARGS += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]


PATIENCE = 60_000  # ms: a machine that is at other things, too, takes its time


@pytest.fixture(scope="session")
def program() -> Iterator[tuple[int, str]]:
    """The window's process, which tests that run beside these have another of, and its address."""
    process, found = served()
    yield process.pid, found
    process.terminate()
    process.communicate(timeout=60)


@pytest.fixture(scope="session")
def address(program: tuple[int, str]) -> str:
    return program[1]


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("no chromium to click with: apt-get install chromium")
    sync_api.expect.set_options(timeout=PATIENCE)
    with sync_api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        yield found
        found.close()


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    """The window in a browser of its own, which asks this machine alone and has nothing to complain of."""
    context = browser.new_context(viewport={"width": 1200, "height": 900}, accept_downloads=True)
    context.set_default_timeout(PATIENCE)
    found = context.new_page()
    asked: list[str] = []
    faults: list[str] = []
    found.on("request", lambda request: asked.append(request.url))
    found.on("pageerror", lambda error: faults.append(str(error)))
    found.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    found.goto(address)
    yield found
    # a picture is taken with a style of the browser driver's own, which the page refuses
    # and a refusal in words (422) is nothing to complain of
    assert [fault for fault in faults if not any(w in fault for w in ("inline style", "of 422"))] == []
    home = address.split("?")[0]
    assert [url for url in asked if not url.startswith((home, "data:", "blob:"))] == []
    context.close()


@pytest.fixture
def click(page: Any) -> Clicks:
    return Clicks(page)
