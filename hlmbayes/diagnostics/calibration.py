"""Calibration: observed against expected outcomes in groups of rows whose expected outcomes are alike.

Rows of a unit are not independent, and given a unit's u its own outcomes are used twice, so that neither the
binomial distribution nor Hosmer and Lemeshow's chi-square holds. What chance gives is simulated instead: data
drawn from the fit with new random effects, estimated again by one step of Newton, and grouped the same way
(parametric bootstrap; Davison & Hinkley 1997, ch. 4).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from ..arguments import seed_or_none, whole
from ..errors import HypothesisError
from ..hglm.estimates import GeneralizedEstimates
from ..hglm.replicas import near_fits
from ..labelled import table
from ..labels import Sentence
from ..likelihood.pattern import elements
from ..likelihood.rows import outcome_values
from ..residuals.quantities import refuse_repeated
from ..words import p_text
from .events import Events, Laid, events_of, laid

if TYPE_CHECKING:
    import pandas as pd

type Given = Literal["units", "equations"]
BAND = (0.025, 0.975)
FEWEST = 20  # simulated data sets for a band and a p-value


@dataclass(frozen=True, slots=True)
class Group:
    """Rows with like expected outcomes; means per trial of a binomial outcome, else per row.

    ``of``: whose probability it is where the outcome has categories, "rating <= 2" or "choice = 2", else
    empty. ``low`` and ``high``: where the observed mean lies in 95 of 100 data sets if the model holds.
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
    ``source``: where these are from, in words.
    """

    groups: tuple[Group, ...]
    chi2: dict[Given, float]
    p_value: dict[Given, float]
    n_simulated: int
    outcome: str
    source: str

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
            f"together: {p_text(self.p_value[given])} ({self.n_simulated} data sets {self.source})."
        )

    def __str__(self) -> str:
        return "\n".join(f"{text[0].upper()}{text[1:]}" for text in self.sentences)


def calibration(
    fit: GeneralizedEstimates, groups: int = 10, *, n: int = 199, seed: int | None = 1
) -> Calibration:
    """Compare observed with expected outcomes in groups of rows with like expected outcomes.

    Of an ordinal outcome it is the probability of a category or a lower one, of categories without an order
    that of each: groups are made for each, and the test is of all together.

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
        Fewer than two groups, or fewer than 20 data sets.
    """
    whole("groups", groups, 2, HypothesisError)
    whole("n, the number of simulated data sets,", n, FEWEST, HypothesisError)
    seed_or_none(seed, HypothesisError)
    refuse_repeated(fit)
    given: tuple[Given, ...] = ("units", "equations") if fit.design.n_random else ("equations",)
    rows, events = laid(fit.design, fit.data, fit.law), events_of(fit.law, fit.model.outcome)
    known = {"units": rows.unit, "equations": np.full(len(rows.unit), -1)}
    ways = {each: Grouping(events, rows, events.of_fit(fit, rows, known[each]), groups) for each in given}
    taus, simulated = [], []
    for each in near_fits(fit, n, seed):
        taus.append((each.tau_values - fit.tau_values)[elements(fit.design.pattern)])
        y = outcome_values(each.design, each.data, rows.row)
        simulated.append(
            [way.differences(events.of_fit(each, rows, known[of]), y) for of, way in ways.items()]
        )
    if len(simulated) < FEWEST:
        raise HypothesisError("hardly any simulated data set could be estimated: simplify the model")
    shift = np.array(taus)
    sets = {
        of: at_one_tau(np.array(own), shift)
        for of, own in zip(ways, zip(*simulated, strict=True), strict=True)
    }
    return of_sets(ways, sets, fit.model.outcome, "simulated from the fit")


def of_sets(
    ways: Mapping[Given, Grouping], sets: Mapping[Given, np.ndarray], outcome: str, source: str
) -> Calibration:
    """Compare groups with the differences in new data, (S, G) for each way to group."""
    chi2, p_value = {}, {}
    for given, way in ways.items():
        squares = sums_of_squares(np.vstack([way.differences(way.means, way.rows.y), sets[given]]))
        chi2[given], p_value[given] = float(squares[0]), float(np.mean(squares >= squares[0]))
    lines = tuple(line for given, way in ways.items() for line in way.groups(given, sets[given]))
    return Calibration(lines, chi2, p_value, len(next(iter(sets.values()))), outcome, source)


class Grouping:
    """Rows in groups of expected outcomes, of each event its own; the bounds hold for new data too.

    ``means`` (N, E): expectations per trial or row, averaged over what is not known of u.
    """

    def __init__(self, events: Events, rows: Laid, means: np.ndarray, groups: int) -> None:
        self.events, self.rows, self.means = events, rows, means
        self.bounds = [bounds_of(own, groups) for own in means.T]

    def sums(self, means: np.ndarray, y: np.ndarray) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Give of each event rows' groups (N,), and sums of expected and observed outcomes in these, (G,)."""
        found = []
        for own, seen, bounds in zip(means.T, self.events.observed(y).T, self.bounds, strict=True):
            group, G = np.searchsorted(bounds, own), len(bounds) + 1
            found.append((group, np.bincount(group, own * self.rows.trials, G), np.bincount(group, seen, G)))
        return found

    def differences(self, means: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Give observed minus expected sums of outcomes, (G,), of all events one after another."""
        return np.concatenate([observed - expected for _, expected, observed in self.sums(means, y)])

    def groups(self, given: Given, sets: np.ndarray) -> list[Group]:
        """Give the groups, with bands of the differences in new data, (S, G)."""
        lines: list[Group] = []
        least, most = self.events.limits
        each = zip(self.events.labels, self.sums(self.means, self.rows.y), strict=True)
        for label, (group, expected, observed) in each:
            G = len(expected)
            size = np.bincount(group, self.rows.trials, G)
            band = np.quantile(sets[:, len(lines) : len(lines) + G], BAND, axis=0)
            low, high = np.clip((expected + band) / size, least, most)
            pairs = np.unique(np.column_stack([group, self.rows.unit]), axis=0)
            counts = (np.bincount(of, minlength=G) for of in (group, pairs[:, 0]))
            columns = (*counts, expected / size, observed / size, low, high)
            own = zip(*(column.tolist() for column in columns), strict=True)
            lines += [Group(given, label, k, *line) for k, line in enumerate(own, 1)]
        return lines


def at_one_tau(differences: np.ndarray, change: np.ndarray) -> np.ndarray:
    """Take off differences (S, G) what they owe, linearly, to another tau, ``change`` (S, m) of its elements.

    The smaller tau the more is u shrunk, and so the differences given u follow their own tau. What is left is
    as wide as a new set lies about the line, which few sets are nearer to than that.
    """
    columns = np.column_stack([np.ones(len(change)), change])
    inverse = np.linalg.pinv(columns, rcond=1e-9)
    left = differences - columns @ (slopes := inverse @ differences)
    own, new = np.einsum("sm,ms->s", columns, inverse), float(inverse[0] @ inverse[0])
    wider = np.sqrt((1.0 + new) / np.maximum(1.0 - own, 1e-9))  # 1 - own is 0 where a set makes its own line
    return np.asarray(slopes[0] + left * wider[:, None])


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
