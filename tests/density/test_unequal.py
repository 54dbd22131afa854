"""Posteriors where log(sigma2) depends on variables: dense matrices, differences, the model on rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import ks_2samp, multivariate_normal, norm

import hlmbayes as hlm
from hlmbayes.data.two_level import TwoLevelData
from hlmbayes.density.batch import evaluate_batch
from hlmbayes.density.conditional import Draws, complete, draw_effects, unit_log_likelihood
from hlmbayes.density.coordinates import unpack
from hlmbayes.density.marginal import value_and_gradient
from hlmbayes.density.prior_density import log_prior
from hlmbayes.density.target import target_for
from hlmbayes.errors import EstimationError, HLMWarning, SamplingError
from hlmbayes.estimation.prepare import prepare
from hlmbayes.faces import record_of

EQUATIONS = {
    0: "b0 = g00 + g01*w; b1 = g10; b2 = g20",
    1: "b0 = g00 + g01*w + u0; b1 = g10 + g11*w; b2 = g20",
    2: "b0 = g00 + g01*w + u0; b1 = g10 + u1; b2 = g20",
    3: "b0 = g00 + u0; b1 = g10 + u1; b2 = g20 + u2",
}
VARIANCES = {
    "group": "log(sigma2) = a0 + a1*female",
    "row": "log(sigma2) = a0 + a1*x2",
    "both levels": "log(sigma2) = a0 + a1*female + a2*w",
}
PRIORS = {
    "default": hlm.Priors(),
    "flat": hlm.Priors(gamma=hlm.Flat(), alpha={"a1": hlm.Normal(0.5, 0.2)}, sd=hlm.InverseGamma(2.0, 1.0)),
}


def made(q: int = 2, variances: str = "group") -> hlm.Model:
    level2 = EQUATIONS[q].replace("; ", "\n")
    return hlm.Model(f"y = b0 + b1*x1 + b2*group(x2) + r\n{level2}\n{VARIANCES[variances]}")


def rows(n_units: int = 12, seed: int = 4) -> TwoLevelData:
    """Unbalanced units, one of a single row, one without variation in x1; sigma differs between groups."""
    rng = np.random.default_rng(seed)
    unit = np.repeat(np.arange(n_units), np.resize([6, 1, 9, 4, 7, 5], n_units))
    n = len(unit)
    x1, x2, female = rng.normal(size=n), rng.normal(size=n), (rng.random(n) < 0.4).astype(float)
    x1[unit == 3] = 0.7
    w = rng.normal(size=n_units)
    u = rng.normal(size=(n_units, 2))
    y = (
        20.0
        + w[unit]
        + u[unit, 0]
        + (1.0 + u[unit, 1]) * x1
        + np.exp(0.3 + 0.5 * female) * rng.normal(size=n)
    )
    level1 = {"y": y, "x1": x1, "x2": x2, "female": female}
    return TwoLevelData("id", np.arange(n_units) + 1, unit, level1, {"w": w})


def point(target, seed: int = 0) -> np.ndarray:
    phi = 0.4 * np.random.default_rng(seed).normal(size=target.size)
    phi[: target.n_random] = 0.5 + np.abs(phi[: target.n_random])
    return phi


def matrices(data: TwoLevelData, model: hlm.Model) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Give X, Z by unit (N, q), the covariates of log(sigma2) and y, row by row."""
    one, unit = np.ones(data.n_rows), data.unit
    mean = np.bincount(unit, data.level1["x2"]) / np.bincount(unit)
    columns = {None: one, "x1": data.level1["x1"], "x2": data.level1["x2"] - mean[unit]}
    x, z = [], []
    for coefficient in model.coefficients:
        column = columns[coefficient.predictor.variable]
        for gamma in coefficient.gammas:
            name = gamma.predictor.variable
            x.append(column if name is None else column * data.level2[name][unit])
        if coefficient.random:
            z.append(column)
    level2 = {name: values[unit] for name, values in data.level2.items()}
    c = [one, *({**data.level1, **level2}[name] for name in model.log_sigma2.variables)]
    return np.stack(x, 1), np.stack(z, 1) if z else np.zeros((len(one), 0)), np.stack(c, 1), data.level1["y"]


def covariance(data, z, tau, sigma2) -> np.ndarray:
    same = data.unit[:, None] == data.unit
    return np.diag(sigma2) + same * (z @ tau @ z.T)


@pytest.mark.parametrize("variances", VARIANCES)
@pytest.mark.parametrize("q", EQUATIONS)
def test_density_is_that_of_the_dense_normal(q, variances):
    data, model = rows(), made(q, variances)
    x, z, c, y = matrices(data, model)
    for priors in PRIORS.values():
        target = target_for(model, data, priors)
        phi = point(target)
        parts = unpack(target, phi[None])
        v = covariance(data, z, parts.tau[0], np.exp(c @ phi[target.level1]))
        precision, mean = target.priors.gamma_precision, target.priors.gamma_mean
        if np.all(precision > 0):
            v += (x / precision) @ x.T
            expected = multivariate_normal(x @ mean, v).logpdf(y)
        else:
            vi = np.linalg.inv(v)
            a = x.T @ vi @ x
            squares = y @ (vi - vi @ x @ np.linalg.solve(a, x.T @ vi)) @ y
            logdet = np.linalg.slogdet(v)[1] + np.linalg.slogdet(a)[1]
            expected = -0.5 * ((len(y) - x.shape[1]) * np.log(2 * np.pi) + logdet + squares)
        value, _ = value_and_gradient(target, phi)
        assert value - log_prior(target, phi[None])[0] == pytest.approx(expected, rel=1e-9)
        batch = evaluate_batch(target, np.stack([phi, point(target, 1), phi]))
        assert batch.log_density[[0, 2]] == pytest.approx([value] * 2, rel=1e-11)
        assert batch.log_density[1] == pytest.approx(
            value_and_gradient(target, point(target, 1))[0], rel=1e-11
        )


@pytest.mark.parametrize("priors", PRIORS)
@pytest.mark.parametrize("variances", VARIANCES)
@pytest.mark.parametrize("q", EQUATIONS)
def test_gradient_is_that_of_differences(q, variances, priors):
    target = target_for(made(q, variances), rows(), PRIORS[priors])
    phi = point(target, 2)
    _, gradient = value_and_gradient(target, phi)
    for k, slope in enumerate(gradient):
        step = np.eye(target.size)[k]

        def along(h, step=step):
            return (
                value_and_gradient(target, phi + h * step)[0] - value_and_gradient(target, phi - h * step)[0]
            ) / (2 * h)

        d = [along(h) for h in (4e-3, 2e-3, 1e-3)]  # Richardson, as in test_marginal
        first, second = (4 * d[1] - d[0]) / 3, (4 * d[2] - d[1]) / 3
        assert slope == pytest.approx((16 * second - first) / 15, rel=1e-8, abs=1e-8 * np.abs(gradient).max())


def test_the_prior_of_alpha_is_normalised():
    target = target_for(made(0), rows(), hlm.Priors(alpha=hlm.Normal(0.2, 0.7)))
    a, b = point(target), point(target, 1)
    expected = norm(0.2, 0.7).logpdf([a, b]).sum(axis=1)
    assert log_prior(target, np.stack([a, b])) == pytest.approx(expected)


def test_likelihoods_of_units_and_effects_are_those_of_dense_matrices():
    data, model = rows(), made(2, "both levels")
    x, z, c, y = matrices(data, model)
    target = target_for(model, data, hlm.Priors())
    phi = np.tile(point(target), (4000, 1))
    drawn = complete(target, phi, np.random.default_rng(1))
    one = drawn.take(np.arange(1))
    sigma2, residual = np.exp(c @ one.phi[0, target.level1]), y - x @ one.gamma[0]
    got = unit_log_likelihood(target, one)[0]
    fixed = Draws(phi, np.tile(one.gamma, (4000, 1)), drawn.tau)
    effects = draw_effects(target, fixed, np.random.default_rng(2), keep=True)
    for j in range(target.design.n_units):
        at = data.unit == j
        v = np.diag(sigma2[at]) + z[at] @ one.tau[0] @ z[at].T
        assert got[j] == pytest.approx(
            multivariate_normal(np.zeros(at.sum()), v).logpdf(residual[at]), rel=1e-9
        )
        gain = one.tau[0] @ z[at].T @ np.linalg.inv(v)
        spread = one.tau[0] - gain @ z[at] @ one.tau[0]
        se = np.sqrt(np.diag(spread) / 4000)
        assert np.all(np.abs(effects.mean[j] - gain @ residual[at]) < 5 * se)
        assert np.cov(effects.draws[:, j].T) == pytest.approx(spread, abs=0.12 * spread.max())


@pytest.fixture(scope="module")
def posterior():
    return made(2, "group").sample(rows(40), seed=1, draws=2000)


@pytest.mark.parametrize("length", [
    pytest.param({"draws": 500, "tune": 200, "chains": 1}, id="short"),
    pytest.param({"draws": 1000, "tune": 300, "chains": 2}, id="long", marks=pytest.mark.slow),
])  # fmt: skip
def test_direct_and_nuts_give_one_posterior(length, posterior):
    nuts = made(2, "group").sample(rows(40), seed=2, sampler="nuts", **length)
    assert posterior.sampler["sampler"] == "direct"
    assert nuts.sampler["sampler"] == "nuts"
    for name in ("g00", "g10", "sd[b0]", "corr[b1,b0]", "a0", "a1"):
        a, b = posterior[name][:, ::4].ravel(), nuts[name][:, ::4].ravel()
        assert ks_2samp(a, b).pvalue > 1e-3, name
    assert set(posterior.tree["posterior"].data_vars) == set(nuts.tree["posterior"].data_vars)


def test_the_posterior_is_beside_the_maximum_likelihood_fit(posterior):
    wide = made(2, "group").sample(rows(40), seed=1, priors=hlm.Priors(width=10.0))
    fit = made(2, "group").fit(rows(40), method="ML")
    table = wide.compare(fit).frame()
    assert list(table.index[-2:]) == ["a0", "a1"]
    assert np.all(np.abs(table.loc[["g01", "g10", "a1"], "shift"]) < 0.3)
    assert table.loc["a1", "sd"] == pytest.approx(table.loc["a1", "se"], rel=0.2)
    assert "a1 (female) of log(sigma2): normal" in posterior.tree.attrs["priors_in_words"]
    assert "a1 (female) of log(sigma2): normal" in hlm.Priors().describe(posterior.model, rows(40))


def test_a_file_has_all_that_a_rerun_needs(posterior, tmp_path):
    read = hlm.load_posterior(posterior.save(tmp_path / "post.nc"))
    again = read.rerun()
    for name in ("alpha", "gamma", "u"):  # the same draws, but for sums taken in another order
        np.testing.assert_allclose(again.draws(name), posterior.draws(name), rtol=1e-6, atol=1e-8)


def test_cross_validation_and_predictions(posterior):
    full = posterior.loo()
    assert full.n_data_points == 40
    equal = hlm.Model(made(2, "group").equations().replace("log(sigma2) = a0 + a1*female", ""))
    assert equal.log_sigma2 is None
    smaller = equal.sample(rows(40), seed=1)
    assert full.elpd > smaller.loo().elpd  # the data are made with unequal variances
    seen = posterior.with_predictive(seed=1).tree["posterior_predictive"]
    data = rows(40)
    women = data.level1["female"] == 1
    new = seen["y"].values.reshape(-1, data.n_rows)
    mean = new.mean(axis=0)
    ratio = np.std(new[:, women] - mean[women]) / np.std(new[:, ~women] - mean[~women])
    assert ratio > 1.2
    by_moments = hlm.Posterior(replace(record_of(posterior), data=None))
    unit = by_moments.with_predictive(seed=1).tree["posterior_predictive"]["unit_mean"].values
    assert unit.reshape(-1, 40).std(axis=0) == pytest.approx(
        seen["unit_mean"].values.reshape(-1, 40).std(axis=0), rel=0.25
    )


def test_checks_and_what_has_no_meaning(posterior):
    checks = posterior.check()
    assert len(checks.checks) == 5
    sigma = hlm.diagnostics.tree(posterior)["level1"]["sigma"].values
    a0, a1 = (posterior[name].mean() for name in ("a0", "a1"))
    data = rows(40)
    assert sigma == pytest.approx(np.exp(0.5 * (a0 + a1 * data.level1["female"])), rel=1e-9)
    with pytest.raises(SamplingError, match="not one intraclass correlation"):
        posterior.icc()
    assert posterior.variance_is_zero("b1")["verdict"]
    assert (hlm.power_scale(posterior)["prior"] >= 0).all()


def test_prior_predictions_have_alpha():
    prior = hlm.prior_predictive(
        made(2, "group"), rows(40), hlm.Priors(alpha=hlm.Normal(1.0, 0.5)), draws=4000
    )
    alpha = prior["prior"]["alpha"].values
    assert alpha.shape == (1, 4000, 2)
    assert alpha.mean() == pytest.approx(1.0, abs=0.05)
    assert alpha.std() == pytest.approx(0.5, rel=0.05)


def test_moments_do_where_only_level2_variables_matter():
    level2 = EQUATIONS[1].replace("; ", "\n")
    model = hlm.Model(f"y = b0 + b1*x1 + b2*group(x2) + r\n{level2}\nlog(sigma2) = a0 + a1*w")
    from_rows = model.sample(rows(), seed=3)
    from_moments = model.sample(prepare(model, rows()).design.moments, seed=3)
    np.testing.assert_allclose(from_moments.draws("alpha"), from_rows.draws("alpha"), rtol=1e-8)
    with pytest.raises(hlm.HLMError, match="which only the level-1 rows tell"):
        made(1, "group").sample(prepare(made(1, "group"), rows()).design.moments, seed=3)


def test_a_step_to_where_there_is_no_density_is_a_divergence(monkeypatch):
    def beyond(target, phi):
        if phi[-1] > far:
            raise EstimationError("the fixed effects' information matrix is singular")
        return value_and_gradient(target, phi)

    data, model = rows(), made(1, "group")
    far = float(np.quantile(model.sample(data, seed=4)["a1"], 0.9))
    monkeypatch.setattr("hlmbayes.density.sampled.value_and_gradient", beyond)
    with pytest.warns(HLMWarning, match="divergen"):
        cut = model.sample(data, sampler="nuts", draws=100, tune=100, chains=1, seed=4)
    assert cut["a1"].max() <= far + 1e-12


def test_a_sampler_that_finds_no_place_to_start_says_so(monkeypatch):
    def nowhere(target, phi):
        raise EstimationError("the fixed effects' information matrix is singular")

    monkeypatch.setattr("hlmbayes.density.sampled.value_and_gradient", nowhere)
    with pytest.raises(SamplingError, match="NUTS gave up: All initialization points failed"):
        made(1, "group").sample(rows(), sampler="nuts", draws=50, tune=20, chains=1)


@pytest.mark.slow
def test_the_model_on_rows_gives_it_too():
    data, model = rows(40), made(2, "row")
    direct = model.sample(data, seed=1, draws=1500)
    by_rows = model.sample(data, seed=2, marginal=False, draws=1500)
    assert by_rows.sampler["sampler"] == "nuts on rows"
    for name in ("g00", "g10", "sd[b0]", "sd[b1]", "a0", "a1"):
        a, b = by_rows[name][:, ::5].ravel(), direct[name][:, ::5].ravel()
        assert ks_2samp(a, b).pvalue > 1e-3, name
    assert by_rows.loo().elpd == pytest.approx(direct.loo().elpd, abs=0.5)
