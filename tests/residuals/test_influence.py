"""Influence of units: each one really left out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import hlmbayes as hlm
from hlmbayes.errors import OutputError
from hlmbayes.faces import record_of
from hlmbayes.residuals.influence import influence, leave_one_out
from tests.dense import Dense, dense
from tests.small import MODELS, model, small


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(("algorithm", "method"), [("exact", "REML"), ("hlm", "REML"), ("hlm", "ML")])
def test_gamma_without_each_unit_is_gls_of_the_other_rows(name: str, algorithm: str, method: str) -> None:
    raw = small(n_units=16)
    fit = model(name).fit(raw.data(), algorithm=algorithm, method=method)
    rows = dense(fit.model, raw.columns, raw.unit, raw.level2)
    tau, sigma2 = record_of(fit).entering.tau, record_of(fit).entering.sigma2
    information = rows.gls(tau, sigma2)[1]
    got = leave_one_out(record_of(fit))
    for j in range(16):
        keep = raw.unit != j
        rest = Dense(rows.y[keep], rows.X[keep], rows.Z[keep], raw.unit[keep], rows.free)
        change = rest.gls(tau, sigma2)[0] - record_of(fit).gamma_free
        np.testing.assert_allclose(got.change[j], change, rtol=1e-6, atol=1e-9)
        assert got.cook[j] == pytest.approx(change @ information @ change / len(change), rel=1e-6)
    assert got.leverage.sum() == pytest.approx(len(record_of(fit).gamma_free), rel=1e-9)


@pytest.mark.parametrize("case", ["model4_intercepts_slopes", "random_only_REML"])
def test_hsb_oracle(case: str, oracles: Path) -> None:
    oracle = json.loads((oracles / "condvar.json").read_text(encoding="utf-8"))["cases"][case]
    fit = hlm.Model("\n".join(oracle["equations"])).fit(hlm.datasets.hsb())
    got = leave_one_out(record_of(fit))
    order = [oracle["names"].index(name) for name in fit.model.gamma_names]
    without = np.array(oracle["gamma_without_unit"]["first"])[:, order]
    np.testing.assert_allclose(record_of(fit).gamma_free + got.change[:10], without, atol=2e-6)
    np.testing.assert_allclose(got.cook[:10], oracle["cook"]["first"], rtol=1e-4)
    assert got.cook.sum() == pytest.approx(oracle["cook"]["sum"], rel=1e-5)


def test_the_table_names_effects_and_scales_them() -> None:
    fit = model("constrained").fit(small(n_units=16).data())
    table = fit.influence()
    assert table.index.name == "id"
    assert list(table)[:4] == ["nj", "cook", "leverage", "d_g00"]
    np.testing.assert_array_equal(table["d_g01"], table["d_g11"])  # held equal
    se = np.sqrt(np.diag(fit.vcov))[0]
    np.testing.assert_allclose(table["z_g00"], table["d_g00"] / se, rtol=1e-12)


def test_a_unit_that_alone_carries_an_effect_is_infinitely_influential() -> None:
    raw = small(n_units=12)
    raw.level2["w"] = np.where(np.arange(12) == 5, 1.0, 0.0)
    fit = hlm.Model("y = b0 + r\nb0 = g00 + g01*w + u0").fit(raw.data())
    table = influence(record_of(fit))
    assert np.isinf(table["cook"].iloc[5])
    assert np.isnan(table["d_g01"].iloc[5])
    assert np.isfinite(np.delete(table["cook"].to_numpy(), 5)).all()


def test_no_fixed_effects_is_refused() -> None:
    raw = small(n_units=12)
    raw.columns["y"] = raw.columns["y"] - raw.columns["y"].mean()
    fit = hlm.Model("y = b0 + r\nb0 = u0").fit(raw.data())
    with pytest.raises(OutputError, match="no fixed effects"):
        fit.influence()
