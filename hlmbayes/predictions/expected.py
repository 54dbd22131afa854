"""Expected outcomes of rows, of fits by likelihood and by penalised quasi-likelihood and of posteriors.

By the likelihood and in draws they are averaged over the random effects. Penalised quasi-likelihood has a
population-average model for that, whose effects are of the means over all units. At u = 0, a typical unit,
all have their unit-specific effects.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch
from typing import Any

import numpy as np
from scipy.special import ndtri

from ..arguments import check_prob
from ..hglm.averages import Averages, averages, between, of_own, ordinal_averages
from ..hglm.category_averages import averaged, category_averages, of_own_units, probabilities
from ..hglm.estimates import GeneralizedEstimates
from ..hglm.pql import PQLEstimates
from ..inference.covariances import CR0
from ..laws.multinomial import Multinomial
from ..laws.ordinal import Ordinal
from ..laws.outcomes import Outcome
from ..posterior.predictive_link import kept_draws
from ..posterior.record import LinkSample
from .categories import by_category
from .drawn import DRAWS, DrawnRows


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


@singledispatch
def expected(record: Any, x: np.ndarray, z: np.ndarray, *, prob: float, robust: bool) -> Expected:
    """Give expected outcomes of rows with fixed effects x (n, F) and random ones z (n, q).

    Limits are normal on the scale of the link, those of a posterior equal-tailed quantiles.
    """
    found, covariance = _averages(record, x, z, robust)
    se = found.errors(covariance)
    low, high = limits(record.law.of_categories, found.mean, se, prob)
    return Expected(found.mean, se, low, high, found.at_zero)


@expected.register
def _(record: LinkSample, x: np.ndarray, z: np.ndarray, *, prob: float, robust: bool) -> Expected:
    check_prob(prob)
    at = DrawnRows.of(record, kept_draws(record, DRAWS))
    mean, at_zero = at.averaged(x, z), at.outcomes(at.predictors(x, z))
    low, high = np.quantile(mean, [0.5 - prob / 2.0, 0.5 + prob / 2.0], axis=-1)
    return Expected(mean.mean(axis=-1), mean.std(axis=-1, ddof=1), low, high, at_zero.mean(axis=-1))


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
def _(record: GeneralizedEstimates, x: np.ndarray, z: np.ndarray, robust: bool) -> Means:
    return averages_of(record, x, z), record.sandwich if robust else record.valid_covariance


@_averages.register
def _(record: PQLEstimates, x: np.ndarray, z: np.ndarray, robust: bool) -> Means:
    fit, law = record.population, record.law
    covariance = CR0().matrix(fit) if robust else fit.vcov_free
    if isinstance(law, Multinomial):
        rows = by_category(record.design, law, x, z)[0]
        mean, slope, _ = averaged(law, eta := rows @ fit.gamma_free, np.zeros((*eta.shape, eta.shape[1])))
        at_zero = probabilities(law, rows @ record.working.gamma_free)
        return Averages(mean, slope @ rows, at_zero), covariance
    cuts = np.eye(law.n_parameters + 1)[:, 1:]  # the columns that the cuts are effects of
    rows = np.concatenate(
        [np.broadcast_to(x[:, None], (len(x), len(cuts), x.shape[1])),
         np.broadcast_to(cuts, (len(x), *cuts.shape))], axis=2,
    )  # fmt: skip
    eta, one = rows @ fit.gamma_free, law.of_categories
    mean, at_zero = one.inverse_link(eta), one.inverse_link(rows @ record.working.gamma_free)
    gradient = one.slope(eta)[:, :, None] * rows
    if isinstance(law, Ordinal):
        mean, gradient, at_zero = between(mean, 1.0), between(gradient, 0.0), between(at_zero, 1.0)
    return Averages(mean, gradient, at_zero), covariance


def averages_of(fit: GeneralizedEstimates, x: np.ndarray, z: np.ndarray) -> Averages:
    """Average rows x (n, F), z (n, q) over u: the mean (n, 1), or the probability of each category."""
    if isinstance(fit.law, Multinomial):
        return category_averages(fit, *by_category(fit.design, fit.law, x, z))
    if isinstance(fit.law, Ordinal):
        return ordinal_averages(fit, x, z)
    return Averages(*(part[:, None] for part in averages(fit, x, z)))


def own_averages(fit: GeneralizedEstimates, x: np.ndarray, z: np.ndarray, unit: np.ndarray) -> np.ndarray:
    """Give expected outcomes (n, K) of rows, averaged over what is not known of their units' u.

    A unit of place -1 is one of all.
    """
    if isinstance(fit.law, Multinomial):
        return of_own_units(fit, *by_category(fit.design, fit.law, x, z), unit)
    each = [of_own(fit, x, z, unit, cut) for cut in (0.0, *fit.law.fixed_cuts)]
    mean = np.stack(each, axis=1)
    return between(mean, 1.0) if isinstance(fit.law, Ordinal) else mean
