"""Outcomes that some combination of predictors separates: the likelihood has no maximum then, and why.

It rises for ever along b where x'b is at least 0 in every row of successes only, at most 0 in every row of
failures only, 0 in every other row, and not 0 in all (Albert & Anderson 1984): a linear program finds such a
b, whatever the variances of the random effects are.
"""

from __future__ import annotations

from functools import singledispatch

import numpy as np

from ..errors import EstimationError
from ..laws.outcomes import Outcome
from ..likelihood.design import Design
from .counted_rows import CountedRows
from .marginal import linear_predictor
from .search import Found

CERTAIN = 1e-5  # variance of a row at the fixed part: only where one is below separation is looked for
PART = 1e-6  # of the largest contribution, below which a predictor has no part in it


@singledispatch
def refuse_unbounded_tau(rows: CountedRows, law: Outcome, outcome: str) -> None:
    """Raise where every unit's rows are all successes or all failures: tau grows without end."""
    ways = law.ways(rows.y, rows.size)
    if rows.n_random and (np.abs(rows.sums(ways)) == rows.sums(np.ones_like(ways))).all():
        raise EstimationError(
            f"the rows of each unit have one and the same {outcome}: the variance between units grows "
            f"without end, and nothing of {outcome} is left within them. It is an outcome of level 2"
        )


def refuse_separated(rows: CountedRows, law: Outcome, design: Design, found: Found) -> None:
    """Raise, with the predictors' names, where a combination of predictors separates the outcomes."""
    fixed = linear_predictor(rows, found.at.gamma) - rows.offset
    if not found.converged or law.least_variance(fixed) <= CERTAIN:
        refuse_separating(rows, law, design)


def refuse_separating(rows: CountedRows, law: Outcome, design: Design) -> None:
    """Raise where a combination of predictors separates the outcomes, whatever estimates look like."""
    part = separating(rows, law, design)
    if not part.any():
        return
    known = design.model.fixed_parameters
    codes = [code for code, place in zip(known.codes, design.free, strict=True) if part[place]]
    if not codes:
        return
    names, one = " and ".join(known.shown(codes)), len(codes) == 1
    raise EstimationError(
        f"{names} separate{'s' if one else ''} the outcomes of {design.model.outcome}: {law.never}, so the "
        f"estimate would grow without end. Take {'it' if one else 'one'} out, or join categories"
    )


def separating(rows: CountedRows, law: Outcome, design: Design) -> np.ndarray:
    """Say which free fixed effects have a part in a combination that separates the outcomes, bool (F,)."""
    clear, mixed = sides(rows, law, np.linalg.inv(rows.to_gamma(design)))
    size = np.abs(np.vstack([clear, mixed])).max(axis=0)
    if not len(clear):  # no row alone pulls its predictor without end
        return np.zeros(len(size), dtype=bool)
    # of the positive and the negative part of b
    clear, mixed = (np.column_stack([x, -x]) for x in (clear / size, mixed / size))
    from scipy.optimize import linprog  # takes longer to import than all the rest: only where it is used

    found = linprog(
        np.ones(clear.shape[1]), A_ub=-clear, b_ub=np.zeros(len(clear)),
        A_eq=np.vstack([mixed, clear.mean(axis=0)]), b_eq=np.r_[np.zeros(len(mixed)), 1.0], method="highs",
    )  # fmt: skip
    if found.status != 0:
        return np.zeros(len(size), dtype=bool)
    plus, minus = np.split(np.asarray(found.x), 2)
    b = np.abs(plus - minus)
    return np.asarray(b > PART * b.max())


@singledispatch
def sides(rows: CountedRows, law: Outcome, to_x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give rows x (n, F) for which x'b must be at least 0, and those for which it must be 0.

    ``to_x`` (F, F) is what carries the columns of rows to those of the data.
    """
    x = np.einsum("pr,rpf->rf", rows.d, rows.x[rows.unit]) @ to_x
    ways = law.ways(rows.y, rows.size)
    return (ways[:, None] * x)[ways != 0], x[ways == 0]
