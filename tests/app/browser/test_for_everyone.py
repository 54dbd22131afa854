"""Keyboard, screen readers, narrow and wide pages, print."""

from __future__ import annotations

import pytest

from .clicks import build_model4

pytestmark = pytest.mark.slow


def walk_to(page, name: str) -> None:
    """Press Tab until what has this name has the focus."""
    script = "(document.activeElement.ariaLabel || document.activeElement.innerText || '').trim()"
    for _ in range(120):
        page.keyboard.press("Tab")
        if page.evaluate(script) == name:
            return
    raise AssertionError(f"Tab does not reach {name}")


def test_a_model_is_built_run_and_saved_without_a_mouse(click):
    page = click.page
    walk_to(page, "High School and Beyond")
    page.keyboard.press("Enter")
    click.button("mathach").wait_for()
    for variable, steps in (("mathach", 0), ("ses", 2)):
        walk_to(page, variable)
        page.keyboard.press("Enter")
        for _ in range(steps):
            page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        click.settled()
    for name in ("u1", "b1"):
        walk_to(page, name)
        page.keyboard.press("Space")
        page.locator(f"#{name}[aria-pressed=true]").wait_for()
    walk_to(page, "sector")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    click.expect(click.region("Level-2 model")).to_contain_text("sector")
    walk_to(page, "Settings")
    page.keyboard.press("Enter")
    page.get_by_label("Title").wait_for()
    walk_to(page, "Use these settings")
    page.keyboard.press("Enter")
    page.get_by_text("Taken.").wait_for()
    walk_to(page, "Run")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Results: Model 1").wait_for()
    walk_to(page, "Report")
    page.keyboard.press("ArrowRight")
    page.locator("pre.listing").wait_for()
    walk_to(page, "Save as .hlm")
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    assert download.value.suggested_filename == "model.hlm"


def test_it_prints_the_model_and_its_report(click):
    page = click.page
    click.press("High School and Beyond")
    build_model4(click)
    click.press("u1")
    click.run()
    page.emulate_media(media="print")
    for name in ("Run", "Open", "Undo", "ses"):
        click.expect(click.button(name)).to_be_hidden()
    click.expect(click.region("Level-1 variables")).to_be_hidden()
    click.expect(click.region("Level-1 model")).to_be_visible()
    click.expect(page.get_by_role("tabpanel")).to_contain_text("Final estimation of fixed effects")
    assert page.locator("#u1").is_hidden()  # it is off
    assert page.locator("#u0").is_visible()
    assert page.pdf()[:4] == b"%PDF"


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
    click.page.set_viewport_size({"width": width, "height": 900})
    click.fine("welcome")
    click.press("High School and Beyond")
    click.fine("open")
    build_model4(click)
    click.press("Mixed model")
    click.button("ses").click()
    click.fine("menu")
    click.page.keyboard.press("Escape")
    click.run()
    click.fine_everywhere()
