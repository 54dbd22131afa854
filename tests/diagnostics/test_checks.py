"""Checks: figures against independent computations, verdicts that follow from them, data made to fail."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

import hlmbayes as hlm
from hlmbayes.diagnostics import checks as diagnostics
from hlmbayes.errors import OutputError
from tests.small import model, small

MODEL4 = """mathach = b0 + b1*group(ses) + r
    b0 = g00 + g01*sector + g02*meanses + u0
    b1 = g10 + g11*sector + g12*meanses + u1"""
SIMPLE = "y = b0 + b1*x + r\nb0 = g00 + g01*w + u0\nb1 = g10"


@pytest.fixture(scope="module")
def fit() -> Any:
    return hlm.Model(MODEL4).fit(hlm.datasets.hsb())


def made(u: np.ndarray, e: np.ndarray, spoil: Any = None) -> Any:
    """A fit to data with the given random effects (J,) and level-1 errors (J, n)."""
    rng = np.random.default_rng(5)
    n_units, n = e.shape
    unit = np.repeat(np.arange(n_units), n)
    w, x = rng.normal(size=n_units), rng.normal(size=n_units * n)
    y = 1 + w[unit] + u[unit] + 0.5 * x + e.ravel()
    if spoil is not None:
        spoil(y, unit, w, x)
    return hlm.Model(SIMPLE).fit(
        hlm.read({"id": unit, "y": y, "x": x}, {"id": np.arange(n_units), "w": w}, id="id")
    )


def good(seed: int = 2, n_units: int = 150, n: int = 20) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=n_units), 2 * rng.normal(size=(n_units, n))


def test_good_data_pass_every_check() -> None:
    checks = made(*good()).check()
    assert checks.ok, repr(checks)
    assert [c.name for c in checks] == [
        "normality of random effects", "outlying units", "equal level-1 variances",
        "normality of level-1 residuals", "influence of single units",
    ]  # fmt: skip


def test_heavy_tailed_random_effects_are_found() -> None:
    u, e = good()
    u = stats.t.ppf((np.argsort(np.argsort(u)) + 0.5) / len(u), 1.5)
    checks = made(u, e).check()
    assert not checks["normality of random effects"].ok
    assert "do not follow" in checks["normality of random effects"].verdict


def test_an_outlying_unit_is_named() -> None:
    u, e = good()
    u[17] += 12
    checks = made(u, e).check()
    found = checks["outlying units"]
    assert not found.ok
    assert "1 unit is farther out than chance allows: 17." in found.verdict
    assert found.table.index[0] == 17


def test_units_of_unequal_spread_are_found() -> None:
    u, e = good()
    e[40:60] *= 2.5
    checks = made(u, e).check()
    assert not checks["equal level-1 variances"].ok
    assert "differ more than by chance" in checks["equal level-1 variances"].verdict


def test_skewed_level1_residuals_are_found() -> None:
    u, e = good()
    checks = made(u, np.exp(1.2 * e / 2) - 1).check()
    found = checks["normality of level-1 residuals"]
    assert not found.ok
    assert "a longer right tail" in found.verdict


def test_an_influential_unit_is_named() -> None:
    u, e = good(n_units=30)

    def spoil(y: np.ndarray, unit: np.ndarray, w: np.ndarray, x: np.ndarray) -> None:
        w[4] = 15.0
        y[unit == 4] -= 3.0

    checks = made(u, e, spoil).check()
    found = checks["influence of single units"]
    assert not found.ok
    assert found.verdict.startswith("leaving out unit 4 ")
    assert found.table.iloc[0]["most_moved"] == "g01"


def test_the_printed_list_has_every_verdict(fit: Any) -> None:
    checks = fit.check()
    text = repr(checks)
    assert text.count("\n") >= 4
    for c in checks:
        assert c.name in text
        assert " ".join(c.verdict.split()) in " ".join(text.split()).replace("chi- square", "chi-square")
    assert list(checks.frame().columns) == ["ok", "verdict"]
    assert len(checks.frame()) == 5
    with pytest.raises(KeyError, match="the checks are normality"):
        checks["nothing"]


def test_homogeneity_is_bartletts_test(fit: Any) -> None:
    table = diagnostics.homogeneity(fit).table
    test = fit.homogeneity()
    assert table["chi2"].iloc[0] == pytest.approx(test.bartlett_chi2, rel=1e-10)
    assert table["df"].iloc[0] == test.df
    assert table["p_value"].iloc[0] == pytest.approx(test.bartlett_p_value, rel=1e-8)


def test_cramer_von_mises_against_scipy() -> None:
    u = np.random.default_rng(0).random(500)
    wanted = stats.cramervonmises(u, "uniform")
    statistic = diagnostics.cramer_von_mises(u)
    assert statistic == pytest.approx(wanted.statistic, rel=1e-12)
    assert diagnostics.cramer_von_mises_p(statistic) == pytest.approx(wanted.pvalue, rel=0.02)


@pytest.mark.parametrize(
    ("statistic", "p"), [(0.34730, 0.1), (0.46136, 0.05), (0.74346, 0.01), (1.16786, 0.001)]
)
def test_cramer_von_mises_percentage_points(statistic: float, p: float) -> None:
    """Csorgo & Faraway (1996), Journal of the Royal Statistical Society B 58, table 1."""
    assert diagnostics.cramer_von_mises_p(statistic) == pytest.approx(p, rel=1e-3)
    assert diagnostics.cramer_von_mises_p(0.001) == 1.0


def test_a_tree_has_one_layout_and_gives_the_same_checks(fit: Any) -> None:
    tree = hlm.diagnostics.tree(fit)
    assert set(tree.children) == {"level2", "level1", "influence", "level2_variables"}
    assert dict(tree["level2"]["pv"].sizes) == {"unit": 160, "coef": 2, "coef_bis": 2}
    assert list(tree["level2"]["coef"].values) == ["b0", "b1"]
    assert list(tree["influence"]["fixed_effect"].values) == list(fit.model.gamma_names)
    assert tree["level1"].sizes == {"row": 7185}
    assert tree["level2_variables"]["pracad"].attrs["long_name"].startswith("Proportion")
    assert tree["level2"].attrs["interval_kind"] == "normal"
    assert repr(diagnostics.check(tree)) == repr(fit.check())
    assert diagnostics.tree(tree) is tree


def test_a_tree_survives_a_file(fit: Any, tmp_path: Any) -> None:
    import xarray as xr

    hlm.diagnostics.tree(fit).to_netcdf(tmp_path / "tree.nc", engine="h5netcdf")
    with xr.open_datatree(tmp_path / "tree.nc", engine="h5netcdf") as back:
        assert repr(diagnostics.check(back)) == repr(fit.check())


def test_what_is_missing_is_left_out() -> None:
    raw = small(n_units=16)
    from hlmbayes.unit_moments.record import moments_of

    fit = model("slopes").fit(moments_of(raw.data(), ["y", "x"]))
    assert "normality of level-1 residuals" not in [c.name for c in fit.check()]
    fixed = hlm.Model("y = b0 + r\nb0 = g00").fit(raw.data())
    assert [c.name for c in fixed.check()] == ["normality of level-1 residuals", "influence of single units"]
    raw.columns["y"] = raw.columns["y"] - raw.columns["y"].mean()
    free = hlm.Model("y = b0 + r\nb0 = u0").fit(raw.data())
    assert "influence of single units" not in [c.name for c in free.check()]


def test_zero_variances() -> None:
    raw = small(n_units=14)
    raw.columns["y"] = np.random.default_rng(3).normal(size=len(raw.unit))
    for unit in range(14):
        mine = raw.unit == unit
        raw.columns["y"][mine] -= raw.columns["y"][mine].mean()
    fit = model("means").fit(raw.data())
    assert fit.boundary
    assert "outlying units" not in [c.name for c in fit.check()]
    with pytest.raises(OutputError, match="estimated as zero"):
        diagnostics.normality_level2(fit)


def test_a_unit_that_carries_an_effect_alone_and_tiny_units() -> None:
    raw = small(n_units=12)
    raw.level2["w"] = np.where(np.arange(12) == 5, 1.0, 0.0)
    checks = hlm.Model("y = b0 + r\nb0 = g00 + g01*w + u0").fit(raw.data()).check()
    assert "unit 105 alone carries a fixed effect" in checks["influence of single units"].verdict
    assert not checks["influence of single units"].ok


@pytest.mark.parametrize(("n", "n_units"), [(4, 300), (20, 3000)])
def test_equal_variances_raise_no_alarm_and_unequal_ones_do_in_small_and_many_units(n, n_units) -> None:
    u, e = good(n=n, n_units=n_units)
    assert made(u, e).check()["equal level-1 variances"].ok
    unlike = made(u, e * np.exp(np.linspace(-1, 1, n_units))[:, None]).check()["equal level-1 variances"]
    assert not unlike.ok
    assert "differ more than by chance" in unlike.verdict


def test_a_model_of_the_variances_is_not_told_to_have_one() -> None:
    rng = np.random.default_rng(8)
    unit, female = np.repeat(np.arange(80), 25), rng.integers(0, 2, 2000)
    rate = rng.random(80)  # units differ in how many are female, so in their spread
    female = (rng.random(2000) < rate[unit]).astype(float)
    y = rng.normal(size=80)[unit] + np.exp(0.7 * female) * rng.normal(size=2000)
    data = hlm.read({"id": unit, "y": y, "female": female})
    equations = "y = b0 + r\nb0 = g00 + u0"
    assert not hlm.Model(equations).fit(data).check()["equal level-1 variances"].ok
    noisy = hlm.Model(equations + "\nlog(sigma2) = a0 + a1*female").fit(data)
    assert noisy.check()["equal level-1 variances"].ok


def test_units_too_small_to_compare() -> None:
    raw = small(n_units=20)
    raw.columns["x"] = raw.level2["w"][raw.unit]
    fit = hlm.Model("y = b0 + b1*x + r\nb0 = g00 + u0\nb1 = g10 + u1").fit(raw.data())
    assert "too few units" in diagnostics.homogeneity(fit).verdict
