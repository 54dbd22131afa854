"""Expected outcomes of rows, of fits by likelihood and by penalised quasi-likelihood, with standard errors.

By the likelihood they are averaged over the random effects. Penalised quasi-likelihood has a population-
average model for that, whose effects are of the means over all units. At u = 0, a typical unit, both have
their unit-specific effects.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch
from typing import Any

import numpy as np
from scipy.special import ndtri

from ..hglm.averages import Averages, averages, between, ordinal_averages
from ..hglm.estimates import GeneralizedEstimates
from ..hglm.pql import PQLEstimates
from ..inference.covariances import CR0
from ..laws.law import Need, refuse
from ..laws.outcomes import Outcome


@dataclass(frozen=True, slots=True, eq=False)
class Expected:
    """Of n rows the expected outcome, or the probability of each of K categories: all (n, K), else K = 1.

    ``mean`` over units with its standard error ``se`` and its limits, ``at_zero`` at u = 0.
    """

    mean: np.ndarray
    se: np.ndarray
    low: np.ndarray
    high: np.ndarray
    at_zero: np.ndarray


def expected(record: Any, x: np.ndarray, z: np.ndarray, *, prob: float, robust: bool) -> Expected:
    """Give expected outcomes of rows with fixed effects x (n, F) and random ones z (n, q)."""
    found, covariance = _averages(record, x, z, robust)
    se, law = found.errors(covariance), record.law.of_categories
    low, high = limits(law, found.mean, se, prob)
    n = len(x)
    return Expected(*(part.reshape(n, -1) for part in (found.mean, se, low, high, found.at_zero)))


def limits(law: Outcome, mean: np.ndarray, se: np.ndarray, prob: float) -> tuple[np.ndarray, np.ndarray]:
    """Give limits that are normal on the scale of the link, and so inside what the outcome can be."""
    eta = law.link(mean)
    reach = float(ndtri(0.5 + prob / 2.0)) * se / law.slope(eta)
    return law.inverse_link(eta - reach), law.inverse_link(eta + reach)


type Means = tuple[Averages, np.ndarray]


@singledispatch
def _averages(record: Any, x: np.ndarray, z: np.ndarray, robust: bool) -> Means:
    """Give means with their gradient, and the covariance matrix that goes with it."""
    raise NotImplementedError


@_averages.register
def _(
    record: GeneralizedEstimates, x: np.ndarray, z: np.ndarray, robust: bool
) -> tuple[Averages, np.ndarray]:
    record.require("a graph of probabilities", Need.ONE_EQUATION)
    of = ordinal_averages if not record.has(Need.ONE_MEAN) else averages
    return of(record, x, z), record.sandwich if robust else record.valid_covariance


@_averages.register
def _(record: PQLEstimates, x: np.ndarray, z: np.ndarray, robust: bool) -> Means:
    refuse("a graph of probabilities", record.law.lacks, Need.ONE_EQUATION)
    fit, law = record.population, record.law.of_categories
    cuts = np.eye(record.law.n_parameters + 1)[:, 1:]  # the columns that the cuts are effects of
    rows = np.concatenate(
        [np.broadcast_to(x[:, None], (len(x), len(cuts), x.shape[1])),
         np.broadcast_to(cuts, (len(x), *cuts.shape))], axis=2,
    )  # fmt: skip
    eta = rows @ fit.gamma_free
    mean, at_zero = law.inverse_link(eta), law.inverse_link(rows @ record.working.gamma_free)
    gradient = law.slope(eta)[:, :, None] * rows
    if Need.ONE_MEAN in record.law.lacks:
        mean, gradient, at_zero = between(mean, 1.0), between(gradient, 0.0), between(at_zero, 1.0)
    covariance = CR0().matrix(fit) if robust else fit.vcov_free
    return Averages(mean, gradient, at_zero), covariance
