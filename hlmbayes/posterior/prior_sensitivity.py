"""How much does the answer depend on the prior: several of them beside each other, and power-scaling.

Not named `sensitivity`: a public function must not have the name of a module.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..arguments import one_or_several
from ..errors import SamplingError
from ..labelled import numbers_table
from ..sampling import container
from .record import Drawn
from .summaries import bounds, interval

if TYPE_CHECKING:
    import pandas as pd

ALPHA = 0.99, 1.01  # powers of prior and likelihood: the derivative at 1 (Kallioinen et al. 2024)
SENSITIVE = 0.05


def under_priors(
    posteriors: Mapping[str, Drawn], parameters: str | Sequence[str], prob: float
) -> pd.DataFrame:
    """Tabulate each parameter under each prior; see `Sensitivity.frame`."""
    from ..printed import Table

    first, rows = next(iter(posteriors.values())), []
    asked = [first.parameters.find(name, SamplingError) for name in one_or_several(parameters)]
    for name in asked or first.scalars:
        base = first.scalar(name)
        for prior, posterior in posteriors.items():
            draws = posterior.scalar(name)
            median = float(np.median(draws))
            low, high = interval(draws, prob, "eti")
            shift = (median - float(np.median(base))) / float(base.std())
            known = first.parameters.name_of[name]
            rows.append(
                (name, prior, known, float(draws.mean()), median, float(draws.std()), low, high, shift)
            )
    columns = ["parameter", "prior", "name", "mean", "median", "sd", *bounds(prob, "eti"), "shift"]
    return Table(rows, columns=columns).set_index(["parameter", "prior"])


def power_scale(posterior: Drawn) -> pd.DataFrame:
    """Say how fast each parameter moves when the prior, or the likelihood, is weighted a little more.

    Importance weights p(theta)^(a - 1) for a slightly below and above 1, no refitting (Kallioinen,
    Paananen, Buerkner & Vehtari 2024, Statistics & Computing 34, 57). The prior is that of the
    standard deviations, correlations, sigma and gamma together.

    Returns
    -------
    DataFrame
        Index parameter: ``prior`` and ``likelihood``, the change of the posterior (cumulative
        Jensen-Shannon distance) for a doubling of the power, and ``diagnosis``.
    """
    from arviz_stats.base import array_stats

    shape = (posterior.settings.chains, posterior.settings.draws)
    parts = {
        "prior": container.flat(posterior.tree, "parameters", "log_prior"),
        "likelihood": posterior.unit_logliks().sum(axis=1),
    }
    weights = {part: _scaled(log.reshape(shape)) for part, log in parts.items()}
    rows = {}
    for name, values in posterior.scalars.items():
        sizes = [
            float(array_stats.power_scale_sense(values, *pair, lower_alpha=ALPHA[0], upper_alpha=ALPHA[1]))
            for pair in weights.values()
        ]
        rows[name] = {**dict(zip(parts, sizes, strict=True)), "diagnosis": _diagnosis(*sizes)}
    return numbers_table(rows, posterior.parameters.name_of)


def _scaled(log: np.ndarray) -> list[np.ndarray]:
    """Give normalised weights for each power, shaped as the draws."""
    result = []
    for power in ALPHA:
        weight = np.exp((power - 1.0) * (log - log.max()))
        result.append(weight / weight.sum())
    return result


def _diagnosis(prior: float, likelihood: float) -> str:
    if prior < SENSITIVE:
        return ""
    return (
        "prior and data may disagree" if likelihood >= SENSITIVE else "the data say little: the prior decides"
    )
