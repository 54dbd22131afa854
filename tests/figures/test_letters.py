"""Names in letters that matplotlib's own font has not are drawn with an installed font that has them."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import pytest
from matplotlib import font_manager

import hlmbayes as hlm
from hlmbayes.figures import plot_style
from tests.small import model, small

fonts = pytest.importorskip("fontTools.fontBuilder")
pens = pytest.importorskip("fontTools.pens.ttGlyphPen")
NAME = "WenQuanYi Zen Hei"
TITLE = "学校"


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[None]:
    """A font of one face, regular, that has two letters, each of them a square."""
    pen = pens.TTGlyphPen(None)
    pen.moveTo((0, 0))
    for corner in ((0, 800), (800, 800), (800, 0)):
        pen.lineTo(corner)
    pen.closePath()
    square = pen.glyph()
    builder = fonts.FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", "a", "b"])
    builder.setupCharacterMap({ord(TITLE[0]): "a", ord(TITLE[1]): "b"})
    builder.setupGlyf(dict.fromkeys((".notdef", "a", "b"), square))
    builder.setupHorizontalMetrics(dict.fromkeys((".notdef", "a", "b"), (1000, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": NAME, "styleName": "Regular"})
    builder.setupOS2(usWeightClass=400)
    builder.setupPost()
    builder.save(tmp_path / "font.ttf")
    before = list(font_manager.fontManager.ttflist)
    font_manager.fontManager.addfont(tmp_path / "font.ttf")
    plot_style._installed.cache_clear()
    yield
    font_manager.fontManager.ttflist[:] = before
    plot_style._installed.cache_clear()


def drawn_without_a_word(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Draw residuals against a variable with such a label; gives the fonts of its label."""
    data = small().data()
    fit = model("slopes").fit(data)
    with warnings.catch_warnings(), caplog.at_level(logging.WARNING, "matplotlib.font_manager"):
        warnings.simplefilter("error")
        ax = hlm.plots.caterpillar(fit)
        plot_style.finish(ax, TITLE, TITLE, TITLE)
        plot_style.category_ticks(ax, [0.0], [TITLE])
        ax.figure.canvas.draw()
    plt.close("all")
    assert caplog.records == []
    return ax.xaxis.label.get_fontfamily()


@pytest.mark.usefixtures("installed")
def test_letters_are_of_an_installed_font_and_nothing_is_said_of_fonts(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert drawn_without_a_word(caplog) == [*plt.rcParams["font.family"], NAME]


def test_without_such_letters_no_font_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plot_style, "_installed", lambda: pytest.fail("fonts were looked for"))
    assert plot_style.plain("Größe σ² ≤ 5 €", "школа", 7) == {"parse_math": False}
    monkeypatch.setattr(plot_style, "_installed", lambda: (NAME,))
    for text in ("학교", "がっこう", "विद्यालय", "โรงเรียน"):
        assert plot_style.plain(text)["family"][-1] == NAME
