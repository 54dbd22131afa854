"""New outcomes of the rows of a fit: random effects drawn from tau, outcomes from the law of level 1."""

from __future__ import annotations

from functools import singledispatch
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..arguments import seed_or_none, whole
from ..errors import HypothesisError
from ..estimation.estimates import Estimates
from ..estimation.fitted import Fitted
from ..hglm.estimates import GeneralizedEstimates
from ..hglm.fitted_rows import plain_rows
from ..hglm.replicas import new_outcomes
from ..labelled import table
from ..likelihood.rows import rows_of
from ..likelihood.symmetric import semidefinite_root
from .bootstrap_generalized import refuse_counted

if TYPE_CHECKING:
    import pandas as pd


class NewRows(NamedTuple):
    """Places in the data of N rows, and n outcomes of each, (n, N)."""

    row: np.ndarray
    y: np.ndarray


def simulate(fit: Fitted, n: int = 1, seed: int | None = None) -> pd.DataFrame:
    """Simulate new outcomes of the rows analysed from the fitted model, its estimates taken for true.

    Each time the units have new random effects, drawn from tau. The same ``seed`` gives the same numbers.

    Returns
    -------
    DataFrame
        A column for each of n data sets, sim_1, sim_2, ...; the index is that of ``residuals(1)``, the place
        of each row in the data.

    Raises
    ------
    HypothesisError
        n < 1, a fit from moments, frequencies or sampling weights.
    """
    whole("n, the number of data sets,", n, 1, HypothesisError)
    found = _simulated(fit, n, np.random.default_rng(seed_or_none(seed, HypothesisError)))
    return table({f"sim_{k}": y for k, y in enumerate(found.y, 1)}, found.row, "row")


@singledispatch
def _simulated(fit: Fitted, n: int, rng: np.random.Generator) -> NewRows:
    raise NotImplementedError


@_simulated.register
def _(fit: GeneralizedEstimates, n: int, rng: np.random.Generator) -> NewRows:
    refuse_counted(fit, "a simulation")
    rows = plain_rows(fit)
    return NewRows(rows.row, np.array([new_outcomes(fit, rows, rng) for _ in range(n)]))


@_simulated.register
def _(fit: Estimates, n: int, rng: np.random.Generator) -> NewRows:
    refuse_counted(fit, "a simulation")
    if fit.data is None:
        raise HypothesisError("a simulation needs the rows, and this fit was made from moments: fit the data")
    design = fit.law.plain(fit.design)
    rows = rows_of(design, fit.data)
    sigma = fit.law.row_sigma(fit.design, fit.data, rows.row, rows.unit, fit.components.sigma2)
    root = semidefinite_root(fit.components.tau)
    u = rng.normal(size=(n, fit.n_units, design.n_random)) @ root.T
    y = rows.x @ fit.gamma_free + np.einsum("na,kna->kn", rows.z, u[:, rows.unit])
    return NewRows(rows.row, y + sigma * rng.normal(size=y.shape))
