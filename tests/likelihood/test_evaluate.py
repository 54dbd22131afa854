"""The kernel against dense matrices and finite differences."""

from __future__ import annotations

import numpy as np
import pytest

from hlmbayes.errors import EstimationError
from hlmbayes.estimation.prepare import prepare
from hlmbayes.likelihood.criterion import (
    criterion,
    em_step,
    expected_information,
    observed_information,
)
from hlmbayes.likelihood.design import Design
from hlmbayes.likelihood.evaluate import System, evaluate, standardise
from hlmbayes.likelihood.pattern import symmetric_basis
from hlmbayes.likelihood.system import data_scale, to_data, to_standard
from tests.dense import Dense, dense
from tests.small import MODELS, Small, model, small

SETTINGS = [(name, reml) for name in MODELS for reml in (True, False)]


def setup(name: str) -> tuple[Design, System, Dense, np.ndarray, float]:
    source: Small = small(3)
    m = model(name)
    design = prepare(m, source.data()).design
    q = design.n_random
    rng = np.random.default_rng(5)
    rows = dense(m, source.columns, source.unit, source.level2)
    root = np.tril(rng.normal(size=(q, q))) + np.eye(q)
    return design, standardise(design), rows, root @ root.T * rows.free, 1.3


def at_tau(system: System, tau: np.ndarray, sigma2: float):
    theta, s2 = to_standard(system, tau, sigma2)
    return evaluate(system, np.linalg.cholesky(theta)), s2


@pytest.mark.parametrize(("name", "reml"), SETTINGS)
def test_deviance_and_gamma_equal_dense(name: str, reml: bool) -> None:
    design, system, rows, tau, sigma2 = setup(name)
    at, s2 = at_tau(system, tau, sigma2)
    value = criterion(system, at, reml, sigma2=s2).value + data_scale(system, reml)
    assert value == pytest.approx(rows.deviance(tau, sigma2, reml), rel=1e-11)
    gamma, xvx = rows.gls(tau, sigma2)
    np.testing.assert_allclose(at.delta * system.gamma_scale + design.gamma_ols, gamma, rtol=1e-9)
    scale = system.gamma_scale
    np.testing.assert_allclose(s2 * at.vg * np.outer(scale, scale), np.linalg.inv(xvx), rtol=1e-9)


@pytest.mark.parametrize(("name", "reml"), SETTINGS)
@pytest.mark.parametrize("held", [None, 0.8])
def test_gradient_and_hessian_equal_finite_differences(name: str, reml: bool, held: float | None) -> None:
    _, system, _, tau, sigma2 = setup(name)
    theta, _ = to_standard(system, tau, sigma2)

    def at(t: np.ndarray):
        return criterion(system, evaluate(system, np.linalg.cholesky(t)), reml, sigma2=held)

    here, h = at(theta), 1e-5
    for direction in symmetric_basis(len(theta)):
        up, down = at(theta + h * direction), at(theta - h * direction)
        slope = (up.value - down.value) / (2 * h)
        assert np.sum(here.gradient * direction) == pytest.approx(slope, rel=2e-6, abs=1e-6)
        curve = (up.gradient - down.gradient) / (2 * h)
        got = np.einsum("abcd,cd->ab", here.hessian, direction)
        np.testing.assert_allclose(0.5 * (got + got.T), curve, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize(("name", "reml"), SETTINGS)
def test_information_equals_dense_traces(name: str, reml: bool) -> None:
    _, system, rows, tau, sigma2 = setup(name)
    at, s2 = at_tau(system, tau, sigma2)
    p = rows.p_matrix(tau, sigma2, reml)
    py = rows.p_matrix(tau, sigma2, True) @ rows.y
    same = np.equal.outer(rows.unit, rows.unit)
    scale = system.tau_columns.scale
    directions = [scale @ b @ scale.T for b in rows.directions]
    derivatives = [same * (rows.Z @ d @ rows.Z.T) for d in directions] + [np.eye(len(p)) * system.e_scale**2]
    expected = np.array([[0.5 * np.trace(p @ a @ p @ b) for b in derivatives] for a in derivatives])
    reml_p = rows.p_matrix(tau, sigma2, True)
    observed = np.array([[py @ a @ reml_p @ b @ py for b in derivatives] for a in derivatives]) - expected
    np.testing.assert_allclose(expected_information(system, at, s2, reml), expected, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(observed_information(system, at, s2, reml), observed, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize(("name", "reml"), SETTINGS)
def test_em_step_equals_dense_conditional_expectations(name: str, reml: bool) -> None:
    _, system, rows, tau, sigma2 = setup(name)
    at, s2 = at_tau(system, tau, sigma2)
    got_tau, got_sigma2 = to_data(system, *em_step(system, at, s2, reml))
    p_y = rows.p_matrix(tau, sigma2, True) @ rows.y
    p = rows.p_matrix(tau, sigma2, reml)
    new = np.zeros_like(tau)
    for j in range(rows.n_units):
        inside = rows.unit == j
        z = rows.Z[inside]
        u = tau @ z.T @ p_y[inside]
        new += np.outer(u, u) + tau - tau @ z.T @ p[np.ix_(inside, inside)] @ z @ tau
    r = sigma2 * p_y
    residual = r @ r + sigma2 * len(p) - sigma2**2 * np.trace(p)
    np.testing.assert_allclose(got_tau, new / rows.n_units * rows.free, rtol=1e-9)
    assert got_sigma2 == pytest.approx(residual / len(p), rel=1e-10)


def test_singular_theta_is_an_ordinary_point() -> None:
    _, system, rows, _, _ = setup("slopes")
    direction = np.array([[1.0, 0.0], [-0.5, 0.0]])
    tau, sigma2 = to_data(system, direction @ direction.T * 1.0, 1.0)
    value = criterion(system, evaluate(system, direction), True, sigma2=1.0).value + data_scale(system, True)
    assert value == pytest.approx(rows.deviance(tau, sigma2, True), rel=1e-11)


def test_collinear_random_coefficients_are_refused() -> None:
    source = small(3)
    source.columns["z"] = source.columns["x"] * 2 + 1e-9
    m = type(model("raw"))("y = b0 + b1*x + b2*z + r\nb0 = g00 + u0\nb1 = g10 + u1\nb2 = u2")
    with pytest.raises(EstimationError, match="collinear"):
        prepare(m, source.data())


def test_a_perfect_fit_is_refused() -> None:
    source = small(3)
    source.columns["y"] = 2.0 * source.columns["x"] + 1.0
    m = type(model("raw"))("y = b0 + b1*x + r\nb0 = g00 + u0\nb1 = g10")
    with pytest.raises(EstimationError, match="fit y exactly in every row"):
        m.fit(source.data())
