"""Posteriors by the direct sampler: against REML, against integration, what is asked of a Posterior."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import warnings
from dataclasses import replace

import numpy as np
import pytest

import hlmbayes as hlm
from hlmbayes.errors import HLMError, HLMWarning, HypothesisError, SamplingError
from hlmbayes.faces import record_of
from tests.small import model, small
from tests.small_posterior import EQUATIONS

MODELS = {
    "1": "mathach = b0 + r\nb0 = g00 + u0",
    "2": "mathach = b0 + r\nb0 = g00 + g01*meanses + u0",
    "3": "mathach = b0 + b1*group(ses) + r\nb0 = g00 + u0\nb1 = g10 + u1",
    "4": """mathach = b0 + b1*group(ses) + r
        b0 = g00 + g01*sector + g02*meanses + u0
        b1 = g10 + g11*sector + g12*meanses + u1""",
}


@pytest.fixture(scope="module")
def post4(hsb, model4):
    return model4.sample(hsb, seed=1)


@pytest.mark.parametrize("name", MODELS)
def test_wide_priors_give_the_reml_optimum_for_gamma(name, hsb):
    model = hlm.Model(MODELS[name])
    post = model.sample(hsb, seed=2, priors=hlm.Priors(width=10))
    table = post.compare(model.fit(hsb)).frame()
    assert post.sampler["sampler"] == "direct"
    assert post.convergence.ok
    assert np.abs(table["shift"][list(model.gamma_names)]).max() < 0.1
    assert abs(table["shift"]["sigma2"]) < 0.2


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("line", ["", "cov(u0, u1) = 0"])
def test_gamma_is_that_of_bambi(name, line, hsb, oracles):
    """bambi's random effects of a unit are independent: in models 3 and 4 that moves tau, hardly gamma."""
    if line and "u1" not in MODELS[name]:
        pytest.skip("one random effect")
    recorded = json.loads((oracles / "bambi.json").read_text(encoding="utf-8"))[name]
    post = hlm.Model(f"{MODELS[name]}\n{line}").sample(hsb, seed=6)
    for gamma in post.model.gamma_names:
        draws, theirs = post[gamma], recorded[gamma]
        assert abs(np.median(draws) - theirs["median"]) < 0.1 * draws.std(), gamma
        assert draws.std() == pytest.approx(theirs["sd"], rel=0.05), gamma
    for parameter in ("sd[b0]", "sigma", *(["sd[b1]"] if line else [])):
        assert abs(np.median(post[parameter]) - recorded[parameter]["median"]) < 0.15 * post[parameter].std()


def test_one_variance_agrees_with_integration_on_a_grid(make_small):
    """q = 1: quantiles of sd and sigma from the joint density on a fine grid."""
    from hlmbayes.density.batch import evaluate_batch

    model = hlm.Model("y = b0 + b1*x1 + r\nb0 = g00 + g01*w + u0\nb1 = g10")
    post = model.sample(make_small(), seed=5, draws=4000)
    target = record_of(post).target
    s, log_sigma = 0.025 * (np.arange(1000) + 0.5), np.linspace(-2.0, 2.5, 200)
    grid = np.stack(np.meshgrid(s, log_sigma, indexing="ij"), -1).reshape(-1, 2)
    density = evaluate_batch(target, grid).log_density.reshape(len(s), -1)
    density = np.exp(density - density.max())
    for marginal, values, draws in (
        (density.sum(axis=1), s * target.reference[0], post["sd[b0]"]),
        (density.sum(axis=0), np.exp(log_sigma), post["sigma"]),
    ):
        cumulative = (np.cumsum(marginal) - 0.5 * marginal) / marginal.sum()
        for prob in (0.05, 0.5, 0.95):
            at = np.interp(prob, cumulative, values)
            assert np.mean(draws < at) == pytest.approx(prob, abs=0.012)


def test_same_seed_same_draws_and_other_seed_others(hsb, model4, post4):
    again, other = model4.sample(hsb, seed=1), model4.sample(hsb, seed=2)
    assert np.array_equal(again.draws("u"), post4.draws("u"))
    assert not np.array_equal(other.draws("gamma"), post4.draws("gamma"))


def test_names_and_shapes(post4, model4, hsb):
    data = post4.tree
    assert data["posterior"]["gamma"].dims == ("chain", "draw", "fixed_effect")
    assert tuple(data["posterior"]["fixed_effect"].values) == model4.gamma_names
    assert data["posterior"]["u"].sizes == {"chain": 4, "draw": 1000, "unit": 160, "coef": 2}
    assert data["posterior"]["b"].dims[2:] == ("unit", "coefficient")
    assert np.array_equal(data["posterior"]["unit"].values.astype(hsb.unit_ids.dtype), hsb.unit_ids)
    tau = post4.draws("tau")
    assert tau == pytest.approx(np.swapaxes(tau, 2, 3))
    assert post4["tau[b1,b1]"] == pytest.approx(post4["sd[b1]"] ** 2)
    assert np.abs(post4["corr[b1,b0]"]).max() <= 1 + 1e-12


def test_b_is_fixed_part_plus_u(post4, hsb):
    gamma, u = post4.draws("gamma"), post4.draws("u")
    sector, meanses = hsb.level2["sector"], hsb.level2["meanses"]
    slope = gamma[:, :, 3, None] + gamma[:, :, 4, None] * sector + gamma[:, :, 5, None] * meanses + u[..., 1]
    np.testing.assert_allclose(post4.draws("b")[..., 1], slope, rtol=1e-6, atol=1e-12)


def test_effects_are_those_of_empirical_bayes(hsb):
    """Where tau is well determined posterior means of u are the EB residuals, shrunk a little differently."""
    model = hlm.Model(MODELS["2"])
    post = model.sample(hsb, seed=3)
    effects = post.effects()
    fit = record_of(model.fit(hsb))
    design = fit.design
    n, tau, s2 = design.n, fit.tau[0, 0], fit.sigma2
    residual = (design.de[:, 0] - n * design.level1_coefficients(fit.gamma_free - design.gamma_ols)[:, 0]) / n
    eb = residual * tau / (tau + s2 / n)
    assert effects["u0_mean"].to_numpy() == pytest.approx(eb, abs=0.25)
    assert np.corrcoef(effects["u0_mean"], eb)[0, 1] > 0.999


def test_summary_has_its_interval_in_its_name(post4):
    table = post4.summary(prob=0.9, kind="hdi")
    assert list(table.columns[4:6]) == ["hdi90_low", "hdi90_high"]
    assert table.loc["g00", "r_hat"] < 1.01
    low, high = table.loc["g00", ["hdi90_low", "hdi90_high"]]
    assert np.mean((post4["g00"] > low) & (post4["g00"] < high)) == pytest.approx(0.9, abs=0.01)
    with pytest.raises(SamplingError, match="probability"):
        post4.summary(prob=95)


def test_variance_explained_is_that_of_the_fits(hsb):
    base, more = (hlm.Model(MODELS[name]) for name in "12")
    found = more.sample(hsb, seed=1).variance_explained(base.sample(hsb, seed=2, draws=500), prob=0.8)
    expected = more.fit(hsb).variance_explained(base.fit(hsb))
    assert found.level1 == pytest.approx(expected.level1, abs=0.005)
    assert found.level2["b0"] == pytest.approx(expected.level2["b0"], abs=0.03)
    assert found.draws["b0"].shape == (2000,)
    assert found.frame().loc["b0", "name"] == "intercept"
    assert list(found.frame().loc["b0"].iloc[1:]) == pytest.approx(
        np.quantile(found.draws["b0"], [0.5, 0.1, 0.9])
    )
    assert str(found).startswith(f"Level-1 variance explained: {found.level1:.4f}")
    with pytest.raises(HLMError, match="a Posterior is wanted"):
        more.sample(hsb, seed=1).variance_explained(base.fit(hsb))


def test_a_fit_beside_the_posterior_is_a_sentence_and_a_table(post4, model4, hsb):
    found = post4.compare(model4.fit(hsb), prob=0.9)
    table = found.frame()
    assert list(table.columns[6:8]) == ["eti90_low", "eti90_high"]
    assert found.most_shifted == table["shift"].abs().idxmax()
    assert abs(found.shift) == table["shift"].abs().max()
    assert str(found).startswith(
        f"Farthest from reml_exact is {found.most_shifted} ({table['name'][found.most_shifted]}): posterior "
    )


def test_random_effects_are_drawn_when_they_are_asked_for(hsb, model4):
    """What is asked before changes nothing, and a copy made before draws the same."""
    one, other = (model4.sample(hsb, seed=7) for _ in range(2))
    held = record_of(one).held
    assert "tree" not in vars(held)
    copy = pickle.loads(pickle.dumps(one))
    g01, summary = one["g01"], one.summary()
    assert "tree" not in vars(held)
    u = one.draws("u")
    for again in (copy, other):
        assert np.array_equal(again.draws("u"), u)
    assert np.array_equal(other["g01"], g01)
    assert other.summary().equals(summary)
    np.testing.assert_allclose(u.mean(axis=(0, 1)), one.effects()[["u0_mean", "u1_mean"]], rtol=1e-10)


def test_a_posterior_is_frozen_and_pickles(post4):
    with pytest.raises(AttributeError, match="Posterior is frozen: data cannot be set"):
        post4.data = None
    assert np.array_equal(pickle.loads(pickle.dumps(post4))["g01"], post4["g01"])
    shown = {name for name in dir(post4) if not name.startswith("_")}
    assert shown == {
        "check", "compare", "contrast", "convergence", "data", "draws", "effects", "i2", "icc", "loo",
        "means", "model", "plausible_range", "predict", "prediction_interval", "priors", "r2", "rerun",
        "sampler", "save", "settings", "slopes", "summary", "tree", "variance_explained", "variance_is_zero",
        "with_log_likelihood", "with_predictive",
    }  # fmt: skip


def test_compare_refuses_another_model(post4, hsb):
    with pytest.raises(SamplingError, match="not of the same model"):
        post4.compare(
            hlm.Model("mathach = b0 + b1*minority + r\nb0 = g00 + u0\nb1 = g10 + g13*size").fit(hsb)
        )


def test_save_load_rerun(post4, tmp_path):
    path = post4.save(tmp_path / "post.nc")
    back = hlm.load_posterior(path)
    assert np.array_equal(back.draws("gamma"), post4.draws("gamma"))
    assert back.summary().equals(post4.summary())
    assert back.model.equations() == post4.model.equations()
    again = back.rerun()
    assert np.allclose(again.draws("u"), post4.draws("u"), rtol=0, atol=1e-10)
    flat = back.rerun(priors=hlm.Priors(gamma=hlm.Flat()), draws=500)
    assert flat.draws("gamma").shape == (4, 500, 6)


def test_refuses_what_is_no_posterior(tmp_path):
    with pytest.raises(SamplingError, match="no such file"):
        hlm.load_posterior(tmp_path / "none.nc")
    (tmp_path / "text.nc").write_text("g00 12.6")
    with pytest.raises(SamplingError, match="not a netCDF"):
        hlm.load_posterior(tmp_path / "text.nc")


def test_too_many_effects_keep_mean_and_sd_only(hsb, model4, post4):
    lean = model4.sample(hsb, seed=1, keep_effects=False)
    with pytest.raises(SamplingError, match="keep_effects=True"):
        lean.draws("u")
    full, few = post4.effects(), lean.effects()
    assert few["u0_mean"].to_numpy() == pytest.approx(full["u0_mean"].to_numpy(), abs=0.1)
    assert few["u0_sd"].to_numpy() == pytest.approx(full["u0_sd"].to_numpy(), rel=0.06)


def test_icc_and_plausible_range(hsb):
    model = hlm.Model(MODELS["1"])
    post = model.sample(hsb, seed=1)
    fit = model.fit(hsb)
    icc = fit.tau[0, 0] / (fit.tau[0, 0] + fit.sigma2)
    share = post.icc(prob=0.9)
    assert share.icc == np.median(share.draws) == pytest.approx(icc, abs=0.01)
    assert str(share).startswith(f"Intraclass correlation {share.icc:.4f}, 90 % interval {share.low:.4f} to")
    assert share.frame().loc["icc", "eti90_high"] == share.high == np.quantile(share.draws, 0.95)
    assert list(fit.icc().frame().loc["icc"]) == [fit.icc().icc, fit.icc().low, fit.icc().high]
    table = post.plausible_range("b0").frame()
    assert list(fit.plausible_range("b0").frame().index) == list(table.index) == ["low", "middle", "high"]
    reach = 1.959964 * np.sqrt(fit.tau[0, 0])
    assert table["median"].to_numpy() == pytest.approx(
        [fit.gamma[0] - reach, fit.gamma[0], fit.gamma[0] + reach], abs=0.3
    )
    with pytest.raises(HypothesisError, match="b1 is not in the model"):
        post.plausible_range("b1")


@pytest.mark.parametrize(("options", "words"), [
    ({"sampler": "gibbs"}, "'gibbs' is not known"),
    ({"draws": 0}, "draws must be a whole number"),
    ({"chains": 2.5}, "chains must be a whole number"),
])  # fmt: skip
def test_settings_that_cannot_be_meant(options, words, hsb, model4):
    with pytest.raises(SamplingError, match=words):
        model4.sample(hsb, **options)


def test_one_unit_is_refused():
    data = hlm.TwoLevelData("id", np.array([1]), np.zeros(9, dtype=int), {"y": np.arange(9.0) ** 2}, {})
    with pytest.raises(HLMError, match="1 units cannot carry"):
        hlm.Model("y = b0 + r\nb0 = g00 + u0").sample(data)


def test_a_direct_sampler_that_fails_its_check_says_so(hsb, model4, monkeypatch):
    import hlmbayes.sampling.sampling as sampling

    monkeypatch.setattr(sampling, "KHAT_LIMIT", -9.0)
    with pytest.warns(HLMWarning, match="NUTS is used instead"):
        post = model4.sample(hsb, seed=1, draws=1000, tune=500)
    assert post.sampler["sampler"] == "nuts"


def test_import_is_light():
    code = (
        "import sys, hlmbayes; hlmbayes.Priors; hlmbayes.Normal; "
        "assert not {'pymc', 'arviz', 'arviz_stats', 'xarray', 'numba', 'nutpie'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_compare_refuses_other_data(post4, model4, hsb):
    """A fit of half of the units beside a posterior of all would look like a disagreement."""
    first = hsb.unit < 80
    half = hlm.TwoLevelData(
        hsb.id_name, hsb.unit_ids[:80], hsb.unit[first], {k: v[first] for k, v in hsb.level1.items()},
        {k: v[:80] for k, v in hsb.level2.items()},
    )  # fmt: skip
    with pytest.raises(HypothesisError, match=r"different rows \(3670 rows in 80 units"):
        post4.compare(model4.fit(half))


def test_the_plausible_range_is_that_of_the_fit(post4, model4, hsb):
    fit = model4.fit(hsb)
    for at in (None, {"sector": 1.0, "meanses": 0.5}):
        mine, theirs = (
            post4.plausible_range("b0", prob=0.8, at=at),
            fit.plausible_range("b0", prob=0.8, at=at),
        )
        assert mine.frame()["median"].to_numpy() == pytest.approx(
            [theirs.low, theirs.center, theirs.high], abs=0.15
        )
        assert (mine.low, mine.center, mine.sd) == pytest.approx(
            (theirs.low, theirs.center, theirs.sd), abs=0.15
        )
        assert mine.at == theirs.at
        assert str(mine).startswith(
            f"80 % of units have b0 (intercept) between {mine.low:.4f} and {mine.high:.4f}"
        )


def test_without_random_effects(hsb):
    post = hlm.Model("mathach = b0 + b1*ses + r\nb0 = g00\nb1 = g10").sample(hsb, seed=1)
    assert post.convergence.ok
    assert post.draws("u").shape == (4, 1000, 160, 0)
    assert post.with_predictive(draws=20).loo().n_data_points == 160


def test_settings_of_numpys_kind_are_saved(hsb, model4, tmp_path):
    post = model4.sample(hsb, seed=np.int64(3), draws=np.int32(400), chains=np.int16(2))
    assert hlm.load_posterior(post.save(tmp_path / "post.nc")).settings == post.settings


def test_a_rerun_has_the_rows(post4):
    again = post4.rerun(seed=5, draws=400)
    assert again.with_predictive(draws=5).tree["posterior_predictive"]["y"].sizes["row"] == 7185


def test_the_log_prior_is_kept(post4):
    from hlmbayes.density.conditional import full_log_prior

    kept, record = post4.tree["log_prior"]["parameters"].values, record_of(post4)
    assert kept.ravel() == pytest.approx(full_log_prior(record.target, record.parameter_draws))
    corr = post4.draws("tau_corr")
    assert (corr[..., [0, 1], [0, 1]] == 1.0).all()


def test_nuts_is_the_sampler_of_many_random_coefficients(monkeypatch):
    from types import SimpleNamespace

    from hlmbayes.density.sampled import OfMoments
    from hlmbayes.sampling import sampling
    from hlmbayes.sampling.settings import Settings

    asked = []

    def direct(target, settings):
        asked.append("direct")
        return SimpleNamespace(says={"khat": 0.1})

    monkeypatch.setattr(sampling, "draw_direct", direct)
    monkeypatch.setattr(sampling, "draw_nuts", lambda *_: asked.append("nuts"))
    few, many = (OfMoments(SimpleNamespace(n_random=q, size=q + 1)) for q in (4, 5))
    settings = Settings(None, 1, 10, 4, 10, None, False)
    for target, s in ((few, settings), (many, settings), (many, replace(settings, sampler="direct"))):
        sampling.draw(target, s)
    assert asked == ["direct", "nuts", "direct"]


def test_chance_between_independent_draws_is_not_a_lack_of_convergence(post4):
    """R-hat of independent draws is above 1.01 now and then; that of a chain says it has not arrived."""
    from hlmbayes.posterior import convergence as module

    record = record_of(post4)
    far = record.mixing._replace(r_hat=np.full(len(record.scalars), 1.02))
    drawn = list(record.scalars), far, record.settings.chains, record.tree["sample_stats"]
    assert module.convergence(*drawn, khat=0.1).ok
    (problem,) = module.convergence(*drawn, khat=float("nan")).problems
    assert "the chains do not agree" in problem


def test_a_warning_points_at_the_line_that_led_to_it(hsb, model4):
    with pytest.warns(HLMWarning, match="DO NOT USE") as caught:
        model4.sample(hsb, seed=1, draws=25)
    assert caught[0].filename == __file__


def test_a_predictor_far_from_its_zero_is_warned_of(make_small):
    data = make_small(n_units=40)
    data.level1["x1"][:] += 20.0
    model = hlm.Model(EQUATIONS[2].replace("; ", "\n"))
    with pytest.warns(HLMWarning, match=r"x1 has its zero .* centre it, grand\(x1\) or group\(x1\)"):
        post = model.sample(data, seed=1)
    assert "centre it" in record_of(post).target.priors.describe()
    centred = hlm.Model(EQUATIONS[2].replace("; ", "\n").replace("b1*x1", "b1*grand(x1)"))
    assert record_of(centred.sample(data, seed=1)).target.priors.cautions == ()


def test_what_cannot_be_sampled_or_shown_is_said(make_small):
    data = make_small(n_units=20)
    means = hlm.Model("y = b0 + r\nb0 = g00 + u0")
    with pytest.raises(SamplingError, match="tune must be a whole number of at least 1"):
        means.sample(data, seed=1, sampler="nuts", tune=0)
    post = means.sample(data, seed=1)
    for call in (
        lambda: post[3], lambda: post.variance_is_zero(1), lambda: post.compare(3), lambda: post.draws("foo"),
        lambda: post.rerun(marginal=False), lambda: post.rerun(foo=1), lambda: post.plausible_range(0),
        lambda: hlm.plots.ranks(means.fit(data)), lambda: hlm.plots.gamma_forest(3),
        lambda: hlm.plots.predictive_by_unit(3), lambda: post.save("/nowhere/at/all.nc"),
        lambda: hlm.InverseWishart(4, [[np.inf, 0], [0, 1]]),
    ):  # fmt: skip
        with pytest.raises(HLMError):
            call()
    assert post.rerun(priors=None).priors.gamma is None
    assert post.rerun(seed=None).settings.seed != post.settings.seed
    data.level1["y"][:] = data.unit
    with pytest.raises(HLMError, match="the rows inside the units fit exactly"):
        means.sample(data, seed=1)


def test_only_a_fit_of_the_same_model_stands_beside_a_posterior(make_small):
    data = make_small(n_units=25)
    model = hlm.Model(EQUATIONS[2].replace("; ", "\n"))
    post = model.sample(data, seed=1)
    post.compare(model.fit(data, algorithm="hlm"))
    for other in ("b1*group(x1)", "b1*grand(x1)"):
        fit = hlm.Model(model.equations().replace("b1*x1", other)).fit(data)
        for call in (
            post.compare,
            lambda f: hlm.plots.tau_pair(post, f),
            lambda f: hlm.plots.gamma_forest(post, f),
        ):
            with pytest.raises(SamplingError, match="not of the same model"):
                call(fit)


def test_a_posterior_without_random_effects_is_checked_and_drawn(make_small):
    post = hlm.Model("y = b0 + b1*x1 + r\nb0 = g00\nb1 = g10").sample(make_small(), seed=1)
    assert "normality of level-1 residuals" in [c.name for c in post.check()]
    hlm.plots.predicted(post, "x1")
    hlm.plots.level1_qq(post)
    hlm.sensitivity(post.model, make_small(), {"a": hlm.Priors()}, seed=1).plot()


def test_a_prior_without_bounds_says_so(make_small):
    wide = hlm.Priors(sd=hlm.InverseGamma(0.001, 0.001))
    with pytest.warns(HLMWarning, match="no finite numbers"):
        hlm.prior_predictive(hlm.Model("y = b0 + r\nb0 = g00 + u0"), make_small(), wide, seed=1)


def test_all_that_arviz_draws_varies(post4, model4, hsb, tmp_path):
    independent = hlm.Model(f"{model4.equations()}\ncov(u0, u1) = 0").sample(hsb, seed=1, draws=400, chains=2)
    for post, there in ((post4, {"tau", "corr"}), (independent, set())):
        for name, values in post.tree["posterior"].data_vars.items():
            assert (np.ptp(values.values, axis=1) > 0).all(), name
        assert {"tau", "corr"} & set(post.tree["posterior"].data_vars) == there
        assert post.draws("tau_corr").shape == post.draws("tau").shape == (*post["g00"].shape, 2, 2)
    assert list(post4.tree["posterior"]["pair"].values) == ["b1,b0"]
    np.testing.assert_array_equal(post4.tree["posterior"]["corr"].values[..., 0], post4["corr[b1,b0]"])
    again = hlm.load_posterior(independent.save(tmp_path / "post.nc"))
    np.testing.assert_array_equal(again.draws("tau"), independent.draws("tau"))


@pytest.mark.slow
def test_arviz_draws_them_without_a_warning():
    import arviz as az

    post = model("slopes").sample(small(3, n_units=20).data(), seed=1, draws=500)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        az.plot_trace_dist(post.tree)
