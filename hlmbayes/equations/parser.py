"""The text of the equations -> the parts of a model.

One equation a line (or separated by ";"). A line that ends in an operator, or
is followed by one that starts with an operator, goes on. What the left side
names says which equation it is: a variable (level 1), b0 (level 2), g02
(a constraint) or log(sigma2).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple, NoReturn

from ..errors import EquationError
from ..naming import Parameters
from .blocks import read_blocks
from .lines import (
    ALPHA,
    CENTERING,
    MAKE_COLUMN,
    SYMBOLS,
    Line,
    Token,
    check_size,
    is_covariance,
    read_lines,
    symbol_of,
)
from .names import gamma_parameters
from .parts import (
    Coefficient,
    Gamma,
    LogSigma2,
    Predictor,
    check_constraints,
    check_model,
    fail,
    gamma_name,
)

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


def parse(text: str) -> ModelParts:
    """Parts of the model written in `text`.

    Raises
    ------
    EquationError
        Naming the line and what to do; never another exception, whatever the text.
    """
    if not isinstance(text, str):
        fail("", f"the equations must be text, got {type(text).__name__}")
    check_size("the equations", text)
    level1: Line | None = None
    level2: dict[int, Line] = {}
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
    return _build(level1, level2, sigma, constraints, covariances)


def _build(
    level1: Line, level2: dict[int, Line], sigma: Line | None, constraints: list[Line],
    covariances: list[Line],
) -> ModelParts:  # fmt: skip
    outcome = _variable(level1, level1.left[0])
    coefficients = []
    terms = _level1_terms(level1)
    used: set[int] = set()
    for index, predictor in terms:
        if index in used:
            level1.fail(f"b{index} is used twice in the level-1 equation; give each term its own b")
        used.add(index)
        if index not in level2:
            effect = " + u0" if index == 0 else ""
            level1.fail(
                f"b{index} is used but has no level-2 equation; "
                f"add a line such as: b{index} = {gamma_name(index, 0)}{effect}"
            )
        gammas, random = _level2_terms(level2[index], index)
        coefficients.append(Coefficient(f"b{index}", predictor, gammas, random, level1.where))
    for index, line in level2.items():
        if index not in used:
            line.fail(f"b{index} is not in the level-1 equation; add b{index} there or remove this line")
    log_sigma2 = None if sigma is None else _log_sigma2(sigma)
    check_model(outcome, coefficients, log_sigma2)
    known = gamma_parameters(coefficients)
    blocks = read_blocks(covariances, [c.effect for c in coefficients if c.random])
    return ModelParts(outcome, tuple(coefficients), log_sigma2, _constraints(constraints, known), blocks)


# ---------------------------------------------------------------- which equation


def _kind(line: Line) -> tuple[str, int]:
    """Which equation a line is: ("outcome" | "b" | "g" | "log" | "cov", index)."""
    left, first = line.left, line.left[0]
    shown = "".join(token.text for token in left)
    if is_covariance(left):
        return "cov", -1
    if first.kind == "name" and first.text.casefold() == "log" and len(left) > 1:
        inner = "".join(token.text for token in left[2:-1])
        if not (left[1].is_op("(") and left[-1].is_op(")") and _SIGMA2.fullmatch(inner)):
            only = f"got {shown}; the only logarithm is log(sigma2)"
            line.fail(f"{only}. For the log of a variable {MAKE_COLUMN}")
        return "log", -1
    if len(left) > 1:
        line.fail(f'"{shown}" before "=" is not one name; {_LEFT}')
    if first.kind in ("number", "op"):
        line.fail(f'"{shown}" before "=" is not a name; {_LEFT}')
    symbol = symbol_of(shown) if first.kind == "name" else None
    if symbol is None:
        return "outcome", -1
    if symbol[0] in "bg":
        return symbol
    return line.fail(f"{shown} cannot be defined; {_LEFT} ({_quote(shown)})")


def _quote(name: str) -> str:
    return f"if it is a variable, write it in backticks: `{name}`"


# ---------------------------------------------------------------- terms


def _terms(line: Line) -> list[list[list[Token]]]:
    """The right side as terms of factors: y = b0 + b1*x -> [[b0], [b1, x]] (each a token list)."""
    terms: list[list[list[Token]]] = [[[]]]
    depth = 0
    for token in line.right:
        depth += token.is_op("(") - token.is_op(")")
        if token.is_op("="):
            line.fail('a second "="; write one equation a line')
        if depth == 0 and token.is_op("+"):
            terms.append([[]])
        elif depth == 0 and token.is_op("*"):
            terms[-1].append([])
        else:
            terms[-1][-1].append(token)
    for term in terms:
        if any(not factor for factor in term):
            line.fail('a "+" or "*" has nothing on one side; complete or remove it')
    return terms


def _text(factor: Sequence[Token]) -> str:
    return " ".join(token.text for token in factor).replace("( ", "(").replace(" )", ")").replace(" (", "(")


def _factor(line: Line, factor: list[Token]) -> tuple[str, int, Predictor]:
    """A factor as (kind, index, predictor): kind "variable", "b", "g", "u" or "r"."""
    first = factor[0]
    if len(factor) == 3 and first.is_op("("):
        factor = factor[1:2]
        first = factor[0]
    if len(factor) == 1:
        symbol = symbol_of(first.text) if first.kind == "name" else None
        if symbol is None:
            return "variable", -1, Predictor(_variable(line, first))
        return (*symbol, Predictor(first.text))
    if len(factor) == 4 and first.kind == "name" and factor[1].is_op("("):
        function = first.text.casefold()
        if function in CENTERING:
            return "variable", -1, Predictor(_variable(line, factor[2]), function)  # type: ignore[arg-type]
    return _fail_factor(line, factor)


def _fail_factor(line: Line, factor: list[Token]) -> NoReturn:
    first, shown = factor[0], _text(factor)
    if first.kind == "name" and len(factor) > 1 and factor[1].is_op("("):
        if symbol_of(first.text) is not None:
            line.fail(f'"{shown}" lacks a "*": write {first.text}*{_text(factor[1:])}')
        if first.text.casefold() in CENTERING:
            line.fail(f'got "{shown}"; write {first.text}(x) with the name of one variable')
        line.fail(f"{first.text}() is not known; there are group(x) and grand(x). Else {MAKE_COLUMN}")
    if first.is_op("("):
        line.fail(f'"{shown}" in parentheses is not one variable; write each term by itself, as in b1*ses')
    line.fail(f'"{shown}" lacks an operator; write + between terms and * between coefficient and variable')


def _variable(line: Line, token: Token) -> str:
    """The name of a variable that a token is, checked."""
    if token.kind == "quoted":
        name = token.text[1:-1].strip()
        if not name:
            line.fail("the backticks hold no name; write `name`")
        return name
    if token.kind != "name":
        line.fail(f'"{token.text}" is not the name of a variable; names with odd characters go in backticks')
    if symbol_of(token.text) is not None:
        what = f"{token.text} stands where a variable is wanted, but is a name of the equations"
        line.fail(f"{what}; {_quote(token.text)}")
    return token.text


def _pair(line: Line, term: list[list[Token]], letter: str) -> tuple[str, int, Predictor]:
    """A term as (kind, index, predictor): coefficient times predictor, in either order, or alone."""
    factors = [_factor(line, factor) for factor in term]
    shown = "*".join(_text(factor) for factor in term)
    symbols = [(kind, index, p) for kind, index, p in factors if kind != "variable"]
    variables = [p for kind, _, p in factors if kind == "variable"]
    if len(variables) > 1:
        line.fail(f"{shown} is an interaction; make the product of the two a column of the data and use that")
    if not symbols:
        what = "b1" if letter == "b" else "g01"
        line.fail(f"{shown} has no coefficient; write {what}*{shown} with a free number")
    if len(symbols) > 1:
        names = " and ".join(str(p.variable) for _, _, p in symbols)
        line.fail(
            f"{shown} multiplies {names}; wanted one coefficient times one variable "
            "(a variable with such a name goes in backticks)"
        )
    kind, index, own = symbols[0]
    if kind in "ur" and variables:
        line.fail(f"{shown}: a random term stands alone; put u1 into the equation of b1, r alone at level 1")
    return kind, index, variables[0] if variables else Predictor(own.variable if kind == "g" else None)


def _level1_terms(line: Line) -> list[tuple[int, Predictor]]:
    terms: list[tuple[int, Predictor]] = []
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
    return terms


def _level2_terms(line: Line, index: int) -> tuple[tuple[Gamma, ...], bool]:
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
            symbol = next(f for f in term if f[0].kind == "name" and (symbol_of(f[0].text) or "?")[0] == "g")
            alone = len(term) == 1
            gammas.append(_gamma(line, index, symbol[0].text, Predictor(None) if alone else predictor))
        else:
            line.fail(f"{_text(term[0])} belongs to the level-1 equation; level 2 has g00, g01*x and u0")
    return tuple(gammas), random


def _gamma(line: Line, index: int, symbol: str, predictor: Predictor) -> Gamma:
    """The gamma called `symbol` in the equation of b<index>: g110 is g1_10 under b1, g11_0 under b11."""
    match = SYMBOLS["g"].fullmatch(symbol)
    digits = match[1] if match else ""
    if "_" in digits:
        first, _, rest = digits.partition("_")
    else:
        first = str(index) if digits.startswith(str(index)) else digits[:1]
        rest = digits.removeprefix(first)
    if not rest or (rest[0] == "0" and rest != "0"):
        line.fail(f"{symbol} needs two numbers, that of its b and its own: g{index}0, g{index}1, ...")
    if int(first) != index:
        line.fail(
            f"{symbol} is in the equation of b{index}; call it {gamma_name(index, int(rest))} "
            "(the first number is that of the b)"
        )
    return Gamma(gamma_name(index, int(rest)), predictor, line.where)


def _log_sigma2(line: Line) -> LogSigma2:
    """The equation of log(sigma2); its coefficients are a0 (alone) and a1, a2, ... times a variable."""
    constant: list[str] = []
    names: list[str] = []
    variables: list[str] = []
    for term in _terms(line):
        shown = "*".join(_text(factor) for factor in term)
        alphas = [f for f in term if len(f) == 1 and f[0].kind == "name" and ALPHA.fullmatch(f[0].text)]
        others = [f for f in term if f != alphas[0]] if len(alphas) == 1 else []
        if len(alphas) != 1 or len(others) > 1:
            line.fail(f"{shown}: log(sigma2) is a sum such as a0 + a1*female (a variable in backticks: `a1`)")
        match = ALPHA.fullmatch(alphas[0][0].text)
        name = f"a{match[1]}" if match else ""
        if not others:
            constant.append(name)
            continue
        kind, _, predictor = _factor(line, others[0])
        if kind != "variable" or predictor.centering != "none":
            line.fail(f"{shown}: variables of log(sigma2) are used as they are; write {name}*x, x a variable")
        names.append(name)
        variables.append(str(predictor.variable))
    if len(constant) != 1:
        line.fail("log(sigma2) wants one intercept; write log(sigma2) = a0 + ...")
    return LogSigma2((*constant, *names), tuple(variables), line.where)


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
