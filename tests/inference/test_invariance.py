"""Where a predictor has its zero changes no result that does not speak of that zero."""

from __future__ import annotations

import numpy as np
import pytest

import hlmbayes as hlm
from hlmbayes import Fit
from hlmbayes.diagnostics.predictions import predict
from hlmbayes.faces import record_of
from hlmbayes.inference.least_squares import least_squares

RNG = np.random.default_rng(0)
J, N = 20, 8
UNIT, T = np.repeat(np.arange(J), N), np.tile(np.arange(N), J)
X, W = RNG.normal(size=J * N), RNG.normal(size=J)
Y = 1 + 0.5 * X + W[UNIT] + RNG.normal(size=J)[UNIT] + RNG.normal(size=J * N)
Y += 0.4 * RNG.normal(size=J)[UNIT] * X + 0.3 * RNG.normal(size=J)[UNIT] * (T - 3)
SLOPE = "y = b0 + b1*x + r\nb0 = g00 + g01*w + u0\nb1 = g10 + g11*w + u1"
YEAR = "y = b0 + b1*t + b2*t2 + r\nb0 = g00 + g01*w + u0\nb1 = g10 + u1\nb2 = g20"


def made(equations: str, x: float = 0.0, w: float = 0.0, t: float = 0.0, **options: object) -> Fit:
    rows = {"id": UNIT, "y": Y, "x": X + x, "t": T + t, "t2": (T + t) ** 2, "p": 1.0 + UNIT % 3}
    data = hlm.read(rows, {"id": np.arange(J), "w": W + w, "k": 1.0 + np.arange(J) % 2}, id="id")
    return hlm.Model(equations).fit(data, **options)


def results(fit: Fit, effect: str, k: int) -> dict[str, float]:
    """What does not speak of the predictors' zero: the slope's own errors, d.f., variance and tests."""
    found = {"deviance": fit.deviance, "se_tau": fit.se_tau[k, k], "se_sigma2": fit.se_sigma2}
    for name, options in {
        "model": {}, "CR0": {"robust": True}, "CR1": {"robust": "CR1"}, "CR2": {"robust": "CR2"},
        "satterthwaite": {"df": "satterthwaite"}, "KR": {"df": "kenward-roger"},
    }.items():  # fmt: skip
        row = fit.fixed_effects(**options).loc[effect]
        found |= {f"{name} se": row["se"], f"{name} df": row["df"]}
    found["cook"] = fit.influence()["cook"].max()
    found["mdist"] = fit.residuals(2)["mdist"].max()
    found["homogeneity"] = fit.homogeneity().chi2
    found["reliability"] = np.asarray(fit.reliability())[k]
    return found


@pytest.mark.parametrize(
    ("equations", "effect", "k", "shift"),
    [
        (SLOPE, "g11", 1, {"x": 2000.0}),
        (SLOPE, "g11", 1, {"x": -1e5}),
        (SLOPE, "g10", 1, {"x": 1e4}),
        (SLOPE, "g11", 1, {"w": 1e6}),
        (SLOPE, "g11", 1, {"x": 300.0, "w": 300.0}),
        (YEAR, "g20", 0, {"t": 500.0}),
        (YEAR, "g20", 0, {"t": 2000.0}),
    ],
)
def test_a_predictors_zero_costs_no_digits(equations: str, effect: str, k: int, shift: dict) -> None:
    here, there = (results(made(equations, **at), effect, k) for at in ({}, shift))
    if equations == YEAR:  # tau of the intercept is that at the predictor's zero
        for name in ("se_tau", "reliability"):
            del here[name], there[name]
    assert there == pytest.approx(here, rel=2e-6)


@pytest.mark.parametrize("shift", [{"x": 1e4}, {"w": 1e5}])
def test_nor_with_sampling_weights(shift: dict) -> None:
    weights = hlm.Weights("p", "k")
    here, there = (made(SLOPE, **at, weights=weights) for at in ({}, shift))
    assert there.se_tau[1, 1] == pytest.approx(here.se_tau[1, 1], rel=1e-6)
    assert there.se_sigma2 == pytest.approx(here.se_sigma2, rel=1e-6)
    assert there.fixed_effects()["se"]["g11"] == pytest.approx(here.fixed_effects()["se"]["g11"], rel=1e-6)


def test_centring_by_hand_is_centring_by_the_model() -> None:
    raw, grand = made(YEAR, t=2000.0), made(YEAR.replace("b1*t ", "b1*grand(t) "), t=2000.0)
    for options in ({"robust": "CR2"}, {"df": "kenward-roger"}):
        ours, theirs = (f.fixed_effects(**options).loc["g20"] for f in (raw, grand))
        assert ours["se"] == pytest.approx(theirs["se"], rel=1e-7)
        assert ours["df"] == pytest.approx(theirs["df"], rel=1e-6)


@pytest.mark.parametrize("shift", [{"x": 2000.0}, {"w": 1e5}])
def test_simulated_data_are_the_same(shift: dict) -> None:
    here, there = (made(SLOPE, **at).bootstrap(20, seed=1) for at in ({}, shift))
    g11 = list(here.model.gamma_names).index("g11")
    np.testing.assert_allclose(there.gamma[:, g11], here.gamma[:, g11], rtol=1e-5)
    np.testing.assert_allclose(there.tau[:, 1, 1], here.tau[:, 1, 1], rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(there.sigma2, here.sigma2, rtol=1e-7)


@pytest.mark.parametrize("robust", [False, True])
def test_prediction_bands_are_the_same(robust: bool) -> None:
    widths = [
        line.high - line.low for at in (0.0, 2000.0) for line in predict(made(YEAR, t=at), "w", robust=robust)
    ]
    np.testing.assert_allclose(widths[1], widths[0], rtol=1e-7)


@pytest.mark.parametrize("shift", [{"x": 2000.0}, {"x": 300.0, "w": 300.0}])
def test_nor_where_the_level1_variance_depends_on_variables(shift: dict) -> None:
    found = []
    for at in ({}, shift):
        fit = made(SLOPE + "\nlog(sigma2) = a0 + a1*t", **at)
        found.append(
            [
                fit.se_tau[1, 1],
                fit.tau[1, 1],
                *record_of(fit).law.alpha,
                *record_of(fit).law.se,
            ]
        )
    np.testing.assert_allclose(found[1], found[0], rtol=1e-6)


def test_nor_do_tests_of_combinations_and_ols() -> None:
    here, there = made(SLOPE), made(SLOPE, x=1000.0, w=1000.0)
    at = {"g00": 1.0, "g01": 1e3, "g10": 1e3, "g11": 1e6}
    for options in ({}, {"robust": False}, {"robust": "CR2"}, {"df": "kenward-roger"}):
        assert there.wald(at, **options).chi2 == pytest.approx(here.wald("g00", **options).chi2, rel=1e-6)
    ols, moved = least_squares(record_of(here)), least_squares(record_of(there))
    np.testing.assert_allclose(moved.se[3], ols.se[3], rtol=1e-8)
    np.testing.assert_allclose(moved.se_robust[3], ols.se_robust[3], rtol=1e-8)
    assert moved.loglik == pytest.approx(ols.loglik, abs=1e-7)


def test_bootstrap_draws_do_not_depend_on_the_order_of_rows() -> None:
    rows = {"id": UNIT, "y": Y, "t": T * 1.0, "x": X}
    order = np.random.default_rng(3).permutation(len(Y))
    model = hlm.Model("y = b1*t + b2*x + r\nb1 = g10 + u1\nb2 = g20 + u2")
    se = [
        np.asarray(model.fit(hlm.read(data, id="id")).bootstrap(20, seed=4).se_gamma)
        for data in (rows, {name: column[order] for name, column in rows.items()})
    ]
    np.testing.assert_allclose(se[1], se[0], rtol=1e-6)
