"""Predictions, simple slopes and adjusted means: R's emmeans, dense matrices, the fit's own residual file."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hlmbayes import Fit, Model, datasets, read
from hlmbayes.errors import DataError, HLMWarning, HypothesisError
from hlmbayes.faces import record_of
from hlmbayes.likelihood.rows import rows_of
from hlmbayes.predictions.new_rows import new_rows
from hlmbayes.predictions.slopes import johnson_neyman
from hlmbayes.terms.expand import NO_TERMS

CROSS = """mathach = b0 + b1*group(ses) + b2*minority + r
b0 = g00 + g01*sector + g02*grand(meanses) + u0
b1 = g10 + g11*sector + g12*meanses + u1
b2 = g20"""


@pytest.fixture(scope="module")
def fit() -> Fit:
    return Model(CROSS).fit(datasets.hsb())


@pytest.fixture(scope="module")
def emmeans(oracles: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((oracles / "predictions.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def fits(emmeans: dict[str, Any]) -> dict[str, Fit]:
    return {name: Model(text).fit(datasets.hsb()) for name, text in emmeans["equations"].items()}


def test_slopes_are_those_of_emtrends(fits: dict[str, Fit], emmeans: dict[str, Any]) -> None:
    for by, key in (("sector", "trends"), ({"meanses": [-0.5, 0.5]}, "trends_meanses")):
        found: Any = fits["one"].slopes("ses", by=by).frame()  # type: ignore[arg-type]
        for (_, row), wanted in zip(found.iterrows(), emmeans[key].values(), strict=True):
            assert row["estimate"] == pytest.approx(wanted["ses_c.trend"], abs=1e-7)
            assert row["se"] == pytest.approx(wanted["SE"], abs=1e-7)


def test_johnson_neyman_limits_are_where_the_intervals_of_emtrends_touch_zero(
    fits: dict[str, Fit], emmeans: dict[str, Any]
) -> None:
    found = fits["one"].slopes("ses", by="meanses")
    assert found.limits == pytest.approx(tuple(emmeans["johnson_neyman"]), rel=1e-6)
    assert not found.inside


def test_means_are_those_of_emmeans(fits: dict[str, Fit], emmeans: dict[str, Any]) -> None:
    for model, variable, key in (("one", "sector", "means"), ("two", "minority", "means_minority")):
        found: Any = fits[model].means(variable).frame()
        for (_, row), wanted in zip(found.iterrows(), emmeans[key].values(), strict=True):
            assert row["estimate"] == pytest.approx(wanted["emmean"], abs=2e-6)
            assert row["se"] == pytest.approx(wanted["SE"], abs=2e-6)
    pair: Any = fits["one"].means("sector").differences().iloc[0]
    assert pair["estimate"] == pytest.approx(emmeans["pairs"]["1"]["estimate"], abs=2e-6)
    assert pair["se"] == pytest.approx(emmeans["pairs"]["1"]["SE"], abs=2e-6)


def test_rows_of_the_fit_are_predicted_as_its_residual_file_says(fit: Fit) -> None:
    own: Any = fit.residuals(1)
    assert np.allclose(fit.predict()["predicted"], own["fitval"], rtol=0, atol=1e-10)
    x: Any = fit.predict(level=2)["predicted"]
    assert x.to_numpy().std() < own["fitval"].std()


def test_errors_are_those_of_dense_mixed_model_equations() -> None:
    rng = np.random.default_rng(5)
    unit = np.repeat(np.arange(9), [1, 2, 3, 4, 5, 6, 3, 2, 4])
    x, w = rng.normal(size=30), rng.normal(size=9)
    y = 1 + x + w[unit] + (rng.normal(size=9)[unit]) + x * rng.normal(size=9)[unit] + rng.normal(size=30)
    model = Model("y = b0 + b1*x + r\nb0 = g00 + g01*w + u0\nb1 = g10 + u1")
    data = read({"id": unit, "x": x, "w": w[unit], "y": y})
    fit = model.fit(data)
    rows = rows_of(record_of(fit).design, data)
    tau, s2, J = np.asarray(fit.tau), fit.sigma2, 9
    Z = np.zeros((30, 18))
    for k in range(30):
        Z[k, 2 * unit[k] : 2 * unit[k] + 2] = rows.z[k]
    W = np.hstack([rows.x, Z])
    prior = np.zeros((21, 21))
    prior[3:, 3:] = np.kron(np.eye(J), np.linalg.inv(tau))
    inverse = np.linalg.inv(W.T @ W / s2 + prior)
    solution = inverse @ W.T @ y / s2
    found: Any = fit.predict(interval="prediction")
    variance = np.einsum("nf,fg,ng->n", W, inverse, W)
    assert np.allclose(found["predicted"], W @ solution, atol=1e-9)
    assert np.allclose(found["se"], np.sqrt(variance), rtol=1e-9)
    assert np.allclose(found["high"] - found["predicted"], 1.959963985 * np.sqrt(variance + s2), rtol=1e-7)
    # a unit nobody knows: the variance between units in place of what is known of the unit
    new: Any = fit.predict({"id": [99], "x": [0.5], "w": [0.1]})
    row = np.array([1.0, 0.1, 0.5])
    z = np.array([1.0, 0.5])
    fixed = row @ inverse[:3, :3] @ row
    assert new["se"][0] == pytest.approx(np.sqrt(fixed + z @ tau @ z), rel=1e-9)
    alone: Any = fit.predict({"x": [0.5], "w": [0.1]}, level=2, interval="confidence")
    assert alone["se"][0] == pytest.approx(np.sqrt(fixed), rel=1e-9)


def test_new_rows_are_centred_and_coded_as_the_fit_was(fit: Fit) -> None:
    hsb = datasets.hsb()
    frame = pd.DataFrame({name: hsb.level1[name] for name in ("ses", "minority", "mathach")})
    frame["id"] = hsb.unit_ids[hsb.unit]
    for name in ("sector", "meanses"):
        frame[name] = np.asarray(hsb.level2[name])[hsb.unit]
    some = frame.iloc[[5, 700, 7000]]
    whole: Any = fit.predict()["predicted"]
    assert np.allclose(fit.predict(some)["predicted"], whole.iloc[[5, 700, 7000]], atol=1e-10)
    factor = Model(
        "mathach = b0 + b1*group(ses)*C(minority) + b2*group(ses) + b3*C(minority) + r\n"
        "b0 = g00 + u0\nb1 = g10\nb2 = g20\nb3 = g30"
    ).fit(hsb)
    again: Any = factor.predict()["predicted"]
    assert np.allclose(factor.predict(some)["predicted"], again.iloc[[5, 700, 7000]], atol=1e-9)
    with pytest.raises(DataError, match="new value"):
        factor.predict(some.assign(minority=7))
    design = record_of(factor).design  # a saved posterior keeps no levels: its columns are asked for by name
    with pytest.raises(DataError, match=r"no level-1 column"):
        new_rows(replace(design, terms=NO_TERMS), some)
    with pytest.raises(DataError, match="missing"):
        fit.predict(some.assign(ses=np.nan))
    with pytest.raises(DataError, match="sector"):
        fit.predict(some.drop(columns="sector"))


def test_johnson_neyman_limits_are_where_the_interval_touches_zero(fit: Fit) -> None:
    found = fit.slopes("ses", by="meanses")
    assert found.limits is not None
    for limit in found.limits:
        row: Any = fit.slopes("ses", by={"meanses": [limit]}).frame().iloc[0]
        nearer = row["low"] if abs(row["low"]) < abs(row["high"]) else row["high"]
        assert nearer == pytest.approx(0.0, abs=1e-7)
    low, high = min(found.limits), max(found.limits)
    inside: Any = fit.slopes("ses", by={"meanses": [(low + high) / 2]}).frame().iloc[0]
    assert (inside["low"] * inside["high"] > 0) == found.inside
    assert "Johnson-Neyman" in str(found)
    assert fit.slopes("ses", by="sector").limits is None  # two values are no region


@pytest.mark.parametrize("seed", range(6))
def test_limits_of_any_line(seed: int) -> None:
    rng = np.random.default_rng(seed)
    b, root = rng.normal(size=2), rng.normal(size=(2, 2))
    v = root @ root.T
    limits, inside = johnson_neyman(b, v, 1.7)
    for w in (*limits, -1e3, 1e3):
        z = (b[0] + b[1] * w) ** 2 - 1.7**2 * (v[0, 0] + 2 * v[0, 1] * w + v[1, 1] * w**2)
        if w in limits:
            assert abs(z) < 1e-6 * (1 + w**2)
        elif limits:
            assert (z > 0) != inside


def test_degrees_of_freedom_are_those_of_the_combination(fit: Fit) -> None:
    for df in ("hlm", "hlm7", "satterthwaite"):
        own = fit.fixed_effects(df=df).loc["g20"]
        slope: Any = fit.slopes("minority", df=df).frame().iloc[0]
        difference: Any = fit.means("minority", df=df).differences().iloc[0]
        for found in (slope, difference):
            assert found["df"] == pytest.approx(own["df"])
        assert slope["p_value"] == pytest.approx(own["p_value"])


def test_slopes_of_powers_are_derivatives() -> None:
    fit = Model("mathach = b0 + b1*ses + b2*ses^2 + r\nb0 = g00 + u0\nb1 = g10\nb2 = g20").fit(datasets.hsb())
    found: Any = fit.slopes("ses", by={"ses": [-1.0, 0.0, 2.0]}).frame()
    wanted = [fit.gamma["g10"] + 2 * fit.gamma["g20"] * at for at in (-1.0, 0.0, 2.0)]
    assert np.allclose(found["estimate"], wanted, atol=1e-7)


def test_posteriors_answer_alike(fit: Fit) -> None:
    post = Model(CROSS).sample(datasets.hsb(), seed=3, draws=500)
    by: Any = post.slopes("ses", by="sector").frame()
    fitted: Any = fit.slopes("ses", by="sector").frame()
    assert np.allclose(by["mean"], fitted["estimate"], atol=0.05)
    assert np.allclose(
        post.means("sector").frame()["mean"], fit.means("sector").frame()["estimate"], atol=0.05
    )
    new = {
        "id": ["1224", "none", "none"],
        "ses": [0.1, 0.2, 0.5],
        "minority": [0, 1, 0],
        "sector": [0, 1, 1],
        "meanses": [-0.4, 0.3, 0.3],
    }
    drawn: Any = post.predict(new, interval="prediction", seed=1)
    wanted: Any = fit.predict(new, interval="prediction")
    assert np.allclose(drawn[["predicted", "low", "high"]], wanted[["predicted", "low", "high"]], atol=0.6)
    assert "Slope of ses at sector = 0" in str(post.slopes("ses", by="sector"))


def test_a_row_that_is_its_units_own_mean_is_said(fit: Fit) -> None:
    """group(ses) of one row alone is 0: -1 and 1 would be predicted alike without a word."""
    new: dict[str, Any] = {"ses": [-1.0, 1.0], "sector": [0, 0], "meanses": [0.1, 0.1], "minority": [0, 0]}
    for ids in ({}, {"id": ["one", "two"]}):
        with pytest.warns(HLMWarning, match="no other row here: 2.*group"):
            found: Any = fit.predict({**new, **ids})
        assert found["predicted"][0] == found["predicted"][1]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        known: Any = fit.predict({**new, "id": ["1224", "1224"]})
        together: Any = fit.predict({**new, "id": ["new", "new"]})
    for predicted in (known["predicted"], together["predicted"]):
        assert predicted[1] - predicted[0] > 1.0


def test_the_mean_of_deviations_is_zero(fit: Fit) -> None:
    slopes: Any = fit.slopes("ses", by="ses").frame()
    assert slopes["ses"].tolist()[1] == 0.0
    found = str(fit.means("ses"))
    assert "Mean at ses = 0:" in found
    assert "Difference of ses, (-0.6606) - 0: " in found


def test_holm_and_tukey() -> None:
    rng = np.random.default_rng(2)
    unit = np.repeat(np.arange(20), 6)
    track = np.array(["a", "b", "c"])[rng.integers(0, 3, 120)]
    y = rng.normal(size=120) + (track == "c") + rng.normal(size=20)[unit]
    fit = Model("y = b0 + b1*track + r\nb0 = g00 + u0\nb1 = g10").fit(
        read({"id": unit, "track": track, "y": y})
    )
    raw = np.sort(fit.means("track", adjust="none").differences()["p_value"])
    holm = np.sort(fit.means("track").differences()["p_value"])
    assert np.allclose(holm, np.minimum(1, np.maximum.accumulate([3, 2, 1] * raw)))
    tukey = np.sort(fit.means("track", adjust="tukey").differences()["p_value"])
    assert (raw <= tukey).all()
    assert (tukey <= np.minimum(1, 3 * raw) + 1e-12).all()


def test_what_is_refused(fit: Fit) -> None:
    with pytest.raises(HypothesisError, match="not a variable of this model"):
        fit.slopes("pracad")
    with pytest.raises(HypothesisError, match="level="):
        fit.predict(level=3)
    with pytest.raises(HypothesisError, match="interval="):
        fit.predict(interval="both")  # type: ignore[arg-type]
    with pytest.raises(HypothesisError, match="adjust="):
        fit.means("sector", adjust="scheffe")  # type: ignore[arg-type]
    hsb = datasets.hsb()
    from hlmbayes import moments

    made = moments(hsb, columns=["mathach", "ses", "minority"], level2=["sector", "meanses"])
    alone = Model(CROSS).fit(made)
    with pytest.raises(HypothesisError, match="moments"):
        alone.slopes("ses")


NORMAL, BINARY = "y = b0 + b1*group(x) + r", "logit(p) = b0 + b1*group(x)"


def _pupils(ids: Any) -> pd.DataFrame:
    rng = np.random.default_rng(8)
    unit = np.repeat(np.arange(12), 6)
    frame = pd.DataFrame({"id": np.asarray(ids, dtype=object)[unit], "x": rng.normal(size=72)})
    eta = frame["x"] + rng.normal(size=12)[unit]
    return frame.assign(y=eta + rng.normal(size=72), p=(eta + rng.logistic(size=72) > 0).astype(int))


@pytest.mark.parametrize("equation", [NORMAL, BINARY])
@pytest.mark.parametrize(
    ("ids", "new"),
    [
        ([f"{k:02d}" for k in range(12)], [float(k) for k in range(12)]),
        (list(range(12)), [f"  {k:02d}" for k in range(12)]),
        (list(range(12)), [f"{k}.0 ".encode() for k in range(12)]),
        ([f"school {k}" for k in range(12)], [f" school {k} " for k in range(12)]),
    ],
)
def test_units_are_found_however_their_ids_are_written(equation: str, ids: Any, new: Any) -> None:
    fit = Model(f"{equation}; b0 = g00 + u0; b1 = g10 + u1").fit(_pupils(ids))
    mine, same = _pupils(new).drop(columns=["y", "p"]), fit.predict()
    assert np.allclose(fit.predict(mine), same, rtol=0, atol=1e-12)
    assert np.allclose(fit.predict(read(mine, id="id")), same, rtol=0, atol=1e-12)


@pytest.mark.parametrize("equation", [NORMAL, BINARY])
def test_new_ids_that_cannot_be_told_apart_or_are_missing_are_refused(equation: str) -> None:
    fit = Model(f"{equation}; b0 = g00 + u0; b1 = g10").fit(_pupils(list(range(12))))
    with pytest.raises(DataError, match="several texts are the same number: 01, 1"):
        fit.predict({"id": ["1", "01", "new"], "x": [0.0, 0.0, 0.0]})
    with pytest.raises(DataError, match="The id 'id' of the new data is missing in 1 of 2 rows: 2"):
        fit.predict({"id": [1.0, np.nan], "x": [0.0, 0.0]})


@pytest.mark.parametrize("equation", [NORMAL, BINARY])
def test_predictions_keep_the_index_of_a_frame(equation: str) -> None:
    frame = _pupils(list(range(12)))
    fit = Model(f"{equation}; b0 = g00 + u0; b1 = g10").fit(frame)
    mixed = frame.sample(frac=0.5, random_state=1)
    for level in (1, 2):
        found: Any = fit.predict(mixed, level=level)["predicted"]
        assert found.index.equals(mixed.index)
        assert np.allclose(found, fit.predict(level=level)["predicted"].loc[mixed.index], rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "equation", [NORMAL, BINARY, "cumlogit(c) = b0 + b1*group(x)", "mlogit(c) = b0 + b1*group(x)"]
)
def test_own_rows_without_a_predictor_have_no_prediction(equation: str) -> None:
    frame = _pupils(list(range(12)))
    frame = frame.assign(x=frame["x"].where(frame.index != 4), c=1 + np.arange(72) % 3)
    fit = Model(f"{equation}; b0 = g00 + u0; b1 = g10").fit(frame)
    known = frame.drop(index=4)
    for level in (1, 2):
        found = fit.predict(level=level)
        assert found.loc[4].isna().all()
        assert found.drop(index=4).equals(fit.predict(known, level=level))
    with pytest.raises(DataError, match="x is missing in 1 of 72 rows of the new data"):
        fit.predict(frame)


@pytest.mark.parametrize("equation", [NORMAL, BINARY])
def test_what_a_variable_is_held_at_is_one_value(equation: str) -> None:
    frame = _pupils(list(range(12))).assign(g=["a", "b", "c"] * 24)
    fit = Model(f"{equation} + b2*g; b0 = g00 + u0; b1 = g10; b2 = g20").fit(frame)
    with pytest.raises(HypothesisError, match=r"at= .* holds x at one value, got \[0, 1\]"):
        fit.means("g", at={"x": [0, 1]})
    with pytest.raises(HypothesisError, match=r"g has values of its own here: take it out of at="):
        fit.means("g", at={"g": "a"})
    with pytest.raises(HypothesisError, match="g has values of its own here"):
        fit.slopes("x", by="g", at={"g": "a"})
    with pytest.raises(HypothesisError, match=r"x: a value stands there twice, got \[1, 1.0\]"):
        fit.means("x", values=[1, 1.0])
    with pytest.raises(HypothesisError, match=r"g: wants one or more values, got \[\]"):
        fit.means("g", values=[])


def test_sentences_say_something_in_every_unit_of_measurement() -> None:
    rng = np.random.default_rng(5)
    school = np.repeat(np.arange(20), 10)
    income = rng.normal(4e4, 1e4, 200)
    y = 1e-5 * income + rng.normal(size=20)[school] + rng.normal(size=200)
    data = read({"id": school, "income": income, "y": y, "tiny": y * 1e-6}, id="id")
    fit = Model("y = b0 + b1*income + r; b0 = g00 + u0; b1 = g10").fit(data)
    assert f"Slope of income: {fit.gamma['g10']:.3e} (95 % interval" in str(fit.slopes("income"))
    small = Model("tiny = b0 + b1*income + r; b0 = g00 + u0; b1 = g10").fit(data)
    said = [
        str(small.plausible_range("b0")),
        str(small.prediction_interval("b0")),
        str(small.means("income")),
    ]
    assert "0.0000" not in " ".join(said)
    assert f"{small.plausible_range('b0').low:.3e} and" in said[0]


def _occasions(labels: dict[float, str] | None = None) -> Any:
    rng = np.random.default_rng(6)
    person, time = np.repeat(np.arange(40), 4), np.tile(np.arange(1.0, 5), 40)
    x = rng.normal(size=160)
    y = 0.3 * time + x + rng.normal(size=40)[person] * (1 + time) + rng.normal(size=160)
    data = read({"id": person, "time": time, "x": x, "y": y}, id="id")
    return data if labels is None else replace(data, value_labels={"time": labels})


def test_a_factor_may_be_a_number_too_in_the_same_model() -> None:
    level1 = "y = b0 + b1*C(time) + b2*time + b3*C(time)*x + b4*x + r"
    model = Model(f"{level1}; b0 = g00 + u0; b1 = g10; b2 = u2; b3 = g30; b4 = g40")
    fit = model.fit(_occasions())
    x = float(fit.data.level1_column("x").mean())
    at = [fit.gamma["g00"] + fit.gamma["g40"] * x]
    at += [at[0] + fit.gamma[f"g10[{k}]"] + fit.gamma[f"g30[{k}]"] * x for k in (2, 3, 4)]
    np.testing.assert_allclose(fit.means("time").frame()["estimate"], at, rtol=1e-8)
    slopes = [fit.gamma["g40"] + (fit.gamma[f"g30[{k}]"] if k > 1 else 0) for k in (1, 2, 3, 4)]
    np.testing.assert_allclose(fit.slopes("x", by="time").frame()["estimate"], slopes, rtol=1e-8)
    named = model.fit(_occasions({1.0: "spring", 2.0: "summer", 3.0: "autumn", 4.0: "winter"}))
    np.testing.assert_allclose(named.means("time").frame()["estimate"], at, rtol=1e-8)
    np.testing.assert_allclose(named.means("time", values=["winter"]).frame()["estimate"], at[3:], rtol=1e-8)


def test_levels_of_one_label_are_what_they_are_in_rows_that_have_one_of_them() -> None:
    """Means, and predictions of rows of one level only."""
    data = _occasions({1.0: "term", 2.0: "term", 3.0: "autumn", 4.0: "winter"})
    fit = Model("y ~ C(time) + x + (1 | id)").fit(data)
    assert fit.means("time").values == ("term (1)", "term (2)", "autumn", "winter")
    found = fit.means("time").frame()["estimate"].to_numpy()
    np.testing.assert_allclose(found[1] - found[0], fit.gamma["time[term (2)]"], rtol=1e-8)
    second = replace(data, level1={k: v[1::4] for k, v in data.level1.items()}, unit=data.unit[1::4])
    np.testing.assert_allclose(fit.predict(second)["predicted"], fit.predict()["predicted"][1::4], rtol=1e-8)


def test_a_number_that_is_a_factor_too_is_at_its_own_values() -> None:
    """The number counts in typical rows: a product with it is at the level's value."""
    data = _occasions()
    fit = Model("y ~ C(time) + time:x + x + (1 | id)").fit(data)
    found = fit.slopes("x", by="time").frame()["estimate"]
    product = next(code for code, name in fit.fixed_effects()["name"].items() if name in ("time*x", "x*time"))
    wanted = [fit.gamma["x"] + k * fit.gamma[product] for k in (1, 2, 3, 4)]
    np.testing.assert_allclose(found, wanted, rtol=1e-8)


def test_a_factor_that_is_centred_in_units_too_is_refused() -> None:
    fit = Model("y ~ C(time) + group(time):x + (1 | id)").fit(_occasions())
    with pytest.raises(DataError, match=r"time. of the new data is not numeric"):
        fit.means("time")  # a level is no deviation from the unit's mean
