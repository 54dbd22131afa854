"""log(sigma2) = a0 + ...: against dense matrices, nlme and HLM's printed table."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

import hlmbayes as hlm
from hlmbayes import Model
from hlmbayes.errors import EstimationError
from hlmbayes.estimation.heterogeneous import alpha_score, expected_squares, information, solved_alpha
from hlmbayes.estimation.heterogeneous_fit import tau_step
from hlmbayes.estimation.prepare import prepare
from hlmbayes.faces import record_of
from hlmbayes.likelihood.evaluate import evaluate, standardise
from hlmbayes.likelihood.row_groups import groups_of, weighted_design
from hlmbayes.likelihood.system import to_standard
from tests.dense import dense
from tests.designs import random_case
from tests.small import MODELS, small

ORACLES = Path(__file__).parents[1] / "oracles"
CASES = json.loads((ORACLES / "heterogeneous.json").read_text())["cases"]
PRINTED = json.loads((ORACLES / "hlm608_tables.json").read_text())["heterogeneous_sigma2"]
SPECS = {"level-1 category": "a1*d", "continuous": "a1*x", "level 2": "a1*w", "both": "a1*d + a2*w"}


@pytest.mark.parametrize("name", [n for n, case in CASES.items() if "data" not in case])
def test_the_joint_optimum_agrees_with_nlme_and_dense_matrices(name: str) -> None:
    expected = CASES[name]["ML"]
    fit = Model("\n".join(CASES[name]["equations"])).fit(hlm.datasets.hsb(), method="ML")
    vm = record_of(fit).law
    assert vm is not None
    assert fit.converged
    assert fit.deviance == pytest.approx(expected["deviance"], abs=1e-6)
    np.testing.assert_allclose(fit.tau, expected["tau"], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(vm.alpha, list(expected["alpha"].values()), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(fit.gamma, list(expected["gamma"].values()), rtol=1e-6)
    np.testing.assert_allclose(fit.vcov, expected["vcov"], rtol=1e-5, atol=1e-9)
    se = np.array(expected["se_theta_expected_information"])
    n_tau = len(se) - len(vm.alpha)
    np.testing.assert_allclose(fit.se_tau[np.tril_indices(len(fit.tau))], se[:n_tau], rtol=1e-4)
    np.testing.assert_allclose(vm.se, se[n_tau:], rtol=1e-5)
    assert fit.n_parameters == expected["n_parameters"]
    assert np.isnan(fit.sigma2)
    assert np.isnan(fit.se_sigma2)


def test_hlm_prints_these_numbers() -> None:
    fit = Model("\n".join(CASES["model4_female"]["equations"])).fit(
        hlm.datasets.hsb(), method="ML", algorithm="hlm"
    )
    vm = record_of(fit).law
    assert vm is not None
    assert vm.macro_iterations == PRINTED["macro_iteration"]
    assert fit.iterations == PRINTED["iteration"]
    np.testing.assert_allclose(vm.alpha, [row["estimate"] for row in PRINTED["alpha"]], rtol=0, atol=2.5e-5)
    np.testing.assert_allclose(vm.se, [row["se"] for row in PRINTED["alpha"]], rtol=0, atol=1e-6)
    np.testing.assert_allclose(vm.z_ratio, [row["z"] for row in PRINTED["alpha"]], rtol=0, atol=3e-3)
    np.testing.assert_allclose(fit.tau, PRINTED["tau"], rtol=0, atol=3e-4)
    assert vm.homogeneous_deviance == pytest.approx(PRINTED["homogeneous"]["deviance"], abs=5e-6)
    assert fit.deviance == pytest.approx(PRINTED["deviance"], abs=1.5e-5)
    assert (vm.homogeneous_parameters, fit.n_parameters) == (10, 11)
    assert "r" not in fit.variance_components().index
    table = fit.fixed_effects()
    np.testing.assert_allclose(
        table["coefficient"], [r["estimate"] for r in PRINTED["fixed"]], rtol=0, atol=1.2e-5
    )
    np.testing.assert_allclose(table["se"], [r["se"] for r in PRINTED["fixed"]], rtol=0, atol=3.5e-5)


READING = json.loads((ORACLES / "hlm_listings.json").read_text())["heterogeneous"]["reading"]


def reading() -> hlm.TwoLevelData:
    wide = pd.read_csv(ORACLES / "data" / "reading.csv")
    rows = {"id": np.repeat(wide["id"], 3), "piat": wide.drop(columns="id").to_numpy(float).ravel()}
    rows |= {"agegrp": np.tile([0.0, 2.0, 4.0], len(wide))}
    rows |= {f"first{k}": np.tile(np.eye(3)[k], len(wide)) for k in (0, 1)}
    return hlm.read(pd.DataFrame(rows), id="id")


def test_the_printed_numbers_of_reading_to_the_digit() -> None:
    """Macro and micro iterations: a run of three occasions, whose rule no other listing needs."""
    fit = Model("\n".join(READING["equations"])).fit(reading(), method="ML", algorithm="hlm")
    rows, cols = np.tril_indices(2)
    np.testing.assert_allclose(fit.tau[rows, cols], READING["tau"], rtol=0, atol=1.5e-5)
    np.testing.assert_allclose(fit.se_tau[rows, cols], READING["se_tau"], rtol=0, atol=5.1e-6)
    assert fit.deviance == pytest.approx(READING["deviance"], abs=1.5e-5)
    assert fit.converged
    exact = Model("\n".join(READING["equations"])).fit(reading(), method="ML")
    assert exact.deviance - np.log(2.0 * np.pi) < READING["deviance"] - 0.01  # HLM stops before; n is odd


def test_a_step_in_tau_stays_at_the_optimum_and_in_the_parameter_space() -> None:
    data, equations = hlm.datasets.hsb(), CASES["model4_female"]["equations"]
    fit = record_of(Model("\n".join(equations)).fit(data, method="ML"))
    base = record_of(Model("\n".join(equations[:-1])).fit(data, method="ML"))
    design = replace(base.design, model=fit.model)
    groups, alpha = groups_of(design, data), fit.law.alpha
    weighted = weighted_design(design, groups, alpha)
    system = standardise(weighted)

    def step(tau: np.ndarray) -> np.ndarray | None:
        at = evaluate(system, np.linalg.cholesky(to_standard(system, tau, 1.0)[0]))
        return tau_step(weighted, system, groups, alpha, at)

    optimum = fit.components.tau
    np.testing.assert_allclose(step(optimum), optimum, rtol=1e-4)
    away = optimum * 1.05
    assert np.abs(step(away) - optimum).max() < 0.1 * np.abs(away - optimum).max()
    assert step(np.diag([20.0, 5.0])) is None


def test_all_of_alpha_is_solved_for_at_once() -> None:
    """Of dummies it is the log of each group's mean square."""
    fit = record_of(Model("\n".join(READING["equations"])).fit(reading(), method="ML"))
    groups = groups_of(fit.design, reading())
    kind = groups.covariates @ [0, 1, 2]
    squares = np.random.default_rng(1).gamma(2.0, 30.0, len(groups.n))
    mean = [np.log(squares[kind == k].sum() / groups.n[kind == k].sum()) for k in (0, 1, 2)]
    alpha = solved_alpha(groups, np.array([20.0, -8.0, 3.0]), squares)
    np.testing.assert_allclose(groups.covariates @ alpha, np.array(mean)[kind.astype(int)], rtol=1e-10)


def test_under_reml_hlm_becomes_ml_and_says_so() -> None:
    fit = Model("\n".join(CASES["model4_female"]["equations"])).fit(hlm.datasets.hsb(), algorithm="hlm")
    assert fit.method == "ML"
    assert any("full maximum likelihood" in warning for warning in fit.warnings)


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("spec", list(SPECS))
@pytest.mark.parametrize(
    "name", ["slopes", "no intercept", pytest.param("random only", marks=pytest.mark.slow)]
)
def test_score_and_deviance_equal_dense(name: str, spec: str, reml: bool) -> None:
    source, m = small(21, n_units=14, sd=1.5), Model(MODELS[name] + f"\nlog(sigma2) = a0 + {SPECS[spec]}")
    fit = m.fit(source.data(), method="REML" if reml else "ML")
    rows = dense(m, source.columns, source.unit, source.level2)
    covariates = [np.ones(len(source.unit))]
    covariates += [
        source.columns[v] if v in source.columns else source.level2[v][source.unit]
        for v in m.log_sigma2.variables
    ]
    c = np.column_stack(covariates)
    vm, tau = record_of(fit).law, record_of(fit).components.tau
    assert fit.deviance == pytest.approx(rows.deviance(tau, np.exp(c @ vm.alpha), reml), rel=1e-9)
    for k in range(len(vm.alpha)):  # no neighbour of the optimum is better
        for step in (-1e-3, 1e-3):
            moved = vm.alpha + step * np.eye(len(vm.alpha))[k]
            assert rows.deviance(tau, np.exp(c @ moved), reml) > fit.deviance - 1e-9


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("spec", list(SPECS))
def test_the_score_of_alpha_equals_finite_differences(spec: str, reml: bool) -> None:
    source, m = small(22, n_units=14), Model(MODELS["random only"] + f"\nlog(sigma2) = a0 + {SPECS[spec]}")
    data = source.data()
    design = prepare(m, data).design
    rows = dense(m, source.columns, source.unit, source.level2)
    c = np.column_stack(
        [np.ones(len(source.unit))]
        + [
            source.columns[v] if v in source.columns else source.level2[v][source.unit]
            for v in m.log_sigma2.variables
        ]
    )
    groups = groups_of(design, data)
    alpha = np.array([0.1, -0.3, 0.2])[: c.shape[1]]
    tau = np.array([[1.0, 0.2, 0.1], [0.2, 0.8, -0.1], [0.1, -0.1, 0.6]])
    weighted = weighted_design(design, groups, alpha)
    system = standardise(weighted)
    at = evaluate(system, np.linalg.cholesky(to_standard(system, tau, 1.0)[0]))
    squares, spread = expected_squares(weighted, system, at, groups, reml)
    got, h = alpha_score(groups, alpha, squares), 1e-5
    for k in range(len(alpha)):
        e = h * np.eye(len(alpha))[k]
        up, down = (rows.deviance(tau, np.exp(c @ (alpha + s * e)), reml) for s in (1, -1))
        assert got[k] == pytest.approx(-0.5 * (up - down) / (2 * h), rel=1e-5, abs=1e-5)
    p = np.linalg.inv(rows.v(tau, np.exp(c @ alpha)))
    parts = [np.diag(np.exp(c @ alpha) * c[:, k]) for k in range(c.shape[1])]
    expected = np.array([[0.5 * np.trace(p @ a @ p @ b) for b in parts] for a in parts])
    np.testing.assert_allclose(information(weighted, groups, alpha, spread)[0], expected, rtol=1e-8)


def test_scaling_a_covariate_scales_its_effect() -> None:
    source, m = small(23, n_units=20), Model(MODELS["slopes"] + "\nlog(sigma2) = a0 + a1*z")
    fit = m.fit(source.data())
    source.columns["z"] = source.columns["z"] * 1e5 + 3e5
    again = m.fit(source.data())
    assert again.deviance == pytest.approx(fit.deviance, abs=1e-7)
    assert record_of(again).law.alpha[1] * 1e5 == pytest.approx(record_of(fit).law.alpha[1], rel=1e-4)


def test_rows_without_the_covariate_are_dropped_everywhere() -> None:
    source, m = small(24, n_units=20), Model(MODELS["means"] + "\nlog(sigma2) = a0 + a1*z")
    source.columns["z"] = source.columns["z"].copy()
    source.columns["z"][5:9] = np.nan
    fit = m.fit(source.data())
    assert fit.n_rows == len(source.unit) - 4
    assert record_of(fit).design.moments.n_dropped == 4


@pytest.mark.parametrize(("equation", "words"), [("a1*d + a2*e", "collinear"), ("a1*nowhere", "nowhere")])
def test_bad_variance_equations_are_refused(equation: str, words: str) -> None:
    with pytest.raises(hlm.HLMError, match=words):
        Model(MODELS["means"] + f"\nlog(sigma2) = a0 + {equation}").fit(small(25).data())


def test_moments_alone_cannot_tell_a_level1_covariate() -> None:
    m = Model(MODELS["means"] + "\nlog(sigma2) = a0 + a1*d")
    with pytest.raises(EstimationError, match="level-1 rows"):
        m.fit(prepare(m, small(26).data()).design.moments)
    level2 = Model(MODELS["means"] + "\nlog(sigma2) = a0 + a1*w")
    data = small(26).data()
    assert level2.fit(prepare(level2, data).design.moments).deviance == pytest.approx(
        level2.fit(data).deviance, abs=1e-9
    )


def test_intervals_of_the_coefficients_of_log_sigma2() -> None:
    fit = Model(MODELS["means"] + "\nlog(sigma2) = a0 + a1*d").fit(small(26).data())
    table = fit.confint()
    found = record_of(fit).law
    assert list(table.index[-2:]) == ["a0", "a1"]
    np.testing.assert_allclose(table["low"][-2:], found.alpha - 1.959964 * found.se, rtol=1e-6)
    np.testing.assert_allclose(table["high"][-2:], found.alpha + 1.959964 * found.se, rtol=1e-6)
    assert set(table["method"][-2:]) == {"normal"}


def test_rows_that_are_fitted_exactly_leave_no_optimum() -> None:
    rng = np.random.default_rng(0)
    unit, early = np.repeat(np.arange(20), 8), np.tile(np.arange(8) < 2, 20)
    level = rng.normal(size=20)[unit]
    y = np.where(early, level, level + rng.normal(size=160))
    data = hlm.read({"id": unit, "y": y, "early": early.astype(float)})
    with pytest.raises(EstimationError, match="the likelihood grows without bound"):
        Model("y = b0 + r\nb0 = g00 + u0\nlog(sigma2) = a0 + a1*early").fit(data)


def few_rows(seed: int) -> dict[str, np.ndarray]:
    """Four to nine units of two to five rows, with heavy tails."""
    rng = np.random.default_rng(seed)
    n = rng.integers(2, 6, int(rng.integers(4, 10)))
    unit = np.repeat(np.arange(len(n)), n)
    x = rng.normal(size=len(unit)) if seed % 3 else (rng.random(len(unit)) < 0.4) * 1.0
    z = rng.normal(size=len(unit))
    y = rng.normal(size=len(n))[unit] * rng.choice([0.1, 1, 2])
    y = y + np.exp(0.5 * x * rng.choice([0, 1, 2])) * rng.standard_t(3, size=len(unit))
    return {"id": unit, "y": y, "x": x, "z": z}


def dense_deviance(rows: dict[str, np.ndarray], alpha: np.ndarray, tau: float, reml: bool) -> float:
    more = len(alpha) == 3  # then x has an effect on y too, z on the variance
    ones = np.ones(len(rows["y"]))
    covariates = np.column_stack([ones, rows["x"], rows["z"]])
    v = tau * np.equal.outer(rows["id"], rows["id"]) + np.diag(np.exp(covariates[:, : len(alpha)] @ alpha))
    root = np.linalg.cholesky(v)
    q, r = np.linalg.qr(np.linalg.solve(root, covariates[:, : 1 + more]))
    y = np.linalg.solve(root, rows["y"])
    value = y @ y - np.sum((q.T @ y) ** 2) + 2 * np.log(root.diagonal()).sum()
    value += reml * 2 * np.log(np.abs(r.diagonal())).sum()
    return float(value + (len(ones) - reml * (1 + more)) * np.log(2 * np.pi))


@pytest.mark.parametrize("seed", [11, 24, 94, 278, 290, 318, 5, 30])
def test_of_two_maxima_the_higher_is_found(seed: int) -> None:
    rows, reml, more = few_rows(seed), seed % 4 < 2, seed % 2 == 0
    equations = "y = b0 + b1*x + r\nb0 = g00 + u0\nb1 = g10" if more else "y = b0 + r\nb0 = g00 + u0"
    model = Model(equations + "\nlog(sigma2) = a0 + a1*x" + (" + a2*z" if more else ""))
    fit = model.fit(hlm.read(rows, id="id"), method="REML" if reml else "ML")
    alpha = record_of(fit).law.alpha
    assert fit.deviance == pytest.approx(dense_deviance(rows, alpha, fit.tau[0, 0], reml), abs=1e-8)

    def deviance(x: np.ndarray) -> float:
        x = np.clip(x, -15, 15)
        return dense_deviance(rows, x[1:], x[0] ** 2, reml)

    rng = np.random.default_rng(0)
    starts = np.append(1.0, np.zeros(len(alpha))) + rng.normal(size=(12, 1 + len(alpha))) * 1.5
    best = min(minimize(deviance, x, method="BFGS").fun for x in starts)
    assert fit.deviance < best + 1e-5


def test_the_reason_for_stopping_is_that_of_the_macro_iterations() -> None:
    data = small(53, n_units=15, sd=1.5).data()
    m = Model("y = b0 + b1*x + r\nb0 = g00 + u0\nb1 = g10\nlog(sigma2) = a0 + a1*d")
    stopped = m.fit(data, algorithm="hlm", method="ML", max_iterations=2)
    assert not stopped.converged
    assert "maximum number of iterations was reached" in stopped.stop_reason
    assert m.fit(data, algorithm="hlm", method="ML").stop_reason.endswith(
        "small change in likelihood function"
    )


def test_a_model_of_the_variances_prints_its_coefficients() -> None:
    data = small(53, n_units=15, sd=1.5).data()
    fit = Model("y = b0 + r\nb0 = g00 + u0\nlog(sigma2) = a0 + a1*d").fit(data)
    assert f"log(sigma2): a0 {record_of(fit).law.alpha[0]:.8g}, a1 " in repr(fit)
    assert "sigma2 nan" not in repr(fit)


def test_a_variance_that_nothing_is_known_of_is_said() -> None:
    """Four of ten rows fit nearly exactly, by REML at a finite likelihood: alpha ends anywhere far down."""
    fit = random_case(391).fit()
    assert "variance of 4 of 10 rows is as good as unknown" in fit.warnings[0]
    assert fit.log_sigma2().loc["a0", "estimate"] < -10.0
