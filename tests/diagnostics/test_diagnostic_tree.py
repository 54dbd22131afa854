"""A posterior in the same layout as a fit: drawn and checked by the same functions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import matplotlib
import numpy as np
import pytest

import hlmbayes as hlm
from hlmbayes.diagnostics import diagnostic_tree
from hlmbayes.diagnostics.predictions import predict
from hlmbayes.faces import record_of
from hlmbayes.sampling import container
from tests.figures.legible import check_legible, points
from tests.small import model, small

matplotlib.use("Agg")
import matplotlib.pyplot as plt


@pytest.fixture(scope="module")
def data() -> Any:
    return small(seed=2, n_units=45).data()


@pytest.fixture(scope="module")
def posterior(data: Any) -> Any:
    return model("slopes").sample(data, seed=1, sampler="direct")


@pytest.fixture(scope="module")
def fit(data: Any) -> Any:
    return model("slopes").fit(data)


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    plt.close("all")


def test_both_engines_have_one_layout(fit: Any, posterior: Any) -> None:
    a, b = hlm.diagnostics.tree(fit), hlm.diagnostics.tree(posterior)
    assert list(a.children) == list(b.children)
    for name in a.children:
        one, two = a[name].to_dataset(), b[name].to_dataset()
        assert list(one.data_vars) == list(two.data_vars)
        assert dict(one.sizes) == dict(two.sizes)
        assert set(one.coords) == set(two.coords)
        for coordinate in one.coords:
            np.testing.assert_array_equal(one[coordinate], two[coordinate])
    assert b.attrs["engine"] == "posterior"
    assert b["level2"].attrs["interval_kind"] == "eti"


def test_a_posteriors_effects_are_means_and_quantiles_of_its_draws(posterior: Any) -> None:
    data = diagnostic_tree.level2(posterior, prob=0.9)
    u = container.flat(posterior.tree, "u")
    np.testing.assert_allclose(data["eb"], u.mean(axis=0))
    np.testing.assert_allclose(data["eb_low"], np.quantile(u, 0.05, axis=0))
    np.testing.assert_allclose(data["eb_high"], np.quantile(u, 0.95, axis=0))
    np.testing.assert_allclose(data["pv"][3], np.cov(u[:, 3].T))
    b = container.flat(posterior.tree, "b").mean(axis=0)
    np.testing.assert_allclose(data["b"], b, rtol=1e-6)


def test_both_engines_nearly_agree(fit: Any, posterior: Any) -> None:
    a, b = diagnostic_tree.level2(fit), diagnostic_tree.level2(posterior)
    for name in ("eb", "mdist", "mdrsvar", "b"):
        x, y = a[name].values.ravel(), b[name].values.ravel()
        ok = np.isfinite(x)
        assert np.corrcoef(x[ok], y[ok])[0, 1] > 0.97, name
    x, y = diagnostic_tree.level1(fit)["residual"], diagnostic_tree.level1(posterior)["residual"]
    assert np.corrcoef(x, y)[0, 1] > 0.98


def test_without_kept_draws_the_intervals_are_normal(data: Any, posterior: Any) -> None:
    lean = model("slopes").sample(
        data, seed=1, sampler="direct", keep_effects=False
    )  # fmt: skip
    values = diagnostic_tree.level2(lean)
    assert values.attrs["interval_kind"] == "normal (posterior sd)"
    table = lean.effects()
    np.testing.assert_allclose(values["eb"][:, 0], table["u0_mean"])
    np.testing.assert_allclose(
        values["eb_high"][:, 1], table["u1_mean"] + 1.959964 * table["u1_sd"], rtol=1e-6
    )
    check_legible(hlm.plots.caterpillar(lean))


@pytest.mark.parametrize(
    "name",
    ["chi2_qq", "log_sd_qq", "caterpillar", "shrinkage", "level1_qq", "residuals_by_unit", "influence"],
)
def test_every_plot_takes_a_posterior(posterior: Any, name: str) -> None:
    ax = getattr(hlm.plots, name)(posterior)
    check_legible(ax)
    if name == "caterpillar":
        assert "Posterior mean of the intercept (u0)" in ax.get_ylabel()
    from_tree = getattr(hlm.plots, name)(hlm.diagnostics.tree(posterior))
    np.testing.assert_array_equal(points(ax), points(from_tree))


def test_a_posteriors_bands_are_quantiles_of_its_predictions(posterior: Any) -> None:
    (line,) = predict(posterior, "x", at={"w": 1.0}, prob=0.8)
    gamma = container.flat(posterior.tree, "gamma")
    w = np.asarray(record_of(posterior).target.design.moments.level2["w"])
    x = np.column_stack([np.ones(41), np.ones(41), line.x, line.x * (1.0 - w.mean())])
    draws = gamma @ x.T
    np.testing.assert_allclose(line.y, draws.mean(axis=0))
    np.testing.assert_allclose(line.low, np.quantile(draws, 0.1, axis=0))
    np.testing.assert_allclose(line.high, np.quantile(draws, 0.9, axis=0))
    check_legible(hlm.plots.predicted(posterior, "x", by={"w": "quartiles"}))
    check_legible(hlm.plots.level1_equations(posterior, "x", colour="w"))
    check_legible(hlm.plots.boxes_by_unit(posterior, "y"))


def test_checks_of_a_posterior(posterior: Any) -> None:
    checks = posterior.check()
    assert len(checks.frame()) == 5
    assert repr(checks) == repr(hlm.diagnostics.check(posterior))
    without_rows = hlm.Posterior(replace(record_of(posterior), data=None))
    assert "normality of level-1 residuals" not in [c.name for c in hlm.diagnostics.check(without_rows)]


def test_value_labels_are_in_the_tree() -> None:
    fit = hlm.Model("mathach = b0 + r\nb0 = g00 + u0").fit(hlm.datasets.hsb())
    tree = hlm.diagnostics.tree(fit)
    ax = hlm.plots.effect_against(tree, "SECTOR")
    assert [t.get_text() for t in ax.get_xticklabels()] == ["public", "Catholic"]
    del tree["level2_variables"]["sector"].attrs["value_labels"]
    ax = hlm.plots.effect_against(tree, "sector")
    assert [t.get_text() for t in ax.get_xticklabels()] == ["0", "1"]


def test_text_is_drawn_as_categories_but_no_number_of_a_tree() -> None:
    raw = small(n_units=16)
    raw.level2["region"] = np.array(["north", "south"] * 8)
    fit = model("slopes").fit(raw.data())
    assert "region" not in hlm.diagnostics.tree(fit)["level2_variables"]
    with pytest.raises(hlm.errors.OutputError, match="region is not numeric"):
        diagnostic_tree.level2_variable(fit, "region")
    with pytest.raises(hlm.errors.OutputError, match="no level-2 variable 'region'"):
        hlm.plots.effect_against(hlm.diagnostics.tree(fit), "region")
    ax = hlm.plots.effect_against(fit, "region")
    assert [t.get_text() for t in ax.get_xticklabels()] == ["north", "south"]
    assert fit.residuals(extra="region")["region"].iloc[1] == "south"
