"""Likelihoods by unit and row, predictions, evidence."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

import hlmbayes as hlm
from hlmbayes.errors import HLMWarning, SamplingError
from hlmbayes.estimation.prepare import prepare
from hlmbayes.faces import record_of


@pytest.fixture(scope="module")
def post4(hsb, model4):
    return model4.sample(hsb, seed=1)


def test_loo_by_unit_prefers_the_model_with_predictors(hsb, post4):
    from arviz_stats import compare

    empty = hlm.Model("mathach = b0 + r\nb0 = g00 + u0").sample(hsb, seed=1)
    full = post4.loo()
    assert full.n_data_points == 160
    assert full.elpd > empty.loo().elpd + 100
    # 6 gammas, 4 variances: the effective number of parameters is about that
    assert 5 < full.p < 16
    table = compare({"4": full, "1": empty.loo()})
    assert table.index[0] == "4"


def test_loo_names_the_units_that_decide_too_much():
    """ArviZ warned of one or more samples in the words of programmers, and named none."""
    rng = np.random.default_rng(2)
    id, odd = np.repeat(np.arange(12), 6), np.repeat(np.arange(12) == 7, 6)
    frame = {"id": id, "x": np.where(odd, 40.0, rng.normal(size=72)), "y": rng.normal(size=72) + 30 * odd}
    post = hlm.Model("y = b0 + b1*x + r; b0 = g00 + u0; b1 = g10").sample(
        hlm.read(frame, id="id"), seed=1, draws=400, chains=2
    )
    with pytest.warns(HLMWarning, match=r"not reliable for \d+ of 12 units .*unit .*7.*Draw more") as heard:
        found = post.loo()
    assert (found.pareto_k.values > found.good_k)[7]
    assert not [w for w in heard if "shape parameter" in str(w.message)]


def test_row_log_likelihood(make_small):
    data = make_small()
    model = hlm.Model("y = b0 + b1*x1 + r\nb0 = g00 + g01*w + u0\nb1 = g10")
    post = model.sample(data, seed=1, draws=400)
    values = post.with_log_likelihood("row").tree["log_likelihood"]["y"].values
    b, sigma = post.draws("b"), post.draws("sigma")
    mean = b[..., data.unit, 0] + b[..., data.unit, 1] * data.level1["x1"]
    expected = norm(mean, sigma[..., None]).logpdf(data.level1["y"])
    assert values == pytest.approx(expected)
    with pytest.raises(SamplingError, match='"unit" or by "row"'):
        post.loo("school")


def test_posterior_predictive_means_cover_what_was_seen(hsb, post4):
    post = post4.with_predictive(draws=100)
    group = post.tree["posterior_predictive"]
    new, seen = group["unit_mean"].values.reshape(-1, 160), post.tree["observed_data"]["unit_mean"].values
    p = np.mean(new < seen, axis=0)
    assert 0.002 < p.min() < p.max() < 0.998  # u is fitted to these units
    assert np.mean((p > 0.05) & (p < 0.95)) > 0.95
    assert group["y"].sizes["row"] == 7185
    y = group["y"].values
    assert y.std(axis=-1).mean() == pytest.approx(post.tree["observed_data"]["y"].values.std(), rel=0.03)


def test_predictive_without_rows_has_unit_means(hsb, model4, post4):
    post = model4.sample(prepare(model4, hsb).design.moments, seed=1).with_predictive(draws=250)
    with_rows = post4.with_predictive(draws=250)
    one, other = (
        p.tree["posterior_predictive"]["unit_mean"].values.reshape(-1, 160) for p in (post, with_rows)
    )
    assert one.mean(axis=0) == pytest.approx(other.mean(axis=0), abs=0.25)
    assert one.std(axis=0) == pytest.approx(other.std(axis=0), rel=0.15)


def test_a_variance_that_is_zero_and_one_that_is_not(hsb, model4, post4):
    zero, not_zero = post4.variance_is_zero("b1"), post4.variance_is_zero("b0")
    assert zero["log_bayes_factor"] > 1
    assert "for a zero variance of b1" in zero["verdict"]
    assert not_zero["log_bayes_factor"] < -20
    assert not_zero["verdict"] == "very strong evidence against a zero variance of b0"
    assert not_zero["probability_below"] == 0
    with pytest.raises(SamplingError, match="not a random coefficient"):
        post4.variance_is_zero("b2")


def test_evidence_agrees_with_savage_and_dickey(make_small):
    """q = 1: the Bayes factor of sd = 0 is the posterior over the prior density there."""
    from hlmbayes.density.batch import evaluate_batch

    model = hlm.Model("y = b0 + b1*x1 + r\nb0 = g00 + g01*w + u0\nb1 = g10")
    post = model.sample(make_small(), seed=3, priors=hlm.Priors(sd=hlm.HalfNormal(1.0)))
    target = record_of(post).target
    s, log_sigma = np.linspace(0, 30, 501), np.linspace(-2.0, 2.5, 100)
    grid = np.stack(np.meshgrid(s, log_sigma, indexing="ij"), -1).reshape(-1, 2)
    density = evaluate_batch(target, grid).log_density.reshape(len(s), -1)
    marginal = np.trapezoid(np.exp(density - density.max()), log_sigma, axis=1)
    at_zero = marginal[0] / np.trapezoid(marginal, s * target.reference[0])
    expected = np.log(at_zero) - target.priors.sd[0].curve().log_density(0.0)
    assert post.variance_is_zero("b0")["log_bayes_factor"] == pytest.approx(expected, abs=0.03)


def test_prior_predictive(hsb, model4):
    drawn = hlm.prior_predictive(model4, hsb, draws=2000, seed=1)
    means = drawn["prior_predictive"]["unit_mean"].values
    assert means.shape == (1, 2000, 160)
    # default priors are centred on the outcome and wider than it
    assert abs(np.median(means) - 12.75) < 3
    assert np.std(means.mean(axis=-1)) > 6.9
    with pytest.raises(SamplingError, match="flat prior cannot be drawn from"):
        hlm.prior_predictive(model4, hsb, hlm.Priors(gamma=hlm.Flat()))


def test_predictions_do_not_need_the_draws_of_the_effects(make_small):
    """Not kept, effects are drawn again given the parameters: the same distribution."""
    data = make_small(n_units=30)
    model = hlm.Model("y = b0 + b1*x1 + r\nb0 = g00 + g01*w + u0\nb1 = g10")
    kept, not_kept = (model.sample(data, seed=1, keep_effects=k) for k in (True, False))
    groups = [p.with_predictive(draws=500).tree["posterior_predictive"] for p in (kept, not_kept)]
    means = [g["y"].values.reshape(-1, data.n_rows) for g in groups]
    error = means[0].std(axis=0) / np.sqrt(len(means[0]))
    assert np.abs((means[0].mean(axis=0) - means[1].mean(axis=0)) / error).max() < 6
    alone = np.bincount(data.unit) == 1
    assert alone.any()
    sd = groups[0]["unit_sd"].values
    assert np.isnan(sd[..., alone]).all()
    assert np.isfinite(sd[..., ~alone]).all()


def test_predictions_keep_the_digits_of_a_large_outcome(make_small):
    data = make_small()
    far = hlm.TwoLevelData(
        "id", data.unit_ids, data.unit, {**data.level1, "y": data.level1["y"] + 1e9}, data.level2
    )
    model = hlm.Model("y = b0 + r\nb0 = g00 + u0")
    new = model.sample(far, seed=1).with_predictive(draws=50).tree["posterior_predictive"]["y"].values
    near = model.sample(data, seed=1).with_predictive(draws=50).tree["posterior_predictive"]["y"].values
    assert new.std() == pytest.approx(near.std(), rel=0.02)


def test_predictions_that_do_not_fit_into_memory_are_refused(hsb, post4, monkeypatch):
    monkeypatch.setattr("hlmbayes.posterior.predictive.MOST_BYTES", 1 << 20)
    with pytest.raises(SamplingError, match="do not fit into memory: ask for fewer with draws="):
        post4.with_predictive()


def test_an_effect_names_its_coefficient_and_no_factor_overflows(hsb, post4, make_small):
    assert post4.variance_is_zero("u1").equals(post4.variance_is_zero("b1"))
    data = make_small(n_units=200)
    data.level1["y"][:] += 1e2 * data.unit
    strong = hlm.Model("y = b0 + r\nb0 = g00 + u0").sample(data, seed=1).variance_is_zero("b0")
    assert strong["log_bayes_factor"] < -800
    assert strong["probability_zero"] == 0.0
