"""Equation text -> lines of tokens: the part of reading equations that knows no model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple, NoReturn

from ..words import composed
from .parts import fail
from .symbols import LABELS, NAME

TOKEN = re.compile(
    r"(?P<quoted>`[^`]*`)|(?P<string>\"[^\"]*\"|'[^']*')|(?P<number>[0-9](?:[eE][-+](?=[0-9])|[\w.])*)"
    rf"|(?P<name>(?:beta|gamma|alpha|[abguβγα])_?[0-9_]+(?:i?j)?{LABELS}|{NAME})|(?P<op>\*\*|\S)",
    re.IGNORECASE,
)
_LINE_END = re.compile(r"\r\n|\r|\n")
_INSIDE = r"`[^`]*`|\"[^\"]*\"|'[^']*'"
_UNTIL_COMMENT = re.compile(rf"(?:{_INSIDE}|[^#])*")
_STATA_PRODUCT = re.compile(r"[\w)`]##?[\w(`]")  # ses##female would lose its second half in silence
_EQUATIONS = re.compile(rf"(?:{_INSIDE}|[^;])+")
_MOST_CHARACTERS = 100_000  # of equations or a formula
FORMULA = "y ~ (w + v)*group(x) + (group(x) | id)"  # an example for messages
MAKE_COLUMN = "compute the column in the data first and use its name here"


class Token(NamedTuple):
    """A piece of an equation; kind is "name", "quoted", "string", "number" or "op"."""

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
    found = TOKEN.finditer(composed(text))
    return [Token(str(match.lastgroup), "^" if match[0] == "**" else match[0]) for match in found]


class Line(NamedTuple):
    """One equation: where it is, for messages, and its tokens."""

    where: str
    left: list[Token]
    right: list[Token]

    def fail(self, message: str) -> NoReturn:
        """Raise the EquationError for this line."""
        fail(self.where, message)


def read_lines(text: str) -> list[Line]:
    """The equations with their line numbers, counted from the first line that is not blank."""
    pieces: list[tuple[int, str]] = []
    number = 0
    for raw in _LINE_END.split(text):
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


def without_comments(text: str) -> str:
    """The text of a formula in one line, without comments."""
    return " ".join(part for raw in _LINE_END.split(text) for part in _pieces(raw))


def _pieces(text: str) -> list[str]:
    """The equations of a line, without its comment; neither ";" nor "#" counts inside backticks or quotes."""
    kept = _UNTIL_COMMENT.match(text)
    stata = kept and _STATA_PRODUCT.match(text, max(kept.end() - 1, 0))
    if stata:
        fail(
            f'"{text.strip()[:160]}"',
            "# begins a comment, with a blank before it; a product is written with *",
        )
    return [part.strip() for part in _EQUATIONS.findall(kept[0] if kept else "")]


def _line(number: int, text: str) -> Line:
    shown = re.sub(r"\s+", " ", text)
    where = f'line {number}: "{shown if len(shown) <= 160 else shown[:157] + "..."}"'
    tokens = tokens_of(text)
    _check_tokens(where, tokens)
    depth, equals = 0, []
    for i, token in enumerate(tokens):
        if token.kind == "op":
            depth += (token.text == "(") - (token.text == ")")
            equals += [i] if token.text == "=" and depth == 0 else []
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
            if token.text not in "()=+*^" and not (depth and token.text in "-/,"):
                _fail_operator(where, token.text)
    if depth:
        fail(where, 'a "(" is not closed; add the ")"')


def is_covariance(tokens: Sequence[Token]) -> bool:
    """Whether an equation begins with cov(: it says that random effects are independent."""
    return len(tokens) > 2 and tokens[0].text.casefold() == "cov" and tokens[1].is_op("(")


def _fail_operator(where: str, op: str) -> NoReturn:
    arithmetic = "arithmetic goes in parentheses, as in b1*(x/y) or b1*(x - y)"
    advice = {
        "-": "terms are added with +, the sign is in the coefficient; for x minus its mean write group(x) or "
        f"grand(x); {arithmetic}",
        ":": "a product of two variables of one level is written with *, as in b1*ses*female",
        "~": f"a formula stands alone, without = and without other arguments: {FORMULA}; equations have =",
        "/": arithmetic,
        "`": "a backtick is not closed; write names with odd characters as `name`",
        '"': 'a quotation mark is not closed; write C(track, ref="general")',
        "|": f"equations say with u0, u1 what varies; a formula has ~ after the outcome: {FORMULA} (Stata's "
        "mixed y x || id: x is y ~ x + (x | id))",
        ",": "an equation is a sum of terms, no commas; constraints are written g02 = g12, one set a line",
    }
    fail(where, f'"{op}" has no meaning here; ' + advice.get(op, "wanted names, =, +, *, ( and )"))
