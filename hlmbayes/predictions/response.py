"""Predictions of rows whose outcome is not normal, from a fit or a posterior, on the scale of the outcome.

Each is averaged over the random effects by quadrature: what one expects of a unit that nobody knows. At
u = 0, a typical unit, it is another number, and both are named.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy.special import ndtri

from ..arguments import check_prob
from ..errors import HypothesisError
from ..hglm.averages import Averages
from ..hglm.category_averages import predictors
from ..hglm.estimates import GeneralizedEstimates
from ..inference.covariances import table_kind
from ..posterior.predictive_link import effects_drawn, kept_draws
from ..posterior.record import LinkSample
from .categories import by_category, each_named, outcomes
from .drawn import CELLS, DRAWS, DrawnRows
from .expected import averages_of, limits, own_averages
from .new_rows import asked_rows

if TYPE_CHECKING:
    import pandas as pd

type Scale = Literal["response", "link"]


def predict_generalized(
    fit: GeneralizedEstimates, data: Any = None, *, level: int = 1, scale: Scale = "response",
    interval: Literal["confidence"] | None = None, prob: float = 0.95, robust: bool | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Predict rows: those of the data, or others.

    Parameters
    ----------
    data : frame, file, mapping of arrays or TwoLevelData, optional
        Rows with the variables of the model, and the id where their units are known; by default those of the
        fit.
    level : 1 or 2
        1: given what the rows of the unit say of its random effects (all there is to say of units the fit
        does not know: nothing). 2: by the equations alone.
    scale : "response" or "link"
        The probability of a success or of each category, or the count per unit of exposure; or the linear
        predictor (of ratings that of the lowest category, without the cuts).
    interval : "confidence", optional
        Of the expected outcome at level 2.
    prob : float
        Probability of the interval.
    robust : bool, optional
        Robust standard errors; by default with sampling weights only.

    Returns
    -------
    DataFrame
        ``predicted``: averaged over the random effects, at level 1 over what is not known of them, which is
        taken for normal: with few rows a unit that is an approximation;
        ``at_zero``, at level 1 ``at_mean``: at u = 0, or at the unit's posterior mean of u. At level 2 ``se``
        of the first, and its interval. Of ratings and categories each of these for every category:
        ``predicted[1]``, ``predicted[2]``, ...

    Raises
    ------
    DataError
        A variable of the model that is not there, or a value the model does not know.
    HypothesisError
        Another level, scale or interval.
    """
    check_asked(level, scale, interval, prob)
    if interval and level == 1:
        raise HypothesisError("an interval is to be had at level=2; level 1 has none here")
    law, rows = fit.law, asked_rows(fit.design, data, fit.data)
    x, z, of_response = rows.x(fit.design), rows.z, scale == "response"
    if level == 1:
        eta = predictors(fit, *by_category(fit.design, law, x, z), rows.unit)
        columns = {"predicted": eta}
        if of_response:
            at_mean = outcomes(law, eta, law.fixed_cuts)
            columns = {"predicted": own_averages(fit, x, z, rows.unit), "at_mean": at_mean}
        return rows.table(each_named(law, scale, columns))
    found = averages_of(fit, x, z) if of_response else _links(fit, x, z)
    se = found.errors(covariance_of(fit, robust))
    columns = {"predicted": found.mean, "se": se, "at_zero": found.at_zero}
    if interval and of_response:
        columns |= dict(zip(("low", "high"), limits(law.of_categories, found.mean, se, prob), strict=True))
    elif interval:
        reach = float(ndtri(0.5 + prob / 2.0)) * se
        columns |= {"low": found.mean - reach, "high": found.mean + reach}
    return rows.table(each_named(law, scale, columns))


def predict_link(
    posterior: LinkSample, data: Any = None, *, level: int = 1, scale: Scale = "response",
    interval: Literal["confidence"] | None = None, prob: float = 0.95,
) -> pd.DataFrame:  # fmt: skip
    """Predict rows from the draws: those of the data, or others.

    Parameters
    ----------
    data : frame, file, mapping of arrays or TwoLevelData, optional
        Rows with the variables of the model, and the id where their units are known.
    level : 1 or 2
        1: given the unit's random effects, where it is known; 2: averaged over units.
    scale : "response" or "link"
        The probability of a success or of each category, or the count per unit of exposure; or the linear
        predictor (of ratings that of the lowest category, without the cuts).
    interval : "confidence", optional
        Of the expected outcome.
    prob : float
        Probability of the interval, which is equal-tailed.

    Returns
    -------
    DataFrame
        ``predicted``, the mean over draws, their ``sd``, and the interval's ``low`` and ``high``; of ratings
        and categories each of these for every category: ``predicted[1]``, ``predicted[2]``, ...
    """
    check_asked(level, scale, interval, prob)
    design = posterior.target.design
    rows = asked_rows(design, data, posterior.data)
    x, q = rows.x(design), rows.z.shape[1]
    unit = rows.unit if level == 1 else np.full(len(x), -1)
    each, of = np.unique(np.column_stack([x, rows.z, unit]), axis=0, return_inverse=True)  # once if equal
    x, z, unit = each[:, : x.shape[1]], each[:, -1 - q : -1], each[:, -1].astype(int)
    kept = kept_draws(posterior, DRAWS)
    at, own = DrawnRows.of(posterior, kept), effects_drawn(posterior, kept) if (unit >= 0).any() else None
    step, parts = max(1, CELLS // len(kept)), []
    for here in (slice(first, first + step) for first in range(0, len(x), step)):
        drawn = _drawn(at, x[here], z[here], own, unit[here], scale)
        ends = np.quantile(drawn, [0.5 - prob / 2.0, 0.5 + prob / 2.0], axis=-1)
        parts.append(np.stack([drawn.mean(axis=-1), drawn.std(axis=-1, ddof=1), *ends]))
    found = np.concatenate(parts, axis=1)[:, of.reshape(-1)]
    names = ("predicted", "sd", "low", "high") if interval else ("predicted", "sd")
    return rows.table(each_named(posterior.link.law, scale, dict(zip(names, found, strict=False))))


def _drawn(
    at: DrawnRows, x: np.ndarray, z: np.ndarray, own: np.ndarray | None, unit: np.ndarray, scale: str
) -> np.ndarray:
    """Give what rows are expected to have in every draw, (n, K, B), those of known units at their own u."""
    new = unit < 0
    u = None if own is None else np.where(new[:, None], 0.0, own[:, unit])
    eta = at.predictors(x, z, u)
    if scale == "link":
        return eta
    found = at.outcomes(eta)
    if new.any():
        found[new] = at.averaged(x[new], z[new])
    return found


def check_asked(level: int, scale: str, interval: str | None, prob: float) -> None:
    """Refuse another level, scale, interval or probability."""
    check_prob(prob)
    if level not in (1, 2):
        raise HypothesisError(
            f"level= is 1, given each unit's rows, or 2, the equations alone; got {level!r}"
        )
    check_scale(scale)
    if interval not in (None, "confidence"):
        raise HypothesisError(
            f'interval= is "confidence", of the expected outcome; got {interval!r}: an outcome that is not '
            "normal has no interval of its own"
        )


def check_scale(scale: str) -> None:
    """Refuse another scale."""
    if scale not in ("response", "link"):
        raise HypothesisError(f'scale= is "response", that of the outcome, or "link"; got {scale!r}')


def covariance_of(fit: GeneralizedEstimates, robust: bool | None) -> np.ndarray:
    """Give the covariance of all parameters, (P, P)."""
    table_kind(fit, robust, None)  # refuses kinds that there are not
    return fit.covariance_by(robust)


def _links(fit: GeneralizedEstimates, x: np.ndarray, z: np.ndarray) -> Averages:
    """Give linear predictors (n, K) by the equations alone, as averages are given."""
    each = by_category(fit.design, fit.law, x, z)[0]
    eta = each @ fit.gamma_free
    return Averages(eta, np.concatenate([each, np.zeros((*eta.shape, fit.root.shape[1]))], axis=2), eta)
