"""Predictions, adjusted means and simple slopes over imputed data, by Rubin's rules.

Of normal outcomes means and slopes are pooled contrasts of one typical row, averaged over the data sets; of
others what each data set's fit gives on the scale of the outcome is pooled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtri

from ..errors import HypothesisError
from ..hypotheses.contrasts import Contrast
from ..predictions.expected import limits
from ..predictions.means import Adjustment, Means, adjusted_p, asked_means, pairs_of
from ..predictions.predict import Kind, predict
from ..predictions.reference import Values
from ..predictions.response import Scale, predict_generalized
from ..predictions.slopes import Slopes, asked_slopes
from ..predictions.typical import means_generalized, slopes_generalized
from .pooled_fit import PooledEstimates, PooledReplicates
from .pooled_generalized import PooledGeneralized
from .pooled_tests import PooledContrast, pooled_contrast
from .rubin import Pooled, pool

if TYPE_CHECKING:
    import pandas as pd


def pooled_means(
    pooled: PooledEstimates, variable: str, *, values: Any = None, at: Mapping[str, Any] | None = None,
    adjust: Adjustment = "holm", robust: bool | str | None = None, df: str = "rubin", prob: float = 0.95,
) -> Means:  # fmt: skip
    """Give adjusted means of the outcome and their differences, pooled; see `Fit.means`.

    Other variables are at their means over all data sets. ``robust`` and ``df`` as in `fixed_effects`.
    """
    fits = pooled.fits
    name, chosen, first = asked_means(fits[0].design, fits[0].data, variable, values, at, adjust)
    others = [asked_means(fit.design, fit.data, variable, list(chosen), at)[2] for fit in fits[1:]]
    rows = np.mean([first, *others], axis=0)
    pairs, matrix = pairs_of(chosen, rows)
    found = partial(pooled_contrast, pooled, robust=robust, df=df, prob=prob)
    difference = found(matrix) if pairs else None
    adjusted = None if difference is None else adjusted_p(difference, adjust, len(chosen))
    return Means(name, chosen, found(rows), pairs, difference, adjust, adjusted)


def pooled_slopes(
    pooled: PooledEstimates, variable: str, by: str | Mapping[str, Values] | None = None, *,
    at: Mapping[str, Values] | None = None, robust: bool | str | None = None, df: str = "rubin",
    prob: float = 0.95,
) -> Slopes:  # fmt: skip
    """Give the simple slopes of a variable, pooled; see `Fit.slopes`. There is no Johnson-Neyman region.

    Other variables are at their means over all data sets. ``robust`` and ``df`` as in `fixed_effects`.
    """
    each = [asked_slopes(fit.design, fit.data, variable, by, at) for fit in pooled.fits]
    first = each[0]
    rows = [
        replace(asked, at=first.at).rows(fit.design) for asked, fit in zip(each, pooled.fits, strict=True)
    ]
    found = pooled_contrast(pooled, np.mean(rows, axis=0), robust=robust, df=df, prob=prob)
    return Slopes(first.variable.name, first.at, found)


def pooled_predict(
    pooled: PooledEstimates, data: Any = None, *, level: int = 1, interval: Kind | None = None,
    prob: float = 0.95, robust: bool | str | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Predict rows, pooled: averages, standard errors and t limits by Rubin's rules; see `Fit.predict`.

    Without ``data`` each fit predicts the rows of its own data set.

    Raises
    ------
    HypothesisError
        As `Fit.predict`; with replicate weights, which say nothing of single rows.
    """
    if isinstance(pooled, PooledReplicates):
        raise HypothesisError("rows are not predicted with replicate weights: slopes and means have them")
    options: dict[str, Any] = {"level": level, "prob": prob, "robust": robust}
    each = [predict(fit, data, interval=interval, **options) for fit in pooled.fits]
    value, se = (np.array([frame[name].to_numpy() for frame in each]) for name in ("predicted", "se"))
    outcome = np.zeros(value.shape[1])  # the variance of an outcome about what is expected
    if interval is not None:
        half = np.array([0.5 * (frame["high"] - frame["low"]).to_numpy() for frame in each])
        outcome = ((half / ndtri(0.5 + prob / 2.0)) ** 2 - se**2).mean(axis=0)
    found = pool(value, se**2)
    result = each[0].assign(predicted=found.estimate, se=found.se)
    if interval is None:
        return result
    reach = pool(value, se**2 + outcome).quantile(prob) * np.sqrt(found.total + outcome)
    return result.assign(low=found.estimate - reach, high=found.estimate + reach)


def pooled_means_generalized(
    pooled: PooledGeneralized, variable: str, *, values: Any = None, at: Mapping[str, Any] | None = None,
    scale: Scale = "response", adjust: Adjustment = "holm", robust: bool | None = None, prob: float = 0.95,
    category: Any = None,
) -> Means:  # fmt: skip
    """Give the expected outcome of typical rows and differences, pooled; see `GeneralizedFit.means`.

    Typical are each data set's own rows. Limits of means are t limits on the scale of the link.
    """
    each: list[Means] = []
    for fit in pooled.fits:
        chosen = list(each[0].values) if each else values
        options: dict[str, Any] = {"at": at, "scale": scale, "adjust": adjust, "category": category}
        each.append(means_generalized(fit, variable, values=chosen, robust=robust, prob=prob, **options))
    first, law = each[0], pooled.fits[0].law.of_categories if scale == "response" else None
    found = _contrasts(pooled, [one.contrast for one in each], law)
    if first.difference is None:
        return replace(first, contrast=found)
    difference = _contrasts(pooled, [one.difference for one in each])
    adjusted = adjusted_p(difference, adjust, len(first.values), max(1, len(first.categories)))
    return replace(first, contrast=found, difference=difference, adjusted=adjusted)


def pooled_slopes_generalized(
    pooled: PooledGeneralized, variable: str, by: str | Mapping[str, Values] | None = None, *,
    at: Mapping[str, Values] | None = None, scale: Scale = "response", robust: bool | None = None,
    prob: float = 0.95, category: Any = None,
) -> Slopes:  # fmt: skip
    """Give the change of the expected outcome with a variable, pooled; see `GeneralizedFit.slopes`.

    Typical are each data set's own rows.
    """
    wanted = by if by is None else _values_of(pooled, variable, by, at)
    options: dict[str, Any] = {"at": at, "scale": scale, "robust": robust, "prob": prob, "category": category}
    each = [slopes_generalized(fit, variable, wanted, **options) for fit in pooled.fits]
    contrasts: list[Any] = [one.contrast for one in each]
    return replace(each[0], contrast=_contrasts(pooled, contrasts))


def pooled_predict_generalized(
    pooled: PooledGeneralized, data: Any = None, *, level: int = 1, scale: Scale = "response",
    interval: Any = None, prob: float = 0.95, robust: bool | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Predict rows, pooled: averages, and standard errors by Rubin's rules; see `GeneralizedFit.predict`.

    Without ``data`` each fit predicts the rows of its own data set. Limits are t limits on the scale of the
    link.
    """
    options: dict[str, Any] = {"level": level, "scale": scale, "prob": prob, "robust": robust}
    each = [predict_generalized(fit, data, interval=interval, **options) for fit in pooled.fits]
    columns = {str(name): np.array([frame[name].to_numpy() for frame in each]) for name in each[0]}
    result = each[0].assign(**{name: values.mean(axis=0) for name, values in columns.items()})
    law = pooled.fits[0].law.of_categories if scale == "response" else None
    for name in [name for name in columns if name.startswith("se")]:
        of = name.removeprefix("se")  # "[2]" of the second category
        found = pool(columns[f"predicted{of}"], columns[name] ** 2)
        result[name] = found.se
        if interval:
            result[f"low{of}"], result[f"high{of}"] = _limits(found, law, prob)
    return result


def _values_of(
    pooled: PooledGeneralized, variable: str, by: str | Mapping[str, Values], at: Mapping[str, Values] | None
) -> dict[str, Any]:
    """Give moderators with values, the same for all data sets: those that the first chooses."""
    asked = asked_slopes(pooled.fits[0].design, pooled.fits[0].data, variable, by, at)
    return {m.name: list(dict.fromkeys(row[m.name] for row in asked.at)) for m in asked.moderators}


def _contrasts(pooled: PooledGeneralized, each: Sequence[Contrast], law: Any = None) -> PooledContrast:
    """Pool what every data set's fit estimates; with limits on the scale of the link of a ``law``."""
    found = pool(np.array([one.estimate for one in each]), np.array([one.se for one in each]) ** 2)
    first = each[0]
    basis = f"{first.basis}, pooled; Rubin's d.f."
    ends = None if law is None else _limits(found, law, first.prob)
    return PooledContrast(
        first.combination, first.names, first.value, found.estimate, found.se, found.df, first.prob, basis,
        first.contrast, ends, fmi=found.fmi, riv=found.riv,
    )  # fmt: skip


def _limits(found: Pooled, law: Any, prob: float) -> tuple[np.ndarray, np.ndarray]:
    """Give t limits, with a ``law`` on the scale of its link."""
    t = found.quantile(prob)
    if law is None:
        return found.estimate - t * found.se, found.estimate + t * found.se
    return limits(law, found.estimate, found.se * t / float(ndtri(0.5 + prob / 2.0)), prob)
