"""Residual files of penalised quasi-likelihood: level 2 of the working outcome, level 1 of the outcome."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..arguments import one_or_several
from ..hglm.pql import PQLEstimates, predicted
from .frames import residuals
from .generalized_frames import SEED, level1_frame

if TYPE_CHECKING:
    import pandas as pd


def pql_residuals(
    found: PQLEstimates, level: int = 2, extra: str | Sequence[str] = (), hlm: str = "6"
) -> pd.DataFrame:
    """Return the level-2 or the level-1 residual file in the names of HLM "6" or "7".

    Level 2 is on the scale of the link, HLM's file of the last working outcome. Level 1 is on that of the
    outcome: residual, fitted value and standard deviation, Pearson and randomised quantile residuals.

    Raises
    ------
    OutputError
        An unknown level, variable or HLM; no random effect at level 2.
    HypothesisError
        Level 1 of an ordinal outcome, which has no one mean.
    """
    if isinstance(level, bool) or level != 1:
        return residuals(found.working, level, extra, hlm)
    found.law.inverse_link(np.zeros(1))  # an ordinal outcome has no one mean, and says so
    return level1_frame(predicted(found), one_or_several(extra), SEED)
