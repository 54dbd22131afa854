"""The names of equations (b1, g10, u1, r) and of variables: which is which, and how a variable is quoted."""

from __future__ import annotations

import re
from functools import lru_cache

NAME = r"[^\W\d][\w.@$]*"
LABEL = r"\[[\w.-]+(?:,[\w.-]+)?\]"  # of a factor's column, of a category, or both: b1[general,2]
LABELS = r"\[[\w.-]+(?:,[\w.-]+){0,2}\]"  # of a fixed effect: of level 1, of a category, of level 2
SYMBOLS = {
    "b": re.compile(rf"(?:beta|b|β)_?(0|[1-9][0-9]{{0,2}})(?:_?i?j)?({LABEL})?", re.IGNORECASE),
    "g": re.compile(rf"(?:gamma|g|γ)_?([0-9]{{1,6}}|[0-9]{{1,3}}_[0-9]{{1,3}})({LABELS})?", re.IGNORECASE),
    "u": re.compile(rf"u_?(0|[1-9][0-9]{{0,2}})(?:_?j)?({LABEL})?", re.IGNORECASE),
    "r": re.compile(r"r(?:_?ij)?", re.IGNORECASE),
}
ALPHA = re.compile(rf"(?:alpha|a|α)_?(0|[1-9][0-9]{{0,2}})({LABEL})?", re.IGNORECASE)  # in log(sigma2) alone
CENTERING = ("group", "grand")


@lru_cache(maxsize=1024)  # a name is asked for some five times while an equation is read
def symbol_of(text: str) -> tuple[str, str] | None:
    """Kind and number of a name with a meaning of its own: ("b", "1") of b1, ("u", "1[x]") of u1[x]."""
    for kind, pattern in SYMBOLS.items():
        match = pattern.fullmatch(text)
        if match:
            return kind, f"{match[1]}{(match[2] or '').casefold()}" if kind in "bu" else ""
    return None


def is_plain_name(name: str) -> bool:
    """Whether a variable name can stand in an equation without backticks."""
    if not re.fullmatch(NAME, name) or name.casefold() in (*CENTERING, "log"):
        return False
    return symbol_of(name) is None


def quoted(name: str) -> str:
    """The name of a variable as an equation has it, in backticks where it needs them."""
    return name if is_plain_name(name) else f"`{name}`"
