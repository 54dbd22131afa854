"""One value of a model's parameters, with what residuals, checks and graphs ask of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from ..equations.model import TwoLevelModel
from ..laws.counting import Counting
from ..laws.law import Law
from ..likelihood.design import Design
from ..likelihood.system import System

if TYPE_CHECKING:
    from ..data.two_level import TwoLevelData
    from .estimates import Components


class Point(Protocol):
    """What the record of a fit and a posterior at its means have in common."""

    @property
    def model(self) -> TwoLevelModel:
        """The model."""

    @property
    def design(self) -> Design:
        """Its design, of rows divided by their sigma where log(sigma2) depends on variables."""

    @property
    def system(self) -> System:
        """The design's standardised cross-products."""

    @property
    def gamma_free(self) -> np.ndarray:
        """Free fixed effects, (F,)."""

    @property
    def gamma_of_u(self) -> np.ndarray | None:
        """Those u* were taken from, where they are others."""

    @property
    def vcov_free(self) -> np.ndarray:
        """Their covariance matrix, (F, F)."""

    @property
    def vcov_white(self) -> np.ndarray:
        """That of the effects of X in orthonormal columns, (F, F); see `Design.to_gamma`."""

    @property
    def entering(self) -> Components:
        """tau and sigma2 that residuals are taken at."""

    @property
    def data(self) -> TwoLevelData | None:
        """The rows, where there are rows."""

    @property
    def effect_names(self) -> tuple[str, ...]:
        """Names of the random effects, u0, u1, ..."""

    @property
    def method(self) -> str:
        """What it is of: "REML", "ML" or "posterior"."""

    @property
    def law(self) -> Law:
        """What level 1 is."""

    @property
    def counting(self) -> Counting:
        """How rows and units count."""
