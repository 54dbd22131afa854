"""Rows of a linearised model: a working outcome whose variance is sigma2 / w, w its working weight.

Penalised quasi-likelihood estimates a model of another outcome by a series of normal ones (Breslow & Clayton
1993); what is asked of the last of them is asked of this law.
"""

# ruff: noqa: D102 (what the methods give is said once, in Law)

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from .law import Need
from .normal import Known, Precision

NO_LIKELIHOOD = (
    "penalised quasi-likelihood is of a linearised outcome and has no likelihood of the data; "
    'algorithm="exact" has'
)
WEIGHT = "working weight"  # the column of the linearised data


@dataclass(frozen=True)
class Working(Precision):
    """Working outcomes of overdispersed rows: sigma2 is estimated."""

    what: ClassVar[str] = "the working weight"
    heading: ClassVar[str] = "Level-1 variance"
    of_normal: ClassVar[bool] = False
    lacks: ClassVar[Mapping[Need, str]] = dict.fromkeys(
        (Need.LIKELIHOOD, Need.ROWS_ALIKE, Need.ONE_SIGMA2), NO_LIKELIHOOD
    )

    @property
    def sentence(self) -> str:
        return "The level-1 variance is sigma squared times that of the distribution."


@dataclass(frozen=True)
class WorkingKnown(Known, Working):
    """Working outcomes of rows with the variance of their distribution: sigma2 is 1."""

    one_sigma2: ClassVar[bool] = False
    lacks: ClassVar[Mapping[Need, str]] = dict.fromkeys(
        (Need.LIKELIHOOD, Need.ROWS_ALIKE, Need.ONE_SIGMA2, Need.ESTIMATED_SIGMA2), NO_LIKELIHOOD
    )

    @property
    def held(self) -> float | None:
        return 1.0

    @property
    def sentence(self) -> str:
        return "The level-1 variance is that of the distribution."
