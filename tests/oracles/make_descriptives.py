"""descriptives.json: what HLM prints when it makes an MDM, for HSB and (weighted) the small data. python
make_descriptives.py [FOLDER]."""

import statistics

import numpy as np
import small
from common import _read, folder_argument, save


def line(x):
    """n, mean, sd (n - 1), min, max by the statistics module (exact rational sums)."""
    x = [float(v) for v in x]
    return {"n": len(x), "mean": statistics.mean(x), "sd": statistics.stdev(x), "min": min(x), "max": max(x)}


def weighted(x, w):
    """Mean sum(wx)/sum(w); variance with weights scaled to sum to n, divisor n - 1."""
    w = w * len(w) / w.sum()
    mean = np.sum(w * x) / np.sum(w)
    return {
        "n": len(x),
        "mean": mean,
        "sd": np.sqrt(np.sum(w * (x - mean) ** 2) / (len(x) - 1)),
        "min": x.min(),
        "max": x.max(),
    }


def main():
    folder = folder_argument()
    one, two = _read(folder, "hsb1"), _read(folder, "hsb2")
    _, n = np.unique(one["id"], return_counts=True)
    means = {j: one["ses"][one["id"] == j].mean() for j in two["id"]}
    off = np.array([two["meanses"][i] - means[j] for i, j in enumerate(two["id"])])
    d = small.load()
    first = np.unique(d["id"], return_index=True)[1]
    save(
        "descriptives.json",
        "make_descriptives.py",
        {
            "level1": {k: line(v) for k, v in one.items() if k != "id"},
            "level2": {k: line(v) for k, v in two.items() if k != "id"},
            "rows_per_unit": {
                "min": int(n.min()),
                "median": float(np.median(n)),
                "max": int(n.max()),
                "mean": float(n.mean()),
            },
            "n_rows": len(one["id"]),
            "n_units": len(two["id"]),
            "meanses_minus_mean_ses": {"mean": off.mean(), "largest_absolute": np.abs(off).max()},
            "small_weighted": {
                "what": "weights scaled to sum to n; divisor n - 1",
                "level1_w1": {k: weighted(d[k], d["w1"]) for k in ("x", "y")},
                "level2_w2": {"w": weighted(d["w"][first], d["w2"][first])},
            },
        },
    )


if __name__ == "__main__":
    main()
