"""Probabilities of categories: averages against dense quadrature, their slopes against differences."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax

import hlmbayes as hlm
from hlmbayes.errors import HypothesisError
from hlmbayes.hglm.averages import NODES, nodes_of
from hlmbayes.hglm.category_averages import are_small, averaged, averages_of_draws, category_averages
from hlmbayes.hglm.estimates import GeneralizedEstimates
from hlmbayes.hglm.fit import fit_by_likelihood
from hlmbayes.laws.multinomial import MOST, Multinomial
from hlmbayes.predictions.categories import by_category
from hlmbayes.predictions.new_rows import new_rows
from hlmbayes.predictions.response import predict_generalized
from hlmbayes.predictions.typical import means_generalized, slopes_generalized

DATA = pd.read_csv(Path(__file__).parents[1] / "oracles" / "data" / "multinomial.csv")
TEXT = "mlogit(y) = b0 + b1*x; b0 = g00 + g01*w + u0; b1 = g10"


@pytest.fixture(scope="module")
def fit() -> GeneralizedEstimates:
    return fit_by_likelihood(hlm.Model(TEXT), hlm.read(DATA, id="id"))


def dense(eta: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Average probabilities over predictors that are normal about ``eta`` (2,), on a grid."""
    axis = np.arange(-8.0, 8.01, 0.05)
    t = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
    weight = np.exp(-0.5 * np.sum(t**2, axis=1))
    inside = eta + t @ np.linalg.cholesky(spread).T
    return weight @ softmax(np.column_stack([inside, np.zeros(len(t))]), axis=1) / weight.sum()


def test_probabilities_are_averaged_over_random_effects(fit: GeneralizedEstimates) -> None:
    found = predict_generalized(fit, level=2, interval="confidence")
    gamma = fit.gamma_free.reshape(2, 3)
    for k in (0, 50, 200):
        row = DATA.iloc[k]
        eta = gamma @ [1.0, row["w"], row["x"]]
        own = found.loc[k]
        assert own.filter(like="predicted").to_numpy() == pytest.approx(dense(eta, fit.tau_values), abs=1e-7)
        assert own.filter(like="at_zero").to_numpy() == pytest.approx(softmax([*eta, 0.0]), abs=1e-12)
    assert found.filter(like="predicted").sum(axis=1).to_numpy() == pytest.approx(np.ones(len(DATA)))
    assert ((found["low[3]"] > 0) & (found["low[3]"] < found["predicted[3]"])).all()
    assert ((found["predicted[3]"] < found["high[3]"]) & (found["high[3]"] < 1)).all()


def test_of_known_units_what_is_left_of_u_is_averaged_over(fit: GeneralizedEstimates) -> None:
    found = predict_generalized(fit)
    unit = int(DATA["id"].iloc[70]) - 1
    eta = fit.gamma_free.reshape(2, 3) @ [1.0, DATA["w"].iloc[70], DATA["x"].iloc[70]] + fit.u[unit]
    own = found.loc[70]
    assert own.filter(like="predicted").to_numpy() == pytest.approx(dense(eta, fit.var_u[unit]), abs=1e-7)
    assert own.filter(like="at_mean").to_numpy() == pytest.approx(softmax([*eta, 0.0]), abs=1e-12)
    links = predict_generalized(fit, scale="link").loc[70].to_numpy()
    assert links == pytest.approx(eta)
    new = predict_generalized(fit, DATA[["x", "w"]].head(2))
    known = predict_generalized(fit, level=2).head(2)
    assert new["predicted[2]"].to_numpy() == pytest.approx(known["predicted[2]"].to_numpy())


def test_slopes_of_averages_are_differences(fit: GeneralizedEstimates) -> None:
    rows = new_rows(fit.design, DATA.head(4), fit.data)
    x, z = by_category(fit.design, fit.law, rows.x(fit.design), rows.z)
    here, h = category_averages(fit, x, z), 1e-5
    for f in range(6):
        step = h * np.eye(6)[f]
        up, down = (replace(fit, gamma_free=fit.gamma_free + s * step) for s in (1, -1))
        change = (category_averages(up, x, z).mean - category_averages(down, x, z).mean) / (2 * h)
        assert here.gradient[:, :, f] == pytest.approx(change, abs=1e-9)
    inverse = np.linalg.inv(fit.root)
    for m, (a, b) in enumerate([(0, 0), (1, 0), (1, 1)]):
        step = np.zeros((2, 2))
        step[a, b] = step[b, a] = h
        up, down = (replace(fit, tau_values=fit.tau_values + s * step) for s in (1, -1))
        change = (category_averages(up, x, z).mean - category_averages(down, x, z).mean) / (2 * h)
        assert (here.gradient[:, :, 6:] @ inverse)[:, :, m] == pytest.approx(change, abs=1e-8)


def test_of_many_categories_few_nodes_do(fit: GeneralizedEstimates) -> None:
    assert sorted(NODES) == list(range(1, MOST))
    eta, spread = np.array([[0.5, -1.0, 0.2, 0.0, 1.0, -0.3, 0.4]]), np.zeros((1, 7, 7))
    spread[0, :2, :2] = [[1.0, 0.4], [0.4, 0.8]]
    found = averaged(Multinomial(), eta, spread)[0][0]
    at, weight = nodes_of(2)
    inside = np.repeat(eta, len(at), axis=0)
    inside[:, :2] += at @ np.linalg.cholesky(spread[0, :2, :2]).T
    expected = weight @ softmax(np.column_stack([inside, np.zeros(len(at))]), axis=1)
    assert found == pytest.approx(expected, abs=2e-4)


def test_averages_of_draws_are_those_of_each_draw() -> None:
    rng, kind = np.random.default_rng(4), np.array([1, 0, 1, 2, 0])
    eta, root = rng.normal(size=(5, 2, 3)), rng.normal(size=(3, 2, 2, 3))
    assert are_small(eta, root, nodes_of(2)[0])
    found = averages_of_draws(eta, root, kind)
    for b in range(3):
        spread = root[kind, :, :, b] @ root[kind, :, :, b].swapaxes(1, 2)
        expected = averaged(Multinomial(), eta[:, :, b], spread)[0]
        assert found[:, :, b] == pytest.approx(expected, abs=3e-4)  # nodes lie in other directions
        at, weight = nodes_of(2)
        inside = eta[:, None, :, b] + at @ root[kind, :, :, b].swapaxes(1, 2)
        dense = softmax(np.concatenate([inside, np.zeros((5, len(at), 1))], axis=2), axis=2)
        assert found[:, :, b] == pytest.approx(np.einsum("d,ndm->nm", weight, dense), abs=1e-14)
    assert not are_small(eta + 400.0, root, nodes_of(2)[0])
    assert not are_small(eta, 400.0 * root, nodes_of(2)[0])


def test_means_and_slopes_are_of_the_probability_of_a_category(fit: GeneralizedEstimates) -> None:
    x, w = DATA["x"].mean(), DATA["w"].mean()
    gamma = fit.gamma_free.reshape(2, 3)
    found = [means_generalized(fit, "x", values=[0, 1], category=m) for m in (1, "2", 3.0)]
    expected = np.array([dense(gamma @ [1.0, w, at], fit.tau_values) for at in (0.0, 1.0)])
    assert np.array([each.contrast.estimate for each in found]) == pytest.approx(expected.T, abs=1e-6)
    rows = predict_generalized(fit, pd.DataFrame({"x": [0.0, 1.0], "w": w}), level=2)
    assert found[1].contrast.se == pytest.approx(rows["se[2]"].to_numpy())
    change = found[0].contrast.estimate[0] - found[0].contrast.estimate[1]
    assert found[0].difference.estimate == pytest.approx([change])
    slope, h = slopes_generalized(fit, "x", category=1).contrast.estimate[0], 1e-4
    up, down = (dense(gamma @ [1.0, w, x + step], fit.tau_values)[0] for step in (h, -h))
    assert slope == pytest.approx((up - down) / (2 * h), abs=1e-5)
    links = slopes_generalized(fit, "x", scale="link", category=2).contrast
    assert links.estimate == pytest.approx([gamma[1, 2]])
    assert links.se == pytest.approx(np.sqrt([fit.vcov[5, 5]]))


@pytest.mark.parametrize(
    ("said", "message"),
    [({"category": 4}, "one of 1, 2, 3; got 4"), ({"category": "a"}, "got 'a'"),
     ({"category": 3, "scale": "link"}, "3 is the reference, whose linear predictor is 0")],
)  # fmt: skip
def test_a_category_must_be_one_there_is(
    fit: GeneralizedEstimates, said: dict[str, object], message: str
) -> None:
    for of in (means_generalized, slopes_generalized):
        with pytest.raises(HypothesisError, match=message):
            of(fit, "x", **said)  # type: ignore[arg-type]


def test_one_equation_has_no_category() -> None:
    one = hlm.Model("logit(y) = b0 + b1*x; b0 = g00; b1 = g10").fit(DATA.assign(y=DATA["y"] == 1), id="id")
    with pytest.raises(HypothesisError, match="the outcome has no categories: it is one number"):
        one.means("x", category=1)


def test_what_needs_one_equation_is_refused(fit: GeneralizedEstimates) -> None:
    face = hlm.Model(TEXT).fit(DATA, id="id")
    for call in (
        face.icc, face.r2, lambda: face.residuals(1), face.quantile_residuals
    ):  # fmt: skip
        with pytest.raises(HypothesisError, match=r"each category of the outcome has equations|no one mean"):
            call()
