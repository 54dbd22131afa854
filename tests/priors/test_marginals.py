"""Prior densities of single parameters: against draws of whole matrices, and their integrals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import integrate, stats

import hlmbayes as hlm
from hlmbayes.estimation.prepare import prepare
from hlmbayes.priors.marginals import marginal
from hlmbayes.priors.priors import resolve
from tests.small_posterior import EQUATIONS, small_data


def resolved(which: int | str, **priors: Any) -> Any:
    design = prepare(hlm.Model(EQUATIONS[which]), small_data(n_units=20)).design
    return resolve(hlm.Priors(**priors), design)


def area(log_density: Any, low: float, high: float) -> float:
    return float(integrate.quad(lambda x: float(np.exp(log_density(np.array(x)))), low, high)[0])


@pytest.fixture(scope="module")
def lkj() -> Any:
    return resolved(3, gamma=hlm.Normal(2.0, 3.0), sd=hlm.HalfNormal(1.5), corr=hlm.LKJ(2.0))


def test_every_density_integrates_to_one(lkj: Any) -> None:
    ends = {"g00": (-40, 40), "sd[b0]": (0, 30), "corr[b1,b0]": (-1, 1), "sigma": (0, np.inf)}
    for code, (low, high) in ends.items():
        density = marginal(lkj, code)
        assert density is not None
        assert area(density, low, high) == pytest.approx(1.0, abs=1e-7), code
    assert marginal(resolved(1), "sigma2") is None


def test_correlations_of_lkj_are_beta(lkj: Any) -> None:
    r = np.array([-0.9, 0.1, 0.6])  # three effects, eta 2: a = 2.5
    expected = stats.beta(2.5, 2.5, loc=-1, scale=2).logpdf(r)
    found = marginal(lkj, "corr[b2,b1]")
    assert found is not None
    np.testing.assert_allclose(found(r), expected)


def test_inverse_wishart_has_the_marginals_of_its_draws() -> None:
    scale = np.diag([2.0, 0.5])
    priors = resolved(2, tau=hlm.InverseWishart(5.0, scale))
    tau = stats.invwishart(5.0, scale).rvs(40_000, random_state=1)
    drawn = {
        "sd[b1]": np.sqrt(tau[:, 1, 1]),
        "corr[b1,b0]": tau[:, 0, 1] / np.sqrt(tau[:, 0, 0] * tau[:, 1, 1]),
    }
    for code, values in drawn.items():
        density = marginal(priors, code)
        assert density is not None
        for q in (0.2, 0.5, 0.9):
            low = 1e-9 if code.startswith("sd") else -1.0
            below = area(density, low, float(np.quantile(values, q)))
            assert below == pytest.approx(q, abs=0.01), code
    tilted = resolved(2, tau=hlm.InverseWishart(5.0, np.array([[2.0, 0.3], [0.3, 0.5]])))
    assert marginal(tilted, "corr[b1,b0]") is None
