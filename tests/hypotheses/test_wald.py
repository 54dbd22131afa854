"""General linear hypotheses against dense matrices, and what cannot be tested."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from hlmbayes import Fit, Model, datasets
from hlmbayes.data.two_level import read
from hlmbayes.errors import HypothesisError
from hlmbayes.faces import record_of
from hlmbayes.hypotheses.combinations import combinations
from tests.dense import dense
from tests.small import Small, model, small

SOURCE = small(3, n_units=16, sd=1.5)


@pytest.fixture(scope="module")
def slopes() -> Fit:
    return model("slopes").fit(SOURCE.data())


@pytest.mark.parametrize("robust", [True, False])
@pytest.mark.parametrize("name", ["slopes", "random only", "no intercept", "constrained", "raw"])
def test_wald_equals_dense(name: str, robust: bool) -> None:
    m = model(name)
    fit = m.fit(SOURCE.data())
    rows = dense(m, SOURCE.columns, SOURCE.unit, SOURCE.level2)
    vi = np.linalg.inv(rows.v(record_of(fit).components.tau, fit.sigma2))
    covariance = np.linalg.inv(rows.X.T @ vi @ rows.X)
    gamma = covariance @ rows.X.T @ vi @ rows.y
    if robust:
        r = vi @ (rows.y - rows.X @ gamma)
        s = np.array([rows.X[rows.unit == j].T @ r[rows.unit == j] for j in range(rows.n_units)])
        covariance = covariance @ s.T @ s @ covariance
    free = np.random.default_rng(2).normal(size=(2, len(gamma)))
    # a constrained effect's weight may sit on any one of the gammas that share it
    contrast = np.zeros((2, len(m.gamma_names)))
    contrast[:, [list(record_of(fit).design.free).index(f) for f in range(len(gamma))]] = free
    expected = free @ gamma @ np.linalg.solve(free @ covariance @ free.T, free @ gamma)
    test = fit.wald(contrast, robust=robust)
    assert test.chi2 == pytest.approx(expected, rel=1e-7)
    assert test.df == 2
    assert test.p_value == pytest.approx(stats.chi2.sf(expected, 2), rel=1e-6)
    assert ("robust" in test.covariance) == robust
    np.testing.assert_allclose(test.estimate, free @ gamma, rtol=1e-7, atol=1e-9)


def test_one_row_is_the_square_of_the_ratio(slopes: Fit) -> None:
    for robust in (True, False):
        t = slopes.fixed_effects(robust=robust)["t_ratio"]
        for name in slopes.model.gamma_names:
            assert slopes.wald({name: 1}, robust=robust).chi2 == pytest.approx(t[name] ** 2, rel=1e-9)


def test_chi2_does_not_depend_on_how_the_rows_are_combined(slopes: Fit) -> None:
    a = slopes.wald({"g01": [1, 0], "g11": [0, 1]})
    b = slopes.wald({"g01": [3, 1], "g11": [-2, 5]})
    assert a.chi2 == pytest.approx(b.chi2, rel=1e-9)
    assert slopes.wald(["g01", "G11"]).chi2 == a.chi2
    assert slopes.wald("g01").chi2 == slopes.wald([0, 1, 0, 0]).chi2


def test_several_hypotheses_give_several_results(slopes: Fit) -> None:
    first, second = slopes.wald({"g01": [1, 0], "g11": [0, 1]}, {"g00": 1, "g10": -2})
    assert (first.df, second.df) == (2, 1)
    assert "g01 = 0 and g11 = 0" in str(first)
    assert "g00 - 2*g10 = 0" in str(second)
    assert "robust (sandwich) covariance, as HLM" in str(first)


def test_f_test_is_said_with_its_degrees_of_freedom(slopes: Fit) -> None:
    test = slopes.wald({"g01": [-1, 0], "g11": [0, 1]}, df="kenward-roger")
    assert "-g01 = 0" in test.hypothesis
    assert "Kenward-Roger adjusted covariance; Kenward-Roger d.f." in str(test)
    assert f"on 2 and {test.df_denominator:.2f} d.f." in str(test)
    expected = stats.f.sf(test.f_ratio, 2, test.df_denominator)
    assert test.p_value == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize(
    ("hypothesis", "words"),
    [
        ({"g07": 1}, "'g07' is not a fixed effect of this model: g00 .intercept., g01 .w., g10"),
        ({"g01": [1, 0], "g11": [1]}, "one number per row"),
        ({"g01": "a"}, "a number or a list of numbers is wanted"),
        ({"g01": [[1, 2], [3, 4]]}, "one number per row"),
        ([1, 2], "got rows of 2 numbers for 4 fixed effects"),
        ([None, {}], "a hypothesis is numbers per gamma"),
        ({"g01": [1, 2], "g11": [2, 4]}, "the 2 rows of the hypothesis are not independent"),
        ({"g01": 0}, "row 1 of the hypothesis tests nothing: all its numbers are zero"),
        ({"g01": np.nan}, "missing or infinite"),
    ],
)
def test_what_is_no_hypothesis_is_said(slopes: Fit, hypothesis: object, words: str) -> None:
    with pytest.raises(HypothesisError, match=words.replace("(", r"\(")):
        slopes.wald(hypothesis)


def test_no_hypothesis_and_unknown_arguments_are_refused(slopes: Fit) -> None:
    with pytest.raises(HypothesisError, match="no hypothesis was given"):
        slopes.wald()
    with pytest.raises(HypothesisError, match="robust='hc3' is not known"):
        slopes.wald("g01", robust="hc3")
    with pytest.raises(HypothesisError, match="df='between' is not known"):
        slopes.wald("g01", df="between")


def test_effects_held_equal_cannot_be_tested_for_equality() -> None:
    fit = model("constrained").fit(SOURCE.data())
    with pytest.raises(HypothesisError, match="the model holds these effects equal"):
        fit.wald({"g01": 1, "g11": -1})
    assert fit.test_variable("w").df == 1
    assert fit.test_variable("w").chi2 == pytest.approx(fit.wald("g11").chi2)


def test_a_covariance_with_too_few_units_is_refused() -> None:
    source = small(5, n_units=4)
    fit = Model("y = b0 + b1*x + b2*z + b3*d + r\nb0 = g00 + u0\nb1 = g10\nb2 = g20\nb3 = g30").fit(
        source.data()
    )
    everything = np.eye(4)
    assert np.isfinite(fit.wald(everything, robust=False).chi2)
    short = small(5, n_units=3)
    fit = Model("y = b0 + b1*x + b2*z + b3*d + r\nb0 = g00 + u0\nb1 = g10\nb2 = g20\nb3 = g30").fit(
        short.data()
    )
    with pytest.raises(HypothesisError, match="singular"):
        fit.wald(everything)


def test_hlm_general_linear_hypothesis(hlm_tables: dict[str, Any]) -> None:
    printed = hlm_tables["model4_intercepts_slopes"]["general_linear_hypothesis"]
    fit = Model(
        """mathach = b0 + b1*group(ses) + r
        b0 = g00 + g01*sector + g02*meanses + u0
        b1 = g10 + g11*sector + g12*meanses + u1"""
    ).fit(datasets.hsb(), algorithm="hlm")
    test = fit.wald(printed["contrasts"])
    assert test.chi2 == pytest.approx(printed["chi2"], abs=5e-4)
    assert test.df == printed["df"]
    assert fit.test_variable("sector").chi2 == test.chi2


# --- variables as a whole ---


def dummies() -> tuple[Small, Model]:
    source = small(6, n_units=20)
    rng = np.random.default_rng(1)
    race = rng.integers(1, 4, len(source.unit))
    kind = rng.integers(1, 4, 20)
    columns = {**source.columns, "race2": race == 2, "race_3": race == 3, "racer": race == 1}
    level2 = {**source.level2, "kind.a": kind == 1, "kind.b": kind == 2}
    source = replace(
        source,
        columns={k: np.asarray(v, float) for k, v in columns.items()},
        level2={k: np.asarray(v, float) for k, v in level2.items()},
    )
    m = Model(
        """y = b0 + b1*race2 + b2*race_3 + b3*x + r
        b0 = g00 + g01*w + g02*`kind.a` + g03*`kind.b` + u0
        b1 = g10 + g11*w
        b2 = g20
        b3 = g30 + g31*`kind.a` + u3"""
    )
    return source, m


def test_a_variable_is_tested_in_every_place_it_stands() -> None:
    source, m = dummies()
    fit = m.fit(source.data())
    cases = {
        "race": ["g10", "g11", "g20"],
        "W": ["g01", "g11"],
        "kind": ["g02", "g03", "g31"],
        "kind.a": ["g02", "g31"],
        "x": ["g30", "g31"],
    }
    for name, gammas in cases.items():
        test = fit.test_variable(name)
        assert test.chi2 == pytest.approx(fit.wald(gammas).chi2, rel=1e-12)
        assert test.hypothesis == " and ".join(f"{g} = 0" for g in gammas)
    both = fit.test_variable(["race2", "race_3"], robust=False)
    assert both.chi2 == pytest.approx(fit.wald(cases["race"], robust=False).chi2)


def test_an_unknown_variable_is_named_with_those_there_are() -> None:
    fit = model("random only").fit(small(4, n_units=15).data())
    with pytest.raises(HypothesisError, match="'ses' is not a predictor of this model: d, x, w"):
        fit.test_variable("ses")
    with pytest.raises(HypothesisError, match="d has no fixed effect in this model"):
        fit.test_variable("d")
    empty = model("means").fit(small(4).data())
    with pytest.raises(HypothesisError, match="there is none"):
        empty.test_variable("w")


def test_a_prefix_is_not_a_categorical_variable(slopes: Fit) -> None:
    source = small(7)
    data = read(
        {"id": source.unit, "y": source.columns["y"], "xylophone": source.columns["x"]},
        {"id": np.arange(12), **source.level2},
        id="id",
    )
    fit = Model("y = b0 + b1*xylophone + r\nb0 = g00 + u0\nb1 = g10").fit(data)
    with pytest.raises(HypothesisError, match="'x' is not a predictor"):
        fit.test_variable("x")


def test_contrasts_are_read_in_any_case(slopes: Fit) -> None:
    read_as = combinations(slopes.model, {"G01": 2, " g10 ": -1}).matrix
    np.testing.assert_array_equal(read_as, [[0, 2, -1, 0]])
