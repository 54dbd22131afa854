"""The tests a command file asks for reach the listing, with what should be known about them."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from scipy.special import chdtrc

from hlmbayes import Fit
from hlmbayes.estimation.estimate import fit
from hlmbayes.estimation.estimates import Estimates
from hlmbayes.hlm_files.command_options import Options
from hlmbayes.report.hlm_p_values import chi2_p_value
from hlmbayes.runs.asked import asked_tests
from tests.small import model, small


def fitted(name: str = "slopes", **options: Any) -> Estimates:
    return fit(model(name), small(3, 20).data(), **({"algorithm": "hlm"} | options))


def test_nothing_asked_nothing_done() -> None:
    asked = asked_tests(fitted(), Options())
    assert (asked.hypotheses, asked.comparison, asked.homogeneity) == ((), None, None)
    assert (asked.notes, asked.warnings) == ((), ())


def test_a_hypothesis_is_the_wald_test_with_the_robust_covariance() -> None:
    result = fitted()
    rows = ((0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0))
    asked = asked_tests(result, Options(hypotheses=(rows, rows[:1])))
    c = np.array(rows)
    estimate = c @ np.asarray(result.gamma)
    chi2 = estimate @ np.linalg.solve(c @ Fit(result).vcov_robust @ c.T, estimate)
    first, second = asked.hypotheses
    assert first.test.chi2 == pytest.approx(chi2)
    assert first.test.df == 2
    assert first.test.p == pytest.approx(chdtrc(2, chi2))
    assert first.test.p_text == f"{chi2_p_value(chi2, 2):.6f}"
    exact = fitted(algorithm="exact")
    (test,) = asked_tests(exact, Options(hypotheses=(rows,))).hypotheses
    assert test.test.p_text == f"{test.test.p:.6f}"
    assert dict(first.contrasts) == {"G00": (0, 0), "G01": (1, 0), "G10": (0, 0), "G11": (0, 1)}
    assert second.test.df == 1
    assert "g01 = 0 and g11 = 0" in asked.notes[0].sentences[0]
    assert "robust" in first.covariance


def test_contrasts_of_gammas_held_equal_are_added_to_the_one_that_is_listed() -> None:
    result = fitted("constrained")  # g01 = g11, g02 = g12
    asked = asked_tests(result, Options(hypotheses=(((0.0, 0.5, 0.0, 0.0, 0.25, 0.0),),)))
    contrasts = dict(asked.hypotheses[0].contrasts)
    assert contrasts == {"G00": (0.0,), "G01": (0.75,), "G02": (0.0,), "G10": (0.0,)}


def test_a_hypothesis_that_cannot_be_tested_is_a_warning_and_the_others_are_done() -> None:
    twice = ((0.0, 1.0, 0.0, 0.0), (0.0, 2.0, 0.0, 0.0))
    asked = asked_tests(fitted(), Options(hypotheses=(twice, twice[:1])))
    assert len(asked.hypotheses) == 1
    assert "hypothesis 1 (gamma1:) was not done" in asked.warnings[0]


def test_comparison_with_a_stored_deviance() -> None:
    result = fitted()
    stored = Options(deviance=result.deviance + 5.0, df=result.n_parameters - 2)
    asked = asked_tests(result, stored)
    assert asked.comparison is not None
    assert asked.comparison.chi2 == pytest.approx(5.0)
    assert asked.comparison.df == 2
    assert asked.comparison.p == pytest.approx(chdtrc(2, 5.0))
    assert asked.warnings == ()
    assert any("stored model" in sentence for sentence in asked.notes[0].sentences)


def odd_rows() -> Estimates:
    data = small(3, 20)
    exact = fit(model("slopes"), data.data(), method="ML")
    if exact.n_rows % 2 == 0:
        raise AssertionError("the example needs an odd number of rows")
    return exact


@pytest.mark.parametrize("simpler", [True, False])
def test_a_stored_deviance_is_taken_as_one_that_hlm_printed(simpler: bool) -> None:
    result = odd_rows()
    hlms = result.deviance - np.log(2 * np.pi)
    sign = 1 if simpler else -1  # the stored model is simpler, or more general
    asked = asked_tests(result, Options(deviance=hlms + sign * 4.0, df=result.n_parameters - sign * 2))
    assert asked.comparison is not None
    assert asked.comparison.chi2 == pytest.approx(4.0, abs=1e-5)  # HLM's pi has nine digits
    stated = re.search(r"on HLM's constant, ([\d.]+)\. .* chi-square is ([\d.]+),", asked.warnings[0])
    assert stated is not None
    assert float(stated[1]) == pytest.approx(hlms, abs=1e-5)
    assert float(stated[2]) == pytest.approx(4.0 - sign * np.log(2 * np.pi), abs=1e-4)


def test_a_comparison_the_wrong_way_round_is_warned_of() -> None:
    result = fitted()
    asked = asked_tests(result, Options(deviance=result.deviance - 5.0, df=result.n_parameters - 2))
    assert "means nothing: the model with more parameters has the larger deviance" in asked.warnings[-1]


@pytest.mark.parametrize("options", [{"deviance": 400.0}, {"df": 3}])
def test_half_a_comparison_is_none(options: dict[str, Any]) -> None:
    """The command file's reader warns of it, with the line."""
    asked = asked_tests(fitted(), Options(**options))
    assert asked.comparison is None
    assert asked.warnings == ()


def test_as_many_parameters_is_a_warning() -> None:
    result = fitted()
    asked = asked_tests(result, Options(deviance=300.0, df=result.n_parameters))
    assert asked.comparison is None
    assert "was not done" in asked.warnings[0]


def test_homogeneity_of_level1_variance() -> None:
    result = fitted("means")
    asked = asked_tests(result, Options(homogeneity=True))
    assert asked.homogeneity is not None
    assert asked.homogeneity.chi2 == pytest.approx(Fit(result).homogeneity().chi2)
    assert any("Bartlett" in sentence for sentence in asked.notes[0].sentences)
