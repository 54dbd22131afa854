"""Which random effects are correlated: sets of them, and the lines cov(u0, u1) = 0 that say so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import combinations

from ..errors import EquationError
from .lines import Line, Token, is_covariance
from .parts import fail
from .symbols import symbol_of

_WRITTEN = "independent random effects are written cov(u0, u1) = 0 or cov(u0, u2) = cov(u1, u2) = 0"


def check_blocks(blocks: Iterable[Sequence[str]], effects: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Sets of random effects that are correlated with one another only, in the model's order.

    No sets: all are correlated, they are one set.

    Raises
    ------
    EquationError
        An effect the model lacks, one in no set or in two.
    """
    sets = [list(block) for block in blocks] or [list(effects)]
    times, place = Counter(name for block in sets for name in block), {e: k for k, e in enumerate(effects)}
    strange = [name for name in times if name not in place]
    if strange:
        fail(
            "", f"{strange[0]!r} is not a random effect of this model; it has {', '.join(effects) or 'none'}"
        )
    for name in effects:
        if times[name] != 1:
            where = "in two sets" if times[name] else "in no set"
            fail("", f"{name} is {where} of random effects that are correlated; put each into one")
    ordered = [tuple(sorted(block, key=place.__getitem__)) for block in sets if block]
    return tuple(sorted(ordered, key=lambda block: place[block[0]]))


def blocks_without(pairs: Iterable[tuple[str, str]], effects: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """The sets of correlated random effects where those of ``pairs`` are independent.

    Raises
    ------
    EquationError
        Two of them are independent, and both correlated with a third.
    """
    apart = {frozenset(pair) for pair in pairs}
    if not apart:
        return check_blocks((), effects)
    blocks: list[list[str]] = []
    for name in effects:
        near = [block for block in blocks if any(frozenset((name, other)) not in apart for other in block)]
        joined = [other for block in near for other in block]
        blocks = [block for block in blocks if block not in near] + [[*joined, name]]
    for block in blocks:
        for a, b in combinations(sorted(block, key=effects.index), 2):
            if frozenset((a, b)) in apart:
                third = next(name for name in block if name not in (a, b))
                fail(
                    "",
                    f"cov({a}, {b}) = 0, but both are correlated with others, {third} among them: write also "
                    f"cov({a}, {third}) = 0 or cov({b}, {third}) = 0, so that independent effects are sets",
                )
    return check_blocks(blocks, effects)


def read_blocks(lines: Sequence[Line], effects: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """The sets of correlated random effects, from lines such as cov(u0, u1) = 0."""
    pairs: list[tuple[str, str]] = []
    for line in lines:
        *covariances, zero = _sides(line)
        if not covariances or [token.text for token in zero] != ["0"]:
            line.fail(_WRITTEN)
        for tokens in covariances:
            names = _effects(line, tokens, effects)
            pairs += [(a, b) for k, a in enumerate(names) for b in names[k + 1 :]]
    try:
        return blocks_without(pairs, effects)
    except EquationError as error:
        return lines[-1].fail(str(error))


def _sides(line: Line) -> list[list[Token]]:
    """What stands before, between and after the signs "=" of a line."""
    sides = [line.left, []]
    for token in line.right:
        if token.is_op("="):
            sides.append([])
        else:
            sides[-1].append(token)
    return sides


def _effects(line: Line, tokens: Sequence[Token], known: Sequence[str]) -> list[str]:
    """The names in cov(u0, u1, ...)."""
    inner, names = tokens[2:-1], []
    commas = [token.is_op(",") for token in inner[1::2]]
    if not is_covariance(tokens) or not tokens[-1].is_op(")") or not all(commas):
        line.fail(_WRITTEN)
    for token in inner[::2]:
        symbol = symbol_of(token.text)
        if symbol is None or symbol[0] != "u" or f"u{symbol[1]}" not in known:
            line.fail(
                f"{token.text} is not a random effect of this model; it has {', '.join(known) or 'none'}"
            )
        names.append(f"u{symbol[1]}")
    if len(commas) != len(names) - 1 or len(set(names)) < max(len(names), 2):
        line.fail(f"cov() wants two or more random effects, each once; {_WRITTEN}")
    return names
