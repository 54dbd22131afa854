"""Each unit's most probable random effects given the parameters: where its quadrature is centred.

u_j = chol t_j with t_j standard normal a priori; t is found by Newton's method in all units at once. All laws
here are log-concave in the linear predictor, so there is one mode.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import singledispatch
from typing import NamedTuple

import numpy as np

from ..laws.outcomes import Outcome
from .counted_rows import CountedRows

TOLERANCE = 1e-7  # of a step in t, in prior standard deviations
MOST = 60

type Values = tuple[np.ndarray, np.ndarray, np.ndarray]
type Integrand = Callable[[np.ndarray], Values]


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


def find_modes(
    rows: CountedRows, law: Outcome, eta: np.ndarray, chol: np.ndarray, start: np.ndarray,
    tolerance: float = TOLERANCE,
) -> Modes:  # fmt: skip
    """Find the modes, from ``start`` (q, J), at the fixed part ``eta`` (R,) of the linear predictor."""
    at, t = integrand(rows, law, eta, chol), start
    value, slope, bend = at(t)
    for _ in range(MOST if len(chol) else 0):
        step = np.linalg.solve(bend, slope.T[:, :, None])[:, :, 0].T
        if np.abs(step).max(initial=0.0) < tolerance:
            break
        t, value, slope, bend = _uphill(at, t, step, value)
    size, turn = np.linalg.eigh(bend)  # the most curved last
    return Modes(t, value, (turn / np.sqrt(size)[:, None])[:, :, ::-1])


def _uphill(
    at: Integrand, t: np.ndarray, step: np.ndarray, value: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Take a step in every unit, halved where it would lower the integrand."""
    size = np.ones(t.shape[1])
    for _ in range(30):
        trial = t + size * step
        new, slope, bend = at(trial)
        worse = ~(new >= value - 1e-10 * (1.0 + np.abs(value)))
        if not worse.any():
            break
        size[worse] *= 0.5
    return trial, new, slope, bend


@singledispatch
def integrand(rows: CountedRows, law: Outcome, eta: np.ndarray, chol: np.ndarray) -> Integrand:
    """Give the function of t that is the log integrand of every unit, with its slope and curvature."""
    scaled = chol.T @ rows.d[: len(chol)]  # (q, R): the columns t multiplies
    return lambda t: _at(rows, law, eta, scaled, t)


def _at(rows: CountedRows, law: Outcome, eta: np.ndarray, scaled: np.ndarray, t: np.ndarray) -> Values:
    """Give log integrand (J,), its slope (q, J) and minus its second derivative (J, q, q) at t (q, J)."""
    q = len(scaled)
    at = eta + sum((scaled[a] * t[a][rows.unit] for a in range(q)), np.zeros_like(eta))
    value, slope, bend = law.rows(at, rows.y, rows.size)
    h = np.empty((rows.n_units, q, q))
    for a in range(q):
        for b in range(a + 1):
            h[:, a, b] = h[:, b, a] = rows.sums(bend * scaled[a] * scaled[b])
        h[:, a, a] += 1.0
    total = rows.sums(value) - 0.5 * np.einsum("qj,qj->j", t, t)
    return total, rows.sums(slope * scaled) - t, h
