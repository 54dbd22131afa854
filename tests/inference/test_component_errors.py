"""Information and standard errors of tau and sigma2 against dense matrices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hlmbayes import Model
from hlmbayes.data.two_level import read
from hlmbayes.faces import record_of
from hlmbayes.inference.component_errors import (
    components_covariance,
    components_information,
    to_data_jacobian,
)
from tests.dense import dense
from tests.small import model, small


@pytest.mark.parametrize("method", ["REML", "ML"])
@pytest.mark.parametrize("name", ["slopes", "random only", "no intercept"])
def test_information_of_the_variances_is_in_the_units_of_the_data(name: str, method: str) -> None:
    source, m = small(13, n_units=25, sd=2.0), model(name)
    fit = m.fit(source.data(), method=method)
    rows = dense(m, source.columns, source.unit, source.level2)
    p = rows.p_matrix(record_of(fit).components.tau, fit.sigma2, method == "REML")
    same, q = np.equal.outer(rows.unit, rows.unit), rows.Z.shape[1]
    derivatives = []
    for a in range(q):
        for b in range(a + 1):
            d = np.zeros((q, q))
            d[a, b] = d[b, a] = 1.0
            derivatives.append(same * (rows.Z @ d @ rows.Z.T))
    derivatives.append(np.eye(len(p)))
    expected = np.array([[0.5 * np.trace(p @ a @ p @ b) for b in derivatives] for a in derivatives])
    jacobian = to_data_jacobian(record_of(fit).system)
    got, wanted = components_information(record_of(fit)), jacobian.T @ expected @ jacobian
    np.testing.assert_allclose(got, wanted, rtol=1e-6, atol=1e-8 * np.abs(wanted).max())
    np.testing.assert_allclose(
        components_covariance(record_of(fit)), np.linalg.inv(expected), rtol=1e-6, atol=1e-8
    )


def test_on_the_boundary_there_is_no_standard_error_of_tau() -> None:
    data = read(Path(__file__).parents[1] / "oracles" / "data" / "singular_slope_zero.csv", id="id")
    fit = Model("y = b0 + b1*x + r\nb0 = g00 + u0\nb1 = g10 + u1").fit(data)
    assert fit.boundary
    assert np.isnan(fit.se_tau).all()
    assert fit.se_sigma2 > 0
