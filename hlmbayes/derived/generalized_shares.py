"""Intraclass correlation and R-squared of outcomes that are not normal, on either scale.

On the scale of the link a row has the variance of its latent variable: pi^2 / 3 of the logistic, 1 of the
normal, pi^2 / 6 of the extreme value distribution; of counts ln(1 + 1 / mean) (Nakagawa, Johnson & Schielzeth
2017, J. R. Soc. Interface 14). On the scale of the outcome the correlation depends on the mean: it is that of
two rows of a unit at the average of the fixed part and of the exposure (Goldstein, Browne & Rasbash 2002).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtri

from ..arguments import check_prob
from ..hglm.averages import nodes_along
from ..hglm.estimates import GeneralizedEstimates
from ..laws.law import Need
from ..laws.outcomes import Outcome
from ..likelihood.design import Design
from .intraclass import (
    BOUNDARY,
    IntraclassCorrelation,
    IntraclassCurve,
    Place,
    at_places,
    conditional,
    of_elements,
)
from .r2 import R2, said_of, variance_parts

FARTHEST = 300.0  # of a limit from a variance, on the scale of its logarithm


@dataclass(frozen=True, slots=True, repr=False)
class GeneralizedCorrelation(IntraclassCorrelation):
    """``icc`` is on the scale of the link; ``observed`` on that of the outcome, whose mean is ``mean``.

    That of counts depends on their exposure, and ``exposed`` says at which it is.
    """

    observed: float = float("nan")
    mean: float = float("nan")
    exposed: str = ""

    def __str__(self) -> str:
        at = f"{self.exposed}, " if self.exposed else ""
        own = f"On the scale of the outcome, {at}where its mean is {self.mean:.4g}: {self.observed:.4f}"
        first, *notes = IntraclassCorrelation.__str__(self).split("\n")
        return "\n".join([first, *([] if np.isnan(self.observed) else [own]), *notes])


def generalized_icc(
    fit: GeneralizedEstimates, *, at: str | Mapping[str, Any] | None = None, prob: float = 0.95
) -> GeneralizedCorrelation | IntraclassCurve:
    """Give the intraclass correlation on the scale of the link, and on that of the outcome.

    Parameters
    ----------
    at : mapping of predictor to number, numbers or "mean"; or "mean"
        Where, for predictors with random slopes, as for normal outcomes.
    prob : float
        Probability of the interval, which is on the scale of the link: normal about the logarithm of the
        variance.

    Raises
    ------
    HypothesisError
        No random intercept (and no ``at``), a predictor without a random slope.
    """
    check_prob(prob)
    fit.require("an intraclass correlation", Need.ONE_EQUATION)
    latent, eta = latent_variance(fit.design, fit.law), average_predictor(fit)
    offset, exposed = _mean_exposure(fit)

    def point(place: Place, notes: tuple[str, ...]) -> GeneralizedCorrelation:
        between = float(place.z @ fit.tau_values @ place.z)
        low, high = _limits(fit, place.z, between, prob)
        if np.isnan(low):
            notes = (*notes, BOUNDARY)
        mean, observed = _observed(fit, eta + offset, between)
        share = [v / (v + latent) for v in (between, low, high)]
        said = f"tau over tau and a level-1 variance of {latent:.4g} on the scale of the link"
        return GeneralizedCorrelation(
            share[0], share[1], share[2], prob, conditional(fit.design), said, notes, place.at, place.where,
            observed, mean, exposed,
        )  # fmt: skip

    return at_places(fit.design, at, point)  # type: ignore[no-any-return]


def latent_variance(design: Design, law: Outcome) -> float:
    """Give a row's variance on the scale of the link."""
    moments = design.moments
    k = moments.column(design.model.outcome)
    return law.latent_variance(float(np.average(moments.mean[:, k], weights=moments.total_weight)))


def average_predictor(fit: GeneralizedEstimates) -> float:
    """Give the average over rows of the fixed part."""
    design = fit.design
    b = design.level1_coefficients(fit.gamma_free)  # (J, p)
    own = np.einsum("jp,pj->j", b, design.products.mean)
    return float(np.average(own, weights=design.moments.total_weight))


def _mean_exposure(fit: GeneralizedEstimates) -> tuple[float, str]:
    """Give what rows of the mean exposure have added to their predictor, and say so; 0 without exposure."""
    name, moments = fit.law.size, fit.design.moments
    if name is None:
        return 0.0, ""
    mean = float(np.average(moments.mean[:, moments.column(name)], weights=moments.total_weight))
    offset = float(fit.law.offset(np.array([mean]))[0])
    return offset, f"at the mean of {name}, {mean:.4g}" if offset else ""


def _observed(fit: GeneralizedEstimates, eta: float, between: float) -> tuple[float, float]:
    """Give the mean of the outcome and the correlation of two rows of a unit; nan without one mean."""
    if Need.ONE_MEAN in fit.law.lacks:
        return float("nan"), float("nan")
    at, weight = nodes_along()
    means = fit.law.inverse_link(eta + np.sqrt(between) * at)
    mean = float(weight @ means)
    shared = float(weight @ (means - mean) ** 2)
    return mean, shared / (shared + float(weight @ fit.law.variance(means)))


def _limits(fit: GeneralizedEstimates, z: np.ndarray, between: float, prob: float) -> tuple[float, float]:
    """Give limits of z'tau z, normal on the scale of its logarithm; nan on the boundary."""
    if fit.boundary or not between > 0:
        return float("nan"), float("nan")
    slope, F = of_elements(z, fit.design.pattern) @ fit.root, fit.design.n_fixed
    own = slice(F, F + len(slope))
    se = float(np.sqrt(slope @ fit.valid_covariance[own, own] @ slope)) / between
    reach = min(float(ndtri(0.5 + prob / 2.0)) * se, FARTHEST)
    return between * float(np.exp(-reach)), between * float(np.exp(reach))


def generalized_r2(fit: GeneralizedEstimates) -> R2:
    """Give the parts of the variance on the scale of the link, and marginal and conditional R-squared."""
    fit.require("R-squared", Need.ONE_EQUATION)
    latent = latent_variance(fit.design, fit.law)
    found = variance_parts(fit.design).of(fit.gamma_free, fit.tau_values, latent)
    notes = (said_of_latent(latent), *said_of(fit.design))
    return R2({name: float(value) for name, value in found.items()}, 0.95, notes=notes)


def said_of_latent(latent: float) -> str:
    """Say on what scale parts of a variance are."""
    return (
        f"On the scale of the link, where a row's variance is {latent:.4g} (Nakagawa, Johnson & Schielzeth "
        "2017)."
    )
