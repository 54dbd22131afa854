"""Intraclass correlations at values of predictors, against dense covariance matrices and shifted models."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import hlmbayes as hlm
from hlmbayes import Model, Weights, read
from hlmbayes.errors import HLMWarning, HypothesisError, SamplingError
from hlmbayes.faces import record_of
from tests.dense import dense
from tests.small import model, small

SOURCE = small(61, n_units=25, sd=2.0)
X = SOURCE.columns["x"]


@pytest.fixture(scope="module")
def fit():
    return model("raw").fit(SOURCE.data())


def brute(m, found, **x):
    """Give the correlation of two rows of a unit that have these values, from the dense covariance matrix."""
    columns = {k: v.copy() for k, v in SOURCE.columns.items()}
    first, second = np.flatnonzero(SOURCE.unit == 3)[:2]
    for name, value in x.items():
        columns[name][[first, second]] = value
    v = dense(m, columns, SOURCE.unit, SOURCE.level2).v(record_of(found).components.tau, found.sigma2)
    return v[first, second] / np.sqrt(v[first, first] * v[second, second])


@pytest.mark.parametrize("x", [-1.3, 0.0, 2.0])
def test_it_is_the_correlation_of_two_rows(fit, x):
    found = fit.icc(at={"x": x})
    assert found.icc == pytest.approx(brute(model("raw"), fit, x=x), rel=1e-10)
    assert found.at == {"x": x}
    assert f"correlation at x = {x:g} " in str(found)


def test_several_slopes_and_none_of_the_intercept():
    m = model("four")
    found = m.fit(SOURCE.data())
    at = {"x": 0.5, "z": -1.0, "d": 1.0}
    assert found.icc(at=at).icc == pytest.approx(brute(m, found, **at), rel=1e-10)
    m = Model("y = b1*x + b2*z + r\nb1 = g10 + u1\nb2 = g20 + u2")
    found = m.fit(SOURCE.data())
    assert found.icc(at={"x": 0.5}).icc == pytest.approx(brute(m, found, x=0.5, z=0.0), rel=1e-10)
    assert (found.icc(at={"x": 0}).icc, found.icc(at={"x": 0}).high) == (0.0, 0.0)
    with pytest.raises(HypothesisError, match=r"no random intercept.*icc\(at=\{'x': 1\}\)"):
        found.icc()


@pytest.mark.parametrize("method", ["REML", "ML"])
def test_estimate_and_interval_are_those_of_the_model_with_the_predictor_shifted(method):
    shifted = replace(SOURCE, columns={**SOURCE.columns, "x": X - 1.5})
    here = model("raw").fit(SOURCE.data(), method=method).icc(at={"x": 1.5}, prob=0.9)
    there = model("raw").fit(shifted.data(), method=method).icc(prob=0.9)
    assert [here.icc, here.low, here.high] == pytest.approx([there.icc, there.low, there.high], rel=1e-6)


def test_with_sampling_weights_the_interval_is_that_of_the_shifted_model_too():
    weight = np.random.default_rng(1).uniform(0.5, 2, len(X))
    one, two = (
        model("raw").fit(
            replace(SOURCE, columns={**SOURCE.columns, "x": x, "p": weight}).data(), weights=Weights("p")
        )
        for x in (X, X - 1.5)
    )
    here, there = one.icc(at={"x": 1.5}), two.icc()
    assert [here.icc, here.low, here.high] == pytest.approx([there.icc, there.low, there.high], rel=1e-5)


def test_values_are_those_of_the_predictor_as_it_stands_in_the_equation(fit):
    """At the mean, which of a centred predictor is zero."""
    centred = Model(model("raw").equations().replace("b1*x", "b1*grand(x)")).fit(SOURCE.data())
    means = [fit.icc(at="mean"), fit.icc(at={"x": "mean"}), centred.icc(), centred.icc(at="mean")]
    assert [m.icc for m in means] == pytest.approx([means[0].icc] * 4, rel=1e-6)
    assert means[0].at["x"] == pytest.approx(X.mean())
    assert centred.icc(at={"grand(x)": 1 - X.mean()}).icc == pytest.approx(fit.icc(at={"x": 1}).icc, rel=1e-6)
    assert "at grand(x) = 1," not in str(centred.icc(at={"X": 1}))
    assert "at grand(x) = 1 " in str(centred.icc(at={"X": 1}))


def test_a_curve(fit):
    grid = np.linspace(-2, 2, 5)
    for values in (grid[:2].tolist(), pd.Series(grid[:2])):
        np.testing.assert_array_equal(fit.icc(at={"x": values}).frame()["x"], grid[:2])
    curve = fit.icc(at={"x": grid})
    frame = curve.frame()
    assert list(frame.columns) == ["x", "icc", "low", "high"]
    np.testing.assert_array_equal(frame["x"], grid)
    for x, row in zip(grid[::2], curve.points[::2], strict=True):
        assert row.icc == pytest.approx(fit.icc(at={"x": x}).icc)
    assert (frame["low"] < frame["icc"]).all()
    assert (frame["icc"] < frame["high"]).all()
    assert "0.9" in str(curve)
    assert str(curve).count("\n") == 5
    four = model("four").fit(SOURCE.data()).icc(at={"x": [0, "mean"], "z": [-1, 0]})
    assert len(four.points) == 4
    assert four.points[3].at == {"x": pytest.approx(X.mean()), "z": 0.0, "d": 0.0}


def test_where_no_place_is_said_it_is_zero(fit):
    assert fit.icc().icc == fit.icc(at={"x": 0}).icc
    assert fit.icc().at == {"x": 0.0}
    assert "predictors are zero; at= gives it elsewhere" in str(fit.icc())
    assert "at= gives it elsewhere" not in str(fit.icc(at={"x": 0}))


@pytest.mark.parametrize(
    ("at", "words"),
    [
        ({"w": 1}, "'w' is not a random coefficient of this model: b0 .intercept., b1 .x."),
        ({"z": 1}, "'z' is not a random coefficient"),
        ({"b0": 1}, "an intercept has no values"),
        ({"x": "high"}, 'a number, several, or "mean" is wanted'),
        ({"x": [1, None]}, "a number, several"),
        ({"x": []}, "a number, several"),
        ({"x": np.nan}, "a number, several"),
        ({"x": [[1, 2]]}, "a number, several"),
        ({"x": np.arange(20_000)}, "more than 10000"),
        (1.5, "at= wants values of predictors"),
        ("ses", "at= wants values of predictors"),
    ],
)
def test_what_is_no_place_is_said(fit, at, words):
    with pytest.raises(HypothesisError, match=words):
        fit.icc(at=at)


def test_of_a_posterior_it_is_taken_draw_by_draw(fit):
    post = model("raw").sample(SOURCE.data(), seed=1, draws=200, chains=2)
    found = post.icc(at={"x": 1.5}, prob=0.9)
    z = np.array([1, 1.5])
    between = z @ post.draws("tau") @ z
    draws = between / (between + post["sigma2"])
    np.testing.assert_allclose(found.draws, draws)
    assert found.icc == pytest.approx(np.median(draws))
    assert [found.low, found.high] == pytest.approx(np.quantile(draws, [0.05, 0.95]))
    assert found.icc == pytest.approx(fit.icc(at={"x": 1.5}).icc, abs=0.05)
    frame = post.icc(at={"x": [0, 1.5]}, prob=0.9).frame()
    assert frame.loc[1, "icc"] == found.icc
    with pytest.raises(HypothesisError, match="not a random coefficient"):
        post.icc(at={"w": 1})
    with pytest.warns(HLMWarning, match="DO NOT USE"):
        noisy = Model("y = b0 + r\nb0 = g00 + u0\nlog(sigma2) = a0 + a1*d").sample(
            read({"id": SOURCE.unit, **SOURCE.columns}, id="id"), seed=1, draws=20, chains=2, sampler="direct"
        )
    with pytest.raises(SamplingError, match="not one intraclass correlation"):
        noisy.icc()


def test_an_interval_of_the_optimum_is_named_as_such_beside_hlms_estimate():
    model = hlm.Model("mathach = b0 + b1*group(ses) + r\nb0 = g00 + u0\nb1 = g10 + u1")
    data = hlm.datasets.hsb()
    hlms, best = (model.fit(data, algorithm=name).icc(at={"ses": 1.5}) for name in ("hlm", "exact"))
    assert f"{hlms.icc:.4f}" != f"{best.icc:.4f}"
    assert hlms.low == pytest.approx(best.low, rel=1e-6)
    (note,) = hlms.notes
    assert f"where the correlation at group(ses) = 1.5 is {best.icc:.4f}: the interval is its" in note
    assert best.notes == ()


def test_a_factor_is_at_a_level_whatever_its_coding():
    """The correlation at a level is the one at zero of a model with that level as its reference."""
    rng = np.random.default_rng(8)
    school = np.repeat(np.arange(30), 12)
    track, coded = rng.choice(["gen", "voc", "aca"], 360), rng.integers(0, 2, 360)
    own = rng.normal(size=(30, 3))
    y = own[school, 0] + own[school, 1] * (track == "voc") + own[school, 2] * coded + rng.normal(size=360)
    frame = pd.DataFrame({"id": school, "track": track, "coded": coded, "y": y})
    data = read(frame, id="id")

    def fitted(track_term, coded_term="C(coded)"):
        lines = "y = b0 + b1*{} + b2*{} + r; b0 = g00 + u0; b1 = g10 + u1; b2 = g20 + u2"
        return Model(lines.format(track_term, coded_term)).fit(data)

    plain, summed = fitted("C(track)"), fitted("C(track, sum)")
    for level in ("aca", "gen", "voc"):
        found = plain.icc(at={"track": level})
        at_zero = fitted(f'C(track, ref="{level}")').icc()
        assert [found.icc, found.low, found.high] == pytest.approx(
            [at_zero.icc, at_zero.low, at_zero.high], rel=1e-5
        )
        in_sum = summed.icc(at={"C(track)": level}).icc
        assert in_sum == pytest.approx(summed.icc(at={"track": level.upper()}).icc, rel=1e-12)
        assert in_sum == pytest.approx(found.icc, rel=1e-5)
    assert plain.icc(at={"track": ["gen", "aca"]}).frame()["track[gen]"].tolist() == [1, 0]
    turned = fitted("C(track)", "C(coded, ref=1)")  # the number is the level, not the column of the other
    assert turned.icc(at={"coded": 1}).icc == pytest.approx(plain.icc(at={"coded": 1}).icc, rel=1e-5)
    with pytest.raises(HypothesisError, match=r"no level 'general'; there are aca, gen, voc"):
        plain.icc(at={"track": "general"})
    with pytest.raises(HypothesisError, match=r"track is several"):
        plain.icc(at={"track": 1})
    centred = Model("y = b0 + b1*group(coded) + r; b0 = g00 + u0; b1 = g10 + u1").fit(
        read(frame.assign(coded=np.where(coded, "yes", "no")), id="id")
    )
    with pytest.raises(HypothesisError, match=r'a number, several, or "mean" is wanted, got .yes.'):
        centred.icc(at={"coded": "yes"})  # a deviation from the unit's share has no level
