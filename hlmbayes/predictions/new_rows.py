"""Rows of other data as the design has them: terms with what they learnt, centring about the fit's means."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data.categories import is_missing
from ..data.columns import find_column
from ..data.reading import read_table
from ..data.rows import Rows
from ..data.suspects import Suspect, suspects
from ..data.two_level import TwoLevelData
from ..data.units import index_rows, places_of
from ..equations.expressions import Function, Node
from ..equations.parts import Predictor
from ..errors import DataError, HypothesisError, warn
from ..labelled import table
from ..likelihood.design import Design
from ..terms.apply import applied
from ..terms.evaluate import Evaluator, Means
from ..terms.source import Source
from ..words import some

if TYPE_CHECKING:
    import pandas as pd

NEW, FITTED = "the new data", "the data of the fit"
ALONE = (
    "rows to predict whose unit is not of the fit, or not named, and has no other row here: {n}. Their own "
    "value is the unit's mean then, so that what group() centres is 0 there whatever it is. Name a unit of "
    "the fit, or give all rows of the new unit; slopes() and means() answer at deviations"
)


@dataclass(frozen=True, slots=True, eq=False)
class NewRows:
    """n rows: ``effects`` (n, n_gamma), what each fixed effect multiplies, and ``z`` (n, q).

    ``unit`` (n,): the place of its unit in the design, -1 of a unit that is not there; ``group`` (n,):
    numbers rows of the same unit alike, known or not, None where rows have no ids. ``only`` (N,) bool: which
    rows of the data these are, None for all; ``index``: the labels of those rows in a pandas frame.
    """

    effects: np.ndarray
    z: np.ndarray
    unit: np.ndarray
    group: np.ndarray | None
    only: np.ndarray | None = None
    index: Any = None

    def x(self, design: Design) -> np.ndarray:
        """Give the rows of X, (n, F): fixed effects that are held equal share a column."""
        return x_of(design, self.effects)

    def table(self, columns: Mapping[str, np.ndarray]) -> pd.DataFrame:
        """Tabulate what was predicted, (n,) each: a line for each row of the data, nan for those left out."""
        if self.only is not None:
            full = {name: np.full(len(self.only), np.nan) for name in columns}
            for name, values in columns.items():
                full[name][self.only] = values
            columns = full
        found = table(columns, range(len(self.unit) if self.only is None else len(self.only)), "row")
        return found if self.index is None else found.set_axis(self.index)


def asked_rows(design: Design, data: Any, own: TwoLevelData | None) -> NewRows:
    """Lay out rows to predict: ``data``, or those of the fit's ``own`` data whose predictors are known."""
    if data is None and own is not None:
        return new_rows(design, own, own, only=known_rows(design, own))
    refuse_lost_terms(design)
    return new_rows(design, data, own)


def refuse_lost_terms(design: Design) -> None:
    """Refuse what needs the variables of terms of a posterior from a file: HypothesisError."""
    if design.terms.lost:
        raise HypothesisError(
            "this model has factors or terms, and a posterior from a file has their columns, not their "
            "variables: sample it from the data again for new rows, means and slopes"
        )


def x_of(design: Design, effects: np.ndarray) -> np.ndarray:
    """Give the rows of X (n, F) from what each fixed effect multiplies (n, n_gamma)."""
    x = np.zeros((len(effects), design.n_fixed))
    np.add.at(x.T, design.free, effects.T)
    return x


def known_rows(design: Design, data: TwoLevelData) -> np.ndarray:
    """Say of which rows of the fit's own data every predictor is known, (N,) bool."""
    known = np.ones(data.n_rows, dtype=bool)
    for own in {data.find(name) for name in _variables(design)}:
        level1 = find_column(own, data.level1, data.sources[0])
        column = data.level2_values(own)[1][data.unit] if level1 is None else data.level1[level1]
        known &= ~is_missing(np.asarray(column))
    return known


def _variables(design: Design) -> set[str]:
    """Name the variables that the model's predictors are made of."""
    model = design.model if design.terms.lost else design.terms.written or design.model
    predictors = [*(c.predictor for c in model.coefficients), *(g.predictor for g in model.gammas)]
    return {name for predictor in predictors for name in predictor.names}


def new_rows(
    design: Design, data: Any, like: Rows | None = None, *, deviations: bool = False,
    only: np.ndarray | None = None,
) -> NewRows:  # fmt: skip
    """Lay out rows of a frame, file, mapping of arrays or TwoLevelData.

    ``like`` are the rows of the fit, whose value labels and declared categories hold for the new ones, too.
    With ``deviations`` a group-mean centred variable is given as its deviation already. ``only`` (N,) bool:
    these rows of TwoLevelData.

    Raises
    ------
    DataError
        A variable of the model that is not there, is missing, or has a value the model does not know.
    """
    rows, group, unit = _rows(design, data, like, only)
    if like is not None and only is None and not deviations:
        _warn_of_codes(design, rows, like)
    maker = _Maker(design, rows, group, unit, deviations)
    level1 = [maker.values(c.predictor) for c in design.model.coefficients]
    effects = [
        level1[k] * maker.values(gamma.predictor)
        for k, c in enumerate(design.model.coefficients)
        for gamma in c.gammas
    ]
    if maker.alone.any():
        warn(ALONE.format(n=int(maker.alone.sum())))
    n = rows.n_rows
    z = np.array([level1[r] for r in design.random]).reshape(design.n_random, n).T
    pandas = sys.modules.get("pandas")
    index = data.index if pandas is not None and isinstance(data, pandas.DataFrame) else None
    return NewRows(np.array(effects).reshape(len(effects), n).T, z, unit, group, only, index)


def _warn_of_codes(design: Design, rows: Rows, like: Rows) -> None:
    """Warn of numbers that look like missing codes beside the fit's, which has none of them."""
    found: list[Suspect] = []
    for name in sorted(_variables(design)):
        here = find_column(name, rows.level1, NEW)
        level = next((level for level in (like.level1, like.level2) if find_column(name, level, FITTED)), {})
        own = find_column(name, level, FITTED)
        if here is None or own is None:
            continue
        new, old = np.asarray(rows.level1[here]), np.asarray(level[own])
        if new.dtype.kind in "iuf" and old.dtype.kind in "iuf":
            both = suspects([(here, np.concatenate([old, new]))], {})
            found += [each for each in both if each.code in new and each.code not in old]
    if found:
        warn(
            f"Values of {NEW} look like missing codes and are taken for numbers: {some(found)}. Leave these "
            "rows out, or fill them in, if nothing was measured there"
        )


def _rows(
    design: Design, data: Any, like: Rows | None, only: np.ndarray | None
) -> tuple[Rows, np.ndarray | None, np.ndarray]:
    """Read the data: rows that are each a unit of its own, their units numbered, and the places of these."""
    if isinstance(data, TwoLevelData):
        at = np.arange(data.n_rows) if only is None else np.flatnonzero(only)
        columns = {name: np.asarray(data.level1[name])[at] for name in data.level1}
        columns |= {name: np.asarray(data.level2[name])[data.unit[at]] for name in data.level2}
        found: tuple[np.ndarray, np.ndarray] | None = (data.unit[at], data.unit_ids)
        n = len(at)
    else:
        read = read_table(data, NEW)
        columns, n = dict(read.columns), read.n_rows
        name = find_column(design.moments.id_name, columns, NEW)
        found = None if name is None else index_rows(read.ids(name), name, NEW)
    each, labels = np.arange(n), {} if like is None else like.value_labels
    categories = {} if like is None else like.categories
    rows = Rows(
        "row", each, each, columns, value_labels=labels, sources=(NEW, NEW), one_source=True,
        categories=categories,
    )  # fmt: skip
    if found is None:
        return rows, None, np.full(n, -1)
    group, ids = found
    return rows, group, places_of(ids, design.unit_ids, (NEW, FITTED))[group]


class _Maker:
    """Makes the columns of the model's predictors of new rows."""

    def __init__(
        self, design: Design, rows: Rows, group: np.ndarray | None, unit: np.ndarray, deviations: bool
    ) -> None:
        self.design, self.unit, self.deviations = design, unit, deviations
        self.group = np.arange(rows.n_rows) if group is None else np.unique(group, return_inverse=True)[1]
        self.alone = np.zeros(rows.n_rows, dtype=bool)  # rows whose own value is their unit's mean
        states = {level: self._centred(rows, level) for level in (1, 2)}
        found = applied(replace(design.terms, states=states), rows)
        self.rows = replace(found, level1={**found.level1, **found.level2})  # each row is a unit

    def values(self, predictor: Predictor) -> np.ndarray:
        """Give the values of a predictor, centred as the model says, (n,)."""
        if predictor.variable is None:
            return np.ones(self.rows.n_rows)
        raw = self._raw(predictor.variable)
        if predictor.centering == "grand":
            return np.asarray(raw - self.design.centers[predictor.variable.lower()])
        if predictor.centering == "group" and not self.deviations:
            column = self.design.moments.column(predictor.variable)
            return np.asarray(raw - self._unit_mean(raw, self.design.moments.mean[:, column]))
        return raw

    def _raw(self, name: str) -> np.ndarray:
        values = np.asarray(self.rows.level1_column(name), dtype=float)
        if np.isnan(values).any():
            raise DataError(
                f"{name} is missing in {int(np.isnan(values).sum())} of {len(values)} rows of {NEW}: leave "
                "them out, or fill it in"
            )
        return values

    def _unit_mean(self, values: np.ndarray, known: np.ndarray) -> np.ndarray:
        """Give each row its unit's mean: the fit's, of a unit it does not know that of its rows here."""
        n = np.bincount(self.group)
        own = np.bincount(self.group, values) / n
        self.alone |= (self.unit < 0) & (n == 1)[self.group]
        return np.where(self.unit >= 0, known[self.unit], own[self.group])

    def _centred(self, rows: Rows, level: int) -> dict[Node, Any]:
        """Give what the terms of a level learnt, group() with the means of the rows' units."""
        states = dict(self.design.terms.states.get(level, {}))
        source = Source(level, rows, np.ones(rows.n_rows), rows.unit + 1)
        evaluator = Evaluator(source, states, learns=False)
        for node, state in self.design.terms.states.get(level, {}).items():
            if isinstance(state, Means) and state.unit_ids is not None:
                states[node] = self._means(evaluator, node, state)
        return states

    def _means(self, evaluator: Evaluator, node: Node, state: Means) -> Means:
        here, ids = evaluator.source.data.unit_ids, state.unit_ids
        assert ids is not None
        if self.deviations:
            return Means(np.zeros((len(here), state.mean.shape[1])), here)
        assert isinstance(node, Function)
        values = evaluator.columns(node.argument).values
        at = places_of(self.design.unit_ids, ids, (FITTED, FITTED))
        mean = [self._unit_mean(v, m[at]) for v, m in zip(values.T, state.mean.T, strict=True)]
        return replace(state, mean=np.array(mean).T, unit_ids=here)
