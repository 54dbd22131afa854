"""Tables of a fit against dense matrices; HLM's printed ones are in test_hlm_path."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hlmbayes import Model
from hlmbayes.data.two_level import read
from hlmbayes.inference.hlm_tables import (
    components_covariance,
    components_information,
    to_data_jacobian,
    unit_scores,
)
from tests.dense import dense
from tests.small import MODELS, model, small


@pytest.mark.parametrize("name", list(MODELS))
def test_robust_covariance_equals_dense(name: str) -> None:
    source, m = small(12, n_units=18), model(name)
    fit = m.fit(source.data())
    rows = dense(m, source.columns, source.unit, source.level2)
    v = rows.v(fit.components.tau, fit.sigma2)
    residual = np.linalg.solve(v, rows.y - rows.X @ fit.gamma_free)
    scores = np.array([rows.X[rows.unit == j].T @ residual[rows.unit == j] for j in range(rows.n_units)])
    bread = np.linalg.inv(rows.X.T @ np.linalg.solve(v, rows.X))
    np.testing.assert_allclose(
        unit_scores(fit), scores @ fit.design.to_gamma, rtol=1e-7, atol=1e-7 * np.abs(unit_scores(fit)).max()
    )
    sandwich = bread @ scores.T @ scores @ bread
    free = fit.design.free
    np.testing.assert_allclose(fit.vcov_robust, sandwich[np.ix_(free, free)], rtol=1e-7, atol=1e-12)
    np.testing.assert_allclose(fit.vcov, bread[np.ix_(free, free)], rtol=1e-8)


@pytest.mark.parametrize("method", ["REML", "ML"])
@pytest.mark.parametrize("name", ["slopes", "random only", "no intercept"])
def test_information_of_the_variances_is_in_the_units_of_the_data(name: str, method: str) -> None:
    source, m = small(13, n_units=25, sd=2.0), model(name)
    fit = m.fit(source.data(), method=method)
    rows = dense(m, source.columns, source.unit, source.level2)
    p = rows.p_matrix(fit.components.tau, fit.sigma2, method == "REML")
    same, q = np.equal.outer(rows.unit, rows.unit), rows.Z.shape[1]
    derivatives = []
    for a in range(q):
        for b in range(a + 1):
            d = np.zeros((q, q))
            d[a, b] = d[b, a] = 1.0
            derivatives.append(same * (rows.Z @ d @ rows.Z.T))
    derivatives.append(np.eye(len(p)))
    expected = np.array([[0.5 * np.trace(p @ a @ p @ b) for b in derivatives] for a in derivatives])
    jacobian = to_data_jacobian(fit.system)
    got, wanted = components_information(fit), jacobian.T @ expected @ jacobian
    np.testing.assert_allclose(got, wanted, rtol=1e-6, atol=1e-8 * np.abs(wanted).max())
    np.testing.assert_allclose(components_covariance(fit), np.linalg.inv(expected), rtol=1e-6, atol=1e-8)


def test_degrees_of_freedom_follow_what_is_random() -> None:
    fit = model("raw").fit(small(14).data())
    assert list(fit.fixed_effects()["df"]) == [10, 10, 11, fit.n_rows - 4]
    constrained = model("constrained").fit(small(14, n_units=20).data())
    # J - (own gammas): those held equal count with the first of them
    assert list(constrained.fixed_effects()["df"]) == [17, 17, 17, 19, 19, 19]


def test_on_the_boundary_there_is_no_standard_error_of_tau() -> None:
    data = read(Path(__file__).parents[1] / "oracles" / "data" / "singular_slope_zero.csv", id="id")
    fit = Model("y = b0 + b1*x + r\nb0 = g00 + u0\nb1 = g10 + u1").fit(data)
    assert fit.boundary
    assert np.isnan(fit.se_tau).all()
    assert fit.se_sigma2 > 0


def test_the_table_says_which_standard_errors_and_degrees_of_freedom_it_has() -> None:
    fit = model("slopes").fit(small(16, n_units=20, sd=1.5).data())
    said = {
        (False, None): ("model-based", "HLM's"),
        (True, None): ("as HLM", "HLM's"),
        ("CR1", None): ("CR1", "HLM's"),
        ("CR2", None): ("CR2", "Satterthwaite"),
        ("CR2", "hlm"): ("CR2", "HLM's"),
        (False, "satterthwaite"): ("model-based", "Satterthwaite"),
        (False, "kenward-roger"): ("Kenward-Roger", "Kenward-Roger"),
    }
    for (robust, df), (errors, degrees) in said.items():
        basis = fit.fixed_effects(robust, df=df).attrs
        assert errors in basis["standard_errors"]
        assert basis["df"].startswith(degrees)


def test_reliability_without_random_effects_is_empty() -> None:
    fit = Model("y = b0 + b1*x + r\nb0 = g00\nb1 = g10").fit(small(14).data())
    assert fit.reliability().shape == (0,)


def test_where_all_units_have_one_score_there_is_no_robust_standard_error() -> None:
    # every unit has the doses 1, 2, 4: the unit means are equal, and so are the scores, all of them 0
    unit, y = np.repeat(np.arange(10), 3), np.tile([1.0, 2.0, 4.0], 10)
    fit = Model("y = b0 + r\nb0 = g00 + u0").fit(read({"id": unit, "y": y}, id="id"))
    for kind in (True, "CR1", "CR2"):
        row = fit.fixed_effects(kind).loc["g00"]
        assert row["se"] < 1e-12
        assert np.isnan(row["t_ratio"])
        assert np.isnan(row["p_value"])
    assert "n/a" in fit.listing()
