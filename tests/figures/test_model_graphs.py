"""Model graphs: lines are predictions, colours and dashes tell them apart, labels come from the data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import matplotlib
import numpy as np
import pytest

import hlmbayes as hlm
from hlmbayes.diagnostics.predictions import predict
from hlmbayes.errors import OutputError
from hlmbayes.unit_moments.record import moments_of
from tests.small import model, small

from .legible import OKABE_ITO, check_legible, colours, legend_texts, points

matplotlib.use("Agg")
import matplotlib.pyplot as plt

MODEL4 = """mathach = b0 + b1*group(ses) + r
    b0 = g00 + g01*sector + g02*meanses + u0
    b1 = g10 + g11*sector + g12*meanses + u1"""

GRAPHS: dict[str, Callable[..., Any]] = {
    "level1_by_category": lambda fit, ax=None: hlm.plots.predicted(fit, "ses", ax, by={"sector": "all"}),
    "level1_by_two": lambda fit, ax=None: hlm.plots.predicted(
        fit, "ses", ax, by={"sector": "categories", "meanses": "quartiles"}
    ),
    "level2_by_values": lambda fit, ax=None: hlm.plots.predicted(fit, "meanses", ax, by={"ses": [-1, 0, 1]}),
    "one_line": lambda fit, ax=None: hlm.plots.predicted(fit, "sector", ax, robust=True, band=False),
    "equations": lambda fit, ax=None: hlm.plots.level1_equations(fit, "ses", ax),
    "equations_category": lambda fit, ax=None: hlm.plots.level1_equations(fit, "ses", ax, colour="sector"),
    "equations_quarters": lambda fit, ax=None: hlm.plots.level1_equations(fit, "ses", ax, colour="pracad"),
    "boxes": lambda fit, ax=None: hlm.plots.boxes_by_unit(fit, "ses", ax),
    "boxes_category": lambda fit, ax=None: hlm.plots.boxes_by_unit(fit, "mathach", ax, colour="sector"),
}


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def fit() -> Any:
    return hlm.Model(MODEL4).fit(hlm.datasets.hsb())


@pytest.mark.parametrize("name", GRAPHS)
def test_every_graph_can_be_read(fit: Any, name: str) -> None:
    ax = GRAPHS[name](fit)
    check_legible(ax)
    assert colours(ax) <= OKABE_ITO


@pytest.mark.parametrize("name", GRAPHS)
def test_axes_given_are_used(fit: Any, name: str) -> None:
    figure, ax = plt.subplots()
    assert GRAPHS[name](fit, ax=ax) is ax
    assert plt.get_fignums() == [figure.number]


@pytest.mark.parametrize(("by", "values"), [("sector", "all"), ("meanses", "quartiles")])
def test_a_variable_named_alone_has_the_usual_lines(fit: Any, by: str, values: Any) -> None:
    ax, known = hlm.plots.predicted(fit, "ses", by=by), predict(fit, "ses", {by: values})
    for drawn, line in zip(ax.lines, known, strict=True):
        np.testing.assert_array_equal(drawn.get_xydata(), np.column_stack([line.x, line.y]))


def test_the_legend_shows_a_dash_at_either_side_of_a_marker(fit: Any) -> None:
    legend = GRAPHS["level1_by_two"](fit).get_legend()
    dashed = [line for line in legend.get_lines() if line.get_linestyle() == "--"]
    assert dashed
    dash, gap = matplotlib.rcParams["lines.dashed_pattern"]
    for line in dashed:
        side = (legend.handlelength * legend.get_texts()[0].get_fontsize() - line.get_markersize()) / 2
        assert side > (dash + gap) * line.get_linewidth()


def test_lines_and_bands_are_the_predictions(fit: Any) -> None:
    by = {"sector": "all", "meanses": "quartiles"}
    ax = hlm.plots.predicted(fit, "ses", by=by, prob=0.8)
    lines = predict(fit, "ses", by, prob=0.8)
    assert len(ax.lines) == len(lines) == 6
    for drawn, line, band in zip(ax.lines, lines, ax.collections, strict=True):
        np.testing.assert_array_equal(drawn.get_xydata(), np.column_stack([line.x, line.y]))
        corners = band.get_paths()[0].vertices
        assert corners[:, 1].min() == pytest.approx(line.low.min())
        assert corners[:, 1].max() == pytest.approx(line.high.max())
    assert len({(line.get_color(), line.get_linestyle()) for line in ax.lines}) == 6
    assert legend_texts(ax)[0] == "public, 25th percentile (−0.301)"
    assert legend_texts(ax)[5].startswith("Catholic, 75th percentile")
    label = "Socioeconomic status of the student (ses), deviation from the unit's mean"
    assert ax.get_xlabel().replace("\n", " ") == label
    title = ax._left_title.get_text().replace("\n", " ")
    others = "sector of the school and mean SES of the school's students (80 % bands)"
    assert title == f"Mathematics achievement by socioeconomic status of the student, {others}"
    assert len({line.get_marker() for line in ax.lines}) == 2  # colours by themselves are grey in print
    assert ax.get_ylabel() == "Predicted mathematics achievement"


def test_units_lines_are_their_eb_equations(fit: Any) -> None:
    ax = hlm.plots.level1_equations(fit, "ses", colour="sector")
    frame = fit.residuals(level=2)
    segments = [np.array(c.get_segments()) for c in ax.collections]
    assert [len(s) for s in segments] == [90, 70]
    assert legend_texts(ax) == ["public", "Catholic"]
    public = frame[frame["sector"] == 0]
    for line, (_, unit) in zip(segments[0], public.iterrows(), strict=True):
        np.testing.assert_allclose(line[:, 1], unit["ecintrcp"] + unit["ecses"] * line[:, 0])
    data = hlm.datasets.hsb()
    mine = np.asarray(data.level1["ses"])[data.unit == 0]
    np.testing.assert_allclose(segments[0][0][:, 0], [(mine - mine.mean()).min(), (mine - mine.mean()).max()])


def test_quarters_hold_a_quarter_of_the_units(fit: Any) -> None:
    ax = hlm.plots.level1_equations(fit, "ses", colour="pracad")
    counts = [len(c.get_segments()) for c in ax.collections]
    assert sum(counts) == 160
    assert max(counts) - min(counts) < 12
    assert legend_texts(ax)[0].startswith("below ")
    few = hlm.plots.level1_equations(fit, "ses", units=12)
    assert len(few.collections[0].get_segments()) == 12
    assert "12 of 160 schools" in few._left_title.get_text()


def test_units_lines_without_rows_and_with_other_level1_variables() -> None:
    raw = small(n_units=16)
    fit = model("raw").fit(raw.data())
    ax = hlm.plots.level1_equations(fit, "x")
    frame = fit.residuals()
    line = np.array(ax.collections[0].get_segments())[3]
    unit = frame.iloc[3]
    others = unit["ecz"] * raw.columns["z"].mean()
    np.testing.assert_allclose(line[:, 1], unit["ecintrcp"] + unit["ecx"] * line[:, 0] + others)
    fit = model("raw").fit(moments_of(raw.data(), ["y", "x", "z"]))
    check_legible(hlm.plots.level1_equations(fit, "x"))


def test_boxes_are_the_units_quantiles(fit: Any) -> None:
    data = hlm.datasets.hsb()
    ax = hlm.plots.boxes_by_unit(data, "MATHACH", colour="sector")
    y = np.asarray(data.level1["mathach"])
    medians = np.sort([np.median(y[data.unit == j]) for j in range(160)])
    drawn = np.concatenate([points(ax, 0), points(ax, 1)])
    np.testing.assert_allclose(drawn[np.argsort(drawn[:, 0]), 1], medians)
    assert legend_texts(ax) == ["public", "Catholic"]


def test_refusals(fit: Any) -> None:
    with pytest.raises(OutputError, match="two variables at most"):
        hlm.plots.predicted(fit, "ses", by={"sector": "all", "meanses": "quartiles", "x": 1})
    with pytest.raises(OutputError, match="meanses is a level-2 variable"):
        hlm.plots.level1_equations(fit, "meanses")
    with pytest.raises(OutputError, match="'nothing'"):
        hlm.plots.boxes_by_unit(fit, "nothing")
    with pytest.raises(OutputError, match="colours tell at most"):
        hlm.plots.boxes_by_unit(fit, "ses", colour="meanses")
    moments = hlm.Model(MODEL4).fit(moments_of(hlm.datasets.hsb(), ["mathach", "ses"]))
    with pytest.raises(OutputError, match="made from moments"):
        hlm.plots.boxes_by_unit(moments, "ses")


def test_categories_have_points_with_intervals(fit: Any) -> None:
    ax = hlm.plots.predicted(fit, "sector")
    assert len(ax.containers) == 1  # of error bars
    (line,) = predict(fit, "sector")
    np.testing.assert_array_equal(line.x, [0.0, 1.0])
    points_, _, (bars,) = ax.containers[0].lines
    np.testing.assert_allclose(points_.get_ydata(), line.y)
    assert points_.get_linestyle() == "None"
    ends = np.array([segment[:, 1] for segment in bars.get_segments()])
    np.testing.assert_allclose(ends, np.column_stack([line.low, line.high]))


@pytest.fixture(scope="module")
def tracks() -> Any:
    rng = np.random.default_rng(5)
    unit = np.repeat(np.arange(30), 12)
    columns = {
        "id": unit, "track": rng.choice(["vocational", "academic", "general"], 360), "x": rng.random(360) + 1,
        "a/b": rng.normal(size=30)[unit], "größe": rng.integers(0, 2, 360),
    }  # fmt: skip
    columns["y"] = columns["x"] + rng.normal(size=30)[unit] + rng.normal(size=360)
    return hlm.read(columns, id="id")


def test_factors_and_terms_are_those_of_adjusted_means(tracks: Any) -> None:
    fit = hlm.Model("y ~ C(track)*log(x) + größe + (1 | id)").fit(tracks)
    at = {"x": 1.5, "größe": 0.0}
    lines = predict(fit, "track", at=at)
    means = fit.means("track", at=at).frame()
    np.testing.assert_allclose(lines[0].y, means.iloc[:, 0].to_numpy(), rtol=1e-12)
    ax = hlm.plots.predicted(fit, "C(track)", at=at)
    assert [t.get_text() for t in ax.get_xticklabels()] == ["academic", "general", "vocational"]
    by = predict(fit, "x", {"track": ["general"]}, at={"größe": 0})[0]
    here = fit.means("track", values=["general"], at={"x": float(by.x[7]), "größe": 0}).frame()
    assert by.y[7] == pytest.approx(float(here.iloc[0, 0]), rel=1e-12)
    check_legible(hlm.plots.predicted(fit, "x", by={"track": "all"}))
    with pytest.raises(OutputError, match="track has no level 'nothing'; there are academic, general, voc"):
        predict(fit, "x", {"track": "nothing"})


def test_text_of_units_tells_them_apart(tracks: Any) -> None:
    region = np.array(["south", "north", "east"])[np.arange(30) % 3]
    columns = {**{name: tracks.level1[name] for name in ("x", "y")}, "id": tracks.unit}
    data = hlm.read({**columns, "region": region[tracks.unit]}, id="id")
    fit = hlm.Model("y = b0 + b1*x + r\nb0 = g00 + g01*C(region) + u0\nb1 = g10").fit(data)
    ax = hlm.plots.effect_against(fit, "region")
    assert [t.get_text() for t in ax.get_xticklabels()] == ["east", "north", "south"]
    eb = fit.residuals(level=2)["ebintrcp"].to_numpy()
    means = [line.get_ydata()[0] for line in ax.lines if line.get_linewidth() > 2]
    np.testing.assert_allclose(means, [eb[region == name].mean() for name in ("east", "north", "south")])
    check_legible(ax)
    ax = hlm.plots.level1_equations(fit, "x", colour="region")
    assert legend_texts(ax) == ["east", "north", "south"]
    assert [len(c.get_segments()) for c in ax.collections] == [10, 10, 10]
    assert legend_texts(hlm.plots.boxes_by_unit(data, "y", colour="region")) == ["east", "north", "south"]


def test_a_variable_of_two_values_has_proportions(tracks: Any) -> None:
    ax = hlm.plots.boxes_by_unit(tracks, "größe")
    x = np.asarray(tracks.level1["größe"], dtype=float)
    shares = np.sort([x[tracks.unit == j].mean() for j in range(30)])
    np.testing.assert_allclose(points(ax)[:, 1], shares)
    assert ax.get_ylabel() == "Proportion of größe = 1"
    check_legible(ax)
    with pytest.raises(OutputError, match="x has other values than 0 and 1"):
        hlm.plots.proportions_by_unit(tracks, "x")


def test_many_units_are_thinned() -> None:
    rng = np.random.default_rng(0)
    unit = np.repeat(np.arange(400), 6)
    x = rng.normal(size=2400)
    data = hlm.read(
        {"id": unit, "x": x, "y": x + rng.normal(size=400)[unit] + rng.normal(size=2400)}, id="id"
    )
    ax = hlm.plots.boxes_by_unit(data, "y")
    assert len(points(ax)) == 200
    assert "(200 of 400)" in ax.get_xlabel()
    fit = hlm.Model("y = b0 + b1*x + r\nb0 = g00 + u0\nb1 = g10 + u1").fit(data)
    assert len(hlm.plots.level1_equations(fit, "x").collections[0].get_segments()) == 200
