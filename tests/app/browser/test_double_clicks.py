"""A double click, which people who come from other programs make everywhere, is one click."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.slow


def test_a_double_click_does_what_a_click_does(click):
    page = click.page
    click.press("High School and Beyond")
    click.button("mathach").dblclick()
    click.expect(page.get_by_role("menuitem", name="Outcome variable")).to_be_visible()
    page.get_by_role("menuitem", name="Outcome variable").dblclick()
    click.expect(click.region("Level-1 model")).to_contain_text("mathach")
    click.button("Run").dblclick()
    page.get_by_role("heading", name="Results: Model 1", exact=True).wait_for()
    click.settled()
    click.press("Run")
    page.get_by_role("heading", name="Results: Model 2", exact=True).wait_for()
    page.reload()  # which shows every model that the program has
    click.expect(page.locator("#runs li")).to_have_count(2)
    click.press("Posterior")
    click.region("Posterior distribution").get_by_role("button", name="Draw", exact=True).dblclick()
    page.locator("#stop-posterior").or_(page.get_by_role("link", name="All draws (.nc)")).first.wait_for()
    assert page.locator(".box.error").count() == 0
