"""Ratios from draws: exp of the fixed effects of an outcome that is not normal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..inference.likelihood_tables import refuse_no_ratio
from ..labelled import parameter_table
from .record import LinkSample
from .summaries import bounds, interval

if TYPE_CHECKING:
    import pandas as pd


def drawn_ratios(posterior: LinkSample, *, prob: float = 0.95) -> pd.DataFrame:
    """Tabulate exp of the fixed effects, odds ratios (event rate, hazard ratios): median and interval.

    They are unit-specific: of two rows of the same unit. ``above``: the probability that the ratio is above
    1.

    Raises
    ------
    HypothesisError
        A probit link, of which exp means nothing.
    """
    refuse_no_ratio(posterior.model)
    low, high = bounds(prob)
    codes = posterior.model.gamma_names
    draws = [posterior.scalar(code) for code in codes]
    with np.errstate(over="ignore"):
        ends = np.exp([interval(each, prob) for each in draws])
        medians = np.exp([np.median(each) for each in draws])
    columns = {"ratio": medians, low: ends[:, 0], high: ends[:, 1], "above": [np.mean(d > 0) for d in draws]}
    return parameter_table(columns, codes, posterior.parameters.name_of, "gamma", posterior.labels)
