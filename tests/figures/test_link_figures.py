"""Figures of outcomes that are not normal: what they show, and which fit which model."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from scipy import special

import hlmbayes as hlm
from hlmbayes import plots
from hlmbayes.diagnostics.calibration import FEWEST
from hlmbayes.diagnostics.link_point import link_point
from hlmbayes.diagnostics.predictions import predict
from hlmbayes.errors import OutputError
from hlmbayes.faces import record_of
from hlmbayes.figures import calibration_plot
from hlmbayes.figures.figure_set import figures, most_telling
from tests.hglm.test_fit import ORACLES, frame_of
from tests.posterior.test_multinomial_posterior import FRAME, TEXT

from .legible import check_legible, legend_texts, points

ONE = "b0 = g00 + g01*w + u0; b1 = g10"


@pytest.fixture(autouse=True)
def _few_simulated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw calibration with the fewest data sets that there may be."""
    monkeypatch.setattr(calibration_plot, "calibrated", partial(calibration_plot.calibrated, n=FEWEST))


@pytest.fixture(scope="module")
def fit() -> Any:
    return hlm.Model(f"logit(y) = b0 + b1*x; {ONE} + u1").fit(hlm.read(frame_of("binary"), id="id"))


@pytest.fixture(scope="module")
def by_hlm() -> Any:
    data = hlm.read(frame_of("binary"), id="id")
    return hlm.Model(f"logit(y) = b0 + b1*x; {ONE}").fit(data, algorithm="hlm")


@pytest.fixture(scope="module")
def ratings() -> Any:
    data = hlm.read(pd.read_csv(ORACLES / "data" / "ordinal_four.csv"), id="id")
    return hlm.Model(f"cumlogit(y) = b0 + b1*x; {ONE}").fit(data)


def drawn(ax: Any) -> list[np.ndarray]:
    """Give the lines of axes, (n, 2) each, without those that are only in the legend."""
    return [line.get_xydata() for line in ax.lines if len(line.get_xydata())]


def test_the_curve_is_what_predict_gives(fit: Any) -> None:
    ax = plots.predicted(fit, "x", by={"w": [-1.0, 1.0]})
    mean, typical = drawn(ax)[2], drawn(ax)[3]
    known = fit.predict(pd.DataFrame({"x": mean[:, 0], "w": 1.0}), level=2)
    np.testing.assert_allclose(mean[:, 1], known["predicted"], atol=1e-12)
    np.testing.assert_allclose(typical[:, 1], known["at_zero"], atol=1e-12)
    assert legend_texts(ax)[-1] == "a typical unit, u = 0"
    assert ax.get_ylabel() == "Probability (y = 1)"
    check_legible(ax)


def test_each_unit_has_its_own_curve(fit: Any) -> None:
    ax = plots.level1_equations(fit, "x")
    (collection,) = ax.collections
    segments = collection.get_segments()
    frame, own = frame_of("binary"), fit.residuals(2)
    assert len(segments) == frame.id.nunique()
    eta = own["ecintrcp"].iloc[3] + own["ecx"].iloc[3] * segments[3][:, 0]
    np.testing.assert_allclose(segments[3][:, 1], special.expit(eta), atol=1e-12)
    mine = frame[frame.id == frame.id.unique()[3]]
    assert segments[3][[0, -1], 0] == pytest.approx([mine.x.min(), mine.x.max()])
    assert len(legend_texts(ax)) == 3
    check_legible(ax)


def test_categories_have_a_line_each(ratings: Any) -> None:
    ax = plots.predicted(ratings, "x")
    lines = drawn(ax)
    assert len(lines) == 4
    np.testing.assert_allclose(sum(line[:, 1] for line in lines), 1.0, atol=1e-12)
    assert legend_texts(ax) == ["1", "2", "3", "4"]
    check_legible(ax)
    with pytest.raises(OutputError, match="one variable at most, beside the categories"):
        plots.predicted(ratings, "x", by={"w": [0], "x": [0]})
    with pytest.raises(OutputError, match="a curve for each category"):
        plots.level1_equations(ratings, "x")


def test_draws_of_u_vary_as_u_does_and_its_means_less(fit: Any) -> None:
    point = link_point(record_of(fit))
    assert point is not None
    J, sd = len(point.u), np.sqrt(np.diag(point.tau))
    # over units, draws have the variance of u: mean of squares within three standard errors of it
    squares = (point.draw() / sd) ** 2
    assert (abs(squares.mean(axis=0) - 1.0) < 3.0 * np.sqrt(2.0 / J)).all()
    assert ((point.u**2).mean(axis=0) < 0.75 * sd**2).all()


def test_the_effects_plot_has_each_draw(fit: Any) -> None:
    ax = plots.effects_qq(fit, coefficient="b1")
    point = link_point(record_of(fit))
    assert point is not None
    z = np.sort(point.draw()[:, 1] / np.sqrt(point.tau[1, 1]))
    np.testing.assert_allclose(points(ax)[:, 1], z, atol=1e-12)
    check_legible(ax)


def test_caterpillar_is_of_the_residual_file(fit: Any, by_hlm: Any) -> None:
    for one in (fit, by_hlm):
        ax = plots.caterpillar(one)
        shown = np.sort(np.concatenate([points(ax, k)[:, 1] for k in range(len(ax.collections) // 2)]))
        if len(shown) > 40:
            np.testing.assert_allclose(shown, np.sort(one.residuals(2)["ebintrcp"]), atol=1e-9)
        assert "log odds" in ax.get_ylabel() + ax.get_xlabel()


def test_quantile_residuals_are_not_standardised_again(fit: Any) -> None:
    ax = plots.level1_qq(fit)
    np.testing.assert_allclose(points(ax)[:, 1], np.sort(fit.quantile_residuals()), atol=1e-12)
    assert "Randomised quantile residual" in ax.get_ylabel()


def test_calibration_is_that_of_the_fit(fit: Any, by_hlm: Any) -> None:
    ax = plots.calibration(fit, groups=5)
    found = fit.calibration(groups=5, n=FEWEST).frame()
    own = found[found.given == "equations"]
    shown = np.concatenate([points(ax, k) for k in range(int(own.outside.nunique()))])
    np.testing.assert_allclose(np.sort(shown[:, 1]), np.sort(own.observed), atol=1e-12)
    with pytest.raises(OutputError, match="by the likelihood"):
        plots.calibration(by_hlm)


def test_calibration_of_ratings_says_that_its_groups_are_of_cuts(ratings: Any) -> None:
    ax = plots.calibration(ratings, groups=3)
    assert ax.get_xlabel() == "Probability of a category of y or a lower one"
    found = ratings.calibration(groups=3).frame()
    own = found[found.given == "equations"]
    assert own["of"].str.startswith("y <= ").all()
    shown = np.concatenate([points(ax, k) for k in range(int(own.outside.nunique()))])
    np.testing.assert_allclose(np.sort(shown[:, 0]), np.sort(own.expected), atol=1e-12)


def test_influence_is_that_of_the_table(fit: Any, by_hlm: Any) -> None:
    for one in (fit, by_hlm):
        ax = plots.influence(one)
        heights = np.concatenate([points(ax, k)[:, 1] for k in range(2)])
        np.testing.assert_allclose(np.sort(heights), np.sort(one.influence().cook), atol=1e-12)


def test_what_only_normal_outcomes_have_is_refused(fit: Any, by_hlm: Any) -> None:
    for one in (fit, by_hlm):
        for draw in (plots.chi2_qq, plots.shrinkage, plots.log_sd_histogram, plots.log_sd_qq):
            with pytest.raises(OutputError, match="is for normal outcomes, and y of this model is Bernoulli"):
                draw(one)
    normal = hlm.Model("mathach = b0 + r; b0 = g00 + u0").fit(hlm.datasets.hsb())
    with pytest.raises(OutputError, match="chi2_qq draws it of normal ones"):
        plots.effects_qq(normal)


def test_quasi_likelihood_has_no_bars_of_variance_and_draws_have(by_hlm: Any) -> None:
    with pytest.raises(OutputError, match="no bars of it"):
        plots.variance_bars(by_hlm)
    post = by_hlm.model.sample(hlm.read(frame_of("binary"), id="id"), draws=200, chains=2, seed=1)
    ax = plots.variance_bars(post)
    assert ax.get_title(loc="left").endswith("on the scale of the link")
    assert ax.containers[0][0].get_height() == pytest.approx(post.r2().share(["fixed_within"]), abs=1e-9)


def test_every_figure_of_every_kind_can_be_drawn(fit: Any, by_hlm: Any, ratings: Any) -> None:
    counts = hlm.Model(f"log(y, exposure=n) = b0 + b1*x; {ONE}").fit(hlm.read(frame_of("counts"), id="id"))
    for one in (fit, by_hlm, ratings, counts):
        known = figures(record_of(one))
        for name, draw in known.items():
            ax = draw()
            if "caterpillar" not in name:  # whose labels' boxes have the lines to their points
                check_legible(ax)
            plt.close(ax.figure.figure)
        assert len(most_telling(known)) == 8
        assert ("level1_qq" in known) == (one is not ratings)
        assert ("variance_bars" in known) == (one is not by_hlm)


def test_of_categories_without_an_order_there_are_the_effects_of_each() -> None:
    model = hlm.Model("mlogit(y) = b0 + b1*x; b0 = g00 + u0; b1 = g10")
    fit = model.fit(hlm.read(pd.read_csv(ORACLES / "data" / "ordinal_four.csv"), id="id"), laplace=True)
    known = figures(record_of(fit))
    assert {"effects_qq_b0[1]", "caterpillar_b0[3]"} <= set(known)
    assert "boxes_by_unit_y" not in known  # categories without an order have no median
    ax = known["predicted_x"]()
    lines = {line.get_label(): line for line in ax.lines}
    means = fit.predict(pd.DataFrame({"x": lines["3"].get_xdata()}), level=2)
    np.testing.assert_allclose(lines["3"].get_ydata(), means["predicted[3]"], atol=1e-12)
    by_hlm = predict(model.fit(fit.data, algorithm="hlm"), "x")
    np.testing.assert_allclose(sum(line.y for line in by_hlm), 1.0, atol=1e-12)


@pytest.mark.parametrize("algorithm", ["exact", "hlm"])
def test_figures_of_each_category_say_which_they_are_of(algorithm: str) -> None:
    fit = hlm.Model(TEXT).fit(hlm.read(FRAME, id="id"), algorithm=algorithm)
    titles = {name: draw().get_title(loc="left") for name, draw in figures(record_of(fit)).items()}
    assert len(set(titles.values())) == len(titles)
    last = hlm.read(FRAME, id="id").level1_column("y").max()
    for kind in ("effects_qq_b0[1]", "effect_against_w_b0[1]", "caterpillar_b0[1]"):
        assert f"(1 against {last:.0f})" in titles[kind].replace("\n", " ")
    plt.close("all")
