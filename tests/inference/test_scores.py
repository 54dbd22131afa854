"""Scores and HLM's robust covariance against dense matrices."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from hlmbayes import Model
from hlmbayes.data.two_level import read
from hlmbayes.faces import record_of
from hlmbayes.inference.scores import unit_scores
from tests.dense import Dense, dense
from tests.exact import Matrix, exactly, solve, times
from tests.small import MODELS, model, small


@pytest.mark.parametrize("name", list(MODELS))
def test_robust_covariance_equals_dense(name: str) -> None:
    source, m = small(12, n_units=18), model(name)
    fit = m.fit(source.data())
    rows = dense(m, source.columns, source.unit, source.level2)
    v = rows.v(record_of(fit).components.tau, fit.sigma2)
    residual = np.linalg.solve(v, rows.y - rows.X @ record_of(fit).gamma_free)
    scores = np.array([rows.X[rows.unit == j].T @ residual[rows.unit == j] for j in range(rows.n_units)])
    bread = np.linalg.inv(rows.X.T @ np.linalg.solve(v, rows.X))
    np.testing.assert_allclose(
        unit_scores(record_of(fit)),
        scores @ record_of(fit).design.to_gamma,
        rtol=1e-7,
        atol=1e-7 * np.abs(unit_scores(record_of(fit))).max(),
    )
    sandwich = bread @ scores.T @ scores @ bread
    free = record_of(fit).design.free
    np.testing.assert_allclose(fit.vcov_robust, sandwich[np.ix_(free, free)], rtol=1e-7, atol=1e-12)
    np.testing.assert_allclose(fit.vcov, bread[np.ix_(free, free)], rtol=1e-8)


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


def exact_robust_errors(rows: Dense, tau: np.ndarray, sigma2: float) -> np.ndarray:
    """Robust standard errors at (tau, sigma2), gamma at its GLS value, in fractions, row by row."""
    parts: list[tuple[Matrix, Matrix]] = []
    for j in range(rows.n_units):
        at = rows.unit == j
        z, both = exactly(rows.Z[at]), exactly(np.column_stack([rows.X[at], rows.y[at]]))
        v = times(times(z, exactly(tau)), turned(z))
        for i, row in enumerate(v):
            row[i] += Fraction(float(sigma2))
        parts.append((both, solve(v, both)[0]))
    sums = np.sum([np.array(times(turned(both), solved)) for both, solved in parts], axis=0)
    f = rows.X.shape[1]
    identity = exactly(np.eye(f))
    bread = np.array(solve(sums[:f, :f].tolist(), identity)[0])
    gamma = bread @ sums[:f, f]
    scores = np.array(
        [np.array(both).T[:f] @ (np.array(w)[:, f] - np.array(w)[:, :f] @ gamma) for both, w in parts]
    )
    return np.sqrt(np.sum((scores @ bread) ** 2, axis=0).astype(float))


def turned(a: Matrix) -> Matrix:
    return [list(column) for column in zip(*a, strict=True)]


@pytest.mark.parametrize("ratio", [1.0, 3e3, 1e4])
@pytest.mark.parametrize("extra", ["", " + b2*z"])
def test_robust_errors_keep_their_digits_where_units_have_no_more_rows_than_effects(
    ratio: float, extra: str
) -> None:
    rng = np.random.default_rng(3)
    n = np.append([4, 4, 4], rng.integers(1, 3, 12))
    unit = np.repeat(np.arange(15), n)
    columns = {name: rng.normal(size=len(unit)) for name in ("x", "z")}
    u, level2 = ratio * rng.normal(size=(15, 2)), {"w": rng.normal(size=15)}
    columns["y"] = u[unit, 0] + u[unit, 1] * columns["x"] + rng.normal(size=len(unit))
    own = "; b2 = g20" if extra else ""
    m = Model(f"y = b0 + b1*x{extra} + r; b0 = g00 + g01*w + u0; b1 = g10 + u1{own}")
    fit = m.fit(read({"id": unit, **columns}, {"id": np.arange(15), **level2}, id="id"))
    at = record_of(fit).entering
    expected = exact_robust_errors(dense(m, columns, unit, level2), at.tau, at.sigma2)
    np.testing.assert_allclose(fit.fixed_effects(True)["se"], expected, rtol=1e-9)
    np.testing.assert_allclose(np.sqrt(np.diag(fit.vcov_robust)), expected, rtol=1e-9)
