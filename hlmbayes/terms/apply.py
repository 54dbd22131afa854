"""The columns of a fitted model's terms, made of other rows with what the terms have learnt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ..data.columns import find_column
from ..data.rows import Rows
from ..data.table import with_columns
from ..equations.expressions import Node, names_in
from .evaluate import Evaluator
from .expand import Made, Terms
from .source import Source


def applied[D: Rows](terms: Terms, data: D) -> D:
    """Give other data with the columns of terms, as `hlmbayes.terms.expand.expanded` gave to the first.

    Levels, knots, polynomials and means are those that were learnt; new units have means of their own rows. A
    row that misses a variable of a term misses the term's columns.

    Raises
    ------
    DataError
        A new level of a factor, a value beyond the knots of a spline, a variable that is not there.
    """
    values: dict[int, dict[str, np.ndarray]] = {1: {}, 2: {}}
    for made in terms.made:
        values[made.level] |= _columns(made, data, terms.states.get(made.level, {}))
    return replace(
        data, level1=with_columns(data.level1, values[1]), level2=with_columns(data.level2, values[2])
    )


def _columns(made: Made, data: Rows, states: Mapping[Node, Any]) -> dict[str, np.ndarray]:
    """Make the columns of one term."""
    if made.level == 2:
        kept, rows, place, size = data, np.arange(data.n_units), data.unit_ids, data.n_units
    else:
        own = [name for name in names_in(made.node) if find_column(name, data.level1, data.sources[0])]
        mask, n_gone = data.complete_rows(own)
        if n_gone == data.n_rows:
            return {name: np.full(data.n_rows, np.nan) for name in made.names}
        kept, rows = data.drop_incomplete(own), np.arange(data.n_rows)
        rows, size = rows if mask is None else rows[mask], data.n_rows
        place = rows + 1
    source = Source(made.level, kept, np.ones(len(rows)), place)
    found = Evaluator(source, dict(states), made.where, learns=False).columns(made.node)
    full = np.full((len(found.names), size), np.nan)
    full[:, rows] = found.values.T
    return dict(zip(found.names, full, strict=True))
