"""Intervals of the fixed effects, and the table of all intervals."""

from __future__ import annotations

import pytest
from scipy import stats

from hlmbayes import Model
from tests.small import model, own_unit, small


def test_the_table_has_fixed_effects_first() -> None:
    fit = model("slopes").fit(small(72, n_units=25, sd=1.5).data())
    table = fit.confint(0.9, df="satterthwaite")
    effects = fit.fixed_effects(df="satterthwaite")
    half = stats.t.ppf(0.95, effects["df"]["g01"]) * effects["se"]["g01"]
    assert table["high"]["g01"] == pytest.approx(effects["coefficient"]["g01"] + half)
    assert list(table.index[:5]) == ["g00", "g01", "g10", "g11", "sd[b0]"]
    assert table["method"]["g01"] == "t, satterthwaite d.f."
    assert table["low"]["sigma2"] == pytest.approx(table["low"]["sigma"] ** 2)
    wider = fit.confint(0.99)
    assert (wider["high"] >= table["high"]).all()


def test_where_there_is_none_the_table_says_why() -> None:
    fit = Model("y = b0 + r; b0 = g00 + g01*own + u0").fit(own_unit(1))
    method = fit.confint(robust=True)["method"]
    assert method["g00"].startswith("t, hlm d.f.")
    table = Model("y = b0 + r; b0 = g00 + g01*other + u0").fit(own_unit(1)).fixed_effects(True)
    why = "its robust variance is zero: one unit alone determines it, or all units say the same of it"
    assert table.attrs["not_available"] == {"g00": why}
    other = Model("y = b0 + r; b0 = g00 + g01*other + u0").fit(own_unit(1))
    assert other.confint(robust="CR2")["method"]["g00"] == f"not available: {why}"
    assert "not_available" not in other.fixed_effects(False).attrs
