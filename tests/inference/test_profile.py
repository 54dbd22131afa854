"""Profile-likelihood intervals: dense ones recorded in the oracles, lme4's, and brute force on rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import optimize, stats

import hlmbayes as hlm
from hlmbayes import Model
from hlmbayes.errors import HypothesisError
from hlmbayes.estimation.newton import Minimum, minimise
from hlmbayes.faces import record_of
from hlmbayes.inference import profile
from hlmbayes.inference.intervals import Interval
from hlmbayes.inference.profile import intervals, profiled
from tests.dense import dense
from tests.designs import random_case
from tests.inference.test_small_sample import case_data
from tests.small import MODELS, model, small

FILE = Path(__file__).parents[1] / "oracles" / "profile.json"
CASES: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))["cases"]
NAMES = {"tau00": "tau[b0,b0]", "tau10": "tau[b1,b0]", "tau11": "tau[b1,b1]", "sigma2": "sigma2"}


def by_name(found: tuple[Interval, ...]) -> dict[str, Interval]:
    return {i.parameter: i for i in found}


@pytest.mark.parametrize("method", ["REML", "ML"])
@pytest.mark.parametrize("name", list(CASES))
def test_intervals_equal_the_dense_ones(name: str, method: str) -> None:
    case = CASES[name]
    fit = Model("\n".join(case["equations"])).fit(
        case_data("small" if "small" in name else name), method=method
    )
    found = by_name(intervals(record_of(fit)))
    for key, expected in case[method]["intervals"].items():
        mine = found[NAMES[key]]
        np.testing.assert_allclose(
            [mine.estimate, mine.low, mine.high],
            [expected["estimate"], expected["lower"], expected["upper"]],
            rtol=1e-6,
            atol=1e-8,
        )
    if method == "ML":
        printed = case["lme4_confint_ML"]
        lme4 = dict(zip(printed["names"], zip(printed["lower"], printed["upper"], strict=True), strict=True))
        for key, mine in (("sd_z1|id", "sd[b0]"), ("sd_z2|id", "sd[b1]"), ("sigma", "sigma")):
            if key in lme4:
                assert [found[mine].low, found[mine].high] == pytest.approx(lme4[key], rel=1e-4)
    if (name, method) == ("model3_random_coefficients", "ML"):
        mine = found["corr[b1,b0]"]
        assert [mine.low, mine.high] == pytest.approx(lme4["cor_z2.z1|id"], abs=1e-4)


def deviance_at_correlation(rows: Any, c: float, reml: bool) -> float:
    """Minimise the dense deviance over both variances and sigma2, the correlation held."""

    def objective(x: np.ndarray) -> float:
        a, b, s = np.exp(np.clip(x, -8, 4))
        return float(rows.deviance(np.array([[a * a, c * a * b], [c * a * b, b * b]]), s * s, reml))

    starts = ([0.3, -0.5, 0.5], [0.3, -3.0, 0.5], [0.8, -1.0, 0.4])
    return min(
        optimize.minimize(objective, x, method="Nelder-Mead", options={"fatol": 1e-9, "xatol": 1e-7}).fun
        for x in starts
    )


def test_a_correlation_limit_is_where_the_dense_profile_says() -> None:
    # lme4's splines give -1 here; the dense profile rises above the cut long before
    case = CASES["small"]
    table = np.genfromtxt(FILE.parent / "data" / "small.csv", delimiter=",", names=True)
    unit = np.unique(table["id"], return_inverse=True)[1]
    m = Model("\n".join(case["equations"]))
    level2 = {"w": np.array([table["w"][unit == j][0] for j in range(unit.max() + 1)])}
    rows = dense(m, {"y": table["y"], "x": table["x"]}, unit, level2)
    fit = m.fit(case_data("small"), method="ML")
    low = by_name(intervals(record_of(fit)))["corr[b1,b0]"].low
    cut = fit.deviance + 3.841458820694124
    assert deviance_at_correlation(rows, low, False) == pytest.approx(cut, abs=1e-4)
    assert deviance_at_correlation(rows, -0.6, False) > cut
    assert deviance_at_correlation(rows, 0.999, False) < cut


@pytest.mark.slow
def test_three_random_coefficients_by_brute_force() -> None:
    source, m = small(71, n_units=30, sd=1.5), model("random only")
    fit = m.fit(source.data())
    rows = dense(m, source.columns, source.unit, source.level2)
    found = by_name(intervals(record_of(fit), prob=0.9))
    cut = fit.deviance + stats.chi2.ppf(0.9, 1)
    low = np.tril_indices(3)

    def held(a: int, b: int, value: float) -> float:
        def objective(x: np.ndarray) -> float:
            root = np.zeros((3, 3))
            root[low] = x[:-1]
            tau, s2 = root @ root.T, np.exp(2 * x[-1])
            penalty = 1e5 * (tau[a, b] - value) ** 2
            return float(rows.deviance(tau, s2, True)) + penalty

        tau = record_of(fit).components.tau + 0.02 * np.eye(3)
        x = np.append(np.linalg.cholesky(tau)[low], 0.5 * np.log(fit.sigma2))
        for _ in range(3):
            x = optimize.minimize(objective, x, method="BFGS", options={"gtol": 1e-5}).x
        return objective(x)

    for (a, b), name in (((0, 0), "tau[b0,b0]"), ((2, 0), "tau[b2,b0]")):
        for value in (found[name].low, found[name].high):
            assert held(a, b, value) == pytest.approx(cut, abs=5e-3)


@pytest.mark.parametrize("seed", [40, pytest.param(57, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name == "four" else ()) for name in MODELS]
)
def test_intervals_hold_their_estimates_on_the_boundary_too(name: str, seed: int) -> None:
    fit = model(name).fit(small(seed, n_units=20, sd=0.0).data())
    for i in intervals(record_of(fit)):
        if i.method == "not available":
            assert np.isnan(i.estimate)
            continue
        assert i.low <= i.estimate <= i.high
        assert i.low < i.high
        if i.parameter.startswith("sd"):
            assert i.low >= 0


def test_hlm_path_has_the_intervals_of_its_likelihood() -> None:
    data = small(73, n_units=40, sd=1.5).data()
    a, b = (intervals(record_of(model("slopes").fit(data, algorithm=name))) for name in ("exact", "hlm"))
    for x, y in zip(a, b, strict=True):
        assert [x.low, x.high] == pytest.approx([y.low, y.high], rel=1e-5, abs=1e-7)


def test_intervals_follow_the_units_of_the_data() -> None:
    source, m = small(74, n_units=25, sd=1.5), model("slopes")
    first = by_name(intervals(record_of(m.fit(source.data()))))
    source.columns["y"] = 1e5 + 100 * source.columns["y"]
    second = by_name(intervals(record_of(m.fit(source.data()))))
    powers = {"sd[b0]": 1, "tau[b1,b1]": 2, "corr[b1,b0]": 0, "sigma2": 2, "tau[b1,b0]": 2}
    for name, power in powers.items():
        expected = np.array([first[name].low, first[name].high]) * 100.0**power
        np.testing.assert_allclose([second[name].low, second[name].high], expected, rtol=1e-5, atol=1e-6)


def test_what_has_no_profile_is_refused() -> None:
    fit = model("slopes").fit(small(75, n_units=15).data())
    with pytest.raises(HypothesisError, match="prob=2"):
        fit.confint(2)


def test_a_profile_too_flat_to_be_followed_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five units, one of them huge: hundreds of searches had no end, 27 s in all."""
    fit, evaluations = record_of(random_case(1283).fit()), []

    def counted(*args: Any, **options: Any) -> Minimum:
        found = minimise(*args, **options)
        evaluations.append(found.evaluations)
        return found

    monkeypatch.setattr(profile, "minimise", counted)
    found = by_name(intervals(fit))
    assert sum(evaluations) < 12_000
    missed = [i for i in found.values() if i.method == "not available"]
    assert 0 < len(missed) < len(found)
    assert all(np.isnan([i.low, i.high]).any() for i in missed)


def test_a_limit_is_not_that_of_an_upper_branch() -> None:
    """Twelve units, three random effects: lme4's deviance at sd[b1] = 2.891852 is 2.863 above its minimum."""
    rng = np.random.default_rng(5)
    n = rng.integers(2, 5, 12)
    n[:4] = 1
    unit, rows = np.repeat(np.arange(12), n), int(n.sum())
    w, _ = rng.normal(size=12), rng.normal(size=12)
    x, z = rng.normal(size=rows) + rng.normal(size=12)[unit], rng.normal(size=rows)
    rng.integers(0, 2, rows)
    u0 = rng.normal(size=12)
    rng.normal(size=12)
    y = 2 + w[unit] + u0[unit] + x + 0.3 * z + rng.normal(size=rows) * 1.3
    data = hlm.read({"id": unit, "y": y, "x": x, "z": z}, {"id": np.arange(12), "w": w}, id="id")
    model = "y = b0 + b1*group(x) + b2*z + r; b0 = g00 + g01*grand(w) + u0; b1 = g10 + u1; b2 = g20 + u2"
    fit = hlm.Model(model).fit(data)
    assert fit.deviance == pytest.approx(95.0945, abs=1e-4)  # the same data
    assert fit.confint().loc["sd[b1]", "high"] > 3.0


@pytest.mark.parametrize("name", ["slopes", "means", "blocks"])
def test_the_parameters_it_has_are_known_before(name: str) -> None:
    fit = record_of(model(name).fit(small(3, n_units=20).data()))
    assert profiled(fit) == tuple(row.parameter for row in intervals(fit))


def test_limits_of_the_optimum_are_named_as_such_beside_hlms_estimates():
    data = hlm.datasets.hsb()
    model = hlm.Model("mathach = b0 + b1*group(ses) + r\nb0 = g00 + u0\nb1 = g10 + u1")
    hlms, exact = (model.fit(data, algorithm=name) for name in ("hlm", "exact"))
    asked = ["sd[b1]", "g10"]
    found, best = (fit.confint(parameters=asked) for fit in (hlms, exact))
    assert found["method"].tolist() == ["profile, of the optimum", "t, hlm d.f."]
    assert best["method"].tolist() == ["profile", "t, hlm d.f."]
    columns = ["estimate", "low", "high"]
    assert found.loc["sd[b1]", columns].tolist() == best.loc["sd[b1]", columns].tolist()
