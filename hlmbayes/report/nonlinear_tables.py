"""What a listing of penalised quasi-likelihood prints beside `Tables`, as plain values."""

from __future__ import annotations

from dataclasses import dataclass

from ..equations.model import OutcomeLaw
from ..inference.likelihood_tables import WORDS
from .tables import FixedRow, Header, Tables


@dataclass(frozen=True, slots=True)
class RatioRow:
    """exp of one gamma with its 95 % interval."""

    row: FixedRow
    ratio: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Effects:
    """The fixed effects of one model, unit-specific or population-average, with both kinds of errors.

    ``ratios`` are of both; empty where exp(gamma) means nothing, as with a probit link.
    """

    fixed: tuple[FixedRow, ...]
    fixed_robust: tuple[FixedRow, ...]
    ratios: tuple[RatioRow, ...]
    ratios_robust: tuple[RatioRow, ...]


@dataclass(frozen=True, slots=True)
class MacroRow:
    """One macro iteration: its micro iterations, sigma2 and tau after it, the change of the predictor."""

    number: int
    micro: int
    sigma2: float
    tau: tuple[tuple[float, ...], ...]
    change: float


@dataclass(frozen=True, slots=True)
class Likelihood:
    """The same model by the likelihood, or by Laplace's approximation of it."""

    how: str  # the random effects were integrated out
    fixed: tuple[FixedRow, ...]
    tau: tuple[tuple[float, ...], ...]
    deviance: float
    n_parameters: int


@dataclass(frozen=True, slots=True)
class Nonlinear:
    """Everything a listing of penalised quasi-likelihood prints.

    ``tables`` are those of the last linearised model, its fixed effects the unit-specific ones.
    """

    tables: Tables
    law: OutcomeLaw
    written: Header  # of the equations: those of category m, where each category has its own
    categories: tuple[str, ...]  # of the outcome, where it has any
    most_macro: int
    macro: tuple[MacroRow, ...]
    unit_specific: Effects
    population_average: Effects | None  # None where HLM is not known to print it
    likelihood: Likelihood | None = None  # None where there is none, or nobody asked for it
    laplace: Likelihood | None = None

    @property
    def ratio(self) -> str:
        """What exp of a fixed effect is called; "" where it is nothing."""
        return WORDS.get(self.law.link, "")
