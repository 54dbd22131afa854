"""A model with terms and data -> a model of plain columns, and data that have these columns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

import numpy as np

from ..data.categories import is_missing
from ..data.columns import find_column
from ..data.kept import with_kept
from ..data.outcomes_in_words import refuse_words, with_numbers, with_ratings
from ..data.rows import Rows
from ..data.table import with_columns
from ..data.weights import Frequencies, Weights, weights_of
from ..equations.expressions import Factor, Name, Node, names_in
from ..equations.model import TwoLevelModel
from ..equations.parts import (
    Coefficient,
    Gamma,
    LogSigma2,
    Predictor,
    fail,
    gamma_name,
    gamma_number,
    unique_names,
)
from ..naming import spelled
from ..words import some, unique_name
from .evaluate import Evaluator, Levels, coded
from .source import Source


@dataclass(frozen=True, slots=True)
class Made:
    """The columns made of one term (of a text variable: as a factor), at one level.

    ``names`` are the columns', ``labels`` what stands in brackets after b1; ``node`` is the term, written at
    ``where``.
    """

    level: int
    variable: str
    node: Node
    names: tuple[str, ...]
    labels: tuple[str, ...]
    where: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, eq=False)
class Terms:
    """What a model was made of: as it was written, the columns of its terms, and what they learnt.

    ``states`` are by level and term; ``extended`` are the rows with the columns, where there were rows. A
    file of draws has the columns alone: what they are made of is ``lost``.
    """

    written: TwoLevelModel | None = None
    made: tuple[Made, ...] = ()
    states: Mapping[int, Mapping[Node, Any]] = field(default_factory=dict)
    extended: Rows | None = None
    lost: bool = False

    def of(self, data: Any) -> Any:
        """Give the data the model was joined with, with the columns of its terms."""
        return data if self.extended is None else self.extended

    def columns_with(self, name: str) -> list[str]:
        """Give the columns made of a term, or of all terms a variable is in; lower-case."""
        key = "".join(name.lower().split())
        found = []
        for made in self.made:
            names = {made.variable, f"C({made.variable})", *names_in(made.node)}
            if key in {"".join(each.lower().split()) for each in names}:
                found += [column.lower() for column in made.names]
        return found

    def at_levels(self, name: str, level: int) -> dict[str, dict[str, float]]:
        """Give what the columns of a factor of level 1 or 2 are at each of its levels, by lower-case name."""
        found: dict[str, dict[str, float]] = {}
        for made in self.made:
            node = Factor(made.node.name) if isinstance(made.node, Name) else made.node
            state = self.states.get(made.level, {}).get(node)
            if made.level != level or not isinstance(node, Factor) or not isinstance(state, Levels):
                continue
            if spelled(name) in map(spelled, (node.name, f"C({node.name})", made.variable)):
                for own, row in zip(state.levels, coded(node, state)[1].tolist(), strict=True):
                    columns = (column.lower() for column in made.names)
                    found.setdefault(own, {}).update(zip(columns, row, strict=True))
        return found

    def is_computed(self, column: str) -> bool:
        """Say whether a column is of a term other than a factor, whose columns are 0 and 1."""
        of = [made for made in self.made if column.lower() in (name.lower() for name in made.names)]
        return any(not isinstance(made.node, Factor | Name) for made in of)


NO_TERMS = Terms()


def expanded[M: TwoLevelModel, D: Rows](
    model: M, data: D, weights: Weights | Frequencies | None = None
) -> tuple[M, D, Terms]:
    """Give the model of plain columns, the data with the columns of its terms, and the terms.

    Without terms, and variables that are categories by themselves, the model is given back, and the data as
    `Rows.with_level2` has them. Means, levels and knots are those of the rows that are complete on the
    variables of the model, and of the units that have such rows; ``weights`` are those of means.

    Raises
    ------
    DataError
        A logarithm that does not exist, a factor with one level, ...: naming term, rows and values.
    EquationError
        A constraint of a fixed effect that has become several.
    """
    model = model.with_levels(data)
    given, data = data, data.with_level2(_level2_names(model, data))
    data = rated(model, data)
    of_variance = variance_predictors(model, data)
    wanted = {
        level: _terms_of([*predictors(model, level), *of_variance[level]], data, level) for level in (1, 2)
    }
    labelled = tuple(_labelled_numbers(model, data))
    if not wanted[1] and not wanted[2]:
        _check_constraints(model, model.gamma_names)
        data = with_kept(replace(data, notes=(*data.notes, *labelled)), data) if labelled else data
        return model, data, Terms(model, extended=None if data is given else data)
    names = [name for name in _level1_names(model, data) if find_column(name, data.level1, data.sources[0])]
    mask, _ = data.complete_rows(names)
    kept = data.drop_incomplete(names)
    row, unit = weights_of(kept, weights)
    rows = np.arange(data.n_rows) if mask is None else np.flatnonzero(mask)
    units = np.searchsorted(data.unit_ids, kept.unit_ids)
    sources = {1: Source(1, kept, row * unit[kept.unit], rows + 1), 2: Source(2, kept, unit, kept.unit_ids)}
    made: dict[int, dict[Predictor, Made]] = {}
    states: dict[int, dict[Node, Any]] = {}
    values: dict[int, dict[str, np.ndarray]] = {1: {}, 2: {}}
    for level, places, size in ((1, rows, data.n_rows), (2, units, data.n_units)):
        made[level], states[level] = {}, {}
        for predictor, (node, where) in wanted[level].items():
            found = Evaluator(sources[level], states[level], where).columns(node)
            labels = labels_of(found.labels)
            made[level][predictor] = Made(level, str(predictor.variable), node, found.names, labels, where)
            # rows that are left out have no value; units that are left out have one that is never used
            full = np.full((len(found.names), size), np.nan if level == 1 else 0.0)
            full[:, places] = found.values.T
            values[level] |= dict(zip(found.names, full, strict=True))
    flat = tuple(one for level in made.values() for one in dict.fromkeys(level.values()))
    extended = replace(
        data, level1=with_columns(data.level1, values[1]), level2=with_columns(data.level2, values[2]),
        notes=(*data.notes, *_said(states), *_lacking(model, made[1], values[1], sources[1]), *labelled),
    )  # fmt: skip
    return plain_model(model, made), extended, Terms(model, flat, states, extended)


def predictors(model: TwoLevelModel, level: int) -> list[tuple[Predictor, str]]:
    """List the predictors of a level and where they stand."""
    if level == 1:
        return [(c.predictor, c.where) for c in model.coefficients]
    return [(gamma.predictor, gamma.where) for gamma in model.gammas]


def variance_predictors(model: TwoLevelModel, data: Rows) -> dict[int, list[tuple[Predictor, str]]]:
    """List the predictors of log(sigma2) by their level, that of their variables, and where they stand."""
    found: dict[int, list[tuple[Predictor, str]]] = {1: [], 2: []}
    if model.log_sigma2 is not None:
        for predictor in model.log_sigma2.predictors:
            level = 2 if all(data.is_level2(name) for name in predictor.names) else 1
            found[level].append((predictor, model.log_sigma2.where))
    return found


def _terms_of(
    found: Iterable[tuple[Predictor, str]], data: Rows, level: int
) -> dict[Predictor, tuple[Node, str]]:
    """Give the predictors that have to be made: terms, and variables that are categories by themselves."""
    wanted: dict[Predictor, tuple[Node, str]] = {}
    for predictor, where in found:
        if predictor.term is not None:
            wanted.setdefault(predictor, (predictor.term, where))
        elif predictor.variable is not None and data.has_category(predictor.variable, level):
            wanted.setdefault(predictor, (Name(predictor.variable), where))
    return wanted


def _level2_names(model: TwoLevelModel, data: Rows) -> list[str]:
    """Name the variables of level 2, those in terms of level 1 too; what the data do not have is left out."""
    known = {name.lower() for name in (data.level1 if data.one_source else data.level2)}
    own = {name.lower() for name in data.level1}
    names = [name for p, _ in predictors(model, 2) for name in p.names if name.lower() in known]
    more = () if model.log_sigma2 is None else model.log_sigma2.predictors
    others = [name for p in (*(p for p, _ in predictors(model, 1)), *more) for name in p.names]
    return list(dict.fromkeys([*names, *(n for n in others if n.lower() in known and n.lower() not in own)]))


def _level1_names(model: TwoLevelModel, data: Rows) -> list[str]:
    """Name the columns of level 1 in which a row must be complete."""
    used = [*predictors(model, 1), *variance_predictors(model, data)[1]]
    own = (model.outcome, *model.outcome_law.columns)
    return list(dict.fromkeys([*own, *(name for p, _ in used for name in p.names)]))


def labels_of(names: Sequence[str]) -> tuple[str, ...]:
    """Give labels that can stand in brackets: small letters, digits, "_", "." and "-", each once."""
    labels: list[str] = []
    for name in names if names != ("",) else ():
        safe = re.sub(r"[^\w.-]+", "_", name.casefold()).strip("_") or "_"
        labels.append(unique_name(safe, labels))
    return tuple(labels) or ("",)


def plain_model[M: TwoLevelModel](model: M, made: Mapping[int, Mapping[Predictor, Made]]) -> M:
    """Give the model whose predictors are plain columns: a coefficient for each column of a term."""
    coefficients = []
    effects: dict[str, list[str]] = {}
    for c in model.coefficients:
        for predictor, label in _columns(c.predictor, made[1]):
            gammas = [
                Gamma(gamma_name(c.index, gamma_number(gamma.name), label, own), column, gamma.where)
                for gamma in c.gammas
                for column, own in _columns(gamma.predictor, made[2])
            ]
            name = f"{c.name}[{label}]" if label else c.name
            coefficients.append(Coefficient(name, predictor, tuple(gammas), c.random, c.where))
            effects.setdefault(c.effect, []).append(coefficients[-1].effect)
    _check_constraints(model, [gamma.name for c in coefficients for gamma in c.gammas])
    blocks = tuple(tuple(name for effect in block for name in effects[effect]) for block in model.blocks)
    variance = _plain_variance(model.log_sigma2, made)
    parts = model.parts._replace(coefficients=tuple(coefficients), log_sigma2=variance)
    return type(model).from_parts(*parts._replace(blocks=blocks))


def _plain_variance(
    equation: LogSigma2 | None, made: Mapping[int, Mapping[Predictor, Made]]
) -> LogSigma2 | None:
    """Give the equation of log(sigma2) whose variables, of either level, are plain columns."""
    if equation is None:
        return None
    names, variables = [equation.names[0]], list[str]()
    for name, predictor in zip(equation.names[1:], equation.predictors, strict=True):
        for column, label in _columns(predictor, {**made[1], **made[2]}):
            names.append(f"{name}[{label}]" if label else name)
            variables.append(str(column.variable))
    return LogSigma2(tuple(names), tuple(variables), equation.where)


def _columns(predictor: Predictor, made: Mapping[Predictor, Made]) -> list[tuple[Predictor, str]]:
    if predictor not in made:
        return [(predictor, "")]
    found = made[predictor]
    columns = [Predictor(name, predictor.centering) for name in found.names]
    return list(zip(columns, found.labels, strict=True))


def _check_constraints(model: TwoLevelModel, known: Sequence[str]) -> None:
    for names in model.constraints:
        for name in names:
            if name in known:
                continue
            if model.outcome_law.by_category:
                fail(
                    "", f"{name}: effects are held equal in the equations of each category, without brackets"
                )
            _refuse_constraint(name, known)


def _refuse_constraint(name: str, known: Sequence[str]) -> NoReturn:
    columns = [other for other in known if other.partition("[")[0] == name.partition("[")[0]]
    what = "is not a fixed effect of this model" if "[" in name else "is several fixed effects"
    fail("", f"{name} {what}: a constraint names the columns of a term, here {some(columns, 10)}")


def _said(states: Mapping[int, Mapping[Node, Any]]) -> list[str]:
    """Say what the factors were made of."""
    said: dict[str, None] = {}
    for level, own in states.items():
        for node, state in own.items():
            if isinstance(node, Factor):
                said |= dict.fromkeys(_about(node, state, "rows" if level == 1 else "units"))
    return list(said)


def _lacking(
    model: TwoLevelModel, made: Mapping[Predictor, Made], values: Mapping[str, np.ndarray], source: Source
) -> Iterator[str]:
    """Say of how many units a random factor has not all its levels."""
    unit, n_units = source.data.unit, source.data.n_units
    random = [made[c.predictor] for c in model.coefficients if c.random and c.predictor in made]
    for found in dict.fromkeys(random):
        if found.labels == ("",) or not isinstance(found.node, Factor | Name):
            continue
        columns = np.column_stack([values[name][source.place - 1] for name in found.names])
        kinds, code = np.unique(columns, axis=0, return_inverse=True)
        there = np.zeros((n_units, len(kinds)), dtype=bool)
        there[unit, code.reshape(-1)] = True
        if lacking := int((~there.all(axis=1)).sum()):
            yield (
                f"{found.variable}: {lacking} of {n_units} units have no row of one of its levels or more, "
                "and say nothing of their own effects there"
            )


def rated[D: Rows](model: TwoLevelModel, data: D) -> D:
    """Give data in which an outcome in words is numbers, where it is of categories."""
    family = model.outcome_law.family
    if family == "ordinal":
        return with_ratings(data, model.outcome)
    if family in ("bernoulli", "multinomial"):
        return with_numbers(data, model.outcome, family == "bernoulli")
    refuse_words(data, model.outcome)
    return data


def _labelled_numbers(model: TwoLevelModel, data: Rows) -> Iterator[str]:
    """Say which predictors are taken as numbers though three values or more all have labels.

    One that is centred is meant as a number.
    """
    used = [*(c.predictor for c in model.coefficients), *(gamma.predictor for gamma in model.gammas)]
    plain = [p.variable for p in used if p.term is None and p.centering == "none" and p.variable]
    for name in unique_names(plain):
        labels = data.value_labels.get(name.lower(), {})
        columns = data.level1 if find_column(name, data.level1, data.sources[0]) else data.level2
        found = find_column(name, columns, data.sources[1])
        if found is None or len(labels) < 3 or columns[found].dtype.kind not in "iuf":
            continue
        there = columns[found][~is_missing(columns[found])]
        codes = np.array([code for code in labels if not isinstance(code, str)], dtype=float)
        if np.isin(there, codes).all() and len(values := np.unique(there).tolist()) > 2:
            each = some([f"{value:g} {labels[value]}" for value in values], 4)
            said = f"{found} is taken as a number, though all its values have labels ({each})"
            yield f"{said}: C({found}) is a factor"


def _about(factor: Factor, state: Levels, what: str) -> Iterator[str]:
    name, last = factor.name, state.reference
    against = f"{last} is the reference"
    if factor.coding == "sum":
        against = f"sum coding, {last} has no column"
    yield f"{name} is a factor: {some(state.levels, 10)}; {against}"
    if state.unused:
        yield f"{name}: no {what} analysed have {some(state.unused, 10)}, which got no column"
    alike: dict[str, list[str]] = {}
    for level in state.levels:
        alike.setdefault(level.casefold(), []).append(level)
    for names in alike.values():
        if len(names) > 1:
            yield f"{name}: {some(names)} differ in case only and are different levels"
