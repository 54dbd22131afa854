"""Frequencies are repeated rows and units; sampling weights are the pseudo-likelihood, by brute force too."""

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

import hlmbayes as hlm
from hlmbayes.data.weights import weights_of
from hlmbayes.errors import DataError, EstimationError, HypothesisError, OutputError

FIXED = "b0 + b1*x; b0 = g00 + g01*w + u0; b1 = g10"
LEFT = {
    "logit": "logit(y)",
    "probit": "probit(hits, trials=n)",
    "cloglog": "cloglog(hits, trials=n)",
    "poisson": "log(hits, exposure=n)",
    "ordinal": "cumlogit(rating)",
}
J, N = 30, 6


def frame_of(seed=3):
    """Simulate rows of every kind of outcome, with frequencies f, F and sampling weights v, V."""
    rng = np.random.default_rng(seed)
    unit = np.repeat(np.arange(J), N)
    x, w, u = rng.integers(0, 2, J * N), rng.normal(size=J), rng.normal(size=J)
    n = rng.integers(1, 6, J * N)
    eta = 0.5 * x + (0.4 * w + u)[unit] - 0.3
    p = special.expit(eta)
    return pd.DataFrame({
        "id": unit, "x": x, "w": w[unit], "n": n, "y": rng.binomial(1, p), "hits": rng.binomial(n, p),
        "rating": 1 + np.digitize(eta + rng.logistic(size=J * N), [-1.0, 0.5, 2.0]),
        "choice": 1 + (eta + rng.gumbel(size=J * N) > 0.0) + (rng.random(J * N) < 0.3),
        "f": rng.integers(1, 4, J * N), "F": rng.integers(1, 4, J)[unit],
        "v": rng.uniform(0.3, 3.0, J * N), "V": rng.uniform(0.5, 4.0, J)[unit],
    })  # fmt: skip


FRAME = frame_of()
DATA = hlm.read(FRAME, id="id")


def written_out(frame):
    """Repeat every row f times and every unit F times."""
    rows = frame.loc[np.repeat(frame.index, frame.f)]
    parts = [rows[k < rows.F].assign(id=lambda part, k=k: 10 * part.id + k) for k in range(3)]
    return pd.concat(parts, ignore_index=True)


def same(one, other, rtol=1e-8):
    """Check that two fits agree in everything that is estimated."""
    assert one.deviance == pytest.approx(other.deviance, rel=1e-11)
    assert (one.n_rows, one.n_units, one.bic) == (other.n_rows, other.n_units, pytest.approx(other.bic))
    for name in ("gamma", "tau", "vcov", "vcov_robust", "se_tau"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=rtol, atol=1e-10)
    pd.testing.assert_frame_equal(one.cuts(), other.cuts(), rtol=rtol)


@pytest.mark.parametrize(
    ("left", "slope"),
    [*((left, slope) for left in LEFT.values() for slope in (False, True)), ("mlogit(choice)", False)],
)
def test_frequencies_are_repeated_rows_and_units(left, slope):
    model = hlm.Model(f"{left} = {FIXED}{' + u1' * slope}")
    fit = model.fit(DATA, frequency=hlm.Frequencies("f", "F"))
    same(fit, model.fit(hlm.read(written_out(FRAME), id="id")))


def test_what_rests_on_a_fit_knows_its_frequencies():
    model = hlm.Model(f"logit(y) = {FIXED}")
    fit = model.fit(DATA, frequency=hlm.Frequencies("f", "F"))
    full = model.fit(hlm.read(written_out(FRAME), id="id"))
    assert fit.icc().icc == pytest.approx(full.icc().icc, rel=1e-8)
    assert fit.r2().variance == pytest.approx(full.r2().variance, rel=1e-7)
    assert fit.test_variance("u0").chi2 == pytest.approx(full.test_variance("u0").chi2, rel=1e-9)
    own, others = (each.confint(parameters="sd[b0]") for each in (fit, full))
    np.testing.assert_allclose(own[["low", "high"]], others[["low", "high"]], rtol=1e-6)
    own, others = (each.predict(FRAME, level=2, interval="confidence") for each in (fit, full))
    columns = ["predicted", "se", "at_zero"]
    np.testing.assert_allclose(own[columns].to_numpy(), others[columns].to_numpy(), rtol=1e-7)


@pytest.mark.parametrize("kind", LEFT)
def test_weights_of_one_change_nothing(kind):
    model = hlm.Model(f"{LEFT[kind]} = {FIXED}")
    data = hlm.read(FRAME.assign(one=1.0), id="id")
    fit, plain = model.fit(data, weights=hlm.Weights("one")), model.fit(data)
    assert fit.deviance == pytest.approx(plain.deviance, rel=1e-12)
    for name in ("gamma", "tau", "vcov", "vcov_robust"):
        np.testing.assert_allclose(getattr(fit, name), getattr(plain, name), rtol=1e-9)
    np.testing.assert_allclose(fit.fixed_effects().se, plain.fixed_effects(robust=True).se, rtol=1e-9)


def test_units_that_all_weigh_more_multiply_the_deviance_only():
    model = hlm.Model(f"cloglog(hits, trials=n) = {FIXED}")
    data = hlm.read(FRAME.assign(much=1e5 * FRAME.V), id="id")
    one, much = (model.fit(data, weights=hlm.Weights("v", name, "size")) for name in ("V", "much"))
    assert much.deviance == pytest.approx(1e5 * one.deviance, rel=1e-12)
    for name in ("gamma", "tau", "vcov_robust", "se_tau"):
        np.testing.assert_allclose(getattr(one, name), getattr(much, name), rtol=1e-10)
    hlms = model.fit(data, weights=hlm.Weights("v", "V"))
    assert hlms.deviance == pytest.approx(one.deviance * J / FRAME.V[::N].sum(), rel=1e-12)


PLACE = np.linspace(-8.0, 8.0, 121)  # of u / sd: trapezoids of an analytic integrand


def log_density(kind, eta, frame, cuts):
    """Give the log density of rows (N,) at linear predictors (N, K), by SciPy's distributions."""
    hits, n = (frame[name].to_numpy()[:, None] for name in ("hits", "n"))
    ways = stats.binom.logpmf(hits, n, 0.5) + n * np.log(2.0)
    if kind == "logit":
        return stats.bernoulli.logpmf(frame.y.to_numpy()[:, None], special.expit(eta))
    if kind == "probit":
        return ways + hits * stats.norm.logcdf(eta) + (n - hits) * stats.norm.logcdf(-eta)
    if kind == "cloglog":
        return ways + hits * np.log(-np.expm1(-np.exp(eta))) - (n - hits) * np.exp(eta)
    if kind == "poisson":
        return stats.poisson.logpmf(hits, n * np.exp(eta))
    ends = np.r_[-np.inf, 0.0, cuts, np.inf]
    k = frame.rating.to_numpy()
    return np.log(special.expit(ends[k][:, None] + eta) - special.expit(ends[k - 1][:, None] + eta))


def pseudo_logliks(kind, theta, frame, v):
    """Give log of the integral over u of prod f(y | u)^v of every unit, (J,); theta: gamma, sd, cuts."""
    fixed = theta[0] + theta[1] * frame.w + theta[2] * frame.x
    eta = fixed.to_numpy()[:, None] + theta[3] * PLACE
    inside = np.add.reduceat(v[:, None] * log_density(kind, eta, frame, theta[4:]), np.arange(0, J * N, N))
    return special.logsumexp(inside + stats.norm.logpdf(PLACE) + np.log(PLACE[1] - PLACE[0]), axis=1)


def slopes(function, theta, step):
    """Give derivatives by central differences of the fourth order, one a column."""
    found = []
    for k in range(len(theta)):
        e = step * np.eye(len(theta))[k]
        near, far = (function(theta + m * e) - function(theta - m * e) for m in (1, 2))
        found.append((8.0 * near - far) / (12.0 * step))
    return np.stack(found, axis=-1)


@pytest.mark.parametrize(
    ("kind", "scaling"),
    [
        ("logit", "hlm"),
        pytest.param("logit", "cluster", marks=pytest.mark.slow),
        pytest.param("logit", "none", marks=pytest.mark.slow),
        ("probit", "size"),
        ("cloglog", "effective"),
        ("poisson", "none"),
        ("ordinal", "hlm"),
    ],
)
def test_sampling_weights_are_the_brute_force_pseudo_likelihood(kind, scaling):
    asked = hlm.Weights("v", "V", scaling)
    v, V = weights_of(DATA, asked)
    fit = hlm.Model(f"{LEFT[kind]} = {FIXED}").fit(DATA, weights=asked)
    sd = float(np.sqrt(fit.tau[0, 0]))
    theta = np.r_[fit.gamma, sd, fit.cuts().estimate]
    each = pseudo_logliks(kind, theta, FRAME, v)
    assert fit.deviance == pytest.approx(-2.0 * V @ each, abs=1e-6)

    def scores(at):
        return V[:, None] * slopes(lambda t: pseudo_logliks(kind, t, FRAME, v), at, 1e-3)

    own = scores(theta)
    bread = np.linalg.inv(-slopes(lambda t: scores(t).sum(axis=0), theta, 1e-3))
    assert np.abs(bread @ own.sum(axis=0)).max() < 1e-6  # the step that is left to the optimum
    np.testing.assert_allclose(fit.vcov, bread[:3, :3], rtol=1e-5, atol=1e-7)
    robust = bread @ own.T @ own @ bread
    np.testing.assert_allclose(fit.vcov_robust, robust[:3, :3], rtol=1e-5, atol=1e-7)
    se = np.sqrt(np.diag(robust))
    np.testing.assert_allclose(fit.se_tau[0, 0], 2.0 * sd * se[3], rtol=1e-5)
    np.testing.assert_allclose(fit.cuts().se, se[4:], rtol=1e-5)
    np.testing.assert_allclose(fit.fixed_effects().se, se[:3], rtol=1e-5)


def test_what_sampling_weights_do_not_allow_is_said():
    model, smaller = (
        hlm.Model(f"logit(y) = {text}") for text in (FIXED, "b0 + b1*x; b0 = g00 + u0; b1 = g10")
    )
    fit, other = (each.fit(DATA, weights=hlm.Weights("v", "V")) for each in (model, smaller))
    for call in (
        lambda: fit.compare(other), lambda: fit.test_variance("u0"), lambda: fit.confint(method="profile"),
        lambda: fit.compare(deviance=200.0, n_parameters=2),
    ):  # fmt: skip
        with pytest.raises(HypothesisError, match="pseudo-likelihood only; use the robust standard errors"):
            call()
    for call in (
        fit.residuals,
        lambda: fit.residuals(1),
        fit.quantile_residuals,
        fit.influence,
        fit.calibration,
    ):
        with pytest.raises(OutputError, match="not available for a fit with sampling weights"):
            call()
    assert list(fit.confint().index) == ["g00", "g01", "g10"]


def test_other_weights_are_refused_in_words():
    model = hlm.Model(f"logit(y) = {FIXED}")
    with pytest.raises(EstimationError, match="weights and frequency were given, which are different"):
        model.fit(DATA, weights=hlm.Weights("v"), frequency=hlm.Frequencies("f"))
    with pytest.raises(EstimationError, match="precision= is for normal outcomes"):
        model.fit(DATA, precision="v")
    with pytest.raises(DataError, match="frequency 'v' has values that are no whole numbers"):
        model.fit(DATA, frequency=hlm.Frequencies("v"))
    with pytest.raises(EstimationError, match='use algorithm="exact"'):
        model.fit(DATA, weights=hlm.Weights("v"), algorithm="hlm")
