"""What the HTML pages are built of: the page around, sections, notes, tables, lists of terms."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

from ..notebook import true_minus
from .style import CSS
from .tables import NoteGroup

MOST_COLUMNS = 7  # of a table on a narrow screen


def document(title: str, main: str) -> str:
    """Return a page around its main element; the title is plain text."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n"
        "<style>:root { color-scheme: light dark } body { margin: 0; background: Canvas; color: CanvasText }"
        "</style>\n</head>\n<body>\n"
        f"{main}\n</body>\n</html>\n"
    )


def main_element(title: str, parts: Iterable[str]) -> str:
    """Return the main element of a page, its style and heading before the parts."""
    heading = ['<main class="hlmbayes">', f"<style>{CSS}</style>", f"<h1>{escape(title)}</h1>"]
    return "\n".join([*heading, *parts, "</main>"])


def section(heading: str, parts: Iterable[str]) -> str:
    """Return a section; empty parts are left out."""
    return "\n".join(["<section>", f"<h2>{heading}</h2>", *(p for p in parts if p), "</section>"])


def aside(group: NoteGroup) -> str:
    """Return a box of sentences."""
    kind, label = ("warning", "Warning: ") if group.warning else ("note", "")
    sentences = "".join(f"<p>{escape(true_minus(sentence))}</p>" for sentence in group.sentences)
    return f'<aside class="{kind}"><h3>{label}{escape(group.heading)}</h3>{sentences}</aside>'


def table(
    caption: str, head: Sequence[str], rows: Iterable[Sequence[str]], *, names: int = 1, note: str = ""
) -> str:
    """Return a table; the first `names` columns are row headings, cells ready-made HTML.

    One with more than `MOST_COLUMNS` is set as a list for each row where the screen is narrow.
    """
    kinds = ["" if k < names else ' class="n"' for k in range(len(head))]
    top = "".join(f'<th scope="col"{kind}>{h}</th>' for kind, h in zip(kinds, head, strict=True))
    body = []
    for row in rows:
        if len(row) == 1:
            body.append(f'<tr class="group"><th scope="rowgroup" colspan="{len(head)}">{row[0]}</th></tr>')
            continue
        cells = [f'<th scope="row">{cell}</th>' for cell in row[:names]]
        cells += [
            f'<td class="n" data-head="{plain_head(h)}">{cell}</td>'
            for h, cell in zip(head[names:], row[names:], strict=True)
        ]
        body.append(f"<tr>{''.join(cells)}</tr>")
    foot = f'<p class="foot">{note}</p>' if note else ""
    wide = ' class="wide"' if len(head) > MOST_COLUMNS else ""
    return (
        f'<div class="scroll" tabindex="0" role="group" aria-label="{escape(caption)}"><table{wide}>'
        f"<caption>{escape(caption)}</caption><thead><tr>{top}</tr></thead>"
        f"<tbody>{''.join(body)}</tbody></table></div>{foot}"
    )


def plain_head(head: str) -> str:
    """Return the text of a column's head, for an attribute."""
    return re.sub(r"<[^>]*>", "", head)


def labels_list(labels: Iterable[tuple[str, str]]) -> str:
    """Return the labels of variables; nothing where there are none."""
    pairs = [(escape(name), escape(label)) for name, label in labels]
    return pairs_list(pairs) if pairs else ""


def pairs_list(pairs: Iterable[tuple[str, str]]) -> str:
    """Return terms with their definitions; those without one are left out."""
    known = ((term, definition) for term, definition in pairs if definition)
    rows = "".join(f"<div><dt>{term}</dt><dd>{definition}</dd></div>" for term, definition in known)
    return f"<dl>{rows}</dl>"
