"""The optimum, where the likelihood has several maxima, none, or tells nothing of a variance."""

from __future__ import annotations

import numpy as np
import pytest

from hlmbayes import Model
from hlmbayes.data.two_level import TwoLevelData, read
from hlmbayes.errors import EstimationError
from hlmbayes.estimation import optimum as module
from hlmbayes.estimation.faces_of_theta import free_root
from hlmbayes.estimation.optimum import optimum
from hlmbayes.estimation.prepare import prepare
from hlmbayes.estimation.starts import alike_theta
from hlmbayes.faces import record_of
from tests import exact
from tests.dense import dense

MEANS = "y = b0 + r\nb0 = g00 + u0"
SLOPES = "y = b0 + b1*x + r\nb0 = g00 + u0\nb1 = g10 + u1"


def one_large_unit(seed: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """A unit of 60 rows, six of 1 to 12: most rows lie near one mean, most units do not."""
    rng = np.random.default_rng(seed)
    n = np.array([60, 12, 2, 2, 3, 1, 1])
    unit = np.repeat(np.arange(7), n)
    u = rng.standard_t(2, 7) * np.array([0.02, 0.1, 1, 1, 1, 1, 1])
    x = rng.normal(size=len(unit))
    return {"y": u[unit] + rng.normal(size=len(unit)), "x": x}, unit


def data_of(columns: dict[str, np.ndarray], unit: np.ndarray) -> TwoLevelData:
    return read({"id": unit, **columns}, id="id")


@pytest.mark.parametrize("seed", [317, 325, 343, 355, 373, 378])
@pytest.mark.parametrize("method", ["REML", "ML"])
def test_of_two_maxima_the_higher_is_found(seed: int, method: str) -> None:
    columns, unit = one_large_unit(seed)
    fit = Model(MEANS).fit(data_of(columns, unit), method=method)
    grid = [profile(columns["y"], unit, theta, method == "REML") for theta in np.geomspace(1e-6, 1e4, 400)]
    assert fit.converged
    assert fit.deviance < min(grid) + 1e-9


def profile(y: np.ndarray, unit: np.ndarray, theta: float, reml: bool) -> float:
    """The deviance of MEANS at tau / sigma2, from the units' sizes and means (a textbook formula)."""
    n = np.bincount(unit)
    mean = np.bincount(unit, y) / n
    weight = n / (1 + n * theta)
    gamma = weight @ mean / weight.sum()
    rss = np.sum((y - mean[unit]) ** 2) + weight @ (mean - gamma) ** 2
    df = len(y) - reml
    value = np.log(1 + n * theta).sum() + df * (np.log(2 * np.pi * rss / df) + 1)
    # log det X'V^-1X with the sigma2 it is divided by
    return float(value + (np.log(weight.sum()) if reml else 0.0))


def test_one_search_ends_at_the_lower_maximum() -> None:
    # what makes the test above one of several searches
    system = prepare(Model(MEANS), data_of(*one_large_unit(317))).system
    alone, all_of_them = optimum(system, False, thorough=False), optimum(system, False)
    assert alone.point.value > all_of_them.point.value + 20


@pytest.mark.parametrize(("seed", "method"), [(325, "REML"), (317, "ML")])
def test_of_several_maxima_with_slopes_none_is_higher(seed: int, method: str) -> None:
    columns, unit = one_large_unit(seed)
    fit = Model(SLOPES).fit(data_of(columns, unit), method=method)
    d = dense(Model(SLOPES), columns, unit, {})
    assert fit.deviance < d.optimum(method == "REML", start_sd=1.0)[0] + 1e-6


def test_where_the_weighting_of_units_makes_no_difference_a_second_search_ends_at_once() -> None:
    rng = np.random.default_rng(0)
    unit = np.repeat(np.arange(200), 5)
    x, u = rng.normal(size=1000), rng.normal(size=(200, 2))[unit]
    columns = {"y": u[:, 0] + u[:, 1] * x + rng.normal(size=1000), "x": x}
    system = prepare(Model(SLOPES), data_of(columns, unit)).system
    alone, more = optimum(system, True, thorough=False), optimum(system, True)
    assert more.evaluations <= alone.evaluations + 4
    assert more.point.value == alone.point.value


@pytest.mark.slow
def test_many_units_that_need_no_second_search_have_no_higher_maximum(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng, said, higher = np.random.default_rng(7), 0, 0
    for k in range(1500):
        sizes = heavy_sizes(rng, k)
        unit = np.repeat(np.arange(len(sizes)), sizes)
        df, x = (1.0, 1.5, 2.5)[k % 3], rng.normal(size=len(unit))
        u = rng.standard_t(df, (len(sizes), 2)) * rng.choice([0.02, 0.1, 0.5, 2.0], 2)
        y = u[unit, 0] + u[unit, 1] * x + rng.standard_t(3, len(unit))
        data = data_of({"y": y, "x": x}, unit)
        system = prepare(Model(SLOPES), data).system
        alone = optimum(system, True, thorough=False)
        alike = alike_theta(system, None)
        no_difference = module._weighting_makes_no_difference(system, True, alone, None, alike)
        with monkeypatch.context() as always:
            always.setattr(module, "_weighting_makes_no_difference", lambda *_: False)
            gain = alone.point.value - optimum(system, True).point.value
        said, higher = said + no_difference, higher + (gain > 1e-5)
        assert not (no_difference and gain > 1e-5)
    assert said > 300
    assert higher > 0


def heavy_sizes(rng: np.random.Generator, k: int) -> np.ndarray:
    """61 to 120 units: of 1 to 59 rows, or most of them of a few rows and some of hundreds."""
    J = int(rng.integers(61, 120))
    if k % 2:
        return rng.integers(1, 60, J)
    return np.clip((rng.pareto(1.0, J) * 6).astype(int), 2, 500)


def test_an_equation_with_as_many_effects_as_units_leaves_no_variance() -> None:
    rng = np.random.default_rng(3)
    unit = np.repeat(np.arange(4), 10)
    level2 = {"id": np.arange(4), **{f"d{k}": (np.arange(4) == k) * 1.0 for k in (1, 2, 3)}}
    rows = {"id": unit, "y": rng.normal(size=40) + unit, "x": rng.normal(size=40)}
    data = read(rows, level2, id="id")
    means = "y = b0 + r\nb0 = g00 + g01*d1 + g02*d2 + g03*d3 + u0"
    with pytest.raises(EstimationError, match="explain b0 in every unit, so nothing is left"):
        Model(means).fit(data)
    slopes = "y = b0 + b1*x + r\nb0 = g00 + u0\nb1 = g10 + g11*d1 + g12*d2 + g13*d3 + u1"
    with pytest.raises(EstimationError, match=r"explain b1 in every unit.*or its u1"):
        Model(slopes).fit(data)
    # full likelihood has the information, and says that the variance is zero
    assert (
        "variance of u0 (intercept) is estimated as zero" in Model(means).fit(data, method="ML").boundary[0]
    )


def test_pairs_that_a_slope_and_an_intercept_explain_are_said_to_be_ambiguous() -> None:
    rng = np.random.default_rng(5)
    unit, x = np.repeat(np.arange(60), 2), np.tile([0.0, 1.0], 60)
    u = rng.normal(size=(60, 2)) @ [[1.0, 0.5], [0.0, 1.0]]
    y = u[unit, 0] + u[unit, 1] * x + 0.5 * rng.normal(size=120)
    fit = Model(SLOPES).fit(data_of({"y": y, "x": x}, unit), method="ML")
    # three elements of the pairs' covariance matrix for four variance parameters: all of them fit it
    wide = y.reshape(60, 2)
    expected = 60 * (2 * np.log(2 * np.pi) + 2 + np.linalg.slogdet(np.cov(wide.T, bias=True))[1])
    assert fit.deviance == pytest.approx(expected, abs=1e-6)
    assert any("cannot tell the variances tau and sigma2 apart" in w for w in fit.warnings)


def test_rows_that_units_fit_exactly_are_refused_or_said() -> None:
    rng = np.random.default_rng(6)
    unit, x = np.repeat(np.arange(30), 3), np.tile([0.0, 1.0, 2.0], 30)
    line = (10 * rng.normal(size=30))[unit] + (rng.normal(size=30))[unit] * x
    with pytest.raises(EstimationError, match="inside the units fit exactly"):
        Model(SLOPES).fit(data_of({"y": line, "x": x}, unit))
    # two rows a unit, the first of them always 0
    two = x < 2
    with pytest.raises(EstimationError, match="no unit has more rows than random coefficients"):
        Model(SLOPES).fit(data_of({"y": (line * x)[two], "x": x[two]}, unit[two]))


def two_occasions(seed: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Twenty people seen twice, at irregular times: as many random effects as rows."""
    rng = np.random.default_rng(seed)
    unit, x = np.repeat(np.arange(20), 2), np.tile([0.0, 1.0], 20) + 0.15 * rng.normal(size=40)
    u = rng.normal(size=(20, 2)) * [2.0, rng.choice([0.5, 1.0, 2.0])]
    error = rng.choice([0.05, 0.3, 1.0]) * rng.normal(size=40)
    return {"y": 10 + u[unit, 0] + (1 + u[unit, 1]) * x + error, "x": x}, unit


@pytest.mark.parametrize("method", ["REML", "ML"])
@pytest.mark.parametrize(
    "seed", [*range(6), *(pytest.param(k, marks=pytest.mark.slow) for k in range(6, 12))]
)
def test_a_level1_variance_of_zero_is_refused_or_said_where_the_likelihood_is_largest_there(
    method: str, seed: int
) -> None:
    columns, unit = two_occasions(seed)
    held = np.var(columns["y"]) * np.array([1e-7, *np.geomspace(1e-4, 0.3, 6)])
    data = data_of(columns, unit)
    limit, *others = [Model(SLOPES).fit(data, method=method, sigma2=s2).deviance for s2 in held]
    for scale in (1.0, 1e-6):
        scaled = data_of({"y": scale * columns["y"], "x": columns["x"]}, unit)
        if limit < min(others):
            with pytest.raises(EstimationError, match="with a level-1 variance of zero: make some"):
                Model(SLOPES).fit(scaled, method=method)
            continue
        fit = Model(SLOPES).fit(scaled, method=method)
        deviance = fit.deviance - 2 * (40 - 2 * (method == "REML")) * np.log(scale)
        assert deviance < min(others) + 1e-6
        assert fit.sigma2 > 1e-5 * scale**2 * np.var(columns["y"])
        assert not any("the likelihood is larger still" in warning for warning in fit.warnings)


def test_a_maximum_below_that_at_a_level1_variance_of_zero_is_said() -> None:
    y = np.array([12, 13.3, 13.45, 12.58, 10.1, 10.82, 8.6, 9.45, 8.6, 10.65])
    x = np.array([-0.18, 0.53, 0.95, 0.4, -1.16, 0.12, -1.83, 0.65, 0.68, -0.34])
    rows = {"id": np.repeat(np.arange(5), 2), "y": y, "x": x, "last": np.repeat([0.0, 0, 0, 0, 1], 2)}
    model = Model("y = b0 + b1*x + r\nb0 = g00 + g01*last + u0\nb1 = g10 + g11*last + u1")
    with pytest.raises(EstimationError, match="with a level-1 variance of zero: make some"):
        model.fit(read(rows, id="id"))
    fit = model.fit(read(rows, id="id"), method="ML")
    assert any("the likelihood is larger still" in warning for warning in fit.warnings)
    assert model.fit(read(rows, id="id"), method="ML", sigma2=1e-8).deviance < fit.deviance - 1


def test_a_random_slope_of_a_level2_dummy_is_said_to_be_ambiguous() -> None:
    rng = np.random.default_rng(7)
    unit = np.repeat(np.arange(40), 6)
    urban = (np.arange(40) % 2).astype(float)[unit]
    y = rng.normal(size=40)[unit] * (1 + urban) + rng.normal(size=240)
    fit = Model(SLOPES).fit(data_of({"y": y, "x": urban}, unit))
    # two variances between units, of urban and of rural ones, for three elements of tau
    assert any("cannot tell the variances tau and sigma2 apart" in w for w in fit.warnings)
    wanted = Model(MEANS.replace("b0 + r", "b0 + b1*x + r") + "\nb1 = g10").fit(
        data_of({"y": y, "x": urban}, unit)
    )
    assert not wanted.warnings


@pytest.mark.parametrize("ratio", [1e4, 1e6, 1e7])
def test_a_singular_tau_that_is_very_large_beside_sigma2_is_found(ratio: float) -> None:
    rng = np.random.default_rng(8)
    unit = np.repeat(np.arange(50), 6)
    columns = {"x": rng.normal(size=300), "z": 1e3 * rng.normal(size=300) + 1e4}
    u = rng.normal(size=(50, 2)) @ [[1.0, 0.4, -0.5], [0.0, 0.8, 0.3]] * np.sqrt(ratio)
    columns["y"] = u[unit, 0] + u[unit, 1] * columns["x"] + u[unit, 2] * columns["z"] / 1e3
    columns["y"] = columns["y"] + rng.normal(size=300)
    fit = Model("y = b0 + b1*x + b2*z + r\nb0 = g00 + u0\nb1 = g10 + u1\nb2 = g20 + u2").fit(
        data_of(columns, unit)
    )
    assert fit.converged
    assert fit.stop_reason.startswith("no smaller value nearby")
    assert fit.sigma2 == pytest.approx(1.0, rel=0.2)
    assert fit.tau["b1", "b1"] == pytest.approx(np.mean(u[:, 1] ** 2), rel=0.1)
    exact_deviance = exact.deviance(
        columns["y"], fit_x(columns), fit_x(columns), unit, record_of(fit).components.tau, fit.sigma2, True
    )
    assert fit.deviance == pytest.approx(exact_deviance, abs=1e-11 * ratio)  # tau's own digits


def fit_x(columns: dict[str, np.ndarray]) -> np.ndarray:
    return np.column_stack([np.ones(len(columns["x"])), columns["x"], columns["z"]])


@pytest.mark.parametrize("pattern", ["", "cov(u0, u1) = 0"])
def test_of_units_all_alike_the_third_derivatives_at_the_optimum_are_exact(pattern: str) -> None:
    unit, x = np.repeat(np.arange(50), 6), np.tile(np.arange(6.0) - 2.5, 50)
    rng = np.random.default_rng(5)
    u = rng.normal(size=(50, 2))[unit]
    columns = {"y": u[:, 0] + u[:, 1] * x + rng.normal(size=300), "x": x}
    system = prepare(Model(f"{SLOPES}\n{pattern}"), data_of(columns, unit)).system
    found = optimum(system, False, sigma2=0.5).point
    _, c, root = module._place(found)
    assert c is not None
    step = np.array([0.3, -0.2, 0.5])[: len(found.x)]

    def hessian(away: float) -> np.ndarray:
        there = free_root(found.x + away * step, root.face)
        return module._point(system, False, there, 0.5).hessian

    third = (hessian(1e-4) - hessian(-1e-4)) / 2e-4
    expected = third @ step
    given = module.third_along(system, found, step)
    np.testing.assert_allclose(given, expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max())
