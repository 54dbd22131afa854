"""The report with its few figures: where the variance lies, what predicts, how units differ, what is left."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from ..errors import HLMError
from ..estimation.estimates import Estimates
from ..hglm.estimates import GeneralizedEstimates
from ..report.findings import Findings
from ..report.generalized import Test, to_html
from ..report.report_page import page
from ..report.tables import Tables
from .figure_set import AnyEstimates, figures
from .plot_style import closed_after, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# the first of each kind
CHOSEN = ("variance_bars", "predicted", "caterpillar", "chi2_qq", "level1_qq", "influence")
OF_LINK = ("variance_bars", "predicted", "level1_equations", "caterpillar", "effects_qq", "level1_qq")
DOTS = 190  # an inch
WIDTH = 5.8  # in inches: so small that its words can be read where the page is 400 pixels wide
WITH_LEGEND = {"variance_bars": 7.6}  # where the legend is beside it


def report(fit: Estimates, tables: Tables, found: Findings) -> str:
    """Return the report of a fit as one page."""
    return page(tables, found, report_figures(fit))


def link_report(fit: GeneralizedEstimates, warnings: Sequence[str] = (), tests: Sequence[Test] = ()) -> str:
    """Return the page of a fit whose outcome is not normal, with tests that print themselves."""
    return to_html(fit, warnings=warnings, images=report_figures(fit), tests=tests)


def report_figures(fit: AnyEstimates) -> dict[str, tuple[str, bytes]]:
    """Draw the figures of a report as PNG: name -> (title, image); what cannot be drawn is not there."""
    known, found = figures(fit), {}
    for kind in CHOSEN if isinstance(fit, Estimates) else OF_LINK:
        name = next((name for name in known if name.startswith(kind)), "")
        if name and (image := _drawn(known[name], WITH_LEGEND.get(name, WIDTH))):
            found[name] = image
    return found


def _drawn(draw: Callable[[], Axes], width: float) -> tuple[str, bytes] | None:
    with closed_after(), suppress(HLMError):
        axes = draw()
        file = io.BytesIO()
        title = axes.get_title(loc="left") or axes.get_title()
        for where in ("left", "center"):  # the page has it as text
            axes.set_title("", loc=where)
        figure = axes.figure.figure
        own = figure.get_size_inches()
        figure.set_size_inches(width, width * own[1] / own[0])
        fit_label(axes)
        figure.savefig(file, format="png", dpi=DOTS)
        return " ".join(title.split()), file.getvalue()
    return None


def fit_label(axes: Axes) -> None:
    """Break the label of y into more lines where the figure has become too low for it."""
    figure, label = axes.figure.figure, axes.yaxis.label
    figure.draw_without_rendering()
    extent, longest = label.get_window_extent(), max(map(len, label.get_text().splitlines()), default=0)
    middle = (extent.y0 + extent.y1) / 2.0  # that of the axes, not of the figure
    room = 2.0 * min(middle, figure.bbox.height - middle)
    if extent.height > room:
        fits = int(0.95 * longest * room / extent.height)
        label.set_text(wrapped(" ".join(label.get_text().split()), fits))
