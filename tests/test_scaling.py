"""Processor time grows linearly with units and rows: the exponent is guarded, not the seconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from hlmbayes import Model
from hlmbayes.likelihood.build_design import build_design
from hlmbayes.likelihood.evaluate import evaluate, standardise
from hlmbayes.unit_moments.accumulate import unit_moments
from hlmbayes.unit_moments.record import Moments

SIZES = (1_000, 3_000, 10_000, 30_000, 100_000)
MODEL = """y = b0 + b1*group(x) + r
    b0 = g00 + g01*w + u0
    b1 = g10 + g11*w + u1"""


def moments_of_size(n_units: int) -> Moments:
    """Ten rows a unit from the model, so that every size has an optimum inside and as many iterations."""
    rng = np.random.default_rng(1)
    n, w = np.full(n_units, 10.0), rng.normal(size=n_units)
    x, (u0, u1) = rng.normal(size=(n_units, 10)), rng.normal(size=(2, n_units, 1))
    y = w[:, None] + u0 + (0.5 + u1) * x + rng.normal(size=(n_units, 10))
    rows = np.stack([y, x], axis=1)
    mean = rows.mean(axis=2)
    away = rows - mean[:, :, None]
    return Moments("id", np.arange(n_units), ("y", "x"), n, n, mean, away @ away.transpose(0, 2, 1), {"w": w})


def seconds(works: Sequence[Callable[[], object]], rounds: int = 15) -> list[float]:
    """The least processor time of each: they take turns, and what other processes do only adds."""
    taken = []
    for _ in range(rounds):
        for work in works:
            clock = time.process_time()
            work()
            taken.append(time.process_time() - clock)
    return np.reshape(taken, (rounds, -1)).min(axis=0).tolist()


def exponent(work: Callable[[int], Callable[[], object]]) -> float:
    """The largest power of the size with which time grows, over all pairs ten times apart or more."""
    times = dict(zip(SIZES, seconds([work(size) for size in SIZES]), strict=True))
    return max(np.log(times[b] / times[a]) / np.log(b / a) for a in SIZES for b in SIZES if b >= 10 * a)


@pytest.mark.slow
def test_an_evaluation_and_a_fit_are_linear_in_units() -> None:
    factor = np.array([[0.3, 0.0], [0.05, 0.2]])

    def evaluation(size: int) -> Callable[[], object]:
        system = standardise(build_design(Model(MODEL), moments_of_size(size)))
        return lambda: evaluate(system, factor)

    def fit(size: int) -> Callable[[], object]:
        moments, model = moments_of_size(size), Model(MODEL)
        return lambda: model.fit(moments).se_tau

    assert exponent(evaluation) < 1.2
    assert exponent(fit) < 1.25


@pytest.mark.slow
@pytest.mark.parametrize("scattered", [False, True])
def test_the_pass_is_linear_in_rows_for_any_number_of_units(scattered: bool) -> None:
    rng = np.random.default_rng(1)

    def rows(size: int) -> Callable[[], object]:
        unit = np.repeat(np.arange(size), 20)
        if scattered:
            unit = rng.permutation(unit)
        columns = [rng.normal(size=len(unit)) for _ in range(2)]
        return lambda: unit_moments(unit, size, columns)

    # scattered ids: from 1e3 to 1e5 units the sums leave the cache, which costs more than rows
    assert exponent(rows) < (1.5 if scattered else 1.2)


@pytest.mark.slow
def test_a_fit_takes_the_same_time_for_any_number_of_rows() -> None:
    few, many, model = moments_of_size(1000), moments_of_size(1000), Model(MODEL)
    rows = np.full(1000, 1e6)
    many = replace(many, n=rows, weight=rows, sscp=1e5 * many.sscp)
    times = seconds([lambda: model.fit(many), lambda: model.fit(few)])
    assert times[0] < 3 * times[1]
