"""Calibration: groups by hand, bands against theory, and p-values that reject as often as they say."""

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats

import hlmbayes as hlm
from hlmbayes.diagnostics.calibration import bounds_of
from hlmbayes.errors import HypothesisError

MODEL = hlm.Model("logit(y) = b0 + b1*x; b0 = g00 + u0; b1 = g10")


def simulated(rng, units=60, rows=8, sd=1.0, bend=0.0):
    unit = np.repeat(np.arange(units), rows)
    x, u = rng.normal(size=len(unit)), sd * rng.normal(size=units)
    eta = -0.5 + 0.7 * x + bend * (x**2 - 1) + u[unit]
    y = (rng.random(len(unit)) < 1 / (1 + np.exp(-eta))).astype(float)
    return pd.DataFrame({"id": unit, "x": x, "y": y})


@pytest.fixture(scope="module")
def frame():
    return simulated(np.random.default_rng(2))


@pytest.fixture(scope="module")
def fit(frame):
    return MODEL.fit(frame, id="id")


def test_groups_are_of_the_data(fit, frame):
    found = fit.calibration(5, n=20).frame()
    assert list(found.given) == ["units"] * 5 + ["equations"] * 5
    for _, own in found.groupby("given"):
        assert own.n_rows.sum() == len(frame)
        assert own.observed @ own.n_rows == pytest.approx(frame.y.sum())
        assert own.expected.is_monotonic_increasing
    ranked = np.argsort(frame.x.to_numpy())[:96]  # the fifth with the least x has the least expected outcome
    first = found[found.given == "equations"].iloc[0]
    sd = np.sqrt(fit.tau["b0", "b0"])

    def mean(x):
        eta = fit.gamma["g00"] + fit.gamma["g10"] * x
        return integrate.quad(lambda u: stats.norm.pdf(u) / (1 + np.exp(-eta - sd * u)), -9, 9)[0]

    assert first.expected == pytest.approx(np.mean([mean(x) for x in frame.x.iloc[ranked]]), abs=1e-8)
    assert first.observed == pytest.approx(frame.y.iloc[ranked].mean())
    assert first.n_units == frame.id.iloc[ranked].nunique()


def test_bands_without_random_effects_are_those_of_logistic_regression(frame):
    fit = hlm.Model("logit(y) = b0 + b1*x; b0 = g00; b1 = g10").fit(frame, id="id")
    found = fit.calibration(4, n=600).frame()
    eta = fit.gamma["g00"] + fit.gamma["g10"] * frame.x.to_numpy()
    x, v = np.column_stack([np.ones(len(eta)), frame.x]), 1 / (2 + 2 * np.cosh(eta))
    inside = (np.argsort(np.argsort(eta)) // 120 == np.arange(4)[:, None]).astype(float)
    shared = inside * v @ x
    variance = np.diag(inside @ v) - shared @ np.linalg.solve((x.T * v) @ x, shared.T)
    width = 2 * stats.norm.ppf(0.975) * np.sqrt(np.diag(variance)) / 120
    np.testing.assert_allclose((found.high - found.low) / width, 1.0, atol=0.12)


def test_a_wrong_shape_is_seen_and_a_right_one_is_not(fit):
    assert min(fit.calibration(n=99).p_value.values()) > 0.05
    bent = MODEL.fit(simulated(np.random.default_rng(3), units=120, bend=0.5), id="id").calibration(n=99)
    assert bent.p_value["equations"] == pytest.approx(0.01)
    assert "averaged over random effects" in str(bent).lower()
    assert bent.frame().outside.any()


def test_trials_and_exposure_count(frame):
    rng = np.random.default_rng(5)
    sized = frame.assign(n=rng.integers(1, 6, len(frame)))
    for left, draw in (("logit(y, trials=n)", rng.binomial), ("log(y, exposure=n)", None)):
        mean = 1 / (1 + np.exp(-0.4 * sized.x))
        y = rng.poisson(sized.n * mean) if draw is None else draw(sized.n, mean)
        fit = hlm.Model(f"{left} = b0 + b1*x; b0 = g00 + u0; b1 = g10").fit(sized.assign(y=y), id="id")
        found = fit.calibration(3, n=20).frame()
        own = found[found.given == "equations"]
        if draw is None:
            assert own.observed @ own.n_rows == pytest.approx(y.sum())
        else:
            assert own.observed.between(0, 1).all()
        assert own.observed.to_numpy() == pytest.approx(own.expected.to_numpy(), rel=0.25)


def test_rows_alike_stay_together():
    np.testing.assert_allclose(bounds_of(np.repeat([0.1, 0.2, 0.9], 30), 10), [0.15, 0.55])
    assert len(bounds_of(np.full(9, 0.3), 4)) == 0
    assert len(bounds_of(np.linspace(0, 1, 100), 10)) == 9


def test_what_cannot_be_asked_is_said(fit, frame):
    for said, options in {"groups": {"groups": 1}, "data sets": {"n": 5}}.items():
        with pytest.raises(HypothesisError, match=said):
            fit.calibration(**options)


def rated(frame, rng, bend=0.0):
    """Ratings 0 to 3, the higher the larger x is."""
    latent = rng.logistic(size=len(frame)) + 0.7 * frame.x + bend * (frame.x**2 - 1)
    return frame.assign(y=np.digitize(latent + rng.normal(size=60)[frame.id], [-1.5, 0.0, 1.2]))


RATED = hlm.Model("cumlogit(y) = b0 + b1*x; b0 = g00 + u0; b1 = g10")


def test_ratings_have_groups_at_each_cut(frame):
    ratings = rated(frame, np.random.default_rng(9))
    fit = RATED.fit(ratings, id="id")
    found = fit.calibration(4, n=99)
    table = found.frame()
    own = table[(table.given == "equations") & (table.of == "y <= 1")]
    assert list(dict.fromkeys(table.of)) == ["y <= 0", "y <= 1", "y <= 2"]
    assert own.observed @ own.n_rows == pytest.approx((ratings.y <= 1).sum())
    eta = fit.gamma["g00"] + fit.gamma["g10"] * frame.x.to_numpy() + fit.cuts().estimate["d2"]
    lowest = np.sort(eta)[:120]
    sd = np.sqrt(fit.tau["b0", "b0"])

    def mean(eta):
        return integrate.quad(lambda u: stats.norm.pdf(u) / (1 + np.exp(-eta - sd * u)), -9, 9)[0]

    assert own.expected.iloc[0] == pytest.approx(np.mean([mean(each) for each in lowest]), abs=1e-8)
    assert own.observed.iloc[0] == pytest.approx((ratings.y.to_numpy()[np.argsort(eta)[:120]] <= 1).mean())
    assert min(found.p_value.values()) > 0.05
    assert "the share of y <= 0, y <= 1, y <= 2 lies outside" in str(found)
    bent = RATED.fit(rated(frame, np.random.default_rng(9), bend=0.8), id="id").calibration(4, n=99)
    assert bent.p_value["equations"] <= 0.02


def chosen(frame, rng, bend=0.0):
    """Categories 1 to 3, 1 the likelier and 2 the less likely the larger x is."""
    of_units = rng.normal(size=(60, 2)) @ [[0.8, 0.3], [0.0, 0.6]]
    eta = np.zeros((len(frame), 3))
    eta[:, :2] = of_units[frame.id] + np.outer(frame.x, [0.6, -0.5])
    eta[:, 0] += bend * (frame.x**2 - 1)
    return frame.assign(y=(eta + rng.gumbel(size=eta.shape)).argmax(axis=1) + 1)


CHOSEN = hlm.Model("mlogit(y) = b0 + b1*x; b0 = g00 + u0; b1 = g10")


def test_categories_without_an_order_have_groups_of_each(frame):
    choices = chosen(frame, np.random.default_rng(6))
    fit = CHOSEN.fit(choices, id="id")
    found = fit.calibration(4, n=20)
    table = found.frame()
    assert list(dict.fromkeys(table.of)) == ["y = 1", "y = 2", "y = 3"]
    rows = fit.predict(choices, level=2)
    for k in (1, 2, 3):
        own = table[(table.given == "equations") & (table.of == f"y = {k}")]
        assert own.observed @ own.n_rows == pytest.approx((choices.y == k).sum())
        p = rows[f"predicted[{k}]"].to_numpy()
        lowest = np.argsort(p)[:120]
        assert own.expected.iloc[0] == pytest.approx(p[lowest].mean(), abs=1e-10)
        assert own.observed.iloc[0] == pytest.approx((choices.y.to_numpy()[lowest] == k).mean())
    given = table[(table.given == "units") & (table.of == "y = 1")]
    mean = fit.predict(choices, level=1)["predicted[1]"].mean()
    assert given.expected @ given.n_rows / len(choices) == pytest.approx(mean, abs=1e-10)
    assert "the share of y = 1, y = 2, y = 3 lies outside" in str(found)
    bent = CHOSEN.fit(chosen(frame, np.random.default_rng(6), bend=1.0), id="id").calibration(4, n=49)
    assert bent.p_value["equations"] == pytest.approx(0.02)


@pytest.mark.parametrize(
    ("law", "draw"),
    [("logit", None), ("mlogit", chosen), pytest.param("cumlogit", rated, marks=pytest.mark.slow)],
)
def test_posteriors_are_calibrated_as_fits_are(frame, law, draw):
    model = hlm.Model(f"{law}(y) = b0 + b1*x; b0 = g00 + u0; b1 = g10")
    rows = frame if draw is None else draw(frame, np.random.default_rng(9))
    posterior = model.sample(rows, id="id", seed=1, draws=400, chains=2)
    found, fitted = posterior.calibration(4), model.fit(rows, id="id").calibration(4, n=20).frame()
    table, fitted = found.frame(), fitted[fitted.given == "equations"].reset_index()
    assert list(found.p_value) == ["equations"]
    assert found.n_simulated == 500
    assert found.p_value["equations"] > 0.05
    assert table.of.tolist() == fitted.of.tolist()
    assert table.expected.to_numpy() == pytest.approx(fitted.expected.to_numpy(), abs=0.02)
    assert (table.low < table.expected).all()
    assert (table.expected < table.high).all()
    assert "500 data sets drawn from the posterior" in str(found)


def test_a_posterior_of_a_wrong_shape_is_seen(frame):
    for model, bent in (
        (MODEL, simulated(np.random.default_rng(3), units=120, bend=0.5)),
        (CHOSEN, chosen(frame, np.random.default_rng(6), bend=1.0)),
    ):
        posterior = model.sample(bent, id="id", seed=1, draws=400, chains=2)
        assert posterior.calibration().p_value["equations"] < 0.02


def test_what_a_posterior_cannot_be_asked_is_said(frame):
    posterior = MODEL.sample(frame, id="id", seed=1, draws=400, chains=2)
    for said, options in {"groups": {"groups": 1}, "draws": {"draws": 0}, "seed": {"seed": -1}}.items():
        with pytest.raises(HypothesisError, match=said):
            posterior.calibration(**options)


@pytest.mark.slow
def test_p_values_of_ratings_reject_as_often_as_they_say(frame):
    rng, found = np.random.default_rng(7), []
    for seed in range(150):
        fit = RATED.fit(rated(frame, rng), id="id")
        found.append(list(fit.calibration(5, n=39, seed=seed).p_value.values()))
    share = (np.array(found) <= 0.05).mean(axis=0)
    assert share[1] > 0.02, share
    assert (share < 0.085).all(), share


@pytest.mark.slow
def test_p_values_reject_as_often_as_they_say():
    rng, found = np.random.default_rng(7), []
    for seed in range(150):
        fit = MODEL.fit(simulated(rng, units=40, rows=5), id="id")
        found.append(list(fit.calibration(6, n=39, seed=seed).p_value.values()))
    share = (np.array(found) <= 0.05).mean(axis=0)
    assert share[1] > 0.02, share  # given units fewer are rejected: u is estimated from the same rows
    assert (share < 0.085).all(), share


@pytest.mark.slow
def test_p_values_of_categories_reject_as_often_as_they_say(frame):
    rng, found = np.random.default_rng(7), []
    for seed in range(100):
        fit = CHOSEN.fit(chosen(frame, rng), id="id")
        found.append(list(fit.calibration(5, n=39, seed=seed).p_value.values()))
    assert ((np.array(found) <= 0.05).mean(axis=0) < 0.1).all()
