"""A narrow page: what is chosen can be read, and what is being written stays."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.slow

CUT = """root => [...root.querySelectorAll("select")].flatMap(select => {
  const look = getComputedStyle(select), pen = document.createElement("canvas").getContext("2d");
  pen.font = look.font;
  const arrow = 20, padding = parseFloat(look.paddingLeft) + parseFloat(look.paddingRight);
  const room = select.clientWidth - padding - arrow;
  return [...select.options].map(o => o.text).filter(text => pen.measureText(text).width > room);
})"""


def test_no_choice_is_cut_on_a_narrow_page(click):
    page = click.page
    click.press("High School and Beyond")
    click.menu("mathach", "Outcome variable")
    click.run()
    page.set_viewport_size({"width": 400, "height": 900})
    click.tab("Compare")
    assert page.locator("#results").evaluate(CUT) == []
    for name in ("Settings", "Posterior"):
        click.press(name)
        assert page.locator("#panel").evaluate(CUT) == []
        click.press("Close")


def test_equations_being_written_stay_when_another_click_redraws_them(click):
    page = click.page
    click.press("High School and Beyond")
    click.menu("mathach", "Outcome variable")
    page.get_by_text("Equations as text").click()
    text, hint = page.locator("#text"), page.get_by_text("This text is not used yet")
    written = "mathach = b0 + r\nb0 = g00 + g01*sector + u0"
    for wrong in ("", " + g99"):  # what is refused is there still, too
        text.fill(written + wrong)
        if wrong:
            click.press("Use this text")
        click.menu("female", "Add uncentred")
        click.expect(text).to_have_value(written + wrong)
        click.expect(hint).to_be_visible()
        click.expect(click.region("Level-1 model")).to_contain_text("female")
    text.fill(written)
    click.press("Use this text")
    click.expect(hint).to_have_count(0)
    click.expect(click.region("Level-2 model")).to_contain_text("sector")
    click.menu("ses", "Add uncentred")
    click.expect(text).to_have_value("mathach = b0 + b1*ses + r\nb0 = g00 + g01*sector + u0\nb1 = g10")
