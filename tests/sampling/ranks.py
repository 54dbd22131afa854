"""Ranks of true values among their posterior draws: uniform where all is what it is said to be."""

from collections.abc import Iterable, Mapping

import numpy as np
from scipy.stats import chisquare, kstest

KEPT = 99  # draws of each set


def ranks_of(truth: np.ndarray, draws: Iterable[np.ndarray], rng: np.random.Generator) -> list[int]:
    """Rank each true value among some of its draws, the same of every one."""
    flat = [np.ravel(values) for values in draws]
    kept = rng.choice(len(flat[0]), size=KEPT, replace=False)
    return [int(np.sum(values[kept] < true)) for true, values in zip(truth, flat, strict=True)]


def assert_uniform(ranks: Mapping[str, np.ndarray], level: float) -> None:
    """Hold the ranks of each quantity, by name, to the uniform distribution by two tests."""
    for name, rank in ranks.items():
        counts = np.histogram(rank, bins=10, range=(-0.5, KEPT + 0.5))[0]
        assert chisquare(counts).pvalue > level, name
        assert kstest((rank + 0.5) / (KEPT + 1), "uniform").pvalue > level, name
