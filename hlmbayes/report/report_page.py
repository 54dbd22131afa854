"""The report: one page to hand out, from a fit's tables, its findings and a few figures.

It begins with what must be known before it is used, and ends with HLM's own tables. `html` has the tables.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from html import escape

from ..equations.model import TwoLevelModel
from ..inference.intervals import EffectRow
from ..notebook import true_minus
from . import html, mathml
from .findings import ComponentRow, Findings, Share
from .html_parts import aside, document, labels_list, main_element, pairs_list, section, table
from .layout import count
from .notes import OPTIMUM_HEADING, SAME_DEVIANCE, note_groups, optimum_sentences
from .sentences import figures, listed, signed
from .tables import Tables

BARS = "variance_bars"
ALIKE = (
    "Each sentence compares two cases that are alike on everything else in the model, their units’ random "
    "effects included. They are differences that go together, not proof of causes."
)


def page(tables: Tables, found: Findings, images: Mapping[str, tuple[str, bytes]]) -> str:
    """Return the report as an HTML page that needs no other file.

    Parameters
    ----------
    tables : Tables
    found : Findings
    images : mapping of a figure's name to its title and its PNG
    """
    groups = note_groups(tables)
    differs = tables.optimum is not None and (
        abs(tables.optimum.deviance_here - tables.optimum.deviance_optimum) >= SAME_DEVIANCE
        or any(r.printed(r.here) != r.printed(r.optimum) for r in tables.optimum.rows)
    )
    bars = [image(images[BARS], large=True)] if BARS in images else []
    rest = [drawn for name, drawn in images.items() if name != BARS]
    parts = [
        *(aside(group) for group in groups if group.warning),
        section("The model", _model(tables, found.model)),
        section("Estimates", [_effects(found), _components(found), _level1(found), _deviance(tables)]),
        section("What the effects say", _told(found)) if found.told or found.spread else "",
        section("How much is explained", [*shares(found.shares, found.notes), *bars]),
        section("How units differ", [f"<p>{escape(s)}</p>" for s in found.plausible])
        if found.plausible
        else "",
        section("Do the assumptions hold?", _checks(found)) if found.checks else "",
        section("Figures", ['<div class="figures">', *map(image, rest), "</div>"]) if rest else "",
        section("HLM’s numbers and the optimum", _optimum(tables)) if differs else "",
        section("For a paper", _paper(found)),
        *html.appendix(tables, shown=(OPTIMUM_HEADING,) if differs else ()),
    ]
    title = html.title_of(tables)
    return document(title, main_element(title, [part for part in parts if part]))


def _model(tables: Tables, model: TwoLevelModel) -> list[str]:
    header = tables.header
    return [equations(model), labels_list(header.labels), pairs_list(html.facts(header))]


def equations(model: TwoLevelModel) -> str:
    """Return a model's equations, level by level and in one, typeset."""
    model = mathml.typeset(model)
    outcome = mathml.outcome(model)
    lines = [
        mathml.broken(outcome, mathml.level1_terms(model)),
        *mathml.distribution(model),
        *(mathml.broken(mathml.beta(c), mathml.level2_terms(c)) for c in model.coefficients),
        *mathml.extra(model),
    ]
    levels = "".join(f"<p>{line}</p>" for line in lines)
    combined = mathml.broken(outcome, mathml.mixed_terms(model))
    mixed = f'<h3>In one equation</h3><div class="equations" tabindex="0"><p>{combined}</p></div>'
    return f'<div class="equations" tabindex="0">{levels}</div>{mixed}'


def _effects(found: Findings) -> str:
    if not found.effects:
        return "<p>The model has no fixed effects.</p>"
    head = ["Fixed effect", "Estimate", "95 % interval", "Standard error", "p"]
    rows = [effect_row(row) for row in found.effects]
    df = {count(row.df) for row in found.effects}
    of_t = f"t tests with {df.pop()} degrees of freedom" if len(df) == 1 else "t tests"
    return table("Fixed effects", head, rows, note=escape(f"{of_t}; {found.basis}."))


def effect_row(row: EffectRow, letter: str = "γ") -> list[str]:
    """Return the cells of an effect: name, estimate, interval, standard error, p."""
    name = escape(row.name).replace(" x ", " × ")
    code = mathml.math(mathml.symbol(letter, row.code[1:]))
    limits = f"{decimal(row.low)} to {decimal(row.high)}" if row.low == row.low else ""
    return [f"{name} {code}", decimal(row.estimate), limits, decimal(row.se), p_value(row.p)]


def _components(found: Findings) -> str:
    if not found.components:
        return ""
    rows = [["Random part", "Standard deviation", "95 % interval", "Variance"]]
    rows += map(component_row, found.components)
    if all(row.low != row.low for row in found.components):  # no profile: a column of nothing says nothing
        rows = [[*row[:2], *row[3:]] for row in rows]
    return table("Variances", rows[0], rows[1:], note=escape(_of_limits(found)))


def _of_limits(found: Findings) -> str:
    """Say what the limits of the standard deviations are, and whose, where the estimates are others."""
    known = [row for row in found.components if row.low == row.low]
    if not known:
        return ""
    others = [
        f"{decimal(row.at_optimum)} of {row.name}"
        for row in known
        if decimal(row.at_optimum) != decimal(row.sd)
    ]
    if not others:
        return "Intervals by profile likelihood."
    return (
        "Intervals by profile likelihood, which are around the optimum and not around HLM’s estimates: the "
        f"standard deviations there are {listed(others)}."
    )


def _level1(found: Findings) -> str:
    """Return the coefficients of the logarithm of the level-1 variance."""
    head = ["Logarithm of the level-1 variance", "Estimate", "95 % interval", "Standard error", "p"]
    rows = [effect_row(row, "α") for row in found.level1_variance]
    note = "Normal intervals and tests."
    return table("What the level-1 variance depends on", head, rows, note=note) if rows else ""


def _optimum(tables: Tables) -> list[str]:
    sentences = [f"<p>{escape(text)}</p>" for text in optimum_sentences(tables)]
    return [*sentences, html.optimum_table(tables.optimum)]


def component_row(row: ComponentRow) -> list[str]:
    """Return the cells of a variance: name, standard deviation, interval, variance."""
    symbol = mathml.symbol("r", "ij") if row.code == "r" else mathml.symbol("u", f"{row.code[1:]}j")
    limits = f"{decimal(row.low)} to {decimal(row.high)}" if row.low == row.low else ""
    name = f"{escape(row.name)} {mathml.math(symbol)}"
    return [name, decimal(row.sd), limits, decimal(row.variance)]


def _deviance(tables: Tables) -> str:
    pairs = {
        "Deviance": true_minus(f"{tables.deviance:.4f}"),
        "Estimated parameters": str(tables.n_parameters),
        "Log-likelihood": true_minus(f"{tables.loglik:.4f}"),
    }
    return pairs_list(pairs.items())


def _told(found: Findings) -> list[str]:
    every = [*(told.sentence for told in found.told), *found.spread]
    each = "".join(f"<li>{escape(sentence)}</li>" for sentence in every)
    return [f"<ul>{each}</ul>", f'<p class="foot">{ALIKE}</p>']


def shares(found: Sequence[Share], notes: Sequence[str]) -> list[str]:
    """Return shares of the variance, and notes on them."""
    if not found:
        return ["<p>There is no one level-1 variance that shares could be taken of.</p>"]
    items = "".join(f"<li>{_share(share)}</li>" for share in found)
    return [f"<ul>{items}</ul>", *(f'<p class="foot">{escape(note)}</p>' for note in notes)]


def _share(share: Share) -> str:
    limits = f" (95 % interval {share.low:.3f} to {share.high:.3f})" if share.low == share.low else ""
    return f"<b>{escape(share.name)} {share.value:.3f}</b>{limits}: {escape(share.words)}."


def _checks(found: Findings) -> list[str]:
    rows = "".join(
        f"<div><dt>{'✓' if c.ok else '⚠'} {escape(c.name)}{'' if c.ok else ': look closer'}</dt>"
        f"<dd>{escape(true_minus(c.verdict))}</dd></div>"
        for c in found.checks
    )
    return [f'<dl class="checks">{rows}</dl>']


def _paper(found: Findings) -> list[str]:
    cited = "".join(f"<li>{escape(text)}</li>" for text in found.references)
    return [f"<p>{escape(found.methods)}</p>", f"<h3>References</h3><ul>{cited}</ul>"]


def image(drawn: tuple[str, bytes], large: bool = False) -> str:
    """Return a figure with its caption; a large one is moved sideways where the page is narrow."""
    title, png = drawn
    source, caption = base64.b64encode(png).decode(), escape(title)
    kind = 'class="figure large" tabindex="0"' if large else 'class="figure"'
    return (
        f"<figure {kind}><figcaption>{caption}</figcaption>"
        f'<img alt="{caption}" src="data:image/png;base64,{source}"></figure>'
    )


def decimal(value: float) -> str:
    """Write an estimate with three decimals, or three digits where it is smaller; a true minus sign."""
    if not math.isfinite(value):
        return "n/a"
    if abs(value) >= 0.1:
        return true_minus(f"{value:.3f}")
    return signed(value) if figures(value) else "0.000"


def p_value(p: float) -> str:
    """Write a p-value as papers do."""
    return "n/a" if p != p else "&lt;\N{NO-BREAK SPACE}.001" if p < 0.001 else f"{p:.3f}".removeprefix("0")
