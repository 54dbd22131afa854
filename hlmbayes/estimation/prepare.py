"""One way in: columns -> complete rows -> moments -> design -> checks -> standardised system."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypedDict

import numpy as np

from ..arguments import name_or_none
from ..data.columns import find_column
from ..data.two_level import TwoLevelData
from ..data.weights import Frequencies, Weights
from ..data.wide import looks_wide
from ..equations.model import TwoLevelModel
from ..equations.outcome_law import check_normal
from ..equations.symbols import quoted
from ..errors import DataError, EstimationError
from ..laws.counting import ONCE, Counting, counted_moments, counting_in
from ..laws.law import Law, SingleRowsError
from ..laws.log_linear import LogLinear
from ..laws.normal import FixedSigma2, KnownVariance, Precision
from ..likelihood.build_design import build_design
from ..likelihood.design import Design
from ..likelihood.row_groups import Groups, groups_of, variance_columns
from ..likelihood.system import System, standardise
from ..terms.expand import Terms, expanded
from ..terms.named import level2_names, named
from ..unit_moments.record import Moments, moments_of


@dataclass(frozen=True, eq=False)
class Prepared:
    """A model joined with data: everything an estimation or a sampler starts from."""

    design: Design  # rows divided by their sigma where the law gives it (up to one factor)
    law: Law  # what level 1 is
    counting: Counting  # how rows and units count
    source: TwoLevelData | Moments  # the data it came from
    complete: TwoLevelData | Moments  # without incomplete rows, where weights or the law needed the rows

    @cached_property
    def plain(self) -> Design:
        """The design of the rows as they are."""
        return self.law.plain(self.design)

    @cached_property
    def system(self) -> System:
        """The design standardised."""
        return standardise(self.design)

    @property
    def rows(self) -> TwoLevelData | None:
        """The rows, where it came from rows."""
        return None if isinstance(self.source, Moments) else self.source

    @cached_property
    def groups(self) -> Groups:
        """Rows of equal variance, where log(sigma2) depends on variables."""
        return groups_of(self.design, self.source)


def prepare(
    model: TwoLevelModel, data: TwoLevelData | Moments, *, law: Law | None = None,
    weights: Weights | Frequencies | None = None,
) -> Prepared:  # fmt: skip
    """Join a model with data; moments that carry sampling weights are weighted.

    ``law`` says what level 1 is, by default what the model says; ``weights`` how rows and units count, once
    by default. Raise DataError, EquationError or EstimationError for what is missing in the data, collinear,
    or has nothing to be estimated from.
    """
    law, weights = law_of(model) if law is None else law, _own_counts(data, weights)
    if law.of_normal:
        check_normal(model.outcome, model.outcome_law, "this analysis")
    if law.alone and (weights is not None or (isinstance(data, Moments) and data.weighted)):
        refuse_two(("weights", law.alone))
    model, data, terms = _plain_columns(model, data, weights)
    law = law if model.log_sigma2 is None else law_of(model)  # its variables are columns now
    moments, counting, complete = _moments(model, data, law, weights)
    design, law = law.weighed(build_design(model, moments), complete)
    try:
        law.check(design)
    except SingleRowsError as error:
        wide = looks_wide(data.level1) if isinstance(data, TwoLevelData) else ""
        raise EstimationError(f"{error}{'. The file ' if wide else ''}{wide}") from None
    return Prepared(replace(design, terms=terms), law, counting, data, complete)


def _own_counts(
    data: TwoLevelData | Moments, weights: Weights | Frequencies | None
) -> Weights | Frequencies | None:
    """Give the frequencies of rows that are counted already; else the weights that were asked for."""
    name = data.frequency if isinstance(data, TwoLevelData) else None
    if name is None or weights == Frequencies(name):
        return weights
    if weights is not None:
        raise DataError(
            f"these rows are counted by {name!r}, and count so often: for weights or other frequencies read "
            "the rows themselves"
        )
    return Frequencies(name)


def _plain_columns(
    model: TwoLevelModel, data: TwoLevelData | Moments, weights: Weights | Frequencies | None
) -> tuple[TwoLevelModel, TwoLevelData | Moments, Terms]:
    """Make the columns of the model's terms; of moments, which have no rows, find them."""
    if isinstance(data, TwoLevelData):
        return expanded(model, data, weights)
    if not isinstance(data, Moments):
        return model, data, Terms(model)  # what it is is judged next
    model = model.with_levels(level2=level2_names(model, data.level2))
    units = TwoLevelData(data.id_name, data.unit_ids, np.arange(data.n_units), {}, data.level2)
    model, columns, terms = named(model, data.columns, units, data.unit_weight)
    numbers = {name: values for name, values in data.level2.items() if values.dtype.kind in "biuf"}
    return model, replace(data, level2=numbers | columns) if columns else data, terms


def _moments(
    model: TwoLevelModel, data: TwoLevelData | Moments, law: Law, weights: Weights | Frequencies | None
) -> tuple[Moments, Counting, TwoLevelData | Moments]:
    """Give the moments of the complete rows, how they count, and those rows (or the moments)."""
    if isinstance(data, Moments):
        if weights is not None or law.needs_rows:
            raise DataError("weights need the rows, and these data are moments: fit from the data instead")
        return data, counting_in(data), data
    if not isinstance(data, TwoLevelData):
        raise DataError(
            f"a model wants data that hlmbayes.read has read, got {type(data).__name__}: "
            'hlmbayes.read(frame, id="school") takes data frames too, level-2 variables in it or in another'
        )
    level1, level2 = columns_for(model, data)
    if weights is None and not law.columns:
        return moments_of(data, level1, level2=level2), ONCE, data
    kept = data.drop_incomplete([data.find(name) for name in level1])
    if weights is None:
        moments, counting = moments_of(kept, level1, level2=level2), ONCE
    else:
        moments, counting = counted_moments(kept, level1, level2, weights)
    return replace(moments, n_dropped=data.n_rows - kept.n_rows), counting, kept


class Level1Asked(TypedDict, total=False):
    """The arguments of a call that say what level 1 is beside the model, and how rows and units count."""

    weights: Weights | None
    frequency: Frequencies | None
    precision: str | None
    variance_known: str | None
    sigma2: float | None


def law_and_counting(
    model: TwoLevelModel, *, weights: Weights | None = None, frequency: Frequencies | None = None,
    precision: str | None = None, variance_known: str | None = None, sigma2: float | None = None,
) -> tuple[Law, Weights | Frequencies | None]:  # fmt: skip
    """Give the law of level 1, and the weights of rows and units, that a model and arguments ask for.

    The arguments are those of `hlmbayes.Model.fit`; two of a kind are refused, and what is none.
    """
    name_or_none("precision=", precision, EstimationError)
    name_or_none("variance_known=", variance_known, EstimationError)
    law = law_of(model, precision=precision, variance_known=variance_known, sigma2=sigma2)
    return law, weights_asked(weights, frequency)


def weights_asked(weights: Any, frequency: Any) -> Weights | Frequencies | None:
    """Give the weights of rows and units; refuse two kinds, and what is none."""
    given = {"weights": (weights, Weights), "frequency": (frequency, Frequencies)}
    asked = {name: value for name, (value, _) in given.items() if value is not None}
    refuse_two(tuple(asked))
    for name, value in asked.items():
        wanted = given[name][1]
        if not isinstance(value, wanted):
            raise EstimationError(
                f'{name}= wants hlm.{wanted.__name__}(level1="NAME", level2="NAME"), '
                f"got {type(value).__name__}"
            )
    return next(iter(asked.values()), None)


def law_of(
    model: TwoLevelModel, *, precision: str | None = None, variance_known: str | None = None,
    sigma2: float | None = None,
) -> Law:  # fmt: skip
    """Give the law of level 1 that a model and arguments ask for; refuse two at once."""
    asked: dict[str, Law] = {}
    if model.log_sigma2 is not None:
        asked[LogLinear.alone] = LogLinear(model.log_sigma2.names, model.log_sigma2.variables)
    if precision is not None:
        asked[Precision.alone] = Precision(precision)
    if variance_known is not None:
        asked[KnownVariance.alone] = KnownVariance(variance_known)
    if sigma2 is not None:
        asked[FixedSigma2.alone] = FixedSigma2(sigma2)
    refuse_two(tuple(asked))
    return next(iter(asked.values()), Law())


def refuse_two(names: Sequence[str]) -> None:
    """Raise where more than one kind of weights or of level-1 variances is given."""
    if len(names) < 2:
        return
    if LogLinear.alone in names:
        others = " and ".join(name for name in names if name != LogLinear.alone)
        raise EstimationError(f"{others} cannot be combined with {LogLinear.alone}: take one of them out")
    raise EstimationError(
        f"{' and '.join(names)} were given, which are different kinds of weights or variances: use one"
    )


def columns_for(model: TwoLevelModel, data: TwoLevelData) -> tuple[list[str], list[str]]:
    """Name the level-1 columns, the outcome first, and the level-2 variables a model needs of its data.

    Raise DataError, with the line of the model, for a variable the data do not have at that level.
    """
    _check_names(model, data)
    more1, more2 = variance_columns(model.variance_variables, data)
    level1 = [model.outcome, *model.outcome_law.columns, *model.level1_variables, *more1]
    return _unique(level1), _unique([*model.level2_variables, *more2])


def _check_names(model: TwoLevelModel, data: TwoLevelData) -> None:
    level1, level2 = ({name.lower() for name in columns} for columns in (data.level1, data.level2))
    for name in model.level1_variables:
        _offer_categories(data, name)
    for coefficient in model.coefficients:
        variable = coefficient.predictor.variable
        if variable is not None and variable.lower() not in level1:
            data.level1_column(variable, coefficient.where)  # raises: it has the words for what is wrong
        for gamma in coefficient.gammas:
            variable = gamma.predictor.variable
            if variable is not None and not data.one_source and variable.lower() not in level2:
                data.level2_column(variable, gamma.where)
            elif variable is not None:
                data.find(variable, gamma.where)
    for name in (model.outcome, *model.outcome_law.columns):
        if name.lower() not in level1:
            data.level1_column(name, model.coefficients[0].where)


def _offer_categories(data: TwoLevelData, name: str) -> None:
    """Say of text that looks like numbers that it can be categories too."""
    found = find_column(name, data.level1, data.sources[0])
    if found is not None and data.level1[found].dtype.kind in "OUS":
        try:
            data.level1_column(found)
        except DataError as error:
            raise DataError(f"{error} To take its values as categories, write C({quoted(found)}).") from None


def _unique(names: list[str]) -> list[str]:
    return list({name.lower(): name for name in reversed(names)}.values())[::-1]
