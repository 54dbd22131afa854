"""Outcomes that are one of several categories without an order: a logit of each against the last.

P(y = m) / P(y = M) = exp(eta_m), m = 1, ..., M - 1: K = M - 1 linear predictors a row. The reference M is the
last category, as in HLM (Raudenbush & Bryk 2002, p. 325); R's nnet and Stata take the first.
"""

# ruff: noqa: D102 (what the methods give is said once, in Outcome)

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NoReturn

import numpy as np

from ..equations.categories import category_label
from ..errors import DataError, HypothesisError
from .binomial_links import LATENT, LATENT_SD, MANY, Rows
from .law import Need
from .outcomes import Binomial, Outcome

NO_MEAN = "an outcome of categories has a probability for each, which predict() gives, and no one mean"
SEVERAL = "each category of the outcome has equations of its own"
MOST = 10  # categories; more are no names


def n_categories(y: np.ndarray, name: str) -> int:
    """Count the categories of an outcome; refuse fewer than three: DataError."""
    found = np.unique(y)
    if len(found) == 2:
        raise DataError(f"{name} has two categories, {found[0]:g} and {found[1]:g}: write logit({name})")
    if len(found) < 2:
        raise DataError(f"{name} is {found[0]:g} in every row: nothing can be explained")
    return len(found)


class OfCategories:
    """What laws of several categories share: there is no one mean."""

    categories: tuple[float, ...]
    lacks: ClassVar[Mapping[Need, str]]

    @property
    def codes(self) -> tuple[float, ...]:
        return self.categories

    @property
    def fixed_categories(self) -> np.ndarray:
        return np.array(self.categories)

    @property
    def of_categories(self) -> Outcome:
        return Binomial()

    def link(self, mean: np.ndarray) -> np.ndarray:
        self._no_mean()

    def inverse_link(self, predictor: np.ndarray) -> np.ndarray:
        self._no_mean()

    def variance(self, mean: np.ndarray) -> np.ndarray:
        self._no_mean()

    def _no_mean(self) -> NoReturn:
        raise HypothesisError(self.lacks[Need.ONE_MEAN])


@dataclass(frozen=True)
class Multinomial(OfCategories, Outcome):
    """Categories without an order; ``categories`` are the values of the outcome, ascending.

    Its methods of rows have K predictors: ``eta`` and ``y`` (K, ...) are of the categories but the last,
    ``size`` (...) the rows of all categories.
    """

    link_name: str = "mlogit"
    categories: tuple[float, ...] = ()

    family: ClassVar[str] = "multinomial"
    links: ClassVar[tuple[str, ...]] = ("mlogit",)
    lacks: ClassVar[Mapping[Need, str]] = {
        **Outcome.lacks, Need.ONE_MEAN: NO_MEAN, Need.ONE_EQUATION: SEVERAL,
    }  # fmt: skip
    heading: ClassVar[str] = "Outcome of categories"
    level_in_words: ClassVar[str] = "the log odds of each category against the last are"
    never = "of some category there is none on one side of it"

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(map(category_label, self.categories))

    def against(self, category: str) -> str:
        return f"{category} against {self.labels[-1]}"

    @property
    def direction(self) -> str:
        return self.against("each category") if self.categories else ""

    @property
    def sentence(self) -> str:
        *others, last = self.labels
        return (
            f"The outcome is one of the categories {', '.join(others)} and {last}, without an order. Effects "
            f"are on the log odds of each against {last}, the reference; brackets say of which, "
            f"g00[{others[0]}]."
        )

    def check_rows(self, y: np.ndarray, size: np.ndarray, name: str) -> None:
        if (found := n_categories(y, name)) > MOST:
            raise DataError(
                f"{name} has {found} values, and a multinomial outcome at most {MOST} categories, each with "
                "equations of its own: join some"
            )

    @property
    def unit_of_link(self) -> tuple[float, str]:
        return LATENT["logit"] ** 0.5, LATENT_SD["logit"]

    def levels(self, y: np.ndarray, size: np.ndarray) -> np.ndarray:
        counts = np.unique(y, return_counts=True)[1]
        return np.asarray(np.log(counts[:-1] / counts[-1]))

    def is_in(self, y: np.ndarray) -> np.ndarray:
        """Say whether outcomes (N,) are each category but the last, 1 or 0, (K, N)."""
        return np.asarray((y == self.fixed_categories[:-1, None]).astype(float))

    def probabilities(self, eta: np.ndarray) -> np.ndarray:
        """Give the probabilities of all categories, (K + 1, ...), of their linear predictors (K, ...)."""
        odds, last, total, _ = _odds(eta)
        found = np.empty((len(eta) + 1, *eta.shape[1:]))
        np.divide(odds, total, out=found[:-1])
        np.divide(last, total, out=found[-1])
        return found

    def rows(self, eta: np.ndarray, y: np.ndarray, size: np.ndarray) -> Rows:
        """Give log density (...), its slopes (K, ...) and minus its second derivatives, packed.

        These are (K (K + 1) / 2, ...), the lower triangle by rows.
        """
        p, _, total, top = _odds(eta)
        value = _log_density(eta, y, size, total, top)
        p /= total
        counted = p * -size
        K = len(eta)
        bend = np.empty((K * (K + 1) // 2, *eta.shape[1:]))
        for m, (a, b) in enumerate(zip(*np.tril_indices(K), strict=True)):
            np.multiply(counted[a], p[b], out=bend[m])
            if a == b:
                bend[m] -= counted[a]
        counted += y
        return value, counted, bend

    def value(self, eta: np.ndarray, y: np.ndarray, size: np.ndarray) -> np.ndarray:
        _, _, total, top = _odds(eta)
        return _log_density(eta, y, size, total, top)

    def draw(self, rng: np.random.Generator, predictor: np.ndarray, size: np.ndarray) -> np.ndarray:
        # the largest of linear predictors with standard Gumbel noise has the category (McFadden 1974)
        noise = rng.gumbel(size=(len(predictor) + 1, *predictor.shape[1:]))
        noise[:-1] += predictor
        return np.asarray(np.array(self.categories)[noise.argmax(axis=0)])

    def least_variance(self, predictor: np.ndarray) -> float:
        p = self.probabilities(predictor)
        return float((p * (1.0 - p)).min())

    def slope(self, predictor: np.ndarray) -> np.ndarray:
        self._no_mean()

    def latent_variance(self, mean: float) -> float:
        raise HypothesisError(f"there is no one level-1 variance: {SEVERAL}")


def _odds(eta: np.ndarray) -> tuple[np.ndarray, Any, np.ndarray, Any]:
    """Give exp(eta - top) (K, ...), exp(-top) of the last category, their sum (...), and top.

    It is 0 where no exponential is too large for a number: the sum keeps its digits all the same.
    """
    top = 0.0 if eta.size == 0 or eta.max() < MANY else np.maximum(eta.max(axis=0), 0.0)
    odds = np.exp(eta - top) if np.ndim(top) else np.exp(eta)
    last = np.exp(-top)
    return odds, last, odds.sum(axis=0) + last, top


def _log_density(eta: np.ndarray, y: np.ndarray, size: np.ndarray, total: np.ndarray, top: Any) -> np.ndarray:
    """Give the log density of rows (...) whose odds have a sum ``total``."""
    found = np.log(total)
    if np.ndim(top):
        found += top
    found *= -size
    for own, category in zip(eta, y, strict=True):
        found += own * category
    return found
