"""Plain words for names and numbers in messages and results."""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite
from typing import Any


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


def p_text(p: float) -> str:
    """Give a p-value as a reader wants it."""
    if not isfinite(p):
        return "p not available"
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
