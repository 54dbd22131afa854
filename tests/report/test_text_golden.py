"""The text made from the numbers HLM printed is the listing HLM printed, line by line, column by column."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from hlmbayes.report.tables import Tables
from hlmbayes.report.text import hlm_part

# The seminar writes the variables' names now in lower, now in upper case (within one listing, too).
NAMES = re.compile(r"\b(intrcpt1|meanses|mathach|ses|sector|female)\b", re.IGNORECASE)


def upper_names(lines: list[str]) -> list[str]:
    return [NAMES.sub(lambda match: match[0].upper(), line) for line in lines]


def golden(folder: Path, name: str) -> list[str]:
    return upper_names((folder / "listings" / f"{name}.txt").read_text(encoding="utf-8").splitlines())


def single_blanks(lines: list[str]) -> list[str]:
    return [line for i, line in enumerate(lines) if line.strip() or (i and lines[i - 1].strip())]


def filled(lines: list[str]) -> list[str]:
    return [line for line in lines if line.strip()]


@pytest.mark.parametrize(
    ("file", "model"),
    [
        ("model1", "model1_unconditional"),
        ("model2", "model2_means_as_outcomes"),
        ("model4", "model4_intercepts_slopes"),
    ],
)
def test_whole_listing_is_hlms(
    oracles: Path, printed: Callable[[str], Tables], file: str, model: str
) -> None:
    tables = replace(printed(model), hypotheses=(), homogeneity=None)
    ours, hlms = single_blanks(hlm_part(tables)), single_blanks(golden(oracles, file))
    if file == "model2":  # the web page lost the first blank of this listing
        hlms[0] = " " + hlms[0]
    assert ours == hlms


# What a real listing has and the seminar's extract of it leaves out, between its first and its last line.
OUTCOME = {" The outcome variable is  MATHACH", "The outcome variable is  MATHACH"}
STOP = "Iterations stopped due to small change in likelihood function"
CUT_OUT = {
    "model3": OUTCOME,
    "nonrandom_slope": OUTCOME,
    "heterogeneous": set(),
    "constrained": set(),
    "random_only": OUTCOME | {" " + "-" * 78, STOP, "******* ITERATION 289 *******"},
    "hypothesis": set(),
    "homogeneity": set(),
}


@pytest.mark.parametrize(
    ("file", "model"),
    [
        ("model3", "model3_random_coefficients"),
        ("nonrandom_slope", "model4_nonrandom_slope"),
        ("heterogeneous", "heterogeneous_sigma2"),
        ("constrained", "constrained"),
        ("random_only", "random_only"),
        ("hypothesis", "model4_intercepts_slopes"),
        ("homogeneity", "model4_intercepts_slopes"),
    ],
)
def test_extract_of_a_listing_is_hlms(
    oracles: Path, printed: Callable[[str], Tables], file: str, model: str
) -> None:
    hlms = filled(golden(oracles, file))
    ours = filled(hlm_part(printed(model)))
    start = next(i for i, line in enumerate(ours) if line.strip() == hlms[0].strip())
    hlms[0] = ours[start]  # leading blanks of an extract's first line are the web page's, not HLM's
    extra, position = [], start
    for line in hlms:
        assert line in ours[position:], f"not in our listing (or not in this place): {line!r}"
        found = ours.index(line, position)
        extra += ours[position:found]
        position = found + 1
    assert set(extra) <= CUT_OUT[file], extra
