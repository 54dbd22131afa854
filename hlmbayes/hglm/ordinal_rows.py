"""The rows of a law of level 1, those of ordinal outcomes as binary rows with the cuts as fixed effects."""

from __future__ import annotations

from dataclasses import replace
from functools import singledispatch
from typing import NamedTuple

import numpy as np

from ..data.two_level import TwoLevelData
from ..errors import EquationError, EstimationError
from ..laws.counting import ONCE, Counting
from ..laws.ordinal import Ordinal
from ..laws.outcomes import Binomial, Outcome
from ..likelihood.design import Design
from ..likelihood.rows import analysed_rows, level1_values, outcome_values
from .counted_rows import (
    CountedRows,
    counted_rows,
    counts_of,
    distinct_units,
    kinds,
    standard_columns,
    starts_of,
)
from .cuts import Cuts


class Laid(NamedTuple):
    """The law with what the data say of it, the law of its rows as they are laid out, and these."""

    law: Outcome
    of_rows: Outcome
    rows: CountedRows


@singledispatch
def rows_of_law(law: Outcome, design: Design, data: TwoLevelData, counting: Counting = ONCE) -> Laid:
    """Lay out the rows of a design for a law; refuse outcomes it cannot give (DataError)."""
    return Laid(law, law, counted_rows(design, data, law, counting))


@rows_of_law.register
def _(law: Ordinal, design: Design, data: TwoLevelData, counting: Counting = ONCE) -> Laid:
    row, unit = analysed_rows(design, data, law.columns)
    y = outcome_values(design, data, row)
    unit = (place := distinct_units(design))[unit]
    counts = counts_of(counting, data, row, J := place[-1] + 1)
    values, category, found = check_ordinal(design, law, y, unit, counts.row)
    K, T = len(values), len(values) - 2
    d = np.stack([level1_values(design, data, k, row, unit) for k in design.order.tolist()])
    # a row of category m is at or below m (not the highest), and not at or below m - 1 (not the lowest)
    below, above = np.flatnonzero(category < K - 1), np.flatnonzero(category > 0)
    of_row, cut = np.r_[below, above], np.r_[category[below], category[above] - 1]
    hit = np.r_[np.ones(len(below)), np.zeros(len(above))]
    first, of = kinds(unit[of_row], [*d[:, of_row], cut.astype(float)])
    times = counts.row[of_row]
    hits, size = (np.bincount(of, each, len(first)) for each in (times * hit, times))
    of_row, cut = of_row[first], cut[first]
    plain, x = standard_columns(design, d[:, of_row])
    F, p = design.n_fixed, len(plain)
    both = np.zeros((J, p + T, F + T))
    both[:, :p, :F], both[:, p:, F:] = x, np.eye(T)
    at_cut = (cut == np.arange(1, K - 1)[:, None]).astype(float)
    share = np.cumsum(counts.unit @ found)[:-1] / (counts.unit @ found).sum()
    log_odds = np.log(share / (1.0 - share))
    unit = unit[of_row]
    rows = CountedRows(
        np.vstack([plain, at_cut]), both, hits, size, np.zeros(len(unit)), unit, starts_of(unit),
        counts.unit, counts.scale, design.tau_columns, 0.0,
        Cuts(counts.unit[:, None] * found[:, 1:-1], log_odds[1:] - log_odds[0]),
    )  # fmt: skip
    return Laid(replace(law, categories=tuple(values.tolist())), Binomial(), rows)


def check_ordinal(
    design: Design, law: Ordinal, y: np.ndarray, unit: np.ndarray, times: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give the categories (K,), each row's (N,), and how often units have them (J, K); refuse others.

    ``unit`` (N,): place among the distinct units; ``times`` (N,): how often rows count.
    """
    _refuse_without_intercept(design)
    law.check_rows(y, np.ones(len(y)), design.model.outcome)
    values, category = np.unique(y, return_inverse=True)
    counts = np.zeros((unit.max() + 1, len(values)))
    np.add.at(counts, (unit, category), times)
    if design.n_random and ((counts > 0).sum(axis=1) == 1).all():
        raise EstimationError(
            f"the rows of each unit have one and the same {design.model.outcome}: the variance between units "
            "grows without end"
        )
    return values, category, counts


def _refuse_without_intercept(design: Design) -> None:
    """Raise where there is no fixed intercept: it is the log odds of the lowest category."""
    own = [c for c in design.model.coefficients if c.predictor.variable is None]
    if any(gamma.predictor.variable is None for c in own for gamma in c.gammas):
        return
    raise EquationError(
        f"cumlogit({design.model.outcome}) wants an intercept, b0 = g00 + ...: it is the log odds of the "
        "lowest category, from which the cuts are counted"
    )
