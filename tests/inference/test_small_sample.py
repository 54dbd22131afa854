"""Satterthwaite and Kenward-Roger: lmerTest's and pbkrtest's numbers, dense matrices for every model."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import optimize

from hlmbayes import Fit, Model, datasets
from hlmbayes.data.two_level import TwoLevelData, read
from hlmbayes.errors import HypothesisError
from hlmbayes.faces import record_of
from hlmbayes.inference.covariances import KenwardRoger
from hlmbayes.inference.small_sample import (
    _inverse_information,
    kenward_roger,
    kenward_roger_df,
    satterthwaite_df,
    variance_parameters,
)
from tests.dense import Dense, dense
from tests.small import MODELS, model, small

ORACLES = Path(__file__).parents[1] / "oracles"
CASES: dict[str, Any] = json.loads((ORACLES / "lmertest.json").read_text(encoding="utf-8"))["cases"]


def case_data(name: str) -> TwoLevelData:
    """The rows of an oracle's case: the small file, HSB, or HSB's first 20 schools."""
    if name == "small":
        table = np.genfromtxt(ORACLES / "data" / "small.csv", delimiter=",", names=True)
        return read({column: table[column] for column in table.dtype.names}, id="id")
    data = datasets.hsb()
    if not name.startswith("first20"):
        return data
    rows = data.unit < 20
    level1 = {k: v[rows] for k, v in data.level1.items() if k.lower() != "id"}
    level2 = {k: v[:20] for k, v in data.level2.items() if k.lower() != "id"}
    ids = data.unit_ids[:20]
    return read({"id": ids[data.unit[rows]], **level1}, {"id": ids, **level2}, id="id")


@pytest.fixture(scope="module", params=list(CASES))
def case(request: pytest.FixtureRequest) -> tuple[dict[str, Any], Fit]:
    oracle = CASES[request.param]
    return oracle, Model("\n".join(oracle["equations"])).fit(case_data(request.param))


def test_satterthwaite_equals_lmertest(case: tuple[dict[str, Any], Fit]) -> None:
    oracle, fit = case
    table = fit.fixed_effects(df="satterthwaite")
    if oracle["satterthwaite"]:
        expected, rtol = oracle["satterthwaite"], 1e-7
    else:  # singular tau: lmerTest's own, whose Hessian is numerical
        printed = oracle["R"]["satterthwaite"]
        expected = {k: [row[c] for row in printed] for k, c in (("df", "df"), ("p", "Pr(>|t|)"))}
        rtol = 1e-6
    np.testing.assert_allclose(table["df"], expected["df"], rtol=rtol)
    np.testing.assert_allclose(table["p_value"], expected["p"], rtol=1e3 * rtol, atol=1e-12)
    for name, contrast in oracle["contrasts"].items():
        test = fit.wald(np.array(contrast), df="satterthwaite")
        (printed,) = oracle["R"]["satterthwaite_multi"][name]
        assert test.df_denominator == pytest.approx(printed["DenDF"], rel=2e-6)
        assert test.f_ratio == pytest.approx(printed["F value"], rel=1e-6)


def test_kenward_roger_equals_pbkrtest(case: tuple[dict[str, Any], Fit]) -> None:
    oracle, fit = case
    table, expected = fit.fixed_effects(df="kenward-roger"), oracle["kenward_roger"]
    for column, key in (("df", "df"), ("se", "se"), ("t_ratio", "t")):
        np.testing.assert_allclose(table[column], expected[key], rtol=1e-8)
    np.testing.assert_allclose(KenwardRoger().matrix(record_of(fit)), expected["vcov"], rtol=1e-6, atol=1e-10)
    for name, contrast in oracle["contrasts"].items():
        test, printed = fit.wald(np.array(contrast), df="kenward-roger"), oracle["kenward_roger_multi"][name]
        assert test.df_denominator == pytest.approx(printed["ddf"], rel=1e-8)
        assert test.f_ratio == pytest.approx(printed["F"], rel=1e-8)
        assert test.p_value == pytest.approx(printed["p"], rel=1e-6)


# --- every kind of model, by dense matrices ---


def derivative_matrices(rows: Dense) -> list[np.ndarray]:
    """dV / d(free elements of tau by rows, sigma2)."""
    same = np.equal.outer(rows.unit, rows.unit)
    return [*(same * (rows.Z @ d @ rows.Z.T) for d in rows.directions), np.eye(len(rows.y))]


def dense_kenward_roger(rows: Dense, fit: Fit) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Phi_A, W, P_k from n x n matrices (Kenward & Roger 1997)."""
    v = rows.v(record_of(fit).components.tau, fit.sigma2)
    vi, p = np.linalg.inv(v), rows.p_matrix(record_of(fit).components.tau, fit.sigma2, True)
    ds = derivative_matrices(rows)
    w = np.linalg.inv([[0.5 * np.trace(p @ a @ p @ b) for b in ds] for a in ds])
    phi = np.linalg.inv(rows.X.T @ vi @ rows.X)
    ps = [rows.X.T @ vi @ d @ vi @ rows.X for d in ds]
    u = sum(
        w[k, m] * (rows.X.T @ vi @ a @ vi @ b @ vi @ rows.X - ps[k] @ phi @ ps[m])
        for k, a in enumerate(ds)
        for m, b in enumerate(ds)
    )
    return phi + 2.0 * phi @ u @ phi, w, np.array(ps)


@pytest.mark.parametrize("name", list(MODELS))
def test_kenward_roger_equals_dense(name: str) -> None:
    source, m = small(21, n_units=18, sd=1.5), model(name)
    fit = m.fit(source.data())
    rows = dense(m, source.columns, source.unit, source.level2)
    if name == "four":  # many variances, few units: a singular tau, on which W is ill conditioned
        assert fit.boundary
    adjusted, w, ps = dense_kenward_roger(rows, fit)
    parts = kenward_roger(record_of(fit))
    np.testing.assert_allclose(KenwardRoger().matrix(record_of(fit)), adjusted, rtol=1e-5, atol=1e-8)
    # W and P are in standardised directions: what they make together is not
    inverse = np.linalg.inv(parts.to_gamma)
    p = inverse.T @ parts.p @ inverse
    np.testing.assert_allclose(
        np.einsum("kl,kfg,lhi->fghi", parts.w, p, p),
        np.einsum("kl,kfg,lhi->fghi", w, ps, ps),
        rtol=1e-5,
        atol=1e-6 * np.abs(ps).max() ** 2 * np.abs(w).max(),
    )


@pytest.mark.parametrize("method", ["REML", "ML"])
@pytest.mark.parametrize("name", ["means", "slopes", "random only", "no intercept", "constrained", "raw"])
def test_satterthwaite_equals_finite_differences_on_dense_matrices(name: str, method: str) -> None:
    source, m = small(23, n_units=40, sd=2.0), model(name)
    fit = m.fit(source.data(), method=method)
    assert not fit.boundary
    rows = dense(m, source.columns, source.unit, source.level2)
    q = rows.Z.shape[1]
    low = np.tril_indices(q)

    def unpack(x: np.ndarray) -> tuple[np.ndarray, float]:
        tau = np.zeros((q, q))
        tau[low] = tau.T[low] = x[:-1]
        return tau, float(x[-1])

    x = np.append(record_of(fit).components.tau[low], fit.sigma2)
    step = 2e-3 * np.sqrt(
        np.append(np.outer(*(2 * [np.diag(record_of(fit).components.tau)]))[low] ** 0.5, fit.sigma2) ** 2
    )

    def dev(x: np.ndarray) -> float:
        return rows.deviance(*unpack(x), method == "REML")

    hessian = np.zeros((len(x), len(x)))
    eye = np.diag(step)
    for a in range(len(x)):
        for b in range(a + 1):
            corners = [dev(x + s * eye[a] + t * eye[b]) * s * t for s in (1, -1) for t in (1, -1)]
            hessian[a, b] = hessian[b, a] = sum(corners) / (4 * step[a] * step[b])
    covariance = 2.0 * np.linalg.inv(hessian)
    for row in np.eye(record_of(fit).design.n_fixed)[[0, -1]]:

        def variance(x: np.ndarray, row: np.ndarray = row) -> float:
            return float(row @ np.linalg.solve(rows.gls(*unpack(x))[1], row))

        g = optimize.approx_fprime(x, variance, 1e-5 * step)
        expected = 2.0 * variance(x) ** 2 / (g @ covariance @ g)
        assert satterthwaite_df(record_of(fit), row[None]) == pytest.approx(expected, rel=2e-3)


def test_without_random_effects_the_degrees_of_freedom_are_those_of_regression() -> None:
    source = small(23)
    fit = Model("y = b0 + b1*x + r\nb0 = g00 + g01*w\nb1 = g10").fit(source.data())
    for df in ("satterthwaite", "kenward-roger"):
        np.testing.assert_allclose(fit.fixed_effects(df=df)["df"], fit.n_rows - 3, rtol=1e-8)
        test = fit.wald({"g01": [1, 0], "g10": [0, 1]}, df=df)
        assert test.df_denominator == pytest.approx(fit.n_rows - 3, rel=1e-8)
        assert test.f_ratio == pytest.approx(test.chi2 / 2, rel=1e-8)


def balanced(n_units: int = 10, n: int = 6, seed: int = 4, sd: float = 2.0) -> TwoLevelData:
    rng = np.random.default_rng(seed)
    unit = np.repeat(np.arange(n_units), n)
    w = np.arange(n_units) % 2
    x = np.tile(np.linspace(-1, 1, n), n_units)
    y = 3 + w[unit] + sd * rng.normal(size=n_units)[unit] + 0.5 * x + rng.normal(size=len(unit))
    return read({"id": unit, "y": y, "x": x}, {"id": np.arange(n_units), "w": w.astype(float)}, id="id")


def test_balanced_data_have_the_degrees_of_freedom_of_the_analysis_of_variance() -> None:
    fit = Model("y = b0 + b1*x + r\nb0 = g00 + g01*w + u0\nb1 = g10").fit(balanced())
    for df in ("satterthwaite", "kenward-roger"):
        table = fit.fixed_effects(df=df)
        assert table["df"]["g01"] == pytest.approx(8.0, rel=1e-8)
        assert table["df"]["g10"] == pytest.approx(10 * 6 - 10 - 1, rel=1e-8)


def test_on_the_boundary_the_null_directions_are_left_out() -> None:
    # tau = 0 at the optimum: what remains is sigma2, and the regression's degrees of freedom
    fit = Model("y = b0 + r\nb0 = g00 + g01*w + u0").fit(balanced(seed=11, sd=0.0))
    assert fit.boundary
    directions, covariance = variance_parameters(record_of(fit))
    assert len(directions) == 0
    assert covariance.shape == (1, 1)
    np.testing.assert_allclose(fit.fixed_effects(df="satterthwaite")["df"], 58.0, rtol=1e-8)


@pytest.mark.parametrize(
    "name", ["singular_corr_plus1", "singular_three_rank1", "singular_three_rank2", "singular_slope_zero"]
)
def test_singular_fits_have_finite_degrees_of_freedom(name: str) -> None:
    table = np.genfromtxt(ORACLES / "data" / f"{name}.csv", delimiter=",", names=True)
    columns = [c for c in table.dtype.names if c.startswith("x")] or [
        c for c in table.dtype.names if c not in ("id", "y")
    ]
    slopes = columns[:2] if "three" in name else columns[:1]
    text = "y = b0 + " + " + ".join(f"b{k}*{c}" for k, c in enumerate(slopes, 1)) + " + r\nb0 = g00 + u0\n"
    text += "\n".join(f"b{k} = g{k}0 + u{k}" for k in range(1, len(slopes) + 1))
    fit = Model(text).fit(read({c: table[c] for c in table.dtype.names}, id="id"))
    assert fit.boundary
    for df in ("satterthwaite", "kenward-roger"):
        found = fit.fixed_effects(df=df)
        assert np.all(np.isfinite(found.drop(columns="name").to_numpy()))
        assert found["df"].between(1, fit.n_rows).all()


def test_degrees_of_freedom_do_not_depend_on_the_units_of_the_data() -> None:
    source, m = small(25, n_units=20, sd=1.5), model("slopes")
    fit = m.fit(source.data())
    scaled = small(25, n_units=20, sd=1.5)
    scaled.columns["y"] = 1e6 + 1e3 * scaled.columns["y"]
    scaled.columns["x"] = 1e-3 * scaled.columns["x"]
    other = m.fit(scaled.data())
    for df in ("satterthwaite", "kenward-roger"):
        np.testing.assert_allclose(
            other.fixed_effects(df=df)["df"].iloc[1:], fit.fixed_effects(df=df)["df"].iloc[1:], rtol=1e-5
        )


def test_a_scaling_with_infinite_degrees_of_freedom_is_a_chi_square() -> None:
    fit = model("slopes").fit(small(26, n_units=20, sd=1.5).data())
    parts = kenward_roger(record_of(fit))
    certain = replace(parts, w=1e-20 * parts.w)
    scaling, df = kenward_roger_df(certain, np.eye(4)[:2])
    assert scaling == pytest.approx(1.0)
    assert df > 1e12


def test_off_the_optimum_satterthwaite_says_so_or_works() -> None:
    fit = model("slopes").fit(small(27, n_units=30, sd=1.5).data(), algorithm="hlm")
    assert np.all(fit.fixed_effects(df="satterthwaite")["df"] > 1)


@pytest.mark.parametrize("n_null", [0, 1])
def test_a_likelihood_that_is_not_curved_is_said(n_null: int) -> None:
    information = np.diag([2.0, 1e-14, 0.0][: 2 + n_null])
    if not n_null:
        information[1, 1] = -1.0
    with pytest.raises(HypothesisError, match="curved downwards"):
        _inverse_information(information, n_null)


@pytest.mark.parametrize("n_units", [3, 4, 5, 6, 12])
def test_in_balanced_data_kenward_roger_has_the_d_f_of_the_analysis_of_variance(n_units: int) -> None:
    # the mean of J unit means has J - 1 d.f.; with few units the general formula passes through infinity
    rng = np.random.default_rng(n_units)
    unit = np.repeat(np.arange(n_units), 8)
    y = 3 * rng.normal(size=n_units)[unit] + rng.normal(size=len(unit))
    fit = Model("y = b0 + r\nb0 = g00 + u0").fit(read({"id": unit, "y": y}, id="id"))
    table = fit.fixed_effects(df="kenward-roger")
    assert table["df"]["g00"] == pytest.approx(n_units - 1, rel=1e-7)
    assert table["se"]["g00"] == pytest.approx(np.bincount(unit, y).std(ddof=1) / 8 / n_units**0.5, rel=1e-7)


def test_kenward_roger_says_where_there_are_too_few_units_for_several_rows() -> None:
    rng = np.random.default_rng(2)
    unit = np.repeat(np.arange(3), 10)
    x = rng.normal(size=30)
    u = 4 * rng.normal(size=(3, 2))
    y = u[unit, 0] + u[unit, 1] * x + rng.normal(size=30)
    fit = Model("y = b0 + b1*x + r\nb0 = g00 + u0\nb1 = g10 + u1").fit(
        read({"id": unit, "y": y, "x": x}, id="id")
    )
    with pytest.raises(HypothesisError, match="too few units for so many rows"):
        fit.wald({"g00": [1, 0], "g10": [0, 1]}, df="kenward-roger")
