"""Intraclass correlation, plausible ranges, variance explained: the seminar's numbers and their formulas."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import optimize

from hlmbayes import Fit, Model, datasets
from hlmbayes.data.two_level import read
from hlmbayes.data.weights import Weights
from hlmbayes.errors import HypothesisError
from hlmbayes.faces import record_of
from hlmbayes.inference.component_errors import components_covariance
from hlmbayes.laws.log_linear import LogLinear
from tests.dense import dense
from tests.small import model, small

TEXTS = {
    "model1_unconditional": "mathach = b0 + r\nb0 = g00 + u0",
    "model2_means_as_outcomes": "mathach = b0 + r\nb0 = g00 + g01*meanses + u0",
    "model3_random_coefficients": "mathach = b0 + b1*group(ses) + r\nb0 = g00 + u0\nb1 = g10 + u1",
}


@pytest.fixture(scope="module")
def fits() -> dict[str, Fit]:
    data = datasets.hsb()
    return {name: Model(text).fit(data, algorithm="hlm") for name, text in TEXTS.items()}


def test_what_the_seminar_works_out_by_hand(fits: dict[str, Fit], hlm_tables: dict[str, Any]) -> None:
    one, two, three = fits.values()
    derived = [hlm_tables[name]["derived"] for name in fits]
    assert one.icc().icc == pytest.approx(derived[0]["icc"], abs=0.005)
    assert two.icc().icc == pytest.approx(derived[1]["conditional_icc"], abs=0.005)
    explained = two.variance_explained(one)
    assert explained.level2["b0"] == pytest.approx(
        derived[1]["level2_variance_explained_vs_model1"], abs=0.005
    )
    explained = three.variance_explained(one)
    # the seminar rounded the variances first: (39.15 - 36.70) / 39.15 = .063
    assert explained.level1 == pytest.approx(derived[2]["level1_variance_explained_vs_model1"], abs=0.001)
    for fit, name, key in (
        (one, "b0", "plausible_range_school_means"),
        (two, "b0", "plausible_range"),
        (three, "b0", "plausible_range_means"),
        (three, "b1", "plausible_range_slopes"),
    ):
        printed = hlm_tables[next(k for k, v in fits.items() if v is fit)]["derived"][key]
        found = fit.plausible_range(name, at=dict.fromkeys(fit.model.level2_variables, 0.0))
        assert [found.low, found.high] == pytest.approx(printed, abs=0.016)  # worked from rounded numbers


def test_results_say_what_they_are(fits: dict[str, Fit]) -> None:
    one, two, three = fits.values()
    assert str(one.icc()).startswith("Intraclass correlation 0.18")
    assert "95 % interval" in str(one.icc())
    assert str(two.icc()).startswith("Conditional intraclass correlation 0.06")
    assert "random level-1 predictors are zero" in str(three.icc())
    zero = str(two.plausible_range(at={"meanses": 0}))
    assert "have b0 (intercept) between" in zero
    assert "where meanses = 0 (g00 + g01*meanses +- 1.96 sqrt(tau[b0]))" in zero
    text = str(three.variance_explained(one))
    assert "(base - model) / base" in text
    assert "Negative for b0" in text
    assert "The level-1 models differ" in text
    assert "no standard method" in text


@pytest.mark.parametrize("method", ["REML", "ML"])
def test_icc_limits_are_where_the_dense_deviance_has_risen(method: str) -> None:
    source, m = small(61, n_units=25, sd=2.0), model("slopes")
    fit = m.fit(source.data(), method=method)
    rows = dense(m, source.columns, source.unit, source.level2)
    found = fit.icc(prob=0.90)
    assert found.conditional
    assert found.icc == pytest.approx(fit.tau["b0", "b0"] / (fit.tau["b0", "b0"] + fit.sigma2))

    def at_share(share: float) -> float:
        """Minimise over sigma2 and the rest of tau with tau_00 = share / (1 - share) sigma2."""

        def objective(x: np.ndarray) -> float:
            s2, sd0 = np.exp(2 * x[2]), np.exp(x[2]) * np.sqrt(share / (1 - share))
            root = np.array([[sd0, 0.0], [x[0], x[1]]])
            return float(rows.deviance(root @ root.T, s2, method == "REML"))

        start = [0.3, np.sqrt(fit.tau["b1", "b1"]), 0.5 * np.log(fit.sigma2)]
        return float(optimize.minimize(objective, start, method="BFGS", options={"gtol": 1e-6}).fun)

    for limit in (found.low, found.high):
        assert at_share(limit) == pytest.approx(fit.deviance + 2.705543454095404, abs=1e-5)


def test_icc_interval_covers_in_balanced_data_as_the_exact_one() -> None:
    # one-way layout: the exact interval from F is close to the profile likelihood's with many units
    from scipy import stats

    from hlmbayes.data.two_level import read

    rng = np.random.default_rng(2)
    J, n = 200, 10
    unit = np.repeat(np.arange(J), n)
    y = rng.normal(size=J)[unit] + 1.5 * rng.normal(size=J * n)
    fit = Model("y = b0 + r\nb0 = g00 + u0").fit(read({"id": unit, "y": y}, id="id"))
    means = y.reshape(J, n).mean(axis=1)
    f = n * means.var(ddof=1) / (np.sum((y.reshape(J, n) - means[:, None]) ** 2) / (J * (n - 1)))
    bounds = [f / stats.f.ppf(p, J - 1, J * (n - 1)) for p in (0.975, 0.025)]
    exact = [(b - 1) / (b + n - 1) for b in bounds]
    found = fit.icc()
    assert [found.low, found.high] == pytest.approx(exact, abs=0.005)


def test_icc_on_the_boundary_has_an_upper_limit() -> None:
    fit = Model("y = b0 + b1*x + r\nb0 = g00 + u0\nb1 = g10").fit(small(40, n_units=12, sd=0.0).data())
    assert fit.boundary
    found = fit.icc()
    assert (found.icc, found.low) == (0.0, 0.0)
    assert 0.0 < found.high < 1.0
    assert "the range is a point" in str(fit.plausible_range())


def test_what_has_no_such_number_is_refused() -> None:
    source = small(64, n_units=15, sd=1.5)
    raw = model("raw").fit(source.data())
    with pytest.raises(HypothesisError, match="b2 does not vary at random"):
        raw.plausible_range("b2")
    with pytest.raises(HypothesisError, match="b7 is not in the model"):
        raw.plausible_range("b7")
    with pytest.raises(HypothesisError, match="v: not a level-2 predictor of b0"):
        raw.plausible_range("b0", at={"v": 1.0})
    with pytest.raises(HypothesisError, match="prob=95"):
        raw.plausible_range("b0", prob=95)
    with pytest.raises(HypothesisError, match="no random intercept"):
        model("no intercept").fit(source.data()).icc()
    noisy = Fit(replace(record_of(raw), law=LogLinear(("a0", "a1"), ("d",))))
    with pytest.raises(HypothesisError, match="needs one level-1 variance"):
        noisy.icc()
    with pytest.raises(HypothesisError, match="different rows"):
        raw.variance_explained(model("raw").fit(small(65, n_units=14).data()))


def test_a_base_without_variance_explains_nothing() -> None:
    source = small(40, n_units=12, sd=0.0)
    base = Model("y = b0 + b1*x + r\nb0 = g00 + u0\nb1 = g10").fit(source.data())
    fit = Model("y = b0 + b1*x + r\nb0 = g00 + g01*w + u0\nb1 = g10").fit(source.data())
    found = fit.variance_explained(base)
    assert np.isnan(found.level2["b0"])
    assert "there is none to explain" in str(found)


def test_a_coefficient_of_another_variable_is_not_compared() -> None:
    source = small(66, n_units=15, sd=1.5)
    base = Model("y = b0 + b1*z + r\nb0 = g00 + u0\nb1 = g10 + u1").fit(source.data())
    fit = Model("y = b0 + b1*x + r\nb0 = g00 + u0\nb1 = g10 + u1").fit(source.data())
    assert list(fit.variance_explained(base).level2) == ["b0"]


def test_sampling_weights_have_the_interval_of_the_sandwich() -> None:
    source = small(67, n_units=25, sd=2.0)
    source.level2["weight"] = np.linspace(0.5, 2.0, 25)
    m = Model("y = b0 + b1*x + r\nb0 = g00 + g01*w + u0\nb1 = g10")
    fit = m.fit(source.data(), weights=Weights(level2="weight"), method="ML")
    found = fit.icc()
    tau, sigma2 = fit.tau["b0", "b0"], fit.sigma2
    covariance = components_covariance(record_of(fit))
    variance = (
        covariance[0, 0] / tau**2 - 2 * covariance[0, 1] / (tau * sigma2) + covariance[1, 1] / sigma2**2
    )
    odds = tau / sigma2 * np.exp(1.959963984540054 * np.sqrt(variance) * np.array([-1, 1]))
    assert [found.low, found.high] == pytest.approx(odds / (1 + odds), rel=1e-9)
    equal = m.fit(source.data(), method="ML").icc()
    assert found.icc != pytest.approx(equal.icc, rel=1e-4)
    empty = small(40, n_units=12, sd=0.0)
    empty.level2["weight"] = np.ones(12)
    fit = Model("y = b0 + b1*x + r\nb0 = g00 + u0\nb1 = g10").fit(
        empty.data(), weights=Weights(level2="weight"), method="ML"
    )
    assert fit.boundary
    assert np.isnan(fit.icc().low)
    assert "No interval" in str(fit.icc())


def test_the_same_coefficient_is_that_of_the_same_predictor() -> None:
    data = small(6, n_units=25, sd=1.5).data()
    base = Model("y = b0 + b1*x + r\nb0 = g00 + u0\nb1 = g10 + u1").fit(data)
    model = Model("y = b0 + b1*z + b2*x + r\nb0 = g00 + g01*w + u0\nb1 = g10\nb2 = g20 + u2").fit(data)
    found = model.variance_explained(base)
    assert found.level2["b2"] == pytest.approx(1.0 - model.tau["b2", "b2"] / base.tau["b1", "b1"])
    assert set(found.level2) == {"b0", "b2"}
    other = Model("y = b0 + b1*group(x) + r\nb0 = g00 + u0\nb1 = g10 + u1").fit(data)
    assert set(other.variance_explained(base).level2) == {"b0"}
    assert "b1 (x): not random in the base model" in str(other.variance_explained(base))


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_a_level2_predictor_explains_nothing_at_level1_in_balanced_data(scale: float) -> None:
    # REML's sigma2 is then the mean square within units, whatever is predicted between them
    negative, searched = 0, 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        unit, x, w = np.repeat(np.arange(12), 5), np.tile(rng.normal(size=5), 12), rng.normal(size=12)
        u = rng.normal(size=(12, 2))
        y = scale * (u[unit, 0] + u[unit, 1] * x + rng.normal(size=60))
        data = read({"id": unit, "x": x, "y": y}, {"id": np.arange(12), "w": w}, id="id")
        base = Model("y = b0 + b1*x + r; b0 = g00 + u0; b1 = g10 + u1").fit(data)
        fit = Model("y = b0 + b1*x + r; b0 = g00 + g01*w + u0; b1 = g10 + g11*w + u1").fit(data)
        if base.boundary or fit.boundary:
            continue
        found, searched = fit.variance_explained(base), searched + 1
        assert found.level1 == 0.0
        assert "explained: 0.0000" in str(found)
        assert not any("sigma2" in note for note in found.notes)
        negative += any(note.startswith("Negative for b") for note in found.notes)
    assert searched > 5
    assert negative  # a level-2 variance that is estimated larger still says so
