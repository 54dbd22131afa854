"""Units with the same design once, against the likelihood of every unit."""

import numpy as np
import pandas as pd
import pytest

import hlmbayes as hlm
from hlmbayes.estimation.exact import exact_fit
from hlmbayes.estimation.optimum import evaluation, optimum
from hlmbayes.estimation.prepare import prepare
from hlmbayes.estimation.starts import alike_theta, moment_start
from hlmbayes.likelihood.equal_designs import with_designs_once
from hlmbayes.likelihood.evaluate import evaluate
from hlmbayes.likelihood.orthonormal import Products

MODELS = {
    "slopes": "y = b0 + b1*t + r; b0 = g00 + g01*w + u0; b1 = g10 + g11*w + u1",
    "fixed slopes": "y = b0 + b1*t + b2*square + r; b0 = g00 + g01*w + u0; b1 = g10 + u1; b2 = g20 + g21*w",
    "one effect": "y = b0 + b1*grand(t) + r; b0 = g00 + u0; b1 = g10",
}


@pytest.fixture(scope="module")
def growth():
    """Six occasions; a third of the units leave early."""
    rng, J = np.random.default_rng(12), 1500
    unit, t = np.repeat(np.arange(J), 6), np.tile(np.arange(6.0), J)
    w, u = rng.normal(size=J), rng.normal(size=(2, J)) * [[2.0], [0.4]]
    y = 10 + w[unit] + u[0, unit] + (1 + 0.2 * w[unit] + u[1, unit]) * t + rng.normal(size=len(t))
    left = np.where(rng.random(J) < 0.33, rng.integers(2, 6, J), 6)
    frame = pd.DataFrame({"id": unit, "t": t, "square": t**2, "w": w[unit], "y": y})
    return hlm.read(frame[t < left[unit]], id="id")


@pytest.mark.parametrize("name", MODELS)
def test_the_likelihood_is_that_of_every_unit(growth, name):
    prepared = prepare(hlm.Model(MODELS[name]), growth)
    system = prepared.system
    few = with_designs_once(system)
    assert few.level2.shape[1] < 60
    assert few.n_units == system.n_units == 1500
    q = system.n_random
    for factor in (0.3 * np.eye(q), np.tril(np.ones((q, q))), np.zeros((q, q))):
        one, other = evaluate(system, factor), evaluate(few, factor)
        for part in (
            "logdet_v",
            "logdet_xvx",
            "rss",
            "h",
            "p",
            "vv",
            "hh",
            "hp",
            "hv",
            "kk",
            "kv",
            "delta",
            "vg",
        ):
            expected = getattr(one, part)
            size = max(np.abs(expected).max(initial=0.0), 1e-2)
            np.testing.assert_allclose(
                getattr(other, part), expected, rtol=1e-10, atol=1e-11 * size, err_msg=part
            )
    np.testing.assert_allclose(moment_start(few, True, None), moment_start(system, True, None), rtol=1e-9)
    np.testing.assert_allclose(alike_theta(few, None), alike_theta(system, None), rtol=1e-9, atol=1e-12)


def test_estimates_are_those_of_every_unit(growth):
    prepared = prepare(hlm.Model(MODELS["slopes"]), growth)
    found, every = exact_fit(prepared, True), evaluation(optimum(prepared.system, True).point)
    np.testing.assert_allclose(found.at.theta, every.theta, rtol=1e-8)
    fit = hlm.Model(MODELS["slopes"]).fit(growth)
    assert fit.deviance == pytest.approx(-2.0 * found.loglik, rel=1e-13)
    assert len(fit.residuals(level=2)) == 1500


def test_units_that_differ_stay_as_they_are():
    rng, J = np.random.default_rng(3), 1200
    frame = pd.DataFrame(
        {"id": np.repeat(np.arange(J), 4), "t": rng.normal(size=4 * J), "y": rng.normal(size=4 * J)}
    )
    system = prepare(
        hlm.Model("y = b0 + b1*t + r; b0 = g00 + u0; b1 = g10 + u1"), hlm.read(frame, id="id")
    ).system
    assert with_designs_once(system) is system


def test_factors_of_kinds_are_those_of_every_unit(growth):
    products = prepare(hlm.Model(MODELS["fixed slopes"]), growth).design.products
    assert products.kinds is not None
    assert len(products.kinds.first) == 5
    every = Products(products.mass, products.mean, products.cross)
    for own, one in zip(
        map(products.of_all, products.different.triangular(2)), every.triangular(2), strict=True
    ):
        np.testing.assert_array_equal(own, one)
