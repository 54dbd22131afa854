"""Posteriors where level-1 variances are known, altogether or up to a factor, and of repeated rows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import multivariate_normal

import hlmbayes as hlm
from hlmbayes.density.batch import evaluate_batch
from hlmbayes.density.conditional import Draws, unit_log_likelihood
from hlmbayes.density.coordinates import unpack
from hlmbayes.density.marginal import value_and_gradient
from hlmbayes.density.prior_density import log_prior
from hlmbayes.density.target import Target, target_for
from hlmbayes.errors import DataError, EstimationError, HLMError, HypothesisError, SamplingError
from hlmbayes.estimation.prepare import law_and_counting
from hlmbayes.faces import record_of
from tests.estimation.test_known_variance import MODEL, several_rows

ORACLES = Path(__file__).parents[1] / "oracles"
CASES = {
    case["data"]: case
    for case in json.loads((ORACLES / "meta.json").read_text())["cases"]
    if case["moderator"] is None
}
MEAN = hlm.Model("effect = b0 + r; b0 = g00 + u0")
PRIORS = hlm.Priors(gamma=hlm.Normal(0, 20), sd=hlm.HalfNormal(10))
LAWS = {"variance_known": "v", "precision": "p", "sigma2": 1.7}


def studies(name):
    return hlm.read(pd.read_csv(ORACLES / "data" / f"{name}.csv"), id="site" if name == "sites" else "study")


def target(data, model, priors, **level1) -> Target:
    law, weights = law_and_counting(model, **level1)
    return target_for(model, data, priors, law=law, weights=weights)


@pytest.mark.parametrize("name", CASES)
def test_the_density_of_a_meta_analysis_is_that_of_the_quadrature(name):
    known, wanted = target(studies(name), MEAN, PRIORS, variance_known="v"), CASES[name]["posterior"]
    sd = np.linspace(0.0, 120.0 if name == "sites" else 12.0, 20_001)
    batch = evaluate_batch(known, sd[:, None] / known.reference)
    density = 2.0 * np.exp(batch.log_density) / known.reference  # both signs of the effect
    evidence = np.trapezoid(density, sd)
    assert np.log(evidence) == pytest.approx(wanted["log_evidence"], abs=1e-6)
    assert np.trapezoid(sd * density, sd) / evidence == pytest.approx(wanted["sd[b0]"]["mean"], rel=1e-6)
    mean = known.design.gamma_ols + batch.delta(known.system, np.zeros((1, 1))) * known.system.gamma_scale
    g00 = np.trapezoid(mean[:, 0] * density, sd) / evidence
    assert g00 == pytest.approx(wanted["g00"]["mean"], rel=1e-6)


@pytest.fixture(scope="module")
def nine_sites():
    return MEAN.sample(studies("sites"), variance_known="v", priors=PRIORS, seed=1, draws=10_000)


def near(draws, wanted):
    """Hold draws, about independent, against a posterior, four standard errors wide."""
    error = 4.0 / np.sqrt(draws.size)
    sd = wanted["sd"]
    assert draws.mean() == pytest.approx(wanted["mean"], abs=error * sd)
    assert draws.std() == pytest.approx(sd, abs=2.0 * error * sd)
    if "median" in wanted:
        assert np.median(draws) == pytest.approx(wanted["median"], abs=1.5 * error * sd)


def test_nine_sites_are_those_of_the_quadrature(nine_sites):
    wanted = CASES["sites"]["posterior"]
    assert wanted["g00"] == pytest.approx({"mean": 7.92953, "sd": 2.32401}, abs=5e-6)
    assert wanted["sd[b0]"]["median"] == pytest.approx(1.7535, abs=5e-4)
    near(nine_sites["g00"], wanted["g00"])
    near(nine_sites["sd[b0]"], wanted["sd[b0]"])
    assert nine_sites.sampler["log_evidence"] == pytest.approx(wanted["log_evidence"], abs=2e-3)
    assert nine_sites.effects()["u0_mean"].to_numpy() == pytest.approx(wanted["u"], abs=0.08)
    assert nine_sites.convergence.ok
    assert list(nine_sites.summary().index) == ["g00", "sd[b0]", "tau[b0,b0]"]


def test_what_follows_from_the_nine_sites(nine_sites):
    data = studies("sites")
    fit = MEAN.fit(data, variance_known="v")
    beside = nine_sites.compare(fit).frame()
    assert beside["reml_exact"].tolist() == pytest.approx([8.0091826, 0.0], abs=5e-8)
    assert nine_sites.loo().elpd == pytest.approx(-27.5, abs=0.2)
    found = nine_sites.variance_is_zero("b0")
    w, y = 1 / data.level1_column("v"), np.asarray(data.level1_column("effect"))
    without = multivariate_normal(np.zeros(9), np.diag(1 / w) + 400.0).logpdf(y)
    wanted = without - CASES["sites"]["posterior"]["log_evidence"]
    assert found["log_bayes_factor"] == pytest.approx(wanted, abs=0.02)
    predicted = nine_sites.with_predictive(seed=1).tree["posterior_predictive"]
    rows = np.asarray(predicted["y"]).reshape(-1, 9)
    u = nine_sites.draws("u").std(axis=(0, 1))[:, 0]
    total = np.sqrt(data.level1_column("v") + u**2 + nine_sites["g00"].var())
    assert rows.std(axis=0) == pytest.approx(total, rel=0.25)
    assert nine_sites.check() is not None
    assert nine_sites.plausible_range().center == pytest.approx(7.94, abs=0.1)
    with pytest.raises(HypothesisError, match="known, not estimated"):
        nine_sites.icc()
    with pytest.raises(SamplingError, match="weighted differently"):
        nine_sites.compare(MEAN.fit(data, sigma2=40.0))


def test_i2_and_a_new_study_follow_from_the_draws(nine_sites):
    found = nine_sites.i2()
    typical = CASES["sites"]["REML"]["z"]["vt"]
    assert found.typical_variance == pytest.approx(typical, rel=1e-12)
    tau2 = nine_sites["tau[b0,b0]"]
    assert found.draws["i2"] == pytest.approx(100 * tau2 / (tau2 + typical))
    assert found.frame().loc["h2", "median"] == found.h2
    assert "posterior median" in str(found)
    new = nine_sites.prediction_interval()
    assert new.median == pytest.approx(7.93, abs=0.1)
    wanted = CASES["sites"]["posterior"]
    sd = np.sqrt(wanted["g00"]["sd"] ** 2 + wanted["sd[b0]"]["sd"] ** 2 + wanted["sd[b0]"]["mean"] ** 2)
    assert new.draws.std() == pytest.approx(sd, rel=0.03)
    assert (new.low, new.high) == pytest.approx(np.quantile(new.draws, [0.025, 0.975]))
    assert "b0 of a new unit" in str(new)
    with pytest.raises(HypothesisError, match="plausible range"):
        nine_sites.prediction_interval("b1")


@pytest.mark.slow
@pytest.mark.parametrize("how", [{"sampler": "nuts"}, {"marginal": False}], ids=["nuts", "pymc on rows"])
@pytest.mark.parametrize("name", ["sites", "bcg"])
def test_other_samplers_agree_with_the_quadrature(name, how):
    post = MEAN.sample(studies(name), variance_known="v", priors=PRIORS, seed=3, draws=2500, **how)
    wanted = CASES[name]["posterior"]
    for parameter in ("g00", "sd[b0]"):
        effective = post.summary().loc[parameter, "ess_bulk"]
        thinned = post[parameter].ravel()[:: max(1, int(post[parameter].size / effective))]
        near(thinned, wanted[parameter])
    assert post.convergence.ok


# --- laws, against dense matrices -----------------------------------------------------------------


def dense(frame, known: Target, phi, level1):
    """log p(y | tau, sigma), u and gamma integrated out, and what is left of it by unit given gamma."""
    parts = unpack(known, phi[None])
    tau, sigma2 = parts.tau[0], float(parts.sigma[0]) ** 2
    variance = {
        "variance_known": frame["v"], "precision": sigma2 / frame["p"], "sigma2": np.full(len(frame), 1.7)
    }[level1]  # fmt: skip
    x = (frame["x"] - frame.groupby("id")["x"].transform("mean")).to_numpy()
    z = np.column_stack([np.ones(len(x)), x])
    big = np.column_stack([z[:, 0], frame["c"], x])
    same = np.equal.outer(frame["id"].to_numpy(), frame["id"].to_numpy())
    v = np.where(same, z @ tau @ z.T, 0.0) + np.diag(variance)
    prior = known.priors
    whole = v + big / prior.gamma_precision @ big.T
    value = multivariate_normal(big @ prior.gamma_mean, whole).logpdf(frame["y"])
    return value, (big, v, variance)


@pytest.fixture(scope="module")
def rows():
    frame = several_rows()
    return frame, hlm.read(frame, id="id")


@pytest.mark.parametrize("level1", LAWS)
def test_densities_are_those_of_dense_matrices(rows, level1):
    frame, data = rows
    known = target(data, MODEL, None, **{level1: LAWS[level1]})
    phi = np.array([0.8, 1.3, 0.4, *([np.log(1.2)] if level1 == "precision" else [])])
    assert known.size == len(phi)
    value, gradient = value_and_gradient(known, phi)
    wanted, (big, v, variance) = dense(frame, known, phi, level1)
    assert value - log_prior(known, phi[None])[0] == pytest.approx(wanted, rel=1e-11)
    assert evaluate_batch(known, phi[None]).log_density[0] == pytest.approx(value, rel=1e-12)
    step = 1e-5 * np.eye(len(phi))
    slope = [
        (value_and_gradient(known, phi + h)[0] - value_and_gradient(known, phi - h)[0]) / 2e-5 for h in step
    ]
    assert gradient == pytest.approx(np.array(slope), rel=1e-6, abs=1e-7)
    gamma = np.array([1.5, 0.7, 0.9])
    draws = Draws(phi[None], gamma[None], unpack(known, phi[None]).tau)
    units = unit_log_likelihood(known, draws)[0]
    for j, unit in enumerate(np.unique(frame["id"])):
        own = np.flatnonzero(frame["id"] == unit)
        one = multivariate_normal(big[own] @ gamma, v[np.ix_(own, own)]).logpdf(frame["y"].to_numpy()[own])
        assert units[j] == pytest.approx(one, rel=1e-10)
    assert known.law.noise(phi[None, known.level1])[0] == pytest.approx(
        np.bincount(frame["id"], np.asarray(variance, dtype=float))
    )


def same_draws(found, wanted):
    """The same draws, but for the last digits: arrays from a file lie elsewhere in memory, which processors
    add up in another order."""
    np.testing.assert_allclose(found, wanted, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("level1", LAWS)
def test_posteriors_are_sampled_saved_and_drawn_again(rows, level1, tmp_path):
    frame, data = rows
    asked = {level1: LAWS[level1]}
    post = MODEL.sample(data, seed=2, draws=500, **asked)
    fit = MODEL.fit(data, **asked)
    assert np.asarray(post.summary()["mean"])[:3] == pytest.approx(np.asarray(fit.gamma), abs=0.35)
    assert ("sigma2" in post.summary().index) is (level1 == "precision")
    assert post.compare(fit) is not None
    by_row = record_of(post.with_log_likelihood("row")).tree["log_likelihood"]["y"].values[0, 0]
    b, unit = post.draws("b")[0, 0], frame["id"].to_numpy()
    x = (frame["x"] - frame.groupby("id")["x"].transform("mean")).to_numpy()
    sigma2 = {"variance_known": frame["v"], "sigma2": 1.7}.get(level1)
    if sigma2 is None:
        sigma2 = post["sigma2"][0, 0] / frame["p"]
    left = frame["y"] - b[unit, 0] - b[unit, 1] * x
    assert by_row == pytest.approx((-0.5 * (np.log(2 * np.pi * sigma2) + left**2 / sigma2)).to_numpy())
    post.save(tmp_path / "post.nc")
    loaded = hlm.load_posterior(tmp_path / "post.nc")
    again = loaded.rerun()
    for name in post.summary().index:
        same_draws(again[name], post[name])
    by_unit = [record_of(p.with_log_likelihood()).tree["log_likelihood"]["y"] for p in (post, loaded)]
    same_draws(*by_unit)
    assert record_of(loaded).target.law.law.arguments == asked
    assert np.isfinite(loaded.variance_is_zero("b1")["log_bayes_factor"])
    nuts = post.rerun(sampler="nuts", draws=1000, tune=300, chains=2)
    assert np.asarray(nuts.summary()["mean"])[:3] == pytest.approx(np.asarray(fit.gamma), abs=0.5)


def test_precisions_of_one_are_none(rows):
    frame, _ = rows
    data = hlm.read(frame.assign(one=1.0), id="id")
    plain, weighed = (MODEL.sample(data, seed=1, draws=500, **kw) for kw in ({}, {"precision": "one"}))
    assert weighed["g00"].mean() == pytest.approx(plain["g00"].mean(), abs=0.15)
    assert weighed.sampler["log_evidence"] == pytest.approx(plain.sampler["log_evidence"], abs=0.05)


def test_the_scale_of_the_precisions_goes_into_sigma(rows):
    frame, _ = rows
    priors = [hlm.Priors(sigma=hlm.HalfNormal(scale)) for scale in (1.5, 1.5 * 1e3)]
    frames = frame, frame.assign(p=1e6 * frame["p"])
    phi, values = np.array([0.8, 1.3, 0.4, 0.0]), []
    for each, prior, sigma in zip(frames, priors, (1.2, 1.2e3), strict=True):
        known = target(hlm.read(each, id="id"), MODEL, prior, precision="p")
        phi[3], phi[:2] = np.log(sigma), np.array([0.9, 0.7]) / known.reference
        values.append(value_and_gradient(known, phi)[0] - np.log(np.prod(known.reference)))
    assert values[0] == pytest.approx(values[1], rel=1e-12)


@pytest.mark.parametrize("scale", [1e-9, 1e9])
@pytest.mark.parametrize("precise", [1.0, 1e-12])
def test_the_outcomes_unit_changes_nothing(scale, precise):
    frame = pd.read_csv(ORACLES / "data" / "sites.csv")
    frame.loc[3, "v"] *= precise
    one, other = (
        MEAN.sample(
            hlm.read(frame.assign(effect=c * frame["effect"], v=c * c * frame["v"]), id="site"),
            variance_known="v", seed=5, draws=200,
            priors=hlm.Priors(gamma=hlm.Normal(0, 20 * c), sd=hlm.HalfNormal(10 * c)),
        )
        for c in (1.0, scale)
    )  # fmt: skip
    for name in ("g00", "sd[b0]"):
        np.testing.assert_allclose(other[name] / scale, one[name], rtol=1e-5)
    assert one.convergence.ok


# --- frequencies ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def repeated():
    """Rows and units that stand for several, and the same written out in full."""
    rng = np.random.default_rng(8)
    unit = np.repeat(np.arange(12), 4)
    frame = pd.DataFrame({"id": unit, "y": rng.normal(size=12)[unit] + rng.normal(size=48)})
    frame["times"], frame["units"] = rng.integers(1, 4, 48), rng.integers(1, 3, 12)[unit]
    parts = []
    for copy in range(2):
        part = frame[frame["units"] > copy]
        part = part.loc[part.index.repeat(part["times"])]
        parts.append(part.assign(id=part["id"] + 100 * copy))
    return hlm.read(frame, id="id"), hlm.read(pd.concat(parts), id="id")


COUNTED = hlm.Model("y = b0 + r; b0 = g00 + u0")
OFTEN = hlm.Frequencies(level1="times", level2="units")


def test_frequencies_are_rows_and_units_written_out(repeated, tmp_path):
    short, full = repeated
    post, whole = (
        COUNTED.sample(short, seed=4, frequency=OFTEN, draws=300),
        COUNTED.sample(full, seed=4, draws=300),
    )
    for name in post.summary().index:
        np.testing.assert_allclose(post[name], whole[name], rtol=1e-7)
    assert post.sampler["log_evidence"] == pytest.approx(whole.sampler["log_evidence"], abs=1e-7)
    assert post.compare(COUNTED.fit(short, frequency=OFTEN)) is not None
    assert post.loo().elpd == pytest.approx(whole.loo().elpd, abs=1e-3)
    assert "y" not in post.with_predictive(draws=20).tree["posterior_predictive"]
    for ask in (lambda: post.loo("row"), post.check):
        with pytest.raises(HLMError, match="frequencies"):
            ask()
    post.save(tmp_path / "post.nc")
    loaded = hlm.load_posterior(tmp_path / "post.nc")
    assert record_of(loaded).target.counting == record_of(post).target.counting
    same_draws(loaded.rerun()["g00"], post["g00"])


# --- words ----------------------------------------------------------------------------------------


def test_what_there_is_no_posterior_of_is_refused(rows, repeated):
    frame, data = rows
    short, _ = repeated
    with pytest.raises(SamplingError, match="sampling weights, with which there is a pseudo-likelihood"):
        MODEL.sample(data, weights=hlm.Weights(level1="p"))
    with pytest.raises(SamplingError, match="write the data out in full"):
        COUNTED.sample(short, frequency=OFTEN, marginal=False)
    with pytest.raises(SamplingError, match="no prior of level 1, the level-1 variances are known"):
        MODEL.sample(data, variance_known="v", priors=hlm.Priors(sigma=hlm.HalfNormal(1)))
    with pytest.raises(EstimationError, match="precision and variance_known were given"):
        MODEL.sample(data, precision="p", variance_known="v")
    with pytest.raises(EstimationError, match="frequency= wants"):
        MODEL.sample(data, frequency="p")
    with pytest.raises(DataError, match="weights need the rows"):
        MODEL.sample(record_of(MODEL.fit(data)).design.moments, variance_known="v")
    with pytest.raises(DataError, match="the known variance 'v' is zero"):
        MODEL.sample(hlm.read(frame.assign(v=0.0), id="id"), variance_known="v")


def test_priors_say_what_is_known(rows):
    _, data = rows
    text = hlm.Priors().describe(MODEL, data, variance_known="v")
    assert "sigma" not in text.replace("Sigma squared is fixed", "")
    assert "The level-1 variance is known: v." in text
    plain = hlm.Priors().describe(MODEL, data)
    assert "mean -0," not in plain
    assert hlm.Priors().describe(MODEL, data, precision="p") == plain  # scales are of the rows as they are


def test_no_random_effect_is_the_normal_posterior():
    data = studies("sites")
    post = hlm.Model("effect = b0 + r; b0 = g00").sample(
        data, variance_known="v", seed=1, priors=hlm.Priors(gamma=hlm.Normal(0, 20)), draws=4000
    )
    w, y = 1 / np.asarray(data.level1_column("v")), np.asarray(data.level1_column("effect"))
    sd = (w.sum() + 1 / 400) ** -0.5
    near(post["g00"], {"mean": sd**2 * (w @ y), "sd": sd})
    wanted = multivariate_normal(np.zeros(9), np.diag(1 / w) + 400.0).logpdf(y)
    assert post.sampler["log_evidence"] == pytest.approx(wanted, rel=1e-12)
    assert post.convergence.ok
    assert post.effects().empty


def test_imputed_meta_analyses_and_prior_predictions():
    frame = pd.read_csv(ORACLES / "data" / "sites.csv")
    sets = [hlm.read(frame.assign(effect=frame["effect"] + k), id="site") for k in (0.0, 1.0)]
    pooled = hlm.sample_imputed(MEAN, sets, variance_known="v", seed=1, draws=200, priors=PRIORS)
    assert pooled["g00"].mean() == pytest.approx(8.42, abs=0.3)
    with pytest.raises(HypothesisError, match="known, not estimated"):
        pooled.icc()
    drawn = hlm.prior_predictive(MEAN, sets[0], PRIORS, draws=4000, seed=1, variance_known="v")
    sd = np.asarray(drawn["prior_predictive"]["unit_mean"]).reshape(-1, 9).std(axis=0)
    assert sd == pytest.approx(np.sqrt(400 + 100 + frame["v"].to_numpy()), rel=0.06)


@pytest.mark.slow
@pytest.mark.parametrize("level1", LAWS)
def test_pymc_models_are_the_same_density(rows, level1):
    frame, data = rows
    asked = {level1: LAWS[level1]}
    known = target(data, MODEL, None, **asked)
    phi = np.array([0.8, 1.3, 0.0, *([np.log(1.2)] if level1 == "precision" else [])])
    _, (big, v, _) = dense(frame, known, phi, level1)
    sd = np.abs(unpack(known, phi[None]).s[0])
    gamma = np.array([1.5, 0.7, 0.9])
    model = MODEL.pymc(data, **asked)
    point = {"gamma_free": gamma, "s_b0": sd[0], "s_b1": sd[1], "partial_corr01": np.array([0.5])}
    if level1 == "precision":
        point["sigma"] = 1.2
    wanted = multivariate_normal(big @ gamma, v).logpdf(frame["y"])
    likelihood = next(p for p in model.potentials if p.name == "likelihood")
    names = {v.name: v for v in model.free_RVs}
    got = likelihood.eval({names[name]: value for name, value in point.items()})
    assert got == pytest.approx(wanted, rel=1e-11)
    rows_model = MODEL.pymc(data, marginal=False, **asked)
    assert ("sigma" in rows_model.named_vars) is (level1 == "precision")
