"""The results of sampling as text, as JSON and as a page: model, priors, draws, verdict, REML beside them."""

from __future__ import annotations

import base64
import json
import math
import textwrap
from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Any

from ..estimation.estimates import Estimates
from ..notebook import true_minus
from ..posterior.beside_fit import compare
from ..posterior.record import PosteriorSample
from ..posterior.summaries import summary
from ..priors.resolved import NoPrior
from ..text_table import ALL_DIGITS, TextColumn, in_blocks, shortened
from .header import Run, header_of
from .html_parts import aside, document, labels_list, main_element, section, table
from .symbols import equations_html
from .tables import NoteGroup

if TYPE_CHECKING:
    import pandas as pd


HEADS = {
    "eti95_low": "2.5 %", "eti95_high": "97.5 %", "r_hat": "R-hat", "ess_bulk": "ESS bulk",
    "ess_tail": "ESS tail", "mcse_mean": "MC error", "se": "REML s.e.", "reml_exact": "REML",
}  # fmt: skip
SUMMARY_LEGEND = (
    "2.5 % and 97.5 %: the ends of the 95 % interval. R-hat: 1.00 to 1.01 where the chains agree. ESS: how "
    "many independent draws the draws are worth, for the centre (bulk) and the tails of the distribution. MC "
    "error: how far the mean may be off because there are not endlessly many draws."
)
COMPARE_LEGEND = (
    "REML: the estimate by restricted maximum likelihood, at the optimum. shift: posterior median less REML, "
    "in posterior sds. overlap: the area that the posterior shares with the normal distribution of REML's "
    "standard error (1: the same); left out where REML has no standard error, on the boundary."
)
MODEL, PRIORS, VERDICT = "The model", "Priors", "Can the draws be used?"
WIDTH = 80  # of the text
BESIDE = "Beside restricted maximum likelihood"
ALT = {
    "ranks": "Ranks of the draws by chain",
    "gamma_forest": "Fixed effects: posterior intervals beside REML",
    "densities": "Posterior densities, the priors beside them",
    "tau_pair": "Draws of the standard deviations and correlations",
    "predictive_by_unit": "Means of the units, observed and predicted",
}


def _heading(posterior: PosteriorSample) -> str:
    settings = posterior.settings
    chains = f"{settings.chains} chains of " if settings.chains > 1 else ""
    sampler = posterior.sampler["sampler"]
    return f"The posterior: {chains}{settings.draws} draws, sampler {sampler}, seed {settings.seed}"


def _compared(posterior: PosteriorSample, fit: Estimates) -> pd.DataFrame:
    return compare(posterior, fit).frame().drop(columns=["mean"])  # it stands in the summary


def _cell(column: str, value: float) -> str:
    """Return a number with four significant digits or more; nothing for nan."""
    if math.isnan(value):
        return ""
    if column in ("ess_bulk", "ess_tail"):
        return f"{value:.0f}"
    if column in ("r_hat", "shift", "overlap"):
        return f"{value:z.3f}"
    return f"{value:.2f}" if 1000 <= abs(value) < ALL_DIGITS else f"{value:#.4g}"


def _cells(frame: pd.DataFrame) -> list[list[str]]:
    """Return the heads and the rows of a table; the first two columns are codes and names."""
    numbers = frame.drop(columns=["name"])
    heads = ["", "", *(HEADS.get(str(column), str(column)) for column in numbers)]
    rows = [
        [str(code), str(name), *map(_cell, map(str, numbers), values)]
        for code, name, values in zip(frame.index, frame["name"], numbers.to_numpy(dtype=float), strict=True)
    ]
    return [heads, *rows]


# ----------------------------------------------------------------------------- text


def as_text(posterior: PosteriorSample, fit: Estimates) -> str:
    """Return the report as text."""
    parts = {
        MODEL: "\n".join([posterior.model.equations(), *map(_wrapped, _level1(posterior))]),
        PRIORS: posterior.target.priors.describe(),
        _heading(posterior): f"{_text_table(summary(posterior))}\n\n{_wrapped(SUMMARY_LEGEND)}",
        VERDICT: _wrapped(str(posterior.convergence)),
        BESIDE: f"{_text_table(_compared(posterior, fit))}\n\n{_wrapped(COMPARE_LEGEND)}",
    }
    return "\n".join(f"{heading}\n{'-' * len(heading)}\n{body}\n" for heading, body in parts.items())


def _level1(posterior: PosteriorSample) -> list[str]:
    """Say what is known of the rows, and how they count, beside the model and its priors."""
    law, counting = posterior.target.law.law, posterior.target.counting
    known = isinstance(posterior.target.priors.level1, NoPrior)  # the priors say it
    return [sentence for sentence in ("" if known else law.sentence, counting.sentence) if sentence]


def _wrapped(text: str) -> str:
    return textwrap.fill(text, WIDTH, break_long_words=False)


def _text_table(frame: pd.DataFrame) -> str:
    codes, names, *numbers = zip(*_cells(frame), strict=True)
    words = [TextColumn(codes, words=True), TextColumn([shortened(name) for name in names], words=True)]
    return in_blocks([*words, *map(TextColumn, numbers)], 1, WIDTH)


# ----------------------------------------------------------------------------- JSON


def as_json(posterior: PosteriorSample, fit: Estimates) -> str:
    """Return summary, comparison, priors and settings as JSON; nan as null."""
    result: dict[str, Any] = {
        "model": posterior.model.equations(),
        "priors": posterior.target.priors.describe().split("\n"),
        "settings": json.loads(posterior.held.attrs["settings"]),
        "sampler": posterior.sampler,
        "usable": posterior.convergence.ok,
        "convergence": str(posterior.convergence),
        "summary": json.loads(summary(posterior).to_json(orient="index", double_precision=15)),
        "compare": json.loads(compare(posterior, fit).table.to_json(orient="index", double_precision=15)),
    }
    return json.dumps(result, indent=1) + "\n"


# ----------------------------------------------------------------------------- page


def page(posterior: PosteriorSample, fit: Estimates, figures: Mapping[str, bytes]) -> str:
    """Return the report as an HTML page that needs no other file; ``figures`` are PNG images by name."""
    priors = "".join(f"<li>{escape(line)}</li>" for line in posterior.target.priors.describe().split("\n"))
    level1 = [f"<p>{escape(sentence)}</p>" for sentence in _level1(posterior)]
    title, header = _title(posterior), header_of(fit, Run())
    parts = [
        _verdict(posterior),
        section(MODEL, [equations_html(header), *level1, labels_list(header.labels)]),
        section(PRIORS, [f"<ul>{priors}</ul>"]),
        section("Results", [_summary(posterior)]),
        section(BESIDE, [_html_table("Posterior and REML", _compared(posterior, fit), COMPARE_LEGEND)]),
        section("Figures", [_image(name, image) for name, image in figures.items()]),
    ]
    return document(title, main_element(title, parts))


def fragment(posterior: PosteriorSample) -> str:
    """Return the verdict and the summary as the part of a page that a notebook shows."""
    return main_element(_title(posterior), [_verdict(posterior), _summary(posterior)])


def _title(posterior: PosteriorSample) -> str:
    return f"Posterior of the two-level model of {posterior.model.outcome}"


def _verdict(posterior: PosteriorSample) -> str:
    found = posterior.convergence
    return aside(NoteGroup(VERDICT, (str(found),), warning=not found.ok))


def _summary(posterior: PosteriorSample) -> str:
    return _html_table(_heading(posterior), summary(posterior), SUMMARY_LEGEND)


def _html_table(caption: str, frame: pd.DataFrame, legend: str) -> str:
    (_, *heads), *rows = ([escape(true_minus(cell)) for cell in row] for row in _cells(frame))
    stacked = [[f"{name}<br><small>{code}</small>", *numbers] for code, name, *numbers in rows]
    return table(caption, heads, stacked, note=escape(legend))


def _image(name: str, image: bytes) -> str:
    text = ALT.get(name) or f"Random effects u{name.removeprefix('caterpillar_b')} of the units"
    source = base64.b64encode(image).decode()
    return f'<p class="figure"><img alt="{escape(text)}" src="data:image/png;base64,{source}"></p>'
