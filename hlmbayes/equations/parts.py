"""The parts of a two-level model, and the rules that hold whatever they were read from.

Equation text, an lme4-style formula and an HLM command file all end in these
dataclasses; `check_model` is where they are judged, so that the three ways of
writing a model accept and refuse the same models.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, NoReturn

from ..errors import EquationError
from ..naming import Parameters
from ..words import composed
from .expressions import Function, Name, Node, is_in, names_in, text_of
from .symbols import LABEL, LABELS

Centering = Literal["none", "group", "grand"]

# Three digits are enough for any index, and int() of a fuzzed million digits is not.
_COEFFICIENT = re.compile(rf"b(0|[1-9][0-9]{{0,2}})({LABEL})?")
_BETWEEN = "for its effect between units put its unit mean into the equation of b0"
_GAMMA = re.compile(rf"g(0|[1-9][0-9]{{0,2}})_?(0|[1-9][0-9]{{0,2}})({LABELS})?")


@dataclass(frozen=True, slots=True)
class Predictor:
    """A variable as it enters an equation; `variable=None` is the constant (INTRCPT1, INTRCPT2).

    Where `term` is not None it is what is computed from variables, and `variable` its text.
    """

    variable: str | None
    centering: Centering = "none"
    term: Node | None = None

    def __post_init__(self) -> None:
        if self.variable is not None:
            object.__setattr__(self, "variable", composed(self.variable))

    @property
    def names(self) -> tuple[str, ...]:
        """The variables of the data it is made of."""
        own = () if self.variable is None else (self.variable,)
        return own if self.term is None else unique_names(names_in(self.term))


def predictor_of(node: Node) -> Predictor:
    """An expression as a predictor: group() and grand() around it are its centring."""
    if isinstance(node, Function) and node.function in ("group", "grand"):
        inner = predictor_of(node.argument)
        if inner.centering == "none":
            return Predictor(inner.variable, node.function, inner.term)  # type: ignore[arg-type]
    return Predictor(node.name) if isinstance(node, Name) else Predictor(text_of(node), "none", node)


@dataclass(frozen=True, slots=True)
class Gamma:
    """One fixed effect: its name ("g01"), its level-2 predictor and where it was written."""

    name: str
    predictor: Predictor
    where: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Coefficient:
    """One level-1 coefficient ("b1"), its level-1 predictor and its level-2 equation.

    `gammas` is empty for a coefficient that is random only (``b1 = u1``);
    `where` is the place of the level-1 equation, `Gamma.where` that of the level-2 equation.
    """

    name: str
    predictor: Predictor
    gammas: tuple[Gamma, ...]
    random: bool
    where: str = field(default="", compare=False)
    category: str = ""  # of the outcome, whose equation it is in; nothing where there is one equation for all

    @property
    def index(self) -> int:
        """The number in the name: 1 for b1 and b1[general]."""
        return int(self.name[1:].partition("[")[0])

    @property
    def label(self) -> str:
        """Which column of a term or category it is of: "general" for b1[general], nothing for b1."""
        return self.name[1:].partition("[")[2].rstrip("]")

    @property
    def effect(self) -> str:
        """Name of the random effect of this coefficient: "u1" for b1 (whether or not it has one)."""
        return f"u{self.name[1:]}"


@dataclass(frozen=True, slots=True)
class LogSigma2:
    """The equation log(sigma2) = a0 + a1*x1 + ...: one name more than variables, and `terms`."""

    names: tuple[str, ...]
    variables: tuple[str, ...]
    where: str = field(default="", compare=False)
    terms: tuple[Node | None, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "variables", tuple(map(composed, self.variables)))
        object.__setattr__(self, "terms", self.terms or (None,) * len(self.variables))

    @property
    def predictors(self) -> tuple[Predictor, ...]:
        """What its coefficients but the first multiply."""
        pairs = zip(self.variables, self.terms, strict=True)
        return tuple(Predictor(variable, "none", term) for variable, term in pairs)


def gamma_name(coefficient: int, predictor: int, *labels: str) -> str:
    """Name of the fixed effect: g01; from ten on g1_10, because g110 could be two of them.

    ``labels`` are those of the columns of terms at level 1 and level 2, if there are: g10[general].
    """
    separator = "" if coefficient < 10 and predictor < 10 else "_"
    label = ",".join(label for label in labels if label)
    return f"g{coefficient}{separator}{predictor}" + (f"[{label}]" if label else "")


def gamma_number(name: str) -> int:
    """The number of a fixed effect in its equation: 1 for g01, 10 for g1_10, 0 for g10[general]."""
    match = _GAMMA.fullmatch(name)
    return int(match[2]) if match else fail("", f"{name!r} is not a name of a fixed effect")


class Term(NamedTuple):
    """A level-1 coefficient before it has a number: its predictors, each level-2 one with its place."""

    predictor: Predictor
    gammas: Sequence[tuple[Predictor, str]]
    random: bool
    where: str


def numbered(terms: Iterable[Term]) -> tuple[Coefficient, ...]:
    """Coefficients with HLM's numbers: 0 is the intercept's at either level, the others count from 1."""
    coefficients = []
    slopes = 0
    for term in terms:
        slopes += term.predictor.variable is not None
        index = 0 if term.predictor.variable is None else slopes
        gammas = []
        number = 0
        for predictor, where in term.gammas:
            number += predictor.variable is not None
            name = gamma_name(index, 0 if predictor.variable is None else number)
            gammas.append(Gamma(name, predictor, where))
        coefficients.append(Coefficient(f"b{index}", term.predictor, tuple(gammas), term.random, term.where))
    return tuple(coefficients)


def same_name(a: str | None, b: str | None) -> bool:
    """Whether two variable names mean one column: case does not count."""
    return a is not None and b is not None and a.casefold() == b.casefold()


def unique_names(names: Iterable[str | None]) -> tuple[str, ...]:
    """Names without repetition (case does not count) and without None, in order of appearance."""
    found: dict[str, str] = {}
    for name in names:
        if name is not None:
            found.setdefault(name.casefold(), name)
    return tuple(found.values())


def fail(where: str, message: str) -> NoReturn:
    """Raise the EquationError for a place in what the user wrote."""
    raise EquationError(f"{where}: {message}" if where else message)


def check_model(outcome: str, coefficients: Sequence[Coefficient], log_sigma2: LogSigma2 | None) -> None:
    """Refuse parts that do not make a model.

    Raises
    ------
    EquationError
        Nothing to estimate, a coefficient or gamma twice, a variable twice in one equation,
        the outcome as a predictor, group() at level 2, a name that cannot be printed back.
    """
    if not coefficients:
        fail("", f"the level-1 equation of {outcome} has no coefficients; write at least {outcome} = b0 + r")
    _check_name(outcome, coefficients[0].where)
    _check_level1(outcome, coefficients)
    seen: set[str] = set()
    for coefficient in coefficients:
        _check_level2(outcome, coefficient, seen)
    if log_sigma2 is not None:
        _check_log_sigma2(outcome, log_sigma2)


def _check_level1(outcome: str, coefficients: Sequence[Coefficient]) -> None:
    names: set[str] = set()
    forms: dict[tuple[str | None, str], Predictor] = {}
    for c in coefficients:
        if not _COEFFICIENT.fullmatch(c.name):
            fail(c.where, f"{c.name!r} is not a name of a coefficient; wanted b0, b1, ...")
        if c.name in names:
            fail(c.where, f"{c.name} is used twice in the level-1 equation; give each term its own b")
        names.add(c.name)
        key = (None if c.predictor.variable is None else c.predictor.variable.casefold(), c.category)
        if key in forms and forms[key].centering != c.predictor.centering:
            what = f"{c.predictor.variable} is used with two kinds of centring"
            fail(c.where, f"{what}; write it one way everywhere ({_BETWEEN})")
        if key in forms:
            _fail_variable_twice(c.where, c.predictor.variable, level=1)
        forms[key] = c.predictor
        _check_predictor(outcome, c.predictor, c.where)


def _fail_variable_twice(where: str, variable: str | None, level: int) -> NoReturn:
    if variable is None:
        fail(where, "the equation has two intercepts; keep one coefficient without a variable")
    hint = f"; {_BETWEEN}" if level == 1 else ""
    fail(where, f"{variable} is used twice in one equation; keep one of the two{hint}")


def _check_level2(outcome: str, coefficient: Coefficient, seen: set[str]) -> None:
    name = coefficient.name
    if not coefficient.gammas and not coefficient.random:
        either = f"{name} = {gamma_name(coefficient.index, 0)} or {name} = {coefficient.effect}"
        fail(coefficient.where, f"{name} has neither a fixed effect nor a random effect; write {either}")
    variables: set[str | None] = set()
    for gamma in coefficient.gammas:
        match = _GAMMA.fullmatch(gamma.name)
        labels = (match[3] or "")[1:-1] if match else ""
        if not match or gamma.name != gamma_name(int(match[1]), int(match[2]), labels):
            fail(gamma.where, f"{gamma.name!r} is not a name of a fixed effect; wanted g00, g01, ..., g1_10")
        if gamma.name in seen:
            fail(gamma.where, f"{gamma.name} is used twice; give each fixed effect its own name")
        own = coefficient.label
        if int(match[1]) != coefficient.index or not f"{labels},".startswith(f"{own}," if own else ""):
            wanted = gamma_name(coefficient.index, int(match[2]), own)
            fail(gamma.where, f"{gamma.name} is in the equation of {name}; call it {wanted}")
        seen.add(gamma.name)
        key = None if gamma.predictor.variable is None else gamma.predictor.variable.casefold()
        if key in variables:
            _fail_variable_twice(gamma.where, gamma.predictor.variable, level=2)
        variables.add(key)
        if gamma.predictor.centering == "group":
            _fail_group(gamma.predictor.variable, gamma.where)
        if gamma.predictor.term is not None and is_in("group", gamma.predictor.term):
            _fail_group("x", gamma.where)
        _check_predictor(outcome, gamma.predictor, gamma.where)


def _fail_group(x: str | None, where: str) -> NoReturn:
    why = "is a level-2 predictor, which does not vary inside a unit"
    fail(where, f"group({x}) {why}; write {x} or grand({x})")


def _check_predictor(outcome: str, predictor: Predictor, where: str) -> None:
    if predictor.variable is None:
        if predictor.centering != "none":
            fail(where, "an intercept cannot be centred; name the variable to be centred")
        return
    if predictor.term is not None and not predictor.names:
        fail(where, f"{predictor.variable} has no variable in it; name one")
    for name in predictor.names:
        _check_name(name, where)
    if predictor.centering not in ("none", "group", "grand"):
        fail(where, f"centring {predictor.centering!r} is not known; wanted none, group or grand")
    if any(same_name(outcome, name) for name in (predictor.variable, *predictor.names)):
        fail(where, f"{outcome} is the outcome and a predictor; take it out of the predictors")


def _check_log_sigma2(outcome: str, log_sigma2: LogSigma2) -> None:
    if len(log_sigma2.names) != len(log_sigma2.variables) + 1:
        fail(log_sigma2.where, "log(sigma2) wants an intercept and one coefficient for each variable")
    if len(set(log_sigma2.names)) < len(log_sigma2.names):
        fail(log_sigma2.where, "a coefficient is used twice in log(sigma2); give each term its own a")
    if len(unique_names(log_sigma2.variables)) < len(log_sigma2.variables):
        fail(log_sigma2.where, "a variable is used twice in log(sigma2); keep one of the two")
    for predictor in log_sigma2.predictors:
        _check_predictor(outcome, predictor, log_sigma2.where)


def _check_name(name: str, where: str) -> None:
    if not isinstance(name, str) or not name or name != name.strip() or re.search(r"[`\r\n]", name):
        advice = "rename the column (no backticks or line ends)"
        fail(where, f"{name!r} cannot be the name of a variable; {advice}")


def _resolved(symbol: str, known: Parameters) -> str:
    """Give the code of the fixed effect that is meant; of a column that only data can tell, g10[general]."""
    base, bracket, label = symbol.partition("[")
    if not known.matching(symbol) and re.fullmatch(LABELS, bracket + label) and known.matching(base):
        return known.find(base, EquationError) + bracket + label.casefold()
    return known.find(symbol, EquationError)


def check_constraints(sets: Iterable[Sequence[str]], known: Parameters) -> tuple[tuple[str, ...], ...]:
    """Sets of fixed effects held equal, by their codes and in the model's order.

    Raises
    ------
    EquationError
        A set of fewer than two, an unknown name, a name twice (in one set or in two).
    """
    result = []
    used: set[str] = set()
    place = {code: k for k, code in enumerate(known.codes)}

    def order(code: str) -> int:
        return place[code] if code in place else place[code.partition("[")[0]]

    for symbols in sets:
        names = [_resolved(symbol, known) for symbol in symbols]
        text = " = ".join(symbols)
        if len(names) < 2:
            fail("", f"the constraint {text!r} needs at least two fixed effects, such as g02 = g12")
        times = Counter(names)
        for name in names:
            if times[name] > 1:
                fail("", f"{name} is twice in the constraint {text}; name each fixed effect once")
            if name in used:
                fail("", f"{name} is in two constraints; write them as one, such as g01 = g11 = g21")
        used.update(names)
        result.append(tuple(sorted(names, key=order)))
    return tuple(sorted(result, key=lambda names: order(names[0])))
