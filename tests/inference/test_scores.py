"""Scores and HLM's robust covariance against dense matrices."""

from __future__ import annotations

import numpy as np
import pytest

from hlmbayes import Model
from hlmbayes.data.two_level import read
from hlmbayes.faces import record_of
from hlmbayes.inference.scores import unit_scores
from tests.dense import dense
from tests.small import MODELS, model, small


@pytest.mark.parametrize("name", list(MODELS))
def test_robust_covariance_equals_dense(name: str) -> None:
    source, m = small(12, n_units=18), model(name)
    fit = m.fit(source.data())
    rows = dense(m, source.columns, source.unit, source.level2)
    v = rows.v(record_of(fit).components.tau, fit.sigma2)
    residual = np.linalg.solve(v, rows.y - rows.X @ record_of(fit).gamma_free)
    scores = np.array([rows.X[rows.unit == j].T @ residual[rows.unit == j] for j in range(rows.n_units)])
    bread = np.linalg.inv(rows.X.T @ np.linalg.solve(v, rows.X))
    np.testing.assert_allclose(
        unit_scores(record_of(fit)),
        scores @ record_of(fit).design.to_gamma,
        rtol=1e-7,
        atol=1e-7 * np.abs(unit_scores(record_of(fit))).max(),
    )
    sandwich = bread @ scores.T @ scores @ bread
    free = record_of(fit).design.free
    np.testing.assert_allclose(fit.vcov_robust, sandwich[np.ix_(free, free)], rtol=1e-7, atol=1e-12)
    np.testing.assert_allclose(fit.vcov, bread[np.ix_(free, free)], rtol=1e-8)


def test_where_all_units_have_one_score_there_is_no_robust_standard_error() -> None:
    # every unit has the doses 1, 2, 4: the unit means are equal, and so are the scores, all of them 0
    unit, y = np.repeat(np.arange(10), 3), np.tile([1.0, 2.0, 4.0], 10)
    fit = Model("y = b0 + r\nb0 = g00 + u0").fit(read({"id": unit, "y": y}, id="id"))
    for kind in (True, "CR1", "CR2"):
        row = fit.fixed_effects(kind).loc["g00"]
        assert row["se"] < 1e-12
        assert np.isnan(row["t_ratio"])
        assert np.isnan(row["p_value"])
    assert "n/a" in fit.listing()
