"""Level-1 variances that are known, so that level 1 has no parameter, or known up to a factor."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import hlmbayes as hlm
from hlmbayes.density.batch import evaluate_batch
from hlmbayes.density.conditional import complete, draw_effects, full_log_prior, unit_log_likelihood
from hlmbayes.density.level1 import KnownSigma
from hlmbayes.density.marginal import value_and_gradient
from hlmbayes.density.prior_density import log_prior
from hlmbayes.density.sampled import OfMoments
from hlmbayes.density.target import target_for
from hlmbayes.laws.normal import FixedSigma2
from hlmbayes.sampling.arrange import parameter_names
from hlmbayes.sampling.sampling import draw
from hlmbayes.sampling.settings import Settings

MODEL = hlm.Model("y = b0 + b1*x1 + r\nb0 = g00 + g01*w + u0\nb1 = g10 + u1")


@pytest.fixture
def targets(make_small):
    """The density with sigma estimated, and with sigma known to be 1.3."""
    free = target_for(MODEL, make_small(n_units=40), None)
    return free, replace(free, law=KnownSigma(free.design, free.system, FixedSigma2(1.69)))


def test_its_density_is_the_conditional_one(targets):
    free, known = targets
    phi = np.array([0.7, 1.1, 0.3])
    at = np.append(phi, np.log(1.3))
    value, gradient = value_and_gradient(known, phi)
    whole, slope = value_and_gradient(free, at)
    assert known.size == 3
    assert gradient == pytest.approx(slope[:3], rel=1e-12)
    prior = [log_prior(t, p[None])[0] for t, p in ((known, phi), (free, at))]
    assert value - prior[0] == pytest.approx(whole - prior[1], rel=1e-13)
    assert evaluate_batch(known, phi[None]).log_density[0] == pytest.approx(value, rel=1e-13)


def test_it_is_sampled_with_all_that_follows(targets):
    free, known = targets
    for sampler in ("direct", "nuts"):
        settings = Settings(sampler, seed=1, draws=150, chains=2, tune=150)
        drawn = draw(OfMoments(known), settings).phi.reshape(-1, known.size)
        assert np.isfinite(drawn).all()
        assert np.median(drawn[:, 0]) * known.reference[0] == pytest.approx(2.0, rel=0.6)
    draws = complete(known, drawn, np.random.default_rng(1))
    assert draw_effects(known, draws, np.random.default_rng(2), keep=True).draws.shape == (300, 40, 2)
    same = replace(draws, phi=np.column_stack([drawn, np.full(300, np.log(1.3))]))
    assert unit_log_likelihood(known, draws) == pytest.approx(unit_log_likelihood(free, same), rel=1e-12)
    assert np.isfinite(full_log_prior(known, draws)).all()
    assert parameter_names(known) == parameter_names(free)[:-1]
