"""What is expected and observed of rows, for calibration: the outcome, or an ordinal one's cuts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..hglm.averages import of_own
from ..hglm.estimates import GeneralizedEstimates
from ..hglm.fitted_rows import plain_rows
from ..laws.binomial_links import MANY
from ..laws.ordinal import Ordinal
from ..likelihood.rows import outcome_values, rows_of


class Laid(NamedTuple):
    """N rows: place in the data, unit, trials or exposure, and trials, else 1, (N,) each.

    ``x`` (N, F) and ``z`` (N, q) are what fixed and random effects multiply.
    """

    row: np.ndarray
    unit: np.ndarray
    size: np.ndarray
    trials: np.ndarray
    x: np.ndarray
    z: np.ndarray


def laid(fit: GeneralizedEstimates) -> Laid:
    """Lay out every row that was analysed."""
    rows = rows_of(fit.design, fit.data)
    keep = np.isin(rows.row, plain_rows(fit).row)  # complete in trials or exposure, too
    size = fit.law.row_sizes(fit.data, rows.row[keep])
    return Laid(rows.row[keep], rows.unit[keep], size, fit.law.counts(size), rows.x[keep], rows.z[keep])


class Event(ABC):
    """What is looked at of every row; ``label`` says of which categories, where there are any."""

    label: str = ""

    @abstractmethod
    def expected(self, fit: GeneralizedEstimates, rows: Laid, known: np.ndarray) -> np.ndarray:
        """Give its expectation per trial or row, (N,), given u of the units ``known``; -1 is none of them."""

    @abstractmethod
    def observed(self, fit: GeneralizedEstimates, rows: Laid) -> np.ndarray:
        """Give it of the outcomes in a fit's data, (N,)."""

    @abstractmethod
    def limits(self, fit: GeneralizedEstimates) -> np.ndarray:
        """Give what its expectation lies between, (2,)."""


class WholeOutcome(Event):
    """The outcome itself, per trial or row."""

    def expected(self, fit: GeneralizedEstimates, rows: Laid, known: np.ndarray) -> np.ndarray:
        """Give its mean."""
        return np.asarray(of_own(fit, rows.x, rows.z, known) * rows.size / rows.trials)

    def observed(self, fit: GeneralizedEstimates, rows: Laid) -> np.ndarray:
        """Give it as it is, summed over trials."""
        return outcome_values(fit.design, fit.data, rows.row)

    def limits(self, fit: GeneralizedEstimates) -> np.ndarray:
        """Give what a mean can be."""
        return fit.law.inverse_link(np.array([-MANY, MANY]))


@dataclass(frozen=True)
class AtMost(Event):
    """A category of an ordinal outcome or a lower one; ``place`` is that of its cut, from 0."""

    place: int
    highest: float
    label: str

    def expected(self, fit: GeneralizedEstimates, rows: Laid, known: np.ndarray) -> np.ndarray:
        """Give its probability."""
        return of_own(fit, rows.x, rows.z, known, np.r_[0.0, fit.law.fixed_cuts][self.place])

    def observed(self, fit: GeneralizedEstimates, rows: Laid) -> np.ndarray:
        """Say whether it occurs."""
        return np.asarray(outcome_values(fit.design, fit.data, rows.row) <= self.highest, dtype=float)

    def limits(self, fit: GeneralizedEstimates) -> np.ndarray:
        """Give what a probability can be."""
        return np.array([0.0, 1.0])


def events_of(fit: GeneralizedEstimates) -> tuple[Event, ...]:
    """Give what is looked at: the outcome, or every cut of an ordinal one."""
    if not isinstance(fit.law, Ordinal):
        return (WholeOutcome(),)
    categories = zip(fit.law.categories, fit.law.labels, strict=True)
    below = [AtMost(k, v, f"{fit.model.outcome} <= {label}") for k, (v, label) in enumerate(categories)]
    return tuple(below[:-1])
