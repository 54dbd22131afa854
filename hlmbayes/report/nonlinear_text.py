"""HLM 6's listing of a model whose outcome is not normal, as text: a pure function of `Nonlinear`."""

from __future__ import annotations

from collections.abc import Sequence

from ..equations.model import OutcomeLaw
from .layout import Column, figure, matrix, number
from .nonlinear_tables import Effects, Nonlinear, RatioRow
from .notes import notes_section
from .specification import (
    covariance_specification,
    fixed_specification,
    level1_model,
    level2_model,
    sources,
    weighting,
)
from .tables import Header
from .text import effects_set_out, fixed_table, likelihood_at, reliabilities, tau, tests, variance_components

PQL = {"REML": "restricted PQL", "ML": "full PQL"}
LINKS = {
    "logit": "log[P/(1-P)]",
    "probit": "probit(P)",
    "cloglog": "log[-log(1-P)]",
    "log": "log[L]",
    "cumlogit": "log[P(m)/(1-P(m))]",
    "mlogit": "log[P(m)/P(M)]",
}
LINK_NAMES = {"cumlogit": "CUMULATIVE LOGIT", "mlogit": "MULTINOMIAL LOGIT"}


def listing(found: Nonlinear) -> str:
    """Return the whole listing, HLM's part first, then the section "Notes by hlmbayes"."""
    return "\n".join([*hlm_part(found), "", *notes_section(found.tables), ""])


def hlm_part(found: Nonlinear) -> list[str]:
    """Return the lines that HLM itself would print."""
    tables, header = found.tables, found.tables.header
    results = (
        "RESULTS FOR NON-LINEAR MODEL WITH THE "
        f"{LINK_NAMES.get(found.law.link, found.law.link.upper())} LINK FUNCTION"
    )
    lines = [*_specification(found), ""]
    if header.n_rows_in_data is not None and header.n_rows_in_data != header.n_rows:
        lines += [f"Run-time deletion has reduced the number of level-1 records to {header.n_rows}", ""]
    lines += _log(found) if tables.full_output else []
    lines += [
        tables.stop_line, "", results, f"Unit-Specific Model (macro iteration {len(found.macro)})", "",
    ]  # fmt: skip
    if found.law.overdispersed:
        lines += [f" Sigma_squared ={number(tables.sigma2, 13, 5)}", ""]
    lines += [*tau(tables), *reliabilities(tables)] if header.random else []
    lines += [likelihood_at(header, tables.iteration, tables.loglik), ""]
    lines += _effects(found, found.unit_specific, "Unit-specific model")
    lines += [*variance_components(tables), *tests(tables), ""]
    if found.population_average is not None:
        lines += [results, "Population-Average Model", ""]
        lines += _effects(found, found.population_average, "Population-average model")
    return [*lines, *_laplace(found)]


# ----------------------------------------------------------------------------- specification


def _specification(found: Nonlinear) -> list[str]:
    header, law, last = found.tables.header, found.law, last_line(found)
    return [
        "  SPECIFICATIONS FOR THIS NONLINEAR HLM2 RUN",
        "",
        *sources(header),
        f"  The maximum number of macro iterations = {found.most_macro}",
        f"  Method of estimation: {PQL[header.method]}",
        "",
        f"  Distribution at Level-1: {distribution(found)}",
        "",
        *weighting(header),
        "",
        f"  The outcome variable is  {header.outcome:<8}   ",
        "",
        *fixed_specification(found.written),
        *covariance_specification(header, []),
        " Summary of the model specified (in equation format)",
        " " + "-" * 51,
        "",
        *level1_model(found.written, LINKS[law.link], "d(m)" if law.is_ordinal else "", sampling(law)),
        *level2_model(found.written, small=False),
        *(["", last] if last else []),
    ]


def distribution(found: Nonlinear) -> str:
    """Name the distribution of the rows, as the listing does."""
    law = found.law
    if not law.has_mean:
        return f"{law.name.capitalize()} (categories {', '.join(found.categories)})"
    what = {
        "bernoulli": "Bernoulli",
        "binomial": f"Binomial (number of trials: {law.size})",
        "poisson": "Poisson (constant exposure)" if law.size is None else f"Poisson (exposure: {law.size})",
    }[law.family]
    return f"{what}, overdispersed" if law.overdispersed else what


def sampling(law: OutcomeLaw) -> list[str]:
    """Return the sampling model, a line each: Prob(Y=1|B) = P."""
    if not law.has_mean:
        return [f"Prob(Y{'=' if law.by_category else '<='}m|B) = P(m)"]
    if law.family == "bernoulli":
        return ["Prob(Y=1|B) = P"]
    if law.family == "binomial":
        return [f"E(Y|B) = {law.size}*P"]
    return ["E(Y|B) = L"] if law.size is None else [f"E(Y|B) = {law.size}*L"]


def last_line(found: Nonlinear) -> str:
    """Return what is said after the equations: the level-1 variance, or which categories they are of."""
    if found.law.by_category:
        *others, last = found.categories
        return f"m = {', '.join(others)}; M = {last}, the reference"
    return variance(found.law) if found.law.has_mean else ""


def variance(law: OutcomeLaw) -> str:
    """Return the line of the level-1 variance: of the working outcome with the usual link, else of Y."""
    scale = "Sigma_squared" if law.overdispersed else "1"
    if law.family == "poisson":
        return f"Level-1 variance = {scale}/{'L' if law.size is None else f'[{law.size}*L]'}"
    size = "" if law.size is None else f"{law.size}*"
    if law.link == "logit":
        return f"Level-1 variance = {scale}/[{size}P(1-P)]"
    scale = f"{scale}*" if law.overdispersed else ""
    return f"Level-1 variance of Y = {scale}{size}P(1-P)"


# ----------------------------------------------------------------------------- results


def _log(found: Nonlinear) -> list[str]:
    """Return a line for each macro iteration: printed with fulloutput:y."""
    lines = [
        f"Macro iteration {row.number}: {row.micro} micro iterations, change of the linear predictor "
        f"{row.change:.3e}, Tau diagonal {' '.join(figure(row.tau[k][k], 5) for k in range(len(row.tau)))}"
        for row in found.macro
    ]
    return [*lines, ""]


def _effects(found: Nonlinear, effects: Effects, which: str) -> list[str]:
    """Return the tables of fixed effects of one model with both kinds of errors, each with its ratios."""
    header = found.tables.header
    if not effects.fixed:
        return [" The model has no fixed effects.", ""]
    first = [f" Final estimation of fixed effects: ({which})"]
    robust = [" Final estimation of fixed effects", f" ({which} with robust standard errors)"]
    lines: list[str] = []
    for heading, rows, ratios in (
        (first, effects.fixed, effects.ratios), (robust, effects.fixed_robust, effects.ratios_robust)
    ):  # fmt: skip
        lines += [f"The outcome variable is  {header.outcome}", "", *fixed_table(header, heading, rows), ""]
        lines += [*_ratios(header, found.ratio, ratios), ""] if ratios else []
    return lines


def _laplace(found: Nonlinear) -> list[str]:
    """Return the results of Laplace's approximation, where they were asked for."""
    by, header = found.laplace, found.tables.header
    if by is None:
        return []
    return [
        "RESULTS FOR LAPLACE APPROXIMATION OF THE LIKELIHOOD", "",
        *([" Tau", *matrix(header, by.tau), ""] if header.random else []),
        *fixed_table(header, [" Final estimation of fixed effects: (Laplace)"], by.fixed), "",
        f" Deviance                       = {by.deviance:.6f}",
        f" Number of estimated parameters = {by.n_parameters}", "",
    ]  # fmt: skip


def _ratios(header: Header, ratio: str, rows: Sequence[RatioRow]) -> list[str]:
    """Return HLM's table of odds ratios (event rate ratios) with 95 % confidence intervals."""
    first, last = ratio.title().rsplit(" ", 1)
    intervals = [f"({figure(r.low, 3)},{figure(r.high, 3)})" for r in rows]
    columns = (
        Column((f"{first}  ", f"{last}  "), 14, [figure(r.ratio, 6) for r in rows]),
        Column(("Confidence   ", "Interval    "), 20, intervals),
    )
    return effects_set_out(header, [r.row for r in rows], *columns)
