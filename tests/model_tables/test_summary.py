"""A fit on one screen, and `hlmbayes summary`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hlmbayes as hlm
from hlmbayes.cli import main

MODELS = Path(__file__).parents[2] / "models"


def test_a_summary_has_the_numbers_of_the_tables(model4: Any, hsb: Any) -> None:
    fit: hlm.Fit = model4.fit(hsb)
    found = fit.summary(robust="CR2")
    table: Any = found.frame()
    own: Any = fit.fixed_effects("CR2")
    assert list(table.index) == list(own.index)
    assert table.loc["g11", "se"] == own.loc["g11", "se"]
    assert table.loc["g11", "name"] == "ses x sector"
    limits: Any = fit.confint(robust="CR2")
    assert table.loc["g11", "low"] == pytest.approx(limits.loc["g11", "low"])
    text = str(found)
    assert "7,185 rows in 160 units" in text
    assert "R2 marginal 0.1796" in text
    assert max(map(len, text.splitlines())) <= 80


def test_warnings_come_first() -> None:
    data = hlm.read({"id": [1, 1, 2, 2, 3, 3, 4, 4], "y": [1.0, 9.0, 8.0, 2.0, 1.5, 8.5, 9.0, 1.0]})
    fit = hlm.Model("y = b0 + r\nb0 = g00 + u0").fit(data)
    assert str(fit.summary()).startswith("WARNING: On the boundary")


def test_known_and_varying_level1_variances_are_not_one_that_was_estimated() -> None:
    rng = np.random.default_rng(1)
    studies = hlm.read({"id": range(9), "d": rng.normal(size=9), "v": rng.uniform(0.1, 1, 9)})
    known = str(hlm.Model("d = b0 + r; b0 = g00 + u0").fit(studies, variance_known="v").summary())
    assert "level-1 residual" not in known
    assert "ICC" not in known
    text = "mathach = b0 + r; b0 = g00 + u0; log(sigma2) = a0 + a1*female"
    varying = hlm.Model(text).fit(hlm.datasets.hsb())
    table: Any = varying.summary().frame()
    a1: Any = varying.log_sigma2().loc["a1"]
    assert table.loc["a1", "low"] == pytest.approx(a1["estimate"] - 1.959964 * a1["se"], rel=1e-6)
    assert 0 < table.loc["a1", "p_value"] < 1
    assert "nan" not in str(varying.summary())


def test_the_command_answers_what_is_asked(capsys: pytest.CaptureFixture[str]) -> None:
    full, fixed = (str(MODELS / f"model4_{name}.hlm") for name in ("intercepts_slopes", "nonrandom_slope"))
    asked = ["--icc", "--r2", "--confint", "--check", "--homogeneity", "--test", "g01 = 0, g11 = 0"]
    asked += [
        "--contrast",
        "g01 - 2*g11",
        "--variable",
        "sector",
        "--compare",
        fixed,
        "--df",
        "kenward-roger",
    ]
    assert main(["summary", full, "--algorithm", "exact", *asked]) == 0
    out = capsys.readouterr().out
    for said in (
        "Kenward-Roger", "intraclass correlation", "Marginal R2", "sd[SES]", "normality of random effects",
        "Homogeneity of level-1 variance", "Test that g01 = 0 and g11 = 0", "g01 - 2*g11", "= 1.12651",
    ):  # fmt: skip
        assert said in out, said
    assert main(["summary", full, "--test", "g77"]) == 2
    varying = str(MODELS / "heterogeneous_sigma2.hlm")
    capsys.readouterr()
    for wrong in ([], ["foo=1"]):  # what there is not is said and an error, the rest is there
        assert main(["summary", varying if not wrong else full, "--icc", *wrong, "--range"]) == 2
        printed = capsys.readouterr()
        assert "fixed effects" in printed.out
        assert "95 % of units" in printed.out
        assert "hlmbayes: error: --icc: " in printed.err


def test_the_command_has_what_python_has(hsb: Any, model4: Any, capsys: pytest.CaptureFixture[str]) -> None:
    full, base = (str(MODELS / f"model{k}.hlm") for k in ("4_intercepts_slopes", "3_random_coefficients"))
    asked = ["--icc", "ses=-1,0,1", "--range", "--explore", "pracad", "--r2", "--bootstrap", "4"]
    asked += ["--seed", "1", "--compare", base]
    assert main(["summary", full, "--algorithm", "exact", "--method", "ML", *asked]) == 0
    out = capsys.readouterr().out
    fit: hlm.Fit = model4.fit(hsb, method="ML")
    text = "mathach = b0 + b1*group(ses) + r\nb0 = g00 + u0\nb1 = g10 + u1"
    base_fit = hlm.Model(text).fit(hsb, method="ML")
    curve: Any = fit.icc(at={"ses": [-1, 0, 1]})
    for point in curve.points:
        assert f"{point.icc:.4f}, {point.low:.4f} to {point.high:.4f}" in out
    limits: Any = fit.r2(bootstrap=4, seed=1).frame().loc["marginal", ["low", "high"]]
    assert f"interval {limits['low']:.4f} to {limits['high']:.4f}" in out
    assert f"between {fit.plausible_range('b1').low:.4f} and" in out
    assert f"coefficient {fit.explore('pracad').candidates[0].estimate:.4f}" in out
    assert str(fit.variance_explained(base_fit)).replace("(ses)", "(SES)") in out
    assert "Parametric bootstrap: p = " in out
