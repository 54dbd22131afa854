"""Polynomials for the sums over units, against the sums themselves."""

from __future__ import annotations

import numpy as np
import pytest

import hlmbayes as hlm
from hlmbayes.data.two_level import TwoLevelData
from hlmbayes.density.batch import evaluate_batch, unit_sums
from hlmbayes.density.expansion import TOLERANCE, Expansion, expand, region_about, relative
from hlmbayes.density.sampled import OfMoments
from hlmbayes.density.target import Target, target_for
from hlmbayes.faces import record_of
from hlmbayes.sampling.direct import find_mode

MODELS = {
    "no random effects": "y = b0 + b1*x + r\nb0 = g00 + g01*w\nb1 = g10",
    "intercepts": "y = b0 + b1*x + r\nb0 = g00 + g01*w + u0\nb1 = g10",
    "slopes": "y = b0 + b1*x + r\nb0 = g00 + g01*w + u0\nb1 = g10 + g11*w + u1",
    "unequal": "y = b0 + b1*x + r\nb0 = g00 + u0\nb1 = g10\nlog(sigma2) = a0 + a1*w",
}


def many(n_units: int) -> TwoLevelData:
    """Units of 2 to 9 rows with random intercepts and slopes."""
    rng = np.random.default_rng(5)
    unit = np.repeat(np.arange(n_units), rng.integers(2, 10, n_units))
    x, w = rng.normal(size=len(unit)), rng.integers(0, 3, n_units).astype(float)
    u = rng.normal(size=(2, n_units)) * [[1.0], [0.6]]
    y = 3.0 + w[unit] + u[0][unit] + (1.0 + u[1][unit]) * x + 1.5 * rng.normal(size=len(unit))
    return TwoLevelData("id", np.arange(n_units), unit, {"y": y, "x": x}, {"w": w})


def target_of(name: str, n_units: int = 8000) -> Target:
    return target_for(record_of(hlm.Model(MODELS[name])), many(n_units), None)


def expanded(target: Target, most: int = 2000) -> tuple[Expansion | None, np.ndarray]:
    """Give the expansion about the mode and points drawn as the posterior is, about."""
    mode, rng = find_mode(OfMoments(target)), np.random.default_rng(1)
    found = expand(target, mode.phi, mode.root, rng, most)
    return found, mode.phi + rng.standard_normal((50, target.size)) @ mode.root.T


@pytest.mark.parametrize("name", MODELS)
def test_density_and_gamma_are_those_of_the_sums_over_units(name):
    target = target_of(name)
    expansion, phi = expanded(target)
    assert expansion is not None
    assert expansion.error <= TOLERANCE
    exact, found = evaluate_batch(target, phi), evaluate_batch(target, phi, expansion)
    assert np.ptp(found.log_density - exact.log_density) <= 2.0 * TOLERANCE
    # gamma's mean in its conditional sds, and those sds
    assert found.half == pytest.approx(exact.half, abs=1e-4)
    assert found.chol == pytest.approx(exact.chol, rel=1e-6, abs=1e-6 * np.abs(exact.chol).max())


def test_outside_its_region_the_sums_are_taken():
    target = target_of("slopes")
    expansion, phi = expanded(target)
    assert expansion is not None
    far = phi[:3] * [1.5, 1.5, 1.0, 1.0]
    for ours, theirs in zip(expansion(target, far), unit_sums(target, far), strict=True):
        assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("name", MODELS)
def test_points_and_what_the_sums_depend_on_are_there_and_back(name):
    target = target_of(name, 500)
    mode = find_mode(OfMoments(target))
    region = region_about(target, mode.phi, mode.root)
    z = np.random.default_rng(2).normal(size=(20, len(region.mean)))
    assert region.to_z(target, region.to_phi(target, z)) == pytest.approx(z, abs=1e-9)


def test_the_sums_depend_on_the_ratio_of_tau_to_sigma2_alone():
    target = target_of("slopes", 500)
    phi = np.array([[1.0, 0.7, 0.2, 0.1], [2.0, 1.4, 0.2, 0.1 + np.log(2.0)]])
    assert relative(target, phi)[0] == pytest.approx(relative(target, phi)[1])
    for sums in unit_sums(target, phi):
        assert sums[0] == pytest.approx(sums[1], rel=1e-11)


def test_few_units_are_refused():
    assert expanded(target_of("slopes", 40))[0] is None


def test_more_points_than_are_allowed_are_refused():
    assert expanded(target_of("slopes"), most=100)[0] is None
