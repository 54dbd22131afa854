"""Laws of level 1 that are not normal: binary, binomial and count outcomes, row by row.

Given the linear predictor eta each law says log density, its slope and its curvature in eta; what estimates
or samples needs no more (McCullagh & Nelder 1989, ch. 2). Constants that hold no parameter are included, so
that deviances are comparable with those of other programs (lme4, glmmTMB, Stata).
"""

# ruff: noqa: D102 (what the methods give is said once, in Outcome)

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from scipy import special

from ..data.two_level import TwoLevelData
from ..errors import DataError
from ..likelihood.design import Design
from . import binomial_links
from .binomial_links import FAR, INVERSE, LATENT, LATENT_SD, LINK, MANY, MANY_COUNTS, ROWS, SLOPE, Rows
from .law import Law, Need, SingleRowsError, check_units

MOST_COUNTED = 1e12
LARGEST_MEAN = 1e15  # of a simulated count: beyond it not every whole number is a float


@dataclass(frozen=True)
class Outcome(Law):
    """Rows of an exponential family about a linear predictor; no level-1 variance is estimated.

    ``size``: the variable with each row's number of trials or its exposure; None where it is 1.
    """

    size: str | None = None

    family: ClassVar[str]
    links: ClassVar[tuple[str, ...]]
    never: ClassVar[str]  # in words, what separated outcomes are like
    level_in_words: ClassVar[str] = "the link of the outcome's mean is"
    link_name: str = ""
    lacks: ClassVar[Mapping[Need, str]] = dict.fromkeys(
        (Need.ONE_SIGMA2, Need.ESTIMATED_SIGMA2, Need.ROWS_ALIKE),
        "the outcome is not normal, and its level-1 variance follows from its mean",
    )
    of_normal = False
    one_sigma2 = False

    @property
    def n_parameters(self) -> int:
        return 0

    @property
    def direction(self) -> str:
        """What effects are of, or what a positive one does, where it is not plain."""
        return ""

    @property
    def columns(self) -> tuple[str, ...]:
        return () if self.size is None else (self.size,)

    @property
    def given(self) -> tuple[object, ...]:
        return (self.family, self.link_name, self.size)

    @property
    def labels(self) -> tuple[str, ...]:
        """The categories of the outcome as they are shown, once they are found; none where it has a mean."""
        return ()

    def against(self, category: str) -> str:
        """Say what the equations of a category are of, where each has its own."""
        return category

    def check(self, design: Design) -> None:
        check_units(design)

    def valued(self, outcome: str, values: Mapping[float, Any]) -> str:
        """Give the outcome's name and, in brackets, what its values mean, where they have these labels."""
        each = ", ".join(f"{code:g} {values[code]}" for code in self.codes if code in values)
        return f"{outcome} ({each})" if each else outcome

    @property
    def codes(self) -> tuple[float, ...]:
        """The values of the outcome that stand for something else, ascending; none where it is a number."""
        return ()

    def row_sizes(self, data: TwoLevelData, row: np.ndarray) -> np.ndarray:
        """Give the trials or the exposure of rows, ``row`` (N,) their places; 1 where there are none."""
        if self.size is None:
            return np.ones(len(row))
        return np.asarray(np.asarray(data.level1_column(self.size), dtype=float)[row])

    def check_rows(self, y: np.ndarray, size: np.ndarray, name: str) -> None:
        """Refuse outcomes that the law cannot give, in one line: DataError."""
        raise NotImplementedError

    def offset(self, size: np.ndarray) -> np.ndarray:
        """Give what is added to the linear predictor of each row, (N,)."""
        return np.zeros_like(size)

    def counts(self, size: np.ndarray) -> np.ndarray:
        """Give what of each row is summed with its outcome where rows are equal, (N,): its trials, or 1."""
        return size

    @property
    def far(self) -> tuple[float, float]:
        """The linear predictors that working outcomes go to: beyond them a row weighs nothing."""
        raise NotImplementedError

    @property
    def fixed_cuts(self) -> np.ndarray:
        """The estimated cuts between categories, (T,), where it has any."""
        return np.zeros(0)

    def with_cuts(self, cuts: np.ndarray, se: np.ndarray) -> Self:
        """Give the law with estimated cuts between categories and their standard errors, where it has any."""
        return self

    @property
    def fixed_categories(self) -> np.ndarray:
        """The categories of the outcome, (K,), where it has any."""
        return np.zeros(0)

    @property
    def of_categories(self) -> Outcome:
        """The law of one category, of ratings or a lower one, where there are any; else the law itself."""
        return self

    def expected(self, outcome: str, size: str | None, values: Mapping[float, Any]) -> str:
        """Say what the mean is of an outcome and a size of these names, its values having these labels."""
        raise NotImplementedError

    def slope(self, predictor: np.ndarray) -> np.ndarray:
        """Give the derivative of the mean in the linear predictor."""
        raise NotImplementedError

    def near(self, y: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """Give a mean near a row's own outcome, of which the link is finite."""
        raise NotImplementedError

    def constant(self, y: np.ndarray, size: np.ndarray) -> np.ndarray:
        """Give the part of each row's log density that has no parameter in it, (N,); `top` is in it."""
        return np.zeros_like(y)

    def top(self, y: np.ndarray, size: np.ndarray) -> np.ndarray:
        """Give what `rows` leaves out beside, (R,): a density's greatest value, where digits are lost."""
        return np.zeros_like(size)

    def rows(self, eta: np.ndarray, y: np.ndarray, size: np.ndarray) -> Rows:
        """Give log density (without its constant), its slope in eta and minus its second derivative.

        ``eta`` (..., N); ``y`` and ``size`` (N,) are sums over rows of one eta: all three are linear in them.
        """
        raise NotImplementedError

    def distribution(self, mean: np.ndarray, y: np.ndarray, size: np.ndarray) -> np.ndarray:
        """Give P(Y <= y) of rows at their mean, of one trial or one unit of exposure, (N,)."""
        raise NotImplementedError

    def draw(self, rng: np.random.Generator, predictor: np.ndarray, size: np.ndarray) -> np.ndarray:
        """Simulate outcomes of rows at their linear predictor, offset left out, (..., N)."""
        raise NotImplementedError

    def levels(self, y: np.ndarray, size: np.ndarray) -> np.ndarray:
        """Give the link of the mean outcome, of one trial or one unit of exposure; more of them with cuts."""
        return np.array([float(self.link(np.asarray(y.sum() / size.sum())))])

    @property
    def unit_of_link(self) -> tuple[float, str]:
        """The sd of a row on the scale of the link, and how it is written: the scale of default priors."""
        raise NotImplementedError

    def latent_variance(self, mean: float) -> float:
        """Give a row's variance on the scale of the link, ``mean`` being the mean of all (Nakagawa 2017)."""
        raise NotImplementedError

    def ways(self, y: np.ndarray, size: np.ndarray) -> np.ndarray:
        """Say where the log density rises for ever with eta (1), falls for ever (-1), or has a top (0), (N,).

        ``y`` and ``size`` (N,) are sums over equal rows.
        """
        raise NotImplementedError

    def least_variance(self, predictor: np.ndarray) -> float:
        """Give the smallest variance of rows at their linear predictors: it is zero where one is certain."""
        return float(self.variance(self.inverse_link(predictor)).min())

    def value(self, eta: np.ndarray, y: np.ndarray, size: np.ndarray) -> np.ndarray:
        """Give the log density alone."""
        return self.rows(eta, y, size)[0]


@dataclass(frozen=True)
class Binomial(Outcome):
    """Successes in trials; without ``size`` one trial a row, which is Bernoulli's law."""

    link_name: str = "logit"

    family: ClassVar[str] = "binomial"
    links: ClassVar[tuple[str, ...]] = ("logit", "probit", "cloglog")
    never = "on one side of it all are successes or all failures"

    @property
    def codes(self) -> tuple[float, ...]:
        return (0.0, 1.0) if self.size is None else ()

    @property
    def far(self) -> tuple[float, float]:
        return FAR[self.link_name]

    @property
    def sentence(self) -> str:
        what = "one trial a row" if self.size is None else f"{self.size} trials a row"
        law = "Bernoulli" if self.size is None else "binomial"
        return f"The outcome is {law} ({what}), {self.link_name} link."

    def check_rows(self, y: np.ndarray, size: np.ndarray, name: str) -> None:
        if self.size is None:
            if not np.isin(y, (0.0, 1.0)).all():
                odd = np.unique(y[~np.isin(y, (0.0, 1.0))])[:3]
                raise DataError(
                    f"a Bernoulli outcome is 0 or 1 in every row, and {name} is also "
                    f"{', '.join(f'{v:g}' for v in odd)}: recode it, or say trials= for successes in trials"
                )
        else:
            _whole(size, self.size, "trials", least=1)
            _whole(y, name, "successes")
            if (y > size).any():
                k = int(np.flatnonzero(y > size)[0])
                raise DataError(
                    f"{name} is {y[k]:g} where {self.size} is {size[k]:g}: more successes than trials"
                )
        if not (y > 0).any() or not (y < size).any():
            raise DataError(
                f"{name} is {'never' if not (y > 0).any() else 'always'} a success: nothing can be explained"
            )

    def constant(self, y: np.ndarray, size: np.ndarray) -> np.ndarray:
        return np.zeros_like(y) if self.size is None else binomial_links.log_choices(y, size, self.link_name)

    def top(self, y: np.ndarray, size: np.ndarray) -> np.ndarray:
        return binomial_links.top_of_trials(y, size, self.link_name)

    def distribution(self, mean: np.ndarray, y: np.ndarray, size: np.ndarray) -> np.ndarray:
        return np.asarray(np.where(y < 0, 0.0, special.bdtr(np.maximum(y, 0.0), size.astype(int), mean)))

    def draw(self, rng: np.random.Generator, predictor: np.ndarray, size: np.ndarray) -> np.ndarray:
        return np.asarray(rng.binomial(size.astype(np.int64), self.inverse_link(predictor)), dtype=float)

    @property
    def unit_of_link(self) -> tuple[float, str]:
        return LATENT[self.link_name] ** 0.5, LATENT_SD[self.link_name]

    def latent_variance(self, mean: float) -> float:
        return LATENT[self.link_name]

    def ways(self, y: np.ndarray, size: np.ndarray) -> np.ndarray:
        return np.where(y == size, 1.0, np.where(y == 0, -1.0, 0.0))

    def expected(self, outcome: str, size: str | None, values: Mapping[float, Any]) -> str:
        if size is None:
            return f"probability ({outcome} = {values.get(1.0, 1)})"
        return f"probability of a success ({outcome} of {size[:1].lower()}{size[1:]})"

    def check(self, design: Design) -> None:
        super().check(design)
        if self.size is None and design.n_random and design.n_rows <= design.n_units:
            raise SingleRowsError(
                "every unit has a single row of one trial: nothing tells variance between units from chance"
            )

    def rows(self, eta: np.ndarray, y: np.ndarray, size: np.ndarray) -> Rows:
        return ROWS[self.link_name](eta, y, size)

    def value(self, eta: np.ndarray, y: np.ndarray, size: np.ndarray) -> np.ndarray:
        logit = self.link_name == "logit"
        return binomial_links.logit_value(eta, y, size) if logit else super().value(eta, y, size)

    def link(self, mean: np.ndarray) -> np.ndarray:
        return np.asarray(LINK[self.link_name](mean))

    def inverse_link(self, predictor: np.ndarray) -> np.ndarray:
        return np.asarray(INVERSE[self.link_name](predictor))

    def variance(self, mean: np.ndarray) -> np.ndarray:
        return np.asarray(mean * (1.0 - mean))

    def slope(self, predictor: np.ndarray) -> np.ndarray:
        return np.asarray(SLOPE[self.link_name](predictor))

    def near(self, y: np.ndarray, counts: np.ndarray) -> np.ndarray:
        return (y + 0.5) / (counts + 1.0)


@dataclass(frozen=True)
class Poisson(Outcome):
    """Counts; ``size`` is the exposure, whose logarithm is added to the linear predictor."""

    link_name: str = "log"

    family: ClassVar[str] = "poisson"
    links: ClassVar[tuple[str, ...]] = ("log",)
    never = "on one side of it all counts are 0"

    @property
    def far(self) -> tuple[float, float]:
        return -30.0, 60.0

    @property
    def sentence(self) -> str:
        per = "" if self.size is None else f", per {self.size} of exposure"
        return f"The outcome is a Poisson count, log link{per}."

    def check_rows(self, y: np.ndarray, size: np.ndarray, name: str) -> None:
        _whole(y, name, "counts")
        if not (size > 0).all():
            wrong = size[~(size > 0)]
            raise DataError(
                f"the exposure {self.size} must be above 0 in every row: it is {wrong[0]:g} "
                f"(such rows: {len(wrong):,})"
            )
        if not (y > 0).any():
            raise DataError(f"{name} is 0 in every row: nothing can be explained")

    def offset(self, size: np.ndarray) -> np.ndarray:
        return np.log(size)

    def counts(self, size: np.ndarray) -> np.ndarray:
        return np.ones_like(size)

    def constant(self, y: np.ndarray, size: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore"):  # Stirling's series where the difference would have no digits
            large = -0.5 * np.log(2.0 * np.pi * y) - 1.0 / (12.0 * np.maximum(y, 1.0))
        own = special.xlogy(y, y) - y - special.gammaln(y + 1.0)
        return np.asarray(np.where(y > MANY_COUNTS, large, own))

    def top(self, y: np.ndarray, size: np.ndarray) -> np.ndarray:
        return np.asarray(special.xlogy(y, y / size) - y)

    def distribution(self, mean: np.ndarray, y: np.ndarray, size: np.ndarray) -> np.ndarray:
        return np.asarray(np.where(y < 0, 0.0, special.pdtr(np.maximum(y, 0.0), mean * size)))

    def draw(self, rng: np.random.Generator, predictor: np.ndarray, size: np.ndarray) -> np.ndarray:
        mean = size * np.exp(np.minimum(predictor, MANY))
        return np.asarray(rng.poisson(np.minimum(mean, LARGEST_MEAN)), dtype=float)

    @property
    def unit_of_link(self) -> tuple[float, str]:
        return 1.0, "1"  # of a logarithm, whatever the mean: its latent sd goes to 0 as counts grow

    def expected(self, outcome: str, size: str | None, values: Mapping[float, Any]) -> str:
        each = "" if size is None else f" per unit of {size[:1].lower()}{size[1:]}"
        return f"expected count of {outcome}{each}"

    def latent_variance(self, mean: float) -> float:
        return float(np.log1p(1.0 / mean))

    def ways(self, y: np.ndarray, size: np.ndarray) -> np.ndarray:
        return np.where(y == 0, -1.0, 0.0)

    def rows(self, eta: np.ndarray, y: np.ndarray, size: np.ndarray) -> Rows:
        mean = size * np.exp(np.minimum(eta, MANY))
        from_top = eta - np.log(np.where(y > 0, y, 1.0) / np.where(y > 0, size, 1.0))
        return y * from_top - (mean - y), y - mean, mean

    def link(self, mean: np.ndarray) -> np.ndarray:
        return np.log(mean)

    def inverse_link(self, predictor: np.ndarray) -> np.ndarray:
        return np.exp(predictor)

    def variance(self, mean: np.ndarray) -> np.ndarray:
        return mean

    def slope(self, predictor: np.ndarray) -> np.ndarray:
        return np.exp(predictor)

    def near(self, y: np.ndarray, counts: np.ndarray) -> np.ndarray:
        return y + 0.1


def _whole(values: np.ndarray, name: str, what: str, least: int = 0) -> None:
    bad = (values < least) | (values != np.floor(values))
    if bad.any():
        raise DataError(
            f"{what} are whole numbers of at least {least}, and {name} is {values[bad][0]:g} "
            f"(such rows: {int(bad.sum()):,}): correct them, or leave them out"
        )
    if (values > MOST_COUNTED).any():
        raise DataError(
            f"{what} are at most {MOST_COUNTED:g}, beyond which the likelihood has no digits, and {name} "
            f"is {values.max():g}: take a normal model of its logarithm"
        )
