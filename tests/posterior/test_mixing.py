"""R-hat and effective draws of many parameters at once, against ArviZ's of one."""

from __future__ import annotations

import numpy as np
import pytest
from arviz_stats.base import array_stats

from hlmbayes.posterior.mixing import Mixing, effective, mixing


def walk(rng: np.random.Generator, slope: float, chains: int, draws: int) -> np.ndarray:
    """Draw chains that regress on their last value."""
    found = rng.standard_normal((chains, draws))
    for t in range(1, draws):
        found[:, t] += slope * found[:, t - 1]
    return found


def parameters(chains: int, draws: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(chains * draws)
    found = {f"slope {slope}": walk(rng, slope, chains, draws) for slope in (-0.9, -0.5, 0.0, 0.3, 0.9, 0.99)}
    plain = found["slope 0.0"]
    return found | {
        "skewed": np.exp(found["slope 0.3"]),
        "repeated": np.repeat(walk(rng, 0.0, chains, -(-draws // 3)), 3, axis=1)[:, :draws],
        "rounded": np.round(plain),
        "seldom": np.where(plain > 1.5, 1.0, 0.0),
        "mostly": np.where(plain > -1.8, 1.0, 0.0),
        "apart": found["slope -0.9"] + np.arange(chains)[:, None],
        "adrift": np.cumsum(plain, axis=1),
    }


@pytest.mark.parametrize(
    ("chains", "draws"),
    [
        (4, 1000),
        (4, 1001),
        (2, 50),
        (1, 100),
        (3, 4),
        (4, 5),
        (2, 7),
        (5, 8),
        (4, 9),
        (4, 10),
        (4, 11),
        (2, 12),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_the_numbers_are_arvizs(chains, draws):
    known = {name: values for name, values in parameters(chains, draws).items() if np.ptp(values) > 0}
    found = mixing(np.stack(list(known.values())))
    assert found.ess_bulk.shape == (len(known),)
    for k, (name, values) in enumerate(known.items()):
        wanted = Mixing(
            array_stats.rhat(values),
            array_stats.ess(values, method="bulk"),
            array_stats.ess(values, method="tail", prob=(0.05, 0.95)),
            array_stats.mcse(values, method="mean"),
        )
        np.testing.assert_allclose([each[k] for each in found], wanted, rtol=1e-10, err_msg=name)


def test_what_does_not_vary_or_is_not_finite_has_none():
    draws = np.random.default_rng(1).standard_normal((3, 4, 50))
    alone = mixing(draws[2:])
    draws[0] = 7.0
    draws[1, 2, 3] = np.nan
    for both, one in zip(mixing(draws), alone, strict=True):
        assert np.isnan(both[:2]).all()
        assert both[2] == one[0]
    assert np.isnan(mixing(draws[:2])).all()


def test_one_chain_has_no_r_hat():
    assert np.isnan(mixing(np.random.default_rng(1).standard_normal((1, 1, 100))).r_hat).all()


def test_the_order_of_parameters_and_chains_does_not_matter():
    draws = np.stack(list(parameters(4, 200).values()))
    for one, other in zip(mixing(draws), mixing(draws[::-1, ::-1]), strict=True):
        np.testing.assert_allclose(one, other[::-1], rtol=1e-10)


def test_effective_draws_of_an_autoregression_are_those_of_its_formula():
    """(1 - slope) / (1 + slope) of the draws, in the long run."""
    rng = np.random.default_rng(3)
    chains = np.stack([walk(rng, slope, 20, 4000) for slope in (0.0, 0.5, 0.8)])
    share = effective(chains[:, :, 200:]) / (20 * 3800)
    np.testing.assert_allclose(share, [1.0, 1 / 3, 1 / 9], rtol=0.06)
