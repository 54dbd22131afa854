"""Priors: densities that integrate to one, words, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import integrate, stats

import hlmbayes as hlm
from hlmbayes.errors import SamplingError
from hlmbayes.estimation.prepare import prepare
from hlmbayes.priors.distributions import (
    LKJ,
    Exponential,
    Flat,
    HalfCauchy,
    HalfNormal,
    HalfT,
    InverseGamma,
    InverseWishart,
    Normal,
)
from hlmbayes.priors.priors import Priors, resolve
from hlmbayes.priors.scales import data_scales

FAMILIES: dict[str, Any] = {
    "half-normal": (HalfNormal(2.0), stats.halfnorm(scale=2.0)),
    "half-t": (HalfT(4.0, 2.0), None),
    "half-cauchy": (HalfCauchy(2.0), stats.halfcauchy(scale=2.0)),
    "exponential": (Exponential(2.0), stats.expon(scale=2.0)),
    "inverse-gamma of the sd": (InverseGamma(3.0, 2.0, of="sd"), stats.invgamma(3.0, scale=2.0)),
    "inverse-gamma of the variance": (InverseGamma(3.0, 2.0), None),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_density_draws_and_slope_agree(name):
    prior, oracle = FAMILIES[name]
    curve = prior.curve()
    x = np.array([0.3, 1.0, 4.0])
    if oracle is not None:
        assert curve.log_density(x) == pytest.approx(oracle.logpdf(x))
    total = integrate.quad(lambda v: float(np.exp(curve.log_density(v))), 0, np.inf, limit=300)[0]
    assert total == pytest.approx(1.0, abs=1e-6)
    step = 1e-6
    assert curve.slope(x) == pytest.approx(
        (curve.log_density(x + step) - curve.log_density(x - step)) / (2 * step), rel=1e-6
    )
    draws = prior.draw(np.random.default_rng(0), 20_000)
    for cut in (0.7, 2.0):
        below = integrate.quad(lambda v: float(np.exp(curve.log_density(v))), 0, cut)[0]
        assert np.mean(draws < cut) == pytest.approx(below, abs=0.015)


def test_inverse_gamma_of_the_variance_is_on_the_variance():
    v = np.array([0.5, 2.0])
    of_sd = InverseGamma(3.0, 2.0).curve().log_density(np.sqrt(v))
    assert of_sd - np.log(2 * np.sqrt(v)) == pytest.approx(stats.invgamma(3.0, scale=2.0).logpdf(v))


def test_scales_are_the_data_s(hsb, model4):
    design = prepare(model4, hsb).design
    scales = data_scales(design)
    y, ses = hsb.level1["mathach"], hsb.level1["ses"]
    means = np.bincount(hsb.unit, ses) / np.bincount(hsb.unit)
    centred = ses - means[hsb.unit]
    sector = hsb.level2["sector"][hsb.unit]
    assert (scales.y_mean, scales.y_sd) == pytest.approx((y.mean(), y.std()))
    assert scales.x_spread == pytest.approx([
        1.0, sector.std(), hsb.level2["meanses"][hsb.unit].std(),
        centred.std(), (centred * sector).std(), (centred * hsb.level2["meanses"][hsb.unit]).std(),
    ])  # fmt: skip
    assert scales.z_spread == pytest.approx([1.0, centred.std()])


def test_defaults_follow_the_units_of_the_data(hsb, model4):
    """Outcome times 100, ses times 10: the prior is the same statement."""
    scaled = hlm.TwoLevelData(
        hsb.id_name, hsb.unit_ids, hsb.unit,
        {**hsb.level1, "mathach": 100 * hsb.level1["mathach"], "ses": 10 * hsb.level1["ses"]}, hsb.level2,
    )  # fmt: skip
    here, there = (resolve(None, prepare(model4, d).design) for d in (hsb, scaled))
    factor = np.array([100.0, 100, 100, 10, 10, 10])
    assert there.gamma_precision == pytest.approx(here.gamma_precision / factor**2)
    assert [p.scale for p in there.sd] == pytest.approx([here.sd[0].scale * 100, here.sd[1].scale * 10])


def test_intercept_may_follow_predictors_far_from_zero():
    """A predictor such as a year moves the fit at year 0 far away: the default must not forbid it."""
    rng = np.random.default_rng(0)
    unit = np.repeat(np.arange(20), 10)
    year = 2000.0 + np.tile(np.arange(10), 20)
    y = 5 + 3.0 * (year - 2000) + rng.normal(size=20)[unit] + rng.normal(size=200)
    data = hlm.TwoLevelData("id", np.arange(20), unit, {"y": y, "year": year}, {})
    model = hlm.Model("y = b0 + b1*year + r\nb0 = g00 + u0\nb1 = g10")
    post = model.sample(data, seed=1)
    fit = model.fit(data)
    assert np.abs(post.compare(fit).frame()["shift"][["g00", "g10"]]).max() < 0.1


@pytest.mark.parametrize("level", [50_000.0, 140.0, -3.0])
def test_a_full_set_of_dummies_has_the_outcomes_level(level):
    """HLM's models without an intercept: the defaults must not pull the dummies' effects to 0."""
    rng = np.random.default_rng(0)
    unit, f = np.repeat(np.arange(30), 10), np.tile([0.0, 1.0], 150)
    y = level + 3.0 * f + 2.0 * rng.normal(size=30)[unit] + 5.0 * rng.normal(size=300)
    data = hlm.TwoLevelData("id", np.arange(30), unit, {"y": y, "f": f, "m": 1.0 - f}, {})
    model = hlm.Model("y = b1*f + b2*m + r\nb1 = g10 + u1\nb2 = g20 + u2")
    table = model.sample(data, seed=1).compare(model.fit(data)).frame()
    assert np.abs(table["shift"][["g10", "g20"]]).max() < 0.15


def test_a_regression_through_the_origin_has_the_outcomes_size():
    rng = np.random.default_rng(0)
    unit, x = np.repeat(np.arange(30), 10), rng.uniform(9.0, 11.0, 300)
    y = (500.0 + 3.0 * rng.normal(size=30)[unit]) * x + 5.0 * rng.normal(size=300)
    data = hlm.TwoLevelData("id", np.arange(30), unit, {"y": y, "x": x}, {})
    model = hlm.Model("y = b1*x + r\nb1 = g10 + u1")
    assert abs(model.sample(data, seed=1).compare(model.fit(data)).frame().loc["g10", "shift"]) < 0.15


def test_words_name_every_parameter_and_number(hsb, model4):
    priors = Priors(gamma={"g01": Normal(0, 1.5), "G10": Flat()}, sd={"u1": HalfNormal()}, corr=LKJ(2))
    words = priors.describe(model4, hsb)
    for line in (
        "g01 (sector): normal, mean 0, sd 1.5", "g10 (ses): flat",
        "sd of b1 (ses): half-normal, scale 10.4", "LKJ(2)",
        "sigma: half-t with 3 d.f., scale 6.878", "sd of b0 (intercept): half-t",
    ):  # fmt: skip
        assert line in words
    assert "g01 normal, mean 0, sd 1.5" in priors.describe()


def test_width_multiplies_default_scales_only(hsb, model4):
    design = prepare(model4, hsb).design
    one = resolve(Priors(sd={"b0": HalfNormal(1.0)}), design)
    ten = resolve(Priors(sd={"b0": HalfNormal(1.0)}, width=10), design)
    assert ten.sd[0] == one.sd[0]
    assert ten.sd[1].scale == pytest.approx(10 * one.sd[1].scale)
    assert ten.gamma_precision == pytest.approx(one.gamma_precision / 100)


@pytest.mark.parametrize("priors", [
    Priors(),
    Priors(gamma={"g01": Normal(0, 1), "g02": Flat()}, sd={"b1": Exponential(2.0)}, width=3.0),
    Priors(gamma=Flat(), sd=InverseGamma(1.0, 2.0, of="sd"), sigma=HalfCauchy(3.0), corr=LKJ(2.0)),
    Priors(tau=InverseWishart(4.0, [[1.0, 0.2], [0.2, 2.0]])),
])  # fmt: skip
def test_text_brings_priors_back(priors, hsb, model4):
    back = Priors.from_json(priors.to_json())
    assert back.describe(model4, hsb) == priors.describe(model4, hsb)


@pytest.mark.parametrize(("make", "words"), [
    (lambda: HalfNormal(-1.0), "HalfNormal: scale must be a positive number, got -1.0"),
    (lambda: HalfT(3.0, 0.0), "scale must be a positive number"),
    (lambda: Exponential(np.inf), "positive number"),
    (lambda: InverseGamma(1.0, 1.0, of="precision"), '"variance" or "sd"'),
    (lambda: Normal(0.0, -2.0), "Normal: sd must be a positive number, got -2.0"),
    (lambda: Normal(np.nan, 1.0), "mean must be a number"),
    (lambda: LKJ(0.0), "LKJ: eta must be a positive number"),
    (lambda: InverseWishart(4, [[1, 2], [2, 1]]), "positive definite"),
    (lambda: InverseWishart(0.5, np.eye(2)), "df must be more than 1"),
    (lambda: Priors(sd=Normal(0, 1)), "sd must be one of HalfNormal"),
    (lambda: Priors(gamma={"g01": HalfNormal(1)}), "gamma for g01 must be one of Normal, Flat"),
    (lambda: Priors(corr=2.0), "corr must be LKJ"),
    (lambda: Priors(width=-1), "width must be a positive number"),
    (lambda: Priors(tau=InverseWishart(4, np.eye(2)), sd=HalfNormal(1)), "not both"),
    (lambda: Priors(tau=InverseWishart(4, np.eye(2)), corr=LKJ(50)), "not both"),
    (lambda: Priors(width="a"), "width must be a positive number, got 'a'"),
    (lambda: Normal("a"), "mean must be a number, got 'a'"),
    (lambda: Normal(0, None), "sd must be a positive number, got None"),
    (lambda: HalfNormal("1"), "scale must be a positive number, got '1'"),
    (lambda: InverseWishart(np.inf, np.eye(2)), "df must be a number, got inf"),
    (lambda: InverseWishart(4, [[1, 0], [0]]), "scale must be a matrix"),
])  # fmt: skip
def test_refusals(make, words):
    with pytest.raises(SamplingError, match=words.replace("(", r"\(")):
        make()


@pytest.mark.parametrize(("priors", "words"), [
    (Priors(gamma={"g03": Normal()}), "'g03' is not a fixed effect of this model: .*Did you mean"),
    (Priors(sd={"b7": HalfNormal()}), "Priors: sd: 'b7' is not a random coefficient of this model: b0"),
    (Priors(tau=InverseWishart(4, np.eye(3))), "3 x 3, but the model has 2 random effects"),
    ({"gamma": Normal()}, "priors must be hlmbayes.Priors"),
])  # fmt: skip
def test_refusals_with_a_model(priors, words, hsb, model4):
    with pytest.raises(SamplingError, match=words):
        model4.sample(hsb, priors=priors)


def test_effects_held_equal_have_one_prior(hsb, model4):
    model = model4.constrain("g02 = g12")
    same = Priors(gamma={"g12": Normal(1.0, 0.5)})
    design = prepare(model, hsb).design
    assert resolve(same, design).gamma_mean[2] == 1.0
    with pytest.raises(SamplingError, match="held equal"):
        resolve(Priors(gamma={"g02": Normal(0, 1), "g12": Normal(0, 2)}), design)


def test_parts_of_priors_that_a_model_has_no_use_for_are_refused(hsb, model4):
    unequal = hlm.Model(model4.equations() + "\nlog(sigma2) = a0 + a1*female")
    for model, priors, words in (
        (unequal, Priors(sigma=HalfNormal(0.001)), "use alpha"),
        (model4, Priors(alpha=Normal(0, 1)), "this has none"),
        (model4, Priors(sd={"b1": HalfNormal(1), "u1": HalfNormal(2)}), "two priors for b1"),
    ):
        with pytest.raises(SamplingError, match=words):
            priors.describe(model, hsb)
    assert "Coefficients of log" in Priors(alpha=Normal(0, 1)).describe()


def test_numbers_of_numpy_are_numbers():
    priors = Priors(sd=HalfNormal(np.float32(1.5)), corr=LKJ(np.int64(2)), width=np.float64(2))
    assert Priors.from_json(priors.to_json()).sd == HalfNormal(1.5)


@pytest.mark.parametrize(
    ("priors", "what"),
    [
        (Priors(gamma={"g10": Normal(0, 1e-9)}), "g10"),
        (Priors(gamma={"g10": Normal(1e20, 1)}), "g10"),
        (Priors(sd=HalfNormal(1e-300)), r"sd\[b0\]"),
        (Priors(sd=InverseGamma(1.0, 1e-30)), r"sd\[b0\]"),
        (Priors(sd=InverseGamma(1e20, 1e20)), "shape"),
        (Priors(sigma=Exponential(1e20)), "sigma"),
        (Priors(corr=LKJ(1e-20)), "LKJ"),
        (Priors(tau=InverseWishart(4, 1e-30 * np.eye(2))), "InverseWishart for b0"),
        (Priors(width=1e-30), "width"),
    ],
)
def test_what_digits_do_not_carry_is_refused_by_name(hsb, model4, priors, what):
    """An sd of 1e-9 for a slope gave 6.4 for sd[b0], which is 2.95; others were tracebacks."""
    with pytest.raises(SamplingError, match=f"{what}.*digits of a computer"):
        resolve(priors, prepare(model4, hsb).design)


def test_a_tight_prior_that_digits_carry_is_sampled(hsb):
    """As tight as may be: the slope is held at zero, and the rest is that of the model without it."""
    model = hlm.Model("mathach = b0 + b1*group(ses) + r; b0 = g00 + u0; b1 = g10")
    tight = model.sample(hsb, priors=Priors(gamma={"g10": Normal(0, 1e-5)}), seed=1)
    without = hlm.Model("mathach = b0 + r; b0 = g00 + u0").sample(hsb, seed=1)
    for name in ("g00", "sd[b0]", "sigma"):
        assert tight[name].mean() == pytest.approx(without[name].mean(), abs=0.1 * without[name].std())


def test_a_prior_of_cuts_is_of_a_logarithm():
    unit = np.repeat(np.arange(10), 12)
    data = hlm.TwoLevelData("id", np.arange(10), unit, {"y": np.resize([1.0, 2.0, 3.0], 120)}, {})
    model = hlm.Model("cumlogit(y) = b0; b0 = g00 + u0")
    with pytest.raises(SamplingError, match=r"logarithm of its distance.*a distance of 148.4.*np.log\(d\)"):
        model.sample(data, priors=Priors(cuts=Normal(5, 0.01)), seed=1)


def test_priors_that_digits_carry_and_data_do_not_bear_are_refused_in_words(hsb):
    """The prior by itself is fine, and so are the data; together they ended in a traceback."""
    model = hlm.Model("mathach = b0 + r; b0 = g00 + u0")
    with pytest.raises(SamplingError, match="priors and data are so far apart"):
        model.sample(hsb, priors=Priors(gamma=Normal(-363242.9, 4e-5)), seed=1, draws=100)
