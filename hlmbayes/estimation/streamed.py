"""Estimates from moments that are larger than memory.

A sample of the units gives the columns everything is computed in, and a place to start; the optimum is that
of all units, whose sums are taken a part at a time. Newton's method needs few of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Any, NamedTuple, NoReturn

import numpy as np

from ..equations.model import TwoLevelModel
from ..equations.outcome_law import check_normal
from ..errors import DataError, EstimationError, HypothesisError
from ..laws.counting import ONCE
from ..likelihood.build_design import build_design, in_columns_of, level2_values
from ..likelihood.design import Design
from ..likelihood.streamed import streamed
from ..likelihood.system import System, standardise
from ..terms.named import level2_names, named
from ..unit_moments.record import Moments, merge
from ..unit_moments.stream import MomentsStream
from .estimates import Estimates
from .exact import estimates_at
from .lost_digits import lost_digits
from .optimum import optimum, theta_at
from .prepare import Prepared, law_of

SAMPLE = 50_000  # units
APART = 1e-3  # of a variance, added to each to start from: at a singular tau the criterion has no slope


def refuse_stream(what: str) -> NoReturn:
    """Refuse what needs all units in memory."""
    raise HypothesisError(
        f"{what} needs all units in memory, and these moments are read a part at a time: "
        "model.fit(hlm.load_moments(path)) has it"
    )


@dataclass(frozen=True, eq=False)
class StreamedDesign(Design):
    """The design of a sample of units, in whose columns all are; counts are those of all."""

    all_units: int = field(kw_only=True)

    @property
    def n_units(self) -> int:
        """Number of level-2 units, J."""
        return self.all_units


@dataclass(frozen=True, eq=False)
class StreamedEstimates(Estimates):
    """A fit to streamed moments. Arrays over units in ``design`` and ``system`` are those of a sample."""

    stream: MomentsStream = field(kw_only=True)

    def parts(self) -> Iterator[Estimates]:
        """Give the same estimates beside some of the units at a time."""
        values, head = _values(Estimates, self), Design(**_values(Design, self.design))
        for moments in self.stream.parts(*_names(self.model)):
            design = in_columns_of(head, moments)
            yield Estimates(**values | {"design": design, "system": standardise(design, self.system.e_scale)})


def fit_stream(model: TwoLevelModel, stream: MomentsStream, reml: bool) -> StreamedEstimates:
    """Find the optimum of the likelihood; the errors are those of a fit from moments in memory."""
    check_normal(model.outcome, model.outcome_law, "a fit from streamed moments")
    law = law_of(model)
    if law.alone:
        raise EstimationError(f"streamed moments are fitted without {law.alone}: read them with load_moments")
    model = _plain(model, stream)
    survey = _survey(model, stream)
    head = build_design(model, survey.sample, survey.means)
    law.check(head)
    system, prepared = standardise(head), Prepared(head, law, ONCE, survey.sample, survey.sample)
    first = optimum(system, reml)
    notes = lost_digits(estimates_at(prepared, system, first, reml))

    def parts() -> Iterator[System]:
        for moments in stream.parts(*_names(model)):
            yield standardise(in_columns_of(head, moments), system.e_scale)

    every, theta = streamed(system, parts), theta_at(first.point)
    root = np.linalg.cholesky(theta + APART * np.diag(1.0 + np.diag(theta)))
    design = StreamedDesign(**_values(Design, head) | {"n_rows": survey.n_rows}, all_units=stream.n_units)
    found = estimates_at(replace(prepared, design=design), every, optimum(every, reml, start=root), reml)
    return StreamedEstimates(**_values(Estimates, found) | {"notes": (*found.notes, *notes)}, stream=stream)


def _values(kind: type, record: Any) -> dict[str, Any]:
    """Give the fields that a record has of a kind."""
    return {one.name: getattr(record, one.name) for one in fields(kind)}


def _names(model: TwoLevelModel) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Name the level-1 columns and the level-2 variables of a model."""
    return (model.outcome, *model.level1_variables), tuple(model.level2_variables)


def _plain(model: TwoLevelModel, stream: MomentsStream) -> TwoLevelModel:
    """Give the model of columns; refuse one whose level-2 predictors are yet to be made."""
    model, _, _ = named(model.with_levels(level2=level2_names(model, stream.level2)), stream.columns, None)
    for gamma in model.gammas:
        if gamma.predictor.term is not None:
            raise DataError(
                f"{gamma.where}: {gamma.predictor.variable} is to be made of level-2 variables, and streamed "
                "moments are taken as they are: make it a column of the data before their moments are taken"
            )
    return model


class Survey(NamedTuple):
    """What a first look at all parts gives: some of the units, the grand means, the number of rows."""

    sample: Moments
    means: dict[str, float]
    n_rows: int


def _survey(model: TwoLevelModel, stream: MomentsStream) -> Survey:
    """Take every so manieth unit, and the means of all, by variable in lower case."""
    step, seen, n, chosen = -(-stream.n_units // SAMPLE), 0, 0.0, []
    sums, level2 = np.zeros(()), np.zeros(())
    for part in stream.parts(*_names(model)):
        chosen.append(_some(part, slice(-seen % step, None, step)))
        seen, n, sums = seen + part.n_units, n + part.n.sum(), sums + part.n @ part.mean
        level2 = level2 + level2_values(part, tuple(part.level2))[1:].sum(axis=1)
    sample = merge(chosen)
    at_level1 = zip(sample.columns, np.asarray(sums / n).tolist(), strict=True)
    at_level2 = zip(sample.level2, np.asarray(level2 / seen).tolist(), strict=True)
    return Survey(sample, {name.lower(): mean for name, mean in (*at_level1, *at_level2)}, int(n))


def _some(moments: Moments, units: slice) -> Moments:
    """Give the moments of some of the units, which hold no memory of the others."""
    names = ("unit_ids", "n", "weight", "mean", "sscp")
    level2 = {name: values[units].copy() for name, values in moments.level2.items()}
    return replace(moments, level2=level2, **{name: getattr(moments, name)[units].copy() for name in names})
