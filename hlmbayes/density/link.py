"""The posterior of a model whose outcome is not normal: what its rows and its coordinates are.

phi holds signed standard deviations and correlations, as `coordinates` has them, with everything on the
scale of the link. Level 1 has no parameters but the cuts of an ordinal outcome, as logarithms of the
distance of each to the one below it.
"""

# ruff: noqa: D102 (what the methods give is said once, in Level1)

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..data.two_level import TwoLevelData
from ..equations.model import TwoLevelModel
from ..equations.names import cut_parameters
from ..errors import EstimationError
from ..laws.counting import ONCE
from ..laws.outcomes import Outcome
from ..likelihood.criterion import LOG_2PI
from ..naming import Parameter
from ..priors.priors import Priors, ready_on_link
from ..priors.resolved import CutsPrior
from .level1 import KnownSigma
from .target import Target


class LinkRows(KnownSigma):
    """Rows whose variance follows from their mean."""

    def sigma(self, phi: np.ndarray) -> np.ndarray:
        """Give what a row of the standardised design is divided by: nothing."""
        return np.ones(len(phi))

    def cuts(self, phi: np.ndarray) -> np.ndarray:
        """Give the cuts between categories, (B, T)."""
        return np.asarray(np.exp(phi).cumsum(axis=1))

    def pull_cuts(self, point: np.ndarray, by_cuts: np.ndarray) -> np.ndarray:
        """Carry a gradient in the cuts (T,) to one in phi."""
        return np.asarray(np.exp(point) * by_cuts[::-1].cumsum()[::-1])


@dataclass(frozen=True, slots=True, eq=False)
class OrdinalRows(LinkRows):
    """Rows of an ordinal outcome."""

    prior: CutsPrior

    variable: ClassVar[str] = "cuts"

    @property
    def names(self) -> tuple[str, ...]:
        below = ("d1", *self.prior.names)
        return tuple(f"log({name} - {other})" for other, name in zip(below, self.prior.names, strict=False))

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        return cut_parameters(len(self.prior.names)).each

    @property
    def coords(self) -> dict[str, list[str]]:
        return {"cut": list(self.prior.names)}

    def start(self, sigma: float) -> np.ndarray:
        return self.prior.mean

    def to_phi(self, values: Callable[[str], np.ndarray], size: int) -> np.ndarray:
        return np.asarray(np.log(np.diff(values(self.variable), axis=1, prepend=0.0)))

    def log_prior(self, phi: np.ndarray) -> np.ndarray:
        away = (phi - self.prior.mean) / self.prior.sd
        return np.asarray(-0.5 * np.sum(away**2 + LOG_2PI, axis=1) - np.log(self.prior.sd).sum())

    def prior_slope(self, point: np.ndarray) -> np.ndarray:
        return np.asarray((self.prior.mean - point) / self.prior.sd**2)

    def draw_prior(self, rng: np.random.Generator, draws: int) -> np.ndarray:
        return self.prior.mean + self.prior.sd * rng.standard_normal((draws, len(self.names)))

    def quantities(self, phi: np.ndarray) -> dict[str, np.ndarray]:
        return {"cuts": self.cuts(phi)}

    def scalars(self, quantities: Mapping[str, Any]) -> dict[str, Any]:
        return {name: quantities["cuts"][:, :, k] for k, name in enumerate(self.prior.names)}


@dataclass(frozen=True, slots=True, eq=False)
class LinkTarget:
    """A model on the scale of its link.

    ``target``: its design, priors and coordinates, whose marginal density is not that of `density.marginal`.
    ``data`` are the complete rows, the outcome's and what the ``law`` needs beside it among them.
    """

    target: Target
    law: Outcome
    data: TwoLevelData


def link_target(model: TwoLevelModel, data: Any, priors: Priors | None) -> LinkTarget:
    """Join a model whose outcome is not normal, data and priors; see `ready_on_link`."""
    prepared, resolved, law = ready_on_link(model, data, priors)
    if prepared.counting != ONCE:
        raise EstimationError(
            "posteriors of counted rows are of normal outcomes only: read the rows themselves"
        )
    design, system = prepared.design, prepared.system
    scale, square = system.gamma_scale, np.einsum("jaa->a", design.dd)[design.random]
    reference = law.unit_of_link[0] / np.sqrt(square / design.n_units)
    prior, known = resolved.level1, (design, system, law)
    rows = OrdinalRows(*known, prior) if isinstance(prior, CutsPrior) else LinkRows(*known)
    target = Target(
        design, system, resolved, reference, resolved.gamma_precision * scale**2,
        (resolved.gamma_mean - design.gamma_ols) / scale, rows,
    )  # fmt: skip
    assert isinstance(prepared.complete, TwoLevelData)  # moments were refused
    return LinkTarget(target, law, prepared.complete)
