"""What each effect says, in one sentence: differences between cases that are alike on everything else.

Every sentence is made from differences of two rows of the equations, (L_b - L_a) gamma, so that it holds
whatever the signs, the centring, the coding of a factor or the products a variable is in. Two rows differ in
one variable; the others are where `_reference` puts them. What is told is kept beside the words, as a `Told`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import floor, log10
from typing import Any, NamedTuple

import numpy as np

from ..data.columns import find_column
from ..data.two_level import TwoLevelData
from ..errors import DataError, HLMError
from ..estimation.estimates import Estimates
from ..hglm.estimates import GeneralizedEstimates
from ..hypotheses.contrasts import contrast
from ..predictions.reference import Variable, grid, variables

ALIKE = 1e-9  # of what a row's columns are, below which two differences are one
FIGURES = 3  # significant digits of a number in a sentence
MOST_LEVELS = 12  # of a factor that is told in full


class Difference(NamedTuple):
    """How much higher the expected outcome is at values ``to`` than at ``start``; its limits, its p-value."""

    start: Mapping[str, Any]
    to: Mapping[str, Any]
    estimate: float
    low: float
    high: float
    p: float


@dataclass(frozen=True, slots=True)
class Told:
    """A sentence on one variable ("" of the intercept), and the differences it tells, in their order.

    Without differences it says why there is nothing to tell.
    """

    variable: str
    sentence: str
    differences: tuple[Difference, ...]


def sentences(fit: Estimates, prob: float = 0.95) -> tuple[Told, ...]:
    """Say what the intercept and each variable of the model mean; nothing where there are no rows."""
    if not isinstance(fit.data, TwoLevelData) or not fit.design.n_fixed:
        return ()
    try:
        teller = Teller(fit, prob)
    except HLMError:
        return ()
    return every_told(teller)


def every_told(teller: Teller) -> tuple[Told, ...]:
    """Say what the intercept and each variable mean, each by itself."""
    found = [teller.intercept()]
    for key in teller.order:
        try:
            found += teller.variable(key)
        except HLMError as error:
            found.append(Told(teller.known[key].name, f"{teller.name(key)} is not told: {error}", ()))
    return tuple(told for told in found if told is not None)


class Teller:
    """Knows a fit's variables, where they are held, and which change the difference another makes."""

    def __init__(self, fit: Estimates | GeneralizedEstimates, prob: float) -> None:
        self.fit, self.prob = fit, prob
        self.data = fit.data
        assert isinstance(self.data, TwoLevelData)
        self.known = variables(fit.design, self.data)
        model = fit.design.terms.written or fit.model
        of_model = [c.predictor for c in model.coefficients] + [g.predictor for g in model.gammas]
        self.spelled = {name.lower(): name for predictor in of_model for name in predictor.names}
        self.held = {key: _reference(v) for key, v in self.known.items()}
        level1 = [k for k, v in self.known.items() if self._level(v) == 1]
        self.sizes = self._sizes()
        self.reach = {key: self._reach(key) for key in self.known}
        self.order = [*level1, *(k for k in self.known if k not in level1)]
        self.told: set[frozenset[str]] = set()
        named = self.data.labels.get(fit.model.outcome.lower(), "")
        self.outcome = fit.model.outcome if not named else f"{named} ({fit.model.outcome})"

    def _level(self, variable: Variable) -> int:
        assert isinstance(self.data, TwoLevelData)
        found = find_column(variable.name, self.data.level1, self.data.sources[0])
        return 2 if found is None else 1

    # --- numbers

    def _reach(self, key: str) -> float:
        """Give the step in which a number is tried: one, less where its columns end (a spline's knots)."""
        x, at = self.known[key], self.held[key]
        if x.levels:
            return 1.0
        try:
            self.rows([{key: at + 2.0}])
        except DataError:
            return float(x.values.max() - at) / 2.0
        return 1.0

    def rows(self, at: Sequence[Mapping[str, Any]]) -> np.ndarray:
        """Give what the fixed effects multiply in rows with values ``at``, the others held, (n, n_gamma)."""
        values = {key: [{**self.held, **one}[key] for one in at] for key in self.known}
        return grid(self.fit.design, self.known, values, len(at), self.data)

    def steps(self, pairs: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> np.ndarray:
        """Give L of the differences between the second and the first of each pair, (n, n_gamma)."""
        found = self.rows([end for pair in pairs for end in pair])
        steps = np.asarray(found[1::2] - found[::2])
        # of a variable held at its mean the grand mean may leave the rounding: that is no effect
        return np.where(np.abs(steps) > ALIKE * self.sizes, steps, 0.0)

    def _sizes(self) -> np.ndarray:
        """Give how large each fixed effect's column gets about, (n_gamma,)."""
        most = max([2, *(len(v.levels) for v in self.known.values())])
        ends = [
            {k: v.levels[i % len(v.levels)] if v.levels else v.values.max() if i % 2 else v.values.min()
             for k, v in self.known.items()}
            for i in range(2 * most)
        ]  # fmt: skip
        return np.abs(self.rows(ends)).max(axis=0)

    def estimated(self, pairs: Sequence[tuple[dict[str, Any], dict[str, Any]]]) -> list[Difference]:
        """Estimate differences, with limits where they have a standard error."""
        matrix = self.steps(pairs)
        gamma = np.asarray(self.fit.gamma)
        found = []
        for (start, to), row in zip(pairs, matrix, strict=True):
            low = high = p = float("nan")
            if np.any(row):
                try:
                    c = contrast(self.fit, row[None], prob=self.prob)
                    low, high, p = float(c.low[0]), float(c.high[0]), float(c.p_value[0])
                except HLMError:
                    pass
            every = ({**self.held, **start}, {**self.held, **to})
            found.append(Difference(*every, float(row @ gamma), low, high, p))
        return found

    def differs(self, one: np.ndarray, other: np.ndarray) -> bool:
        """Whether two rows of L are not the same."""
        return bool(np.abs(one - other).max() > ALIKE * max(1.0, np.abs(one).max(), np.abs(other).max()))

    # --- words

    def name(self, key: str) -> str:
        """Name a variable by its label and its name."""
        variable = self.known[key]
        assert isinstance(self.data, TwoLevelData)
        label = self.data.labels.get(key, "")
        same = not label or label.lower() == variable.name.lower()
        return self.spelled[key] if same else f"{label} ({self.spelled[key]})"

    def value(self, key: str, value: Any) -> str:
        """Say a value of a factor or of a variable with two values: "sector = Catholic"."""
        variable = self.known[key]
        assert isinstance(self.data, TwoLevelData)
        labels = {} if variable.levels else self.data.value_labels.get(key, {})
        return f"{self.spelled[key]} = {labels.get(value, value if variable.levels else f'{value:g}')}"

    def place(self, key: str) -> str:
        """Say where a variable is held."""
        variable, at = self.known[key], self.held[key]
        if variable.levels or two(variable):
            return self.value(key, at)
        if variable.deviations:
            return f"{self.spelled[key]} at the unit's mean"
        return f"{self.spelled[key]} at its mean ({signed(at)})"

    # --- sentences

    def intercept(self) -> Told | None:
        """Say what the outcome is where every variable is held."""
        row = self.rows([{}])[0]
        if not np.any(row):
            return None
        value = float(row @ np.asarray(self.fit.gamma))
        found = contrast(self.fit, row[None], prob=self.prob)
        low, high = float(found.low[0]), float(found.high[0])
        where = f" with {listed([self.place(key) for key in self.known])}" if self.known else ""
        text = (
            f"The expected {self.outcome} is {signed(value)}{where} "
            f"({100 * self.prob:g} % interval {signed(low)} to {signed(high)})."
        )
        here = dict(self.held)
        return Told("", text, (Difference({}, here, value, low, high, float("nan")),))

    def variable(self, key: str) -> list[Told]:
        """Say what a variable's values, or one unit more of it, go with."""
        x = self.known[key]
        if x.levels:
            own = self.fit.design.terms.columns_with(key)
            if len(x.levels) > MOST_LEVELS or not own:
                return []
            return [t for level in x.levels[1:] if (t := self.step(key, x.levels[0], level)) is not None]
        if two(x):
            low, high = np.unique(x.values).tolist()
            told = self.step(key, low, high)
        else:
            told = self.step(key, self.held[key], self.held[key] + 1.0)
        return [] if told is None else [told]

    def step(self, key: str, start: Any, to: Any) -> Told | None:
        """Tell the difference between two values, and what others change in it."""
        x = self.known[key]
        straight = x.levels or two(x) or self._straight(key)
        if not straight:
            to = start + float(x.values.std(ddof=1))
            if self.reach[key] < 1.0:  # no farther than its columns go
                to = min(to, float(x.values.max()))
        base = ({key: start}, {key: to})
        own = self.steps([base])[0]
        moderators = [
            k for k in self.known
            if k != key and any(self.differs(own, row) for row in self._moved(base, k))
        ]  # fmt: skip
        if not np.any(own) and not moderators:
            return None
        first = self.estimated([base])[0]
        name = f"One unit more in {self.name(key)}"
        if x.deviations:
            name += ", counted from the unit's mean,"
        if not straight:
            name = f"{self.name(key)} of {signed(to)} instead of {signed(start)}"
            name += ", deviations from the unit's mean," if x.deviations else ""
        if x.levels or two(x):
            label = self.name(key)
            before = "" if label == x.name else f"{label}: "
            name = f"{before}{self.value(key, to)}, compared with {self.value(key, start)},"
        at = f" with {listed([self.place(k) for k in moderators])}" if moderators else ""
        parts = [f"{name} {self.goes_with(first)}{at}{self.limits(first)}"]
        differences = [first]
        for k in moderators:
            if frozenset((key, k)) in self.told:
                continue
            self.told.add(frozenset((key, k)))
            said, more = self.moderated(key, base, k, first)
            parts += said
            differences += more
        bend = "" if straight else " The effect is no straight line: it is another elsewhere."
        text = "; ".join(parts) + "." + bend + self.besides(base)
        return Told(x.name, text, tuple(differences))

    def goes_with(self, first: Difference) -> str:
        """Say what a difference in a variable goes with."""
        return f"goes with an expected {self.outcome} that is {amount(first)}"

    def amount(self, d: Difference) -> str:
        """Say how large a difference is."""
        return amount(d)

    def change(self, before: Difference, after: Difference) -> str:
        """Say how much another difference is more or less."""
        return change(before.estimate, after.estimate)

    def besides(self, base: tuple[dict[str, Any], dict[str, Any]]) -> str:
        """Say what else there is to a step from the first to the second of two places."""
        return ""

    def moderated(
        self, key: str, base: tuple[dict[str, Any], dict[str, Any]], k: str, first: Difference
    ) -> tuple[list[str], list[Difference]]:
        """Tell how another variable changes a difference."""
        moved = self._moved(base, k)
        own = self.steps([base])[0]
        other = self.known[k]
        if other.levels or two(other):
            values = other.levels[1:] if other.levels else np.unique(other.values)[1:].tolist()
            if len(values) > MOST_LEVELS:
                return [f"it also depends on {self.name(k)}"], []
            pairs = [tuple({**end, k: value} for end in base) for value in values]
            found = self.estimated(pairs)  # type: ignore[arg-type]
            said = [
                f"with {self.value(k, value)} it is {self.amount(d)}{self.change(first, d)}"
                for value, d in zip(values, found, strict=True)
            ]
            return said, found
        if self.differs(moved[1] - moved[0], moved[0] - own):
            return [f"it also depends on {self.name(k)}, not in a straight line"], []
        more = self.estimated([tuple({**end, k: self.held[k] + 1.0} for end in base)])  # type: ignore[list-item]
        by = more[0].estimate - first.estimate
        unit = f"one unit more in {self.name(k)}"
        if not figures(by):
            return [f"{unit} hardly changes this"], more
        return [f"with {unit} it is {self.amount(more[0])}{self.change(first, more[0])}"], more

    def limits(self, d: Difference) -> str:
        """Say the interval of a difference, and that it leaves the direction open where it does."""
        if d.low != d.low:
            return ""
        text = f" ({100 * self.prob:g} % interval {signed(d.low)} to {signed(d.high)}"
        return text + (", which leaves the direction open)" if d.low < 0 < d.high else ")")

    def _moved(self, base: tuple[dict[str, Any], dict[str, Any]], k: str) -> np.ndarray:
        """Give L of a step at other values of another variable, one or two units more or its levels."""
        other = self.known[k]
        values = other.levels or (np.unique(other.values).tolist() if two(other) else ())
        values = values or (self.held[k] + self.reach[k], self.held[k] + 2.0 * self.reach[k])
        return self.steps([({**base[0], k: v}, {**base[1], k: v}) for v in values])

    def _straight(self, key: str) -> bool:
        at, h = self.held[key], self.reach[key]
        one, two_ = self.steps([({key: at}, {key: at + h}), ({key: at + h}, {key: at + 2.0 * h})]) / h
        return not self.differs(one, two_)


def _reference(variable: Variable) -> Any:
    """Give where a variable is held: its first level, the lower of two values, the unit's mean, its mean."""
    if variable.levels:
        return variable.levels[0]
    if variable.deviations:
        return 0.0
    return float(variable.values.min()) if two(variable) else float(variable.values.mean())


def two(variable: Variable) -> bool:
    """Whether it is a number with two values, not counted from the unit's mean."""
    return not variable.levels and not variable.deviations and len(np.unique(variable.values)) == 2


def figures(value: float) -> str:
    """Write the size of a number with three significant digits, whole beyond; "" for nothing at all."""
    size = abs(value)
    if not np.isfinite(size) or size < 1e-12:
        return ""
    if size < 1e-4 or size >= 1e9:
        return f"{size:.2e}"
    return f"{size:.{max(0, FIGURES - 1 - floor(log10(size)))}f}"


def signed(value: float) -> str:
    """Write a number with a true minus sign."""
    text = figures(value) or "0"
    return f"\N{MINUS SIGN}{text}" if value < 0 and text != "0" else text


def amount(d: Difference) -> str:
    """Say "2.94 higher" or "1.64 lower"; "no higher and no lower" of nothing."""
    text = figures(d.estimate)
    return f"{text} {'higher' if d.estimate > 0 else 'lower'}" if text else "no higher and no lower"


def change(before: float, after: float) -> str:
    """Say by how much the second difference is more or less than the first."""
    text = figures(after - before)
    if not text:
        return ", which is the same"
    if before > 0 and after > 0:
        return f", which is {text} {'more' if after > before else 'less'}"
    return f", a change of {'+' if after > before else chr(0x2212)}{text}"


def listed(parts: Sequence[str]) -> str:
    """Join parts of a sentence."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
