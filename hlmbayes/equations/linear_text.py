"""Combinations of named effects as text: "g01 - 2*g11 = 0.5, g10 = g20" -> numbers by name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from math import isinf
from typing import NamedTuple, NoReturn

from ..errors import HypothesisError
from .lines import Token

_NUMBER = r"(?:\d++\.?+\d*+|\.\d++)(?:e[+-]?\d++)?+(?![\w.])"  # possessive: digits are tried once
_ONE_NAME = r"[^\W\d][\w.@$]*(?:(?:\[[^\[\]]*\])+|\^\d+)?"  # of a factor's column, a category, of a power
_NAME = rf"{_ONE_NAME}(?::{_ONE_NAME})*"
_TOKEN = re.compile(rf"(?P<quoted>`[^`]*`)|(?P<number>{_NUMBER})|(?P<name>{_NAME})|(?P<op>\S)", re.IGNORECASE)
_ADVICE = 'write for example "g01 - 2*g11 = 0.5"'
_MOST_CHARACTERS = 10_000
_DEEPEST = 50  # brackets within brackets


class Linear(NamedTuple):
    """A sum of numbers times names, and a number."""

    of: dict[str, float]
    constant: float = 0.0

    def plus(self, other: Linear, times: float = 1.0) -> Linear:
        """Add another sum, multiplied by a number."""
        of = dict(self.of)
        for name, number in other.of.items():
            of[name] = of.get(name, 0.0) + times * number
        return Linear(of, self.constant + times * other.constant)

    def times(self, number: float) -> Linear:
        """Multiply by a number."""
        return Linear({}).plus(self, number)


def linear_rows(text: str) -> list[Linear]:
    """Read combinations divided by commas, semicolons, lines or "and"; each is a row, L gamma - value.

    ``a = b`` is a - b, ``a = b = c`` two rows; without "=" the combination stands for itself. Names are given
    as they are written: g01, ses:sector (for ``ses*sector`` and ``ses x sector`` too), group(ses).

    Raises
    ------
    HypothesisError
        What is no combination, with what to write.
    """
    if len(text) > _MOST_CHARACTERS:
        raise HypothesisError(
            f"a hypothesis of {len(text)} characters: at most {_MOST_CHARACTERS} are read. Is it another?"
        )
    rows: list[Linear] = []
    for part in re.findall(r"(?:`[^`]*`|\[[^\[\]]*\]|\([^()]*\)|[^,;\r\n])+", text):
        tokens = [Token(str(match.lastgroup), match[0]) for match in _TOKEN.finditer(part)]
        for piece in _split(tokens, "name", "and"):
            rows += _Reader(part.strip(), piece).rows()
    if not rows:
        raise HypothesisError(f"a hypothesis without a fixed effect, got {text!r}: {_ADVICE}")
    return rows


def _split(tokens: Sequence[Token], kind: str, word: str) -> list[list[Token]]:
    """Divide tokens at a word; nothing stands for blank text."""
    pieces: list[list[Token]] = [[]]
    for token in tokens:
        if token.kind == kind and token.text.lower() == word:
            pieces.append([])
        else:
            pieces[-1].append(token)
    return pieces if tokens else []


class _Reader:
    """Reads one equation by recursive descent: sums of products of factors."""

    def __init__(self, text: str, tokens: list[Token]) -> None:
        self.text, self.tokens, self.next, self.depth = text, tokens, 0, 0

    def rows(self) -> list[Linear]:
        sides = [self.sum()]
        while self.take("="):
            self.take("=")  # "==", as it is written in R
            sides.append(self.sum())
        if self.next < len(self.tokens):
            self.fail(f"{self.tokens[self.next].text!r} has no meaning here")
        if len(sides) > 1:
            return [left.plus(right, -1.0) for left, right in pairwise(sides)]
        if sides[0].constant:
            self.fail("a number is added to the effects; what they are held against stands after =")
        return sides

    def sum(self) -> Linear:
        total = self.product()  # which begins with its sign
        while self.next < len(self.tokens) and self.tokens[self.next].text in ("+", "-"):
            total = total.plus(self.product())
        return total

    def sign(self) -> float:
        sign = 1.0
        while self.take("+", "-"):
            sign = -sign if self.tokens[self.next - 1].text == "-" else sign
        return sign

    def product(self) -> Linear:
        result = self.factor()
        while self.take("*", "/"):
            divide = self.tokens[self.next - 1].text == "/"
            other = self.factor()
            if divide and (other.of or not other.constant):
                self.fail("only a number other than 0 can stand after /")
            if divide:
                result = result.times(1.0 / other.constant)
            elif result.of and other.of:  # the product of two variables is an effect's name
                (first, times), (second, by) = self.single(result), self.single(other)
                result = Linear({f"{first}:{second}": times * by})
            else:
                result = result.times(other.constant) if result.of else other.times(result.constant)
        return result

    def single(self, factor: Linear) -> tuple[str, float]:
        name, *others = factor.of.items()
        if others or factor.constant:
            self.fail("effects are multiplied by numbers, not by each other")
        return name

    def factor(self) -> Linear:
        sign = self.sign()
        if self.next == len(self.tokens):
            self.fail("something is missing at its end")
        token = self.tokens[self.next]
        self.next += 1
        if token.kind == "number":
            if isinf(float(token.text)):
                self.fail("a number is too large")
            return Linear({}, sign * float(token.text))
        if token.kind in ("name", "quoted"):
            return Linear({self.long_name(token.text): sign})
        self.depth += 1
        if token.text != "(" or self.depth > _DEEPEST:
            self.fail(f"{token.text!r} has no meaning here")
        inside = self.sum()
        self.depth -= 1
        if not self.take(")"):
            self.fail('a "(" is not closed')
        return inside.times(sign)

    def long_name(self, name: str) -> str:
        """Read on where a name goes on: group(ses)^2, poly(age, 2)[1], ses x sector."""
        if self.next < len(self.tokens) and self.tokens[self.next].text == "(":
            name += self.enclosed("(", ")")
            while self.take("["):
                self.next -= 1
                name += self.enclosed("[", "]")
            if self.take("^"):
                name += f"^{self.tokens[self.next].text if self.next < len(self.tokens) else ''}"
                self.next += 1
        ahead = self.tokens[self.next : self.next + 2]
        if len(ahead) > 1 and ahead[0].text in ("x", "X", "×") and ahead[1].kind in ("name", "quoted"):
            self.next += 2
            return f"{name}:{self.long_name(ahead[1].text)}"
        return name.strip("`").strip()

    def enclosed(self, begin: str, end: str) -> str:
        """Read the text of a bracket and what it holds."""
        begins, depth = self.next, 0
        while self.next < len(self.tokens):
            depth += {begin: 1, end: -1}.get(self.tokens[self.next].text, 0)
            self.next += 1
            if depth == 0:
                return "".join(token.text for token in self.tokens[begins : self.next])
        return self.fail(f'a "{begin}" is not closed')

    def take(self, *texts: str) -> bool:
        found = self.next < len(self.tokens) and self.tokens[self.next].text in texts
        self.next += found
        return found

    def fail(self, what: str) -> NoReturn:
        shown = self.text if len(self.text) <= 160 else self.text[:157] + "..."
        raise HypothesisError(f'"{shown}": {what}; {_ADVICE}')
