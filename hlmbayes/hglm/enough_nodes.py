"""How many nodes it takes: more along each direction, one at a time, until the deviance stands still.

The error of Gauss-Hermite quadrature of an analytic integrand falls geometrically with the number of nodes:
what two additions moved says how many are needed, and a last look with more that they were. The less the rows
of a unit say about its effects, beside what tau says, the further its integrand is from normal and the more
nodes it takes: units are put into groups by that, and each group has its own number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import ceil, log

import numpy as np

from ..laws.outcomes import Outcome
from .blocks import Block
from .counted_rows import CountedRows
from .marginal import Marginal, linear_predictor, unit_logliks
from .modes import Modes
from .quadrature import GroupRules, Rule, Rules, product_rule

STILL = 1e-6  # of the deviance: more nodes must not move it further, unless by rounding
AIM = 0.1  # of that, for the error along one direction
SEEN = 0.5  # of it, that more nodes may be seen to move: what is left is more than the change
SLOW, FAST = 0.9, 0.02  # of the error, left by one node more, at the most and at the least counted on
DOUBT = 0.7  # power of that share: the error oscillates as it falls, and two changes tell it roughly
FIRST, OTHERS = 5, 3  # nodes in the search: along the direction the rows say most about, along others
LOOKED_AT, BLOCKS = 400, 8  # units, and blocks of them, that are enough to look at
LONGEST = 255  # nodes along a direction
MOST_NODES = 1 << 13  # in all
GROUPS, WORTH = 8, 1 << 13  # groups of units, and the rows from which one is worth its own nodes


def few(q: int) -> Rule:
    """Give the nodes that are enough to come near the optimum."""
    return product_rule((FIRST, *(OTHERS,) * (q - 1)))


def grouped(rows: CountedRows, modes: Modes) -> CountedRows:
    """Put units into groups of about as many rows, by how much the rows of a unit say beside tau."""
    n = min(GROUPS, len(rows.size) // WORTH)
    if n < 2:
        return rows
    order = np.argsort(np.linalg.norm(modes.root[:, :, 0], axis=1), kind="stable")
    done = np.cumsum(np.diff(rows.starts, append=len(rows.size))[order])
    group = np.empty(rows.n_units, dtype=int)
    group[order] = np.minimum(done * n // done[-1], n - 1)
    return replace(rows, group=group)


def enough(rows: CountedRows, law: Outcome, at: Marginal) -> Rules:
    """Give the nodes with which the deviance stands still at a point, as far as a first look says.

    Of many units some are looked at, of all numbers of rows: whether the deviance of all stands still is seen
    at the optimum.
    """
    eta = linear_predictor(rows, at.gamma)
    if rows.group is None:
        return _enough(rows, law, at, eta, rows.unit_blocks, 1)
    n = int(rows.group.max()) + 1
    of = [[block for block in rows.unit_blocks if block.group == group] for group in range(n)]
    return GroupRules(tuple(_enough(rows, law, at, eta, blocks, n) for blocks in of))


def _enough(
    rows: CountedRows, law: Outcome, at: Marginal, eta: np.ndarray, blocks: Sequence[Block], n_groups: int
) -> Rule:
    """Give the nodes of a group, one of so many, which is in these blocks."""
    q, start = rows.n_random, few(rows.n_random).counts
    still = max(STILL, 2.0 * at.rounding)
    parts = [part for block in blocks for part in block.parts(MOST_NODES)]
    n_units = sum(len(part.units) for part in parts)
    fold = n_groups**0.5 * min(n_units / LOOKED_AT, len(parts) / BLOCKS)  # units of a group are alike
    every = max(1, int(fold))
    some = parts[every // 2 :: every]

    def deviance(rule: Rule) -> float:
        found = unit_logliks(rows, law, eta, at.chol, at.modes, rule, some)
        return -2.0 * float(found.sum()) * len(parts) / len(some)

    def with_along(counts: tuple[int, ...], k: int, n: int) -> Rule:
        return product_rule((*counts[:k], n, *counts[k + 1 :]))

    looks = [lambda n, k=k: deviance(with_along(start, k, n)) for k in range(q)]
    counts = tuple(_along(n, look, AIM * still / n_groups**0.5) for n, look in zip(start, looks, strict=True))
    rule = product_rule(counts)
    value = deviance(rule)
    for k in range(q):  # a look costs less than a climb with too few
        while (larger := with_along(rule.counts, k, up(rule.counts[k], 5))).total < MOST_NODES:
            new = deviance(larger)
            if abs(new - value) < SEEN * still / n_groups:
                break
            rule, value = larger, new
    return rule


def up(n: int, share: int) -> int:
    """Give more nodes: one more of every ``share``, at least two."""
    return n + max(2, n // share)


def _along(n: int, deviance: Callable[[int], float], aim: float) -> int:
    """Give the nodes that a direction needs, from n, with a few along the others."""
    last, before, value = np.inf, 0, deviance(n)
    while n <= LONGEST:
        new = deviance(next_n := up(n, 2))
        change = abs(new - value)
        if change < aim:
            break
        if before:
            rate = min(max((change / last) ** (DOUBT / (n - before)), FAST), SLOW)
            need = n + ceil(log(aim / change) / log(rate))
            if need < 1.5 * next_n:
                return need
        last, before, n, value = change, n, next_n, new
    return min(n, LONGEST)


def stands_still(rows: CountedRows, law: Outcome, at: Marginal, still: float = SEEN * STILL) -> bool:
    """Say whether more nodes along every direction leave the deviance where it is, to ``still``."""
    eta, rule = linear_predictor(rows, at.gamma), more(at.rule, 6)
    new = unit_logliks(rows, law, eta, at.chol, at.modes, rule)
    return 2.0 * abs(float((new - at.unit_loglik).sum())) < max(still, 2.0 * at.rounding)


def more(rule: Rules, share: int, zero: int = 0) -> Rules:
    """Give a rule with more nodes along every direction: one more of every ``share``, at least two.

    ``zero`` is how many directions of tau have no variance: along as many, the last, the integrand is normal.
    """
    if isinstance(rule, GroupRules):
        return GroupRules(tuple(_larger(each, share, zero) for each in rule.rules))
    return _larger(rule, share, zero)


def _larger(rule: Rule, share: int, zero: int = 0) -> Rule:
    counts = [up(n, share) for n in rule.counts]
    return product_rule((*counts[: len(counts) - zero], *(OTHERS,) * zero))
