"""Tables of a posterior: its parameters, and its units' random effects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from ..errors import SamplingError
from ..labelled import numbers_table
from .record import Drawn

if TYPE_CHECKING:
    import pandas as pd


def interval(values: np.ndarray, prob: float, kind: Literal["eti", "hdi"] = "eti") -> tuple[float, float]:
    """Give an interval of draws of any shape, nan left out."""
    if kind not in ("eti", "hdi") or not 0 < prob < 1:
        raise SamplingError(
            f'an interval is "eti" or "hdi" with a probability in (0, 1), got {kind!r}, {prob!r}'
        )
    kept = values[np.isfinite(values)]
    if kind == "eti":
        low, high = np.quantile(kept, [0.5 - prob / 2, 0.5 + prob / 2])
    else:
        from arviz_stats.base import array_stats

        low, high = array_stats.hdi(kept, prob)
    return float(low), float(high)


def bounds(prob: float, kind: Literal["eti", "hdi"] = "eti") -> tuple[str, str]:
    """Name the columns of an interval's ends: "eti95_low", "eti95_high"."""
    return f"{kind}{100 * prob:g}_low", f"{kind}{100 * prob:g}_high"


def summary(posterior: Drawn, prob: float = 0.95, kind: Literal["eti", "hdi"] = "eti") -> pd.DataFrame:
    """Tabulate the parameters: name, mean, median, sd, interval, R-hat, effective draws, mean's error.

    Parameters
    ----------
    prob : float
        Probability of the interval.
    kind : "eti" or "hdi"
        Equal-tailed, which is the same whatever the scale, or highest-density.
    """
    rows = by_parameter(posterior, prob, kind)
    return numbers_table(rows, posterior.parameters.name_of, posterior.labels)


def by_parameter(
    posterior: Drawn, prob: float = 0.95, kind: Literal["eti", "hdi"] = "eti"
) -> dict[str, dict[str, float]]:
    """Give the numbers of `summary` of every parameter by its code."""
    checks, rows = posterior.mixing._asdict(), {}
    low_name, high_name = bounds(prob, kind)
    for k, (code, values) in enumerate(posterior.scalars.items()):
        low, high = interval(values, prob, kind)
        rows[code] = {
            "mean": float(np.mean(values)), "median": float(np.median(values)),
            "sd": float(np.std(values, ddof=1)), low_name: low, high_name: high,
            **{name: float(each[k]) for name, each in checks.items()},
        }  # fmt: skip
    return rows


def effects(posterior: Drawn) -> pd.DataFrame:
    """Tabulate the posterior mean and sd of every unit's random effects; index = unit ids."""
    import pandas as pd

    data = posterior.tree["constant_data"]
    columns = {}
    for k, coefficient in enumerate(c for c in posterior.model.coefficients if c.random):
        columns[f"{coefficient.effect}_mean"] = np.asarray(data["u_mean"].values)[:, k]
        columns[f"{coefficient.effect}_sd"] = np.asarray(data["u_sd"].values)[:, k]
    return pd.DataFrame(columns, index=pd.Index(posterior.target.design.unit_ids, name="unit"))
