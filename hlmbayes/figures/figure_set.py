"""All figures that fit a model, as `hlmbayes plot` and the example draw them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import plots
from ..diagnostics.predictions import Variable, variables_of
from ..errors import OutputError
from ..residuals.files import write_whole
from ..residuals.frames import level2_names

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..estimation.estimates import Estimates

Figures = dict[str, Callable[[], "Axes"]]
FEW = 6
MOST_VARIABLES = 12


def figures(fit: Estimates) -> Figures:
    """Give the figures of a fit by file name, each a function that draws it."""
    found: Figures = {}
    if fit.design.n_random:
        found |= _level2_figures(fit)
    if fit.data is not None:
        found |= {
            "level1_residuals": partial(plots.residual_against_fitted, fit),
            "level1_qq": partial(plots.level1_qq, fit),
            "level1_by_unit": partial(plots.residuals_by_unit, fit),
        }
    if fit.design.n_fixed:
        found["influence"] = partial(plots.influence, fit)
        found["influence_on_effects"] = partial(plots.influence_on_effects, fit)
    return found | _model_graphs(fit)


def _level2_figures(fit: Estimates) -> Figures:
    found: Figures = {
        "chi2_qq": partial(plots.chi2_qq, fit),
        "mdrsvar_histogram": partial(plots.log_sd_histogram, fit),
        "mdrsvar_qq": partial(plots.log_sd_qq, fit),
        "shrinkage": partial(plots.shrinkage, fit),
    }
    inside = [name.lower() for name in fit.model.level2_variables]
    others = [name for name in level2_names(fit) if name.lower() not in inside]
    for name in [*fit.model.level2_variables, *others][:MOST_VARIABLES]:
        for coefficient in fit.random_names:
            key = f"eb_{coefficient}_{name.lower()}"
            found[key] = partial(plots.effect_against, fit, name, coefficient=coefficient)
    for coefficient in fit.random_names:
        found[f"caterpillar_{coefficient}"] = partial(plots.caterpillar, fit, coefficient=coefficient)
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
        by = {v.name: _values(v) for v in others}
        found[f"model_{variable.name.lower()}"] = partial(plots.predicted, fit, variable.name, by=by)
        if variable.level == 1 and fit.data is not None:
            colour = others[0].name if others else None
            key = f"equations_{variable.name.lower()}"
            found[key] = partial(plots.level1_equations, fit, variable.name, colour=colour)
            found[f"boxes_{variable.name.lower()}"] = partial(plots.boxes_by_unit, fit, variable.name)
    if fit.data is not None:
        found["boxes_outcome"] = partial(plots.boxes_by_unit, fit, fit.model.outcome)
    return found


def _values(variable: Variable) -> Any:
    return "all" if len(np.unique(variable.values)) <= FEW else "quartiles"


def draw_all(
    fit: Estimates, folder: Path, chosen: Figures | None = None, say: Callable[[str], None] | None = None
) -> tuple[Path, ...]:
    """Draw figures as PNG files, 800 pixels wide, and return their paths.

    A figure that the data leave nothing to draw for (all variances zero, for one) is left out and ``say``
    is told why.
    """
    import matplotlib.pyplot as plt

    paths = []
    for name, draw in (figures(fit) if chosen is None else chosen).items():
        before = set(plt.get_fignums())
        try:
            figure = draw().figure.figure
            target = folder / f"{name}.png"
            write_whole(target, partial(figure.savefig, format="png"))
            paths.append(target)
        except OutputError as error:
            if "cannot be written" in str(error):
                raise
            if say is not None:
                say(f"{name}: {error}")
        finally:
            for number in set(plt.get_fignums()) - before:
                plt.close(number)
    return tuple(paths)
