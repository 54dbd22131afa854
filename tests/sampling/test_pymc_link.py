"""Outcomes that are not normal in PyMC: the density on rows, written out again, and the draws."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import hlmbayes as hlm
from hlmbayes.errors import EstimationError, HLMError, SamplingError

GRAPH = "FAST_COMPILE"
LEVEL2 = "b0 = g00 + g01*w + u0; b1 = g10"
INVERSE = {
    "logit": lambda eta: 1.0 / (1.0 + np.exp(-eta)),
    "probit": stats.norm.cdf,
    "cloglog": lambda eta: 1.0 - np.exp(-np.exp(eta)),
}


def frame_of(seed=1, units=8, rows=6):
    rng = np.random.default_rng(seed)
    unit = np.repeat(np.arange(units), rows)
    x, w = rng.normal(size=unit.size), rng.normal(size=units)[unit]
    eta = -0.3 + 0.5 * x + 0.4 * w + 0.8 * rng.normal(size=units)[unit]
    n = rng.integers(1, 7, size=unit.size)
    p = INVERSE["logit"](eta)
    return pd.DataFrame(
        {"id": unit, "x": x, "w": w, "n": n, "y": (rng.random(unit.size) < p).astype(int),
         "hits": rng.binomial(n, p), "number": rng.poisson(n * np.exp(eta))}
    )  # fmt: skip


FRAME = frame_of()
DATA = hlm.read(FRAME, id="id")


def log_mass(left, eta, rows=FRAME):
    """Give the log probability of rows at their linear predictor."""
    link, n = left.split("(")[0], np.asarray(rows.n)
    if link == "log":
        return stats.poisson.logpmf(np.asarray(rows.number), n * np.exp(eta))
    if "trials" in left:
        return stats.binom.logpmf(np.asarray(rows.hits), n, INVERSE[link](eta))
    return stats.bernoulli.logpmf(np.asarray(rows.y), INVERSE[link](eta))


@pytest.mark.parametrize(
    "left", ["logit(y)", "probit(y)", "cloglog(y)", "logit(hits, trials=n)", "probit(hits, trials=n)",
             "cloglog(hits, trials=n)", "log(number, exposure=n)"],
)  # fmt: skip
def test_the_density_on_rows_is_the_one_written_out(left):
    model = hlm.Model(f"{left} = b0 + b1*x; {LEVEL2}")
    priors = hlm.Priors(gamma=hlm.Normal(0.2, 1.5), sd=hlm.HalfNormal(0.7))
    built = model.pymc(DATA, priors, marginal=False)
    rng = np.random.default_rng(3)
    gamma, s, z = np.array([-0.4, 0.3, 0.6]), -0.6, rng.normal(size=(8, 1))
    value = built.compile_logp(mode=GRAPH)({"gamma_free": gamma, "s_b0": np.asarray(s), "z": z})
    free, gamma = gamma, dict(zip(model.gamma_names, gamma, strict=True))
    eta = gamma["g00"] + gamma["g01"] * FRAME.w + gamma["g10"] * FRAME.x + (s * z[:, 0])[FRAME.id]
    expected = log_mass(left, eta.to_numpy()).sum() + stats.norm.logpdf(z).sum()
    expected += stats.norm.logpdf(free, 0.2, 1.5).sum() + stats.norm.logpdf(s, 0, 0.7)
    assert float(value) == pytest.approx(float(expected), abs=1e-9)


def integrals(log_rows, step=0.1):
    """Give the log of each unit's integral of rows (N, 1, 1) at u0 and u1, standard normal, by trapezoids."""
    t = np.arange(-6.0, 6.0 + step / 2, step)
    first, second = np.meshgrid(t, t, indexing="ij")
    weight = stats.norm.logpdf(first) + stats.norm.logpdf(second) + 2 * np.log(step)
    units = np.add.reduceat(log_rows(first, second), np.arange(0, len(FRAME), 6), axis=0) + weight
    return np.log(np.exp(units).sum(axis=(1, 2)))


@pytest.mark.parametrize("left", ["logit(y)", "log(number, exposure=n)"])
def test_the_marginal_density_is_the_integral_over_u(left):
    model = hlm.Model(f"{left} = b0 + b1*x; {LEVEL2} + u1; cov(u0, u1) = 0")
    built = model.pymc(DATA, hlm.Priors(gamma=hlm.Normal(0.2, 1.5), sd=hlm.HalfNormal(0.7)))
    gamma, s = np.array([-0.4, 0.3, 0.6]), np.array([-0.6, 0.4])
    point = {"gamma_free": gamma, "s_b0": s[0], "s_b1": s[1]}
    value = float(built.compile_logp(mode=GRAPH)({name: np.asarray(v) for name, v in point.items()}))
    fixed = (gamma[0] + gamma[1] * FRAME.w + gamma[2] * FRAME.x).to_numpy()
    x, count = (np.asarray(FRAME[name])[:, None, None] for name in ("x", "n"))

    def log_rows(first, second):
        eta = fixed[:, None, None] + s[0] * first + s[1] * second * x
        if left == "logit(y)":
            return stats.bernoulli.logpmf(np.asarray(FRAME.y)[:, None, None], INVERSE["logit"](eta))
        return stats.poisson.logpmf(np.asarray(FRAME.number)[:, None, None], count * np.exp(eta))

    expected = integrals(log_rows).sum() + stats.norm.logpdf(gamma, 0.2, 1.5).sum()
    expected += stats.norm.logpdf(s, 0, 0.7).sum()
    assert value == pytest.approx(expected, abs=1e-3)
    slope = built.compile_dlogp(mode=GRAPH)({name: np.asarray(v) for name, v in point.items()})
    places: list[tuple[str, Any]] = [("gamma_free", 0), ("gamma_free", 2), ("s_b0", ()), ("s_b1", ())]
    for k, (name, place) in enumerate(places):
        ends = []
        for step in (1e-5, -1e-5):
            moved = {key: np.array(v, dtype=float) for key, v in point.items()}
            moved[name][place] += step
            ends.append(float(built.compile_logp(mode=GRAPH)(moved)))
        assert slope[[0, 2, 3, 4][k]] == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-3, abs=1e-3)


def test_the_marginal_density_of_ratings_is_that_of_the_sampler():
    frame = FRAME.assign(rating=np.digitize(FRAME.x + 2 * FRAME.y, [-0.5, 0.7, 1.8]))
    model = hlm.Model("cumlogit(rating) = b0 + b1*w; b0 = g00 + u0; b1 = g10")
    built, fit = model.pymc(frame, id="id"), model.fit(frame, id="id")
    point = {
        "gamma_free": np.asarray(fit.gamma), "s_b0": np.asarray(np.sqrt(fit.tau["b0", "b0"])),
        "gaps_log__": np.log(np.diff([0.0, *fit.cuts().estimate])),
    }  # fmt: skip
    at = float(built.compile_logp(vars=built.potentials, mode=GRAPH)(point))
    assert at == pytest.approx(fit.loglik, abs=1e-3)
    assert list(built.coords["cut"]) == ["d2", "d3"]


@pytest.mark.slow
def test_nuts_on_the_marginal_density_draws_what_the_sampler_draws():
    import pymc as pm

    model = hlm.Model(f"logit(y) = b0 + b1*x; {LEVEL2}")
    post = model.sample(DATA, seed=1, draws=4000, chains=2)
    with model.pymc(DATA):
        trace = pm.sample(1500, tune=800, chains=2, cores=1, random_seed=1, progressbar=False)
    for name in ("gamma", "sd"):
        own = np.asarray(post.tree["posterior"][name]).reshape(-1, trace["posterior"][name].shape[-1])
        other = np.asarray(trace["posterior"][name]).reshape(-1, own.shape[1])
        away = np.median(own, axis=0) - np.median(other, axis=0)
        np.testing.assert_allclose(away / own.std(axis=0), 0.0, atol=0.1)


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog"])
def test_far_out_the_density_is_still_a_number(link):
    built = hlm.Model(f"{link}(y) = b0 + b1*x; b0 = g00 + u0; b1 = g10").pymc(DATA, marginal=False)
    point = {"gamma_free": np.array([-30.0, 0.0]), "s_b0": np.asarray(0.1), "z": np.zeros((8, 1))}
    assert np.isfinite(built.compile_logp(mode=GRAPH)(point))
    assert np.isfinite(built.compile_dlogp(mode=GRAPH)(point)).all()


def test_names_and_coordinates():
    built = hlm.Model(f"logit(y) = b0 + b1*x; {LEVEL2} + u1").pymc(DATA, marginal=False)
    assert {"gamma", "tau", "sd", "tau_corr", "u"} <= set(built.named_vars)
    assert "sigma" not in built.named_vars
    assert list(built.coords["coef"]) == ["b0", "b1"]
    assert len(built.coords["row"]) == len(FRAME)


@pytest.mark.parametrize(("left", "y", "unit"), [
    ("logit(y)", "y", np.pi / np.sqrt(3)),
    ("probit(hits, trials=n)", "hits", 1.0),
    ("cloglog(y)", "y", np.pi / np.sqrt(6)),
    ("log(number, exposure=n)", "number", 1.0),
])  # fmt: skip
def test_default_priors_are_on_the_scale_of_the_link(left, y, unit):
    model = hlm.Model(f"{left} = b0 + b1*grand(x); b0 = g00 + u0; b1 = g10")
    said = hlm.Priors().describe(model, DATA)
    sized = "=n" in left
    mean = FRAME[y].sum() / (FRAME["n"].sum() if sized else len(FRAME))
    of = {"logit": stats.logistic.ppf, "probit": stats.norm.ppf, "cloglog": lambda p: np.log(-np.log1p(-p)),
          "log": np.log}[left.split("(")[0]]  # fmt: skip
    assert f"g00 (intercept): normal, mean {of(mean):.4g}"[:-1] in said
    assert f"sd {2.5 * unit / FRAME.x.std(ddof=0):.4g}" in said
    assert f"half-t with 3 d.f., scale {unit:.4g}" in said
    assert "scale of the " in said
    wider = hlm.Priors(width=2.0).describe(model, DATA)
    assert f"half-t with 3 d.f., scale {2 * unit:.4g}" in wider


def test_what_cannot_be_is_refused_in_a_line():
    model = hlm.Model(f"logit(y) = b0 + b1*x; {LEVEL2}")
    wide = FRAME.assign(**{f"v{k}": np.arange(len(FRAME)) % (k + 2) for k in range(4)})
    five = " + ".join(f"v{k}" for k in range(4))
    with pytest.raises(SamplingError, match=r"integrated out up to 4, and this model has 5"):
        hlm.Model(f"y ~ {five} + ({five} | id)", family="binomial").pymc(wide)
    with pytest.raises(EstimationError, match="sigma2= is for normal outcomes"):
        model.pymc(DATA, marginal=False, sigma2=1.0)
    with pytest.raises(EstimationError, match="precision= is for normal outcomes"):
        model.sample(DATA, precision="n")
    with pytest.raises(SamplingError, match="leave sigma= out"):
        model.pymc(DATA, hlm.Priors(sigma=hlm.HalfNormal(1.0)), marginal=False)
    with pytest.raises(SamplingError, match="direct"):
        model.sample(DATA, sampler="direct", marginal=False)
    frame = FRAME.assign(rating=np.arange(len(FRAME)) % 3)
    over = hlm.Model("log(number, overdispersed=yes) = b0 + b1*x; b0 = g00 + u0; b1 = g10")
    with pytest.raises(SamplingError, match="overdispersed has no likelihood"):
        over.sample(DATA)
    with pytest.raises(HLMError, match="also 2"):
        hlm.Model("logit(rating) = b0; b0 = g00 + u0").pymc(frame, marginal=False, id="id")


@pytest.mark.slow  # PyMC compiles the model
def test_nuts_on_rows():
    model = hlm.Model(f"logit(y) = b0 + b1*x; {LEVEL2}")
    post = model.sample(DATA, marginal=False, seed=1, draws=4000, chains=2)
    assert type(post).__name__ == "GeneralizedPosterior"
    assert list(post.summary().index) == ["g00", "g01", "g10", "sd[b0]", "tau[b0,b0]"]
    assert post["sd[b0]"].shape == (2, 4000)
    np.testing.assert_allclose(post["tau[b0,b0]"], post["sd[b0]"] ** 2)
    assert post.draws("u").shape == (2, 4000, 8, 1)
    assert list(post.effects().columns) == ["u0_mean", "u0_sd"]
    assert post.contrast("g01 - g10").frame().shape[0] == 1
    assert "Bernoulli, logit link" in repr(post)
    with pytest.raises(HLMError, match="i2 is for normal outcomes, and y of this model is Bernoulli"):
        post.i2()
    assert not hasattr(post, "variance_is_zero")
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        post.nonsense  # noqa: B018
