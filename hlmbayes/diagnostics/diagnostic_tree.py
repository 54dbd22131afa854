"""One layout for what is drawn and checked, from a fit or from a posterior: an ArviZ/xarray DataTree.

Groups and dimensions (names as in the posterior's own tree): ``level2`` over unit, coef (random level-1
coefficients), coefficient (all of them); ``level1`` over row; ``influence`` over unit and
fixed_effect; ``level2_variables`` over unit. A variable's ``long_name`` is its label.

For a fit the EB residuals have normal intervals u* +- z sqrt(pv), gamma, tau and sigma2 taken as known;
for a posterior they are posterior means with equal-tailed intervals, everything unknown. What needs
one value of the parameters (mdist, influence) is computed for a posterior at the posterior means.

Of a fit whose outcome is not normal, ``level2`` is on the scale of the link and has no distances and no OLS
residuals, but one ``draw`` of u from what is known of each unit; the residuals of ``level1`` are randomised
quantile residuals.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtri

from ..data.categories import categories_of, is_category
from ..data.two_level import TwoLevelData
from ..errors import DataError, OutputError
from ..estimation.point import Point
from ..hglm.estimates import GeneralizedEstimates
from ..inference.homogeneity import unit_residuals as own_residuals
from ..labelled import tree as joined
from ..posterior.point import PosteriorPoint
from ..posterior.record import LinkSample
from ..residuals.frames import SUMMARIES, level2_names, level2_values
from ..residuals.generalized_frames import quantile_residuals, rows_fitted
from ..residuals.generalized_influence import generalized_influence, influence_pql
from ..residuals.influence import leave_one_out
from ..residuals.quantities import eb_coefficients, row_residuals, unit_residuals
from ..words import safe_name, unique_name
from .link_point import LinkPoint
from .points import (
    any_point_of,
    attrs_of,
    capital,
    dataset_of,
    expected_outcome,
    in_sentence,
    is_tree,
    label_of,
    point_of,
)

if TYPE_CHECKING:
    import xarray as xr


PROB = 0.95


# --- groups ---------------------------------------------------------------------------------------


def level2(source: Any, prob: float = PROB) -> xr.Dataset:
    """Give the level-2 residual quantities; intervals have probability ``prob``."""
    if is_tree(source):
        return _group(source, "level2")
    point = any_point_of(source)
    if isinstance(point, LinkPoint):
        return link_level2(point, prob)
    values, design = unit_residuals(point), point.design
    eb, pv, low, high, kind = _effects(point, values.eb, values.pv, prob)
    b = values.fitted.copy()
    b[:, design.random] += eb
    unit, coef = ("unit",), ("unit", "coef")
    data = {
        "n": (unit, values.n, {"long_name": SUMMARIES["nj"]}),
        "eb": (coef, eb, {"long_name": "EB residual" if kind == "normal" else "Posterior mean of u"}),
        "eb_low": (coef, low),
        "eb_high": (coef, high),
        "pv": (("unit", "coef", "coef_bis"), pv, {"long_name": "Posterior covariance of u"}),
        "ols": (coef, values.ols, {"long_name": "OLS residual"}),
        "fitted": (("unit", "coefficient"), values.fitted, {"long_name": "Fitted value"}),
        "b": (("unit", "coefficient"), b, {"long_name": "Level-1 coefficient"}),
    }
    rss, df = own_residuals(point)
    data["own_rss"] = (unit, rss, {"long_name": "Residual sum of squares of the unit's own regression"})
    data["own_df"] = (unit, df, {"long_name": "Its degrees of freedom"})
    summaries = {name: label for name, label in SUMMARIES.items() if name != "nj"}
    data |= {name: (unit, getattr(values, name), {"long_name": says}) for name, says in summaries.items()}
    attrs = {"interval_prob": prob, "interval_kind": kind, "rank": values.rank, **attrs_of(point)}
    return dataset_of(point, data, attrs)


def _effects(
    point: Point, eb: np.ndarray, pv: np.ndarray, prob: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, str]:
    """Give effects, their covariances and interval ends, and the kind of the interval."""
    tail = 0.5 - 0.5 * prob
    if not isinstance(point, PosteriorPoint):
        half = float(-ndtri(tail)) * np.sqrt(np.einsum("jaa->ja", pv))
        return eb, pv, eb - half, eb + half, "normal"
    if point.u_draws is None:
        half = float(-ndtri(tail)) * point.u_sd
        diagonal = np.full_like(pv, np.nan)
        index = np.arange(pv.shape[1])
        diagonal[:, index, index] = point.u_sd**2
        return point.u_mean, diagonal, point.u_mean - half, point.u_mean + half, "normal (posterior sd)"
    low, high = np.quantile(point.u_draws, [tail, 1.0 - tail], axis=0)
    about = point.u_draws - point.u_mean
    spread = np.einsum("sja,sjb->jab", about, about) / (len(about) - 1)
    return point.u_mean, spread, low, high, "eti"


def level1(source: Any) -> xr.Dataset:
    """Give the level-1 residuals of every analysed row."""
    if is_tree(source):
        return _group(source, "level1")
    point = any_point_of(source)
    if isinstance(point, LinkPoint):
        return link_level1(point)
    b = eb_coefficients(point)
    if isinstance(point, PosteriorPoint):
        b = point.design.level1_coefficients(point.gamma_free)
        b[:, point.design.random] += point.u_mean
    rows, outcome = row_residuals(point, b), point.model.outcome
    label = label_of(point, outcome)
    data = {
        "residual": (("row",), rows.residual, {"long_name": "Level-1 residual"}),
        "fitted": (("row",), rows.fitted, {"long_name": f"Fitted {in_sentence(label, outcome)}"}),
        "sigma": (("row",), rows.sigma, {"long_name": "Level-1 standard deviation"}),
        "unit_index": (("row",), rows.unit),
    }
    return dataset_of(point, data, attrs_of(point), row=rows.row)


def influence(source: Any) -> xr.Dataset:
    """Give the influence of every unit on the fixed effects, changes also in standard errors."""
    if is_tree(source):
        return _group(source, "influence")
    point = any_point_of(source)
    if isinstance(point, LinkPoint):
        return link_influence(point)
    found, free = leave_one_out(point), point.design.free
    in_se = found.change / np.sqrt(np.diag(point.vcov_free))
    return _influence(point, found.cook, found.leverage, found.change[:, free], in_se[:, free])


def _influence(
    point: Point | LinkPoint, cook: np.ndarray, leverage: np.ndarray, change: np.ndarray, in_se: np.ndarray
) -> xr.Dataset:
    effects, without = ("unit", "fixed_effect"), "Change without the unit"
    data = {
        "cook": (("unit",), cook, {"long_name": "Cook's distance"}),
        "leverage": (("unit",), leverage, {"long_name": "Leverage"}),
        "change": (effects, change, {"long_name": without}),
        "change_in_se": (effects, in_se, {"long_name": f"{without}, in standard errors"}),
    }
    return dataset_of(point, data, attrs_of(point))


def level2_variables(source: Any) -> xr.Dataset:
    """Give every numeric level-2 variable at hand; a name that a tree cannot have becomes an attribute."""
    if is_tree(source):
        return _group(source, "level2_variables")
    point = any_point_of(source)
    data: dict[str, Any] = {}
    for name in level2_names(point):
        values = level2_values(point, name)
        if values.dtype.kind in "iufb":
            labels = {} if point.data is None else point.data.value_labels.get(name.lower(), {})
            attrs = {"long_name": label_of(point, name)}
            if labels:
                attrs["value_labels"] = json.dumps({str(float(k)): str(v) for k, v in labels.items()})
            safe = unique_name(safe_name(name) if "/" in name else name, [*data, "unit"])
            attrs |= {} if safe == name else {"name": name}
            data[safe] = (("unit",), values.astype(float), attrs)
    return dataset_of(point, data, attrs_of(point))


def level2_variable(source: Any, name: str) -> tuple[np.ndarray, str, str]:
    """Give a level-2 variable, (J,) in the order of the units, its label, and its name in the data.

    Raises
    ------
    OutputError
        No such variable, or not numeric.
    """
    if not is_tree(source):
        point = any_point_of(source)
        values = level2_values(point, name)
        if values.dtype.kind not in "iufb":
            raise OutputError(f"{name} is not numeric: a numeric level-2 variable is wanted")
        spelled = {other.lower(): other for other in [*point.design.moments.level2, *level2_names(point)]}
        return values.astype(float), label_of(point, name), spelled[name.lower()]
    there = level2_variables(source).data_vars
    names = {key: str(variable.attrs.get("name", key)) for key, variable in there.items()}
    known = {named.lower(): key for key, named in names.items()}
    if name.lower() not in known:
        raise OutputError(f"there is no level-2 variable {name!r}; there are {', '.join(known) or 'none'}")
    variable = there[key := known[name.lower()]]
    return np.asarray(variable.values), str(variable.attrs.get("long_name", name)), names[key]


def unit_categories(source: Any, name: str) -> tuple[np.ndarray, tuple[str, ...]] | None:
    """Give a level-2 variable that is text, or declared as categories: places of levels (J,), the levels.

    Of a fit or posterior in the order of its units, of data in that of theirs. None where it is neither.
    """
    data = source if isinstance(source, TwoLevelData) else any_point_of(source).data
    if not isinstance(data, TwoLevelData):
        return None
    try:
        own = data.find(name)
        values = data.level2_values(own)[1] if data.is_level2(own) else np.zeros(0)
    except DataError:  # not there, or missing in some unit: said where its numbers are asked for
        return None
    declared = data.categories.get(own.lower())
    if not len(values) or not is_category(values, declared):
        return None
    labels = data.value_labels.get(own.lower(), {})
    found = categories_of(values, declared, labels, np.ones(len(values), dtype=bool))
    ids = data.unit_ids if source is data else any_point_of(source).design.unit_ids
    return found.codes[np.searchsorted(data.unit_ids, ids)].astype(float), found.levels


def tree(source: Any, prob: float = PROB) -> xr.DataTree:
    """Give a Fit, a Posterior or a DataTree as one DataTree; ``level1`` only where there are rows.

    ``prob`` is the probability of the intervals.
    """
    if is_tree(source):
        return source
    point = any_point_of(source)
    groups = {"level2": level2(point, prob)} if point.design.n_random else {}
    link = point if isinstance(point, LinkPoint) else None
    if point.data is not None and (link is None or link.has_mean):
        groups["level1"] = level1(point)
    if point.design.n_fixed and link is None:
        groups["influence"] = influence(point)
    groups["level2_variables"] = level2_variables(point)
    return joined(groups, attrs_of(point))


# --- parts ----------------------------------------------------------------------------------------


def own_level2(source: Any) -> xr.Dataset:
    """Give the level-2 quantities with distances and OLS residuals, which only normal outcomes have.

    Raises
    ------
    OutputError
        Another outcome.
    """
    return level2(source if is_tree(source) else point_of(source))


def _group(source: Any, name: str) -> xr.Dataset:
    if name not in source.children:
        raise OutputError(
            f"this DataTree has no group {name!r} (it has {', '.join(source.children) or 'none'}): make one "
            "with hlmbayes.diagnostics.tree(fit or posterior)"
        )
    return source[name].to_dataset()


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
    categories = [c.category for c in point.model.coefficients if c.random]
    data = {
        "n": (unit, point.design.moments.n, {"long_name": SUMMARIES["nj"]}),
        "against": (("coef",), [c and point.law.against(c) for c in categories]),
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
    return _influence(point, found["cook"].to_numpy(), found["leverage"].to_numpy(), change, in_se)
