"""What is asked of posteriors of outcomes that are not normal, against sums and densities written out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, special, stats

import hlmbayes as hlm
from hlmbayes.errors import HypothesisError, SamplingError
from hlmbayes.faces import record_of
from hlmbayes.hglm.quadrature import product_rule
from tests.sampling.test_pymc_link import DATA, FRAME, INVERSE, LEVEL2, log_mass

PRIORS = hlm.Priors(gamma=hlm.Normal(0.0, 2.0), sd=hlm.HalfNormal(1.5))
LEFT = ["logit(y)", "probit(hits, trials=n)", "log(number, exposure=n)"]
OF_X = {"draws": 250, "chains": 2, "seed": 1, "priors": PRIORS}
LATENT = np.random.default_rng(8).logistic(size=len(FRAME)) - 0.6 * FRAME.x - 0.5 * FRAME.w
RATED = FRAME.assign(y=1 + (LATENT > -0.2).astype(int) + (LATENT > 1.0))


@pytest.fixture(scope="module", params=LEFT)
def drawn(request):
    model = hlm.Model(f"{request.param} = b0 + b1*x; {LEVEL2}")
    return request.param, model, model.sample(DATA, **OF_X)


@pytest.fixture(scope="module")
def rated():
    model = hlm.Model("cumlogit(y) = b0 + b1*x; b0 = g00 + u0; b1 = g10")
    data = hlm.read(RATED, id="id")
    return model, data, model.sample(data, **OF_X)


def shares(eta, cuts):
    """Give the probabilities of three categories at linear predictors, (..., 3)."""
    below = special.expit(np.stack([eta, eta + cuts], axis=-1))
    return np.diff(below, prepend=0.0, append=1.0, axis=-1)


def test_a_file_has_all_of_it(drawn, tmp_path):
    _, _, post = drawn
    for name in ("post.nc", "post.zarr"):
        back = hlm.load_posterior(post.save(tmp_path / name))
        assert type(back) is type(post)
        pd.testing.assert_frame_equal(back.summary(), post.summary())
        np.testing.assert_allclose(record_of(back).unit_logliks(), record_of(post).unit_logliks(), atol=1e-9)
    np.testing.assert_array_equal(back.rerun()["g10"], post["g10"])
    assert back.rerun(seed=9, draws=500).draws("gamma").shape == (2, 500, 3)
    with pytest.raises(SamplingError, match="rerun can change priors"):
        back.rerun(method="ML")


def test_likelihoods_of_units_and_rows_are_those_written_out(drawn):
    left, _, post = drawn
    units = post.with_log_likelihood().tree["log_likelihood"]["y"].values
    rows = post.with_log_likelihood("row").tree["log_likelihood"]["y"].values
    z = np.linspace(-9, 9, 1801)
    for chain, k in ((0, 3), (1, 200)):
        gamma, sd = post.draws("gamma")[chain, k], post.draws("sd")[chain, k, 0]
        fixed = gamma[0] + gamma[1] * FRAME.w.to_numpy() + gamma[2] * FRAME.x.to_numpy()
        own = post.draws("u")[chain, k, FRAME.id, 0]
        np.testing.assert_allclose(rows[chain, k], log_mass(left, fixed + own), atol=1e-9)
        for j in range(3):
            mine = np.flatnonzero(FRAME.id == j)
            log = sum(log_mass(left, fixed[i] + sd * z, FRAME.iloc[i]) for i in mine)
            total = integrate.trapezoid(np.exp(log) * stats.norm.pdf(z), z)
            assert units[chain, k, j] == pytest.approx(np.log(total), abs=5e-3)


def test_leaving_out_units():
    frame = pd.read_csv(Path(__file__).parents[1] / "oracles" / "data" / "hglm_binary.csv")
    model = hlm.Model(f"logit(y) = b0 + b1*x; {LEVEL2}")
    post = model.sample(frame, id="id", seed=1)
    found = post.loo()
    assert found.n_data_points == frame.id.nunique()
    # what is lost by leaving a unit out is about the number of parameters
    full = special.logsumexp(record_of(post).unit_logliks(), axis=0) - np.log(4000)
    assert 1.0 < full.sum() - found.elpd < 10.0


def test_new_outcomes_are_distributed_as_the_rows(drawn):
    left, _, post = drawn
    new = post.with_predictive(draws=300).tree["posterior_predictive"]["y"].values.reshape(-1, len(FRAME))
    b = post.draws("b").reshape(-1, 8, 2)[:, FRAME.id]
    eta = b[:, :, 0] + b[:, :, 1] * FRAME.x.to_numpy()
    link, n = left.split("(")[0], FRAME.n.to_numpy()
    mean = np.exp(eta) if link == "log" else INVERSE[link](eta)
    expected = (mean * (n if "=n" in left else 1)).mean(axis=0)
    away = (new.mean(axis=0) - expected) / np.sqrt(new.var(axis=0) / len(new) + 1e-9)
    assert np.abs(away).max() < 4.5
    assert post.check().ok
    assert not np.isnan(post.check().frame()["ok"].astype(float)).any()


def test_counts_with_more_zeros_than_the_model_has_are_told():
    rng = np.random.default_rng(2)
    unit = np.repeat(np.arange(30), 8)
    y = rng.poisson(4.0, size=240) * (rng.random(240) < 0.6)
    post = hlm.Model("log(y) = b0; b0 = g00 + u0").sample({"id": unit, "y": y}, id="id", seed=1, draws=200)
    checks = post.check()
    assert not checks["share of zeros"].ok
    assert "more than the model says" in checks["share of zeros"].verdict
    row = checks["variance over mean"].table.iloc[0]
    assert row["observed"] == pytest.approx(np.var(y) / np.mean(y))
    assert row["p"] < 0.01


def test_a_fit_stands_beside_it(drawn):
    _, model, post = drawn
    fit = model.fit(DATA)
    beside = post.compare(fit).frame()
    assert beside["ml_exact"]["g10"] == pytest.approx(fit.gamma["g10"])
    assert beside["ml_exact"]["tau[b0,b0]"] == pytest.approx(fit.tau["b0", "b0"])
    assert beside["shift"].abs().max() < 1.0
    pql = model.fit(DATA, algorithm="hlm")
    assert post.compare(pql).frame()["pql"]["g01"] == pytest.approx(pql.gamma["g01"])
    other = hlm.Model(model.equations().replace("g01*w + ", ""))
    with pytest.raises(SamplingError, match="not of the same model"):
        post.compare(other.fit(DATA))
    with pytest.raises(SamplingError, match="different rows"):
        post.compare(model.fit(hlm.read(FRAME[FRAME.id < 7], id="id"), algorithm="hlm"))
    assert "Model 2" in str(hlm.table(post, fit))


def test_ratios_are_those_of_the_draws(drawn):
    left, _, post = drawn
    if left.startswith("probit"):
        with pytest.raises(HypothesisError, match="no ratio"):
            post.ratios()
        return
    row = post.ratios(prob=0.9).loc["g10"]
    low, median, high = np.exp(np.quantile(post["g10"], [0.05, 0.5, 0.95]))
    assert [row["eti90_low"], row["ratio"], row["eti90_high"]] == pytest.approx([low, median, high])
    assert row["above"] == np.mean(post["g10"] > 0)


def test_means_and_slopes_are_averaged_over_the_random_effects(drawn):
    left, _, post = drawn
    found, link = post.means("x", values=[0.0, 1.0]), left.split("(")[0]
    inverse = np.exp if link == "log" else INVERSE[link]
    w = FRAME.w.mean()
    for k, x in ((0, 0.0), (1, 1.0)):
        for place in ((0, 7), (1, 240)):
            gamma, sd = post.draws("gamma")[place], post.draws("sd")[place][0]
            eta = gamma[0] + gamma[1] * w + gamma[2] * x
            expected = integrate.quad(lambda z, m=eta, s=sd: inverse(m + s * z) * stats.norm.pdf(z), -9, 9)[0]
            assert found.contrast.draws[(k, *place)] == pytest.approx(expected, rel=1e-6)
    difference = found.contrast.draws[0] - found.contrast.draws[1]
    np.testing.assert_allclose(found.difference.draws[0], difference)
    step = 1e-4
    ends = post.means("x", values=[0.3 - step, 0.3 + step]).contrast.draws
    slope = post.slopes("x", at={"x": 0.3}).contrast.draws[0]
    np.testing.assert_allclose(slope, (ends[1] - ends[0]) / (2 * step), rtol=1e-3)
    on_link = post.means("x", values=[0.0], scale="link").contrast.draws[0]
    np.testing.assert_allclose(on_link, post["g00"] + post["g01"] * w)


def test_predictions_of_rows(drawn):
    left, _, post = drawn
    link = left.split("(")[0]
    inverse = np.exp if link == "log" else INVERSE[link]
    b = post.draws("b").reshape(-1, 8, 2)[:, FRAME.id]
    own = inverse(b[:, :, 0] + b[:, :, 1] * FRAME.x.to_numpy())
    found = post.predict(interval="confidence")
    np.testing.assert_allclose(found["predicted"], own.mean(axis=0))
    assert (found["low"] < found["predicted"]).all()
    new = {"x": [0.0, 1.0], "w": [0.2, 0.2]}
    among = post.predict(new, level=2)["predicted"].to_numpy()
    means = post.means("x", values=[0.0, 1.0], at={"w": 0.2}).contrast.mean
    np.testing.assert_allclose(among, means)
    np.testing.assert_allclose(post.predict(new)["predicted"], among)
    with pytest.raises(HypothesisError, match="level="):
        post.predict(level=3)


def test_shares_of_variance_on_the_scale_of_the_link(drawn):
    left, model, post = drawn
    latent = {"logit": np.pi**2 / 3, "probit": 1.0}.get(left.split("(")[0])
    if latent is None:
        latent = np.log1p(1.0 / FRAME.number.mean())
    tau = post["tau[b0,b0]"]
    assert post.icc().icc == pytest.approx(np.median(tau / (tau + latent)))
    assert post.r2().marginal == pytest.approx(model.fit(DATA).r2().marginal, abs=0.12)
    low, high = (f(post.plausible_range("b0").center, 3.0) for f in (min, max))
    assert low < high


def test_priors_side_by_side_and_power_scaling(drawn):
    _, model, post = drawn
    tight = hlm.Priors(gamma=hlm.Normal(0.0, 0.05), sd=hlm.HalfNormal(1.5))
    found = hlm.sensitivity(model, DATA, {"own": PRIORS, "tight": tight}, draws=250, chains=2, seed=1)
    assert found.frame("g10")["shift"].iloc[1] < -1.0
    np.testing.assert_array_equal(found.first["g10"], post["g10"])
    assert set(hlm.power_scale(post).columns) >= {"prior", "likelihood", "diagnosis"}


def test_the_density_of_an_ordinal_outcome_is_the_one_written_out(rated):
    _, _, post = rated
    record = record_of(post)
    density, z = record.density, np.linspace(-8, 8, 1601)
    x = record.points[[0, 100, 400]]
    value, direct = replace(density, rule=product_rule((35,)), left_out=0.0).evaluate(x)[0], []
    for k in (0, 100, 400):
        g, sd, cut = (post[name].ravel()[k] for name in ("g00", "sd[b0]", "d2"))
        slope = post["g10"].ravel()[k]
        total = 0.0
        for _, rows in RATED.groupby("id"):
            eta = g + slope * rows.x.to_numpy()[:, None] + sd * z
            mass = np.take_along_axis(shares(eta, cut), (rows.y.to_numpy() - 1)[:, None, None], axis=2)[
                ..., 0
            ]
            total += np.log(integrate.trapezoid(np.prod(mass, axis=0) * stats.norm.pdf(z), z))
        share = np.cumsum(RATED.y.value_counts(normalize=True).sort_index().to_numpy())[:-1]
        gap = np.log(np.diff(np.log(share / (1 - share)))[0])
        total += stats.norm.logpdf([g, slope], 0, 2).sum() + stats.halfnorm.logpdf(sd, scale=1.5)
        direct.append(total + stats.norm.logpdf(np.log(cut), gap, 1.0))
    np.testing.assert_allclose(np.diff(value), np.diff(direct), atol=1e-4)
    np.testing.assert_allclose(density.evaluate(x)[0], value, atol=0.1)
    point = x[1] + 0.01
    _, gradient, hessian = density.curved(point)
    steps = 1e-5 * np.eye(len(point))
    pairs = [(density.value_and_gradient(point + h), density.value_and_gradient(point - h)) for h in steps]
    np.testing.assert_allclose(gradient, [(a[0] - b[0]) / 2e-5 for a, b in pairs], atol=0.02)
    np.testing.assert_allclose(hessian, [(b[1] - a[1]) / 2e-5 for a, b in pairs], atol=0.3)


def test_a_posterior_of_an_ordinal_outcome(rated, tmp_path):
    model, data, post = rated
    assert list(post.summary().index) == ["g00", "g10", "sd[b0]", "tau[b0,b0]", "d2"]
    fit = model.fit(data)
    beside = post.compare(fit).frame()
    assert beside["ml_exact"]["d2"] == pytest.approx(fit.cuts().loc["d2", "estimate"])
    assert beside["shift"].abs().max() < 1.0
    b = post.draws("b").reshape(-1, 8, 2)[:, RATED.id]
    eta = b[:, :, 0] + b[:, :, 1] * RATED.x.to_numpy()
    mass = shares(eta, post["d2"].reshape(-1, 1))
    own = np.take_along_axis(mass, (RATED.y.to_numpy() - 1)[None, :, None], axis=2)[..., 0]
    rows = post.with_log_likelihood("row").tree["log_likelihood"]["y"].values.reshape(own.shape)
    np.testing.assert_allclose(rows, np.log(own), atol=1e-9)
    new = post.with_predictive(draws=300).tree["posterior_predictive"]["y"].values.reshape(own.shape)
    assert np.mean(new == 1) == pytest.approx(mass[..., 0].mean(), abs=0.01)
    assert np.mean(new == 3) == pytest.approx(mass[..., 2].mean(), abs=0.01)
    assert post.check().ok
    back = hlm.load_posterior(post.save(tmp_path / "post.nc"))
    np.testing.assert_array_equal(back["d2"], post["cut 2"])
    np.testing.assert_allclose(record_of(back).unit_logliks(), record_of(post).unit_logliks(), atol=1e-9)
    assert "d2, its distance to the cut below it: log-normal, median" in hlm.Priors().describe(model, data)
    said = hlm.Priors(cuts=hlm.Normal(0.0, 0.2)).describe(model, data)
    assert "log-normal, median 1, sd of the logarithm 0.2" in said
    with pytest.raises(SamplingError, match="cuts is for ordinal outcomes"):
        hlm.Priors(cuts=hlm.Normal(0.0, 0.2)).describe(hlm.Model("logit(y) = b0; b0 = g00 + u0"), DATA)


def test_the_model_on_rows_of_an_ordinal_outcome(rated):
    model, data, _ = rated
    built = model.pymc(data, PRIORS, marginal=False)
    z, at = np.random.default_rng(3).normal(size=(8, 1)), {"gamma_free": np.array([-0.4, 0.3])}
    at |= {"s_b0": np.asarray(-0.6), "z": z, "gaps_log__": np.log([0.8])}
    value = built.compile_logp(mode="FAST_COMPILE")(at)
    eta = -0.4 + 0.3 * RATED.x.to_numpy() - 0.6 * z[RATED.id, 0]
    mass = shares(eta, 0.8)[np.arange(len(RATED)), RATED.y - 1]
    share = np.cumsum(RATED.y.value_counts(normalize=True).sort_index().to_numpy())[:-1]
    gap = np.log(np.diff(np.log(share / (1 - share)))[0])
    expected = np.log(mass).sum() + stats.norm.logpdf(z).sum() + stats.norm.logpdf([-0.4, 0.3], 0, 2).sum()
    expected += stats.norm.logpdf(-0.6, 0, 1.5) + stats.norm.logpdf(np.log(0.8), gap, 1.0)
    assert float(value) == pytest.approx(float(expected), abs=1e-6)
    beyond = at | {"gamma_free": np.array([-40.0, 0.0])}
    assert np.isfinite(built.compile_logp(mode="FAST_COMPILE")(beyond))


@pytest.mark.slow  # PyMC compiles the model
def test_ordinal_draws_are_those_of_nuts_on_the_rows(rated):
    model, data, _ = rated
    one, two = (model.sample(data, seed=1, priors=PRIORS, draws=2000, marginal=m) for m in (True, False))
    table = two.summary()
    assert ((one.summary()["median"] - table["median"]).abs() / table["sd"]).max() < 0.1
    assert (one.summary()["sd"] / table["sd"]).between(0.9, 1.1).all()
