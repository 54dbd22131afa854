"""Tables built from the numbers HLM printed, so that the layout can be compared with HLM's own listing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hlmbayes.report.tables import (
    AlphaRow,
    ChiSquare,
    FixedRow,
    Header,
    Heterogeneity,
    Hypothesis,
    Level1Term,
    Level2Term,
    Tables,
    UnitRegression,
    VarianceRow,
)

INTERCEPT = ("INTRCPT2", "G00"), ("SECTOR", "G01"), ("MEANSES", "G02")
SLOPE = ("INTRCPT2", "G10"), ("SECTOR", "G11"), ("MEANSES", "G12")
SLOPE2 = ("INTRCPT2", "G20"), ("SECTOR", "G21"), ("MEANSES", "G22")


def level1(symbol: str, variable: str, terms: tuple[tuple[str, str], ...], **changes: Any) -> Level1Term:
    values: dict[str, Any] = {
        "slope": variable != "INTRCPT1",
        "random": True,
        "centering": "group" if variable == "SES" else "none",
    }
    return Level1Term(symbol, variable, terms=tuple(Level2Term(*t) for t in terms), **(values | changes))


B0 = level1("B0", "INTRCPT1", INTERCEPT)
B1 = level1("B1", "SES", SLOPE)
COEFFICIENTS = {
    "model1_unconditional": (level1("B0", "INTRCPT1", INTERCEPT[:1]),),
    "model2_means_as_outcomes": (level1("B0", "INTRCPT1", (("INTRCPT2", "G00"), ("MEANSES", "G01"))),),
    "model3_random_coefficients": (level1("B0", "INTRCPT1", INTERCEPT[:1]), level1("B1", "SES", SLOPE[:1])),
    "model4_intercepts_slopes": (B0, B1),
    "model4_nonrandom_slope": (B0, level1("B1", "SES", SLOPE, random=False)),
    "heterogeneous_sigma2": (B0, B1),
    "constrained": (B0, B1),
    "random_only": (B0, level1("B1", "FEMALE", ()), level1("B2", "SES", SLOPE2)),
}


def p_value(text: str) -> float:
    return 0.75 if text == ">.500" else float(text)


def fixed(rows: list[dict[str, Any]]) -> tuple[FixedRow, ...]:
    return tuple(
        FixedRow(
            **{k: row[k] for k in ("coef", "gamma", "constrained", "estimate", "se", "t", "df")},
            level1=row["level1"].upper().replace("SLOPE", "slope"),
            level2=row["level2"].upper(),
            p=p_value(row["p"]),
            p_text=row["p"],
        )
        for row in rows
    )


def variance(row: dict[str, Any]) -> VarianceRow:
    name = row["name"] if row["effect"] == "R" else row["name"].upper().replace("SLOPE", "slope")
    p = None if row["p"] is None else p_value(row["p"])
    return VarianceRow(name, row["effect"], row["sd"], row["variance"], row["df"], row["chi2"], p, row["p"])


def test_of(row: dict[str, Any] | None) -> ChiSquare | None:
    return None if row is None else ChiSquare(row["chi2"], row["df"], p_value(row["p"]), row["p"])


def heterogeneity(printed: dict[str, Any]) -> Heterogeneity | None:
    if "alpha" not in printed:
        return None
    alphas = tuple(
        AlphaRow(name, f"alpha{i}", row["estimate"], row["se"], row["z"], p_value(row["p"]), row["p"])
        for i, (name, row) in enumerate(zip(("INTRCPT1", "FEMALE"), printed["alpha"], strict=True))
    )
    comparison = test_of(printed["model_comparison"])
    assert comparison is not None
    return Heterogeneity(
        printed["macro_iteration"],
        alphas,
        printed["homogeneous"]["deviance"],
        printed["homogeneous"]["n_parameters"],
        printed["heterogeneous"]["deviance"],
        printed["heterogeneous"]["n_parameters"],
        comparison,
    )


def hypotheses(printed: dict[str, Any]) -> tuple[Hypothesis, ...]:
    row = printed.get("general_linear_hypothesis")
    if row is None:
        return ()
    contrasts = tuple(
        (f["gamma"], tuple(row["contrasts"].get(f["gamma"].lower(), [0, 0]))) for f in printed["fixed"]
    )
    test = test_of(row)
    assert test is not None
    return (Hypothesis(contrasts, test),)


def matrix(rows: list[list[float]] | None) -> tuple[tuple[float, ...], ...] | None:
    return None if rows is None else tuple(map(tuple, rows))


def printed_tables(name: str, printed: dict[str, Any]) -> Tables:
    sigma2 = printed["sigma2"]
    header = Header(
        outcome="MATHACH",
        coefficients=COEFFICIENTS[name],
        n_rows=7185,
        n_units=160,
        method=printed["method"],
        max_iterations=100,
        data_source="hsb.mdm",
        command_file=rf"C:\Data\data\ex{name.split('_')[0][-1]}.hlm",
        output_file=r"c:\\hlm2.txt",
        constraints=(("G02", "G12"),) if name == "constrained" else (),
        sigma2_variables=("FEMALE",) if "alpha" in printed else (),
        heterogeneous="alpha" in printed,
    )
    ols = printed.get("level1_ols_listing", {})
    return Tables(
        header=header,
        stop_line="Iterations stopped due to small change in likelihood function",
        iteration=printed["iteration"],
        sigma2=float("nan") if sigma2 is None else sigma2,
        tau=matrix(printed["tau"]) or (),
        tau_corr=matrix(printed["tau_corr"]) or (),
        reliability=tuple(printed["reliability"]),
        loglik=float(printed["loglik"]),
        fixed=fixed(printed["fixed"]),
        fixed_robust=fixed(printed["fixed_robust"]),
        variance_components=tuple(map(variance, printed["variance_components"])),
        deviance=printed["deviance"],
        n_parameters=printed["n_parameters"],
        se_sigma2=printed.get("se_sigma2"),
        se_tau=matrix(printed.get("se_tau")),
        n_units_full_rank=printed.get("units_used_for_reliability_and_chi2"),
        full_output=bool(ols),
        unit_regressions=tuple(UnitRegression(unit, tuple(row)) for unit, row in ols.items()),
        heterogeneity=heterogeneity(printed),
        comparison=test_of(
            printed.get("variance_covariance_test_against_model4") or printed.get("user_model_comparison")
        ),
        hypotheses=hypotheses(printed),
        homogeneity=test_of(printed.get("homogeneity_of_level1_variance")),
    )


@pytest.fixture(scope="session")
def printed(hlm_tables: dict[str, Any]) -> Callable[[str], Tables]:
    """Tables holding exactly the numbers HLM printed for a model of the seminar."""
    return lambda name: printed_tables(name, hlm_tables[name])
