"""What a command says, writes and returns."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import CommandFileError

if TYPE_CHECKING:
    from ..runs.results import Results

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


def write(args: argparse.Namespace, results: Results) -> None:
    """Say what is to say; write JSON, page and text to where they are wanted."""
    for kind, sentence in results.said:
        complain(kind, sentence)
    if args.json is not None:
        put(args.json, results.json())
    if args.html is not None:
        put(args.html, results.html())
    if args.output is not None or "-" not in (args.json, args.html):
        put(args.output or "-", results.text())
