"""What a sampler draws from: a density in few coordinates, smooth, with a mode, that folds.

The variance parameters of normal outcomes, everything else integrated out, are `OfMoments`; `link_density`
has those of other outcomes, the fixed effects among them.
"""

# ruff: noqa: D102 (what the methods give is said once, in Sampled)

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..errors import EstimationError
from ..estimation.exact import optimum_of, refuse_no_level1_variance, variances
from ..estimation.newton import Point
from ..estimation.optimum import has_level1_variance
from .batch import Batch, evaluate_batch
from .coordinates import pack
from .marginal import value_and_gradient
from .target import Target

STEP = 1e-4  # of finite differences of the gradient


class Sampled(ABC):
    """A density of points x (P,), the first of which are phi, as `coordinates` has it."""

    widest: ClassVar[float]  # least curvature of a direction at the mode: it is as wide as its prior
    oversampling: ClassVar[float] = 2.0  # points that count, for one that is kept
    good_share: ClassVar[float] = 0.6  # of points that count, at which a proposal is not improved any further
    direct_up_to: ClassVar[int]  # random effects, where nobody asks for a sampler

    @property
    @abstractmethod
    def target(self) -> Target:
        """Design, priors and coordinates."""

    @property
    @abstractmethod
    def size(self) -> int:
        """Number of coordinates, P."""

    @abstractmethod
    def start(self) -> np.ndarray:
        """Give a place from which the mode is found, (P,)."""

    @abstractmethod
    def value_and_gradient(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        """Give the log density at one point and its gradient (P,); see `point` for what it may raise."""

    @abstractmethod
    def curved(self, x: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """Give the log density at one point, its gradient and minus its second derivatives, (P, P)."""

    @abstractmethod
    def evaluate(self, x: np.ndarray) -> tuple[np.ndarray, Batch | None]:
        """Give the log density of points (B, P), minus infinity where there is none; what else is known."""

    def point(self, x: np.ndarray) -> Point:
        """Give what a search for the mode asks of a place; no value where it cannot be evaluated."""
        try:
            value, gradient, hessian = self.curved(x)
        except (EstimationError, np.linalg.LinAlgError):
            value, gradient, hessian = np.nan, np.zeros(len(x)), np.eye(len(x))
        if not (np.isfinite(value) and np.isfinite(hessian).all()):
            return Point(x, np.inf, np.zeros(len(x)), np.eye(len(x)), None)
        return Point(x, -value, -gradient, hessian, None)


@dataclass(frozen=True, eq=False)
class OfMoments(Sampled):
    """The variance parameters of a normal outcome, gamma and u integrated out."""

    of: Target

    widest = 0.1
    direct_up_to = 4

    @property
    def target(self) -> Target:
        return self.of

    @property
    def size(self) -> int:
        return self.of.size

    def start(self) -> np.ndarray:
        system, held = self.of.system, self.of.law.law.held
        best = optimum_of(system, True, held)
        if held is None and not has_level1_variance(system, True, best):
            refuse_no_level1_variance(self.of.design)
        tau, sigma2 = variances(system, best, True, held)
        return pack(self.of, tau, sigma2**0.5, floor=0.3)

    def value_and_gradient(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        return value_and_gradient(self.of, x)

    def curved(self, x: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        # central differences of the exact gradient
        (value, gradient), steps = self.value_and_gradient(x), STEP * np.eye(len(x))
        rows = [self.value_and_gradient(x - h)[1] - self.value_and_gradient(x + h)[1] for h in steps]
        hessian = np.array(rows) / (2.0 * STEP)
        return value, gradient, 0.5 * (hessian + hessian.T)

    def evaluate(self, x: np.ndarray) -> tuple[np.ndarray, Batch | None]:
        batch = evaluate_batch(self.of, x)
        return batch.log_density, batch
