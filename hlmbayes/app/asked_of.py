"""What can be asked of a run's fit: each test or derived quantity by its name, whatever the outcome."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import singledispatch
from typing import Any

import pandas as pd

from ..derived.generalized_shares import generalized_icc, generalized_r2
from ..derived.intraclass import icc
from ..derived.plausible import plausible_range
from ..derived.r2 import r2
from ..diagnostics.calibration import calibration
from ..diagnostics.checks import check
from ..estimation.estimates import Estimates
from ..hglm.estimates import GeneralizedEstimates
from ..hglm.pql import PQLEstimates
from ..inference.homogeneity import homogeneity
from ..laws.law import Need
from ..residuals.exploratory import explore
from ..residuals.frames import residuals
from ..residuals.generalized_exploratory import explore_generalized, explore_pql
from ..residuals.generalized_frames import generalized_residuals, pql_residuals

type Questions = Mapping[str, tuple[str, Callable[[Any], object]]]


def _ranges(fit: Estimates) -> str:
    ranges = [str(plausible_range(fit, name)) for name in fit.random_names]
    return "\n".join(ranges) or "No coefficient varies over units."


OF_NORMAL: Questions = {
    "homogeneity": ("Homogeneity of level-1 variance", homogeneity),
    "icc": ("Intraclass correlation", icc),
    "r2": ("R-squared", r2),
    "plausible": ("Plausible ranges", _ranges),
    "checks": ("Checks of the assumptions", check),
    "explore": ("Exploratory analysis of level-2 variables", explore),
}
OF_LIKELIHOOD: Questions = {
    "icc": ("Intraclass correlation", generalized_icc),
    "r2": ("R-squared", generalized_r2),
    "calibration": ("Observed against expected", calibration),
    "explore": ("Exploratory analysis of level-2 variables", explore_generalized),
}
OF_CATEGORIES: Questions = {"calibration": OF_LIKELIHOOD["calibration"]}  # each has equations of its own
OF_PQL: Questions = {"explore": ("Exploratory analysis of level-2 variables", explore_pql)}


@singledispatch
def questions(fit: Any) -> Questions:
    """Give what can be asked of a fit: its title and what answers, by name."""
    return OF_NORMAL


@questions.register
def _(fit: GeneralizedEstimates) -> Questions:
    return OF_LIKELIHOOD if fit.has(Need.ONE_EQUATION) else OF_CATEGORIES


@questions.register
def _(fit: PQLEstimates) -> Questions:
    return OF_PQL


@singledispatch
def residual_frame(fit: Any, level: int, extra: list[str], hlm: str) -> pd.DataFrame:
    """Give a residual file of a fit, with the names of HLM 6 or 7."""
    return residuals(fit, level, extra, hlm)


@residual_frame.register
def _(fit: GeneralizedEstimates, level: int, extra: list[str], hlm: str) -> pd.DataFrame:
    return generalized_residuals(fit, level, extra, hlm)


@residual_frame.register
def _(fit: PQLEstimates, level: int, extra: list[str], hlm: str) -> pd.DataFrame:
    return pql_residuals(fit, level, extra, hlm)
