"""The categories of an outcome found in the data, and its rows laid out: equal ones counted once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..data.two_level import TwoLevelData
from ..errors import EstimationError
from ..laws.counting import ONCE, Counting
from ..laws.multinomial import Multinomial
from ..likelihood.design import Design
from ..likelihood.rows import analysed_rows, level1_values, outcome_values
from .category_design import design_of_categories, places_of
from .category_rows import CategoryRows
from .counted_rows import counts_of, distinct_units, kinds, standard_columns, starts_of
from .cuts import no_cuts
from .ordinal_rows import Laid, rows_of_law


def with_found_categories(law: Multinomial, design: Design, data: TwoLevelData) -> tuple[Multinomial, Design]:
    """Give the law with the categories the data have, and the design of an equation for each.

    Raises
    ------
    DataError, EstimationError
        Fewer than three categories or too many; units of one category each.
    """
    row, unit = analysed_rows(design, data)
    y = outcome_values(design, data, row)
    law.check_rows(y, np.ones(len(y)), design.model.outcome)
    values, category = np.unique(y, return_inverse=True)
    lowest, highest = (np.full(design.n_units, start) for start in (len(values), -1))
    np.minimum.at(lowest, unit, category)
    np.maximum.at(highest, unit, category)
    if design.n_random and (lowest == highest).all():
        raise EstimationError(
            f"the rows of each unit have one and the same {design.model.outcome}: the variance between units "
            "grows without end"
        )
    law = replace(law, categories=tuple(values.tolist()))
    return law, design_of_categories(design, law.labels[:-1])


@rows_of_law.register
def _(law: Multinomial, design: Design, data: TwoLevelData, counting: Counting = ONCE) -> Laid:
    row, unit = analysed_rows(design, data)
    unit = (place := distinct_units(design))[unit]
    times = counts_of(counting, data, row, place[-1] + 1)
    K = len(law.categories) - 1
    at = places_of(design.n_random // K, design.n_coefficients // K, K)
    d = np.stack([level1_values(design, data, k, row, unit) for k in design.order[at[0]].tolist()])
    first, of = kinds(unit, [*d])
    category = np.searchsorted(law.categories, outcome_values(design, data, row))
    R = len(first)
    counts = np.bincount(category * R + of, times.row, (K + 1) * R).reshape(K + 1, R)
    each = np.empty((design.n_coefficients, R))
    each[at] = d[:, first]
    each, x = standard_columns(design, each)
    unit = unit[first]
    rows = CategoryRows(
        each[at[0]], x[:, at.ravel()], counts[:-1], counts.sum(axis=0), np.zeros(R), unit, starts_of(unit),
        times.unit, times.scale, design.tau_columns, 0.0, no_cuts(len(x)),
    )  # fmt: skip
    return Laid(law, law, rows)
