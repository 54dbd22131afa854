"""OLS, the units' own regressions and the first GLS step, against dense matrices and published numbers."""

from __future__ import annotations

import numpy as np
import pytest

from hlmbayes import Model, datasets
from hlmbayes.estimation.estimate import fit
from hlmbayes.inference.least_squares import (
    least_squares,
    loglik_on_hlms_constant,
    starting_effects,
    unit_regressions,
)
from tests.dense import dense
from tests.small import MODELS, model, small


def free_rows(model_name: str, algorithm: str = "hlm", method: str = "REML"):  # type: ignore[no-untyped-def]
    data = small(3)
    fitted = fit(model(model_name), data.data(), method=method, algorithm=algorithm)
    return fitted, dense(model(model_name), data.columns, data.unit, data.level2)


@pytest.mark.parametrize("name", ["slopes", "raw", "constrained", "no intercept"])
@pytest.mark.parametrize("method", ["REML", "ML"])
def test_least_squares_is_the_regression_of_all_rows(name: str, method: str) -> None:
    fitted, rows = free_rows(name, "exact", method)
    ols = least_squares(fitted)
    free = fitted.design.free
    gamma, rss = np.linalg.lstsq(rows.X, rows.y)[:2]
    n, f = rows.X.shape
    inverse = np.linalg.inv(rows.X.T @ rows.X)
    e = rows.y - rows.X @ gamma
    scores = np.stack([rows.X[rows.unit == j].T @ e[rows.unit == j] for j in range(rows.n_units)])
    robust = inverse @ scores.T @ scores @ inverse
    assert ols.gamma == pytest.approx(gamma[free], abs=1e-9)
    assert ols.sigma2 == pytest.approx(float(rss[0]) / (n - f))
    assert ols.df == n - f
    assert ols.se == pytest.approx(np.sqrt(ols.sigma2 * np.diag(inverse))[free])
    assert ols.se_robust == pytest.approx(np.sqrt(np.diag(robust))[free])
    reml = method == "REML"
    variance = float(rss[0]) / (n - f * reml)
    zero = np.zeros((rows.Z.shape[1],) * 2)
    assert -2 * ols.loglik == pytest.approx(rows.deviance(zero, variance, reml))


@pytest.mark.parametrize("name", ["slopes", "random only"])
def test_unit_regressions_are_the_units_own(name: str) -> None:
    fitted, rows = free_rows(name)
    values = unit_regressions(fitted.design)
    full = fitted.design.full_rank
    assert 0 < full.sum() < len(full)
    for j in np.flatnonzero(full):
        own = rows.unit == j
        assert values[j] == pytest.approx(np.linalg.lstsq(rows.Z[own], rows.y[own])[0], abs=1e-8)
    assert np.isnan(values[~full]).all()


def test_unit_regressions_take_out_effects_of_variables_that_are_not_random() -> None:
    fitted, rows = free_rows("raw")  # b2*z has no random effect; its column is the last of X
    values = unit_regressions(fitted.design)
    gamma = np.linalg.lstsq(rows.X, rows.y)[0]
    y = rows.y - rows.X[:, -1] * gamma[-1]
    for j in np.flatnonzero(fitted.design.full_rank):
        own = rows.unit == j
        assert values[j] == pytest.approx(np.linalg.lstsq(rows.Z[own], y[own])[0], abs=1e-8)


def test_starting_effects_are_gls_at_the_starting_values() -> None:
    fitted, rows = free_rows("slopes")
    gamma, se = starting_effects(fitted)
    expected, xvx = rows.gls(fitted.start.tau, fitted.start.sigma2)
    assert gamma == pytest.approx(expected)
    assert se == pytest.approx(np.sqrt(np.diag(np.linalg.inv(xvx))))
    assert gamma == pytest.approx(fitted.log[0].gamma)


def test_the_exact_algorithm_has_no_starting_values() -> None:
    fitted, _ = free_rows("slopes", "exact")
    with pytest.raises(ValueError, match="hlm algorithm"):
        starting_effects(fitted)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_hlms_constant_differs_where_the_number_of_observations_is_odd(name: str) -> None:
    fitted, rows = free_rows(name, "exact", "ML")
    missing = len(rows.y) % 2 * np.log(2 * np.pi)
    assert -2 * loglik_on_hlms_constant(fitted) == pytest.approx(fitted.deviance - missing, abs=1e-6)


def test_published_values_of_the_high_school_and_beyond_data() -> None:
    # HLM prints these for the intercepts- and slopes-as-outcomes model: means of the units' OLS coefficients,
    # and sigma squared of OLS.
    equations = """mathach = b0 + b1*group(ses) + r
        b0 = g00 + g01*sector + g02*meanses + u0
        b1 = g10 + g11*sector + g12*meanses + u1"""
    fitted = fit(Model(equations), datasets.hsb(), algorithm="hlm")
    assert unit_regressions(fitted.design).mean(axis=0) == pytest.approx([12.62075, 2.20164], abs=5e-6)
    assert least_squares(fitted).sigma2 == pytest.approx(39.03409, abs=5e-6)
