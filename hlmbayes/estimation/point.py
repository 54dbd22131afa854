"""One value of a model's parameters, with what residuals, checks and graphs ask of it."""

# ruff: noqa: D102 (what is not plain is said beside it)

from __future__ import annotations

from typing import Protocol

import numpy as np

from ..data.two_level import TwoLevelData
from ..equations.model import TwoLevelModel
from ..laws.counting import Counting
from ..laws.law import Law
from ..likelihood.design import Design
from ..likelihood.system import System
from .estimates import Components


class Point(Protocol):
    """What the record of a fit and a posterior at its means have in common."""

    @property
    def model(self) -> TwoLevelModel: ...
    @property
    def design(self) -> Design: ...  # of rows divided by their sigma, where the law weighs rows
    @property
    def system(self) -> System: ...
    @property
    def gamma_free(self) -> np.ndarray: ...  # (F,): free fixed effects
    @property
    def gamma_of_u(self) -> np.ndarray | None: ...  # (F,): those u* were taken from, where they are others
    @property
    def vcov_free(self) -> np.ndarray: ...  # (F, F): covariance matrix of the free fixed effects
    @property
    def vcov_white(self) -> np.ndarray: ...  # (F, F): that of the effects of X in orthonormal columns
    @property
    def entering(self) -> Components: ...  # tau and sigma2 that residuals are taken at
    @property
    def data(self) -> TwoLevelData | None: ...
    @property
    def effect_names(self) -> tuple[str, ...]: ...
    @property
    def method(self) -> str: ...  # "REML", "ML" or "posterior"
    @property
    def law(self) -> Law: ...
    @property
    def counting(self) -> Counting: ...
