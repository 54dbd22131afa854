"""Figures of posteriors whose outcome is not normal: curves against sums, refusals in one line."""

from __future__ import annotations

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy import special

import hlmbayes as hlm
from hlmbayes import plots
from hlmbayes.diagnostics.predictions import predict
from hlmbayes.errors import HLMError
from hlmbayes.faces import record_of
from hlmbayes.figures.posterior_set import figures
from hlmbayes.posterior.predictive_link import kept_draws
from hlmbayes.predictions.drawn import DRAWS
from tests.posterior.test_generalized_posterior import OF_X, RATED
from tests.posterior.test_multinomial_posterior import FRAME as CHOSEN
from tests.posterior.test_multinomial_posterior import TEXT
from tests.sampling.test_pymc_link import DATA

# standard deviations at which the 63 nodes of curves have these digits
HOW = OF_X | {"priors": hlm.Priors(gamma=hlm.Normal(0.0, 2.0), sd=hlm.HalfNormal(0.4))}
REST = "b0 + b1*x; b0 = g00 + g01*w + u0; b1 = g10"
NODES = np.linspace(-9.0, 9.0, 401)
WEIGHTS = np.exp(-0.5 * NODES**2) / np.exp(-0.5 * NODES**2).sum()


@pytest.fixture(scope="module")
def passed():
    return hlm.Model(f"logit(y) = {REST}").sample(DATA, **HOW)


@pytest.fixture(scope="module")
def rated():
    return hlm.Model(f"cumlogit(y) = {REST}").sample(hlm.read(RATED, id="id"), **HOW)


@pytest.fixture(scope="module")
def chosen():
    return hlm.Model(TEXT).sample(hlm.read(CHOSEN, id="id"), **HOW)


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def probabilities(post, line, w, cuts):
    """Average P(y <= m) over u by sums in every draw: (B, n, cuts)."""
    kept = kept_draws(record_of(post), DRAWS)
    flat = {name: post[name].ravel()[kept][:, None, None, None] for name in ("g00", "g01", "g10", "sd[b0]")}
    eta = flat["g00"] + flat["g01"] * w + flat["g10"] * line.x[:, None, None] + cuts[:, None, :, None]
    return special.expit(eta + flat["sd[b0]"] * NODES) @ WEIGHTS


def test_the_curve_and_its_band_are_those_of_the_draws(passed):
    (line,) = predict(passed, "x", prob=0.9)
    w = DATA.level2_values("w")[1].mean()
    found = probabilities(passed, line, w, np.zeros((1, 1)))[:, :, 0]
    np.testing.assert_allclose(line.y, found.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(line.low, np.quantile(found, 0.05, axis=0), atol=1e-6)
    np.testing.assert_allclose(line.high, np.quantile(found, 0.95, axis=0), atol=1e-6)
    assert np.abs(line.y - line.at_zero).max() > 1e-4  # the mean over units is another curve


def test_the_categories_of_ratings_have_curves_that_add_up_to_one(rated):
    lines = predict(rated, "x")
    assert [line.at["y"] for line in lines] == [1.0, 2.0, 3.0]
    np.testing.assert_allclose(sum(line.y for line in lines), 1.0, atol=1e-12)
    kept = kept_draws(record_of(rated), DRAWS)
    cuts = np.column_stack([np.zeros(len(kept)), rated["d2"].ravel()[kept]])
    w = record_of(rated).data.level2_values("w")[1].mean()
    below = probabilities(rated, lines[0], w, cuts)
    np.testing.assert_allclose(lines[0].y, below[:, :, 0].mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(lines[2].low, np.quantile(1 - below[:, :, 1], 0.025, axis=0), atol=1e-6)


def test_the_categories_without_an_order_have_them_too(chosen):
    lines = predict(chosen, "x", prob=0.9)
    found = chosen.predict({"x": lines[0].x}, level=2, interval="confidence", prob=0.9)
    for m, line in enumerate(lines, 1):
        assert line.at == {"y": m}
        for part, name in ((line.y, "predicted"), (line.low, "low"), (line.high, "high")):
            np.testing.assert_allclose(part, found[f"{name}[{m}]"], atol=1e-12)


def test_all_that_suit_a_posterior_are_drawn_and_can_be_read(passed):
    drawn = figures(passed)
    assert list(drawn) == [
        "gamma_forest",
        "densities",
        "predicted_x",
        "predicted_w",
        "caterpillar_b0",
        "ranks",
    ]
    for name in ("predicted_x", "predicted_w"):  # smaller than others, for narrow pages
        figure, ax = drawn[name], drawn[name].axes[0]
        figure.draw_without_rendering()
        for text in (ax._left_title, ax.yaxis.label, ax.xaxis.label):
            box = text.get_window_extent()
            assert figure.bbox.contains(box.x0, box.y0)
            assert figure.bbox.contains(box.x1, box.y1)


def test_of_categories_the_units_of_each_are_drawn_and_no_intercept_is_forgotten(chosen):
    drawn = figures(chosen)
    assert {"tau_pair", "caterpillar_b0[1]", "caterpillar_b0[2]"} <= set(drawn)
    below = drawn["gamma_forest"].axes[0].get_xlabel()
    assert "intercept[1] (g00[1])" in below
    assert "intercept[2] (g00[2])" in below


@pytest.mark.parametrize("draw", [
    lambda p: plots.predicted(p, "x", by={"w": [-1, 1]}), plots.caterpillar, plots.effects_qq,
    lambda p: plots.effect_against(p, "w"), plots.gamma_forest, plots.variance_bars,
    lambda p: plots.level1_equations(p, "x"), plots.level1_qq, plots.residuals_by_unit,
])  # fmt: skip
def test_what_normal_posteriors_have_is_drawn_and_names_its_scale(passed, draw):
    ax = draw(passed)
    words = " ".join([ax.get_xlabel(), ax.get_ylabel(), ax.get_title(), ax.get_title(loc="left")]).lower()
    assert any(word in words for word in ("log odds", "probability", "u0 /", "quantile residual", "the link"))


def test_draws_have_ranks_and_densities(rated):
    assert len(plots.ranks(rated).axes) >= 5  # three effects, a standard deviation, a cut
    assert any("cut 2" in ax.get_title(loc="left") for ax in plots.densities(rated).axes)


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (plots.predictive_by_unit, "post.check"),
        (plots.influence, "influence is of fits"),
        (plots.influence_on_effects, "influence is of fits"),
        (plots.shrinkage, "this is for normal outcomes"),
        (lambda p: plots.predicted(p, "x", robust=True), "bands are quantiles"),
    ],
)
def test_what_there_is_not_is_refused_in_one_line(passed, draw, message):
    with pytest.raises(HLMError, match=message) as refused:
        draw(passed)
    assert "\n" not in str(refused.value)
