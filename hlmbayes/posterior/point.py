"""A posterior at its means, with what residuals, checks and model graphs ask of a fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data.two_level import TwoLevelData
from ..density.conditional import Draws
from ..density.target import Target
from ..equations.model import TwoLevelModel
from ..estimation.estimates import Components
from ..laws.counting import ONCE, Counting
from ..laws.law import Law
from ..likelihood.design import Design
from ..likelihood.system import System
from ..sampling import container

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True, slots=True, eq=False)
class PosteriorPoint:
    """A posterior at its means; see `hlmbayes.estimation.point.Point`.

    ``vcov_free`` (F, F) is the posterior covariance of the fixed effects; ``gamma_draws`` (S, F) their draws;
    ``u_draws`` (S, J, q) those of the random effects, None where they were not kept; ``u_mean`` and
    ``u_sd`` (J, q).
    """

    model: TwoLevelModel
    design: Design
    system: System
    gamma_free: np.ndarray
    entering: Components
    vcov_free: np.ndarray
    data: TwoLevelData | None
    gamma_draws: np.ndarray
    u_draws: np.ndarray | None
    u_mean: np.ndarray
    u_sd: np.ndarray
    law: Law
    counting: Counting = ONCE
    gamma_of_u: None = None
    method: str = "posterior"

    @property
    def effect_names(self) -> tuple[str, ...]:
        """Names of the random effects."""
        return tuple(self.model.coefficients[r].effect for r in self.design.random)

    @property
    def vcov_white(self) -> np.ndarray:
        """``vcov_free`` of X in orthonormal columns, as a Fit has it, (F, F)."""
        inverse = np.linalg.inv(self.design.to_gamma)
        return np.asarray(inverse @ self.vcov_free @ inverse.T)


def posterior_point(target: Target, tree: xr.DataTree, draws: Draws, data: Any) -> PosteriorPoint:
    """Give a posterior at its means, from ``draws`` of all but the random effects, and its tree."""
    model, gamma = target.design.model, draws.gamma
    rows = target.law.at_means(draws.phi[:, target.level1])
    u = container.flat(tree, "u") if container.has(tree, "u") else None
    if u is None:
        mean, sd = (np.asarray(tree["constant_data"][f"u_{k}"].values) for k in ("mean", "sd"))
    else:
        mean, sd = u.mean(axis=0), u.std(axis=0, ddof=1)
    F = rows.design.n_fixed
    return PosteriorPoint(
        model, rows.design, rows.system, gamma.mean(axis=0),
        Components(container.flat(tree, "tau").mean(axis=0), rows.sigma2), np.cov(gamma.T).reshape(F, F),
        data, gamma, u, mean, sd, rows.law, target.counting,
    )  # fmt: skip
