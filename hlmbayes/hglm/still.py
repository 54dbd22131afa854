"""The fit without random effects, where the search begins, and how much units differ from it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..laws.outcomes import Outcome
from ..likelihood.symmetric import lower, place
from .blocks import Block, each_block
from .counted_rows import CountedRows
from .marginal import linear_predictor
from .newton import MOST_STEPS, ROUGH, higher, newton_step

LEAST, MOST = 0.05, 4.0  # variance of a first random effect, in the rows' own units


class Still(NamedTuple):
    """The likelihood at u = 0: ``slope`` (J, p) and ``bend`` (J, p (p + 1) / 2) are the units', in D*."""

    gamma: np.ndarray
    loglik: float
    score: np.ndarray
    information: np.ndarray
    slope: np.ndarray
    bend: np.ndarray


def pooled(rows: CountedRows, law: Outcome) -> Still:
    """Fit without random effects, roughly."""
    at = _still(rows, law, rows.first)
    for _ in range(MOST_STEPS):
        step, promised, _ = newton_step(at.score, at.information)
        if promised < ROUGH or (new := _further(rows, law, at, step)) is None:
            break
        at = new
    return at


def first_chol(rows: CountedRows, at: Still) -> np.ndarray:
    """Take a first chol, diagonal, from how units' scores vary at tau = 0."""
    own = rows.random
    score, info = at.slope[:, own], at.bend[:, place(own, own)]
    variance = rows.weight @ (score**2 - info) / (rows.weight @ info**2)
    return np.diag(np.sqrt(np.clip(variance, LEAST, MOST)))


def _further(rows: CountedRows, law: Outcome, at: Still, step: np.ndarray) -> Still | None:
    return higher(step, lambda size: _still(rows, law, at.gamma + size * step), at.loglik - 1e-9)


def _still(rows: CountedRows, law: Outcome, gamma: np.ndarray) -> Still:
    eta, (J, p, _) = linear_predictor(rows, gamma), rows.x.shape
    a, b = lower(p)
    value, slope, bend = np.empty(J), np.empty((J, p)), np.empty((J, len(a)))

    def work(block: Block) -> None:
        still = block.predictor(eta, np.zeros((len(block.units), rows.n_random, 1)))
        for own, found in zip((value[:, None], slope, bend), block.slopes(law, still), strict=True):
            own[block.units] = found[..., 0].reshape(len(block.units), -1)

    each_block(work, rows.unit_blocks)
    full = np.empty((J, p, p))
    full[:, a, b] = full[:, b, a] = bend * rows.weight[:, None]
    scores = rows.weight[:, None] * (slope[:, None] @ rows.x)[:, 0]
    information = np.tensordot(rows.x, full @ rows.x, axes=([0, 1], [0, 1]))
    rows.cuts.add_slopes(gamma, scores, information)
    loglik = float(rows.weight @ value + rows.cuts.unit_values(gamma).sum())
    return Still(gamma, loglik, scores.sum(axis=0), information, slope, bend)
