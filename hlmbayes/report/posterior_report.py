"""The results of sampling as text, JSON and a page: model, priors, draws, verdict, a fit beside them."""

from __future__ import annotations

import base64
import json
import math
import textwrap
from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Any

from ..equations.model import one_set
from ..equations.names import variable_labels
from ..estimation.estimates import Estimates
from ..hglm.estimates import GeneralizedEstimates
from ..notebook import true_minus
from ..posterior import beside_fit
from ..posterior.record import Drawn
from ..posterior.summaries import by_parameter, summary
from ..priors.resolved import NoPrior
from ..text_table import ALL_DIGITS, TextColumn, in_blocks, shortened
from .html_parts import aside, document, labels_list, main_element, section, table
from .report_page import equations
from .tables import NoteGroup

if TYPE_CHECKING:
    import pandas as pd


type AtOptimum = Estimates | GeneralizedEstimates
type Rows = Mapping[str, Mapping[str, float]]  # numbers by parameter and column

HEADS = {
    "eti95_low": "2.5 %", "eti95_high": "97.5 %", "r_hat": "R-hat", "ess_bulk": "ESS bulk",
    "ess_tail": "ESS tail", "mcse_mean": "MC error",
}  # fmt: skip
SUMMARY_LEGEND = (
    "2.5 % and 97.5 %: the ends of the 95 % interval. R-hat: 1.00 to 1.01 where the chains agree. ESS: how "
    "many independent draws the draws are worth, for the centre (bulk) and the tails of the distribution. MC "
    "error: how far the mean may be off because there are not endlessly many draws."
)
COMPARE_LEGEND = (
    "{0}: the estimate by {1}, at the optimum. shift: posterior median less {0}, in posterior sds. overlap: "
    "the area that the posterior shares with the normal distribution of {0}'s standard error (1: the same); "
    "left out where {0} has no standard error, on the boundary."
)
METHODS = {"REML": "restricted maximum likelihood", "ML": "maximum likelihood"}
MODEL, PRIORS, VERDICT = "The model", "Priors", "Can the draws be used?"
WIDTH = 80  # of the text
ALT = {
    "ranks": "Ranks of the draws by chain",
    "gamma_forest": "Fixed effects: posterior intervals beside the estimates",
    "densities": "Posterior densities, the priors beside them",
    "tau_pair": "Draws of the standard deviations and correlations",
    "predictive_by_unit": "Means of the units, observed and predicted",
}


def _beside(fit: AtOptimum) -> str:
    return f"Beside {METHODS[fit.method]}"


def _heading(posterior: Drawn) -> str:
    settings = posterior.settings
    chains = f"{settings.chains} chains of " if settings.chains > 1 else ""
    sampler = posterior.sampler["sampler"]
    return f"The posterior: {chains}{settings.draws} draws, sampler {sampler}, seed {settings.seed}"


def _compared(posterior: Drawn, fit: AtOptimum) -> tuple[Rows, str]:
    """Give the posterior beside a fit, and what its columns are; the means stand in the summary."""
    names = {beside_fit.method_of(fit): fit.method, "se": f"{fit.method} s.e."}
    rows = {
        code: {names.get(column, column): value for column, value in row.items() if column != "mean"}
        for code, row in beside_fit.by_parameter(posterior, fit).items()
    }
    return rows, COMPARE_LEGEND.format(fit.method, METHODS[fit.method])


def _cell(column: str, value: float) -> str:
    """Return a number with four significant digits or more; nothing for nan."""
    if math.isnan(value):
        return ""
    if column in ("ess_bulk", "ess_tail"):
        return f"{value:.0f}"
    if column in ("r_hat", "shift", "overlap"):
        return f"{value:z.3f}"
    return f"{value:.2f}" if 1000 <= abs(value) < ALL_DIGITS else f"{value:#.4g}"


def _cells(posterior: Drawn, numbers: Rows) -> list[list[str]]:
    """Return the heads and the rows of a table; the first two columns are codes and names."""
    heads = ["", "", *(HEADS.get(column, column) for column in next(iter(numbers.values())))]
    names = posterior.parameters.name_of
    rows = [[code, names.get(code, ""), *map(_cell, row, row.values())] for code, row in numbers.items()]
    return [heads, *rows]


# ----------------------------------------------------------------------------- text


def as_text(posterior: Drawn, fit: AtOptimum | None) -> str:
    """Return the report as text; ``fit`` stands beside it, where there is one."""
    parts = {
        MODEL: "\n".join([posterior.model.equations(), *map(_wrapped, _level1(posterior))]),
        PRIORS: posterior.target.priors.describe(),
        _heading(posterior): _text_table(posterior, by_parameter(posterior), SUMMARY_LEGEND),
        VERDICT: _wrapped(str(posterior.convergence)),
    }
    if fit is not None:
        parts[_beside(fit)] = _text_table(posterior, *_compared(posterior, fit))
    return "\n".join(f"{heading}\n{'-' * len(heading)}\n{body}\n" for heading, body in parts.items())


def _level1(posterior: Drawn) -> list[str]:
    """Say what is known of the rows, and how they count, beside the model and its priors."""
    law, counting = posterior.target.law.law, posterior.target.counting
    # known variances and other laws are said with the priors
    known = not law.of_normal or isinstance(posterior.target.priors.level1, NoPrior)
    return [sentence for sentence in ("" if known else law.sentence, counting.sentence) if sentence]


def _wrapped(text: str) -> str:
    return textwrap.fill(text, WIDTH, break_long_words=False)


def _text_table(posterior: Drawn, rows: Rows, legend: str) -> str:
    codes, names, *numbers = zip(*_cells(posterior, rows), strict=True)
    words = [TextColumn(codes, words=True), TextColumn([shortened(name) for name in names], words=True)]
    return f"{in_blocks([*words, *map(TextColumn, numbers)], 1, WIDTH)}\n\n{_wrapped(legend)}"


# ----------------------------------------------------------------------------- JSON


def as_json(posterior: Drawn, fit: AtOptimum | None) -> str:
    """Return summary, comparison, priors and settings as JSON; null is nan, or no fit to compare with."""
    law = posterior.model.outcome_law
    beside = None if fit is None else beside_fit.compare(posterior, fit).table
    result: dict[str, Any] = {
        "model": posterior.model.equations(),
        "outcome": posterior.model.outcome,
        "distribution": {"family": law.family, "link": law.link, "size": law.size},
        "priors": posterior.target.priors.describe().split("\n"),
        "settings": json.loads(posterior.held.attrs["settings"]),
        "sampler": posterior.sampler,
        "usable": posterior.convergence.ok,
        "convergence": str(posterior.convergence),
        "summary": _numbers(summary(posterior)),
        "compare": None if beside is None else _numbers(beside),
    }
    return json.dumps(result, indent=1) + "\n"


def _numbers(frame: pd.DataFrame) -> Any:
    return json.loads(frame.to_json(orient="index", double_precision=15))


# ----------------------------------------------------------------------------- page


def page(posterior: Drawn, fit: AtOptimum | None, figures: Mapping[str, bytes]) -> str:
    """Return the report as an HTML page that needs no other file; ``figures`` are PNG images by name."""
    known = {} if posterior.data is None else posterior.data.labels
    labels = variable_labels((posterior.model.outcome, *posterior.model.predictors), known)
    said = true_minus(posterior.target.priors.describe()).split("\n")
    priors = "".join(f"<li>{escape(line)}</li>" for line in said)
    level1 = [f"<p>{escape(sentence)}</p>" for sentence in _level1(posterior)]
    title = _title(posterior)
    parts = [
        _verdict(posterior),
        section(MODEL, [equations(one_set(posterior.model)), *level1, labels_list(labels.items())]),
        section(PRIORS, [f"<ul>{priors}</ul>"]),
        section("Results", [_summary(posterior)]),
        *_section_beside(posterior, fit),
        section("Figures", [_image(name, image) for name, image in figures.items()]),
    ]
    return document(title, main_element(title, parts))


def _section_beside(posterior: Drawn, fit: AtOptimum | None) -> list[str]:
    if fit is None:
        return []
    beside = _html_table(posterior, f"Posterior and {fit.method}", *_compared(posterior, fit))
    return [section(_beside(fit), [beside])]


def fragment(posterior: Drawn) -> str:
    """Return the verdict and the summary as the part of a page that a notebook shows."""
    return main_element(_title(posterior), [_verdict(posterior), _summary(posterior)])


def _title(posterior: Drawn) -> str:
    return f"Posterior of the two-level model of {posterior.model.outcome}"


def _verdict(posterior: Drawn) -> str:
    found = posterior.convergence
    return aside(NoteGroup(VERDICT, (str(found),), warning=not found.ok))


def _summary(posterior: Drawn) -> str:
    return _html_table(posterior, _heading(posterior), by_parameter(posterior), SUMMARY_LEGEND)


def _html_table(posterior: Drawn, caption: str, of: Rows, legend: str) -> str:
    cells = _cells(posterior, of)
    (_, *heads), *rows = ([escape(true_minus(cell)) for cell in row] for row in cells)
    stacked = []
    for code, name, *numbers in rows:
        broken = name.replace(",", ",<wbr>")  # where a long one may go on in another line
        stacked.append([f"{broken}<br><small>{code}</small>", *numbers])
    return table(caption, heads, stacked, note=escape(legend))


def _image(name: str, image: bytes) -> str:
    kind, _, of = name.partition("_")
    graph = f"What the model predicts over {of}"
    units = f"Random effects u{of.removeprefix('b')} of the units"
    text = ALT.get(name, graph if kind == "predicted" else units)
    source, said = base64.b64encode(image).decode(), escape(text)
    return (
        f'<figure class="figure large" tabindex="0" aria-label="{said}">'
        f'<img alt="{said}" src="data:image/png;base64,{source}"></figure>'
    )
