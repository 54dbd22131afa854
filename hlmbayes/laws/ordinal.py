"""Ordinal outcomes: the log odds of a category or a lower one, as HLM has them.

P(y <= m) = sigma(delta_m + eta), delta_1 = 0 < delta_2 < ...: a positive effect makes low categories
likelier. Cumulative link models elsewhere (R's ordinal and MASS, Stata) have the opposite sign.
"""

# ruff: noqa: D102 (what the methods give is said once, in Outcome)

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np

from ..equations.outcome_law import OutcomeLaw
from ..errors import DataError
from .law import Need
from .multinomial import Multinomial, OfCategories, n_categories
from .outcomes import Binomial, Outcome, Poisson

NO_MEAN = "an ordinal outcome has a probability for each category, which predict() gives, and no one mean"
MOST = 30  # categories; more are no rating


@dataclass(frozen=True)
class Ordinal(OfCategories, Binomial):
    """Categories in an order; its rows are two binary ones each (see `hglm.cuts`).

    ``categories``: values of the outcome, ascending; ``cuts`` and ``se_cuts``: delta_2, delta_3, ..., once
    they are estimated.
    """

    categories: tuple[float, ...] = ()
    cuts: tuple[float, ...] = ()
    se_cuts: tuple[float, ...] = ()

    family: ClassVar[str] = "ordinal"
    links: ClassVar[tuple[str, ...]] = ("cumlogit",)
    heading: ClassVar[str] = "Ordinal outcome"
    level_in_words = "the log odds of the lowest category are"
    lacks: ClassVar[Mapping[Need, str]] = {**Binomial.lacks, Need.ONE_MEAN: NO_MEAN}

    @property
    def n_parameters(self) -> int:
        return len(self.cuts)

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(f"{value:g}" for value in self.categories)

    @property
    def direction(self) -> str:
        return "a positive effect makes low categories likelier"

    @property
    def sentence(self) -> str:
        return (
            f"The outcome is ordinal ({', '.join(self.labels)}). Effects are on the log odds of a category "
            "or a lower one: a positive one makes low categories likelier. R's ordinal and MASS have the "
            "opposite sign."
        )

    def check_rows(self, y: np.ndarray, size: np.ndarray, name: str) -> None:
        if (found := n_categories(y, name)) > MOST:
            raise DataError(f"{name} has {found} values, and an ordinal outcome at most {MOST} categories")

    def seen(self, y: np.ndarray) -> Self:
        """Give the law with the categories of outcomes (N,)."""
        return replace(self, categories=tuple(np.unique(y).tolist()))

    def levels(self, y: np.ndarray, size: np.ndarray) -> np.ndarray:
        share = np.cumsum(np.unique(y, return_counts=True)[1])[:-1] / len(y)
        return np.asarray(np.log(share / (1.0 - share)))

    @property
    def fixed_cuts(self) -> np.ndarray:
        return np.array(self.cuts)

    def with_cuts(self, cuts: np.ndarray, se: np.ndarray) -> Self:
        return replace(self, cuts=tuple(cuts.tolist()), se_cuts=tuple(se.tolist()))

    def draw(self, rng: np.random.Generator, predictor: np.ndarray, size: np.ndarray) -> np.ndarray:
        # below delta_m with probability sigma(delta_m + eta)
        latent = rng.logistic(size=len(predictor)) - predictor
        return np.asarray(np.array(self.categories)[np.searchsorted([0.0, *self.cuts], latent)])


def law_of(law: OutcomeLaw) -> Outcome:
    """Give the law of level 1 that a model's words ask for."""
    if law.family == "poisson":
        return Poisson(law.size, law.link)
    if law.family == "multinomial":
        return Multinomial()
    return Ordinal() if law.family == "ordinal" else Binomial(law.size, law.link)
