"""What a sampler draws from: a density in few coordinates, smooth, with a mode, that folds.

The variance parameters of normal outcomes, everything else integrated out, are `OfMoments`; `link_density`
has those of other outcomes, the fixed effects among them.
"""

# ruff: noqa: D102 (what the methods give is said once, in Sampled)

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from ..errors import EstimationError
from ..estimation.exact import optimum_of, refuse_no_level1_variance, variances
from ..estimation.newton import Point
from ..estimation.optimum import has_level1_variance
from .batch import Batch, evaluate_batch
from .coordinates import pack
from .expansion import Expansion, expand
from .marginal import value_and_gradient
from .target import Target

STEP = 1e-4  # of finite differences of the gradient
MANY_UNITS = 5000  # or groups of rows: from there on sums over them are expanded, where that succeeds


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

    def near(self, mean: np.ndarray, root: np.ndarray, rng: np.random.Generator) -> Sampled:
        """Give the same density, made ready for many points about its mode; ``root`` as of a proposal."""
        return self

    @property
    def defence(self) -> float:
        """How much of a proposal's components that only bound the weights is wanted."""
        return 1.0

    @property
    def says(self) -> dict[str, Any]:
        """What should be known of how it is evaluated."""
        return {}

    def point(self, x: np.ndarray) -> Point:
        """Give what a search for the mode asks of a place; no value where it cannot be evaluated."""
        try:
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # a step too far
                value, gradient, hessian = self.curved(x)
        except (EstimationError, ArithmeticError, np.linalg.LinAlgError):
            value, gradient, hessian = np.nan, np.zeros(len(x)), np.eye(len(x))
        if not (np.isfinite(value) and np.isfinite(hessian).all()):
            return Point(x, np.inf, np.zeros(len(x)), np.eye(len(x)), None)
        return Point(x, -value, -gradient, hessian, None)


@dataclass(frozen=True, eq=False)
class OfMoments(Sampled):
    """The variance parameters of a normal outcome, gamma and u integrated out.

    ``expansion`` gives sums over units, where they are so many that it pays.
    """

    of: Target
    expansion: Expansion | None = None

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
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            batch = evaluate_batch(self.of, x, self.expansion)
        return np.where(np.isfinite(batch.log_density), batch.log_density, -np.inf), batch

    def near(self, mean: np.ndarray, root: np.ndarray, rng: np.random.Generator) -> OfMoments:
        if self.of.law.width < MANY_UNITS:
            return self
        return replace(self, expansion=expand(self.of, mean, root, rng.spawn(1)[0]))

    @property
    def defence(self) -> float:
        # their points lie where the sums are not expanded, and the posterior of many units is near normal
        return 1.0 if self.expansion is None else 0.1

    @property
    def says(self) -> dict[str, Any]:
        return {} if self.expansion is None else {"log_density_error": self.expansion.error}
