"""HLM's plain symbols (B0, G01, U0) and equations in the book's Greek, as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from .tables import Header, Level1Term

GREEK = {"B": "β", "G": "γ", "U": "u", "R": "r", "d": "δ"}
SPOKEN = {"none": "{}", "group": "({} − mean<sub>j</sub>)", "grand": "({} − mean)"}


def symbol_html(symbol: str, index: str = "") -> str:
    """Return G01 as γ with its digits as a subscript, `index` (j, ij) after them."""
    digits = symbol[1:] + index
    return f"<i>{GREEK[symbol[0]]}</i>" + (f"<sub>{digits}</sub>" if digits else "")


def equations_html(header: Header, left: str = "", before: Sequence[str] = (), after: str = "") -> str:
    """Return the level-1 and level-2 equations.

    Of an outcome that is not normal ``left`` is the left side, without r; lines ``before`` it say how the
    outcome is distributed, one ``after`` what its variance is.
    """
    named = [(c, c.variable if c.slope else "") for c in header.coefficients]
    level1 = [_times(symbol_html(c.symbol, "j"), name, c.centering) for c, name in named]
    residual = [] if left else [symbol_html("R", "ij")]
    lines = [
        '<p class="level">Level 1</p>',
        *(f"<p>{escape(line)}</p>" for line in before),
        f"<p>{escape(left or header.outcome)} = {' + '.join([*level1, *residual])}</p>",
        '<p class="level">Level 2</p>',
        *(f"<p>{_level2(c)}</p>" for c in header.coefficients),
        *([f"<p>{escape(header.tau)}</p>"] if header.tau else []),
        *([_variance(header)] if header.heterogeneous and not left else []),
        *(f"<p>{' = '.join(symbol_html(name) for name in names)}</p>" for names in header.constraints),
        *([f"<p>{escape(after)}</p>"] if after else []),
    ]
    return f'<div class="equations" tabindex="0">{"".join(lines)}</div>'


def mixed_html(header: Header) -> str:
    """Return the combined model."""
    *fixed, random = header.mixed_terms
    terms = [_times(symbol_html(symbol, ""), of, "none") for row in fixed for symbol, of in row]
    terms += [_times(symbol_html(symbol, "j"), of, "none") for symbol, of in random]
    right = " + ".join([*terms, symbol_html("R", "ij")])
    lines = f'<p class="level">Mixed model</p><p>{escape(header.outcome)} = {right}</p>'
    return f'<div class="equations" tabindex="0">{lines}</div>'


def _level2(coefficient: Level1Term) -> str:
    named = [(t, "" if t.name == "INTRCPT2" else t.name) for t in coefficient.terms]
    terms = [_times(symbol_html(t.gamma), name, t.centering) for t, name in named]
    terms += [symbol_html(coefficient.effect, "j")] if coefficient.random else []
    return f"{symbol_html(coefficient.symbol, 'j')} = {' + '.join(terms)}"


def _variance(header: Header) -> str:
    names = enumerate(header.sigma2_variables, 1)
    terms = "".join(f" + <i>α</i><sub>{k}</sub> {escape(name)}" for k, name in names)
    return f'<p class="level">Level-1 variance</p><p>log σ² = <i>α</i><sub>0</sub>{terms}</p>'


def _times(symbol: str, variable: str, centering: str) -> str:
    return f"{symbol} {SPOKEN[centering].format(escape(variable))}" if variable else symbol
