"""Newton's steps up the likelihood, and how far they may go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

MOST_STEPS = 60
ROUGH = 1e-2  # a step's predicted gain in log-likelihood at which more nodes are worth their time
FLOOR = 1e-10  # of an eigenvalue of the information, relative to its diagonal
FARTHEST = 5.0  # that a step may go in any parameter
SHORTER, SHORTENED = 25, 0.4  # how often a step is shortened, and to what part of it


def newton_step(score: np.ndarray, information: np.ndarray) -> tuple[np.ndarray, float, bool]:
    """Give Newton's step, the gain it promises, and whether it leaves a saddle."""
    if not len(score):
        return score, 0.0, False
    scale = np.sqrt(np.maximum(np.abs(np.diag(information)), 1e-8))
    values, vectors = np.linalg.eigh(information / np.outer(scale, scale))
    along = vectors.T @ (score / scale)
    sure = np.maximum(np.abs(values), FLOOR)
    move = along / sure
    saddle = bool(values[0] < -1e-6 and abs(along[0]) < 1e-6)
    if saddle:
        move[0] = 0.1
    return vectors @ move / scale, float(0.5 * along @ (along / sure)), saddle


def largest_step(step: np.ndarray) -> float:
    """Give the part of a step that goes no farther than a step may."""
    return min(1.0, FARTHEST / max(float(np.abs(step).max(initial=0.0)), 1e-300))


class Likely(Protocol):
    """A point with its log-likelihood."""

    @property
    def loglik(self) -> float:
        """It, constants included."""


def higher[P: Likely](step: np.ndarray, at: Callable[[float], P], least: float) -> P | None:
    """Go along a step, shortened until the log-likelihood is ``least`` or more; None where nothing helps.

    ``at`` gives the point a part of the step further.
    """
    size = largest_step(step)
    for _ in range(SHORTER):
        new = at(size)
        if np.isfinite(new.loglik) and new.loglik >= least:
            return new
        size *= SHORTENED
    return None
