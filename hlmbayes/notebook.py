"""What results show in a notebook: the sentences and tables they print, as small HTML, escaped."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

from .text_table import TextColumn
from .words import plain

STYLE = (
    "<style>.hlmbayes-shown{max-width:62rem;line-height:1.45;overflow-x:auto}"
    ".hlmbayes-shown p{margin:.25rem 0}.hlmbayes-shown pre{margin:.3rem 0;line-height:1.25}"
    ".hlmbayes-shown table{border-collapse:collapse;font-variant-numeric:tabular-nums;margin:.5rem 0}"
    ".hlmbayes-shown caption{text-align:left;font-weight:600}"
    ".hlmbayes-shown :is(td,th){padding:.15rem .6rem;text-align:right;border:0}"
    ".hlmbayes-shown thead{border-bottom:1px solid}.hlmbayes-shown .w{text-align:left;font-weight:400}"
    ".hlmbayes-shown .mean{border-top:1px solid currentColor}</style>"
)


def shown(*parts: str) -> str:
    """Put parts, which are HTML, into what a notebook shows."""
    return f'<div class="hlmbayes-shown">{STYLE}{"".join(parts)}</div>'


def sentences(text: str) -> str:
    """Set text as paragraphs, a line each; as it stands where columns are lined up by spaces."""
    text = plain(text).strip("\n")
    if re.search(r"\S {3,}\S|^ {2,}\S", text, re.MULTILINE):
        return f"<pre>{escape(text)}</pre>"
    return "".join(f"<p>{escape(true_minus(line))}</p>" for line in text.split("\n") if line.strip())


def tabled(columns: Iterable[TextColumn], caption: str = "") -> str:
    """Set columns as a table, their heads above; words stand at the left."""
    columns = list(columns)
    heads, *rows = zip(*(column.texts for column in columns), strict=True)
    kinds = [' class="w"' if column.words else "" for column in columns]
    top = _row("th", heads, kinds)
    body = "".join(_row("td", row, kinds) for row in rows)
    above = f"<caption>{escape(plain(caption))}</caption>" if caption else ""
    return f"<table>{above}<thead>{top}</thead><tbody>{body}</tbody></table>"


def listed(pairs: Iterable[tuple[str, str]]) -> str:
    """Set words and what is said of each."""
    rows = (f"<p><b>{escape(plain(word))}</b> {escape(true_minus(plain(says)))}</p>" for word, says in pairs)
    return "".join(rows)


def true_minus(text: str) -> str:
    """Put minus signs, not hyphens, before numbers; none before a zero."""
    text = re.sub(r"^-(?=[0.]+$)", "", text)
    return re.sub(r"(?<![\w.)-])-(?=\.?\d)", "\N{MINUS SIGN}", text)


def _row(tag: str, cells: Sequence[str], kinds: Sequence[str]) -> str:
    each = zip(("" if cell == "nan" else cell for cell in cells), kinds, strict=True)
    return f"<tr>{''.join(f'<{tag}{k}>{escape(true_minus(plain(c)))}</{tag}>' for c, k in each)}</tr>"
