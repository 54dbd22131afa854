"""The text of the equations -> the parts of a model.

One equation a line (or separated by ";"). A line that ends in an operator, or
is followed by one that starts with an operator, goes on. What the left side
names says which equation it is: a variable (level 1), b0 (level 2), g02
(a constraint) or log(sigma2).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple, NoReturn

from ..errors import EquationError
from ..naming import Parameters
from .blocks import read_blocks
from .expressions import Node, Number, Operation
from .lines import MAKE_COLUMN, Line, Token, check_size, is_covariance, read_lines
from .names import gamma_parameters
from .outcome_law import NORMAL, NOTHING, OF_LINK, Asked, OutcomeLaw, check_outcome_law
from .parts import (
    Coefficient,
    Gamma,
    LogSigma2,
    Predictor,
    check_constraints,
    check_model,
    fail,
    gamma_name,
    predictor_of,
)
from .reader import ExpressionReader, backticks, variable_name
from .symbols import ALPHA, SYMBOLS, symbol_of

_LEFT = "wanted the outcome, b0, b1, ..., log(sigma2) or cov(u0, u1)"
_CONSTRAINT = "a constraint holds fixed effects equal, such as g02 = g12 or g01 = g11 = g21"
_SIGMA2 = re.compile(r"sigma(?:_?squared|_?sq|_?2|²)|σ²|σ2", re.IGNORECASE)


class ModelParts(NamedTuple):
    """What every way of writing a model ends in."""

    outcome: str
    coefficients: tuple[Coefficient, ...]
    log_sigma2: LogSigma2 | None
    constraints: tuple[tuple[str, ...], ...]
    blocks: tuple[tuple[str, ...], ...]  # random effects that are correlated with one another only
    outcome_law: OutcomeLaw = NORMAL


def parse(text: str, asked: Asked = NOTHING) -> ModelParts:
    """Parts of the model written in `text`; ``asked`` is what is said of its outcome elsewhere.

    Raises
    ------
    EquationError
        Naming the line and what to do; never another exception, whatever the text.
    """
    if not isinstance(text, str):
        fail("", f"the equations must be text, got {type(text).__name__}")
    check_size("the equations", text)
    return (_parsed if asked == NOTHING else _parsed.__wrapped__)(text, asked)


@lru_cache(maxsize=64)  # simulations write the same model thousands of times
def _parsed(text: str, asked: Asked) -> ModelParts:
    level1: Line | None = None
    level2: dict[str, Line] = {}
    sigma: Line | None = None
    constraints: list[Line] = []
    covariances: list[Line] = []
    for line in read_lines(text):
        kind, index = _kind(line)
        if kind == "outcome":
            if level1 is not None:
                line.fail(f"a second level-1 equation; the first is {level1.where}. Keep one outcome")
            level1 = line
        elif kind == "b":
            if index in level2:
                line.fail(f"b{index} is defined twice; the first is {level2[index].where}. Keep one")
            level2[index] = line
        elif kind == "log":
            if sigma is not None:
                line.fail(f"log(sigma2) is defined twice; the first is {sigma.where}. Keep one")
            sigma = line
        elif kind == "cov":
            covariances.append(line)
        else:
            constraints.append(line)
    if level1 is None:
        fail("", "there is no level-1 equation; write one such as: mathach = b0 + b1*ses + r")
    return _build(level1, level2, sigma, constraints, covariances, asked)


def _build(
    level1: Line, level2: dict[str, Line], sigma: Line | None, constraints: list[Line],
    covariances: list[Line], asked: Asked,
) -> ModelParts:  # fmt: skip
    outcome, said = _outcome(level1)
    law = asked.with_(said, level1.where).law(level1.where)
    coefficients = []
    terms, residual = _level1_terms(level1)
    if residual and not law.is_normal:
        _fail_residual(level1, outcome, law)
    used: set[str] = set()
    for index, predictor in terms:
        if index in used:
            level1.fail(f"b{index} is used twice in the level-1 equation; give each term its own b")
        used.add(index)
        if index not in level2:
            effect = " + u0" if index == "0" else ""
            level1.fail(
                f"b{index} is used but has no level-2 equation; "
                f"add a line such as: b{index} = {_gamma_of(index, 0)}{effect}"
            )
        gammas, random = _level2_terms(level2[index], index)
        coefficients.append(Coefficient(f"b{index}", predictor, gammas, random, level1.where))
    for index, line in level2.items():
        if index not in used:
            line.fail(f"b{index} is not in the level-1 equation; add b{index} there or remove this line")
    log_sigma2 = None if sigma is None else _log_sigma2(sigma)
    check_model(outcome, coefficients, log_sigma2)
    check_outcome_law(law, outcome, log_sigma2)
    equal = _constraints(constraints, gamma_parameters(coefficients)) if constraints else ()
    blocks = read_blocks(covariances, [c.effect for c in coefficients if c.random])
    return ModelParts(outcome, tuple(coefficients), log_sigma2, equal, blocks, law)


def _outcome(line: Line) -> tuple[str, Asked]:
    """The outcome of the level-1 equation, and what its left side says of it: logit(passed, trials=tried)."""
    if len(line.left) == 1:
        return variable_name(line.left[0], line.fail), Asked()
    link = line.left[0].text.casefold()
    size = "exposure" if link == "log" else "trials"
    reader = ExpressionReader(line.left[3:], line.fail)
    outcome = variable_name(line.left[2], line.fail)
    if reader.at("/"):
        shown = _text(line.left)
        line.fail(f"{shown}: write {link}({outcome}, {size}=NAME) with the variable after the stroke")
    asked = Asked(link=link)
    for name, token in reader.options(link):
        if name == "overdispersed" and token.text.casefold() in ("yes", "no"):
            said = Asked(overdispersed=token.text.casefold() == "yes")
        elif name == size:
            variable = variable_name(token, line.fail)
            said = Asked(exposure=variable) if link == "log" else Asked(trials=variable)
        else:
            got = f"{name}={token.text}" if name else token.text
            line.fail(f"{link}(...) has {got}; wanted {link}({outcome}, {size}=NAME, overdispersed=yes)")
        asked = asked.with_(said, line.where)
    if reader.position < len(reader.tokens):
        line.fail(f"{_text(line.left)}: something stands after the parenthesis; take it out")
    return outcome, asked


def _fail_residual(line: Line, outcome: str, law: OutcomeLaw) -> NoReturn:
    what = f"a {law.name} outcome has no r, which is the residual of a normal one: take r out"
    if law.link == "log":
        what += f". For the logarithm of a normal {outcome} {MAKE_COLUMN}"
    line.fail(what)


# ---------------------------------------------------------------- which equation


def _kind(line: Line) -> tuple[str, str]:
    """Which equation a line is: ("outcome" | "b" | "g" | "log" | "cov", number)."""
    left, first = line.left, line.left[0]
    shown = "".join(token.text for token in left)
    if is_covariance(left):
        return "cov", ""
    if first.kind == "name" and first.text.casefold() in OF_LINK and len(left) > 3 and left[1].is_op("("):
        inner = "".join(token.text for token in left[2:-1])
        return ("log" if first.text.casefold() == "log" and _SIGMA2.fullmatch(inner) else "outcome"), ""
    if len(left) > 1:
        spaced = " ".join(token.text for token in left)
        hint = f"; {backticks(spaced)}" if all(token.kind in ("name", "number") for token in left) else ""
        line.fail(f'"{spaced}" before "=" is not one name; {_LEFT}{hint}')
    if first.kind in ("number", "op"):
        line.fail(f'"{shown}" before "=" is not a name; {_LEFT}')
    symbol = symbol_of(shown) if first.kind == "name" else None
    if symbol is None:
        return "outcome", ""
    if symbol[0] in "bg":
        return symbol
    return line.fail(f"{shown} cannot be defined; {_LEFT} ({backticks(shown)})")


# ---------------------------------------------------------------- terms


def _terms(line: Line) -> list[list[list[Token]]]:
    """The right side as terms of factors: y = b0 + b1*x -> [[b0], [b1, x]] (each a token list)."""
    terms: list[list[list[Token]]] = [[[]]]
    depth = 0
    for token in line.right:
        sign = token.text if token.kind == "op" else ""
        depth += (sign == "(") - (sign == ")")
        if depth == 0 and sign == "=":
            line.fail('a second "="; write one equation a line')
        if depth == 0 and sign == "+":
            terms.append([[]])
        elif depth == 0 and sign == "*":
            terms[-1].append([])
        else:
            terms[-1][-1].append(token)
    for term in terms:
        if any(not factor for factor in term):
            line.fail('a "+" or "*" has nothing on one side; complete or remove it')
    return terms


def _text(factor: Sequence[Token]) -> str:
    return " ".join(token.text for token in factor).replace("( ", "(").replace(" )", ")").replace(" (", "(")


def _symbol(factor: list[Token]) -> tuple[str, str] | None:
    """Kind and number of a factor that is b1, g10, u1 or r, in parentheses or not; None for all others."""
    if len(factor) == 3 and factor[0].is_op("("):
        factor = factor[1:2]
    return symbol_of(factor[0].text) if len(factor) == 1 and factor[0].kind == "name" else None


def _expression(line: Line, factors: Sequence[list[Token]]) -> Node:
    """The product of factors that are computed from variables."""
    node: Node | None = None
    for factor in factors:
        if len(factor) > 1 and factor[0].kind == "name" and symbol_of(factor[0].text):
            _fail_factor(line, factor)
        reader = ExpressionReader(factor, line.fail)
        part = reader.power()
        if reader.position < len(factor):
            _fail_factor(line, factor)
        if isinstance(part, Number):
            line.fail(f'"{part.text}" is not the name of a variable; a number goes with one, as in (2*x)')
        node = part if node is None else Operation("*", node, part)
    assert node is not None
    return node


def _fail_factor(line: Line, factor: list[Token]) -> NoReturn:
    """Say what is wrong with a factor that goes on after its end."""
    first, shown = factor[0], _text(factor)
    rest = factor[1:]
    if symbol_of(first.text) is not None and rest[0].is_op("("):
        line.fail(f'"{shown}" lacks a "*": write {first.text}*{_text(rest)}')
    if (
        first.kind == "name"
        and symbol_of(first.text) is None
        and all(t.kind in ("name", "number") for t in rest)
    ):
        quoted = backticks(shown).replace("if it is a variable", "If it is one variable")
        line.fail(f'"{shown}" lacks an operator: + between terms, * between factors. {quoted}')
    line.fail(f'"{shown}" lacks an operator; write + between terms and * between coefficient and variable')


def _pair(line: Line, term: list[list[Token]], letter: str) -> tuple[str, str, Predictor]:
    """A term as (kind, number, predictor): coefficient times what is computed, in any order, or alone."""
    found = [_symbol(factor) for factor in term]
    symbols = [symbol for symbol in found if symbol]
    others = [factor for factor, symbol in zip(term, found, strict=True) if not symbol]
    if len(symbols) != 1 or (symbols[0][0] in "ur" and others):
        _fail_pair(line, term, others, letter)
    kind, number = symbols[0]
    return kind, number, predictor_of(_expression(line, others)) if others else Predictor(None)


def _fail_pair(line: Line, term: list[list[Token]], others: list[list[Token]], letter: str) -> NoReturn:
    """Say why a term is no coefficient times what is computed, which are its ``others``."""
    shown = "*".join(_text(factor) for factor in term)
    if len(others) == len(term):
        _expression(line, others)  # refuses what is wrong with it first
        if letter == "b" and shown.casefold() in ("e", "e_ij", "eij", "epsilon"):
            line.fail(f"{shown} is no variable with a coefficient; the level-1 residual is called r here")
        what = "b1" if letter == "b" else "g01"
        line.fail(f"{shown} has no coefficient; write {what}*{shown} with a free number")
    if len(term) - len(others) > 1:
        names = " and ".join(_text(factor) for factor in term if factor not in others)
        line.fail(
            f"{shown} multiplies {names}; wanted one coefficient times one variable "
            "(a variable with such a name goes in backticks)"
        )
    line.fail(f"{shown}: a random term stands alone; put u1 into the equation of b1, r alone at level 1")


def _level1_terms(line: Line) -> tuple[list[tuple[str, Predictor]], bool]:
    """The numbers and predictors of the level-1 equation, and whether it has an r."""
    terms: list[tuple[str, Predictor]] = []
    residuals = 0
    for term in _terms(line):
        kind, index, predictor = _pair(line, term, "b")
        if kind == "b":
            terms.append((index, predictor))
        elif kind == "r":
            residuals += 1
        else:
            where = "belongs to a level-2 equation (b0 = g00 + g01*x + u0)"
            line.fail(f"{_text(term[0])} {where}; level 1 has b0, b1*x and r")
    if residuals > 1:
        line.fail("r is there twice; keep one")
    if not terms:
        line.fail("the level-1 equation has no coefficients; write at least b0 + r")
    return terms, bool(residuals)


def _level2_terms(line: Line, index: str) -> tuple[tuple[Gamma, ...], bool]:
    gammas: list[Gamma] = []
    random = False
    for term in _terms(line):
        kind, number, predictor = _pair(line, term, "g")
        if kind == "u":
            if number != index:
                line.fail(f"u{number} is in the equation of b{index}; its random effect is u{index}")
            if random:
                line.fail(f"u{index} is there twice; keep one")
            random = True
        elif kind == "g":
            symbol = next(_text(factor).strip("()") for factor in term if (_symbol(factor) or "?")[0] == "g")
            gammas.append(_gamma(line, index, symbol, predictor))
        else:
            line.fail(f"{_text(term[0])} belongs to the level-1 equation; level 2 has g00, g01*x and u0")
    return tuple(gammas), random


def _gamma_of(index: str, number: int, label: str = "") -> str:
    """The name of a fixed effect of b<index>, which may be that of a term's column: 1[general]."""
    base, _, own = index.partition("[")
    return gamma_name(int(base), number, label or own.rstrip("]"))


def _gamma(line: Line, index: str, symbol: str, predictor: Predictor) -> Gamma:
    """The gamma called `symbol` in the equation of b<index>: g110 is g1_10 under b1, g11_0 under b11."""
    match = SYMBOLS["g"].fullmatch(symbol)
    digits, label = (match[1], (match[2] or "")[1:-1].casefold()) if match else ("", "")
    base = index.partition("[")[0]
    if "_" in digits:
        first, _, rest = digits.partition("_")
    else:
        first = base if digits.startswith(base) else digits[:1]
        rest = digits.removeprefix(first)
    if not rest or (rest[0] == "0" and rest != "0"):
        line.fail(f"{symbol} needs two numbers, that of its b and its own: g{base}0, g{base}1, ...")
    if int(first) != int(base):
        line.fail(
            f"{symbol} is in the equation of b{index}; call it {_gamma_of(index, int(rest))} "
            "(the first number is that of the b)"
        )
    return Gamma(_gamma_of(index, int(rest), label), predictor, line.where)


def _log_sigma2(line: Line) -> LogSigma2:
    """The equation of log(sigma2); its coefficients are a0 (alone) and a1, a2, ... times a variable."""
    constant: list[str] = []
    names: list[str] = []
    predictors: list[Predictor] = []
    for term in _terms(line):
        shown = "*".join(_text(factor) for factor in term)
        alphas = [f for f in term if len(f) == 1 and f[0].kind == "name" and ALPHA.fullmatch(f[0].text)]
        others = [f for f in term if f != alphas[0]] if len(alphas) == 1 else []
        if len(alphas) != 1:
            line.fail(f"{shown}: log(sigma2) is a sum such as a0 + a1*female (a variable in backticks: `a1`)")
        match = ALPHA.fullmatch(alphas[0][0].text)
        name = f"a{match[1]}{(match[2] or '').casefold()}" if match else ""
        if not others:
            constant.append(name)
            continue
        kind = next((found for factor in others if (found := _symbol(factor))), None)
        predictor = Predictor(None) if kind else predictor_of(_expression(line, others))
        if kind or predictor.centering != "none":
            line.fail(f"{shown}: variables of log(sigma2) are used as they are; write {name}*x, x a variable")
        names.append(name)
        predictors.append(predictor)
    if len(constant) != 1:
        line.fail("log(sigma2) wants one intercept; write log(sigma2) = a0 + ...")
    variables, terms = (str(p.variable) for p in predictors), (p.term for p in predictors)
    return LogSigma2((*constant, *names), tuple(variables), line.where, tuple(terms))


def _constraints(lines: Sequence[Line], known: Parameters) -> tuple[tuple[str, ...], ...]:
    sets, reached = [_equal_names(line) for line in lines], iter(lines)
    try:
        return check_constraints((names for names in sets if (at := next(reached))), known)
    except EquationError as error:
        return at.fail(str(error))


def _equal_names(line: Line) -> list[str]:
    """The names of a constraint g01 = g11 = g21."""
    names, signs = [token.text for token in line.right[::2]], line.right[1::2]
    gammas = all((symbol_of(name) or "?")[0] == "g" for name in names)
    if not gammas or len(names) == len(signs) or not all(token.is_op("=") for token in signs):
        line.fail(_CONSTRAINT)
    return [line.left[0].text, *names]
