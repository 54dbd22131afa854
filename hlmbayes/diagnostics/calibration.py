"""Calibration: observed against expected outcomes in groups of rows whose expected outcomes are alike.

Rows of a unit are not independent, and given a unit's u its own outcomes are used twice, so that neither the
binomial distribution nor Hosmer and Lemeshow's chi-square holds. What chance gives is simulated instead: data
drawn from the fit with new random effects, estimated again by one step of Newton, and grouped the same way
(parametric bootstrap; Davison & Hinkley 1997, ch. 4).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from ..arguments import seed_or_none, whole
from ..errors import HypothesisError
from ..hglm.estimates import GeneralizedEstimates
from ..hglm.replicas import near_fits
from ..labelled import table
from ..labels import Sentence
from ..laws.law import Need
from ..likelihood.pattern import elements
from ..residuals.quantities import refuse_repeated
from ..words import p_text
from .events import Event, Laid, events_of, laid

if TYPE_CHECKING:
    import pandas as pd

type Given = Literal["units", "equations"]
BAND = (0.025, 0.975)
FEWEST = 20  # simulated data sets for a band and a p-value


@dataclass(frozen=True, slots=True)
class Group:
    """Rows with like expected outcomes; means per trial of a binomial outcome, else per row.

    ``of``: whose probability it is where the outcome has categories, "rating <= 2", else empty. ``low``
    and ``high``: where the observed mean lies in 95 of 100 data sets if the model holds.
    """

    given: Given
    of: str
    group: int
    n_rows: int
    n_units: int
    expected: float
    observed: float
    low: float
    high: float

    @property
    def outside(self) -> bool:
        """Whether the observed mean is not where chance puts it."""
        return not self.low <= self.observed <= self.high


@dataclass(frozen=True, slots=True, repr=False)
class Calibration(Sentence):
    """Groups given each unit's u ("units") and averaged over u ("equations"), and the test of each.

    ``chi2`` and ``p_value`` by what is given: the sum over groups of squared standardised differences, and
    the share of ``n_simulated`` data sets in which it is as large. It has no chi-square distribution.
    """

    groups: tuple[Group, ...]
    chi2: dict[Given, float]
    p_value: dict[Given, float]
    n_simulated: int
    outcome: str

    def frame(self) -> pd.DataFrame:
        """Tabulate the groups: given, of, group, n_rows, n_units, expected, observed, low, high, outside."""
        fields = (*Group.__slots__, "outside")
        columns = {name: [getattr(group, name) for group in self.groups] for name in fields}
        return table(columns, range(len(self.groups)))

    @property
    def sentences(self) -> tuple[str, ...]:
        """What each grouping says, in words."""
        return tuple(self._said(given) for given in self.p_value)

    def _said(self, given: Given) -> str:
        own = [group for group in self.groups if group.given == given]
        far = sum(group.outside for group in own)
        name = f"the share of {', '.join(dict.fromkeys(g.of for g in own))}" if own[0].of else self.outcome
        what = {
            "units": "given each unit's random effects (what the model says of rows within units)",
            "equations": "averaged over random effects (what the equations say, the unit unknown)",
        }[given]
        return (
            f"{what}, {name} lies outside its 95 % band in {far} of {len(own)} groups; all groups "
            f"together: {p_text(self.p_value[given])} ({self.n_simulated} data sets simulated from the fit)."
        )

    def __str__(self) -> str:
        return "\n".join(f"{text[0].upper()}{text[1:]}" for text in self.sentences)


def calibration(
    fit: GeneralizedEstimates, groups: int = 10, *, n: int = 199, seed: int | None = 1
) -> Calibration:
    """Compare observed with expected outcomes in groups of rows with like expected outcomes.

    Of an ordinal outcome it is the probability of a category or a lower one: groups are made at each cut, and
    the test is of all together.

    Parameters
    ----------
    groups : int
        How many of about equal size; fewer where expected outcomes take few values.
    n : int
        Data sets to simulate, for bands and p-values.
    seed : int, optional
        Of the simulation.

    Returns
    -------
    Calibration
        ``frame()`` has the groups, printing it what they say.

    Raises
    ------
    HypothesisError
        Fewer than two groups, fewer than 20 data sets, or categories without an order.
    """
    whole("groups", groups, 2, HypothesisError)
    whole("n, the number of simulated data sets,", n, FEWEST, HypothesisError)
    seed_or_none(seed, HypothesisError)
    fit.require("calibration", Need.ONE_EQUATION)
    refuse_repeated(fit)
    given: tuple[Given, ...] = ("units", "equations") if fit.design.n_random else ("equations",)
    rows, events = laid(fit), events_of(fit)
    ways = {each: [_Grouping(fit, each, groups, event, rows) for event in events] for each in given}
    taus, simulated = [], []
    for each in near_fits(fit, n, seed):
        taus.append((each.tau_values - fit.tau_values)[elements(fit.design.pattern)])
        simulated.append([[way.differences(each) for way in own] for own in ways.values()])
    if len(simulated) < FEWEST:
        raise HypothesisError("hardly any simulated data set could be estimated: simplify the model")
    shift, found = np.array(taus), []
    for own, sets in zip(ways.values(), zip(*simulated, strict=True), strict=True):
        moved = [at_one_tau(np.array(differences), shift) for differences in zip(*sets, strict=True)]
        found.append(_compared(fit, own, moved))
    return Calibration(
        tuple(group for each in found for group in each.groups),
        {each: one.chi2 for each, one in zip(given, found, strict=True)},
        {each: one.p_value for each, one in zip(given, found, strict=True)},
        len(simulated), fit.model.outcome,
    )  # fmt: skip


class Compared(NamedTuple):
    """What the groups of one kind say: lines, the sum of squares over them and its p-value."""

    groups: tuple[Group, ...]
    chi2: float
    p_value: float


def _compared(fit: GeneralizedEstimates, ways: list[_Grouping], sets: list[np.ndarray]) -> Compared:
    """Compare groups with the differences in simulated data, (S, G) for each way to group."""
    groups = [way.groups(fit, own) for way, own in zip(ways, sets, strict=True)]
    own = np.concatenate([way.differences(fit) for way in ways])
    chi2 = sums_of_squares(np.vstack([own, np.concatenate(sets, axis=1)]))
    lines = tuple(group for each in groups for group in each)
    return Compared(lines, float(chi2[0]), float(np.mean(chi2 >= chi2[0])))


class _Grouping:
    """Rows in groups of expected outcomes; the bounds are those of the fit, for simulated data too.

    Expected outcomes are averaged over what is not known of u: given "units" by their posterior, else by tau.
    """

    def __init__(
        self, fit: GeneralizedEstimates, given: Given, groups: int, event: Event, rows: Laid
    ) -> None:
        self.given, self.event, self.rows = given, event, rows
        self.known = rows.unit if given == "units" else np.full(len(rows.unit), -1)
        self.bounds = bounds_of(self.means(fit), groups)

    def means(self, fit: GeneralizedEstimates) -> np.ndarray:
        """Give expected outcomes per trial or row, (N,)."""
        return self.event.expected(fit, self.rows, self.known)

    def sums(self, fit: GeneralizedEstimates) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Give each row's group (N,), and the sums of expected and observed outcomes in each, (G,)."""
        means, y = self.means(fit), self.event.observed(fit, self.rows)
        group = np.searchsorted(self.bounds, means)
        G = len(self.bounds) + 1
        return group, np.bincount(group, means * self.rows.trials, G), np.bincount(group, y, G)

    def differences(self, fit: GeneralizedEstimates) -> np.ndarray:
        """Give observed minus expected sums of outcomes, (G,)."""
        _, expected, observed = self.sums(fit)
        return np.asarray(observed - expected)

    def groups(self, fit: GeneralizedEstimates, sets: np.ndarray) -> tuple[Group, ...]:
        """Give the groups, with bands of the differences in simulated data, (S, G)."""
        group, expected, observed = self.sums(fit)
        G = len(expected)
        size = np.bincount(group, self.rows.trials, G)
        least, most = self.event.limits(fit)
        low, high = np.clip((expected + np.quantile(sets, BAND, axis=0)) / size, least, most)
        pairs = np.unique(np.column_stack([group, self.rows.unit]), axis=0)
        counts = (np.bincount(each, minlength=G) for each in (group, pairs[:, 0]))
        means = (expected / size, observed / size, low, high)
        lines = zip(*(column.tolist() for column in (*counts, *means)), strict=True)
        return tuple(Group(self.given, self.event.label, k, *line) for k, line in enumerate(lines, 1))


def at_one_tau(differences: np.ndarray, change: np.ndarray) -> np.ndarray:
    """Take off differences (S, G) what they owe, linearly, to another tau, ``change`` (S, m) of its elements.

    The smaller tau the more is u shrunk, and so the differences given u follow their own tau.
    """
    columns = np.column_stack([np.ones(len(change)), change])
    return np.asarray(differences - change @ np.linalg.lstsq(columns, differences, rcond=1e-9)[0][1:])


def sums_of_squares(differences: np.ndarray) -> np.ndarray:
    """Give the sum of squared standardised differences (S, G) of each data set, the fit's own among them."""
    spread = differences.std(axis=0)
    spread = np.where(spread > 0, spread, np.inf)
    return np.asarray(np.sum(((differences - differences.mean(axis=0)) / spread) ** 2, axis=1))


def bounds_of(values: np.ndarray, groups: int) -> np.ndarray:
    """Give bounds between ``groups`` groups of about equal size, midway between values that differ."""
    ranked = np.sort(values)
    places = (len(ranked) * np.arange(1, groups)) // groups
    last = np.searchsorted(
        ranked, ranked[places] - 1e-9 * np.abs(ranked[places]).max()
    )  # first of its equals
    last = np.unique(last[last > 0])
    return np.asarray(0.5 * (ranked[last - 1] + ranked[last]))
