"""Plausible ranges of level-1 coefficients."""

from __future__ import annotations

import numpy as np
import pytest

from hlmbayes import Model, read
from hlmbayes.errors import HypothesisError
from tests.small import model, small


def test_plausible_range_at_values_of_the_predictors() -> None:
    source = small(62, n_units=20, sd=1.5)
    fit = model("slopes").fit(source.data())
    middle = source.level2["w"].mean()
    at_zero = fit.plausible_range("b0", at={"W": 2.0})
    assert at_zero.center == pytest.approx(fit.gamma["g00"] + 2 * fit.gamma["g01"])
    slope = fit.plausible_range("B1", prob=0.5)
    assert slope.center == pytest.approx(fit.gamma["g10"])  # grand-centred: the mean by default
    assert slope.at == {"w": pytest.approx(middle)}
    assert slope.high - slope.center == pytest.approx(0.6744897501960817 * np.sqrt(fit.tau["b1", "b1"]))
    moved = fit.plausible_range("b1", at={"w": middle + 1})
    assert moved.center == pytest.approx(fit.gamma["g10"] + fit.gamma["g11"])


def test_by_default_it_is_where_the_units_are() -> None:
    source = small(62, n_units=20, sd=1.5)
    fit = Model("y = b0 + b1*group(x) + r\nb0 = g00 + g01*w + u0\nb1 = g10 + u1").fit(source.data())
    middle = float(source.level2["w"].mean())
    found = fit.plausible_range("intercept")
    assert found.coefficient == "b0"
    assert found.at == {"w": pytest.approx(middle)}
    assert found.center == pytest.approx(fit.gamma["g00"] + middle * fit.gamma["w"])
    assert "have b0 (intercept) between" in str(found)
    assert "w: at the mean of the units; at= takes other values." in str(found)
    at_zero = fit.plausible_range("b0", at={"w": 0})
    assert at_zero.center == pytest.approx(fit.gamma["intercept"])
    assert "mean of the units" not in str(at_zero)
    assert fit.plausible_range("x").coefficient == "b1"
    assert not fit.plausible_range("x").notes


def test_random_only_coefficient_ranges_about_zero() -> None:
    fit = model("random only").fit(small(63, n_units=20, sd=1.5).data())
    found = fit.plausible_range("b1")
    assert found.center == 0.0
    assert found.formula.startswith("0 +- 1.96")


def test_factors_go_by_their_own_names_and_levels() -> None:
    rng = np.random.default_rng(4)
    school = np.repeat(np.arange(30), 10)
    sector, sex = np.where(np.arange(30) % 3, "public", "private"), rng.choice(["m", "f"], 300)
    y = (sector == "public")[school] + rng.normal(size=30)[school] + rng.normal(size=300)
    data = read({"id": school, "sector": sector[school], "sex": sex, "y": y}, id="id")
    fit = Model("y = b0 + b1*sex + r; b0 = g00 + g01*sector + u0; b1 = g10 + g11*sector + u1").fit(data)
    at = {name: fit.plausible_range("sex", at={"sector": name}) for name in ("public", "private")}
    assert at["private"].center == fit.gamma["g10[m]"]
    assert at["public"].center == pytest.approx(fit.gamma["g10[m]"] + fit.gamma["g11[m,public]"])
    assert fit.prediction_interval("sex", at={"sector": "Public"}).mean == pytest.approx(at["public"].center)
    assert fit.gamma["sex:sector"] == fit.gamma["g11[m,public]"]
    found = fit.confint(parameters=["sd[sex]", "corr[sex,intercept]", "corr[intercept,sex]"])
    assert list(found.index) == ["sd[b1[m]]", "corr[b1[m],b0]", "corr[b1[m],b0]"]
    with pytest.raises(HypothesisError, match=r"no level 'catholic'; there are private, public"):
        fit.plausible_range("b0", at={"sector": "catholic"})
