"""JSON: the oracle's keys, full precision, nothing that is not JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from hlmbayes.report.json_text import document, text
from hlmbayes.report.tables import NoteGroup, Tables
from tests.report.test_text import full, optimum

Printed = Callable[[str], Tables]
MODEL4 = "model4_intercepts_slopes"
ALL = (
    "model1_unconditional",
    "model2_means_as_outcomes",
    "model3_random_coefficients",
    MODEL4,
    "model4_nonrandom_slope",
    "heterogeneous_sigma2",
    "constrained",
    "random_only",
)
# The oracle names the model it compares with; what the seminar computes by hand is not in the listing.
RENAMED = {"variance_covariance_test_against_model4": "variance_covariance_test"}
BY_HAND = {"derived"}


def same(ours: Any, printed: Any, where: str) -> None:
    """Assert that every value the oracle has is ours, text of numbers as numbers."""
    if isinstance(printed, dict):
        for key, value in printed.items():
            same(ours[RENAMED.get(key, key)], value, f"{where}.{key}")
    elif isinstance(printed, list):
        assert len(ours) == len(printed), where
        for k, value in enumerate(printed):
            same(ours[k], value, f"{where}[{k}]")
    elif where.endswith(".p") and printed is not None:
        assert isinstance(ours, float), where
        assert ours > 0.5 if printed == ">.500" else ours == float(printed), where
    elif where.endswith(".loglik"):
        assert ours == float(printed), where
    elif isinstance(printed, str):
        assert ours.casefold() == printed.casefold(), where
    else:
        assert ours == printed, where


@pytest.mark.parametrize("name", ALL)
def test_every_key_and_value_of_the_oracle_is_there(
    printed: Printed, hlm_tables: dict[str, Any], name: str
) -> None:
    tables = printed(name)
    equations = tuple(hlm_tables[name]["equations"])
    tables = replace(tables, header=replace(tables.header, equations=equations))
    results = json.loads(text(tables))
    oracle = {key: value for key, value in hlm_tables[name].items() if key not in BY_HAND}
    same(results, oracle, name)


def strict(text: str) -> Any:
    def refuse(constant: str) -> Any:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)


def test_numbers_that_do_not_exist_are_null(printed: Printed) -> None:
    tables = printed(MODEL4)
    tables = replace(tables, sigma2=math.nan, loglik=-math.inf, tau=((math.nan, 1.0), (1.0, math.inf)))
    results = strict(text(tables))
    assert results["sigma2"] is None
    assert results["loglik"] is None
    assert results["tau"] == [[None, 1.0], [1.0, None]]


def test_precision_is_full(printed: Printed) -> None:
    tables = replace(printed(MODEL4), sigma2=1 / 3, deviance=46501.875642999999)
    results = strict(text(tables))
    assert results["sigma2"] == 1 / 3
    assert results["deviance"] == 46501.875642999999


def test_full_output_and_optimum(printed: Printed) -> None:
    results = document(replace(full(printed(MODEL4)), optimum=optimum(0.049403, 1.837877)))
    assert results["start"]["tau_raw"][1][1] == -0.01614
    assert [row["iteration"] for row in results["iterations"]] == [1, 2]
    assert results["average_ols"] == [12.62075, 2.20164]
    assert results["optimum"]["values"]["Tau SES,B1"] == 0.10131
    assert results["optimum"]["deviance"] == pytest.approx(46503.664117, abs=1e-6)
    assert any("optimum" in note for note in results["notes"])


def test_warnings_and_notes_are_apart(printed: Printed) -> None:
    groups = (NoteGroup("Data", ("7185 rows.",)), NoteGroup("Not converged", ("Stopped.",), warning=True))
    results = document(replace(printed(MODEL4), notes=groups))
    assert results["warnings"] == ["Stopped."]
    assert results["notes"] == ["7185 rows."]


def test_several_hypotheses_are_all_there(printed: Printed) -> None:
    tables = printed(MODEL4)
    results = document(replace(tables, hypotheses=tables.hypotheses * 2))
    assert results["general_linear_hypothesis"]["contrasts"] == {"g01": [1, 0], "g11": [0, 1]}
    assert len(results["general_linear_hypotheses"]) == 2
