"""Draws pooled over imputed data against Rubin's rules and the single posteriors."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import hlmbayes as hlm
from hlmbayes.errors import DataError, HLMWarning, HypothesisError, OutputError
from hlmbayes.faces import record_of
from hlmbayes.front.pooled_posterior import PooledPosterior
from hlmbayes.many_fits.imputed_posterior import PooledSample

FILE = Path(__file__).parents[1] / "oracles" / "data" / "mi.csv"
MODEL = hlm.Model(
    """mathach = b0 + b1*group(ses) + r
    b0 = g00 + g01*sector + u0
    b1 = g10 + g11*sector"""
)


@pytest.fixture(scope="module")
def sets():
    return hlm.read_imputed(FILE, id="id", by="imp")


@pytest.fixture(scope="module")
def pooled(sets):
    return hlm.sample_imputed(MODEL, sets, seed=3, draws=1500, chains=2)


def test_draws_of_all_data_sets_are_taken_together(pooled, sets):
    assert pooled["g11"].shape == (10, 1500)
    assert pooled.draws("gamma").shape == (10, 1500, 4)
    assert pooled["g11"][:2] == pytest.approx(pooled.posteriors[0]["g11"])
    table = pooled.summary()
    assert table.loc["g11", "mean"] == pytest.approx(np.mean([p["g11"].mean() for p in pooled.posteriors]))
    assert table.loc["g11", "sd"] > np.mean([p["g11"].std() for p in pooled.posteriors])
    assert "given 5 completed data sets (1, 2, 3, 4, 5)" in repr(pooled)


def test_posterior_is_near_rubins_rules(pooled, sets):
    table, rubin = pooled.summary(), hlm.fit_imputed(MODEL, sets).fixed_effects()
    for name in MODEL.gamma_names:
        assert table.loc[name, "mean"] == pytest.approx(rubin.loc[name, "coefficient"], abs=0.15)
        assert table.loc[name, "sd"] == pytest.approx(rubin.loc[name, "se"], rel=0.15)
        assert table.loc[name, "eti95_low"] < rubin.loc[name, "coefficient"] < table.loc[name, "eti95_high"]
        assert 0 <= table.loc[name, "between"] < 0.2


def test_identical_data_sets_have_no_variance_between(sets):
    one = MODEL.sample(sets[0], seed=1, draws=1500, chains=2)
    both = PooledPosterior(PooledSample((record_of(one),) * 2, ("1", "2")))
    assert both.summary()["between"].max() < 1e-20


def test_data_sets_of_which_some_miss_values_are_refused(sets, monkeypatch):
    """As fits refuse them, before anything is drawn: one may be the original data."""
    monkeypatch.setattr("hlmbayes.many_fits.imputed_posterior.draw_posterior", None)
    frame = pd.read_csv(FILE)
    gaps = [
        part.assign(ses=part["ses"].where((part["imp"] != 2) | (part.index % 9 > 0)))
        for _, part in frame.groupby("imp")
    ]
    with pytest.raises(DataError, match="values are missing in some data sets and not in others"):
        hlm.sample_imputed(MODEL, hlm.read_imputed(gaps, id="id"), seed=1, draws=1500, chains=2)


def test_same_seed_same_draws_and_plausible_values(sets):
    a, b = (
        hlm.sample_imputed(MODEL, sets[0], outcomes=["mathach", "female"], seed=2, draws=1500, chains=2)
        for _ in range(2)
    )
    assert np.array_equal(a["g00"], b["g00"])
    assert a.names == ("mathach", "female")
    assert a.posteriors[1].model.outcome == "female"


def test_combinations_are_those_of_all_draws(pooled):
    found = pooled.contrast("g01 - g11 = 0.5")
    draws = pooled["g01"] - pooled["g11"]
    np.testing.assert_allclose(found.draws[0], draws)
    assert found.mean[0] == pytest.approx(draws.mean())
    assert found.direction[0] == pytest.approx(max(np.mean(draws > 0.5), np.mean(draws < 0.5)))


def test_the_intraclass_correlation_is_that_of_all_draws(pooled):
    found = pooled.icc(prob=0.9)
    tau = pooled["tau[b0,b0]"]
    draws = tau / (tau + pooled["sigma2"])
    assert found.icc == pytest.approx(np.median(draws))
    assert [found.low, found.high] == pytest.approx(np.quantile(draws, [0.05, 0.95]))
    with pytest.raises(HypothesisError, match="prob=95"):
        pooled.icc(prob=95)


def test_a_table_of_models_has_no_column_for_them(pooled):
    with pytest.raises(OutputError, match="draws given several data sets have no column"):
        hlm.table(pooled)


def test_warnings_name_the_data_set(sets):
    with pytest.warns(HLMWarning):
        short = MODEL.sample(sets[0], seed=1, draws=20, chains=2)
    warnings = PooledPosterior(PooledSample((record_of(short),), ("b",))).warnings
    assert warnings
    assert all(w.startswith("Data set b: ") for w in warnings)


@pytest.mark.parametrize(("n", "outcomes"), [(1, ()), (3, ("mathach",)), (0, ("mathach",))])
def test_mistakes(sets, n, outcomes):
    data = sets[0] if n == 0 else sets[:n]
    with pytest.raises(DataError):
        hlm.sample_imputed(MODEL, data, outcomes=outcomes)
