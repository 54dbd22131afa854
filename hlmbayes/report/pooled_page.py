"""The report of pooled fits: one page to hand out, of imputed data, plausible values or replicate weights."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from ..equations.names import component_names
from ..inference.intervals import EffectRow, Interval
from ..inference.likelihood_tables import WORDS
from ..many_fits.pooled_derived import pooled_icc, pooled_intervals, pooled_r2
from ..many_fits.pooled_fit import PooledEstimates, pooled_components, pooled_fixed
from ..many_fits.pooled_generalized import (
    PooledGeneralized,
    generalized_intervals,
    pooled_cuts,
    pooled_ratios,
    pooled_variances,
)
from ..many_fits.rubin import Pooled
from ..version import __version__
from .findings import BOOK, PROB, SOFTWARE, ComponentRow, Share, centred, shares_of
from .header import Run, header_of
from .html_parts import aside, document, labels_list, main_element, pairs_list, section, table
from .report_page import component_row, decimal, effect_row, equations, shares
from .specification import METHODS
from .tables import NoteGroup

RUBIN = "Rubin, D. B. (1987). Multiple imputation for nonresponse in surveys. Wiley."


def pooled_page(
    pooled: PooledEstimates, text: str, warnings: Iterable[str] = (), tests: Iterable[str] = ()
) -> str:
    """Return the report as a page that needs no other file; ``text`` is the listing, at its end.

    ``warnings`` and ``tests``: sentences beside those of the estimates.
    """
    title = f"Two-level model of {pooled.model.outcome}: pooled results"
    warned, tested = (*pooled.warnings, *warnings), [f"<p>{escape(test)}</p>" for test in tests]
    whole = escape(text)
    model, first = pooled.fits[0].design.terms.written or pooled.model, pooled.fits[0]
    labels = labels_list(header_of(first, Run()).labels)
    parts = [
        aside(NoteGroup("read this before using the numbers", warned, warning=True)) if warned else "",
        section("The model", [equations(model), labels, _facts(pooled)]),
        section("Estimates", [_effects(pooled), *_ratios_and_cuts(pooled), _components(pooled)]),
        section("How much is explained", shares(*pooled_shares(pooled))),
        section("Tests", tested) if tested else "",
        section("For a paper", [f"<p>{escape(methods(pooled))}</p>", _references(pooled)]),
        f"<details><summary>The listings as text</summary><pre>{whole}</pre></details>",
    ]
    return document(title, main_element(title, [part for part in parts if part]))


def _facts(pooled: PooledEstimates) -> str:
    first = pooled.fits[0]
    several = ", ".join(pooled.names) if pooled.m > 1 else ""
    return pairs_list(
        [
            ("Data sets", escape(several)), ("Level-1 records", f"{first.n_rows:.0f}"),
            ("Level-2 units", str(first.n_units)), ("Method", METHODS[pooled.method]),
        ]
    )  # fmt: skip


def _robust(pooled: PooledEstimates) -> bool | None:
    """Give the kind of standard errors that stand in the table: the model's, or what there is instead."""
    kinds = [robust for _, robust in pooled.tables.values()]
    pseudo = pooled.fits[0].counting.pseudo
    return next(robust for robust in kinds if not (pseudo and robust is False))


def _effects(pooled: PooledEstimates) -> str:
    robust = _robust(pooled)
    found, limits = pooled_fixed(pooled, robust), limits_of(pooled)
    names = pooled.model.fixed_parameters
    head = ["Fixed effect", "Estimate", "95 % interval", "Standard error", "p"]
    head += ["Missing"] if pooled.m > 1 else []
    rows = []
    numbers = (found.estimate, found.se, found.df, found.p_value, found.fmi)
    for code, *values in zip(names.codes, *(column.tolist() for column in numbers), strict=True):
        estimate, se, df, p, missing = values
        ends = limits[code].low, limits[code].high
        cells = effect_row(EffectRow(code, names.name_of[code], estimate, se, *ends, df, p))
        rows.append([*cells, *([f"{100 * missing:.0f} %"] if pooled.m > 1 else [])])
    note = f"t tests; degrees of freedom: {pooled.df_source}."
    note += " Robust standard errors." if robust else ""
    note += "".join(f" {sentence}." for sentence in pooled.about_sampling)
    note += " Missing: the share of the information that is missing." if pooled.m > 1 else ""
    return table("Fixed effects", head, rows, note=escape(note))


def _ratios_and_cuts(pooled: PooledEstimates) -> list[str]:
    """Return the tables of ratios and of cuts, of outcomes that have them."""
    if not isinstance(pooled, PooledGeneralized):
        return []
    found, link, names = [], pooled.model.outcome_law.link, pooled.model.fixed_parameters.name_of
    if link in WORDS:
        rows = [
            [
                escape(f"{names[r.name]} ({r.name})"),
                decimal(r.ratio),
                f"{decimal(r.low)} to {decimal(r.high)}",
            ]
            for r in pooled_ratios(pooled, _robust(pooled))
        ]
        word = WORDS[link].capitalize()
        found.append(table(f"{word}s", ["Fixed effect", word, "95 % interval"], rows))
    cuts, between = pooled_cuts(pooled)
    if cuts:
        numbers = zip(cuts, between.estimate.tolist(), between.se.tolist(), strict=True)
        rows = [[cut, decimal(value), decimal(se)] for cut, value, se in numbers]
        found.append(table("Cuts between categories", ["Cut", "Estimate", "Standard error"], rows))
    return found


def limits_of(pooled: PooledEstimates) -> dict[str, Interval]:
    """Give the intervals of fixed effects and variances by parameter, as the page has them."""
    robust = _robust(pooled)
    if isinstance(pooled, PooledGeneralized):
        found = generalized_intervals(pooled, PROB, robust=bool(robust))
    else:
        found = pooled_intervals(pooled, prob=PROB, robust=robust)
    return {row.parameter: row for row in found}


def variances_of(pooled: PooledEstimates) -> tuple[tuple[str, ...], Pooled]:
    """Pool the free elements of tau, and sigma2 where there is one."""
    return pooled_variances(pooled) if isinstance(pooled, PooledGeneralized) else pooled_components(pooled)


def _components(pooled: PooledEstimates) -> str:
    limits, named = limits_of(pooled), component_names(pooled.model.coefficients)
    named["r"] += pooled.fits[0].law.known
    codes, found = variances_of(pooled)
    rows = []
    for code, variance in zip(codes, found.estimate.tolist(), strict=True):
        if "," not in code:
            ends = limits.get("sigma" if code == "r" else f"sd[b{code[1:]}]")
            low, high = (ends.low, ends.high) if ends else (float("nan"),) * 2
            row = ComponentRow(code, named[code], variance**0.5, low, high, variance, variance**0.5)
            rows.append(component_row(row))
    head = ["Random part", "Standard deviation", "95 % interval", "Variance"]
    return table("Variances", head, rows, note="Intervals on the logarithmic scale.")


def pooled_shares(pooled: PooledEstimates) -> tuple[list[Share], list[str]]:
    """Give the intraclass correlation and R-squared where there are any, and notes on them."""
    if isinstance(pooled, PooledGeneralized):
        return [], ["Intraclass correlation and R-squared are of the fits to each data set."]
    found, notes, _ = shares_of(lambda: pooled_icc(pooled, prob=PROB), lambda: pooled_r2(pooled))
    return found, notes


def methods(pooled: PooledEstimates) -> str:
    """Write the paragraph on the method that a paper needs."""
    first, model = pooled.fits[0], pooled.model
    values = len({fit.model.outcome for fit in pooled.fits}) > 1
    each = f", for each of {pooled.m} {'plausible values' if values else 'imputed data sets'},"
    kind = f"{METHODS[pooled.method]} ({pooled.method})"
    kind_of_model = "linear model" if model.outcome_law.is_normal else "generalized linear model"
    said = [
        f"A two-level {kind_of_model} of {model.outcome} was fitted to {first.n_rows:,.0f} level-1 records "
        f"in {first.n_units:,} level-2 units{each if pooled.m > 1 else ''} by {kind} with hlmbayes "
        f"{__version__}."
    ]
    said += ["The results were pooled by Rubin's rules (Rubin, 1987)."] if pooled.m > 1 else []
    said += [*pooled.given, *(f"{sentence}." for sentence in pooled.about_sampling)]
    said += centred(model)
    said += ["Standard errors are robust."] if _robust(pooled) else []
    return " ".join(said)


def _references(pooled: PooledEstimates) -> str:
    cited = [BOOK, *([RUBIN] if pooled.m > 1 else []), SOFTWARE]
    return f"<h3>References</h3><ul>{''.join(f'<li>{escape(text)}</li>' for text in cited)}</ul>"
