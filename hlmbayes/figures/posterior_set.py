"""All figures that fit a posterior, as `hlmbayes sample` draws them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..diagnostics.predictions import variables_of
from ..posterior.record import LinkSample, drawn_of
from ..sampling import container
from .density_plots import densities
from .level2_plots import caterpillar
from .model_graphs import predicted
from .posterior_plots import gamma_forest, predictive_by_unit, ranks, tau_pair

if TYPE_CHECKING:
    from matplotlib.figure import Figure


MOST_GRAPHS = 6


def figures(source: Any, fit: Any = None) -> dict[str, Figure]:
    """Draw all figures that suit the model, by the names of their functions; units of the first effect.

    Of categories without an order it is the first effect of each.
    """
    posterior = drawn_of(source)
    link = isinstance(posterior, LinkSample)
    drawn: dict[str, Any] = {
        "gamma_forest": gamma_forest(posterior, fit).figure,
        "densities": densities(posterior),
    }
    for variable in list(variables_of(posterior).values())[:MOST_GRAPHS] if link else ():
        drawn[f"predicted_{variable.name}"] = predicted(posterior, variable.name).figure
    if len(posterior.model.random) > 1:
        drawn["tau_pair"] = tau_pair(posterior, fit)
    if container.has(posterior.tree, "b") and not link:
        drawn["predictive_by_unit"] = predictive_by_unit(posterior).figure
    for name in posterior.model.first_random if posterior.target.single_rows else ():
        drawn[f"caterpillar_{name}"] = caterpillar(posterior, coefficient=name).figure
    drawn["ranks"] = ranks(posterior)
    return drawn
