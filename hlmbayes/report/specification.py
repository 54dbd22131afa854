"""The first part of the listing: the specification of the run."""

from __future__ import annotations

from .layout import SHORT_RULE, name_width
from .tables import Header, Level1Term, Level2Term

METHODS = {"REML": "restricted maximum likelihood", "ML": "full maximum likelihood"}


def specification(header: Header) -> list[str]:
    """Return the lines from SPECIFICATIONS to the end of the equations."""
    return [
        "  SPECIFICATIONS FOR THIS HLM2 RUN",
        "",
        f"  Problem Title: {header.title}",
        "",
        f"  The data source for this run  = {header.data_source}",
        f"  The command file for this run = {header.command_file}",
        f"  Output file name              = {header.output_file}",
        f"  The maximum number of level-1 units = {header.n_rows_in_data or header.n_rows}",
        f"  The maximum number of level-2 units = {header.n_units}",
        f"  The maximum number of iterations = {header.max_iterations}",
        f"  Method of estimation: {METHODS[header.method]}",
        "",
        *_weighting(header),
        "",
        f"  The outcome variable is  {header.outcome:<8}   ",
        "",
        *_fixed_specification(header),
        *_covariance_specification(header),
        *_equations(header),
    ]


def _weighting(header: Header) -> list[str]:
    rows = []
    for weight in header.weights:
        row = f" {weight.level:<9}{'yes' if weight.variable else 'no':>8}       "
        if weight.variable:
            row += f"{weight.variable:<12}{'yes' if weight.normalized else 'no'}"
        rows.append(row)
    return [
        " Weighting Specification",
        " -----------------------",
        "                         Weight",
        "                         Variable",
        "            Weighting?   Name        Normalized?",
        *rows,
    ]


def _fixed_specification(header: Header) -> list[str]:
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
    for coefficient in header.coefficients:
        left = f"{_marks(coefficient)}{coefficient.label:>{width + 7}}, {coefficient.symbol}"
        for term in coefficient.terms or (None,):
            lines.append(_specification_line(left, term, width))
            left = " " * len(left)
    return [*lines, "", *_legend(header)]


def _specification_line(left: str, term: Level2Term | None, width: int) -> str:
    if term is None:
        return left
    mark = "$" if term.centering == "grand" else " "
    return f"{left}    {mark} {term.name:>{width}}, {term.gamma}   "


def _marks(coefficient: Level1Term) -> str:
    fixed = " " if coefficient.random else "#"
    return fixed + {"none": " ", "group": "*", "grand": "%"}[coefficient.centering]


def _legend(header: Header) -> list[str]:
    level2 = {term.centering for c in header.coefficients for term in c.terms}
    level1 = {c.centering for c in header.coefficients}
    lines = []
    if any(not c.random for c in header.coefficients):
        lines += [
            "'#' - The residual parameter variance for this level-1 coefficient has been set",
            "      to zero.",
        ]
    if "group" in level1:
        lines.append("'*' - This level-1 predictor has been centered around its group mean.")
    if "grand" in level1:
        lines.append("'%' - This level-1 predictor has been centered around its grand mean.")
    if "grand" in level2:
        lines.append("'$' - This level-2 predictor has been centered around its grand mean.")
    return [*lines, ""] if lines else []


def _covariance_specification(header: Header) -> list[str]:
    sigma2 = "constant across level-2 units"
    if header.heterogeneous:
        sigma2 = (
            f"depends on {', '.join(header.sigma2_variables)}" if header.sigma2_variables else "exp(alpha0)"
        )
    width = name_width(header)
    dimensions = [f"{'':15}{c.variable:>{width}}{' slope' if c.slope else ''}" for c in header.random]
    return [
        " The model specified for the covariance components was:",
        " " + "-" * 57,
        "",
        f"         Sigma squared ({sigma2})",
        "",
        *(["         Tau dimensions", *dimensions] if dimensions else ["         No random level-2 effects"]),
        "",
    ]


def _equations(header: Header) -> list[str]:
    level1 = " + ".join(f"{c.symbol}*({c.variable})" if c.slope else c.symbol for c in header.coefficients)
    lines = [
        " Summary of the model specified (in equation format)",
        " " + "-" * 51,
        "",
        "Level-1 Model",
        "",
        *_wrapped(f"Y = {level1} + R"),
        "",
        "Level-2 Model",
    ]
    for coefficient in header.coefficients:
        lines += _wrapped(_level2_equation(coefficient))
    for names in header.constraints:
        lines += ["", "\t" + " = ".join(f"{name[1:]}G" for name in names)]
    return lines


def _level2_equation(coefficient: Level1Term) -> str:
    terms = [t.gamma if t.name == "INTRCPT2" else f"{t.gamma}*({t.name})" for t in coefficient.terms]
    if coefficient.random:
        terms.append(coefficient.effect)
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
