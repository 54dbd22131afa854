"""Predictions of outcomes of categories: the probability of each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import expit, logit, ndtri

from ..equations.categories import category_label
from ..errors import HypothesisError
from ..hglm.averages import Averages
from ..hglm.category_averages import (
    CategoryAverages,
    category_averages,
    of_own_units,
    predictors,
    probabilities,
)
from ..hglm.estimates import GeneralizedEstimates
from ..labelled import table
from ..laws.law import Need
from .new_rows import NewRows

if TYPE_CHECKING:
    import pandas as pd


def predict_categories(
    fit: GeneralizedEstimates, rows: NewRows, level: int, scale: str, covariance: np.ndarray,
    prob: float | None,
) -> pd.DataFrame:  # fmt: skip
    """Predict rows, a column for each category: predicted[1], predicted[2], ...

    ``covariance`` (P, P) of all parameters; ``prob`` of limits, None for none. See `predict_generalized`.
    """
    x, z = by_category(fit, rows.effects, rows.z)
    of_response = scale == "response"
    if level == 1:
        eta = predictors(fit, x, z, rows.unit)
        columns = {"predicted": eta}
        if of_response:
            columns = {"predicted": of_own_units(fit, x, z, rows.unit), "at_mean": probabilities(fit, eta)}
    else:
        found = category_averages(fit, x, z) if of_response else _links(fit, x)
        se = found.errors(covariance)
        columns = {"predicted": found.mean, "se": se, "at_zero": found.at_zero}
        if prob is not None:
            columns |= _limits(found.mean, se, prob, of_response)
    categories = fit.law.labels if of_response else fit.law.labels[:-1]
    each = {
        f"{name}[{m}]": values[:, k] for k, m in enumerate(categories) for name, values in columns.items()
    }
    return table(each, range(len(x)), "row")


def by_category(
    fit: GeneralizedEstimates, effects: np.ndarray, own_z: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Give what fixed effects (n, K, F) and random ones (n, K, Q) are multiplied by for each category.

    ``effects`` (n, n_gamma) and ``own_z`` (n, Q) are what each multiplies in its own equation.
    """
    model, K = fit.model, len(fit.law.labels) - 1
    of = {label: k for k, label in enumerate(fit.law.labels[:-1])}
    x = np.zeros((len(effects), K, fit.design.n_fixed))
    for g, (category, free) in enumerate(zip(_of_gammas(fit), fit.design.free.tolist(), strict=True)):
        x[:, of[category], free] += effects[:, g]
    own = [of[model.coefficients[r].category] for r in fit.design.random]
    return x, own_z[:, None] * (np.arange(K)[:, None] == own)


def averages_of(fit: GeneralizedEstimates, effects: np.ndarray, own_z: np.ndarray, category: str) -> Averages:
    """Give the averages of the probability of one category."""
    found, m = category_averages(fit, *by_category(fit, effects, own_z)), fit.law.labels.index(category)
    return Averages(found.mean[:, m], found.gradient[:, m], found.at_zero[:, m])


def link_of(fit: GeneralizedEstimates, effects: np.ndarray, category: str) -> np.ndarray:
    """Give what each fixed effect multiplies (n, n_gamma) in the linear predictor of one category."""
    if category == fit.law.labels[-1]:
        raise HypothesisError(f"{category} is the reference, whose linear predictor is 0: name another one")
    return np.asarray(effects * (np.array(_of_gammas(fit)) == category))


def category_asked(fit: GeneralizedEstimates, category: Any) -> str:
    """Give the label of the category that is asked for; "" where there is one equation for all."""
    if fit.has(Need.ONE_EQUATION):
        if category is not None:
            raise HypothesisError("category= is for an outcome of categories without an order: leave it out")
        return ""
    number = isinstance(category, int | float | np.number) and np.isfinite(category)
    text = category_label(float(category)) if number else category
    if text not in fit.law.labels:
        raise HypothesisError(
            f"category= (--category) says whose probability is wanted, {', '.join(fit.law.labels)}; got "
            f"{category!r}"
        )
    return str(text)


def _of_gammas(fit: GeneralizedEstimates) -> list[str]:
    """Give the category of every fixed effect, (n_gamma,)."""
    return [c.category for c in fit.model.coefficients for _ in c.gammas]


def _links(fit: GeneralizedEstimates, x: np.ndarray) -> CategoryAverages:
    eta = x @ fit.gamma_free
    nothing = np.zeros((*eta.shape, fit.root.shape[1]))
    return CategoryAverages(eta, np.concatenate([x, nothing], axis=2), eta)


def _limits(mean: np.ndarray, se: np.ndarray, prob: float, of_response: bool) -> dict[str, np.ndarray]:
    """Give limits that are normal on the scale of the logit, and so between 0 and 1."""
    reach = float(ndtri(0.5 + prob / 2.0)) * se
    if not of_response:
        return {"low": mean - reach, "high": mean + reach}
    reach = reach / (mean * (1.0 - mean))
    return {"low": expit(logit(mean) - reach), "high": expit(logit(mean) + reach)}
