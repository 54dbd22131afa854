"""What a command says, writes and returns."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from ..words import one_line, plain
from ..writing import write_text

if TYPE_CHECKING:
    from ..runs.outputs import Results

DONE, WRONG_INPUT, BUG, INTERRUPTED = 0, 2, 3, 130  # exit status

STOPPED = threading.Event()  # Ctrl-C was pressed


def complain(kind: str, text: str) -> None:
    """Print one line of bounded length on stderr, whatever line breaks the text has."""
    with suppress(OSError):  # what nobody can read is no reason to stop
        print(f"hlmbayes: {kind}: {plain(one_line(text))}", file=sys.stderr)


@contextmanager
def streams_and_interrupts() -> Iterator[None]:
    """Let what is printed without a screen (a daemon, pythonw) go nowhere, and note that Ctrl-C was pressed.

    A library may swallow the exception, or make another of it.
    """

    def stop(*_: object) -> NoReturn:
        STOPPED.set()
        raise KeyboardInterrupt

    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - for good
    STOPPED.clear()
    ours = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGINT, stop) if ours else None
    try:
        yield
    finally:
        if before is not None:
            signal.signal(signal.SIGINT, before)


def put(place: str, make: Callable[[], str]) -> None:
    """Write text to a file, or to the screen for ``-``."""
    if place == "-":
        sys.stdout.write(plain(make()))
    else:
        write_text(Path(place), make())


def write(args: argparse.Namespace, results: Results) -> int:
    """Say and write what is wanted; what fails loses nothing else, its error is raised when all is done."""
    if STOPPED.is_set():
        raise KeyboardInterrupt
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
