"""The figures that fit a model: all of them, the eight that matter most, those asked for; and their files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..derived.r2 import NEEDS as R2_NEEDS
from ..diagnostics.link_point import LinkPoint, link_point
from ..diagnostics.predictions import find_variable, variables_of
from ..errors import HLMError, OutputError
from ..estimation.estimates import Estimates
from ..hglm.estimates import GeneralizedEstimates
from ..hglm.pql import PQLEstimates
from ..residuals.frames import level2_names
from ..words import safe_name, unique_name
from ..writing import write_whole
from .calibration_plot import calibration
from .level1_plots import influence, influence_on_effects, residuals_against_fitted
from .level2_plots import caterpillar, effect_against, shrinkage
from .model_graphs import predicted, usual_values
from .normality_plots import chi2_qq, effects_qq, level1_qq, log_sd_histogram, log_sd_qq
from .plot_style import DOTS, closed_after
from .unit_boxes import boxes_by_unit, is_zero_or_one, proportions_by_unit, residuals_by_unit
from .unit_lines import level1_equations
from .variance_bars import variance_bars
from .wording import FEW

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Figures = dict[str, Callable[[], "Axes"]]
type AnyEstimates = Estimates | GeneralizedEstimates | PQLEstimates
OF_UNITS: tuple[Callable[..., Axes], ...] = (chi2_qq, log_sd_histogram, log_sd_qq, shrinkage)
OF_ROWS: tuple[Callable[..., Axes], ...] = (residuals_against_fitted, level1_qq, residuals_by_unit)
MOST_VARIABLES = 12
KINDS = ("png", "svg", "pdf")
EIGHT = 8
MATTER = (  # the kinds that tell most, from which eight are drawn
    "variance_bars", "predicted", "level1_equations", "caterpillar", "effect_against", "chi2_qq",
    "effects_qq", "calibration", "level1_qq", "influence", "residuals_against_fitted", "shrinkage",
    "boxes_by_unit", "proportions_by_unit",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Drawn:
    """The files of figures, and the figures left out: the reason by name."""

    paths: tuple[Path, ...]
    left_out: dict[str, str]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which figures are wanted: ``all``, ``only`` those named, predictions over ``x``; else the telling 8.

    ``by`` has None for a variable whose values are to be chosen. They are written as ``kind``, with ``dpi``
    dots an inch.
    """

    all: bool = False
    only: Sequence[str] = ()
    x: str | None = None
    by: Mapping[str, Any] = field(default_factory=dict)
    at: Mapping[str, Any] = field(default_factory=dict)
    kind: str = "png"
    dpi: int = DOTS


def figures(fit: AnyEstimates) -> Figures:
    """Give the figures of a fit by name, each a function that draws it.

    A figure has the name of its function in `hlmbayes.plots`, followed by the variable and the coefficient it
    is of: ``effect_against_pracad_b0``.
    """
    if isinstance(fit, Estimates):
        return _of_normal(fit)
    point = link_point(fit)
    assert point is not None
    return _of_link(point)


def _of_normal(fit: Estimates) -> Figures:
    found: Figures = _figure(variance_bars, fit) if fit.has(*R2_NEEDS) else {}
    if fit.design.n_random:
        for draw in OF_UNITS:
            found |= _figure(draw, fit)
        found |= _level2_figures(fit)
    if fit.data is not None:
        for draw in OF_ROWS:
            found |= _figure(draw, fit)
    if fit.design.n_fixed:
        found |= _figure(influence, fit) | _figure(influence_on_effects, fit)
    return found | _model_graphs(fit)


def _figure(draw: Callable[..., Axes], fit: Estimates | LinkPoint, *variable: str, **options: Any) -> Figures:
    """Give one figure by its name."""
    coefficient = [options["coefficient"]] if "coefficient" in options else []
    name = "_".join([draw.__name__, *variable, *coefficient]).lower()
    return {name: partial(draw, fit, *variable, **options)}


def _of_link(fit: LinkPoint) -> Figures:
    """Give the figures of a fit whose outcome is not normal."""
    found: Figures = {}
    if isinstance(fit.record, GeneralizedEstimates) and fit.one_equation:
        found = {variance_bars.__name__: partial(variance_bars, fit.record)}
    if fit.design.n_random:
        for coefficient in fit.random_names:
            found |= _figure(effects_qq, fit, coefficient=coefficient)
        found |= _level2_figures(fit)
    if fit.has_mean:
        for draw in OF_ROWS:
            found |= _figure(draw, fit)
    if isinstance(fit.record, GeneralizedEstimates):
        found |= {calibration.__name__: partial(calibration, fit.record)}
    if fit.design.n_fixed and fit.one_equation:
        found |= _figure(influence, fit) | _figure(influence_on_effects, fit)
    return found | _model_graphs(fit)


def _level2_figures(fit: Estimates | LinkPoint) -> Figures:
    found: Figures = {}
    used = [variable.name for variable in variables_of(fit).values() if variable.level == 2]
    inside = [name.lower() for name in used]
    others = [name for name in level2_names(fit) if name.lower() not in inside]
    drawn = [*used, *others][:MOST_VARIABLES]
    for name in sorted(drawn, key=lambda name: name.lower() in inside):  # what is not in the model first
        for coefficient in fit.random_names:
            found |= _figure(effect_against, fit, name, coefficient=coefficient)
    for coefficient in fit.random_names:
        found |= _figure(caterpillar, fit, coefficient=coefficient)
    return found


def _model_graphs(fit: Estimates | LinkPoint) -> Figures:
    """Give a graph of each predictor, with lines for up to two level-2 predictors of its slope.

    One where the outcome is not normal, for u = 0 has lines, too; none where its categories have.
    """
    found: Figures = {}
    categories = isinstance(fit, LinkPoint) and not fit.has_mean
    most = 0 if categories else 1 if isinstance(fit, LinkPoint) else 2
    known = sorted(variables_of(fit).values(), key=lambda variable: variable.level)
    lines = [v for v in known if v.level == 2 and len(v.levels) <= FEW][:most]
    # a category with its own lines in the other graphs needs none of its own
    over = [v for v in known if v not in lines or len(v.distinct) > FEW] or known
    for variable in over:
        others = [v for v in lines if v is not variable]
        found |= _figure(predicted, fit, variable.name, by={v.name: usual_values(v) for v in others})
        if variable.level == 2 or variable.levels or fit.data is None:
            continue
        columns = fit.design.terms.columns_with(variable.name)
        if not variable.is_category and not columns and not categories:
            colour = others[0].name if others and isinstance(fit, Estimates) else None
            found |= _figure(level1_equations, fit, variable.name, colour=colour)
        found |= _by_unit(fit, variable.name)
    in_order = not isinstance(fit, LinkPoint) or fit.one_equation
    return found | _by_unit(fit, fit.model.outcome) if in_order and fit.data is not None else found


def _by_unit(fit: Estimates | LinkPoint, variable: str) -> Figures:
    """Give a level-1 variable's boxes, or proportions, by unit."""
    assert fit.data is not None
    two = is_zero_or_one(np.asarray(fit.data.level1_column(variable), dtype=float))
    return _figure(proportions_by_unit if two else boxes_by_unit, fit, variable)


def most_telling(known: Figures) -> Figures:
    """Give eight figures: the first of each kind, what matters first; with few kinds, others of them."""
    first: dict[str, str] = {}
    drawn: Mapping[str, Any] = known
    for name, draw in drawn.items():
        first.setdefault(draw.func.__name__, name)
    kinds = sorted(first, key=lambda kind: MATTER.index(kind) if kind in MATTER else len(MATTER))
    order = [first[kind] for kind in kinds]
    order += [name for name in known if name not in order]
    return {name: known[name] for name in order[:EIGHT]}


def chosen(fit: AnyEstimates, wanted: Wanted) -> Figures:
    """Give the figures that are wanted.

    Raises
    ------
    OutputError
        A name that no figure has, or begins with.
    """
    if wanted.x is not None:
        known = variables_of(fit)
        by = {n: usual_values(find_variable(known, n)) if v is None else v for n, v in wanted.by.items()}
        name = "_".join(["predicted", wanted.x, *(["by", *by] if by else [])]).lower()
        return {name: partial(predicted, fit, wanted.x, by=by, at=wanted.at)}
    drawable = figures(fit)
    if not wanted.only:
        return drawable if wanted.all else most_telling(drawable)
    return {name: drawable[name] for text in wanted.only for name in _asked(drawable, text)}


def _asked(known: Figures, text: str) -> list[str]:
    """Give the names a text stands for: one, or all it begins ("caterpillar"), or several with commas."""
    key = safe_name(text.strip()).lower()
    if mine := [name for name in known if safe_name(name) == key]:
        return mine
    if mine := [name for name in known if safe_name(name).startswith(f"{key}_")]:
        return mine
    if "," in text:
        return [name for part in text.split(",") if part.strip() for name in _asked(known, part)]
    raise OutputError(f"there is no figure {text.strip()!r}: this model has {', '.join(known)}")


def draw_all(
    drawable: Figures, folder: Path, *, kind: str = "png", dpi: int = DOTS,
    wrote: Callable[[Path], object] = lambda path: None,
) -> Drawn:  # fmt: skip
    """Draw figures as files, ``wrote`` told of each; those the data leave nothing to draw for are left out.

    ``kind`` is "png", "svg" or "pdf"; ``dpi`` the dots an inch of 8 inches. The files' names are safe: none
    leaves the folder. Where one cannot be written the others are, and its OutputError is raised.
    """
    paths: list[Path] = []
    left_out, failed = {}, []
    for name, draw in drawable.items():
        with closed_after():
            try:
                figure = draw().figure.figure
            except HLMError as error:  # all variances zero, for one
                left_out[name] = str(error)
                continue
            except Exception as error:
                failed.append(error)
                continue
            file = folder / f"{unique_name(safe_name(name), [path.stem for path in paths])}.{kind}"
            try:
                paths.append(write_whole(file, partial(figure.savefig, format=kind, dpi=dpi)))
                wrote(paths[-1])
            except Exception as error:
                failed.append(error)
    if failed:
        raise failed[0]
    return Drawn(tuple(paths), left_out)
