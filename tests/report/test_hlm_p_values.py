"""Every p-value HLM 6.08 printed in the seminar, from the statistic it printed beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from scipy.special import chdtrc, ndtr, stdtr

from hlmbayes.report.hlm_p_values import chi2_p_value, t_p_value, z_p_value

TABLES = json.loads((Path(__file__).parents[1] / "oracles" / "hlm608_tables.json").read_text())
TESTS = (
    "homogeneity_of_level1_variance",
    "general_linear_hypothesis",
    "variance_covariance_test_against_model4",
    "model_comparison",
    "user_model_comparison",
)


def printed() -> Iterator[tuple[float, str]]:
    for table in TABLES.values():
        for row in (*table["fixed"], *table["fixed_robust"]):
            yield t_p_value(row["t"], row["df"]), row["p"]
        for row in (*table["variance_components"], *(table[name] for name in TESTS if name in table)):
            if row["chi2"] is not None:
                yield chi2_p_value(row["chi2"], row["df"]), row["p"]
        for row in table.get("alpha", []):
            yield z_p_value(row["z"]), row["p"]


def test_every_printed_p_value_is_reproduced() -> None:
    pairs = list(printed())
    assert len(pairs) == 89
    for p, text in pairs:
        assert (">.500" if p > 0.5 else f"{p:.{len(text) - 2}f}") == text


@pytest.mark.parametrize("t", [-6.0, -3.1, -1.0, 0.0, 0.5, 2.0, 4.0])
def test_they_are_close_to_the_truth(t: float) -> None:
    assert z_p_value(t) == pytest.approx(2 * ndtr(-abs(t)), abs=5.1e-4)
    assert t_p_value(t, 50) == pytest.approx(2 * stdtr(50, -abs(t)), abs=1e-3)
    assert chi2_p_value(10 + t, 10) == pytest.approx(chdtrc(10, 10 + t), abs=2e-3)


@pytest.mark.parametrize("df", [2, 5, 22, 99])
@pytest.mark.parametrize("t", [0.3, 2.0, 6.0])
def test_where_degrees_of_freedom_are_few_a_t_ratio_has_its_accurate_p_value(df: int, t: float) -> None:
    assert t_p_value(t, df) == pytest.approx(2.0 * stdtr(df, -t), rel=1e-12)
