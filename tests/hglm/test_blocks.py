"""Blocks of units against sums over each unit's own rows."""

import numpy as np
import pytest

from hlmbayes.hglm import blocks
from hlmbayes.hglm.blocks import Block, blocks_of
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
