"""Results as a listing, a page, or JSON: `tables.Tables` holds what is printed, the rest prints it.

The functions here are what `Fit.listing`, `Fit.to_json`, `Fit.to_html` and a notebook call. `collect` fills
the tables (`header`, `specification`, `remarks`, `hlm_p_values`); `text` (`layout`, `notes`), `html`
(`html_parts`, `style`, `symbols`) and `json_text` print them; `findings` (`sentences`) is what
`report_page` says beyond them; `pooled` is for imputed data,
`posterior_report` for draws.
"""

from __future__ import annotations

from typing import Any

from ..arguments import accepted
from ..errors import EstimationError
from ..estimation.estimate import fit as estimate
from ..estimation.estimates import Estimates
from ..laws.counting import ONCE
from . import collect, html, json_text, text
from .header import Run
from .tables import Tables


def report_tables(fit: Estimates, **run: Any) -> Tables:
    """Return the values a report of `fit` prints, the exact optimum beside HLM's answer.

    Parameters
    ----------
    fit : Estimates
    **run
        Fields of `hlmbayes.report.header.Run`: title, full_output, ...
    """
    return collect.tables(fit, Run(**accepted(Run, run, "listing")), companion(fit))


def companion(fit: Estimates) -> Estimates | None:
    """Return the exact fit of the same model and data; None where `fit` is exact or it cannot be had."""
    if fit.algorithm == "exact":
        return None
    data = fit.design.moments if fit.data is None or fit.counting != ONCE else fit.data
    try:
        return estimate(fit.model, data, method=fit.method)
    except EstimationError:
        return None


def listing(fit: Estimates, **run: Any) -> str:
    """Return HLM's listing as text."""
    return text.listing(report_tables(fit, **run))


def to_json(fit: Estimates, **run: Any) -> str:
    """Return the results as JSON text."""
    from .findings import findings  # all that the page says: a listing starts without it

    return json_text.text(report_tables(fit, **run), findings(fit))


def to_html(fit: Estimates, *, whole_page: bool = True, **run: Any) -> str:
    """Return the results as an HTML page, or as the part of one that a notebook shows."""
    found = report_tables(fit, **run)
    return html.page(found) if whole_page else html.fragment(found)
