"""Typical rows: every variable at its mean, or at values that are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..data.categories import categories_of, is_category
from ..data.columns import find_column, numeric, suggest
from ..data.rows import Rows
from ..data.two_level import TwoLevelData
from ..equations.expressions import Factor, Function, Node, children, names_in
from ..equations.model import TwoLevelModel
from ..equations.parts import Predictor
from ..errors import HLMError, HypothesisError
from ..likelihood.design import Design
from ..likelihood.rows import analysed_rows
from .new_rows import new_rows, refuse_lost_terms

Values = Any  # one or several numbers, or levels of a factor
ROUNDING = 1e-12  # of the standard deviation: what rounding leaves of a mean of deviations
FEW = 7  # different values, from which values to look at are not all of them


@dataclass(frozen=True, slots=True, eq=False)
class Variable:
    """A variable of the data that the model uses: ``values`` (N,) on the rows analysed.

    ``levels``: of a factor, else empty; values that are centred in units are ``deviations`` from their means.
    ``codes``: of a factor the numbers that its levels are in the data, where the model may have them as
    numbers, too.
    """

    name: str
    values: np.ndarray
    levels: tuple[str, ...] = ()
    deviations: bool = False
    codes: tuple[float, ...] = ()

    def in_data(self, values: Sequence[Any]) -> np.ndarray:
        """Give values, or levels, as the data have them."""
        if self.codes:
            return np.array([self.codes[self.levels.index(level)] for level in values])
        return np.asarray(values, dtype=object if self.levels else float)

    @property
    def chosen(self) -> list[Any]:
        """Values worth looking at: all of a few, else the mean and a standard deviation to either side.

        None is outside the data, where a spline has no columns.
        """
        if self.levels:
            return list(self.levels)
        distinct = np.unique(self.values)
        if len(distinct) <= FEW:
            return [float(v) for v in distinct]
        mean, sd = float(self.values.mean()), float(self.values.std(ddof=1))
        mean = 0.0 if abs(mean) < ROUNDING * sd else mean
        return [max(mean - sd, float(distinct[0])), mean, min(mean + sd, float(distinct[-1]))]


def variables(design: Design, data: Any) -> dict[str, Variable]:
    """Give the variables of the data a model is made of, by lower-case name.

    Raises
    ------
    HypothesisError
        The fit came from moments, so that there are no rows to say what is typical; or from a file.
    """
    refuse_lost_terms(design)
    if not isinstance(data, TwoLevelData):
        raise HypothesisError(
            "what is typical is taken from the rows, and this is of moments, or from a file: fit or sample "
            "from the data"
        )
    row, unit = analysed_rows(design, design.terms.of(data))
    written = design.terms.written or design.model
    found: dict[str, Variable] = {}
    factors = {name.lower() for made in design.terms.made for name in factors_in(made.node)}
    for name, grouped in _names(written).items():
        own = data.find(name)
        level1 = find_column(own, data.level1, data.sources[0])
        column = data.level1[level1] if level1 is not None else data.level2_values(own)[1][data.unit]
        values = np.asarray(column)[row]
        if own.lower() in factors or is_category(values, data.categories.get(own.lower())):
            found[name] = _factor(own, values, data, grouped)
            continue
        number = np.asarray(numeric(values, own, data.sources[0]), dtype=float)
        if grouped:
            mean = np.bincount(unit, number) / np.bincount(unit)
            number = number - mean[unit]
        found[name] = Variable(own, number, (), grouped)
    return found


def _factor(name: str, values: np.ndarray, data: TwoLevelData, grouped: bool) -> Variable:
    """Give a factor with its levels, as text; one that is centred in units elsewhere has no codes there."""
    declared, labels = data.categories.get(name.lower()), data.value_labels.get(name.lower(), {})
    cats = categories_of(values, declared, labels, np.ones(len(values), dtype=bool))
    numbers = values.dtype.kind in "biuf" and not grouped
    first = np.unique(cats.codes, return_index=True)[1]
    codes = tuple(values[first].astype(float).tolist()) if numbers else ()
    return Variable(name, np.array(cats.levels, dtype=object)[cats.codes], tuple(cats.levels), codes=codes)


def factors_in(node: Node) -> Iterator[str]:
    """Give the names of the factors in a term."""
    if isinstance(node, Factor):
        yield node.name
    for child in children(node):
        yield from factors_in(child)


def _names(model: TwoLevelModel) -> dict[str, bool]:
    """Give the variables of a model by lower-case name, and whether each is centred in units."""
    found: dict[str, bool] = {}
    predictors = [c.predictor for c in model.coefficients]
    predictors += [gamma.predictor for gamma in model.gammas]
    for predictor in predictors:
        for name in predictor.names:
            found[name.lower()] = found.get(name.lower(), False) or _grouped(predictor, name)
    return found


def _grouped(predictor: Predictor, name: str) -> bool:
    if predictor.centering == "group":
        return True
    return predictor.term is not None and any(name in names_in(part) for part in _groups(predictor.term))


def _groups(node: Node) -> Iterator[Node]:
    """Give the parts of a term that are group(...)."""
    if isinstance(node, Function) and node.function == "group":
        yield node
    for child in children(node):
        yield from _groups(child)


def find(known: Mapping[str, Variable], name: str) -> Variable:
    """Find a variable by name in any case."""
    if name.lower() not in known:
        hint = suggest(name, [v.name for v in known.values()]).replace("columns", "variables")
        raise HypothesisError(f"{name!r} is not a variable of this model. {hint}")
    return known[name.lower()]


def checked(variable: Variable, given: Values) -> list[Any]:
    """Give values asked for: one or several numbers, or levels of a factor."""
    found = levels_among(variable, given) if variable.levels else numbers_of(variable, given)
    if len(set(found)) < len(found):
        raise HypothesisError(f"{variable.name}: a value stands there twice, got {given!r}")
    return found


def _several(given: Values) -> list[Any]:
    return [given] if isinstance(given, str) or np.ndim(given) == 0 else list(given)


def levels_among(variable: Variable, given: Values, error: type[HLMError] = HypothesisError) -> list[str]:
    """Give one or several levels of a factor as a list of texts."""
    levels = [str(value) for value in _several(given)]
    if not levels:
        raise error(f"{variable.name}: wants one or more values, got {given!r}")
    for level in levels:
        if level not in variable.levels:
            raise error(f"{variable.name} has no level {level!r}; there are {', '.join(variable.levels)}")
    return levels


def numbers_of(variable: Variable, given: Values, error: type[HLMError] = HypothesisError) -> list[float]:
    """Give one or several numbers as a list."""
    try:
        numbers = [float(value) for value in _several(given)]
    except (TypeError, ValueError):
        raise error(f"{variable.name}: wants numbers, got {given!r}") from None
    if not numbers or not np.isfinite(numbers).all():
        raise error(f"{variable.name}: wants one or more numbers, got {given!r}")
    return numbers


def held_at(
    known: Mapping[str, Variable], at: Mapping[str, Values] | None, *asked: Variable
) -> dict[str, Any]:
    """Give the one value at which each variable of ``at`` is held, by lower-case name; none of ``asked``."""
    held: dict[str, Any] = {}
    for name, given in (at or {}).items():
        variable = find(known, name)
        values = checked(variable, given)
        if len(values) > 1:
            raise HypothesisError(
                f"at= (--at) holds {variable.name} at one value, got {given!r}: several to look at are by= "
                "(--by) of slopes, and values= of means"
            )
        if variable.name in [own.name for own in asked]:
            raise HypothesisError(f"{variable.name} has values of its own here: take it out of at= (--at)")
        held[variable.name.lower()] = values[0]
    return held


def grid(
    design: Design, known: Mapping[str, Variable], at: Mapping[str, Sequence[Any]], n: int, like: Rows | None
) -> np.ndarray:
    """Give what fixed effects multiply in n typical rows, (n, n_gamma), averaged over levels of factors.

    ``at`` has values of some variables, n each; numbers are else at their means (deviations at 0), factors
    are averaged over their levels, each counting once, as in R's emmeans. ``like`` are the fit's own rows.
    """
    rows: dict[str, np.ndarray] = {}
    free = []
    for key, variable in known.items():
        if key in at:
            rows[variable.name] = variable.in_data(at[key])
        elif variable.levels:
            free.append(variable)
        else:
            rows[variable.name] = np.full(n, 0.0 if variable.deviations else variable.values.mean())
    repeat = int(np.prod([len(variable.levels) for variable in free], dtype=int))
    rows = {name: np.tile(values, repeat) for name, values in rows.items()}
    each = n
    for variable in free:
        own = np.repeat(variable.in_data(variable.levels), each)
        rows[variable.name] = np.resize(own, n * repeat)
        each *= len(variable.levels)
    if not rows:
        rows = {"row": np.zeros(n)}
    effects = new_rows(design, rows, like, deviations=True).effects
    return np.asarray(effects.reshape(repeat, n, -1).mean(axis=0))


def z_of(design: Design, effects: np.ndarray) -> np.ndarray:
    """Give what random effects multiply (n, q): what the intercept of their coefficient's equation does.

    Raises
    ------
    HypothesisError
        An equation with a random effect and no intercept.
    """
    places, k = {}, 0
    for place, coefficient in enumerate(design.model.coefficients):
        for gamma in coefficient.gammas:
            if gamma.predictor.variable is None:
                places[place] = k
            k += 1
    missing = [design.model.coefficients[r].name for r in design.random if int(r) not in places]
    if missing:
        raise HypothesisError(
            f"{missing[0]} has a random effect and no intercept in its equation, so that a typical row has "
            'no value of its predictor: use scale="link"'
        )
    return effects[:, [places[int(r)] for r in design.random]]
