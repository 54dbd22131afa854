"""Small unbalanced data, and the dense matrices of the same model: the oracle of the marginal density."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

import hlmbayes as hlm
from hlmbayes.data.two_level import TwoLevelData

LEVEL1 = "y = b0 + b1*x1 + b2*x2 + b3*x3 + r"
EQUATIONS: dict[int | str, str] = {
    1: "y = b0 + b1*x1 + r; b0 = g00 + g01*w + u0; b1 = g10",
    2: "y = b0 + b1*x1 + r; b0 = g00 + g01*w + u0; b1 = g10 + g11*w + u1",
    3: "y = b0 + b1*x1 + b2*x2 + r; b0 = g00 + u0; b1 = g10 + g11*w + u1; b2 = u2",
    4: f"{LEVEL1}; b0 = g00 + g01*w + u0; b1 = g10 + u1; b2 = g20 + u2; b3 = g30 + u3",
    "diagonal": "y = b0 + b1*x1 + b2*x2; b0 = g00 + u0; b1 = g10 + g11*w + u1; b2 = u2; cov(u0, u1, u2) = 0",
    "blocks": f"{LEVEL1}; b0 = g00 + g01*w + u0; b1 = g10 + u1; b2 = g20 + u2; b3 = g30 + u3; "
    "cov(u0, u1) = cov(u0, u3) = cov(u1, u2) = cov(u2, u3) = 0",
}


@dataclass(frozen=True)
class Dense:
    """Rows of the model: y (N,), X (N, F), Z block-diagonal (N, J q), unit (N,)."""

    y: np.ndarray
    x: np.ndarray
    z: np.ndarray
    unit: np.ndarray

    def covariance(self, tau: np.ndarray, sigma: float) -> np.ndarray:
        v = sigma**2 * np.eye(len(self.y))
        for j in range(self.unit.max() + 1):
            at = np.flatnonzero(self.unit == j)
            v[np.ix_(at, at)] += self.z[at] @ tau @ self.z[at].T
        return v


def small_data(seed: int = 3, n_units: int = 9) -> TwoLevelData:
    """Units of 1 to 8 rows: some too small for a regression of their own, one with a constant x1."""
    rng = np.random.default_rng(seed)
    sizes = np.resize([5, 1, 8, 2, 6, 3, 7, 4, 1], n_units)
    unit = np.repeat(np.arange(n_units), sizes)
    n = len(unit)
    x = rng.normal(size=(3, n))
    x[0, unit == 4] = 0.7
    w = rng.normal(size=n_units)
    y = 50 + 2 * w[unit] + x[0] + rng.normal(size=n_units)[unit] * (1 + x[1]) + rng.normal(size=n)
    level1 = {"y": y, "x1": x[0], "x2": x[1], "x3": x[2]}
    return TwoLevelData("id", np.arange(n_units) + 1, unit, level1, {"w": w})


def dense(data: TwoLevelData, model: hlm.Model) -> Dense:
    """Build X and Z row by row from the equations (uncentred predictors only)."""
    one = np.ones(data.n_rows)
    x, z = [], []
    for coefficient in model.coefficients:
        variable = coefficient.predictor.variable
        column = one if variable is None else data.level1[variable]
        for gamma in coefficient.gammas:
            name = gamma.predictor.variable
            x.append(column if name is None else column * data.level2[name][data.unit])
        if coefficient.random:
            z.append(column)
    return Dense(data.level1["y"], np.stack(x, 1), np.stack(z, 1), data.unit)


@pytest.fixture
def make_small() -> Callable[..., TwoLevelData]:
    return small_data


@pytest.fixture
def make_dense() -> Callable[[TwoLevelData, hlm.Model], Dense]:
    return dense


@pytest.fixture(params=list(EQUATIONS))
def small_model(request: pytest.FixtureRequest) -> hlm.Model:
    return hlm.Model(EQUATIONS[request.param].replace("; ", "\n"))


@pytest.fixture(scope="session")
def hsb() -> TwoLevelData:
    return hlm.datasets.hsb()


@pytest.fixture(scope="session")
def model4() -> hlm.Model:
    return hlm.Model("""
        mathach = b0 + b1*group(ses) + r
        b0 = g00 + g01*sector + g02*meanses + u0
        b1 = g10 + g11*sector + g12*meanses + u1
    """)
