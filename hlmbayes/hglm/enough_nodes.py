"""How many nodes it takes: more along each direction, one at a time, until the deviance stands still.

The error of Gauss-Hermite quadrature of an analytic integrand falls geometrically with the number of nodes:
what two additions moved says how many are needed, and a last look with more that they were.
"""

from __future__ import annotations

from math import ceil, log

import numpy as np

from ..laws.outcomes import Outcome
from .counted_rows import CountedRows
from .marginal import Marginal, linear_predictor, unit_logliks
from .quadrature import Rule, product_rule

STILL = 1e-6  # of the deviance: more nodes must not move it further
AIM = 0.1 * STILL  # of the error along one direction
SEEN = 0.25  # of it, that more nodes may be seen to move: what is left is more than the change
SLOW, FAST = 0.9, 0.02  # of the error, left by one node more, at the most and at the least counted on
DOUBT = 0.7  # power of that share: the error oscillates as it falls, and two changes tell it roughly
FIRST, OTHERS = 5, 3  # nodes in the search: along the direction the rows say most about, along others
LOOKED_AT, BLOCKS = 400, 8  # units, and blocks of them, that are enough to look at
LONGEST = 255  # nodes along a direction
MOST_NODES = 1 << 13  # in all


def few(q: int) -> Rule:
    """Give the nodes that are enough to come near the optimum."""
    return product_rule((FIRST, *(OTHERS,) * (q - 1)))


def enough(rows: CountedRows, law: Outcome, at: Marginal) -> Rule:
    """Give the nodes with which the deviance stands still at a point, as far as a first look says.

    Of many units some are looked at, of all numbers of rows: whether the deviance of all stands still is seen
    at the optimum.
    """
    q, start = rows.n_random, few(rows.n_random).counts
    eta = linear_predictor(rows, at.gamma)
    every = max(1, min(rows.n_units // LOOKED_AT, len(rows.unit_blocks) // BLOCKS))
    share = len(rows.unit_blocks[every // 2 :: every]) / len(rows.unit_blocks)

    def deviance(rule: Rule) -> float:
        found = unit_logliks(rows, law, eta, at.chol, at.modes, rule, every)
        return -2.0 * float(found.sum()) / share

    counts = list(start)
    for k in range(q):
        last, before, n = np.inf, 0, start[k]
        value = deviance(few(q))
        while n <= LONGEST:
            up = n + max(2, n // 2)
            new = deviance(product_rule((*start[:k], up, *start[k + 1 :])))
            change = abs(new - value)
            if change < AIM:
                break
            if before:
                rate = min(max((change / last) ** (DOUBT / (n - before)), FAST), SLOW)
                need = n + ceil(log(AIM / change) / log(rate))
                if need < 1.5 * up:
                    n = need
                    break
            last, before, n, value = change, n, up, new
        counts[k] = min(n, LONGEST)
    rule = product_rule(tuple(counts))
    value = deviance(rule)
    while len((larger := more(rule, 5)).z) < MOST_NODES:  # a look costs less than a climb with too few
        new = deviance(larger)
        if abs(new - value) < SEEN * STILL:
            break
        rule, value = larger, new
    return rule


def stands_still(rows: CountedRows, law: Outcome, at: Marginal) -> bool:
    """Say whether more nodes along every direction leave the deviance where it is."""
    eta, rule = linear_predictor(rows, at.gamma), more(at.rule, 6)
    new = unit_logliks(rows, law, eta, at.chol, at.modes, rule)
    return 2.0 * abs(float((new - at.unit_loglik).sum())) < SEEN * STILL


def more(rule: Rule, share: int, zero: int = 0) -> Rule:
    """Give a rule with more nodes along every direction: one more of every ``share``, at least two.

    ``zero`` is how many directions of tau have no variance: along as many, the last, the integrand is normal.
    """
    counts = [n + max(2, n // share) for n in rule.counts]
    return product_rule((*counts[: len(counts) - zero], *(OTHERS,) * zero))
