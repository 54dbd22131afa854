"""Checks of outcomes that are not normal: statistics by hand, what is seen, how often they cry wolf."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import hlmbayes as hlm
from hlmbayes.diagnostics.predictive_checks import compared
from hlmbayes.errors import HypothesisError, OutputError

COUNTS = hlm.Model("log(y) = b0 + b1*x; b0 = g00 + u0; b1 = g10")
BINARY = hlm.Model("logit(y) = b0 + b1*x; b0 = g00 + u0; b1 = g10")


def frame_of(rng, u, rows=8, noise=0.0, count=True):
    """Counts or binary rows of units with random effects u (J,)."""
    unit = np.repeat(np.arange(len(u)), rows)
    x = rng.normal(size=len(unit)).round(1)
    eta = 0.3 + 0.4 * x + u[unit] + noise * rng.normal(size=len(unit))
    y = rng.poisson(np.exp(eta)) if count else (rng.random(len(unit)) < 1 / (1 + np.exp(-eta))).astype(int)
    return pd.DataFrame({"id": unit, "x": x, "y": y})


@pytest.fixture(scope="module")
def fit():
    rng = np.random.default_rng(11)
    return COUNTS.fit(frame_of(rng, 0.6 * rng.normal(size=60)), id="id")


@pytest.fixture(scope="module")
def found(fit):
    return fit.check(n=100)


def test_all_is_well_where_the_model_holds(found):
    assert found.ok, found
    assert {"share of zeros", "dispersion", "outlying units", "expected outcomes"} <= {c.name for c in found}
    assert "much like normal random effects" in found["normality of u0 (intercept)"].verdict


def test_statistics_are_those_of_the_tables(fit, found):
    rows, units = fit.residuals(1), fit.residuals(2)
    assert found["dispersion"].table.observed.iloc[0] == pytest.approx(np.mean(rows.pearson**2))
    beyond = found["quantile residuals beyond 3"].table.observed.iloc[0]
    assert beyond == (np.abs(fit.quantile_residuals()) > 3).sum()
    # predicted u, each by its own standard deviation
    z = units.ebintrcp / np.sqrt(fit.tau["b0", "b0"] - units.pv00)
    shape = found["normality of u0 (intercept)"].table.iloc[0]
    assert shape.skewness == pytest.approx(stats.skew(z))
    assert shape["kurtosis"] == pytest.approx(stats.kurtosis(z))
    assert shape.reliability == pytest.approx(1 - np.mean(units.pv00) / fit.tau["b0", "b0"])
    assert found["outlying units"].table.farthest.iloc[0] == pytest.approx(np.abs(z).max())


def test_counts_that_vary_more_than_poisson_ones_are_seen():
    rng = np.random.default_rng(12)
    found = COUNTS.fit(frame_of(rng, 0.5 * rng.normal(size=60), noise=0.8), id="id").check(n=100)
    assert not found["dispersion"].ok
    assert "more than the model says" in found["dispersion"].verdict
    assert "overdispersed=yes" in found["dispersion"].verdict
    zeros = found["share of zeros"].table.iloc[0]
    assert zeros.observed > zeros.high


def test_random_effects_that_are_not_normal_are_seen():
    rng = np.random.default_rng(13)
    u = rng.exponential(size=150) - 1
    found = BINARY.fit(frame_of(rng, u, rows=25, count=False), id="id").check(n=100)
    assert not found["normality of u0 (intercept)"].ok
    assert "Units' rows tell little" not in found["normality of u0 (intercept)"].verdict


def test_a_unit_far_out_is_named():
    rng = np.random.default_rng(14)
    u = 0.4 * rng.normal(size=60)
    u[17] = 3.0
    found = COUNTS.fit(frame_of(rng, u), id="id").check(n=100)["outlying units"]
    assert not found.ok
    assert "17" in found.verdict.split(";")[0]
    assert found.table.index[0] == 17


def test_units_with_few_rows_are_said_to_tell_little():
    rng = np.random.default_rng(15)
    fit = BINARY.fit(frame_of(rng, rng.normal(size=80), rows=3, count=False), id="id")
    found = fit.check(n=100)
    assert "tell little of it (reliability 0." in found["normality of u0 (intercept)"].verdict
    assert "dispersion" not in {check.name for check in found}  # binary rows have none


def test_what_cannot_be_asked_is_said(fit):
    with pytest.raises(HypothesisError, match="at least 100, got 20"):
        fit.check(n=20)
    rng = np.random.default_rng(16)
    rows = frame_of(rng, rng.normal(size=30)).assign(w=1.5)
    weighted = COUNTS.fit(rows, id="id", weights=hlm.Weights("w"))
    with pytest.raises(OutputError, match="sampling weights"):
        weighted.check()


@pytest.mark.slow
def test_checks_of_a_model_that_holds_seldom_cry_wolf():
    rng, found = np.random.default_rng(17), []
    for k in range(60):
        model, count = (COUNTS, True) if k % 2 else (BINARY, False)
        fit = model.fit(frame_of(rng, 0.8 * rng.normal(size=50), rows=6, count=count), id="id")
        found += [(check.name, not check.ok) for check in fit.check(n=199, seed=k)]
    share = pd.DataFrame(found, columns=["check", "look"]).groupby("check").look.mean()
    assert (share < 0.06).all(), share  # one in a hundred, each
    assert share.mean() < 0.02, share


@pytest.mark.parametrize(
    ("observed", "said"), [(9.0, "(p < 0.005)"), (-9.0, "(p > 0.995)"), (0.0, "(p = 0.500)")]
)
def test_a_share_of_simulated_data_is_never_said_to_be_0_or_1(observed, said):
    """Where 199 data sets are all smaller the share may be anything below 1 in 199."""
    assert compared("zeros", observed, np.linspace(-1.0, 1.0, 199)).verdict.endswith(said)
