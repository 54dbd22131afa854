"""Terms of equations: what is computed from variables, as frozen records, and back to text.

    ses*female          a product (of columns: a factor times a number is a product for each of its columns)
    ses^2               a power
    (ses/2 + 1)         arithmetic, in parentheses
    log(x) sqrt(x) exp(x) abs(x)
    group(x) grand(x)   x about the mean of its unit, or of all rows (at level 2: of all units)
    C(track) C(track, sum) C(track, ref="general")
    poly(x, 2) bs(x, df=5)

A term never sees data: the package `terms` evaluates it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from .symbols import quoted

FUNCTIONS = ("log", "log2", "log10", "sqrt", "exp", "abs")
CODINGS = ("treatment", "sum")
BASES = ("poly", "bs")
_BINDS = {"+": 1, "-": 1, "*": 2, "/": 2, "^": 3}  # how tightly; what is no operation binds 4


@dataclass(frozen=True, slots=True)
class Name:
    """A variable of the data."""

    name: str


@dataclass(frozen=True, slots=True)
class Number:
    """A number as written."""

    text: str


@dataclass(frozen=True, slots=True)
class Negative:
    """Minus an expression."""

    argument: Node


@dataclass(frozen=True, slots=True)
class Operation:
    """Two expressions joined by + - * / or ^."""

    op: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Function:
    """One of `FUNCTIONS`, or group or grand, of an expression."""

    function: str
    argument: Node


@dataclass(frozen=True, slots=True)
class Factor:
    """A variable as categories: a column for each level but one, the reference.

    Treatment coding: 1 at the column's level, else 0. Sum coding: -1 at the reference besides.
    Without ``reference`` it is the first level under treatment, the last under sum coding, as in R.
    """

    name: str
    coding: Literal["treatment", "sum"] = "treatment"
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class Basis:
    """Orthogonal polynomials of a degree, or B-splines of a degree with df columns, of an expression."""

    kind: Literal["poly", "bs"]
    argument: Node
    degree: int = 3
    df: int | None = None


Node = Name | Number | Negative | Operation | Function | Factor | Basis


def children(node: Node) -> tuple[Node, ...]:
    """The expressions a term is made of."""
    if isinstance(node, Operation):
        return node.left, node.right
    return (node.argument,) if isinstance(node, Negative | Function | Basis) else ()


def names_in(node: Node) -> Iterator[str]:
    """The variables of a term, in order, with repetition."""
    if isinstance(node, Name | Factor):
        yield node.name
    for child in children(node):
        yield from names_in(child)


def is_in(function: str, node: Node) -> bool:
    """Whether a function stands somewhere in a term."""
    own = isinstance(node, Function) and node.function == function
    return own or any(is_in(function, child) for child in children(node))


def text_of(node: Node) -> str:
    """A term as it may stand in an equation, after a coefficient: sums, quotients, numbers in parentheses."""
    factor = node
    while isinstance(factor, Operation) and factor.op == "*" and not isinstance(factor.right, Number):
        factor = factor.left
    product = factor is not node and not (isinstance(factor, Number) or is_operation(factor, "*"))
    return _text(node) if product else _inside(node, 3)


def is_operation(node: Node, op: str) -> bool:
    """Whether two expressions are joined by ``op``."""
    return isinstance(node, Operation) and node.op == op


def _text(node: Node) -> str:
    if isinstance(node, Name):
        return quoted(node.name)
    if isinstance(node, Number):
        return node.text
    if isinstance(node, Negative):
        return f"-{_inside(node.argument, 3)}"
    if isinstance(node, Function):
        return f"{node.function}({_text(node.argument)})"
    if isinstance(node, Operation):
        own, space = _BINDS[node.op], " " if node.op in "+-" else ""
        quotient = node.op == "*" and is_operation(node.left, "/")  # there are none outside parentheses
        left = _inside(node.left, own + (node.op == "^" or quotient))
        return f"{left}{space}{node.op}{space}{_inside(node.right, own + 1)}"
    return _factor(node) if isinstance(node, Factor) else _basis(node)


def _factor(node: Factor) -> str:
    parts = [quoted(node.name), *(["sum"] if node.coding == "sum" else [])]
    if node.reference is not None:
        mark = "'" if '"' in node.reference else '"'
        parts.append(f"ref={mark}{node.reference}{mark}")
    return f"C({', '.join(parts)})"


def _basis(node: Basis) -> str:
    parts = [_text(node.argument)]
    if node.kind == "poly":
        parts.append(str(node.degree))
    else:
        parts += [] if node.df is None else [f"df={node.df}"]
        parts += [] if node.degree == 3 else [f"degree={node.degree}"]
    return f"{node.kind}({', '.join(parts)})"


def _inside(node: Node, binds: int) -> str:
    """An operand, in parentheses where it binds less tightly than ``binds``."""
    own = 4
    if isinstance(node, Operation | Negative):
        own = _BINDS[node.op] if isinstance(node, Operation) else 0
    return f"({_text(node)})" if own < binds else _text(node)
