"""Tokens -> expressions: the terms that `expressions` lists, read with the usual precedence of operators."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NoReturn

from .expressions import (
    BASES,
    CODINGS,
    FUNCTIONS,
    Basis,
    Factor,
    Function,
    Name,
    Negative,
    Node,
    Number,
    Operation,
)
from .lines import MAKE_COLUMN, Token
from .symbols import CENTERING, symbol_of

_MAX_DEPTH = 25  # parentheses inside parentheses; deeper is no expression anybody wrote
_MOST_COLUMNS = 100  # of a basis
ALIKE = {
    "factor": "C(x)", "as.factor": "C(x)", "scale": "grand(x), which does not divide by the s.d.",
    "center": "grand(x) or group(x)",
    "centre": "grand(x) or group(x)", "ln": "log(x)", "ns": "bs(x, df=4)",
}  # fmt: skip  # what other programs call it
KNOWN = ", ".join(f"{name}()" for name in (*CENTERING, *FUNCTIONS, "C", *BASES))


class ExpressionReader:
    """Recursive-descent reader of expressions; `position` walks over the tokens.

    ``fail`` raises the EquationError for the place the tokens come from, ``variable`` gives the name of the
    variable that a token is, or fails.
    """

    def __init__(
        self, tokens: Sequence[Token], fail: Callable[[str], NoReturn], position: int = 0,
        variable: Callable[[Token], str] | None = None,
    ) -> None:  # fmt: skip
        self.tokens = tokens
        self.fail = fail
        self.position = position
        self.variable = variable or (lambda token: variable_name(token, fail))
        self.depth = 0

    def at(self, op: str) -> bool:
        """Whether the next token is this operator."""
        return self.position < len(self.tokens) and self.tokens[self.position].is_op(op)

    def take(self, op: str) -> bool:
        """Walk over this operator if it is next, and say whether it was."""
        found = self.at(op)
        self.position += found
        return found

    def want(self, op: str) -> None:
        """Walk over this operator, or refuse what is there."""
        if not self.take(op):
            got = self.tokens[self.position].text if self.position < len(self.tokens) else "the end"
            self.fail(f'wanted "{op}", got {got}')

    def sum(self) -> Node:
        """Terms joined by + and -."""
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            self.fail(f"more than {_MAX_DEPTH} parentheses inside each other; write it simpler")
        node = self._product()
        while self.at("+") or self.at("-"):
            op = self.tokens[self.position].text
            self.position += 1
            node = Operation(op, node, self._product())
        self.depth -= 1
        return node

    def _product(self) -> Node:
        node = self._signed()
        while self.at("*") or self.at("/"):
            op = self.tokens[self.position].text
            self.position += 1
            node = Operation(op, node, self._signed())
        return node

    def _signed(self) -> Node:
        return Negative(self.power()) if self.take("-") else self.power()

    def power(self) -> Node:
        """A variable, number, function or parenthesis, and its power."""
        node = self._atom()
        while self.take("^"):
            node = Operation("^", node, self._atom())
        return node

    def _atom(self) -> Node:
        if self.take("("):
            node = self.sum()
            self.want(")")
            return node
        if self.position >= len(self.tokens):
            self.fail("a variable, a number or a parenthesis is missing at the end")
        token = self.tokens[self.position]
        if token.kind == "number":
            self.position += 1
            return Number(number_text(token.text, self.fail))
        if (
            token.kind == "name"
            and self.position + 1 < len(self.tokens)
            and self.tokens[self.position + 1].is_op("(")
        ):
            self.position += 2
            return self._call(token.text)
        self.position += 1
        return Name(self.variable(token))

    def _call(self, name: str) -> Node:
        """What stands in the parenthesis after a function's name."""
        key = name.casefold()
        if key == "c":
            return self._factor()
        if key not in (*CENTERING, *FUNCTIONS, *BASES, "i"):
            hint = f"write {ALIKE[key]}; " if key in ALIKE else ""
            self.fail(f"{name}() is not known; {hint}there are {KNOWN}. Else {MAKE_COLUMN}")
        if self.at(")"):
            self.fail(f"{name}() has nothing in it; write {name}(x) with the name of a variable")
        argument = self.sum()
        if key in BASES:
            return self._basis(key, argument)
        if not self.take(")"):
            self.fail(f'{name}(...) takes one expression; wanted ")", got {self._next()}')
        return argument if key == "i" else Function(key, argument)

    def _next(self) -> str:
        return self.tokens[self.position].text if self.position < len(self.tokens) else "the end"

    def _factor(self) -> Node:
        """C(x, sum, ref="level"): from after the parenthesis."""
        if self.position >= len(self.tokens):
            self.fail("C( wants the name of a variable")
        variable = self.variable(self.tokens[self.position])
        self.position += 1
        coding, reference = "treatment", None
        for name, token in self.options("C"):
            value = token.text[1:-1] if token.kind in ("string", "quoted") else token.text
            if name == "" and value.casefold() in CODINGS:
                coding = value.casefold()
            elif name in ("ref", "reference", "base"):
                reference = value
            else:
                self.fail(f'C(...) has {name or value!r}; wanted C(x), C(x, sum) or C(x, ref="level")')
        return Factor(variable, coding, reference)  # type: ignore[arg-type]

    def _basis(self, kind: str, argument: Node) -> Node:
        """poly(x, 2), bs(x, df=5, degree=3): from after the expression."""
        found: dict[str, int] = {}
        for name, token in self.options(kind):
            key = name or ("degree" if kind == "poly" else "df")
            if key not in (("degree",) if kind == "poly" else ("df", "degree")) or key in found:
                self.fail(
                    f"{kind}(...) has {name or token.text!r}; wanted poly(x, 2) or bs(x, df=5, degree=3)"
                )
            if (
                token.kind != "number"
                or not token.text.isdigit()
                or not 0 < int(token.text[:4]) <= _MOST_COLUMNS
            ):
                self.fail(f"{kind}(...): {key} is a whole number from 1 to {_MOST_COLUMNS}, got {token.text}")
            found[key] = int(token.text[:4])
        degree, df = found.get("degree", 2 if kind == "poly" else 3), found.get("df")
        if kind == "poly" and "degree" not in found:
            self.fail("poly(x) wants its degree: poly(x, 2) is a straight line and a curve")
        if df is not None and df < degree:
            self.fail(f"bs(...) of degree {degree} has at least df={degree}, got df={df}")
        return Basis(kind, argument, degree, df)  # type: ignore[arg-type]

    def options(self, function: str) -> list[tuple[str, Token]]:
        """What follows commas, up to the closing parenthesis: names ("" without one) and values."""
        found = []
        while self.take(","):
            name = ""
            if self.position + 1 < len(self.tokens) and self.tokens[self.position + 1].is_op("="):
                name = self.tokens[self.position].text.casefold()
                self.position += 2
            sign = "-" if self.take("-") else ""
            if self.position >= len(self.tokens) or self.tokens[self.position].kind == "op":
                self.fail(f"{function}(...): a value is missing, got {self._next()}")
            token = self.tokens[self.position]
            if sign and token.kind != "number":
                self.fail(f'{function}(...): "-" stands before {token.text}, which is no number')
            found.append((name, Token(token.kind, sign + token.text)))
            self.position += 1
        if not self.take(")"):
            self.fail(f'{function}(...): wanted a comma or ")", got {self._next()}')
        return found


def number_text(text: str, fail: Callable[[str], NoReturn]) -> str:
    """The text of a number, checked."""
    try:
        finite = abs(float(text)) < float("inf")
    except ValueError:
        finite = False
    if not finite or "_" in text:
        fail(f'"{text}" is not a number, and names that begin with a digit go in backticks: `{text}`')
    return text


def variable_name(token: Token, fail: Callable[[str], NoReturn]) -> str:
    """The name of a variable that a token is, checked."""
    if token.kind == "quoted":
        name = token.text[1:-1].strip()
        if not name:
            fail("the backticks hold no name; write `name`")
        return name
    if token.kind != "name":
        fail(f'"{token.text}" is not the name of a variable; names with odd characters go in backticks')
    if symbol_of(token.text) is not None:
        what = f"{token.text} stands where a variable is wanted, but is a name of the equations"
        fail(f"{what}; {backticks(token.text)}")
    return token.text


def backticks(name: str) -> str:
    """What to do where a name is taken for something else."""
    return f"if it is a variable, write it in backticks: `{name}`"
