"""One value of a model's parameters, with what residuals, checks and graphs ask of it."""

# ruff: noqa: D102 (the attributes are said in the class)

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
    """What the record of a fit and a posterior at its means have in common.

    Attributes
    ----------
    model : TwoLevelModel
    design : Design
        Of rows divided by their sigma, where the law weighs rows.
    system : System
    gamma_free : ndarray, shape (F,)
        Free fixed effects.
    gamma_of_u : ndarray, shape (F,), or None
        Those u* were taken from, where they are others.
    vcov_free, vcov_white : ndarray, shape (F, F)
        Their covariance matrix, and that of the effects of X in orthonormal columns.
    entering : Components
        tau and sigma2 that residuals are taken at.
    data : TwoLevelData or None
    effect_names : tuple of str
    method : "REML", "ML" or "posterior"
    law : Law
    counting : Counting
    """

    @property
    def model(self) -> TwoLevelModel: ...
    @property
    def design(self) -> Design: ...
    @property
    def system(self) -> System: ...
    @property
    def gamma_free(self) -> np.ndarray: ...
    @property
    def gamma_of_u(self) -> np.ndarray | None: ...
    @property
    def vcov_free(self) -> np.ndarray: ...
    @property
    def vcov_white(self) -> np.ndarray: ...
    @property
    def entering(self) -> Components: ...
    @property
    def data(self) -> TwoLevelData | None: ...
    @property
    def effect_names(self) -> tuple[str, ...]: ...
    @property
    def method(self) -> str: ...
    @property
    def law(self) -> Law: ...
    @property
    def counting(self) -> Counting: ...
