"""Predictions with bands against rows written out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

import hlmbayes as hlm
from hlmbayes.diagnostics.predictions import predict, variables_of
from hlmbayes.errors import OutputError
from hlmbayes.unit_moments.record import moments_of
from tests.small import model, small

MODEL = """mathach = b0 + b1*group(ses) + b2*grand(minority) + b3*female + r
    b0 = g00 + g01*sector + g02*grand(meanses) + u0
    b1 = g10 + g11*sector + g12*meanses + u1
    b2 = g20
    b3 = g30"""


@pytest.fixture(scope="module")
def fit() -> Any:
    return hlm.Model(MODEL.replace("g12*meanses", "g12*grand(meanses)")).fit(hlm.datasets.hsb())


def test_every_value_and_band_by_hand(fit: Any) -> None:
    data = hlm.datasets.hsb()
    lines = predict(fit, "SES", {"sector": "all"}, at={"meanses": 0.5, "minority": 1}, prob=0.9)
    assert [line.at for line in lines] == [{"sector": 0.0}, {"sector": 1.0}]
    meanses = 0.5 - np.mean(data.level2["meanses"])
    minority = 1 - np.mean(data.level1["minority"])
    female = np.mean(data.level1["female"])
    for line in lines:
        sector = line.at["sector"]
        rows = np.array(
            [[1, sector, meanses, s, s * sector, s * meanses, minority, female] for s in line.x]
        )  # fmt: skip
        y = rows @ np.asarray(fit.gamma)
        se = np.sqrt(np.diag(rows @ fit.vcov @ rows.T))
        np.testing.assert_allclose(line.y, y)
        np.testing.assert_allclose(line.high - line.y, stats.norm.ppf(0.95) * se)
        np.testing.assert_allclose(line.y - line.low, stats.norm.ppf(0.95) * se)
    ses = np.asarray(data.level1["ses"])
    centred = ses - np.array([ses[data.unit == j].mean() for j in range(160)])[data.unit]
    np.testing.assert_allclose([lines[0].x[0], lines[0].x[-1]], [centred.min(), centred.max()])


def test_over_a_level2_variable_and_robust_bands(fit: Any) -> None:
    (line,) = predict(fit, "meanses", robust=True)
    data = hlm.datasets.hsb()
    w = np.asarray(data.level2["meanses"])
    sector = np.mean(data.level2["sector"])
    rows = np.array([[1, sector, x - w.mean(), 0, 0, 0, 0, np.mean(data.level1["female"])] for x in line.x])
    np.testing.assert_allclose(line.y, rows @ np.asarray(fit.gamma), rtol=1e-10)
    se = np.sqrt(np.diag(rows @ fit.vcov_robust @ rows.T))
    np.testing.assert_allclose(line.high - line.y, stats.norm.ppf(0.975) * se)
    assert line.x[0] == w.min()


def test_quartiles_and_chosen_values(fit: Any) -> None:
    w = np.asarray(hlm.datasets.hsb().level2["meanses"])
    lines = predict(fit, "ses", {"meanses": "quartiles", "sector": [0, 1]})
    assert len(lines) == 6
    assert sorted({line.at["meanses"] for line in lines}) == pytest.approx(np.quantile(w, [0.25, 0.5, 0.75]))
    assert len(predict(fit, "ses", {"meanses": 0.25})) == 1


def test_constrained_effects_share_their_coefficient() -> None:
    fit = model("constrained").fit(small(n_units=16).data())
    (line,) = predict(fit, "x", at={"w": 1.0, "v": 2.0})
    g = fit.gamma
    b0 = g["g00"] + g["g01"] + 2 * g["g02"]
    b1 = g["g10"] + g["g11"] + 2 * g["g12"]
    np.testing.assert_allclose(line.y, b0 + b1 * line.x)


def test_a_fit_from_moments_predicts_over_a_sensible_range() -> None:
    data = hlm.datasets.hsb()
    text = "mathach = b0 + b1*group(ses) + b2*female + r\nb0 = g00 + g01*sector + u0\nb1 = g10\nb2 = g20"
    rows, moments = (
        hlm.Model(text).fit(data),
        hlm.Model(text).fit(moments_of(data, ["mathach", "ses", "female"])),
    )
    (a,) = predict(rows, "sector", at={"female": 0})
    (b,) = predict(moments, "sector", at={"female": 0})
    np.testing.assert_allclose(a.y, b.y, rtol=1e-8)
    (over,) = predict(moments, "ses")
    known = variables_of(rows)["ses"]
    assert over.x[-1] == pytest.approx(2 * known.values.std(), rel=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"x": "pracad"}, r"'pracad' is not a predictor of this model"),
        ({"x": "ses", "by": {"sectr": "all"}}, r"'sectr'.*Did you mean 'sector'"),
        ({"x": "ses", "by": {"meanses": "all"}}, "different values, too many"),
        ({"x": "ses", "by": {"meanses": "deciles"}}, "'deciles' is not known"),
        ({"x": "ses", "by": {"meanses": ["a"]}}, "wants numbers"),
        ({"x": "ses", "by": {"meanses": [np.nan]}}, "one or more numbers"),
        ({"x": "ses", "by": {"ses": [0]}}, "cannot be both"),
        ({"x": "ses", "at": {"SES": 0}}, "cannot be both"),
        ({"x": "ses", "prob": 95}, "between 0 and 1"),
    ],
)
def test_refusals(fit: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(OutputError, match=message):
        predict(fit, **options)


def test_a_model_without_predictors_and_a_tree() -> None:
    fit = model("means").fit(small(n_units=16).data())
    with pytest.raises(OutputError, match="It has no predictors"):
        predict(fit, "x")
    with pytest.raises(OutputError, match="not a DataTree"):
        predict(hlm.diagnostics.tree(fit), "x")


def test_a_variable_that_is_raw_in_one_equation_and_centred_in_another() -> None:
    raw = small(n_units=16)
    fit = model("slopes").fit(raw.data())  # g01*w, but g11*grand(w)
    (line,) = predict(fit, "x", at={"w": 1.5})
    g, mean = fit.gamma, raw.level2["w"].mean()
    np.testing.assert_allclose(
        line.y, g["g00"] + 1.5 * g["g01"] + (g["g10"] + (1.5 - mean) * g["g11"]) * line.x
    )
    (held,) = predict(fit, "x")
    np.testing.assert_allclose(held.y, g["g00"] + mean * g["g01"] + g["g10"] * held.x)


def test_a_variable_is_held_at_one_value() -> None:
    fit = hlm.Model("y = b0 + b1*x + r\nb0 = g00 + g01*w + u0\nb1 = g10").fit(small(3).data())
    for values in ([-1, 1], "quartiles"):
        with pytest.raises(OutputError, match="can be held at one value"):
            predict(fit, "x", at={"w": values})
    assert len(predict(fit, "x", at={"w": [1]})) == 1
