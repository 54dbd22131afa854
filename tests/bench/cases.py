"""The data of the benchmark, as raw files every tool can read in no time: HSB, and simulated from model 4."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

MODELS = {
    "model 3": "y = b0 + b1*group(x) + r\nb0 = g00 + u0\nb1 = g10 + u1",
    "model 4": "y = b0 + b1*group(x) + r\nb0 = g00 + g01*w1 + g02*w2 + u0\nb1 = g10 + g11*w1 + g12*w2 + u1",
    "growth": "y = b0 + b1*x + r\nb0 = g00 + u0\nb1 = g10 + u1",
}
# group-mean centred x is a column for the others; only hlmbayes is timed with the centring
LME4 = {
    "model 3": "y ~ xc + (1 + xc | id)",
    "model 4": "y ~ w1 + w2 + xc + w1:xc + w2:xc + (1 + xc | id)",
    "growth": "y ~ xc + (1 + xc | id)",
}
ROWS = 45
LEVEL1, LEVEL2 = ("id", "y", "x", "xc"), ("w1", "w2")


def simulate(n_units: int, seed: int = 2002) -> dict[str, np.ndarray]:
    """Simulate model 4 at about its High School and Beyond estimates, 45 rows a unit."""
    rng = np.random.default_rng(seed)
    unit = np.repeat(np.arange(n_units), ROWS)
    w1, w2 = (rng.random(n_units) < 0.44).astype(float), 0.41 * rng.standard_normal(n_units)
    x = (w2[:, None] + 0.66 * rng.standard_normal((n_units, ROWS))).reshape(-1)
    xc = x - np.repeat(x.reshape(n_units, ROWS).mean(axis=1), ROWS)
    root = np.linalg.cholesky(np.array([[2.38, 0.19], [0.19, 0.15]]))
    u = rng.standard_normal((n_units, 2)) @ root.T
    b0 = 12.1 + 1.23 * w1 + 5.33 * w2 + u[:, 0]
    b1 = 2.94 - 1.64 * w1 + 1.03 * w2 + u[:, 1]
    y = b0[unit] + b1[unit] * xc + 6.06 * rng.standard_normal(len(unit))
    return {"id": unit.astype(float), "y": y, "x": x, "xc": xc, "w1": w1, "w2": w2}


def growth(n_units: int, seed: int = 4) -> dict[str, np.ndarray]:
    """Simulate four occasions, the same for every unit: 0, 1, 2, 3."""
    rng = np.random.default_rng(seed)
    unit, x = np.repeat(np.arange(n_units), 4), np.tile(np.arange(4.0), n_units)
    u = rng.standard_normal((n_units, 2)) @ np.linalg.cholesky(np.array([[4.0, 0.5], [0.5, 0.6]])).T
    y = 20.0 + u[unit, 0] + (1.5 + u[unit, 1]) * x + 2.0 * rng.standard_normal(len(unit))
    nothing = np.zeros(n_units)
    return {"id": unit.astype(float), "y": y, "x": x, "xc": x, "w1": nothing, "w2": nothing}


def hsb() -> dict[str, np.ndarray]:
    """Give High School and Beyond under the names of the simulation."""
    from hlmbayes.datasets import hsb as load

    data = load()
    y, x = data.level1_columns(["mathach", "ses"])
    mean = np.bincount(data.unit, weights=x) / np.bincount(data.unit)
    level2 = {"w1": data.level2_column("sector"), "w2": data.level2_column("meanses")}
    unit = data.unit
    return {"id": unit.astype(float), "y": y + 0.0, "x": x + 0.0, "xc": x - mean[unit], **level2}


def save(case: dict[str, np.ndarray], folder: Path) -> None:
    """Write each column as raw doubles, and their lengths."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, values in case.items():
        np.ascontiguousarray(values, dtype=float).tofile(folder / f"{name}.bin")
    sizes = {name: len(values) for name, values in case.items()}
    (folder / "sizes.json").write_text(json.dumps(sizes))


def load(folder: Path) -> dict[str, np.ndarray]:
    """Read what `save` wrote."""
    return {name: np.fromfile(folder / f"{name}.bin") for name in (*LEVEL1, *LEVEL2)}


def rss(which: str = "VmRSS") -> float:
    """Give this process's memory now (VmRSS) or at its peak (VmHWM), in MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(which):
            return int(line.split()[1]) / 1024
    return float("nan")
