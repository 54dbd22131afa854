"""Listings beyond the seminar's: full output, odd names and numbers, no random effects, several tests."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest

from hlmbayes.report.layout import count, likelihood, number
from hlmbayes.report.tables import (
    ChiSquare,
    Header,
    IterationRow,
    LeastSquares,
    Level1Term,
    Level2Term,
    NoteGroup,
    Optimum,
    OptimumRow,
    StartingValues,
    Tables,
    Weight,
    p_text,
)
from hlmbayes.report.text import hlm_part, listing

Printed = Callable[[str], Tables]
MODEL4 = "model4_intercepts_slopes"


@pytest.mark.parametrize(
    ("value", "width", "decimals", "text"),
    [
        (12.636972, 15, 6, "      12.636972"),
        (-0.42733, 13, 5, "     -0.42733"),
        (123456.789012, 13, 5, " 123456.78901"),
        (1234567.891234, 13, 5, " 1234567.89123"),
        (53479648.453691, 13, 5, " 53479648.45369"),
        (-1e300, 13, 5, " -1.00000E+300"),
        (math.nan, 8, 3, "     n/a"),
        (None, 8, 3, "     n/a"),
        (math.inf, 9, 5, "      inf"),
    ],
)
def test_number(value: float | None, width: int, decimals: int, text: str) -> None:
    assert number(value, width, decimals).strip() == text.strip()
    assert len(number(value, width, decimals)) == max(width, len(text))
    assert number(value, width, decimals).startswith(" ")


def test_degrees_of_freedom_are_whole_unless_a_method_gives_fractions() -> None:
    assert count(157.0, 10) == "       157"
    assert count(148.331, 10) == "    148.33"
    assert count(math.nan, 5) == "  n/a"
    assert count(math.inf, 5) == "  inf"


def test_likelihood_has_a_three_digit_exponent() -> None:
    assert likelihood(-23558.4) == "-2.355840E+004"
    assert likelihood(0.0012345678) == "1.234568E-003"
    assert likelihood(math.nan) == "n/a"


def test_p_text() -> None:
    assert p_text(0.0) == "0.000"
    assert p_text(0.369) == "0.369"
    assert p_text(0.834) == "0.834"
    assert p_text(0.834, chi_square=True) == ">.500"
    assert p_text(math.nan) == "n/a"


def full(tables: Tables) -> Tables:
    start = StartingValues(
        36.72025,
        ((2.56964, 0.28026), (0.28026, 0.43223)),
        ((2.56964, 0.28026), (0.28026, -0.01614)),
        tables.fixed,
    )
    log = tuple(IterationRow(k, value, 36.7, tables.tau) for k, value in enumerate((-23251.99, -23251.82), 1))
    return replace(
        tables,
        full_output=True,
        average_ols=(12.62075, 2.20164),
        least_squares=LeastSquares(39.03409, tables.fixed, tables.fixed_robust, -23362.11135),
        start=start,
        log=log,
    )


def test_full_output_has_hlms_blocks_in_hlms_order(printed: Printed) -> None:
    lines = hlm_part(full(printed(MODEL4)))
    expected = [
        "The average OLS level-1 coefficient for INTRCPT1 =     12.62075",
        "The average OLS level-1 coefficient for      SES =      2.20164",
        "Least Squares Estimates",
        "sigma_squared =     39.03409",
        " Least-squares estimates of fixed effects",
        " Least-squares estimates of fixed effects",
        " (with robust standard errors)",
        "The least-squares likelihood value = -23362.111350",
        "Deviance = 46724.22270",
        "Number of estimated parameters = 1",
        "STARTING VALUES",
        "sigma(0)_squared =     36.72025",
        "Tau(0)",
        "      SES,B1      0.28026      -0.01614 ",
        "New Tau(0)",
        "      SES,B1      0.28026       0.43223 ",
        " Estimation of fixed effects",
        " (Based on starting values of covariance components)",
        "The value of the likelihood function at iteration 1 = -2.325199E+004",
        "The value of the likelihood function at iteration 2 = -2.325182E+004",
        "Iterations stopped due to small change in likelihood function",
    ]
    position = 0
    for line in expected:
        position = lines.index(line, position) + 1


def test_full_output_without_a_repair_of_tau_shows_one_tau(printed: Printed) -> None:
    tables = full(printed(MODEL4))
    assert tables.start is not None
    text = "\n".join(hlm_part(replace(tables, start=tables.start._replace(tau_raw=None, fixed=()))))
    assert "New Tau(0)" not in text
    assert "Tau(0)" in text
    assert "Based on starting values" not in text


def test_reduced_output_has_none_of_them(printed: Printed) -> None:
    text = "\n".join(hlm_part(replace(full(printed(MODEL4)), full_output=False, average_ols=())))
    assert "STARTING VALUES" not in text
    assert "Least Squares" not in text


def test_full_output_without_least_squares_or_start_is_silent(printed: Printed) -> None:
    text = "\n".join(hlm_part(replace(printed(MODEL4), full_output=True)))
    assert "STARTING VALUES" not in text
    assert "Least Squares" not in text
    assert "OLS" not in text


def renamed(tables: Tables, names: dict[str, str]) -> Tables:
    def new(name: str) -> str:
        variable, slope, _ = name.partition(" slope")
        return names.get(variable, variable) + slope

    header = replace(
        tables.header,
        coefficients=tuple(
            c._replace(variable=new(c.variable), terms=tuple(t._replace(name=new(t.name)) for t in c.terms))
            for c in tables.header.coefficients
        ),
    )
    rows = tuple(r._replace(level1=new(r.level1), level2=new(r.level2)) for r in tables.fixed)
    components = tuple(r._replace(name=new(r.name)) for r in tables.variance_components)
    return replace(tables, header=header, fixed=rows, fixed_robust=rows, variance_components=components)


def test_long_names_widen_the_columns_and_keep_them_aligned(printed: Printed) -> None:
    name = "socioeconomic_status"
    lines = hlm_part(renamed(printed(MODEL4), {"SES": name}))
    table = lines[lines.index(" Final estimation of fixed effects:") :]
    rows = [line for line in table[:13] if ", G" in line]
    assert len({len(row) for row in rows}) == 1
    assert len(table[1]) == len(rows[0]) + 1  # HLM's rule ends one column after the p-values
    heading = next(line for line in table if "P-value" in line)
    assert len(heading) == len(rows[0])
    taus = [line for line in lines if ",B0 " in line or ",B1 " in line]
    assert {line.index(",") for line in taus} == {len(name) + 1}


def test_huge_numbers_never_run_into_their_neighbours(printed: Printed) -> None:
    tables = printed(MODEL4)
    rows = tuple(r._replace(estimate=-1.5e12, se=2.5e11, t=-123456.789) for r in tables.fixed)
    lines = hlm_part(replace(tables, fixed=rows))
    start = lines.index(" Final estimation of fixed effects:")
    table = lines[start + 1 : lines.index("", start)]
    rows = [line for line in table if ", G0" in line or ", G1" in line]
    assert all(
        row.split()[-5:-2] == ["-1500000000000.000000", "250000000000.000000", "-123456.789"] for row in rows
    )
    assert len({len(row) for row in rows}) == 1
    assert {table[0], table[3], table[-1]} == {" " + "-" * len(rows[0])}
    for head, cell in (("Coefficient", "-1500000000000.000000"), ("T-ratio", "-123456.789"), ("P-value", "")):
        assert table[2].index(head) + len(head) == rows[0].index(cell) + len(cell) if cell else len(rows[0])


def test_grand_mean_centring_and_fixed_slopes_are_marked_and_explained() -> None:
    terms = (Level2Term("INTRCPT2", "G00"), Level2Term("size", "G01", "grand"))
    header = Header(
        outcome="y",
        coefficients=(
            Level1Term("B0", "INTRCPT1", slope=False, random=True, terms=terms),
            Level1Term(
                "B1", "x", slope=True, random=False, terms=(Level2Term("INTRCPT2", "G10"),), centering="grand"
            ),
        ),
        n_rows=90,
        n_rows_in_data=100,
        n_units=10,
        method="ML",
        max_iterations=50,
        weights=(Weight("Level 1", "wt", True), Weight("Level 2"), Weight("Precision")),
    )
    tables = Tables(
        header=header,
        stop_line="stopped",
        iteration=3,
        sigma2=1.0,
        tau=((2.0,),),
        tau_corr=((1.0,),),
        reliability=(0.5,),
        loglik=-100.0,
        fixed=(),
        fixed_robust=(),
        variance_components=(),
        deviance=200.0,
        n_parameters=4,
    )
    lines = hlm_part(tables)
    assert "#%        x slope, B1      INTRCPT2, G10   " in lines
    assert "                         $     size, G01   " in lines
    for mark in "#%$":
        assert any(line.startswith(f"'{mark}' - ") for line in lines)
    assert "  The maximum number of level-1 units = 100" in lines
    assert "Run-time deletion has reduced the number of level-1 records to 90" in lines
    assert " Level 1       yes       wt          yes" in lines
    assert "  Method of estimation: full maximum likelihood" in lines
    assert " The model has no fixed effects." in lines
    assert " Final estimation of variance components:" not in lines


def test_without_random_effects_there_is_no_tau(printed: Printed) -> None:
    tables = printed("model1_unconditional")
    header = replace(
        tables.header, coefficients=tuple(c._replace(random=False) for c in tables.header.coefficients)
    )
    lines = hlm_part(replace(tables, header=header, tau=(), tau_corr=(), reliability=()))
    assert " Tau" not in lines
    assert "         No random level-2 effects" in lines
    assert "\tB0 = G00" in lines


def test_long_equations_wrap_before_a_plus(printed: Printed) -> None:
    tables = printed(MODEL4)
    first = tables.header.coefficients[0]
    terms = (first.terms[0], *(Level2Term(f"PREDICT{k}", f"G0{k}") for k in range(1, 8)))
    header = replace(
        tables.header, coefficients=(first._replace(terms=terms), *tables.header.coefficients[1:])
    )
    lines = hlm_part(replace(tables, header=header))
    at = next(i for i, line in enumerate(lines) if line.startswith("\tB0 = "))
    assert len(lines[at]) <= 70
    assert lines[at + 1].startswith("\t    + G0")
    joined = "".join(lines[at : lines.index("\tB1 = G10 + G11*(SECTOR) + G12*(MEANSES) + U1")])
    assert all(f"G0{k}*(PREDICT{k})" in joined for k in range(1, 8))
    assert joined.endswith(" + U0")


def test_contrasts_are_aligned_where_codes_are_long(printed: Printed) -> None:
    """Of eleven predictors in an equation the last is G0_10."""
    tables = printed(MODEL4)
    fixed = (tables.fixed[0]._replace(gamma="G0_10"), *tables.fixed[1:])
    lines = hlm_part(replace(tables, fixed=fixed))
    begin = next(i for i, line in enumerate(lines) if "General Linear Hypothesis" in line)
    rows = [line for line in lines[begin : begin + 14] if ", G" in line]
    assert len(rows) == 6
    assert len({line.index(".") for line in rows}) == 1


def test_several_hypotheses_are_numbered(printed: Printed) -> None:
    tables = printed(MODEL4)
    lines = hlm_part(replace(tables, hypotheses=tables.hypotheses * 2))
    heads = [line.strip() for line in lines if "General Linear Hypothesis" in line]
    assert heads == [f"Results of General Linear Hypothesis Testing - Test {k}" for k in (1, 2)]


def test_tests_of_ml_and_reml_models_have_hlms_titles(printed: Printed) -> None:
    test = ChiSquare(1.0771, 2, 0.58, ">.500")
    reml = hlm_part(replace(printed(MODEL4), comparison=test))
    ml = hlm_part(replace(printed("constrained"), comparison=test))
    assert " Variance-Covariance components test" in reml
    assert " Model comparison test" in ml


def optimum(gain: float, shift: float = 0.0) -> Optimum:
    here = 46501.875643
    rows = (
        OptimumRow("Deviance", here, here - gain),
        OptimumRow("Sigma_squared", 36.70313, 36.72115),
        OptimumRow("Tau SES,B1", 0.14892, 0.10131),
    )
    return Optimum(rows, here, here - gain, here - gain + shift)


def notes_of(text: str) -> str:
    return text.split("Notes by hlmbayes")[1]


def test_notes_compare_with_the_optimum(printed: Printed) -> None:
    notes = notes_of(listing(replace(printed(MODEL4), optimum=optimum(0.049403, 1.837877))))
    flat = " ".join(notes.split())
    assert "before the REML optimum: at the optimum the deviance is 0.049403 lower" in flat
    assert "46503.664117" in flat
    assert "1.837877" in flat
    assert "Tau SES,B1 0.14892 0.10131 0.04761" in flat
    assert all(len(line) <= 78 for line in notes.splitlines())


def test_notes_say_when_hlm_reached_the_optimum(printed: Printed) -> None:
    near = optimum(1e-7)
    flat = " ".join(notes_of(listing(replace(printed(MODEL4), optimum=near))).split())
    assert "reached the REML optimum" not in flat
    assert "but the iterations stopped a little before it: Sigma_squared, Tau SES,B1 still differ in" in flat
    assert "1.837877" not in flat
    there = near._replace(rows=tuple(row._replace(here=row.optimum) for row in near.rows))
    flat = " ".join(notes_of(listing(replace(printed(MODEL4), optimum=there))).split())
    assert "reached the REML optimum: no other tau and sigma squared fit better" in flat


def test_warnings_come_first(printed: Printed) -> None:
    groups = (
        NoteGroup("Data", ("7185 rows.",)),
        NoteGroup("Not converged", ("Stopped at 100.",), warning=True),
    )
    notes = notes_of(listing(replace(printed(MODEL4), notes=groups)))
    assert notes.index("WARNING: Not converged") < notes.index(" Data")
    assert "   Stopped at 100." in notes.splitlines()
