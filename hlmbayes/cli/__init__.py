"""The command `hlmbayes`: `parsers`, `options`, `command`, `sample`, `console`; `runs` does what is asked."""

from .command import main

__all__ = ["main"]
