"""Observed against expected outcomes in groups of rows, with the bands that chance gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..diagnostics.calibration import calibration as calibrated
from ..diagnostics.calibration_drawn import calibration_drawn
from ..diagnostics.points import any_point_of, capital, expected_outcome
from ..errors import OutputError
from ..faces import record_of
from ..hglm.estimates import GeneralizedEstimates
from ..posterior.record import LinkSample
from .plot_style import BLUE, GREY, VERMILLION, axes, finish, legend

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def calibration(source: Any, ax: Axes | None = None, *, groups: int = 10, seed: int | None = 1) -> Axes:
    """Draw observed against expected outcomes in groups of rows with like expected outcomes.

    Expected outcomes are averaged over the random effects; of an ordinal outcome there are groups for the
    probability of each category or a lower one, of categories without an order for that of each. A bar is
    where the observed mean of a group lies in 95 of 100 data sets if the model holds, simulated as
    `hlmbayes.diagnostics.calibration` says, or drawn from the posterior.

    Parameters
    ----------
    source : GeneralizedFit or GeneralizedPosterior
    ax : Axes, optional
    groups, seed
        As of `hlmbayes.diagnostics.calibration.calibration`.

    Raises
    ------
    OutputError
        Anything else than a fit by the likelihood, or a posterior, of an outcome that is not normal.
    HypothesisError
        What `hlmbayes.diagnostics.calibration.calibration` raises.
    """
    fit = record_of(source)
    if isinstance(fit, GeneralizedEstimates):
        found = calibrated(fit, groups, seed=seed)
    elif isinstance(fit, LinkSample):
        found = calibration_drawn(fit, groups, seed=seed)
    else:
        raise OutputError(
            "calibration is drawn of a fit by the likelihood of an outcome that is not normal: "
            'model.fit(data, algorithm="exact"), or of its posterior'
        )
    own = [group for group in found.groups if group.given == "equations"]
    expected, observed, low, high = (
        np.array([getattr(group, name) for group in own]) for name in ("expected", "observed", "low", "high")
    )
    ax = axes(ax)
    ends = [min(expected.min(), low.min()), max(expected.max(), high.max())]
    ax.plot(ends, ends, color=GREY, linewidth=1.2, label="observed = expected")
    ax.vlines(
        expected, low, high, color=GREY, linewidth=5.0, alpha=0.35, label="95 % of data sets from the model"
    )
    outside = np.array([group.outside for group in own])
    looks = ((~outside, BLUE, "o", "inside"), (outside, VERMILLION, "D", "outside"))
    for mine, colour, marker, text in looks:
        if mine.any():
            name = f"groups {text} ({mine.sum()})"
            ax.scatter(
                expected[mine], observed[mine], s=36, color=colour, marker=marker, zorder=3, label=name
            )
    legend(ax, loc="upper left")
    law, outcome = fit.model.outcome_law, fit.model.outcome
    below = f"probability of a category of {outcome} or a lower one"  # each group is of one cut
    what = below if law.is_ordinal else expected_outcome(any_point_of(fit))
    title = "Do outcomes occur as often as the model says? Groups of rows with like expectations"
    return finish(ax, title, capital(what), "Observed mean of the group")
