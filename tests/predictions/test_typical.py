"""Probabilities of ratings and categories of typical rows, against R, brute force and sums over the draws."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import special

import hlmbayes as hlm
from hlmbayes.errors import HypothesisError
from hlmbayes.faces import record_of
from tests.hglm.test_fit import ORACLES
from tests.posterior.test_generalized_posterior import RATED
from tests.posterior.test_multinomial_posterior import FRAME

ORACLE = json.loads((ORACLES / "category_predictions.json").read_text())
LAWS = ["ordinal", "multinomial"]
LEFT = {"ordinal": "cumlogit(y)", "multinomial": "mlogit(y)"}
FRAMES = {"ordinal": RATED, "multinomial": FRAME}
REST = "b0 + b1*x; b0 = g00 + g01*w{u}; b1 = g10"
HOW: dict[str, Any] = {
    "draws": 400, "chains": 2, "seed": 1,
    "priors": hlm.Priors(gamma=hlm.Normal(0.0, 2.0), sd=hlm.HalfNormal(0.3)),
}  # fmt: skip
KEPT = np.linspace(0, 399, 250).astype(int)  # draws of each chain that rows are predicted from


def data_of(law: str) -> pd.DataFrame:
    return pd.read_csv(ORACLES / "data" / f"{'ordinal_four' if law == 'ordinal' else law}.csv")


def model_of(law: str, u: str = " + u0") -> hlm.Model:
    return hlm.Model(f"{LEFT[law]} = {REST.format(u=u)}")


@pytest.fixture(scope="module")
def fits():
    return {law: model_of(law).fit(data_of(law), id="id") for law in LAWS}


@pytest.fixture(scope="module")
def posts():
    return {law: model_of(law).sample(hlm.read(FRAMES[law], id="id"), **HOW) for law in LAWS}


@pytest.fixture(params=LAWS)
def fitted(request, fits):
    return request.param, data_of(request.param), fits[request.param]


@pytest.fixture(params=LAWS)
def drawn(request, posts):
    return request.param, FRAMES[request.param], posts[request.param]


def test_averages_and_their_errors_are_those_of_brute_force(fitted):
    law, data, fit = fitted
    oracle = ORACLE[law]["averaged"]
    found = fit.means("x", values=[0, 1]).frame()
    assert found["y"].tolist() == np.repeat(np.unique(data.y), 2).tolist()
    np.testing.assert_allclose(found["estimate"], np.ravel(oracle["probability"], "F"), atol=1e-5)
    np.testing.assert_allclose(found["se"], np.ravel(oracle["se"], "F"), rtol=1e-3)
    rows = fit.predict(pd.DataFrame({"x": [0.0, 1.0], "w": data.w.mean()}), level=2, interval="confidence")
    np.testing.assert_allclose(rows.filter(like="predicted"), oracle["probability"], atol=1e-5)
    np.testing.assert_allclose(rows.filter(like="se["), oracle["se"], rtol=1e-3)
    reach = 1.959964 * rows["se[2]"] / (rows["predicted[2]"] * (1 - rows["predicted[2]"]))
    low = special.expit(special.logit(rows["predicted[2]"]) - reach)
    np.testing.assert_allclose(rows["low[2]"], low, atol=1e-6)
    for end in ("low", "high"):  # of means as of predictions
        np.testing.assert_allclose(found[end], np.ravel(rows.filter(like=f"{end}["), "F"), rtol=1e-9)


def test_averages_of_ratings_are_those_of_clmm(fits):
    found, oracle = fits["ordinal"].means("x", values=[0, 1]).frame(), ORACLE["ordinal"]["clmm"]
    np.testing.assert_allclose(found["estimate"], np.ravel(oracle["probability"], "F"), atol=1e-5)
    np.testing.assert_allclose(found["se"], np.ravel(oracle["se"], "F"), rtol=1e-3)


@pytest.mark.parametrize("law", LAWS)
def test_without_random_effects_they_are_those_of_emmeans(law):
    fit = model_of(law, u="").fit(data_of(law), id="id")
    found, oracle = fit.means("x", values=[0, 1]), ORACLE[law]
    np.testing.assert_allclose(
        found.contrast.estimate, np.ravel(oracle["emmeans"]["probability"], "F"), atol=1e-6
    )
    np.testing.assert_allclose(found.contrast.se, np.ravel(oracle["emmeans"]["se"], "F"), rtol=1e-5)
    apart = found.differences()
    np.testing.assert_allclose(apart["estimate"], oracle["differences"]["estimate"], atol=1e-6)
    np.testing.assert_allclose(apart["se"], oracle["differences"]["se"], rtol=1e-5)
    if law == "ordinal":  # emmeans has t tests of multinom
        np.testing.assert_allclose(apart["p_value"], oracle["differences"]["p"], rtol=1e-4)


def test_slopes_are_differences_of_averages_and_add_up_to_nothing(fitted):
    _, data, fit = fitted
    slopes, h = fit.slopes("x", by={"w": [-1.0, 0.5]}), 1e-4
    frame, middle = slopes.frame(), data.x.mean()
    assert frame["y"].tolist() == np.repeat(np.unique(data.y), 2).tolist()
    for w, own in frame.groupby("w"):
        near = fit.predict(pd.DataFrame({"x": [middle - h, middle + h], "w": w}), level=2)
        change = near.filter(like="predicted").diff().iloc[1] / (2 * h)
        np.testing.assert_allclose(own["estimate"], change, rtol=1e-4, atol=1e-8)
        assert own["estimate"].sum() == pytest.approx(0.0, abs=1e-9)
    assert "Slope of x at y = 2, w = 0.5" in str(slopes)


def test_one_category_is_a_part_of_all(fitted):
    _, _, fit = fitted
    every, own = fit.means("x"), fit.means("x", category=2)
    at = slice(3, 6)
    np.testing.assert_allclose(own.contrast.estimate, every.contrast.estimate[at])
    np.testing.assert_allclose(own.adjusted, every.adjusted[at])
    assert str(own).startswith("Probability of y = 2 at x = ")
    assert "(p-values adjusted for 3 comparisons within each category: holm)" in str(every)
    slope = fit.slopes("x", category="2").contrast
    np.testing.assert_allclose(slope.estimate, fit.slopes("x").contrast.estimate[1:2])


def test_known_units_are_averaged_over_what_is_left_of_u(fits):  # categories are in test_categories
    fit, data = fits["ordinal"], data_of("ordinal")
    found, record = fit.predict(), record_of(fit)
    unit, row = int(data["id"].iloc[70]) - 1, data.iloc[70]
    eta = record.gamma_free @ [1.0, row.w, row.x] + np.r_[0.0, record.law.cuts]
    t = np.linspace(-9, 9, 2001)
    u = record.u[unit, 0] + np.sqrt(record.var_u[unit, 0, 0]) * t
    below = special.expit(eta[:, None] + u) @ np.exp(-0.5 * t**2) / np.exp(-0.5 * t**2).sum()
    expected = np.diff(below, prepend=0.0, append=1.0)
    np.testing.assert_allclose(found.filter(like="predicted").iloc[70], expected, atol=1e-8)
    at_mean = np.diff(special.expit(eta + record.u[unit, 0]), prepend=0.0, append=1.0)
    np.testing.assert_allclose(found.filter(like="at_mean").iloc[70], at_mean, atol=1e-12)
    assert fit.predict(scale="link")["predicted"].iloc[70] == pytest.approx(eta[0] + record.u[unit, 0])


# --- posteriors ----------------------------------------------------------------------------------


def shares(law: str, post: Any, x: float, w: float, u: np.ndarray, at: Any) -> np.ndarray:
    """Give the probabilities of three categories (..., 3) at u (..., 1 or 2) in the draw ``at``."""
    gamma = post.draws("gamma")[at].reshape(-1, 3) @ [1.0, w, x]
    if law == "multinomial":
        eta = np.concatenate([gamma + u, np.zeros((*u.shape[:-1], 1))], axis=-1)
        return special.softmax(eta, axis=-1)
    below = special.expit(gamma + u + np.r_[0.0, post["d2"][at]])
    return np.diff(below, prepend=0.0, append=1.0, axis=-1)


def over_units(law: str, post: Any, x: float, w: float, at: Any) -> np.ndarray:
    """Average them over u by sums over a grid."""
    tau = post.draws("tau")[at]
    axis = np.arange(-7.0, 7.01, 0.25)
    t = np.stack(np.meshgrid(*[axis] * len(tau), indexing="ij"), -1).reshape(-1, len(tau))
    weight = np.exp(-0.5 * np.sum(t**2, axis=1))
    return weight @ shares(law, post, x, w, t @ np.linalg.cholesky(tau).T, at) / weight.sum()


def test_means_of_draws_are_those_of_a_grid(drawn):
    law, frame, post = drawn
    found, w = post.means("x", values=[0.0, 1.0]), frame.w.mean()
    draws = found.contrast.draws.reshape(3, 2, 2, 400)
    for at in ((0, 7), (1, 40)):
        for k, x in enumerate((0.0, 1.0)):
            np.testing.assert_allclose(draws[:, k, *at], over_units(law, post, x, w, at), atol=1e-6)
    np.testing.assert_allclose(draws.sum(axis=0), 1.0, atol=1e-12)
    np.testing.assert_allclose(found.difference.draws, draws[:, 0] - draws[:, 1], atol=1e-15)
    table = found.frame()
    assert table["y"].tolist() == [1, 1, 2, 2, 3, 3]
    np.testing.assert_allclose(table["mean"], draws.mean(axis=(2, 3)).ravel())
    one = post.means("x", values=[0.0], category=3).contrast
    np.testing.assert_allclose(one.draws[0], draws[2, 0])


def test_slopes_of_draws_are_differences(drawn):
    _, _, post = drawn
    h, found = 1e-4, post.slopes("x", at={"x": 0.3}).contrast.draws
    ends = post.means("x", values=[0.3 - h, 0.3 + h]).contrast.draws.reshape(3, 2, 2, 400)
    np.testing.assert_allclose(found, (ends[:, 1] - ends[:, 0]) / (2 * h), rtol=1e-3, atol=1e-7)


def test_rows_of_draws_are_predicted_at_their_own_u(drawn):
    law, frame, post = drawn
    found = post.predict(interval="confidence", prob=0.8)
    assert list(found)[:4] == ["predicted[1]", "sd[1]", "low[1]", "high[1]"]
    u = post.draws("u")
    k = 37
    row = frame.iloc[k]
    unit = int(np.flatnonzero(np.unique(frame["id"]) == row["id"])[0])
    each = [(c, d) for c in range(2) for d in KEPT]
    own = np.array([shares(law, post, row.x, row.w, u[at][unit], at) for at in each])
    np.testing.assert_allclose(found.filter(like="predicted").iloc[k], own.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(found.filter(like="sd").iloc[k], own.std(axis=0, ddof=1), atol=1e-12)
    np.testing.assert_allclose(found.filter(like="low").iloc[k], np.quantile(own, 0.1, axis=0), atol=1e-12)


def test_rows_of_unknown_units_are_averaged(drawn):
    law, frame, post = drawn
    new = {"x": [0.0, 1.0, 0.0], "w": [0.2, 0.2, 0.2]}
    found = post.predict(new, level=2)
    draws = post.means("x", values=[0.0, 1.0], at={"w": 0.2}).contrast.draws
    means = draws[:, :, KEPT].mean(axis=(1, 2)).reshape(3, 2)
    np.testing.assert_allclose(found.filter(like="predicted").iloc[:2], means.T, atol=1e-12)
    np.testing.assert_array_equal(found.iloc[2], found.iloc[0])
    mixed = post.predict(new | {"id": [frame["id"].iloc[0], -5, -5]})
    np.testing.assert_allclose(mixed.iloc[1:], found.iloc[1:])
    assert abs(mixed.iloc[0] - found.iloc[0]).max() > 1e-4
    links = post.predict(new, level=2, scale="link")
    assert links.columns[0] == ("predicted" if law == "ordinal" else "predicted[1]")
    gamma = post.draws("gamma")[:, KEPT, :3]
    assert links.iloc[1, 0] == pytest.approx((gamma @ [1.0, 0.2, 1.0]).mean())


@pytest.mark.filterwarnings("ignore:DO NOT USE:hlmbayes.errors.HLMWarning")  # few draws are quick
def test_random_slopes_are_averaged_over_as_many_directions_as_there_are_predictors():
    model = hlm.Model("mlogit(y) = b0 + b1*x; b0 = g00 + u0; b1 = g10 + u1")
    post = model.sample(
        hlm.read(FRAME, id="id"), sampler="direct", draws=25, chains=1, seed=1, priors=HOW["priors"]
    )
    found, at = post.means("x", values=[1.5]).contrast.draws, (0, 11)
    gamma, z = post.draws("gamma")[at].reshape(2, 2) @ [1.0, 1.5], np.kron(np.eye(2), [1.0, 1.5])
    spread = z @ post.draws("tau")[at] @ z.T
    axis = np.arange(-7.0, 7.01, 0.25)
    t = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
    weight = np.exp(-0.5 * np.sum(t**2, axis=1))
    eta = gamma + t @ np.linalg.cholesky(spread).T
    expected = weight @ special.softmax(np.column_stack([eta, np.zeros(len(t))]), axis=1) / weight.sum()
    np.testing.assert_allclose(found[:, *at], expected, atol=1e-6)


@pytest.mark.parametrize(
    ("law", "said", "message"),
    [("ordinal", {"category": 7}, "is one of 1, 2, 3; got 7"),
     ("ordinal", {"category": 1, "scale": "link"}, "the linear predictor of ratings is one number"),
     ("multinomial", {"category": 3, "scale": "link"}, "3 is the reference")],
)  # fmt: skip
def test_what_there_is_not_is_refused(posts, law, said, message):
    for ask in (posts[law].means, posts[law].slopes):
        with pytest.raises(HypothesisError, match=message):
            ask("x", **said)
