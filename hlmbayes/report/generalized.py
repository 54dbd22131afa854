"""A fit of an outcome that is not normal, by maximum likelihood, as text, a page, or JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from html import escape
from typing import Any

import numpy as np

from ..derived.generalized_shares import generalized_icc, generalized_r2
from ..equations.model import one_set
from ..errors import HLMError, HypothesisError
from ..hglm.estimates import GeneralizedEstimates
from ..hypotheses.wald import WaldTest
from ..inference.compare import DevianceTest
from ..inference.covariances import table_kind
from ..inference.hlm_tables import FixedEffect, fixed_effects
from ..inference.likelihood_tables import WORDS, Component, Ratio, components, cuts, ratios
from ..laws.law import Need
from ..likelihood.pattern import pairs
from ..notebook import true_minus
from ..residuals.exploratory import Exploration
from ..text_table import TextColumn, in_blocks, number_texts
from ..words import p_text
from .html_parts import aside, document, main_element, pairs_list, section, table
from .json_text import written
from .ratio_sentences import ALIKE, ratio_sentences
from .report_page import equations, image
from .tables import NoteGroup

EXPLAINED = (
    "Effects are unit-specific: they compare rows of one unit. Averaged over units, probabilities change "
    "less; predict(), means() and slopes() give that."
)
CHI_SQUARE = ("chi2", "df", "p_value")
COMPARED = "Deviances of two such fits of the same rows can be compared."


def _explained(fit: GeneralizedEstimates) -> tuple[str, ...]:
    return (EXPLAINED, COMPARED) if fit.has(Need.LIKELIHOOD) else (EXPLAINED,)


def _facts(fit: GeneralizedEstimates) -> list[tuple[str, str]]:
    law, counting, pseudo = fit.model.outcome_law, fit.counting, "pseudo-" * fit.counting.pseudo
    values = fit.data.value_labels.get(fit.model.outcome.lower(), {})
    state = "converged" if fit.converged else f"NOT CONVERGED: {fit.stop_reason}"
    return [
        ("Outcome", fit.law.valued(fit.model.outcome, values)),
        ("Distribution", fit.law.sentence),
        ("Rows and units", f"{fit.n_rows:,} rows in {fit.n_units:,} units"),
        *([(counting.heading, counting.sentence)] if counting.sentence else []),
        ("Method", f"{pseudo}maximum likelihood, {fit.integration}"),
        ("Estimation", f"{state} after {fit.iterations} iterations"),
        ("Deviance", f"{fit.deviance:.6f}, {fit.n_parameters} parameters"),
        *([] if pseudo else [("AIC, BIC", f"{fit.aic:.4f}, {fit.bic:.4f}")]),
        *([] if law.link in WORDS else [("Link", law.link)]),
    ]


type Test = WaldTest | DevianceTest | Exploration
type Table = tuple[str, list[str], list[list[str]]]


def _tables(fit: GeneralizedEstimates) -> list[Table]:
    """Give caption, heads and cells of every table, the first cells being names."""
    found = []
    for robust, what in ((False, ""), (True, ", robust standard errors")):
        rows = fixed_effects(fit, table_kind(fit, robust, None))
        found += _by_category(fit, f"Fixed effects{what}", ["coefficient", "se", "z", "p"], rows, _effects)
    try:
        lines = ratios(fit)
    except HypothesisError:  # a probit link has none
        lines = ()
    if lines:
        word = WORDS[fit.model.outcome_law.link]
        found += _by_category(fit, f"{word.capitalize()}s", [word, "95 % interval"], lines, _ratios)
    if between := cuts(fit):
        texts = [number_texts([getattr(r, k) for r in between]) for k in ("estimate", "se")]
        shown = [[r.cut, "", *cells] for r, *cells in zip(between, *texts, strict=True)]
        found.append(("Cuts between categories, from the lowest", ["", "", "estimate", "se"], shown))
    if fit.design.n_random:
        own = _components(fit, components(fit))
        found.append(("Variances of the random effects", ["", "", "sd", "variance", "se"], own))
    if together := _covariances(fit):
        head = ["", "", "covariance", "se", "correlation"]
        found.append(("Covariances of the random effects", head, together))
    return found


def _by_category[R: (FixedEffect, Ratio)](
    fit: GeneralizedEstimates, caption: str, head: list[str], rows: Sequence[R],
    cells: Callable[[Sequence[R], Any], list[list[str]]],
) -> list[Table]:  # fmt: skip
    """Give a table of fixed effects; where each category has equations, a table for each of them."""
    names, found, of = fit.model.fixed_parameters.name_of, [], dict[str, list[R]]()
    categories = [c.category for c in fit.model.coefficients for _ in c.gammas]
    for row, category in zip(rows, categories, strict=True):
        of.setdefault(category, []).append(row)
    for category, own in of.items():
        about = f"{caption}: {fit.law.against(category)}" if category else caption
        found.append((about, ["", "", *head], cells(own, names)))
    return found


def _covariances(fit: GeneralizedEstimates) -> list[list[str]]:
    """Give the free covariances of the random effects, with standard errors and as correlations."""
    a, b = pairs(fit.design.pattern)
    columns = [number_texts(np.asarray(m)[a, b]) for m in (fit.tau_values, fit.se_tau, fit.tau_corr)]
    names = [f"{fit.effect_names[i]}, {fit.effect_names[j]}" for i, j in zip(a, b, strict=True)]
    rows = [[name, "", *cells] for name, *cells in zip(names, *columns, strict=True)]
    return [["" if cell == "nan" else cell for cell in row] for row in rows]


def _effects(rows: Sequence[FixedEffect], names: Any) -> list[list[str]]:
    columns = [number_texts([getattr(r, k) for r in rows]) for k in ("coefficient", "se")]
    z = [f"{r.t_ratio:.3f}" for r in rows]
    p = [p_text(r.p_value).removeprefix("p ").removeprefix("= ") for r in rows]
    each = zip(*columns, z, p, strict=True)
    return [[r.name, names[r.name], *cells] for r, cells in zip(rows, each, strict=True)]


def _ratios(rows: Sequence[Ratio], names: Any) -> list[list[str]]:
    return [[r.name, names[r.name], f"{r.ratio:.4g}", f"{r.low:.4g} to {r.high:.4g}"] for r in rows]


def _components(fit: GeneralizedEstimates, rows: Sequence[Component]) -> list[list[str]]:
    known = dict(zip(fit.effect_names, fit.model.random_parameters.names, strict=True))
    texts = zip(*(number_texts([getattr(r, k) for r in rows]) for k in ("sd", "variance", "se")), strict=True)
    found = [[r.effect, known[r.effect], *cells] for r, cells in zip(rows, texts, strict=True)]
    return [["" if cell == "nan" else cell for cell in row] for row in found]


def listing(fit: GeneralizedEstimates, warnings: Sequence[str] = ()) -> str:
    """Return the results as text."""
    lines = [f"WARNING: {warning}" for warning in (*fit.warnings, *warnings)]
    lines += [f"{name}: {value}" for name, value in _facts(fit)]
    lines += ["", fit.model.equations()]
    for caption, head, rows in _tables(fit):
        columns = [TextColumn([name, *(row[k] for row in rows)], words=k < 2) for k, name in enumerate(head)]
        lines += ["", f"{caption}", in_blocks(columns, 2)]
    return "\n".join([*lines, "", *_explained(fit), ""])


def to_html(
    fit: GeneralizedEstimates, *, whole_page: bool = True, warnings: Sequence[str] = (),
    images: Mapping[str, tuple[str, bytes]] | None = None, tests: Sequence[Test] = (),
) -> str:  # fmt: skip
    """Return the results as an HTML page, or as the part of one that a notebook shows.

    ``images``: figures by name, their titles and PNGs; ``tests``: what was asked for besides, in words.
    """
    said, facts = (*fit.warnings, *warnings), [(name, escape(value)) for name, value in _facts(fit)]
    title = f"Model of {fit.model.outcome}"
    boxes = [aside(NoteGroup("read this before using the numbers", said, warning=True))] if said else []
    shown = [
        table(caption, head, [[*row[:2], *map(true_minus, row[2:])] for row in rows], names=2)
        for caption, head, rows in _tables(fit)
    ]
    parts = [
        *boxes,
        section("Model", [equations(one_set(fit.model)), pairs_list(facts)]),
        section("Estimates", shown),
        *_in_words(fit),
        *([section("Tests", [f"<pre>{escape(str(test))}</pre>" for test in tests])] if tests else []),
        *_figures(images or {}),
        aside(NoteGroup("How to read this", _explained(fit))),
    ]
    main = main_element(title, parts)
    return document(title, main) if whole_page else main.replace("<main", "<div").replace("</main", "</div")


def _in_words(fit: GeneralizedEstimates) -> list[str]:
    """Say what effects mean, and shares of the variance where there is one equation."""
    found = []
    if told := ratio_sentences(fit):
        each = "".join(f"<li>{escape(t.sentence)}</li>" for t in told)
        found.append(section("What the effects say", [f"<ul>{each}</ul>", f'<p class="foot">{ALIKE}</p>']))
    if fit.has(Need.ONE_EQUATION):
        try:
            shares = str(generalized_icc(fit)).split("\n")
        except HLMError:  # no random intercept, for one
            shares = []
        r2 = generalized_r2(fit)
        shares.append(
            f"Of the variance on the scale of the link the fixed effects explain {r2.marginal:.3f} (marginal "
            f"R-squared), they and the random effects {r2.conditional:.3f} (conditional R-squared)."
        )
        shares = [f"<p>{escape(true_minus(line))}</p>" for line in (*shares, *r2.notes)]
        found.append(section("How much lies between units and is explained", shares))
    return found


def _figures(images: Mapping[str, tuple[str, bytes]]) -> list[str]:
    drawn = ['<div class="figures">', *map(image, images.values()), "</div>"]
    return [section("Figures", drawn)] if images else []


def to_json(fit: GeneralizedEstimates, warnings: Sequence[str] = (), tests: Sequence[Test] = ()) -> str:
    """Return the results as JSON text at full precision; nan and infinity are null."""
    law = fit.model.outcome_law
    results: dict[str, Any] = {
        "outcome": fit.model.outcome,
        "distribution": {"family": law.family, "link": law.link, "size": law.size},
        "categories": list(fit.law.labels),
        "fixed": [asdict(row) for row in fixed_effects(fit, table_kind(fit, False, None))],
        "fixed_robust": [asdict(row) for row in fixed_effects(fit, table_kind(fit, True, None))],
        "ratios": [] if law.link not in WORDS else [asdict(row) for row in ratios(fit)],
        "cuts": [asdict(row) for row in cuts(fit)],
        "variance_components": [asdict(row) for row in components(fit)],
        "tau": fit.tau_values.tolist(),
        "se_tau": fit.se_tau.tolist(),
        "tau_corr": fit.tau_corr.tolist(),
        "loglik": fit.loglik,
        "deviance": fit.deviance,
        "n_parameters": fit.n_parameters,
        "aic": fit.aic if fit.has(Need.LIKELIHOOD) else None,
        "bic": fit.bic if fit.has(Need.LIKELIHOOD) else None,
        "weights": fit.counting.sentence,
        "method": fit.method,
        "algorithm": fit.algorithm,
        "integration": fit.integration,
        "nodes": list(fit.n_nodes),
        "converged": fit.converged,
        "stop_reason": fit.stop_reason,
        "data": {"level1_units": fit.n_rows, "level2_units": fit.n_units},
        "equations": fit.model.equations(),
        "tests": [_numbers(test) for test in tests],
        "warnings": [*fit.warnings, *warnings],
    }
    return written(results)


def _numbers(test: Test) -> dict[str, Any]:
    words = {"words": str(test)}
    return words if isinstance(test, Exploration) else words | {k: getattr(test, k) for k in CHI_SQUARE}
