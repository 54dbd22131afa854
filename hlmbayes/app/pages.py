"""Pages and parts of pages from templates; every value is escaped unless it is ready-made markup."""

from __future__ import annotations

import re
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from ..data.paths import MODEL_FILES
from ..data.reading import READERS
from ..hglm.pql import PQLEstimates
from ..many_fits.pooled_fit import PooledEstimates
from ..report import mathml
from ..words import one_line
from .guard import MOST_BYTES, cookie_name
from .page_words import in_page_words
from .pictures import title
from .session import Run, Session
from .state import State, computed_terms, to_text

TABS = (
    ("report", "Report"),
    ("listing", "HLM listing"),
    ("figures", "Figures"),
    ("residuals", "Residuals"),
    ("tests", "Tests"),
    ("compare", "Compare"),
)
ENDINGS = ",".join((*MODEL_FILES, ".mdm", ".mdmt", *READERS))


@cache
def environment() -> Environment:
    """The templates, with what they may call."""
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, trim_blocks=True,
        lstrip_blocks=True, undefined=StrictUndefined,
    )  # fmt: skip
    made.globals.update(m=mathml, two=two_decimals, computed_terms=computed_terms, figure_title=title)
    made.globals.update(run_line=run_line, run_deviance=run_deviance, tabs=TABS)
    made.globals.update(
        endings=ENDINGS, most_bytes=MOST_BYTES, in_parts=in_parts, in_page_words=in_page_words
    )
    return made


def show(request: Request, template: str, *, status: int = 200, **values: Any) -> Response:
    """Answer with a template, filled from the session."""
    session: Session = request.scope["session_here"]
    filled = {
        "error": "",
        "said": (),
        "panel": "",
        "run": None,
        "tab": "report",
        "oob": False,
        "work_oob": False,
    }
    filled |= work_values(session) | values | {"s": session}
    response = HTMLResponse(environment().get_template(template).render(**filled), status)
    if request.scope["cookie"]:
        response.set_cookie(
            cookie_name(request), request.scope["cookie"], httponly=True, samesite="strict", path="/"
        )
    return response


def work_values(session: Session) -> dict[str, Any]:
    """What the model's part of the page shows."""
    labels = session.opened.labels if session.opened else {}
    many = session.opened is not None and len(session.opened.level1) + len(session.opened.level2) > 24
    return {
        "used": used(session.state), "text": to_text(session.state), "text_error": "", "many": many,
        "text_open": session.text_open, "mixed_shown": session.mixed_shown,
        "label": lambda name: labels.get(name.lower(), ""),
    }  # fmt: skip


def used(state: State) -> tuple[list[str], list[str]]:
    """The variables in the model's equations, by level, in lower case."""
    if state.model is None:
        return [], []
    level1 = {name.lower() for c in state.model.coefficients for name in c.predictor.names}
    level2 = {name.lower() for gamma in state.model.gammas for name in gamma.predictor.names}
    constants = [c for c in state.model.coefficients if c.predictor.variable is None]
    level1 |= {"intrcpt1"} if constants else set()
    return sorted(level1), sorted(level2)


def two_decimals(value: float) -> str:
    """A number of descriptive statistics: two decimals, more where it is small."""
    if value != value:
        return "–"
    size = abs(value)
    text = f"{value:,.2f}" if size >= 0.095 or size == 0 else f"{value:.3g}"
    return text.replace("-", "−")


def in_parts(text: str) -> list[tuple[bool, str]]:
    """Part a text into tables, whose lines have gaps between columns, and the sentences about them.

    Gives whether a part is a table, whose lines must not be broken, and the part.
    """
    lines = groupby(in_page_words(text).splitlines(), lambda line: re.search(r"\S {2,}\S", line) is not None)
    return [(is_table, "\n".join(part)) for is_table, part in lines]


def run_line(run: Run) -> str:
    """A run's mixed model in one line."""
    return one_line(run.state.known.mixed().splitlines()[0])


def run_deviance(run: Run) -> str:
    """A run's deviance and number of parameters."""
    if isinstance(run.fit, PooledEstimates):
        return f"{run.fit.m} data sets"
    if isinstance(run.fit, PQLEstimates):
        return "quasi-likelihood: no deviance"
    return f"deviance {run.fit.deviance:.2f}, {run.fit.n_parameters} parameters"
