"""The residual files of outcomes that are not normal, with HLM's names.

Level 2 is on the scale of the link, level 1 on that of the outcome. Randomised quantile residuals (Dunn &
Smyth 1996) are normal where the model holds, whatever the outcome's distribution.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import ndtri

from ..arguments import hlm_version, one_or_several, seed_or_none
from ..errors import OutputError
from ..hglm.estimates import GeneralizedEstimates
from ..hglm.fitted_rows import RowsOf, plain_rows
from ..hglm.pql import PQLEstimates, predicted
from .frames import (
    SPELLINGS,
    Columns,
    Spelling,
    add_coefficients,
    add_variances,
    check_level,
    level1_extra,
    level2_extra,
    residuals,
)
from .quantities import refuse_repeated, refuse_without_random

if TYPE_CHECKING:
    import pandas as pd


SEED = 1996  # residuals must not change from one call to the next


class RowsFitted(NamedTuple):
    """N rows: place in the data, unit, outcome, trials or exposure, mean of the outcome and its variance."""

    row: np.ndarray
    unit: np.ndarray
    y: np.ndarray
    size: np.ndarray
    mean: np.ndarray
    variance: np.ndarray
    rate: np.ndarray  # of one trial, of one unit of exposure


def rows_fitted(fit: RowsOf) -> RowsFitted:
    """Fit every row with its unit's posterior mean of u."""
    if isinstance(fit, GeneralizedEstimates):
        refuse_repeated(fit)
    rows, law = plain_rows(fit), fit.law
    rate = law.inverse_link(rows.predictor(fit.u))
    mean, variance = rate * rows.size, law.variance(rate) * rows.size
    return RowsFitted(rows.row, rows.unit, rows.y, rows.size, mean, variance, rate)


def quantile_residuals(fit: RowsOf, seed: int = SEED) -> np.ndarray:
    """Give randomised quantile residuals of the rows, (N,)."""
    rng, rows = np.random.default_rng(seed_or_none(seed, OutputError)), rows_fitted(fit)
    below = fit.law.distribution(rows.rate, rows.y - 1.0, rows.size)
    here = fit.law.distribution(rows.rate, rows.y, rows.size)
    at = below + rng.uniform(size=len(below)) * (here - below)
    return np.asarray(ndtri(np.clip(at, 1e-15, 1.0 - 1e-15)))


def generalized_residuals(
    fit: GeneralizedEstimates, level: int = 2, extra: str | Sequence[str] = (), hlm: str = "6", *,
    seed: int = SEED,
) -> pd.DataFrame:  # fmt: skip
    """Return the level-2 or the level-1 residual file.

    Parameters
    ----------
    level : 1 or 2
        2: EB residuals (posterior means of u), fitted values, EB coefficients, posterior variances. 1:
        residual, fitted value and standard deviation on the scale of the outcome, Pearson and randomised
        quantile residuals.
    extra : str or sequence of str
        Variables to add; "all" adds all of that level.
    hlm : "6" or "7"
        Whose names the variables have.
    seed : int
        Of the quantile residuals.

    Raises
    ------
    OutputError
        An unknown level, variable or HLM; no random effect at level 2.
    """
    refuse_repeated(fit)
    check_level(level)
    names, spelling = one_or_several(extra), SPELLINGS[hlm_version(hlm, OutputError)]
    return _level2(fit, names, spelling) if level == 2 else level1_frame(fit, names, seed)


def _level2(fit: GeneralizedEstimates, extra: Sequence[str], spelling: Spelling) -> pd.DataFrame:
    design, columns = fit.design, Columns(fit)
    refuse_without_random(design)
    columns.add_ids(design.moments.id_name, design.unit_ids)
    columns.add(spelling.of("nj"), design.moments.n, "Number of level-1 records")
    fitted = design.level1_coefficients(fit.gamma_free)
    b = fitted.copy()
    b[:, design.random] += fit.u
    add_coefficients(columns, fit, spelling, {"eb": fit.u, "fv": fitted, "ec": b})
    add_variances(columns, fit, spelling, "pv", fit.effect_names, fit.var_u)
    level2_extra(columns, fit, extra, spelling)
    return columns.frame()


def level1_frame(fit: RowsOf, extra: Sequence[str], seed: int) -> pd.DataFrame:
    """Return the level-1 residual file."""
    rows, columns = rows_fitted(fit), Columns(fit)
    columns.add_ids(fit.data.id_name, fit.design.unit_ids[rows.unit])
    sigma = np.sqrt(rows.variance)
    columns.add("l1resid", rows.y - rows.mean, "Level-1 residual: observed - fitted")
    columns.add("fitval", rows.mean, "Expected outcome with the EB coefficients")
    columns.add("sigma", sigma, "Level-1 standard deviation")
    with np.errstate(divide="ignore", invalid="ignore"):  # a row whose outcome is certain has none
        pearson = (rows.y - rows.mean) / sigma
    columns.add("pearson", pearson, "Pearson residual")
    columns.add("quantile", quantile_residuals(fit, seed), "Randomised quantile residual")
    level1_extra(columns, fit, extra, rows.row, rows.unit)
    return columns.frame(rows.row, "row")


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
