"""Terms -> columns of numbers, with what was learnt on the way: levels, means, polynomials, knots.

Evaluated once they learn; evaluated again, with what they have learnt, they give the same columns of other
rows. Contrasts, polynomials and splines are formulaic's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import singledispatchmethod
from typing import Any

import numpy as np

from ..data.categories import categories_of
from ..data.columns import numeric, scan
from ..equations.expressions import Basis, Factor, Function, Name, Negative, Node, Number, Operation, text_of
from ..errors import DataError
from ..words import some
from .source import Source

MOST_LEVELS = 250  # of a factor
_FUNCTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "log": np.log, "log2": np.log2, "log10": np.log10, "sqrt": np.sqrt, "exp": np.exp, "abs": np.abs,
}  # fmt: skip
_OPERATIONS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide, "^": np.power,
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """k columns of a term: ``values`` (n, k); their names, and their labels, "" for a number's only one.

    A name is what columns of data may be called: the term as it is written, without backticks.
    """

    values: np.ndarray
    names: tuple[str, ...]
    labels: tuple[str, ...] = ("",)

    def __post_init__(self) -> None:
        names = (" ".join(name.replace("`", "").split()) for name in self.names)
        object.__setattr__(self, "names", tuple(names))

    @property
    def one(self) -> bool:
        """Whether it is the one column of a number."""
        return self.labels == ("",)


@dataclass(frozen=True, slots=True)
class Levels:
    """What a factor learnt: its levels in order, the reference, those declared that do not occur."""

    levels: tuple[str, ...]
    reference: str
    unused: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Means:
    """What group() or grand() learnt: means (J, k) of units (J,), or (1, k) of all without ``unit_ids``."""

    mean: np.ndarray
    unit_ids: np.ndarray | None = None


@dataclass(eq=False)
class Evaluator:
    """Evaluates the terms of one level; ``states`` has what they learnt, by term, and grows as they do.

    One that does not learn refuses terms whose state is not there.
    """

    source: Source
    states: dict[Node, Any] = field(default_factory=dict)
    where: str = ""
    learns: bool = True

    @singledispatchmethod
    def columns(self, node: Node) -> Columns:
        """Give the columns of a term."""
        raise NotImplementedError(type(node))

    @columns.register
    def _(self, node: Name) -> Columns:
        found, values = self.source.values(node.name, self.where)
        if self.source.is_category(found, values):
            return self.columns(Factor(node.name))
        name = self.source.data.sources[self.source.level - 1]
        values = numeric(values, found, name, self.where)
        scan(values, found, name, self.where)  # refuses infinite values
        return Columns(values.astype(float)[:, None], (text_of(node),))

    @columns.register
    def _(self, node: Number) -> Columns:
        return Columns(np.full((self.source.n, 1), float(node.text)), (node.text,))

    @columns.register
    def _(self, node: Negative) -> Columns:
        return Columns(-self._one(node.argument, node), (text_of(node),))

    @columns.register
    def _(self, node: Operation) -> Columns:
        if node.op == "*":
            return self._product(node)
        left, right = self._one(node.left, node), self._one(node.right, node)
        with np.errstate(all="ignore"):
            values = _OPERATIONS[node.op](left, right)
        whys = {
            "/": (right == 0, f"{text_of(node.right)} is zero"),
            "^": (~np.isfinite(values), f"the power of {text_of(node.left)} does not exist"),
        }
        self._check(node, values, *whys.get(node.op, (~np.isfinite(values), "it is too large")))
        return Columns(values, (text_of(node),))

    def _product(self, node: Operation) -> Columns:
        left, right = self.columns(node.left), self.columns(node.right)
        with np.errstate(all="ignore"):
            values = np.einsum("na,nb->nab", left.values, right.values).reshape(self.source.n, -1)
        self._check(node, values, ~np.isfinite(values).all(axis=1), "it is too large")
        if left.one and right.one:
            return Columns(values, (text_of(node),))
        names = tuple(f"{a}*{b}" for a in left.names for b in right.names)
        labels = tuple(".".join(filter(None, (a, b))) for a in left.labels for b in right.labels)
        return Columns(values, names, labels)

    @columns.register
    def _(self, node: Function) -> Columns:
        if node.function in ("group", "grand"):
            return self._centred(node)
        x = self._one(node.argument, node)
        text = text_of(node.argument)
        with np.errstate(all="ignore"):
            values = _FUNCTIONS[node.function](x)
        if node.function.startswith("log"):
            self._check(node, values, x <= 0, f"{text} is zero or negative")
        elif node.function == "sqrt":
            self._check(node, values, x < 0, f"{text} is negative")
        self._check(node, values, ~np.isfinite(values), "it is too large")
        return Columns(values, (text_of(node),))

    def _one(self, node: Node, outer: Node) -> np.ndarray:
        """Give the one column of a number, (n, 1)."""
        found = self.columns(node)
        if not found.one:
            what = "categories" if isinstance(node, Name | Factor) else "several columns"
            raise DataError(
                f"{self._at}{text_of(outer)}: {text_of(node)} is {what}, and wants to be a number here. "
                "Categories can stand by themselves and in products"
            )
        return found.values

    def _check(self, node: Node, values: np.ndarray, bad: np.ndarray, why: str) -> None:
        bad = bad.reshape(len(values), -1).any(axis=1)
        if bad.any():
            raise DataError(
                f"{self._at}{text_of(node)} does not exist: {why} {self.source.places(bad)}. Correct these "
                "values, set them to missing, or write another term"
            )

    @property
    def _at(self) -> str:
        return f"{self.where}: " if self.where else ""

    # --- what learns ---

    def _is_new(self, node: Node) -> bool:
        """Say whether a term is to learn now."""
        if node not in self.states and not self.learns:
            raise DataError(
                f"what {text_of(node)} was made of is not known: the model was fitted to moments, which do "
                "not say it. Fit it to the data"
            )
        return node not in self.states

    def _centred(self, node: Function) -> Columns:
        """Take off means of units, or of all, by the rows that were learnt from; new units have their own."""
        found, source = self.columns(node.argument), self.source
        values, names = found.values, tuple(f"{node.function}({name})" for name in found.names)
        if node.function == "grand":
            if self._is_new(node):
                self.states[node] = Means(np.average(values, axis=0, weights=source.weight)[None, :])
            return Columns(values - self.states[node].mean, names, found.labels)
        own = _unit_means(values, source)
        if self._is_new(node):
            self.states[node] = Means(own, source.data.unit_ids)
        learnt: Means = self.states[node]
        assert learnt.unit_ids is not None
        known = dict(zip(learnt.unit_ids.tolist(), learnt.mean, strict=True))
        units = zip(source.data.unit_ids.tolist(), own, strict=True)
        mean = np.array([known.get(unit, its_own) for unit, its_own in units])
        return Columns(values - mean[source.data.unit], names, found.labels)

    @columns.register
    def _(self, node: Factor) -> Columns:
        found, values = self.source.values(node.name, self.where)
        everywhere = np.ones(len(values), dtype=bool)
        cats = categories_of(values, self.source.declared(found), self.source.labels(found), everywhere)
        if self._is_new(node):
            self.states[node] = self._levels(node, cats.levels, cats.unused)
        state: Levels = self.states[node]
        codes = self._codes(found, cats.codes, cats.levels, state)
        others, coding = coded(node, state)
        self._refuse_alike(node.name, others)
        plain = Factor(node.name, node.coding)
        stem = text_of(Name(node.name)) if node.coding == "treatment" else text_of(plain)
        return Columns(
            coding[codes].astype(float), tuple(f"{stem}[{level}]" for level in others), tuple(others)
        )

    def _refuse_alike(self, name: str, levels: Sequence[str]) -> None:
        """Refuse levels whose columns would have one name, because case does not count in names."""
        folded = [level.casefold() for level in levels]
        alike = [level for level in levels if folded.count(level.casefold()) > 1]
        if alike:
            raise DataError(
                f"{self._at}{name}: {some(alike)} differ in case only: write them one way in the data"
            )

    def _levels(self, node: Factor, levels: tuple[str, ...], unused: tuple[str, ...]) -> Levels:
        """Judge the levels of a factor, and choose the reference."""
        if len(levels) < 2:
            only = f"has the one value {levels[0]}" if levels else "has no value"
            raise DataError(
                f"{self._at}{node.name} {only} in the {self.source.what} analysed, and a factor needs two "
                "levels: take it out"
            )
        if len(levels) > MOST_LEVELS:
            raise DataError(
                f"{self._at}{node.name} has {len(levels)} different values, such as {some(levels, 3)}: as a "
                f"factor it would be {len(levels) - 1} columns, and at most {MOST_LEVELS} are made. Is it a "
                "number, or an id?"
            )
        if node.reference is None:
            return Levels(levels, levels[-1 if node.coding == "sum" else 0], unused)
        for same in (str, str.casefold):
            for level in levels:
                if same(level) == same(node.reference.strip()):
                    return Levels(levels, level, unused)
        gone = " does not occur in the data analysed" if node.reference in unused else " is no level of it"
        raise DataError(f"{self._at}{text_of(node)}: {node.reference!r}{gone}; there are {some(levels, 10)}")

    def _codes(self, name: str, codes: np.ndarray, levels: tuple[str, ...], state: Levels) -> np.ndarray:
        """Turn codes of the levels here into those of the levels learnt."""
        if levels == state.levels:
            return codes
        new = [level for level in levels if level not in state.levels]
        if new:
            bad = np.isin(codes, [levels.index(level) for level in new])
            raise DataError(
                f"{name} has the new value {some(new, 3)} {self.source.places(bad)}: the model knows only "
                f"{some(state.levels, 10)}. Leave these out, or fit the model to data that have them"
            )
        place = np.array([state.levels.index(level) for level in levels], dtype=np.intp)
        return np.asarray(place[codes])

    @columns.register
    def _(self, node: Basis) -> Columns:
        x = self._one(node.argument, node)[:, 0]
        if self._is_new(node):
            self._refuse_few_values(node, x)
        state = self.states.setdefault(node, {})
        values = _polynomials(x, node, state) if node.kind == "poly" else self._splines(x, node, state)
        numbers = [str(k + 1) for k in range(values.shape[1])]
        return Columns(values, tuple(f"{text_of(node)}[{k}]" for k in numbers), tuple(numbers))

    def _refuse_few_values(self, node: Basis, x: np.ndarray) -> None:
        wanted = (node.degree if node.df is None else node.df) + 1
        distinct = len(np.unique(x))
        if distinct < wanted:
            has = f"{text_of(node.argument)} has {distinct}"
            raise DataError(f"{self._at}{text_of(node)} wants {wanted} different values, {has}")

    def _splines(self, x: np.ndarray, node: Basis, state: dict[str, Any]) -> np.ndarray:
        from formulaic.transforms.basis_spline import basis_spline

        if state:
            low, high = state["lower_bound"], state["upper_bound"]
            outside = (x < low) | (x > high)
            self._check(
                node, x, outside, f"its spline was made between {low:g} and {high:g}, and it lies outside"
            )
        found = basis_spline(x, df=node.df, degree=node.degree, _state=state)
        inner = np.array(state["knots"][node.degree : len(state["knots"]) - node.degree])
        if np.any(np.diff(inner) <= 0):
            raise DataError(
                f"{self._at}{text_of(node)}: two of its knots, which are quantiles, are the same number, for "
                f"{text_of(node.argument)} has many equal values. Take a smaller df"
            )
        return np.column_stack(list(found.values()))


def coded(node: Factor, state: Levels) -> tuple[list[str], np.ndarray]:
    """Give the levels that have a column, and what each is at every level, (levels, columns)."""
    from formulaic.transforms.contrasts import SumContrasts, TreatmentContrasts

    others = [level for level in state.levels if level != state.reference]
    if node.coding == "sum":
        order = [*others, state.reference]
        matrix = np.asarray(SumContrasts().get_coding_matrix(order))
        return others, matrix[[order.index(level) for level in state.levels]]
    return others, np.asarray(TreatmentContrasts(state.reference).get_coding_matrix(list(state.levels)))


def _unit_means(values: np.ndarray, source: Source) -> np.ndarray:
    """Give (weighted) means of columns in units, (J, k); of a column that is constant in a unit its value."""
    unit, n_units = source.data.unit, source.data.n_units
    reference = np.empty((n_units, values.shape[1]))
    reference[unit] = values  # one of the unit's own values
    away = values - reference[unit]
    total = np.bincount(unit, weights=source.weight, minlength=n_units)
    sums = [np.bincount(unit, weights=source.weight * column, minlength=n_units) for column in away.T]
    return np.asarray(reference + (np.array(sums) / np.where(total > 0, total, 1.0)).T)


def _polynomials(x: np.ndarray, node: Basis, state: dict[str, Any]) -> np.ndarray:
    from formulaic.transforms.poly import poly

    return np.array(poly(x, node.degree, _state=state))
