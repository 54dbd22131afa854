"""Equation text -> lines of tokens: the part of reading equations that knows no model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple, NoReturn

from ..words import composed
from .parts import fail

_NAME = r"[^\W\d][\w.@$]*"
TOKEN = re.compile(rf"(?P<quoted>`[^`]*`)|(?P<number>[0-9][\w.]*)|(?P<name>{_NAME})|(?P<op>\S)")
SYMBOLS = {
    "b": re.compile(r"(?:beta|b|β)_?(0|[1-9][0-9]{0,2})(?:_?i?j)?", re.IGNORECASE),
    "g": re.compile(r"(?:gamma|g|γ)_?([0-9]{1,6}|[0-9]{1,3}_[0-9]{1,3})", re.IGNORECASE),
    "u": re.compile(r"u_?(0|[1-9][0-9]{0,2})(?:_?j)?", re.IGNORECASE),
    "r": re.compile(r"r(?:_?ij)?", re.IGNORECASE),
}
ALPHA = re.compile(r"(?:alpha|a|α)_?(0|[1-9][0-9]{0,2})", re.IGNORECASE)  # in log(sigma2) alone
CENTERING = ("group", "grand")
_MOST_CHARACTERS = 100_000  # of equations or a formula
MAKE_COLUMN = "compute the column in the data first and use its name here"


class Token(NamedTuple):
    """A piece of an equation; kind is "name", "quoted", "number" or "op"."""

    kind: str
    text: str

    def is_op(self, text: str) -> bool:
        """Whether this is the operator `text`."""
        return self.kind == "op" and self.text == text


def check_size(what: str, text: str) -> None:
    """Refuse a text no model has; reading it would take long."""
    if len(text) > _MOST_CHARACTERS:
        fail(
            "", f"{what} of {len(text)} characters: at most {_MOST_CHARACTERS} are read. Is it another text?"
        )


def tokens_of(text: str) -> list[Token]:
    """The pieces of an equation or a formula."""
    return [Token(str(match.lastgroup), match[0]) for match in TOKEN.finditer(composed(text))]


class Line(NamedTuple):
    """One equation: where it is, for messages, and its tokens."""

    where: str
    left: list[Token]
    right: list[Token]

    def fail(self, message: str) -> NoReturn:
        """Raise the EquationError for this line."""
        fail(self.where, message)


def is_plain_name(name: str) -> bool:
    """Whether a variable name can stand in an equation without backticks."""
    if not re.fullmatch(_NAME, name) or name.casefold() in (*CENTERING, "log"):
        return False
    return symbol_of(name) is None


def read_lines(text: str) -> list[Line]:
    """The equations with their line numbers, counted from the first line that is not blank."""
    pieces: list[tuple[int, str]] = []
    number = 0
    for raw in re.split(r"\r\n|\r|\n", text):
        number += bool(number or raw.strip())
        pieces += [(number, part) for part in _pieces(raw) if part]
    joined: list[tuple[int, list[str]]] = []
    for number, part in pieces:
        before = joined[-1][1] if joined else [" "]
        if joined and (before[-1][-1] in "+*=\\" or part[0] in "+*"):  # the equation goes on
            before[-1:] = [before[-1].removesuffix("\\").rstrip(), part]
        else:
            joined.append((number, [part]))
    return [_line(number, " ".join(parts)) for number, parts in joined]


def _pieces(text: str) -> list[str]:
    """The equations of a line, without its comment; neither ";" nor "#" counts inside backticks."""
    kept = re.match(r"(?:`[^`]*`|[^#])*", text)
    return [part.strip() for part in re.findall(r"(?:`[^`]*`|[^;])+", kept[0] if kept else "")]


def _line(number: int, text: str) -> Line:
    shown = re.sub(r"\s+", " ", text)
    where = f'line {number}: "{shown if len(shown) <= 160 else shown[:157] + "..."}"'
    tokens = tokens_of(text)
    _check_tokens(where, tokens)
    equals = [i for i, token in enumerate(tokens) if token.is_op("=")]
    if not equals:
        fail(where, 'this is not an equation, there is no "="; write, for example, b0 = g00 + u0')
    left, right = tokens[: equals[0]], tokens[equals[0] + 1 :]
    if not left:
        fail(where, 'nothing stands before "="; write the outcome, a coefficient (b0) or log(sigma2)')
    if not right:
        fail(where, 'nothing stands after "="; write the terms of the equation')
    return Line(where, left, right)


def _check_tokens(where: str, tokens: Sequence[Token]) -> None:
    depth = 0
    for token in tokens:
        if token.kind == "op":
            depth += {"(": 1, ")": -1}.get(token.text, 0)
            if depth < 0:
                fail(where, 'a ")" without its "("; remove it or add the "("')
            if token.text not in "()=+*" and not (token.text == "," and is_covariance(tokens)):
                _fail_operator(where, token.text)
    if depth:
        fail(where, 'a "(" is not closed; add the ")"')


def is_covariance(tokens: Sequence[Token]) -> bool:
    """Whether an equation begins with cov(: it says that random effects are independent."""
    return len(tokens) > 2 and tokens[0].text.casefold() == "cov" and tokens[1].is_op("(")


def _fail_operator(where: str, op: str) -> NoReturn:
    advice = {
        "-": "terms are added with +, the sign is in the coefficient; for x minus its mean write group(x) "
        "or grand(x)",
        ":": f"an interaction of two variables of one level is a product; {MAKE_COLUMN}",
        "~": "write = here, or use Model.from_formula(...) for an lme4 formula",
        "^": f"powers are not computed here; {MAKE_COLUMN}",
        "/": f"quotients are not computed here; {MAKE_COLUMN}",
        "`": "a backtick is not closed; write names with odd characters as `name`",
        "|": "write the level-2 equations, or use Model.from_formula(...) for an lme4 formula",
        ",": "an equation is a sum of terms, no commas; constraints are written g02 = g12, one set a line",
    }
    fail(where, f'"{op}" has no meaning here; ' + advice.get(op, "wanted names, =, +, *, ( and )"))


def symbol_of(text: str) -> tuple[str, int] | None:
    """Kind and index of a name with a meaning of its own (b1, u0, r); index -1 where there is none."""
    for kind, pattern in SYMBOLS.items():
        match = pattern.fullmatch(text)
        if match:
            return kind, int(match[1]) if kind in "bu" else -1
    return None
