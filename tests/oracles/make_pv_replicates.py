"""pv_replicates.json and data/pv_replicates.csv: five plausible values with six replicate weights (Fay, 0.5).

Every one of the 5 x (1 + 6) pseudo-ML fits is by brute force (make_weights.py); the pooling is by hand: U is
the replicates' variance averaged over the plausible values, or that of the first, T = U + (1 + 1/5) B, and
1 / df = f^2 / 4 + (1 - f)^2 / 6 with f = (1 + 1/5) B / T.
"""

import numpy as np
import small
from common import HERE, columns, design, save, with_centred
from make_weights import MODEL, maximise, scaled

M, R, FAY = 5, 6, 0.5


def make_data():
    """small.csv with plausible values pv1 to pv5, and rep1 to rep6 of the total weight w1 w2."""
    rng = np.random.default_rng(20261129)
    data = small.load()
    units, unit = np.unique(data["id"], return_inverse=True)
    signs = rng.choice([-1, 1], (R, (len(units) + 1) // 2))
    multiply = 1 + FAY * np.repeat(signs, 2, axis=1)[:, : len(units)] * np.where(
        np.arange(len(units)) % 2, 1, -1
    )
    kept = {name: data[name] for name in ("id", "x", "w", "w1", "w2")}
    kept |= {f"pv{k + 1}": np.round(data["y"] + rng.normal(0, 0.8, len(unit)), 3) for k in range(M)}
    total = data["w1"] * data["w2"]
    kept |= {f"rep{r + 1}": np.round(total * multiply[r][unit], 6) for r in range(R)}
    lines = [
        ",".join(kept),
        *(",".join(f"{v:.10g}" for v in row) for row in zip(*kept.values(), strict=True)),
    ]
    (HERE / "data" / "pv_replicates.csv").write_text("\n".join(lines) + "\n")


def estimates(data, outcome, unit, W):
    """gamma, T00, T10, T11, sigma2 with level-2 weights W (J,)."""
    X, Z = design(data, MODEL)
    rows = [np.flatnonzero(unit == j) for j in range(len(W))]
    w, W = scaled(rows, data["w1"], W, "size")
    found = maximise([(data[outcome][r], X[r], Z[r], w[r]) for r in rows], W * len(W) / W.sum())
    return np.asarray(found[0] if isinstance(found, tuple) else found)


def pooled(full, replicated, which):
    """U, B, T and df of every parameter; full (M, P), replicated (M, R, P)."""
    each = np.sum((replicated - full[:, None]) ** 2, axis=1) / (R * (1 - FAY) ** 2)
    U, B = each[which].mean(axis=0), full.var(axis=0, ddof=1)
    T = U + (1 + 1 / M) * B
    f = (1 + 1 / M) * B / T
    return {"U": U, "B": B, "T": T, "se": np.sqrt(T), "df": 1 / (f**2 / (M - 1) + (1 - f) ** 2 / R)}


def main():
    make_data()
    data = with_centred(columns(HERE / "data" / "pv_replicates.csv"))
    _, first, unit = np.unique(data["id"], return_index=True, return_inverse=True)
    total = data["w1"] * data["w2"]
    multiply = [(data[f"rep{r + 1}"] / total)[first] for r in range(R)]
    w2 = data["w2"][first]
    names = [f"pv{k + 1}" for k in range(M)]
    full = np.array([estimates(data, name, unit, w2) for name in names])
    replicated = np.array([[estimates(data, name, unit, w2 * m) for m in multiply] for name in names])
    content = {
        "equations": MODEL["equations"],
        "parameters": ["g00", "g01", "g10", "T00", "T10", "T11", "sigma2"],
        "full": full,
        "replicated": replicated,
        "estimate": full.mean(axis=0),
        "all": pooled(full, replicated, slice(None)),
        "first": pooled(full, replicated, slice(1)),
    }
    save("pv_replicates.json", "make_pv_replicates.py (make_weights.py)", content)


if __name__ == "__main__":
    main()
