"""Level-2 variables that a model of another outcome has not, judged without fitting them.

As for normal outcomes: HLM's regression of the empirical Bayes residuals, and beside it the score test with
tau held, from posterior means of the rows' scores: the step that Newton's method takes from the estimates
when the candidate is added (Rao 1948; Cox & Hinkley 1974, ch. 9). With tau free the observed information of
slopes and their variances is shared by chance, and effects that are there are overrated.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..hglm.estimates import GeneralizedEstimates
from ..hglm.fit import inverse
from ..hglm.fitted_rows import at_optimum
from ..hglm.marginal import sums_at
from ..hglm.pql import PQLEstimates
from ..laws.law import Need
from .exploratory import Exploration, Scores, explored, scores_of
from .generalized_influence import refuse_approximate
from .quantities import refuse_repeated


def explore_generalized(
    fit: GeneralizedEstimates, variables: str | Sequence[str] = (), *, coefficients: str | Sequence[str] = ()
) -> Exploration:
    """Judge level-2 variables as further predictors of the random coefficients, without fitting them.

    Parameters
    ----------
    variables : str or sequence of str
        Candidates; by default every level-2 variable that an equation has not.
    coefficients : str or sequence of str
        Random coefficients, by name or variable; all by default.

    Raises
    ------
    OutputError
        No such level-2 variable; a fit by Laplace's approximation or a given number of nodes.
    HypothesisError
        No such random coefficient, or nothing to judge.
    """
    refuse_repeated(fit)
    fit.require("an exploratory analysis", Need.ONE_EQUATION)
    refuse_approximate(fit, "an exploratory analysis")
    return explored(fit, _of_scores(fit), variables, coefficients)


def _of_scores(fit: GeneralizedEstimates) -> Scores:
    """Give what candidates are judged by, from the rows' scores; cuts are among what is shared."""
    best, q = at_optimum(fit), fit.design.n_random
    at, rows = best.evaluated(), best.laid.rows
    sums = sums_at(rows, best.laid.of_rows, at)
    p, F = len(rows.d), rows.n_fixed
    own = sums.informations()[:, :p, :p]
    columns = np.zeros((q, p))
    columns[:, : fit.design.n_coefficients] = np.linalg.inv(fit.design.bases.basis)[:, :q].T
    columns[:, :q] = np.linalg.solve(rows.tau_columns.m, columns[:, :q].T).T
    covariance = inverse(at.information[:F, :F])
    return Scores(fit.u, columns, sums.first[:, :p], own, own @ rows.x, covariance)


def explore_pql(
    fit: PQLEstimates, variables: str | Sequence[str] = (), *, coefficients: str | Sequence[str] = ()
) -> Exploration:
    """Judge level-2 variables as HLM does after penalised quasi-likelihood: on the last working outcome.

    Parameters and errors are as for fits by the likelihood; the score test beside HLM's regression is that of
    the working outcome, its weights and variances held.
    """
    return explored(fit.working, scores_of(fit.working), variables, coefficients)
