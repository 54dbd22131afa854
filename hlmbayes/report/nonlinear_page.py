"""The listing of a model whose outcome is not normal as one HTML page: a pure function of `Nonlinear`."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from .html import facts, fixed_table, gammas, num, tau_parts, tests_html, title_of, variance_components
from .html_parts import aside, document, labels_list, main_element, pairs_list, section, table
from .nonlinear_tables import Effects, Nonlinear, RatioRow
from .nonlinear_text import LINKS, PQL, distribution, hlm_part, last_line, sampling
from .notes import note_groups
from .symbols import equations_html


def page(found: Nonlinear) -> str:
    """Return a complete HTML page."""
    title = title_of(found.tables)
    return document(title, main_element(title, _parts(found)))


def _parts(found: Nonlinear) -> list[str]:
    tables, header = found.tables, found.tables.header
    groups = note_groups(tables)
    quiet = [group for group in groups if not group.warning]
    sigma2 = [("σ²", num(tables.sigma2, 5))] if found.law.overdispersed else []
    law = found.law
    after = "d(1) = 0; d(m) is added on the right" if law.is_ordinal else last_line(found)
    equations = equations_html(found.written, LINKS[law.link], sampling(law), after)
    text = escape("\n".join(hlm_part(found)))
    average, name = found.population_average, "population-average model"
    return [
        *(aside(group) for group in groups if group.warning),
        section("Specification", [_facts(found), equations, labels_list(header.labels)]),
        section(
            "Unit-specific model",
            [
                f"<p>{escape(tables.stop_line)}.</p>",
                pairs_list([("Macro iterations", str(len(found.macro))), *sigma2]),
                *tau_parts(tables),
                *_effects(found, found.unit_specific, "unit-specific model"),
                variance_components(tables),
                *tests_html(tables),
            ],
        ),
        *([section(name.capitalize(), _effects(found, average, name))] if average is not None else []),
        *_laplace(found),
        section("Notes by hlmbayes", map(aside, quiet)),
        f"<details><summary>The same as text, in HLM’s layout</summary><pre>{text}</pre></details>",
    ]


def _laplace(found: Nonlinear) -> list[str]:
    """Return the results of Laplace's approximation, where they were asked for."""
    by = found.laplace
    if by is None:
        return []
    pairs = [("Deviance", num(by.deviance, 6)), ("Number of estimated parameters", str(by.n_parameters))]
    pairs += [
        (f"Tau, {escape(c.variable)}", num(by.tau[k][k], 5)) for k, c in enumerate(found.tables.header.random)
    ]
    parts = [pairs_list(pairs), fixed_table("Fixed effects (Laplace)", by.fixed)]
    return [section("Laplace’s approximation of the likelihood", parts)]


def _facts(found: Nonlinear) -> str:
    """Return what was analysed and how."""
    header = found.tables.header
    own = {
        "Distribution": distribution(found),
        "Method": PQL[header.method],
        "Iterations allowed": f"{found.most_macro} macro iterations",
    }
    pairs = {**dict(facts(header)), **{name: escape(value) for name, value in own.items()}}
    return pairs_list(pairs.items())


def _effects(found: Nonlinear, effects: Effects, which: str) -> list[str]:
    if not effects.fixed:
        return ["<p>The model has no fixed effects.</p>"]
    parts: list[str] = []
    for errors, rows, ratios in (
        ("", effects.fixed, effects.ratios),
        (" with robust standard errors", effects.fixed_robust, effects.ratios_robust),
    ):
        parts.append(fixed_table(f"Fixed effects ({which}{errors})", rows))
        if ratios:
            parts.append(_ratios(f"{found.ratio.capitalize()}s ({which}{errors})", found.ratio, ratios))
    return parts


def _ratios(caption: str, ratio: str, rows: Sequence[RatioRow]) -> str:
    cells = {
        r.row.gamma: [
            num(r.row.estimate, 6), num(r.ratio, 6),
            f"({num(r.low, 3)}, {num(r.high, 3)})",
        ]
        for r in rows
    }  # fmt: skip
    body = gammas([r.row for r in rows], lambda row: cells[row.gamma])
    return table(caption, ["Fixed effect", "Coefficient", ratio.capitalize(), "95 % interval"], body)
