"""Keyboard, screen readers, narrow and wide pages, print."""

from __future__ import annotations

import pytest

from .clicks import build_model4

pytestmark = pytest.mark.slow


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
    click.expect(click.button("u1")).to_be_focused()
    click.button("ses").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.dataset.name") == "ses"
    click.button("Run").focus()
    page.keyboard.press("Enter")
    page.get_by_role("tab", name="Report").focus()
    page.keyboard.press("ArrowRight")
    click.expect(page.get_by_role("tab", name="HLM listing")).to_be_focused()
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
