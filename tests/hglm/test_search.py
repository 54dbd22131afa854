"""The optimum of the marginal likelihood against trapezoids over a wide grid, which know nothing of modes."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy import stats

from hlmbayes.data.two_level import TwoLevelData, read
from hlmbayes.equations.model import TwoLevelModel
from hlmbayes.errors import DataError
from hlmbayes.estimation.prepare import prepare
from hlmbayes.hglm.counted_rows import counted_rows
from hlmbayes.hglm.marginal import loglik, marginal
from hlmbayes.hglm.quadrature import few_points, product_rule
from hlmbayes.hglm.search import Found, search
from hlmbayes.laws.outcomes import Binomial, Poisson
from hlmbayes.likelihood.design import Design

ONE = "y = b0 + b1*x + r\nb0 = g00 + g01*w + u0\nb1 = g10"
TWO = "y = b0 + b1*x + r\nb0 = g00 + g01*w + u0\nb1 = g10 + u1"
INVERSE = {
    "logit": lambda eta: 1 / (1 + np.exp(-eta)),
    "probit": stats.norm.cdf,
    "cloglog": lambda eta: 1 - np.exp(-np.exp(eta)),
    "log": np.exp,
}
LAWS: dict[str, Binomial | Poisson] = {
    "bernoulli": Binomial(),
    "binomial": Binomial(size="n"),
    "probit": Binomial(link_name="probit"),
    "cloglog": Binomial(link_name="cloglog"),
    "poisson": Poisson(),
    "exposure": Poisson(size="n"),
}


@dataclass
class Case:
    """Simulated rows and what was found in them."""

    law: Binomial | Poisson
    y: np.ndarray
    n: np.ndarray
    x: np.ndarray
    w: np.ndarray
    unit: np.ndarray
    q: int
    diagonal: bool = False

    @property
    def text(self) -> str:
        return (ONE if self.q == 1 else TWO) + ("\ncov(u0, u1) = 0" if self.diagonal else "")

    @property
    def free(self) -> tuple[np.ndarray, np.ndarray]:
        """Where the free elements of a root of tau are."""
        return np.diag_indices(self.q) if self.diagonal else np.tril_indices(self.q)

    def data(self, rows: np.ndarray | None = None) -> TwoLevelData:
        k = np.arange(len(self.y)) if rows is None else rows
        level1 = {"id": self.unit[k], "x": self.x[k], "n": self.n[k], "y": self.y[k]}
        return read(level1, {"id": np.arange(len(self.w)), "w": self.w}, id="id")

    def found(self, rows: np.ndarray | None = None) -> tuple[Design, Found]:
        data = self.data(rows)
        design = prepare(TwoLevelModel(self.text), data, law=self.law).design
        return design, search(counted_rows(design, data, self.law), self.law)

    def loglik(self, theta: np.ndarray) -> float:
        """Give the log-likelihood at g00, g01, g10 and the lower triangle of a root of tau."""
        chol = np.zeros((self.q, self.q))
        chol[self.free] = theta[3:]
        t = np.linspace(-8.0, 8.0, 301 if self.q == 1 else 81)
        grid = np.stack(np.meshgrid(*[t] * self.q), axis=-1).reshape(-1, self.q)
        log_weight = stats.norm.logpdf(grid).sum(axis=1) + self.q * np.log(t[1] - t[0])
        z = np.stack([np.ones_like(self.x), self.x], axis=1)[:, : self.q]
        eta = (theta[0] + theta[1] * self.w[self.unit] + theta[2] * self.x)[:, None] + z @ chol @ grid.T
        mean, y, n = INVERSE[self.law.link_name](eta), self.y[:, None], self.n[:, None]
        if isinstance(self.law, Poisson):
            rows = stats.poisson.logpmf(y, mean * (n if self.law.size else 1.0))
        else:
            rows = stats.binom.logpmf(y, n if self.law.size else 1, mean)
        units = np.zeros((len(self.w), len(grid)))
        np.add.at(units, self.unit, rows)
        return float(np.logaddexp.reduce(units + log_weight, axis=1).sum())


def simulated(name: str, q: int, seed: int, sd: float = 0.8, level: float = -0.4) -> Case:
    rng, law = np.random.default_rng(seed), LAWS[name]
    J = 25
    unit = np.repeat(np.arange(J), rng.integers(4, 9, J))
    x, w = rng.integers(-1, 2, len(unit)).astype(float), rng.normal(size=J)
    n = rng.integers(1, 7, len(unit)).astype(float)
    u = sd * rng.normal(size=(J, 2)) @ np.array([[1.0, 0.3], [0.0, 0.6]])
    eta = level + 0.5 * w[unit] + 0.4 * x + u[unit, 0] + (u[unit, 1] * x if q == 2 else 0.0)
    mean, size = INVERSE[law.link_name](eta), n if law.size else np.ones_like(n)
    y = rng.poisson(mean * size) if isinstance(law, Poisson) else rng.binomial(size.astype(int), mean)
    return Case(law, y.astype(float), n, x, w, unit, q)


def of_the_data(case: Case, design: Design, found: Found) -> np.ndarray:
    """Give gamma and the root of tau in the units of the data."""
    root = design.tau_columns.scale @ found.at.chol
    tau = root @ root.T + 1e-300 * np.eye(case.q)
    return np.r_[design.to_gamma @ found.at.gamma, np.linalg.cholesky(tau)[case.free]]


def slopes(case: Case, theta: np.ndarray, h: float = 1e-4) -> tuple[np.ndarray, np.ndarray]:
    """Give gradient and second derivatives of the oracle's log-likelihood by central differences."""
    e = h * np.eye(len(theta))
    f = case.loglik
    gradient = np.array([(f(theta + d) - f(theta - d)) / (2 * h) for d in e])
    k = 20 * np.eye(len(theta)) * h
    second = [
        [f(theta + a + b) - f(theta + a - b) - f(theta - a + b) + f(theta - a - b) for b in k] for a in k
    ]
    return gradient, np.array(second) / (4 * (20 * h) ** 2)


@pytest.mark.parametrize("name", LAWS)
def test_one_random_effect_is_the_oracles_optimum(name):
    case = simulated(name, 1, seed=3)
    design, found = case.found()
    theta = of_the_data(case, design, found)
    assert found.converged
    assert -2 * found.at.loglik == pytest.approx(-2 * case.loglik(theta), abs=1e-6)
    gradient, second = slopes(case, theta)
    assert np.abs(np.linalg.solve(second, gradient)).max() < 1e-5
    back = np.linalg.inv(design.to_gamma)
    given = back.T @ found.at.information[:3, :3] @ back
    np.testing.assert_allclose(given, -second[:3, :3], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("diagonal", [False, True])
@pytest.mark.parametrize("name", ["bernoulli", "poisson"])
def test_two_random_effects_are_the_oracles_optimum(name, diagonal):
    case = replace(simulated(name, 2, seed=5), diagonal=diagonal)
    design, found = case.found()
    theta = of_the_data(case, design, found)
    assert found.converged
    assert -2 * found.at.loglik == pytest.approx(-2 * case.loglik(theta), abs=1e-6)
    e = 1e-4 * np.eye(len(theta))
    gradient = np.array([(case.loglik(theta + d) - case.loglik(theta - d)) / 2e-4 for d in e])
    assert np.abs(gradient).max() < 1e-4
    back = np.linalg.inv(design.to_gamma)
    given = back.T @ found.at.information[:3, :3] @ back
    assert np.abs(np.linalg.solve(given, gradient[:3])).max() < 1e-5


def test_no_variance_is_found_as_zero():
    case = simulated("bernoulli", 1, seed=8, sd=0.0)
    _, found = case.found()
    assert found.converged
    design = prepare(TwoLevelModel(ONE), case.data(), law=case.law).design
    rows = counted_rows(design, case.data(), case.law)
    at, rule = found.at, product_rule((21,))
    assert loglik(rows, case.law, at.gamma, at.chol + 0.1, rule, at.modes.t) < at.loglik
    assert found.at.chol[0, 0] == 0.0


def test_order_of_rows_does_not_matter():
    case = simulated("bernoulli", 1, seed=3)
    shuffled = np.random.default_rng(0).permutation(len(case.y))
    (_, a), (_, b) = case.found(), case.found(shuffled)
    assert a.at.loglik == pytest.approx(b.at.loglik, abs=1e-8)
    np.testing.assert_allclose(a.at.gamma, b.at.gamma, atol=1e-7)


@pytest.mark.parametrize(
    ("law", "y", "n", "said"),
    [
        (Binomial(), [0, 1, 2], [1, 1, 1], "0 or 1 in every row"),
        (Binomial(), [0, 0, 0], [1, 1, 1], "never a success"),
        (Binomial(size="n"), [0, 1, 3], [1, 1, 2], "more successes than trials"),
        (Poisson(), [0, -1, 2], [1, 1, 1], "whole numbers"),
        (Poisson(), [0, 0, 0], [1, 1, 1], "0 in every row"),
        (Poisson(size="n"), [0, 1, 2], [1, 0, 1], "above 0"),
    ],
)
def test_outcomes_a_law_cannot_give_are_refused(law, y, n, said):
    with pytest.raises(DataError, match=said):
        law.check_rows(np.array(y, dtype=float), np.array(n, dtype=float), "y")


@pytest.mark.parametrize("name", ["binomial", "poisson"])
def test_score_and_information_are_derivatives(name):
    case = simulated(name, 2, seed=4)
    design = prepare(TwoLevelModel(case.text), case.data(), law=case.law).design
    rows, rule, t = counted_rows(design, case.data(), case.law), product_rule((21, 21)), np.zeros((2, 25))
    gamma, chol = np.array([-0.2, 0.3, 0.2]), np.array([[0.7, 0.0], [-0.2, 0.4]])

    def value(theta):
        root = np.zeros((2, 2))
        root[np.tril_indices(2)] = theta[3:]
        return loglik(rows, case.law, theta[:3], root, rule, t)

    at, theta = marginal(rows, case.law, gamma, chol, rule, t), np.r_[gamma, 0.7, -0.2, 0.4]
    assert at.loglik == pytest.approx(value(theta), abs=1e-9)
    e, k = 1e-5 * np.eye(6), 1e-3 * np.eye(6)
    np.testing.assert_allclose(at.score, [(value(theta + d) - value(theta - d)) / 2e-5 for d in e], atol=2e-5)
    second = [
        [value(theta + a + b) - value(theta + a - b) - value(theta - a + b) + value(theta - a - b) for b in k]
        for a in k
    ]
    np.testing.assert_allclose(-at.information, np.array(second) / 4e-6, rtol=2e-3, atol=2e-3)


def test_a_rule_integrates_the_normal_density_and_its_moments():
    for rule in (product_rule((5, 3)), product_rule((15, 7)), few_points(5)):
        weight = np.exp(rule.log_weight - 0.5 * np.sum(rule.z**2, axis=1))
        assert weight.sum() == pytest.approx(1.0, abs=1e-12)
        np.testing.assert_allclose((rule.z.T * weight) @ rule.z, np.eye(rule.z.shape[1]), atol=1e-12)
