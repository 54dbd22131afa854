"""Results as a listing, a page, or JSON: `tables.Tables` holds what is printed, the rest prints it.

The functions here are what `Fit.listing`, `Fit.to_json`, `Fit.to_html` and a notebook call. `collect` and
`asked` fill the tables (`specification`, `remarks`, `hlm_p_values`); `text` (`layout`, `notes`), `html`
(`html_parts`, `style`, `symbols`) and `json_text` print them; `pooled` is for imputed data,
`posterior_report` for draws. Figures: `level1_plots`, `level2_plots`, `model_graphs`, `posterior_plots` in
one `plot_style`; `figure_set` draws all of a fit.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..estimation.estimates import Estimates
    from .tables import Tables


def report_tables(fit: Estimates, **run: Any) -> Tables:
    """Return the values a report of `fit` prints, the exact optimum beside HLM's answer.

    Parameters
    ----------
    fit : Estimates
    **run
        Fields of `hlmbayes.report.collect.Run`: title, full_output, ...
    """
    from .collect import Run, tables

    return tables(fit, replace(Run(), **run), companion(fit))


def companion(fit: Estimates) -> Estimates | None:
    """Return the exact fit of the same model and data; None where `fit` is exact or it cannot be had."""
    from ..errors import EstimationError
    from ..estimation.estimate import fit as estimate

    if fit.algorithm == "exact":
        return None
    data = fit.design.moments if fit.weighting is not None or fit.data is None else fit.data
    try:
        return estimate(fit.model, data, method=fit.method)
    except EstimationError:
        return None


def listing(fit: Estimates, **run: Any) -> str:
    """Return HLM's listing as text."""
    from .text import listing as text

    return text(report_tables(fit, **run))


def to_json(fit: Estimates, **run: Any) -> str:
    """Return the results as JSON text."""
    from .json_text import text

    return text(report_tables(fit, **run))


def to_html(fit: Estimates, *, whole_page: bool = True, **run: Any) -> str:
    """Return the results as an HTML page, or as the part of one that a notebook shows."""
    from .html import fragment, page

    tables = report_tables(fit, **run)
    return page(tables) if whole_page else fragment(tables)
