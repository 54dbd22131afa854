"""The first part of the listing: the specification of the run."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from .layout import SHORT_RULE, name_width, symbols
from .tables import Header, Level1Term

METHODS = {"REML": "restricted maximum likelihood", "ML": "full maximum likelihood"}


def specification_of(header: Header) -> list[str]:
    """Return the lines down to the end of the equations, as the header's version of HLM has them."""
    return specification(header) if header.hlm == "6" else specification7(header)


def specification(header: Header) -> list[str]:
    """Return HLM 6's lines from SPECIFICATIONS to the end of the equations."""
    return [
        "  SPECIFICATIONS FOR THIS HLM2 RUN",
        "",
        *_run(header),
        *weighting(header),
        "",
        f"  The outcome variable is  {header.outcome:<8}   ",
        "",
        *fixed_specification(header),
        *_covariance_specification(header),
        *_equations(header),
    ]


def specification7(header: Header) -> list[str]:
    """Return HLM 7's: equations with what is centred, and the mixed model; weights where there are any."""
    weighted = any(weight.variable for weight in header.weights)
    return [
        "  Specifications for this HLM2 run",
        "",
        *_run(header),
        *([*weighting(header), ""] if weighted else []),
        f"  The outcome variable is  {header.outcome}",
        "",
        " Summary of the model specified",
        " " + "-" * 30,
        "",
        *models(header, header.outcome, small=True),
        "",
        *([*_centred(header), ""] if _centred(header) else []),
        *(["\t" + line for line in (*textwrap.wrap(header.tau, 68), "")] if header.tau else []),
        "Mixed Model",
        "",
        *_mixed(header),
    ]


def _run(header: Header) -> list[str]:
    return [
        *sources(header),
        f"  The maximum number of iterations = {header.max_iterations}",
        f"  Method of estimation: {METHODS[header.method]}",
        "",
    ]


def sources(header: Header) -> list[str]:
    """Return the title, the files and the sizes of a run."""
    return [
        f"  Problem Title: {header.title}",
        "",
        f"  The data source for this run  = {header.data_source}",
        f"  The command file for this run = {header.command_file}",
        f"  Output file name              = {header.output_file}",
        f"  The maximum number of level-1 units = {header.n_rows_in_data or header.n_rows}",
        f"  The maximum number of level-2 units = {header.n_units}",
    ]


def weighting(header: Header) -> list[str]:
    """Return the table of weights."""
    rows = []
    for weight in header.weights:
        row = f" {weight.level:<9}{'yes' if weight.variable else 'no':>8}       "
        if weight.variable:
            row += f"{weight.variable:<12}{'yes' if weight.normalized else 'no'}"
        rows.append(row)
    heads = [f"{'':25}Weight", f"{'':25}Variable", "            Weighting?   Name        Normalized?"]
    return [" Weighting Specification", " " + "-" * 23, *heads, *rows]


def fixed_specification(header: Header) -> list[str]:
    """Return the coefficients with their level-2 predictors, and what their marks mean."""
    width = name_width(header)
    pad = width - 8
    lines = [
        "  The model specified for the fixed effects was:",
        SHORT_RULE,
        "",
        f"   Level-1{'':{pad}}                  Level-2",
        f"   Coefficients{'':{pad}}             Predictors",
        f" {'-' * (22 + pad)}   {'-' * (15 + pad)}",
    ]
    own = symbols(c.symbol for c in header.coefficients)
    for coefficient, symbol in zip(header.coefficients, own, strict=True):
        left = f"{_marks(coefficient)}{coefficient.label:>{width + 7}}, {symbol}"
        for term in coefficient.terms:
            mark = "$" if term.centering == "grand" else " "
            lines.append(f"{left}    {mark} {term.name:>{width}}, {term.gamma}   ")
            left = " " * len(left)
        lines += [] if coefficient.terms else [left]
    return [*lines, "", *_legend(header)]


def _marks(coefficient: Level1Term) -> str:
    fixed = " " if coefficient.random else "#"
    return fixed + {"none": " ", "group": "*", "grand": "%"}[coefficient.centering]


def _legend(header: Header) -> list[str]:
    used = {(1, c.centering) for c in header.coefficients}
    used |= {(2, term.centering) for c in header.coefficients for term in c.terms}
    lines = [
        f"'{mark}' - This level-{level} predictor has been centered around its {mean} mean."
        for mark, level, mean in (("*", 1, "group"), ("%", 1, "grand"), ("$", 2, "grand"))
        if (level, mean) in used
    ]
    if any(not c.random for c in header.coefficients):
        fixed = "'#' - The residual parameter variance for this level-1 coefficient has been set"
        lines = [fixed, "      to zero.", *lines]
    return [*lines, ""] if lines else []


def _covariance_specification(header: Header) -> list[str]:
    names = ", ".join(header.sigma2_variables)
    varying = f"depends on {names}" if names else "exp(alpha0)"
    sigma2 = varying if header.heterogeneous else "constant across level-2 units"
    return covariance_specification(header, [f"         Sigma squared ({sigma2})", ""])


def covariance_specification(header: Header, level1: Sequence[str]) -> list[str]:
    """Return what the covariance components are, ``level1`` the lines of level 1."""
    width = name_width(header)
    several = len({c.label for c in header.random}) < len(header.random)  # each category has its own
    symbols_of = [f", {c.symbol}" if several else "" for c in header.random]
    dimensions = [
        f"{'':15}{c.variable:>{width}}{' slope' if c.slope else ''}{symbol}"
        for c, symbol in zip(header.random, symbols_of, strict=True)
    ]
    words = f"{header.tau[:1].upper()}{header.tau[1:]}"
    dimensions += textwrap.wrap(words, 76, initial_indent=" " * 9, subsequent_indent=" " * 9)
    return [
        " The model specified for the covariance components was:",
        " " + "-" * 57,
        "",
        *level1,
        *(["         Tau dimensions", *dimensions] if dimensions else [f"{'':9}No random level-2 effects"]),
        "",
    ]


def _equations(header: Header) -> list[str]:
    heading = [" Summary of the model specified (in equation format)", " " + "-" * 51, ""]
    return [*heading, *models(header, "Y", small=False)]


def models(header: Header, left: str, small: bool) -> list[str]:
    """Return the equations of both levels; ``small``: random effects are u0 and r."""
    return [*level1_model(header, left, "r" if small else "R"), *level2_model(header, small)]


def level1_model(header: Header, left: str, residual: str = "", before: Sequence[str] = ()) -> list[str]:
    """Return the level-1 equation, lines that say how the outcome is distributed ``before`` it."""
    terms = [f"{c.symbol}*({c.variable})" if c.slope else c.symbol for c in header.coefficients]
    right = " + ".join([*terms, *([residual] if residual else [])])
    lines = [line for text in before for line in ("\t" + text, "")]
    return ["Level-1 Model", "", *lines, *_wrapped(f"{left} = {right}"), ""]


def level2_model(header: Header, small: bool) -> list[str]:
    """Return the level-2 equations and the constraints."""
    lines = ["Level-2 Model", *([""] if small else [])]
    for coefficient in header.coefficients:
        lines += _wrapped(_level2_equation(coefficient, small))
    for names in header.constraints:
        lines += ["", "\t" + " = ".join(f"{name[1:]}G" for name in names)]
    return lines


def _centred(header: Header) -> list[str]:
    """Say in a line each which variables are centred."""
    level1 = [(c.variable, c.centering) for c in header.coefficients]
    level2 = [(t.name, t.centering) for c in header.coefficients for t in c.terms]
    return [
        f"{name} has been centered around the {how} mean."
        for name, how in dict.fromkeys((*level1, *level2))
        if how != "none"
    ]


def _mixed(header: Header) -> list[str]:
    """Return the combined model, a line a level-1 coefficient and one for what is random."""
    *fixed, random = header.mixed_terms
    groups = [[f"{symbol}*{of}" if of else symbol for symbol, of in terms] for terms in fixed if terms]
    groups.append([*(f"{symbol.lower()}*{of}" if of else symbol.lower() for symbol, of in random), "r"])
    first, *rest = [" + ".join(terms) for terms in groups]
    lines = _wrapped(f"{header.outcome} = {first}")
    return [*lines, *(line.replace("\t", "\t    ", 1) for text in rest for line in _wrapped(f"+ {text}", 64))]


def _level2_equation(coefficient: Level1Term, small: bool) -> str:
    terms = [t.gamma if t.name == "INTRCPT2" else f"{t.gamma}*({t.name})" for t in coefficient.terms]
    effect = coefficient.effect.lower() if small else coefficient.effect
    terms += [effect] if coefficient.random else []
    return f"{coefficient.symbol} = {' + '.join(terms)}"


def _wrapped(equation: str, width: int = 68) -> list[str]:
    """Break a long equation before a plus sign; the continuation is indented."""
    lines, current = [], ""
    for position, term in enumerate(equation.split(" + ")):
        piece = term if position == 0 else f" + {term}"
        if current and len(current) + len(piece) > width:
            lines.append(current)
            piece = f"    {piece.lstrip()}"
            current = ""
        current += piece
    return ["\t" + line for line in [*lines, current]]
