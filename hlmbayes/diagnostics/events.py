"""What is expected and observed of rows, for calibration: the outcome, or the shares of categories."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..data.two_level import TwoLevelData
from ..hglm.estimates import GeneralizedEstimates
from ..laws.binomial_links import MANY
from ..laws.multinomial import Multinomial
from ..laws.ordinal import Ordinal
from ..laws.outcomes import Outcome
from ..likelihood.design import Design
from ..likelihood.rows import analysed_rows, rows_of
from ..predictions.expected import own_averages


class Laid(NamedTuple):
    """N rows: place in the data, unit, outcome, trials or exposure, and trials, else 1, (N,) each.

    ``x`` (N, F) and ``z`` (N, q) are what fixed and random effects multiply.
    """

    row: np.ndarray
    unit: np.ndarray
    y: np.ndarray
    size: np.ndarray
    trials: np.ndarray
    x: np.ndarray
    z: np.ndarray


def laid(design: Design, data: TwoLevelData, law: Outcome) -> Laid:
    """Lay out every row that was analysed."""
    rows = rows_of(design, data)
    keep = np.isin(rows.row, analysed_rows(design, data, law.columns)[0])  # complete in trials, exposure
    size = law.row_sizes(data, rows.row[keep])
    return Laid(
        rows.row[keep], rows.unit[keep], rows.y[keep], size, law.counts(size), rows.x[keep], rows.z[keep]
    )


@dataclass(frozen=True)
class Events(ABC):
    """What is looked at of every row, E of them; ``labels`` say of which categories, "" without any."""

    law: Outcome
    labels: tuple[str, ...]

    @abstractmethod
    def expected(self, means: np.ndarray, rows: Laid) -> np.ndarray:
        """Give expectations per trial or row, (N, E), of expected outcomes or probabilities (N, K)."""

    @abstractmethod
    def observed(self, y: np.ndarray) -> np.ndarray:
        """Give what outcomes (..., N) are of them, (..., N, E)."""

    @property
    def limits(self) -> np.ndarray:
        """Give what an expectation lies between, (2,)."""
        return np.array([0.0, 1.0])

    def of_fit(self, fit: GeneralizedEstimates, rows: Laid, known: np.ndarray) -> np.ndarray:
        """Give expectations, (N, E), given u of the units ``known``; -1 is none of them."""
        return self.expected(own_averages(fit, rows.x, rows.z, known), rows)


class WholeOutcome(Events):
    """The outcome itself, per trial or row."""

    def expected(self, means: np.ndarray, rows: Laid) -> np.ndarray:
        """Give its mean."""
        return np.asarray(means * (rows.size / rows.trials)[:, None])

    def observed(self, y: np.ndarray) -> np.ndarray:
        """Give it as it is, summed over trials."""
        return y[..., None]

    @property
    def limits(self) -> np.ndarray:
        """Give what a mean can be."""
        return self.law.inverse_link(np.array([-MANY, MANY]))


class AtMost(Events):
    """Each category of an ordinal outcome but the last, or a lower one."""

    def expected(self, means: np.ndarray, rows: Laid) -> np.ndarray:
        """Give their probabilities."""
        return np.cumsum(means, axis=1)[:, :-1]

    def observed(self, y: np.ndarray) -> np.ndarray:
        """Say whether they occur."""
        return np.asarray(y[..., None] <= self.law.fixed_categories[:-1], dtype=float)


class Each(Events):
    """Each category of an outcome without an order."""

    def expected(self, means: np.ndarray, rows: Laid) -> np.ndarray:
        """Give their probabilities."""
        return means

    def observed(self, y: np.ndarray) -> np.ndarray:
        """Say which occurs."""
        return np.asarray(y[..., None] == self.law.fixed_categories, dtype=float)


def events_of(law: Outcome, outcome: str) -> Events:
    """Give what is looked at: the outcome, every cut of an ordinal one, every category without an order."""
    if isinstance(law, Ordinal):
        return AtMost(law, tuple(f"{outcome} <= {label}" for label in law.labels[:-1]))
    if isinstance(law, Multinomial):
        return Each(law, tuple(f"{outcome} = {label}" for label in law.labels))
    return WholeOutcome(law, ("",))
