"""Small unbalanced data for tests, with units that lack full rank, and models over them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hlmbayes import Model
from hlmbayes.data.two_level import TwoLevelData, read

MODELS = {
    "means": "y = b0 + r\nb0 = g00 + u0",
    "slopes": """y = b0 + b1*group(x) + r
        b0 = g00 + g01*w + u0
        b1 = g10 + g11*grand(w) + u1""",
    "raw": "y = b0 + b1*x + b2*z + r\nb0 = g00 + g01*w + u0\nb1 = g10 + u1\nb2 = g20",
    "random only": "y = b0 + b1*d + b2*grand(x) + r\nb0 = g00 + u0\nb1 = u1\nb2 = g20 + g21*w + u2",
    "no intercept": "y = b1*d + b2*e + b3*x + r\nb1 = g10 + g11*w + u1\nb2 = g20 + g21*w + u2\nb3 = g30",
    "constrained": """y = b0 + b1*group(x) + r
        b0 = g00 + g01*w + g02*v + u0
        b1 = g10 + g11*w + g12*v + u1
        g01 = g11
        g02 = g12""",
    "four": "y = b0 + b1*x + b2*z + b3*d + r\nb0 = g00 + u0\nb1 = g10 + u1\nb2 = g20 + u2\nb3 = g30 + u3",
    "diagonal": """y = b0 + b1*x + b2*z + r
        b0 = g00 + g01*w + u0
        b1 = g10 + u1
        b2 = g20
        cov(u0, u1) = 0""",
    "blocks": """y = b0 + b1*x + b2*z + r
        b0 = g00 + u0
        b1 = g10 + g11*w + u1
        b2 = g20 + u2
        cov(u0, u1) = cov(u1, u2) = 0""",
}


@dataclass
class Small:
    """Raw arrays: level-1 columns (N,), unit (N,), level-2 variables (J,)."""

    columns: dict[str, np.ndarray]
    unit: np.ndarray
    level2: dict[str, np.ndarray]

    def data(self, order: np.ndarray | None = None) -> TwoLevelData:
        rows = np.arange(len(self.unit)) if order is None else order
        level1 = {"id": self.unit[rows] + 100, **{k: v[rows] for k, v in self.columns.items()}}
        level2 = {"id": np.arange(len(self.level2["w"])) + 100, **self.level2}
        return read(level1, level2, id="id")


def small(seed: int = 1, n_units: int = 12, sd: float = 1.0) -> Small:
    """Unbalanced units of 1 to 9 rows; unit 0 has one row, in unit 1 d is constant."""
    rng = np.random.default_rng(seed)
    n = rng.integers(3, 10, n_units)
    n[0] = 1
    unit = np.repeat(np.arange(n_units), n)
    d = (rng.random(len(unit)) < 0.5).astype(float)
    d[unit == 1] = 1.0
    x, z = rng.normal(size=len(unit)) + rng.normal(size=n_units)[unit], rng.normal(size=len(unit))
    w, v = rng.normal(size=n_units), rng.normal(size=n_units)
    u = sd * rng.normal(size=(n_units, 2)) @ np.array([[1.0, 0.4], [0.0, 0.6]])
    y = 2 + 0.5 * w[unit] + u[unit, 0] + (0.7 + u[unit, 1]) * x + 0.3 * z + d + rng.normal(size=len(unit))
    return Small({"y": y, "x": x, "z": z, "d": d, "e": 1 - d}, unit, {"w": w, "v": v})


def model(name: str) -> Model:
    return Model(MODELS[name])


OWN = "y = b0 + b1*x + r\nb0 = g00 + g01*own + u0\nb1 = g10 + g11*own + u1"


def own_unit(seed: int, n_own: int = 5, scale: float = 1.0, x_scale: float = 1.0) -> TwoLevelData:
    """9 units of 2 to 7 rows; ``own`` is 1 in the first alone, so that it determines g00 + g01, g10 + g11."""
    rng = np.random.default_rng(seed)
    n = np.append(n_own, rng.integers(2, 8, 8))
    unit, own = np.repeat(np.arange(9), n), (np.arange(9) == 0).astype(float)
    x, u = rng.normal(size=n.sum()), 1.5 * rng.normal(size=(9, 2))
    y = 2.0 + u[unit, 0] + 3.0 * own[unit] + (0.7 + u[unit, 1]) * x + rng.normal(size=n.sum())
    level2 = {"id": np.arange(9), "own": own, "other": 1.0 - own}
    return read({"id": unit, "x": x_scale * x, "y": scale * y}, level2, id="id")
