"""data/small.csv: 12 units of 3 to 11 rows (seeded), where small-sample corrections matter; tau is not
singular.

Weights for weights.json: w1 (level 1, conditional), w2 (level 2); k1, k2 whole numbers for replication.
"""

import numpy as np
from common import HERE, columns, with_centred

MODEL = {
    "equations": ["y = b0 + b1*x + r", "b0 = g00 + g01*w + u0", "b1 = g10 + g11*w + u1"],
    "fixed": {"g00": "1", "g01": "w", "g10": "x", "g11": "x*w"},
    "random": ["1", "x"],
}


def load():
    return with_centred(columns(HERE / "data" / "small.csv"))


def main():
    rng = np.random.default_rng(20261123)
    lines = ["id,x,w,y,w1,w2,k1,k2"]
    for j, n in enumerate([3, 11, 4, 7, 5, 9, 4, 6, 10, 3, 8, 5]):
        w, w2, k2 = round(rng.normal(), 2), round(rng.uniform(0.5, 4), 2), int(rng.integers(1, 4))
        u = np.linalg.cholesky([[4.0, 0.8], [0.8, 1.5]]) @ rng.normal(size=2)
        for _ in range(n):
            x = round(rng.normal(0.3, 1.2), 2)
            y = 10 + 1.5 * w + u[0] + (2 - w + u[1]) * x + rng.normal(0, 1.5)
            w1, k1 = round(rng.uniform(0.3, 3), 2), int(rng.integers(1, 4))
            lines.append(f"{101 + j},{x:g},{w:g},{y:.3f},{w1:g},{w2:g},{k1},{k2}")
    (HERE / "data" / "small.csv").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
