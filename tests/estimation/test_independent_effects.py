"""Independent random effects: tau diagonal, or in blocks, against lmer's || and dense matrices."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import hlmbayes as hlm
from hlmbayes import Model
from hlmbayes.data.two_level import TwoLevelData, read
from hlmbayes.equations.names import component_names
from hlmbayes.errors import EstimationError
from hlmbayes.estimation.prepare import prepare
from hlmbayes.faces import record_of
from hlmbayes.likelihood.pattern import mask
from tests.dense import dense
from tests.small import Small, model, small

ORACLES = Path(__file__).parents[1] / "oracles"
CASES: dict[str, Any] = json.loads((ORACLES / "diagonal.json").read_text(encoding="utf-8"))["cases"]
WITH_TESTS = [name for name, case in CASES.items() if "satterthwaite_df" in case["REML"]]


def data_of(case: dict[str, Any]) -> TwoLevelData:
    return hlm.datasets.hsb() if case["data"] == "hsb" else read(ORACLES / case["data"], id="id")


@pytest.mark.parametrize("method", ["REML", "ML"])
@pytest.mark.parametrize("name", list(CASES))
def test_optimum_is_lmers(name: str, method: str) -> None:
    case, expected = CASES[name], CASES[name][method]
    fit = Model("\n".join(case["equations"])).fit(data_of(case), method=method)
    assert fit.converged
    assert fit.deviance == pytest.approx(expected["deviance"], abs=1e-6)
    np.testing.assert_allclose(fit.gamma, expected["gamma"], rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(np.sqrt(np.diag(fit.vcov)), expected["se"], rtol=1e-5)
    np.testing.assert_allclose(fit.tau, expected["tau"], rtol=1e-4, atol=1e-5)  # bobyqa's digits
    assert fit.sigma2 == pytest.approx(expected["sigma2"], rel=1e-5)
    assert fit.aic == pytest.approx(expected["AIC"], abs=1e-6)
    tau, free = np.asarray(fit.tau), mask(record_of(fit).design.pattern)
    assert np.all(tau[~free] == 0.0)
    zero = np.flatnonzero(np.diag(expected["tau"]) < 1e-9)
    names = component_names(fit.model.coefficients)
    said = (
        f"the variance of {u} ({names[u]}) is estimated as zero" for u in np.array(fit.model.effects)[zero]
    )
    assert fit.boundary == tuple(said)
    assert np.all(np.diag(tau)[zero] == 0.0)


@pytest.mark.parametrize("name", WITH_TESTS)
def test_small_sample_tests_are_those_of_lmertest_and_clubsandwich(name: str) -> None:
    case, expected = CASES[name], CASES[name]["REML"]
    fit = Model("\n".join(case["equations"])).fit(data_of(case))
    np.testing.assert_allclose(
        fit.fixed_effects(df="satterthwaite")["df"], expected["satterthwaite_df"], rtol=1e-4
    )
    adjusted = fit.fixed_effects(df="kenward-roger")
    np.testing.assert_allclose(adjusted["df"], expected["kenward_roger_df"], rtol=1e-4)
    np.testing.assert_allclose(adjusted["se"], expected["kenward_roger_se"], rtol=1e-5)
    np.testing.assert_allclose(fit.fixed_effects(robust="CR2")["se"], expected["cr2_se"], rtol=1e-5)


TERMS = {"u0": "1", "u1": "x", "u2": "z"}
BLOCKS = [
    [["u0"], ["u1"], ["u2"]],
    [["u0", "u1"], ["u2"]],
    [["u0", "u2"], ["u1"]],
    [["u0"], ["u1", "u2"]],
]


def simulated(seed: int, sds: list[float], level: float) -> Small:
    source = small(seed, n_units=10)
    rng = np.random.default_rng(seed)
    u = rng.normal(size=(10, 3)) * sds
    columns = source.columns | {"x": source.columns["x"] + level}
    y = u[source.unit, 0] + u[source.unit, 1] * source.columns["x"] + u[source.unit, 2] * source.columns["z"]
    return Small(columns | {"y": y + rng.normal(size=len(y))}, source.unit, source.level2)


@settings(max_examples=8, derandomize=True)
@given(
    st.integers(1, 1000),
    st.lists(st.sampled_from([0.0, 0.3, 1.5]), min_size=3, max_size=3),
    st.sampled_from(BLOCKS),
    st.booleans(),
    st.sampled_from([0.0, 3.0]),
)
def test_no_dense_search_ends_lower(
    seed: int, sds: list[float], blocks: list[list[str]], reml: bool, level: float
) -> None:
    source = simulated(seed, sds, level)
    full = Model("y = b0 + b1*x + b2*z + r\nb0 = g00 + u0\nb1 = g10 + u1\nb2 = g20 + u2")
    m = Model.from_parts(full.outcome, full.coefficients, blocks=blocks)
    fit = m.fit(source.data(), method="REML" if reml else "ML")
    rows = dense(m, source.columns, source.unit, source.level2)
    here = rows.deviance(np.asarray(fit.tau), fit.sigma2, reml)
    assert fit.deviance == pytest.approx(here, rel=1e-10)
    assert fit.deviance < rows.optimum(reml)[0] + 1e-6
    assert full.fit(source.data(), method=fit.method).deviance < fit.deviance + 1e-7


@pytest.mark.parametrize("name", ["diagonal", "blocks"])
def test_standard_errors_of_tau_are_of_the_dense_information(name: str) -> None:
    source, m = small(21, n_units=18, sd=1.5), model(name)
    fit, rows = m.fit(source.data()), dense(m, source.columns, source.unit, source.level2)
    assert not fit.boundary
    same, p = np.equal.outer(rows.unit, rows.unit), rows.p_matrix(np.asarray(fit.tau), fit.sigma2, True)
    ds = [*(same * (rows.Z @ d @ rows.Z.T) for d in rows.directions), np.eye(len(p))]
    information = [[0.5 * np.trace(p @ a @ p @ b) for b in ds] for a in ds]
    expected = np.sqrt(np.diag(np.linalg.inv(information)))
    np.testing.assert_allclose(
        np.asarray(fit.se_tau)[np.nonzero(np.tril(rows.free))], expected[:-1], rtol=1e-6
    )
    assert np.all(np.isnan(np.asarray(fit.se_tau)[~rows.free]))
    assert fit.se_sigma2 == pytest.approx(expected[-1], rel=1e-6)


@pytest.mark.parametrize("method", ["REML", "ML"])
@pytest.mark.parametrize("name", ["diagonal", "blocks"])
def test_hlms_iterations_go_to_the_optimum_and_keep_the_zeros(name: str, method: str) -> None:
    m, data = model(name), small(21, n_units=18, sd=1.5).data()
    there, path = (
        m.fit(data, method=method, algorithm=a, max_iterations=5000, stopval=1e-12) for a in ("exact", "hlm")
    )
    np.testing.assert_allclose(path.tau, there.tau, rtol=1e-4)
    free = mask(record_of(path).design.pattern)
    for step in path.log:
        assert np.all(step.tau[~free] == 0.0)
    assert np.all(record_of(path).start.tau[~free] == 0.0)
    assert (
        path.n_parameters
        == there.n_parameters
        == free[np.tril_indices(len(free))].sum()
        + 1
        + (record_of(path).design.n_fixed if method == "ML" else 0)
    )


@pytest.mark.parametrize("shift", [0.0, 40.0])
def test_columns_that_hardly_differ_cost_no_digits(shift: float) -> None:
    """Diagonal tau depends on the zero of x: with a large level u0 and u1 are of nearly the same column."""
    source = simulated(3, [1.0, 0.4, 0.0], shift)
    m = Model("y = b0 + b1*x + r\nb0 = g00 + u0\nb1 = g10 + u1\ncov(u0, u1) = 0")
    fit, rows = m.fit(source.data()), dense(m, source.columns, source.unit, source.level2)
    assert fit.deviance == pytest.approx(rows.deviance(np.asarray(fit.tau), fit.sigma2, True), rel=1e-10)
    assert fit.deviance < rows.optimum(True)[0] + 1e-6


@settings(max_examples=15, derandomize=True)
@given(st.integers(1, 500), st.sampled_from([1e-4, 1.0, 1e5]), st.sampled_from([1e-3, 1e3]))
def test_units_of_measurement_do_not_matter(seed: int, of_x: float, of_y: float) -> None:
    source = simulated(seed, [1.0, 0.5, 0.5], 0.0)
    m = Model("y = b0 + b1*x + b2*z + r\nb0 = g00 + u0\nb1 = g10 + u1\nb2 = g20 + u2\ncov(u0, u1, u2) = 0")
    scaled = {"x": of_x * source.columns["x"], "y": of_y * source.columns["y"]}
    try:
        fit = m.fit(source.data())
    except EstimationError:
        assume(False)
    other = m.fit(Small(source.columns | scaled, source.unit, source.level2).data())
    scale = of_y / np.array([1.0, of_x, 1.0])
    np.testing.assert_allclose(other.tau, np.outer(scale, scale) * fit.tau, rtol=1e-5, atol=1e-10 * of_y**2)
    assert other.boundary == fit.boundary


def test_a_tau_large_beside_sigma2_is_found() -> None:
    source = simulated(5, [1e4, 3e3, 1.0], 0.0)
    m = Model("y = b0 + b1*x + b2*z + r\nb0 = g00 + u0\nb1 = g10 + u1\nb2 = g20 + u2\ncov(u0, u1, u2) = 0")
    fit = m.fit(source.data())
    assert fit.converged
    rows = dense(m, source.columns, source.unit, source.level2)
    here, best = np.asarray(fit.tau), rows.deviance(np.asarray(fit.tau), fit.sigma2, True)
    for k in range(3):
        for factor in (0.9, 1.1):
            moved = here.copy()
            moved[k, k] *= factor
            assert rows.deviance(moved, fit.sigma2, True) > best


def test_one_block_is_the_full_tau() -> None:
    full = model("slopes")
    same = Model.from_parts(full.outcome, full.coefficients, blocks=[["u1", "u0"]])
    assert same == full
    assert prepare(same, small(3).data()).design.pattern.full
