"""The optimum against lme4, dense matrices and the laws an estimator obeys."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hlmbayes as hlm
from hlmbayes import Model
from hlmbayes.data.two_level import read
from hlmbayes.errors import DataError, EquationError, EstimationError
from hlmbayes.estimation.prepare import prepare
from hlmbayes.faces import record_of
from tests.dense import dense
from tests.small import MODELS, model, small

ORACLES = Path(__file__).parents[1] / "oracles"
LME4 = json.loads((ORACLES / "lme4.json").read_text())["models"]
SINGULAR = json.loads((ORACLES / "singular.json").read_text())["cases"]
HSB_MODELS = [name for name in LME4 if "data" not in LME4[name]]


@pytest.fixture(scope="module")
def hsb():
    path1, path2 = hlm.datasets.hsb_paths()
    data = hlm.read(path1, path2, id="id")
    female = np.asarray(data.level1[data.find("female")], dtype=float)
    columns = {**data.level1, "male": 1.0 - female}
    columns[data.id_name] = data.unit_ids[data.unit]
    return read(columns, {data.id_name: data.unit_ids, **data.level2}, id=data.id_name)


def check(fit, expected: dict) -> None:
    assert fit.converged
    assert fit.deviance == pytest.approx(expected["deviance"], abs=1e-6)
    for name, value in expected["gamma"].items():
        assert fit.gamma[name.split("=")[0]] == pytest.approx(value, rel=1e-6, abs=1e-7)
    np.testing.assert_allclose(fit.tau, expected["tau"], rtol=1e-6, atol=1e-7)
    assert fit.sigma2 == pytest.approx(expected["sigma2"], rel=1e-6)
    assert fit.n_parameters == expected["n_parameters"]


@pytest.mark.parametrize("method", ["REML", "ML"])
@pytest.mark.parametrize("name", HSB_MODELS)
def test_hsb_models_agree_with_lme4(hsb, name: str, method: str) -> None:
    case = LME4[name]
    if method not in case:
        pytest.skip(f"the oracle has no {method} fit of {name}")
    fit = Model("\n".join(case["equations"] + case.get("constraints", []))).fit(hsb, method=method)
    check(fit, case[method])
    np.testing.assert_allclose(record_of(fit).vcov_free, case[method]["vcov"], rtol=1e-5, atol=1e-9)
    if case[method]["rank_of_tau"] == record_of(fit).design.n_random:
        np.testing.assert_allclose(fit.se_tau, case[method]["se_tau_expected_information"], rtol=1e-4)
        assert fit.se_sigma2 == pytest.approx(case[method]["se_sigma2_expected_information"], rel=1e-5)
        assert fit.boundary == ()


@pytest.mark.parametrize("method", ["REML", "ML"])
@pytest.mark.parametrize("name", list(SINGULAR))
def test_singular_optima_converge_and_say_so(name: str, method: str) -> None:
    case = SINGULAR[name]
    data = read(ORACLES / case["data"], id="id")
    fit = Model("\n".join(case["equations"])).fit(data, method=method)
    check(fit, case[method])
    rank = np.linalg.matrix_rank(record_of(fit).components.tau, tol=1e-9)
    assert rank == case[method]["rank_of_tau"]
    assert bool(fit.boundary) == (rank < record_of(fit).design.n_random)
    assert all("zero" in message for message in fit.boundary)


def test_boundary_messages_name_the_direction() -> None:
    def fitted(name: str):
        case = SINGULAR[name]
        return Model("\n".join(case["equations"])).fit(read(ORACLES / case["data"], id="id"))

    assert fitted("slope_zero").boundary == ("the variance of u1 (x slope) is estimated as zero",)
    assert fitted("intercept_zero").boundary == ("the variance of u0 (intercept) is estimated as zero",)
    assert "correlation is estimated as 1 or -1" in fitted("corr_plus1").boundary[0]
    assert len(fitted("all_zero").boundary) == 2
    assert "On the boundary" in repr(fitted("slope_zero"))


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("name", ["means", "slopes", "constrained"])
def test_small_data_agree_with_a_dense_optimiser(name: str, reml: bool) -> None:
    source, m = small(7, n_units=15), model(name)
    rows = dense(m, source.columns, source.unit, source.level2)
    fit = m.fit(source.data(), method="REML" if reml else "ML")
    deviance, _, _ = rows.optimum(reml)
    assert fit.deviance <= deviance + 1e-6
    assert fit.deviance == pytest.approx(
        rows.deviance(record_of(fit).components.tau, fit.sigma2, reml), rel=1e-10
    )


@pytest.mark.parametrize("name", list(MODELS))
def test_badly_scaled_data_agree_with_well_scaled_ones(name: str) -> None:
    source, m = small(8, n_units=20), model(name)
    plain = m.fit(source.data())
    scaled = small(8, n_units=20)
    scaled.columns["y"] = scaled.columns["y"] + 1e6 * (name != "no intercept")
    scaled.columns["x"] = scaled.columns["x"] * 1e6
    scaled.columns["z"] = scaled.columns["z"] * 1e-6
    if m.constraints:  # equal effects of differently scaled columns are another model
        scaled.columns["x"], scale_w = source.columns["x"], 1.0
    else:
        scale_w = 1e5
    scaled.level2["w"] = scaled.level2["w"] * scale_w
    again = m.fit(scaled.data())
    scale_x = 1.0 if m.constraints else 1e6
    factor = np.array(
        [{"x": scale_x, "z": 1e-6}.get(c.predictor.variable or "", 1.0) for c in m.coefficients]
    )
    random = np.array([c.random for c in m.coefficients])
    np.testing.assert_allclose(
        again.tau * np.outer(factor[random], factor[random]), plain.tau, rtol=1e-7, atol=1e-8
    )
    assert again.sigma2 == pytest.approx(plain.sigma2, rel=1e-8)
    per_gamma = [
        f * (scale_w if g.predictor.variable == "w" else 1.0)
        for f, c in zip(factor, m.coefficients, strict=True)
        for g in c.gammas
    ]
    se, se_again = np.sqrt(np.diag(plain.vcov)), np.sqrt(np.diag(again.vcov)) * per_gamma
    moved = again.gamma * per_gamma - 1e6 * (np.array(m.gamma_names) == "g00") * (name != "no intercept")
    np.testing.assert_allclose(moved / se, plain.gamma / se, atol=1e-7)
    np.testing.assert_allclose(se_again, se, rtol=1e-8)


@settings(max_examples=15)
@given(st.integers(0, 10_000), st.floats(0.0, 3.0))
def test_order_of_rows_and_scale_of_the_outcome(seed: int, sd: float) -> None:
    source, m = small(seed, n_units=14, sd=sd), model("slopes")
    fit = m.fit(source.data())
    order = np.random.default_rng(seed).permutation(len(source.unit))
    again = m.fit(source.data(order))
    assert again.deviance == pytest.approx(fit.deviance, abs=1e-8)
    np.testing.assert_allclose(again.gamma, fit.gamma, rtol=1e-7, atol=1e-9)
    source.columns["y"] = -50.0 * source.columns["y"]
    scaled = m.fit(source.data())
    np.testing.assert_allclose(scaled.gamma / -50.0, fit.gamma, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(scaled.tau / 2500.0, fit.tau, rtol=1e-5, atol=1e-8)


@settings(max_examples=25)
@given(st.integers(0, 100_000), st.sampled_from(["slopes", "raw", "random only", "four"]))
def test_no_neighbour_of_the_optimum_is_better(seed: int, name: str) -> None:
    source, m = small(seed, n_units=16, sd=0.5), model(name)
    fit = m.fit(source.data())
    assert fit.converged
    rows = dense(m, source.columns, source.unit, source.level2)
    rng = np.random.default_rng(seed)
    q = len(record_of(fit).components.tau)
    root = np.linalg.cholesky(record_of(fit).components.tau + 1e-12 * np.eye(q))
    for size in (1e-3, 1e-1, 0.5):
        moved = root + size * rng.normal(size=(q, q))
        assert rows.deviance(moved @ moved.T, fit.sigma2, True) > fit.deviance - 1e-7


def test_all_log_likelihoods_of_the_exact_log_rise(hsb) -> None:
    fit = Model("\n".join(LME4["model4_intercepts_slopes"]["equations"])).fit(hsb)
    logliks = [iteration.loglik for iteration in fit.log]
    assert np.all(np.diff(logliks) > -1e-8)
    assert fit.log[-1].number == fit.iterations <= 12


def test_moments_alone_give_the_same_fit() -> None:
    source, m = small(9), model("slopes")
    data = source.data()
    assert m.fit(prepare(m, data).design.moments).deviance == m.fit(data).deviance


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("y = b0 + b1*nothere + r\nb0 = g00 + u0\nb1 = g10", DataError, "nothere"),
        ("y = b0 + b1*x + r\nb0 = g00 + g01*x + u0\nb1 = g10", (DataError, EquationError), "level-1"),
        ("y = b0 + b1*d + b2*e + r\nb0 = g00 + u0\nb1 = g10\nb2 = g20", EstimationError, "collinear"),
        ("y = b0 + b1*w + r\nb0 = g00 + u0\nb1 = g10", DataError, "level-2 variable"),
    ],
)
def test_errors_name_what_is_wrong(text: str, error, words: str) -> None:
    with pytest.raises(error, match=words):
        Model(text).fit(small(1).data())


def test_errors_of_the_data_name_the_line_of_the_model() -> None:
    text = "y = b0 + b1*x + r\nb0 = g00 + g01*{} + u0\nb1 = g10"
    with pytest.raises(DataError, match=r"nowhere.*line 2"):
        Model(text.format("nowhere")).fit(small(1).data())
    with pytest.raises(DataError, match=r"line 2.*level-1 variable"):
        Model(text.format("x")).fit(small(1).data())
    with pytest.raises(DataError, match=r"line 1"):
        Model(text.format("w").replace("b1*x", "b1*xx")).fit(small(1).data())
    with pytest.raises(DataError, match=r"'yy'.*line 1"):
        Model(text.format("w").replace("y =", "yy =")).fit(small(1).data())


def test_options_that_do_not_exist_are_refused() -> None:
    with pytest.raises(EstimationError, match="REML or ML"):
        model("means").fit(small(1).data(), method="WLS")
    with pytest.raises(EstimationError, match="exact or hlm"):
        model("means").fit(small(1).data(), algorithm="em")
    for most in (0, -3):
        with pytest.raises(EstimationError, match="max_iterations must be a whole number of at least 1"):
            model("means").fit(small(1).data(), algorithm="hlm", max_iterations=most)


@pytest.mark.parametrize("value", [-1.797e308, 1e160])
@pytest.mark.parametrize("name", ["y", "x", "w"])
def test_values_too_large_to_be_squared_are_refused(name: str, value: float) -> None:
    rng = np.random.default_rng(0)
    unit = np.repeat(np.arange(8), 6)
    columns = {"y": rng.normal(size=48), "x": rng.normal(size=48), "w": rng.normal(size=8)[unit]}
    columns[name][unit == 3] = value
    with pytest.raises(DataError, match=f"^{name}: there are values too large to be squared"):
        Model("y = b0 + b1*x\nb0 = g00 + g01*w + u0\nb1 = g10").fit(read({"id": unit, **columns}))


def test_a_level2_variable_missing_in_moments_is_refused_with_its_units() -> None:
    moments = hlm.moments(small(1).data(), model=model("slopes"))
    moments = replace(moments, level2={"w": np.where(moments.level2["w"] > 0, moments.level2["w"], np.nan)})
    with pytest.raises(
        DataError, match=r"the level-2 variable w is missing in \d+ of \d+ units, .*: complete it"
    ):
        model("slopes").fit(moments)


def test_collinear_and_empty_columns_are_named_with_their_variables() -> None:
    unit = np.repeat(np.arange(8), 6)
    rng = np.random.default_rng(0)
    columns = {"id": unit, "y": rng.normal(size=48), "x": unit * 1.0, "w": unit * 2.0, "z": np.zeros(48)}
    text = "y = b0 + b1*x\nb0 = g00 + g01*w + u0\nb1 = g10"
    with pytest.raises(EstimationError, match=r"the fixed effects g01 \(w\), g10 \(x\) cannot be told apart"):
        Model(text).fit(read(columns))
    with pytest.raises(EstimationError, match=r"the column of g11 \(x x z\) is zero in every row"):
        Model("y = b0 + b1*x\nb0 = g00 + u0\nb1 = g10 + g11*z").fit(read(columns))


def test_designs_that_cannot_be_estimated_are_refused() -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(size=20)
    with pytest.raises(EstimationError, match="single row"):
        model("means").fit(read({"id": np.arange(20), "y": y}, id="id"))
    two = read({"id": np.repeat([1, 2], 10), "y": y, "x": rng.normal(size=20)}, id="id")
    with pytest.raises(EstimationError, match="2 units cannot carry 2 random"):
        Model("y = b0 + b1*x + r\nb0 = g00 + u0\nb1 = g10 + u1").fit(two)
    constant_inside = read({"id": np.repeat(np.arange(5), 4), "y": np.repeat(rng.normal(size=5), 4)}, id="id")
    with pytest.raises(EstimationError, match="level-1 variance is zero"):
        model("means").fit(constant_inside)
    with pytest.raises(DataError, match="constant"):
        model("means").fit(read({"id": np.repeat(np.arange(5), 4), "y": np.ones(20)}, id="id"))


def test_a_model_without_random_effects_is_a_regression() -> None:
    source = small(5)
    m = Model("y = b0 + b1*x + r\nb0 = g00\nb1 = g10")
    fit = m.fit(source.data())
    X = np.column_stack([np.ones(len(source.unit)), source.columns["x"]])
    gamma, rss, *_ = np.linalg.lstsq(X, source.columns["y"])
    np.testing.assert_allclose(fit.gamma, gamma, rtol=1e-10)
    assert fit.sigma2 == pytest.approx(rss[0] / (len(X) - 2))


def test_importing_the_package_stays_light() -> None:
    heavy = "{'pandas', 'pymc', 'arviz', 'matplotlib', 'scipy', 'numba'}"
    code = f"import sys, hlmbayes; print(sorted(set(sys.modules) & {heavy}))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


@pytest.mark.parametrize("method", ["REML", "ML"])
@pytest.mark.parametrize("name", ["model1_unconditional", "model4_intercepts_slopes"])
def test_information_criteria_are_those_of_lme4(hsb, name: str, method: str) -> None:
    case = LME4[name]
    fit = Model("\n".join(case["equations"])).fit(hsb, method=method)
    best = case[method]["lme4"]["best_of_optimisers"]
    assert fit.aic == pytest.approx(best["AIC"], abs=1e-6)
    assert fit.bic == pytest.approx(best["BIC"], abs=1e-6)


def test_a_data_frame_that_was_not_read_is_refused_in_words() -> None:
    import pandas as pd

    with pytest.raises(DataError, match="id="):
        model("means").fit(pd.DataFrame({"school": [1, 1, 2], "y": [1.0, 2.0, 3.0]}))
    with pytest.raises(DataError, match="cannot read a builtins"):
        model("means").fit(3)
