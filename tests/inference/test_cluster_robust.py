"""CR1 and CR2: clubSandwich's numbers, and the n_j x n_j matrices of the definition."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import linalg

from hlmbayes import Fit, Model
from hlmbayes.data.two_level import read
from hlmbayes.errors import HypothesisError
from hlmbayes.faces import record_of
from hlmbayes.inference.cluster_robust import cr2, hotelling_df
from hlmbayes.inference.covariances import CR2
from tests.dense import Dense, dense
from tests.inference.test_small_sample import ORACLES, case_data
from tests.small import MODELS, OWN, model, own_unit, small

CASES: dict[str, Any] = json.loads((Path(ORACLES) / "clubsandwich.json").read_text(encoding="utf-8"))["cases"]
ALONE: dict[str, Any] = json.loads((Path(ORACLES) / "own_unit.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", list(CASES))
def test_cr_equals_clubsandwich(name: str) -> None:
    oracle = CASES[name]
    fit = Model("\n".join(oracle["equations"])).fit(case_data(name))
    table, expected = fit.fixed_effects("CR2"), oracle["CR2"]
    for column, key in (("se", "se"), ("df", "df"), ("t_ratio", "t"), ("p_value", "p")):
        np.testing.assert_allclose(table[column], expected[key], rtol=1e-6)
    np.testing.assert_allclose(CR2().matrix(record_of(fit)), expected["vcov"], rtol=1e-6, atol=1e-10)
    np.testing.assert_allclose(fit.fixed_effects(True)["se"], oracle["CR0"]["se"], rtol=1e-7)
    np.testing.assert_allclose(fit.fixed_effects("CR1")["se"], oracle["CR1"]["se"], rtol=1e-7)
    for key, contrast in oracle["contrasts"].items():
        test = fit.wald(np.array(contrast), robust="CR2", df="satterthwaite")
        (printed,) = expected["wald_clubSandwich"][key]["HTZ"]
        assert test.f_ratio == pytest.approx(printed["Fstat"], rel=1e-6)
        assert test.df_denominator == pytest.approx(printed["df_denom"], rel=1e-6)
        assert test.p_value == pytest.approx(printed["p_val"], rel=1e-4)
        for kind in ("CR0", "CR1"):
            (printed,) = oracle[kind]["wald_clubSandwich"][key]["chi_sq"]
            chi2 = fit.wald(np.array(contrast), robust=kind).chi2
            assert chi2 == pytest.approx(printed["Fstat"] * len(contrast), rel=1e-6)


def power(a: np.ndarray) -> np.ndarray:
    """Symmetric pseudo-inverse square root."""
    values, vectors = linalg.eigh(a)
    keep = values > 1e-9 * values[-1]
    return (vectors[:, keep] / np.sqrt(values[keep])) @ vectors[:, keep].T


def dense_cr2(rows: Dense, fit: Fit) -> tuple[np.ndarray, list[np.ndarray], np.ndarray, np.ndarray]:
    """CR2 covariance, A_j V_j^-1 X_j, (I - H) Var (I - H)', M from the definition."""
    v = rows.v(record_of(fit).components.tau, fit.sigma2)
    vi = np.linalg.inv(v)
    m = np.linalg.inv(rows.X.T @ vi @ rows.X)
    residual = rows.y - rows.X @ (m @ rows.X.T @ vi @ rows.y)
    hat = np.eye(len(v)) - rows.X @ m @ rows.X.T @ vi
    covariance = hat @ v @ hat.T
    meat, loads = np.zeros_like(m), []
    for j in range(rows.n_units):
        at = rows.unit == j
        d = linalg.cholesky(v[np.ix_(at, at)])
        adjustment = d.T @ power(d @ covariance[np.ix_(at, at)] @ d.T) @ d
        load = adjustment @ np.linalg.solve(v[np.ix_(at, at)], rows.X[at])
        score = load.T @ residual[at]
        meat += np.outer(score, score)
        loads.append(load)
    return m @ meat @ m, loads, covariance, m


@pytest.mark.parametrize("name", list(MODELS))
def test_cr2_equals_its_definition(name: str) -> None:
    source, m = small(31, n_units=17, sd=1.3), model(name)
    fit = m.fit(source.data())
    rows = dense(m, source.columns, source.unit, source.level2)
    expected, loads, covariance, bread = dense_cr2(rows, fit)
    parts = cr2(record_of(fit))
    np.testing.assert_allclose(CR2().matrix(record_of(fit)), expected, rtol=1e-6, atol=1e-9)
    assert cr2(record_of(fit)) is parts
    for f in range(len(bread)):
        g = np.zeros((len(rows.y), rows.n_units))
        for j in range(rows.n_units):
            g[rows.unit == j, j] = loads[j] @ bread[:, f]
        c = g.T @ covariance @ g
        df = np.trace(c) ** 2 / np.sum(c**2)
        assert hotelling_df(parts, np.eye(len(bread))[[f]]) == pytest.approx(df, rel=1e-6)


def test_hotelling_df_equals_brute_force_and_ignores_the_choice_of_rows() -> None:
    source, m = small(32, n_units=14, sd=1.3), model("slopes")
    fit = m.fit(source.data())
    rows = dense(m, source.columns, source.unit, source.level2)
    _, loads, covariance, bread = dense_cr2(rows, fit)
    contrast = np.eye(4)[[1, 3]]
    g = np.zeros((2, len(rows.y), rows.n_units))
    for j in range(rows.n_units):
        g[:, rows.unit == j, j] = (loads[j] @ bread @ contrast.T).T
    mean = np.einsum("snj,nm,tmj->st", g, covariance, g)
    g = np.einsum("rs,snj->rnj", power(mean), g)
    c = np.einsum("snj,nm,tmi->stji", g, covariance, g)
    total = sum(
        np.sum(c[s, s] * c[t, t]) + np.sum(c[s, t] * c[t, s].T.T)
        if s == t
        else np.sum(c[s, s] * c[t, t]) + np.sum(c[s, t] * c[s, t].T)
        for s in range(2)
        for t in range(2)
    )
    assert hotelling_df(cr2(record_of(fit)), contrast) == pytest.approx(6.0 / total, rel=1e-6)
    turned = np.array([[2.0, 1.0], [-1.0, 3.0]]) @ contrast
    assert hotelling_df(cr2(record_of(fit)), turned) == pytest.approx(6.0 / total, rel=1e-6)


def test_balanced_intercept_has_cr2_of_the_unit_means() -> None:
    # with equal units CR2 of the mean is the variance of the unit means over J, on J - 1 d.f.
    rng = np.random.default_rng(3)
    unit = np.repeat(np.arange(9), 5)
    y = rng.normal(size=9)[unit] * 2 + rng.normal(size=45)
    fit = Model("y = b0 + r\nb0 = g00 + u0").fit(read({"id": unit, "y": y}, id="id"))
    table = fit.fixed_effects("CR2")
    means = y.reshape(9, 5).mean(axis=1)
    assert table["se"]["g00"] == pytest.approx(means.std(ddof=1) / 3.0, rel=1e-9)
    assert table["df"]["g00"] == pytest.approx(8.0, rel=1e-9)


def test_too_few_units_for_many_rows_is_said() -> None:
    fit = Model("y = b0 + b1*x + r\nb0 = g00 + g01*w + u0\nb1 = g10").fit(small(1, n_units=3).data())
    with pytest.raises(HypothesisError, match="too few units for a CR2 test of 3 rows"):
        fit.wald(np.eye(3), robust="CR2", df="satterthwaite")


@pytest.mark.parametrize("case", ALONE["cases"].values())
def test_a_unit_with_effects_of_its_own_has_the_cr2_of_its_definition_and_of_clubsandwich(case: Any) -> None:
    unit = np.array(case["unit"])
    level2 = {"id": np.unique(unit), "own": (np.unique(unit) == 0).astype(float)}
    fit = Model(";".join(ALONE["equations"])).fit(
        read({"id": unit, "x": case["x"], "y": case["y"]}, level2, id="id")
    )
    table, printed = fit.fixed_effects("CR2"), case["CR2"]["clubSandwich"]
    np.testing.assert_allclose(table["se"], case["CR2"]["dense"]["se"], rtol=1e-7)
    np.testing.assert_allclose(table["df"], case["CR2"]["dense"]["df"], rtol=1e-6)
    np.testing.assert_allclose(table["se"], printed["se"], rtol=1e-7)
    # the unit gives nothing, so g01 is as well known as g00. In 2 of the 12 sets clubSandwich takes rounding
    # in the unit for a variance (it judges zero on an absolute scale): its d.f. of g01, g11 are then below 2
    np.testing.assert_allclose(table["df"][["g00", "g10"]], np.array(printed["df"])[[0, 2]], rtol=1e-6)
    np.testing.assert_allclose(table["df"][["g01", "g11"]], table["df"][["g00", "g10"]], rtol=1e-6)
    (contrast,) = ALONE["contrasts"].values()
    test = fit.wald(np.array(contrast), robust="CR2", df="satterthwaite")
    assert test.f_ratio == pytest.approx(printed["HTZ"]["Fstat"], rel=1e-6)
    assert test.df_denominator == pytest.approx(printed["HTZ"]["df_denom"], rel=1e-6)


@pytest.mark.parametrize("n_own", [2, 3, 6])
def test_cr2_of_a_unit_of_its_own_does_not_depend_on_the_units_of_the_data(n_own: int) -> None:
    for seed in range(8):
        table = Model(OWN).fit(own_unit(seed, n_own)).fixed_effects("CR2")
        assert table["df"].between(1.0, 9.0).all()
        for scale, x_scale in ((1e9, 1e-6), (1e-9, 1e6)):
            other = Model(OWN).fit(own_unit(seed, n_own, scale, x_scale)).fixed_effects("CR2")
            np.testing.assert_allclose(other["df"], table["df"], rtol=1e-5)
            np.testing.assert_allclose(other["t_ratio"], table["t_ratio"], rtol=1e-5)


@pytest.mark.parametrize("rest", [1e-2, 1e-4, 1e-5, 3e-6])
@pytest.mark.parametrize("rows", [[[0.0, 1.0, 0, 0]], [[0, 1, 0, 0], [0, 0, 0, 1]]])
def test_a_unit_that_nearly_determines_a_combination_leaves_its_digits(rest: float, rows: list) -> None:
    """Pairs of units, all written out in extended precision, from the same arrays."""
    rng = np.random.default_rng(3)
    unit = np.repeat(np.arange(12), rng.integers(3, 7, 12))
    nearly = (np.arange(12) == 0) + rest * rng.normal(size=12)
    x, y = rng.normal(size=(2, len(unit)))
    data = read({"id": unit, "x": x, "y": y + rng.normal(size=12)[unit], "w": nearly[unit]})
    fit = Model("y = b0 + b1*x + r; b0 = g00 + g01*w + u0; b1 = g10 + g11*w").fit(data)
    parts, contrast = cr2(record_of(fit)), np.array(rows)
    b = (parts.loads @ parts.vcov @ (contrast @ parts.to_gamma).T).astype(np.longdouble)
    a = parts.x.transpose(0, 2, 1).astype(np.longdouble) @ b
    c = -np.einsum("ifs,fg,jgt->ijst", a, parts.vcov.astype(np.longdouble), a)
    c[np.arange(12), np.arange(12)] += b.transpose(0, 2, 1) @ parts.v.astype(np.longdouble) @ b
    mean = np.asarray(np.einsum("iist->st", c), dtype=float)
    values, vectors = np.linalg.eigh(mean / np.sqrt(np.outer(mean.diagonal(), mean.diagonal())))
    turn = (vectors / np.sqrt(values) @ vectors.T) / np.sqrt(mean.diagonal())[:, None]
    c = np.einsum("sp,ijst,tq->ijpq", turn, c, turn)
    total = np.einsum("ijss->ij", c) ** 2 + np.einsum("ijst,ijts->ij", c, c)
    k = len(rows)
    df = hotelling_df(parts, contrast)
    assert df == pytest.approx(float(k * (k + 1) / total.sum()), rel=1e-4)
    assert df >= 1
