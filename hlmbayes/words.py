"""Plain words for names and numbers in messages and results."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from math import isfinite
from typing import Any

LONGEST = 2000  # letters of a message


def composed(text: str) -> str:
    """Give text with every accent inside its letter (NFC): Macs write them behind it, Windows does not."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def decoded(raw: bytes) -> str:
    """Give the text of bytes: UTF-8, else the Windows code page, else Latin-1, where no two bytes are one."""
    for encoding in ("utf-8", "cp1252"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return raw.decode("latin-1")


def nearest(name: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate most like `name`, whatever its case, or None if none is like it."""
    import difflib

    folded = {candidate.casefold(): candidate for candidate in candidates}
    close = difflib.get_close_matches(name.casefold(), folded, n=1)
    return folded[close[0]] if close else None


def some(values: Iterable[Any], limit: int = 8) -> str:
    """'1224, 1288, 1296 and 4 more'; 'none' for nothing."""
    shown = [str(value) for value in values]
    rest = len(shown) - limit
    return (", ".join(shown[:limit]) + (f" and {rest} more" if rest > 0 else "")) or "none"


def safe_name(name: str, *, longest: int = 120, extra: str = "", first: str = "", ascii: bool = False) -> str:
    """Give a name that files, formats and trees allow: letters, digits and _, beginning with a letter.

    One that is allowed stays as it is. It may have ``longest`` bytes, the characters ``extra`` besides, begin
    with those of ``first`` too; ``ascii`` allows letters without accents only.
    """
    name = unicodedata.normalize("NFKD" if ascii else "NFC", name)
    name = re.sub("[\u0300-\u036f]", "", name) if ascii else name
    name = re.sub(rf"[^\w{extra}]", "_", name, flags=re.ASCII if ascii else re.UNICODE)
    begins = name[:1].isalpha() or (name and name[0] in first)
    return cut_bytes(name if begins else f"v{name}", longest)


def cut_bytes(text: str, most: int) -> str:
    """Cut text to so many bytes of UTF-8."""
    return text.encode()[:most].decode(errors="ignore").rstrip()


def unique_name(name: str, taken: Iterable[str], longest: int | None = None) -> str:
    """Return the name, its end replaced by a number if it (or it cut to ``longest``) is taken."""
    used = {other.lower() for other in taken}
    longest = longest or max(8, len(name))  # HLM's names have eight letters
    candidate, number = name[:longest], 1
    while candidate.lower() in used:
        number += 1
        candidate = name[: longest - len(str(number))] + str(number)
    return candidate


def plain(text: str) -> str:
    """Show what a terminal would obey (escapes, marks that turn the direction of writing) as ``\\x1b``."""
    orders = "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]"
    return re.sub(orders, lambda found: ascii(found[0])[1:-1], text)


def one_line(text: str) -> str:
    """Put text on one line of bounded length: of a longer one the middle is left out."""
    line = " ".join(part.strip() for part in text.splitlines())
    return line if len(line) <= LONGEST else f"{line[: LONGEST // 2]} ... {line[-LONGEST // 2 :]}"


def p_text(p: float) -> str:
    """Give a p-value as a reader wants it."""
    if not isfinite(p):
        return "p not available"
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
