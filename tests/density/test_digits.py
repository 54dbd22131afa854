"""The density and its gradient, three times written, against 60 digits: from tau / sigma2 = 1e-8 to 1e8."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest

import hlmbayes as hlm
from hlmbayes.density.batch import evaluate_batch
from hlmbayes.density.coordinates import chain, unpack
from hlmbayes.density.kernel_tables import flatten
from hlmbayes.density.level1 import OneSigma
from hlmbayes.density.marginal import value_and_gradient
from hlmbayes.density.prior_density import log_prior, prior_slope
from hlmbayes.density.target import target_for
from tests.compiled import evaluate
from tests.digits import Rows

LEVEL1 = "y = b0 + b1*x1 + b2*x2 + r; "
EQUATIONS = {
    "one": "y = b0 + r; b0 = g00 + g01*w + u0",
    "one, two fixed": LEVEL1 + "b0 = g00 + g01*w + u0; b1 = g10 + g11*w; b2 = g20",
    "two": "y = b0 + b1*x1 + r; b0 = g00 + g01*w + u0; b1 = g10 + g11*w + u1",
    "two, one fixed": LEVEL1 + "b0 = g00 + g01*w + u0; b1 = g10 + u1; b2 = g20 + g21*w",
    "three": LEVEL1 + "b0 = g00 + u0; b1 = g10 + g11*w + u1; b2 = u2",
    "three, one fixed": LEVEL1.replace("+ r", "+ b3*x3 + r")
    + "b0 = g00 + g01*w + u0; b1 = g10 + u1; b2 = g20 + u2; b3 = g30",
    "four": LEVEL1.replace("+ r", "+ b3*x3 + r")
    + "b0 = g00 + u0; b1 = g10 + u1; b2 = g20 + u2; b3 = g30 + u3",
}
UNEQUAL = {name: f"{EQUATIONS[name]}; log(sigma2) = a0 + a1*x3" for name in ("two", "two, one fixed")}
FLAT = hlm.Priors(gamma=hlm.Flat())
DIGITS = 1e-13  # of the log density, and of the gradient's largest element: what is lost is a few roundings


def point(target, ratio):
    """A point whose tau / sigma2 is about ``ratio``, correlations of about 0.4."""
    rng = np.random.default_rng(2)
    phi = 0.5 * rng.normal(size=target.size)
    sigma = np.exp(phi[-1] if isinstance(target.law, OneSigma) else 0.5 * phi[-2])
    phi[: target.n_random] = (1.0 + 0.2 * rng.random(target.n_random)) * ratio**0.5 * sigma / target.reference
    return phi


def expected(target, rows, phi):
    """The log density at phi, and its gradient, with the likelihood's in many digits."""
    parts = unpack(target, phi[None])
    alpha = [Decimal(float(a)) for a in phi[target.level1]]
    if isinstance(target.law, OneSigma):
        alpha = [2 * Decimal(float(parts.sigma[0])).ln()]
    value, by_factor, by_alpha = rows.value_and_gradient(parts.factor[0], alpha)
    gradient = prior_slope(target, phi)
    by_s, by_y = chain(target, phi, parts, by_factor)
    gradient[: target.n_random] += by_s
    gradient[target.partials] += by_y
    gradient[target.level1] += by_alpha * (2.0 if isinstance(target.law, OneSigma) else 1.0)
    return value + log_prior(target, phi[None])[0], gradient


@pytest.mark.parametrize(
    "ratio", [1e-8, 1.0, 1e8, *(pytest.param(between, marks=pytest.mark.slow) for between in (1e-4, 1e4))]
)
@pytest.mark.parametrize("text", EQUATIONS.values(), ids=EQUATIONS)
def test_all_forms_keep_their_digits_whatever_tau_is_beside_sigma2(text, ratio, make_small, make_dense):
    data, model = make_small(n_units=30), hlm.Model(text.replace("; ", "\n"))
    target, d = target_for(model, data, FLAT), make_dense(data, model)
    phi = point(target, ratio)
    value, gradient = expected(target, Rows(d.y, d.x, d.z, np.ones((len(d.y), 1)), d.unit), phi)
    plain, slope = value_and_gradient(target, phi)
    many = evaluate_batch(target, np.stack([phi, point(target, 1.0)])).log_density
    table = flatten(target, np.zeros(target.size), np.eye(target.size))
    compiled, compiled_slope = evaluate(phi, table)
    # the compiled density leaves a constant out: at a point where nothing is large it is seen
    compiled += many[1] - evaluate(point(target, 1.0), table)[0]
    np.testing.assert_allclose([plain, many[0], compiled], value, rtol=DIGITS)
    np.testing.assert_allclose(
        [slope, compiled_slope], [gradient] * 2, rtol=0, atol=DIGITS * np.abs(gradient).max()
    )


@pytest.mark.parametrize("ratio", [1e-8, 1.0, 1e8])
@pytest.mark.parametrize("text", UNEQUAL.values(), ids=UNEQUAL)
def test_so_do_those_of_unequal_level1_variances(text, ratio, make_small, make_dense):
    data, model = make_small(n_units=30), hlm.Model(text.replace("; ", "\n"))
    target, d = target_for(model, data, FLAT), make_dense(data, model)
    phi = point(target, ratio)
    covariates = np.column_stack([np.ones(len(d.y)), data.level1["x3"]])
    value, gradient = expected(target, Rows(d.y, d.x, d.z, covariates, d.unit), phi)
    plain, slope = value_and_gradient(target, phi)
    many = evaluate_batch(target, np.stack([phi, point(target, 1.0)])).log_density
    np.testing.assert_allclose([plain, many[0]], value, rtol=DIGITS)
    scale, level1 = np.abs(gradient).max(), target.level1
    np.testing.assert_allclose(slope[: level1.start], gradient[: level1.start], rtol=0, atol=DIGITS * scale)
    # E[r^2 | y], what alpha's derivative is made of, is a difference still (`expected_squares`)
    np.testing.assert_allclose(slope[level1], gradient[level1], rtol=0, atol=1e-9 * scale)
