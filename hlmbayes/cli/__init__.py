"""The command `hlmbayes`: `parsers`, `command`, `sample`; `jobs`, `output_jobs` do what is asked."""

from .command import main

__all__ = ["main"]
