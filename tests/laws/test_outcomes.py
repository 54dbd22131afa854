"""Rows of outcomes that are not normal at linear predictors as far away as floats go."""

import numpy as np
import pytest

from hlmbayes.laws.outcomes import Binomial


@pytest.mark.parametrize("y", [0.0, 2.0, 5.0])
def test_logit_rows_are_the_definition_wherever_the_predictor_is(y):
    eta = np.r_[-1e5, -2e3, -750.0, -701.0, -50.0, np.linspace(-9.0, 9.0, 7), 50.0, 701.0, 750.0, 2e3, 1e5]
    size, law = 5.0, Binomial()
    value, slope, bend = law.rows(eta, np.array(y), np.array(size))
    expected = -y * np.logaddexp(0.0, -eta) - (size - y) * np.logaddexp(0.0, eta)
    np.testing.assert_allclose(value, expected, rtol=1e-13, atol=1e-12)
    np.testing.assert_allclose(law.value(eta, np.array(y), np.array(size)), value, rtol=1e-15, atol=1e-12)
    failure = np.exp(-np.logaddexp(0.0, eta))
    np.testing.assert_allclose(slope, y * failure - (size - y) * (1.0 - failure), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(
        bend, size * failure * np.exp(-np.logaddexp(0.0, -eta)), rtol=1e-12, atol=1e-300
    )
