"""Predictions of outcomes of categories: the probability of each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit, logit, ndtri

from ..hglm.category_averages import (
    CategoryAverages,
    category_averages,
    of_own_units,
    predictors,
    probabilities,
)
from ..hglm.estimates import GeneralizedEstimates
from ..labelled import table
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
    x, z = by_category(fit, rows)
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


def by_category(fit: GeneralizedEstimates, rows: NewRows) -> tuple[np.ndarray, np.ndarray]:
    """Give what fixed effects (n, K, F) and random ones (n, K, Q) are multiplied by for each category."""
    model, K = fit.model, len(fit.law.labels) - 1
    of = {label: k for k, label in enumerate(fit.law.labels[:-1])}
    gammas = [of[c.category] for c in model.coefficients for _ in c.gammas]
    x = np.zeros((len(rows.z), K, fit.design.n_fixed))
    for g, (k, free) in enumerate(zip(gammas, fit.design.free.tolist(), strict=True)):
        x[:, k, free] += rows.effects[:, g]
    own = [of[model.coefficients[r].category] for r in fit.design.random]
    return x, rows.z[:, None] * (np.arange(K)[:, None] == own)


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
