"""Diagnostic figures: what is drawn is what was computed, and it can be read."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import matplotlib
import numpy as np
import pytest
from scipy import stats

import hlmbayes as hlm
from hlmbayes.errors import OutputError
from hlmbayes.figures import plot_style
from tests.small import model, small

from .legible import OKABE_ITO, check_legible, colours, legend_texts, notes, points

matplotlib.use("Agg")
import matplotlib.pyplot as plt

MODEL4 = """mathach = b0 + b1*group(ses) + r
    b0 = g00 + g01*sector + g02*meanses + u0
    b1 = g10 + g11*sector + g12*meanses + u1"""

FIGURES: dict[str, Callable[..., Any]] = {
    "chi2_qq": hlm.plots.chi2_qq,
    "log_sd_histogram": hlm.plots.log_sd_histogram,
    "log_sd_qq": hlm.plots.log_sd_qq,
    "pracad": lambda fit, ax=None: hlm.plots.effect_against(fit, "pracad", ax),
    "sector": lambda fit, ax=None: hlm.plots.effect_against(fit, "sector", ax, coefficient="b1"),
    "caterpillar": hlm.plots.caterpillar,
    "caterpillar_slope": lambda fit, ax=None: hlm.plots.caterpillar(fit, ax, coefficient="u1"),
    "shrinkage": hlm.plots.shrinkage,
    "shrinkage_one": lambda fit, ax=None: hlm.plots.shrinkage(fit, ax, coefficients=("b1",)),
    "residuals_against_fitted": hlm.plots.residuals_against_fitted,
    "level1_qq": hlm.plots.level1_qq,
    "residuals_by_unit": hlm.plots.residuals_by_unit,
    "influence": hlm.plots.influence,
    "influence_on_effects": hlm.plots.influence_on_effects,
}


@pytest.fixture(scope="module")
def fit() -> Any:
    return hlm.Model(MODEL4).fit(hlm.datasets.hsb())


@pytest.fixture(scope="module")
def frame(fit: Any) -> Any:
    return fit.residuals(level=2, extra="all")


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_can_be_read(fit: Any, name: str) -> None:
    ax = FIGURES[name](fit)
    check_legible(ax)
    assert colours(ax) <= OKABE_ITO


@pytest.mark.parametrize("name", FIGURES)
def test_a_datatree_draws_the_same(fit: Any, name: str) -> None:
    tree = hlm.diagnostics.tree(fit)
    a, b = FIGURES[name](fit), FIGURES[name](tree)
    assert a.get_xlabel() == b.get_xlabel()
    assert a.get_ylabel() == b.get_ylabel()
    assert notes(a).keys() == notes(b).keys()
    if name != "log_sd_histogram":
        np.testing.assert_array_equal(points(a), points(b))
    labels = [[t.get_text() for t in ax.get_xticklabels()] for ax in (a, b)]
    assert labels[0] == labels[1]


@pytest.mark.parametrize("name", FIGURES)
def test_axes_given_are_used_and_returned(fit: Any, name: str) -> None:
    figure, ax = plt.subplots()
    assert FIGURES[name](fit, ax=ax) is ax
    assert plt.get_fignums() == [figure.number]


@cache
def small_fit(which: str) -> Any:
    return model(which).fit(small(n_units=16).data())


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("which", ["means", "random only", "no intercept"])
def test_small_data_with_singular_units_and_no_labels(name: str, which: str) -> None:
    fit = small_fit(which)
    draw = {
        "pracad": lambda: hlm.plots.effect_against(fit, "v", coefficient=fit.random_names[0]),
        "sector": lambda: hlm.plots.effect_against(fit, "w", coefficient=fit.random_names[-1]),
        "caterpillar": lambda: hlm.plots.caterpillar(fit, coefficient=fit.random_names[0]),
        "caterpillar_slope": lambda: hlm.plots.caterpillar(fit, coefficient=fit.random_names[-1]),
        "shrinkage_one": lambda: hlm.plots.shrinkage(fit, coefficients=fit.random_names[-1:]),
    }.get(name, lambda: FIGURES[name](fit))
    check_legible(draw())


def test_chi2_qq_holds_the_residual_file_and_a_diagonal(fit: Any, frame: Any) -> None:
    ax = hlm.plots.chi2_qq(fit, label=3)
    np.testing.assert_allclose(points(ax), frame[["mdist", "chipct"]].to_numpy())
    line = ax.lines[0]
    np.testing.assert_array_equal(line.get_xdata(), line.get_ydata())
    assert ax.get_xlim() == ax.get_ylim()
    worst = frame.nlargest(3, "mdist")["id"].astype(str)
    assert set(notes(ax)) == set(worst)
    assert "(mdist)" in ax.get_xlabel()
    assert "2 d.f. (chipct)" in ax.get_ylabel().replace("\n", " ")


def test_the_band_is_that_of_order_statistics() -> None:
    from hlmbayes.figures.normality_plots import order_band

    low, high = order_band(7)
    i = np.arange(1, 8)
    np.testing.assert_allclose(low, stats.beta.ppf(0.025, i, 8 - i), rtol=1e-8)
    np.testing.assert_allclose(high, stats.beta.ppf(0.975, i, 8 - i), rtol=1e-8)


def test_histogram_counts_every_unit(fit: Any, frame: Any) -> None:
    ax = hlm.plots.log_sd_histogram(fit)
    assert sum(patch.get_height() for patch in ax.patches) == 160
    assert ax.lines[0].get_xdata()[0] == pytest.approx(frame["mdrsvar"].mean())
    assert "mathematics achievement (mdrsvar)" in ax.get_xlabel()
    with pytest.raises(OutputError, match="lntotvar, olsrsvar or mdrsvar"):
        hlm.plots.log_sd_histogram(fit, variable="mdist")


def test_qq_of_standardised_mdrsvar(fit: Any, frame: Any) -> None:
    ax = hlm.plots.log_sd_qq(fit)
    z = stats.zscore(np.sort(frame["mdrsvar"]), ddof=1)
    expected = stats.norm.ppf((np.arange(160) + 0.5) / 160)
    np.testing.assert_allclose(points(ax), np.column_stack([expected, z]), atol=1e-10)
    lowest = frame.loc[frame["mdrsvar"].idxmin()]
    assert notes(ax)[str(int(lowest["id"]))] == pytest.approx((expected[0], z[0]))


def test_effect_against_a_variable_in_or_out_of_the_model(fit: Any, frame: Any) -> None:
    ax = hlm.plots.effect_against(fit, "PRACAD")
    np.testing.assert_allclose(points(ax), frame[["pracad", "ebintrcp"]].to_numpy())
    assert ax.get_xlabel() == "Proportion of students in the academic track (pracad)"
    assert ax.get_ylabel() == "EB residual of the intercept (u0)"
    assert legend_texts(ax) == ["smooth (local lines)"]
    by_sector = hlm.plots.effect_against(fit, "sector", coefficient="b1")
    assert [t.get_text() for t in by_sector.get_xticklabels()] == ["public", "Catholic"]
    means = frame.groupby("sector")["ebses"].mean()
    drawn = [line.get_ydata()[0] for line in by_sector.lines if line.get_linewidth() > 2]
    np.testing.assert_allclose(drawn, means, atol=1e-12)


def test_the_smooth_reproduces_a_straight_line_and_bends_with_a_curve() -> None:
    x = np.random.default_rng(0).random(200)
    grid, fitted = plot_style.smooth(x, 2 - 3 * x)
    np.testing.assert_allclose(fitted, 2 - 3 * grid, atol=1e-10)
    grid, fitted = plot_style.smooth(x, (x - 0.5) ** 2, span=0.3)
    assert fitted[0] > 0.2 > 0.02 > fitted[len(grid) // 2]
    assert len(plot_style.smooth(np.array([1.0, 2.0, 1.0]), np.ones(3))[0]) == 0
    ties = np.repeat([0.0, 1.0, 2.0], 30)
    assert np.isfinite(plot_style.smooth(ties, ties**2)[1]).all()


def test_caterpillar_is_in_order_with_normal_intervals(fit: Any, frame: Any) -> None:
    ax = hlm.plots.caterpillar(fit, prob=0.9)
    drawn = np.concatenate([points(ax, k) for k in range(3)])
    drawn = drawn[np.argsort(drawn[:, 0])]
    np.testing.assert_allclose(drawn[:, 1], np.sort(frame["ebintrcp"]))
    half = stats.norm.ppf(0.95) * np.sqrt(frame["pv00"])
    above = int((frame["ebintrcp"] - half > 0).sum())
    below = int((frame["ebintrcp"] + half < 0).sum())
    assert legend_texts(ax) == [
        f"holds 0 ({160 - above - below})",
        f"above 0 ({above})",
        f"below 0 ({below})",
    ]
    lengths = np.concatenate(
        [np.ptp(s[:, 1]) * np.ones(1) for c in ax.collections[::2] for s in c.get_segments()]
    )
    np.testing.assert_allclose(np.sort(lengths), np.sort(2 * half))
    assert str(int(frame.loc[frame["ebintrcp"].idxmax(), "id"])) in notes(ax)
    assert "90 %" in ax._left_title.get_text()


def test_few_units_are_all_named() -> None:
    fit = model("slopes").fit(small(n_units=16).data())
    ax = hlm.plots.caterpillar(fit)
    assert sorted(t.get_text() for t in ax.get_yticklabels()) == [str(100 + j) for j in range(16)]


def test_shrinkage_joins_ols_and_eb(fit: Any, frame: Any) -> None:
    ax = hlm.plots.shrinkage(fit)
    ols = np.column_stack([frame["olintrcp"] + frame["fvintrcp"], frame["olses"] + frame["fvses"]])
    eb = frame[["ecintrcp", "ecses"]].to_numpy()
    np.testing.assert_allclose(points(ax, 0), ols)
    np.testing.assert_allclose(points(ax, 1), eb)
    segments = np.array(
        next(c for c in ax.collections if type(c).__name__ == "LineCollection").get_segments()
    )
    np.testing.assert_allclose(segments, np.stack([ols, eb], axis=1))
    assert ax.get_xlabel() == "Intercept (b0)"
    label = "Slope of ses (b1): Socioeconomic status of the student"
    assert ax.get_ylabel().replace("\n", " ") == label
    one = hlm.plots.shrinkage(fit, coefficients=("b0",))
    np.testing.assert_allclose(points(one), frame[["olintrcp", "ebintrcp"]].to_numpy())


def test_level1_figures_hold_the_level1_file(fit: Any) -> None:
    rows = fit.residuals(level=1)
    ax = hlm.plots.residuals_against_fitted(fit)
    np.testing.assert_allclose(points(ax), rows[["fitval", "l1resid"]].to_numpy())
    ax = hlm.plots.level1_qq(fit)
    z = np.sort(rows["l1resid"] / np.std(rows["l1resid"]))
    np.testing.assert_allclose(points(ax)[:, 1], z)
    ax = hlm.plots.residuals_by_unit(fit)
    medians = rows.groupby("id")["l1resid"].median()
    np.testing.assert_allclose(np.sort(points(ax)[:, 1]), np.sort(medians))


def test_quantiles_of_all_units_at_once() -> None:
    from hlmbayes.figures.unit_boxes import unit_quantiles

    rng = np.random.default_rng(1)
    unit = rng.permutation(np.repeat([0, 1, 3], [1, 6, 11]))
    values = rng.normal(size=18)
    q, units = unit_quantiles(values, unit)
    assert list(units) == [0, 1, 3]
    for row, j in zip(q, units, strict=True):
        np.testing.assert_allclose(row, np.quantile(values[unit == j], [0.05, 0.25, 0.5, 0.75, 0.95]))


def test_influence_names_the_units_above_the_rule(fit: Any) -> None:
    table = fit.influence()
    ax = hlm.plots.influence(fit, label=5)
    drawn = np.concatenate([points(ax, 0), points(ax, 1)])
    np.testing.assert_allclose(np.sort(drawn[:, 1]), np.sort(table["cook"]))
    assert set(notes(ax)) == set(table.nlargest(5, "cook").index.astype(str))
    above = int((table["cook"] > 4 / 160).sum())
    assert legend_texts(ax) == [f"below ({160 - above})", f"above ({above})"]
    ax = hlm.plots.influence_on_effects(fit)
    z = table[[f"z_{name}" for name in fit.model.gamma_names]].to_numpy()
    np.testing.assert_allclose(points(ax)[:, 0], z.ravel())
    ticks = [t.get_text() for t in ax.get_yticklabels()]
    assert ticks == [
        "intercept (g00)", "sector (g01)", "meanses (g02)", "ses (g10)", "ses × sector (g11)",
        "ses × meanses (g12)",
    ]  # fmt: skip


def test_many_rows_and_units_are_thinned_evenly() -> None:
    rng = np.random.default_rng(0)
    unit = np.repeat(np.arange(600), 40)
    data = hlm.read({"id": unit, "y": rng.normal(size=600)[unit] + rng.normal(size=24_000)}, id="id")
    fit = hlm.Model("y = b0 + r\nb0 = g00 + u0").fit(data)
    assert len(points(hlm.plots.residuals_against_fitted(fit))) == 20_000
    ax = hlm.plots.residuals_by_unit(fit)
    assert len(points(ax)) == 200
    assert "200 of 600" in ax.get_xlabel()
    check_legible(ax)


def test_thousands_of_units_are_thinned_and_counted() -> None:
    rng = np.random.default_rng(0)
    unit = np.repeat(np.arange(3000), 3)
    w = rng.normal(size=3000)
    data = hlm.read(
        {"id": unit, "w": w[unit], "y": 2 * rng.normal(size=3000)[unit] + rng.normal(size=9000)}, id="id"
    )
    fit = hlm.Model("y = b0 + r\nb0 = g00 + g01*w + u0").fit(data)
    ax = hlm.plots.caterpillar(fit)
    assert sum(len(points(ax, k)) for k in range(3)) == 400
    assert "(400 of 3,000)" in ax.get_xlabel()
    counts = [int(t.split("(")[1].rstrip(")").replace(",", "")) for t in legend_texts(ax)]
    assert sum(counts) == 3000  # of all units, drawn or not
    ax = hlm.plots.influence(fit)
    assert "(400 of 3,000): those that matter most" in ax.get_xlabel()
    assert np.concatenate([points(ax, k) for k in range(2)])[:, 1].max() == fit.influence()["cook"].max()
    assert "of 3,000)" in hlm.plots.influence_on_effects(fit)._left_title.get_text()
    check_legible(ax)


def test_kinds_of_intervals_differ_in_grey(fit: Any) -> None:
    ax = hlm.plots.caterpillar(fit)
    shapes = {c.get_paths()[0].vertices.tobytes() for c in ax.collections if hasattr(c, "get_sizes")}
    assert len(shapes) == 3


def test_titles_ask_in_words(fit: Any) -> None:
    title = hlm.plots.effect_against(fit, "pracad")._left_title.get_text().replace("\n", " ")
    track = "related to proportion of students in the academic track?"
    assert title == f"Is what remains of the school means {track}"
    title = hlm.plots.effect_against(fit, "pracad", coefficient="b1")._left_title.get_text()
    assert title.replace("\n", " ") == f"Is what remains of the slopes of ses {track}"
    raw = hlm.Model("mathach = b0 + b1*ses + r\nb0 = g00 + u0\nb1 = g10").fit(hlm.datasets.hsb())
    assert "school intercepts" in hlm.plots.caterpillar(raw)._left_title.get_text()


def test_text_ids_are_written_as_they_are() -> None:
    raw = small(n_units=16)
    ids = np.array([f"St. Mary's {j}" for j in raw.unit])
    data = hlm.read({"id": ids, **raw.columns, **{k: v[raw.unit] for k, v in raw.level2.items()}}, id="id")
    ax = hlm.plots.chi2_qq(model("slopes").fit(data), label=2)
    assert all(text.startswith("St. Mary's") for text in notes(ax))
    check_legible(ax)


def test_refusals_are_in_words(fit: Any) -> None:
    means = hlm.Model("mathach = b0 + b1*ses + r\nb0 = g00 + u0\nb1 = g10").fit(hlm.datasets.hsb())
    with pytest.raises(OutputError, match=r"'b1' is not a random coefficient of this model: b0"):
        hlm.plots.caterpillar(means, coefficient="b1")
    with pytest.raises(OutputError, match="no random coefficient"):
        hlm.plots.chi2_qq(hlm.Model("mathach = b0 + r\nb0 = g00").fit(hlm.datasets.hsb()))
    with pytest.raises(OutputError, match=r"no level-2 variable 'pracat'.*'pracad'"):
        hlm.plots.effect_against(fit, "pracat")
    with pytest.raises(OutputError, match="a Fit or a Posterior is wanted here, got str"):
        hlm.plots.chi2_qq("hsb4.hlm")
    tree = hlm.diagnostics.tree(fit)
    with pytest.raises(OutputError, match="no level-2 variable 'nothing'"):
        hlm.plots.effect_against(tree, "nothing")
    with pytest.raises(OutputError, match="no group 'level1'"):
        hlm.plots.level1_qq(tree.filter(lambda node: node.name != "level1"))


def test_zero_variances_have_no_distances_to_draw() -> None:
    raw = small(seed=4, n_units=14, sd=0.0)
    raw.columns["y"] = np.random.default_rng(3).normal(size=len(raw.unit))
    for unit in range(14):
        mine = raw.unit == unit
        raw.columns["y"][mine] -= raw.columns["y"][mine].mean()
    fit = model("means").fit(raw.data())
    assert fit.boundary
    with pytest.raises(OutputError, match="estimated as zero"):
        hlm.plots.chi2_qq(fit)


def test_all_units_without_an_own_regression() -> None:
    raw = small(n_units=20)
    raw.columns["x"] = raw.level2["w"][raw.unit]  # constant inside every unit
    fit = hlm.Model("y = b0 + b1*x + r\nb0 = g00 + u0\nb1 = g10 + u1").fit(raw.data())
    with pytest.raises(OutputError, match="OLS coefficients of its own"):
        hlm.plots.shrinkage(fit)
    with pytest.raises(OutputError, match="fewer than three units"):
        hlm.plots.log_sd_histogram(fit, variable="olsrsvar")


def test_plots_of_a_unit_that_carries_an_effect_alone() -> None:
    raw = small(n_units=12)
    raw.level2["w"] = np.where(np.arange(12) == 5, 1.0, 0.0)
    fit = hlm.Model("y = b0 + r\nb0 = g00 + g01*w + u0").fit(raw.data())
    check_legible(hlm.plots.influence(fit))
    check_legible(hlm.plots.influence_on_effects(fit))


def test_importing_the_package_imports_no_plotting() -> None:
    import subprocess
    import sys

    code = "import sys, hlmbayes as h; h.diagnostics; h.plots; print('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


def test_what_is_not_axes_is_refused(fit: Any) -> None:
    with pytest.raises(OutputError, match="'b1' is not matplotlib axes"):
        hlm.plots.chi2_qq(fit, "b1")


@pytest.mark.parametrize(
    ("name", "args", "options", "said"),
    [
        ("caterpillar", (), {"axes": 1}, r"caterpillar\(\) has no argument axes=.*ax= may be meant"),
        ("effect_against", (), {}, r"effect_against\(\) wants variable="),
        ("predicted", (3,), {}, "x= wants a text, got 3"),
    ],
)
def test_what_crashes_over_an_argument_of_a_figure_says_so(
    name: str, args: tuple[Any, ...], options: dict[str, Any], said: str
) -> None:
    fit = model("slopes").fit(small().data())
    with pytest.raises(hlm.HLMError, match=said):
        getattr(hlm.plots, name)(fit, *args, **options)
