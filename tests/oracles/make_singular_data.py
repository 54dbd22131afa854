"""Writes data/singular_*.csv: small data sets whose REML and ML optima have a singular tau."""

import numpy as np
from common import HERE


def balanced(b0, b1, seed):
    """5 rows a unit, x = -2..2; the residuals are orthogonal to 1 and x: the unit's OLS line is b0 + b1 x."""
    rng = np.random.default_rng(seed)
    x = np.arange(-2.0, 3.0)
    quad, quart = np.array([2, -1, -2, -1, 2.0]), np.array([1, -4, 6, -4, 1.0])
    rows = []
    for j, (a, b) in enumerate(zip(b0, b1, strict=True)):
        c, e = rng.integers(-4, 5, 2)
        rows += [
            (j + 1, xi, round(20 + a + b * xi + 0.2 * (c * p + e * s), 3))
            for xi, p, s in zip(x, quad, quart, strict=True)
        ]
    return rows


def unbalanced(seed, J, root, shrink, names, x2=False):
    """3 to 9 rows a unit; u = root @ N(0, 1); the share `shrink` of each unit's mean residual is taken
    out."""
    rng = np.random.default_rng(seed)
    rows = []
    for j in range(J):
        n = int(rng.integers(3, 10))
        x = np.round(rng.normal(0, 1, n) + rng.normal(0, 0.5), 2)
        second = np.round(rng.normal(0, 1, n), 2)
        Z = np.column_stack([np.ones(n), x, second][: len(root)])
        e = rng.normal(0, 2, n)
        e -= shrink * (Z @ np.linalg.lstsq(Z, e, rcond=None)[0] if n > Z.shape[1] else e.mean())
        y = 10 + 1.5 * x + Z @ (np.asarray(root) @ rng.normal(size=len(root[0]))) + e
        rows += [
            (j + 1, x[i], second[i], round(y[i], 3)) if x2 else (j + 1, x[i], round(y[i], 3))
            for i in range(n)
        ]
    return rows


def write(name, header, rows):
    with open(HERE / "data" / f"singular_{name}.csv", "w") as f:
        f.write(",".join(header) + "\n")
        f.writelines(",".join(f"{v:g}" for v in row) + "\n" for row in rows)


def main():
    two, three = ("id", "x", "y"), ("id", "x", "x2", "y")
    v, w = np.array([3, -3, 1, -1, 5, -5.0]), np.array([0.2, -0.3, 0.1, 0.3, -0.1, -0.2])
    # intercept and slope exactly uncorrelated over units: one variance is exactly zero, the other is not
    write("slope_zero", two, balanced(np.r_[v, v], np.r_[w, -w], 1))
    write("intercept_zero_balanced", two, balanced(np.r_[w, -w], np.r_[v, v], 2))
    write("intercept_zero", two, unbalanced(3, 15, [[0.0], [0.0]], 0.9, two))
    write("corr_plus1", two, unbalanced(4, 16, [[1.5], [1.0]], 0.5, two))
    write("corr_minus1", two, unbalanced(5, 16, [[2.0], [-1.2]], 0.5, two))
    write("all_zero", two, unbalanced(6, 14, [[0.0], [0.0]], 0.9, two))
    write("three_rank1", three, unbalanced(7, 18, [[2.0], [1.0], [-1.5]], 0.6, three, x2=True))
    write("three_rank2", three, unbalanced(8, 18, [[2.0, 0.0], [1.0, 1.0], [-1.0, 1.5]], 0.5, three, x2=True))


if __name__ == "__main__":
    main()
