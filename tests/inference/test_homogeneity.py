"""Homogeneity of level-1 variance, unit by unit."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from hlmbayes import Model, datasets
from hlmbayes.data.two_level import read
from hlmbayes.errors import HypothesisError
from hlmbayes.faces import record_of
from hlmbayes.inference.homogeneity import unit_residuals
from tests.dense import dense
from tests.small import MODELS, model, small


@pytest.mark.parametrize("name", list(MODELS))
def test_unit_residuals_equal_row_by_row_regressions(name: str) -> None:
    source, m = small(51, n_units=15, sd=1.5), model(name)
    fit = m.fit(source.data())
    rows = dense(m, source.columns, source.unit, source.level2)
    rss, f = unit_residuals(record_of(fit))
    assert np.isfinite(rss).sum() > 5
    for j in range(fit.n_units):
        at = rows.unit == j
        r = rows.y[at] - rows.X[at] @ record_of(fit).gamma_free
        r = r - rows.Z[at] @ np.linalg.lstsq(rows.Z[at], r)[0]
        assert np.isfinite(rss[j]) == (record_of(fit).design.full_rank[j] and f[j] > 0)
        if np.isfinite(rss[j]):
            assert rss[j] == pytest.approx(r @ r, rel=1e-7)
        assert f[j] == at.sum() - rows.Z.shape[1]


def test_statistics_equal_their_formulas() -> None:
    source, m = small(52, n_units=15, sd=1.5), model("slopes")
    fit = m.fit(source.data())
    rows = dense(m, source.columns, source.unit, source.level2)
    squares, freedom = [], []
    for j in range(15):
        at = rows.unit == j
        if at.sum() > 2:
            r = rows.y[at] - rows.Z[at] @ np.linalg.lstsq(rows.Z[at], rows.y[at])[0]
            squares.append(r @ r / (at.sum() - 2))
            freedom.append(at.sum() - 2.0)
    s2, f = np.array(squares), np.array(freedom)
    middle = np.sum(f * np.log(s2)) / f.sum()
    expected = np.sum((np.log(s2) - middle) ** 2 / (2 / f))
    test = fit.homogeneity()
    assert test.chi2 == pytest.approx(expected, rel=1e-8)
    assert test.df == len(f) - 1
    assert test.p_value == pytest.approx(stats.chi2.sf(expected, len(f) - 1), rel=1e-7)
    pooled = np.sum(f * s2) / f.sum()
    c = 1 + (np.sum(1 / f) - 1 / f.sum()) / (3 * (len(f) - 1))
    assert test.bartlett_chi2 == pytest.approx(
        (f.sum() * np.log(pooled) - np.sum(f * np.log(s2))) / c, rel=1e-8
    )
    assert "1 unit left out: too few rows" in str(test)
    assert f"over {len(f)} units" in str(test)


def test_units_of_one_sex_are_not_said_to_have_too_few_pupils() -> None:
    """Of the 160 schools 37 have girls or boys alone (counted here), and 14 pupils or more."""
    data = datasets.hsb()
    model = Model("mathach = b0 + b1*female + r\nb0 = g00 + u0\nb1 = g10 + u1")
    female, school = np.asarray(data.level1["female"]), data.unit
    alone = sum(len(set(female[school == each])) == 1 for each in set(school))
    notes = model.fit(data).homogeneity().notes
    assert notes == (f"{alone} units left out: predictors vary too little for a regression of its own.",)


def test_bartlett_equals_scipy_where_units_have_only_a_mean() -> None:
    rng = np.random.default_rng(3)
    unit = np.repeat(np.arange(6), [5, 8, 11, 4, 9, 6])
    y = rng.normal(size=len(unit)) + unit
    fit = Model("y = b0 + r\nb0 = g00 + u0").fit(read({"id": unit, "y": y}, id="id"))
    expected = stats.bartlett(*[y[unit == j] for j in range(6)])
    test = fit.homogeneity()
    assert test.bartlett_chi2 == pytest.approx(expected.statistic, rel=1e-9)
    assert test.bartlett_p_value == pytest.approx(expected.pvalue, rel=1e-8)


def test_hsb_is_not_homogeneous() -> None:
    fit = Model("mathach = b0 + b1*group(ses) + r\nb0 = g00 + u0\nb1 = g10 + u1").fit(datasets.hsb())
    test = fit.homogeneity()
    assert (test.df, test.n_units) == (159, 160)
    assert test.p_value < 1e-4
    assert test.bartlett_p_value < 1e-3


def test_units_that_fit_exactly_are_left_out_and_none_left_is_said() -> None:
    unit = np.repeat(np.arange(5), 4)
    rng = np.random.default_rng(5)
    y = rng.normal(size=20)
    y[unit == 2] = 3.0
    fit = Model("y = b0 + r\nb0 = g00 + u0").fit(read({"id": unit, "y": y}, id="id"))
    test = fit.homogeneity()
    assert test.n_units == 4
    assert "1 unit left out: its own regression fits exactly" in str(test)
    y = np.where(unit < 4, unit.astype(float), rng.normal(size=20))
    fit = Model("y = b0 + r\nb0 = g00 + u0").fit(read({"id": unit, "y": y}, id="id"))
    with pytest.raises(HypothesisError, match="fewer than two units"):
        fit.homogeneity()


def test_a_model_of_the_variances_is_taken_out_first() -> None:
    source = small(53, n_units=15, sd=1.5)
    plain, noisy = (
        Model("y = b0 + b1*x + r\nb0 = g00 + u0\nb1 = g10" + more).fit(source.data(), method="ML")
        for more in ("", "\nlog(sigma2) = a0 + a1*d")
    )
    assert "divided by the level-1 standard deviations" in str(noisy.homogeneity())
    rss, f = unit_residuals(record_of(noisy))
    rows = dense(noisy.model, source.columns, source.unit, source.level2)
    sigma = np.exp(
        0.5 * (record_of(noisy).law.alpha[0] + record_of(noisy).law.alpha[1] * source.columns["d"])
    )
    for j in np.flatnonzero(np.isfinite(rss)):
        at = rows.unit == j
        r = (rows.y[at] - rows.X[at] @ record_of(noisy).gamma_free) / sigma[at]
        z = rows.Z[at] / sigma[at][:, None]
        r = r - z @ np.linalg.lstsq(z, r)[0]
        assert rss[j] == pytest.approx(r @ r, rel=1e-6)
        assert f[j] == at.sum() - 1
    test = noisy.compare(plain)
    assert test.df == 1
    assert test.p_boundary == test.p_value
