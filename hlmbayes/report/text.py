"""The HLM 6.08 listing as text: a pure function of `Tables`.

The layout (columns, headings, even blanks at line ends) is that of HLM 6.08's listings of the High School and
Beyond models; the blocks that only a run with ``fulloutput:y`` shows (unit regressions, least squares,
starting values, iterations) follow published HLM 5 and HLM 6 listings. Column widths are stated once, in the
function that prints the table. A column in which a number would not fit is wider than HLM's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .layout import (
    LONG_RULE,
    RULE,
    SHORT_RULE,
    Column,
    count,
    figure,
    likelihood,
    matrix,
    name_width,
    number,
    ruled,
    set_out,
    symbols,
    words_of,
)
from .notes import notes_section
from .specification import specification_of
from .tables import ChiSquare, FixedRow, Header, Heterogeneity, Hypothesis, Tables, grouped

CONSTRAINED = ' The "*" gammas have been constrained.  See the table on the header page.'


def listing(tables: Tables) -> str:
    """Return the whole listing, HLM's part first, then the section "Notes by hlmbayes"."""
    return "\n".join([*hlm_part(tables), "", *notes_section(tables), ""])


def hlm_part(tables: Tables) -> list[str]:
    """Return the lines that HLM itself would print."""
    lines = [*specification_of(tables.header), ""]
    if tables.full_output:
        lines += _unit_regressions(tables) + _least_squares(tables)
        lines += _starting_values(tables) + _log(tables)
    lines += _results(tables)
    if tables.fixed:
        heading = " Final estimation of fixed effects"
        lines += _fixed_tables(tables, heading, ":", tables.fixed, tables.fixed_robust)
    else:
        lines += [" The model has no fixed effects.", ""]
    lines += variance_components(tables)
    lines += [
        " Statistics for current covariance components model",
        " --------------------------------------------------",
        f" Deviance                       = {tables.deviance:.6f}",
        f" Number of estimated parameters = {tables.n_parameters}",
    ]
    return lines + tests(tables)


# ----------------------------------------------------------------------------- full output


def _unit_regressions(tables: Tables) -> list[str]:
    header = tables.header
    width = name_width(header)
    lines = []
    if tables.unit_regressions:
        names = [(f"{c.variable:>{width}}", c.slope) for c in header.random]
        heads = "".join(f"{name} slope  " if slope else f"    {name}    " for name, slope in names)
        lines = [f" Level-2 Unit {heads}", LONG_RULE + "-"]
        values = [figure(v, 5) for row in tables.unit_regressions for v in row.coefficients]
        wide = max([width + 4, *(len(value) + 1 for value in values)])
        for row in tables.unit_regressions:
            cells = "".join(f"{number(value, wide, 5)}    " for value in row.coefficients)
            lines.append(f"{row.unit:>12} {cells}")
        lines = ["Level-1 OLS regressions", " " + "-" * 23, "", *lines, LONG_RULE + "-", ""]
    for coefficient, value in zip(header.random, tables.average_ols, strict=False):
        lines.append(
            f"The average OLS level-1 coefficient for {coefficient.variable:>{width}} ={number(value, 13, 5)}"
        )
    return [*lines, ""] if lines else []


def _least_squares(tables: Tables) -> list[str]:
    ols = tables.least_squares
    if ols is None:
        return []
    return [
        *("Least Squares Estimates", "-" * 23, "", f"sigma_squared ={number(ols.sigma2, 13, 5)}", ""),
        *_outcome(tables),
        *_fixed_tables(tables, " Least-squares estimates of fixed effects", "", ols.fixed, ols.fixed_robust),
        f"The least-squares likelihood value = {ols.loglik:.6f}",
        f"Deviance = {-2 * ols.loglik:.5f}",
        f"Number of estimated parameters = {ols.n_parameters}",
        "",
    ]


def _starting_values(tables: Tables) -> list[str]:
    start = tables.start
    if start is None:
        return []
    lines = ["STARTING VALUES", "---------------", "", f"sigma(0)_squared ={number(start.sigma2, 13, 5)}", ""]
    repaired = start.tau_raw is not None
    if start.tau_raw is not None:
        lines += ["Tau(0)", *matrix(tables.header, start.tau_raw), ""]
    if start.tau:
        lines += ["New Tau(0)" if repaired else "Tau(0)", *matrix(tables.header, start.tau)]
    lines.append("")
    if start.fixed:
        heading = [" Estimation of fixed effects", " (Based on starting values of covariance components)"]
        lines += [*_outcome(tables), *fixed_table(tables.header, heading, start.fixed), ""]
    return lines


def likelihood_at(header: Header, iteration: int, loglik: float) -> str:
    """Return the line of the log-likelihood."""
    what = words_of(header).likelihood
    return f"The value of the {what} at iteration {iteration} = {likelihood(loglik)}"


def _log(tables: Tables) -> list[str]:
    lines = [likelihood_at(tables.header, i.number, i.loglik) for i in tables.log]
    return [*lines, ""] if lines else []


# ----------------------------------------------------------------------------- results


def _results(tables: Tables) -> list[str]:
    header, words = tables.header, words_of(tables.header)
    lines = []
    if header.n_rows_in_data is not None and header.n_rows_in_data != header.n_rows:
        lines += [f"Run-time deletion has reduced the number of level-1 records to {header.n_rows}", ""]
    stopped = [tables.stop_line, f"******* ITERATION {tables.iteration} *******", ""]
    final = [f"Final Results - Iteration {tables.iteration}", "", tables.stop_line, ""]
    lines += stopped if header.hlm == "6" else final
    if tables.heterogeneity is not None:
        lines += _heterogeneity(header, tables.heterogeneity)
    else:
        lines += [f" {words.sigma2} ={number(tables.sigma2, 13, 5)}", ""]
        if tables.se_sigma2 is not None and header.method == "ML":
            lines += [f" {words.se_sigma2} ={number(tables.se_sigma2, 13, 5)}", "", ""]
    if header.random:
        lines += [*tau(tables), *reliabilities(tables)]
    return [
        *lines,
        likelihood_at(header, tables.iteration, tables.loglik),
        f"The outcome variable is  {header.outcome}",
        "",
    ]


def tau(tables: Tables) -> list[str]:
    """Return tau, its standard errors under ML, and tau as correlations."""
    header, words = tables.header, words_of(tables.header)
    lines = [f" {words.tau}", *matrix(header, tables.tau), "", ""]
    if tables.se_tau is not None and tables.heterogeneity is None and header.method == "ML":
        lines += [f" {words.se_tau}", *matrix(header, tables.se_tau), "", ""]
    correlations = matrix(header, tables.tau_corr, width=7, decimals=3, end="")
    return [*lines, f"{words.tau} (as correlations)", *correlations, ""]


def reliabilities(tables: Tables) -> list[str]:
    """Return the table of reliabilities."""
    width = name_width(tables.header) + 2
    pad = width - 10
    own = symbols(c.symbol for c in tables.header.random)
    rows = [
        f"{c.variable:>{width}}, {symbol}{number(value, 29, 3)}"
        for c, symbol, value in zip(tables.header.random, own, tables.reliability, strict=True)
    ]
    head = f"  Random level-1 coefficient{'':{pad}}   Reliability estimate"
    fewer = _fewer_units(tables, "reliability estimates") if tables.units_left_out else []
    return [*ruled(SHORT_RULE + "-" * pad, [head], rows), "", *fewer]


def _fewer_units(tables: Tables, what: str) -> list[str]:
    return [
        f"Note: The {what} reported above are based on only "
        f"{tables.n_units_full_rank} of {tables.header.n_units}",
        "units that had sufficient data for computation.  Fixed effects and variance",
        "components are based on all the data.",
        "",
    ]


def _heterogeneity(header: Header, results: Heterogeneity) -> list[str]:
    width = name_width(header) + 1
    terms = "".join(f" + {a.alpha}({a.variable})" for a in results.alphas[1:])
    heads, rows, extra = set_out(
        ["".ljust(width + 11), "    Parameter".ljust(width + 11)]
        + [f"{a.variable:>{width}}    ,{a.alpha:<6}" for a in results.alphas],
        Column(("", "Coefficient"), 12, [figure(a.estimate, 5) for a in results.alphas]),
        Column(("Standard", "Error   "), 14, [figure(a.se, 6) for a in results.alphas]),
        Column(("", "Z-ratio"), 11, [figure(a.z, 3) for a in results.alphas]),
        Column(("", "P-value"), 10, [a.p_text for a in results.alphas]),
    )
    model_heads = [" Model                                Number of         Deviance", f"{'':38}Parameters"]
    models = [
        (" 1. Homogeneous sigma_squared", results.homogeneous_parameters, results.homogeneous_deviance),
        (" 2. Heterogeneous sigma_squared", results.heterogeneous_parameters, results.heterogeneous_deviance),
    ]
    model_rows = [f"{label:<31}{n:>13}{number(deviance, 21, 5)}" for label, n, deviance in models]
    test, wide = results.comparison, " " + "-" * 67
    return [
        "RESULTS FOR HETEROGENEOUS SIGMA-SQUARED",
        f"(macro iteration {results.macro_iteration})",
        "",
        " Var(R) = Sigma_squared and",
        f" log(Sigma_squared) = {results.alphas[0].alpha}{terms}",
        *("", "", " Model for level-1 variance"),
        *ruled(" " + "-" * (68 + width - 9 + extra), heads, rows),
        *("", "Summary of Model Fit", ""),
        *ruled(wide, model_heads, model_rows),
        " Model Comparison                 Chi-square       df    P-value",
        wide,
        f" Model 1 vs Model 2{number(test.chi2, 26, 5)}{count(test.df, 8)}{test.p_text:>10}",
        "",
    ]


# ----------------------------------------------------------------------------- tables of effects


def _outcome(tables: Tables) -> list[str]:
    return [f" The outcome variable is  {tables.header.outcome}", ""]


def _fixed_tables(
    tables: Tables, heading: str, mark: str, fixed: Sequence[FixedRow], robust: Sequence[FixedRow]
) -> list[str]:
    """Return the tables with both kinds of standard errors, the outcome named between them."""
    return [
        *fixed_table(tables.header, [heading + mark], fixed),
        "",
        *_outcome(tables),
        *fixed_table(tables.header, [heading, " (with robust standard errors)"], robust),
        "",
    ]


def fixed_table(header: Header, heading: Iterable[str], rows: Sequence[FixedRow]) -> list[str]:
    """Return a table of fixed effects."""
    words = words_of(header)
    columns = (
        Column(("Standard", words.error), 11, [figure(r.se, 6) for r in rows]),
        Column(("", words.t_ratio), 10, [figure(r.t, 3) for r in rows]),
        Column(("Approx.", "d.f.   "), 10, [count(r.df) for r in rows]),
        Column(("", words.p_value), 9, [r.p_text for r in rows]),
    )
    closing = [CONSTRAINED] if any(row.constrained for row in rows) else []
    return [*heading, *effects_set_out(header, rows, *columns), *closing]


def effects_set_out(header: Header, rows: Sequence[FixedRow], *columns: Column) -> list[str]:
    """Set fixed effects and columns beside them out, a line before those of each level-1 coefficient."""
    pad = name_width(header) - 8
    names = [f"    {r.level2:>{8 + pad}}, {r.gamma}".ljust(20 + pad) for r in rows]
    width = max([20 + pad, *map(len, names)])
    names = [name.ljust(width) + " *"[r.constrained] for name, r in zip(names, rows, strict=True)]
    heads, cells, extra = set_out(
        ["".ljust(width + 1), "    Fixed Effect".ljust(width + 1), *names],
        Column(("", "Coefficient"), 15, [figure(r.estimate, 6) for r in rows]),
        *columns,
    )
    lines = []
    for (row, begins), line in zip(grouped(rows), cells, strict=True):
        lines += [*coefficient_line(header, row, begins), line]
    return ruled(RULE + "-" * (width - 20 + extra), heads, lines)


def coefficient_line(header: Header, row: FixedRow, begins: bool) -> list[str]:
    """Return ``For SES slope, B1``, the line before the first gamma of a level-1 coefficient."""
    return [f" For{row.level1:>{name_width(header) + 7}}, {row.coef}"] if begins else []


def variance_components(tables: Tables) -> list[str]:
    """Return the table of variance components; nothing without random effects."""
    if not tables.variance_components:
        return []
    pad, rows, words = name_width(tables.header) - 8, tables.variance_components, words_of(tables.header)
    tested = [row.df is not None for row in rows]
    effects = symbols((words.effect(row.effect) for row in rows), 2)
    names = [f"{_effect_name(row.name, 8 + pad)}{effect}" for row, effect in zip(rows, effects, strict=True)]
    width = max(19 + pad, len(names[0]))
    heads, lines, extra = set_out(
        [" Random Effect".ljust(width), "".ljust(width), *(name.ljust(width) for name in names)],
        Column(("Standard ", "Deviation"), 15, [figure(row.sd, 5) for row in rows]),
        Column(("Variance ", "Component"), 14, [figure(row.variance, 5) for row in rows]),
        Column((words.df, ""), 6, ["" if row.df is None else count(row.df) for row in rows]),
        Column(("Chi-square", ""), 14, [figure(r.chi2, 5) * t for r, t in zip(rows, tested, strict=True)]),
        Column((words.p_value, ""), 9, [row.p_text or "" for row in rows]),
    )
    fewer = _fewer_units(tables, "chi-square statistics") if tables.tested_on_fewer_units else []
    heading = " Final estimation of variance components:"
    return [heading, *ruled(LONG_RULE + "-" * (width - 19 + extra), heads, lines), "", *fewer]


def _effect_name(name: str, width: int) -> str:
    """Return `` INTRCPT1,       ``, ``      SES slope, `` or ``  level-1,       ``."""
    if name.endswith(" slope"):
        return f"{name.removesuffix(' slope'):>{width + 1}} slope, "
    return f"{name + ',':>{width + 2}}       "


def tests(tables: Tables) -> list[str]:
    """Return the tests that were asked for: comparison, hypotheses, homogeneity, exploration."""
    lines: list[str] = []
    if tables.comparison is not None:
        reml = tables.header.method == "REML"
        title = "Variance-Covariance components test" if reml else "Model comparison test"
        lines += ["", f" {title}", " " + "-" * 35, *_chi_square(tables.comparison)]
    for position, hypothesis in enumerate(tables.hypotheses, start=1):
        which = f" - Test {position}" if len(tables.hypotheses) > 1 else ""
        lines += ["", *_hypothesis(tables, hypothesis, which)]
    if tables.homogeneity is not None:
        title = " Test of homogeneity of level-1 variance"
        lines += ["", title, " " + "-" * 40, *_chi_square(tables.homogeneity)]
    return [*lines, *_exploration(tables)]


def _exploration(tables: Tables) -> list[str]:
    """HLM's table of candidates at level 2, by coefficient: the EB residuals regressed on each."""
    if not tables.exploration:
        return []
    rule = " " + "-" * 77
    lines = [
        "", " Exploratory Analysis: estimated level-2 coefficients and their standard errors",
        " obtained by regressing EB residuals on level-2 predictors selected for",
        " possible inclusion in subsequent runs", rule,
        " Level-1 Coefficient   Potential Level-2     Coefficient   Standard   t-to-enter",
        "                       Predictor                              Error", rule,
    ]  # fmt: skip
    for c in tables.exploration:
        numbers = f"{number(c.estimate, 12, 6)}{number(c.se, 13, 6)}{number(c.t, 11, 3)}"
        lines.append(f" {c.coefficient.upper():<21} {c.variable[:20]:<20} {numbers}")
    return [*lines, rule]


def _chi_square(test: ChiSquare) -> list[str]:
    return [
        f" Chi-square statistic         ={number(test.chi2, 13, 5)}",
        f" Number of degrees of freedom ={count(test.df, 5)}",
        f" P-value                      = {test.p_text}",
    ]


def _hypothesis(tables: Tables, hypothesis: Hypothesis, which: str) -> list[str]:
    width = name_width(tables.header)
    contrasts = dict(hypothesis.contrasts)
    lines = [f"{'':16}Results of General Linear Hypothesis Testing{which}", LONG_RULE]
    lines += [f"{'':35}Coefficients      Contrast", LONG_RULE]
    numbers = [figure(value, 3) for values in contrasts.values() for value in values]
    wide = max([8, *(len(text) + 1 for text in numbers)])
    wide_name = 10 + width + max([0, *(len(row.gamma) - 3 for row in tables.fixed)])
    for row, begins in grouped(tables.fixed):
        cells = "".join(number(value, wide, 3) for value in contrasts.get(row.gamma, ()))
        name = f"     {row.level2:>{width}}, {row.gamma}"
        lines += coefficient_line(tables.header, row, begins)
        lines.append(f"{name:<{wide_name}}{number(row.estimate, 27, 6)}   {cells}")
    test = hypothesis.test
    return [
        *lines,
        "",
        f"Chi-square statistic = {test.chi2:.6f}",
        f"Degrees of freedom   = {count(test.df)}",
        f"P-value              = {test.p_text}",
    ]
