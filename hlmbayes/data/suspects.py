"""Values that look like missing codes and are taken for numbers: -99 among test scores from 0 to 60.

What is suspected has a label that says "no answer", or looks like a code and is far from all other values.
Ordinary variables have no such values: scores up to 100 with a 99, years, ids.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..words import some
from .missing import count_of

_REPEATED = [float(digit * n) for digit in "789" for n in range(2, 7)]  # 77, 888, 9999, ...
_REFUSALS = [97.0, 98.0, 997.0, 998.0, 9997.0, 9998.0]
NEGATIVE = frozenset([-7.0, -8.0, -9.0, *(-code for code in (*_REPEATED, *_REFUSALS))])
POSITIVE = frozenset([9.0, *_REPEATED, *_REFUSALS])
MOST_CODES = 4  # at one end of a column
FEW = 5  # other values: fewer say nothing
MANY = 10  # different values, as scores have
ENOUGH = 20  # other values from which a single 99 is seen to be none of them
SAMPLE = 10_000
AN_ID = re.compile(
    r"(?i:(^|[_. ])(id|ids|nr|no|number|code|key)([_. ]|\d*$)|"
    r"^(student|pupil|school|class|teacher|person|subject|case)[_. ]?(id|nr|no|)$)|[a-z]ID$"
)
NO_ANSWER = re.compile(
    r"\W*(missing|no answer|not answered|no response|refused|refusal|not applicable|not available|"
    r"n\.?\s?/?a\.?|unknown|invalid|keine angabe|k\.\s?a\.|fehlend|sans r[ée]ponse|sin respuesta)(\W|$)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Suspect:
    """A value of a variable that looks like a missing code."""

    name: str
    code: float
    count: int
    label: str = ""

    def __str__(self) -> str:
        label = f' ("{self.label}")' if self.label else ""
        return f"{self.name}: {count_of(self.count)} of {self.code:.15g}{label}"


def suspects(
    columns: Iterable[tuple[str, np.ndarray]], value_labels: Mapping[str, Mapping[Any, str]]
) -> tuple[Suspect, ...]:
    """Find the values that look like missing codes; ``value_labels`` are by lower-case name."""
    found: list[Suspect] = []
    for name, values in columns:
        if values.dtype.kind not in "iuf" or not len(values):
            continue
        labelled = _labelled(name, values, value_labels.get(name.lower(), {}))
        known = {suspect.code for suspect in labelled}
        found += labelled
        found += [Suspect(name, code, n) for code, n in _outside(values, name) if code not in known]
    return tuple(found)


def sentence(found: Iterable[Suspect]) -> str:
    """Say what is suspected and how it is made missing."""
    found = tuple(found)
    shown = [f"{code:.15g}" for code in sorted({suspect.code for suspect in found})]
    first, own = found[0].name, f"{found[0].code:.15g}"
    return (
        f"These look like missing codes and are taken for numbers: {some(found)}. If nothing was measured "
        f"there, say missing=[{', '.join(shown)}] (--missing {','.join(shown)}), or by variable, "
        f'missing={{"{first}": [{own}]}} (--missing {first}={own})'
    )


def _labelled(name: str, values: np.ndarray, labels: Mapping[Any, str]) -> list[Suspect]:
    found = []
    for code, label in labels.items():
        if isinstance(code, int | float) and NO_ANSWER.match(str(label)):
            n = int(np.count_nonzero(values == code))
            found += [Suspect(name, float(code), n, str(label))] if n else []
    return found


def _outside(values: np.ndarray, name: str) -> list[tuple[float, int]]:
    """Give the codes at the ends of a column that are far from its other values, and how many there are."""
    low, high = values.min(), values.max()  # in half the time, where no value is missing
    if np.isnan(low):
        low, high = np.fmin.reduce(values), np.fmax.reduce(values)
    if float(low) not in NEGATIVE and float(high) not in POSITIVE:
        return []
    here = values[np.isfinite(values)]
    ends: dict[float, int] = {}
    rest = here
    for codes, end in ((NEGATIVE, np.min), (POSITIVE, np.max)):
        for _ in range(MOST_CODES):
            if not len(rest) or (code := float(end(rest))) not in codes:
                break
            ends[code] = int(np.count_nonzero(rest == code))
            rest = rest[rest != code]
    while True:  # what is no code is one of the other values
        rest = here[~np.isin(here, list(ends))].astype(np.float64)
        kept = {c: n for c, n in ends.items() if len(rest) >= FEW and _far(c, n, rest, name)}
        if len(kept) == len(ends):
            return list(kept.items())
        ends = kept


def _far(code: float, count: int, rest: np.ndarray, name: str) -> bool:
    """Judge a code against the values that are none."""
    low, high = float(rest.min()), float(rest.max())
    spread, digits = high - low, len(f"{abs(code):.0f}")
    if spread == 0:
        return False
    some_of_them = rest[:: max(1, len(rest) // SAMPLE)]
    whole = bool(np.all(some_of_them == np.floor(some_of_them)))
    distinct = len(np.unique(some_of_them))
    scale = (
        distinct >= MANY or distinct > (spread + 1) / 2
    )  # 1 2 3 4 5, a score; not 0 6 12, when it was measured
    if digits < 3 and not scale:
        return False
    if code < 0:
        gap = low - code
        if low < 0 and digits == 1:
            return distinct >= MANY and count > 1 and gap > (spread if whole else spread / 4)
        score = low >= 0 and distinct >= MANY and (digits > 1 or count > 1)
        return gap > spread or score or (not whole and count > 1 and gap > spread / 4)
    gap = code - high
    if whole and (AN_ID.search(name) or (count == 1 and len(np.unique(rest)) == len(rest) > ENOUGH)):
        return False
    if digits == 1:
        return whole and low in (0, 1) and count > 2 and gap >= max(spread, 3)
    if digits == 2:
        near = count > 1 and gap >= max(spread, 10) and len(rest) >= 2 * FEW
        return near or (gap >= 5 * spread and len(rest) >= ENOUGH)
    return gap >= 2 * spread
