"""Parametric bootstrap: the simulated moments have the distribution of simulated rows; seeds and failures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hlmbayes import Model
from hlmbayes.data.two_level import read
from hlmbayes.errors import EstimationError, HypothesisError
from hlmbayes.faces import record_of
from hlmbayes.front.fit import Fit
from hlmbayes.inference.bootstrap import Simulator, bootstrap, estimate
from hlmbayes.laws.log_linear import LogLinear
from tests.dense import dense, x_blocks
from tests.small import MODELS, model, small


@pytest.mark.parametrize("name", ["slopes", "random only", "no intercept", "constrained"])
def test_simulated_moments_are_possible_moments(name: str) -> None:
    # e is the OLS residual again: X'e = 0 and every unit's e'e is at least what D explains of it
    fit = model(name).fit(small(81, n_units=14).data())
    simulate = Simulator(record_of(fit).design, record_of(fit).components.tau, fit.sigma2)
    drawn = simulate.draw(np.random.default_rng(1), record_of(fit).gamma_free)
    x = x_blocks(drawn)
    np.testing.assert_allclose(np.einsum("jpf,jp->f", x, drawn.de), 0.0, atol=1e-9)
    explained = np.einsum("ja,jab,jb->j", drawn.de, np.linalg.pinv(drawn.dd, hermitian=True), drawn.de)
    assert np.all(drawn.ee >= explained - 1e-9)
    single = drawn.n == 1
    np.testing.assert_allclose(drawn.ee[single], explained[single], rtol=1e-8)


def test_simulated_moments_have_the_mean_and_covariance_of_simulated_rows() -> None:
    source, m = small(82, n_units=6), model("slopes")
    fit = m.fit(source.data())
    rows = dense(m, source.columns, source.unit, source.level2)
    tau, sigma2 = np.array([[2.0, 0.5], [0.5, 1.0]]), 1.5
    simulate = Simulator(record_of(fit).design, tau, sigma2)
    rng = np.random.default_rng(2)
    n = 6_000
    draws = np.array(
        [
            np.append(d.de.ravel(), d.ee)
            for d in (simulate.draw(rng, record_of(fit).gamma_free) for _ in range(n))
        ]
    )
    # rows: e = (I - H) N(0, V), H the OLS projection; then D'e and e'e by unit
    hat = np.eye(len(rows.y)) - rows.X @ np.linalg.pinv(rows.X)
    e = rng.multivariate_normal(np.zeros(len(rows.y)), rows.v(tau, sigma2), size=n) @ hat.T
    members = np.equal.outer(np.arange(rows.n_units), rows.unit).astype(float)
    de = np.einsum("jr,ra,nr->nja", members, rows.Z, e).reshape(n, -1)
    expected = np.column_stack([de, (e**2) @ members.T])
    sd = np.maximum(expected.std(axis=0), 1e-6)  # unit 0 has one row: its group-centred column is zero
    np.testing.assert_allclose(
        draws.mean(axis=0), expected.mean(axis=0), atol=6 * sd.max() / np.sqrt(n) + 1e-12
    )
    ours, theirs = np.cov(draws.T / sd[:, None]), np.cov(expected.T / sd[:, None])
    np.testing.assert_allclose(ours, theirs, atol=0.12)


def test_the_estimates_are_those_of_the_simulated_design() -> None:
    fit = model("slopes").fit(small(83, n_units=14, sd=1.5).data())
    gamma, tau, sigma2, singular = estimate(record_of(fit).design, True)
    np.testing.assert_allclose(gamma, record_of(fit).gamma_free, rtol=1e-9)
    np.testing.assert_allclose(tau, record_of(fit).components.tau, rtol=1e-9)
    assert sigma2 == pytest.approx(fit.sigma2)
    assert singular == bool(fit.boundary)


def test_seeded_and_with_progress() -> None:
    fit = model("raw").fit(small(84, n_units=15, sd=1.5).data())
    seen: list[tuple[int, int]] = []
    a = fit.bootstrap(20, seed=7, progress=lambda done, n: seen.append((done, n)))
    b = fit.bootstrap(20, seed=7)
    np.testing.assert_array_equal(a.tau, b.tau)
    assert seen == [(k, 20) for k in range(1, 21)]
    assert not np.array_equal(a.gamma, fit.bootstrap(20, seed=8).gamma)
    assert a.gamma.shape == (20, 4)
    assert (a.n, a.seed, a.n_failed) == (20, 7, 0)
    text = str(a)
    assert "20 data sets (seed 7)" in text
    assert "tau[b1,b0]" in text


def test_balanced_data_have_the_standard_errors_of_theory() -> None:
    # one-way layout: Var of the mean and of sigma2 are known exactly
    rng = np.random.default_rng(5)
    J, n = 30, 8
    unit = np.repeat(np.arange(J), n)
    y = 2 * rng.normal(size=J)[unit] + rng.normal(size=J * n)
    fit = Model("y = b0 + r\nb0 = g00 + u0").fit(read({"id": unit, "y": y}, id="id"))
    found = fit.bootstrap(400, seed=3)
    tau, sigma2 = fit.tau["b0", "b0"], fit.sigma2
    assert found.se_gamma["g00"] == pytest.approx(np.sqrt((tau + sigma2 / n) / J), rel=0.12)
    assert found.se_sigma2 == pytest.approx(sigma2 * np.sqrt(2 / (J * (n - 1))), rel=0.12)
    between = 2 * (tau + sigma2 / n) ** 2 / (J - 1) + 2 * sigma2**2 / (J * (n - 1)) / n**2
    assert found.se_tau["b0", "b0"] == pytest.approx(np.sqrt(between), rel=0.12)
    intervals = {i.parameter: i for i in found.intervals(0.9)}
    assert intervals["g00"].low < fit.gamma["g00"] < intervals["g00"].high
    assert intervals["sigma2"].low == pytest.approx(np.quantile(found.sigma2, 0.05))


@pytest.mark.parametrize("name", list(MODELS))
def test_singular_fits_can_be_simulated(name: str) -> None:
    fit = model(name).fit(small(40, n_units=15, sd=0.0).data(), method="ML")
    found = fit.bootstrap(5, seed=1)
    assert found.n + found.n_failed == 5
    assert ("variance of zero" in str(found)) == (found.n_boundary > 0)
    if fit.boundary:
        assert found.n_boundary > 0
    assert np.all(np.isfinite(found.tau))


def test_failures_are_counted_and_no_result_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    import hlmbayes.inference.bootstrap as module

    fit = model("means").fit(small(85).data())
    original, calls = module.estimate, []

    def sometimes(design: object, reml: bool) -> object:
        calls.append(1)
        if len(calls) % 3 == 0:
            raise EstimationError("no")
        return original(design, reml)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "estimate", sometimes)
    found = bootstrap(record_of(fit), 9, seed=1)
    assert (found.n, found.n_failed) == (6, 3)
    assert "3 further ones could not be estimated" in str(found)

    def never(design: object, reml: bool) -> object:
        raise EstimationError("no")

    monkeypatch.setattr(module, "estimate", never)
    with pytest.raises(HypothesisError, match="none of the simulated data sets"):
        bootstrap(record_of(fit), 3, seed=1)


def test_what_cannot_be_simulated_is_refused() -> None:
    fit = model("means").fit(small(86).data())
    with pytest.raises(HypothesisError, match="at least 2, got 1"):
        fit.bootstrap(1)
    found = record_of(fit)
    weighted = Fit(replace(found, design=replace(found.design, n=found.design.n * 1.5)))
    with pytest.raises(HypothesisError, match="weights"):
        weighted.bootstrap(5)
    noisy = Fit(replace(found, law=LogLinear(("a0", "a1"), ("d",))))
    with pytest.raises(HypothesisError, match="depends on variables"):
        noisy.bootstrap(5)
