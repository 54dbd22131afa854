"""Means and slopes of typical rows whose outcome is not normal, from a fit or a posterior.

On the scale of the outcome each is averaged over the random effects by quadrature. Ratings and categories
have the probability of each category in place of one mean.
"""

# ruff: noqa: D102 (what the methods give is said once, in Source)

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..arguments import check_prob
from ..data.two_level import TwoLevelData
from ..hglm.estimates import GeneralizedEstimates
from ..hypotheses.contrasts import Contrast, contrast
from ..inference.covariances import table_kind
from ..laws.outcomes import Outcome
from ..likelihood.design import Design
from ..posterior.contrasts import DrawnContrast, of_values
from ..posterior.contrasts import contrast as drawn_contrast
from ..posterior.record import LinkSample
from .categories import asked_categories, of_gammas, shown
from .drawn import DrawnRows
from .expected import averages_of, limits
from .means import Adjustment, Means, adjusted_p, asked_means, pairs_of
from .new_rows import x_of
from .reference import Values, z_of
from .response import Scale, check_scale, covariance_of
from .slopes import Slopes, asked_slopes

type AnyContrast = Contrast | DrawnContrast
# (r, n) weights of rows, places of categories and texts: r combinations of each category, one after another
type Mixer = Callable[[np.ndarray, list[int], list[str]], AnyContrast]


@dataclass(frozen=True, slots=True, eq=False)
class Source(ABC):
    """What says what typical rows are expected to have."""

    design: Design
    data: Any
    law: Outcome
    prob: float

    @abstractmethod
    def linear(self, matrix: np.ndarray) -> AnyContrast:
        """Give combinations (r, n_gamma) of fixed effects."""

    @abstractmethod
    def expected(self, effects: np.ndarray) -> Mixer:
        """Give combinations of what rows, effects (n, n_gamma), are expected to have over units."""

    @abstractmethod
    def inside(self, found: Any) -> AnyContrast:
        """Give what rows are expected to have with limits inside what the outcome can be."""


@dataclass(frozen=True, slots=True, eq=False)
class OfFit(Source):
    """A fit by the likelihood; standard errors by the delta method."""

    fit: GeneralizedEstimates
    robust: bool | None

    def linear(self, matrix: np.ndarray) -> Contrast:
        return contrast(self.fit, matrix, robust=self.robust, prob=self.prob)

    def expected(self, effects: np.ndarray) -> Mixer:
        found = averages_of(self.fit, x_of(self.design, effects), z_of(self.design, effects))
        covariance = covariance_of(self.fit, self.robust)[: (P := found.gradient.shape[-1]), :P]
        basis = (
            f"{table_kind(self.fit, self.robust, None).words}; delta method, averaged over the random effects"
        )

        def mix(weights: np.ndarray, places: list[int], texts: list[str]) -> Contrast:
            value = (weights @ found.mean[:, places]).T.ravel()
            gradient = np.einsum("rn,nkp->krp", weights, found.gradient[:, places]).reshape(-1, P)
            se = np.sqrt(np.einsum("np,pq,nq->n", gradient, covariance, gradient))
            rows, said = np.tile(weights @ effects, (len(places), 1)), tuple(texts)
            nothing = np.zeros(len(se))
            return Contrast(said, said, nothing, value, se, nothing + np.inf, self.prob, basis, rows)

        return mix

    def inside(self, found: Any) -> Contrast:
        means: Contrast = found
        ends = limits(self.law.of_categories, means.estimate, means.se, self.prob)
        return replace(means, limits=ends)


@dataclass(frozen=True, slots=True, eq=False)
class OfDraws(Source):
    """A posterior: every draw's own average has its turn."""

    posterior: LinkSample

    def linear(self, matrix: np.ndarray) -> DrawnContrast:
        return drawn_contrast(self.posterior, matrix, prob=self.prob)

    def expected(self, effects: np.ndarray) -> Mixer:
        found = DrawnRows.of(self.posterior).averaged(x_of(self.design, effects), z_of(self.design, effects))

        def mix(weights: np.ndarray, places: list[int], texts: list[str]) -> DrawnContrast:
            draws = np.einsum("rn,nkb->krb", weights, found[:, places])
            draws = draws.reshape(len(texts), self.posterior.settings.chains, -1)
            return of_values(tuple(texts), tuple(texts), np.zeros(len(texts)), draws, self.prob)

        return mix

    def inside(self, found: Any) -> DrawnContrast:
        return found  # type: ignore[no-any-return]  # quantiles of draws are inside


def means_generalized(
    fit: GeneralizedEstimates, variable: str, *, values: Any = None, at: Mapping[str, Any] | None = None,
    scale: Scale = "response", adjust: Adjustment = "holm", robust: bool | None = None, prob: float = 0.95,
    category: Any = None,
) -> Means:  # fmt: skip
    """Give the expected outcome of typical rows at values of a variable, and differences.

    Parameters
    ----------
    variable, values, at, adjust, prob
        As for normal outcomes.
    scale : "response" or "link"
        Averaged over the random effects on the scale of the outcome: of ratings and categories the
        probability of each category; intervals are normal on the scale of the link, those of differences
        on the outcome's. Or on that of the link.
    robust : bool, optional
        Robust standard errors; by default with sampling weights only.
    category : number or text, optional
        Of which category alone; by default of each, one after another.

    Raises
    ------
    HypothesisError
        A variable the model does not have, or a category the outcome does not have.
    """
    return _means(_of_fit(fit, robust, prob), variable, values, at, scale, category, adjust)


def means_link(
    posterior: LinkSample, variable: str, *, values: Any = None, at: Mapping[str, Any] | None = None,
    scale: Scale = "response", prob: float = 0.95, category: Any = None,
) -> Means:  # fmt: skip
    """Give the posterior of the expected outcome of typical rows at values of a variable, and differences.

    Parameters, and what is refused, as of a fit: `GeneralizedFit.means`.
    """
    return _means(_of_draws(posterior, prob), variable, values, at, scale, category, None)


def slopes_generalized(
    fit: GeneralizedEstimates, variable: str, by: str | Mapping[str, Values] | None = None, *,
    at: Mapping[str, Values] | None = None, scale: Scale = "response", robust: bool | None = None,
    prob: float = 0.95, category: Any = None,
) -> Slopes:  # fmt: skip
    """Give the change of the expected outcome of typical rows with a variable, at values of others.

    Parameters
    ----------
    variable, by, at, prob
        As for normal outcomes.
    scale : "response" or "link"
        The derivative of the expected outcome, averaged over the random effects: of ratings and categories
        of the probability of each category. Or of the linear predictor.
    robust : bool, optional
        Robust standard errors; by default with sampling weights only.
    category : number or text, optional
        Of which category alone; by default of each, one after another.

    Raises
    ------
    HypothesisError
        A variable the model does not have, or a category the outcome does not have.
    """
    return _slopes(_of_fit(fit, robust, prob), variable, by, at, scale, category)


def slopes_link(
    posterior: LinkSample, variable: str, by: str | Mapping[str, Values] | None = None, *,
    at: Mapping[str, Values] | None = None, scale: Scale = "response", prob: float = 0.95,
    category: Any = None,
) -> Slopes:  # fmt: skip
    """Give the posterior of the change of the expected outcome of typical rows with a variable.

    Parameters, and what is refused, as of a fit: `GeneralizedFit.slopes`.
    """
    return _slopes(_of_draws(posterior, prob), variable, by, at, scale, category)


def _of_fit(fit: GeneralizedEstimates, robust: bool | None, prob: float) -> Source:
    return OfFit(fit.design, fit.data, fit.law, check_prob(prob), fit, robust)


def _of_draws(posterior: LinkSample, prob: float) -> Source:
    return OfDraws(posterior.target.design, posterior.data, posterior.link.law, check_prob(prob), posterior)


def _means(
    source: Source, variable: str, values: Any, at: Mapping[str, Any] | None, scale: Scale, category: Any,
    adjust: Adjustment | None,
) -> Means:  # fmt: skip
    """Give means and their differences; with p-values where ``adjust`` says how they are adjusted."""
    check_scale(scale)
    places = _asked_categories(source, category, scale)
    asked = (source.design, source.data, variable, values, at, adjust or "none")
    name, chosen, rows = asked_means(*asked)
    pairs, matrix = pairs_of(chosen, rows)
    if scale == "link":
        found = source.linear(_by_equations(source, rows, places))
        difference = source.linear(_by_equations(source, matrix, places)) if pairs else None
    else:
        mix, one = source.expected(rows), np.eye(len(chosen))
        texts = [f"mean at {name} = {v}" for v in chosen]
        found = source.inside(mix(one, places, texts * len(places)))
        a, b = np.array([(chosen.index(p), chosen.index(q)) for p, q in pairs], dtype=int).reshape(-1, 2).T
        apart = [f"{texts[i]} - {texts[j]}" for i, j in zip(a, b, strict=True)]
        difference = mix(one[a] - one[b], places, apart * len(places)) if pairs else None
    adjusted = None
    if difference is not None and adjust is not None:
        adjusted = adjusted_p(difference, adjust, len(chosen), len(places))
    outcome, categories = source.design.model.outcome, _values(source.law, places, scale)
    of = "Mean" if not categories else "Probability" if scale == "response" else "Linear predictor"
    return Means(name, chosen, found, pairs, difference, adjust or "", adjusted, of, outcome, categories)


def _slopes(
    source: Source, variable: str, by: str | Mapping[str, Values] | None, at: Mapping[str, Values] | None,
    scale: Scale, category: Any,
) -> Slopes:  # fmt: skip
    check_scale(scale)
    places = _asked_categories(source, category, scale)
    asked = asked_slopes(source.design, source.data, variable, by, at)
    rows, name = asked.rows(source.design), asked.variable.name
    outcome = source.design.model.outcome
    where: list[dict[str, Any]] = [{outcome: m} for m in _values(source.law, places, scale)] or [{}]
    each = tuple({**of, **row} for of in where for row in asked.at)
    if scale == "link":
        return Slopes(name, each, source.linear(_by_equations(source, rows, places)))
    up, down, step = asked.sides(source.design)
    one = np.eye(len(rows)) / step
    mix = source.expected(np.vstack([up, down]))
    return Slopes(name, each, mix(np.hstack([one, -one]), places, [f"slope of {name}"] * len(each)))


def _asked_categories(source: Source, category: Any, scale: str) -> list[int]:
    labels = source.data.value_labels if isinstance(source.data, TwoLevelData) else {}
    return asked_categories(source.law, category, scale, labels.get(source.design.model.outcome.lower(), {}))


def _by_equations(source: Source, rows: np.ndarray, places: list[int]) -> np.ndarray:
    """Give what fixed effects multiply (K n, n_gamma) in the predictor of each category at ``places``."""
    labels, own = shown(source.law, "link"), of_gammas(source.design)
    return np.vstack([rows * (own == labels[k]) for k in places]) if labels else rows


def _values(law: Outcome, places: list[int], scale: str) -> tuple[Any, ...]:
    """Give the categories at places as numbers, whole ones as such; none where there is one of all."""
    found = law.fixed_categories[places].tolist() if shown(law, scale) else ()
    return tuple(int(v) if v == int(v) else v for v in found)
