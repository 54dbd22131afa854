"""Predictions, slopes and means of outcomes that are not normal, on the scale of the outcome.

Each is averaged over the random effects by quadrature: what one expects of a unit that nobody knows. At
u = 0, a typical unit, it is another number, and both are named.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy.special import ndtri

from ..arguments import check_prob
from ..errors import HypothesisError
from ..hglm.averages import Averages, averages, of_own
from ..hglm.estimates import GeneralizedEstimates
from ..hypotheses.contrasts import Contrast, contrast
from ..inference.covariances import table_kind
from ..labelled import table
from ..laws.law import Need
from .categories import averages_of, category_asked, link_of, predict_categories
from .expected import limits
from .means import Adjustment, Means, adjusted_p, asked_means, pairs_of
from .new_rows import new_rows, x_of
from .reference import Values, z_of
from .slopes import Slopes, asked_slopes

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
        The probability of a success, or the count per unit of exposure; or the linear predictor.
    interval : "confidence", optional
        Of the expected outcome at level 2.
    prob : float
        Probability of the interval.
    robust : bool, optional
        Robust standard errors; by default with sampling weights only.

    Returns
    -------
    DataFrame
        ``predicted``: averaged over the random effects, at level 1 over what is not known of them;
        ``at_zero``, at level 1 ``at_mean``: at u = 0, or at the unit's posterior mean of u. At level 2 ``se``
        of the first, and its interval. Of categories without an order each of these for every category:
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
    rows = new_rows(fit.design, fit.data if data is None else data, fit.data)
    if Need.ONE_EQUATION in fit.law.lacks:
        covariance = _covariance(fit, robust)
        return predict_categories(fit, rows, level, scale, covariance, prob if interval else None)
    x = rows.x(fit.design)
    if level == 1:
        return _own(fit, x, rows.z, rows.unit, scale)
    covariance = _covariance(fit, robust)
    found = _of_equations(fit, x, rows.z, scale)
    se = found.errors(covariance)
    columns = {"predicted": found.mean, "se": se, "at_zero": found.at_zero}
    if interval:
        columns |= _limits(fit, found.mean, se, prob, scale)
    return table(columns, range(len(x)), "row")


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


def _own(
    fit: GeneralizedEstimates, x: np.ndarray, z: np.ndarray, unit: np.ndarray, scale: str
) -> pd.DataFrame:
    known, eta = unit >= 0, x @ fit.gamma_free
    eta[known] += np.einsum("nq,nq->n", z[known], fit.u[unit[known]])
    if scale == "link":
        return table({"predicted": eta}, range(len(x)), "row")
    found = {"predicted": of_own(fit, x, z, unit), "at_mean": fit.law.inverse_link(eta)}
    return table(found, range(len(x)), "row")


def _of_equations(fit: GeneralizedEstimates, x: np.ndarray, z: np.ndarray, scale: str) -> Averages:
    if scale == "response":
        return averages(fit, x, z)
    eta = x @ fit.gamma_free
    return Averages(eta, np.concatenate([x, np.zeros((len(x), fit.root.shape[1]))], axis=1), eta)


def _limits(
    fit: GeneralizedEstimates, mean: np.ndarray, se: np.ndarray, prob: float, scale: str
) -> dict[str, np.ndarray]:
    if scale == "link":
        reach = float(ndtri(0.5 + prob / 2.0)) * se
        return {"low": mean - reach, "high": mean + reach}
    low, high = limits(fit.law, mean, se, prob)
    return {"low": low, "high": high}


def _covariance(fit: GeneralizedEstimates, robust: bool | str | None) -> np.ndarray:
    """Give the covariance of all parameters, (P, P)."""
    table_kind(fit, robust, None)  # refuses kinds that there are not
    if robust is None:
        return fit.valid_covariance
    return fit.sandwich if robust else fit.covariance


# --- typical rows --------------------------------------------------------------------------------


def means_generalized(
    fit: GeneralizedEstimates, variable: str, *, values: Any = None, at: Mapping[str, Any] | None = None,
    scale: Scale = "response", adjust: Adjustment = "holm", robust: bool | None = None, prob: float = 0.95,
    category: Any = None,
) -> Means:  # fmt: skip
    """Give the expected outcome of typical rows at values of a variable, and differences.

    Parameters
    ----------
    variable, values, at, adjust, prob
        As for normal outcomes.
    scale : "response" or "link"
        Averaged over the random effects on the scale of the outcome; or on that of the link.
    robust : bool, optional
        Robust standard errors; by default with sampling weights only.
    category : number or text, optional
        Of which category the probability is wanted, where each has equations.

    Raises
    ------
    HypothesisError
        A variable the model does not have.
    """
    check_scale(scale)
    of = category_asked(fit, category)
    name, chosen, rows = asked_means(fit.design, fit.data, variable, values, at, adjust)
    rows = link_of(fit, rows, of) if of and scale == "link" else rows
    pairs, matrix = pairs_of(chosen, rows)
    if scale == "link":
        found = contrast(fit, rows, robust=robust, prob=prob)
        difference = contrast(fit, matrix, robust=robust, prob=prob) if pairs else None
    else:
        one = _averaged(fit, rows, of)
        a, b = np.array([(chosen.index(p), chosen.index(q)) for p, q in pairs], dtype=int).reshape(-1, 2).T
        texts = [f"mean at {name} = {v}" for v in chosen]
        found = _by_delta(fit, texts, one.mean, one.gradient, rows, robust, prob)
        apart = [f"{texts[i]} - {texts[j]}" for i, j in zip(a, b, strict=True)]
        difference = None
        if pairs:
            change, slope = one.mean[a] - one.mean[b], one.gradient[a] - one.gradient[b]
            difference = _by_delta(fit, apart, change, slope, matrix, robust, prob)
    adjusted = None if difference is None else adjusted_p(difference, adjust, len(chosen))
    return Means(name, chosen, found, pairs, difference, adjust, adjusted)


def slopes_generalized(
    fit: GeneralizedEstimates, variable: str, by: str | Mapping[str, Values] | None = None, *,
    at: Mapping[str, Values] | None = None, scale: Scale = "response", robust: bool | None = None,
    prob: float = 0.95, category: Any = None,
) -> Slopes:  # fmt: skip
    """Give the change of the expected outcome of typical rows with a variable, at values of others.

    Parameters
    ----------
    variable, by, at, prob
        As for normal outcomes.
    scale : "response" or "link"
        The derivative of the expected outcome, averaged over the random effects; or of the linear predictor.
    robust : bool, optional
        Robust standard errors; by default with sampling weights only.
    category : number or text, optional
        Of which category the probability is wanted, where each has equations.

    Raises
    ------
    HypothesisError
        A variable the model does not have.
    """
    check_scale(scale)
    of = category_asked(fit, category)
    asked = asked_slopes(fit.design, fit.data, variable, by, at)
    rows = asked.rows(fit.design)
    if scale == "link":
        rows = link_of(fit, rows, of) if of else rows
        return Slopes(asked.variable.name, asked.at, contrast(fit, rows, robust=robust, prob=prob))
    up, down, step = asked.sides(fit.design)
    high, low = (_averaged(fit, r, of) for r in (up, down))
    change, slope = (high.mean - low.mean) / step, (high.gradient - low.gradient) / step
    texts = [f"slope of {asked.variable.name}"] * len(rows)
    found = _by_delta(fit, texts, change, slope, rows, robust, prob)
    return Slopes(asked.variable.name, asked.at, found)


def _averaged(fit: GeneralizedEstimates, effects: np.ndarray, category: str) -> Averages:
    """Average typical rows, given what each fixed effect multiplies (n, n_gamma), over u."""
    z = z_of(fit.design, effects)
    x = x_of(fit.design, effects)
    return averages_of(fit, effects, z, category) if category else averages(fit, x, z)


def _by_delta(
    fit: GeneralizedEstimates, texts: list[str], value: np.ndarray, gradient: np.ndarray, rows: np.ndarray,
    robust: bool | None, prob: float,
) -> Contrast:  # fmt: skip
    """Give functions of the parameters with normal intervals, by the delta method."""
    check_prob(prob)
    P = gradient.shape[1]
    variance = np.einsum("np,pq,nq->n", gradient, _covariance(fit, robust)[:P, :P], gradient)
    basis = f"{table_kind(fit, robust, None).words}; delta method, averaged over the random effects"
    n, said = len(value), tuple(texts)
    return Contrast(
        said, said, np.zeros(n), value, np.sqrt(variance), np.full(n, np.inf), prob, basis, rows
    )  # fmt: skip
