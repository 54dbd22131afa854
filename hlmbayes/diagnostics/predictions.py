"""Predicted outcomes with confidence bands: what HLM's model graphs draw.

A prediction is x'gamma at values of the variables, random effects at zero. Its standard error is
sqrt(x' Vg x), gamma's uncertainty alone; a posterior's band is the quantiles of x'gamma over its draws.
Of an outcome that is not normal it is averaged over the random effects, on the scale of the outcome.
Variables inside terms (a factor, log(x), a product) are varied themselves, and the terms with them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

import numpy as np
from scipy.special import ndtri

from ..data.columns import suggest
from ..data.two_level import TwoLevelData
from ..errors import OutputError
from ..inference.scores import robust_parts
from ..likelihood.rows import analysed_rows
from ..posterior.point import PosteriorPoint
from ..predictions import reference
from ..predictions.expected import expected
from ..predictions.new_rows import x_of
from ..residuals.frames import level2_values
from .link_point import LinkPoint
from .points import any_point_of, is_tree, label_of

POINTS = 41
MANY_VALUES = 7
Values = Literal["all", "quartiles", "categories"] | float | str | Sequence[float | str]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Variable(reference.Variable):
    """A predictor of the model, in its own units; a group-mean centred one as deviations from unit means.

    ``values`` (N,) or (J,), without missing ones; of a factor the places in its ``levels``.
    """

    level: int
    label: str

    @property
    def mean(self) -> float:
        """The mean of its values."""
        return float(self.values.mean())

    @property
    def note(self) -> str:
        """What is said of values that are deviations."""
        return ", deviation from the unit's mean" if self.deviations else ""

    @property
    def distinct(self) -> np.ndarray:
        """The different values."""
        return np.arange(float(len(self.levels))) if self.levels else np.unique(self.values)

    @property
    def is_category(self) -> bool:
        """Whether there is nothing between its values: a factor, or a variable of two values."""
        return bool(self.levels) or len(self.distinct) <= 2


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """One line of a model graph, over ``x`` (n,) in raw units: predicted value and band, (n,) each.

    Of a variable of two values, or a factor, ``x`` are these (places of levels), else an even grid.

    ``at`` gives the values of the other variables that distinguish it, raw units; of an outcome of categories
    first the category. ``at_zero`` (n,): the predicted value at u = 0, of normal outcomes the same.
    """

    at: dict[str, float]
    x: np.ndarray
    y: np.ndarray
    low: np.ndarray
    high: np.ndarray
    at_zero: np.ndarray


def variables_of(source: Any) -> dict[str, Variable]:
    """Give every variable of the model, as it was written, by lower-case name; a DataTree has no model."""
    if is_tree(source):
        raise OutputError("a model graph needs the model: give the Fit or the Posterior, not a DataTree")
    point = any_point_of(source)
    if not _by_rows(point):
        return columns_of(point)
    data: Any = point.data
    _, unit = analysed_rows(point.design, data)
    first = np.unique(unit, return_index=True)[1]
    found: dict[str, Variable] = {}
    for key, variable in reference.variables(point.design, data).items():
        level = 2 if data.is_level2(variable.name) else 1
        values = variable.values[first] if level == 2 else variable.values
        if variable.levels:
            values = np.searchsorted(np.sort(variable.levels), values)
            values = np.argsort(variable.levels, kind="stable")[values]
        own = (variable.name, np.asarray(values, dtype=float), variable.levels, variable.deviations)
        found[key] = Variable(*own, level=level, label=label_of(point, variable.name))
    return found


def _by_rows(point: Any) -> bool:
    """Say whether predictions are made of typical rows: where there are terms, and rows to learn from."""
    if isinstance(point, LinkPoint):
        return True
    return isinstance(point.data, TwoLevelData) and bool(point.design.terms.made)


def columns_of(point: Any) -> dict[str, Variable]:
    """Give every column that fixed effects multiply, those of terms by the names the terms gave them."""
    found: dict[str, Variable] = {}
    for coefficient in point.model.coefficients:
        if coefficient.predictor.variable is not None:
            _add(found, point, coefficient.predictor, 1)
        for gamma in coefficient.gammas:
            if gamma.predictor.variable is not None:
                _add(found, point, gamma.predictor, 2)
    return found


def _add(found: dict[str, Variable], point: Any, predictor: Any, level: int) -> None:
    name = predictor.variable.lower()
    if name in found:
        return
    raw = level2_values(point, name) if level == 2 else _level1(point, name, predictor.centering)
    own = (predictor.variable, np.asarray(raw, dtype=float), (), predictor.centering == "group")
    found[name] = Variable(*own, level=level, label=label_of(point, name))


def as_used(point: Any, predictor: Any, x: Any) -> Any:
    """Give a variable's values, in its own units, as one place of the model uses them.

    A variable may be used raw in one equation and grand-mean centred in another.
    """
    return x - point.design.centers[predictor.variable.lower()] if predictor.centering == "grand" else x


def _level1(point: Any, name: str, centering: str) -> np.ndarray:
    """Give a level-1 variable's values; from moments, where there are no rows, the units' means."""
    moments, data = point.design.moments, point.data
    column = moments.column(name)
    if data is None:
        if centering == "group":  # two standard deviations either way: the range is all that is used
            spread = np.sqrt(moments.sscp[:, column, column].sum() / moments.n.sum())
            return np.asarray(np.array([-2.0, 0.0, 2.0]) * spread)
        return np.asarray(moments.mean[:, column])
    row, unit = analysed_rows(point.design, data)
    x = np.asarray(data.level1_column(name), dtype=float)[row]
    return np.asarray(x - moments.mean[unit, column]) if centering == "group" else x


def find_variable(known: Mapping[str, Variable], name: str) -> Variable:
    """Find a predictor by name in any case; a factor also as C(track), or by one of its columns."""
    factor = re.sub(r"^c\(\s*(.*?)\s*[,)].*|\[.*", r"\1", name.lower())
    if factor in known and known[factor].levels:
        return known[factor]
    if name.lower() not in known:
        hint = suggest(name, [v.name for v in known.values()]) if known else "It has no predictors."
        hint = hint.replace("Its columns are", "Its predictors are")
        raise OutputError(f"{name!r} is not a predictor of this model. {hint}")
    return known[name.lower()]


def choose(variable: Variable, wanted: Values) -> np.ndarray:
    """Give the values to draw lines for: "all" or "categories" of a few, "quartiles", a number or several."""
    distinct = variable.distinct
    if variable.levels and wanted not in ("all", "categories"):
        levels = reference.levels_among(variable, wanted, OutputError)
        return np.array([float(variable.levels.index(level)) for level in levels])
    if isinstance(wanted, str):
        if wanted == "quartiles":
            return np.unique(np.quantile(variable.values, [0.25, 0.5, 0.75]))
        if wanted not in ("all", "categories"):
            raise OutputError(
                f'{variable.name}: {wanted!r} is not known; use "all", "quartiles" or a list of values'
            )
        if len(distinct) > MANY_VALUES:
            raise OutputError(
                f"{variable.name} has {len(distinct)} different values, too many for a line each: use "
                '"quartiles" or a list of values'
            )
        return distinct
    return np.array(reference.numbers_of(variable, wanted, OutputError))


def _one(variable: Variable, wanted: Values) -> float:
    """Give the one value to hold a variable at."""
    values = choose(variable, wanted)
    if len(values) != 1:
        raise OutputError(
            f"{variable.name} can be held at one value, got {wanted!r}: by= draws a line for each of several"
        )
    return float(values[0])


def design_rows(
    point: Any, known: Mapping[str, Variable], at: Mapping[str, np.ndarray], n: int
) -> np.ndarray:
    """Give x (n, F) of n predictions; variables not in ``at`` (raw units, (n,) each) are at their means.

    Factors that are not in it are averaged over their levels, each counting once.
    """
    if _by_rows(point):
        return x_of(point.design, _typical_rows(point, known, at, n))

    def value(predictor: Any) -> np.ndarray | float:
        if predictor.variable is None:
            return 1.0
        name = predictor.variable.lower()
        used: np.ndarray | float = as_used(point, predictor, at.get(name, known[name].mean))
        return used

    x = np.zeros((n, point.design.n_fixed))
    column = iter(point.design.free)
    for coefficient in point.model.coefficients:
        level1 = value(coefficient.predictor)
        for gamma in coefficient.gammas:
            x[:, next(column)] += level1 * value(gamma.predictor)
    return x


def _typical_rows(
    point: Any, known: Mapping[str, Variable], at: Mapping[str, np.ndarray], n: int
) -> np.ndarray:
    """Give what fixed effects multiply, (n, n_gamma), terms worked out of the variables anew."""
    values: dict[str, Any] = {k: np.full(n, v.mean) for k, v in known.items() if not v.levels}
    for name, wanted in at.items():
        levels = known[name].levels
        values[name] = [levels[int(place)] for place in wanted] if levels else wanted
    design = point.design
    return reference.grid(design, reference.variables(design, point.data), values, n, point.data)


def refuse_terms(point: Any, names: Iterable[str]) -> None:
    """Raise where a variable is in a term, which would not change with it, or is a term but no factor."""
    terms = point.design.terms
    for name in names:
        others = [column for column in terms.columns_with(name) if column != name.lower()]
        if others or terms.is_computed(name):
            why = f"is also in {', '.join(others)}, which" if others else "is a term, whose variables"
            raise OutputError(
                f"{name} {why} would not change with it. Make the term a column of the data for a graph "
                "of that column"
            )


def predict(
    source: Any, x: str, by: Mapping[str, Values] | None = None, *,
    at: Mapping[str, Values] | None = None, prob: float = 0.95, robust: bool = False,
) -> tuple[Line, ...]:  # fmt: skip
    """Predict the outcome over one variable, with a line for each combination of values of others.

    Parameters
    ----------
    source : Fit or Posterior
    x : str
        A level-1 or level-2 predictor of the model. A group-mean centred one counts as the deviation
        from the unit's mean, every other one in its own units.
    by : mapping of name to values, optional
        "all", "quartiles", "categories", a number or several; levels of a factor.
    at : mapping of name to number or level, optional
        Where to hold variables that have no line of their own; their (unweighted) means by default, factors
        averaged over their levels.
    prob : float
        Probability of the pointwise bands: normal for a fit, equal-tailed quantiles for a posterior.
    robust : bool
        Robust standard errors (a fit only); always with sampling weights.

    Raises
    ------
    OutputError
        A variable that is not a predictor of the model, or values that cannot be.
    """
    if not 0 < prob < 1:
        raise OutputError(f"the probability of a band lies between 0 and 1, got {prob!r}")
    known = variables_of(source)
    point = any_point_of(source)
    over = find_variable(known, x)
    by = {find_variable(known, name).name.lower(): values for name, values in (by or {}).items()}
    drawn = isinstance(point, PosteriorPoint) or (isinstance(point, LinkPoint) and not point.estimated)
    if robust and drawn:
        raise OutputError("robust=True is of a fit's standard errors; a posterior's bands are quantiles")
    held = {find_variable(known, k).name.lower(): _one(known[k.lower()], v) for k, v in (at or {}).items()}
    if over.name.lower() in by or over.name.lower() in held:
        raise OutputError(f"{x} cannot be both the x axis and held at a value")
    if not _by_rows(point):
        refuse_terms(point, (over.name, *by, *held))
    ends = over.values.min(), over.values.max()
    grid = over.distinct if over.is_category else np.linspace(*ends, POINTS)
    n = len(grid)
    lines = []
    for combination in product(*(choose(known[name], values) for name, values in by.items())):
        here = dict(zip(by, (float(v) for v in combination), strict=True))
        values = {k: np.full(n, v) for k, v in {**held, **here}.items()} | {over.name.lower(): grid}
        if isinstance(point, LinkPoint):
            lines += _expected(point, known, here, grid, values, prob, robust)
            continue
        rows = design_rows(point, known, values, n)
        y, low, high = _band(point, rows, prob, robust)
        lines.append(Line(here, grid, y, low, high, y))
    return tuple(lines)


def _expected(
    point: LinkPoint, known: Mapping[str, Variable], here: dict[str, float], grid: np.ndarray,
    values: Mapping[str, np.ndarray], prob: float, robust: bool,
) -> list[Line]:  # fmt: skip
    """Give the line of the expected outcome, or that of each category's probability."""
    effects, design = _typical_rows(point, known, values, len(grid)), point.design
    x, z = x_of(design, effects), reference.z_of(design, effects)
    found = expected(point.record, x, z, prob=prob, robust=robust)
    parts = (found.mean, found.low, found.high, found.at_zero)
    if point.has_mean:
        return [Line(here, grid, *(part[:, 0] for part in parts))]
    outcome = point.model.outcome.lower()
    return [
        Line({outcome: value, **here}, grid, *(part[:, k] for part in parts))
        for k, value in enumerate(point.law.fixed_categories.tolist())
    ]


def _band(point: Any, x: np.ndarray, prob: float, robust: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    tail = 0.5 - 0.5 * prob
    if isinstance(point, PosteriorPoint):
        draws = point.gamma_draws @ x.T
        low, high = np.quantile(draws, [tail, 1.0 - tail], axis=0)
        return draws.mean(axis=0), low, high
    vcov = point.vcov_white
    if robust or point.counting.pseudo:  # the model-based one is not valid with such weights
        parts = robust_parts(point)
        vcov = parts.T @ parts
    y, white = x @ point.gamma_free, x @ point.design.to_gamma
    half = float(-ndtri(tail)) * np.sqrt(np.maximum(np.einsum("nf,fg,ng->n", white, vcov, white), 0.0))
    return y, y - half, y + half
