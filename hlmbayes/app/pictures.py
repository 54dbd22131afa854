"""Figures of a run, drawn one at a time when they are asked for."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Sequence
from threading import Lock
from typing import TYPE_CHECKING

from ..diagnostics.predictions import find_variable, variables_of
from ..errors import OutputError
from ..figures.figure_set import AnyEstimates, figures
from ..figures.model_graphs import predicted, usual_values
from ..figures.plot_style import closed_after
from ..figures.unit_lines import level1_equations

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KINDS = {"png": "image/png", "svg": "image/svg+xml", "pdf": "application/pdf"}
GROUPS = {
    "Model graphs": ("predicted", "level1_equations", "variance_bars"),
    "Units": ("caterpillar", "shrinkage", "boxes_by_unit", "proportions_by_unit", "influence"),
    "Level-2 residuals": ("effect_against", "chi2_qq", "effects_qq", "log_sd"),
}
TITLES = {  # by what names begin with; the variable and the coefficient follow
    "predicted": "Predicted lines over {0}",
    "level1_equations": "Each unit’s line over {0}",
    "variance_bars": "Where the variance lies",
    "caterpillar": "Units with intervals: {0}",
    "shrinkage": "Shrinkage",
    "boxes_by_unit": "{0} by unit",
    "proportions_by_unit": "{0} by unit",
    "residuals_by_unit": "Residuals by unit",
    "influence_on_effects": "Influence of units on each effect",
    "influence": "Influence of units",
    "effect_against": "{1} residuals against {0}",
    "effects_qq": "Normality of random effects: {0}",
    "calibration": "Observed against expected",
    "chi2_qq": "Normality of level 2 (χ² plot)",
    "log_sd_histogram": "Standard deviations of units",
    "log_sd_qq": "Standard deviations of units (normal plot)",
    "residuals_against_fitted": "Residuals against fitted values",
    "level1_qq": "Normality of level 1 (normal plot)",
}
OTHERS = "Level-1 residuals"
DRAWING = Lock()  # matplotlib draws one figure at a time


def pictures(fit: AnyEstimates) -> dict[str, list[str]]:
    """The names of the figures that fit a model, in groups."""
    found: dict[str, list[str]] = {group: [] for group in (*GROUPS, OTHERS)}
    for name in figures(fit):
        own = next((group for group, begins in GROUPS.items() if name.startswith(begins)), OTHERS)
        found[own].append(name)
    return {group: names for group, names in found.items() if names}


def title(name: str) -> str:
    """A figure's name as a person reads it."""
    for begins, words in TITLES.items():
        if name.startswith(begins):
            return words.format(*name[len(begins) :].strip("_").rsplit("_", 1), "")
    return name.replace("_", " ")


def variables(fit: AnyEstimates) -> list[tuple[str, int]]:
    """The predictors that a model graph can have, with their levels."""
    return [(variable.name, variable.level) for variable in variables_of(fit).values()]


def picture(fit: AnyEstimates, name: str, kind: str) -> bytes:
    """Draw a figure by its name.

    Raises
    ------
    OutputError
        There is none of that name, or nothing to draw.
    """
    known = figures(fit)
    if name not in known:
        raise OutputError(f"this model has no figure {name}")
    return drawn(known[name], kind)


def graph(fit: AnyEstimates, draw: str, x: str, by: Sequence[str], at: str, kind: str) -> bytes:
    """Draw predicted lines, or each unit's equation, over a variable.

    ``at`` holds others at values: "sector=1, meanses=0.5".
    """
    if draw == "level1":
        return drawn(lambda: level1_equations(fit, x, colour=by[0] if by else None), kind)
    held = {}
    for part in (p for p in re.split(r"[,;]\s*", at) if p.strip()):
        name, _, value = part.partition("=")
        try:
            held[name.strip()] = float(value)
        except ValueError:
            raise OutputError(f"held at: wanted NAME=NUMBER, got {part.strip()!r}") from None
    known = variables_of(fit)
    lines = {name: usual_values(find_variable(known, name)) for name in by}
    return drawn(lambda: predicted(fit, x, by=lines, at=held or None), kind)


def drawn(draw: Callable[[], Axes], kind: str) -> bytes:
    """The bytes of a figure."""
    os.environ.setdefault("MPLBACKEND", "Agg")  # no windows
    buffer = io.BytesIO()
    with DRAWING, closed_after():
        draw().figure.figure.savefig(buffer, format=kind)
    return buffer.getvalue()
