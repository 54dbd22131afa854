"""Posteriors of categories without an order, against sums and densities written out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

import hlmbayes as hlm
from hlmbayes.density.link import link_target
from hlmbayes.density.link_density import link_density
from hlmbayes.errors import HypothesisError, SamplingError
from hlmbayes.faces import record_of
from hlmbayes.hglm.quadrature import product_rule
from hlmbayes.priors import priors as of_priors
from tests.hglm.test_multinomial import OfAnyNumber

PRIORS = hlm.Priors(gamma=hlm.Normal(0.0, 2.0), sd=hlm.HalfNormal(1.5))
TEXT = "mlogit(y) = b0 + b1*x; b0 = g00 + u0; b1 = g10"
SLOPES = "mlogit(y) = b0 + b1*group(x); b0 = g00 + g01*w + u0; b1 = g10 + u1"


def simulated(J: int = 10, n: int = 8, seed: int = 5) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    unit = np.repeat(np.arange(J), n)
    x, w = rng.integers(0, 4, J * n) / 2.0, rng.normal(size=J).round(2)
    u = rng.multivariate_normal(np.zeros(2), [[0.8, 0.3], [0.3, 0.5]], J)
    eta = np.column_stack([0.3 + 0.5 * x + u[unit, 0], -0.2 - 0.6 * x + u[unit, 1], np.zeros(J * n)])
    p = special.softmax(eta, axis=1)
    y = 1 + (rng.random(J * n)[:, None] > p.cumsum(axis=1)).sum(axis=1)
    return pd.DataFrame({"id": unit, "x": x, "w": w[unit], "y": y})


FRAME = simulated()
DATA = hlm.read(FRAME, id="id")
MODEL = hlm.Model(TEXT)


@pytest.fixture(scope="module")
def post():
    return MODEL.sample(DATA, draws=250, chains=2, seed=1, priors=PRIORS)


def shares(b: np.ndarray) -> np.ndarray:
    """Give the probabilities of the categories of all rows at units' coefficients (..., J, 4)."""
    own, x = b[..., FRAME.id, :], FRAME.x.to_numpy()
    eta = np.stack([own[..., 0] + own[..., 1] * x, own[..., 2] + own[..., 3] * x], axis=-1)
    return special.softmax(np.concatenate([eta, np.zeros((*eta.shape[:-1], 1))], axis=-1), axis=-1)


def test_the_density_is_the_one_written_out(post):
    record = record_of(post)
    density, places = record.density, (0, 100, 400)
    x = record.points[list(places)]
    value = replace(density, rule=product_rule((25, 25)), left_out=0.0).evaluate(x)[0]
    at, weight = np.polynomial.hermite.hermgauss(45)
    z = np.sqrt(2.0) * np.stack(np.meshgrid(at, at, indexing="ij"), -1).reshape(-1, 2)
    weight = np.outer(weight, weight).ravel() / np.pi
    expected = []
    for k in places:
        gamma = post.draws("gamma").reshape(-1, 4)[k]
        sd, corr = post.draws("sd").reshape(-1, 2)[k], post["corr[b0[2],b0[1]]"].ravel()[k]
        root = np.diag(sd) @ np.linalg.cholesky([[1.0, corr], [corr, 1.0]])
        total = stats.norm.logpdf(gamma, 0, 2).sum() + stats.halfnorm.logpdf(sd, scale=1.5).sum()
        total += np.log1p(-(corr**2))  # in atanh(corr), of which it is uniform
        for _, rows in FRAME.groupby("id"):
            fixed = gamma.reshape(2, 2) @ np.array([np.ones(len(rows)), rows.x])
            eta = np.zeros((3, len(rows), len(z)))
            eta[:2] = fixed[:, :, None] + (root @ z.T)[:, None]
            log = special.log_softmax(eta, axis=0)[rows.y.to_numpy() - 1, np.arange(len(rows))]
            total += np.log(weight @ np.exp(log.sum(axis=0)))
        expected.append(total)
    np.testing.assert_allclose(np.diff(value), np.diff(expected), atol=1e-4)
    np.testing.assert_allclose(density.evaluate(x)[0], value, atol=0.1)


@pytest.mark.parametrize("text", [TEXT, SLOPES])
def test_many_points_and_slopes_are_those_of_one_point(text):
    density = link_density(link_target(hlm.Model(text), DATA, PRIORS))
    q = density.target.n_random
    density = replace(density, rule=product_rule((5,) * q), left_out=0.0)
    rng = np.random.default_rng(2)
    x = density.first + 0.1 * rng.normal(size=(3, density.size))
    one = np.array([density.value_and_gradient(point)[0] for point in x])
    # units' modes are exact at one point and near at many
    np.testing.assert_allclose(density.evaluate(x)[0], one, atol=0.02)
    _, gradient, hessian = density.curved(x[0])
    steps = 1e-5 * np.eye(density.size)
    sides = [(density.value_and_gradient(x[0] + h), density.value_and_gradient(x[0] - h)) for h in steps]
    np.testing.assert_allclose(gradient, [(a[0] - b[0]) / 2e-5 for a, b in sides], atol=0.02)
    np.testing.assert_allclose(hessian, [(b[1] - a[1]) / 2e-5 for a, b in sides], atol=0.3)


def test_of_two_categories_it_is_the_logit_of_the_first(monkeypatch):
    frame = FRAME.assign(y=np.minimum(FRAME.y, 2))
    text = SLOPES.replace("group(x)", "x")
    one = link_target(
        hlm.Model(text.replace("mlogit", "logit")), hlm.read(frame.assign(y=frame.y == 1), id="id"), None
    )
    monkeypatch.setattr(of_priors, "law_of", lambda _: OfAnyNumber())
    two = link_target(hlm.Model(text), hlm.read(frame, id="id"), None)
    np.testing.assert_allclose(two.target.priors.gamma_mean, one.target.priors.gamma_mean, atol=1e-12)
    np.testing.assert_allclose(two.target.priors.gamma_precision, one.target.priors.gamma_precision)
    assert two.target.priors.sd == one.target.priors.sd
    assert two.target.priors.cautions == one.target.priors.cautions
    a, b = link_density(one), link_density(two)
    assert a.rule.counts == b.rule.counts
    np.testing.assert_allclose(a.first, b.first, atol=1e-6)
    x = a.first + 0.2 * np.random.default_rng(1).normal(size=(4, a.size))
    np.testing.assert_allclose(b.evaluate(x)[0], a.evaluate(x)[0], atol=1e-6)
    np.testing.assert_allclose(
        b.effects(x, np.random.default_rng(3)), a.effects(x, np.random.default_rng(3)), atol=1e-6
    )


def test_the_posterior_answers_what_others_do(post):
    names = ["g00[1]", "g10[1]", "g00[2]", "g10[2]", "sd[b0[1]]", "sd[b0[2]]", "corr[b0[2],b0[1]]"]
    assert list(post.summary().index)[:7] == names
    beside = post.compare(MODEL.fit(DATA)).frame()
    assert beside["shift"].abs().max() < 1.0
    quasi = MODEL.fit(DATA, algorithm="hlm")
    assert post.compare(quasi).frame()["pql"]["g10[2]"] == pytest.approx(quasi.gamma["g10[2]"])
    assert post.ratios().loc["g10[2]", "ratio"] == pytest.approx(np.exp(np.median(post["g10[2]"])))
    own = shares(post.draws("b").reshape(-1, 10, 4))
    mass = np.take_along_axis(own, (FRAME.y.to_numpy() - 1)[None, :, None], axis=2)[..., 0]
    rows = post.with_log_likelihood("row").tree["log_likelihood"]["y"].values.reshape(mass.shape)
    np.testing.assert_allclose(rows, np.log(mass), atol=1e-9)
    new = post.with_predictive(draws=250).tree["posterior_predictive"]["y"].values.reshape(mass.shape)
    for category in (1, 2, 3):
        assert np.mean(new == category) == pytest.approx(own[..., category - 1].mean(), abs=0.01)
    assert post.check().ok
    assert len(post.check().checks) == 6
    assert post.loo().n_data_points == 10
    assert "x[2]" in str(hlm.table(post, MODEL.fit(DATA)))
    assert post.contrast("g10[1] - g10[2]").draws.mean() == pytest.approx(
        np.mean(post["g10[1]"] - post["g10[2]"])
    )


def test_units_that_differ_more_than_the_model_says_are_told():
    frame = FRAME.assign(y=np.where(FRAME.id < 5, np.where(FRAME.x > 1.4, 1, 2), 3))
    frame.loc[::9, "y"] = 2
    post = hlm.Model("mlogit(y) = b0; b0 = g00").sample(frame, id="id", draws=250, chains=2, seed=1)
    failed = [check.name for check in post.check().checks if not check.ok]
    assert "sd of units' shares of category 3" in failed


def test_a_file_has_all_of_it(post, tmp_path):
    back = hlm.load_posterior(post.save(tmp_path / "post.nc"))
    pd.testing.assert_frame_equal(back.summary(), post.summary())
    np.testing.assert_allclose(record_of(back).unit_logliks(), record_of(post).unit_logliks(), atol=1e-9)
    assert back.model == MODEL == post.model
    np.testing.assert_allclose(back.rerun()["g10[2]"], post["g10[2]"], rtol=1e-9)
    np.testing.assert_array_equal(post.rerun()["g10[2]"], post["g10[2]"])


def test_terms_and_their_categories_are_saved_too(tmp_path):
    frame = FRAME.assign(kind=np.array(["a", "b", "c"])[FRAME.index % 3])
    model = hlm.Model("mlogit(y) = b0 + b1*kind; b0 = g00 + u0; b1 = g10; g10[b] = g10[c]")
    found = model.sample(frame, id="id", draws=800, chains=1, seed=2)
    assert {"g10[b,1]", "g10[c,1]", "g10[b,2]"} <= set(record_of(found).model.gamma_names)
    np.testing.assert_array_equal(found["g10[b,2]"], found["g10[c,2]"])
    back = hlm.load_posterior(found.save(tmp_path / "post.nc"))
    np.testing.assert_allclose(back.rerun()["g10[b,2]"], found["g10[b,2]"], rtol=1e-9)


def test_priors_are_those_of_each_equation():
    text = hlm.Priors().describe(MODEL, DATA)
    counts = FRAME.y.value_counts().sort_index().to_numpy()
    for category in (1, 2):
        level = np.log(counts[category - 1] / counts[2])
        assert f"g00[{category}] (intercept[{category}]): normal, mean {level:.4g}" in text
    assert "the log odds of each category against the last are" in text
    asked = hlm.Priors(gamma={"g10[2]": hlm.Normal(1.0, 0.5)}, sd={"b0[1]": hlm.HalfNormal(0.3)})
    text = asked.describe(MODEL, DATA)
    assert "g10[2] (x[2]): normal, mean 1, sd 0.5" in text
    far = hlm.read(FRAME.assign(x=FRAME.x + 2000), id="id")
    assert "x has its zero" in hlm.Priors().describe(hlm.Model(TEXT + " + u1"), far)


def test_what_is_of_one_equation_is_refused(post):
    for ask in (post.icc, post.r2):
        with pytest.raises(HypothesisError, match="equations of its own"):
            ask()


def test_more_effects_than_quadrature_is_for_are_refused():
    frame = FRAME.assign(y=FRAME.index % 4, z=FRAME.index % 5)
    model = hlm.Model("mlogit(y) = b0 + b1*z; b0 = g00 + u0; b1 = g10 + u1")
    with pytest.raises(SamplingError, match="this model has 6"):
        model.sample(frame, id="id", sampler="direct")


def test_the_model_on_rows_is_the_one_written_out():
    built = MODEL.pymc(DATA, PRIORS, marginal=False)
    z, gamma, odds = np.random.default_rng(3).normal(size=(10, 2)), np.array([-0.4, 0.3, 0.2, -0.5]), 0.4
    at = {"gamma_free": gamma, "z": z, "partial_corr01_logodds__": np.array([odds])}
    at |= {"s_b0[1]": np.asarray(-0.6), "s_b0[2]": np.asarray(0.9)}
    value = built.compile_logp(mode="FAST_COMPILE")(at)
    share = special.expit(odds)  # of the correlation between -1 and 1
    corr = 2.0 * share - 1.0
    u = z @ (np.diag([-0.6, 0.9]) @ np.linalg.cholesky([[1.0, corr], [corr, 1.0]])).T
    b = np.tile(gamma, (10, 1))
    b[:, [0, 2]] += u
    expected = np.log(shares(b)[np.arange(len(FRAME)), FRAME.y - 1]).sum() + stats.norm.logpdf(z).sum()
    expected += stats.norm.logpdf(gamma, 0, 2).sum() + stats.norm.logpdf([-0.6, 0.9], 0, 1.5).sum()
    expected += np.log(share * (1.0 - share))
    assert float(value) == pytest.approx(float(expected), abs=1e-6)


@pytest.mark.slow  # PyMC compiles the model
def test_draws_are_those_of_nuts_on_the_rows():
    one, two = (MODEL.sample(DATA, seed=1, priors=PRIORS, draws=2000, marginal=m) for m in (True, False))
    table = two.summary()
    assert ((one.summary()["median"] - table["median"]).abs() / table["sd"]).max() < 0.1
    assert (one.summary()["sd"] / table["sd"]).between(0.9, 1.1).all()
