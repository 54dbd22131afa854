"""Terms of equations and formulas agree with lme4's, and with the columns of R's poly and bs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import hlmbayes as hlm
from hlmbayes.terms.expand import expanded

ORACLE: dict[str, Any] = json.loads((Path(__file__).parents[1] / "oracles" / "terms.json").read_text())
INTERCEPT = "b0 = g00 + u0"


@pytest.fixture(scope="module")
def data() -> hlm.TwoLevelData:
    """HSB with a level-1 factor that has an unused level, and a level-2 factor that is text."""
    hsb = hlm.datasets.hsb()
    ses = hsb.level1["ses"]
    codes = np.searchsorted([-0.5, 0.5], ses, side="left")
    track = pd.Categorical(np.array(["low", "middle", "high"])[codes], ["none", "low", "middle", "high"])
    disclim = hsb.level2["disclim"]
    climate = np.where(disclim < -0.5, "good", np.where(disclim > 0.5, "bad", "usual"))
    names = ("mathach", "ses", "female", "minority")
    level1 = pd.DataFrame({name: hsb.level1[name] for name in names} | {"track": track})
    level1["id"] = hsb.unit_ids[hsb.unit]
    level2 = {name: hsb.level2[name] for name in ("size", "pracad", "sector")}
    units = pd.DataFrame({"id": hsb.unit_ids, "climate": climate, "private": hsb.level2["sector"], **level2})
    return hlm.read(level1, units, id="id")


# for each of the oracle's models: equations, and the fixed effects in lmer's order where it is another
MODELS: dict[str, tuple[str, str]] = {
    "factor": ("b0 + b1*C(track)", f"{INTERCEPT}; b1 = g10"),
    "factor_sum": ("b0 + b1*C(track, sum)", f"{INTERCEPT}; b1 = g10"),
    "factor_reference": ('b0 + b1*C(track, ref="high")', f"{INTERCEPT}; b1 = g10"),
    "factor_random": ("b0 + b1*C(track)", f"{INTERCEPT}; b1 = g10 + u1"),
    "factor_random_sum": ("b0 + b1*C(track, sum)", f"{INTERCEPT}; b1 = g10 + u1"),
    "factor_centred": ("b0 + b1*group(C(track))", f"{INTERCEPT}; b1 = g10"),
    "factor_centred_random": ("b0 + b1*group(C(track))", f"{INTERCEPT}; b1 = g10 + u1"),
    "factor_level2": ("b0 + b1*group(ses)", "b0 = g00 + g01*climate + u0; b1 = g10 + g11*climate + u1"),
    "factor_level2_sum": (
        "b0 + b1*group(ses)",
        "b0 = g00 + g01*C(climate, sum) + u0; b1 = g10 + g11*C(climate, sum) + u1",
    ),
    "factor_times_number": (
        "b0 + b1*track + b2*female + b3*track*female",
        f"{INTERCEPT}; b1 = g10; b2 = g20; b3 = g30",
    ),
    "factor_times_number_sum": (
        "b0 + b1*C(track, sum) + b2*female + b3*C(track, sum)*female",
        f"{INTERCEPT}; b1 = g10; b2 = g20; b3 = g30",
    ),
    "factor_times_factor": ("b0 + b1*track", "b0 = g00 + g01*climate + u0; b1 = g10 + g11*climate"),
    "product": (
        "b0 + b1*ses + b2*female + b3*ses*female",
        f"{INTERCEPT}; b1 = g10; b2 = g20; b3 = g30 + u3",
    ),
    "product_of_centred": ("b0 + b1*group(ses)*female + b2*group(ses)", f"{INTERCEPT}; b1 = g10; b2 = u2"),
    "centred_product": ("b0 + b1*group(ses*female)", f"{INTERCEPT}; b1 = g10 + u1"),
    "product_level2": ("b0", "b0 = g00 + g01*size + g02*private + g03*size*private + u0"),
    "power": ("b0 + b1*ses + b2*ses^2", f"{INTERCEPT}; b1 = g10; b2 = g20"),
    "power_of_centred": (
        "b0 + b1*grand(ses) + b2*grand(ses)^2 + b3*group(ses)^3",
        f"{INTERCEPT}; b1 = g10 + u1; b2 = g20; b3 = g30",
    ),
    "power_level2": ("b0", "b0 = g00 + g01*pracad + g02*pracad^2 + g03*log(size) + u0"),
    "arithmetic": (
        "b0 + b1*sqrt(ses + 4) + b2*exp(ses)",
        "b0 = g00 + g01*(size/1000) + u0; b1 = g10; b2 = g20",
    ),
    "poly": ("b0 + b1*poly(ses, 3)", "b0 = g00 + g01*poly(pracad, 2) + u0; b1 = g10"),
    "bs": ("b0 + b1*bs(ses, df=5)", "b0 = g00 + g01*bs(pracad, df=4) + u0; b1 = g10"),
}
# where lmer's order of the fixed effects is another: the places of ours in it
ORDER = {
    "factor_times_factor": [0, 3, 4, 1, 5, 7, 2, 6, 8],
    "arithmetic": [0, 3, 1, 2],
    "poly": [0, 4, 5, 1, 2, 3],
    "bs": [0, 6, 7, 8, 9, 1, 2, 3, 4, 5],
}


@pytest.mark.parametrize("name", MODELS)
def test_terms_agree_with_lme4(data: hlm.TwoLevelData, name: str) -> None:
    level1, level2 = MODELS[name]
    fit = hlm.Model(f"mathach = {level1} + r; {level2}").fit(data)
    expected = ORACLE["models"][name]
    gamma = np.array(expected["gamma"])
    assert fit.deviance == pytest.approx(expected["deviance"], abs=1e-6)
    np.testing.assert_allclose(fit.gamma, gamma[ORDER.get(name, range(len(gamma)))], rtol=0, atol=1e-6)
    np.testing.assert_allclose(fit.sigma2, expected["sigma2"], rtol=1e-6)


@pytest.mark.parametrize(
    ("formula", "name"),
    [
        ("mathach ~ C(track) + (1 | id)", "factor"),
        ("mathach ~ C(track, sum) + (C(track, sum) | id)", "factor_random_sum"),
        ("mathach ~ group(C(track)) + (group(C(track)) | id)", "factor_centred_random"),
        ("mathach ~ climate*group(ses) + (group(ses) | id)", "factor_level2"),
        ("mathach ~ track*female + (1 | id)", "factor_times_number"),
        ("mathach ~ track*climate + (1 | id)", "factor_times_factor"),
        ("mathach ~ ses*female + (1 + ses:female | id)", "product"),
        ("mathach ~ group(ses*female) + (group(ses*female) | id)", "centred_product"),
        ("mathach ~ size*private + (1 | id)", "product_level2"),
        ("mathach ~ ses + I(ses^2) + (1 | id)", "power"),
        ("mathach ~ ses + ses^2 + (1 | id)", "power"),
        ("mathach ~ sqrt(ses + 4) + exp(ses) + I(size/1000) + (1 | id)", "arithmetic"),
        ("mathach ~ poly(ses, 3) + poly(pracad, 2) + (1 | id)", "poly"),
        ("mathach ~ bs(ses, df=5) + bs(pracad, df=4) + (1 | id)", "bs"),
    ],
)
def test_a_formula_and_equations_mean_the_same_columns(
    data: hlm.TwoLevelData, formula: str, name: str
) -> None:
    level1, level2 = MODELS[name]
    model = hlm.Model(f"mathach = {level1} + r; {level2}")
    assert hlm.Model.from_formula(formula, data=data) == model
    assert hlm.Model(model.equations()) == model


@pytest.mark.parametrize("text", ORACLE["bases"])
def test_polynomials_and_splines_are_those_of_r(data: hlm.TwoLevelData, text: str) -> None:
    model = hlm.Model(f"mathach = b0 + b1*{text} + r; b0 = g00 + u0; b1 = g10")
    _, rows, terms = expanded(model, data)
    shown, expected = np.array(ORACLE["rows"]) - 1, ORACLE["bases"][text]
    if text.startswith("poly(size"):  # a level-2 variable used at level 1: over rows, as in R
        assert terms.made[0].level == 1
    columns = np.column_stack([rows.level1_column(name) for name in terms.made[0].names])
    np.testing.assert_allclose(columns[shown], expected["columns"], rtol=0, atol=1e-10)
    X = np.column_stack([np.ones(len(columns)), columns])
    fitted = X @ np.linalg.lstsq(X, rows.level1_column("mathach"), rcond=None)[0]
    np.testing.assert_allclose(fitted[shown], expected["fitted"], rtol=0, atol=1e-8)
