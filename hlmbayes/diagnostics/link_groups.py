"""What a tree has of a fit whose outcome is not normal: units on the link's scale, quantile residuals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from ..errors import OutputError
from ..hglm.estimates import GeneralizedEstimates
from ..posterior.record import LinkSample
from ..residuals.frames import SUMMARIES
from ..residuals.generalized_frames import quantile_residuals, rows_fitted
from ..residuals.generalized_influence import generalized_influence, influence_pql
from .link_point import LinkPoint
from .points import attrs_of, capital, dataset_of, expected_outcome

if TYPE_CHECKING:
    import xarray as xr


def link_level2(point: LinkPoint, prob: float) -> xr.Dataset:
    """Give the units' effects on the scale of the link."""
    if not point.design.n_random:
        raise OutputError(
            'the model has no random coefficient: add a random effect (such as "b0 = g00 + u0") to the model'
        )
    half = float(-ndtri(0.5 - 0.5 * prob)) * np.sqrt(np.einsum("jaa->ja", point.var_u))
    fitted = point.design.level1_coefficients(point.gamma_free)
    b = fitted.copy()
    b[:, point.design.random] += point.u
    unit, coef, coefficient = ("unit",), ("unit", "coef"), ("unit", "coefficient")
    sd = np.sqrt(np.diag(point.tau))
    data = {
        "n": (unit, point.design.moments.n, {"long_name": SUMMARIES["nj"]}),
        "eb": (coef, point.u, {"long_name": "EB residual"}),
        "eb_low": (coef, point.u - half),
        "eb_high": (coef, point.u + half),
        "pv": (("unit", "coef", "coef_bis"), point.var_u, {"long_name": "Posterior covariance of u"}),
        "draw": (coef, point.draw(), {"long_name": "Draw of u from what is known of the unit"}),
        "tau_sd": (("coef",), sd, {"long_name": "Standard deviation of u"}),
        "fitted": (coefficient, fitted, {"long_name": "Fitted value"}),
        "b": (coefficient, b, {"long_name": "Level-1 coefficient"}),
    }
    attrs = {"interval_prob": prob, "interval_kind": "normal", **attrs_of(point)}
    return dataset_of(point, data, attrs)


def link_level1(point: LinkPoint) -> xr.Dataset:
    """Give randomised quantile residuals, which have a standard deviation of 1 where the model holds."""
    rows = rows_fitted(point)
    residual = quantile_residuals(point)
    data = {
        "residual": (("row",), residual, {"long_name": "Randomised quantile residual"}),
        "fitted": (("row",), rows.rate, {"long_name": capital(expected_outcome(point))}),
        "sigma": (("row",), np.ones(len(residual)), {"long_name": "Their standard deviation"}),
        "unit_index": (("row",), rows.unit),
    }
    return dataset_of(point, data, attrs_of(point), row=rows.row)


def link_influence(point: LinkPoint) -> xr.Dataset:
    """Give the influence of every unit on the fixed effects, as its table has it."""
    record, names = point.record, point.model.gamma_names
    if isinstance(record, GeneralizedEstimates):
        found = generalized_influence(record)
    elif isinstance(record, LinkSample):
        raise OutputError("influence is of fits: model.fit(data) beside the posterior has it")
    else:
        found = influence_pql(record)
    change, in_se = (np.column_stack([found[f"{kind}_{name}"] for name in names]) for kind in "dz")
    effects, without = ("unit", "fixed_effect"), "Change without the unit"
    data = {
        "cook": (("unit",), found["cook"].to_numpy(), {"long_name": "Cook's distance"}),
        "leverage": (("unit",), found["leverage"].to_numpy(), {"long_name": "Leverage"}),
        "change": (effects, change, {"long_name": without}),
        "change_in_se": (effects, in_se, {"long_name": f"{without}, in standard errors"}),
    }
    return dataset_of(point, data, attrs_of(point))
