"""The listing as one HTML page without outside parts: real tables, readable aloud, on paper, light and dark.

Colours are the reader's own (CanvasText on Canvas, so light or dark follows the system or the notebook);
lines and tints are mixed from the text colour.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from html import escape

from ..notebook import true_minus
from ..words import p_text
from .html_parts import aside, document, labels_list, pairs_list, section, table
from .layout import count, number
from .notes import note_groups
from .specification import METHODS
from .style import CSS
from .symbols import equations_html, mixed_html, symbol_html
from .tables import (
    ChiSquare,
    FixedRow,
    Header,
    Heterogeneity,
    Hypothesis,
    LeastSquares,
    Matrix,
    Optimum,
    StartingValues,
    Tables,
    grouped,
)
from .text import hlm_part

CENTERING = {"none": "", "group": "centered around the group mean", "grand": "centered around the grand mean"}


def page(tables: Tables) -> str:
    """Return a complete HTML page."""
    return document(title_of(tables), fragment(tables, tag="main"))


def fragment(tables: Tables, tag: str = "div") -> str:
    """Return the results without the page around them, for a notebook's cell."""
    groups = note_groups(tables)
    quiet = [group for group in groups if not group.warning]
    parts = [
        f'<{tag} class="hlmbayes">',
        f"<style>{CSS}</style>",
        f"<h1>{escape(title_of(tables))}</h1>",
        *(aside(group) for group in groups if group.warning),
        *(_sections(tables) if tables.header.hlm == "6" else _sections7(tables)),
        section("Notes by hlmbayes", [*map(aside, quiet), optimum_table(tables.optimum)]),
        *_as_text(tables),
        f"</{tag}>",
    ]
    return "\n".join(part for part in parts if part)


def appendix(tables: Tables, shown: Collection[str] = ()) -> list[str]:
    """Return what stands at the end of a report: HLM's tables, the tests, the notes, the listing as text.

    ``shown``: the headings of notes that stand elsewhere.
    """
    before = [section("Before the iterations", _full_output(tables))] if tables.full_output else []
    tests, groups = tests_html(tables), note_groups(tables)
    quiet = [group for group in groups if not group.warning and group.heading not in shown]
    return [
        *([section("Tests", tests)] if tests else []),
        section("HLM’s tables", [_stopped(tables), *_results(tables, iterations=True)]),
        *before,
        section("Notes", map(aside, quiet)),
        *_as_text(tables),
    ]


def _as_text(tables: Tables) -> list[str]:
    text = escape(chr(10).join(hlm_part(tables)))
    return ["<details><summary>The same as text, in HLM’s layout</summary>", f"<pre>{text}</pre></details>"]


def _sections(tables: Tables) -> list[str]:
    statistics = pairs_list([*_deviance(tables), ("Log-likelihood", num(tables.loglik, 4))])
    header, pairs = tables.header, pairs_list(facts(tables.header))
    return [
        section("Specification", [pairs, equations_html(header), labels_list(header.labels)]),
        *([section("Before the iterations", _full_output(tables))] if tables.full_output else []),
        section("Results", [_stopped(tables), *_results(tables, iterations=True)]),
        section("Statistics", [statistics, *tests_html(tables)]),
    ]


def _sections7(tables: Tables) -> list[str]:
    """Return the sections of HLM 7's page in its order."""
    header, at = tables.header, f"Log-likelihood at iteration {tables.iteration}"
    loglik = pairs_list([(at, num(tables.loglik, 4))])
    return [
        section("Specifications for this HLM2 run", [pairs_list(facts(tables.header))]),
        section(
            "Summary of the model specified",
            [equations_html(header), mixed_html(header), labels_list(header.labels)],
        ),
        *([section("Before the iterations", _full_output(tables))] if tables.full_output else []),
        section(
            f"Final Results - Iteration {tables.iteration}", [_stopped(tables), *_results(tables, loglik)]
        ),
        section(
            "Statistics for current covariance components model",
            [pairs_list(_deviance(tables)), *tests_html(tables)],
        ),
    ]


def title_of(tables: Tables) -> str:
    """Return the heading of a page."""
    title = tables.header.title
    name = f"Two-level model of {tables.header.outcome}"
    return name if title in ("", "no title") else f"{title}: {name[0].lower()}{name[1:]}"


def num(value: float | None, decimals: int) -> str:
    """Return a number as in the listing, without the column's blanks."""
    text = number(value, 20, decimals).strip()
    return true_minus(text if text.strip("-0.") else text.removeprefix("-"))


def _p(text: str | None) -> str:
    return "" if text is None else escape(text)


# ----------------------------------------------------------------------------- specification


def facts(header: Header) -> Iterable[tuple[str, str]]:
    """Return what was analysed and how, by name."""
    dropped = f" of {header.n_rows_in_data}" if header.n_rows_in_data not in (None, header.n_rows) else ""
    weights = "; ".join(f"{w.level}: {escape(w.variable)}" for w in header.weights if w.variable)
    level1 = [(c.variable, c.centering) for c in header.coefficients]
    level2 = dict.fromkeys((t.name, t.centering) for c in header.coefficients for t in c.terms)
    centred = [f"{escape(name)} {CENTERING[how]}" for name, how in (*level1, *level2) if how != "none"]
    pairs = {
        "Outcome": escape(header.outcome),
        "Level-1 records": f"{header.n_rows}{dropped}",
        "Level-2 units": str(header.n_units),
        "Method": METHODS[header.method],
        "Iterations allowed": str(header.max_iterations),
        "Data": escape(header.data_source),
        "Command file": escape(header.command_file),
        "Centering": "; ".join(centred),
        "Weights": weights,
    }
    return pairs.items()


# ----------------------------------------------------------------------------- results


def _stopped(tables: Tables) -> str:
    return f"<p>{escape(tables.stop_line)}.</p>".replace("..</p>", ".</p>")


def _results(tables: Tables, loglik: str = "", *, iterations: bool = False) -> list[str]:
    """Return the tables of estimates, ``loglik`` before those of fixed effects."""
    header = tables.header
    heterogeneity = tables.heterogeneity
    sigma2 = "" if heterogeneity else num(tables.sigma2, 5)
    if sigma2 and tables.se_sigma2 is not None and header.method == "ML":
        sigma2 += f" (standard error {num(tables.se_sigma2, 5)})"
    counted = [("Iterations", str(tables.iteration))] if iterations else []
    parts = [
        pairs_list([*counted, ("σ²", sigma2)]),
        *(_heterogeneity(heterogeneity) if heterogeneity else []),
        *tau_parts(tables),
        loglik,
    ]
    fixed = _both("Final estimation of fixed effects", tables.fixed, tables.fixed_robust)
    if not tables.fixed:
        fixed = ["<p>The model has no fixed effects.</p>"]
    return [*parts, *fixed, variance_components(tables)]


def tau_parts(tables: Tables) -> list[str]:
    """Return tau, its standard errors under ML, its correlations, and the reliabilities."""
    if not tables.header.random:
        return []
    parts = [_matrix(tables, "Tau: variances and covariances of the random effects", tables.tau)]
    if tables.se_tau is not None and tables.header.method == "ML" and tables.heterogeneity is None:
        parts.append(_matrix(tables, "Standard errors of tau", tables.se_tau))
    if len(tables.tau_corr) > 1:
        parts.append(_matrix(tables, "Tau as correlations", tables.tau_corr, 3))
    names = [_symbol(c.variable, c.symbol) for c in tables.header.random]
    rows = [[name, num(value, 3)] for name, value in zip(names, tables.reliability, strict=True)]
    head = ["Random level-1 coefficient", "Reliability estimate"]
    note = _fewer_units(tables, "Reliability estimates") if tables.units_left_out else ""
    return [*parts, table("Reliability of the units’ own estimates", head, rows, note=note)]


def _matrix(tables: Tables, caption: str, values: Matrix, decimals: int = 5) -> str:
    names = [_symbol(c.variable, c.symbol) for c in tables.header.random]
    rows = [[name, *(num(v, decimals) for v in row)] for name, row in zip(names, values, strict=True)]
    return table(caption, ["", *names], rows)


def _fewer_units(tables: Tables, what: str) -> str:
    return (
        f"{what} are based on only {tables.n_units_full_rank} of {tables.header.n_units} units that had "
        "sufficient data for computation. Fixed effects and variance components are based on all the data."
    )


def _symbol(name: str, symbol: str) -> str:
    return f"{escape(name)}, {symbol_html(symbol)}"


def gammas(rows: Sequence[FixedRow], cells: Callable[[FixedRow], list[str]]) -> list[list[str]]:
    """Return a row a gamma, its name before its cells; a heading where a level-1 coefficient begins."""
    body = []
    for r, begins in grouped(rows):
        body += [[f"For {_symbol(r.level1, r.coef)}"]] if begins else []
        body.append([_symbol(r.level2, r.gamma) + (" *" if r.constrained else ""), *cells(r)])
    return body


def _both(caption: str, fixed: Sequence[FixedRow], robust: Sequence[FixedRow]) -> list[str]:
    """Return the tables with both kinds of standard errors."""
    return [fixed_table(caption, fixed), fixed_table(f"{caption} (with robust standard errors)", robust)]


def fixed_table(caption: str, rows: Sequence[FixedRow]) -> str:
    """Return a table of fixed effects."""
    head = ["Fixed effect", "Coefficient", "Standard error", "t-ratio", "d.f.", "p-value"]
    body = gammas(rows, lambda r: [num(r.estimate, 6), num(r.se, 6), num(r.t, 3), count(r.df), _p(r.p_text)])
    note = "* These gammas have been constrained to be equal." if any(r.constrained for r in rows) else ""
    return table(caption, head, body, note=note)


def variance_components(tables: Tables) -> str:
    """Return the table of variance components; nothing without random effects."""
    head = ["Random effect", "Standard deviation", "Variance component", "d.f.", "Chi-square", "p-value"]
    rows = [
        [_symbol(r.name, r.effect), num(r.sd, 5), num(r.variance, 5)]
        + (["", "", ""] if r.df is None else [count(r.df), num(r.chi2, 5), _p(r.p_text)])
        for r in tables.variance_components
    ]
    note = _fewer_units(tables, "Chi-square statistics") if tables.tested_on_fewer_units else ""
    return table("Final estimation of variance components", head, rows, note=note) if rows else ""


def _heterogeneity(results: Heterogeneity) -> list[str]:
    alphas = [
        [f"{escape(a.variable)}, {a.alpha}", num(a.estimate, 5), num(a.se, 6), num(a.z, 3), _p(a.p_text)]
        for a in results.alphas
    ]
    r = results
    models = [
        ["Homogeneous σ²", str(r.homogeneous_parameters), num(r.homogeneous_deviance, 5)],
        ["Heterogeneous σ²", str(r.heterogeneous_parameters), num(r.heterogeneous_deviance, 5)],
    ]
    terms = "".join(f" + {a.alpha}·{escape(a.variable)}" for a in results.alphas[1:])
    head = ["Parameter", "Coefficient", "Standard error", "z-ratio", "p-value"]
    return [
        f"<p>Level-1 variance: log(σ²) = alpha0{terms} (macro iteration {results.macro_iteration}).</p>",
        table("Model for the level-1 variance", head, alphas),
        table("Summary of model fit", ["Model", "Parameters", "Deviance"], models),
        _test("Homogeneous against heterogeneous σ²", results.comparison),
    ]


# ----------------------------------------------------------------------------- statistics and tests


def _deviance(tables: Tables) -> list[tuple[str, str]]:
    return [
        ("Deviance", num(tables.deviance, 6)), ("Number of estimated parameters", str(tables.n_parameters))
    ]  # fmt: skip


def tests_html(tables: Tables) -> list[str]:
    """Return the tests that were asked for."""
    parts = []
    if tables.comparison is not None:
        reml = tables.header.method == "REML"
        caption = "Variance-covariance components test" if reml else "Model comparison test"
        parts.append(_test(caption, tables.comparison))
    parts += [_hypothesis(tables, h, k) for k, h in enumerate(tables.hypotheses, 1)]
    if tables.homogeneity is not None:
        parts.append(_test("Test of homogeneity of level-1 variance", tables.homogeneity))
    if tables.exploration:
        parts.append(_exploration(tables))
    return parts


def _exploration(tables: Tables) -> str:
    head = ["Coefficient", "Candidate", "EB regression", "s.e.", "t-to-enter"]
    head += ["Score test: effect", "s.e.", "&chi;&sup2;", "p"]
    rows = [
        (
            escape(c.coefficient), escape(c.variable), num(c.estimate, 6), num(c.se, 6), num(c.t, 3),
            num(c.effect, 6), num(c.effect_se, 6), num(c.chi2, 3), _p(p_text(c.p_value).removeprefix("p = ")),
        )
        for c in tables.exploration
    ]  # fmt: skip
    return table("Exploratory analysis of level-2 predictors", head, rows, names=2)


def _test(caption: str, test: ChiSquare) -> str:
    rows = [[escape(caption), num(test.chi2, 5), count(test.df), _p(test.p_text)]]
    return table(caption, ["Test", "Chi-square", "d.f.", "p-value"], rows)


def _hypothesis(tables: Tables, hypothesis: Hypothesis, position: int) -> str:
    contrasts = dict(hypothesis.contrasts)
    width = max((len(c) for c in contrasts.values()), default=0)
    head = ["Fixed effect", "Coefficient", *(f"Contrast {k}" for k in range(1, width + 1))]
    none = (0.0,) * width
    rows = gammas(
        tables.fixed, lambda r: [num(r.estimate, 6), *(num(v, 3) for v in contrasts.get(r.gamma, none))]
    )
    test = hypothesis.test
    note = (
        f"Chi-square {num(test.chi2, 6)}, {count(test.df)} d.f., p-value {_p(test.p_text)} "
        f"({escape(hypothesis.covariance)})."
    )
    which = f" {position}" if len(tables.hypotheses) > 1 else ""
    return table(f"General linear hypothesis{which}", head, rows, note=note)


# ----------------------------------------------------------------------------- full output and notes


def _full_output(tables: Tables) -> list[str]:
    random = tables.header.random
    parts = []
    if tables.unit_regressions:
        rows = [[escape(u.unit), *(num(v, 5) for v in u.coefficients)] for u in tables.unit_regressions]
        parts.append(table("Level-1 OLS regressions", ["Unit", *(escape(c.label) for c in random)], rows))
    pairs = zip(random, tables.average_ols, strict=False)
    parts.append(pairs_list((f"Average OLS coefficient, {escape(c.variable)}", num(v, 5)) for c, v in pairs))
    parts += _least_squares(tables.least_squares) if tables.least_squares else []
    parts += _start(tables, tables.start) if tables.start else []
    if tables.log:
        rows = [[str(i.number), num(i.loglik, 4), num(i.sigma2, 5)] for i in tables.log]
        parts.append(table("Iterations", ["Iteration", "Log-likelihood", "σ²"], rows))
    return parts


def _least_squares(ols: LeastSquares) -> list[str]:
    deviance = ("Least-squares deviance", num(-2 * ols.loglik, 5))
    tables = _both("Least-squares estimates of fixed effects", ols.fixed, ols.fixed_robust)
    return [pairs_list([("Least-squares σ²", num(ols.sigma2, 5)), deviance]), *tables]


def _start(tables: Tables, start: StartingValues) -> list[str]:
    parts = [pairs_list([("Starting value of σ²", num(start.sigma2, 5))])]
    if start.tau_raw is not None:
        parts.append(_matrix(tables, "Tau(0) before repair", start.tau_raw))
    if start.tau:
        parts.append(_matrix(tables, "Tau(0)", start.tau))
    if start.fixed:
        parts.append(
            fixed_table("Fixed effects at the starting values of the covariance components", start.fixed)
        )
    return parts


def optimum_table(optimum: Optimum | None) -> str:
    """Return HLM's numbers beside those of the optimum."""
    if optimum is None:
        return ""
    rows = [
        [escape(r.label), *(true_minus(r.printed(v)) for v in (r.here, r.optimum, r.here - r.optimum))]
        for r in optimum.rows
    ]
    return table("HLM’s answer and the optimum", ["", "HLM path", "Optimum", "Difference"], rows)
