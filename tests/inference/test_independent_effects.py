"""What is tested, estimated and simulated after a fit with independent random effects."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import optimize, stats

import hlmbayes as hlm
from hlmbayes import Model
from hlmbayes.data.two_level import read
from hlmbayes.data.weights import Weights
from hlmbayes.faces import record_of
from hlmbayes.front.fit import Fit
from hlmbayes.inference.boundary import cone_lengths
from hlmbayes.inference.component_errors import components_covariance
from hlmbayes.inference.small_sample import variance_parameters
from hlmbayes.likelihood.pattern import Pattern
from hlmbayes.model_tables.columns import variances_of
from hlmbayes.report.matrix_files import taus
from tests.dense import dense
from tests.small import MODELS, Small, small

THREE = "y = b0 + b1*x + b2*z + r\nb0 = g00 + u0\nb1 = g10 + u1\nb2 = g20 + u2\n"
DIAGONAL, BLOCKS = "cov(u0, u1, u2) = 0", "cov(u0, u2) = cov(u1, u2) = 0"


def simulated() -> Small:
    """Give the data whose lmer fits are in diagonal.json: u0 and u1 correlated, u2 independent of them."""
    table = np.genfromtxt(Path(__file__).parents[1] / "oracles/data/diagonal.csv", delimiter=",", names=True)
    unit = table["id"].astype(int) - 1
    w = table["w"][np.unique(unit, return_index=True)[1]]
    return Small({name: table[name] for name in ("y", "x", "z")}, unit, {"w": w})


SOURCE = simulated()


@cache
def fit(line: str, *, without: str = "", method: str = "REML", algorithm: str = "exact") -> Fit:
    text = THREE.replace(f" + {without}", "") if without else THREE
    return Model(text + line).fit(SOURCE.data(), method=method, algorithm=algorithm)


def test_covariances_are_tested_by_a_chi_square_and_variances_by_a_mixture() -> None:
    full, blocks, diagonal = fit(""), fit(BLOCKS), fit(DIAGONAL)
    assert [f.n_parameters for f in (full, blocks, diagonal)] == [7, 5, 4]
    test = blocks.compare(diagonal)
    assert (test.df, test.p_boundary) == (1, test.p_value)
    assert test.p_value == pytest.approx(stats.chi2.sf(diagonal.deviance - blocks.deviance, 1), rel=1e-8)
    # u2 alone: half a chi-square on 1 d.f., its covariances are no parameters
    less = fit("cov(u0, u1) = 0", without="u2")
    test = diagonal.compare(less)
    assert test.df == 1
    assert test.p_boundary == pytest.approx(0.5 * stats.chi2.sf(test.chi2, 1))
    test = fit(BLOCKS).compare(fit("", without="u2"))
    assert test.p_boundary == pytest.approx(0.5 * stats.chi2.sf(test.chi2, 1))


def test_models_whose_covariances_are_not_among_the_others_are_not_nested() -> None:
    two = fit("", without="u2")  # u0 and u1 are correlated
    wider = fit(DIAGONAL)
    assert two.n_parameters == wider.n_parameters
    test = fit("").compare(wider)
    assert not test.notes
    other = fit("cov(u0, u1) = cov(u0, u2) = 0")  # u1 and u2 are correlated
    assert "the random effects of the simpler model are not among those" in " ".join(other.compare(two).notes)


def test_added_variances_of_independent_effects_lie_in_a_quadrant() -> None:
    """Two half-lines at right angles: 1/4, 1/2, 1/4 of chi-squares on 0, 1, 2 d.f.; else by the angle."""
    pattern, draws = Pattern(((0,), (1,))), 20_000
    for correlation in (0.0, 0.6):
        lengths = cone_lengths(np.array([[1.0, correlation], [correlation, 1.0]]), pattern, draws)
        # of the dual normal vector with the metric as precision: P(both free) from the angle of the cone
        both = np.arccos(correlation) / (2.0 * np.pi)
        for x in (0.5, 2.0, 5.0):
            wanted = 0.5 * stats.chi2.sf(x, 1) + both * stats.chi2.sf(x, 2)
            assert np.mean(lengths > x) == pytest.approx(wanted, abs=4 * np.sqrt(wanted / draws) + 1e-3)


def test_two_added_variances_are_simulated() -> None:
    means = Model(THREE.replace(" + u1", "").replace(" + u2", "")).fit(SOURCE.data())
    test = fit(DIAGONAL).compare(means)
    assert test.df == 2
    low, high = (0.5 * stats.chi2.sf(test.chi2, k) for k in (1, 2))
    assert test.p_boundary is not None
    assert test.p_boundary <= low + high + 0.01


def test_on_the_boundary_covariances_have_no_mixture() -> None:
    rng = np.random.default_rng(1)
    unit = np.repeat(np.arange(20), 5)
    x = rng.normal(size=100)
    data = read({"id": unit, "x": x, "y": rng.normal(size=20)[unit] + rng.normal(size=100)}, id="id")
    full = Model("y = b0 + b1*x\nb0 = g00 + u0\nb1 = g10 + u1")
    general, simple = full.fit(data), Model(f"{full}\ncov(u0, u1) = 0").fit(data)
    assert simple.boundary == ("the variance of u1 (x slope) is estimated as zero",)
    test = general.compare(simple)
    assert test.p_boundary is None
    assert any("itself estimated as zero" in note for note in test.notes)


def deviance_held(rows: Any, index: tuple[int, int], value: float, reml: bool) -> float:
    """Minimise the dense deviance over the root of a diagonal tau and sigma, one variance held."""
    q = rows.Z.shape[1]
    others = [k for k in range(q) if k != index[0]]

    def objective(x: np.ndarray) -> float:
        sd = np.zeros(q)
        sd[others], sd[index[0]] = x[:-1], value**0.5
        return float(rows.deviance(np.diag(sd**2), float(np.exp(2 * x[-1])), reml))

    start = np.append(np.full(q - 1, 0.7), 0.0)
    options: Any = {"xatol": 1e-9, "fatol": 1e-11, "maxiter": 4000}
    return float(optimize.minimize(objective, start, method="Nelder-Mead", options=options).fun)


def test_profile_limits_are_where_the_dense_deviance_has_risen() -> None:
    source = small(21, n_units=12, sd=1.5)
    m = Model(MODELS["diagonal"])
    found, rows = m.fit(source.data()), dense(m, source.columns, source.unit, source.level2)
    table = found.confint()
    names = [name for name in table.index if name.startswith(("tau", "corr", "sd"))]
    assert names == ["sd[b0]", "tau[b0,b0]", "sd[b1]", "tau[b1,b1]"]
    for k in range(2):
        for limit in ("low", "high"):
            value = float(table.loc[f"tau[b{k},b{k}]", limit])
            rise = deviance_held(rows, (k, k), value, True) - found.deviance
            wanted = stats.chi2.ppf(0.95, 1)
            assert rise == pytest.approx(wanted, abs=1e-5) if value > 0 else rise < wanted


def test_profile_intervals_of_a_block_have_its_correlation_only() -> None:
    names = list(fit(BLOCKS).confint().index)
    assert "corr[b1,b0]" in names
    assert not any("b2," in name or ",b2" in name for name in names if name != "tau[b2,b2]")


def test_an_intraclass_correlation_away_from_zero_has_no_profile_where_effects_are_independent() -> None:
    for line, at, has in (
        (DIAGONAL, None, True),
        (DIAGONAL, {"x": 1.0}, False),
        (BLOCKS, {"x": 1.0}, True),
        (BLOCKS, {"z": 1.0}, False),
    ):
        found = fit(line).icc(at=at)
        assert np.isfinite([found.low, found.high]).all() == has
        assert ("sum over independent random effects" in str(found)) == (not has)
    tau, sigma2 = np.asarray(fit(DIAGONAL).tau), fit(DIAGONAL).sigma2
    between = tau[0, 0] + 4.0 * tau[1, 1]
    assert fit(DIAGONAL).icc(at={"x": 2.0}).icc == pytest.approx(between / (between + sigma2))
    # u0 and u1 at x = 1 is u0 where x is measured from 1
    columns = SOURCE.columns | {"x": SOURCE.columns["x"] - 1.0}
    moved = Model(THREE + BLOCKS).fit(Small(columns, SOURCE.unit, SOURCE.level2).data()).icc()
    here = fit(BLOCKS).icc(at={"x": 1.0})
    np.testing.assert_allclose([here.icc, here.low, here.high], [moved.icc, moved.low, moved.high], rtol=1e-6)


def test_bootstrap_keeps_the_pattern() -> None:
    boot = fit(BLOCKS).bootstrap(20, seed=3)
    assert np.all(boot.tau[:, 2, :2] == 0.0)
    assert boot.tau[:, 1, 0].std() > 0
    names = [i.parameter for i in boot.intervals()]
    assert [n for n in names if n.startswith("tau")] == [
        "tau[b0,b0]", "tau[b1,b0]", "tau[b1,b1]", "tau[b2,b2]"
    ]  # fmt: skip
    test = fit(BLOCKS).compare(fit(DIAGONAL), bootstrap=20, seed=1)
    assert test.p_bootstrap is not None


def test_satterthwaites_directions_on_the_boundary_are_of_each_block() -> None:
    """The gradient of any variance of gamma is right: finite differences of dense matrices along them."""
    case = Model("y = b0 + b1*x\nb0 = g00 + u0\nb1 = g10 + u1\ncov(u0, u1) = 0")
    rng = np.random.default_rng(1)
    unit = np.repeat(np.arange(20), 5)
    columns = {"x": rng.normal(size=100), "y": rng.normal(size=20)[unit] + rng.normal(size=100)}
    found = case.fit(read({"id": unit, **columns}, id="id"))
    assert found.boundary
    directions, _ = variance_parameters(record_of(found))
    system = record_of(found).system
    data = np.array([system.to_tau @ d @ system.to_tau.T for d in directions])
    np.testing.assert_allclose(data[:, 0, 1], 0.0, atol=1e-12)
    alone = Model("y = b0 + b1*x\nb0 = g00 + u0\nb1 = g10").fit(read({"id": unit, **columns}, id="id"))
    got, wanted = (f.fixed_effects(df="satterthwaite") for f in (found, alone))
    np.testing.assert_allclose(got["df"], wanted["df"], rtol=1e-6)
    np.testing.assert_allclose(got["se"], wanted["se"], rtol=1e-8)


def test_weights_of_two_for_everything_and_copies_agree_in_the_sandwich() -> None:
    rng = np.random.default_rng(4)
    unit = np.repeat(np.arange(25), 6)
    x, z = rng.normal(size=(2, 150))
    u = rng.normal(size=(25, 3))[unit]
    frame = {"id": unit, "x": x, "z": z, "y": u[:, 0] + u[:, 1] * x + u[:, 2] * z + rng.normal(size=150)}
    weights = {"id": np.arange(25), "w": rng.integers(1, 3, 25)}
    m = Model(THREE + BLOCKS)
    weighted = m.fit(read(frame, weights, id="id"), weights=Weights(level2="w", scaling="none"))
    copies = np.concatenate([np.flatnonzero(unit == j) for j in range(25) for _ in range(weights["w"][j])])
    new = np.repeat(np.arange(weights["w"].sum()), 6)
    plain = m.fit(read({k: v[copies] for k, v in frame.items()} | {"id": new}, id="id"), method="ML")
    np.testing.assert_allclose(weighted.tau, plain.tau, rtol=1e-5, atol=1e-8)
    assert np.isnan(np.asarray(weighted.se_tau)[2, 0])
    # the sandwich, from scores and curvature by finite differences of the dense likelihood
    record, rows = record_of(weighted), dense(m, frame, unit, {})
    f, free = record.design.n_fixed, np.nonzero(np.tril(rows.free))

    def logliks(parameters: np.ndarray) -> np.ndarray:
        tau = np.zeros((3, 3))
        tau[free] = parameters[f:-1]
        tau = np.tril(tau) + np.tril(tau, -1).T
        values = []
        for j in range(25):
            inside = unit == j
            v = rows.Z[inside] @ tau @ rows.Z[inside].T + parameters[-1] * np.eye(6)
            e = rows.y[inside] - rows.X[inside] @ parameters[:f]
            values.append(-0.5 * (np.linalg.slogdet(v)[1] + e @ np.linalg.solve(v, e)))
        return weights["w"] * np.array(values)

    at = np.concatenate([record.gamma_free, np.asarray(weighted.tau)[free], [weighted.sigma2]])
    h = 1e-4 * np.eye(len(at))
    scores = np.array([(logliks(at + a) - logliks(at - a)) / 2e-4 for a in h]).T
    curve = np.array([[np.sum(logliks(at + a + b) - logliks(at + a - b) - logliks(at - a + b)
                             + logliks(at - a - b)) / 4e-8 for b in h] for a in h])  # fmt: skip
    inverse = np.linalg.inv(curve)
    covariance = components_covariance(record)
    np.testing.assert_allclose(
        covariance, (inverse @ scores.T @ scores @ inverse)[f:, f:], rtol=1e-3, atol=1e-5
    )
    assert 0 < weighted.icc().low < weighted.icc().high < 1


@pytest.mark.parametrize("method", ["REML", "ML"])
def test_heterogeneous_sigma2_beside_a_diagonal_tau(method: str) -> None:
    source = small(21, n_units=14, sd=1.5)
    m = Model(MODELS["diagonal"] + "\nlog(sigma2) = a0 + a1*d")
    found, rows = m.fit(source.data(), method=method), dense(m, source.columns, source.unit, source.level2)
    c, law = np.column_stack([np.ones(len(source.unit)), source.columns["d"]]), record_of(found).law

    def at(x: np.ndarray) -> float:
        return rows.deviance(np.diag(x[:2] ** 2), np.exp(c @ x[2:]), method == "REML")

    x = np.concatenate([np.sqrt(np.diag(found.tau)), law.alpha])
    assert at(x) == pytest.approx(found.deviance, rel=1e-9)
    best = optimize.minimize(at, x + 0.05, method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-10})
    assert best.fun > found.deviance - 1e-7
    np.testing.assert_allclose(np.abs(best.x), np.abs(x), atol=1e-3)
    assert found.n_parameters == 4 + (record_of(found).design.n_fixed if method == "ML" else 0)
    if method == "ML":
        path = m.fit(source.data(), algorithm="hlm", max_iterations=500)
        np.testing.assert_allclose(path.tau, found.tau, rtol=0.05, atol=1e-3)
        assert path.tau[1, 0] == 0.0
        # expected information of (alpha, tau): with V_k = diag(sigma2 c_k) or the units' Z E Z'
        s2, same = np.exp(c @ law.alpha), np.equal.outer(source.unit, source.unit)
        vi = np.linalg.inv(rows.v(np.asarray(found.tau), s2))
        ds = [np.diag(s2 * column) for column in c.T]
        ds += [same * (rows.Z @ d @ rows.Z.T) for d in rows.directions]
        information = np.array([[0.5 * np.trace(vi @ a @ vi @ b) for b in ds] for a in ds])
        se = np.sqrt(np.diag(np.linalg.inv(information)))
        np.testing.assert_allclose(law.se, se[:2], rtol=1e-5)
        np.testing.assert_allclose(np.diag(found.se_tau), se[2:], rtol=1e-5)
        assert np.isnan(np.asarray(found.se_tau)[1, 0])


def test_everything_beside_is_said_of_the_diagonal_fit() -> None:
    """Residuals are those of a full tau that has these values; the listing says what tau is."""
    found, rows = fit(DIAGONAL), dense(Model(THREE), SOURCE.columns, SOURCE.unit, SOURCE.level2)
    tau, sigma2 = np.asarray(found.tau), found.sigma2
    gamma, _ = rows.gls(tau, sigma2)
    table = found.residuals(level=2)
    for j in (3, 7):
        inside = rows.unit == j
        z, e = rows.Z[inside], rows.y[inside] - rows.X[inside] @ gamma
        u = tau @ z.T @ np.linalg.solve(z @ tau @ z.T + sigma2 * np.eye(len(z)), e)
        np.testing.assert_allclose(table.filter(regex="^eb").to_numpy()[j], u, rtol=1e-7)
    influence = found.influence()
    assert np.isfinite(influence.filter(regex="^d_").to_numpy()).all()
    np.testing.assert_allclose(found.tau_corr, np.eye(3), rtol=1e-15, atol=0)
    assert "Tau is diagonal: u0, u1 and u2 are independent" in found.listing()
    assert "tau is diagonal: u0, u1 and u2 are independent" in found.to_html()
    assert found.homogeneity().n_units == 40


def test_hlms_path_says_that_its_steps_are_in_the_free_elements() -> None:
    listing = fit(BLOCKS, algorithm="hlm").listing()
    assert "in the free elements of tau: HLM 6.08 itself has all covariances" in " ".join(listing.split())
    assert "Tau x, INTRCPT1" not in listing
    assert "Tau z, INTRCPT1" not in listing
    text = " ".join(fit(BLOCKS).listing().split())
    assert "Tau is block-diagonal: effects of different sets, (u0, u1) and (u2), are independent" in text


def test_tables_and_matrix_files_have_the_free_elements_only() -> None:
    found = fit(BLOCKS)
    variances = variances_of(found.model, np.asarray(found.tau), found.sigma2)
    assert [name for name in variances if " with " in name] == ["x slope with intercept"]
    first, *rest = taus(record_of(found)).splitlines()
    np.testing.assert_allclose(
        [float(v) for v in first.split()], np.asarray(found.tau)[[0, 1, 1, 2], [0, 0, 1, 2]]
    )
    assert [len(row.split()) for row in rest] == [4] * 4


def test_imputed_data_and_moments() -> None:
    rng = np.random.default_rng(2)
    data = SOURCE.data()
    sets = []
    for _ in range(3):
        y = data.level1["y"] + 0.1 * rng.normal(size=data.n_rows)
        rows = {"id": data.unit_ids[data.unit], **data.level1, "y": y}
        sets.append(read(rows, {"id": data.unit_ids, **data.level2}, id="id"))
    m = Model(THREE + BLOCKS)
    pooled = hlm.fit_imputed(m, sets)
    table = pooled.variance_components()
    assert list(table.index) == ["u0", "u1, u0", "u1", "u2", "r"]
    assert np.isfinite(table["se"]).all()
    found, moments = m.fit(sets[0]), hlm.moments(sets[0], model=m)
    assert m.fit(moments).deviance == pytest.approx(found.deviance, rel=1e-12)
