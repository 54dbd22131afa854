"""What a command says, writes and returns."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..words import plain
from ..writing import write_text

if TYPE_CHECKING:
    from ..runs.outputs import Results

DONE, WRONG_INPUT, BUG, INTERRUPTED = 0, 2, 3, 130  # exit status


LONGEST = 2000  # letters of a message; of a longer one the middle is left out


def complain(kind: str, text: str) -> None:
    """Print one line of bounded length on stderr, whatever line breaks the text has."""
    line = plain(" ".join(text.split()))
    if len(line) > LONGEST:
        line = f"{line[: LONGEST // 2]} ... {line[-LONGEST // 2 :]}"
    print(f"hlmbayes: {kind}: {line}", file=sys.stderr)


def put(place: str, make: Callable[[], str]) -> None:
    """Write text to a file, or to the screen for ``-``."""
    if place == "-":
        sys.stdout.write(plain(make()))
    else:
        write_text(Path(place), make())


def write(args: argparse.Namespace, results: Results) -> int:
    """Say and write what is wanted; what fails loses nothing else, its error is raised when all is done."""
    for kind, sentence in results.said:
        complain(kind, sentence)
    output = args.output or (None if "-" in (args.json, args.html) else "-")
    texts = ((args.json, results.json), (args.html, results.html), (output, results.text))
    acts: list[Callable[[], object]] = [partial(put, to, make) for to, make in texts if to is not None]
    failed: list[Exception] = []
    for act in (*results.files, *acts):
        try:
            act()
        except Exception as error:
            failed.append(error)
    for other in failed[1:]:
        complain("error", str(other))
    if failed:
        raise failed[0]
    return WRONG_INPUT if any(kind == "error" for kind, _ in results.said) else DONE
