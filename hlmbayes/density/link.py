"""The posterior of a model whose outcome is not normal: what its rows and its coordinates are.

phi holds signed standard deviations and correlations only, as `coordinates` has them, with everything on the
scale of the link; level 1 has no parameters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..data.two_level import TwoLevelData
from ..equations.model import TwoLevelModel
from ..errors import EstimationError
from ..laws.counting import ONCE
from ..laws.outcomes import Outcome
from ..priors.priors import Priors, ready_on_link
from .level1 import KnownSigma
from .target import Target


class LinkRows(KnownSigma):
    """Rows whose variance follows from their mean."""

    def sigma(self, phi: np.ndarray) -> np.ndarray:
        """Give what a row of the standardised design is divided by: nothing."""
        return np.ones(len(phi))


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
    target = Target(
        design, system, resolved, reference, resolved.gamma_precision * scale**2,
        (resolved.gamma_mean - design.gamma_ols) / scale, LinkRows(design, system, law),
    )  # fmt: skip
    assert isinstance(prepared.complete, TwoLevelData)  # moments were refused
    return LinkTarget(target, law, prepared.complete)
