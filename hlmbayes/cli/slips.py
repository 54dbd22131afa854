"""What a slip of the command line is answered with: what was meant."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from ..data.paths import MODEL_FILES
from ..words import nearest
from .console import WRONG_INPUT, complain


class Parser(argparse.ArgumentParser):
    """A parser whose complaint about an option is one line, as every other."""

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Refuse a value that is none of those there are, with the nearest of them."""
        if action.choices is None or value in action.choices:
            return
        there = [str(choice) for choice in action.choices]
        close = nearest(str(value), there)
        hint = f"; did you mean {close}?" if close else "."
        command = isinstance(action, argparse._SubParsersAction)
        if command and Path(value).suffix.lower() in MODEL_FILES:
            hint = f"; a model is run with: hlmbayes run {value}."
        what = f"there is no {'command ' if command else ''}{value!r}{hint} There are {', '.join(there)}"
        raise argparse.ArgumentError(None if command else action, what)

    def refuse(self, words: Sequence[str]) -> NoReturn:
        """Say which words have no place on this command's line, the nearest option beside an unknown one."""
        options = [word for word in words if word.startswith("-")]
        if not options:
            self.error(
                f"{' '.join(words)}: one word more than wanted; a name with blanks goes in quotation marks"
            )
        close = nearest(options[0].split("=")[0], self._option_string_actions)
        self.error(f"there is no option {options[0]}{f'; did you mean {close}?' if close else ''}")

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the options and stop."""
        complain("error", f"{message} ({self.prog} --help lists the options)")
        raise SystemExit(WRONG_INPUT)
