"""Each unit's most probable random effects given the parameters: where its quadrature is centred.

u_j = chol t_j with t_j standard normal a priori; t is found by Newton's method in the units of a block at
once. All laws here are log-concave in the linear predictor, so there is one mode.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..laws.outcomes import Outcome
from ..likelihood.symmetric import eigh_each, lower, solve_each
from .blocks import Block, each_block
from .counted_rows import CountedRows

TOLERANCE = 1e-7  # of a step in t, in prior standard deviations
MOST = 60


class Modes(NamedTuple):
    """t (q, J) at the mode; ``value`` (J,) the log integrand there; ``root`` (J, q, q): root root' = H^-1.

    The columns of ``root`` are orthogonal, ascending: the rows of a unit say most about the first, and
    nothing about one of length 1, along which the integrand is normal.
    """

    t: np.ndarray
    value: np.ndarray
    root: np.ndarray

    @property
    def log_volume(self) -> np.ndarray:
        """Logarithm of the volume each unit's nodes are scaled by, (J,)."""
        return np.asarray(0.5 * np.log(np.einsum("jab,jab->jb", self.root, self.root)).sum(axis=1))


class _At(NamedTuple):
    """Log integrand (J,) of a block's units, its slope (J, q) and minus its second derivative (J, q, q)."""

    t: np.ndarray
    value: np.ndarray
    slope: np.ndarray
    bend: np.ndarray


def find_modes(
    rows: CountedRows, law: Outcome, eta: np.ndarray, chol: np.ndarray, start: np.ndarray,
    tolerance: float = TOLERANCE,
) -> Modes:  # fmt: skip
    """Find the modes, from ``start`` (q, J), at the fixed part ``eta`` (R,) of the linear predictor."""
    q, J = start.shape
    modes = Modes(np.empty((q, J)), np.empty(J), np.empty((J, q, q)))

    def work(block: Block) -> None:
        at = _climbed(block, law, eta, chol, start[:, block.units].T, tolerance)
        size, turn = eigh_each(at.bend)  # the most curved last
        modes.t[:, block.units], modes.value[block.units] = at.t.T, at.value
        modes.root[block.units] = (turn / np.sqrt(size)[:, None])[:, :, ::-1]

    with np.errstate(over="ignore", invalid="ignore"):  # a step too far is halved
        each_block(work, rows.unit_blocks)
    return modes


def _climbed(
    block: Block, law: Outcome, eta: np.ndarray, chol: np.ndarray, t: np.ndarray, tolerance: float
) -> _At:
    """Take Newton's steps from t (J, q), halved in units where one would lower the integrand."""
    at = _at(block, law, eta, chol, t)
    for _ in range(MOST if len(chol) else 0):
        step = solve_each(at.bend, at.slope)
        if np.abs(step).max() < tolerance:
            break
        size = np.ones((len(t), 1))
        for _ in range(30):
            trial = _at(block, law, eta, chol, at.t + size * step)
            worse = ~(trial.value >= at.value - 1e-10 * (1.0 + np.abs(at.value)))
            if not worse.any():
                break
            size[worse] *= 0.5
        at = trial
    return at


def _at(block: Block, law: Outcome, eta: np.ndarray, chol: np.ndarray, t: np.ndarray) -> _At:
    """Evaluate the log integrand of a block's units at t (J, q)."""
    q = len(chol)
    value, slope, bend = block.slopes(law, block.predictor(eta, (t @ chol.T)[:, :, None]), q)
    full = np.empty((len(t), q, q))
    a, b = lower(q)
    full[:, a, b] = full[:, b, a] = bend[:, :, 0]
    height = value[:, 0] - 0.5 * np.einsum("jq,jq->j", t, t)
    return _At(t, height, slope[:, :, 0] @ chol - t, chol.T @ full @ chol + np.eye(q))
