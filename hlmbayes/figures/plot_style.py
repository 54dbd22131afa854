"""How the figures look: 800 pixels wide, colours told apart by everybody, labels that do not collide.

Colours: Okabe & Ito (2008), "Color Universal Design", without the yellow that white paper swallows.
matplotlib is imported when the first figure is drawn.
"""

from __future__ import annotations

import logging
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import OutputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLUE, VERMILLION, GREEN, ORANGE = "#0072B2", "#D55E00", "#009E73", "#E69F00"
PURPLE, SKY, INK, GREY, PALE = "#CC79A7", "#56B4E9", "#222222", "#767676", "#D9D9D9"
CYCLE = (BLUE, ORANGE, INK, VERMILLION, SKY, GREEN, PURPLE)  # the first differ in grey, too
DASHES = ("-", "--", ":", "-.")
TYPICAL = (0, (1.0, 1.4))  # the dots of what is at u = 0
MARKERS = ("o", "s", "^", "D", "v", "P", "X")  # beside the colours, which a grey print has not
LONGEST_ID = 20  # letters of an id in a figure
SIZE = (8.0, 5.0)  # inches: 800 x 500 pixels
DOTS = 100  # an inch
PLACES = 60  # at which a smooth curve is drawn
SMALL = 9.5
MANY = 20_000  # beyond, an even sample of the points is drawn: more ink shows no more
HEAVY = 2_000  # points of one scatter, beyond which they are dots also in a PDF or SVG
MANY_UNITS = 400  # of those that have an interval or a line each
FALLBACKS = (  # fonts with the letters that matplotlib's own has not: Windows', macOS', Linux's
    *("Microsoft YaHei", "Yu Gothic", "Malgun Gothic", "Leelawadee UI", "Nirmala UI", "Segoe UI"),
    *("PingFang SC", "Hiragino Sans", "Apple SD Gothic Neo", "Arial Unicode MS"),
    *("Noto Sans CJK SC", "Noto Sans CJK JP", "WenQuanYi Zen Hei", "WenQuanYi Micro Hei"),
)
STYLE: dict[str, Any] = {
    "figure.dpi": DOTS,
    "savefig.dpi": DOTS,
    "font.size": 11,
    "axes.labelsize": 11.5,
    "axes.labelpad": 6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    **dict.fromkeys(("axes.labelcolor", "text.color", "xtick.color", "ytick.color"), INK),
    **dict.fromkeys(("xtick.labelsize", "ytick.labelsize"), 10.5),
    "axes.unicode_minus": True,
    "legend.frameon": False,
}


def plain(*texts: object) -> dict[str, Any]:
    """How text from data is written: a $ in it is a $, and letters are of an installed font that has them.

    The fonts are looked for only where a text has letters beyond those of matplotlib's own, DejaVu Sans.
    """
    if not any("\u0900" <= c < "\u1e00" or c >= "\u2e80" for text in texts for c in str(text)):
        return {"parse_math": False}
    import matplotlib as mpl

    return {"parse_math": False, "family": [*mpl.rcParams["font.family"], *_installed()]}


@cache
def _installed() -> tuple[str, ...]:
    """Those of `FALLBACKS` that this machine has; matplotlib says no more that one has no bold face."""
    from matplotlib.font_manager import fontManager

    known = set(fontManager.get_font_names())
    logging.getLogger("matplotlib.font_manager").addFilter(
        lambda record: not any(name in record.getMessage() for name in FALLBACKS)
    )
    return tuple(name for name in FALLBACKS if name in known)


def axes(ax: Axes | None, size: tuple[float, float] = SIZE) -> Axes:
    """Return the axes given, or those of a new figure in the house style; refuse what is not axes."""
    if ax is not None:
        from matplotlib.axes import Axes

        if not isinstance(ax, Axes):
            raise OutputError(
                f"ax={ax!r} is not matplotlib axes: leave it out for a new figure, and name other arguments "
                '(coefficient="b1")'
            )
        return ax
    import matplotlib.pyplot as plt

    with plt.rc_context(STYLE):  # type: ignore[arg-type]
        return plt.subplots(figsize=size, layout="constrained")[1]


@contextmanager
def closed_after() -> Iterator[None]:
    """Close the figures that are made meanwhile."""
    import matplotlib.pyplot as plt

    before = set(plt.get_fignums())
    try:
        yield
    finally:
        for number in set(plt.get_fignums()) - before:
            plt.close(number)


def finish(ax: Axes, title: str, x: str, y: str, *, counts: str = "") -> Axes:
    """Write title and axis labels, broken into lines where they are long.

    ``counts`` names the axes ("x", "y") that count units: they have ticks at whole numbers only.
    """
    from matplotlib.ticker import MaxNLocator

    for axis in counts:
        getattr(ax, f"{axis}axis").set_major_locator(MaxNLocator("auto", integer=True))
    ax.set_title(wrapped(title, 62), loc="left", fontsize=13, fontweight="bold", pad=10, **plain(title))
    ax.set_xlabel(wrapped(x, 66), **plain(x))
    ax.set_ylabel(wrapped(y, 44), **plain(y))
    return ax


def wrapped(text: str, width: int) -> str:
    """Break text into as few lines as the width allows, five at most, of equal length; words if need be."""
    text = shortened(text, 4 * width)
    lines = max(-(-len(text) // width), 1)
    longest = min(max(map(len, text.split()), default=0), width)
    return "\n".join(textwrap.wrap(text, min(width, max(-(-len(text) // lines) + 6, longest))))


def named(label: str, name: str) -> str:
    """Return "label (name)", or the name alone where there is no label."""
    return name if label.lower() == name.lower() else f"{label} ({name})"


def zero_line(ax: Axes) -> None:
    """Draw a thin line at y = 0 behind everything."""
    ax.axhline(0.0, color=GREY, linewidth=0.9, zorder=0.5)


def legend(ax: Axes, **options: Any) -> None:
    """Draw the legend small, beside the axes if ``outside``."""
    if options.pop("outside", False):
        options |= {"loc": "upper left", "bbox_to_anchor": (1.02, 1.0), "borderaxespad": 0.0}
    title = options.pop("title", None)
    if title:
        title = "\n".join(textwrap.wrap(shortened(title, 120), 24))
    drawn = ax.legend(fontsize=SMALL + 0.5, frameon=False, title=title, alignment="left", **options)
    drawn.get_title().set_fontsize(SMALL + 0.5)
    for text in drawn.get_texts():
        text.set(text=shortened(text.get_text(), 80), **plain(text.get_text()))
    drawn.get_title().set(**plain(title or ""))


def smooth(x: np.ndarray, y: np.ndarray, span: float = 0.6) -> tuple[np.ndarray, np.ndarray]:
    """Smooth y over x by local straight lines with tricube weights (Cleveland 1979), not robustified.

    Parameters
    ----------
    x, y : ndarray, shape (n,)
    span : float
        Share of the points that count at each place.

    Returns
    -------
    grid, fitted : ndarray, shape (PLACES,)
        Places evenly between the smallest and largest x; empty where x has fewer than three distinct values.
    """
    ok = np.isfinite(x) & np.isfinite(y)
    x, y = x[ok], y[ok]
    if len(np.unique(x)) < 3:
        return np.zeros(0), np.zeros(0)
    grid = np.linspace(x.min(), x.max(), PLACES)
    nearest = min(len(x) - 1, max(2, int(np.ceil(span * len(x)))))
    fitted = np.empty(PLACES)
    for k, at in enumerate(grid):  # a loop over places, not rows: memory stays O(n)
        d = np.abs(x - at)
        reach = max(float(np.partition(d, nearest)[nearest]), 1e-12 * max(1.0, float(np.ptp(x))))
        w = np.clip(1.0 - (d / (reach * 1.0001)) ** 3, 0.0, None) ** 3
        center = w @ x / w.sum()
        spread = w @ (x - center) ** 2
        slope = (w @ ((x - center) * y)) / spread if spread > 1e-12 * w.sum() * np.var(x) else 0.0
        fitted[k] = w @ y / w.sum() + slope * (at - center)
    return grid, fitted


def jitter(n: int, width: float = 0.12) -> np.ndarray:
    """Return n offsets that spread points evenly and always the same (a golden-ratio sequence)."""
    return width * (2.0 * np.modf(0.618033988749895 * np.arange(1, n + 1))[0] - 1.0)


def label_points(
    ax: Axes, x: np.ndarray, y: np.ndarray, texts: Sequence[Any], all_x: np.ndarray, all_y: np.ndarray
) -> None:
    """Write a text at each point (x, y) where it covers no other label and as few points as can be.

    The axes' limits must be final. A text for which there is no room is left out.
    """
    figure = ax.figure.figure  # of a subfigure, too, the whole one
    figure.draw_without_rendering()
    frame = ax.get_window_extent()
    drawn = ax.transData.transform(np.column_stack([all_x, all_y]))
    key = ax.get_legend()
    taken: list[Any] = [] if key is None else [key.get_window_extent()]
    for px, py, text in zip(x, y, texts, strict=True):
        look: dict[str, Any] = {"fontsize": SMALL, "color": INK, "zorder": 6, **plain(text)}
        note = ax.annotate(str(text), (px, py), (0, 0), textcoords="offset points", **look)
        best, best_cost = None, np.inf
        for dx, dy, ha, va in _PLACES:
            note.set(ha=ha, va=va)
            note.xyann = (dx, dy)
            box = note.get_window_extent()
            inside = (
                frame.x0 <= box.x0 and box.x1 <= figure.bbox.x1 and frame.y0 <= box.y0 <= box.y1 <= frame.y1
            )
            if not inside or any(box.padded(1.0).overlaps(other) for other in taken):
                continue
            covered = (abs(drawn - [(box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2]) <= [
                box.width / 2 + 3, box.height / 2 + 3
            ]).all(axis=1).sum()  # fmt: skip
            cost = 10.0 * covered + abs(dx) + abs(dy)
            if cost < best_cost:
                best, best_cost = (dx, dy, ha, va), cost
        if best is None:
            note.remove()
            continue
        note.set(ha=best[2], va=best[3])
        note.xyann = best[:2]
        taken.append(note.get_window_extent())


def label_ends(ax: Axes, x: np.ndarray, y: np.ndarray, texts: Sequence[Any], side: str) -> None:
    """Write texts in the left or right margin of the axes, one above the other, a thin line to each point."""
    if not len(x):
        return
    low, high = ax.get_ylim()
    gap = 0.047 * (high - low)
    order = np.argsort(y, kind="stable")
    places = y[order].astype(float)
    for k in range(1, len(places)):
        places[k] = max(places[k], places[k - 1] + gap)
    places += y.mean() - places.mean()
    first, last = ax.get_xlim()
    edge, ha = (first + 0.012 * (last - first), "left") if side == "left" else (last, "right")
    for at, place in zip(order, places, strict=True):
        ax.annotate(
            str(texts[at]), (x[at], y[at]), xytext=(edge, place), ha=ha, va="center", fontsize=SMALL,
            arrowprops={"arrowstyle": "-", "color": GREY, "linewidth": 0.6, "shrinkA": 1.0, "shrinkB": 3.0},
            color=INK, **plain(texts[at]),
        )  # fmt: skip


_SIDES = ((6, 0), (-6, 0), (0, 6), (0, -6), (5, 5), (-5, 5), (5, -5), (-5, -5))
_PLACES = [  # of a text beside its point: offsets in points, alignments
    (dx * far, dy * far, ("center", "left", "right")[np.sign(dx)], ("center", "bottom", "top")[np.sign(dy)])
    for far in (1, 2, 3)
    for dx, dy in _SIDES
]


def evenly(*arrays: np.ndarray) -> tuple[np.ndarray, ...]:
    """Give every so-many-th element of each array, so that at most `MANY` are left; the ends stay."""
    n = len(arrays[0])
    if n <= MANY:
        return arrays
    index = np.unique(np.linspace(0, n - 1, MANY).astype(int))
    return tuple(a[index] for a in arrays)


def category_ticks(ax: Axes, places: np.ndarray, names: Sequence[str]) -> None:
    """Mark places along x by the names of categories, aslant where they are long."""
    names = [shortened(name, 24) for name in names]
    ax.set_xticks(places, names, **plain(*names))
    if sum(map(len, names)) > 70:
        ax.tick_params("x", rotation=30)


def evenly_of(order: np.ndarray, most: int) -> np.ndarray:
    """Give at most so many of the places in ``order``, every so-many-th; the first and the last stay."""
    places = np.linspace(0, len(order) - 1, min(len(order), most)).astype(int)
    return np.asarray(order[np.unique(places)])


def thinned(words: str, shown: int, of: int) -> str:
    """Add to words how many of how many are shown, where not all are."""
    return words if shown == of else f"{words} ({shown:,} of {of:,})"


def id_text(value: Any) -> str:
    """Write a unit's id without a needless ".0", the middle of a long one left out."""
    whole = isinstance(value, float | np.floating) and float(value).is_integer()
    text = f"{value:.0f}" if whole else str(value)
    return shortened(text, LONGEST_ID)


def shortened(text: str, most: int) -> str:
    """Leave out the middle of a text that is longer."""
    return text if len(text) <= most else f"{text[: most // 2]}\u2026{text[-(most // 2) :]}"


def number(value: float) -> str:
    """Write a number for a label: three significant digits (whole numbers in full), a real minus sign."""
    return (f"{value:,.0f}" if 1000 <= abs(value) < 1e9 else f"{value:.3g}").replace("-", "\u2212")
