"""What level 1 is to a posterior: its parameters, their priors, and what they do to the rows.

Every class here has parameters of its own, with all that the samplers and the results ask of them; further
parameters are a further class. Where the level-1 variance differs between rows, these are divided by their
sigma, or by the part of it that is known, so that one is left for all of them.
"""

# ruff: noqa: D102 (what the methods give is said once, in Level1)

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple

import numpy as np

from ..data.two_level import TwoLevelData
from ..estimation.heterogeneous import alpha_score, expected_squares
from ..laws.law import Law
from ..laws.log_linear import LogLinearAt
from ..likelihood.criterion import LOG_2PI
from ..likelihood.design import Design
from ..likelihood.evaluate import Evaluation, standardise
from ..likelihood.planes import blocks
from ..likelihood.row_groups import Groups, weighted_design, weighted_rows
from ..likelihood.rows import Rows
from ..likelihood.system import System, with_rows
from ..naming import Parameter
from ..priors.resolved import AlphaPrior, SigmaPrior
from .unequal import GroupedRows


class RowsAtMeans(NamedTuple):
    """Rows at the posterior means of the level-1 parameters, their level-1 variance, and its law."""

    design: Design
    system: System
    sigma2: float
    law: Law


@dataclass(frozen=True, slots=True, eq=False)
class Level1(ABC):
    """The parameters of a law of level 1: ``phi`` (B, K) at many points, ``point`` (K,) at one.

    ``design`` and ``system`` are of the rows as the ``law`` weighs them, which may depend on the point.
    """

    design: Design
    system: System
    law: Law

    variable: ClassVar[str]  # what its parameters are called in a DataTree and in a PyMC model
    reweighs: ClassVar[bool] = False  # whether rows weigh differently from point to point

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """Names of the K coordinates."""

    @property
    def coords(self) -> dict[str, list[str]]:
        """Coordinates of the variable's own dimension, where it has one."""
        return {}

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Those whose names are not among the model's, because the data say how many there are."""
        return ()

    @property
    def groups(self) -> Groups | None:
        """Rows by their variance, where the moments do not say it: a file must have them."""
        return None

    @property
    def width(self) -> int:
        """Numbers a point has in a working plane: units, or groups of rows where they are more."""
        return self.system.n_units

    def blocks(self) -> Iterator[tuple[slice, int]]:
        """Cut units into blocks, each with the numbers a point has in its working planes."""
        for block in blocks(self.system.n_units):
            yield block, block.stop - block.start

    @abstractmethod
    def start(self, sigma: float) -> np.ndarray:
        """Give the point (K,) at which every row's standard deviation is ``sigma``."""

    def to_phi(self, values: Callable[[str], np.ndarray], size: int) -> np.ndarray:
        """Give the coordinates of ``size`` draws of the variable, which ``values`` gives by name, (B, K)."""
        return values(self.variable)

    def sigma(self, phi: np.ndarray) -> np.ndarray:
        """Give the level-1 standard deviation of the rows, which is 1 where they are weighted, (B,)."""
        return np.ones(len(phi))

    @abstractmethod
    def log_prior(self, phi: np.ndarray) -> np.ndarray:
        """Give the log prior density with respect to phi, (B,)."""

    @abstractmethod
    def prior_slope(self, point: np.ndarray) -> np.ndarray:
        """Give the gradient of `log_prior`, (K,)."""

    def log_jacobian(self, phi: np.ndarray) -> np.ndarray:
        """Give the log of what turns a density of the parameters themselves into one of phi, (B,)."""
        return np.zeros(len(phi))

    @abstractmethod
    def draw_prior(self, rng: np.random.Generator, draws: int) -> np.ndarray:
        """Draw coordinates from the prior, (draws, K)."""

    def rows_at(self, point: np.ndarray) -> tuple[Design, System]:
        """Give the design (but for its bases) and the system of the rows as they are weighted at a point."""
        return self.design, self.system

    def triangular(self, phi: np.ndarray, block: slice) -> tuple[np.ndarray, np.ndarray, np.ndarray | float]:
        """Give a System's ``root`` and ``rest`` of a block's rows, and what all the units' leave of e'e.

        Shapes (q, p + 1, J), (p - q, p - q + 1, J), or (..., B, J) where points have their own; (B,).
        """
        system = self.system
        return system.root[:, :, block], system.rest[:, :, block], system.left

    def log_weights(self, phi: np.ndarray) -> np.ndarray:
        """Give what the rows' weights add to -2 log p(y), (B,)."""
        return np.full(len(phi), -self.law.log_precision)

    @abstractmethod
    def slope(
        self, point: np.ndarray, rows: tuple[Design, System], at: Evaluation, by_log_sigma: float
    ) -> np.ndarray:
        """Give the derivative of log p(y), u and gamma integrated out, (K,).

        ``rows`` are those of `rows_at`, ``at`` the likelihood there with gamma's prior, ``by_log_sigma`` the
        derivative in the logarithm of the rows' `sigma`.
        """

    def log_sigma2(self, phi: np.ndarray) -> np.ndarray:
        """Give log(sigma2) of the weighed rows: (B, 1) of all, or (B, G) of groups of them."""
        return np.asarray(2.0 * np.log(self.sigma(phi))[:, None])

    def row_terms(self, rows: Rows, data: TwoLevelData) -> np.ndarray:
        """Give what rows differ by in log(sigma2), as `row_log_sigma2` takes it; leading axis N."""
        return np.asarray(2.0 * np.log(self.law.row_sigma(self.design, data, rows.row, rows.unit, 1.0)))

    def row_log_sigma2(self, phi: np.ndarray, terms: np.ndarray) -> np.ndarray:
        """Give log(sigma2) of rows with these `row_terms`, (B, N)."""
        return np.asarray(self.log_sigma2(phi) + terms)

    def unit_deviance(self, phi: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Give sum log sigma2 + (e - D b)^2 / sigma2 of every unit's rows, (B, J); b (B, J, p)."""
        log_sigma2, log_weight = self.log_sigma2(phi), self.law.by_unit(self.design)[0]
        squares = _squares(self.design, b) * np.exp(-log_sigma2)
        return np.asarray(self.design.n * log_sigma2 - log_weight + squares)

    def noise(self, phi: np.ndarray) -> np.ndarray:
        """Give the variance of the sum of r over every unit's rows, (B, J)."""
        return np.asarray(self.law.by_unit(self.design)[1] * np.exp(self.log_sigma2(phi)))

    @abstractmethod
    def quantities(self, phi: np.ndarray) -> dict[str, np.ndarray]:
        """Give what a DataTree has of it, leading axis B."""

    @abstractmethod
    def scalars(self, quantities: Mapping[str, Any]) -> dict[str, Any]:
        """Give the reported parameters by name from such quantities (chain, draw, ...)."""

    @abstractmethod
    def at_means(self, phi: np.ndarray) -> RowsAtMeans:
        """Give the rows at the means over draws."""


@dataclass(frozen=True, slots=True, eq=False)
class KnownSigma(Level1):
    """The level-1 variance is known, of one size for all rows or of each: there are no parameters."""

    variable: ClassVar[str] = ""

    @property
    def names(self) -> tuple[str, ...]:
        return ()

    def start(self, sigma: float) -> np.ndarray:
        return np.zeros(0)

    def to_phi(self, values: Callable[[str], np.ndarray], size: int) -> np.ndarray:
        return np.zeros((size, 0))

    def sigma(self, phi: np.ndarray) -> np.ndarray:
        return np.full(len(phi), self._sigma2**0.5)

    @property
    def _sigma2(self) -> float:
        held = self.law.held
        assert held is not None  # its law knows the variance
        return held

    def log_prior(self, phi: np.ndarray) -> np.ndarray:
        return np.zeros(len(phi))

    def prior_slope(self, point: np.ndarray) -> np.ndarray:
        return np.zeros(0)

    def draw_prior(self, rng: np.random.Generator, draws: int) -> np.ndarray:
        return np.zeros((draws, 0))

    def slope(
        self, point: np.ndarray, rows: tuple[Design, System], at: Evaluation, by_log_sigma: float
    ) -> np.ndarray:
        return np.zeros(0)

    def quantities(self, phi: np.ndarray) -> dict[str, np.ndarray]:
        return {}

    def scalars(self, quantities: Mapping[str, Any]) -> dict[str, Any]:
        return {}

    def at_means(self, phi: np.ndarray) -> RowsAtMeans:
        return RowsAtMeans(self.design, self.system, self._sigma2, self.law)


@dataclass(frozen=True, slots=True, eq=False)
class OneSigma(Level1):
    """One sigma for all rows, or for all as their precision weighs them; the coordinate is its logarithm."""

    prior: SigmaPrior

    variable: ClassVar[str] = "sigma"

    @property
    def names(self) -> tuple[str, ...]:
        return ("log sigma",)

    def start(self, sigma: float) -> np.ndarray:
        return np.log([sigma])

    def to_phi(self, values: Callable[[str], np.ndarray], size: int) -> np.ndarray:
        return np.log(values(self.variable))[:, None]

    def sigma(self, phi: np.ndarray) -> np.ndarray:
        return np.exp(phi[:, 0])

    def log_prior(self, phi: np.ndarray) -> np.ndarray:
        return np.asarray(self.prior.sigma.curve().log_density(self.sigma(phi)) + phi[:, 0])

    def prior_slope(self, point: np.ndarray) -> np.ndarray:
        sigma = np.exp(point)
        return np.asarray(self.prior.sigma.curve().slope(sigma) * sigma + 1.0)

    def log_jacobian(self, phi: np.ndarray) -> np.ndarray:
        return phi[:, 0]

    def draw_prior(self, rng: np.random.Generator, draws: int) -> np.ndarray:
        return np.log(self.prior.sigma.draw(rng, draws))[:, None]

    def slope(
        self, point: np.ndarray, rows: tuple[Design, System], at: Evaluation, by_log_sigma: float
    ) -> np.ndarray:
        return np.array([by_log_sigma])

    def log_sigma2(self, phi: np.ndarray) -> np.ndarray:
        return 2.0 * phi

    def quantities(self, phi: np.ndarray) -> dict[str, np.ndarray]:
        sigma = self.sigma(phi)
        return {"sigma": sigma, "sigma2": sigma**2}

    def scalars(self, quantities: Mapping[str, Any]) -> dict[str, Any]:
        return {name: quantities[name] for name in ("sigma", "sigma2")}

    def at_means(self, phi: np.ndarray) -> RowsAtMeans:
        return RowsAtMeans(self.design, self.system, float(np.mean(self.sigma(phi) ** 2)), self.law)


@dataclass(frozen=True, slots=True, eq=False)
class LogLinearSigma(Level1):
    """log(sigma2) linear in variables; the coordinates are its coefficients alpha."""

    prior: AlphaPrior
    rows: GroupedRows

    variable: ClassVar[str] = "alpha"
    reweighs: ClassVar[bool] = True

    @property
    def names(self) -> tuple[str, ...]:
        return self.prior.names

    @property
    def coords(self) -> dict[str, list[str]]:
        return {"log_sigma2": list(self.names)}

    @property
    def groups(self) -> Groups:
        return self.rows.groups

    @property
    def width(self) -> int:
        return max(self.system.n_units, len(self.groups.n))

    def start(self, sigma: float) -> np.ndarray:
        return np.array([2.0 * np.log(sigma), *np.zeros(len(self.names) - 1)])

    def log_prior(self, phi: np.ndarray) -> np.ndarray:
        away = (phi - self.prior.mean) / self.prior.sd
        return np.asarray(-0.5 * np.sum(away**2 + LOG_2PI, axis=1) - np.log(self.prior.sd).sum())

    def prior_slope(self, point: np.ndarray) -> np.ndarray:
        return np.asarray((self.prior.mean - point) / self.prior.sd**2)

    def draw_prior(self, rng: np.random.Generator, draws: int) -> np.ndarray:
        return self.prior.mean + self.prior.sd * rng.standard_normal((draws, len(self.names)))

    def blocks(self) -> Iterator[tuple[slice, int]]:
        yield slice(None), self.width  # rows regrouped at every point are taken for all units at once

    def rows_at(self, point: np.ndarray) -> tuple[Design, System]:
        products, de, ee = weighted_rows(self.groups, point)
        weighted = replace(self.design, products=products, de=de, ee=ee)
        return weighted, with_rows(self.system, self.design, products, de, float(ee.sum()))

    def triangular(self, phi: np.ndarray, block: slice) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self.rows.triangular(np.exp(-self.log_sigma2(phi)), self.system.n_random)

    def log_weights(self, phi: np.ndarray) -> np.ndarray:
        return np.asarray(phi @ (self.groups.n @ self.groups.covariates))

    def slope(
        self, point: np.ndarray, rows: tuple[Design, System], at: Evaluation, by_log_sigma: float
    ) -> np.ndarray:
        # that of the likelihood given u and gamma, on average over their posterior
        squares, _ = expected_squares(*rows, at, self.groups, True)
        return alpha_score(self.groups, point, squares)

    def log_sigma2(self, phi: np.ndarray) -> np.ndarray:
        return np.asarray(phi @ self.groups.covariates.T)

    def row_terms(self, rows: Rows, data: TwoLevelData) -> np.ndarray:
        return rows.covariates

    def row_log_sigma2(self, phi: np.ndarray, terms: np.ndarray) -> np.ndarray:
        return np.asarray(phi @ terms.T)

    def unit_deviance(self, phi: np.ndarray, b: np.ndarray) -> np.ndarray:
        groups, log_sigma2 = self.groups, self.log_sigma2(phi)
        squares = _squares(groups, b[:, groups.unit])
        return self.rows.per_unit(groups.n * log_sigma2 + squares * np.exp(-log_sigma2))

    def noise(self, phi: np.ndarray) -> np.ndarray:
        return self.rows.per_unit(self.groups.n * np.exp(self.log_sigma2(phi)))

    def quantities(self, phi: np.ndarray) -> dict[str, np.ndarray]:
        return {"alpha": phi}

    def scalars(self, quantities: Mapping[str, Any]) -> dict[str, Any]:
        return {name: quantities["alpha"][:, :, k] for k, name in enumerate(self.names)}

    def at_means(self, phi: np.ndarray) -> RowsAtMeans:
        alpha = phi.mean(axis=0)
        design = weighted_design(self.design, self.groups, alpha)
        law = LogLinearAt(self.names, self.prior.variables, alpha=alpha)
        return RowsAtMeans(design, standardise(design), 1.0, law)


def _squares(rows: Design | Groups, b: np.ndarray) -> np.ndarray:
    """Give the sum of squares about D b of units or groups of rows, b (B, J, p), shape (B, J)."""
    squares = rows.ee - 2.0 * np.einsum("bjp,jp->bj", b, rows.de)
    squares += np.einsum("bjp,jpr,bjr->bj", b, rows.dd, b, optimize=True)
    return np.asarray(squares)
