"""Blocks of units against sums over each unit's own rows."""

import os
import threading

import numpy as np
import pytest

from hlmbayes.hglm import blocks
from hlmbayes.hglm.blocks import Block, blocks_of, each_block
from hlmbayes.laws.outcomes import Binomial


@pytest.mark.parametrize("longest", [1, 6, 3000])
def test_sums_are_those_of_each_units_rows(longest, monkeypatch):
    monkeypatch.setattr(blocks, "ROWS", 50)
    rng = np.random.default_rng(3)
    count = np.r_[rng.integers(1, 7, 60), longest]
    unit = np.repeat(np.arange(61), count)
    N, law = len(unit), Binomial(size="n")
    d, fixed, size = rng.normal(size=(3, N)), rng.normal(size=N), rng.integers(1, 5, N).astype(float)
    y, u = rng.binomial(size.astype(int), 0.4).astype(float), rng.normal(size=(61, 2, 4))
    eta = fixed[:, None] + np.einsum("an,nak->nk", d[:2], u[unit])
    value, slope, bend = law.rows(eta, y[:, None], size[:, None])
    found = blocks_of(Block, d, y, size, np.searchsorted(unit, np.arange(61)))
    assert len(found) > 1
    assert sorted(np.concatenate([each.units for each in found])) == list(range(61))
    assert sum(each.row.size for each in found) <= blocks.UNLIKE * N
    for each in found:
        at = each.predictor(fixed, u[each.units])
        sums = each.slopes(law, at)
        np.testing.assert_allclose(each.value(law, at), sums[0], rtol=1e-12)
        for k, j in enumerate(each.units):
            own = unit == j
            np.testing.assert_allclose(sums[0][k], value[own].sum(axis=0), rtol=1e-12)
            np.testing.assert_allclose(sums[1][k], d[:, own] @ slope[own], rtol=1e-10, atol=1e-12)
            products = d[[0, 1, 1, 2, 2, 2]] * d[[0, 0, 1, 0, 1, 2]]
            np.testing.assert_allclose(sums[2][k], products[:, own] @ bend[own], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("processors", [1, 2])
def test_every_block_is_done_once_with_the_callers_error_state(processors, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(processors), raising=False)
    monkeypatch.setattr(blocks, "ROWS", 4)
    monkeypatch.setattr(blocks, "FEWEST", 4)
    found = blocks_of(Block, np.ones((1, 90)), np.zeros(90), np.ones(90), np.arange(0, 90, 3))
    total, threads = np.zeros(30), set()

    def work(block):
        threads.add(threading.get_ident())
        total[block.units] += np.isinf(np.float64(1.0) / np.zeros(1))[0]

    with np.errstate(divide="ignore"):
        each_block(work, found)
    assert len(found) > blocks.MANY
    assert (total == 1.0).all()
    assert (threading.get_ident() in threads) == (processors == 1)

    def failing(block):
        raise np.linalg.LinAlgError("as it is")

    with pytest.raises(np.linalg.LinAlgError, match="as it is"):
        each_block(failing, found)


def test_units_of_a_group_are_together_and_parts_are_the_units_once():
    rng = np.random.default_rng(5)
    count, group = rng.integers(1, 9, 4000), rng.integers(0, 3, 4000)
    N, starts = count.sum(), np.cumsum(count) - count
    found = blocks_of(Block, rng.normal(size=(2, N)), np.zeros(N), np.ones(N), starts, group)
    assert len(found) < 40  # alike units are in one block
    for each in found:
        assert (group[each.units] == each.group).all()
        for n_nodes in (1, 30, 2000):
            parts = list(each.parts(n_nodes))
            np.testing.assert_array_equal(np.concatenate([part.units for part in parts]), each.units)
            np.testing.assert_array_equal(np.concatenate([part.pairs for part in parts]), each.pairs)
            most = max(blocks.FEWEST, blocks.CELLS // n_nodes)
            assert all(part.row.size <= most for part in parts)
