"""How a posterior is drawn, and what a sampler gives."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np

from ..arguments import whole
from ..density.batch import Batch
from ..errors import SamplingError

SAMPLERS = ("direct", "nuts")
FEWEST = 25  # draws of all chains: the tail that Pareto smoothing looks at needs five points


@dataclass(frozen=True, slots=True)
class Settings:
    """How a posterior was drawn; enough to draw it again."""

    sampler: Literal["direct", "nuts"] | None = None
    seed: int = 0
    draws: int = 1000
    chains: int = 4
    tune: int = 1000
    keep_effects: bool | None = None
    progressbar: bool = False


class VarianceDraws(NamedTuple):
    """Folded phi (chain, draw, d), statistics of the sampler (chain, draw), and what else it says."""

    phi: np.ndarray
    stats: dict[str, np.ndarray]
    says: dict[str, Any]
    batch: Batch | None = None  # of all draws, chains run together, where it is known

    @property
    def all_phi(self) -> np.ndarray:
        """The draws of phi, chains run together, (chain * draw, d)."""
        chains, draws, d = self.phi.shape
        return self.phi.reshape(chains * draws, d)  # also of no variance parameters


def checked(settings: Settings) -> Settings:
    """Give settings with plain numbers; refuse those that cannot be meant."""
    if settings.sampler not in (None, *SAMPLERS):
        raise SamplingError(
            f'sampler {settings.sampler!r} is not known: use "direct" or "nuts", or leave it out'
        )
    least = {"draws": 4, "chains": 1, "tune": 1, "seed": 0}
    numbers: dict[str, Any] = {k: whole(k, getattr(settings, k), n, SamplingError) for k, n in least.items()}
    found = replace(settings, **numbers)
    total = found.draws * found.chains
    if total < FEWEST:
        raise SamplingError(f"draws times chains must be at least {FEWEST}, got {total}: fewer say nothing")
    return found
