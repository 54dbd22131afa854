"""What a test of a figure asks of it: what its artists hold, and that no text covers another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib.colors import to_rgba
from matplotlib.text import Text

OKABE_ITO = {"#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"}


def points(ax: Any, k: int = 0) -> np.ndarray:
    """Places of the k-th scatter, (n, 2)."""
    scatters = [c for c in ax.collections if type(c).__name__ == "PathCollection"]
    return np.asarray(scatters[k].get_offsets())


def notes(ax: Any) -> dict[str, tuple[float, float]]:
    """Texts written at points, and the points."""
    return {t.get_text(): t.xy for t in ax.texts if hasattr(t, "xy")}


def legend_texts(ax: Any) -> list[str]:
    return [t.get_text() for t in ax.get_legend().get_texts()]


def shown_texts(ax: Any) -> Iterator[Text]:
    """Every text that is drawn, tick labels included."""
    ticks = [*_ticks(ax.xaxis), *_ticks(ax.yaxis)]
    titles = [ax.title, ax._left_title, ax._right_title, ax.xaxis.label, ax.yaxis.label]
    key = [*ax.get_legend().get_texts(), ax.get_legend().get_title()] if ax.get_legend() else []
    for text in (*ticks, *titles, *ax.texts, *key):
        if text.get_visible() and text.get_text().strip():
            yield text


def _ticks(axis: Any) -> list[Text]:
    low, high = sorted(axis.get_view_interval())
    return [t.label1 for t in axis.get_major_ticks() if low <= t.get_loc() <= high]


def check_legible(ax: Any) -> None:
    """No text is smaller than 9 points, off the canvas, or over another text; axes and title have words."""
    figure = ax.figure
    figure.draw_without_rendering()
    assert figure.get_size_inches()[0] * figure.dpi == 800
    assert ax.get_xlabel()
    assert ax.get_ylabel()
    assert ax._left_title.get_text()
    texts = list(shown_texts(ax))
    boxes = [text.get_window_extent() for text in texts]
    canvas = figure.bbox
    for text, box in zip(texts, boxes, strict=True):
        assert text.get_fontsize() >= 9, text
        inside = box.x0 >= -1 and box.y0 >= -1 and box.x1 <= canvas.x1 + 1 and box.y1 <= canvas.y1 + 1
        assert inside, f"{text.get_text()!r} leaves the canvas"
    shrunk = [box.padded(-1.0) for box in boxes]
    over = [(k, m) for k in range(len(texts)) for m in range(k) if shrunk[k].overlaps(shrunk[m])]
    x, y = set(_ticks(ax.xaxis)), set(_ticks(ax.yaxis))
    for k, m in over:  # the first labels of the two axes may come near each other in the corner
        pair = {texts[k], texts[m]}
        corner = pair & x and pair & y
        assert corner, f"{texts[k].get_text()!r} covers {texts[m].get_text()!r}"


def colours(ax: Any) -> set[str]:
    """Colours of points and lines that are no grey."""
    used = set()
    for artist in (*ax.collections, *ax.lines):
        faces = artist.get_color() if hasattr(artist, "get_color") else artist.get_facecolor()
        for rgba in np.atleast_2d([to_rgba(c) for c in ([faces] if isinstance(faces, str) else faces)]):
            if np.ptp(rgba[:3]) > 0.05:
                used.add("#" + "".join(f"{round(255 * v):02X}" for v in rgba[:3]))
    return used
