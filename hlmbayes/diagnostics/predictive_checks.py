"""Does a model of counts or shares say what the data are like? New outcomes from its posterior beside them.

Each check compares a statistic of the outcomes with that of new ones of the same rows (Gelman, Meng & Stern
1996, Statistica Sinica 6, 733). The p-value is the share of new sets with a larger one, ties halved; near 0
or 1 the model does not say what the data are like. Where the model holds it is not uniform but nearer to 1/2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial, singledispatch
from typing import Protocol

import numpy as np

from ..labelled import table
from ..laws.multinomial import Multinomial
from ..laws.ordinal import Ordinal
from ..laws.outcomes import Binomial, Outcome, Poisson
from ..posterior.predictive_link import rows_drawn, with_predictive
from ..posterior.record import LinkSample
from ..sampling import container
from .checks import Check, Checks

TAIL = 0.01  # of the p-value, at which a check wants a closer look


class OfRows(Protocol):
    """Rows with their outcomes, units, and trials or exposure, (N,) each."""

    @property
    def y(self) -> np.ndarray:
        """Outcomes."""

    @property
    def unit(self) -> np.ndarray:
        """Places of their units."""

    @property
    def size(self) -> np.ndarray:
        """Trials or exposure."""


type Statistic = Callable[[np.ndarray, OfRows], np.ndarray]  # of outcomes (..., N)


def predictive_checks(posterior: LinkSample, *, seed: int | None = None, draws: int = 250) -> Checks:
    """Compare the outcomes with new ones from the posterior: zeros, spread, extremes, units without any.

    Parameters
    ----------
    seed : int, optional
        Of the new outcomes; by default the posterior's.
    draws : int
        New sets of outcomes from each chain.
    """
    rows = rows_drawn(posterior)
    new = container.flat(with_predictive(posterior, seed, draws).tree, "y", "posterior_predictive")
    wanted = statistics(posterior.link.law).items()
    return Checks(tuple(compared(name, float(of(rows.y, rows)), of(new, rows)) for name, of in wanted))


def compared(name: str, observed: float, others: np.ndarray, tail: float = TAIL) -> Check:
    """Compare a statistic with those of new data, (S,); ``tail`` of the p-value wants a closer look."""
    p = float(np.mean(others > observed) + 0.5 * np.mean(others == observed))
    low, median, high = np.quantile(others, [0.025, 0.5, 0.975])
    ok = tail <= p <= 1.0 - tail
    side = "" if ok else f": {'more' if p < 0.5 else 'less'} than the model says"
    verdict = (
        f"{observed:.4g} observed{side}; the model's is {median:.4g}, in 95 % of new data {low:.4g} to "
        f"{high:.4g} ({_p_of_share(p, 1.0 / len(others))})"
    )
    columns = {"observed": [observed], "median": [median], "low": [low], "high": [high], "p": [p]}
    return Check(name, ok, verdict, table(columns, [name], "statistic"))


def _p_of_share(p: float, least: float) -> str:
    """Say a share of simulated data sets, of which ``least`` is one: none of them is no share of 0."""
    beyond = f"p < {least:.3f}" if p < least else f"p > {1.0 - least:.3f}"
    return f"p = {p:.3f}" if least <= p <= 1.0 - least else beyond


@singledispatch
def statistics(law: Outcome) -> Mapping[str, Statistic]:
    """Give the statistics that are looked at of outcomes of a law, by what they are called."""
    return {}


@statistics.register
def _(law: Poisson) -> Mapping[str, Statistic]:
    return {
        "share of zeros": lambda y, rows: np.mean(y == 0, axis=-1),
        "variance over mean": _dispersion,
        "largest count": lambda y, rows: y.max(axis=-1),
        "units with zeros only": lambda y, rows: np.sum(_of_units(y, rows)[0] == 0, axis=-1),
    }


@statistics.register
def _(law: Binomial) -> Mapping[str, Statistic]:
    found: dict[str, Statistic] = {
        "units without a success": lambda y, rows: np.sum(_of_units(y, rows)[0] == 0, axis=-1),
        "units with successes only": lambda y, rows: np.sum(np.equal(*_of_units(y, rows)), axis=-1),
        "sd of units' shares": lambda y, rows: np.std(np.divide(*_of_units(y, rows)), axis=-1),
    }
    if law.size is not None:
        found["variance of rows' shares"] = lambda y, rows: np.var(y / rows.size, axis=-1)
    return found


@statistics.register
def _(law: Ordinal) -> Mapping[str, Statistic]:
    return {
        "share of the lowest category": lambda y, rows: np.mean(y == rows.y.min(), axis=-1),
        "share of the highest category": lambda y, rows: np.mean(y == rows.y.max(), axis=-1),
        "sd of units' means": lambda y, rows: np.std(np.divide(*_of_units(y, rows)), axis=-1),
    }


@statistics.register
def _(law: Multinomial) -> Mapping[str, Statistic]:
    found: dict[str, Statistic] = {}
    for label, value in zip(law.labels, law.categories, strict=True):
        found[f"share of category {label}"] = partial(_share, value)
        found[f"sd of units' shares of category {label}"] = partial(_spread, value)
    return found


def _share(value: float, y: np.ndarray, rows: OfRows) -> np.ndarray:
    """Give the share of rows whose outcome has a value."""
    return np.asarray(np.mean(y == value, axis=-1))


def _spread(value: float, y: np.ndarray, rows: OfRows) -> np.ndarray:
    """Give the standard deviation over units of the share of such rows."""
    return np.asarray(np.std(np.divide(*_of_units((y == value).astype(float), rows)), axis=-1))


def _dispersion(y: np.ndarray, rows: OfRows) -> np.ndarray:
    """Give the variance of counts over their mean, of one unit of exposure."""
    rate = y / rows.size
    return np.asarray(rate.var(axis=-1) / rate.mean(axis=-1))


def _of_units(y: np.ndarray, rows: OfRows) -> tuple[np.ndarray, np.ndarray]:
    """Give the sums of outcomes (..., N) and of trials over the rows of each unit, (..., J)."""
    order = np.argsort(rows.unit, kind="stable")
    starts = np.flatnonzero(np.diff(rows.unit[order], prepend=-1))
    size = np.add.reduceat(rows.size[order], starts)
    sums = np.add.reduceat(y[..., order], starts, axis=-1)
    return sums, np.broadcast_to(size, sums.shape)
