"""The minimiser on functions whose minimum is known."""

from __future__ import annotations

import numpy as np
import pytest

from hlmbayes.estimation.newton import Point, minimise


def rosenbrock(x: np.ndarray) -> Point:
    a, b = x
    value = (1 - a) ** 2 + 100 * (b - a * a) ** 2
    gradient = np.array([-2 * (1 - a) - 400 * a * (b - a * a), 200 * (b - a * a)])
    hessian = np.array([[2 - 400 * (b - 3 * a * a), -400 * a], [-400 * a, 200.0]])
    return Point(x, value, gradient, hessian, None)


def saddle(x: np.ndarray) -> Point:
    a, b = x
    value = a**2 + b**4 / 4 - b**2 / 2
    return Point(x, value, np.array([2 * a, b**3 - b]), np.diag([2.0, 3 * b**2 - 1]), None)


def test_rosenbrock() -> None:
    found = minimise(rosenbrock, np.array([-1.2, 1.0]))
    assert found.converged
    np.testing.assert_allclose(found.point.x, 1.0, atol=1e-10)
    assert found.evaluations < 40


def test_a_saddle_point_is_left() -> None:
    found = minimise(saddle, np.zeros(2))
    assert found.converged
    np.testing.assert_allclose(np.abs(found.point.x), [0, 1], atol=1e-10)


def test_the_limit_is_said() -> None:
    found = minimise(rosenbrock, np.array([-1.2, 1.0]), limit=3)
    assert not found.converged
    assert "3 evaluations" in found.reason


@pytest.mark.parametrize("scale", [1e-4, 1e6])
def test_scaled_quadratic_takes_few_steps(scale: float) -> None:
    hessian = np.diag([1.0, 4.0]) * scale

    def f(x: np.ndarray) -> Point:
        d = x - 3.0
        return Point(x, 0.5 * d @ hessian @ d, hessian @ d, hessian, None)

    found = minimise(f, np.zeros(2))
    np.testing.assert_allclose(found.point.x, 3.0, rtol=1e-3 if scale < 1 else 1e-9)


def test_a_wall_is_not_stepped_over() -> None:
    def f(x: np.ndarray) -> Point:
        value = np.inf if x[0] <= 0 else float(x[0] - np.log(x[0]))
        return Point(x, value, 1 - 1 / x, np.array([[1 / x[0] ** 2]]), None)

    found = minimise(f, np.array([20.0]))
    assert found.converged
    assert found.point.x[0] == pytest.approx(1.0)


def gamma_like(x: np.ndarray) -> Point:
    """log x + 1 / x and three of it, with their minimum at 1: far from quadratic."""
    scale = np.array([1.0, 3.0])
    value = scale @ (np.log(x) + 1 / x)
    return Point(x, float(value), scale * (1 / x - 1 / x**2), np.diag(scale * (2 / x**3 - 1 / x**2)), None)


def third_of_it(point: Point, step: np.ndarray) -> np.ndarray:
    x = point.x
    return np.asarray(np.array([1.0, 3.0]) * (2 / x**3 - 6 / x**4) * step**2)


def test_third_derivatives_save_steps() -> None:
    start = np.array([0.8, 1.3])
    plain, bent = minimise(gamma_like, start), minimise(gamma_like, start, bend=third_of_it)
    assert bent.converged
    np.testing.assert_allclose(bent.point.x, 1.0, rtol=1e-10)
    assert bent.evaluations < plain.evaluations


@pytest.mark.parametrize("factor", [-1.0, 5.0, 1e6])
def test_wrong_third_derivatives_do_no_harm(factor: float) -> None:
    found = minimise(gamma_like, np.array([0.8, 1.3]), bend=lambda p, step: factor * third_of_it(p, step))
    assert found.converged
    np.testing.assert_allclose(found.point.x, 1.0, rtol=1e-9)


def test_a_point_without_slope_ends_a_search() -> None:
    def parabola(x: np.ndarray) -> Point:
        return Point(x, float(x @ x), 2 * x, 2 * np.eye(2), None)

    found = minimise(parabola, np.array([0.5, -0.5]))
    assert found.converged
    assert found.evaluations == 2
