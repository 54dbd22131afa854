"""All figures that fit a model, as `hlmbayes plot` and the example draw them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..diagnostics.predictions import Variable, variables_of
from ..errors import OutputError
from ..estimation.estimates import Estimates
from ..residuals.frames import level2_names
from ..words import safe_name, unique_name
from ..writing import write_whole
from .level1_plots import influence, influence_on_effects, residuals_against_fitted
from .level2_plots import caterpillar, effect_against, shrinkage
from .model_graphs import level1_equations, predicted
from .normality_plots import chi2_qq, level1_qq, log_sd_histogram, log_sd_qq
from .unit_boxes import boxes_by_unit, residuals_by_unit
from .wording import FEW

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Figures = dict[str, Callable[[], "Axes"]]
MOST_VARIABLES = 12


@dataclass(frozen=True, slots=True)
class Drawn:
    """The files of figures, and the figures left out: the reason by name."""

    paths: tuple[Path, ...]
    left_out: dict[str, str]


def figures(fit: Estimates) -> Figures:
    """Give the figures of a fit by name, each a function that draws it.

    A figure has the name of its function in `hlmbayes.plots`, followed by the variable and the coefficient it
    is of: ``effect_against_pracad_b0``.
    """
    found: Figures = {}
    if fit.design.n_random:
        found |= _level2_figures(fit)
    if fit.data is not None:
        for draw in (residuals_against_fitted, level1_qq, residuals_by_unit):
            found |= _figure(draw, fit)
    if fit.design.n_fixed:
        found |= _figure(influence, fit) | _figure(influence_on_effects, fit)
    return found | _model_graphs(fit)


def _figure(draw: Callable[..., Axes], fit: Estimates, *variable: str, **options: Any) -> Figures:
    """Give one figure by its name."""
    coefficient = [options["coefficient"]] if "coefficient" in options else []
    name = "_".join([draw.__name__, *variable, *coefficient]).lower()
    return {name: partial(draw, fit, *variable, **options)}


def _level2_figures(fit: Estimates) -> Figures:
    found: Figures = {}
    for draw in (chi2_qq, log_sd_histogram, log_sd_qq, shrinkage):
        found |= _figure(draw, fit)
    inside = [name.lower() for name in fit.model.level2_variables]
    others = [name for name in level2_names(fit) if name.lower() not in inside]
    for name in [*fit.model.level2_variables, *others][:MOST_VARIABLES]:
        for coefficient in fit.random_names:
            found |= _figure(effect_against, fit, name, coefficient=coefficient)
    for coefficient in fit.random_names:
        found |= _figure(caterpillar, fit, coefficient=coefficient)
    return found


def _model_graphs(fit: Estimates) -> Figures:
    """Give a graph of each predictor, with lines for up to two level-2 predictors of its slope."""
    found: Figures = {}
    known = variables_of(fit)
    level2 = [v for v in known.values() if v.level == 2]
    for variable in known.values():
        others = [v for v in level2 if v.name != variable.name][:2]
        if variable.level == 2 and len(np.unique(variable.values)) <= FEW and len(known) > 1:
            continue  # a category: it has its own lines in the other graphs
        found |= _figure(predicted, fit, variable.name, by={v.name: _values(v) for v in others})
        if variable.level == 1 and fit.data is not None:
            colour = others[0].name if others else None
            found |= _figure(level1_equations, fit, variable.name, colour=colour)
            found |= _figure(boxes_by_unit, fit, variable.name)
    if fit.data is not None:
        found |= _figure(boxes_by_unit, fit, fit.model.outcome)
    return found


def _values(variable: Variable) -> Any:
    return "all" if len(np.unique(variable.values)) <= FEW else "quartiles"


def draw_all(chosen: Figures, folder: Path) -> Drawn:
    """Draw figures as PNG files, 800 pixels wide; those the data leave nothing to draw for are left out.

    The files' names are safe: none leaves the folder. Where one cannot be written the others are, and its
    OutputError is raised.
    """
    import matplotlib.pyplot as plt

    paths: list[Path] = []
    left_out, failed = {}, []
    for name, draw in chosen.items():
        before = set(plt.get_fignums())
        try:
            try:
                figure = draw().figure.figure
            except OutputError as error:  # all variances zero, for one
                left_out[name] = str(error)
                continue
            file = folder / f"{unique_name(safe_name(name), [path.stem for path in paths])}.png"
            paths.append(write_whole(file, partial(figure.savefig, format="png")))
        except Exception as error:
            failed.append(error)
        finally:
            for number in set(plt.get_fignums()) - before:
                plt.close(number)
    if failed:
        raise failed[0]
    return Drawn(tuple(paths), left_out)
