"""What a command says, writes and returns."""

from __future__ import annotations

import sys
from pathlib import Path

from ..errors import CommandFileError

DONE, WRONG_INPUT, BUG, INTERRUPTED = 0, 2, 3, 130  # exit status


def complain(kind: str, text: str) -> None:
    """Print one line on stderr, whatever line breaks the text has."""
    print(f"hlmbayes: {kind}: {' '.join(text.split())}", file=sys.stderr)


def put(place: str, text: str) -> None:
    """Write text to a file, or to the screen for ``-``."""
    if place == "-":
        sys.stdout.write(text)
        return
    try:
        Path(place).write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandFileError(f"{place} cannot be written: {error.strerror or error}") from None
