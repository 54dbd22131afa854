"""Reads the report's sentences as a person would: the words alone, and what they claim of predictions.

Nothing of what made a sentence is used. A variable that a sentence does not name may have any value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest

NUMBER = r"\N{MINUS SIGN}?\d+(?:\.\d+)?(?:e[+-]\d+)?"
PLACE = rf"(\w+) (?:at its mean \(({NUMBER})\)|at (the unit's mean)|= (\w+))"
AMOUNT = rf"(?:(?P<size>{NUMBER}) (?P<way>higher|lower)|(?P<none>no higher and no lower))"
INTERVAL = (
    rf"(?: \(95 % interval (?P<low>{NUMBER}) to (?P<high>{NUMBER})"
    r"(?P<open>, which leaves the direction open)?\))?"
)
HEAD = (
    r"^(?:One unit more in (?P<one>\w+)(?:, counted from the unit's mean,)?"
    rf"|(?P<bent>\w+) of (?P<to>{NUMBER}) instead of (?P<start>{NUMBER})"
    r"(?:, deviations from the unit's mean,)?"
    r"|(?P<kind>\w+) = (?P<level>\w+), compared with \w+ = (?P<base>\w+),)"
    rf" goes with an expected y that is {AMOUNT}(?: with (?P<places>.*?))?{INTERVAL}(?:;|\.$|\. The)"
)
CHANGE = (
    rf"(?:, which is (?P<by>{NUMBER}) (?P<more>more|less)|, which is (?P<same>the same)"
    rf"|, a change of (?P<change>[+\N{{MINUS SIGN}}]{NUMBER}))"
)
MODERATED = (
    rf"; with (?:(?P<kind>\w+) = (?P<level>\w+)|one unit more in (?P<one>\w+)) it is {AMOUNT}{CHANGE}"
    r"|; one unit more in (?P<hardly>\w+) hardly changes this"
    r"|; it also depends on (?P<depends>\w+)(?:, (?P<bent>not in a straight line))?"
)
BEND = "The effect is no straight line: it is another elsewhere."

Predict = Callable[[Mapping[str, Any]], float]
Pair = tuple[dict[str, Any], dict[str, Any]]


def number(text: str) -> float:
    """Read a number with its true minus sign."""
    return float(text.replace("\N{MINUS SIGN}", "-").replace("+", ""))


def value(text: str) -> Any:
    """Read a level or a number."""
    return number(text) if re.fullmatch(NUMBER, text) else text


@dataclass(frozen=True)
class Reader:
    """What a reader knows: the ``rows``, which variables count from the unit's mean, and the predictions."""

    rows: pd.DataFrame
    deviations: frozenset[str]
    predict: Predict
    rng: np.random.Generator

    def mean(self, name: str) -> float:
        return 0.0 if name in self.deviations else float(self.rows[name].mean())

    def anywhere(self, names: set[str]) -> dict[str, Any]:
        """Take any row's values of the variables that are not named."""
        row = self.rows.iloc[int(self.rng.integers(len(self.rows)))].to_dict()
        others = {str(name): row[name] for name in self.rows if name not in names | {"id", "y"}}
        return {k: float(self.rng.normal()) if k in self.deviations else v for k, v in others.items()}

    def places(self, text: str | None) -> dict[str, Any]:
        """Read where other variables are held, and that the means said are those of the rows."""
        found = {}
        for name, mean, deviation, level in re.findall(PLACE, text or ""):
            if mean:
                close(number(mean), self.mean(name))
            found[name] = value(level) if level else 0.0 if deviation else self.mean(name)
        return found

    def difference(self, pair: Pair, at: Mapping[str, Any]) -> float:
        """Predict the difference of two cases, others as they are said, or anywhere."""
        named = {**at, **pair[0]}
        some = self.anywhere(set(named))
        low, high = ({**some, **at, **end} for end in pair)
        return self.predict(high) - self.predict(low)

    def read(self, sentence: str) -> None:
        """Hold a sentence on a variable against the predictions."""
        head = re.match(HEAD, sentence)
        assert head is not None, sentence
        at = self.places(head["places"])
        pair = self.pair(head)
        found = self.difference(pair, at)
        as_said(head, found)
        if head["low"]:
            low, high = number(head["low"]), number(head["high"])
            close(found, (low + high) / 2.0, least=2e-2 * (high - low))
            assert bool(head["open"]) == (low < 0 < high)
        assert (BEND in sentence) == bool(head["bent"])
        rest = sentence[head.end() - 1 :].removesuffix(f" {BEND}").removesuffix(".").rstrip(".")
        told = list(re.finditer(MODERATED, sentence))
        assert sum(len(part.group()) for part in told) == (len(rest) if rest.startswith(";") else 0), sentence
        for part in told:
            self.moderated(part, pair, at, found)

    def pair(self, head: re.Match[str]) -> Pair:
        """Give the two cases that the head of a sentence compares."""
        if head["kind"]:
            return {head["kind"]: value(head["base"])}, {head["kind"]: value(head["level"])}
        name = head["one"] or head["bent"]
        start = self.mean(name)
        if head["one"]:
            start += float(self.rng.normal())  # a straight line is one everywhere
            return {name: start}, {name: start + 1.0}
        own = self.rows[name]
        own = own - own.groupby(self.rows["id"]).transform("mean") if name in self.deviations else own
        to = number(head["to"])
        end = min((start + float(own.std(ddof=1)), float(own.max())), key=lambda v: abs(v - to))
        close(number(head["start"]), start)
        close(to, end)
        return {name: start}, {name: end}

    def moderated(
        self,
        part: re.Match[str],
        pair: Pair,
        at: Mapping[str, Any],
        first: float,
    ) -> None:
        """Hold what another variable changes against the predictions."""
        if part["kind"]:
            second = self.difference(pair, {**at, part["kind"]: value(part["level"])})
        elif part["one"] or part["hardly"]:
            name = part["one"] or part["hardly"]
            second = self.difference(pair, {**at, name: at[name] + 1.0})
        else:
            name = part["depends"]
            assert name in at
            if part["bent"]:
                return
            second = first
        if part["hardly"]:
            assert second == pytest.approx(first, abs=1e-9)
        elif part["kind"] or part["one"]:
            as_said(part, second)
            changed(part, first, second)


def close(got: float, wanted: float, least: float = 1e-12) -> None:
    """Hold a number of three digits against the one it rounds."""
    assert got == pytest.approx(wanted, rel=6e-3, abs=least)


def as_said(said: re.Match[str], found: float) -> None:
    """Hold "2.94 higher" against a difference."""
    if said["none"]:
        assert abs(found) < 1e-9
        return
    assert said["way"] == ("higher" if found > 0 else "lower"), (said.group(), found)
    close(number(said["size"]), abs(found))


def changed(said: re.Match[str], first: float, second: float) -> None:
    """Hold "which is 1.64 less" against two differences."""
    least = 1e-9
    if said["same"]:
        assert second == pytest.approx(first, abs=least)
    elif said["by"]:
        assert min(first, second) > 0  # of what is lower, more and less would be ambiguous
        assert said["more"] == ("more" if second > first else "less")
        close(number(said["by"]), abs(second - first), least)
    else:
        close(number(said["change"]), second - first, least)
