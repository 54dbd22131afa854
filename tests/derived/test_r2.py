"""R-squared and its parts: row by row, beside R's performance, and laws."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hlmbayes import Fit, Model, Posterior, Weights, datasets, read
from hlmbayes.derived.r2 import PARTS
from hlmbayes.errors import HypothesisError
from hlmbayes.faces import record_of
from hlmbayes.likelihood.rows import rows_of
from tests.mdm_writer import ORACLES, popular2

MIXED = """mathach = b0 + b1*group(ses) + b2*minority + r
b0 = g00 + g01*sector + g02*grand(meanses) + u0
b1 = g10 + g11*sector + u1
b2 = g20 + g21*sector + u2"""


@pytest.fixture(scope="module")
def fit() -> Fit:
    return Model(MIXED).fit(datasets.hsb())


def by_rows(fit: Fit) -> dict[str, float]:
    """Every part from the rows, one by one."""
    design = record_of(fit).design
    rows = rows_of(design, fit.data)
    fixed, count = rows.x @ record_of(fit).gamma_free, np.bincount(rows.unit)
    mean = (np.bincount(rows.unit, fixed) / count)[rows.unit]
    z_unit = np.stack([(np.bincount(rows.unit, z) / count)[rows.unit] for z in rows.z.T], axis=1)
    middle = rows.z.mean(axis=0)
    tau = np.asarray(fit.tau)

    def average(z: np.ndarray) -> float:
        return float(np.einsum("na,ab,nb->n", z, tau, z).mean())

    return {
        "fixed_within": float(np.sum((fixed - mean) ** 2) / (len(fixed) - 1)),
        "slopes_within": average(rows.z - z_unit),
        "sigma2": fit.sigma2,
        "fixed_between": float(np.var(mean, ddof=1)),
        "slopes_between": average(z_unit - middle),
        "intercepts": float(middle @ tau @ middle),
    }


def test_parts_are_those_of_the_rows(fit: Fit) -> None:
    found, rows = fit.r2(), by_rows(fit)
    assert set(found.variance) == set(rows) == set(PARTS)
    for name, value in rows.items():
        assert found.variance[name] == pytest.approx(value, rel=1e-10)
    assert sum(found.share([name]) for name in PARTS) == pytest.approx(1.0, rel=1e-12)


def test_years_of_two_thousand_and_large_outcomes_keep_their_digits() -> None:
    rng = np.random.default_rng(3)
    unit = np.repeat(np.arange(30), 8)
    year = 2000.0 + np.tile(np.arange(8), 30)
    y = 1e6 + 3.0 * year + rng.normal(size=30)[unit] + rng.normal(size=240)
    data = read({"id": unit, "year": year, "y": y})
    fit = Model("y = b0 + b1*year + r\nb0 = g00 + u0\nb1 = g10").fit(data)
    shares, rows = fit.r2().variance, by_rows(fit)
    for name in ("fixed_within", "fixed_between", "intercepts"):
        assert shares[name] == pytest.approx(rows[name], rel=1e-7, abs=1e-9)


def test_nakagawa_as_performance_has_it(oracles: Path) -> None:
    for case in json.loads((oracles / "r2.json").read_text(encoding="utf-8"))["models"].values():
        found = Model(case["equations"]).fit(datasets.hsb()).r2()
        assert found.marginal == pytest.approx(case["marginal"], abs=2e-6)
        assert found.conditional == pytest.approx(case["conditional"], abs=2e-6)


def test_what_rounding_leaves_of_a_part_is_shown_as_nothing() -> None:
    rows = {"id": np.repeat(range(18), 10), "day": np.tile(np.arange(10.0) / 3, 18)}
    rng = np.random.default_rng(5)
    rows["y"] = rng.normal(size=180) + 10 * rows["day"] + np.repeat(rng.normal(size=18), 10)
    found = Model("y ~ day + (day | id)").fit(rows, id="id").r2()
    assert 0 < found.variance["fixed_between"] < 1e-20
    assert "fixed effects, between units                         0   0.0000" in str(found)


def test_group_centred_models_vary_between_units_by_intercepts_alone() -> None:
    fit = Model(
        "mathach = b0 + b1*group(ses) + r\nb0 = g00 + g01*meanses + u0\nb1 = g10 + g11*meanses + u1"
    ).fit(datasets.hsb())
    found = fit.r2()
    assert found.variance["slopes_between"] == 0.0
    assert found.variance["intercepts"] == pytest.approx(fit.tau["b0", "b0"], rel=1e-12)
    assert not found.notes


def test_units_of_measurement_change_no_share(fit: Fit) -> None:
    hsb = datasets.hsb()
    columns = {name: np.asarray(hsb.level1[name], dtype=float) for name in ("mathach", "ses", "minority")}
    columns |= {name: np.asarray(hsb.level2[name], dtype=float)[hsb.unit] for name in ("sector", "meanses")}
    scaled = columns | {"mathach": 1e6 * columns["mathach"], "ses": columns["ses"] / 1e4}
    found = Model(MIXED).fit(read(scaled | {"id": hsb.unit})).r2()
    for name in PARTS:
        assert found.share([name]) == pytest.approx(fit.r2().share([name]), rel=1e-5)


def test_whole_number_weights_are_rows_repeated() -> None:
    from hlmbayes import Frequencies

    rng = np.random.default_rng(8)
    unit, times = np.repeat(np.arange(20), 5), rng.integers(1, 4, 100)
    x = rng.normal(size=100)
    y = x * (1 + rng.normal(size=20)[unit]) + rng.normal(size=100)
    columns = {"id": unit, "x": x, "y": y, "w": times}
    model = Model("y = b0 + b1*x + r\nb0 = g00 + u0\nb1 = g10 + u1")
    weighted = model.fit(read(columns), frequency=Frequencies(level1="w")).r2()
    repeated = model.fit(read({k: np.repeat(v, times) for k, v in columns.items()})).r2()
    for name in PARTS:
        assert weighted.variance[name] == pytest.approx(repeated.variance[name], rel=1e-6)


def test_intervals_of_a_bootstrap_hold_the_estimate(fit: Fit) -> None:
    found = fit.r2(bootstrap=60, seed=1)
    table = found.frame()
    assert (table["low"] < table["high"]).all()
    assert table.loc["marginal", "low"] < found.marginal < table.loc["marginal", "high"]
    assert "60 simulated data sets" in str(found)
    assert "low" not in fit.r2().frame()


def test_the_posterior_has_the_same_parts(model4: Any, hsb: Any) -> None:
    post: Posterior = model4.sample(hsb, seed=4, draws=500)
    found, fit = post.r2(), model4.fit(hsb).r2()
    table = found.frame()
    for name in ("marginal", "conditional", "fixed_between", "sigma2"):
        assert table.loc[name, "low"] < fit.frame().loc[name, "of_total"] < table.loc[name, "high"]
    assert found.marginal == pytest.approx(np.median(post_share(found)), rel=1e-12)


def post_share(found: Any) -> np.ndarray:
    fixed = found.draws["fixed_within"] + found.draws["fixed_between"]
    return np.asarray(fixed / sum(found.draws.values()))


def test_what_is_refused() -> None:
    varying = Model("mathach = b0 + r\nb0 = g00 + u0\nlog(sigma2) = a0 + a1*female").fit(datasets.hsb())
    with pytest.raises(HypothesisError, match="R-squared is not available"):
        varying.r2()


def test_sampling_weights_count_rows_by_what_they_stand_for() -> None:
    rng = np.random.default_rng(2)
    unit = np.repeat(np.arange(40), 6)
    x = rng.normal(size=240)
    y = x + rng.normal(size=40)[unit] + rng.normal(size=240)
    data = read({"id": unit, "x": x, "y": y, "w": rng.uniform(1, 3, 240)})
    fit = Model("y = b0 + b1*x + r\nb0 = g00 + u0\nb1 = g10").fit(data, weights=Weights(level1="w"))
    assert 0 < fit.r2().marginal < fit.r2().conditional < 1


def test_parts_are_those_that_the_papers_formulas_give_of_r2mlms_estimates(tmp_path: Path) -> None:
    """Those of lme4 in the help of r2mlm_manual: popular ~ extravCWC + texp + (extravCWC | class)."""
    file = tmp_path / "popular2.mdm"
    file.write_bytes(popular2())
    text = "popular = b0 + b1*group(extrav) + r\nb0 = g00 + g01*texp + u0\nb1 = g10 + u1"
    fit = Model(text).fit(read(file))
    gamma = [fit.gamma[code] for code in ("g10", "g00", "g01")]
    assert gamma == pytest.approx([0.4985, 4.4149, 0.0464], abs=5.1e-5)
    assert np.ravel(fit.tau).tolist() == pytest.approx(
        [0.5694, -0.0406, -0.0406, 0.0326], abs=6e-5
    )  # lme4 stops near
    assert fit.sigma2 == pytest.approx(0.8921, abs=5.1e-5)
    kept = json.loads((ORACLES / "popular2.json").read_text(encoding="utf-8"))
    n, texp = np.array(kept["n"]), np.array(kept["level2"])
    within = np.array(kept["sscp"])[:, 0].sum() / (n.sum() - 1)  # extraversion about the means of the classes
    between = np.cov(texp, fweights=n)
    found, parts = fit.r2(), {"fixed_within": 0.4985**2 * within, "fixed_between": 0.0464**2 * between}
    parts |= {"slopes_within": 0.0326 * within, "intercepts": 0.5694, "sigma2": 0.8921}
    for name, value in parts.items():
        assert found.share([name]) == pytest.approx(value / sum(parts.values()), rel=3e-3)
    assert found.variance["slopes_between"] == pytest.approx(0.0, abs=1e-15)
