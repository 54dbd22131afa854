"""lme4-style formulas -> the parts of a model: ``y ~ (w + v)*group(x) + (group(x) | id)``.

A formula is expanded to products of terms. The level-1 terms of a product make one
level-1 predictor, its level-2 terms one level-2 predictor, and the products with one
level-1 predictor are the level-2 equation of its coefficient, which is how Raudenbush
& Bryk (2002, p. 80) combine the two levels, read backwards. Terms are those of the
equations; a power is written x^2 or I(x^2).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property, partial, reduce
from typing import Any, NamedTuple, NoReturn

from ..data.rows import Rows
from .expressions import Node, Operation, is_in, names_in
from .lines import FORMULA, Token, check_size, tokens_of, without_comments
from .parts import Coefficient, Predictor, Term, fail, numbered, predictor_of, same_name
from .reader import ExpressionReader

_Product = tuple[Node, ...]  # () is the intercept
_Products = dict[frozenset[Node], _Product]  # each once; the order inside a product does not count
_MOST_PRODUCTS = 20_000  # of one formula, on the way to its terms
FITTERS = ("lmer", "lme", "lm", "glmer", "bf", "model", "mixed")  # what other programs write around a formula
_MAX_DEPTH = 25  # parentheses inside parentheses; deeper is no formula anybody wrote


class _RandomPart(NamedTuple):
    blocks: list[list[_Product]]  # those of one block are correlated
    group: str

    @property
    def products(self) -> list[_Product]:
        return [product for block in self.blocks for product in block]


class Described(NamedTuple):
    """What a formula describes: outcome, coefficients, and sets of random effects that are correlated."""

    outcome: str
    coefficients: tuple[Coefficient, ...]
    blocks: tuple[tuple[str, ...], ...]


class Formula(NamedTuple):
    """A formula as it is written: which of its variables are of level 2 may be open."""

    where: str  # for messages
    outcome: str
    fixed: list[_Product]
    random: _RandomPart

    @property
    def group(self) -> str:
        """The variable that identifies the units."""
        return self.random.group

    @property
    def variables(self) -> dict[str, str]:
        """The variables but for the outcome, by casefolded name."""
        products = (*self.fixed, *self.random.products)
        return {name.casefold(): name for p in products for node in p for name in names_in(node)}


def is_formula(text: str) -> bool:
    """Whether a text is a formula, y ~ x + (1 | id), and no equations."""
    if "~" not in text:
        return False
    tokens = tokens_of(without_comments(text))
    depth, equation = 0, False
    for token in tokens:
        depth += token.is_op("(") - token.is_op(")")
        equation = equation or (token.is_op("=") and depth == 0)
    return not equation and any(token.is_op("~") for token in tokens)


def read_formula(text: str) -> Formula:
    """Read a formula.

    Raises
    ------
    EquationError
        Not a formula of a two-level linear model.
    """
    if not isinstance(text, str):
        fail("", f"the formula must be text, got {type(text).__name__}")
    check_size("the formula", text)
    text = without_comments(text)
    shown = " ".join(text.split())
    where = f'formula "{shown if len(shown) <= 160 else shown[:157] + "..."}"'
    outcome, fixed, random = _Reader(where, _tokens(where, text)).formula()
    found = Formula(where, outcome, fixed, random)
    if any(same_name(name, found.group) for name in found.variables):
        fail(where, f"{found.group} identifies the units: it cannot be a predictor")
    return found


def described(formula: Formula, level2: Iterable[str] | None, data: Any) -> Described:
    """The model a formula describes, ``level2`` or ``data`` saying which variables are of level 2.

    Raises
    ------
    EquationError
        The level of a variable is not known.
    """
    where, group = formula.where, formula.group
    if data is not None and not isinstance(data, Rows):
        fail("", f"data= wants what hlmbayes.read gives, got {type(data).__name__}")
    if data is not None and not same_name(group, data.id_name):
        fail(where, f"the data's units are {data.id_name}, got (... | {group})")
    known = _level2_names(formula, level2, data)
    coefficients = numbered(_terms(where, formula.fixed, formula.random.products, known))
    name = {c.predictor: c.effect for c in coefficients}
    predictors = [[_joined(product) for product in block] for block in formula.random.blocks]
    blocks = tuple(tuple(name[predictor] for predictor in block) for block in predictors)
    return Described(formula.outcome, coefficients, blocks)


def _tokens(where: str, text: str) -> list[Token]:
    tokens = tokens_of(text)
    for token in tokens:
        if token.kind == "op" and token.text not in "~+-*:()|^/,=":
            fail(where, f'"{token.text}" has no meaning here; wanted a formula such as {FORMULA}')
    return tokens


class _Reader:
    """Recursive-descent reader of one formula; `position` walks over the tokens."""

    def __init__(self, where: str, tokens: list[Token]) -> None:
        self.where = where
        self.tokens = tokens
        self.position = 0
        self.random: list[_RandomPart] = []
        self.work = 0  # products made so far

    def fail(self, message: str) -> NoReturn:
        fail(self.where, message)

    def peek(self) -> str:
        """The next token if it is an operator, "name" for any other, "" at the end."""
        if self.position >= len(self.tokens):
            return ""
        token = self.tokens[self.position]
        return token.text if token.kind == "op" else "name"

    def take(self, op: str) -> None:
        if self.peek() != op:
            got = self.tokens[self.position].text if self.peek() else "the end"
            self.fail(f'wanted "{op}", got {got}; a formula looks like {FORMULA}')
        self.position += 1

    def formula(self) -> tuple[str, list[_Product], _RandomPart]:
        """The whole formula: outcome, fixed products, the random parts as one."""
        outcome = self.variable()
        if self.peek() == "(":
            if outcome.casefold() in FITTERS:
                self.fail(f"the formula stands alone, without {outcome}( ) around it: {FORMULA}")
            self.fail(
                f"before ~ stands the outcome alone, got {outcome}(...): of counts and trials say "
                'family="poisson", or family="binomial" and trials=; else make a column of it first'
            )
        self.take("~")
        fixed = self.sum(0, random_allowed=True)
        if self.peek():
            self.fail(f'"{self.tokens[self.position].text}" does not fit; a formula looks like {FORMULA}')
        if not self.random:
            self.fail("there is no random part; add one such as + (1 | id)")
        group = self.random[0].group
        for part in self.random[1:]:
            if not same_name(part.group, group):
                self.fail(f"random parts of {group} and of {part.group}; two-level models have one grouping")
        together = _RandomPart([block for part in self.random for block in part.blocks], group)
        for product, times in Counter(together.products).items():
            if times > 1:
                term = (
                    f"{_joined(product).variable}"
                    if product
                    else "the intercept (1; it is there unless 0 is)"
                )
                self.fail(f"{term} is in two random parts; give it to one, such as (1 | id) + (0 + x | id)")
        return outcome, [*fixed.values()], together

    def sum(self, depth: int, random_allowed: bool = False) -> _Products:
        """Terms joined by + and -, with the intercept unless "0" or "-1" takes it away."""
        if depth > _MAX_DEPTH:
            self.fail(f"more than {_MAX_DEPTH} parentheses inside each other; write it simpler")
        outermost = random_allowed or depth < 0
        terms: list[_Products] = []
        constant = outermost
        sign = "+"
        while True:
            if self.peek() == "-":
                self.position += 1
                sign = "-"
            if random_allowed and self.peek() == "(" and self.has_bar():
                self.random_part()
            elif self.is_number():
                number = self.tokens[self.position].text
                self.position += 1
                keep = (number == "1") == (sign == "+")
                if number not in "01" or not outermost:
                    self.fail(f"got {number}; the only numbers are 1 and 0 (with or without the intercept)")
                constant = keep
            elif sign == "-":
                self.fail("terms cannot be taken away, only the intercept (- 1); write the terms you want")
            else:
                terms.append(self.product(max(depth, 0)))
            if self.peek() not in ("+", "-"):
                return _together({frozenset(): ()} if constant else {}, *terms)
            sign = self.peek()
            self.position += 1

    def is_number(self) -> bool:
        return self.position < len(self.tokens) and self.tokens[self.position].kind == "number"

    def has_bar(self) -> bool:
        """Whether the parenthesis that opens here holds a "|" of its own."""
        return self.position in self.barred

    @cached_property
    def barred(self) -> set[int]:
        """Places of the parentheses that hold a "|" of their own: found in one pass, however many open."""
        found, opened = set[int](), list[int]()
        for place, token in enumerate(self.tokens):
            if token.kind != "op":
                continue
            if token.text == "(":
                opened.append(place)
            elif token.text == ")" and opened:
                opened.pop()
            elif token.text == "|" and opened:
                found.add(opened[-1])
        return found

    def random_part(self) -> None:
        """(1 + x | id), or (1 + x || id): all independent."""
        self.take("(")
        products = [*self.sum(-1).values()]
        self.take("|")
        blocks = [products]
        if self.peek() == "|":
            self.position += 1
            blocks = [[product] for product in products]
        group = self.variable()
        if self.peek() in (":", "*", "/"):
            self.fail(f"{group} is nested in another grouping; only two levels here, write (... | id)")
        self.take(")")
        self.random.append(_RandomPart(blocks, group))

    def product(self, depth: int) -> _Products:
        """Factors joined by * (main effects and product) or : (product alone)."""
        left = self.factor(depth)
        while self.peek() in ("*", ":"):
            op = self.peek()
            self.position += 1
            right = self.factor(depth)
            crossed = self.cross(left, right)
            left = _together(left, right, crossed) if op == "*" else crossed
        return left

    def cross(self, left: _Products, right: _Products) -> _Products:
        self.work += len(left) * len(right)
        if self.work > _MOST_PRODUCTS:
            self.fail(f"it has more than {_MOST_PRODUCTS} products of terms; write fewer")
        result: _Products = {}
        for a in left.values():
            for b in right.values():
                product = tuple(dict.fromkeys((*a, *b)))
                result.setdefault(frozenset(product), product)
        return result

    def factor(self, depth: int) -> _Products:
        if self.peek() == "(":
            if self.has_bar():
                self.fail("the random part (... | id) stands by itself, joined by +")
            self.position += 1
            inner = self.sum(depth + 1)
            self.take(")")
            return inner
        self.name_is_next()
        reader = ExpressionReader(self.tokens, self.fail, self.position, self.name_of)
        node = reader.power()
        self.position = reader.position
        return {frozenset((node,)): (node,)}

    def variable(self) -> str:
        self.name_is_next()
        self.position += 1
        return self.name_of(self.tokens[self.position - 1])

    def name_is_next(self) -> None:
        if self.position >= len(self.tokens):
            self.fail(f"the formula ends where a variable is wanted; a formula looks like {FORMULA}")
        self.name_of(self.tokens[self.position])

    def name_of(self, token: Token) -> str:
        """The name of the variable that a token is; b1 and r are names like others here."""
        name = token.text[1:-1].strip() if token.kind == "quoted" else token.text
        if token.kind not in ("name", "quoted") or not name:
            self.fail(f'got "{token.text}" where a variable is wanted; a formula looks like {FORMULA}')
        return name


def _together(*parts: _Products) -> _Products:
    """Products of all parts in order, each once."""
    return {key: product for part in parts for key, product in part.items()}


# ---------------------------------------------------------------- levels


def _level2_names(formula: Formula, level2: Iterable[str] | None, data: Any) -> set[str]:
    """Names (casefolded) of the level-2 variables: as said, as the data say, or as the formula implies."""
    where, variables = formula.where, formula.variables
    if level2 is not None:
        names = list(level2) if isinstance(level2, Iterable) and not isinstance(level2, str) else [level2]
        if isinstance(level2, str) or not all(isinstance(name, str) for name in names):
            fail("", 'level2 is a list of names, such as level2=["sector", "meanses"]')
        missing = ", ".join(name for name in names if name.casefold() not in variables)
        if missing:
            fail(where, f"level2 names {missing}, which the formula does not use; correct the list")
        return {name.casefold() for name in names}
    if data is not None:
        return {key for key, name in variables.items() if data.is_level2(name)}
    implied, unknown = implied_levels(formula)
    if unknown:
        how = "the data say it, in fit(data) or with_levels(data), or level2=[...] in Model.from_formula"
        fail(where, f"which level {', '.join(unknown)} belongs to cannot be told; {how}")
    return implied


def implied_levels(formula: Formula) -> tuple[set[str], list[str]]:
    """The variables (casefolded) that must be of level 2, and those that may be of either."""
    fixed, random = formula.fixed, formula.random.products
    level1 = {formula.outcome.casefold()}
    level1 |= {key for product in random for node in product for key in _keys(node)}
    nodes = [node for product in fixed for node in product]
    level1 |= {key for node in nodes if is_in("group", node) for key in _keys(node)}
    implied: set[str] = set()
    for product in fixed:
        inside = [node for node in product if _keys(node) <= level1]
        others = [node for node in product if not _keys(node) & level1]
        if inside and len(others) == 1 and len(inside) + 1 == len(product):
            implied |= _keys(others[0])
    return implied, [name for key, name in formula.variables.items() if key not in level1 | implied]


def _keys(node: Node) -> set[str]:
    return {name.casefold() for name in names_in(node)}


def _terms(where: str, fixed: Sequence[_Product], random: Sequence[_Product], level2: set[str]) -> list[Term]:
    """The products sorted into level-2 equations, coefficients in order of their first appearance."""
    constant = Predictor(None)
    equations: dict[Predictor, list[Predictor]] = {}
    for product in sorted(fixed, key=len):
        upper = [node for node in product if _keys(node) <= level2]
        equations.setdefault(_joined(product, without=upper), []).append(_joined(upper))
    effects = dict.fromkeys(_random_effects(where, random, level2))
    for predictor in effects:
        equations.setdefault(predictor, [])
    order = sorted(equations, key=lambda predictor: predictor != constant)
    return [
        Term(p, [(w, where) for w in sorted(equations[p], key=lambda w: w != constant)], p in effects, where)
        for p in order
    ]


def _joined(product: Sequence[Node], without: Sequence[Node] = ()) -> Predictor:
    """The product of terms as one predictor; of none, the constant."""
    nodes = [node for node in product if node not in without]
    return predictor_of(reduce(partial(Operation, "*"), nodes)) if nodes else Predictor(None)


def _random_effects(where: str, random: Sequence[_Product], level2: set[str]) -> list[Predictor]:
    for product in random:
        for node in product:
            if _keys(node) <= level2:
                name = predictor_of(node).variable
                why = "is a level-2 variable, which has no random slope"
                fail(where, f"{name} {why}; take it out of the random part")
    if not random:
        fail(where, "the random part is empty; write, for example, (1 | id)")
    return [_joined(product) for product in random]
